/* bindings/c/lua/lop_lua.h - what the files of the Lua bindings share: errors at the user's line, arguments and
 * options, tensors as userdata, the thread team, progress.
 *
 * Two kinds of errors. A wrong argument is a plain string, as in Lua's own library. What core refuses (a lop_error) is
 * a table {code =, message =, what =, where =} with __tostring: "my.lua:12: lop.load: none.onnx: no such file". Both
 * name the line of the nearest function outside of lop's own Lua files, so that a function written in Lua over one in
 * C reports as one. All functions may raise (longjmp): hold nothing that the stack of Lua does not own. */
#ifndef LOP_LUA_H
#define LOP_LUA_H
#include "tensor/tensor.h"
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <signal.h>

#define LOPL_TENSOR "lop.tensor"        /* metatables in the registry */
#define LOPL_ERROR "lop.error"
#define LOPL_INTERRUPT "lop.interrupt"  /* registry: light userdata, volatile sig_atomic_t, set by a handler */

int luaopen_lop_core(lua_State *L);

/* ---- errors ---- */

/* Raises what core said. */
int lopL_fail(lua_State *L, const lop_error *err);
/* Nothing where st is LOP_OK, else lopL_fail. */
void lopL_check(lua_State *L, lop_status st, const lop_error *err);
/* Raises an error object of any code, for what the bindings themselves refuse. format: as lua_pushfstring. */
int lopL_failf(lua_State *L, const char *code, const char *format, ...);
/* Raises a plain string, "my.lua:12: lop.sample: ...". format: as lua_pushfstring. */
int lopL_error(lua_State *L, const char *format, ...);
/* Raises "bad argument #2 to 'sample' (layer: string expected, got number)". */
int lopL_argerror(lua_State *L, int arg, const char *name, const char *expected);
/* core.fail(code, message): an error object, for the Lua half of lop. */
int lopL_raise(lua_State *L);
/* Raises an error object of code "interrupted", for a hook that runs at Ctrl-C. */
int lopL_interrupt(lua_State *L);
/* Pushes "my.lua:12: ", or "" where no function of the user is on the stack. */
void lopL_where(lua_State *L);
/* Pushes the name of the function that the user called: "lop.sample", "tensor:reshape". */
void lopL_what(lua_State *L);

/* ---- tensors ---- */

lop_tensor *lopL_checktensor(lua_State *L, int arg, const char *name);  /* not closed; of any type */
lop_tensor *lopL_testtensor(lua_State *L, int arg);                     /* NULL where it is something else */
/* Pushes an empty tensor that Lua owns: made before its contents, so that no error leaks them. Once filled, call
 * lopL_filled: the collector of Lua does not see the bytes, and is run after each LOPL_COLLECT of them. */
lop_tensor *lopL_newtensor(lua_State *L);
void lopL_filled(lua_State *L, const lop_tensor *t);
enum { LOPL_COLLECT = 1 << 28 };
/* Pushes a tensor that shares t's memory. */
void lopL_pushtensor(lua_State *L, const lop_tensor *t);

/* ---- options: a table, or nil for none ---- */

/* An argument error unless nil or a table; an unknown key is an error with the nearest of `keys` (ends with NULL). */
void lopL_checkoptions(lua_State *L, int arg, const char *const *keys);
double lopL_number(lua_State *L, int arg, const char *key);             /* must be there */
double lopL_optnumber(lua_State *L, int arg, const char *key, double otherwise);
int64_t lopL_integer(lua_State *L, int arg, const char *key);           /* must be there */
int64_t lopL_optinteger(lua_State *L, int arg, const char *key, int64_t otherwise);
bool lopL_optboolean(lua_State *L, int arg, const char *key, bool otherwise);
const char *lopL_optstring(lua_State *L, int arg, const char *key, const char *otherwise);   /* the table's: borrowed */
/* The position in names (ends with NULL) of a string; an unknown one is an error with the nearest. */
int lopL_optenum(lua_State *L, int arg, const char *key, const char *const *names, int otherwise);
lop_tensor *lopL_opttensor(lua_State *L, int arg, const char *key);     /* the table's; NULL where absent */
/* Pushes options[key] (nil where absent) and returns its type. */
int lopL_getoption(lua_State *L, int arg, const char *key);
/* The nearest of the words to `word`, or NULL where none is near: half of the letters agree. */
const char *lopL_nearest(const char *word, const char *const *words);

/* Makes the metatable `name` of a type: its metamethods, and __index with its methods. */
void lopL_newtype(lua_State *L, const char *name, const luaL_Reg *meta, const luaL_Reg *methods);

/* ---- shapes and lists ---- */

/* {2, 3}, or an integer for one dimension. */
lop_shape lopL_shape(lua_State *L, int arg, const char *name);
/* The argument as lop_dtype: a name, or `otherwise` for nil. */
lop_dtype lopL_dtype(lua_State *L, int arg, const char *name, lop_dtype otherwise);
/* A list of integers (a table, or a tensor of one dimension) as an array, pushed as userdata: valid while there. */
int64_t *lopL_int64s(lua_State *L, int arg, const char *name, int64_t *count);
/* The same for places numbered from 1 to limit in Lua: 0 to limit - 1 in the array. */
int64_t *lopL_channels(lua_State *L, int arg, const char *name, int64_t limit, int64_t *count);
void lopL_pushint64s(lua_State *L, const int64_t *list, int64_t count);        /* pushes a table, numbers as they are */
void lopL_pushchannels(lua_State *L, const int64_t *list, int64_t count);       /* pushes a table, numbers + 1 */
/* One place: 1 to limit in Lua, 0 to limit - 1 in C. */
int64_t lopL_place(lua_State *L, int arg, const char *name, int64_t limit);

/* ---- threads ---- */

/* The team of this state, made when first asked for; NULL for one thread. */
lop_team *lopL_team(lua_State *L);
/* How many threads the next team has; n >= 1 sets it, 0 only asks. */
int lopL_threads(lua_State *L, int n);

/* ---- progress ---- */

typedef struct {
    lop_progress progress;      /* what core takes */
    lua_State *L;
    struct lopL_hold *hold;     /* private to lop_core.c */
    const volatile sig_atomic_t *interrupt;     /* NULL: nobody asks */
    int call;                   /* stack index of the function, or nil; the next slot is for what it raises */
    bool raised;
} lopL_progress;
/* From options.progress, function(what, done, total) or nil; false from it, or an interrupt, stops. Pushes two values
 * that must stay. p must outlive the call into core. */
void lopL_progress_init(lua_State *L, int arg, lopL_progress *p);
/* lopL_check for calls that took p: what the function raised goes on as it was. */
void lopL_progress_check(lua_State *L, const lopL_progress *p, lop_status st, const lop_error *err);

/* ---- modules: each adds its functions to the table on top of the stack and returns 1; listed in lop_core.c ---- */

int lop_open_system(lua_State *L);              /* files, folders, the terminal, clock and hashes for the Lua half */
int lop_open_limit(lua_State *L);               /* calls of code that others wrote, within limits */
int lop_open_tensor(lua_State *L);
int lop_open_image(lua_State *L);               /* lop.load_image */
int lop_open_exec(lua_State *L);                /* lop.exec */
int lop_open_scratch(lua_State *L);             /* lop.core.scratch: for lop's own Lua */
int lop_open_op(lua_State *L);                  /* one operator on tensors */
int lop_open_dataset(lua_State *L);             /* lop.data */
int lop_open_bench(lua_State *L);               /* lop.time */
int lop_open_stats(lua_State *L);               /* lop.stats */
int lop_open_decompose(lua_State *L);           /* a layer's filters as two factors */
int lop_open_lasso(lua_State *L);               /* lop.lasso, and the alternation */
int lop_open_sparse(lua_State *L);              /* the two steps of sparse coding */
int lop_open_net(lua_State *L);                 /* lop.load, and networks */
int lop_open_graph(lua_State *L);               /* lop.graph: a network from a table */
int lop_open_edit(lua_State *L);                /* lines typed into the REPL */
#endif

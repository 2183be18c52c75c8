/* bindings/c/lua/lop_core.c - luaopen_lop_core: the module lop.core, and what one state of Lua holds once: the thread
 * team and the count of tensor bytes since the last collection. */
#include "kernel/kernel.h"
#include "linalg/linalg.h"
#include "lua/lop_lua.h"
#include <cblas.h>
#include <string.h>

/* What the module is made of: each adds functions to the table on top of the stack. */
static int (*const modules[])(lua_State *L) = {
    lop_open_system,
    lop_open_limit,
    lop_open_tensor,
    lop_open_image,
    lop_open_net,
    lop_open_graph,
    lop_open_stats,
    lop_open_lasso,
    lop_open_sparse,
    lop_open_decompose,
    lop_open_bench,
    lop_open_dataset,
    lop_open_exec,
    lop_open_scratch,
    lop_open_op,
    lop_open_edit,
};

/* ---- the state's own ---- */

#define HOLD "lop.hold"         /* the registry's key, and the metatable */
struct lopL_hold {
    lop_team *team;             /* NULL: not asked for yet, or one thread */
    int threads;                /* 0: lop_cores() */
    int64_t fresh;              /* bytes of tensors since the last full collection */
    int lent;                   /* progress functions under way: core holds the team */
};
typedef struct lopL_hold hold;

static int hold_gc(lua_State *L)
{
    hold *h = luaL_checkudata(L, 1, HOLD);
    lop_team_free(h->team);
    h->team = NULL;
    return 0;
}

static hold *get_hold(lua_State *L)
{
    lua_getfield(L, LUA_REGISTRYINDEX, HOLD ".one");
    hold *h = luaL_testudata(L, -1, HOLD);
    if (!h) luaL_error(L, "lop.core is not loaded");
    lua_pop(L, 1);
    return h;
}

static void open_hold(lua_State *L)
{
    hold *h = lua_newuserdatauv(L, sizeof *h, 0);
    memset(h, 0, sizeof *h);
    luaL_newmetatable(L, HOLD);
    lua_pushcfunction(L, hold_gc);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    lua_setfield(L, LUA_REGISTRYINDEX, HOLD ".one");
}

void lopL_filled(lua_State *L, const lop_tensor *t)
{
    hold *h = get_hold(L);
    h->fresh += (int64_t)lop_tensor_bytes(t);
    if (h->fresh < LOPL_COLLECT) return;
    h->fresh = 0;
    lua_gc(L, LUA_GCCOLLECT);
}

int lopL_threads(lua_State *L, int n)
{
    hold *h = get_hold(L);
    if (n > 0 && n != h->threads) {
        if (h->lent > 0) lopL_error(L, "the threads cannot be changed by a progress function");
        lop_team_free(h->team);
        h->team = NULL;
        h->threads = n;
    }
    return h->threads > 0 ? h->threads : lop_cores();
}

lop_team *lopL_team(lua_State *L)
{
    hold *h = get_hold(L);
    const int n = lopL_threads(L, 0);
    lop_error err;
    if (!h->team && n > 1) lopL_check(L, lop_team_new(n, &h->team, &err), &err);
    return h->team;
}

/* ---- progress ---- */

static int step(void *context, const char *what, int64_t done, int64_t total)
{
    lopL_progress *p = context;
    lua_State *L = p->L;
    if (p->interrupt && *p->interrupt) return 1;
    if (lua_isnil(L, p->call) || !lua_checkstack(L, 8)) return 0;
    lua_pushvalue(L, p->call);
    lua_pushstring(L, what);
    lua_pushinteger(L, done);
    lua_pushinteger(L, total);
    p->hold->lent++;
    p->raised = lua_pcall(L, 3, 1, 0) != LUA_OK;        /* protected: core holds memory that a longjmp would lose */
    p->hold->lent--;
    const bool stop = p->raised || (lua_isboolean(L, -1) && !lua_toboolean(L, -1));
    lua_replace(L, p->call + 1);
    return stop;
}

void lopL_progress_init(lua_State *L, int arg, lopL_progress *p)
{
    luaL_checkstack(L, 8, NULL);
    *p = (lopL_progress){.progress = {step, p}, .L = L, .hold = get_hold(L)};
    lua_getfield(L, LUA_REGISTRYINDEX, LOPL_INTERRUPT);
    p->interrupt = lua_touserdata(L, -1);
    lua_pop(L, 1);
    const int type = lopL_getoption(L, arg, "progress");
    if (type != LUA_TNIL && type != LUA_TFUNCTION)
        lopL_error(L, "progress: function expected, got %s", lua_typename(L, type));
    p->call = lua_gettop(L);
    lua_pushnil(L);
}

void lopL_progress_check(lua_State *L, const lopL_progress *p, lop_status st, const lop_error *err)
{
    if (st != LOP_OK && p->raised) {
        lua_pushvalue(L, p->call + 1);
        lua_error(L);
    }
    lopL_check(L, st, err);
}

/* ---- the error object ---- */

static int error_tostring(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    lua_getfield(L, 1, "where");
    lua_getfield(L, 1, "what");
    lua_pushliteral(L, ": ");
    lua_getfield(L, 1, "message");
    for (int i = 2; i <= 5; i++)
        if (!lua_isstring(L, i)) {      /* a script has taken the fields away */
            lua_pushliteral(L, "");
            lua_replace(L, i);
        }
    lua_concat(L, 4);
    return 1;
}

static int error_concat(lua_State *L)
{
    luaL_tolstring(L, 1, NULL);
    luaL_tolstring(L, 2, NULL);
    lua_concat(L, 2);
    return 1;
}

static void open_error(lua_State *L)
{
    static const luaL_Reg meta[] = {{"__tostring", error_tostring}, {"__concat", error_concat}, {NULL, NULL}};
    luaL_newmetatable(L, LOPL_ERROR);
    luaL_setfuncs(L, meta, 0);
    lua_pop(L, 1);
}

/* ---- functions ---- */

/* ---@param folder string   with a slash at its end: an error that looks for the user passes its files over */
static int core_library(lua_State *L)
{
    luaL_checkstring(L, 1);
    lua_settop(L, 1);
    lua_setfield(L, LUA_REGISTRYINDEX, "lop.library");
    return 0;
}

/* ---@param n integer?      sets the number of threads
 * ---@return integer        the number that is used */
static int core_threads(lua_State *L)
{
    if (!lua_isnoneornil(L, 1)) lopL_threads(L, (int)lopL_place(L, 1, "threads", 1024) + 1);
    lua_pushinteger(L, lopL_threads(L, 0));
    return 1;
}

/* ---@param word string
 * ---@param words string[]
 * ---@return string?        the nearest of the words, nil where none is near */
static int core_nearest(lua_State *L)
{
    const char *word = luaL_checkstring(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    const size_t n = (size_t)lua_rawlen(L, 2);
    const char **words = lua_newuserdatauv(L, (n + 1) * sizeof *words, 0);
    size_t used = 0;
    for (size_t i = 0; i < n; i++) {            /* the table keeps the strings alive; numbers are passed over */
        if (lua_rawgeti(L, 2, (lua_Integer)i + 1) == LUA_TSTRING) words[used++] = lua_tostring(L, -1);
        lua_pop(L, 1);
    }
    words[used] = NULL;
    lua_pushstring(L, lopL_nearest(word, words));
    return 1;
}

/* ---@param clear boolean?  forget it
 * ---@return boolean        whether an interrupt (Ctrl-C) has come */
static int core_interrupted(lua_State *L)
{
    lua_getfield(L, LUA_REGISTRYINDEX, LOPL_INTERRUPT);
    volatile sig_atomic_t *came = lua_touserdata(L, -1);
    lua_pushboolean(L, came && *came);
    if (came && lua_toboolean(L, 1)) *came = 0;
    return 1;
}

/* ---@param name string      of a type: "lop.net", "lop.layer"
 * ---@return table           its metatable, for what the Lua half adds */
static int core_metatable(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    if (luaL_getmetatable(L, name) != LUA_TTABLE) return lopL_error(L, "no type '%s'", name);
    return 1;
}

#ifndef LOP_COMMIT
#define LOP_COMMIT "unknown"
#endif

/* ---@return {version: string, commit: string, cpu_path: string, cpu_paths: string[], blas: string, lua: string,
 *            mpi: boolean} */
static int core_version(lua_State *L)
{
    lop_cpu best;
    lop_error err;
    if (lop_cpu_best(&best, &err) != LOP_OK) return lopL_failf(L, "usage", "%s", err.message);  /* LOP_CPU is wrong */
    lua_createtable(L, 0, 7);
    lua_pushliteral(L, LOP_VERSION);
    lua_setfield(L, -2, "version");
    lua_pushliteral(L, LOP_COMMIT);
    lua_setfield(L, -2, "commit");
    lua_pushstring(L, lop_cpu_name(best));
    lua_setfield(L, -2, "cpu_path");
    lua_newtable(L);
    for (int cpu = LOP_CPU_PORTABLE, n = 0; cpu <= LOP_CPU_NEON; cpu++)
        if (lop_cpu_runs((lop_cpu)cpu)) {
            lua_pushstring(L, lop_cpu_name((lop_cpu)cpu));
            lua_rawseti(L, -2, ++n);
        }
    lua_setfield(L, -2, "cpu_paths");
    lua_pushfstring(L, "%s, core %s", openblas_get_config(), openblas_get_corename());
    lua_setfield(L, -2, "blas");
    lua_pushliteral(L, LUA_RELEASE);
    lua_setfield(L, -2, "lua");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "mpi");
    return 1;
}

static const luaL_Reg functions[] = {
    {"fail", lopL_raise}, {"library", core_library}, {"threads", core_threads}, {"nearest", core_nearest},
    {"interrupted", core_interrupted}, {"metatable", core_metatable}, {"version", core_version}, {NULL, NULL}};

int luaopen_lop_core(lua_State *L)
{
    luaL_checkversion(L);
    lop_blas_single_thread();           /* sums that are split by a thread count would change with it */
    open_hold(L);
    open_error(L);
    luaL_newlib(L, functions);
    lua_pushliteral(L, "lop " LOP_VERSION);
    lua_setfield(L, -2, "_VERSION");
    for (size_t i = 0; i < sizeof modules / sizeof *modules; i++) modules[i](L);
    return 1;
}

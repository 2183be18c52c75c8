/* bindings/c/net/lop_exec.c - lop.exec: a part of a network made ready to run, from given values to wanted ones. */
#include "net/lop_net.h"

#define LOPL_EXEC "lop.exec"
enum { MOST = 64 };             /* values given, and values wanted */
typedef struct { lop_exec *exec; int ngiven, nwanted; } part;

static int exec_gc(lua_State *L)
{
    part *p = luaL_checkudata(L, 1, LOPL_EXEC);
    lop_exec_free(p->exec);
    p->exec = NULL;
    return 0;
}

static int values(lua_State *L, int arg, const char *what, const lop_graph *g, int list[MOST])
{
    luaL_checktype(L, arg, LUA_TTABLE);
    const lua_Integer n = luaL_len(L, arg);
    if (n < 1 || n > MOST) return lopL_error(L, "%s: 1 to %d values expected, got %I", what, MOST, n);
    for (int i = 0; i < n; i++) {
        lua_rawgeti(L, arg, i + 1);
        const char *name = lua_tostring(L, -1);
        list[i] = name ? lop_graph_value(g, name) : -1;
        if (list[i] < 0) return lopL_failf(L, "notfound", "%s: no value '%s'", what, name ? name : "?");
        lua_pop(L, 1);
    }
    return (int)n;
}

/* ---@param net lop.net
 * ---@param given string[]   names of values; the net may change afterwards
 * ---@param wanted string[]
 * ---@return lop.exec */
static int exec_new(lua_State *L)
{
    const lop_graph *g = lopL_checknet(L, 1);
    int given[MOST], wanted[MOST];
    lop_error err;
    part *p = lua_newuserdatauv(L, sizeof *p, 0);
    *p = (part){0};
    luaL_setmetatable(L, LOPL_EXEC);
    p->ngiven = values(L, 2, "given", g, given);
    p->nwanted = values(L, 3, "wanted", g, wanted);
    const lopL_work *h = lopL_infer(L, g, NULL);
    const lop_exec_options o = {.given = given, .ngiven = p->ngiven, .wanted = wanted, .nwanted = p->nwanted};
    lopL_check(L, lop_exec_new(g, &h->shapes, &o, &p->exec, &err), &err);
    lua_pop(L, 1);
    return 1;
}

/* ---@param ... lop.tensor   the given values, in order, for any number of images
 * ---@return lop.tensor ...  the wanted ones */
static int exec_run(lua_State *L)
{
    part *p = luaL_testudata(L, 1, LOPL_EXEC);
    lop_tensor in[MOST], out[MOST], *slot[MOST];
    lop_error err;
    if (!p || !p->exec) return lopL_argerror(L, 1, "exec", "lop.exec");
    lua_settop(L, p->ngiven + 1);
    for (int i = 0; i < p->ngiven; i++) in[i] = *lopL_checktensor(L, i + 2, "given");  /* views: the stack holds them */
    luaL_checkstack(L, p->nwanted + 1, NULL);
    for (int i = 0; i < p->nwanted; i++) slot[i] = lopL_newtensor(L);
    lopL_check(L, lop_exec_run(p->exec, lopL_team(L), in, out, &err), &err);
    for (int i = 0; i < p->nwanted; i++) *slot[i] = out[i];
    for (int i = 0; i < p->nwanted; i++) lopL_filled(L, slot[i]);
    return p->nwanted;
}

/* ---@return boolean         whether it takes any number of images: each is computed by itself */
static int exec_per_image(lua_State *L)
{
    const part *p = luaL_testudata(L, 1, LOPL_EXEC);
    if (!p || !p->exec) return lopL_argerror(L, 1, "exec", "lop.exec");
    lua_pushboolean(L, lop_exec_per_image(p->exec));
    return 1;
}

static const luaL_Reg methods[] = {{"run", exec_run}, {"per_image", exec_per_image}, {NULL, NULL}};
static const luaL_Reg meta[] = {{"__gc", exec_gc}, {"__close", exec_gc}, {NULL, NULL}};
static const luaL_Reg functions[] = {{"exec", exec_new}, {NULL, NULL}};

int lop_open_exec(lua_State *L)
{
    lopL_newtype(L, LOPL_EXEC, meta, methods);
    luaL_setfuncs(L, functions, 0);
    return 1;
}

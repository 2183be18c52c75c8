/* bindings/c/net/lop_graph.c - lop.graph: a network from a table, node by node. */
#include "net/lop_net.h"
#include "ops/ops.h"
#include <stdlib.h>
#include <string.h>

enum { MOST = 256 };            /* inputs and outputs of one node */

/* Pushes t[key], which must be a table; its length. */
static lua_Integer list(lua_State *L, int t, const char *what, const char *key)
{
    if (lua_getfield(L, t, key) != LUA_TTABLE) return lopL_error(L, "%s.%s: table expected", what, key);
    return luaL_len(L, -1);
}

/* t[key] as a string, which t keeps. */
static const char *text(lua_State *L, int t, const char *what, const char *key, const char *otherwise)
{
    lua_getfield(L, t, key);
    const char *s = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : lua_isnil(L, -1) ? otherwise : NULL;
    if (!s) lopL_error(L, "%s.%s: string expected, got %s", what, key, luaL_typename(L, -1));
    lua_pop(L, 1);
    return s;
}

static void add_inputs(lua_State *L, lop_graph *g)
{
    const lua_Integer n = list(L, 1, "graph", "inputs");
    for (lua_Integer i = 1; i <= n; i++) {
        lop_error err;
        int id, rank = 0;
        if (lua_geti(L, -1, i) != LUA_TTABLE) lopL_error(L, "inputs: entry %I is no table {name=, shape=}", i);
        const int at = lua_gettop(L);
        const char *name = text(L, at, "inputs", "name", NULL);
        lua_getfield(L, at, "type");
        const lop_dtype type = lopL_dtype(L, at + 1, "type", LOP_F32);
        lop_shape shape = {0};
        const lua_Integer dims = list(L, at, "inputs", "shape");
        if (dims > LOP_MAX_DIMS) lopL_error(L, "input '%s': %I dimensions, %d at most", name, dims, LOP_MAX_DIMS);
        for (; rank < dims; rank++) {
            lua_geti(L, -1, rank + 1);
            shape.dim[rank] = lua_isinteger(L, -1) ? lua_tointeger(L, -1) : -1;
            lua_pop(L, 1);
        }
        shape.ndim = rank;
        lopL_check(L, lop_graph_add_input(g, name, type, &shape, &id, &err), &err);
        lua_settop(L, at - 1);
    }
    lua_pop(L, 1);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The keys of the table at t, which keeps them, sorted; pushed as userdata. Lua's own order differs from run to run. */
static const char **sorted_names(lua_State *L, int t, const char *what, size_t *count)
{
    *count = 0;
    for (lua_pushnil(L); lua_next(L, t); lua_pop(L, 1), ++*count)
        if (lua_type(L, -2) != LUA_TSTRING) lopL_error(L, "%s: names expected as keys", what);
    const char **names = lua_newuserdatauv(L, (*count + 1) * sizeof *names, 0);
    size_t k = 0;
    for (lua_pushnil(L); lua_next(L, t); lua_pop(L, 1)) names[k++] = lua_tostring(L, -2);
    qsort(names, k, sizeof *names, by_name);
    return names;
}

/* In the order of their names, so that the same table makes the same file. */
static void add_constants(lua_State *L, lop_graph *g)
{
    const int from = lua_gettop(L) + 1;
    const int kind = lua_getfield(L, 1, "constants");
    if (kind != LUA_TNIL && kind != LUA_TTABLE) lopL_error(L, "constants: table of name to tensor expected");
    size_t n = 0;
    const char **names = kind == LUA_TTABLE ? sorted_names(L, from, "constants", &n) : NULL;
    for (size_t k = 0; k < n; k++) {
        lop_error err;
        int id;
        lua_getfield(L, from, names[k]);
        const lop_tensor *t = lopL_testtensor(L, -1);
        if (!t) lopL_error(L, "constants.%s: tensor expected, got %s", names[k], luaL_typename(L, -1));
        if (lop_graph_value(g, names[k]) >= 0) lopL_error(L, "constants.%s: an input has that name", names[k]);
        lopL_check(L, lop_graph_add_constant(g, names[k], t, &id, &err), &err);
        lua_pop(L, 1);
    }
    lua_settop(L, from - 1);
}

/* ---- nodes ---- */

/* A Lua value at the top as an attribute: integer, number, string, tensor, list of integers or of numbers. The arrays
 * are userdata that stay on the stack. */
static lop_attr attribute(lua_State *L, const char *node, const char *name)
{
    lop_attr a = {.name = NULL};
    const int v = lua_gettop(L);
    if (lua_isinteger(L, v)) return (lop_attr){.kind = LOP_ATTR_INT, .i = lua_tointeger(L, v)};
    if (lua_type(L, v) == LUA_TNUMBER) return (lop_attr){.kind = LOP_ATTR_FLOAT, .f = (float)lua_tonumber(L, v)};
    if (lua_type(L, v) == LUA_TBOOLEAN) return (lop_attr){.kind = LOP_ATTR_INT, .i = lua_toboolean(L, v)};
    if (lopL_testtensor(L, v)) return (lop_attr){.kind = LOP_ATTR_TENSOR, .tensor = *lopL_testtensor(L, v)};
    if (lua_type(L, v) == LUA_TSTRING) {
        a.kind = LOP_ATTR_STRING;
        a.s = (char *)(uintptr_t)lua_tolstring(L, v, &a.length);        /* read only: lop_node_set_attr copies it */
        return a;
    }
    if (!lua_istable(L, v))
        lopL_error(L, "node '%s', attribute '%s': number, string, tensor or list expected, got %s", node, name,
                   luaL_typename(L, v));
    const lua_Integer n = luaL_len(L, v);
    bool whole = true;
    for (lua_Integer i = 1; i <= n; i++) {
        if (lua_geti(L, v, i) != LUA_TNUMBER)
            lopL_error(L, "node '%s', attribute '%s': a list of numbers expected", node, name);
        whole = whole && lua_isinteger(L, -1);
        lua_pop(L, 1);
    }
    a.kind = whole ? LOP_ATTR_INTS : LOP_ATTR_FLOATS;
    a.count = n;
    void *block = lua_newuserdatauv(L, (size_t)(n > 0 ? n : 1) * sizeof(int64_t), 0);
    if (whole) a.ints = block;
    else a.floats = block;
    for (lua_Integer i = 0; i < n; i++) {
        lua_geti(L, v, i + 1);
        if (whole) a.ints[i] = lua_tointeger(L, -1);
        else a.floats[i] = (float)lua_tonumber(L, -1);
        lua_pop(L, 1);
    }
    return a;
}

static void set_attributes(lua_State *L, int t, lop_node *n, const char *name)
{
    lop_error err;
    if (lua_getfield(L, t, "attributes") == LUA_TNIL) {
        lua_pop(L, 1);
        return;
    }
    if (!lua_istable(L, -1)) lopL_error(L, "node '%s': attributes: table expected", name);
    const int from = lua_gettop(L);
    size_t count = 0;
    const char **names = sorted_names(L, from, lua_pushfstring(L, "node '%s': attributes", name), &count);
    const int top = lua_gettop(L);
    for (size_t k = 0; k < count; k++) {
        lua_getfield(L, from, names[k]);
        lop_attr a = attribute(L, name, names[k]);
        a.name = (char *)(uintptr_t)names[k];
        lopL_check(L, lop_node_set_attr(n, &a, &err), &err);
        lua_settop(L, top);
    }
    lua_settop(L, from - 1);
}

/* The names of a list as values, made where they are not there yet; "" is an input left out. */
static int values(lua_State *L, lop_graph *g, int t, const char *node, const char *key, int out[MOST])
{
    const lua_Integer n = list(L, t, node, key);
    lop_error err;
    if (n > MOST) return lopL_error(L, "node '%s': %I %s, %d at most", node, n, key, MOST);
    for (int i = 0; i < n; i++) {
        if (lua_geti(L, -1, i + 1) != LUA_TSTRING)
            return lopL_error(L, "node '%s': %s: names of values expected", node, key);
        const char *name = lua_tostring(L, -1);
        out[i] = name[0] ? lop_graph_value(g, name) : -1;
        if (name[0] && out[i] < 0) lopL_check(L, lop_graph_add_value(g, name, &out[i], &err), &err);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    return (int)n;
}

static void add_nodes(lua_State *L, lop_graph *g)
{
    const lua_Integer n = list(L, 1, "graph", "nodes");
    for (lua_Integer i = 1; i <= n; i++) {
        int in[MOST], out[MOST];
        lop_node *node;
        lop_error err;
        if (lua_geti(L, -1, i) != LUA_TTABLE) lopL_error(L, "nodes: entry %I is no table {op=, inputs=, outputs=}", i);
        const int t = lua_gettop(L);
        const char *op = text(L, t, "nodes", "op", NULL), *name = text(L, t, "nodes", "name", op);
        const int nin = values(L, g, t, name, "inputs", in), nout = values(L, g, t, name, "outputs", out);
        lopL_check(L, lop_graph_insert(g, g->nnode, op, name, in, nin, out, nout, &node, &err), &err);
        set_attributes(L, t, node, name);
        lua_settop(L, t - 1);
    }
    lua_pop(L, 1);
}

static void add_outputs(lua_State *L, lop_graph *g)
{
    const lua_Integer n = list(L, 1, "graph", "outputs");
    for (lua_Integer i = 1; i <= n; i++) {
        lop_error err;
        if (lua_geti(L, -1, i) != LUA_TSTRING) lopL_error(L, "outputs: names of values expected");
        const int v = lop_graph_value(g, lua_tostring(L, -1));
        if (v < 0) lopL_error(L, "outputs: nothing makes '%s'", lua_tostring(L, -1));
        lopL_check(L, lop_graph_add_output(g, v, &err), &err);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

/* A network from its parts, sorted and checked. Types of attributes follow Lua's: 1 is an integer, 1.0 a float.
 * ---@param spec {inputs: {name: string, shape: (integer|string)[], type: string?}[], outputs: string[],
 *                 nodes: {op: string, name: string?, inputs: string[], outputs: string[], attributes: table?}[],
 *                 constants: table<string, lop.tensor>?, opset: integer?, name: string?}
 * ---@return lop.net */
static int graph_new(lua_State *L)
{
    static const char *const keys[] = {"inputs", "outputs", "nodes", "constants", "opset", "name", NULL};
    lop_error err;
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    lopL_checkoptions(L, 1, keys);
    lop_graph **g = lopL_newnet(L);
    lopL_check(L, lop_graph_new(lop_ops(), g, &err), &err);
    (*g)->ir_version = 8;
    (*g)->name = lop_string(lopL_optstring(L, 1, "name", "lop"), &err);
    (*g)->producer = lop_string("lop", &err);
    if (!(*g)->name || !(*g)->producer) lopL_fail(L, &err);
    lopL_check(L, lop_graph_set_opset(*g, lopL_optinteger(L, 1, "opset", 17), &err), &err);
    add_inputs(L, *g);
    add_constants(L, *g);
    add_nodes(L, *g);
    add_outputs(L, *g);
    lopL_check(L, lop_graph_sort(*g, &err), &err);
    lua_settop(L, 2);
    return 1;
}

int lop_open_graph(lua_State *L)
{
    lua_pushcfunction(L, graph_new);
    lua_setfield(L, -2, "graph");
    return 1;
}

/* bindings/c/net/lop_op.c - core.op: one ONNX operator on tensors, for the functions of the Lua half. */
#include "lua/lop_lua.h"
#include "ops/ops.h"
#include <string.h>

enum { MOST = 16, OPSET = 17 };         /* inputs, and attributes */

/* The value on top of the stack; its arrays are the stack's. By Lua's subtype: 1 is an integer, 1.0 is not. */
static lop_attr attribute(lua_State *L, const char *name)
{
    lop_attr a = {.name = (char *)(uintptr_t)name};     /* read only: an operator gets its node const */
    const int v = lua_gettop(L);
    if (lua_isinteger(L, v)) {
        a.kind = LOP_ATTR_INT;
        a.i = lua_tointeger(L, v);
    } else if (lua_type(L, v) == LUA_TNUMBER) {
        a.kind = LOP_ATTR_FLOAT;
        a.f = (float)lua_tonumber(L, v);
    } else {
        a.kind = LOP_ATTR_INTS;
        a.ints = lopL_int64s(L, v, name, &a.count);
    }
    return a;
}

/* ---@param name string          of domain ai.onnx
 * ---@param inputs (lop.tensor|false)[]     false: left out
 * ---@param attributes table<string, integer|number|integer[]>?
 * ---@return lop.tensor          the first output */
static int op_run(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    const lop_op *op = lop_op_find(lop_ops(), "", name);
    const lop_tensor *in[MOST] = {0};
    lop_attr attr[MOST];
    lop_error err;
    if (!op) return lopL_failf(L, "unsupported", "no operator '%s'", name);
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 3);
    luaL_checkstack(L, 3 * MOST + 8, NULL);
    char *text = (char *)(uintptr_t)name, none[1] = "";
    lop_node node = {.name = text, .op = text, .domain = none, .attr = attr};
    const lop_graph graph = {.ops = lop_ops()};
    lop_op_call call = {.graph = &graph, .node = &node, .opset = OPSET, .nout = 1, .in = in};
    call.nin = (int)lua_rawlen(L, 2);
    if (call.nin > MOST) return lopL_error(L, "%d inputs, %d at most", call.nin, MOST);
    for (int i = 0; i < call.nin; i++)
        if (lua_rawgeti(L, 2, i + 1) == LUA_TUSERDATA) in[i] = lopL_checktensor(L, lua_gettop(L), "input");
    if (lua_istable(L, 3))
        for (lua_pushnil(L); lua_next(L, 3);) {
            const int key = lua_gettop(L) - 1;
            if (node.nattr == MOST) return lopL_error(L, "%d attributes at most", MOST);
            attr[node.nattr++] = attribute(L, lua_tostring(L, key));
            lua_pushvalue(L, key);              /* what the attribute holds stays below */
        }
    lop_tensor out = {0}, *y = lopL_newtensor(L);
    call.out = &out;
    lopL_check(L, op->shape(&call, &err), &err);
    lopL_check(L, lop_tensor_init(y, out.type, &out.shape, &err), &err);
    call.out = y;
    call.team = lopL_team(L);
    lopL_check(L, op->forward(&call, &err), &err);
    lopL_filled(L, y);
    return 1;
}

int lop_open_op(lua_State *L)
{
    lua_pushcfunction(L, op_run);
    lua_setfield(L, -2, "op");
    return 1;
}

/* bindings/c/lua/lop_scratch.c - lop.scratch: tensors in a nameless file (lop.core.scratch, for lop's own Lua). */
#include "lua/lop_lua.h"

#define LOPL_SCRATCH "lop.scratch"

static int scratch_gc(lua_State *L)
{
    lop_scratch **s = luaL_checkudata(L, 1, LOPL_SCRATCH);
    lop_scratch_free(*s);
    *s = NULL;
    return 0;
}

static lop_scratch *self(lua_State *L)
{
    lop_scratch **s = luaL_checkudata(L, 1, LOPL_SCRATCH);
    if (!*s) lopL_error(L, "scratch: closed");
    return *s;
}

/* ---@param folder string
 * ---@param bytes integer
 * ---@return lop.scratch */
static int scratch_new(lua_State *L)
{
    const char *folder = luaL_checkstring(L, 1);
    const int64_t bytes = luaL_checkinteger(L, 2);
    lop_error err;
    lop_scratch **s = lua_newuserdatauv(L, sizeof *s, 0);
    *s = NULL;
    luaL_setmetatable(L, LOPL_SCRATCH);
    lopL_check(L, lop_scratch_open(folder, bytes, s, &err), &err);
    return 1;
}

/* ---@param at integer       a place in the file, in bytes from 0
 * ---@param t lop.tensor
 * ---@return integer         the place behind it */
static int scratch_write(lua_State *L)
{
    lop_scratch *s = self(L);
    const int64_t at = luaL_checkinteger(L, 2);
    const lop_tensor *t = lopL_checktensor(L, 3, "t");
    lop_error err;
    lopL_check(L, lop_scratch_write(s, at, t, &err), &err);
    lua_pushinteger(L, at + (int64_t)lop_tensor_bytes(t));
    return 1;
}

/* ---@param at integer       as it was written
 * ---@param shape integer[]
 * ---@param type string
 * ---@return lop.tensor */
static int scratch_read(lua_State *L)
{
    lop_scratch *s = self(L);
    const int64_t at = luaL_checkinteger(L, 2);
    const lop_shape shape = lopL_shape(L, 3, "shape");
    const lop_dtype type = lopL_dtype(L, 4, "type", LOP_F32);
    lop_error err;
    lop_tensor *t = lopL_newtensor(L);
    lopL_check(L, lop_scratch_read(s, at, type, &shape, t, &err), &err);
    lopL_filled(L, t);
    return 1;
}

static const luaL_Reg methods[] = {{"write", scratch_write}, {"read", scratch_read}, {"close", scratch_gc},
                                   {NULL, NULL}};
static const luaL_Reg meta[] = {{"__gc", scratch_gc}, {"__close", scratch_gc}, {NULL, NULL}};
static const luaL_Reg functions[] = {{"scratch", scratch_new}, {NULL, NULL}};

int lop_open_scratch(lua_State *L)
{
    lopL_newtype(L, LOPL_SCRATCH, meta, methods);
    luaL_setfuncs(L, functions, 0);
    return 1;
}

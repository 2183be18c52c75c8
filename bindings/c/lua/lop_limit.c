/* bindings/c/lua/lop_limit.c - a call of Lua code that others wrote: it may run so many instructions and hold so much
 * of Lua's memory, and is ended where it goes beyond. What a C function does between two instructions is not
 * counted. */
#include "lua/lop_lua.h"
#include <limits.h>

typedef struct {
    lua_Alloc inner;            /* the state's own allocator, and its context */
    void *context;
    int64_t held, most;         /* bytes that Lua holds more than when the call began, and how many those may be */
} limit;

static void *allocate(void *context, void *block, size_t old, size_t size)
{
    limit *l = context;
    const size_t before = block ? old : 0;
    const bool grows = size > before;
    if (grows && (size - before > (size_t)l->most || l->held + (int64_t)(size - before) > l->most)) return NULL;
    void *moved = l->inner(l->context, block, old, size);
    if (moved || size == 0) l->held += (int64_t)size - (int64_t)before;
    return moved;
}

/* The count begins anew after each error, so a pcall in the code has to let this one through. */
static void on_count(lua_State *L, lua_Debug *ar)
{
    (void)ar;
    lua_createtable(L, 0, 2);
    lua_pushliteral(L, "limit");
    lua_setfield(L, -2, "code");
    luaL_where(L, 0);
    lua_setfield(L, -2, "where");
    lua_error(L);
}

/* An interrupt has set a hook of its own, which may be lost when the one from before comes back: so it is asked for. */
static void end_hook(lua_State *L, lua_Hook hook, int mask, int count)
{
    if (lua_gethook(L) == on_count) lua_sethook(L, hook, mask, count);
    lua_getfield(L, LUA_REGISTRYINDEX, LOPL_INTERRUPT);
    const volatile sig_atomic_t *came = lua_touserdata(L, -1);
    lua_pop(L, 1);
    if (came && *came) lopL_interrupt(L);
}

/* pcall within limits. Beyond them the error is {code = "limit", where = "my.lua:1: "}, or "not enough memory" as ever
 * in Lua.
 * ---@param limits {steps: integer, bytes: integer}
 * ---@param f function
 * ---@return boolean
 * ---@return any ... */
static int limited(lua_State *L)
{
    static const char *const keys[] = {"steps", "bytes", NULL};
    limit l = {0};
    lopL_checkoptions(L, 1, keys);
    const int64_t steps = lopL_integer(L, 1, "steps");
    l.most = lopL_integer(L, 1, "bytes");
    if (steps < 1 || steps > INT_MAX || l.most < 1)
        return lopL_error(L, "steps 1 to %d and bytes 1 or more expected", INT_MAX);
    luaL_checkany(L, 2);
    const lua_Hook hook = lua_gethook(L);
    const int mask = lua_gethookmask(L), count = lua_gethookcount(L);
    l.inner = lua_getallocf(L, &l.context);
    lua_setallocf(L, allocate, &l);
    lua_sethook(L, on_count, LUA_MASKCOUNT, (int)steps);
    const int status = lua_pcall(L, lua_gettop(L) - 2, LUA_MULTRET, 0);
    lua_setallocf(L, l.inner, l.context);       /* before anything that may raise: l ends with this call */
    end_hook(L, hook, mask, count);
    lua_pushboolean(L, status == LUA_OK);
    lua_replace(L, 1);                          /* the limits' place: the results stand behind it */
    return lua_gettop(L);
}

int lop_open_limit(lua_State *L)
{
    lua_pushcfunction(L, limited);
    lua_setfield(L, -2, "limited");
    return 1;
}

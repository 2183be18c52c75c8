/* bindings/c/lua/lop_error.c - errors that name the function the user called and the line it was called from. */
#include "lua/lop_lua.h"
#include <stdarg.h>
#include <string.h>

/* Is this function one of lop's own, in C or in a file of its Lua folder (core.library names it)? Recipes that come
 * along there are the user's. */
static bool is_own(lua_State *L, lua_Debug *ar)
{
    lua_getinfo(L, "S", ar);
    if (*ar->what == 'C') return true;
    bool own = false;
    if (lua_getfield(L, LUA_REGISTRYINDEX, "lop.library") == LUA_TSTRING) {
        size_t n = 0;
        const char *folder = lua_tolstring(L, -1, &n);
        own = ar->source[0] == '@' && strncmp(ar->source + 1, folder, n) == 0 &&
              strncmp(ar->source + 1 + n, "recipes/", 8) != 0;
    }
    lua_pop(L, 1);
    return own;
}

/* The innermost function of the user; false where there is none. *level: that of lop's function it called. */
static bool find_user(lua_State *L, lua_Debug *ar, int *level)
{
    for (*level = 0; lua_getstack(L, *level + 1, ar); (*level)++)
        if (!is_own(L, ar)) return true;
    return false;
}

void lopL_where(lua_State *L)
{
    lua_Debug ar;
    int level;
    if (find_user(L, &ar, &level)) {
        lua_getinfo(L, "Sl", &ar);
        if (ar.currentline > 0) {
            lua_pushfstring(L, "%s:%d: ", ar.short_src, ar.currentline);
            return;
        }
    }
    lua_pushliteral(L, "");
}

/* Looks for the value on top of the stack in the table below it, and `depth` tables deeper; pushes its path. */
static bool find_path(lua_State *L, const char *prefix, int depth)
{
    const int value = lua_gettop(L), table = value - 1;
    luaL_checkstack(L, 8, NULL);
    lua_pushnil(L);
    while (lua_next(L, table)) {
        if (lua_type(L, -2) == LUA_TSTRING) {
            const char *key = lua_tostring(L, -2);
            bool found = lua_rawequal(L, -1, value) != 0;
            if (found) lua_pushfstring(L, "%s%s", prefix, key);
            else if (depth > 0 && lua_istable(L, -1)) {
                const char *deeper = lua_pushfstring(L, "%s%s.", prefix, key);
                lua_pushvalue(L, -2);
                lua_pushvalue(L, value);
                found = find_path(L, deeper, depth - 1);
                if (!found) lua_pop(L, 3);
            }
            if (found) {
                lua_replace(L, value);
                lua_settop(L, value);
                return true;
            }
        }
        lua_pop(L, 1);
    }
    return false;
}

/* Replaces the function on top of the stack by its name in a module that is loaded. */
static bool module_name(lua_State *L, const char *module, int depth)
{
    lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    const bool table = lua_getfield(L, -1, module) == LUA_TTABLE;
    lua_remove(L, -2);
    lua_insert(L, -2);
    const bool found = table && find_path(L, "lop.", depth);
    lua_remove(L, -2);
    return found;
}

/* The same for a method of the first argument: "tensor:reshape". */
static bool method_name(lua_State *L, int subject)
{
    if (subject == 0 || lua_type(L, subject) != LUA_TUSERDATA || !lua_getmetatable(L, subject)) return false;
    const int meta = lua_gettop(L);
    lua_getfield(L, meta, "__name");
    const char *type = lua_tostring(L, -1), *dot = type ? strrchr(type, '.') : NULL;
    const char *prefix = lua_pushfstring(L, "%s:", dot ? dot + 1 : type ? type : "?");
    bool found = false;
    if (lua_getfield(L, meta, "__index") != LUA_TTABLE) {       /* a function, of a type with fields */
        lua_pop(L, 1);
        lua_getfield(L, meta, "methods");
    }
    if (lua_istable(L, -1)) {
        lua_pushvalue(L, meta - 1);
        found = find_path(L, prefix, 0);
    }
    if (!found) {
        lua_pushvalue(L, meta);
        lua_pushvalue(L, meta - 1);
        found = find_path(L, prefix, 0);
    }
    if (found) lua_replace(L, meta - 1);
    lua_settop(L, meta - 1);
    return found;
}

void lopL_what(lua_State *L)
{
    lua_Debug ar;
    int level = 0;
    const int subject = lua_gettop(L) > 0 ? 1 : 0;
    if (!find_user(L, &ar, &level) && level > 0) level = 0;
    while (level > 0 && lua_getstack(L, level, &ar)) {  /* from pcall and its like down to what they called */
        lua_getinfo(L, "f", &ar);
        if (module_name(L, "lop", 1)) return;
        lua_pop(L, 1);
        level--;
    }
    if (!lua_getstack(L, 0, &ar)) {
        lua_pushliteral(L, "lop");
        return;
    }
    lua_getinfo(L, "fn", &ar);
    if (lua_tocfunction(L, -1) == lopL_raise) {         /* that is how the Lua half raises, nothing the user called */
        lua_pop(L, 1);
        lua_pushliteral(L, "lop");
        return;
    }
    if (module_name(L, "lop", 1) || module_name(L, "lop.core", 1) || method_name(L, subject)) return;
    lua_pop(L, 1);
    lua_pushstring(L, ar.name ? ar.name : "lop");
}

/* Stack: message, what, where. */
static int raise_object(lua_State *L, const char *code)
{
    const int message = lua_gettop(L) - 2;
    lua_createtable(L, 0, 4);
    lua_pushstring(L, code);
    lua_setfield(L, -2, "code");
    lua_pushvalue(L, message);
    lua_setfield(L, -2, "message");
    lua_pushvalue(L, message + 1);
    lua_setfield(L, -2, "what");
    lua_pushvalue(L, message + 2);
    lua_setfield(L, -2, "where");
    luaL_setmetatable(L, LOPL_ERROR);
    return lua_error(L);
}

static int raise_message(lua_State *L, const char *code, const char *message)
{
    luaL_checkstack(L, 12, NULL);
    lua_pushstring(L, message);
    lopL_what(L);
    lopL_where(L);
    return raise_object(L, code);
}

int lopL_interrupt(lua_State *L)
{
    luaL_checkstack(L, 12, NULL);
    lua_pushliteral(L, "interrupted");
    lua_pushliteral(L, "lop");
    luaL_where(L, 0);
    return raise_object(L, "interrupted");
}

int lopL_fail(lua_State *L, const lop_error *err)
{
    return raise_message(L, lop_status_name(err->code), err->message);
}

void lopL_check(lua_State *L, lop_status st, const lop_error *err)
{
    if (st != LOP_OK) lopL_fail(L, err);
}

int lopL_failf(lua_State *L, const char *code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *message = lua_pushvfstring(L, format, args);
    va_end(args);
    return raise_message(L, code, message);
}

/* Raises an error object: for the Lua half of lop.
 * ---@param code string     "usage", "arg", "io", ...: names of lop_status, or one of the caller's
 * ---@param message string */
int lopL_raise(lua_State *L)
{
    return lopL_failf(L, luaL_checkstring(L, 1), "%s", luaL_checkstring(L, 2));
}

int lopL_error(lua_State *L, const char *format, ...)
{
    va_list args;
    luaL_checkstack(L, 12, NULL);
    lopL_where(L);
    lopL_what(L);
    lua_pushliteral(L, ": ");
    va_start(args, format);
    lua_pushvfstring(L, format, args);
    va_end(args);
    lua_concat(L, 4);
    return lua_error(L);
}

static const char *type_name(lua_State *L, int arg)
{
    if (lua_type(L, arg) == LUA_TUSERDATA && luaL_getmetafield(L, arg, "__name") == LUA_TSTRING)
        return lua_tostring(L, -1);
    return luaL_typename(L, arg);
}

int lopL_argerror(lua_State *L, int arg, const char *name, const char *expected)
{
    lua_Debug ar;
    luaL_checkstack(L, 12, NULL);
    const char *got = lua_isnone(L, arg) ? "nothing" : type_name(L, arg);
    lopL_where(L);
    lopL_what(L);
    const char *what = lua_tostring(L, -1), *colon = strrchr(what, ':'), *dot = strrchr(what, '.');
    const char *called = colon ? colon + 1 : dot ? dot + 1 : what;
    if (lua_getstack(L, 0, &ar) && lua_getinfo(L, "n", &ar) && strcmp(ar.namewhat, "method") == 0) arg--;
    if (arg == 0) lua_pushfstring(L, "calling '%s' on a bad self (%s expected, got %s)", called, expected, got);
    else lua_pushfstring(L, "bad argument #%d to '%s' (%s: %s expected, got %s)", arg, called, name, expected, got);
    lua_remove(L, -2);
    lua_concat(L, 2);
    return lua_error(L);
}

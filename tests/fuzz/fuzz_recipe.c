/* tests/fuzz/fuzz_recipe.c - the text of a recipe, run in its sandbox and checked against the schema. What stands
 * before the first zero byte, if there is one, is KEY=VALUE lines of the command line. */
#include "fuzz/fuzz.h"
#include "lua/lop_lua.h"

#ifndef LUA_FOLDER
#define LUA_FOLDER "build/share/lua/5.4"
#endif
enum { INSTRUCTIONS = 20000, MEMORY = 16 << 20, LINES = 1 << 13 };

/* libFuzzer sees C only; the lines of Lua that were run are told to it here. */
__attribute__((section("__libfuzzer_extra_counters"))) static uint8_t lines[LINES];

/* Loads a recipe; what it may have left behind is looked for: nothing outside its environment has changed. */
static const char script[] =
    "package.path = '" LUA_FOLDER "/?.lua;" LUA_FOLDER "/?/init.lua'\n"
    "local recipe = require 'lop.recipe'\n"
    "recipe.limits.read = {steps = 20000, bytes = 8 << 20}\n"
    "local function snapshot()\n"
    "  local seen = {[getmetatable('').__index] = 'methods'}\n"
    "  for _, lib in ipairs {_G, string, table, math, utf8, package.loaded, require 'lop.schema'} do\n"
    "    for k, v in pairs(lib) do seen[#seen + 1] = tostring(k) .. tostring(v) end\n"
    "  end\n"
    "  table.sort(seen)\n"
    "  return table.concat(seen, ' ')\n"
    "end\n"
    "local before = snapshot()\n"
    "return function(path, text)\n"
    "  if not path then return before == snapshot() end\n"
    "  local settings = {}\n"
    "  for k, v in text:gmatch '([^=\\n]+)=([^\\n]*)' do settings[#settings + 1] = {key = k, value = v} end\n"
    "  return pcall(recipe.load, path, settings)\n"
    "end\n";

static size_t used;

static void *limited(void *context, void *block, size_t old, size_t size)
{
    (void)context;
    if (!block) old = 0;
    if (size == 0) {
        used -= old;
        free(block);
        return NULL;
    }
    if (size > old && size - old > MEMORY - used) return NULL;
    void *moved = realloc(block, size);
    if (moved) used = used - old + size;
    return moved;
}

static void watch(lua_State *L, lua_Debug *ar)
{
    if (ar->event == LUA_HOOKCOUNT) {
        lua_sethook(L, watch, LUA_MASKCOUNT, 1);        /* no pcall of the recipe's outlives it */
        luaL_error(L, "instructions");
    }
    lua_getinfo(L, "S", ar);
    if (strncmp(ar->source, "@" LUA_FOLDER "/lop/", sizeof LUA_FOLDER + 5) != 0) return;
    unsigned at = (unsigned)ar->currentline;
    for (const char *p = ar->source; *p; p++) at = at * 31 + (uint8_t)*p;
    lines[at % LINES]++;
}

static lua_State *open_state(void)
{
    lua_State *L = lua_newstate(limited, NULL);
    FUZZ_EXPECT(L, "no state");
    luaL_openlibs(L);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    lua_pushcfunction(L, luaopen_lop_core);
    lua_setfield(L, -2, "lop.core");
    lua_settop(L, 0);
    FUZZ_EXPECT(luaL_dostring(L, script) == LUA_OK, "%s", lua_tostring(L, -1));
    return L;
}

/* An error is one of ours, or says that memory or time was out. */
static void check_error(lua_State *L, int at)
{
    const char *text = luaL_tolstring(L, at, NULL);
    if (strstr(text, "not enough memory") || strstr(text, "instructions")) return;
    FUZZ_EXPECT(lua_istable(L, at) && lua_getfield(L, at, "code") == LUA_TSTRING, "no error of lop's: %s", text);
}

/* The function that the script returned is at the bottom of the stack. */
static void load(lua_State *L, const char *path, const uint8_t *settings, size_t n)
{
    lua_pushvalue(L, 1);
    lua_pushstring(L, path);
    lua_pushlstring(L, (const char *)settings, n);
    lua_sethook(L, watch, LUA_MASKCOUNT | LUA_MASKLINE, INSTRUCTIONS);
    const int code = lua_pcall(L, 2, 2, 0);
    lua_sethook(L, NULL, 0, 0);
    if (code != LUA_OK) check_error(L, -1);
    else if (!lua_toboolean(L, 2)) check_error(L, 3);
    lua_settop(L, 1);
}

static void check_unchanged(lua_State *L)
{
    lua_gc(L, LUA_GCCOLLECT);
    lua_pushvalue(L, 1);
    FUZZ_EXPECT(lua_pcall(L, 0, 1, 0) == LUA_OK, "%s", lua_tostring(L, -1));
    FUZZ_EXPECT(lua_toboolean(L, -1), "a recipe has changed what is not its own");
    lua_settop(L, 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static lua_State *L;
    static fuzz_file file;
    static unsigned runs;
    if (!L) L = open_state();
    const uint8_t *zero = size > 0 ? memchr(bytes, 0, size) : NULL;
    const size_t settings = zero ? (size_t)(zero - bytes) : 0, start = zero ? settings + 1 : 0;
    fuzz_file_fill(&file, bytes + start, size - start);
    lua_settop(L, 1);
    load(L, file.path, bytes, settings);
    if (runs++ % 64 == 0) check_unchanged(L);           /* as long as hundreds of recipes take */
    return 0;
}

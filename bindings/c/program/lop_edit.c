/* bindings/c/program/lop_edit.c - lines typed at a terminal: libedit's readline where it was there at build time
 * (LOP_EDIT), with history and completion, else plain reading. */
#include "lua/lop_lua.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef LOP_EDIT
#include <editline/readline.h>
#include <locale.h>

#define COMPLETE "lop.complete"         /* registry: function(text) -> list of strings */

/* Readline's callbacks carry no context: the state whose core.edit.read is under way. */
static lua_State *reader;

static char *common_prefix(lua_State *L, int list, int count)
{
    size_t n = 0;
    lua_rawgeti(L, list, 1);
    const char *first = lua_tolstring(L, -1, &n);
    for (int i = 2; i <= count; i++) {
        lua_rawgeti(L, list, i);
        const char *other = lua_tostring(L, -1);
        size_t k = 0;
        while (k < n && other[k] == first[k]) k++;      /* other ends with a NUL, where first has none */
        n = k;
        lua_pop(L, 1);
    }
    char *prefix = strndup(first, n);
    lua_pop(L, 1);
    return prefix;
}

/* The matches as readline wants them: what they have in common, each of them, NULL; all from malloc. */
static int build_matches(lua_State *L)
{
    char ***out = lua_touserdata(L, 2);
    lua_getfield(L, LUA_REGISTRYINDEX, COMPLETE);
    lua_pushvalue(L, 1);
    lua_call(L, 1, 1);
    const int list = lua_gettop(L);
    luaL_checktype(L, list, LUA_TTABLE);
    int count = 0;
    while (lua_rawgeti(L, list, count + 1) == LUA_TSTRING) count++;
    lua_settop(L, list);
    if (count == 0) return 0;
    char **match = calloc((size_t)count + 2, sizeof *match);
    if (!match) return 0;
    match[0] = common_prefix(L, list, count);
    for (int i = 1; i <= count; i++) {
        lua_rawgeti(L, list, i);
        match[i] = strdup(lua_tostring(L, -1));
        lua_pop(L, 1);
    }
    *out = match;
    return 0;
}

static char **complete(const char *text, int start, int end)
{
    char **matches = NULL;
    (void)start;
    (void)end;
    rl_attempted_completion_over = 1;           /* no names of files where nothing fits */
    rl_completion_append_character = '\0';
    lua_pushcfunction(reader, build_matches);
    lua_pushstring(reader, text);
    lua_pushlightuserdata(reader, &matches);
    if (lua_pcall(reader, 2, 0, 0) != LUA_OK) lua_pop(reader, 1);       /* Tab does nothing then */
    return matches;
}

static void prepare(void)
{
    static char program[] = "lop";
    static char breaks[] = " \t\n\"\\'<>=;+-*/%^~#{}()[],&|";       /* not . and : that lead to fields */
    setlocale(LC_CTYPE, "");            /* letters of more than one byte; numbers keep their point */
    rl_readline_name = program;
    rl_completer_word_break_characters = breaks;
    rl_attempted_completion_function = complete;
    using_history();
}

/* ---@param prompt string
 * ---@return string?        without its newline; nil at the end */
static int read_line(lua_State *L)
{
    const char *prompt = luaL_checkstring(L, 1);
    lua_State *const outer = reader;
    reader = L;
    char *line = readline(prompt);
    reader = outer;
    if (!line) return 0;
    char *copy = lua_newuserdatauv(L, strlen(line) + 1, 0);
    strcpy(copy, line);
    free(line);
    lua_pushstring(L, copy);
    return 1;
}

/* ---@param text string */
static int remember(lua_State *L)
{
    add_history(luaL_checkstring(L, 1));
    return 0;
}

/* ---@param path string
 * ---@param most integer    lines kept */
static int load(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    stifle_history((int)luaL_checkinteger(L, 2));
    lua_pushboolean(L, read_history(path) == 0);
    return 1;
}

/* ---@param path string
 * ---@return boolean        false where it could not be written */
static int save(lua_State *L)
{
    lua_pushboolean(L, write_history(luaL_checkstring(L, 1)) == 0);
    return 1;
}

/* ---@param f fun(text: string): string[]    what a word could become */
static int completer(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_settop(L, 1);
    lua_setfield(L, LUA_REGISTRYINDEX, COMPLETE);
    prepare();
    return 0;
}

static const luaL_Reg functions[] = {
    {"read", read_line}, {"remember", remember}, {"load", load}, {"save", save}, {"completer", completer},
    {NULL, NULL}};
#else
/* ---@param prompt string
 * ---@return string?        without its newline; nil at the end */
static int read_line(lua_State *L)
{
    luaL_Buffer b;
    fputs(luaL_checkstring(L, 1), stdout);
    fflush(stdout);
    int c = getchar();
    if (c == EOF) return 0;
    luaL_buffinit(L, &b);
    for (; c != EOF && c != '\n'; c = getchar()) luaL_addchar(&b, (char)c);
    luaL_pushresult(&b);
    return 1;
}

static const luaL_Reg functions[] = {{"read", read_line}, {NULL, NULL}};
#endif

int lop_open_edit(lua_State *L)
{
    luaL_newlib(L, functions);          /* lop.core.edit */
    lua_setfield(L, -2, "edit");
    return 1;
}

/* bindings/c/program/main.c - the program lop: a state of Lua with lop.core in it, handed to lop.program.cli. */
#include "lua/lop_lua.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A handler of signals has no context. */
static lua_State *running;
static volatile sig_atomic_t interrupted;

static void stop(lua_State *L, lua_Debug *ar)
{
    (void)ar;
    lua_sethook(L, NULL, 0, 0);
    if (interrupted) lopL_interrupt(L);
}

/* The first Ctrl-C (or SIGTERM) ends what runs in order: core asks at chunk borders, Lua at the next instruction. One
 * more, before that has happened, ends the program. */
static void on_interrupt(int signal_number)
{
    if (interrupted) {
        signal(signal_number, SIG_DFL);
        raise(signal_number);
    }
    interrupted = 1;
    lua_sethook(running, stop, LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
}

static void watch_interrupts(void)
{
    struct sigaction action = {.sa_handler = on_interrupt};     /* no SA_RESTART: a read at the prompt returns */
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static bool has_modules(lua_State *L, const char *folder)
{
    return access(lua_pushfstring(L, "%s/lop/program/cli.lua", folder), R_OK) == 0;
}

/* The Lua files beside the program in the build folder, else those of an installation: PREFIX/bin and PREFIX/share. */
static int set_path(lua_State *L)
{
    char program[PATH_MAX];
    const ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    if (n <= 0) return luaL_error(L, "/proc/self/exe: cannot be read, so that the Lua files are not found");
    program[n] = '\0';
    char *slash = strrchr(program, '/');
    *(slash ? slash : program) = '\0';
    const char *folder = lua_pushfstring(L, "%s/share/lua/5.4", program);
    if (!has_modules(L, folder)) folder = lua_pushfstring(L, "%s/../share/lua/5.4", program);
    if (!has_modules(L, folder))
        return luaL_error(L, "%s: neither built (make) nor installed (make install): share/lua/5.4/lop is missing",
                          program);
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "path");
    lua_pushfstring(L, "%s/?.lua;%s/?/init.lua;%s", folder, folder, lua_tostring(L, -1));
    lua_setfield(L, -3, "path");
    return 0;
}

static int run(lua_State *L)
{
    const int argc = (int)lua_tointeger(L, 1);
    char **argv = lua_touserdata(L, 2);
    luaL_openlibs(L);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    lua_pushcfunction(L, luaopen_lop_core);
    lua_setfield(L, -2, "lop.core");
    lua_pushlightuserdata(L, (void *)&interrupted);
    lua_setfield(L, LUA_REGISTRYINDEX, LOPL_INTERRUPT);
    set_path(L);
    lua_getglobal(L, "require");
    lua_pushliteral(L, "lop.program.cli");
    lua_call(L, 1, 1);
    lua_getfield(L, -1, "main");
    lua_createtable(L, argc, 0);
    for (int i = 1; i < argc; i++) {
        lua_pushstring(L, argv[i]);
        lua_rawseti(L, -2, i);
    }
    lua_call(L, 1, 1);
    return 1;
}

int main(int argc, char **argv)
{
    lua_State *L = running = luaL_newstate();
    if (!L) {
        fputs("lop: no memory\n", stderr);
        return 1;
    }
    watch_interrupts();
    lua_pushcfunction(L, run);
    lua_pushinteger(L, argc);
    lua_pushlightuserdata(L, argv);
    int status = 1;
    if (lua_pcall(L, 2, 1, 0) == LUA_OK) status = (int)lua_tointeger(L, -1);
    else if (interrupted) status = 130;
    else fprintf(stderr, "lop: %s\n", luaL_tolstring(L, -1, NULL));
    signal(SIGINT, SIG_DFL);            /* the state goes: no hook may be set in it any more */
    signal(SIGTERM, SIG_DFL);
    lua_close(L);
    if ((fflush(stdout) != 0 || ferror(stdout)) && status == 0) {
        fputs("lop: standard output: could not be written\n", stderr);
        status = 1;
    }
    return status;
}

/* bindings/c/lua/lop_system.c - what the Lua half needs of the system and stock Lua lacks: folders, files that appear
 * whole, hashes, the terminal, clock and memory. */
#include "lua/lop_lua.h"
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

static int system_error(lua_State *L, const char *path)
{
    const bool absent = errno == ENOENT;
    return lopL_failf(L, absent ? "notfound" : "io", "%s: %s", path,
                      absent ? "no such file or folder" : strerror(errno));
}

/* ---@param path string
 * ---@return "file"|"folder"|"other"|nil */
static int kind(lua_State *L)
{
    struct stat s;
    if (stat(luaL_checkstring(L, 1), &s) != 0) lua_pushnil(L);
    else lua_pushstring(L, S_ISREG(s.st_mode) ? "file" : S_ISDIR(s.st_mode) ? "folder" : "other");
    return 1;
}

/* Makes a folder and those above it; fine where it is there.
 * ---@param path string */
static int make_folder(lua_State *L)
{
    size_t n = 0;
    const char *path = luaL_checklstring(L, 1, &n);
    char *part = lua_newuserdatauv(L, n + 1, 0);
    for (size_t i = 1; i <= n; i++) {
        if (path[i] != '/' && path[i] != '\0') continue;
        memcpy(part, path, i);
        part[i] = '\0';
        if (mkdir(part, 0777) != 0 && errno != EEXIST) return system_error(L, part);
    }
    struct stat s;
    if (stat(path, &s) != 0) return system_error(L, path);
    if (!S_ISDIR(s.st_mode)) return lopL_failf(L, "io", "%s: is there and no folder", path);
    return 0;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int close_folder(lua_State *L)
{
    DIR **d = lua_touserdata(L, 1);
    if (*d) closedir(*d);
    *d = NULL;
    return 0;
}

/* The names in a folder, sorted by byte, without . and ..
 * ---@param path string
 * ---@return string[] */
static int list_folder(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    DIR **d = lua_newuserdatauv(L, sizeof *d, 0);
    *d = NULL;
    lua_createtable(L, 0, 2);
    lua_pushcfunction(L, close_folder);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    *d = opendir(path);
    if (!*d) return system_error(L, path);
    lua_newtable(L);
    const int raw = lua_gettop(L);
    size_t n = 0;
    for (struct dirent *e = readdir(*d); e; e = readdir(*d)) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        lua_pushstring(L, e->d_name);
        lua_rawseti(L, raw, (lua_Integer)++n);
    }
    closedir(*d);
    *d = NULL;
    const char **names = lua_newuserdatauv(L, (n + 1) * sizeof *names, 0);
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, raw, (lua_Integer)i + 1);
        names[i] = lua_tostring(L, -1);         /* `raw` keeps it alive */
        lua_pop(L, 1);
    }
    qsort(names, n, sizeof *names, compare_names);
    lua_createtable(L, (int)n, 0);
    for (size_t i = 0; i < n; i++) {
        lua_pushstring(L, names[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

/* ---@param path string
 * ---@return string         absolute, links followed; raises where there is nothing */
static int real_path(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    char *real = realpath(path, NULL);
    if (!real) return system_error(L, path);
    char *copy = lua_newuserdatauv(L, strlen(real) + 1, 0);
    strcpy(copy, real);
    free(real);
    lua_pushstring(L, copy);
    return 1;
}

/* Writes a file that appears whole or not at all.
 * ---@param path string
 * ---@param bytes string */
static int write_file(lua_State *L)
{
    size_t n = 0;
    lop_error err;
    const char *path = luaL_checkstring(L, 1), *bytes = luaL_checklstring(L, 2, &n);
    lopL_check(L, lop_file_write(path, bytes, n, &err), &err);
    return 0;
}

/* Raises where write_file could not write: told before the work, not after it. Leaves nothing there.
 * ---@param path string */
static int check_place(lua_State *L)
{
    lop_error err;
    lop_writer *w = NULL;
    lopL_check(L, lop_writer_open(luaL_checkstring(L, 1), &w, &err), &err);
    lop_writer_abandon(w);
    return 0;
}

static int file_gc(lua_State *L)
{
    lop_file_close(lua_touserdata(L, 1));
    return 0;
}

/* ---@param path string
 * ---@return string         its bytes */
static int read_file(lua_State *L)
{
    lop_error err;
    const char *path = luaL_checkstring(L, 1);
    lop_file *file = lua_newuserdatauv(L, sizeof *file, 0);
    memset(file, 0, sizeof *file);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, file_gc);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    lopL_check(L, lop_file_open(path, file, &err), &err);
    lua_pushlstring(L, file->size > 0 ? (const char *)file->bytes : "", file->size);
    lop_file_close(file);
    return 1;
}

/* ---@param path string
 * ---@return boolean        false where there was no such file */
static int remove_file(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    const bool gone = remove(path) == 0;
    if (!gone && errno != ENOENT) return system_error(L, path);
    lua_pushboolean(L, gone);
    return 1;
}

/* ---@param bytes string
 * ---@return string         SHA-256, lower-case hexadecimal */
static int sha256(lua_State *L)
{
    size_t n = 0;
    const char *bytes = luaL_checklstring(L, 1, &n);
    char hex[65];
    lop_sha256 s;
    lop_sha256_init(&s);
    lop_sha256_add(&s, bytes, n);
    lop_sha256_hex(&s, hex);
    lua_pushstring(L, hex);
    return 1;
}

/* ---@param path string
 * ---@return string         SHA-256 of the file */
static int sha256_file(lua_State *L)
{
    char hex[65];
    lop_error err;
    lopL_check(L, lop_file_sha256(luaL_checkstring(L, 1), hex, &err), &err);
    lua_pushstring(L, hex);
    return 1;
}

/* ---@param stream "stdin"|"stdout"|"stderr"
 * ---@return integer?       columns, where it is a terminal */
static int terminal(lua_State *L)
{
    static const char *const names[] = {"stdin", "stdout", "stderr", NULL};
    const int fd = luaL_checkoption(L, 1, NULL, names);
    struct winsize size;
    if (!isatty(fd)) lua_pushnil(L);
    else lua_pushinteger(L, ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80);
    return 1;
}

/* ---@return number         seconds on a monotonic clock */
static int seconds(lua_State *L)
{
    lua_pushnumber(L, lop_seconds());
    return 1;
}

/* ---@return integer        bytes: the most that the process has held */
static int peak_rss(lua_State *L)
{
    lua_pushinteger(L, lop_peak_rss());
    return 1;
}

/* ---@return integer        bytes that could be had now, 0 where the system does not tell */
static int free_memory(lua_State *L)
{
    lua_pushinteger(L, lop_free_memory());
    return 1;
}

/* ---@return integer        processors that this process may use */
static int cores(lua_State *L)
{
    lua_pushinteger(L, lop_cores());
    return 1;
}

static const luaL_Reg functions[] = {
    {"kind", kind}, {"make_folder", make_folder}, {"list_folder", list_folder}, {"real_path", real_path},
    {"write_file", write_file}, {"check_place", check_place}, {"read_file", read_file}, {"remove_file", remove_file},
    {"sha256", sha256},
    {"sha256_file", sha256_file}, {"terminal", terminal}, {"seconds", seconds}, {"peak_rss", peak_rss},
    {"free_memory", free_memory}, {"cores", cores}, {NULL, NULL}};

int lop_open_system(lua_State *L)
{
    luaL_newlib(L, functions);          /* lop.core.system: no part of the API of lop */
    lua_setfield(L, -2, "system");
    return 1;
}

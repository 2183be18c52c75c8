/* bindings/c/lua/lop_lua.c - arguments, options, shapes and lists on their way from Lua to C and back. */
#include "lua/lop_lua.h"
#include <string.h>

/* ---- tensors ---- */

lop_tensor *lopL_testtensor(lua_State *L, int arg)
{
    return luaL_testudata(L, arg, LOPL_TENSOR);
}

lop_tensor *lopL_checktensor(lua_State *L, int arg, const char *name)
{
    lop_tensor *t = lopL_testtensor(L, arg);
    if (!t) lopL_argerror(L, arg, name, "lop.tensor");
    else if (t->type == LOP_NONE) lopL_error(L, "%s: the tensor is closed", name);
    return t;
}

lop_tensor *lopL_newtensor(lua_State *L)
{
    lop_tensor *t = lua_newuserdatauv(L, sizeof *t, 0);
    memset(t, 0, sizeof *t);
    luaL_setmetatable(L, LOPL_TENSOR);
    return t;
}

void lopL_pushtensor(lua_State *L, const lop_tensor *t)
{
    lop_tensor_share(lopL_newtensor(L), t);
}

/* ---- options ---- */

static int least3(int a, int b, int c)
{
    const int ab = a < b ? a : b;
    return ab < c ? ab : c;
}

enum { WORD = 64 };             /* longer words are compared by their first letters */
typedef struct { int insert, drop, replace, swap; } prices;

/* The cheapest way from a to b by inserting, dropping, replacing a letter, and swapping two neighbours. */
static int edits(const char *a, const char *b, prices p)
{
    int row[3][WORD + 1];
    const int na = (int)strnlen(a, WORD), nb = (int)strnlen(b, WORD);
    for (int j = 0; j <= nb; j++) row[0][j] = j * p.insert;
    for (int i = 1; i <= na; i++) {
        int *now = row[i % 3];
        const int *last = row[(i + 2) % 3], *before = row[(i + 1) % 3];
        now[0] = i * p.drop;
        for (int j = 1; j <= nb; j++) {
            const int same = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : p.replace);
            now[j] = least3(last[j] + p.drop, now[j - 1] + p.insert, same);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + p.swap < now[j])
                now[j] = before[j - 2] + p.swap;
        }
    }
    return row[na % 3][nb];
}

/* Half of the letters must agree. Of those words, letters left out cost least: sped is speedup, not seed. */
const char *lopL_nearest(const char *word, const char *const *words)
{
    const char *best = NULL;
    int least = INT32_MAX;
    for (; *words; words++) {
        const size_t a = strnlen(word, WORD), b = strnlen(*words, WORD);
        if (2 * (size_t)edits(word, *words, (prices){1, 1, 1, 1}) > (a > b ? a : b)) continue;
        const int cost = edits(word, *words, (prices){.insert = 1, .drop = 3, .replace = 4, .swap = 2});
        if (cost < least) {
            least = cost;
            best = *words;
        }
    }
    return best;
}

static void unknown(lua_State *L, const char *kind, const char *word, const char *const *words)
{
    const char *near = lopL_nearest(word, words);
    if (near) lopL_error(L, "unknown %s '%s' (did you mean '%s'?)", kind, word, near);
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    for (const char *const *w = words; *w; w++) {
        if (w != words) luaL_addstring(&b, ", ");
        luaL_addstring(&b, *w);
    }
    luaL_pushresult(&b);
    lopL_error(L, "unknown %s '%s' (known: %s)", kind, word, *words ? lua_tostring(L, -1) : "none");
}

static bool listed(const char *word, const char *const *words)
{
    while (*words && strcmp(word, *words) != 0) words++;
    return *words != NULL;
}

/* The key to complain about must not depend on the order of a hash table: of all unknown ones the first by strcmp. */
void lopL_checkoptions(lua_State *L, int arg, const char *const *keys)
{
    if (lua_isnoneornil(L, arg)) return;
    if (!lua_istable(L, arg)) lopL_argerror(L, arg, "options", "table");
    const char *wrong = NULL;
    lua_pushnil(L);
    while (lua_next(L, arg)) {
        lua_pop(L, 1);
        if (lua_type(L, -1) != LUA_TSTRING) lopL_error(L, "options are named, got [%s]", luaL_tolstring(L, -1, NULL));
        const char *key = lua_tostring(L, -1);
        if (!listed(key, keys) && (!wrong || strcmp(key, wrong) < 0)) wrong = key;
    }
    if (wrong) unknown(L, "option", wrong, keys);
}

int lopL_getoption(lua_State *L, int arg, const char *key)
{
    if (lua_isnoneornil(L, arg)) {
        lua_pushnil(L);
        return LUA_TNIL;
    }
    return lua_getfield(L, arg, key);
}

static void option_error(lua_State *L, const char *key, const char *expected)
{
    if (lua_isnil(L, -1)) lopL_error(L, "option '%s' is missing, %s expected", key, expected);
    lopL_error(L, "%s: %s expected, got %s", key, expected, luaL_typename(L, -1));
}

double lopL_number(lua_State *L, int arg, const char *key)
{
    if (lopL_getoption(L, arg, key) != LUA_TNUMBER) option_error(L, key, "number");
    const double v = lua_tonumber(L, -1);
    lua_pop(L, 1);
    return v;
}

double lopL_optnumber(lua_State *L, int arg, const char *key, double otherwise)
{
    const int type = lopL_getoption(L, arg, key);
    lua_pop(L, 1);
    return type == LUA_TNIL ? otherwise : lopL_number(L, arg, key);
}

int64_t lopL_integer(lua_State *L, int arg, const char *key)
{
    int whole = 0;
    if (lopL_getoption(L, arg, key) != LUA_TNUMBER) option_error(L, key, "integer");
    const int64_t v = lua_tointegerx(L, -1, &whole);
    if (!whole) lopL_error(L, "%s: integer expected, got %s", key, lua_tostring(L, -1));
    lua_pop(L, 1);
    return v;
}

int64_t lopL_optinteger(lua_State *L, int arg, const char *key, int64_t otherwise)
{
    const int type = lopL_getoption(L, arg, key);
    lua_pop(L, 1);
    return type == LUA_TNIL ? otherwise : lopL_integer(L, arg, key);
}

bool lopL_optboolean(lua_State *L, int arg, const char *key, bool otherwise)
{
    const int type = lopL_getoption(L, arg, key);
    if (type != LUA_TNIL && type != LUA_TBOOLEAN) option_error(L, key, "boolean");
    const bool v = type == LUA_TNIL ? otherwise : lua_toboolean(L, -1) != 0;
    lua_pop(L, 1);
    return v;
}

const char *lopL_optstring(lua_State *L, int arg, const char *key, const char *otherwise)
{
    const int type = lopL_getoption(L, arg, key);
    if (type != LUA_TNIL && type != LUA_TSTRING) option_error(L, key, "string");
    const char *s = type == LUA_TNIL ? otherwise : lua_tostring(L, -1);
    lua_pop(L, 1);
    return s;
}

int lopL_optenum(lua_State *L, int arg, const char *key, const char *const *names, int otherwise)
{
    const char *s = lopL_optstring(L, arg, key, NULL);
    if (!s) return otherwise;
    for (int i = 0; names[i]; i++)
        if (strcmp(s, names[i]) == 0) return i;
    unknown(L, key, s, names);
    return otherwise;
}

lop_tensor *lopL_opttensor(lua_State *L, int arg, const char *key)
{
    lop_tensor *t = NULL;
    if (lopL_getoption(L, arg, key) != LUA_TNIL) {
        t = lopL_testtensor(L, -1);
        if (!t) option_error(L, key, "lop.tensor");
        if (t->type == LOP_NONE) lopL_error(L, "%s: the tensor is closed", key);
    }
    lua_pop(L, 1);
    return t;
}

/* ---- shapes and lists ---- */

lop_shape lopL_shape(lua_State *L, int arg, const char *name)
{
    lop_shape s = {0};
    if (lua_isinteger(L, arg)) {
        s = (lop_shape){1, {lua_tointeger(L, arg)}};
    } else {
        if (!lua_istable(L, arg)) lopL_argerror(L, arg, name, "list of integers");
        const lua_Unsigned n = lua_rawlen(L, arg);
        if (n > LOP_MAX_DIMS)
            lopL_error(L, "%s: %I dimensions, at most %d expected", name, (lua_Integer)n, LOP_MAX_DIMS);
        s.ndim = (int)n;
        for (int d = 0; d < s.ndim; d++) {
            int whole = 0;
            lua_rawgeti(L, arg, d + 1);
            s.dim[d] = lua_tointegerx(L, -1, &whole);
            if (!whole)
                lopL_error(L, "%s: dimension %d: integer expected, got %s", name, d + 1, luaL_tolstring(L, -1, NULL));
            lua_pop(L, 1);
        }
    }
    for (int d = 0; d < s.ndim; d++)
        if (s.dim[d] < 0)
            lopL_error(L, "%s: dimension %d is %I, 0 or more expected", name, d + 1, (lua_Integer)s.dim[d]);
    return s;
}

lop_dtype lopL_dtype(lua_State *L, int arg, const char *name, lop_dtype otherwise)
{
    static const char *const names[] = {"float32", "float64", "uint8", "int8", "uint16", "int16", "int32", "int64",
                                        "bool", "float16", "uint32", "uint64", "bfloat16", NULL};
    if (lua_isnoneornil(L, arg)) return otherwise;
    if (lua_type(L, arg) != LUA_TSTRING) lopL_argerror(L, arg, name, "string");
    const lop_dtype type = lop_dtype_of(lua_tostring(L, arg));
    if (type == LOP_NONE) unknown(L, name, lua_tostring(L, arg), names);
    return type;
}

static int64_t *new_list(lua_State *L, const char *name, uint64_t count)
{
    if (count > SIZE_MAX / 2 / sizeof(int64_t)) lopL_error(L, "%s: the list is too long", name);
    return lua_newuserdatauv(L, (size_t)count * sizeof(int64_t) + 1, 0);
}

static int64_t *from_tensor(lua_State *L, const lop_tensor *t, const char *name, int64_t *count)
{
    if (t->type == LOP_NONE) lopL_error(L, "%s: the tensor is closed", name);
    if (t->shape.ndim != 1) lopL_error(L, "%s: a tensor of one dimension expected, got %d", name, t->shape.ndim);
    *count = lop_tensor_size(t);
    int64_t *list = new_list(L, name, (uint64_t)*count);
    for (int64_t i = 0; i < *count; i++) {
        const double v = lop_tensor_get(t, i);
        if (!(v > -0x1p53 && v < 0x1p53) || (double)(int64_t)v != v)
            lopL_error(L, "%s: entry %I is %f, an integer expected", name, (lua_Integer)i + 1, v);
        list[i] = (int64_t)v;
    }
    return list;
}

int64_t *lopL_int64s(lua_State *L, int arg, const char *name, int64_t *count)
{
    arg = lua_absindex(L, arg);
    const lop_tensor *t = lopL_testtensor(L, arg);
    if (t) return from_tensor(L, t, name, count);
    if (!lua_istable(L, arg)) lopL_argerror(L, arg, name, "list of integers");
    *count = (int64_t)lua_rawlen(L, arg);
    int64_t *list = new_list(L, name, (uint64_t)*count);
    for (int64_t i = 0; i < *count; i++) {
        int whole = 0;
        lua_rawgeti(L, arg, i + 1);
        list[i] = lua_tointegerx(L, -1, &whole);
        if (!whole)
            lopL_error(L, "%s: entry %I: integer expected, got %s", name, (lua_Integer)i + 1,
                       luaL_tolstring(L, -1, NULL));
        lua_pop(L, 1);
    }
    return list;
}

int64_t *lopL_channels(lua_State *L, int arg, const char *name, int64_t limit, int64_t *count)
{
    int64_t *list = lopL_int64s(L, arg, name, count);
    for (int64_t i = 0; i < *count; i++) {
        if (list[i] < 1 || list[i] > limit)
            lopL_error(L, "%s: entry %I is %I, 1 to %I expected", name, (lua_Integer)i + 1, (lua_Integer)list[i],
                       (lua_Integer)limit);
        list[i]--;
    }
    return list;
}

static void push_list(lua_State *L, const int64_t *list, int64_t count, int64_t base)
{
    lua_createtable(L, count > INT32_MAX ? INT32_MAX : (int)count, 0);
    for (int64_t i = 0; i < count; i++) {
        lua_pushinteger(L, list[i] + base);
        lua_rawseti(L, -2, i + 1);
    }
}

void lopL_pushint64s(lua_State *L, const int64_t *list, int64_t count)
{
    push_list(L, list, count, 0);
}

void lopL_pushchannels(lua_State *L, const int64_t *list, int64_t count)
{
    push_list(L, list, count, 1);
}

int64_t lopL_place(lua_State *L, int arg, const char *name, int64_t limit)
{
    if (!lua_isinteger(L, arg)) {
        int whole = 0;
        lua_tointegerx(L, arg, &whole);
        if (!whole || lua_type(L, arg) != LUA_TNUMBER) lopL_argerror(L, arg, name, "integer");
    }
    const int64_t i = lua_tointeger(L, arg);
    if (i < 1 || i > limit) lopL_error(L, "%s is %I, 1 to %I expected", name, (lua_Integer)i, (lua_Integer)limit);
    return i - 1;
}

void lopL_newtype(lua_State *L, const char *name, const luaL_Reg *meta, const luaL_Reg *methods)
{
    luaL_newmetatable(L, name);
    luaL_setfuncs(L, meta, 0);
    lua_newtable(L);
    luaL_setfuncs(L, methods, 0);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}

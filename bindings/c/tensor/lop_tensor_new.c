/* bindings/c/tensor/lop_tensor_new.c - where tensors come from: tables, fills, random numbers, .npy and .npz files. */
#include "tensor/lop_tensor_impl.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- from tables ---- */

/* The shape of nested tables by their first entries; what else is in them is checked when it is read. */
static lop_shape shape_of_nested(lua_State *L, int arg)
{
    lop_shape s = {0};
    lua_pushvalue(L, arg);
    while (lua_istable(L, -1)) {
        if (s.ndim == LOP_MAX_DIMS) lopL_error(L, "tables are nested more than %d deep", LOP_MAX_DIMS);
        s.dim[s.ndim++] = (int64_t)lua_rawlen(L, -1);
        lua_rawgeti(L, -1, 1);
        lua_remove(L, -2);
    }
    lua_pop(L, 1);
    return s;
}

/* Reads the value on top of the stack, of dimensions dim and on, into t. */
static void read_nested(lua_State *L, lop_tensor *t, int dim, int64_t *at)
{
    if (dim == t->shape.ndim) {
        if (lua_type(L, -1) != LUA_TNUMBER) lopL_error(L, "element %I: number expected, got %s", (lua_Integer)*at + 1,
                                                       luaL_typename(L, -1));
        lop_tensor_set(t, (*at)++, lua_tonumber(L, -1));
        return;
    }
    const int64_t n = t->shape.dim[dim];
    if (!lua_istable(L, -1)) lopL_error(L, "a list of %I expected in dimension %d, got %s", (lua_Integer)n, dim + 1,
                                        luaL_typename(L, -1));
    if ((int64_t)lua_rawlen(L, -1) != n)
        lopL_error(L, "lists of %I and of %I entries in dimension %d", (lua_Integer)n, (lua_Integer)lua_rawlen(L, -1),
                   dim + 1);
    for (int64_t i = 0; i < n; i++) {
        lua_rawgeti(L, -1, i + 1);
        read_nested(L, t, dim + 1, at);
        lua_pop(L, 1);
    }
}

/* ---@param values table|number     nested lists of numbers
 * ---@param type string?            float64
 * ---@return lop.tensor */
static int new_from_table(lua_State *L)
{
    if (!lua_istable(L, 1) && lua_type(L, 1) != LUA_TNUMBER) lopL_argerror(L, 1, "values", "nested table of numbers");
    const lop_dtype type = lopL_dtype(L, 2, "type", LOP_F64);
    luaL_checkstack(L, LOP_MAX_DIMS + 16, NULL);
    const lop_shape s = shape_of_nested(L, 1);
    lop_tensor *t = lopL_zeros(L, type, &s);
    int64_t at = 0;
    lua_pushvalue(L, 1);
    read_nested(L, t, 0, &at);
    lua_pop(L, 1);
    return 1;
}

/* ---- fills ---- */

static int filled(lua_State *L, double value, lop_dtype type)
{
    const lop_shape s = lopL_shape(L, 1, "shape");
    lop_tensor *t = lopL_zeros(L, type, &s);
    const int64_t n = value != 0.0 ? lop_tensor_size(t) : 0;
    for (int64_t i = 0; i < n; i++) lop_tensor_set(t, i, value);
    return 1;
}

/* ---@param shape integer[]|integer
 * ---@param type string?    float32
 * ---@return lop.tensor */
static int zeros(lua_State *L)
{
    return filled(L, 0.0, lopL_dtype(L, 2, "type", LOP_F32));
}

/* ---@param shape integer[]|integer
 * ---@param type string?    float32
 * ---@return lop.tensor */
static int ones(lua_State *L)
{
    return filled(L, 1.0, lopL_dtype(L, 2, "type", LOP_F32));
}

/* ---@param shape integer[]|integer
 * ---@param value number
 * ---@param type string?    float32
 * ---@return lop.tensor */
static int full(lua_State *L)
{
    if (lua_type(L, 2) != LUA_TNUMBER) lopL_argerror(L, 2, "value", "number");
    return filled(L, lua_tonumber(L, 2), lopL_dtype(L, 3, "type", LOP_F32));
}

/* Numbers from first (0) up to, and without, last.
 * ---@param first number    or last, where it is the only one
 * ---@param last number?
 * ---@param step number?    1
 * ---@param type string?    float32
 * ---@return lop.tensor */
static int arange(lua_State *L)
{
    int given = 0;
    while (given < 3 && lua_type(L, given + 1) == LUA_TNUMBER) given++;
    if (given == 0) lopL_argerror(L, 1, "last", "number");
    const double first = given > 1 ? lua_tonumber(L, 1) : 0.0, last = lua_tonumber(L, given > 1 ? 2 : 1);
    const double step = given > 2 ? lua_tonumber(L, 3) : 1.0, count = ceil((last - first) / step);
    if (step == 0.0 || !(fabs(count) < 0x1p48)) lopL_error(L, "from %f to %f by %f has no end", first, last, step);
    const lop_shape s = {1, {count > 0.0 ? (int64_t)count : 0}};
    lop_tensor *t = lopL_zeros(L, lopL_dtype(L, given + 1, "type", LOP_F32), &s);
    for (int64_t i = 0; i < s.dim[0]; i++) lop_tensor_set(t, i, first + (double)i * step);
    return 1;
}

/* ---- random numbers: each call draws from a stream of its own, numbered from the last lop.seed on ---- */

typedef struct { uint64_t seed, calls; } source;

static source *get_source(lua_State *L)
{
    return lua_touserdata(L, lua_upvalueindex(1));
}

/* Starts the random numbers of lop.rand and lop.randn anew.
 * ---@param seed integer */
static int seed(lua_State *L)
{
    if (!lua_isinteger(L, 1)) lopL_argerror(L, 1, "seed", "integer");
    *get_source(L) = (source){(uint64_t)lua_tointeger(L, 1), 0};
    return 0;
}

/* A float32 below 1, where rounding to nearest could give 1. */
static double unit(uint64_t s, uint64_t stream, uint64_t i)
{
    return floor(lop_random_unit(s, stream, i) * 0x1p24) * 0x1p-24;
}

static int draw(lua_State *L, double (*number)(uint64_t, uint64_t, uint64_t), lop_dtype type)
{
    static const char *const keys[] = {"seed", "type", NULL};
    source *from = get_source(L);
    lop_shape s = lopL_shape(L, 1, "shape");
    uint64_t first = from->seed, stream = (uint64_t)LOP_STREAM_USER + from->calls;
    if (lua_istable(L, 2)) {
        lopL_checkoptions(L, 2, keys);
        if (lopL_getoption(L, 2, "seed") != LUA_TNIL) {
            first = (uint64_t)lopL_integer(L, 2, "seed");
            stream = LOP_STREAM_USER;
        } else from->calls++;
    } else from->calls++;
    lop_tensor *t = lopL_zeros(L, type, &s);
    if (number == lop_random_unit && type == LOP_F32) number = unit;
    const int64_t n = lop_tensor_size(t);
    for (int64_t i = 0; i < n; i++) lop_tensor_set(t, i, number(first, stream, (uint64_t)i));
    return 1;
}

static lop_dtype float_type(lua_State *L)
{
    int arg = 2;
    if (lua_istable(L, 2)) {
        lopL_getoption(L, 2, "type");
        arg = lua_gettop(L);
    }
    const lop_dtype type = lopL_dtype(L, arg, "type", LOP_F32);
    if (type != LOP_F32 && type != LOP_F64)
        lopL_error(L, "type is %s, float32 or float64 expected", lop_dtype_name(type));
    return type;
}

/* Uniform in [0, 1).
 * ---@param shape integer[]|integer
 * ---@param opts string|{type: string?, seed: integer?}?    a seed of its own gives the same numbers each time
 * ---@return lop.tensor */
static int uniform(lua_State *L)
{
    return draw(L, lop_random_unit, float_type(L));
}

/* Normal: mean 0, deviation 1. Arguments as for lop.rand. */
static int normal(lua_State *L)
{
    return draw(L, lop_random_normal, float_type(L));
}

/* ---- files ---- */

/* ---@param path string
 * ---@return lop.tensor     of the file's type */
static int load_npy(lua_State *L)
{
    lop_error err;
    if (lua_type(L, 1) != LUA_TSTRING) lopL_argerror(L, 1, "path", "string");
    lop_tensor *t = lopL_newtensor(L);
    lopL_check(L, lop_npy_load(lua_tostring(L, 1), t, &err), &err);
    lopL_filled(L, t);
    return 1;
}

static int npz_gc(lua_State *L)
{
    lop_npz_clear(lua_touserdata(L, 1));
    return 0;
}

static lop_npz *new_npz(lua_State *L)
{
    lop_npz *z = lua_newuserdatauv(L, sizeof *z, 0);
    memset(z, 0, sizeof *z);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, npz_gc);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    return z;
}

/* ---@param path string
 * ---@return table<string, lop.tensor> */
static int load_npz(lua_State *L)
{
    lop_error err;
    if (lua_type(L, 1) != LUA_TSTRING) lopL_argerror(L, 1, "path", "string");
    lop_npz *z = new_npz(L);
    lopL_check(L, lop_npz_load(lua_tostring(L, 1), z, &err), &err);
    lua_newtable(L);
    for (int64_t i = 0; i < z->count; i++) {
        lopL_pushtensor(L, &z->entry[i].tensor);
        lopL_filled(L, &z->entry[i].tensor);
        lua_setfield(L, -2, z->entry[i].name);
    }
    lop_npz_clear(z);
    return 1;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const lop_npz_entry *)a)->name, ((const lop_npz_entry *)b)->name);
}

/* Tensors are written in the order of their names.
 * ---@param path string
 * ---@param tensors table<string, lop.tensor>
 * ---@param opts {deflate: boolean?}?      false */
static int save_npz(lua_State *L)
{
    static const char *const keys[] = {"deflate", NULL};
    lop_error err;
    if (lua_type(L, 1) != LUA_TSTRING) lopL_argerror(L, 1, "path", "string");
    if (!lua_istable(L, 2)) lopL_argerror(L, 2, "tensors", "table");
    lopL_checkoptions(L, 3, keys);
    const bool deflate = lopL_optboolean(L, 3, "deflate", false);
    int64_t n = 0;
    for (lua_pushnil(L); lua_next(L, 2); lua_pop(L, 1)) n++;
    lop_npz *z = new_npz(L);
    z->entry = lop_array(n, sizeof *z->entry, &err);
    if (!z->entry) lopL_fail(L, &err);
    for (lua_pushnil(L); lua_next(L, 2); lua_pop(L, 1)) {
        const lop_tensor *t = lopL_testtensor(L, -1);
        if (lua_type(L, -2) != LUA_TSTRING || !t || t->type == LOP_NONE)
            lopL_error(L, "tensors: [%s]: a name and a tensor expected", luaL_tolstring(L, -2, NULL));
        lop_npz_entry *e = &z->entry[z->count];
        e->name = lop_string(lua_tostring(L, -2), &err);
        if (!e->name) lopL_fail(L, &err);
        z->count++;
        lop_tensor_share(&e->tensor, t);
    }
    if (n > 1) qsort(z->entry, (size_t)n, sizeof *z->entry, by_name);
    lopL_check(L, lop_npz_save(lua_tostring(L, 1), z, deflate, &err), &err);
    return 0;
}

static const luaL_Reg functions[] = {
    {"tensor", new_from_table}, {"zeros", zeros}, {"ones", ones}, {"full", full}, {"arange", arange},
    {"load_npy", load_npy}, {"load_npz", load_npz}, {"save_npz", save_npz}, {NULL, NULL}};
static const luaL_Reg random_functions[] = {{"seed", seed}, {"rand", uniform}, {"randn", normal}, {NULL, NULL}};

int lop_open_tensor(lua_State *L)
{
    lopL_tensor_type(L);
    luaL_setfuncs(L, functions, 0);
    *(source *)lua_newuserdatauv(L, sizeof(source), 0) = (source){0, 0};
    luaL_setfuncs(L, random_functions, 1);
    return 1;
}

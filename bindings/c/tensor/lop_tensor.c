/* bindings/c/tensor/lop_tensor.c - lop.tensor: elements, shapes, views and copies. Places are numbered from 1. */
#include "tensor/lop_tensor_impl.h"

int lopL_dim(lua_State *L, int arg, const lop_tensor *t, int otherwise)
{
    if (lua_isnoneornil(L, arg) && otherwise >= 0) return otherwise;
    if (!lua_isinteger(L, arg)) lopL_argerror(L, arg, "dim", "integer");
    const int64_t d = lua_tointeger(L, arg), n = t->shape.ndim;
    if (d >= 1 && d <= n) return (int)d - 1;
    if (d <= -1 && d >= -n) return (int)(n + d);
    return lopL_error(L, "dim is %I, the tensor has %d", (lua_Integer)d, t->shape.ndim);
}

lop_tensor *lopL_zeros(lua_State *L, lop_dtype type, const lop_shape *shape)
{
    lop_error err;
    lop_tensor *t = lopL_newtensor(L);
    lopL_check(L, lop_tensor_init(t, type, shape, &err), &err);
    lopL_filled(L, t);
    return t;
}

static bool is_float(lop_dtype type)
{
    return type == LOP_F32 || type == LOP_F64 || type == LOP_F16 || type == LOP_BF16;
}

void lopL_pushelement(lua_State *L, const lop_tensor *t, int64_t index)
{
    const double v = lop_tensor_get(t, index);
    if (!is_float(t->type) && v >= -0x1p63 && v < 0x1p63) lua_pushinteger(L, (lua_Integer)v);
    else lua_pushnumber(L, v);
}

static lop_tensor *self(lua_State *L)
{
    return lopL_checktensor(L, 1, "tensor");
}

/* The flat place of the indices from stack index `first` on. */
static int64_t element_at(lua_State *L, const lop_tensor *t, int first)
{
    const int given = lua_gettop(L) - first + 1;
    if (given != t->shape.ndim) lopL_error(L, "%d indices, the tensor has %d dimensions", given, t->shape.ndim);
    int64_t at = 0;
    for (int d = 0; d < t->shape.ndim; d++)
        at = at * t->shape.dim[d] + lopL_place(L, first + d, "index", t->shape.dim[d]);
    return at;
}

/* ---@param ... integer     a place in each dimension
 * ---@return number */
static int get(lua_State *L)
{
    const lop_tensor *t = self(L);
    lopL_pushelement(L, t, element_at(L, t, 2));
    return 1;
}

/* ---@param value number
 * ---@param ... integer     a place in each dimension
 * ---@return lop.tensor     itself */
static int set(lua_State *L)
{
    lop_tensor *t = self(L);
    if (lua_type(L, 2) != LUA_TNUMBER) lopL_argerror(L, 2, "value", "number");
    lop_tensor_set(t, element_at(L, t, 3), lua_tonumber(L, 2));
    lua_settop(L, 1);
    return 1;
}

/* ---@return integer[] */
static int shape(lua_State *L)
{
    const lop_tensor *t = self(L);
    lopL_pushint64s(L, t->shape.dim, t->shape.ndim);
    return 1;
}

/* ---@param dim integer?
 * ---@return integer        elements, or the extent of one dimension */
static int size(lua_State *L)
{
    const lop_tensor *t = self(L);
    lua_pushinteger(L, lua_isnoneornil(L, 2) ? lop_tensor_size(t) : t->shape.dim[lopL_dim(L, 2, t, -1)]);
    return 1;
}

static int length(lua_State *L)
{
    const lop_tensor *t = self(L);
    lua_pushinteger(L, t->shape.ndim > 0 ? t->shape.dim[0] : 0);
    return 1;
}

/* ---@return string         "float32", "float64", "int64", ... */
static int type(lua_State *L)
{
    lua_pushstring(L, lop_dtype_name(self(L)->type));
    return 1;
}

/* ---@param type string
 * ---@return lop.tensor     a copy of that type */
static int to(lua_State *L)
{
    lop_error err;
    const lop_tensor *t = self(L);
    if (lua_isnoneornil(L, 2)) lopL_argerror(L, 2, "type", "string");
    const lop_dtype wanted = lopL_dtype(L, 2, "type", LOP_NONE);
    lop_tensor *y = lopL_newtensor(L);
    lopL_check(L, lop_tensor_cast(y, t, wanted, &err), &err);
    lopL_filled(L, y);
    return 1;
}

/* A copy of elements i to i + n - 1 of a dimension.
 * ---@param dim integer
 * ---@param i integer
 * ---@param n integer
 * ---@return lop.tensor */
static int narrow(lua_State *L)
{
    lop_error err;
    const lop_tensor *t = self(L);
    const int dim = lopL_dim(L, 2, t, -1);
    const int64_t extent = t->shape.dim[dim], first = lopL_place(L, 3, "first", extent + 1);
    if (!lua_isinteger(L, 4)) lopL_argerror(L, 4, "count", "integer");
    const int64_t n = lua_tointeger(L, 4);
    if (n < 0 || n > extent - first)
        lopL_error(L, "%I elements from %I on, dimension %d has %I", (lua_Integer)n, (lua_Integer)first + 1, dim + 1,
                   (lua_Integer)extent);
    lop_tensor *view = lopL_newtensor(L), *y = lopL_newtensor(L);
    lopL_check(L, lop_tensor_narrow(view, t, dim, first, n, &err), &err);
    lopL_check(L, lop_tensor_copy(y, view, &err), &err);
    lop_tensor_clear(view);
    lopL_filled(L, y);
    return 1;
}

/* A copy of the slices that a list names, in its order.
 * ---@param dim integer
 * ---@param list integer[]|lop.tensor
 * ---@return lop.tensor */
static int index_slices(lua_State *L)
{
    lop_error err;
    int64_t n = 0;
    const lop_tensor *t = self(L);
    const int dim = lopL_dim(L, 2, t, -1);
    const int64_t *list = lopL_channels(L, 3, "list", t->shape.dim[dim], &n);
    lop_tensor *y = lopL_newtensor(L);
    lopL_check(L, lop_tensor_index(y, t, dim, list, n, &err), &err);
    lopL_filled(L, y);
    return 1;
}

/* The same elements in other dimensions; the memory is shared. One dimension may be -1: what is left.
 * ---@param ... integer|integer[]
 * ---@return lop.tensor */
static int reshape(lua_State *L)
{
    lop_error err;
    lop_shape s = {0};
    const lop_tensor *t = self(L);
    int64_t n = 0;
    if (!lua_istable(L, 2)) {           /* numbers one by one: as if they had come in a table */
        lua_createtable(L, lua_gettop(L), 0);
        lua_insert(L, 2);
        for (int i = lua_gettop(L); i > 2; i--) lua_rawseti(L, 2, i - 2);
    }
    const int64_t *list = lopL_int64s(L, 2, "shape", &n);
    if (n > LOP_MAX_DIMS) lopL_error(L, "shape: %I dimensions, at most %d expected", (lua_Integer)n, LOP_MAX_DIMS);
    s.ndim = (int)n;
    for (int d = 0; d < s.ndim; d++) s.dim[d] = list[d];
    lopL_check(L, lop_tensor_reshape(lopL_newtensor(L), t, &s, &err), &err);
    return 1;
}

/* ---@param a integer
 * ---@param b integer
 * ---@return lop.tensor     a copy with two dimensions exchanged */
static int transpose(lua_State *L)
{
    const lop_tensor *t = self(L);
    const int a = lopL_dim(L, 2, t, t->shape.ndim == 2 ? 0 : -1), b = lopL_dim(L, 3, t, t->shape.ndim == 2 ? 1 : -1);
    lop_shape s = t->shape;
    s.dim[a] = t->shape.dim[b];
    s.dim[b] = t->shape.dim[a];
    lop_tensor *y = lopL_zeros(L, t->type, &s);
    int64_t stride[LOP_MAX_DIMS] = {0}, at[LOP_MAX_DIMS] = {0}, step = 1;
    for (int d = t->shape.ndim - 1; d >= 0; d--) {
        stride[d] = step;
        step *= t->shape.dim[d];
    }
    const int64_t of_a = stride[a];
    stride[a] = stride[b];
    stride[b] = of_a;
    const int64_t n = lop_tensor_size(y);
    for (int64_t i = 0, from = 0; i < n; i++) {         /* `at` counts through y, `from` follows in t */
        lop_tensor_set(y, i, lop_tensor_get(t, from));
        for (int d = s.ndim - 1; d >= 0; d--) {
            from += stride[d];
            if (++at[d] < s.dim[d]) break;
            from -= stride[d] * s.dim[d];
            at[d] = 0;
        }
    }
    return 1;
}

/* ---@return lop.tensor     with memory of its own */
static int clone(lua_State *L)
{
    lop_error err;
    const lop_tensor *t = self(L);
    lop_tensor *y = lopL_newtensor(L);
    lopL_check(L, lop_tensor_copy(y, t, &err), &err);
    lopL_filled(L, y);
    return 1;
}

static void push_nested(lua_State *L, const lop_tensor *t, int dim, int64_t *at)
{
    if (dim == t->shape.ndim) {
        lopL_pushelement(L, t, (*at)++);
        return;
    }
    const int64_t n = t->shape.dim[dim];
    lua_createtable(L, n > INT32_MAX ? INT32_MAX : (int)n, 0);
    for (int64_t i = 0; i < n; i++) {
        push_nested(L, t, dim + 1, at);
        lua_rawseti(L, -2, i + 1);
    }
}

/* ---@return table|number   nested lists, a number for a scalar */
static int totable(lua_State *L)
{
    int64_t at = 0;
    const lop_tensor *t = self(L);
    luaL_checkstack(L, 2 * LOP_MAX_DIMS, NULL);
    push_nested(L, t, 0, &at);
    return 1;
}

/* Same type, shape and elements (NaN equals nothing).
 * ---@param other lop.tensor
 * ---@return boolean */
static int equal(lua_State *L)
{
    const lop_tensor *a = self(L), *b = lopL_checktensor(L, 2, "other");
    bool same = a->type == b->type && lop_shape_equal(&a->shape, &b->shape);
    const int64_t n = lop_tensor_size(a);
    for (int64_t i = 0; same && i < n; i++) same = lop_tensor_get(a, i) == lop_tensor_get(b, i);
    lua_pushboolean(L, same);
    return 1;
}

/* ---@param path string */
static int save_npy(lua_State *L)
{
    lop_error err;
    const lop_tensor *t = self(L);
    if (lua_type(L, 2) != LUA_TSTRING) lopL_argerror(L, 2, "path", "string");
    lopL_check(L, lop_npy_save(lua_tostring(L, 2), t, &err), &err);
    return 0;
}

static int tensor_gc(lua_State *L)      /* __gc and __close: may run twice */
{
    lop_tensor_clear(luaL_checkudata(L, 1, LOPL_TENSOR));
    return 0;
}

static const luaL_Reg methods[] = {
    {"get", get}, {"set", set}, {"shape", shape}, {"size", size}, {"type", type}, {"to", to}, {"narrow", narrow},
    {"index", index_slices}, {"reshape", reshape}, {"transpose", transpose}, {"close", tensor_gc}, {"clone", clone},
    {"totable", totable}, {"equal", equal}, {"save_npy", save_npy}, {NULL, NULL}};
static const luaL_Reg meta[] = {
    {"__gc", tensor_gc}, {"__close", tensor_gc}, {"__len", length}, {"__tostring", lopL_tensor_tostring}, {NULL, NULL}};

void lopL_tensor_type(lua_State *L)
{
    luaL_newmetatable(L, LOPL_TENSOR);
    luaL_setfuncs(L, meta, 0);
    luaL_setfuncs(L, lopL_tensor_math_meta, 0);
    lua_newtable(L);
    luaL_setfuncs(L, methods, 0);
    luaL_setfuncs(L, lopL_tensor_math, 0);
    luaL_setfuncs(L, lopL_tensor_reduce, 0);
    luaL_setfuncs(L, lopL_tensor_image, 0);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}

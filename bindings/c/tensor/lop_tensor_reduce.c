/* bindings/c/tensor/lop_tensor_reduce.c - a dimension, or the whole tensor, made into one number: sum, mean, min, max,
 * std, norm, argmax, topk. Sums are float64, in the order of the elements. A NaN is the result of whatever it takes
 * part in, and larger than all numbers where order counts. */
#include "tensor/lop_tensor_impl.h"
#include <math.h>
#include <stdlib.h>

typedef struct {                /* one line of elements: t[first + k stride], k in [0, n) */
    const lop_tensor *t;
    int64_t first, stride, n;
} line;

static double at(const line *l, int64_t k)
{
    return lop_tensor_get(l->t, l->first + k * l->stride);
}

static bool above(double a, double b)
{
    return a > b || (isnan(a) && !isnan(b));
}

static int64_t place_of_max(const line *l)
{
    int64_t best = 0;
    for (int64_t k = 1; k < l->n; k++)
        if (above(at(l, k), at(l, best))) best = k;
    return best;
}

static int64_t place_of_min(const line *l)
{
    int64_t best = 0;
    for (int64_t k = 1; k < l->n; k++) {
        const double v = at(l, k), least = at(l, best);
        if (v < least || (isnan(v) && !isnan(least))) best = k;
    }
    return best;
}

static double sum_of(const line *l)
{
    double s = 0.0;
    for (int64_t k = 0; k < l->n; k++) s += at(l, k);
    return s;
}

static double mean_of(const line *l)
{
    return sum_of(l) / (double)l->n;
}

/* By n - 1, as PyTorch does. */
static double deviation_of(const line *l)
{
    const double mean = mean_of(l);
    double s = 0.0;
    for (int64_t k = 0; k < l->n; k++) s += (at(l, k) - mean) * (at(l, k) - mean);
    return sqrt(s / (double)(l->n - 1));
}

static line whole(const lop_tensor *t)
{
    return (line){t, 0, 1, lop_tensor_size(t)};
}

/* Line number i of those along dim. */
static line line_along(const lop_tensor *t, int dim, int64_t i)
{
    int64_t inner = 1;
    for (int d = dim + 1; d < t->shape.ndim; d++) inner *= t->shape.dim[d];
    const int64_t n = t->shape.dim[dim];
    return (line){t, i / inner * inner * n + i % inner, inner, n};
}

static lop_shape without(const lop_shape *s, int dim)
{
    lop_shape y = {0};
    for (int d = 0; d < s->ndim; d++)
        if (d != dim) y.dim[y.ndim++] = s->dim[d];
    return y;
}

static int reduce(lua_State *L, double (*number)(const line *))
{
    const lop_tensor *t = lopL_checktensor(L, 1, "tensor");
    if (lua_isnoneornil(L, 2)) {
        const line l = whole(t);
        lua_pushnumber(L, number(&l));
        return 1;
    }
    const int dim = lopL_dim(L, 2, t, -1);
    const lop_shape s = without(&t->shape, dim);
    lop_tensor *y = lopL_zeros(L, t->type == LOP_F32 ? LOP_F32 : LOP_F64, &s);
    const int64_t n = lop_tensor_size(y);
    for (int64_t i = 0; i < n; i++) {
        const line l = line_along(t, dim, i);
        lop_tensor_set(y, i, number(&l));
    }
    return 1;
}

/* Each of these: ---@param dim integer?    all elements
 * ---@return lop.tensor|number             without the dimension; float32 stays, other types give float64 */
static int sum(lua_State *L) { return reduce(L, sum_of); }
static int mean(lua_State *L) { return reduce(L, mean_of); }
static int std(lua_State *L) { return reduce(L, deviation_of); }

/* Pushes the extreme elements and their places. */
static int extreme(lua_State *L, int64_t (*place)(const line *))
{
    const lop_tensor *t = lopL_checktensor(L, 1, "tensor");
    const bool all = lua_isnoneornil(L, 2);
    const int dim = all ? 0 : lopL_dim(L, 2, t, -1);
    if (all ? lop_tensor_size(t) == 0 : t->shape.dim[dim] == 0) return lopL_error(L, "there are no elements");
    if (all) {
        const line l = whole(t);
        const int64_t k = place(&l);
        lopL_pushelement(L, t, k);
        lua_pushinteger(L, k + 1);
        return 2;
    }
    const lop_shape s = without(&t->shape, dim);
    lop_tensor *y = lopL_zeros(L, t->type, &s), *where = lopL_zeros(L, LOP_I64, &s);
    const int64_t n = lop_tensor_size(y);
    for (int64_t i = 0; i < n; i++) {
        const line l = line_along(t, dim, i);
        const int64_t k = place(&l);
        lop_tensor_set(y, i, at(&l, k));
        lop_tensor_set(where, i, (double)(k + 1));
    }
    return 2;
}

/* Each of these: ---@param dim integer?    all elements
 * ---@return lop.tensor|number             of the tensor's type
 * ---@return lop.tensor|integer            the first place where it stands: int64, from 1 */
static int max(lua_State *L) { return extreme(L, place_of_max); }
static int min(lua_State *L) { return extreme(L, place_of_min); }

/* ---@param dim integer?    all elements, in C order
 * ---@return lop.tensor|integer            the first place of the largest: int64, from 1 */
static int argmax(lua_State *L)
{
    extreme(L, place_of_max);
    return 1;
}

/* The Euclidean norm of all elements; scaled, so that no square overflows.
 * ---@return number */
static int norm(lua_State *L)
{
    const line l = whole(lopL_checktensor(L, 1, "tensor"));
    double top = 0.0, s = 0.0;
    for (int64_t k = 0; k < l.n; k++) {
        const double v = fabs(at(&l, k));
        if (above(v, top)) top = v;
    }
    for (int64_t k = 0; k < l.n && top > 0.0 && isfinite(top); k++) s += at(&l, k) / top * (at(&l, k) / top);
    lua_pushnumber(L, isfinite(top) ? top * sqrt(s) : top);
    return 1;
}

typedef struct { double value; int64_t place; } ranked;

static int by_rank(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (above(x->value, y->value)) return -1;
    if (above(y->value, x->value)) return 1;
    return x->place < y->place ? -1 : 1;
}

/* The k largest, falling; of equal ones the first.
 * ---@param k integer
 * ---@param dim integer?    the last
 * ---@return lop.tensor values
 * ---@return lop.tensor places     int64, from 1 */
static int topk(lua_State *L)
{
    const lop_tensor *t = lopL_checktensor(L, 1, "tensor");
    if (t->shape.ndim == 0) return lopL_error(L, "the tensor is a scalar, a dimension expected");
    const int dim = lopL_dim(L, 3, t, t->shape.ndim - 1);
    const int64_t n = t->shape.dim[dim], k = lopL_place(L, 2, "k", n) + 1;
    lop_shape s = t->shape;
    s.dim[dim] = k;
    ranked *r = lua_newuserdatauv(L, (size_t)n * sizeof *r, 0);
    lop_tensor *y = lopL_zeros(L, t->type, &s), *where = lopL_zeros(L, LOP_I64, &s);
    const int64_t lines = lop_tensor_size(y) / k;
    for (int64_t i = 0; i < lines; i++) {
        const line l = line_along(t, dim, i), to = line_along(y, dim, i);
        for (int64_t j = 0; j < n; j++) r[j] = (ranked){at(&l, j), j};
        qsort(r, (size_t)n, sizeof *r, by_rank);
        for (int64_t j = 0; j < k; j++) {
            lop_tensor_set(y, to.first + j * to.stride, r[j].value);
            lop_tensor_set(where, to.first + j * to.stride, (double)(r[j].place + 1));
        }
    }
    return 2;
}

const luaL_Reg lopL_tensor_reduce[] = {
    {"sum", sum}, {"mean", mean}, {"std", std}, {"min", min}, {"max", max}, {"argmax", argmax}, {"norm", norm},
    {"topk", topk}, {NULL, NULL}};

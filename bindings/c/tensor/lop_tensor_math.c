/* bindings/c/tensor/lop_tensor_math.c - arithmetic of tensors, element by element with broadcasting as in NumPy, and
 * matrix products. Results are float32 where a float32 takes part and no float64, else float64; a plain number takes
 * the type of the tensor beside it. Sums are formed in double and rounded once, which is exact for one operation on
 * float32. */
#include "tensor/lop_tensor_impl.h"
#include "linalg/linalg.h"
#include <cblas.h>

typedef enum { ADD, SUB, MUL, DIV } operation;

static bool is_single(lop_dtype t)
{
    return t == LOP_F32 || t == LOP_F16 || t == LOP_BF16;
}

static lop_dtype result_type(const lop_tensor *a, const lop_tensor *b)
{
    if (a->type == LOP_F64 || b->type == LOP_F64) return LOP_F64;
    return is_single(a->type) || is_single(b->type) ? LOP_F32 : LOP_F64;
}

static double element(const lop_tensor *t, int64_t i)
{
    return t->type == LOP_F32   ? (double)((const float *)t->data)[i]
           : t->type == LOP_F64 ? ((const double *)t->data)[i]
                                : lop_tensor_get(t, i);
}

static double apply(operation op, double a, double b)
{
    return op == ADD ? a + b : op == SUB ? a - b : op == MUL ? a * b : a / b;
}

/* The shape that both stretch to, and by what each of its steps moves in a and in b: 0 along a dimension of one. */
static lop_shape broadcast(lua_State *L, const lop_tensor *a, const lop_tensor *b, int64_t step[2][LOP_MAX_DIMS])
{
    lop_shape y = {.ndim = a->shape.ndim > b->shape.ndim ? a->shape.ndim : b->shape.ndim};
    int64_t sa = 1, sb = 1;
    for (int d = y.ndim - 1, i = a->shape.ndim - 1, j = b->shape.ndim - 1; d >= 0; d--, i--, j--) {
        const int64_t da = i >= 0 ? a->shape.dim[i] : 1, db = j >= 0 ? b->shape.dim[j] : 1;
        if (da != db && da != 1 && db != 1) {
            char ta[96], tb[96];
            lop_error err;
            lop_fail(&err, LOP_E_SHAPE, "%s and %s do not fit: %" PRId64 " and %" PRId64 " in dimension %d",
                     lop_shape_text(&a->shape, ta, sizeof ta), lop_shape_text(&b->shape, tb, sizeof tb), da, db, d + 1);
            lopL_fail(L, &err);
        }
        y.dim[d] = da == 1 ? db : da;
        step[0][d] = da == 1 ? 0 : sa;
        step[1][d] = db == 1 ? 0 : sb;
        sa *= da;
        sb *= db;
    }
    return y;
}

static void combine(operation op, const lop_tensor *a, const lop_tensor *b, int64_t step[2][LOP_MAX_DIMS],
                    lop_tensor *y)
{
    const lop_shape *s = &y->shape;
    int64_t at[LOP_MAX_DIMS] = {0}, i = 0, j = 0;
    const int64_t n = lop_tensor_size(y);
    float *y32 = y->data;               /* one of the two, as the type says */
    double *y64 = y->data;
    const bool single = y->type == LOP_F32;
    for (int64_t k = 0; k < n; k++) {
        const double v = apply(op, element(a, i), element(b, j));
        if (single) y32[k] = (float)v;
        else y64[k] = v;
        for (int d = s->ndim - 1; d >= 0; d--) {
            i += step[0][d];
            j += step[1][d];
            if (++at[d] < s->dim[d]) break;
            i -= step[0][d] * s->dim[d];
            j -= step[1][d] * s->dim[d];
            at[d] = 0;
        }
    }
}

/* A tensor, or a number as a borrowed scalar in *number that takes part in no choice of a type. */
static const lop_tensor *operand(lua_State *L, int arg, const char *name, double *number, lop_tensor *scalar)
{
    if (lua_type(L, arg) != LUA_TNUMBER) return lopL_checktensor(L, arg, name);
    *number = lua_tonumber(L, arg);
    *scalar = (lop_tensor){.type = LOP_F64, .data = number};
    return scalar;
}

static int binary(lua_State *L, operation op)
{
    double na, nb;
    lop_tensor sa, sb;
    int64_t step[2][LOP_MAX_DIMS] = {{0}};
    const lop_tensor *a = operand(L, 1, "left", &na, &sa), *b = operand(L, 2, "right", &nb, &sb);
    const lop_dtype type = a == &sa ? result_type(b, b) : b == &sb ? result_type(a, a) : result_type(a, b);
    const lop_shape s = broadcast(L, a, b, step);
    combine(op, a, b, step, lopL_zeros(L, type, &s));
    return 1;
}

static int add(lua_State *L) { return binary(L, ADD); }
static int sub(lua_State *L) { return binary(L, SUB); }
static int mul(lua_State *L) { return binary(L, MUL); }
static int divide(lua_State *L) { return binary(L, DIV); }

static int negate(lua_State *L)
{
    lua_settop(L, 1);
    lua_pushnumber(L, -1.0);            /* times -1, not 0 minus: that would turn 0 into 0 and not into -0 */
    return binary(L, MUL);
}

/* The tensor at arg in another type; a copy, where there must be one, is pushed. */
static const lop_tensor *as_type(lua_State *L, int arg, lop_dtype type)
{
    lop_error err;
    const lop_tensor *t = lopL_testtensor(L, arg);
    if (t->type == type) return t;
    lop_tensor *y = lopL_newtensor(L);
    lopL_check(L, lop_tensor_cast(y, t, type, &err), &err);
    return y;
}

static int shape_error(lua_State *L, const lop_tensor *a, const lop_tensor *b, const char *expected)
{
    char ta[96], tb[96];
    lop_error err;
    lop_fail(&err, LOP_E_SHAPE, "%s times %s: %s expected", lop_shape_text(&a->shape, ta, sizeof ta),
             lop_shape_text(&b->shape, tb, sizeof tb), expected);
    return lopL_fail(L, &err);
}

/* A matrix product; a vector on the left is a row, on the right a column, and so is the result.
 * ---@param other lop.tensor
 * ---@return lop.tensor */
static int matmul(lua_State *L)
{
    const lop_tensor *a = lopL_checktensor(L, 1, "tensor"), *b = lopL_checktensor(L, 2, "other");
    const int da = a->shape.ndim, db = b->shape.ndim;
    if (da < 1 || da > 2 || db < 1 || db > 2) return shape_error(L, a, b, "matrices or vectors");
    const int64_t m = da == 2 ? a->shape.dim[0] : 1, k = a->shape.dim[da - 1], n = db == 2 ? b->shape.dim[1] : 1;
    if (b->shape.dim[0] != k) return shape_error(L, a, b, "as many columns on the left as rows on the right");
    if (m > INT32_MAX || n > INT32_MAX || k > INT32_MAX) return shape_error(L, a, b, "dimensions below 2^31");
    const lop_dtype type = result_type(a, b);
    a = as_type(L, 1, type);
    b = as_type(L, 2, type);
    lop_shape s = {0};
    if (da == 2) s.dim[s.ndim++] = m;
    if (db == 2) s.dim[s.ndim++] = n;
    lop_tensor *y = lopL_zeros(L, type, &s);
    const int M = (int)m, N = (int)n, K = (int)k;
    if (M == 0 || N == 0 || K == 0) return 1;
    if (type == LOP_F32)
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, M, N, K, 1.0F, a->data, K, b->data, N, 0.0F, y->data, N);
    else
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, M, N, K, 1.0, a->data, K, b->data, N, 0.0, y->data, N);
    return 1;
}

/* X of A X = B, A (the tensor) symmetric and positive definite, by Cholesky in float64; A's upper triangle is read.
 * ---@param b lop.tensor    (n) or (n, count)
 * ---@return lop.tensor     float64, of b's shape */
static int cholesky_solve(lua_State *L)
{
    const lop_tensor *a = lopL_checktensor(L, 1, "tensor"), *b = lopL_checktensor(L, 2, "b");
    const int64_t n = a->shape.ndim == 2 ? a->shape.dim[0] : -1;
    if (n < 0 || a->shape.dim[1] != n) return lopL_error(L, "a square matrix expected");
    if (b->shape.ndim < 1 || b->shape.ndim > 2 || b->shape.dim[0] != n)
        return shape_error(L, a, b, "as many rows on the right as on the left");
    const int64_t count = b->shape.ndim == 2 ? b->shape.dim[1] : 1;
    lop_tensor *u = lopL_zeros(L, LOP_F64, &a->shape), *x = lopL_zeros(L, LOP_F64, &b->shape);
    double *to = u->data, *right = x->data;
    for (int64_t i = 0; i < n * n; i++) to[i] = element(a, i);
    for (int64_t i = 0; i < n * count; i++) right[i] = element(b, i);
    lop_error err;
    lopL_check(L, lop_cholesky(n, to, n, &err), &err);
    lopL_check(L, lop_cholesky_solve(n, to, n, count, right, count, &err), &err);
    return 1;
}

/* ---@param f fun(value: number): number
 * ---@return lop.tensor     of the same type */
static int map(lua_State *L)
{
    const lop_tensor *given = lopL_checktensor(L, 1, "tensor");
    if (lua_type(L, 2) != LUA_TFUNCTION) lopL_argerror(L, 2, "f", "function");
    lop_tensor *t = lopL_newtensor(L);
    lop_tensor_share(t, given);         /* f may close what it was called for */
    lop_tensor *y = lopL_zeros(L, t->type, &t->shape);
    const int64_t n = lop_tensor_size(t);
    for (int64_t i = 0; i < n; i++) {
        lua_pushvalue(L, 2);
        lopL_pushelement(L, t, i);
        lua_call(L, 1, 1);
        if (lua_type(L, -1) != LUA_TNUMBER)
            lopL_error(L, "f: number expected for element %I, got %s", (lua_Integer)i + 1, luaL_typename(L, -1));
        lop_tensor_set(y, i, lua_tonumber(L, -1));
        lua_pop(L, 1);
    }
    return 1;
}

const luaL_Reg lopL_tensor_math[] = {
    {"matmul", matmul}, {"cholesky_solve", cholesky_solve}, {"map", map}, {NULL, NULL}};
const luaL_Reg lopL_tensor_math_meta[] = {
    {"__add", add}, {"__sub", sub}, {"__mul", mul}, {"__div", divide}, {"__unm", negate}, {NULL, NULL}};

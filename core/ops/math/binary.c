/* core/ops/math/binary.c - element-wise operators of two inputs or more, broadcast (ONNX opset 7 on): arithmetic,
 * comparison, logic, bits. Integers are computed in their own type; sums and products wrap. */
#include "ops/ops_impl.h"
#include <math.h>
#include <string.h>

/* ---- walking two broadcast inputs ---- */

typedef struct {
    int ndim;
    int64_t n[LOP_MAX_DIMS + 1], step_a[LOP_MAX_DIMS + 1], step_b[LOP_MAX_DIMS + 1];
    const char *a, *b;
    char *y;
    int64_t item, y_item;
    ops_pair_kernel kernel;
} pair;

/* Dimensions along which both inputs go on as they lie become one: the last is then as long as can be. */
static void collapse(pair *p, const lop_shape *shape, const int64_t *sa, const int64_t *sb)
{
    p->ndim = 0;
    for (int d = 0; d < shape->ndim; d++) {
        const int last = p->ndim - 1;
        const int64_t n = shape->dim[d];
        if (n == 1) continue;
        if (last >= 0 && p->step_a[last] == n * sa[d] && p->step_b[last] == n * sb[d]) {
            p->n[last] *= n;
            p->step_a[last] = sa[d];
            p->step_b[last] = sb[d];
        } else {
            p->n[p->ndim] = n;
            p->step_a[p->ndim] = sa[d];
            p->step_b[p->ndim++] = sb[d];
        }
    }
    if (p->ndim == 0) {
        p->n[0] = 1;
        p->step_a[0] = p->step_b[0] = 0;
        p->ndim = 1;
    }
}

static void pair_rows(void *context, int64_t begin, int64_t end)
{
    const pair *p = context;
    const int last = p->ndim - 1;
    for (int64_t row = begin; row < end; row++) {
        int64_t rest = row, at_a = 0, at_b = 0;
        for (int d = last - 1; d >= 0; d--) {
            at_a += rest % p->n[d] * p->step_a[d];
            at_b += rest % p->n[d] * p->step_b[d];
            rest /= p->n[d];
        }
        p->kernel(p->n[last], p->a + at_a * p->item, p->step_a[last], p->b + at_b * p->item, p->step_b[last],
                  p->y + row * p->n[last] * p->y_item);
    }
}

static void pair_piece(void *context, int64_t begin, int64_t end)
{
    const pair *p = context;
    p->kernel(end - begin, p->a + begin * p->step_a[0] * p->item, p->step_a[0], p->b + begin * p->step_b[0] * p->item,
              p->step_b[0], p->y + begin * p->y_item);
}

void ops_pair_run(const lop_tensor *a, const lop_tensor *b, ops_pair_kernel kernel, size_t item, size_t y_item,
                  const lop_shape *shape, void *y, lop_team *team)
{
    int64_t sa[LOP_MAX_DIMS], sb[LOP_MAX_DIMS], rows = 1;
    pair p = {.a = a->data, .b = b->data, .y = y, .item = (int64_t)item, .y_item = (int64_t)y_item, .kernel = kernel};
    ops_broadcast_strides(&a->shape, shape, sa);
    ops_broadcast_strides(&b->shape, shape, sb);
    collapse(&p, shape, sa, sb);
    for (int d = 0; d < p.ndim - 1; d++) rows *= p.n[d];
    if (rows == 0 || p.n[p.ndim - 1] == 0) return;
    if (p.ndim == 1) ops_spread(team, p.n[0], ops_grain(1), pair_piece, &p);
    else ops_spread(team, rows, ops_grain(p.n[p.ndim - 1]), pair_rows, &p);
}

/* ---- kernels: steps are 0 or 1 nearly always, and then the loop is one the compiler can vectorise ---- */

#define PAIR(name, T, R, expression)                                                                            \
    static void name(int64_t n, const void *in_a, int64_t step_a, const void *in_b, int64_t step_b, void *to)   \
    {                                                                                                           \
        const T *pa = in_a, *pb = in_b;                                                                         \
        R *y = to;                                                                                              \
        if (step_a == 1 && step_b == 1) {                                                                       \
            for (int64_t i = 0; i < n; i++) { const T a = pa[i], b = pb[i]; y[i] = (R)(expression); }           \
        } else if (step_a == 1 && step_b == 0) {                                                                \
            const T b = *pb;                                                                                    \
            for (int64_t i = 0; i < n; i++) { const T a = pa[i]; y[i] = (R)(expression); }                      \
        } else {                                                                                                \
            for (int64_t i = 0; i < n; i++) {                                                                   \
                const T a = pa[i * step_a], b = pb[i * step_b];                                                 \
                y[i] = (R)(expression);                                                                         \
            }                                                                                                   \
        }                                                                                                       \
    }

/* W: an unsigned type wide enough for the type's sums and products to wrap as they should. */
#define ARITHMETIC(suffix, T, W)                                \
    PAIR(add_##suffix, T, T, (W)a + (W)b)                       \
    PAIR(sub_##suffix, T, T, (W)a - (W)b)                       \
    PAIR(mul_##suffix, T, T, (W)a * (W)b)                       \
    PAIR(min_##suffix, T, T, a < b ? a : b)                     \
    PAIR(max_##suffix, T, T, a > b ? a : b)                     \
    PAIR(equal_##suffix, T, bool, a == b)                       \
    PAIR(less_##suffix, T, bool, a < b)                         \
    PAIR(less_equal_##suffix, T, bool, a <= b)                  \
    PAIR(greater_##suffix, T, bool, a > b)                      \
    PAIR(greater_equal_##suffix, T, bool, a >= b)
ARITHMETIC(i8, int8_t, uint32_t)
ARITHMETIC(i16, int16_t, uint32_t)
ARITHMETIC(i32, int32_t, uint32_t)
ARITHMETIC(i64, int64_t, uint64_t)
ARITHMETIC(u8, uint8_t, uint32_t)
ARITHMETIC(u16, uint16_t, uint32_t)
ARITHMETIC(u32, uint32_t, uint32_t)
ARITHMETIC(u64, uint64_t, uint64_t)

/* A NaN on either side wins minimum and maximum. */
#define REAL(suffix, T, to_power, remainder)                    \
    PAIR(add_##suffix, T, T, a + b)                             \
    PAIR(sub_##suffix, T, T, a - b)                             \
    PAIR(mul_##suffix, T, T, a * b)                             \
    PAIR(div_##suffix, T, T, a / b)                             \
    PAIR(min_##suffix, T, T, isnan(a) || a < b ? a : b)         \
    PAIR(max_##suffix, T, T, isnan(a) || a > b ? a : b)         \
    PAIR(equal_##suffix, T, bool, a == b)                       \
    PAIR(less_##suffix, T, bool, a < b)                         \
    PAIR(less_equal_##suffix, T, bool, a <= b)                  \
    PAIR(greater_##suffix, T, bool, a > b)                      \
    PAIR(greater_equal_##suffix, T, bool, a >= b)               \
    PAIR(pow_##suffix, T, T, to_power(a, b))                    \
    PAIR(fmod_##suffix, T, T, remainder(a, b))                  \
    PAIR(prelu_##suffix, T, T, a < 0 ? a * b : a)
REAL(f32, float, powf, fmodf)
REAL(f64, double, pow, fmod)

/* Of signed integers: the quotient goes to zero, fmod has the sign of a, mod that of b; -1 apart, for the least one. */
#define SIGNED(suffix, T)                                                                   \
    PAIR(div_##suffix, T, T, b == -1 ? (T)(0 - (uint64_t)a) : a / b)                        \
    PAIR(fmod_##suffix, T, T, b == -1 ? 0 : a % b)                                          \
    PAIR(mod_##suffix, T, T, b == -1 ? 0 : a % b != 0 && (a % b < 0) != (b < 0) ? a % b + b : a % b)   \
    PAIR(prelu_##suffix, T, T, a < 0 ? (uint64_t)a * (uint64_t)b : (uint64_t)a)
SIGNED(i8, int8_t)
SIGNED(i16, int16_t)
SIGNED(i32, int32_t)
SIGNED(i64, int64_t)
#define UNSIGNED(suffix, T) PAIR(div_##suffix, T, T, a / b) PAIR(mod_##suffix, T, T, a % b)
UNSIGNED(u8, uint8_t)
UNSIGNED(u16, uint16_t)
UNSIGNED(u32, uint32_t)
UNSIGNED(u64, uint64_t)

/* a to the power b by squaring, wrapping; 1 / a^-b cut to an integer for a negative b. */
static uint64_t integer_power(int64_t a, int64_t b)
{
    uint64_t result = 1, base = (uint64_t)a;
    if (b < 0) return a == 1 ? 1 : a == -1 ? (b % 2 ? UINT64_MAX : 1) : 0;
    for (; b > 0; b >>= 1, base *= base)
        if (b & 1) result *= base;
    return result;
}
PAIR(pow_i32, int32_t, int32_t, integer_power(a, b))
PAIR(pow_i64, int64_t, int64_t, integer_power(a, b))

PAIR(and_b, bool, bool, a && b)
PAIR(or_b, bool, bool, a || b)
PAIR(xor_b, bool, bool, a != b)
PAIR(equal_b, bool, bool, a == b)

/* ---- which kernel ---- */

enum { TYPES = 11 };
static int type_index(lop_dtype type)
{
    static const lop_dtype order[TYPES] = {LOP_F32, LOP_F64, LOP_I8, LOP_I16, LOP_I32, LOP_I64, LOP_U8, LOP_U16,
                                           LOP_U32, LOP_U64, LOP_BOOL};
    for (int i = 0; i < TYPES; i++)
        if (order[i] == type) return i;
    return -1;
}

#define ALL(op) {op##_f32, op##_f64, op##_i8, op##_i16, op##_i32, op##_i64, op##_u8, op##_u16, op##_u32, op##_u64, NULL}
typedef struct { const char *name; bool compares; ops_pair_kernel kernel[TYPES]; } pair_op;
static const pair_op pairs[] = {
    {"Add", false, ALL(add)},
    {"And", true, {[TYPES - 1] = and_b}},
    {"Div", false, ALL(div)},
    {"Equal", true, {equal_f32, equal_f64, equal_i8, equal_i16, equal_i32, equal_i64, equal_u8, equal_u16, equal_u32,
                     equal_u64, equal_b}},
    {"Greater", true, ALL(greater)},
    {"GreaterOrEqual", true, ALL(greater_equal)},
    {"Less", true, ALL(less)},
    {"LessOrEqual", true, ALL(less_equal)},
    {"Max", false, ALL(max)},
    {"Mean", false, {add_f32, add_f64}},
    {"Min", false, ALL(min)},
    {"Mod", false, {fmod_f32, fmod_f64, mod_i8, mod_i16, mod_i32, mod_i64, mod_u8, mod_u16, mod_u32, mod_u64, NULL}},
    {"Mul", false, ALL(mul)},
    {"Or", true, {[TYPES - 1] = or_b}},
    {"PRelu", false, {prelu_f32, prelu_f64, prelu_i8, prelu_i16, prelu_i32, prelu_i64}},
    {"Pow", false, {pow_f32, pow_f64, NULL, NULL, pow_i32, pow_i64}},
    {"Sub", false, ALL(sub)},
    {"Sum", false, {add_f32, add_f64}},
    {"Xor", true, {[TYPES - 1] = xor_b}},
};

static const pair_op *find(const lop_op_call *call)
{
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (strcmp(pairs[i].name, call->node->op) == 0) return &pairs[i];
    return NULL;
}

static ops_pair_kernel pick(const lop_op_call *call, const pair_op *op)
{
    static const ops_pair_kernel fmods[TYPES] = {fmod_f32, fmod_f64, fmod_i8, fmod_i16, fmod_i32, fmod_i64, mod_u8,
                                                 mod_u16, mod_u32, mod_u64, NULL};
    const int type = type_index(call->in[0]->type);
    if (!op || type < 0) return NULL;
    const bool by_sign_of_a = strcmp(op->name, "Mod") == 0 && lop_node_int(call->node, "fmod", 0) != 0;
    return by_sign_of_a ? fmods[type] : op->kernel[type];
}

ops_pair_kernel ops_pair_of_reduction(const char *how, lop_dtype type)
{
    static const char *const names[4][2] = {{"add", "Add"}, {"mul", "Mul"}, {"min", "Min"}, {"max", "Max"}};
    const int at = type_index(type);
    for (int k = 0; k < 4 && at >= 0; k++)
        for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
            if (strcmp(how, names[k][0]) == 0 && strcmp(pairs[i].name, names[k][1]) == 0) return pairs[i].kernel[at];
    return NULL;
}

static lop_status check_types(const lop_op_call *call, const pair_op *op, lop_error *err)
{
    const bool any = op && strcmp(op->name, "Pow") == 0;        /* its exponent may be of another type */
    if (!pick(call, op))
        return lop_fail(err, LOP_E_UNSUPPORTED, "of %s is not built", lop_dtype_name(call->in[0]->type));
    for (int i = 1; i < call->nin; i++)
        if (call->in[i]->type != call->in[0]->type && !any)
            return lop_fail(err, LOP_E_SHAPE, "%s and %s: one type expected", lop_dtype_name(call->in[0]->type),
                            lop_dtype_name(call->in[i]->type));
    return LOP_OK;
}

static lop_status set_shape(const lop_op_call *call, lop_error *err)
{
    const pair_op *op = find(call);
    lop_status st = check_types(call, op, err);
    if (st != LOP_OK) return st;
    lop_shape y = call->in[0]->shape;
    for (int i = 1; st == LOP_OK && i < call->nin; i++) st = ops_broadcast(&y, &call->in[i]->shape, &y, err);
    if (st != LOP_OK) return st;
    return ops_set(call, 0, op->compares ? LOP_BOOL : call->in[0]->type, &y, err);
}

lop_status ops_pair_shape(const lop_op_call *call, lop_error *err)
{
    lop_status st = ops_need(call, 2, 2, err);
    return st == LOP_OK ? set_shape(call, err) : st;
}

lop_status ops_many_shape(const lop_op_call *call, lop_error *err)
{
    lop_status st = ops_need(call, call->nin < 1 ? 1 : call->nin, INT32_MAX, err);
    return st == LOP_OK ? set_shape(call, err) : st;
}

/* ---- forward ---- */

static bool is_real(lop_dtype type) { return type == LOP_F32 || type == LOP_F64; }

static void run_pair(const lop_op_call *call, const lop_tensor *a, const lop_tensor *b, ops_pair_kernel kernel)
{
    const lop_tensor *y = &call->out[0];
    ops_pair_run(a, b, kernel, lop_dtype_size(a->type), lop_dtype_size(y->type), &y->shape, y->data, call->team);
}

lop_status ops_pair_forward(const lop_op_call *call, lop_error *err)
{
    (void)err;
    run_pair(call, call->in[0], call->in[1], pick(call, find(call)));
    return LOP_OK;
}

/* ---- PRelu: before opset 7, a list of slopes belongs to the channels ---- */

static lop_tensor slopes(const lop_op_call *call)
{
    lop_tensor slope = *call->in[1];
    const lop_shape *x = &call->in[0]->shape;
    if (call->opset < 7 && slope.shape.ndim == 1 && x->ndim > 1 && slope.shape.dim[0] == x->dim[1]) {
        slope.shape = (lop_shape){x->ndim - 1, {x->dim[1]}};
        for (int d = 1; d < slope.shape.ndim; d++) slope.shape.dim[d] = 1;
    }
    return slope;
}

lop_status ops_prelu_shape(const lop_op_call *call, lop_error *err)
{
    lop_status st = ops_need(call, 2, 2, err);
    if (st == LOP_OK) st = check_types(call, find(call), err);
    if (st != LOP_OK) return st;
    const lop_tensor slope = slopes(call);
    const lop_shape *x = &call->in[0]->shape;
    lop_shape y;
    st = ops_broadcast(x, &slope.shape, &y, err);
    if (st == LOP_OK && !lop_shape_equal(&y, x))
        st = lop_fail(err, LOP_E_SHAPE, "slope does not broadcast to the input");
    return st == LOP_OK ? ops_set(call, 0, call->in[0]->type, x, err) : st;
}

lop_status ops_prelu_forward(const lop_op_call *call, lop_error *err)
{
    const lop_tensor slope = slopes(call);
    (void)err;
    run_pair(call, call->in[0], &slope, pick(call, find(call)));
    return LOP_OK;
}

/* Integer division: refused where a divisor is 0. */
lop_status ops_div_forward(const lop_op_call *call, lop_error *err)
{
    const lop_tensor *b = call->in[1];
    for (int64_t i = 0; !is_real(b->type) && i < lop_tensor_size(b); i++)
        if (lop_tensor_get(b, i) == 0.0) return lop_fail(err, LOP_E_NUMERIC, "division by zero at entry #%" PRId64, i);
    return ops_pair_forward(call, err);
}

/* An integer to a real power: in float64, cut to an integer. */
static lop_status real_power(const lop_op_call *call, lop_error *err)
{
    lop_tensor base = {0}, exponent = {0}, power = {0}, back = {0};
    const lop_tensor *y = &call->out[0];
    lop_status st = lop_tensor_cast(&base, call->in[0], LOP_F64, err);
    if (st == LOP_OK) st = lop_tensor_cast(&exponent, call->in[1], LOP_F64, err);
    if (st == LOP_OK) st = lop_tensor_init(&power, LOP_F64, &y->shape, err);
    if (st == LOP_OK) {
        ops_pair_run(&base, &exponent, pow_f64, sizeof(double), sizeof(double), &y->shape, power.data, call->team);
        st = lop_tensor_cast(&back, &power, y->type, err);
    }
    if (st == LOP_OK && lop_tensor_bytes(y) > 0) memcpy(y->data, back.data, lop_tensor_bytes(y));
    lop_tensor_clear(&base);
    lop_tensor_clear(&exponent);
    lop_tensor_clear(&power);
    lop_tensor_clear(&back);
    return st;
}

lop_status ops_pow_forward(const lop_op_call *call, lop_error *err)
{
    lop_tensor exponent;
    if (!is_real(call->in[0]->type) && is_real(call->in[1]->type)) return real_power(call, err);
    lop_status st = lop_tensor_cast(&exponent, call->in[1], call->in[0]->type, err);
    if (st != LOP_OK) return st;
    run_pair(call, call->in[0], &exponent, pick(call, find(call)));
    lop_tensor_clear(&exponent);
    return LOP_OK;
}

/* The first two meet in y, the others join there one by one; a lone input is joined with the neutral repetition of
 * itself by copying. */
lop_status ops_many_forward(const lop_op_call *call, lop_error *err)
{
    const ops_pair_kernel kernel = pick(call, find(call));
    const lop_tensor *y = &call->out[0];
    if (call->nin == 1) return ops_copy_forward(call, err);
    run_pair(call, call->in[0], call->in[1], kernel);
    for (int i = 2; i < call->nin; i++) run_pair(call, y, call->in[i], kernel);
    return LOP_OK;
}

lop_status ops_mean_forward(const lop_op_call *call, lop_error *err)
{
    float as_float = (float)call->nin;
    double as_double = (double)call->nin;
    const bool single = call->in[0]->type == LOP_F32;
    lop_tensor count = {.type = call->in[0]->type, .data = single ? (void *)&as_float : (void *)&as_double};
    lop_status st = ops_many_forward(call, err);
    if (st == LOP_OK) run_pair(call, &call->out[0], &count, single ? div_f32 : div_f64);
    return st;
}

/* core/ops/math/unary.c - one element in, one element out: activations and elementary functions. */
#include "ops/ops_impl.h"
#include <float.h>
#include <tgmath.h>
#include <string.h>

/* p: the operator's numbers, from its attributes. */
typedef void (*map_kernel)(int64_t n, const void *x, void *y, const double *p);

#define MAP(name, T, expression)                                                            \
    static void name(int64_t n, const void *from, void *to, const double *p)                \
    {                                                                                       \
        const T *in = from, a = (T)p[0], b = (T)p[1];                                       \
        T *out = to;                                                                        \
        (void)a;                                                                            \
        (void)b;                                                                            \
        for (int64_t i = 0; i < n; i++) {                                                   \
            const T x = in[i];                                                              \
            out[i] = (T)(expression);                                                       \
        }                                                                                   \
    }
/* In the arithmetic of the type: <tgmath.h> takes expf for a float. */
#define MAP_FLOAT(name, expression) MAP(name##_f32, float, expression) MAP(name##_f64, double, expression)
#define C(number) ((__typeof__(x))(number))

MAP_FLOAT(abs_of, fabs(x))
MAP_FLOAT(neg_of, -x)
MAP_FLOAT(sign_of, x > 0 ? 1 : x < 0 ? -1 : 0)
MAP_FLOAT(relu_of, x < 0 ? 0 : x)
MAP_FLOAT(floor_of, floor(x))
MAP_FLOAT(ceil_of, ceil(x))
MAP_FLOAT(round_of, rint(x))                        /* halves to even, as ONNX has it */
MAP_FLOAT(sqrt_of, sqrt(x))
MAP_FLOAT(exp_of, exp(x))
MAP_FLOAT(log_of, log(x))
MAP_FLOAT(sin_of, sin(x))
MAP_FLOAT(cos_of, cos(x))
MAP_FLOAT(tan_of, tan(x))
MAP_FLOAT(asin_of, asin(x))
MAP_FLOAT(acos_of, acos(x))
MAP_FLOAT(atan_of, atan(x))
MAP_FLOAT(sinh_of, sinh(x))
MAP_FLOAT(cosh_of, cosh(x))
MAP_FLOAT(asinh_of, asinh(x))
MAP_FLOAT(acosh_of, acosh(x))
MAP_FLOAT(atanh_of, atanh(x))
MAP_FLOAT(erf_of, erf(x))
MAP_FLOAT(reciprocal_of, 1 / x)
MAP_FLOAT(tanh_of, tanh(x))
MAP_FLOAT(sigmoid_of, 1 / (1 + exp(-x)))
MAP_FLOAT(hard_sigmoid_of, fmax(C(0), fmin(C(1), a * x + b)))
MAP_FLOAT(hard_swish_of, x * fmax(C(0), fmin(C(1), x / C(6) + C(0.5))))
MAP_FLOAT(leaky_relu_of, x < 0 ? a * x : x)
MAP_FLOAT(elu_of, x < 0 ? a * expm1(x) : x)
MAP_FLOAT(selu_of, x <= 0 ? b * a * expm1(x) : b * x)
MAP_FLOAT(celu_of, fmax(C(0), x) + fmin(C(0), a * expm1(x / a)))
MAP_FLOAT(thresholded_of, x > a ? x : 0)
MAP_FLOAT(shrink_of, x < -b ? x + a : x > b ? x - a : 0)
MAP_FLOAT(softplus_of, x > 0 ? x + log1p(exp(-x)) : log1p(exp(x)))
MAP_FLOAT(softsign_of, x / (1 + fabs(x)))
MAP_FLOAT(mish_of, x * tanh(x > 0 ? x + log1p(exp(-x)) : log1p(exp(x))))
MAP_FLOAT(gelu_of, C(0.5) * x * (1 + erf(x * C(0.70710678118654752440))))
MAP_FLOAT(gelu_tanh_of, C(0.5) * x * (1 + tanh(C(0.79788456080286535588) * (x + C(0.044715) * x * x * x))))

/* Of integers; the least one is its own negative, as in two's complement. */
#define MAP_INT(name, expression)                                                           \
    MAP(name##_i8, int8_t, expression) MAP(name##_i16, int16_t, expression)                 \
    MAP(name##_i32, int32_t, expression) MAP(name##_i64, int64_t, expression)
MAP_INT(abs_of, x < 0 ? 0 - (uint64_t)x : (uint64_t)x)
MAP_INT(neg_of, 0 - (uint64_t)x)
MAP_INT(sign_of, x > 0 ? 1 : x < 0 ? -1 : 0)
MAP_INT(relu_of, x < 0 ? 0 : x)

/* Of those without a sign. */
#define MAP_UNSIGNED(name, expression)                                                      \
    MAP(name##_u8, uint8_t, expression) MAP(name##_u16, uint16_t, expression)               \
    MAP(name##_u32, uint32_t, expression) MAP(name##_u64, uint64_t, expression)
MAP_UNSIGNED(abs_of, x)
MAP_UNSIGNED(sign_of, x > 0)

typedef struct {
    const char *name;
    map_kernel f32, f64, i8, i16, i32, i64;
    const char *first, *second;         /* attributes p[0] and p[1], NULL: none */
    float first_default, second_default;
} map_op;
#define REAL(name) name##_f32, name##_f64, NULL, NULL, NULL, NULL
#define ALSO_INT(name) name##_f32, name##_f64, name##_i8, name##_i16, name##_i32, name##_i64

static const map_op maps[] = {
    {"Abs", ALSO_INT(abs_of), NULL, NULL, 0, 0},
    {"Acos", REAL(acos_of), NULL, NULL, 0, 0},
    {"Acosh", REAL(acosh_of), NULL, NULL, 0, 0},
    {"Asin", REAL(asin_of), NULL, NULL, 0, 0},
    {"Asinh", REAL(asinh_of), NULL, NULL, 0, 0},
    {"Atan", REAL(atan_of), NULL, NULL, 0, 0},
    {"Atanh", REAL(atanh_of), NULL, NULL, 0, 0},
    {"Ceil", REAL(ceil_of), NULL, NULL, 0, 0},
    {"Celu", REAL(celu_of), "alpha", NULL, 1, 0},
    {"Cos", REAL(cos_of), NULL, NULL, 0, 0},
    {"Cosh", REAL(cosh_of), NULL, NULL, 0, 0},
    {"Elu", REAL(elu_of), "alpha", NULL, 1, 0},
    {"Erf", REAL(erf_of), NULL, NULL, 0, 0},
    {"Exp", REAL(exp_of), NULL, NULL, 0, 0},
    {"Floor", REAL(floor_of), NULL, NULL, 0, 0},
    {"Gelu", REAL(gelu_of), NULL, NULL, 0, 0},
    {"HardSigmoid", REAL(hard_sigmoid_of), "alpha", "beta", 0.2f, 0.5f},
    {"HardSwish", REAL(hard_swish_of), NULL, NULL, 0, 0},
    {"LeakyRelu", REAL(leaky_relu_of), "alpha", NULL, 0.01f, 0},
    {"Log", REAL(log_of), NULL, NULL, 0, 0},
    {"Mish", REAL(mish_of), NULL, NULL, 0, 0},
    {"Neg", ALSO_INT(neg_of), NULL, NULL, 0, 0},
    {"Reciprocal", REAL(reciprocal_of), NULL, NULL, 0, 0},
    {"Relu", ALSO_INT(relu_of), NULL, NULL, 0, 0},
    {"Round", REAL(round_of), NULL, NULL, 0, 0},
    {"Selu", REAL(selu_of), "alpha", "gamma", 1.67326319217681884765625f, 1.05070102214813232421875f},
    {"Shrink", REAL(shrink_of), "bias", "lambd", 0, 0.5f},
    {"Sigmoid", REAL(sigmoid_of), NULL, NULL, 0, 0},
    {"Sign", ALSO_INT(sign_of), NULL, NULL, 0, 0},
    {"Sin", REAL(sin_of), NULL, NULL, 0, 0},
    {"Sinh", REAL(sinh_of), NULL, NULL, 0, 0},
    {"Softplus", REAL(softplus_of), NULL, NULL, 0, 0},
    {"Softsign", REAL(softsign_of), NULL, NULL, 0, 0},
    {"Sqrt", REAL(sqrt_of), NULL, NULL, 0, 0},
    {"Tan", REAL(tan_of), NULL, NULL, 0, 0},
    {"Tanh", REAL(tanh_of), NULL, NULL, 0, 0},
    {"ThresholdedRelu", REAL(thresholded_of), "alpha", NULL, 1, 0},
};

static map_kernel pick_unsigned(const map_op *op, lop_dtype type)
{
    static const map_kernel kernels[2][4] = {{abs_of_u8, abs_of_u16, abs_of_u32, abs_of_u64},
                                             {sign_of_u8, sign_of_u16, sign_of_u32, sign_of_u64}};
    const bool sign = strcmp(op->name, "Sign") == 0;
    if (!sign && strcmp(op->name, "Abs") != 0) return NULL;
    switch (type) {
    case LOP_U8: return kernels[sign][0];
    case LOP_U16: return kernels[sign][1];
    case LOP_U32: return kernels[sign][2];
    case LOP_U64: return kernels[sign][3];
    default: return NULL;
    }
}

static const map_op *find(const lop_op_call *call)
{
    for (size_t i = 0; i < sizeof maps / sizeof *maps; i++)
        if (strcmp(maps[i].name, call->node->op) == 0) return &maps[i];
    return NULL;
}

static map_kernel pick(const lop_op_call *call, const map_op *op)
{
    const bool rough = strcmp(lop_node_string(call->node, "approximate", "none"), "tanh") == 0;     /* of Gelu */
    switch (call->in[0]->type) {
    case LOP_F32: return rough ? gelu_tanh_of_f32 : op->f32;
    case LOP_F64: return rough ? gelu_tanh_of_f64 : op->f64;
    case LOP_I8: return op->i8;
    case LOP_I16: return op->i16;
    case LOP_I32: return op->i32;
    case LOP_I64: return op->i64;
    default: return pick_unsigned(op, call->in[0]->type);
    }
}

lop_status ops_map_shape(const lop_op_call *call, lop_error *err)
{
    lop_status st = ops_need(call, 1, 1, err);
    if (st != LOP_OK) return st;
    const map_op *op = find(call);
    if (!op || !pick(call, op))
        return lop_fail(err, LOP_E_UNSUPPORTED, "of %s is not built", lop_dtype_name(call->in[0]->type));
    return ops_set(call, 0, call->in[0]->type, &call->in[0]->shape, err);
}

typedef struct { map_kernel kernel; const char *x; char *y; int64_t item; double p[2]; } mapping;

static void map_range(void *context, int64_t begin, int64_t end)
{
    const mapping *m = context;
    m->kernel(end - begin, m->x + begin * m->item, m->y + begin * m->item, m->p);
}

static void spread_map(const lop_op_call *call, mapping *m)
{
    m->x = call->in[0]->data;
    m->y = call->out[0].data;
    m->item = (int64_t)lop_dtype_size(call->in[0]->type);
    ops_spread(call->team, lop_tensor_size(call->in[0]), ops_grain(1), map_range, m);
}

lop_status ops_map_forward(const lop_op_call *call, lop_error *err)
{
    const map_op *op = find(call);
    mapping m = {.kernel = op ? pick(call, op) : NULL};
    if (!m.kernel) return lop_fail(err, LOP_E_UNSUPPORTED, "of %s is not built", lop_dtype_name(call->in[0]->type));
    if (op->first) m.p[0] = (double)lop_node_float(call->node, op->first, op->first_default);
    if (op->second) m.p[1] = (double)lop_node_float(call->node, op->second, op->second_default);
    spread_map(call, &m);
    return LOP_OK;
}

/* ---- Clip: attributes before opset 11, inputs of any numeric type from then on ---- */

static bool by_attribute(const lop_op_call *call)
{
    return lop_node_attr(call->node, "min") || lop_node_attr(call->node, "max");
}

/* All types but float32, which goes to the kernel. */
#define CLIP_TYPED(name, T, least, most)                                            \
    static void name(const lop_op_call *call)                                       \
    {                                                                               \
        const T *x = call->in[0]->data;                                             \
        T *y = call->out[0].data, low = least, high = most;                         \
        const int64_t n = lop_tensor_size(call->in[0]);                             \
        if (ops_has(call, 1)) low = *(const T *)call->in[1]->data;                  \
        if (ops_has(call, 2)) high = *(const T *)call->in[2]->data;                 \
        for (int64_t i = 0; i < n; i++) {                                           \
            const T v = x[i] < low ? low : x[i];                                    \
            y[i] = v > high ? high : v;                                             \
        }                                                                           \
    }
CLIP_TYPED(clip_f64, double, -DBL_MAX, DBL_MAX)
CLIP_TYPED(clip_i8, int8_t, INT8_MIN, INT8_MAX)
CLIP_TYPED(clip_i16, int16_t, INT16_MIN, INT16_MAX)
CLIP_TYPED(clip_i32, int32_t, INT32_MIN, INT32_MAX)
CLIP_TYPED(clip_i64, int64_t, INT64_MIN, INT64_MAX)
CLIP_TYPED(clip_u8, uint8_t, 0, UINT8_MAX)
CLIP_TYPED(clip_u16, uint16_t, 0, UINT16_MAX)
CLIP_TYPED(clip_u32, uint32_t, 0, UINT32_MAX)
CLIP_TYPED(clip_u64, uint64_t, 0, UINT64_MAX)

typedef void (*clip_typed)(const lop_op_call *call);
static clip_typed clip_of(lop_dtype type)
{
    switch (type) {
    case LOP_F64: return clip_f64;
    case LOP_I8: return clip_i8;
    case LOP_I16: return clip_i16;
    case LOP_I32: return clip_i32;
    case LOP_I64: return clip_i64;
    case LOP_U8: return clip_u8;
    case LOP_U16: return clip_u16;
    case LOP_U32: return clip_u32;
    case LOP_U64: return clip_u64;
    default: return NULL;
    }
}

lop_status ops_clip_shape(const lop_op_call *call, lop_error *err)
{
    lop_status st = ops_need(call, 1, 3, err);
    if (st != LOP_OK) return st;
    const lop_dtype type = call->in[0]->type;
    if (type != LOP_F32 && !clip_of(type))
        return lop_fail(err, LOP_E_UNSUPPORTED, "of %s is not built", lop_dtype_name(type));
    for (int i = 1; i < 3; i++) {
        if (!ops_has(call, i)) continue;
        if (lop_tensor_size(call->in[i]) != 1 || call->in[i]->type != type)
            return lop_fail(err, LOP_E_SHAPE, "%s holds %" PRId64 " of %s, one %s expected", i == 1 ? "min" : "max",
                            lop_tensor_size(call->in[i]), lop_dtype_name(call->in[i]->type), lop_dtype_name(type));
    }
    return ops_set(call, 0, type, &call->in[0]->shape, err);
}

lop_status lop_ops_clip_range(const lop_op_call *call, float *low, float *high, lop_error *err)
{
    *low = lop_node_float(call->node, "min", -FLT_MAX);
    *high = lop_node_float(call->node, "max", FLT_MAX);
    for (int i = 1; i < 3; i++) {
        if (by_attribute(call) || !ops_has(call, i)) continue;
        if (!call->in[i]->data || call->in[i]->type != LOP_F32 || lop_tensor_size(call->in[i]) != 1)
            return lop_fail(err, LOP_E_UNSUPPORTED, "%s is no constant float32 number", i == 1 ? "min" : "max");
        *(i == 1 ? low : high) = *(const float *)call->in[i]->data;
    }
    return LOP_OK;
}

typedef struct { float low, high; const float *x; float *y; } clipping;

static void clip_range(void *context, int64_t begin, int64_t end)
{
    const clipping *c = context;
    lop_map_act(LOP_ACT_CLIP, c->low, c->high, end - begin, c->x + begin, c->y + begin);
}

lop_status ops_clip_forward(const lop_op_call *call, lop_error *err)
{
    const lop_dtype type = call->in[0]->type;
    clipping c = {.x = call->in[0]->data, .y = call->out[0].data};
    if (type != LOP_F32) {
        clip_of(type)(call);
        return LOP_OK;
    }
    lop_status st = lop_ops_clip_range(call, &c.low, &c.high, err);
    if (st == LOP_OK) ops_spread(call->team, lop_tensor_size(call->in[0]), ops_grain(1), clip_range, &c);
    return st;
}

/* ---- Relu's float32 goes to the kernel; all else is a map ---- */

static void relu_range(void *context, int64_t begin, int64_t end)
{
    const clipping *c = context;
    lop_map_act(LOP_ACT_RELU, 0, 0, end - begin, c->x + begin, c->y + begin);
}

lop_status ops_relu_forward(const lop_op_call *call, lop_error *err)
{
    clipping c = {.x = call->in[0]->data, .y = call->out[0].data};
    if (call->in[0]->type != LOP_F32) return ops_map_forward(call, err);
    ops_spread(call->team, lop_tensor_size(call->in[0]), ops_grain(1), relu_range, &c);
    return LOP_OK;
}

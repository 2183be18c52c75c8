/* core/ops/math/reduce.c - the Reduce family: axes as an attribute at first, as an input from opset 13 (ReduceSum) or
 * 18 on; MeanVarianceNormalization over the same sets of axes. float32 is summed in float64, integers in 64 bits that
 * wrap. */
#include "ops/ops_impl.h"
#include <math.h>
#include <string.h>

typedef enum { SUM, MEAN, PROD, MAXIMUM, MINIMUM, L1, L2, SQUARES, LOG_SUM, LOG_SUM_EXP } reduction;

static reduction kind_of(const lop_op_call *call)
{
    static const char *const names[] = {"ReduceSum", "ReduceMean", "ReduceProd", "ReduceMax", "ReduceMin", "ReduceL1",
                                        "ReduceL2", "ReduceSumSquare", "ReduceLogSum", "ReduceLogSumExp"};
    int k = 0;
    while (k < LOG_SUM_EXP && strcmp(names[k], call->node->op) != 0) k++;
    return (reduction)k;
}

static lop_status reduced_axes(const lop_op_call *call, bool *set, lop_error *err)
{
    int count;
    lop_status st = ops_axes(call, 1, call->in[0]->shape.ndim, set, &count, err);
    const bool all = count < 1 && lop_node_int(call->node, "noop_with_empty_axes", 0) == 0;
    for (int d = 0; st == LOP_OK && all && d < LOP_MAX_DIMS; d++) set[d] = true;
    return st;
}

/* 8 bits and bool have a largest and a least, and no sums. */
static bool is_built(lop_dtype type, bool largest)
{
    switch (type) {
    case LOP_F32: case LOP_F64: case LOP_I32: case LOP_I64: case LOP_U32: case LOP_U64: return true;
    case LOP_I8: case LOP_U8: case LOP_BOOL: return largest;
    default: return false;
    }
}

lop_status ops_reduce_shape(const lop_op_call *call, lop_error *err)
{
    bool set[LOP_MAX_DIMS];
    const bool keep = lop_node_int(call->node, "keepdims", 1) != 0;
    lop_status st = ops_need(call, 1, 2, err);
    if (st == LOP_OK) st = reduced_axes(call, set, err);
    if (st != LOP_OK) return st;
    const lop_dtype type = call->in[0]->type;
    const bool largest = kind_of(call) == MAXIMUM || kind_of(call) == MINIMUM;
    if (!is_built(type, largest))
        return lop_fail(err, LOP_E_UNSUPPORTED, "of %s is not built", lop_dtype_name(type));
    const lop_shape *x = &call->in[0]->shape;
    lop_shape y = {0, {0}};
    for (int d = 0; d < x->ndim; d++) {
        if (set[d] && x->dim[d] == 0) return lop_fail(err, LOP_E_SHAPE, "dimension %d is empty", d);
        if (!set[d] || keep) y.dim[y.ndim++] = set[d] ? 1 : x->dim[d];
    }
    return ops_set(call, 0, type, &y, err);
}

/* x's offsets along the dimensions in `set` (or those not in it), in order. */
static int64_t *offsets(const lop_shape *x, const bool *set, bool in, int64_t *count, lop_error *err)
{
    int64_t stride[LOP_MAX_DIMS];
    *count = 1;
    ops_strides(x, stride);
    for (int d = 0; d < x->ndim; d++)
        if (set[d] == in) *count *= x->dim[d];
    int64_t *list = lop_array(*count, sizeof *list, err);
    for (int64_t k = 0; list && k < *count; k++) {
        int64_t rest = k;
        for (int d = x->ndim - 1; d >= 0; d--) {
            if (set[d] != in) continue;
            list[k] += rest % x->dim[d] * stride[d];
            rest /= x->dim[d];
        }
    }
    return list;
}

typedef struct {
    reduction kind;
    lop_dtype type;
    const void *x;
    void *y;
    const int64_t *kept, *summed;
    int64_t nsummed;
} reducing;

#define REDUCE_REAL(name, T)                                                                        \
    static double name(const reducing *r, const T *x)                                               \
    {                                                                                               \
        double total = r->kind == PROD ? 1.0 : 0.0, most = (double)x[r->summed[0]], least = most;   \
        for (int64_t i = 0; i < r->nsummed; i++) {                                                  \
            const double v = (double)x[r->summed[i]];                                               \
            most = isnan(v) || v > most ? v : most;                                                 \
            least = isnan(v) || v < least ? v : least;                                              \
            if (r->kind == PROD) total *= v;                                                        \
            else if (r->kind == L1) total += fabs(v);                                               \
            else total += r->kind == L2 || r->kind == SQUARES ? v * v : v;                          \
        }                                                                                           \
        if (r->kind == MAXIMUM || r->kind == MINIMUM) return r->kind == MAXIMUM ? most : least;     \
        if (r->kind == MEAN) return total / (double)r->nsummed;                                     \
        if (r->kind == L2) return sqrt(total);                                                      \
        if (r->kind == LOG_SUM) return log(total);                                                  \
        if (r->kind != LOG_SUM_EXP) return total;                                                   \
        const double off = isfinite(most) ? most : 0.0;     /* no exponential overflows */          \
        total = exp((double)x[r->summed[0]] - off);                                                 \
        for (int64_t i = 1; i < r->nsummed; i++) total += exp((double)x[r->summed[i]] - off);       \
        return off + log(total);                                                                    \
    }
REDUCE_REAL(reduce_f32, float)
REDUCE_REAL(reduce_f64, double)

/* The logarithms of integers are cut to integers, as ONNX Runtime does; that of 0 is the least one. */
static int64_t whole_log(double v, int64_t off) { return v > 0.0 ? (int64_t)((double)off + log(v)) : INT64_MIN; }

/* W: int64_t or uint64_t, what values are compared in. */
#define REDUCE_INT(name, T, W)                                                                      \
    static uint64_t name(const reducing *r, const T *x)                                             \
    {                                                                                               \
        uint64_t total = r->kind == PROD ? 1 : 0, squares = 0, sizes = 0;                           \
        W most = (W)x[r->summed[0]], least = most;                                                  \
        double powers = 0.0;                                                                        \
        for (int64_t i = 0; i < r->nsummed; i++) {                                                  \
            const W v = (W)x[r->summed[i]];                                                         \
            const uint64_t u = (uint64_t)v;                                                         \
            most = v > most ? v : most;                                                             \
            least = v < least ? v : least;                                                          \
            total = r->kind == PROD ? total * u : total + u;                                        \
            squares += u * u;                                                                       \
            sizes += v > 0 ? u : 0 - u;                                                             \
        }                                                                                           \
        for (int64_t i = 0; r->kind == LOG_SUM_EXP && i < r->nsummed; i++)                          \
            powers += exp((double)x[r->summed[i]] - (double)most);                                  \
        switch (r->kind) {                                                                          \
        case MAXIMUM: return (uint64_t)most;                                                        \
        case MINIMUM: return (uint64_t)least;                                                       \
        case MEAN: return (uint64_t)((W)total / (W)r->nsummed);                                     \
        case L1: return sizes;                                                                      \
        case SQUARES: return squares;                                                               \
        case L2: return (uint64_t)sqrt((double)squares);                                            \
        case LOG_SUM: return (uint64_t)whole_log((double)(W)total, 0);                              \
        case LOG_SUM_EXP: return (uint64_t)whole_log(powers, (int64_t)most);                        \
        default: return total;                                                                      \
        }                                                                                           \
    }
REDUCE_INT(reduce_i8, int8_t, int64_t)
REDUCE_INT(reduce_u8, uint8_t, int64_t)
REDUCE_INT(reduce_i32, int32_t, int64_t)
REDUCE_INT(reduce_i64, int64_t, int64_t)
REDUCE_INT(reduce_u32, uint32_t, uint64_t)
REDUCE_INT(reduce_u64, uint64_t, uint64_t)

#define PUT(T, function) ((T *)r->y)[k] = (T)function(r, (const T *)r->x + r->kept[k])

static void reduce_range(void *context, int64_t begin, int64_t end)
{
    const reducing *r = context;
    for (int64_t k = begin; k < end; k++) {
        switch (r->type) {
        case LOP_F32: PUT(float, reduce_f32); break;
        case LOP_F64: PUT(double, reduce_f64); break;
        case LOP_I8: PUT(int8_t, reduce_i8); break;
        case LOP_U8: case LOP_BOOL: PUT(uint8_t, reduce_u8); break;
        case LOP_I32: PUT(int32_t, reduce_i32); break;
        case LOP_U32: PUT(uint32_t, reduce_u32); break;
        case LOP_U64: PUT(uint64_t, reduce_u64); break;
        default: PUT(int64_t, reduce_i64);
        }
    }
}

lop_status ops_reduce_forward(const lop_op_call *call, lop_error *err)
{
    const lop_tensor *x = call->in[0];
    reducing r = {.kind = kind_of(call), .type = x->type, .x = x->data, .y = call->out[0].data};
    bool set[LOP_MAX_DIMS];
    int64_t nkept;
    lop_status st = reduced_axes(call, set, err);
    if (st != LOP_OK) return st;
    int64_t *kept = offsets(&x->shape, set, false, &nkept, err);
    int64_t *summed = offsets(&x->shape, set, true, &r.nsummed, err);
    r.kept = kept;
    r.summed = summed;
    if (!kept || !summed) st = LOP_E_MEMORY;
    else ops_spread(call->team, nkept, ops_grain(r.nsummed), reduce_range, &r);
    lop_free(kept);
    lop_free(summed);
    return st;
}

bool ops_mixes_reduce(const lop_op_call *call)
{
    bool set[LOP_MAX_DIMS];
    lop_error ignored;
    return ops_mixes_never(call) || reduced_axes(call, set, &ignored) != LOP_OK || set[0];
}

/* ---- MeanVarianceNormalization: (x - mean) / deviation over the axes, [0, 2, 3] unless given ---- */

static lop_status normalised_axes(const lop_op_call *call, bool *set, lop_error *err)
{
    int count;
    lop_status st = ops_axes(call, -1, call->in[0]->shape.ndim, set, &count, err);
    for (int d = 0; st == LOP_OK && count < 0 && d < 4; d++) set[d] = d != 1;
    return st;
}

lop_status ops_mvn_shape(const lop_op_call *call, lop_error *err)
{
    bool set[LOP_MAX_DIMS];
    lop_status st = ops_need(call, 1, 1, err);
    if (st == LOP_OK) st = ops_need_f32(call, 0, err);
    if (st == LOP_OK) st = normalised_axes(call, set, err);
    return st == LOP_OK ? ops_set(call, 0, LOP_F32, &call->in[0]->shape, err) : st;
}

static void normalise(const int64_t *list, int64_t n, const float *x, float *y)
{
    const double epsilon = 1e-9;                /* the specification's */
    double sum = 0.0, squares = 0.0;
    for (int64_t i = 0; i < n; i++) sum += (double)x[list[i]];
    const double mean = sum / (double)n;
    for (int64_t i = 0; i < n; i++) squares += ((double)x[list[i]] - mean) * ((double)x[list[i]] - mean);
    const double deviation = sqrt(squares / (double)n) + epsilon;
    for (int64_t i = 0; i < n; i++) y[list[i]] = (float)(((double)x[list[i]] - mean) / deviation);
}

lop_status ops_mvn_forward(const lop_op_call *call, lop_error *err)
{
    const lop_shape *s = &call->in[0]->shape;
    bool set[LOP_MAX_DIMS];
    int64_t nkept, nsummed;
    lop_status st = normalised_axes(call, set, err);
    if (st != LOP_OK || lop_tensor_size(call->in[0]) == 0) return st;
    int64_t *kept = offsets(s, set, false, &nkept, err), *summed = offsets(s, set, true, &nsummed, err);
    if (!kept || !summed) st = LOP_E_MEMORY;
    for (int64_t k = 0; st == LOP_OK && k < nkept; k++)
        normalise(summed, nsummed, (const float *)call->in[0]->data + kept[k], (float *)call->out[0].data + kept[k]);
    lop_free(kept);
    lop_free(summed);
    return st;
}

bool ops_mixes_mvn(const lop_op_call *call)
{
    bool set[LOP_MAX_DIMS];
    lop_error ignored;
    return ops_mixes_never(call) || normalised_axes(call, set, &ignored) != LOP_OK || set[0];
}

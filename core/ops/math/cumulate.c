/* core/ops/math/cumulate.c - CumSum (opsets 11, 14). */
#include "ops/ops_impl.h"

static lop_status sum_axis(const lop_op_call *call, int *axis, lop_error *err)
{
    int64_t list[1];
    int count;
    lop_status st = ops_input_ints(call, 1, "axis", list, 1, &count, err);
    if (st == LOP_OK && count != 1) st = lop_fail(err, LOP_E_SHAPE, "axis has %d entries, one expected", count);
    return st == LOP_OK ? ops_axis(list[0], call->in[0]->shape.ndim, axis, err) : st;
}

lop_status ops_cumsum_shape(const lop_op_call *call, lop_error *err)
{
    int axis;
    lop_status st = ops_need(call, 2, 2, err);
    if (st == LOP_OK) st = sum_axis(call, &axis, err);
    if (st != LOP_OK) return st;
    const lop_dtype type = call->in[0]->type;
    if (type != LOP_F32 && type != LOP_F64 && type != LOP_I32 && type != LOP_I64)
        return lop_fail(err, LOP_E_UNSUPPORTED, "of %s is not built", lop_dtype_name(type));
    return ops_set(call, 0, type, &call->in[0]->shape, err);
}

/* n entries `step` apart; T's sums are made in W. */
#define CUMULATE(name, T, W)                                                        \
    static void name(int64_t n, int64_t step, bool exclusive, const T *x, T *y)     \
    {                                                                               \
        W sum = 0;                                                                  \
        for (int64_t i = 0; i < n; i++) {                                           \
            const W next = sum + (W)x[i * step];                                    \
            y[i * step] = (T)(exclusive ? sum : next);                              \
            sum = next;                                                             \
        }                                                                           \
    }
CUMULATE(cumulate_f32, float, double)
CUMULATE(cumulate_f64, double, double)
CUMULATE(cumulate_i32, int32_t, uint64_t)
CUMULATE(cumulate_i64, int64_t, uint64_t)

lop_status ops_cumsum_forward(const lop_op_call *call, lop_error *err)
{
    const lop_tensor *x = call->in[0], *y = &call->out[0];
    const bool exclusive = lop_node_int(call->node, "exclusive", 0) != 0;
    const bool reverse = lop_node_int(call->node, "reverse", 0) != 0;
    int axis;
    lop_status st = sum_axis(call, &axis, err);
    if (st != LOP_OK) return st;
    const int64_t n = x->shape.dim[axis], inner = ops_inner(&x->shape, axis), step = reverse ? -inner : inner;
    for (int64_t r = 0; n > 0 && r < ops_outer(&x->shape, axis) * inner; r++) {
        const int64_t at = r / inner * n * inner + r % inner + (reverse ? (n - 1) * inner : 0);
        if (x->type == LOP_F32) cumulate_f32(n, step, exclusive, (const float *)x->data + at, (float *)y->data + at);
        if (x->type == LOP_F64) cumulate_f64(n, step, exclusive, (const double *)x->data + at, (double *)y->data + at);
        if (x->type == LOP_I32)
            cumulate_i32(n, step, exclusive, (const int32_t *)x->data + at, (int32_t *)y->data + at);
        if (x->type == LOP_I64)
            cumulate_i64(n, step, exclusive, (const int64_t *)x->data + at, (int64_t *)y->data + at);
    }
    return LOP_OK;
}

bool ops_mixes_cumsum(const lop_op_call *call)
{
    int axis;
    lop_error ignored;
    return ops_mixes_never(call) || sum_axis(call, &axis, &ignored) != LOP_OK || axis == 0;
}

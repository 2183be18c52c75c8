/* core/ops/math/select.c - truth: Where, Not, IsNaN, IsInf, NonZero. */
#include "ops/ops_impl.h"
#include <math.h>
#include <string.h>

lop_status ops_where_shape(const lop_op_call *call, lop_error *err)
{
    lop_status st = ops_need(call, 3, 3, err);
    if (st != LOP_OK) return st;
    if (call->in[0]->type != LOP_BOOL || call->in[1]->type != call->in[2]->type)
        return lop_fail(err, LOP_E_SHAPE, "%s ? %s : %s", lop_dtype_name(call->in[0]->type),
                        lop_dtype_name(call->in[1]->type), lop_dtype_name(call->in[2]->type));
    lop_shape y = call->in[0]->shape;
    for (int i = 1; st == LOP_OK && i < 3; i++) st = ops_broadcast(&y, &call->in[i]->shape, &y, err);
    return st == LOP_OK ? ops_set(call, 0, call->in[1]->type, &y, err) : st;
}

lop_status ops_where_forward(const lop_op_call *call, lop_error *err)
{
    const lop_shape *s = &call->out[0].shape;
    const size_t item = lop_dtype_size(call->out[0].type);
    const bool *condition = call->in[0]->data;
    int64_t step[3][LOP_MAX_DIMS];
    (void)err;
    for (int i = 0; i < 3; i++) ops_broadcast_strides(&call->in[i]->shape, s, step[i]);
    for (int64_t k = 0; k < lop_tensor_size(&call->out[0]); k++) {
        int64_t rest = k, at[3] = {0};
        for (int d = s->ndim - 1; d >= 0; d--) {
            for (int i = 0; i < 3; i++) at[i] += rest % s->dim[d] * step[i][d];
            rest /= s->dim[d];
        }
        const int from = condition[at[0]] ? 1 : 2;
        memcpy((char *)call->out[0].data + (size_t)k * item,
               (const char *)call->in[from]->data + (size_t)at[from] * item, item);
    }
    return LOP_OK;
}

lop_status ops_not_shape(const lop_op_call *call, lop_error *err)
{
    lop_status st = ops_need(call, 1, 1, err);
    if (st == LOP_OK && call->in[0]->type != LOP_BOOL)
        return lop_fail(err, LOP_E_SHAPE, "%s, bool expected", lop_dtype_name(call->in[0]->type));
    return st == LOP_OK ? ops_set(call, 0, LOP_BOOL, &call->in[0]->shape, err) : st;
}

lop_status ops_not_forward(const lop_op_call *call, lop_error *err)
{
    const bool *x = call->in[0]->data;
    bool *y = call->out[0].data;
    (void)err;
    for (int64_t i = 0; i < lop_tensor_size(call->in[0]); i++) y[i] = !x[i];
    return LOP_OK;
}

/* ---- IsNaN, IsInf (detect_negative, detect_positive) ---- */

lop_status ops_is_odd_shape(const lop_op_call *call, lop_error *err)
{
    lop_status st = ops_need(call, 1, 1, err);
    if (st == LOP_OK && call->in[0]->type != LOP_F32 && call->in[0]->type != LOP_F64)
        return lop_fail(err, LOP_E_UNSUPPORTED, "of %s is not built", lop_dtype_name(call->in[0]->type));
    return st == LOP_OK ? ops_set(call, 0, LOP_BOOL, &call->in[0]->shape, err) : st;
}

lop_status ops_is_nan_forward(const lop_op_call *call, lop_error *err)
{
    bool *y = call->out[0].data;
    (void)err;
    for (int64_t i = 0; i < lop_tensor_size(call->in[0]); i++) y[i] = isnan(lop_tensor_get(call->in[0], i));
    return LOP_OK;
}

lop_status ops_is_inf_forward(const lop_op_call *call, lop_error *err)
{
    const bool below = lop_node_int(call->node, "detect_negative", 1) != 0;
    const bool above = lop_node_int(call->node, "detect_positive", 1) != 0;
    bool *y = call->out[0].data;
    (void)err;
    for (int64_t i = 0; i < lop_tensor_size(call->in[0]); i++) {
        const double v = lop_tensor_get(call->in[0], i);
        y[i] = isinf(v) && (v < 0.0 ? below : above);
    }
    return LOP_OK;
}

/* ---- NonZero: how many entries there are hangs on the values, so the input must be constant ---- */

lop_status ops_non_zero_shape(const lop_op_call *call, lop_error *err)
{
    lop_status st = ops_need(call, 1, 1, err);
    if (st != LOP_OK) return st;
    const lop_tensor *x = call->in[0];
    if (!x->data)
        return lop_fail(err, LOP_E_UNSUPPORTED, "the input is computed from activations, a constant is expected: the "
                        "output's shape would hang on them");
    lop_shape y = {2, {x->shape.ndim > 0 ? x->shape.ndim : 1, 0}};
    for (int64_t i = 0; i < lop_tensor_size(x); i++) y.dim[1] += lop_tensor_get(x, i) != 0.0;
    return ops_set(call, 0, LOP_I64, &y, err);
}

lop_status ops_non_zero_forward(const lop_op_call *call, lop_error *err)
{
    const lop_tensor *x = call->in[0];
    const int64_t count = call->out[0].shape.dim[1];
    int64_t *y = call->out[0].data, n = 0;
    (void)err;
    for (int64_t i = 0; i < lop_tensor_size(x); i++) {
        if (lop_tensor_get(x, i) == 0.0) continue;
        int64_t rest = i;
        for (int d = x->shape.ndim - 1; d >= 0; d--) {
            y[d * count + n] = rest % x->shape.dim[d];
            rest /= x->shape.dim[d];
        }
        if (x->shape.ndim == 0) y[0] = 0;       /* a scalar is a list of one */
        n++;
    }
    return LOP_OK;
}

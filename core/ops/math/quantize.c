/* core/ops/math/quantize.c - QuantizeLinear, DequantizeLinear (opsets 10 to 21): one scale for all, or one for each
 * entry of an axis; int8, uint8, and int32 to dequantise. */
#include "ops/ops_impl.h"
#include <math.h>

static bool is_byte(lop_dtype type) { return type == LOP_I8 || type == LOP_U8; }

static lop_status check_scale(const lop_op_call *call, lop_dtype zero, lop_error *err)
{
    const lop_tensor *scale = call->in[1];
    int axis;
    if (scale->type != LOP_F32) return lop_fail(err, LOP_E_UNSUPPORTED, "scale is %s", lop_dtype_name(scale->type));
    if (lop_node_int(call->node, "block_size", 0) != 0 || scale->shape.ndim > 1)
        return lop_fail(err, LOP_E_UNSUPPORTED, "scales by block are not built");
    if (ops_has(call, 2) && (call->in[2]->type != zero || lop_tensor_size(call->in[2]) != lop_tensor_size(scale)))
        return lop_fail(err, LOP_E_SHAPE, "zero point: %s expected, as many as scales", lop_dtype_name(zero));
    if (lop_tensor_size(scale) == 1) return LOP_OK;
    lop_status st = ops_axis(lop_node_int(call->node, "axis", 1), call->in[0]->shape.ndim, &axis, err);
    if (st == LOP_OK && scale->shape.dim[0] != call->in[0]->shape.dim[axis])
        st = lop_fail(err, LOP_E_SHAPE, "%" PRId64 " scales for %" PRId64 " entries", scale->shape.dim[0],
                      call->in[0]->shape.dim[axis]);
    return st;
}

lop_status ops_dequantize_shape(const lop_op_call *call, lop_error *err)
{
    lop_status st = ops_need(call, 2, 3, err);
    if (st != LOP_OK) return st;
    const lop_dtype type = call->in[0]->type;
    if (!is_byte(type) && type != LOP_I32)
        return lop_fail(err, LOP_E_UNSUPPORTED, "of %s is not built", lop_dtype_name(type));
    st = check_scale(call, type, err);
    return st == LOP_OK ? ops_set(call, 0, LOP_F32, &call->in[0]->shape, err) : st;
}

lop_status ops_quantize_shape(const lop_op_call *call, lop_error *err)
{
    lop_status st = ops_need(call, 2, 3, err);
    if (st == LOP_OK) st = ops_need_f32(call, 0, err);
    if (st != LOP_OK) return st;
    const int64_t asked = lop_node_int(call->node, "output_dtype", LOP_U8);
    const lop_dtype type = ops_has(call, 2) ? call->in[2]->type : asked == LOP_I8 ? LOP_I8 : LOP_U8;
    if (!is_byte(type)) return lop_fail(err, LOP_E_UNSUPPORTED, "to %s is not built", lop_dtype_name(type));
    st = check_scale(call, type, err);
    return st == LOP_OK ? ops_set(call, 0, type, &call->in[0]->shape, err) : st;
}

/* Entry i's place among the scales is i / inner % count. */
static int64_t scales(const lop_op_call *call, int64_t *inner)
{
    int axis = 0;
    lop_error ignored;
    const int64_t count = lop_tensor_size(call->in[1]);
    *inner = 1;
    if (count == 1) return 1;
    if (ops_axis(lop_node_int(call->node, "axis", 1), call->in[0]->shape.ndim, &axis, &ignored) == LOP_OK)
        *inner = ops_inner(&call->in[0]->shape, axis);
    return count;
}

lop_status ops_dequantize_forward(const lop_op_call *call, lop_error *err)
{
    int64_t inner;
    const int64_t count = scales(call, &inner);
    const float *scale = call->in[1]->data;
    float *y = call->out[0].data;
    (void)err;
    for (int64_t i = 0; i < lop_tensor_size(call->in[0]); i++) {
        const int64_t k = i / inner % count;
        const double zero = ops_has(call, 2) ? lop_tensor_get(call->in[2], k) : 0.0;
        y[i] = (float)(lop_tensor_get(call->in[0], i) - zero) * scale[k];
    }
    return LOP_OK;
}

/* To the nearest, halves to even, and into the type's range. */
lop_status ops_quantize_forward(const lop_op_call *call, lop_error *err)
{
    int64_t inner;
    const int64_t count = scales(call, &inner);
    const bool negative = call->out[0].type == LOP_I8;
    const double low = negative ? INT8_MIN : 0, high = negative ? INT8_MAX : UINT8_MAX;
    const float *x = call->in[0]->data, *scale = call->in[1]->data;
    (void)err;
    for (int64_t i = 0; i < lop_tensor_size(call->in[0]); i++) {
        const int64_t k = i / inner % count;
        const double zero = ops_has(call, 2) ? lop_tensor_get(call->in[2], k) : 0.0;
        const double v = rint((double)(x[i] / scale[k])) + zero;
        lop_tensor_set(&call->out[0], i, v > high ? high : v > low ? v : low);
    }
    return LOP_OK;
}

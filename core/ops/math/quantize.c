/* core/ops/math/quantize.c - QuantizeLinear, DequantizeLinear (opsets 10 to 21): one scale for all, one for each entry
 * of an axis, or one for each block of entries along it; 8 and 16 bits, and int32 to dequantise. */
#include "ops/ops_impl.h"
#include <math.h>

/* Entry (o, a, i) of x seen as (outer, n, inner) has scale (o, a / block, i) of (outer, parts, inner); where there is
 * one an entry of the axis, o and i count for nothing; where there is one, a neither. */
typedef struct { int64_t n, inner, parts, block; bool single, blocked; } scales;

static bool is_short(lop_dtype type) { return type == LOP_I8 || type == LOP_U8 || type == LOP_I16 || type == LOP_U16; }

static lop_status blocks_fit(const lop_op_call *call, int axis, const scales *s, lop_error *err)
{
    const lop_shape *x = &call->in[0]->shape, *scale = &call->in[1]->shape;
    bool fits = scale->ndim == x->ndim && s->parts == (s->n + s->block - 1) / s->block;
    for (int d = 0; fits && d < x->ndim; d++) fits = d == axis || x->dim[d] == scale->dim[d];
    return fits ? LOP_OK : lop_fail(err, LOP_E_SHAPE, "scales do not fit blocks of %" PRId64, s->block);
}

static lop_status scales_read(const lop_op_call *call, scales *s, lop_error *err)
{
    const lop_tensor *scale = call->in[1];
    const lop_shape *x = &call->in[0]->shape;
    int axis;
    *s = (scales){.inner = 1, .n = 1, .parts = 1, .block = lop_node_int(call->node, "block_size", 0)};
    if (s->block < 0) return lop_fail(err, LOP_E_FORMAT, "block_size is %" PRId64, s->block);
    s->blocked = s->block > 0;
    s->single = !s->blocked && lop_tensor_size(scale) == 1;
    if (s->single) return LOP_OK;
    lop_status st = ops_axis(lop_node_int(call->node, "axis", 1), x->ndim, &axis, err);
    if (st != LOP_OK) return st;
    s->n = x->dim[axis];
    s->inner = ops_inner(x, axis);
    if (s->blocked) {
        s->parts = axis < scale->shape.ndim ? scale->shape.dim[axis] : 1;
        return blocks_fit(call, axis, s, err);
    }
    s->block = 1;
    s->parts = lop_tensor_size(scale);
    if (scale->shape.ndim != 1 || s->parts != s->n)
        return lop_fail(err, LOP_E_SHAPE, "%" PRId64 " scales in %d dimensions for %" PRId64 " entries", s->parts,
                        scale->shape.ndim, s->n);
    return LOP_OK;
}

static int64_t scale_at(const scales *s, int64_t i)
{
    if (s->single) return 0;
    const int64_t a = i / s->inner % s->n;
    return s->blocked ? (i / s->inner / s->n * s->parts + a / s->block) * s->inner + i % s->inner : a;
}

static lop_status check_scale(const lop_op_call *call, lop_dtype zero, lop_error *err)
{
    const lop_tensor *scale = call->in[1];
    scales ignored;
    if (scale->type != LOP_F32) return lop_fail(err, LOP_E_UNSUPPORTED, "scale is %s", lop_dtype_name(scale->type));
    if (ops_has(call, 2) && (call->in[2]->type != zero || lop_tensor_size(call->in[2]) != lop_tensor_size(scale)))
        return lop_fail(err, LOP_E_SHAPE, "zero point: %s expected, as many as scales", lop_dtype_name(zero));
    return scales_read(call, &ignored, err);
}

lop_status ops_dequantize_shape(const lop_op_call *call, lop_error *err)
{
    lop_status st = ops_need(call, 2, 3, err);
    if (st != LOP_OK) return st;
    const lop_dtype type = call->in[0]->type;
    if (!is_short(type) && type != LOP_I32)
        return lop_fail(err, LOP_E_UNSUPPORTED, "of %s is not built", lop_dtype_name(type));
    st = check_scale(call, type, err);
    return st == LOP_OK ? ops_set(call, 0, LOP_F32, &call->in[0]->shape, err) : st;
}

lop_status ops_quantize_shape(const lop_op_call *call, lop_error *err)
{
    lop_status st = ops_need(call, 2, 3, err);
    if (st == LOP_OK) st = ops_need_f32(call, 0, err);
    if (st != LOP_OK) return st;
    const int64_t asked = lop_node_int(call->node, "output_dtype", 0);
    const lop_dtype type = ops_has(call, 2) ? call->in[2]->type : asked == 0 ? LOP_U8 : (lop_dtype)asked;
    if (!is_short(type)) return lop_fail(err, LOP_E_UNSUPPORTED, "to element type %d is not built", (int)type);
    st = check_scale(call, type, err);
    return st == LOP_OK ? ops_set(call, 0, type, &call->in[0]->shape, err) : st;
}

lop_status ops_dequantize_forward(const lop_op_call *call, lop_error *err)
{
    scales s;
    const float *scale = call->in[1]->data;
    float *y = call->out[0].data;
    lop_status st = scales_read(call, &s, err);
    for (int64_t i = 0; st == LOP_OK && i < lop_tensor_size(call->in[0]); i++) {
        const int64_t k = scale_at(&s, i);
        const double zero = ops_has(call, 2) ? lop_tensor_get(call->in[2], k) : 0.0;
        y[i] = (float)(lop_tensor_get(call->in[0], i) - zero) * scale[k];
    }
    return st;
}

static void range_of(lop_dtype type, double *low, double *high)
{
    *low = type == LOP_I8 ? INT8_MIN : type == LOP_I16 ? INT16_MIN : 0;
    *high = type == LOP_I8 ? INT8_MAX : type == LOP_U8 ? UINT8_MAX : type == LOP_I16 ? INT16_MAX : UINT16_MAX;
}

/* To the nearest, halves to even, and into the type's range. */
lop_status ops_quantize_forward(const lop_op_call *call, lop_error *err)
{
    scales s;
    double low, high;
    const float *x = call->in[0]->data, *scale = call->in[1]->data;
    lop_status st = scales_read(call, &s, err);
    range_of(call->out[0].type, &low, &high);
    for (int64_t i = 0; st == LOP_OK && i < lop_tensor_size(call->in[0]); i++) {
        const int64_t k = scale_at(&s, i);
        const double zero = ops_has(call, 2) ? lop_tensor_get(call->in[2], k) : 0.0;
        const double v = rint((double)(x[i] / scale[k])) + zero;
        lop_tensor_set(&call->out[0], i, v > high ? high : v > low ? v : low);
    }
    return st;
}

/* core/ops/move/constant.c - values out of nothing, or out of few: Constant, ConstantOfShape, Range, EyeLike, Cast,
 * CastLike. */
#include "ops/ops_impl.h"
#include <math.h>
#include <string.h>

/* The value of a Constant as a tensor that borrows the attribute's memory. */
static lop_status constant_value(const lop_op_call *call, lop_tensor *out, lop_error *err)
{
    for (int i = 0; i < call->node->nattr; i++) {
        lop_attr *a = &call->node->attr[i];
        *out = (lop_tensor){0};
        if (strcmp(a->name, "value") == 0 && a->kind == LOP_ATTR_TENSOR) *out = a->tensor;
        else if (strcmp(a->name, "value_float") == 0) *out = (lop_tensor){.type = LOP_F32, .data = &a->f};
        else if (strcmp(a->name, "value_int") == 0) *out = (lop_tensor){.type = LOP_I64, .data = &a->i};
        else if (strcmp(a->name, "value_floats") == 0)
            *out = (lop_tensor){.type = LOP_F32, .shape = {1, {a->count}}, .data = a->floats};
        else if (strcmp(a->name, "value_ints") == 0)
            *out = (lop_tensor){.type = LOP_I64, .shape = {1, {a->count}}, .data = a->ints};
        if (out->type != LOP_NONE) return LOP_OK;
    }
    return lop_fail(err, LOP_E_UNSUPPORTED,
                    "neither value, value_float(s) nor value_int(s): strings and sparse tensors are not built");
}

lop_status ops_constant_shape(const lop_op_call *call, lop_error *err)
{
    lop_tensor value;
    lop_status st = ops_need(call, 0, 0, err);
    if (st == LOP_OK) st = constant_value(call, &value, err);
    return st == LOP_OK ? ops_set(call, 0, value.type, &value.shape, err) : st;
}

lop_status ops_constant_forward(const lop_op_call *call, lop_error *err)
{
    lop_tensor value;
    lop_status st = constant_value(call, &value, err);
    if (st == LOP_OK && lop_tensor_bytes(&value) > 0)
        memcpy(call->out[0].data, value.data, lop_tensor_bytes(&value));
    return st;
}

lop_status ops_constant_of_shape_shape(const lop_op_call *call, lop_error *err)
{
    lop_shape y;
    const lop_attr *value = lop_node_attr(call->node, "value");
    lop_status st = ops_need(call, 1, 1, err);
    if (st == LOP_OK) st = ops_input_ints(call, 0, "shape", y.dim, LOP_MAX_DIMS, &y.ndim, err);
    if (st == LOP_OK && value && (value->kind != LOP_ATTR_TENSOR || lop_tensor_size(&value->tensor) != 1))
        st = lop_fail(err, LOP_E_FORMAT, "value is no tensor of one element");
    return st == LOP_OK ? ops_set(call, 0, value ? value->tensor.type : LOP_F32, &y, err) : st;
}

lop_status ops_constant_of_shape_forward(const lop_op_call *call, lop_error *err)
{
    const lop_attr *value = lop_node_attr(call->node, "value");
    const lop_tensor *y = &call->out[0];
    const size_t item = lop_dtype_size(y->type);
    const char zeros[8] = {0};
    (void)err;
    for (int64_t i = 0; i < lop_tensor_size(y); i++)
        memcpy((char *)y->data + i * (int64_t)item, value ? value->tensor.data : zeros, item);
    return LOP_OK;
}

/* ---- Cast ---- */

static lop_status cast_shape(const lop_op_call *call, lop_dtype to, lop_error *err)
{
    if (lop_dtype_size(to) == 0 || lop_dtype_size(call->in[0]->type) == 0)
        return lop_fail(err, LOP_E_UNSUPPORTED, "to element type %d is not built", (int)to);
    return ops_set(call, 0, to, &call->in[0]->shape, err);
}

lop_status ops_cast_shape(const lop_op_call *call, lop_error *err)
{
    lop_status st = ops_need(call, 1, 1, err);
    if (st != LOP_OK) return st;
    const int64_t to = lop_node_int(call->node, "to", 0);
    return cast_shape(call, to < 0 || to > 100 ? LOP_NONE : (lop_dtype)to, err);
}

lop_status ops_cast_like_shape(const lop_op_call *call, lop_error *err)
{
    lop_status st = ops_need(call, 2, 2, err);
    return st == LOP_OK ? cast_shape(call, call->in[1]->type, err) : st;
}

lop_status ops_cast_forward(const lop_op_call *call, lop_error *err)
{
    lop_tensor cast;
    lop_status st = lop_tensor_cast(&cast, call->in[0], call->out[0].type, err);
    if (st == LOP_OK && lop_tensor_bytes(&cast) > 0) memcpy(call->out[0].data, cast.data, lop_tensor_bytes(&cast));
    lop_tensor_clear(&cast);
    return st;
}

/* ---- Range ---- */

static lop_status range_count(const lop_op_call *call, int64_t *count, lop_error *err)
{
    const lop_dtype type = call->in[0]->type;
    double v[3];
    for (int i = 0; i < 3; i++) {
        if (!call->in[i]->data) return lop_fail(err, LOP_E_UNSUPPORTED, "input #%d is not constant", i);
        if (lop_tensor_size(call->in[i]) != 1 || call->in[i]->type != type)
            return lop_fail(err, LOP_E_SHAPE, "input #%d: one %s expected", i, lop_dtype_name(type));
        v[i] = lop_tensor_get(call->in[i], 0);
    }
    const double n = ceil((v[1] - v[0]) / v[2]);
    if (!(v[2] != 0.0) || !(n < 1e15)) return lop_fail(err, LOP_E_SHAPE, "from %g to %g by %g", v[0], v[1], v[2]);
    *count = n > 0.0 ? (int64_t)n : 0;
    return LOP_OK;
}

lop_status ops_range_shape(const lop_op_call *call, lop_error *err)
{
    int64_t count = 0;
    lop_status st = ops_need(call, 3, 3, err);
    if (st == LOP_OK) st = range_count(call, &count, err);
    return st == LOP_OK ? ops_set(call, 0, call->in[0]->type, &(lop_shape){1, {count}}, err) : st;
}

lop_status ops_range_forward(const lop_op_call *call, lop_error *err)
{
    lop_tensor *y = &call->out[0];
    (void)err;
    if (y->type == LOP_I64) {
        const int64_t from = *(const int64_t *)call->in[0]->data, step = *(const int64_t *)call->in[2]->data;
        for (int64_t i = 0; i < lop_tensor_size(y); i++)
            ((int64_t *)y->data)[i] = (int64_t)((uint64_t)from + (uint64_t)i * (uint64_t)step);
        return LOP_OK;
    }
    const double from = lop_tensor_get(call->in[0], 0), step = lop_tensor_get(call->in[2], 0);
    for (int64_t i = 0; i < lop_tensor_size(y); i++) lop_tensor_set(y, i, from + (double)i * step);
    return LOP_OK;
}

/* ---- EyeLike ---- */

lop_status ops_eye_like_shape(const lop_op_call *call, lop_error *err)
{
    lop_status st = ops_need(call, 1, 1, err);
    if (st != LOP_OK) return st;
    if (call->in[0]->shape.ndim != 2)
        return lop_fail(err, LOP_E_SHAPE, "input has %d dimensions, 2 expected", call->in[0]->shape.ndim);
    const int64_t to = lop_node_int(call->node, "dtype", call->in[0]->type);
    return cast_shape(call, to < 0 || to > 100 ? LOP_NONE : (lop_dtype)to, err);
}

lop_status ops_eye_like_forward(const lop_op_call *call, lop_error *err)
{
    lop_tensor *y = &call->out[0];
    const int64_t k = lop_node_int(call->node, "k", 0), cols = y->shape.dim[1];
    (void)err;
    for (int64_t i = 0; i < lop_tensor_size(y); i++) lop_tensor_set(y, i, i % cols - i / cols == k ? 1.0 : 0.0);
    return LOP_OK;
}

/* core/ops/move/reshape.c - the same elements in the same order: Reshape, Flatten, Squeeze, Unsqueeze, Identity,
 * Dropout; and what tells of a shape: Shape, Size. */
#include "ops/ops_impl.h"
#include <string.h>

/* The dimensions of -1 and 0 in a Reshape, against x. */
static lop_status resolve(const lop_shape *x, bool allow_zero, lop_shape *y, lop_error *err)
{
    int64_t size, known = 1;
    int open = -1;
    char from[96], to[96];
    lop_status st = lop_shape_size(x, &size, err);
    if (st != LOP_OK) return st;
    const lop_shape asked = *y;
    for (int d = 0; d < y->ndim; d++) {
        if (y->dim[d] == 0 && !allow_zero) {
            if (d >= x->ndim)
                return lop_fail(err, LOP_E_SHAPE, "shape[%d] is 0, the input has %d dimensions", d, x->ndim);
            y->dim[d] = x->dim[d];
        }
        if (y->dim[d] == -1 && open >= 0) return lop_fail(err, LOP_E_SHAPE, "shape has two entries of -1");
        if (y->dim[d] == -1) open = d;
    }
    if (open >= 0) y->dim[open] = 1;
    st = lop_shape_size(y, &known, err);
    if (st != LOP_OK) return st;
    if (open >= 0) y->dim[open] = known > 0 ? size / known : 0;
    if (open >= 0 ? known * y->dim[open] != size || known == 0 : known != size)
        return lop_fail(err, LOP_E_SHAPE, "%s does not reshape to %s", lop_shape_text(x, from, sizeof from),
                        lop_shape_text(&asked, to, sizeof to));
    return LOP_OK;
}

lop_status ops_reshape_shape(const lop_op_call *call, lop_error *err)
{
    lop_shape y;
    lop_status st = ops_need(call, 2, 2, err);
    if (st == LOP_OK) st = ops_input_ints(call, 1, "shape", y.dim, LOP_MAX_DIMS, &y.ndim, err);
    if (st == LOP_OK) st = resolve(&call->in[0]->shape, lop_node_int(call->node, "allowzero", 0) != 0, &y, err);
    return st == LOP_OK ? ops_set(call, 0, call->in[0]->type, &y, err) : st;
}

lop_status ops_flatten_shape(const lop_op_call *call, lop_error *err)
{
    lop_status st = ops_need(call, 1, 1, err);
    if (st != LOP_OK) return st;
    const lop_shape *x = &call->in[0]->shape;
    int64_t axis = lop_node_int(call->node, "axis", 1);
    if (axis < -x->ndim || axis > x->ndim)
        return lop_fail(err, LOP_E_SHAPE, "axis %" PRId64 " of %d dimensions", axis, x->ndim);
    if (axis < 0) axis += x->ndim;
    const lop_shape y = {2, {ops_outer(x, (int)axis), ops_inner(x, (int)axis - 1)}};
    return ops_set(call, 0, call->in[0]->type, &y, err);
}

lop_status ops_squeeze_shape(const lop_op_call *call, lop_error *err)
{
    bool set[LOP_MAX_DIMS];
    int count;
    lop_status st = ops_need(call, 1, 2, err);
    if (st != LOP_OK) return st;
    const lop_shape *x = &call->in[0]->shape;
    lop_shape y = {0, {0}};
    st = ops_axes(call, 1, x->ndim, set, &count, err);
    for (int d = 0; st == LOP_OK && d < x->ndim; d++) {
        if (count < 0) set[d] = x->dim[d] == 1;
        if (set[d] && x->dim[d] != 1)
            st = lop_fail(err, LOP_E_SHAPE, "dimension %d is %" PRId64 ", only 1 can be squeezed", d, x->dim[d]);
        if (!set[d]) y.dim[y.ndim++] = x->dim[d];
    }
    return st == LOP_OK ? ops_set(call, 0, call->in[0]->type, &y, err) : st;
}

lop_status ops_unsqueeze_shape(const lop_op_call *call, lop_error *err)
{
    bool set[LOP_MAX_DIMS];
    int64_t list[LOP_MAX_DIMS];
    int count, at = 0;
    lop_status st = ops_need(call, 1, 2, err);
    if (st == LOP_OK) st = ops_ints(call, "axes", 1, list, LOP_MAX_DIMS, &count, err);
    if (st == LOP_OK && count < 0) st = lop_fail(err, LOP_E_FORMAT, "axes is missing");
    if (st != LOP_OK) return st;
    const lop_shape *x = &call->in[0]->shape;
    lop_shape y = {x->ndim + count, {0}};
    if (y.ndim > LOP_MAX_DIMS)
        return lop_fail(err, LOP_E_UNSUPPORTED, "%d dimensions: %d are the most", y.ndim, LOP_MAX_DIMS);
    st = ops_axes(call, 1, y.ndim, set, &count, err);
    for (int d = 0; st == LOP_OK && d < y.ndim; d++) y.dim[d] = set[d] ? 1 : x->dim[at++];
    return st == LOP_OK ? ops_set(call, 0, call->in[0]->type, &y, err) : st;
}

lop_status ops_same_shape(const lop_op_call *call, lop_error *err)
{
    lop_status st = ops_need(call, 1, 1, err);
    return st == LOP_OK ? ops_set(call, 0, call->in[0]->type, &call->in[0]->shape, err) : st;
}

/* Dropout lets all pass when nothing is trained; its mask is bool from opset 10 on, of the input's type before. */
lop_status ops_dropout_shape(const lop_op_call *call, lop_error *err)
{
    lop_status st = ops_need(call, 1, 3, err);
    if (st != LOP_OK) return st;
    if (ops_has(call, 2) && !(call->in[2]->data && lop_tensor_size(call->in[2]) == 1 &&
                              lop_tensor_get(call->in[2], 0) == 0.0))
        return lop_fail(err, LOP_E_UNSUPPORTED, "training_mode is not built: export for inference");
    st = ops_set(call, 0, call->in[0]->type, &call->in[0]->shape, err);
    const lop_dtype mask = call->opset >= 10 ? LOP_BOOL : call->in[0]->type;
    return st == LOP_OK ? ops_set(call, 1, mask, &call->in[0]->shape, err) : st;
}

lop_status ops_dropout_forward(const lop_op_call *call, lop_error *err)
{
    if (ops_wants(call, 1))
        for (int64_t i = 0; i < lop_tensor_size(&call->out[1]); i++) lop_tensor_set(&call->out[1], i, 1.0);
    return call->out[0].data ? ops_copy_forward(call, err) : LOP_OK;
}

/* ---- Shape (start and end from opset 15 on), Size: the input's data is not looked at ---- */

static void shape_span(const lop_op_call *call, int64_t *from, int64_t *to)
{
    const int64_t ndim = call->in[0]->shape.ndim;
    *from = lop_node_int(call->node, "start", 0);
    *to = lop_node_int(call->node, "end", ndim);
    for (int i = 0; i < 2; i++) {
        int64_t *v = i ? to : from;
        if (*v < 0) *v += ndim;
        *v = *v < 0 ? 0 : *v > ndim ? ndim : *v;
    }
    if (*to < *from) *to = *from;
}

lop_status ops_shape_shape(const lop_op_call *call, lop_error *err)
{
    int64_t from, to;
    lop_status st = ops_need(call, 1, 1, err);
    if (st != LOP_OK) return st;
    shape_span(call, &from, &to);
    return ops_set(call, 0, LOP_I64, &(lop_shape){1, {to - from}}, err);
}

lop_status ops_shape_forward(const lop_op_call *call, lop_error *err)
{
    int64_t from, to, *y = call->out[0].data;
    (void)err;
    shape_span(call, &from, &to);
    for (int64_t d = from; d < to; d++) y[d - from] = call->in[0]->shape.dim[d];
    return LOP_OK;
}

lop_status ops_size_shape(const lop_op_call *call, lop_error *err)
{
    lop_status st = ops_need(call, 1, 1, err);
    return st == LOP_OK ? ops_set(call, 0, LOP_I64, &(lop_shape){0, {0}}, err) : st;
}

lop_status ops_size_forward(const lop_op_call *call, lop_error *err)
{
    return lop_shape_size(&call->in[0]->shape, call->out[0].data, err);
}

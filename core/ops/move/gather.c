/* core/ops/move/gather.c - elements by number: Gather, GatherElements, GatherND, OneHot. */
#include "ops/ops_impl.h"
#include <string.h>

/* Entry k of an index tensor, negative ones counted from the end; SHAPE when it is not in [-n, n). */
static lop_status index_at(const lop_tensor *t, int64_t k, int64_t n, int64_t *out, lop_error *err)
{
    const int64_t i = t->type == LOP_I64 ? ((const int64_t *)t->data)[k] : ((const int32_t *)t->data)[k];
    if (i < -n || i >= n) return lop_fail(err, LOP_E_SHAPE, "index #%" PRId64 " is %" PRId64 " of %" PRId64, k, i, n);
    *out = i < 0 ? i + n : i;
    return LOP_OK;
}

static lop_status check_index(const lop_tensor *t, lop_error *err)
{
    if (t->type == LOP_I64 || t->type == LOP_I32) return LOP_OK;
    return lop_fail(err, LOP_E_FORMAT, "indices are %s, int64 or int32 expected", lop_dtype_name(t->type));
}

static lop_status gather_axis(const lop_op_call *call, int *axis, lop_error *err)
{
    return ops_axis(lop_node_int(call->node, "axis", 0), call->in[0]->shape.ndim, axis, err);
}

lop_status ops_gather_shape(const lop_op_call *call, lop_error *err)
{
    int axis;
    lop_status st = ops_need(call, 2, 2, err);
    if (st == LOP_OK) st = check_index(call->in[1], err);
    if (st == LOP_OK) st = gather_axis(call, &axis, err);
    if (st != LOP_OK) return st;
    const lop_shape *x = &call->in[0]->shape, *i = &call->in[1]->shape;
    lop_shape y = {0, {0}};
    if (x->ndim + i->ndim - 1 > LOP_MAX_DIMS)
        return lop_fail(err, LOP_E_UNSUPPORTED, "%d dimensions: %d are the most", x->ndim + i->ndim - 1, LOP_MAX_DIMS);
    for (int d = 0; d < axis; d++) y.dim[y.ndim++] = x->dim[d];
    for (int d = 0; d < i->ndim; d++) y.dim[y.ndim++] = i->dim[d];
    for (int d = axis + 1; d < x->ndim; d++) y.dim[y.ndim++] = x->dim[d];
    return ops_set(call, 0, call->in[0]->type, &y, err);
}

lop_status ops_gather_forward(const lop_op_call *call, lop_error *err)
{
    const lop_tensor *x = call->in[0];
    int axis;
    lop_status st = gather_axis(call, &axis, err);
    if (st != LOP_OK) return st;
    const int64_t outer = ops_outer(&x->shape, axis), n = x->shape.dim[axis], count = lop_tensor_size(call->in[1]);
    const size_t unit = (size_t)ops_inner(&x->shape, axis) * lop_dtype_size(x->type);
    for (int64_t k = 0; st == LOP_OK && k < count; k++) {
        int64_t at;
        st = index_at(call->in[1], k, n, &at, err);
        for (int64_t o = 0; st == LOP_OK && unit > 0 && o < outer; o++)
            memcpy((char *)call->out[0].data + (size_t)(o * count + k) * unit,
                   (const char *)x->data + (size_t)(o * n + at) * unit, unit);
    }
    return st;
}

/* From a constant, image i's entry says where image i's result is; from activations the axis must be another. */
bool ops_mixes_gather(const lop_op_call *call)
{
    int axis;
    lop_error ignored;
    if (gather_axis(call, &axis, &ignored) != LOP_OK) return true;
    if (call->in[0]->data) return axis != 0 || call->in[1]->data || call->in[1]->shape.ndim < 1;
    return axis == 0 || !call->in[1]->data;
}

/* ---- GatherElements ---- */

lop_status ops_gather_elements_shape(const lop_op_call *call, lop_error *err)
{
    int axis;
    lop_status st = ops_need(call, 2, 2, err);
    if (st == LOP_OK) st = check_index(call->in[1], err);
    if (st == LOP_OK) st = gather_axis(call, &axis, err);
    if (st != LOP_OK) return st;
    const lop_shape *x = &call->in[0]->shape, *i = &call->in[1]->shape;
    if (x->ndim != i->ndim)
        return lop_fail(err, LOP_E_SHAPE, "data has %d dimensions, indices %d", x->ndim, i->ndim);
    for (int d = 0; d < x->ndim; d++)
        if (d != axis && i->dim[d] > x->dim[d])
            return lop_fail(err, LOP_E_SHAPE, "dimension %d: %" PRId64 " indices of %" PRId64, d, i->dim[d], x->dim[d]);
    return ops_set(call, 0, call->in[0]->type, i, err);
}

lop_status ops_gather_elements_forward(const lop_op_call *call, lop_error *err)
{
    const lop_tensor *x = call->in[0], *index = call->in[1];
    const size_t item = lop_dtype_size(x->type);
    int64_t stride[LOP_MAX_DIMS];
    int axis;
    lop_status st = gather_axis(call, &axis, err);
    if (st != LOP_OK) return st;
    ops_strides(&x->shape, stride);
    for (int64_t k = 0; st == LOP_OK && k < lop_tensor_size(index); k++) {
        int64_t rest = k, from = 0, at;
        st = index_at(index, k, x->shape.dim[axis], &at, err);
        for (int d = x->shape.ndim - 1; d >= 0; d--) {
            from += (d == axis ? (st == LOP_OK ? at : 0) : rest % index->shape.dim[d]) * stride[d];
            rest /= index->shape.dim[d];
        }
        if (st == LOP_OK)
            memcpy((char *)call->out[0].data + (size_t)k * item, (const char *)x->data + (size_t)from * item, item);
    }
    return st;
}

bool ops_mixes_gather_elements(const lop_op_call *call)
{
    int axis;
    lop_error ignored;
    return gather_axis(call, &axis, &ignored) != LOP_OK || axis == 0 || call->in[0]->data || call->in[1]->data;
}

/* ---- GatherND ---- */

lop_status ops_gather_nd_shape(const lop_op_call *call, lop_error *err)
{
    lop_status st = ops_need(call, 2, 2, err);
    if (st == LOP_OK) st = check_index(call->in[1], err);
    if (st != LOP_OK) return st;
    const lop_shape *x = &call->in[0]->shape, *i = &call->in[1]->shape;
    const int64_t batch = lop_node_int(call->node, "batch_dims", 0);
    if (i->ndim < 1 || batch < 0 || batch >= i->ndim || i->dim[i->ndim - 1] < 1 ||
        i->dim[i->ndim - 1] > x->ndim - batch)
        return lop_fail(err, LOP_E_SHAPE, "indices do not fit %d dimensions with batch_dims %" PRId64, x->ndim, batch);
    for (int d = 0; d < batch; d++)
        if (i->dim[d] != x->dim[d]) return lop_fail(err, LOP_E_SHAPE, "batch dimension %d differs", d);
    const int first = (int)(batch + i->dim[i->ndim - 1]);
    lop_shape y = {i->ndim - 1, {0}};
    if (y.ndim + x->ndim - first > LOP_MAX_DIMS)
        return lop_fail(err, LOP_E_UNSUPPORTED, "%d dimensions: %d are the most", y.ndim + x->ndim - first,
                        LOP_MAX_DIMS);
    for (int d = 0; d < i->ndim - 1; d++) y.dim[d] = i->dim[d];
    for (int d = first; d < x->ndim; d++) y.dim[y.ndim++] = x->dim[d];
    return ops_set(call, 0, call->in[0]->type, &y, err);
}

lop_status ops_gather_nd_forward(const lop_op_call *call, lop_error *err)
{
    const lop_tensor *x = call->in[0], *index = call->in[1];
    const int batch = (int)lop_node_int(call->node, "batch_dims", 0);
    const int depth = (int)index->shape.dim[index->shape.ndim - 1];
    const size_t unit = (size_t)ops_inner(&x->shape, batch + depth - 1) * lop_dtype_size(x->type);
    const int64_t tuples = lop_tensor_size(index) / depth, batches = ops_outer(&x->shape, batch);
    lop_status st = LOP_OK;
    for (int64_t k = 0; st == LOP_OK && k < tuples; k++) {
        int64_t from = k / (tuples / batches);
        for (int d = 0; st == LOP_OK && d < depth; d++) {
            int64_t at = 0;
            st = index_at(index, k * depth + d, x->shape.dim[batch + d], &at, err);
            from = from * x->shape.dim[batch + d] + at;
        }
        if (st == LOP_OK && unit > 0)
            memcpy((char *)call->out[0].data + (size_t)k * unit, (const char *)x->data + (size_t)from * unit, unit);
    }
    return st;
}

bool ops_mixes_gather_nd(const lop_op_call *call)
{
    return lop_node_int(call->node, "batch_dims", 0) < 1 || call->in[0]->data || call->in[1]->data;
}

/* ---- OneHot ---- */

static lop_status one_hot_axis(const lop_op_call *call, int *axis, lop_error *err)
{
    return ops_axis(lop_node_int(call->node, "axis", -1), call->in[0]->shape.ndim + 1, axis, err);
}

lop_status ops_one_hot_shape(const lop_op_call *call, lop_error *err)
{
    int axis;
    lop_status st = ops_need(call, 3, 3, err);
    if (st == LOP_OK) st = one_hot_axis(call, &axis, err);
    if (st != LOP_OK) return st;
    if (!call->in[1]->data || lop_tensor_size(call->in[1]) != 1)
        return lop_fail(err, LOP_E_UNSUPPORTED, "depth is no constant number");
    if (lop_tensor_size(call->in[2]) != 2 || call->in[0]->shape.ndim >= LOP_MAX_DIMS)
        return lop_fail(err, LOP_E_SHAPE, "values: two expected");
    const double depth = lop_tensor_get(call->in[1], 0);
    if (!(depth >= 0.0 && depth < 1e9)) return lop_fail(err, LOP_E_SHAPE, "depth is %g", depth);
    lop_shape y = {call->in[0]->shape.ndim + 1, {0}};
    for (int d = 0; d < y.ndim; d++)
        y.dim[d] = d == axis ? (int64_t)depth : call->in[0]->shape.dim[d > axis ? d - 1 : d];
    return ops_set(call, 0, call->in[2]->type, &y, err);
}

lop_status ops_one_hot_forward(const lop_op_call *call, lop_error *err)
{
    const lop_tensor *index = call->in[0], *y = &call->out[0];
    const size_t item = lop_dtype_size(y->type);
    const char *values = call->in[2]->data;
    int axis;
    lop_status st = one_hot_axis(call, &axis, err);
    if (st != LOP_OK) return st;
    const int64_t depth = y->shape.dim[axis], inner = ops_inner(&y->shape, axis);
    for (int64_t k = 0; k < lop_tensor_size(y); k++) {
        const int64_t i = k / (depth * inner) * inner + k % inner, at = k / inner % depth;
        double want = lop_tensor_get(index, i);
        if (want < 0.0) want += (double)depth;
        memcpy((char *)y->data + (size_t)k * item, values + (want == (double)at ? item : 0), item);
    }
    return LOP_OK;
}

bool ops_mixes_one_hot(const lop_op_call *call)
{
    int axis;
    lop_error ignored;
    return one_hot_axis(call, &axis, &ignored) != LOP_OK || axis == 0;
}

/* core/ops/move/scatter.c - elements put or added by number: ScatterElements (Scatter before opset 11), ScatterND. */
#include "ops/ops_impl.h"
#include <string.h>

static lop_status check(const lop_op_call *call, lop_error *err)
{
    lop_status st = ops_need(call, 3, 3, err);
    const char *how = lop_node_string(call->node, "reduction", "none");
    if (st != LOP_OK) return st;
    if (call->in[1]->type != LOP_I64 && call->in[1]->type != LOP_I32)
        return lop_fail(err, LOP_E_FORMAT, "indices are %s, int64 or int32 expected",
                        lop_dtype_name(call->in[1]->type));
    if (call->in[2]->type != call->in[0]->type)
        return lop_fail(err, LOP_E_SHAPE, "updates are %s, data %s", lop_dtype_name(call->in[2]->type),
                        lop_dtype_name(call->in[0]->type));
    if (strcmp(how, "none") != 0 && !ops_pair_of_reduction(how, call->in[0]->type))
        return lop_fail(err, LOP_E_UNSUPPORTED, "reduction '%.20s' of %s is not built", how,
                        lop_dtype_name(call->in[0]->type));
    return ops_set(call, 0, call->in[0]->type, &call->in[0]->shape, err);
}

static int64_t index_of(const lop_tensor *t, int64_t k)
{
    return t->type == LOP_I64 ? ((const int64_t *)t->data)[k] : ((const int32_t *)t->data)[k];
}

/* n updates, the first one number k, at element `at`. */
static void update(const lop_op_call *call, ops_pair_kernel kernel, int64_t n, int64_t at, int64_t k)
{
    const size_t item = lop_dtype_size(call->in[0]->type);
    char *y = (char *)call->out[0].data + (size_t)at * item;
    const char *value = (const char *)call->in[2]->data + (size_t)k * item;
    if (kernel) kernel(n, y, 1, value, 1, y);
    else memcpy(y, value, (size_t)n * item);
}

lop_status ops_scatter_elements_shape(const lop_op_call *call, lop_error *err)
{
    int axis;
    lop_status st = check(call, err);
    if (st != LOP_OK) return st;
    const lop_shape *x = &call->in[0]->shape, *i = &call->in[1]->shape;
    st = ops_axis(lop_node_int(call->node, "axis", 0), x->ndim, &axis, err);
    if (st == LOP_OK && (i->ndim != x->ndim || !lop_shape_equal(i, &call->in[2]->shape)))
        st = lop_fail(err, LOP_E_SHAPE, "data, indices and updates do not fit");
    for (int d = 0; st == LOP_OK && d < x->ndim; d++)
        if (d != axis && i->dim[d] > x->dim[d])
            st = lop_fail(err, LOP_E_SHAPE, "dimension %d: %" PRId64 " indices of %" PRId64, d, i->dim[d], x->dim[d]);
    return st;
}

lop_status ops_scatter_elements_forward(const lop_op_call *call, lop_error *err)
{
    const lop_shape *x = &call->in[0]->shape, *i = &call->in[1]->shape;
    const ops_pair_kernel kernel = ops_pair_of_reduction(lop_node_string(call->node, "reduction", "none"),
                                                         call->in[0]->type);
    int64_t stride[LOP_MAX_DIMS];
    int axis;
    lop_status st = ops_axis(lop_node_int(call->node, "axis", 0), x->ndim, &axis, err);
    if (st == LOP_OK) st = ops_copy_forward(call, err);
    if (st != LOP_OK) return st;
    ops_strides(x, stride);
    for (int64_t k = 0; k < lop_tensor_size(call->in[1]); k++) {
        const int64_t n = x->dim[axis], index = index_of(call->in[1], k);
        int64_t rest = k, at = 0;
        if (index < -n || index >= n)
            return lop_fail(err, LOP_E_SHAPE, "index #%" PRId64 " is %" PRId64 " of %" PRId64, k, index, n);
        for (int d = x->ndim - 1; d >= 0; d--) {
            at += (d == axis ? (index < 0 ? index + n : index) : rest % i->dim[d]) * stride[d];
            rest /= i->dim[d];
        }
        update(call, kernel, 1, at, k);
    }
    return LOP_OK;
}

lop_status ops_scatter_nd_shape(const lop_op_call *call, lop_error *err)
{
    lop_status st = check(call, err);
    if (st != LOP_OK) return st;
    const lop_shape *x = &call->in[0]->shape, *i = &call->in[1]->shape, *u = &call->in[2]->shape;
    const int64_t depth = i->ndim < 1 ? 0 : i->dim[i->ndim - 1];
    if (depth < 1 || depth > x->ndim) return lop_fail(err, LOP_E_SHAPE, "indices do not fit %d dimensions", x->ndim);
    lop_shape want = {i->ndim - 1, {0}};
    if (want.ndim + x->ndim - (int)depth > LOP_MAX_DIMS) return lop_fail(err, LOP_E_SHAPE, "updates do not fit");
    for (int d = 0; d < i->ndim - 1; d++) want.dim[d] = i->dim[d];
    for (int d = (int)depth; d < x->ndim; d++) want.dim[want.ndim++] = x->dim[d];
    return lop_shape_equal(u, &want) ? LOP_OK : lop_fail(err, LOP_E_SHAPE, "updates do not fit data and indices");
}

lop_status ops_scatter_nd_forward(const lop_op_call *call, lop_error *err)
{
    const lop_shape *x = &call->in[0]->shape;
    const ops_pair_kernel kernel = ops_pair_of_reduction(lop_node_string(call->node, "reduction", "none"),
                                                         call->in[0]->type);
    const int depth = (int)call->in[1]->shape.dim[call->in[1]->shape.ndim - 1];
    const int64_t unit = ops_inner(x, depth - 1);
    lop_status st = ops_copy_forward(call, err);
    for (int64_t k = 0; st == LOP_OK && k < lop_tensor_size(call->in[1]) / depth; k++) {
        int64_t at = 0;
        for (int d = 0; d < depth; d++) {
            const int64_t n = x->dim[d], index = index_of(call->in[1], k * depth + d);
            if (index < -n || index >= n)
                return lop_fail(err, LOP_E_SHAPE, "index #%" PRId64 " is %" PRId64 " of %" PRId64, k * depth + d,
                                index, n);
            at = at * n + (index < 0 ? index + n : index);
        }
        if (unit > 0) update(call, kernel, unit, at * unit, k * unit);
    }
    return st;
}

/* core/ops/images.c - rules that several operators share: whether a node keeps images, the entries of dimension 0,
 * apart. A constant is an input with data. That the first dimension doubles with the batch is the caller's to check. */
#include "ops/ops_impl.h"

bool ops_mixes_never(const lop_op_call *call)
{
    return call->nin < 1 || !call->in[0] || call->in[0]->data || call->in[0]->shape.ndim < 1;
}

bool ops_mixes_always(const lop_op_call *call)
{
    (void)call;
    return true;
}

/* Input 0 holds the images, all others are parameters, the same for each. */
bool ops_mixes_parameters(const lop_op_call *call)
{
    for (int i = 1; i < call->nin; i++)
        if (call->in[i] && !call->in[i]->data) return true;
    return ops_mixes_never(call);
}

/* Broadcast inputs: activations must reach to dimension 0, a constant there must be one for all. */
bool ops_mixes_join(const lop_op_call *call)
{
    const int ndim = call->out[0].shape.ndim;
    for (int i = 0; i < call->nin; i++) {
        if (!call->in[i]) continue;
        const lop_shape *x = &call->in[i]->shape;
        if (!call->in[i]->data && x->ndim != ndim) return true;
        if (call->in[i]->data && x->ndim == ndim && x->dim[0] != 1) return true;
    }
    return ndim < 1;
}

/* What goes along attribute axis, with the default of the operator's newest version. */
static bool along(const lop_op_call *call, int64_t otherwise)
{
    int axis;
    lop_error ignored;
    if (ops_mixes_never(call)) return true;
    return ops_axis(lop_node_int(call->node, "axis", otherwise), call->in[0]->shape.ndim, &axis, &ignored) != LOP_OK ||
           axis == 0;
}

bool ops_mixes_axis_0(const lop_op_call *call) { return along(call, 0); }
bool ops_mixes_axis_last(const lop_op_call *call) { return along(call, -1); }
bool ops_mixes_softmax(const lop_op_call *call) { return along(call, call->opset >= 13 ? -1 : 1); }

bool ops_mixes_concat(const lop_op_call *call)
{
    for (int i = 0; i < call->nin; i++)
        if (call->in[i] && !call->in[i]->data)
            return lop_node_int(call->node, "axis", 1) == 0 ||
                   lop_node_int(call->node, "axis", 1) == -call->in[i]->shape.ndim;
    return true;
}

bool ops_mixes_gemm(const lop_op_call *call)
{
    const bool other = call->nin > 2 && call->in[2] && !call->in[2]->data && call->in[2]->shape.ndim != 2;
    return call->in[0]->data || !call->in[1]->data || other || lop_node_int(call->node, "transA", 0) != 0;
}

/* Rows of images times a constant matrix, or matrices one an image. */
bool ops_mixes_matmul(const lop_op_call *call)
{
    const lop_tensor *a = call->in[0], *b = call->in[1];
    const int ndim = call->out[0].shape.ndim;
    if (a->data && b->data) return true;
    if (!a->data && (a->shape.ndim != ndim || ndim < 2 || b->shape.ndim < 2)) return true;
    if (!b->data && (b->shape.ndim != ndim || ndim < 3)) return true;
    if (a->data && a->shape.ndim == ndim && a->shape.dim[0] != 1) return true;
    return b->data && b->shape.ndim == ndim && ndim > 2 && b->shape.dim[0] != 1;
}

bool ops_mixes_expand(const lop_op_call *call)
{
    return ops_mixes_never(call) || call->in[0]->shape.ndim != call->out[0].shape.ndim;
}

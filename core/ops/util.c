/* core/ops/util.c - checks, lists and broadcasting that all operator families share. */
#include "ops/ops_impl.h"
#include <string.h>

lop_status ops_need(const lop_op_call *call, int least, int most, lop_error *err)
{
    if (call->nin > most) return lop_fail(err, LOP_E_FORMAT, "%d inputs, at most %d expected", call->nin, most);
    for (int i = 0; i < least; i++)
        if (!ops_has(call, i)) return lop_fail(err, LOP_E_FORMAT, "input #%d is missing, %d expected", i, least);
    if (call->nout < 1) return lop_fail(err, LOP_E_FORMAT, "no output");
    return LOP_OK;
}

lop_status ops_need_f32(const lop_op_call *call, int i, lop_error *err)
{
    if (call->in[i]->type == LOP_F32) return LOP_OK;
    return lop_fail(err, LOP_E_UNSUPPORTED, "input #%d is %s: float32 is what this version computes", i,
                    lop_dtype_name(call->in[i]->type));
}

lop_status ops_set(const lop_op_call *call, int i, lop_dtype type, const lop_shape *shape, lop_error *err)
{
    int64_t size;
    if (i >= call->nout) return LOP_OK;
    lop_status st = lop_shape_size(shape, &size, err);
    if (st != LOP_OK) return st;
    call->out[i].type = type;
    call->out[i].shape = *shape;
    return LOP_OK;
}

lop_status ops_axis(int64_t axis, int ndim, int *out, lop_error *err)
{
    if (axis < -ndim || axis >= ndim)
        return lop_fail(err, LOP_E_SHAPE, "axis %" PRId64 " of %d dimensions", axis, ndim);
    *out = (int)(axis < 0 ? axis + ndim : axis);
    return LOP_OK;
}

lop_status ops_input_ints(const lop_op_call *call, int i, const char *what, int64_t *list, int max, int *count,
                          lop_error *err)
{
    const lop_tensor *t = call->in[i];
    const int64_t n = lop_tensor_size(t);
    if (!t->data)
        return lop_fail(err, LOP_E_UNSUPPORTED, "%s is computed from activations, a constant is expected", what);
    if (t->type != LOP_I64 && t->type != LOP_I32)
        return lop_fail(err, LOP_E_FORMAT, "%s is %s, int64 expected", what, lop_dtype_name(t->type));
    if (t->shape.ndim > 1 || n > max)
        return lop_fail(err, LOP_E_SHAPE, "%s has %d dimensions and %" PRId64 " entries, a list of at most %d expected",
                        what, t->shape.ndim, n, max);
    for (int64_t k = 0; k < n; k++)
        list[k] = t->type == LOP_I64 ? ((const int64_t *)t->data)[k] : ((const int32_t *)t->data)[k];
    *count = (int)n;
    return LOP_OK;
}

lop_status ops_ints(const lop_op_call *call, const char *name, int i, int64_t *list, int max, int *count,
                    lop_error *err)
{
    const int64_t n = lop_node_ints(call->node, name, list, max);
    if (n > max) return lop_fail(err, LOP_E_FORMAT, "%s has %" PRId64 " entries, at most %d expected", name, n, max);
    *count = (int)n;
    if (n < 0 && i >= 0 && ops_has(call, i)) return ops_input_ints(call, i, name, list, max, count, err);
    return LOP_OK;
}

lop_status ops_axes(const lop_op_call *call, int i, int ndim, bool *set, int *count, lop_error *err)
{
    int64_t list[LOP_MAX_DIMS];
    memset(set, 0, LOP_MAX_DIMS * sizeof *set);
    lop_status st = ops_ints(call, "axes", i, list, LOP_MAX_DIMS, count, err);
    for (int k = 0; st == LOP_OK && k < *count; k++) {
        int axis;
        st = ops_axis(list[k], ndim, &axis, err);
        if (st == LOP_OK && set[axis]) st = lop_fail(err, LOP_E_FORMAT, "axis %d is given twice", axis);
        if (st == LOP_OK) set[axis] = true;
    }
    return st;
}

lop_status ops_broadcast(const lop_shape *a, const lop_shape *b, lop_shape *out, lop_error *err)
{
    const lop_shape x = *a, y = *b;
    char one[96], other[96];
    out->ndim = x.ndim > y.ndim ? x.ndim : y.ndim;
    for (int d = 0; d < out->ndim; d++) {
        const int i = d - (out->ndim - x.ndim), j = d - (out->ndim - y.ndim);
        const int64_t p = i < 0 ? 1 : x.dim[i], q = j < 0 ? 1 : y.dim[j];
        if (p != q && p != 1 && q != 1)
            return lop_fail(err, LOP_E_SHAPE, "%s and %s do not broadcast", lop_shape_text(&x, one, sizeof one),
                            lop_shape_text(&y, other, sizeof other));
        out->dim[d] = p == 1 ? q : p;
    }
    return LOP_OK;
}

/* Of a shape without elements, where dimensions beside the empty one may be wild, the product wraps. */
static int64_t product(const lop_shape *s, int from, int to)
{
    uint64_t n = 1;
    for (int d = from; d < to; d++) n *= (uint64_t)s->dim[d];
    return (int64_t)n;
}

int64_t ops_outer(const lop_shape *s, int d) { return product(s, 0, d); }
int64_t ops_inner(const lop_shape *s, int d) { return product(s, d + 1, s->ndim); }

void ops_strides(const lop_shape *s, int64_t *stride)
{
    for (int d = 0; d < s->ndim; d++) stride[d] = product(s, d + 1, s->ndim);
}

void ops_broadcast_strides(const lop_shape *s, const lop_shape *out, int64_t *stride)
{
    int64_t own[LOP_MAX_DIMS];
    ops_strides(s, own);
    for (int d = 0; d < out->ndim; d++) {
        const int i = d - (out->ndim - s->ndim);
        stride[d] = i < 0 || s->dim[i] == 1 ? 0 : own[i];
    }
}

lop_status ops_copy_forward(const lop_op_call *call, lop_error *err)
{
    const size_t bytes = lop_tensor_bytes(call->in[0]);
    (void)err;
    if (bytes > 0) memcpy(call->out[0].data, call->in[0]->data, bytes);
    return LOP_OK;
}

typedef struct { ops_body body; void *context; int64_t count, grain; } spread;

static void spread_chunk(void *context, int64_t chunk, int worker)
{
    const spread *s = context;
    const int64_t begin = chunk * s->grain, left = s->count - begin;
    (void)worker;
    s->body(s->context, begin, begin + (left < s->grain ? left : s->grain));
}

void ops_spread(lop_team *team, int64_t count, int64_t grain, ops_body body, void *context)
{
    spread s = {body, context, count, grain};
    if (count <= grain || lop_team_threads(team) < 2) body(context, 0, count);
    else lop_team_run(team, (count + grain - 1) / grain, spread_chunk, &s);
}

int64_t ops_grain(int64_t row)
{
    enum { PIECE = 16384 };
    return row >= PIECE ? 1 : row < 1 ? PIECE : PIECE / row;
}

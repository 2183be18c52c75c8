/* core/ops/nn/softmax.c - Softmax, LogSoftmax, Hardmax: along one axis from opset 13 on; before, over all dimensions
 * from the axis on. */
#include "ops/ops_impl.h"
#include <math.h>
#include <string.h>

/* The input as (outer, n, inner): each (outer, inner) is one distribution over n. */
typedef struct {
    int64_t outer, n, inner;
    enum { SOFT, LOG, HARD } kind;
    const float *x;
    float *y;
} softmax;

static lop_status softmax_read(const lop_op_call *call, softmax *s, lop_error *err)
{
    const bool along = call->opset >= 13;
    int axis;
    lop_status st = ops_need(call, 1, 1, err);
    if (st == LOP_OK) st = ops_need_f32(call, 0, err);
    if (st != LOP_OK) return st;
    const lop_shape *x = &call->in[0]->shape;
    st = ops_axis(lop_node_int(call->node, "axis", along ? -1 : 1), x->ndim, &axis, err);
    if (st != LOP_OK) return st;
    s->outer = ops_outer(x, axis);
    s->n = along ? x->dim[axis] : x->dim[axis] * ops_inner(x, axis);
    s->inner = along ? ops_inner(x, axis) : 1;
    const char *op = call->node->op;
    s->kind = strcmp(op, "Softmax") == 0 ? SOFT : strcmp(op, "LogSoftmax") == 0 ? LOG : HARD;
    return LOP_OK;
}

lop_status ops_softmax_shape(const lop_op_call *call, lop_error *err)
{
    softmax s;
    lop_status st = softmax_read(call, &s, err);
    return st == LOP_OK ? ops_set(call, 0, LOP_F32, &call->in[0]->shape, err) : st;
}

/* The maximum is taken off first: no exponential overflows. The sum is float64, in order. */
static void one(const softmax *s, const float *x, float *y)
{
    const int64_t step = s->inner;
    int64_t best = 0;
    double sum = 0.0;
    for (int64_t i = 1; i < s->n; i++)
        if (x[i * step] > x[best * step]) best = i;
    const float most = x[best * step];
    for (int64_t i = 0; i < s->n; i++) {
        if (s->kind == HARD) { y[i * step] = i == best ? 1.0f : 0.0f; continue; }
        y[i * step] = expf(x[i * step] - most);
        sum += (double)y[i * step];
    }
    for (int64_t i = 0; s->kind == SOFT && i < s->n; i++) y[i * step] = (float)((double)y[i * step] / sum);
    for (int64_t i = 0; s->kind == LOG && i < s->n; i++)
        y[i * step] = (float)((double)x[i * step] - (double)most - log(sum));
}

static void rows(void *context, int64_t begin, int64_t end)
{
    const softmax *s = context;
    for (int64_t r = begin; r < end; r++) {
        const int64_t at = r / s->inner * s->n * s->inner + r % s->inner;
        one(s, s->x + at, s->y + at);
    }
}

lop_status ops_softmax_forward(const lop_op_call *call, lop_error *err)
{
    softmax s;
    lop_status st = softmax_read(call, &s, err);
    if (st != LOP_OK) return st;
    s.x = call->in[0]->data;
    s.y = call->out[0].data;
    if (s.n > 0) ops_spread(call->team, s.outer * s.inner, ops_grain(s.n), rows, &s);
    return LOP_OK;
}

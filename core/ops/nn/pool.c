/* core/ops/nn/pool.c - MaxPool, AveragePool, GlobalMaxPool, GlobalAveragePool, one or two spatial dimensions. */
#include "ops/ops_impl.h"
#include <string.h>

lop_status lop_ops_pool_params(const lop_op_call *call, lop_pool *out, lop_error *err)
{
    int64_t k[2];
    ops_window w;
    lop_status st = ops_need(call, 1, 1, err);
    if (st == LOP_OK) st = ops_need_f32(call, 0, err);
    if (st != LOP_OK) return st;
    const lop_shape *x = &call->in[0]->shape;
    if (x->ndim < 3) return lop_fail(err, LOP_E_SHAPE, "input has %d dimensions, 3 or 4 expected", x->ndim);
    if (x->ndim > 4) return lop_fail(err, LOP_E_UNSUPPORTED, "%d spatial dimensions: 1 and 2 are built", x->ndim - 2);
    st = ops_window_kernel(call, x->ndim - 2, k, err);
    if (st == LOP_OK) st = ops_window_read(call, x, k, lop_node_int(call->node, "ceil_mode", 0) != 0, &w, err);
    if (st != LOP_OK) return st;
    for (int d = 0; d < 4; d++)
        if (w.pad[d] > (k[d % 2] - 1) * w.dilation[d % 2])
            return lop_fail(err, LOP_E_FORMAT,
                            "%" PRId64 " pixels of padding: a window of %" PRId64 " would hold no pixel",
                            w.pad[d], k[d % 2]);
    *out = (lop_pool){.h = w.in[0], .w = w.in[1], .oh = w.out[0], .ow = w.out[1], .kh = k[0], .kw = k[1],
                      .stride = {w.stride[0], w.stride[1]}, .pad = {w.pad[0], w.pad[1], w.pad[2], w.pad[3]},
                      .dilation = {w.dilation[0], w.dilation[1]},
                      .count_pad = lop_node_int(call->node, "count_include_pad", 0) != 0};
    return LOP_OK;
}

lop_status ops_pool_shape(const lop_op_call *call, lop_error *err)
{
    lop_pool p;
    lop_status st = lop_ops_pool_params(call, &p, err);
    if (st != LOP_OK) return st;
    const lop_shape *x = &call->in[0]->shape;
    lop_shape y = {x->ndim, {x->dim[0], x->dim[1], x->ndim == 4 ? p.oh : p.ow, p.ow}};
    st = ops_set(call, 0, LOP_F32, &y, err);
    return st == LOP_OK ? ops_set(call, 1, LOP_I64, &y, err) : st;
}

typedef struct { lop_pool p; lop_cpu cpu; bool max, by_column; const float *x; float *y; int64_t *index; } pooling;

static void pool_planes(void *context, int64_t begin, int64_t end)
{
    const pooling *q = context;
    const float *x = q->x + begin * q->p.h * q->p.w;
    float *y = q->y + begin * q->p.oh * q->p.ow;
    if (q->max) lop_pool_max(&q->p, end - begin, x, y, q->cpu);
    else lop_pool_mean(&q->p, end - begin, x, y, q->cpu);
}

/* Where the (first) maximum of one window lies, in its plane. */
static int64_t arg_max(const pooling *q, const float *x, int64_t oy, int64_t ox)
{
    const lop_pool *p = &q->p;
    int64_t best = -1;
    for (int64_t i = 0; i < p->kh; i++)
        for (int64_t j = 0; j < p->kw; j++) {
            const int64_t r = oy * p->stride[0] - p->pad[0] + i * p->dilation[0];
            const int64_t c = ox * p->stride[1] - p->pad[1] + j * p->dilation[1];
            if (r < 0 || r >= p->h || c < 0 || c >= p->w) continue;
            if (best < 0 || x[r * p->w + c] > x[best]) best = r * p->w + c;
        }
    return best < 0 ? 0 : best;
}

static void index_planes(void *context, int64_t begin, int64_t end)
{
    const pooling *q = context;
    const lop_pool *p = &q->p;
    for (int64_t plane = begin; plane < end; plane++)
        for (int64_t o = 0; o < p->oh * p->ow; o++) {
            const int64_t at = arg_max(q, q->x + plane * p->h * p->w, o / p->ow, o % p->ow);
            const int64_t in_plane = q->by_column ? at % p->w * p->h + at / p->w : at;
            q->index[plane * p->oh * p->ow + o] = plane * p->h * p->w + in_plane;
        }
}

lop_status ops_pool_forward(const lop_op_call *call, lop_error *err)
{
    pooling q = {.max = strcmp(call->node->op, "MaxPool") == 0, .x = call->in[0]->data, .y = call->out[0].data,
                 .by_column = lop_node_int(call->node, "storage_order", 0) != 0};
    lop_status st = lop_ops_pool_params(call, &q.p, err);
    if (st == LOP_OK) st = lop_cpu_best(&q.cpu, err);
    if (st != LOP_OK) return st;
    const int64_t planes = call->in[0]->shape.dim[0] * call->in[0]->shape.dim[1];
    if (q.y) ops_spread(call->team, planes, ops_grain(q.p.h * q.p.w), pool_planes, &q);
    if (!ops_wants(call, 1)) return LOP_OK;
    q.index = call->out[1].data;
    ops_spread(call->team, planes, ops_grain(q.p.h * q.p.w), index_planes, &q);
    return LOP_OK;
}

lop_status ops_global_pool_shape(const lop_op_call *call, lop_error *err)
{
    lop_status st = ops_need(call, 1, 1, err);
    if (st == LOP_OK) st = ops_need_f32(call, 0, err);
    if (st != LOP_OK) return st;
    lop_shape y = call->in[0]->shape;
    if (y.ndim < 3) return lop_fail(err, LOP_E_SHAPE, "input has %d dimensions, 3 or more expected", y.ndim);
    if (ops_inner(&y, 1) < 1) return lop_fail(err, LOP_E_SHAPE, "input has no pixel");
    for (int d = 2; d < y.ndim; d++) y.dim[d] = 1;
    return ops_set(call, 0, LOP_F32, &y, err);
}

typedef struct { int64_t size; const float *x; float *y; } global;

static void mean_planes(void *context, int64_t begin, int64_t end)
{
    const global *g = context;
    lop_pool_global_mean(end - begin, g->size, g->x + begin * g->size, g->y + begin);
}

static void max_planes(void *context, int64_t begin, int64_t end)
{
    const global *g = context;
    for (int64_t p = begin; p < end; p++) {
        const float *x = g->x + p * g->size;
        float most = x[0];
        for (int64_t i = 1; i < g->size; i++) most = x[i] > most ? x[i] : most;
        g->y[p] = most;
    }
}

static lop_status global_pool(const lop_op_call *call, ops_body body)
{
    const lop_shape *x = &call->in[0]->shape;
    global g = {ops_inner(x, 1), call->in[0]->data, call->out[0].data};
    ops_spread(call->team, x->dim[0] * x->dim[1], ops_grain(g.size), body, &g);
    return LOP_OK;
}

lop_status ops_global_mean_forward(const lop_op_call *call, lop_error *err)
{
    (void)err;
    return global_pool(call, mean_planes);
}

lop_status ops_global_max_forward(const lop_op_call *call, lop_error *err)
{
    (void)err;
    return global_pool(call, max_planes);
}

/* core/ops/nn/pool.c - MaxPool, AveragePool, LpPool over one to three spatial dimensions, and their global forms. */
#include "ops/ops_impl.h"
#include <string.h>

static ops_pool_kind kind_of(const lop_op_call *call)
{
    const char *op = call->node->op;
    if (strstr(op, "Average")) return OPS_POOL_MEAN;
    return strstr(op, "Lp") ? OPS_POOL_LP : OPS_POOL_MAX;
}

static lop_status read_kind(const lop_op_call *call, ops_pool *out, lop_error *err)
{
    lop_status st = ops_need(call, 1, 1, err);
    if (st != LOP_OK) return st;
    const lop_dtype type = call->in[0]->type;
    const int64_t p = lop_node_int(call->node, "p", 2);
    *out = (ops_pool){.kind = kind_of(call), .p = (double)p};
    const bool byte = (type == LOP_U8 || type == LOP_I8) && out->kind == OPS_POOL_MAX;
    if (type != LOP_F32 && type != LOP_F64 && !byte)
        return lop_fail(err, LOP_E_UNSUPPORTED, "of %s is not built", lop_dtype_name(type));
    if (out->kind == OPS_POOL_LP && p < 1)
        return lop_fail(err, LOP_E_FORMAT, "p is %" PRId64 ", 1 or more expected", p);
    return LOP_OK;
}

static lop_status pool_read(const lop_op_call *call, int *spatial, ops_pool *out, lop_error *err)
{
    int64_t k[3], in[3];
    ops_window *w = &out->w;
    lop_status st = read_kind(call, out, err);
    if (st == LOP_OK) st = ops_window_input(call, spatial, in, err);
    if (st == LOP_OK) st = ops_window_kernel(call, *spatial, k, err);
    if (st == LOP_OK) st = ops_window_read(call, k, lop_node_int(call->node, "ceil_mode", 0) != 0, w, err);
    if (st != LOP_OK) return st;
    for (int d = 0; d < 6; d++)
        if (w->pad[d] > (k[d % 3] - 1) * w->dilation[d % 3])
            return lop_fail(err, LOP_E_FORMAT,
                            "%" PRId64 " pixels of padding: a window of %" PRId64 " would hold no pixel",
                            w->pad[d], k[d % 3]);
    out->count_pad = lop_node_int(call->node, "count_include_pad", 0) != 0;
    out->by_column = lop_node_int(call->node, "storage_order", 0) != 0;
    return LOP_OK;
}

/* Of one plane. */
static lop_pool plane_pool(const ops_pool *p)
{
    const ops_window *w = &p->w;
    return (lop_pool){.h = w->in[1], .w = w->in[2], .oh = w->out[1], .ow = w->out[2], .kh = w->k[1], .kw = w->k[2],
                      .stride = {w->stride[1], w->stride[2]}, .pad = {w->pad[1], w->pad[2], w->pad[4], w->pad[5]},
                      .dilation = {w->dilation[1], w->dilation[2]}, .count_pad = p->count_pad};
}

lop_status lop_ops_pool_params(const lop_op_call *call, lop_pool *out, lop_error *err)
{
    int spatial;
    ops_pool p;
    lop_status st = pool_read(call, &spatial, &p, err);
    if (st == LOP_OK && spatial > 2)
        st = lop_fail(err, LOP_E_UNSUPPORTED, "%d spatial dimensions: 1 or 2 expected", spatial);
    if (st == LOP_OK) *out = plane_pool(&p);
    return st;
}

lop_status ops_pool_shape(const lop_op_call *call, lop_error *err)
{
    int spatial;
    ops_pool p;
    lop_shape y;
    lop_status st = pool_read(call, &spatial, &p, err);
    if (st != LOP_OK) return st;
    ops_window_shape(&p.w, spatial, call->in[0]->shape.dim[0], call->in[0]->shape.dim[1], &y);
    st = ops_set(call, 0, call->in[0]->type, &y, err);
    return st == LOP_OK ? ops_set(call, 1, LOP_I64, &y, err) : st;
}

typedef struct { lop_pool p; lop_cpu cpu; bool max; const float *x; float *y; } planes;

static void pool_planes(void *context, int64_t begin, int64_t end)
{
    const planes *q = context;
    const float *x = q->x + begin * q->p.h * q->p.w;
    float *y = q->y + begin * q->p.oh * q->p.ow;
    if (q->max) lop_pool_max(&q->p, end - begin, x, y, q->cpu);
    else lop_pool_mean(&q->p, end - begin, x, y, q->cpu);
}

/* float32 planes, by the kernel. */
static lop_status run_planes(const lop_op_call *call, const ops_pool *p, lop_error *err)
{
    planes q = {.p = plane_pool(p), .max = p->kind == OPS_POOL_MAX, .x = call->in[0]->data, .y = call->out[0].data};
    lop_status st = lop_cpu_best(&q.cpu, err);
    if (st != LOP_OK) return st;
    const lop_shape *x = &call->in[0]->shape;
    ops_spread(call->team, x->dim[0] * x->dim[1], ops_grain(q.p.h * q.p.w), pool_planes, &q);
    return LOP_OK;
}

lop_status ops_pool_forward(const lop_op_call *call, lop_error *err)
{
    int spatial;
    ops_pool p;
    lop_status st = pool_read(call, &spatial, &p, err);
    if (st != LOP_OK) return st;
    lop_tensor *y = ops_wants(call, 0) ? &call->out[0] : NULL;
    int64_t *index = ops_wants(call, 1) ? call->out[1].data : NULL;
    const bool by_kernel = spatial < 3 && call->in[0]->type == LOP_F32 && p.kind != OPS_POOL_LP;
    if (y && by_kernel) st = run_planes(call, &p, err);
    if (st == LOP_OK && ((y && !by_kernel) || index))
        ops_pool_windows(&p, call->in[0], by_kernel ? NULL : y, index, call->team);
    return st;
}

/* ---- over all pixels ---- */

lop_status ops_global_pool_shape(const lop_op_call *call, lop_error *err)
{
    ops_pool p;
    lop_status st = read_kind(call, &p, err);
    if (st != LOP_OK) return st;
    lop_shape y = call->in[0]->shape;
    if (y.ndim < 3) return lop_fail(err, LOP_E_SHAPE, "input has %d dimensions, 3 or more expected", y.ndim);
    if (ops_inner(&y, 1) < 1) return lop_fail(err, LOP_E_SHAPE, "input has no pixel");
    for (int d = 2; d < y.ndim; d++) y.dim[d] = 1;
    return ops_set(call, 0, call->in[0]->type, &y, err);
}

typedef struct { int64_t size; const float *x; float *y; } global;

static void mean_planes(void *context, int64_t begin, int64_t end)
{
    const global *g = context;
    lop_pool_global_mean(end - begin, g->size, g->x + begin * g->size, g->y + begin);
}

/* The whole of a channel is one window, taken as a row. */
lop_status ops_global_pool_forward(const lop_op_call *call, lop_error *err)
{
    const lop_shape *x = &call->in[0]->shape;
    const int64_t size = ops_inner(x, 1);
    ops_pool p;
    lop_status st = read_kind(call, &p, err);
    if (st != LOP_OK) return st;
    if (call->in[0]->type == LOP_F32 && p.kind == OPS_POOL_MEAN) {
        global g = {size, call->in[0]->data, call->out[0].data};
        ops_spread(call->team, x->dim[0] * x->dim[1], ops_grain(size), mean_planes, &g);
        return LOP_OK;
    }
    p.w = (ops_window){.in = {1, 1, size}, .k = {1, 1, size}, .out = {1, 1, 1}, .stride = {1, 1, 1},
                       .dilation = {1, 1, 1}};
    ops_pool_windows(&p, call->in[0], &call->out[0], NULL, call->team);
    return LOP_OK;
}

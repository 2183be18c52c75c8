/* core/ops/nn/conv.c - Conv (ONNX opsets 1 to 21): one or two spatial dimensions, groups, dilations. */
#include "ops/ops_impl.h"

static lop_status check_weight(const lop_op_call *call, lop_error *err)
{
    const lop_shape *x = &call->in[0]->shape, *w = &call->in[1]->shape;
    const int64_t group = lop_node_int(call->node, "group", 1);
    int64_t k[2];
    if (x->ndim < 3) return lop_fail(err, LOP_E_SHAPE, "input has %d dimensions, 3 or 4 expected", x->ndim);
    if (x->ndim > 4) return lop_fail(err, LOP_E_UNSUPPORTED, "%d spatial dimensions: 1 and 2 are built", x->ndim - 2);
    if (w->ndim != x->ndim)
        return lop_fail(err, LOP_E_SHAPE, "weight has %d dimensions, %d expected", w->ndim, x->ndim);
    if (group < 1 || w->dim[0] < 1 || w->dim[0] % group != 0)
        return lop_fail(err, LOP_E_SHAPE, "%" PRId64 " filters in %" PRId64 " groups", w->dim[0], group);
    if (x->dim[1] < 1 || w->dim[1] < 1 || x->dim[1] % group != 0 || x->dim[1] / group != w->dim[1])
        return lop_fail(err, LOP_E_SHAPE, "input has %" PRId64 " channels, weight takes %" PRId64 " in each of %" PRId64
                        " groups", x->dim[1], w->dim[1], group);
    for (int d = 2; d < w->ndim; d++)
        if (w->dim[d] < 1 || w->dim[d] > INT32_MAX)
            return lop_fail(err, LOP_E_SHAPE, "weight: dimension %d is %" PRId64, d, w->dim[d]);
    if (!lop_node_attr(call->node, "kernel_shape")) return LOP_OK;
    lop_status st = ops_window_kernel(call, x->ndim - 2, k, err);
    if (st == LOP_OK && (k[1] != w->dim[w->ndim - 1] || (w->ndim == 4 && k[0] != w->dim[2])))
        st = lop_fail(err, LOP_E_SHAPE, "kernel_shape is not the weight's");
    return st;
}

static lop_status check_bias(const lop_op_call *call, int64_t n, lop_error *err)
{
    if (!ops_has(call, 2)) return LOP_OK;
    const lop_shape *b = &call->in[2]->shape;
    if (b->ndim != 1 || b->dim[0] != n)
        return lop_fail(err, LOP_E_SHAPE,
                        "bias has %" PRId64 " entries in %d dimensions, a list of %" PRId64 " expected",
                        lop_tensor_size(call->in[2]), b->ndim, n);
    return ops_need_f32(call, 2, err);
}

lop_status lop_ops_conv_params(const lop_op_call *call, lop_conv *out, lop_error *err)
{
    lop_status st = ops_need(call, 2, 3, err);
    for (int i = 0; st == LOP_OK && i < 2; i++) st = ops_need_f32(call, i, err);
    if (st == LOP_OK) st = check_weight(call, err);
    if (st == LOP_OK) st = check_bias(call, call->in[1]->shape.dim[0], err);
    if (st != LOP_OK) return st;
    const lop_shape *x = &call->in[0]->shape, *w = &call->in[1]->shape;
    const int64_t k[2] = {w->ndim == 4 ? w->dim[2] : 1, w->dim[w->ndim - 1]};
    ops_window win;
    st = ops_window_read(call, x, k, false, &win, err);
    if (st != LOP_OK) return st;
    *out = (lop_conv){.c = x->dim[1], .h = win.in[0], .w = win.in[1], .n = w->dim[0], .oh = win.out[0],
                      .ow = win.out[1], .kh = k[0], .kw = k[1], .stride = {win.stride[0], win.stride[1]},
                      .pad = {win.pad[0], win.pad[1], win.pad[2], win.pad[3]},
                      .dilation = {win.dilation[0], win.dilation[1]}, .group = lop_node_int(call->node, "group", 1)};
    return LOP_OK;
}

lop_status ops_conv_shape(const lop_op_call *call, lop_error *err)
{
    lop_conv c;
    lop_status st = lop_ops_conv_params(call, &c, err);
    if (st != LOP_OK) return st;
    const int ndim = call->in[0]->shape.ndim;
    lop_shape y = {ndim, {call->in[0]->shape.dim[0], c.n, ndim == 4 ? c.oh : c.ow, c.ow}};
    return ops_set(call, 0, LOP_F32, &y, err);
}

typedef struct {
    const lop_conv_plan *plan;
    lop_epilogue after;
    const float *x;
    float *y;
    int64_t nx, ny, room;       /* floats an image; bytes of scratch a worker */
    char *scratch;
    lop_team *inner;
} images;

static void run_image(void *context, int64_t i, int worker)
{
    const images *m = context;
    lop_conv_run(m->plan, m->x + i * m->nx, &m->after, m->scratch + worker * m->room, m->inner, m->y + i * m->ny);
}

/* One image is shared by the team; of several, each worker takes whole ones. */
static lop_status run_images(const lop_op_call *call, const lop_conv *c, const lop_conv_plan *plan, lop_error *err)
{
    const int64_t batch = call->in[0]->shape.dim[0];
    const int threads = batch > 1 ? lop_team_threads(call->team) : 1;
    images m = {.plan = plan, .x = call->in[0]->data, .y = call->out[0].data, .nx = c->c * c->h * c->w,
                .ny = c->n * c->oh * c->ow, .room = (int64_t)((lop_conv_scratch(plan) + 63) / 64 * 64),
                .inner = batch > 1 ? NULL : call->team};
    m.after.bias = ops_has(call, 2) ? call->in[2]->data : NULL;
    m.scratch = lop_array(threads, (size_t)m.room, err);
    if (!m.scratch) return LOP_E_MEMORY;
    if (batch > 1) lop_team_run(call->team, batch, run_image, &m);
    else if (batch == 1) run_image(&m, 0, 0);
    lop_free(m.scratch);
    return LOP_OK;
}

lop_status ops_conv_forward(const lop_op_call *call, lop_error *err)
{
    lop_conv c;
    lop_cpu cpu;
    lop_conv_plan *plan = NULL;
    lop_status st = lop_ops_conv_params(call, &c, err);
    if (st == LOP_OK) st = lop_cpu_best(&cpu, err);
    if (st == LOP_OK) st = lop_conv_plan_new(&c, call->in[1]->data, cpu, &plan, err);
    if (st == LOP_OK) st = run_images(call, &c, plan, err);
    lop_conv_plan_free(plan);
    return st;
}

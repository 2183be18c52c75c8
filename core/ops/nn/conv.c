/* core/ops/nn/conv.c - Conv (ONNX opsets 1 to 21): one to three spatial dimensions, groups, dilations.
 *
 * The kernel convolves planes. A slice of a volume's result is the convolution of a plane with c kd channels: channel
 * (i, t) is the slice that tap t of channel i falls on; the weights (n, c / group, kd, kh, kw) lie in that order. */
#include "ops/ops_impl.h"
#include <string.h>

static lop_status check_weight(const lop_op_call *call, int spatial, lop_error *err)
{
    const lop_shape *x = &call->in[0]->shape, *w = &call->in[1]->shape;
    const int64_t group = lop_node_int(call->node, "group", 1);
    int64_t k[3];
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
    lop_status st = ops_window_kernel(call, spatial, k, err);
    for (int i = 0; st == LOP_OK && i < spatial; i++)
        if (k[3 - spatial + i] != w->dim[2 + i]) st = lop_fail(err, LOP_E_SHAPE, "kernel_shape is not the weight's");
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

static lop_status read_window(const lop_op_call *call, int *spatial, ops_window *win, lop_error *err)
{
    int64_t k[3] = {1, 1, 1}, in[3];
    lop_status st = ops_need(call, 2, 3, err);
    for (int i = 0; st == LOP_OK && i < 2; i++) st = ops_need_f32(call, i, err);
    if (st == LOP_OK) st = ops_window_input(call, spatial, in, err);
    if (st == LOP_OK) st = check_weight(call, *spatial, err);
    if (st == LOP_OK) st = check_bias(call, call->in[1]->shape.dim[0], err);
    if (st != LOP_OK) return st;
    for (int i = 0; i < *spatial; i++) k[3 - *spatial + i] = call->in[1]->shape.dim[2 + i];
    return ops_window_read(call, k, false, win, err);
}

/* The convolution of one plane of `channels` channels. */
static lop_conv plane_conv(const lop_op_call *call, const ops_window *w, int64_t channels)
{
    return (lop_conv){.c = channels, .h = w->in[1], .w = w->in[2], .n = call->in[1]->shape.dim[0], .oh = w->out[1],
                      .ow = w->out[2], .kh = w->k[1], .kw = w->k[2], .stride = {w->stride[1], w->stride[2]},
                      .pad = {w->pad[1], w->pad[2], w->pad[4], w->pad[5]},
                      .dilation = {w->dilation[1], w->dilation[2]}, .group = lop_node_int(call->node, "group", 1)};
}

lop_status lop_ops_conv_params(const lop_op_call *call, lop_conv *out, lop_error *err)
{
    int spatial;
    ops_window w;
    lop_status st = read_window(call, &spatial, &w, err);
    if (st != LOP_OK) return st;
    if (spatial > 2) return lop_fail(err, LOP_E_UNSUPPORTED, "%d spatial dimensions: 1 or 2 expected", spatial);
    *out = plane_conv(call, &w, call->in[0]->shape.dim[1]);
    return LOP_OK;
}

lop_status ops_conv_shape(const lop_op_call *call, lop_error *err)
{
    int spatial;
    ops_window w;
    lop_shape y;
    lop_status st = read_window(call, &spatial, &w, err);
    if (st != LOP_OK) return st;
    ops_window_shape(&w, spatial, call->in[0]->shape.dim[0], call->in[1]->shape.dim[0], &y);
    return ops_set(call, 0, LOP_F32, &y, err);
}

typedef struct {
    ops_window w;
    int64_t c, n;               /* channels, filters */
    const lop_conv_plan *plan;
    lop_epilogue after;
    const float *x;
    float *y;
    int64_t nx, ny;             /* floats an image */
    int64_t scratch, planes, room;      /* bytes a worker: where the input planes begin, the output slice, all */
    char *block;
    lop_team *inner;
} images;

/* The planes of c kd channels that output slice `od` is made of. */
static void gather_planes(const images *m, const float *x, int64_t od, float *to)
{
    const int64_t plane = m->w.in[1] * m->w.in[2];
    for (int64_t i = 0; i < m->c; i++)
        for (int64_t t = 0; t < m->w.k[0]; t++, to += plane) {
            const int64_t at = od * m->w.stride[0] - m->w.pad[0] + t * m->w.dilation[0];
            if (at < 0 || at >= m->w.in[0]) memset(to, 0, (size_t)plane * sizeof *to);
            else memcpy(to, x + (i * m->w.in[0] + at) * plane, (size_t)plane * sizeof *to);
        }
}

static void run_volume(const images *m, const float *x, char *block, float *y)
{
    const int64_t out = m->w.out[1] * m->w.out[2];
    float *planes = (float *)(void *)(block + m->scratch), *slice = (float *)(void *)(block + m->planes);
    for (int64_t od = 0; od < m->w.out[0]; od++) {
        gather_planes(m, x, od, planes);
        lop_conv_run(m->plan, planes, &m->after, block, m->inner, slice);
        for (int64_t f = 0; f < m->n; f++)
            memcpy(y + (f * m->w.out[0] + od) * out, slice + f * out, (size_t)out * sizeof *y);
    }
}

static void run_image(void *context, int64_t i, int worker)
{
    const images *m = context;
    const float *x = m->x + i * m->nx;
    float *y = m->y + i * m->ny;
    char *block = m->block + worker * m->room;
    if (m->w.in[0] == 1 && m->w.k[0] == 1 && m->w.out[0] == 1) lop_conv_run(m->plan, x, &m->after, block, m->inner, y);
    else run_volume(m, x, block, y);
}

static bool add_floats(int64_t *bytes, int64_t a, int64_t b, int64_t c)
{
    size_t total = sizeof(float);
    if (!lop_mul_size(&total, total, a) || !lop_mul_size(&total, total, b) || !lop_mul_size(&total, total, c) ||
        !lop_add_size(&total, total, *bytes) || total > INT64_MAX - 64)
        return false;
    *bytes = ((int64_t)total + 63) / 64 * 64;
    return true;
}

/* Scratch, and for a volume the planes of a slice's input and output. */
static lop_status make_room(images *m, lop_error *err)
{
    m->scratch = m->planes = m->room = (int64_t)((lop_conv_scratch(m->plan) + 63) / 64 * 64);
    if (m->w.in[0] == 1 && m->w.k[0] == 1 && m->w.out[0] == 1) return LOP_OK;
    if (!add_floats(&m->planes, m->c * m->w.k[0], m->w.in[1], m->w.in[2]))
        return lop_fail(err, LOP_E_MEMORY, "a slice of the input is too large");
    m->room = m->planes;
    if (!add_floats(&m->room, m->n, m->w.out[1], m->w.out[2]))
        return lop_fail(err, LOP_E_MEMORY, "a slice of the output is too large");
    return LOP_OK;
}

/* One image is shared by the team; of several, each worker takes whole ones. */
static lop_status run_images(const lop_op_call *call, images *m, lop_error *err)
{
    const int64_t batch = call->in[0]->shape.dim[0];
    const int threads = batch > 1 ? lop_team_threads(call->team) : 1;
    lop_status st = make_room(m, err);
    if (st != LOP_OK) return st;
    m->x = call->in[0]->data;
    m->y = call->out[0].data;
    m->nx = ops_inner(&call->in[0]->shape, 0);
    m->ny = ops_inner(&call->out[0].shape, 0);
    m->inner = batch > 1 ? NULL : call->team;
    m->after.bias = ops_has(call, 2) ? call->in[2]->data : NULL;
    m->block = lop_array(threads, (size_t)m->room, err);
    if (!m->block) return LOP_E_MEMORY;
    if (batch > 1) lop_team_run(call->team, batch, run_image, m);
    else if (batch == 1) run_image(m, 0, 0);
    lop_free(m->block);
    return LOP_OK;
}

lop_status ops_conv_forward(const lop_op_call *call, lop_error *err)
{
    int spatial;
    images m = {.c = call->in[0]->shape.dim[1], .n = call->in[1]->shape.dim[0]};
    lop_cpu cpu;
    lop_conv_plan *plan = NULL;
    lop_status st = read_window(call, &spatial, &m.w, err);
    if (st == LOP_OK && m.c > INT32_MAX / m.w.k[0])
        st = lop_fail(err, LOP_E_UNSUPPORTED, "%" PRId64 " channels of %" PRId64 " slices", m.c, m.w.k[0]);
    if (st != LOP_OK) return st;
    const lop_conv conv = plane_conv(call, &m.w, m.c * m.w.k[0]);
    st = lop_cpu_best(&cpu, err);
    if (st == LOP_OK) st = lop_conv_plan_new(&conv, call->in[1]->data, cpu, &plan, err);
    m.plan = plan;
    if (st == LOP_OK) st = run_images(call, &m, err);
    lop_conv_plan_free(plan);
    return st;
}

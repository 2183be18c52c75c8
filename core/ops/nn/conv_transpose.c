/* core/ops/nn/conv_transpose.c - ConvTranspose (opsets 1 to 11), one to three spatial dimensions: each input pixel
 * adds a weighted kernel to the output. The weighted kernels are a convolution of 1 x 1, of as many filters as there
 * are taps of all. */
#include "ops/ops_impl.h"
#include <string.h>

typedef struct { int64_t c, n, group, in[3], out[3], k[3], stride[3], pad[6], dilation[3]; } transposed;

static lop_status check_weight(const lop_op_call *call, int spatial, transposed *t, lop_error *err)
{
    const lop_shape *x = &call->in[0]->shape, *w = &call->in[1]->shape;
    if (w->ndim != x->ndim)
        return lop_fail(err, LOP_E_SHAPE, "weight has %d dimensions, %d expected", w->ndim, x->ndim);
    const int64_t group = lop_node_int(call->node, "group", 1);
    if (group < 1 || x->dim[1] < 1 || w->dim[0] != x->dim[1] || x->dim[1] % group != 0 || w->dim[1] < 1 ||
        w->dim[1] > INT32_MAX || group > INT32_MAX)
        return lop_fail(err, LOP_E_SHAPE,
                        "input has %" PRId64 " channels, weight takes %" PRId64 ", in %" PRId64 " groups",
                        x->dim[1], w->dim[0], group);
    t->c = x->dim[1];
    t->n = w->dim[1] * group;
    t->group = group;
    t->k[0] = t->k[1] = t->k[2] = 1;
    for (int i = 0; i < spatial; i++) {
        if (w->dim[2 + i] < 1 || w->dim[2 + i] > INT32_MAX)
            return lop_fail(err, LOP_E_SHAPE, "weight: dimension %d is %" PRId64, 2 + i, w->dim[2 + i]);
        t->k[3 - spatial + i] = w->dim[2 + i];
    }
    if (ops_has(call, 2) && (call->in[2]->shape.ndim != 1 || call->in[2]->shape.dim[0] != t->n))
        return lop_fail(err, LOP_E_SHAPE, "bias: a list of %" PRId64 " expected", t->n);
    return LOP_OK;
}

/* `total` pixels of padding are split by auto_pad, an odd one at the end for SAME_UPPER, else at the start. */
static void split_pad(transposed *t, int d, int64_t total, bool upper)
{
    if (total < 0) total = 0;
    t->pad[d] = upper ? total / 2 : total - total / 2;
    t->pad[d + 3] = total - t->pad[d];
}

static lop_status read_params(const lop_op_call *call, int spatial, transposed *t, lop_error *err)
{
    const char *mode = lop_node_string(call->node, "auto_pad", "NOTSET");
    int64_t asked[LOP_MAX_DIMS] = {0}, extra[3] = {0, 0, 0};
    int sizes, extras;
    const bool same = strncmp(mode, "SAME_", 5) == 0, upper = strcmp(mode, "SAME_UPPER") == 0;
    lop_status st = ops_window_sizes(call, "strides", spatial, t->stride, err);
    if (st == LOP_OK) st = ops_window_sizes(call, "dilations", spatial, t->dilation, err);
    if (st == LOP_OK && strcmp(mode, "NOTSET") == 0) st = ops_window_pads(call, spatial, t->pad, err);
    if (st == LOP_OK) st = ops_ints(call, "output_shape", -1, asked, LOP_MAX_DIMS, &sizes, err);
    if (st == LOP_OK) st = ops_ints(call, "output_padding", -1, extra, 3, &extras, err);
    if (st != LOP_OK) return st;
    if (sizes == spatial + 2) memmove(asked, asked + 2, (size_t)spatial * sizeof *asked);   /* with N and channels */
    else if (sizes >= 0 && sizes != spatial)
        return lop_fail(err, LOP_E_FORMAT, "output_shape has %d entries, %d expected", sizes, spatial);
    if (extras >= 0 && extras != spatial)
        return lop_fail(err, LOP_E_FORMAT, "output_padding has %d entries, %d expected", extras, spatial);
    for (int i = 0; i < spatial; i++) {
        const int d = 3 - spatial + i;
        if (extra[i] < 0 || extra[i] > INT32_MAX || (sizes > 0 && (asked[i] < 1 || asked[i] > INT32_MAX)))
            return lop_fail(err, LOP_E_FORMAT, "output_shape or output_padding is out of range");
        const int64_t full = t->stride[d] * (t->in[d] - 1) + extra[i] + (t->k[d] - 1) * t->dilation[d] + 1;
        if (sizes >= 0) split_pad(t, d, full - asked[i], upper);
        else if (same) split_pad(t, d, full - t->in[d] * t->stride[d], upper);
        t->out[d] = sizes >= 0 ? asked[i] : full - t->pad[d] - t->pad[d + 3];
        if (t->out[d] < 1) return lop_fail(err, LOP_E_SHAPE, "padding leaves no pixel of %" PRId64, full);
    }
    for (int d = 0; d < 3 - spatial; d++) t->out[d] = 1;
    return LOP_OK;
}

static lop_status transposed_read(const lop_op_call *call, int *spatial, transposed *t, lop_error *err)
{
    *t = (transposed){0};
    lop_status st = ops_need(call, 2, 3, err);
    for (int i = 0; st == LOP_OK && i < call->nin; i++)
        if (ops_has(call, i)) st = ops_need_f32(call, i, err);
    if (st == LOP_OK) st = ops_window_input(call, spatial, t->in, err);
    if (st == LOP_OK) st = check_weight(call, *spatial, t, err);
    return st == LOP_OK ? read_params(call, *spatial, t, err) : st;
}

lop_status ops_conv_transpose_shape(const lop_op_call *call, lop_error *err)
{
    transposed t;
    int spatial;
    lop_status st = transposed_read(call, &spatial, &t, err);
    if (st != LOP_OK) return st;
    lop_shape y = {spatial + 2, {call->in[0]->shape.dim[0], t.n}};
    for (int i = 0; i < spatial; i++) y.dim[2 + i] = t.out[3 - spatial + i];
    return ops_set(call, 0, LOP_F32, &y, err);
}

/* The filters go in pieces: a piece's products with an image, taps x pixels for each filter, are one convolution of
 * 1 x 1, and are then added where they belong while they are in the cache. Pieces hang on the sizes alone, so that
 * neither batch nor team changes a byte. */
enum { PIECE = 1 << 18 };               /* products, about */

typedef struct {
    transposed t;
    lop_conv conv;              /* of a piece; the last of a group may have fewer filters */
    lop_conv_plan **plan;       /* by group and piece */
    int64_t pieces, filters;    /* of a group, of a piece */
    int64_t scratch, room;      /* bytes a worker: before the products, and all */
    char *block;
    const float *x, *bias;
    float *y;
} adding;

static int64_t volume(const int64_t size[3]) { return size[0] * size[1] * size[2]; }

static int64_t filters_of(const adding *a, int64_t piece)
{
    const int64_t left = a->t.n / a->t.group - piece * a->filters;
    return left < a->filters ? left : a->filters;
}

/* The input pixels of dimension d whose tap falls on the output: [first, end); *at: where the first one's does. */
static void reach(const transposed *t, int d, int64_t tap, int64_t *first, int64_t *end, int64_t *at)
{
    const int64_t step = t->stride[d], start = tap * t->dilation[d] - t->pad[d];
    *first = start < 0 ? (-start + step - 1) / step : 0;
    *end = start < t->out[d] ? (t->out[d] - start + step - 1) / step : 0;
    if (*end > t->in[d]) *end = t->in[d];
    *at = start + *first * step;
}

static void add_row(int64_t count, int64_t step, const float *from, float *to)
{
    if (step == 1)
        for (int64_t k = 0; k < count; k++) to[k] += from[k];
    else
        for (int64_t k = 0; k < count; k++) to[k * step] += from[k];
}

/* One tap's products over one input volume. */
static void add_tap(const transposed *t, const float *products, const int64_t tap[3], float *y)
{
    int64_t first[3], end[3], at[3];
    for (int d = 0; d < 3; d++) reach(t, d, tap[d], &first[d], &end[d], &at[d]);
    for (int64_t i = first[0]; i < end[0]; i++)
        for (int64_t j = first[1]; j < end[1]; j++) {
            const int64_t oz = at[0] + (i - first[0]) * t->stride[0], oy = at[1] + (j - first[1]) * t->stride[1];
            add_row(end[2] - first[2], t->stride[2], products + (i * t->in[1] + j) * t->in[2] + first[2],
                    y + (oz * t->out[1] + oy) * t->out[2] + at[2]);
        }
}

/* The output volume of filter f, from its products. */
static void add_filter(const adding *a, int64_t f, const float *products, float *y)
{
    const transposed *t = &a->t;
    const int64_t out = volume(t->out), taps = volume(t->k), in = volume(t->in);
    for (int64_t i = 0; i < out; i++) y[i] = a->bias ? a->bias[f] : 0;
    for (int64_t k = 0; k < taps; k++, products += in) {
        const int64_t tap[3] = {k / (t->k[1] * t->k[2]), k / t->k[2] % t->k[1], k % t->k[2]};
        add_tap(t, products, tap, y);
    }
}

/* A task is a piece of a group of an image. */
static void run_piece(void *context, int64_t task, int worker)
{
    const adding *a = context;
    const transposed *t = &a->t;
    const int64_t piece = task % a->pieces, g = task / a->pieces % t->group, image = task / a->pieces / t->group;
    const int64_t in = volume(t->in), f0 = g * (t->n / t->group) + piece * a->filters;
    char *block = a->block + worker * a->room;
    float *products = (float *)(void *)(block + a->scratch);
    const lop_epilogue plain = {0};
    lop_conv_run(a->plan[g * a->pieces + piece], a->x + (image * t->c + g * (t->c / t->group)) * in, &plain, block,
                 NULL, products);
    for (int64_t f = 0; f < filters_of(a, piece); f++)
        add_filter(a, f0 + f, products + f * volume(t->k) * in, a->y + (image * t->n + f0 + f) * volume(t->out));
}

/* A piece's weights, (filters taps, c / group) of (c, n / group, taps), packed. */
static lop_status plan_piece(adding *a, const float *w, int64_t g, int64_t piece, lop_cpu cpu, lop_error *err)
{
    const transposed *t = &a->t;
    const int64_t c = t->c / t->group, taps = volume(t->k), per_group = t->n / t->group;
    lop_conv conv = a->conv;
    conv.n = filters_of(a, piece) * taps;
    float *own = lop_array(conv.n * c, sizeof *own, err);
    if (!own) return LOP_E_MEMORY;
    for (int64_t i = 0; i < c; i++) {
        const float *from = w + ((g * c + i) * per_group + piece * a->filters) * taps;
        for (int64_t r = 0; r < conv.n; r++) own[r * c + i] = from[r];
    }
    lop_status st = lop_conv_plan_new(&conv, own, cpu, &a->plan[g * a->pieces + piece], err);
    lop_free(own);
    return st;
}

static lop_status plan_pieces(adding *a, const float *w, lop_error *err)
{
    lop_cpu cpu;
    lop_status st = lop_cpu_best(&cpu, err);
    if (st != LOP_OK) return st;
    a->plan = lop_array(a->t.group * a->pieces, sizeof *a->plan, err);
    if (!a->plan) return LOP_E_MEMORY;
    for (int64_t i = 0; st == LOP_OK && i < a->t.group * a->pieces; i++) {
        st = plan_piece(a, w, i / a->pieces, i % a->pieces, cpu, err);
        const int64_t need = st == LOP_OK ? (int64_t)((lop_conv_scratch(a->plan[i]) + 63) / 64 * 64) : 0;
        if (need > a->scratch) a->scratch = need;
    }
    return st;
}

/* Sizes of the pieces, their plans, and a block for each worker. */
static lop_status prepare(adding *a, const lop_op_call *call, lop_error *err)
{
    const transposed *t = &a->t;
    const int64_t in = volume(t->in), taps = volume(t->k), per_group = t->n / t->group;
    size_t bytes = sizeof(float);
    if (!lop_mul_size(&bytes, bytes, in) || !lop_mul_size(&bytes, bytes, taps) || bytes > INT64_MAX / 2)
        return lop_fail(err, LOP_E_MEMORY, "the products of one filter are too many");
    a->filters = in * taps < PIECE ? PIECE / (in * taps) : 1;
    if (a->filters > per_group) a->filters = per_group;
    a->pieces = (per_group + a->filters - 1) / a->filters;
    a->conv = (lop_conv){.c = t->c / t->group, .h = t->in[0] * t->in[1], .w = t->in[2], .oh = t->in[0] * t->in[1],
                         .ow = t->in[2], .kh = 1, .kw = 1, .stride = {1, 1}, .dilation = {1, 1}, .group = 1};
    lop_status st = plan_pieces(a, call->in[1]->data, err);
    if (st != LOP_OK) return st;
    a->room = a->scratch + (a->filters * taps * in * (int64_t)sizeof(float) + 63) / 64 * 64;
    a->block = lop_array(lop_team_threads(call->team), (size_t)a->room, err);
    return a->block ? LOP_OK : LOP_E_MEMORY;
}

lop_status ops_conv_transpose_forward(const lop_op_call *call, lop_error *err)
{
    adding a = {.x = call->in[0]->data, .bias = ops_has(call, 2) ? call->in[2]->data : NULL, .y = call->out[0].data};
    int spatial;
    lop_status st = transposed_read(call, &spatial, &a.t, err);
    if (st != LOP_OK || lop_tensor_size(call->in[0]) == 0) return st;
    st = prepare(&a, call, err);
    if (st == LOP_OK) lop_team_run(call->team, call->in[0]->shape.dim[0] * a.t.group * a.pieces, run_piece, &a);
    for (int64_t i = 0; a.plan && i < a.t.group * a.pieces; i++) lop_conv_plan_free(a.plan[i]);
    lop_free(a.plan);
    lop_free(a.block);
    return st;
}

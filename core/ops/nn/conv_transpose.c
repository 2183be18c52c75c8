/* core/ops/nn/conv_transpose.c - ConvTranspose (opsets 1 to 11), one to three spatial dimensions: each input pixel
 * adds a weighted kernel to the output. */
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

typedef struct { transposed t; const float *x, *w, *bias; float *y; } adding;

/* The input pixels of dimension d whose tap falls on the output: [first, end); *at: where the first one's does. */
static void reach(const transposed *t, int d, int64_t tap, int64_t *first, int64_t *end, int64_t *at)
{
    const int64_t step = t->stride[d], start = tap * t->dilation[d] - t->pad[d];
    *first = start < 0 ? (-start + step - 1) / step : 0;
    *end = start < t->out[d] ? (t->out[d] - start + step - 1) / step : 0;
    if (*end > t->in[d]) *end = t->in[d];
    *at = start + *first * step;
}

/* One weight over one input volume. */
static void add_tap(const transposed *t, const float *x, float weight, const int64_t tap[3], float *y)
{
    int64_t first[3], end[3], at[3];
    for (int d = 0; d < 3; d++) reach(t, d, tap[d], &first[d], &end[d], &at[d]);
    for (int64_t i = first[0]; i < end[0]; i++)
        for (int64_t j = first[1]; j < end[1]; j++) {
            const int64_t oz = at[0] + (i - first[0]) * t->stride[0], oy = at[1] + (j - first[1]) * t->stride[1];
            const float *from = x + (i * t->in[1] + j) * t->in[2];
            float *to = y + (oz * t->out[1] + oy) * t->out[2] + at[2];
            for (int64_t k = first[2]; k < end[2]; k++, to += t->stride[2]) *to += weight * from[k];
        }
}

static void add_volumes(void *context, int64_t begin, int64_t end)
{
    const adding *a = context;
    const transposed *t = &a->t;
    const int64_t taps = t->k[0] * t->k[1] * t->k[2], in = t->in[0] * t->in[1] * t->in[2];
    const int64_t out = t->out[0] * t->out[1] * t->out[2], per_group = t->n / t->group, from_group = t->c / t->group;
    for (int64_t p = begin; p < end; p++) {
        const int64_t image = p / t->n, f = p % t->n, first = f / per_group * from_group;
        float *y = a->y + p * out;
        memset(y, 0, (size_t)out * sizeof *y);
        for (int64_t c = first; c < first + from_group; c++)
            for (int64_t k = 0; k < taps; k++) {
                const int64_t tap[3] = {k / (t->k[1] * t->k[2]), k / t->k[2] % t->k[1], k % t->k[2]};
                add_tap(t, a->x + (image * t->c + c) * in, a->w[(c * per_group + f % per_group) * taps + k], tap, y);
            }
        for (int64_t i = 0; a->bias && i < out; i++) y[i] += a->bias[f];
    }
}

lop_status ops_conv_transpose_forward(const lop_op_call *call, lop_error *err)
{
    adding a = {.x = call->in[0]->data, .w = call->in[1]->data, .bias = ops_has(call, 2) ? call->in[2]->data : NULL,
                .y = call->out[0].data};
    int spatial;
    lop_status st = transposed_read(call, &spatial, &a.t, err);
    if (st == LOP_OK) ops_spread(call->team, call->in[0]->shape.dim[0] * a.t.n, 1, add_volumes, &a);
    return st;
}

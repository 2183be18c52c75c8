/* core/ops/nn/conv_transpose.c - ConvTranspose, one or two spatial dimensions: each input pixel adds a weighted kernel
 * to the output. */
#include "ops/ops_impl.h"
#include <string.h>

typedef struct { int64_t c, n, group, in[2], out[2], k[2], stride[2], pad[4], dilation[2]; } transposed;

static lop_status check_weight(const lop_op_call *call, transposed *t, lop_error *err)
{
    lop_status st = ops_need(call, 2, 3, err);
    for (int i = 0; st == LOP_OK && i < call->nin; i++)
        if (ops_has(call, i)) st = ops_need_f32(call, i, err);
    if (st != LOP_OK) return st;
    const lop_shape *x = &call->in[0]->shape, *w = &call->in[1]->shape;
    if (x->ndim < 3) return lop_fail(err, LOP_E_SHAPE, "input has %d dimensions, 3 or 4 expected", x->ndim);
    if (x->ndim > 4) return lop_fail(err, LOP_E_UNSUPPORTED, "%d spatial dimensions: 1 and 2 are built", x->ndim - 2);
    if (w->ndim != x->ndim)
        return lop_fail(err, LOP_E_SHAPE, "weight has %d dimensions, %d expected", w->ndim, x->ndim);
    const int64_t group = lop_node_int(call->node, "group", 1);
    if (group < 1 || x->dim[1] < 1 || w->dim[0] != x->dim[1] || x->dim[1] % group != 0 || w->dim[1] < 1 ||
        w->dim[1] > INT32_MAX || group > INT32_MAX)
        return lop_fail(err, LOP_E_SHAPE,
                        "input has %" PRId64 " channels, weight takes %" PRId64 ", in %" PRId64 " groups",
                        x->dim[1], w->dim[0], group);
    const int last = x->ndim - 1;
    *t = (transposed){.c = x->dim[1], .n = w->dim[1] * group, .group = group,
                      .in = {last == 3 ? x->dim[2] : 1, x->dim[last]}, .k = {last == 3 ? w->dim[2] : 1, w->dim[last]}};
    for (int d = 0; d < 2; d++)
        if (t->in[d] < 1 || t->k[d] < 1 || t->in[d] > INT32_MAX || t->k[d] > INT32_MAX)
            return lop_fail(err, LOP_E_SHAPE, "an input or a kernel without pixels");
    if (ops_has(call, 2) && (call->in[2]->shape.ndim != 1 || call->in[2]->shape.dim[0] != t->n))
        return lop_fail(err, LOP_E_SHAPE, "bias: a list of %" PRId64 " expected", t->n);
    return LOP_OK;
}

/* `total` pixels of padding are split by auto_pad, an odd one at the end for SAME_UPPER, else at the start. */
static void split_pad(transposed *t, int d, int64_t total, bool upper)
{
    if (total < 0) total = 0;
    t->pad[d] = upper ? total / 2 : total - total / 2;
    t->pad[d + 2] = total - t->pad[d];
}

static lop_status read_params(const lop_op_call *call, transposed *t, lop_error *err)
{
    const int spatial = call->in[0]->shape.ndim - 2;
    const char *mode = lop_node_string(call->node, "auto_pad", "NOTSET");
    int64_t asked[2], extra[2] = {0, 0};
    int sizes, extras;
    const bool same = strncmp(mode, "SAME_", 5) == 0, upper = strcmp(mode, "SAME_UPPER") == 0;
    lop_status st = ops_window_pair(call, "strides", spatial, t->stride, err);
    if (st == LOP_OK) st = ops_window_pair(call, "dilations", spatial, t->dilation, err);
    if (st == LOP_OK && strcmp(mode, "NOTSET") == 0) st = ops_window_pads(call, spatial, t->pad, err);
    if (st == LOP_OK) st = ops_ints(call, "output_shape", -1, asked, 2, &sizes, err);
    if (st == LOP_OK) st = ops_ints(call, "output_padding", -1, extra, 2, &extras, err);
    if (st != LOP_OK) return st;
    if ((sizes >= 0 && sizes != spatial) || (extras >= 0 && extras != spatial))
        return lop_fail(err, LOP_E_FORMAT, "output_shape or output_padding: %d entries expected", spatial);
    for (int d = 2 - spatial; d < 2; d++) {
        const int i = d - (2 - spatial);
        if (extra[i] < 0 || extra[i] > INT32_MAX || (sizes > 0 && (asked[i] < 1 || asked[i] > INT32_MAX)))
            return lop_fail(err, LOP_E_FORMAT, "output_shape or output_padding is out of range");
        const int64_t full = t->stride[d] * (t->in[d] - 1) + extra[i] + (t->k[d] - 1) * t->dilation[d] + 1;
        if (sizes >= 0) split_pad(t, d, full - asked[i], upper);
        else if (same) split_pad(t, d, full - t->in[d] * t->stride[d], upper);
        t->out[d] = sizes >= 0 ? asked[i] : full - t->pad[d] - t->pad[d + 2];
        if (t->out[d] < 1) return lop_fail(err, LOP_E_SHAPE, "padding leaves no pixel of %" PRId64, full);
    }
    if (spatial == 1) t->out[0] = 1;
    return LOP_OK;
}

static lop_status transposed_read(const lop_op_call *call, transposed *t, lop_error *err)
{
    lop_status st = check_weight(call, t, err);
    return st == LOP_OK ? read_params(call, t, err) : st;
}

lop_status ops_conv_transpose_shape(const lop_op_call *call, lop_error *err)
{
    transposed t;
    lop_status st = transposed_read(call, &t, err);
    if (st != LOP_OK) return st;
    const int ndim = call->in[0]->shape.ndim;
    lop_shape y = {ndim, {call->in[0]->shape.dim[0], t.n, ndim == 4 ? t.out[0] : t.out[1], t.out[1]}};
    return ops_set(call, 0, LOP_F32, &y, err);
}

typedef struct { transposed t; const float *x, *w, *bias; float *y; } adding;

/* One weight over one input plane. */
static void add_tap(const transposed *t, const float *x, float weight, int64_t ky, int64_t kx, float *y)
{
    for (int64_t i = 0; i < t->in[0]; i++) {
        const int64_t oy = i * t->stride[0] + ky * t->dilation[0] - t->pad[0];
        if (oy < 0 || oy >= t->out[0]) continue;
        for (int64_t j = 0; j < t->in[1]; j++) {
            const int64_t ox = j * t->stride[1] + kx * t->dilation[1] - t->pad[1];
            if (ox >= 0 && ox < t->out[1]) y[oy * t->out[1] + ox] += weight * x[i * t->in[1] + j];
        }
    }
}

static void add_planes(void *context, int64_t begin, int64_t end)
{
    const adding *a = context;
    const transposed *t = &a->t;
    const int64_t taps = t->k[0] * t->k[1], in = t->in[0] * t->in[1], out = t->out[0] * t->out[1];
    const int64_t per_group = t->n / t->group, from_group = t->c / t->group;
    for (int64_t p = begin; p < end; p++) {
        const int64_t image = p / t->n, f = p % t->n, first = f / per_group * from_group;
        float *y = a->y + p * out;
        memset(y, 0, (size_t)out * sizeof *y);
        for (int64_t c = first; c < first + from_group; c++)
            for (int64_t k = 0; k < taps; k++)
                add_tap(t, a->x + (image * t->c + c) * in, a->w[(c * per_group + f % per_group) * taps + k],
                        k / t->k[1], k % t->k[1], y);
        for (int64_t i = 0; a->bias && i < out; i++) y[i] += a->bias[f];
    }
}

lop_status ops_conv_transpose_forward(const lop_op_call *call, lop_error *err)
{
    adding a = {.x = call->in[0]->data, .w = call->in[1]->data, .bias = ops_has(call, 2) ? call->in[2]->data : NULL,
                .y = call->out[0].data};
    lop_status st = transposed_read(call, &a.t, err);
    if (st == LOP_OK) ops_spread(call->team, call->in[0]->shape.dim[0] * a.t.n, 1, add_planes, &a);
    return st;
}

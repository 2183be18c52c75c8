/* core/ops/conv.c - Conv (opset 11), BatchNormalization (15, inference), MaxPool (12), AveragePool (11), GlobalAveragePool. */
#include "ops/ops_impl.h"
#include <math.h>
#include <string.h>

/* kernel, stride, pad, dilation of a window over x; ow by the ONNX formula. out_h and out_w come out too. */
typedef struct { int64_t k[2], stride[2], pad[4], dilation[2], out[2]; } window;

static lop_status pads_of(const lop_op_call *c, const int64_t in[2], window *w, lop_error *err)
{
    const char *automatic = lop_node_string(c->node, "auto_pad", "NOTSET");
    if (strcmp(automatic, "NOTSET") == 0) {
        const int64_t n = lop_node_ints(c->node, "pads", w->pad, 4);
        return n == -1 || n == 4 ? LOP_OK : lop_fail(err, LOP_E_UNSUPPORTED, "pads has %" PRId64 " entries, 4 expected", n);
    }
    for (int d = 0; d < 2 && strcmp(automatic, "VALID") != 0; d++) {
        const int64_t out = (in[d] + w->stride[d] - 1) / w->stride[d];
        int64_t total = (out - 1) * w->stride[d] + w->dilation[d] * (w->k[d] - 1) + 1 - in[d];
        if (total < 0) total = 0;
        w->pad[d] = strcmp(automatic, "SAME_LOWER") == 0 ? (total + 1) / 2 : total / 2;
        w->pad[d + 2] = total - w->pad[d];
    }
    return LOP_OK;
}

static lop_status window_of(const lop_op_call *c, const int64_t in[2], window *w, lop_error *err)
{
    const bool ceil_mode = lop_node_int(c->node, "ceil_mode", 0) != 0;
    static const char *const keys[] = {"kernel_shape", "strides", "dilations"};
    int64_t *to[] = {w->k, w->stride, w->dilation};
    for (int i = 0; i < 3; i++) {
        const int64_t n = lop_node_ints(c->node, keys[i], to[i], 2);
        if (n != -1 && n != 2) return lop_fail(err, LOP_E_UNSUPPORTED, "%s has %" PRId64 " entries, 2 expected", keys[i], n);
        for (int d = 0; d < 2; d++)
            if (to[i][d] < 1 || to[i][d] > INT32_MAX)
                return lop_fail(err, LOP_E_SHAPE, "%s is %" PRId64 ", 1 or more expected", keys[i], to[i][d]);
    }
    lop_status st = pads_of(c, in, w, err);
    for (int d = 0; st == LOP_OK && d < 2; d++) {
        if (w->pad[d] < 0 || w->pad[d + 2] < 0 || w->pad[d] > INT32_MAX || w->pad[d + 2] > INT32_MAX)
            return lop_fail(err, LOP_E_SHAPE, "pads is negative, or past 2^31");
        const int64_t span = in[d] + w->pad[d] + w->pad[d + 2] - w->dilation[d] * (w->k[d] - 1) - 1;
        if (span < 0) return lop_fail(err, LOP_E_SHAPE, "the window is larger than the padded input");
        w->out[d] = (ceil_mode ? (span + w->stride[d] - 1) / w->stride[d] : span / w->stride[d]) + 1;
        if (ceil_mode && (w->out[d] - 1) * w->stride[d] >= in[d] + w->pad[d]) w->out[d]--;      /* begins in the padding */
    }
    return st;
}

lop_status lop_ops_conv_params(const lop_op_call *c, lop_conv *out, lop_error *err)
{
    lop_status st = ops_need(c, 0, err);
    if (st == LOP_OK) st = ops_need(c, 1, err);
    if (st != LOP_OK) return st;
    const lop_shape *x = &c->in[0]->shape, *w = &c->in[1]->shape;
    if (x->ndim != 4) return lop_fail(err, LOP_E_UNSUPPORTED, "input has %d dimensions, 4 expected", x->ndim);
    if (w->ndim != 4) return lop_fail(err, LOP_E_SHAPE, "weight has %d dimensions, 4 expected", w->ndim);
    window win = {.k = {w->dim[2], w->dim[3]}, .stride = {1, 1}, .dilation = {1, 1}};
    const int64_t group = lop_node_int(c->node, "group", 1);
    if (group < 1 || x->dim[1] % group || w->dim[0] % group || w->dim[1] != x->dim[1] / group)
        return lop_fail(err, LOP_E_SHAPE, "weight reads %" PRId64 " channels in %" PRId64 " groups, the input has %" PRId64,
                        w->dim[1], group, x->dim[1]);
    st = window_of(c, x->dim + 2, &win, err);
    if (st == LOP_OK && (win.k[0] != w->dim[2] || win.k[1] != w->dim[3]))
        st = lop_fail(err, LOP_E_SHAPE, "kernel_shape and the weight's shape differ");
    const lop_tensor *b = ops_in(c, 2);
    if (st == LOP_OK && b && lop_tensor_size(b) != w->dim[0])
        st = lop_fail(err, LOP_E_SHAPE, "bias has %" PRId64 " entries, %" PRId64 " expected", lop_tensor_size(b), w->dim[0]);
    *out = (lop_conv){.c = x->dim[1], .h = x->dim[2], .w = x->dim[3], .n = w->dim[0], .oh = win.out[0], .ow = win.out[1],
                      .kh = win.k[0], .kw = win.k[1], .group = group};
    memcpy(out->stride, win.stride, sizeof win.stride);
    memcpy(out->pad, win.pad, sizeof win.pad);
    memcpy(out->dilation, win.dilation, sizeof win.dilation);
    return st;
}

lop_status ops_conv_shape(const lop_op_call *c, lop_error *err)
{
    lop_conv p;
    lop_status st = lop_ops_conv_params(c, &p, err);
    if (st == LOP_OK) ops_set(c->out, c->in[0]->type, &(lop_shape){4, {c->in[0]->shape.dim[0], p.n, p.oh, p.ow}});
    return st;
}

lop_status ops_conv_forward(const lop_op_call *c, lop_error *err)
{
    lop_conv p;
    lop_cpu cpu;
    lop_conv_plan *plan = NULL;
    if (c->in[0]->type != LOP_F32) return lop_fail(err, LOP_E_UNSUPPORTED, "%s input, float32 expected", lop_dtype_name(c->in[0]->type));
    lop_status st = lop_ops_conv_params(c, &p, err);
    if (st == LOP_OK) st = lop_cpu_best(&cpu, err);
    if (st == LOP_OK) st = lop_conv_plan_new(&p, c->in[1]->data, cpu, &plan, err);
    void *scratch = st == LOP_OK ? lop_array((int64_t)lop_conv_scratch(plan), 1, err) : NULL;
    if (st == LOP_OK && !scratch) st = LOP_E_MEMORY;
    const lop_epilogue e = {.bias = ops_in(c, 2) ? c->in[2]->data : NULL};
    for (int64_t i = 0; st == LOP_OK && i < c->in[0]->shape.dim[0]; i++)
        lop_conv_run(plan, (const float *)c->in[0]->data + i * p.c * p.h * p.w, &e, scratch, c->team,
                     (float *)c->out->data + i * p.n * p.oh * p.ow);
    lop_free(scratch);
    lop_conv_plan_free(plan);
    return st;
}

lop_status lop_ops_bn_affine(const lop_op_call *c, float *scale, float *shift, lop_error *err)
{
    const double epsilon = (double)lop_node_float(c->node, "epsilon", 1e-5f);
    for (int i = 0; i < 5; i++) {
        lop_status st = ops_need(c, i, err);
        if (st != LOP_OK) return st;
        if (i && (!c->in[i]->data || lop_tensor_size(c->in[i]) != c->in[0]->shape.dim[1]))
            return lop_fail(err, LOP_E_SHAPE, "input %d is no constant of one entry a channel", i + 1);
    }
    for (int64_t j = 0; j < c->in[0]->shape.dim[1]; j++) {
        const double s = lop_tensor_get(c->in[1], j) / sqrt(lop_tensor_get(c->in[4], j) + epsilon);
        scale[j] = (float)s;
        shift[j] = (float)(lop_tensor_get(c->in[2], j) - lop_tensor_get(c->in[3], j) * s);
    }
    return LOP_OK;
}

lop_status ops_norm_shape(const lop_op_call *c, lop_error *err)
{
    lop_status st = ops_need(c, 0, err);
    if (st != LOP_OK) return st;
    if (c->in[0]->shape.ndim < 2) return lop_fail(err, LOP_E_SHAPE, "input has %d dimensions, 2 or more expected", c->in[0]->shape.ndim);
    if (c->nout > 1) return lop_fail(err, LOP_E_UNSUPPORTED, "training mode");
    ops_set(c->out, c->in[0]->type, &c->in[0]->shape);
    return LOP_OK;
}

lop_status ops_norm_forward(const lop_op_call *c, lop_error *err)
{
    const lop_shape *s = &c->in[0]->shape;
    const int64_t channels = s->dim[1], size = ops_product(s, 2, s->ndim);
    float *scale = lop_array(channels, sizeof *scale, err), *shift = lop_array(channels, sizeof *shift, err);
    lop_status st = scale && shift ? lop_ops_bn_affine(c, scale, shift, err) : LOP_E_MEMORY;
    for (int64_t i = 0; st == LOP_OK && i < s->dim[0]; i++)
        lop_map_affine(channels, size, scale, shift, (const float *)c->in[0]->data + i * channels * size,
                       (float *)c->out->data + i * channels * size);
    lop_free(scale);
    lop_free(shift);
    return st;
}

lop_status lop_ops_pool_params(const lop_op_call *c, lop_pool *out, lop_error *err)
{
    lop_status st = ops_need(c, 0, err);
    if (st != LOP_OK) return st;
    const lop_shape *x = &c->in[0]->shape;
    if (x->ndim != 4 || c->nout > 1) return lop_fail(err, LOP_E_UNSUPPORTED, "4 dimensions and one output expected");
    window w = {.k = {0, 0}, .stride = {1, 1}, .dilation = {1, 1}};
    st = window_of(c, x->dim + 2, &w, err);
    *out = (lop_pool){.h = x->dim[2], .w = x->dim[3], .oh = w.out[0], .ow = w.out[1], .kh = w.k[0], .kw = w.k[1],
                      .count_pad = lop_node_int(c->node, "count_include_pad", 0) != 0};
    memcpy(out->stride, w.stride, sizeof w.stride);
    memcpy(out->pad, w.pad, sizeof w.pad);
    memcpy(out->dilation, w.dilation, sizeof w.dilation);
    return st;
}

lop_status ops_pool_shape(const lop_op_call *c, lop_error *err)
{
    lop_pool p;
    lop_status st = lop_ops_pool_params(c, &p, err);
    if (st == LOP_OK) ops_set(c->out, c->in[0]->type, &(lop_shape){4, {c->in[0]->shape.dim[0], c->in[0]->shape.dim[1], p.oh, p.ow}});
    return st;
}

lop_status ops_pool_forward(const lop_op_call *c, lop_error *err)
{
    lop_pool p;
    lop_cpu cpu;
    const int64_t planes = ops_product(&c->in[0]->shape, 0, 2);
    lop_status st = lop_ops_pool_params(c, &p, err);
    if (st == LOP_OK) st = lop_cpu_best(&cpu, err);
    if (st != LOP_OK) return st;
    if (strcmp(c->node->op, "MaxPool") == 0) lop_pool_max(&p, planes, c->in[0]->data, c->out->data, cpu);
    else lop_pool_mean(&p, planes, c->in[0]->data, c->out->data, cpu);
    return LOP_OK;
}

lop_status ops_global_pool_shape(const lop_op_call *c, lop_error *err)
{
    lop_status st = ops_need(c, 0, err);
    if (st != LOP_OK) return st;
    lop_shape s = c->in[0]->shape;
    if (s.ndim < 3) return lop_fail(err, LOP_E_SHAPE, "input has %d dimensions, 3 or more expected", s.ndim);
    for (int d = 2; d < s.ndim; d++) s.dim[d] = 1;
    ops_set(c->out, c->in[0]->type, &s);
    return LOP_OK;
}

lop_status ops_global_pool_forward(const lop_op_call *c, lop_error *err)
{
    const lop_shape *s = &c->in[0]->shape;
    (void)err;
    lop_pool_global_mean(ops_product(s, 0, 2), ops_product(s, 2, s->ndim), c->in[0]->data, c->out->data);
    return LOP_OK;
}

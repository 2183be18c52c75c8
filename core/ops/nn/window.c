/* core/ops/nn/window.c - kernel, stride, padding and dilation of convolutions and pools: attributes to numbers. Fewer
 * than three spatial dimensions are the last ones of a volume: the others are 1. */
#include "ops/ops_impl.h"
#include <string.h>

lop_status ops_window_sizes(const lop_op_call *call, const char *name, int spatial, int64_t size[3], lop_error *err)
{
    int64_t list[3];
    const int64_t n = lop_node_ints(call->node, name, list, 3);
    size[0] = size[1] = size[2] = 1;
    if (n < 0) return LOP_OK;
    if (n != spatial) return lop_fail(err, LOP_E_FORMAT, "%s has %" PRId64 " entries, %d expected", name, n, spatial);
    for (int i = 0; i < spatial; i++) {
        if (list[i] < 1 || list[i] > INT32_MAX)
            return lop_fail(err, LOP_E_FORMAT, "%s[%d] is %" PRId64 ", 1 or more expected", name, i, list[i]);
        size[3 - spatial + i] = list[i];
    }
    return LOP_OK;
}

lop_status ops_window_kernel(const lop_op_call *call, int spatial, int64_t k[3], lop_error *err)
{
    if (!lop_node_attr(call->node, "kernel_shape")) return lop_fail(err, LOP_E_FORMAT, "kernel_shape is missing");
    return ops_window_sizes(call, "kernel_shape", spatial, k, err);
}

lop_status ops_window_pads(const lop_op_call *call, int spatial, int64_t pad[6], lop_error *err)
{
    int64_t list[6];
    const int64_t n = lop_node_ints(call->node, "pads", list, 6);
    memset(pad, 0, 6 * sizeof *pad);
    if (n < 0) return LOP_OK;
    if (n != 2 * spatial)
        return lop_fail(err, LOP_E_FORMAT, "pads has %" PRId64 " entries, %d expected", n, 2 * spatial);
    for (int i = 0; i < 2 * spatial; i++) {
        if (list[i] < 0 || list[i] > INT32_MAX)
            return lop_fail(err, LOP_E_FORMAT, "pads[%d] is %" PRId64 ", 0 or more expected", i, list[i]);
        pad[i < spatial ? 3 - spatial + i : 6 - 2 * spatial + i] = list[i];
    }
    return LOP_OK;
}

lop_status ops_window_input(const lop_op_call *call, int *spatial, int64_t in[3], lop_error *err)
{
    const lop_shape *x = &call->in[0]->shape;
    *spatial = x->ndim - 2;
    if (x->ndim < 3) return lop_fail(err, LOP_E_SHAPE, "input has %d dimensions, 3 to 5 expected", x->ndim);
    if (x->ndim > 5) return lop_fail(err, LOP_E_UNSUPPORTED, "%d spatial dimensions: 1 to 3 are built", *spatial);
    in[0] = in[1] = in[2] = 1;
    for (int d = 2; d < x->ndim; d++) {
        if (x->dim[d] < 1 || x->dim[d] > INT32_MAX)
            return lop_fail(err, LOP_E_SHAPE, "input has %" PRId64 " pixels along dimension %d", x->dim[d], d);
        in[3 - x->ndim + d] = x->dim[d];
    }
    return LOP_OK;
}

void ops_window_shape(const ops_window *w, int spatial, int64_t images, int64_t channels, lop_shape *y)
{
    *y = (lop_shape){spatial + 2, {images, channels}};
    for (int i = 0; i < spatial; i++) y->dim[2 + i] = w->out[3 - spatial + i];
}

/* auto_pad SAME: ceil(in / stride) outputs; an odd pixel of padding goes to the end (UPPER) or the start (LOWER). */
static void pad_same(ops_window *w, int d, bool upper)
{
    w->out[d] = (w->in[d] + w->stride[d] - 1) / w->stride[d];
    const int64_t reach = (w->k[d] - 1) * w->dilation[d] + 1;
    int64_t total = (w->out[d] - 1) * w->stride[d] + reach - w->in[d];
    if (total < 0) total = 0;
    w->pad[d] = upper ? total / 2 : total - total / 2;
    w->pad[d + 3] = total - w->pad[d];
}

static lop_status fit(ops_window *w, int d, bool ceil, lop_error *err)
{
    const int64_t reach = (w->k[d] - 1) * w->dilation[d] + 1, room = w->in[d] + w->pad[d] + w->pad[d + 3] - reach;
    if (room < 0)
        return lop_fail(err, LOP_E_SHAPE, "a kernel that spans %" PRId64 " pixels on an input of %" PRId64 " + %" PRId64
                        " of padding", reach, w->in[d], w->pad[d] + w->pad[d + 3]);
    w->out[d] = (room + (ceil ? w->stride[d] - 1 : 0)) / w->stride[d] + 1;
    /* A window that begins in the padding at the end holds no pixel: it is none. */
    if (ceil && (w->out[d] - 1) * w->stride[d] >= w->in[d] + w->pad[d]) w->out[d]--;
    return LOP_OK;
}

lop_status ops_window_read(const lop_op_call *call, const int64_t k[3], bool ceil, ops_window *w, lop_error *err)
{
    int spatial;
    const char *pads = lop_node_string(call->node, "auto_pad", "NOTSET");
    *w = (ops_window){.k = {k[0], k[1], k[2]}};
    lop_status st = ops_window_input(call, &spatial, w->in, err);
    if (st == LOP_OK) st = ops_window_sizes(call, "strides", spatial, w->stride, err);
    if (st == LOP_OK) st = ops_window_sizes(call, "dilations", spatial, w->dilation, err);
    if (st == LOP_OK && strcmp(pads, "NOTSET") == 0) st = ops_window_pads(call, spatial, w->pad, err);
    for (int d = 0; st == LOP_OK && d < 3; d++) {
        if (strcmp(pads, "SAME_UPPER") == 0 || strcmp(pads, "SAME_LOWER") == 0) pad_same(w, d, pads[5] == 'U');
        else if (strcmp(pads, "NOTSET") == 0 || strcmp(pads, "VALID") == 0) st = fit(w, d, ceil, err);
        else st = lop_fail(err, LOP_E_FORMAT, "auto_pad is '%.30s'", pads);
    }
    return st;
}

/* core/ops/image/roi_align.c - RoiAlign (opsets 10, 16): regions of a picture, each cut into a grid of bins; a bin is
 * the mean, or the largest, of samples between the pixels. Formulas: He et al., Mask R-CNN, ICCV 2017; ONNX's
 * reference. */
#include "ops/ops_impl.h"
#include <math.h>
#include <string.h>

typedef struct {
    int64_t channels, h, w, oh, ow, ratio;
    float scale, offset;
    bool max;
    const float *x, *region;
    const lop_tensor *batch;
    float *y;
} roi_align;

static lop_status roi_read(const lop_op_call *call, roi_align *r, lop_error *err)
{
    lop_status st = ops_need(call, 3, 3, err);
    for (int i = 0; st == LOP_OK && i < 2; i++) st = ops_need_f32(call, i, err);
    if (st != LOP_OK) return st;
    const lop_shape *x = &call->in[0]->shape, *roi = &call->in[1]->shape, *batch = &call->in[2]->shape;
    const char *mode = lop_node_string(call->node, "mode", "avg");
    const char *where = lop_node_string(call->node, "coordinate_transformation_mode", "half_pixel");
    const bool half = call->opset >= 16 && strcmp(where, "half_pixel") == 0;
    *r = (roi_align){.oh = lop_node_int(call->node, "output_height", 1),
                     .ow = lop_node_int(call->node, "output_width", 1),
                     .ratio = lop_node_int(call->node, "sampling_ratio", 0), .max = strcmp(mode, "max") == 0,
                     .scale = lop_node_float(call->node, "spatial_scale", 1.0f), .offset = half ? 0.5f : 0.0f};
    if (x->ndim != 4 || x->dim[2] < 1 || x->dim[3] < 1)
        return lop_fail(err, LOP_E_SHAPE, "input has %d dimensions, 4 of pixels expected", x->ndim);
    if (roi->ndim != 2 || roi->dim[1] != 4 || batch->ndim != 1 || batch->dim[0] != roi->dim[0])
        return lop_fail(err, LOP_E_SHAPE, "regions (n, 4) and n numbers of images expected");
    if (call->in[2]->type != LOP_I64)
        return lop_fail(err, LOP_E_SHAPE, "batch_indices is %s", lop_dtype_name(call->in[2]->type));
    if (!r->max && strcmp(mode, "avg") != 0) return lop_fail(err, LOP_E_FORMAT, "mode is '%.30s'", mode);
    if (!half && strcmp(where, "half_pixel") != 0 && strcmp(where, "output_half_pixel") != 0)
        return lop_fail(err, LOP_E_FORMAT, "coordinate_transformation_mode is '%.30s'", where);
    if (r->oh < 1 || r->ow < 1 || r->oh > INT32_MAX || r->ow > INT32_MAX || r->ratio < 0 || r->ratio > INT16_MAX)
        return lop_fail(err, LOP_E_FORMAT, "output_height, output_width or sampling_ratio is out of range");
    r->channels = x->dim[1];
    r->h = x->dim[2];
    r->w = x->dim[3];
    return LOP_OK;
}

lop_status ops_roi_align_shape(const lop_op_call *call, lop_error *err)
{
    roi_align r;
    lop_status st = roi_read(call, &r, err);
    if (st != LOP_OK) return st;
    const lop_shape y = {4, {call->in[1]->shape.dim[0], r.channels, r.oh, r.ow}};
    return ops_set(call, 0, LOP_F32, &y, err);
}

/* The two pixels about a place along a dimension of n, and the second one's weight; false: too far outside. */
static bool about(float at, int64_t n, int64_t pixel[2], float *weight)
{
    if (!(at >= -1 && at <= (float)n)) return false;
    const float x = at > 0 ? at : 0;
    pixel[0] = (int64_t)x;
    if (pixel[0] >= n - 1) {
        pixel[0] = pixel[1] = n - 1;
        *weight = 0;
    } else {
        pixel[1] = pixel[0] + 1;
        *weight = x - (float)pixel[0];
    }
    return true;
}

/* A sample's value; for the largest, that of its four weighted pixels, as the reference has it. */
static float sample(const roi_align *r, const float *x, float at_y, float at_x)
{
    int64_t row[2], col[2];
    float wy, wx;
    if (!about(at_y, r->h, row, &wy) || !about(at_x, r->w, col, &wx)) return 0;
    const float a = (1 - wy) * (1 - wx) * x[row[0] * r->w + col[0]], b = (1 - wy) * wx * x[row[0] * r->w + col[1]];
    const float c = wy * (1 - wx) * x[row[1] * r->w + col[0]], d = wy * wx * x[row[1] * r->w + col[1]];
    return r->max ? fmaxf(fmaxf(a, b), fmaxf(c, d)) : a + b + c + d;
}

/* start, size of a bin and samples along it; in this order for rows and columns. */
typedef struct { float start, bin; int64_t samples; } bins;

static bins bins_of(const roi_align *r, float begin, float end, int64_t count)
{
    bins b = {.start = begin * r->scale - r->offset};
    float size = end * r->scale - r->offset - b.start;
    if (r->offset == 0.0f && !(size > 1)) size = 1;
    b.bin = size / (float)count;
    const float enough = ceilf(b.bin);
    b.samples = r->ratio > 0 ? r->ratio : enough >= 1 ? enough < INT16_MAX ? (int64_t)enough : INT16_MAX : 0;
    return b;
}

static float bin_value(const roi_align *r, const float *x, const bins *by, const bins *bx, int64_t oy, int64_t ox)
{
    float sum = 0;
    bool any = false;
    for (int64_t i = 0; i < by->samples; i++)
        for (int64_t j = 0; j < bx->samples; j++) {
            const float at_y = by->start + (float)oy * by->bin + ((float)i + 0.5f) * by->bin / (float)by->samples;
            const float at_x = bx->start + (float)ox * bx->bin + ((float)j + 0.5f) * bx->bin / (float)bx->samples;
            const float v = sample(r, x, at_y, at_x);
            if (r->max) sum = any && sum > v ? sum : v;
            else sum += v;
            any = true;
        }
    const int64_t count = by->samples * bx->samples;
    return r->max || count < 1 ? sum : sum / (float)count;
}

static void align_regions(void *context, int64_t begin, int64_t end)
{
    const roi_align *r = context;
    for (int64_t i = begin; i < end; i++) {
        const int64_t region = i / r->channels, channel = i % r->channels;
        const int64_t image = ((const int64_t *)r->batch->data)[region];
        const float *roi = r->region + region * 4, *x = r->x + (image * r->channels + channel) * r->h * r->w;
        const bins bx = bins_of(r, roi[0], roi[2], r->ow), by = bins_of(r, roi[1], roi[3], r->oh);
        float *y = r->y + i * r->oh * r->ow;
        for (int64_t o = 0; o < r->oh * r->ow; o++) y[o] = bin_value(r, x, &by, &bx, o / r->ow, o % r->ow);
    }
}

lop_status ops_roi_align_forward(const lop_op_call *call, lop_error *err)
{
    roi_align r;
    lop_status st = roi_read(call, &r, err);
    if (st != LOP_OK) return st;
    const int64_t regions = call->in[1]->shape.dim[0], images = call->in[0]->shape.dim[0];
    r.x = call->in[0]->data;
    r.region = call->in[1]->data;
    r.batch = call->in[2];
    r.y = call->out[0].data;
    for (int64_t i = 0; i < regions; i++) {
        const int64_t image = ((const int64_t *)r.batch->data)[i];
        if (image < 0 || image >= images)
            return lop_fail(err, LOP_E_SHAPE, "region #%" PRId64 ": image %" PRId64 " of %" PRId64, i, image, images);
    }
    ops_spread(call->team, regions * r.channels, 1, align_regions, &r);
    return LOP_OK;
}

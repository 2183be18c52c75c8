/* core/ops/image/resize.c - Resize and Upsample: nearest by the element map, linear and cubic dimension by dimension.
 * Coordinates are float32, as in ONNX Runtime: which pixel is nearest hangs on their rounding. */
#include "ops/image/resize_impl.h"
#include <math.h>
#include <string.h>

/* Where in the input, in pixels, output pixel i of dimension d lies. */
static float coordinate(const resize *r, int d, int64_t in, int64_t i)
{
    const float x = (float)i, n = (float)in, m = (float)r->out.dim[d], scale = r->scale[d];
    switch (r->where) {
    case RESIZE_HALF_PIXEL: return (x + 0.5f) / scale - 0.5f;
    case RESIZE_HALF_PIXEL_SYMMETRIC: return n / 2 * (1 - m / (scale * n)) + (x + 0.5f) / scale - 0.5f;
    case RESIZE_PYTORCH_HALF_PIXEL: return m > 1 ? (x + 0.5f) / scale - 0.5f : 0.0f;
    case RESIZE_ALIGN_CORNERS: return m > 1 ? x * (n - 1) / (m - 1) : 0.0f;
    case RESIZE_TF_HALF_PIXEL_FOR_NN: return (x + 0.5f) / scale;
    case RESIZE_CROP:
        return m > 1 ? r->start[d] * (n - 1) + x * (r->end[d] - r->start[d]) * (n - 1) / (m - 1)
                     : 0.5f * (r->start[d] + r->end[d]) * (n - 1);
    case RESIZE_ASYMMETRIC: break;
    }
    return x / scale;
}

/* A crop's pixels outside the input have the extrapolation value. */
static bool outside(const resize *r, int64_t in, float at)
{
    return r->where == RESIZE_CROP && (at < 0 || at > (float)(in - 1));
}

/* Resize leaves this dimension alone: its places need no rounding. */
static bool untouched(const resize *r, int d, int64_t in)
{
    return r->out.dim[d] == in && r->scale[d] == 1.0f && r->where != RESIZE_CROP;
}

lop_status ops_resize_shape(const lop_op_call *call, lop_error *err)
{
    resize r;
    lop_status st = resize_read(call, &r, err);
    if (st == LOP_OK && r.mode != RESIZE_NEAREST) st = ops_need_f32(call, 0, err);
    return st == LOP_OK ? ops_set(call, 0, call->in[0]->type, &r.out, err) : st;
}

/* ---- nearest ---- */

static int64_t nearest(const resize *r, int d, float at, int64_t in)
{
    const bool half = at == floorf(at) + 0.5f;
    float n = floorf(at);
    if (r->round == RESIZE_ROUND_FLOOR && !half) n = roundf(at);
    if (r->round == RESIZE_ROUND_CEIL) n = half ? ceilf(at) : roundf(at);
    if (r->round == RESIZE_CEIL || (r->round == RESIZE_SIMPLE && r->scale[d] < 1.0f)) n = ceilf(at);
    return n < 0.0f ? 0 : n > (float)(in - 1) ? in - 1 : (int64_t)n;
}

static lop_status run_nearest(const lop_op_call *call, const resize *r, lop_error *err)
{
    const lop_tensor *x = call->in[0];
    int64_t stride[LOP_MAX_DIMS], value = 0;
    lop_tensor fill = {.type = x->type, .data = &value};
    ops_map m;
    lop_status st = ops_map_init(&m, &r->out, err);
    if (st != LOP_OK) return st;
    ops_strides(&x->shape, stride);
    lop_tensor_set(&fill, 0, (double)r->extrapolation);
    for (int d = 0; d < r->out.ndim; d++)
        for (int64_t i = 0; i < m.n[d]; i++) {
            const int64_t in = x->shape.dim[d];
            const float at = coordinate(r, d, in, i);
            if (untouched(r, d, in)) m.offset[d][i] = i * stride[d];
            else m.offset[d][i] = outside(r, in, at) ? OPS_FILL : nearest(r, d, at, in) * stride[d];
        }
    ops_map_run(&m, lop_dtype_size(x->type), x->data, fill.data, call->out[0].data, call->team);
    ops_map_clear(&m);
    return LOP_OK;
}

/* ---- linear and cubic: each output pixel a weighted sum of 2 or 4 input pixels along the dimension ---- */

enum { TAPS = 4 };
typedef struct { int64_t from[TAPS]; float weight[TAPS]; bool outside; } sample;
typedef struct {
    int64_t n, m, inner;
    int taps;
    float extrapolation;
    const sample *list;
    const float *x;
    float *y;
} pass;

static void linear_sample(float at, int64_t in, sample *s)
{
    const float c = at < 0 ? 0 : at > (float)(in - 1) ? (float)(in - 1) : at;
    const int64_t low = (int64_t)c, high = low + 1 < in ? low + 1 : in - 1;
    s->from[0] = low;
    s->from[1] = high;
    s->weight[1] = c - (float)low;
    s->weight[0] = 1 - s->weight[1];
}

/* Keys' cubic convolution kernel. */
static float cubic_weight(float a, float distance)
{
    const float t = fabsf(distance);
    if (t <= 1) return ((a + 2) * t - (a + 3)) * t * t + 1;
    return t < 2 ? ((a * t - 5 * a) * t + 8 * a) * t - 4 * a : 0;
}

static void cubic_sample(const resize *r, float at, int64_t in, sample *s)
{
    const int64_t low = (int64_t)floorf(at);
    float total = 0;
    for (int t = 0; t < TAPS; t++) {
        const int64_t from = low - 1 + t;
        const bool in_there = from >= 0 && from < in;
        s->from[t] = from < 0 ? 0 : from >= in ? in - 1 : from;
        s->weight[t] = r->exclude_outside && !in_there ? 0 : cubic_weight(r->cubic_a, at - (float)from);
        total += s->weight[t];
    }
    for (int t = 0; r->exclude_outside && t < TAPS; t++) s->weight[t] /= total;
}

static sample *samples(const resize *r, int d, int64_t in, lop_error *err)
{
    sample *list = lop_array(r->out.dim[d], sizeof *list, err);
    for (int64_t i = 0; list && i < r->out.dim[d]; i++) {
        const float at = coordinate(r, d, in, i);
        list[i].outside = outside(r, in, at);
        if (r->mode == RESIZE_LINEAR) linear_sample(at, in, &list[i]);
        else cubic_sample(r, at, in, &list[i]);
    }
    return list;
}

static void pass_rows(void *context, int64_t begin, int64_t end)
{
    const pass *p = context;
    for (int64_t row = begin; row < end; row++) {
        const sample *s = &p->list[row % p->m];
        const float *x = p->x + row / p->m * p->n * p->inner;
        float *y = p->y + row * p->inner;
        for (int64_t i = 0; i < p->inner; i++) {
            float sum = 0;
            for (int t = 0; t < p->taps; t++) sum += s->weight[t] * x[s->from[t] * p->inner + i];
            y[i] = s->outside ? p->extrapolation : sum;
        }
    }
}

/* One dimension: x (outer, n, inner) to y (outer, m, inner). */
static lop_status run_pass(const resize *r, int d, const lop_shape *shape, const float *x, float *y, lop_team *team,
                           lop_error *err)
{
    sample *list = samples(r, d, shape->dim[d], err);
    if (!list) return LOP_E_MEMORY;
    pass p = {shape->dim[d], r->out.dim[d], ops_inner(shape, d), r->mode == RESIZE_LINEAR ? 2 : TAPS, r->extrapolation,
              list, x, y};
    if (p.m > 0) ops_spread(team, ops_outer(shape, d) * p.m, ops_grain(p.inner), pass_rows, &p);
    lop_free(list);
    return LOP_OK;
}

static lop_status run_weighted(const lop_op_call *call, const resize *r, lop_error *err)
{
    lop_tensor now, next = {0};
    lop_tensor_share(&now, call->in[0]);
    lop_status st = LOP_OK;
    for (int d = r->out.ndim - 1; st == LOP_OK && d >= 0; d--) {
        lop_shape shape = now.shape;
        if (untouched(r, d, shape.dim[d])) continue;
        shape.dim[d] = r->out.dim[d];
        st = lop_tensor_init(&next, LOP_F32, &shape, err);
        if (st == LOP_OK) st = run_pass(r, d, &now.shape, now.data, next.data, call->team, err);
        lop_tensor_clear(&now);
        now = next;
        next = (lop_tensor){0};
    }
    if (st == LOP_OK && lop_tensor_bytes(&now) > 0) memcpy(call->out[0].data, now.data, lop_tensor_bytes(&now));
    lop_tensor_clear(&now);
    return st;
}

lop_status ops_resize_forward(const lop_op_call *call, lop_error *err)
{
    resize r;
    lop_status st = resize_read(call, &r, err);
    if (st != LOP_OK) return st;
    return r.mode == RESIZE_NEAREST ? run_nearest(call, &r, err) : run_weighted(call, &r, err);
}

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
    return r->where == RESIZE_CROP && !(at >= 0 && at <= (float)(in - 1));       /* a NaN, too */
}

/* Resize leaves this dimension alone: its places need no rounding. */
static bool untouched(const resize *r, int d, int64_t in)
{
    return r->out.dim[d] == in && r->scale[d] == 1.0f && r->where != RESIZE_CROP;
}

/* Weighted sums are taken in float32, and cut to integers where the input is of these. */
static bool is_weighed(lop_dtype type)
{
    return type == LOP_F32 || type == LOP_I32 || type == LOP_I8 || type == LOP_U8;
}

lop_status ops_resize_shape(const lop_op_call *call, lop_error *err)
{
    resize r;
    lop_status st = resize_read(call, &r, err);
    if (st == LOP_OK && r.mode != RESIZE_NEAREST && !is_weighed(call->in[0]->type)) st = ops_need_f32(call, 0, err);
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

/* ---- linear and cubic: each output pixel a weighted sum of neighbouring input pixels along the dimension ---- */

typedef struct {
    int64_t n, m, inner;
    int64_t taps;               /* of each output pixel: input pixels first[i] to first[i] + taps - 1 */
    int64_t *first;
    float *weight;
    bool *outside;
    float extrapolation;
    const float *x;
    float *y;
} pass;

/* Keys' cubic convolution kernel. */
static float cubic_weight(float a, float distance)
{
    const float t = fabsf(distance);
    if (t <= 1) return ((a + 2) * t - (a + 3)) * t * t + 1;
    return t < 2 ? ((a * t - 5 * a) * t + 8 * a) * t - 4 * a : 0;
}

static float weight_of(const resize *r, float distance)
{
    if (r->mode == RESIZE_CUBIC) return cubic_weight(r->cubic_a, distance);
    return fabsf(distance) < 1 ? 1 - fabsf(distance) : 0;
}

/* antialias: the filter is as many times wider as the picture gets smaller. */
static float narrow(const resize *r, int d) { return r->antialias && r->scale[d] < 1 ? r->scale[d] : 1.0f; }

/* How far the filter reaches to either side of a pixel's floor: pixels from 1 - reach to reach. */
static int64_t reach(const resize *r, int d)
{
    return (int64_t)ceilf((r->mode == RESIZE_CUBIC ? 2.0f : 1.0f) / narrow(r, d));
}

/* Pixels that the picture does not have are its edge's again, or count for nothing (exclude_outside). */
static void sample(const resize *r, int d, const pass *p, int64_t i, float at)
{
    const int64_t far = reach(r, d);
    const float scale = narrow(r, d);
    float *w = p->weight + i * p->taps, total = 0;
    if (r->mode == RESIZE_LINEAR && !r->antialias)      /* a place beyond the edge is the edge */
        at = at < 0 ? 0 : at > (float)(p->n - 1) ? (float)(p->n - 1) : at;
    const int64_t low = (int64_t)floorf(at);
    int64_t first = low + 1 - far;
    if (first > p->n - p->taps) first = p->n - p->taps;
    p->first[i] = first < 0 ? 0 : first;
    for (int64_t from = low + 1 - far; from <= low + far; from++) {
        const int64_t inside = from < 0 ? 0 : from >= p->n ? p->n - 1 : from;
        if (r->exclude_outside && inside != from) continue;
        const float weight = weight_of(r, (at - (float)from) * scale);
        w[inside - p->first[i]] += weight;
        total += weight;
    }
    for (int64_t t = 0; (r->exclude_outside || r->antialias) && t < p->taps; t++) w[t] /= total;
}

static void pass_close(pass *p)
{
    lop_free(p->first);
    lop_free(p->weight);
    lop_free(p->outside);
}

static lop_status pass_open(const resize *r, int d, pass *p, lop_error *err)
{
    size_t size;
    p->taps = 2 * reach(r, d) < p->n ? 2 * reach(r, d) : p->n;
    if (!lop_mul_size(&size, (size_t)p->taps, p->m) || size > INT64_MAX)
        return lop_fail(err, LOP_E_MEMORY, "%" PRId64 " by %" PRId64 " weights", p->m, p->taps);
    p->first = lop_array(p->m, sizeof *p->first, err);
    p->outside = lop_array(p->m, sizeof *p->outside, err);
    p->weight = lop_array((int64_t)size, sizeof *p->weight, err);
    if (!p->first || !p->outside || !p->weight) return LOP_E_MEMORY;
    for (int64_t i = 0; i < p->m; i++) {
        const float at = coordinate(r, d, p->n, i);
        p->outside[i] = outside(r, p->n, at);
        if (!p->outside[i]) sample(r, d, p, i, at);
    }
    return LOP_OK;
}

static void pass_rows(void *context, int64_t begin, int64_t end)
{
    const pass *p = context;
    for (int64_t row = begin; row < end; row++) {
        const int64_t place = row % p->m;
        const float *x = p->x + (row / p->m * p->n + p->first[place]) * p->inner, *w = p->weight + place * p->taps;
        float *y = p->y + row * p->inner;
        for (int64_t i = 0; i < p->inner; i++) {
            float sum = 0;
            for (int64_t t = 0; t < p->taps; t++) sum += w[t] * x[t * p->inner + i];
            y[i] = p->outside[place] ? p->extrapolation : sum;
        }
    }
}

/* One dimension: x (outer, n, inner) to y (outer, m, inner). */
static lop_status run_pass(const resize *r, int d, const lop_shape *shape, const float *x, float *y, lop_team *team,
                           lop_error *err)
{
    pass p = {.n = shape->dim[d], .m = r->out.dim[d], .inner = ops_inner(shape, d), .extrapolation = r->extrapolation,
              .x = x, .y = y};
    lop_status st = p.m > 0 ? pass_open(r, d, &p, err) : LOP_OK;
    if (st == LOP_OK && p.m > 0) ops_spread(team, ops_outer(shape, d) * p.m, ops_grain(p.inner), pass_rows, &p);
    pass_close(&p);
    return st;
}

static lop_status run_weighted(const lop_op_call *call, const resize *r, lop_error *err)
{
    lop_tensor now = {0}, next = {0};
    const lop_dtype type = call->in[0]->type;
    lop_status st = LOP_OK;
    if (type == LOP_F32) lop_tensor_share(&now, call->in[0]);
    else st = lop_tensor_cast(&now, call->in[0], LOP_F32, err);
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
    if (st == LOP_OK && type != LOP_F32) {
        st = lop_tensor_cast(&next, &now, type, err);
        lop_tensor_clear(&now);
        now = next;
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

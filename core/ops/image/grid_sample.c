/* core/ops/image/grid_sample.c - GridSample (opsets 16, 20): the input at places that a grid names, -1 at the one edge
 * and 1 at the other, along one to three dimensions; nearest, linear, or cubic (not in volumes). */
#include "ops/ops_impl.h"
#include <math.h>
#include <string.h>

typedef enum { GRID_NEAREST, GRID_LINEAR, GRID_CUBIC } grid_mode;
typedef enum { GRID_ZEROS, GRID_BORDER, GRID_REFLECTION } grid_padding;
typedef struct {
    grid_mode mode;
    grid_padding padding;
    bool corners;               /* -1 and 1 are the middles of the outermost pixels, not their outer edges */
    int ndim;                   /* spatial dimensions */
    int64_t n[3];               /* the input's sizes along them; 1 for those not there, the first ones */
    int64_t channels, pixels, places;
    const float *x, *grid;
    float *y;
} sampling;

static int place_in(const char *name, const char *const *list, int count)
{
    for (int i = 0; i < count; i++)
        if (strcmp(list[i], name) == 0) return i;
    return -1;
}

static lop_status read_modes(const lop_op_call *call, sampling *s, lop_error *err)
{
    static const char *const modes[] = {"nearest", "linear", "cubic", "bilinear", "bicubic"};
    static const char *const paddings[] = {"zeros", "border", "reflection"};
    const char *mode = lop_node_string(call->node, "mode", "linear");
    const char *padding = lop_node_string(call->node, "padding_mode", "zeros");
    const int m = place_in(mode, modes, 5), p = place_in(padding, paddings, 3);
    if (m < 0) return lop_fail(err, LOP_E_FORMAT, "mode is '%.30s'", mode);
    if (p < 0) return lop_fail(err, LOP_E_FORMAT, "padding_mode is '%.30s'", padding);
    s->mode = (grid_mode)(m > 2 ? m - 2 : m);
    s->padding = (grid_padding)p;
    s->corners = lop_node_int(call->node, "align_corners", 0) != 0;
    return LOP_OK;
}

static lop_status grid_read(const lop_op_call *call, sampling *s, lop_error *err)
{
    lop_status st = ops_need(call, 2, 2, err);
    for (int i = 0; st == LOP_OK && i < 2; i++) st = ops_need_f32(call, i, err);
    if (st == LOP_OK) st = read_modes(call, s, err);
    if (st != LOP_OK) return st;
    const lop_shape *x = &call->in[0]->shape, *g = &call->in[1]->shape;
    s->ndim = x->ndim - 2;
    if (s->ndim < 1 || s->ndim > 3)
        return lop_fail(err, LOP_E_SHAPE, "input has %d dimensions, 3 to 5 expected", x->ndim);
    if (s->mode == GRID_CUBIC && s->ndim > 2)
        return lop_fail(err, LOP_E_UNSUPPORTED, "cubic in %d dimensions is not built", s->ndim);
    if (g->ndim != x->ndim || g->dim[g->ndim - 1] != s->ndim || g->dim[0] != x->dim[0])
        return lop_fail(err, LOP_E_SHAPE, "grid: %d dimensions, the last of %d, expected", x->ndim, s->ndim);
    s->n[0] = s->n[1] = s->n[2] = 1;
    for (int d = 0; d < s->ndim; d++) {
        if (x->dim[2 + d] < 1) return lop_fail(err, LOP_E_SHAPE, "input has no pixel");
        s->n[3 - s->ndim + d] = x->dim[2 + d];
    }
    s->channels = x->dim[1];
    s->pixels = s->n[0] * s->n[1] * s->n[2];
    s->places = ops_inner(g, 0) / s->ndim;
    return LOP_OK;
}

lop_status ops_grid_sample_shape(const lop_op_call *call, lop_error *err)
{
    sampling s;
    lop_status st = grid_read(call, &s, err);
    if (st != LOP_OK) return st;
    lop_shape y = call->in[0]->shape;
    for (int d = 0; d < s.ndim; d++) y.dim[2 + d] = call->in[1]->shape.dim[1 + d];
    return ops_set(call, 0, LOP_F32, &y, err);
}

/* ---- places ---- */

static float reflect(float x, float low, float high)
{
    const float range = high - low;
    if (range <= 0) return low;
    if (x >= low && x <= high) return x;
    const float past = x < low ? low - x : x - high, turns = floorf(past / range), rest = past - turns * range;
    const bool even = fmodf(turns, 2) == 0;
    return (x < low) == even ? low + rest : high - rest;
}

/* A grid's number as a place in pixels along a dimension of n. */
static float place(const sampling *s, float at, int64_t size)
{
    const float n = (float)size, low = s->corners ? 0 : -0.5f, high = s->corners ? n - 1 : n - 0.5f;
    float x = s->corners ? (at + 1) / 2 * (n - 1) : ((at + 1) * n - 1) / 2;
    if (s->mode == GRID_NEAREST) x = nearbyintf(x);
    if (x >= low && x <= high) return x;
    if (s->padding == GRID_BORDER) {
        const float far = s->mode == GRID_CUBIC ? 3 : 0;        /* its taps are moved to the edge one by one */
        return x > -far ? x < n - 1 + far ? x : n - 1 + far : -far;
    }
    if (s->padding == GRID_REFLECTION && isfinite(x)) return reflect(x, low, high);
    return x >= -2 && x <= n + 1 ? x : -4;      /* far out, not a number: no pixel of any filter is inside */
}

/* Pixel `at` of a dimension, by the padding's rule; -1: it is 0. */
static int64_t pixel(const sampling *s, int64_t at, int64_t n)
{
    if (at >= 0 && at < n) return at;
    if (s->padding == GRID_ZEROS) return -1;
    if (s->padding == GRID_BORDER) return at < 0 ? 0 : n - 1;
    const float low = s->corners ? 0 : -0.5f, high = s->corners ? (float)n - 1 : (float)n - 0.5f;
    const int64_t back = (int64_t)reflect((float)at, low, high);
    return back < 0 ? 0 : back < n ? back : n - 1;
}

/* ---- filters: up to four pixels along each dimension ---- */

typedef struct { int count; int64_t at[4]; float weight[4]; } taps;

static void cubic_weights(float x, float w[4])
{
    const float a = -0.75f, l = x + 1, r = 1 - x, f = 2 - x;
    w[0] = ((a * l - 5 * a) * l + 8 * a) * l - 4 * a;
    w[1] = ((a + 2) * x - (a + 3)) * x * x + 1;
    w[2] = ((a + 2) * r - (a + 3)) * r * r + 1;
    w[3] = ((a * f - 5 * a) * f + 8 * a) * f - 4 * a;
}

static taps taps_of(const sampling *s, float at, int64_t n)
{
    const float low = floorf(at), x = at - low;
    taps t = {.count = s->mode == GRID_NEAREST ? 1 : s->mode == GRID_LINEAR ? 2 : 4, .weight = {1 - x, x}};
    int64_t first = (int64_t)low;
    if (s->mode == GRID_NEAREST) {
        t.weight[0] = 1;
    } else if (s->mode == GRID_CUBIC) {
        cubic_weights(x, t.weight);
        first--;
    }
    for (int i = 0; i < t.count; i++) t.at[i] = pixel(s, first + i, n);
    return t;
}

static float weigh(const sampling *s, const taps t[3], const float *x)
{
    float sum = 0;
    for (int i = 0; i < t[0].count; i++)
        for (int j = 0; j < t[1].count; j++) {
            float row = 0;
            for (int k = 0; k < t[2].count; k++) {
                if (t[0].at[i] < 0 || t[1].at[j] < 0 || t[2].at[k] < 0) continue;
                row += t[2].weight[k] * x[(t[0].at[i] * s->n[1] + t[1].at[j]) * s->n[2] + t[2].at[k]];
            }
            sum += t[0].weight[i] * t[1].weight[j] * row;
        }
    return sum;
}

/* One place of the grid, in all channels. */
static void sample_places(void *context, int64_t begin, int64_t end)
{
    const sampling *s = context;
    for (int64_t p = begin; p < end; p++) {
        const float *g = s->grid + p * s->ndim;
        const int64_t image = p / s->places, at = p % s->places;
        taps t[3] = {{1, {0}, {1}}, {1, {0}, {1}}, {1, {0}, {1}}};
        for (int d = 0; d < s->ndim; d++)       /* the grid names the last dimension first */
            t[2 - d] = taps_of(s, place(s, g[d], s->n[2 - d]), s->n[2 - d]);
        for (int64_t c = 0; c < s->channels; c++) {
            const int64_t plane = image * s->channels + c;
            s->y[plane * s->places + at] = weigh(s, t, s->x + plane * s->pixels);
        }
    }
}

lop_status ops_grid_sample_forward(const lop_op_call *call, lop_error *err)
{
    sampling s;
    lop_status st = grid_read(call, &s, err);
    if (st != LOP_OK) return st;
    s.x = call->in[0]->data;
    s.grid = call->in[1]->data;
    s.y = call->out[0].data;
    ops_spread(call->team, call->in[0]->shape.dim[0] * s.places, ops_grain(s.channels * 16), sample_places, &s);
    return LOP_OK;
}

/* Input and grid come image by image, both. */
bool ops_mixes_grid_sample(const lop_op_call *call)
{
    return call->nin < 2 || !call->in[0] || !call->in[1] || call->in[0]->data || call->in[1]->data;
}

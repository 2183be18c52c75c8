/* core/ops/nn/pool_window.c - pools of any type over one to three dimensions, an output after another, in float64: what
 * the kernel for float32 planes does not do. */
#include "ops/ops_impl.h"
#include <math.h>

typedef struct {
    const ops_pool *p;
    const lop_tensor *x;
    const float *f32;           /* x's data, where that is its type */
    lop_tensor *y;              /* or NULL */
    int64_t *index;             /* or NULL */
    int64_t in, out;            /* pixels of a volume */
} pooling;

typedef struct { double value; int64_t at, count; } window_result;

static double pixel(const pooling *q, int64_t i) { return q->f32 ? (double)q->f32[i] : lop_tensor_get(q->x, i); }

/* Taps of dimension d that fall on the input from position `at` on, and with them those that fall on padding. */
static void taps_inside(const ops_window *w, int d, int64_t at, int64_t *first, int64_t *end, int64_t *padded)
{
    const int64_t step = w->dilation[d], size = w->in[d], room = size + w->pad[d + 3];
    *first = at < 0 ? (-at + step - 1) / step : 0;
    *end = at < size ? (size - at + step - 1) / step : 0;
    *padded = at < room ? (room - at + step - 1) / step : 0;
    if (*end > w->k[d]) *end = w->k[d];
    if (*padded > w->k[d]) *padded = w->k[d];
    if (*first > *end) *first = *end;
}

static void take(const ops_pool *p, double v, int64_t at, window_result *r)
{
    switch (p->kind) {
    case OPS_POOL_MEAN: r->value += v; break;
    case OPS_POOL_LP: r->value += pow(fabs(v), p->p); break;
    default:
        if (r->at < 0 || v > r->value) {        /* the first of equal ones */
            r->value = v;
            r->at = at;
        }
    }
}

/* `base`: the volume's first entry. */
static window_result look(const pooling *q, int64_t base, const int64_t o[3])
{
    const ops_window *w = &q->p->w;
    int64_t at[3], first[3], end[3], padded[3];
    window_result r = {0.0, -1, 1};
    for (int d = 0; d < 3; d++) {
        at[d] = o[d] * w->stride[d] - w->pad[d];
        taps_inside(w, d, at[d], &first[d], &end[d], &padded[d]);
        r.count *= q->p->count_pad ? padded[d] : end[d] - first[d];
    }
    for (int64_t i = first[0]; i < end[0]; i++)
        for (int64_t j = first[1]; j < end[1]; j++)
            for (int64_t k = first[2]; k < end[2]; k++) {
                const int64_t z = at[0] + i * w->dilation[0], y = at[1] + j * w->dilation[1];
                const int64_t pos = (z * w->in[1] + y) * w->in[2] + at[2] + k * w->dilation[2];
                take(q->p, pixel(q, base + pos), pos, &r);
            }
    return r;
}

static double result_of(const ops_pool *p, const window_result *r)
{
    if (p->kind == OPS_POOL_MEAN) return r->value / (double)r->count;
    if (p->kind == OPS_POOL_LP) return pow(r->value, 1.0 / p->p);
    return r->at < 0 ? -INFINITY : r->value;
}

/* storage_order 1 numbers a volume's pixels with the first dimension fastest. */
static int64_t number_of(const ops_pool *p, int64_t at)
{
    const int64_t *n = p->w.in, z = at / (n[1] * n[2]), y = at / n[2] % n[1], x = at % n[2];
    if (at < 0) return 0;
    return p->by_column ? z + n[0] * (y + n[1] * x) : at;
}

static void pool_volumes(void *context, int64_t begin, int64_t end)
{
    const pooling *q = context;
    const ops_window *w = &q->p->w;
    for (int64_t v = begin; v < end; v++)
        for (int64_t i = 0; i < q->out; i++) {
            const int64_t o[3] = {i / (w->out[1] * w->out[2]), i / w->out[2] % w->out[1], i % w->out[2]};
            const window_result r = look(q, v * q->in, o);
            if (q->y) lop_tensor_set(q->y, v * q->out + i, result_of(q->p, &r));
            if (q->index) q->index[v * q->out + i] = v * q->in + number_of(q->p, r.at);
        }
}

void ops_pool_windows(const ops_pool *p, const lop_tensor *x, lop_tensor *y, int64_t *index, lop_team *team)
{
    const ops_window *w = &p->w;
    pooling q = {.p = p, .x = x, .f32 = x->type == LOP_F32 ? x->data : NULL, .y = y, .index = index,
                 .in = w->in[0] * w->in[1] * w->in[2], .out = w->out[0] * w->out[1] * w->out[2]};
    const int64_t work = q.out * w->k[0] * w->k[1] * w->k[2];
    ops_spread(team, x->shape.dim[0] * x->shape.dim[1], ops_grain(work), pool_volumes, &q);
}

/* core/kernel/conv_tile.h - the kernels of one instruction set, written once over vector macros. The including file
 * defines, for V (a vector of V_WIDTH floats): V_ZERO(), V_SET1(f), V_LOAD(p), V_STORE(p, v), V_ADD(a, b),
 * V_FMA(a, b, c) = a * b + c, V_MAX(a, b) = a > b ? a : b, V_MIN(a, b) = a < b ? a : b; V_EVEN(p): floats p[0], p[2],
 * ..., reading nothing past p[2 (V_WIDTH - 1)]; V_PAIR(p, gap): lower half at p, upper half at p + gap, if it has
 * PAIRS; V_PACK(v, vector): the kept lanes moved down; V_LOAD_N(p, n), V_EVEN_N(p, n), V_STORE_N(p, v, n): the same
 * for 0 < n < V_WIDTH floats and no more; and TILES(T): T(filters, vectors) for each tile it offers, PAIRS(T) too. */
#ifndef LOP_CONV_TILE_H
#define LOP_CONV_TILE_H
#include "kernel/kernel_impl.h"
#include <math.h>

#define ALWAYS static inline __attribute__((always_inline))
#ifndef PAIRS
#define V_PAIR(p, gap) V_LOAD(p)        /* never asked for */
#endif

/* All conditions are on constants once inlined: what is left are filters * vectors accumulators in registers. */
#define LOAD_COLUMN(j) if ((j) < vectors) x[j] = V_LOAD(b[j] + o);
#define PAIR_COLUMN(j) if ((j) < vectors) x[j] = V_PAIR(b[j] + o, gap);
#define SUM_COLUMN(i, j) if ((j) < vectors) sum[i][j] = V_FMA(a, x[j], sum[i][j]);
#define SUM_ROW(i)                                                                              \
    if ((i) < filters) {                                                                        \
        const V a = V_SET1(w[i]);                                                               \
        SUM_COLUMN(i, 0) SUM_COLUMN(i, 1) SUM_COLUMN(i, 2) SUM_COLUMN(i, 3)                     \
        SUM_COLUMN(i, 4) SUM_COLUMN(i, 5) SUM_COLUMN(i, 6) SUM_COLUMN(i, 7)                     \
    }
#define STORE_COLUMN(i, j) if ((j) < vectors) V_STORE(out + ((i) * vectors + (j)) * V_WIDTH, sum[i][j]);
#define STORE_ROW(i)                                                                            \
    if ((i) < filters) {                                                                        \
        STORE_COLUMN(i, 0) STORE_COLUMN(i, 1) STORE_COLUMN(i, 2) STORE_COLUMN(i, 3)             \
        STORE_COLUMN(i, 4) STORE_COLUMN(i, 5) STORE_COLUMN(i, 6) STORE_COLUMN(i, 7)             \
    }
#define BASE_COLUMN(j) if ((j) < vectors) b[j] = t->base + t->vector[j].src;
#define ZERO_COLUMN(i, j) if ((j) < vectors) sum[i][j] = V_ZERO();
#define ZERO_ROW(i)                                                                             \
    if ((i) < filters) {                                                                        \
        ZERO_COLUMN(i, 0) ZERO_COLUMN(i, 1) ZERO_COLUMN(i, 2) ZERO_COLUMN(i, 3)                 \
        ZERO_COLUMN(i, 4) ZERO_COLUMN(i, 5) ZERO_COLUMN(i, 6) ZERO_COLUMN(i, 7)                 \
    }
#define EIGHT(F) F(0) F(1) F(2) F(3) F(4) F(5) F(6) F(7)

ALWAYS void tile_sums(const lop_conv_tile *t, const int filters, const int vectors, const bool pair, float *out)
{
    const int64_t *off = t->off, *const end = off + t->taps;
    const int64_t gap __attribute__((unused)) = t->gap;
    const float *w = t->w;
    const float *b[LOP_TILE_VECTORS];
    V x[LOP_TILE_VECTORS], sum[LOP_TILE_FILTERS][LOP_TILE_VECTORS];
    EIGHT(BASE_COLUMN)
    EIGHT(ZERO_ROW)
    for (; off < end; off++, w += filters) {
        const int64_t o = *off;
        if (pair) {
            EIGHT(PAIR_COLUMN)
        } else {
            EIGHT(LOAD_COLUMN)
        }
        EIGHT(SUM_ROW)
    }
    EIGHT(STORE_ROW)
}

/* On lines of their own: how fast the loops run then depends on nothing that is linked before them. */
#define OWN_LINES __attribute__((aligned(64)))
#define TILE_FUNCTION(m, n) \
    static OWN_LINES void tile_##m##_##n(const lop_conv_tile *t, float *out) { tile_sums(t, m, n, false, out); }
#define TILE_ENTRY(m, n) [(m) - 1][(n) - 1] = tile_##m##_##n,
typedef void tile_function(const lop_conv_tile *t, float *out);
TILES(TILE_FUNCTION)
static tile_function *const tiles[LOP_TILE_FILTERS][LOP_TILE_VECTORS] = {TILES(TILE_ENTRY)};

#ifdef PAIRS
#define PAIR_FUNCTION(m, n) \
    static OWN_LINES void pair_##m##_##n(const lop_conv_tile *t, float *out) { tile_sums(t, m, n, true, out); }
#define PAIR_ENTRY(m, n) [(m) - 1][(n) - 1] = pair_##m##_##n,
PAIRS(PAIR_FUNCTION)
static tile_function *const pairs[LOP_TILE_FILTERS][LOP_TILE_VECTORS] = {PAIRS(PAIR_ENTRY)};
#endif

static tile_function *tile_of(const lop_conv_tile *t)
{
#ifdef PAIRS
    if (t->gap) return pairs[t->filters - 1][t->vectors - 1];
#endif
    return tiles[t->filters - 1][t->vectors - 1];
}

/* y = act(sum + bias [+ add]) for one vector of each filter; n < 0: a whole one. */
ALWAYS void finish_column(const lop_conv_tile *t, const lop_conv_vector *v, const float *sum, const int n)
{
    const V low = V_SET1(t->low), high = V_SET1(t->high);
    const bool whole = v->keep == (uint32_t)((1ull << V_WIDTH) - 1);
    for (int i = 0; i < t->filters; i++, sum += t->vectors * V_WIDTH) {
        V s = V_ADD(V_LOAD(sum), V_SET1(t->bias ? t->bias[i] : 0.0f));
        const int64_t at = i * t->plane + v->dst;
        if (n < 0) {
            if (t->add) s = V_ADD(s, V_LOAD(t->add + at));
            V_STORE(t->y + at, V_MIN(high, V_MAX(low, s)));
        } else {
            if (!whole) s = V_PACK(s, v);
            if (t->add) s = V_ADD(s, V_LOAD_N(t->add + at, n));
            V_STORE_N(t->y + at, V_MIN(high, V_MAX(low, s)), n);
        }
    }
}

/* The same where the tile is one run of whole vectors in each output plane. */
ALWAYS void finish_run(const lop_conv_tile *t, const float *sum, const bool add)
{
    const V low = V_SET1(t->low), high = V_SET1(t->high);
    const int64_t n = t->vectors * V_WIDTH;
    int64_t at = t->vector->dst;
    for (int i = 0; i < t->filters; i++, at += t->plane, sum += n) {
        const V bias = V_SET1(t->bias ? t->bias[i] : 0.0f);
        for (int64_t j = 0; j < n; j += V_WIDTH) {
            V s = V_ADD(V_LOAD(sum + j), bias);
            if (add) s = V_ADD(s, V_LOAD(t->add + at + j));
            V_STORE(t->y + at + j, V_MIN(high, V_MAX(low, s)));
        }
    }
}

static void tile(const lop_conv_tile *t)
{
    float sum[LOP_TILE_FILTERS * LOP_TILE_VECTORS * V_WIDTH] __attribute__((aligned(64)));
    const lop_conv_vector *last = t->vector + t->vectors - 1;
    tile_of(t)(t, sum);
    if (last->dst - t->vector->dst == (t->vectors - 1) * V_WIDTH && last->count == V_WIDTH &&
        t->limit - last->dst >= V_WIDTH) {
        if (t->add) finish_run(t, sum, true);
        else finish_run(t, sum, false);
        return;
    }
    for (int j = 0; j < t->vectors; j++) {
        const lop_conv_vector *v = t->vector + j;
        const int64_t left = t->limit - v->dst;
        const int n = left < v->count ? (int)left : v->count;
        if (n == V_WIDTH) finish_column(t, v, sum + j * V_WIDTH, -1);
        else if (n > 0) finish_column(t, v, sum + j * V_WIDTH, n);
    }
}

/* The last vector of a row overlaps the one before: nothing is read or written past the row. */
static void copy_rows(const lop_conv_rows *r)
{
    const float *x = r->x;
    float *y = r->y;
    for (int64_t k = 0; k < r->rows; k++, x += r->xrow, y += r->yrow) {
        int64_t i = 0;
        float *to = y + r->lead;
        for (int64_t z = 0; z < r->lead; z++) y[z] = 0.0f;
        if (r->n >= V_WIDTH && r->step <= 2) {
            for (; i < r->n; i += V_WIDTH) {
                if (i > r->n - V_WIDTH) i = r->n - V_WIDTH;
                if (r->step == 1) V_STORE(to + i, V_LOAD(x + i));
                else V_STORE(to + i, V_EVEN(x + 2 * i));
            }
        }
        if (0 < r->n && r->n < V_WIDTH && r->step <= 2) {
            const int n = (int)r->n;
            V_STORE_N(to, r->step == 1 ? V_LOAD_N(x, n) : V_EVEN_N(x, n), n);
            i = n;
        }
        for (; i < r->n; i++) to[i] = x[i * r->step];
        for (int64_t z = r->lead + r->n; z < r->yrow; z++) y[z] = 0.0f;
    }
}

/* At most a vector of maxima, all taps in one go; n < 0: a whole one. Stride 1 or 2 and columns are constants. */
ALWAYS V max_taps(const lop_max_run *r, const float *x, const int n, const int64_t stride, const int64_t cols)
{
    V best = V_SET1(-INFINITY);
    const int64_t rows = r->rows, row = r->row, col = r->col;
    for (int64_t k = 0; k < rows; k++, x += row)
        for (int64_t c = 0; c < cols; c++) {
            const float *p = x + c * col;
            if (n < 0) best = V_MAX(stride == 1 ? V_LOAD(p) : V_EVEN(p), best);
            else best = V_MAX(stride == 1 ? V_LOAD_N(p, n) : V_EVEN_N(p, n), best);
        }
    return best;
}

ALWAYS V max_vector(const lop_max_run *r, const float *x, const int n)
{
    if (r->stride == 2 && r->cols == 3) return max_taps(r, x, n, 2, 3);
    if (r->stride == 2 && r->cols == 2) return max_taps(r, x, n, 2, 2);
    return r->stride == 2 ? max_taps(r, x, n, 2, r->cols) : max_taps(r, x, n, 1, r->cols);
}

static void max_wide_stride(const lop_max_run *r)
{
    for (int64_t i = 0; i < r->n; i++) {
        float best = -INFINITY;
        for (int64_t k = 0; k < r->rows; k++)
            for (int64_t c = 0; c < r->cols; c++) {
                const float v = r->x[i * r->stride + k * r->row + c * r->col];
                best = v > best ? v : best;
            }
        r->y[i] = best;
    }
}

static void max_run(const lop_max_run *r)
{
    const int n = (int)(r->n < V_WIDTH ? r->n : V_WIDTH);
    if (r->stride > 2) max_wide_stride(r);
    else if (0 < n && n < V_WIDTH) V_STORE_N(r->y, max_vector(r, r->x, n), n);
    else
        for (int64_t i = 0; i < r->n; i += V_WIDTH) {
            if (i > r->n - V_WIDTH) i = r->n - V_WIDTH;     /* the last one overlaps the one before */
            V_STORE(r->y + i, max_vector(r, r->x + i * r->stride, -1));
        }
}

/* Four vectors of partial sums hide the latency; they are added up lane by lane, in order. */
static float dot(int64_t n, const float *a, const float *b)
{
    V s0 = V_ZERO(), s1 = V_ZERO(), s2 = V_ZERO(), s3 = V_ZERO();
    int64_t i = 0;
    for (; i + 4 * V_WIDTH <= n; i += 4 * V_WIDTH) {
        s0 = V_FMA(V_LOAD(a + i), V_LOAD(b + i), s0);
        s1 = V_FMA(V_LOAD(a + i + V_WIDTH), V_LOAD(b + i + V_WIDTH), s1);
        s2 = V_FMA(V_LOAD(a + i + 2 * V_WIDTH), V_LOAD(b + i + 2 * V_WIDTH), s2);
        s3 = V_FMA(V_LOAD(a + i + 3 * V_WIDTH), V_LOAD(b + i + 3 * V_WIDTH), s3);
    }
    for (; i + V_WIDTH <= n; i += V_WIDTH) s0 = V_FMA(V_LOAD(a + i), V_LOAD(b + i), s0);
    if (i < n) s1 = V_FMA(V_LOAD_N(a + i, (int)(n - i)), V_LOAD_N(b + i, (int)(n - i)), s1);
    float lane[V_WIDTH], sum = 0.0f;
    V_STORE(lane, V_ADD(V_ADD(s0, s1), V_ADD(s2, s3)));
    for (int l = 0; l < V_WIDTH; l++) sum += lane[l];
    return sum;
}
#endif

/* tests/core/sample/layer.h - a made-up consumer on correlated ReLU data, its sums, and the same things done directly
 * on its rows: centred matrices, least squares by Householder's QR. For the suites of sample, lasso, select,
 * reconstruct. */
#ifndef LOP_TESTS_SAMPLE_LAYER_H
#define LOP_TESTS_SAMPLE_LAYER_H
#include "support/t.h"
#include "sample/sample.h"
#include <math.h>

typedef struct {
    int64_t c, taps, n, rows, p;
    float *x, *y, *w;           /* (rows, p), (rows, n), (n, p) */
    double *X, *Y;              /* centred rows */
    double energy;              /* |Y|^2 */
    lop_tensor weight;          /* w as (n, c, taps), borrowed */
    lop_stats *stats;
    lop_centred q;
} t_layer;

enum { T_PLAIN = 0, T_TWINS = 1, T_DEAD = 2 };  /* twins: channel 1 equals 0, 3 equals 2; dead: the last is constant */

static inline double t_draw(uint64_t seed, uint64_t what, int64_t at)
{
    return lop_random_normal(seed, what, (uint64_t)at);
}

static inline void t_layer_rows(t_layer *l, uint64_t seed, int traits)
{
    for (int64_t i = 0; i < l->n * l->p; i++) l->w[i] = (float)(t_draw(seed, 1, i) / sqrt((double)l->p));
    for (int64_t r = 0; r < l->rows; r++) {
        for (int64_t i = 0; i < l->p; i++) {
            const int64_t channel = i / l->taps, tap = i % l->taps;
            const double shared = t_draw(seed, 2, r * 8 + channel % 4), near = t_draw(seed, 3, r * l->taps + tap);
            const double own = t_draw(seed, 4, r * l->p + i);
            l->x[r * l->p + i] = (float)fmax(0.0, 0.8 * shared + 0.4 * near + 0.7 * own + 0.2);
        }
        for (int64_t t = 0; t < l->taps; t++) {
            for (int64_t pair = 0; (traits & T_TWINS) && pair < 2; pair++)
                l->x[r * l->p + (2 * pair + 1) * l->taps + t] = l->x[r * l->p + 2 * pair * l->taps + t];
            if (traits & T_DEAD) l->x[r * l->p + (l->c - 1) * l->taps + t] = 0.7f;
        }
        for (int64_t f = 0; f < l->n; f++) {
            double sum = 0.3 * t_draw(seed, 5, r * l->n + f) + 0.5;
            for (int64_t i = 0; i < l->p; i++) sum += (double)l->w[f * l->p + i] * l->x[r * l->p + i];
            l->y[r * l->n + f] = (float)sum;
        }
    }
}

static inline void t_centre(const float *from, int64_t rows, int64_t columns, double *to)
{
    for (int64_t j = 0; j < columns; j++) {
        double mean = 0;
        for (int64_t r = 0; r < rows; r++) mean += from[r * columns + j];
        for (int64_t r = 0; r < rows; r++) to[r * columns + j] = from[r * columns + j] - mean / (double)rows;
    }
}

static inline t_layer *t_layer_new(int64_t c, int64_t taps, int64_t n, int64_t rows, uint64_t seed, int traits)
{
    lop_error err;
    t_layer *l = lop_array(1, sizeof *l, NULL);
    *l = (t_layer){.c = c, .taps = taps, .n = n, .rows = rows, .p = c * taps};
    l->x = lop_array(rows * l->p, sizeof(float), NULL);
    l->y = lop_array(rows * n, sizeof(float), NULL);
    l->w = lop_array(n * l->p, sizeof(float), NULL);
    l->X = lop_array(rows * l->p, sizeof(double), NULL);
    l->Y = lop_array(rows * n, sizeof(double), NULL);
    t_layer_rows(l, seed, traits);
    t_centre(l->x, rows, l->p, l->X);
    t_centre(l->y, rows, n, l->Y);
    for (int64_t i = 0; i < rows * n; i++) l->energy += l->Y[i] * l->Y[i];
    l->weight = (lop_tensor){LOP_F32, {3, {n, c, taps}}, l->w, NULL};
    t_ok(lop_stats_new(c, taps, n, &l->stats, &err), err);
    t_ok(lop_stats_add(l->stats, l->x, l->y, rows, NULL, &err), err);
    t_ok(lop_stats_centre(l->stats, &l->q, &err), err);
    return l;
}

static inline void t_layer_free(t_layer *l)
{
    lop_stats_free(l->stats);
    lop_centred_clear(&l->q);
    void *own[] = {l->x, l->y, l->w, l->X, l->Y, l};
    for (size_t k = 0; k < T_COUNT(own); k++) lop_free(own[k]);
}

/* The columns of the channels listed, in that order: (rows + extra, count taps), the extra rows zero. */
static inline double *t_columns(const t_layer *l, const int64_t *channel, int64_t count, int64_t extra)
{
    const int64_t m = count * l->taps;
    double *to = lop_array((l->rows + extra) * (m ? m : 1), sizeof *to, NULL);
    for (int64_t r = 0; r < l->rows; r++)
        for (int64_t j = 0; j < m; j++) to[r * m + j] = l->X[r * l->p + channel[j / l->taps] * l->taps + j % l->taps];
    return to;
}

/* min |A W - B|^2 by Householder reflections, A (rows, m), B (rows, n), both spoilt; W (m, n) or NULL. Returns the sum
 * of squares that is left. */
static inline double t_qr(int64_t rows, int64_t m, int64_t n, double *A, double *B, double *W)
{
    for (int64_t k = 0; k < m; k++) {
        double norm = 0;
        for (int64_t r = k; r < rows; r++) norm += A[r * m + k] * A[r * m + k];
        const double alpha = -copysign(sqrt(norm), A[k * m + k]), head = A[k * m + k] - alpha;
        const double half = norm - alpha * A[k * m + k];        /* |v|^2 / 2 */
        for (int64_t j = k + 1; j < m + n && half > 0; j++) {
            double *to = j < m ? A + j : B + j - m, dot = 0;
            const int64_t ld = j < m ? m : n;
            for (int64_t r = k; r < rows; r++) dot += (r == k ? head : A[r * m + k]) * to[r * ld];
            for (int64_t r = k; r < rows; r++) to[r * ld] -= (r == k ? head : A[r * m + k]) * dot / half;
        }
        A[k * m + k] = alpha;
    }
    double left = 0;
    for (int64_t r = m; r < rows; r++)
        for (int64_t f = 0; f < n; f++) left += B[r * n + f] * B[r * n + f];
    for (int64_t i = m - 1; W && i >= 0; i--)
        for (int64_t f = 0; f < n; f++) {
            double sum = B[i * n + f];
            for (int64_t j = i + 1; j < m; j++) sum -= A[i * m + j] * W[j * n + f];
            W[i * n + f] = sum / A[i * m + i];
        }
    return left;
}

/* Error of a fresh least squares on these channels; W (count taps, n) or NULL. */
static inline double t_least(const t_layer *l, const int64_t *channel, int64_t count, double *W)
{
    double *A = t_columns(l, channel, count, 0), *B = lop_array(l->rows * l->n, sizeof *B, NULL);
    memcpy(B, l->Y, (size_t)(l->rows * l->n) * sizeof *B);
    const double left = t_qr(l->rows, count * l->taps, l->n, A, B, W);
    lop_free(A);
    lop_free(B);
    return left;
}
#endif

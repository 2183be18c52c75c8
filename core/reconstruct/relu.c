/* core/reconstruct/relu.c - weights for a layer behind which a ReLU stands: Zhang et al., TPAMI 2016, section 3.1.2. */
#include "reconstruct/reconstruct_impl.h"
#include "linalg/linalg.h"
#include <math.h>
#include <string.h>

enum { CHUNK = 256, ROUNDS = 10 };
static const double penalties[] = {0.01, 1.0};

typedef struct {
    const lop_centred *q;
    const int64_t *channel;
    int64_t width, n, taps;     /* width: taps kept */
    uint8_t *dead;
    double *M;                  /* (width, width): the factor of the normal equations */
    double *start, *W, *best;   /* (width + 1, n), the last row the bias: least squares, now, best so far */
    double *X, *Y;              /* (CHUNK, width), (CHUNK, n) */
    double *B, *sum_x, *sum_d;  /* (width, n), (width), (n) */
} relu;

/* Rows that statistics keep, and what is added to the layer's output before the ReLU: NULL where nothing is. */
typedef struct { const lop_stats *rows, *beside; } row_set;

static void relu_clear(relu *a)
{
    void *own[] = {a->dead, a->M, a->start, a->W, a->best, a->X, a->Y, a->B, a->sum_x, a->sum_d};
    for (size_t k = 0; k < sizeof own / sizeof *own; k++) lop_free(own[k]);
}

static lop_status relu_init(relu *a, double ridge, const lop_reconstruction *r, lop_error *err)
{
    const int64_t w = a->width, n = a->n;
    a->dead = lop_array(a->q->c * a->taps, 1, err);
    a->M = lop_array(w, (size_t)w * sizeof(double), err);
    a->start = lop_array(w + 1, (size_t)n * sizeof(double), err);
    a->W = lop_array(w + 1, (size_t)n * sizeof(double), err);
    a->best = lop_array(w + 1, (size_t)n * sizeof(double), err);
    a->X = lop_array(CHUNK, (size_t)w * sizeof(double), err);
    a->Y = lop_array(CHUNK, (size_t)n * sizeof(double), err);
    a->B = lop_array(w, (size_t)n * sizeof(double), err);
    a->sum_x = lop_array(w, sizeof(double), err);
    a->sum_d = lop_array(n, sizeof(double), err);
    if (!a->dead || !a->M || !a->start || !a->W || !a->best || !a->X || !a->Y || !a->B || !a->sum_x || !a->sum_d)
        return LOP_E_MEMORY;
    const float *weight = r->weight.data, *bias = r->bias.data;
    for (int64_t f = 0; f < n; f++) {
        for (int64_t i = 0; i < w; i++) a->start[i * n + f] = (double)weight[f * w + i];
        a->start[w * n + f] = (double)bias[f];
    }
    memcpy(a->W, a->start, (size_t)((w + 1) * n) * sizeof(double));
    memcpy(a->best, a->start, (size_t)((w + 1) * n) * sizeof(double));
    lop_centred_dead(a->q, a->dead);
    lop_normal_fill(a->q, NULL, a->dead, a->channel, w / a->taps, ridge, a->M, NULL);
    return lop_cholesky(w, a->M, w, err);
}

/* Y = X W + bias for rows first .. first + count - 1, X filled. */
static lop_status outputs(const relu *a, const lop_stats *rows, int64_t first, int64_t count, lop_error *err)
{
    const int64_t p = a->q->c * a->taps, n = a->n, w = a->width;
    const float *x = lop_stats_kept_x(rows);
    for (int64_t r = 0; r < count; r++) {
        for (int64_t i = 0; i < w; i++)
            a->X[r * w + i] = (double)x[(first + r) * p + a->channel[i / a->taps] * a->taps + i % a->taps];
        memcpy(a->Y + r * n, a->W + w * n, (size_t)n * sizeof(double));
    }
    return lop_gemm(false, false, count, n, w, 1.0, a->X, w, a->W, n, 1.0, a->Y, n, err);
}

static double added(const row_set *s, int64_t row, int64_t f, int64_t n)
{
    return s->beside ? (double)lop_stats_kept_x(s->beside)[row * n + f] : 0.0;
}

/* |relu(target) - relu(output)|^2 over the rows, relative to the former's about its mean. */
static lop_status error_of(const relu *a, const row_set *s, double *error, lop_error *err)
{
    const int64_t n = a->n, all = lop_stats_kept(s->rows);
    const float *y = lop_stats_kept_y(s->rows);
    double miss = 0.0, energy = 0.0;
    for (int64_t first = 0; first < all; first += CHUNK) {
        const int64_t count = all - first < CHUNK ? all - first : CHUNK;
        const lop_status st = outputs(a, s->rows, first, count, err);
        if (st != LOP_OK) return st;
        for (int64_t i = 0; i < count * n; i++) {
            const double o = added(s, first + i / n, i % n, n);
            const double d = fmax(0.0, (double)y[first * n + i] + o) - fmax(0.0, a->Y[i] + o);
            miss += d * d;
        }
    }
    for (int64_t f = 0; f < n; f++) {
        double sum = 0.0, square = 0.0;
        for (int64_t r = 0; r < all; r++) {
            const double t = fmax(0.0, (double)y[r * n + f] + added(s, r, f, n));
            sum += t;
            square += t * t;
        }
        energy += fmax(0.0, square - sum * sum / (double)all);
    }
    *error = energy > 0.0 ? miss / energy : miss > 0.0 ? INFINITY : 0.0;
    return LOP_OK;
}

/* The z of least (relu(target) - relu(z))^2 + penalty (z - now)^2: the better of both sides of 0. */
static double best_z(double target, double now, double penalty)
{
    const double t = fmax(0.0, target), low = fmin(0.0, now), high = fmax(0.0, (penalty * now + t) / (penalty + 1.0));
    const double at_low = t * t + penalty * (low - now) * (low - now);
    const double at_high = (t - high) * (t - high) + penalty * (high - now) * (high - now);
    return at_low < at_high ? low : high;
}

/* Sums of (x - m_x) (z - y), of (x - m_x) and of z - y over the rows. */
static lop_status gather(relu *a, const row_set *s, double penalty, lop_error *err)
{
    const int64_t n = a->n, w = a->width, all = lop_stats_kept(s->rows);
    const float *y = lop_stats_kept_y(s->rows);
    const double *mean = a->q->mean_x.data;
    memset(a->sum_x, 0, (size_t)w * sizeof(double));
    memset(a->sum_d, 0, (size_t)n * sizeof(double));
    for (int64_t first = 0; first < all; first += CHUNK) {
        const int64_t count = all - first < CHUNK ? all - first : CHUNK;
        lop_status st = outputs(a, s->rows, first, count, err);
        if (st != LOP_OK) return st;
        for (int64_t r = 0; r < count; r++) {
            for (int64_t f = 0; f < n; f++) {
                const double o = added(s, first + r, f, n), target = (double)y[(first + r) * n + f] + o;
                a->Y[r * n + f] = best_z(target, a->Y[r * n + f] + o, penalty) - target;
                a->sum_d[f] += a->Y[r * n + f];
            }
            for (int64_t i = 0; i < w; i++) {
                a->X[r * w + i] -= mean[a->channel[i / a->taps] * a->taps + i % a->taps];
                a->sum_x[i] += a->X[r * w + i];
            }
        }
        st = lop_gemm(true, false, w, n, count, 1.0, a->X, w, a->Y, n, first > 0 ? 1.0 : 0.0, a->B, n, err);
        if (st != LOP_OK) return st;
    }
    return LOP_OK;
}

/* Least squares toward z: all rows' sums, and what z changes on those that are kept, as often as these stand for. */
static lop_status round_of(relu *a, const row_set *s, double penalty, lop_error *err)
{
    const int64_t n = a->n, w = a->width;
    const double kept = (double)lop_stats_kept(s->rows), times = a->q->rows / kept;
    lop_status st = gather(a, s, penalty, err);
    if (st != LOP_OK) return st;
    for (int64_t i = 0; i < w; i++) {
        const bool dead = a->dead[a->channel[i / a->taps] * a->taps + i % a->taps] != 0;
        for (int64_t f = 0; f < n; f++)
            a->B[i * n + f] = dead ? 0.0 : times * (a->B[i * n + f] - a->sum_x[i] * a->sum_d[f] / kept);
    }
    st = lop_cholesky_solve(w, a->M, w, n, a->B, n, err);
    if (st != LOP_OK) return st;
    const double *mean = a->q->mean_x.data;
    for (int64_t f = 0; f < n; f++) a->W[w * n + f] = a->start[w * n + f] + a->sum_d[f] / kept;
    for (int64_t i = 0; i < w; i++) {
        const double m = mean[a->channel[i / a->taps] * a->taps + i % a->taps];
        for (int64_t f = 0; f < n; f++) {
            a->W[i * n + f] = a->start[i * n + f] + a->B[i * n + f];
            a->W[w * n + f] -= m * a->B[i * n + f];
        }
    }
    return LOP_OK;
}

static lop_status alternate(relu *a, const row_set *train, const row_set *judge, double *least, lop_error *err)
{
    lop_status st = error_of(a, judge, least, err);
    for (size_t k = 0; st == LOP_OK && k < sizeof penalties / sizeof *penalties; k++)
        for (int round = 0; st == LOP_OK && round < ROUNDS; round++) {
            double now = INFINITY;
            st = round_of(a, train, penalties[k], err);
            if (st == LOP_OK) st = error_of(a, judge, &now, err);
            if (st != LOP_OK || !(now < *least)) continue;
            *least = now;
            memcpy(a->best, a->W, (size_t)((a->width + 1) * a->n) * sizeof(double));
        }
    return st;
}

static lop_status check(const lop_centred *q, const row_set *s, const char *which, lop_error *err)
{
    const int64_t kept = s->rows ? lop_stats_kept(s->rows) : 0;
    if (kept < 1)
        return lop_fail(err, LOP_E_ARG, "%s statistics keep no rows: what a ReLU lets through needs them", which);
    if (lop_stats_filters(s->rows) != q->n || lop_stats_channels(s->rows) != q->c || lop_stats_taps(s->rows) != q->taps)
        return lop_fail(err, LOP_E_SHAPE, "%s statistics are of another layer", which);
    if (s->beside && (lop_stats_kept(s->beside) != kept || lop_stats_channels(s->beside) != q->n ||
                      lop_stats_taps(s->beside) != 1))
        return lop_fail(err, LOP_E_SHAPE, "%s statistics and those beside them keep other rows", which);
    return LOP_OK;
}

lop_status lop_reconstruct_relu(const lop_centred *q, const lop_stats *beside, const lop_stats *held,
                                const lop_stats *held_beside, const int64_t *channel, int64_t count,
                                lop_reconstruction *r, lop_error *err)
{
    const row_set train = {q->kept, beside}, judge = held ? (row_set){held, held_beside} : train;
    relu a = {.q = q, .channel = channel, .width = count * q->taps, .n = q->n, .taps = q->taps};
    lop_status st = check(q, &train, "these", err);
    if (st == LOP_OK) st = check(q, &judge, "held-out", err);
    if (st == LOP_OK && lop_tensor_size(&r->weight) != a.width * a.n)
        st = lop_fail(err, LOP_E_SHAPE, "weights of %" PRId64 " channels expected", count);
    if (st == LOP_OK) st = relu_init(&a, r->ridge, r, err);
    if (st == LOP_OK) st = alternate(&a, &train, &judge, held ? &r->held_error : &r->error, err);
    if (st == LOP_OK && held) {
        memcpy(a.W, a.best, (size_t)((a.width + 1) * a.n) * sizeof(double));
        st = error_of(&a, &train, &r->error, err);
    }
    float *weight = r->weight.data, *bias = r->bias.data;
    for (int64_t f = 0; st == LOP_OK && f < a.n; f++) {
        for (int64_t i = 0; i < a.width; i++) weight[f * a.width + i] = (float)a.best[i * a.n + f];
        bias[f] = (float)a.best[a.width * a.n + f];
    }
    relu_clear(&a);
    return st == LOP_OK ? lop_reconstruction_check(r, err) : st;
}

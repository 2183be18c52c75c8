/* core/sample/regroup.c - the sums of one consumer as others see its channels: some of them, in another order, several
 * as one. What is left out stays in the consumer, its weights free, so it is projected out of the rest (Frisch and
 * Waugh, Econometrica 1(4), 1933): with O the taps left out, A the others and M = Gc_OO + ridge N D,
 *     Gc' = Gc_AA - Gc_AO M^-1 Gc_OA,   Bc' = Bc_A - Gc_AO M^-1 Bc_O,   sc' = sc - Bc_O^T M^-1 Bc_O. */
#include "sample/sample_impl.h"
#include "linalg/linalg.h"
#include <math.h>
#include <string.h>

typedef struct {
    const lop_centred *q;
    int64_t *in, *out;          /* taps listed, in their new order; taps left out that are not dead */
    int64_t a, o;               /* how many */
    double *M, *T;              /* (o, o); (o, a + n): Gc_OA and Bc_O, then M^-1 of them */
} regrouping;

static void clear(regrouping *r)
{
    lop_free(r->in);
    lop_free(r->out);
    lop_free(r->M);
    lop_free(r->T);
}

static lop_status split(regrouping *r, const int64_t *channel, int64_t count, lop_error *err)
{
    const lop_centred *q = r->q;
    const int64_t k = q->taps, p = q->c * k;
    r->in = lop_array(count * k, sizeof *r->in, err);
    r->out = lop_array(p, sizeof *r->out, err);
    bool *listed = lop_array(q->c, sizeof *listed, err);
    uint8_t *dead = lop_array(p, sizeof *dead, err);
    lop_status st = r->in && r->out && listed && dead ? LOP_OK : LOP_E_MEMORY;
    for (int64_t i = 0; st == LOP_OK && i < count; i++) {
        const int64_t c = channel[i];
        if (c < 0 || c >= q->c || listed[c])
            st = lop_fail(err, LOP_E_ARG, "channel #%" PRId64 " is no channel of %" PRId64 ", or listed twice", c,
                          q->c);
        else listed[c] = true;
        for (int64_t t = 0; st == LOP_OK && t < k; t++) r->in[r->a++] = c * k + t;
    }
    if (st == LOP_OK) lop_centred_dead(q, dead);
    for (int64_t i = 0; st == LOP_OK && i < p; i++)
        if (!listed[i / k] && !dead[i]) r->out[r->o++] = i;
    lop_free(listed);
    lop_free(dead);
    return st;
}

/* T = M^-1 (Gc_OA, Bc_O). */
static lop_status project(regrouping *r, double ridge, lop_error *err)
{
    const lop_centred *q = r->q;
    const int64_t p = q->c * q->taps, n = q->n, wide = r->a + n;
    const double *G = q->gram.data, *B = q->cross.data;
    if (r->o == 0) return LOP_OK;
    r->M = lop_array(r->o, (size_t)r->o * sizeof *r->M, err);
    r->T = lop_array(r->o, (size_t)wide * sizeof *r->T, err);
    if (!r->M || !r->T) return LOP_E_MEMORY;
    for (int64_t i = 0; i < r->o; i++) {
        const double *row = G + r->out[i] * p;
        for (int64_t j = 0; j < r->o; j++) r->M[i * r->o + j] = row[r->out[j]];
        r->M[i * r->o + i] += ridge * lop_centred_power(q, r->out[i] / q->taps);
        for (int64_t j = 0; j < r->a; j++) r->T[i * wide + j] = row[r->in[j]];
        memcpy(r->T + i * wide + r->a, B + r->out[i] * n, (size_t)n * sizeof *B);
    }
    if (lop_cholesky(r->o, r->M, r->o, NULL) != LOP_OK)
        return lop_fail(err, LOP_E_NUMERIC, "the Gram matrix of %" PRId64 " taps that stay is singular at ridge = %g: "
                        "raise ridge, or sample more rows", r->o, ridge);
    return lop_cholesky_solve(r->o, r->M, r->o, wide, r->T, wide, err);
}

/* G' and B' with the means put back, s', and what the others explain. */
static void fill(const regrouping *r, const lop_stats *from, lop_stats *to)
{
    const lop_centred *q = r->q;
    const int64_t p = q->c * q->taps, n = q->n, m = r->a + 1, wide = r->a + n;
    const double N = q->rows, *G = q->gram.data, *B = q->cross.data, *mx = q->mean_x.data, *my = q->mean_y.data;
    for (int64_t i = 0; i < r->a; i++) {
        const double *row = G + r->in[i] * p;
        double *g = to->gram + i * m, *b = to->cross + i * n;
        for (int64_t j = 0; j < r->a; j++) g[j] = row[r->in[j]];
        memcpy(b, B + r->in[i] * n, (size_t)n * sizeof *b);
        for (int64_t x = 0; x < r->o; x++) {
            lop_axpy(r->a, -row[r->out[x]], r->T + x * wide, g);
            lop_axpy(n, -row[r->out[x]], r->T + x * wide + r->a, b);
        }
        g[i] = fmax(g[i], 0.0);
        for (int64_t j = 0; j < r->a; j++) g[j] += N * (mx[r->in[i]] * mx[r->in[j]]);
        for (int64_t f = 0; f < n; f++) b[f] += N * (mx[r->in[i]] * my[f]);
        g[r->a] = to->gram[r->a * m + i] = N * mx[r->in[i]];
        to->nonzero[i] = from->nonzero[r->in[i]];
    }
    to->gram[m * m - 1] = to->rows = N;
    for (int64_t f = 0; f < n; f++) {
        const double sc = ((const double *)q->energy.data)[f];
        double explained = 0.0;
        for (int64_t x = 0; x < r->o; x++) explained += B[r->out[x] * n + f] * r->T[x * wide + r->a + f];
        explained = fmin(explained, sc);
        to->cross[r->a * n + f] = N * my[f];
        to->energy[f] = sc - explained + N * (my[f] * my[f]);
        to->beside += explained;
    }
}

lop_status lop_stats_regroup(lop_stats *s, const int64_t *channel, int64_t count, int64_t each, double ridge,
                             lop_stats **out, lop_error *err)
{
    lop_centred q = {0};
    regrouping r = {.q = &q};
    *out = NULL;
    if (count < 1 || each < 1 || count % each != 0 || !(ridge >= 0.0 && isfinite(ridge)))
        return lop_fail(err, LOP_E_ARG, "%" PRId64 " channels by %" PRId64 ", ridge = %g: as many for each, and 0 or "
                        "more expected", count, each, ridge);
    if (!s->summed)
        return lop_fail(err, LOP_E_UNSUPPORTED, "statistics that keep rows in place of sums are not regrouped");
    lop_status st = lop_stats_centre(s, &q, err);
    if (st == LOP_OK) st = split(&r, channel, count, err);
    if (st == LOP_OK) st = project(&r, ridge, err);
    if (st == LOP_OK) st = lop_stats_new(count / each, each * s->taps, s->n, out, err);
    if (st == LOP_OK) fill(&r, s, *out);
    clear(&r);
    lop_centred_clear(&q);
    return st;
}

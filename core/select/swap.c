/* core/select/swap.c - swap refinement on one swept table (Goodnight, "A tutorial on the SWEEP operator", 1979). Over
 * all channels, kept ones S and dropped ones d, with M and R of greedy.c and H = M_SS^-1, the table holds
 *     T_SS = -H,  T_Sd = H M_Sd,  T_dd = M_dd - M_dS H M_Sd;    W_S = H R_S,  W_d = R_d - M_dS H R_S.
 * Changing sides costs p^2 k for any channel, and |L^-1 W_j|^2 with L L^T = |T_jj| is what it costs or gains. */
#include "select/select_impl.h"
#include "linalg/linalg.h"
#include <math.h>
#include <string.h>

static const double REDUNDANT = 1e-10, WORTH = 1e-9;

typedef struct { const lop_consumer *of; double *T, *W, *V, *L, *Y, *floor; } swept;
typedef struct {
    const lop_select_input *in;
    int64_t c, consumers;
    lop_consumer *consumer;
    swept *t;
    bool *kept;
    double *value;
} swapping;

static void swapping_clear(swapping *s)
{
    for (int64_t q = 0; s->t && q < s->consumers; q++) {
        double *own[] = {s->t[q].T, s->t[q].W, s->t[q].V, s->t[q].L, s->t[q].Y, s->t[q].floor};
        for (size_t i = 0; i < sizeof own / sizeof *own; i++) lop_free(own[i]);
    }
    lop_free(s->t);
    lop_free(s->kept);
    lop_free(s->value);
    lop_consumers_free(s->consumer, s->consumers);
}

static lop_status swept_init(swept *t, const lop_consumer *of, double ridge, const int64_t *all, lop_error *err)
{
    const int64_t k = of->q->taps, n = of->q->n, p = of->q->c * k;
    *t = (swept){.of = of};
    t->T = lop_array(p, (size_t)p * sizeof(double), err);
    t->W = lop_array(p, (size_t)n * sizeof(double), err);
    t->V = lop_array(p, (size_t)k * sizeof(double), err);
    t->L = lop_array(k, (size_t)k * sizeof(double), err);
    t->Y = lop_array(k, (size_t)n * sizeof(double), err);
    t->floor = lop_array(p, sizeof(double), err);
    if (!t->T || !t->W || !t->V || !t->L || !t->Y || !t->floor) return LOP_E_MEMORY;
    lop_normal_fill(of->q, of->W0, of->dead, all, of->q->c, ridge, t->T, t->W);
    for (int64_t i = 0; i < p; i++) t->floor[i] = REDUNDANT * t->T[i * p + i];
    return LOP_OK;
}

static lop_status swapping_init(swapping *s, const lop_select_input *in, lop_error *err)
{
    *s = (swapping){.in = in, .c = in->centred[0]->c, .consumers = in->consumers};
    lop_status st = lop_consumers_new(in, &s->consumer, err);
    if (st != LOP_OK) return st;
    int64_t *all = lop_array(s->c, sizeof *all, err);
    s->t = lop_array(s->consumers, sizeof *s->t, err);
    s->kept = lop_array(s->c, sizeof *s->kept, err);
    s->value = lop_array(s->c, sizeof *s->value, err);
    if (!all || !s->t || !s->kept || !s->value) st = LOP_E_MEMORY;
    for (int64_t i = 0; st == LOP_OK && i < s->c; i++) all[i] = i;
    for (int64_t q = 0; st == LOP_OK && q < s->consumers; q++)
        st = swept_init(&s->t[q], &s->consumer[q], in->ridge, all, err);
    lop_free(all);
    return st;
}

static double whiten(const swept *t, int64_t j, bool kept, bool *skipped)
{
    const int64_t k = t->of->q->taps, n = t->of->q->n, p = t->of->q->c * k, first = j * k;
    return lop_select_whiten(k, n, t->T + first * p + first, p, kept ? -1.0 : 1.0, kept ? NULL : t->floor + first,
                             t->W + first * n, t->L, t->Y, skipped);
}

/* X = X L^-1 for X (rows, k; distance ld), in place. */
static void times_inverse(int64_t rows, int64_t k, const double *L, double *X, int64_t ld)
{
    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = k - 1; i >= 0; i--) {
            double s = X[r * ld + i];
            for (int64_t j = i + 1; j < k; j++) s -= X[r * ld + j] * L[j * k + i];
            X[r * ld + i] = s / L[i * k + i];
        }
}

static lop_status cross_over(swept *t, int64_t j, bool kept, lop_error *err)
{
    const int64_t k = t->of->q->taps, n = t->of->q->n, p = t->of->q->c * k, first = j * k;
    const double sign = kept ? 1.0 : -1.0;
    bool skipped = false;
    whiten(t, j, kept, &skipped);
    if (skipped)
        return lop_fail(err, LOP_E_NUMERIC, "channel #%" PRId64 " depends on others that are kept: raise ridge to swap",
                        j);
    lop_select_unmix(p, k, t->T + first, p, t->L, t->V, k);
    lop_status st = lop_syrk(false, p, k, sign, t->V, k, 1.0, t->T, p, err);
    if (st == LOP_OK) st = lop_gemm(false, false, p, n, k, sign, t->V, k, t->Y, n, 1.0, t->W, n, err);
    if (st != LOP_OK) return st;
    lop_mirror(p, t->T, p);
    times_inverse(p, k, t->L, t->V, k);
    memset(t->V + first * k, 0, (size_t)(k * k) * sizeof(double));
    for (int64_t i = 0; i < k; i++) t->V[(first + i) * k + i] = sign;
    lop_select_unmix(k, k, t->V + first * k, k, t->L, t->V + first * k, k);
    times_inverse(k, k, t->L, t->V + first * k, k);             /* sign (L L^T)^-1 */
    for (int64_t i = 0; i < p; i++)
        for (int64_t a = 0; a < k; a++) t->T[i * p + first + a] = t->T[(first + a) * p + i] = t->V[i * k + a];
    for (int64_t i = k - 1; i >= 0; i--) {                      /* W_j = L^-T Y */
        double *w = t->W + (first + i) * n;
        memcpy(w, t->Y + i * n, (size_t)n * sizeof *w);
        for (int64_t b = i + 1; b < k; b++) lop_axpy(n, -t->L[b * k + i], t->W + (first + b) * n, w);
        for (int64_t f = 0; f < n; f++) w[f] /= t->L[i * k + i];
    }
    return LOP_OK;
}

static lop_status toggle(swapping *s, int64_t j, lop_error *err)
{
    lop_status st = LOP_OK;
    for (int64_t q = 0; st == LOP_OK && q < s->consumers; q++) st = cross_over(&s->t[q], j, s->kept[j], err);
    s->kept[j] = !s->kept[j];
    return st;
}

/* Of the kept channels the one that costs least, or of the others the one that gains most; *value: how much. */
static int64_t best(swapping *s, bool kept, bool *aside, double *value)
{
    for (int64_t j = 0; j < s->c; j++) {
        aside[j] = s->kept[j] != kept || (s->in->stay && s->in->stay[j]);
        s->value[j] = 0.0;
        bool skipped = false;
        for (int64_t q = 0; !aside[j] && q < s->consumers; q++)
            s->value[j] += s->t[q].of->share * whiten(&s->t[q], j, kept, &skipped);
        if (!kept) s->value[j] = -s->value[j];
        if (skipped) aside[j] = true;
    }
    const int64_t j = lop_select_least(s->c, s->value, aside);
    *value = j >= 0 ? fabs(s->value[j]) : 0.0;
    return j;
}

static lop_status refine(swapping *s, int64_t most, bool *aside, int64_t *swaps, lop_error *err)
{
    lop_status st = LOP_OK;
    for (*swaps = 0; st == LOP_OK && *swaps < most; ++*swaps) {
        double rise, gain;
        const int64_t out = best(s, true, aside, &rise);
        if (out < 0) break;
        st = toggle(s, out, err);
        if (st != LOP_OK) return st;
        const int64_t in = best(s, false, aside, &gain);
        if (in < 0 || in == out || !(gain > rise + WORTH * (1.0 + rise))) return toggle(s, out, err);
        st = toggle(s, in, err);
        if (st == LOP_OK) st = lop_progress_step(s->in->progress, "swap", *swaps + 1, most, err);
    }
    return st;
}

lop_status lop_select_swap(const lop_select_input *in, lop_choice *choice, int64_t *swaps, lop_error *err)
{
    if (in->consumers < 1) return lop_fail(err, LOP_E_ARG, "%" PRId64 " consumers: at least 1 expected", in->consumers);
    swapping s;
    int64_t done = 0, next = 0;
    lop_status st = swapping_init(&s, in, err);
    bool *aside = st == LOP_OK ? lop_array(s.c, sizeof *aside, err) : NULL;
    if (st == LOP_OK && !aside) st = LOP_E_MEMORY;
    for (int64_t i = 0; st == LOP_OK && i < choice->count; i++) {
        const int64_t j = choice->channel[i];
        if (j < 0 || j >= s.c || s.kept[j])
            st = lop_fail(err, LOP_E_ARG, "choice: channel #%" PRId64 " is no channel of %" PRId64 ", or given twice",
                          j, s.c);
        else st = toggle(&s, j, err);
    }
    if (st == LOP_OK) st = refine(&s, choice->count, aside, &done, err);
    for (int64_t j = 0; st == LOP_OK && j < s.c; j++)
        if (s.kept[j]) choice->channel[next++] = j;
    if (st == LOP_OK && done > 0) choice->error = NAN;
    if (st == LOP_OK && swaps) *swaps = done;
    lop_free(aside);
    swapping_clear(&s);
    return st;
}

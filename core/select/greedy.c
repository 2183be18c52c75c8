/* core/select/greedy.c - exact structured elimination and forward selection, which are one loop. With
 *     M = Gc + ridge N D,   R = Bc + ridge N D W0,
 * elimination starts from H = M^-1, W = H R, forward selection from H = M, W = R. Channel j changes the penalised error
 * by trace(W_j^T H_jj^-1 W_j); taking it,
 *     W -= H_:j H_jj^-1 W_j,   H -= H_:j H_jj^-1 H_j:.
 * With L L^T = H_jj and V = H_:j L^-T the last is H -= V V^T, delayed: V's are gathered and subtracted 32 channels at
 * a time, as one by one they would be bound by memory. Diagonal blocks and W are read by every step and kept current. */
#include "select/select_impl.h"
#include "linalg/linalg.h"
#include <math.h>
#include <string.h>

enum { DELAY = 32, REFACTOR = 64 };
static const double SINGULAR = 1e-13, REDUNDANT = 1e-10, WORN = 1e-8;

typedef struct {                /* one consumer's table over the channels at the last load */
    const lop_consumer *of;
    int64_t k, n;
    double *H, *W, *U, *diagonal;       /* (m k, m k), (m k, n), (m k, DELAY k), m blocks (k, k) */
    double *start, *floor;      /* (m k): H_tt at the load; what a pivot must exceed */
    double *L, *Y;              /* (k, k), (k, n) */
} table;

typedef struct {
    const lop_select_input *in;
    bool forward;
    int64_t consumers, c, m, pending, taken;    /* m channels in the tables; taken since the load */
    lop_consumer *consumer;
    table *t;
    int64_t *channel;           /* (m) at each place */
    bool *gone, *aside, worn;   /* aside (m): not to be looked at in this step */
    double *value;              /* (m) change of the total error per cost */
} greedy;

static void greedy_clear(greedy *g)
{
    for (int64_t k = 0; g->t && k < g->consumers; k++) {
        double *own[] = {g->t[k].H,     g->t[k].W,     g->t[k].U, g->t[k].diagonal,
                         g->t[k].start, g->t[k].floor, g->t[k].L, g->t[k].Y};
        for (size_t i = 0; i < sizeof own / sizeof *own; i++) lop_free(own[i]);
    }
    lop_free(g->t);
    lop_free(g->channel);
    lop_free(g->gone);
    lop_free(g->aside);
    lop_free(g->value);
    lop_consumers_free(g->consumer, g->consumers);
}

static lop_status table_init(table *t, const lop_consumer *of, lop_error *err)
{
    const int64_t k = of->q->taps, n = of->q->n, p = of->q->c * k;
    *t = (table){.of = of, .k = k, .n = n};
    t->H = lop_array(p, (size_t)p * sizeof(double), err);
    t->W = lop_array(p, (size_t)n * sizeof(double), err);
    t->U = lop_array(p, (size_t)(DELAY * k) * sizeof(double), err);
    t->diagonal = lop_array(p, (size_t)k * sizeof(double), err);
    t->start = lop_array(p, sizeof(double), err);
    t->floor = lop_array(p, sizeof(double), err);
    t->L = lop_array(k, (size_t)k * sizeof(double), err);
    t->Y = lop_array(k, (size_t)n * sizeof(double), err);
    return t->H && t->W && t->U && t->diagonal && t->start && t->floor && t->L && t->Y ? LOP_OK : LOP_E_MEMORY;
}

static lop_status greedy_init(greedy *g, const lop_select_input *in, bool forward, lop_error *err)
{
    *g = (greedy){.in = in, .forward = forward, .consumers = in->consumers, .c = in->centred[0]->c};
    g->m = g->c;
    lop_status st = lop_consumers_new(in, &g->consumer, err);
    if (st != LOP_OK) return st;
    g->t = lop_array(g->consumers, sizeof *g->t, err);
    g->channel = lop_array(g->c, sizeof *g->channel, err);
    g->gone = lop_array(g->c, sizeof *g->gone, err);
    g->aside = lop_array(g->c, sizeof *g->aside, err);
    g->value = lop_array(g->c, sizeof *g->value, err);
    if (!g->t || !g->channel || !g->gone || !g->aside || !g->value) return LOP_E_MEMORY;
    for (int64_t i = 0; i < g->c; i++) g->channel[i] = i;
    for (int64_t k = 0; st == LOP_OK && k < g->consumers; k++) st = table_init(&g->t[k], &g->consumer[k], err);
    return st;
}

/* H = M^-1, W = H R. A pivot lost to rounding says that the taps depend on each other: the inverse would be noise. */
static lop_status invert(table *t, int64_t m, double ridge, lop_error *err)
{
    const int64_t p = m * t->k;
    lop_status st = lop_cholesky(p, t->H, p, NULL);
    for (int64_t i = 0; st == LOP_OK && i < p; i++)
        if (!(t->H[i * p + i] * t->H[i * p + i] > SINGULAR * t->start[i])) st = LOP_E_NUMERIC;
    if (st == LOP_E_NUMERIC)
        return lop_fail(err, st,
                        "the Gram matrix of %" PRId64 " channels is singular at ridge = %g: raise ridge, or sample "
                        "more rows (%g for %" PRId64 " taps)",
                        m, ridge, t->of->q->rows, p);
    if (st == LOP_OK) st = lop_cholesky_solve(p, t->H, p, t->n, t->W, t->n, err);
    return st == LOP_OK ? lop_cholesky_inverse(p, t->H, p, err) : st;
}

/* Fills the tables for the channels that are left. */
static lop_status load(greedy *g, lop_error *err)
{
    int64_t left = 0;
    for (int64_t i = 0; i < g->m; i++)
        if (!g->gone[i]) g->channel[left++] = g->channel[i];
    memset(g->gone, 0, (size_t)g->c * sizeof *g->gone);
    g->m = left;
    g->pending = g->taken = 0;
    g->worn = false;
    lop_status st = LOP_OK;
    for (int64_t q = 0; st == LOP_OK && q < g->consumers; q++) {
        table *t = &g->t[q];
        const int64_t k = t->k, p = g->m * k;
        lop_normal_fill(t->of->q, t->of->W0, t->of->dead, g->channel, g->m, g->in->ridge, t->H, t->W);
        for (int64_t i = 0; i < p; i++) t->start[i] = t->H[i * p + i];
        if (!g->forward) st = invert(t, g->m, g->in->ridge, err);
        for (int64_t i = 0; st == LOP_OK && i < p; i++) {
            memcpy(t->diagonal + i * k, t->H + i * p + i / k * k, (size_t)k * sizeof(double));
            t->start[i] = t->H[i * p + i];
            t->floor[i] = g->forward ? REDUNDANT * t->start[i] : 0.0;
        }
        if (st != LOP_OK && g->consumers > 1) lop_error_at(err, "consumer #%" PRId64, q);
    }
    return st;
}

/* What taking the channel at a place changes in the total error. */
static double change(greedy *g, int64_t place)
{
    double sum = 0.0;
    bool skipped = false;
    for (int64_t q = 0; q < g->consumers; q++) {
        const table *t = &g->t[q];
        const int64_t k = t->k, first = place * k;
        sum += t->of->share * lop_select_whiten(k, t->n, t->diagonal + first * k, k, 1.0, t->floor + first,
                                                t->W + first * t->n, t->L, t->Y, &skipped);
    }
    return sum;
}

static lop_status subtract_pending(greedy *g, lop_error *err)
{
    lop_status st = LOP_OK;
    for (int64_t q = 0; st == LOP_OK && q < g->consumers; q++) {
        table *t = &g->t[q];
        const int64_t p = g->m * t->k;
        st = lop_syrk(false, p, g->pending * t->k, -1.0, t->U, DELAY * t->k, 1.0, t->H, p, err);
        lop_mirror(p, t->H, p);
    }
    g->pending = 0;
    return st;
}

static lop_status take_from(greedy *g, table *t, int64_t place, lop_error *err)
{
    const int64_t k = t->k, p = g->m * k, ldu = DELAY * k, first = place * k, old = g->pending * k;
    double *column = t->U + old;        /* V is made in its place among the pending ones */
    bool skipped = false;
    for (int64_t i = 0; i < p; i++) memcpy(column + i * ldu, t->H + i * p + first, (size_t)k * sizeof(double));
    lop_status st = lop_gemm(false, true, p, k, old, -1.0, t->U, ldu, t->U + first * ldu, ldu, 1.0, column, ldu, err);
    if (st != LOP_OK) return st;
    lop_select_whiten(k, t->n, t->diagonal + first * k, k, 1.0, t->floor + first, t->W + first * t->n, t->L, t->Y,
                      &skipped);
    if (skipped && !g->forward)
        return lop_fail(err, LOP_E_NUMERIC, "elimination lost channel #%" PRId64 " to rounding: raise ridge",
                        g->channel[place]);
    lop_select_unmix(p, k, column, ldu, t->L, column, ldu);
    st = lop_gemm(false, false, p, t->n, k, -1.0, column, ldu, t->Y, t->n, 1.0, t->W, t->n, err);
    memset(t->W + first * t->n, 0, (size_t)(k * t->n) * sizeof(double));
    for (int64_t i = 0; i < p; i++) {
        double *block = t->diagonal + i * k;
        const double *v = column + i * ldu, *others = column + i / k * k * ldu;
        for (int64_t j = 0; j < k; j++) block[j] -= lop_dot(k, v, others + j * ldu);
        if (!g->gone[i / k] && block[i % k] < WORN * t->start[i]) g->worn = true;
    }
    return st;
}

static lop_status take(greedy *g, int64_t place, lop_error *err)
{
    lop_status st = LOP_OK;
    g->gone[place] = true;
    for (int64_t q = 0; st == LOP_OK && q < g->consumers; q++) st = take_from(g, &g->t[q], place, err);
    g->pending++;
    g->taken++;
    /* Forward is a block Cholesky and stays accurate; an inverse that is cut down wears off. */
    if (st == LOP_OK && !g->forward && (g->taken == REFACTOR || g->worn)) return load(g, err);
    return st == LOP_OK && g->pending == DELAY ? subtract_pending(g, err) : st;
}

/* E = sum sc - 2 <W, Bc> + <W, Gc W>, where Gc W = Bc + ridge N D (W0 - W): no product with Gc is needed. */
static double error_now(const greedy *g)
{
    double total = 0.0;
    for (int64_t q = 0; q < g->consumers; q++) {
        const table *t = &g->t[q];
        double E = t->of->energy;
        for (int64_t i = 0; i < g->m * t->k; i++) {
            const int64_t tap = g->channel[i / t->k] * t->k + i % t->k;
            if (g->gone[i / t->k] || t->of->dead[tap]) continue;
            const double pull = g->in->ridge * lop_centred_power(t->of->q, g->channel[i / t->k]);
            const double *w = t->W + i * t->n, *w0 = t->of->W0 + tap * t->n;
            E -= lop_dot(t->n, w, (const double *)t->of->q->cross.data + tap * t->n);
            E += pull * (lop_dot(t->n, w, w0) - lop_dot(t->n, w, w));
        }
        total += t->of->share * E;
    }
    return fmax(total, 0.0);
}

/* What stays goes last in elimination and comes first in forward selection. */
static void set_aside(greedy *g)
{
    bool first = false;
    for (int64_t i = 0; i < g->m; i++)
        first = first || (!g->gone[i] && (!g->in->stay || g->in->stay[g->channel[i]] == g->forward));
    for (int64_t i = 0; i < g->m; i++)
        g->aside[i] = g->gone[i] || (first && g->in->stay && g->in->stay[g->channel[i]] != g->forward);
}

static int64_t next_place(greedy *g, const int64_t *forced, int64_t step)
{
    set_aside(g);
    for (int64_t i = 0; i < g->m; i++) {
        if (forced && g->channel[i] == forced[step]) return i;
        if (forced || g->aside[i]) continue;
        g->value[i] = change(g, i) / (g->in->cost ? g->in->cost[g->channel[i]] : 1.0);
        if (g->forward) g->value[i] = -g->value[i];
    }
    return forced ? -1 : lop_select_least(g->m, g->value, g->aside);
}

static lop_status eliminate(greedy *g, const int64_t *forced, int64_t width, int64_t *order, double *error,
                            lop_error *err)
{
    lop_status st = load(g, err);
    if (st == LOP_OK && error) error[g->c] = error_now(g);
    for (int64_t step = 0; st == LOP_OK && step < g->c - width; step++) {
        const int64_t place = next_place(g, forced, step), channel = place >= 0 ? g->channel[place] : -1;
        if (place < 0 || g->gone[place])
            return lop_fail(err, LOP_E_ARG, "order: entry #%" PRId64 " (%" PRId64 ") is no channel that is left", step,
                            forced[step]);
        st = take(g, place, err);
        if (order) order[step] = channel;
        if (st == LOP_OK && error) error[g->c - step - 1] = error_now(g);
        if (st == LOP_OK) st = lop_progress_step(g->in->progress, "elimination", step + 1, g->c - width, err);
    }
    return st;
}

lop_status lop_eliminate(const lop_select_input *in, const int64_t *forced, int64_t width, int64_t *order,
                         double *error, lop_error *err)
{
    greedy g;
    lop_status st = greedy_init(&g, in, false, err);
    if (st == LOP_OK) st = eliminate(&g, forced, width, order, error, err);
    greedy_clear(&g);
    return st;
}

lop_status lop_forward(const lop_select_input *in, int64_t width, int64_t *taken, lop_error *err)
{
    greedy g;
    lop_status st = greedy_init(&g, in, true, err);
    if (st == LOP_OK) st = load(&g, err);
    for (int64_t step = 0; st == LOP_OK && step < width; step++) {
        const int64_t place = next_place(&g, NULL, step);
        taken[step] = g.channel[place];
        st = take(&g, place, err);
        if (st == LOP_OK) st = lop_progress_step(in->progress, "forward selection", step + 1, width, err);
    }
    greedy_clear(&g);
    return st;
}

/* core/select/table.c - what a greedy method knows of one consumer, over the channels at the last load: H and W (see
 * greedy.c). Taking channel j with L L^T = H_jj, V = H_:j L^-T and Y = L^-1 W_j is
 *     H -= V V^T,   W -= V Y,
 * the first delayed: V's are gathered and subtracted LOP_TABLE_DELAY channels at a time, as one by one they would be
 * bound by memory. Diagonal blocks and W are read by every step and kept current.
 *
 * Where filters are many for the taps, as in a classifier's layers, W itself is what does not fit the cache. All that a
 * choice asks of it is trace(W_j^T H_jj^-1 W_j) = trace(H_jj^-1 S_jj) with S = W W^T, so S stands in its place:
 *     S -= V Z^T + Z V^T,   Z = S_:j L^-T - V (L^-1 S_jj L^-T) / 2,
 * delayed like H; no step then depends on the number of filters. The error at a ridge also needs <W_t, W0_t> of every
 * tap t, the diagonal of C = W W0^T: C -= V (L^-1 C_j:). Of H and S the upper triangle is kept up. */
#include "select/select_impl.h"
#include "linalg/linalg.h"
#include <string.h>

static const double SINGULAR = 1e-13, REDUNDANT = 1e-10, WORN = 1e-8;
enum {
    PANEL = 64,                 /* original weights brought together at once */
    FILTERS = 8                 /* S where that many times n is p k at least */
};

void lop_table_clear(lop_table *t)
{
    double *own[] = {t->H,     t->W,      t->S,     t->C, t->U, t->Z,    t->ZC,   t->diagonal,
                     t->start, t->square, t->along, t->floor, t->L, t->Y, t->panel};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) lop_free(own[i]);
}

static lop_status init_products(lop_table *t, int64_t p, bool along, lop_error *err)
{
    const size_t columns = (size_t)(LOP_TABLE_DELAY * t->k);
    t->S = lop_array(p, (size_t)p * sizeof(double), err);
    t->Z = lop_array(p, columns * sizeof(double), err);
    t->square = lop_array(p, (size_t)t->k * sizeof(double), err);
    if (!t->S || !t->Z || !t->square) return LOP_E_MEMORY;
    if (!along) return LOP_OK;
    t->C = lop_array(p, (size_t)p * sizeof(double), err);
    t->ZC = lop_array(p, columns * sizeof(double), err);
    t->along = lop_array(p, sizeof(double), err);
    t->panel = lop_array(PANEL, (size_t)t->n * sizeof(double), err);
    return t->C && t->ZC && t->along && t->panel ? LOP_OK : LOP_E_MEMORY;
}

lop_status lop_table_init(lop_table *t, const lop_consumer *of, double ridge, bool forward, bool errors, lop_error *err)
{
    const int64_t k = of->q->taps, n = of->q->n, p = of->q->c * k, most = n > k ? n : k;
    *t = (lop_table){.of = of, .k = k, .n = n, .ridge = ridge, .forward = forward};
    t->H = lop_array(p, (size_t)p * sizeof(double), err);
    t->W = lop_array(p, (size_t)n * sizeof(double), err);
    t->U = lop_array(p, (size_t)(LOP_TABLE_DELAY * k) * sizeof(double), err);
    t->diagonal = lop_array(p, (size_t)k * sizeof(double), err);
    t->start = lop_array(p, sizeof(double), err);
    t->floor = lop_array(p, sizeof(double), err);
    t->L = lop_array(k, (size_t)k * sizeof(double), err);
    t->Y = lop_array(k, (size_t)(most + k) * sizeof(double), err);
    if (!t->H || !t->W || !t->U || !t->diagonal || !t->start || !t->floor || !t->L || !t->Y) return LOP_E_MEMORY;
    return FILTERS * n >= p * k ? init_products(t, p, errors && ridge > 0.0, err) : LOP_OK;
}

/* H = M^-1, W = H R. A pivot lost to rounding says that the taps depend on each other: the inverse would be noise. */
static lop_status invert(lop_table *t, lop_error *err)
{
    const int64_t p = t->m * t->k;
    lop_status st = lop_cholesky(p, t->H, p, NULL);
    for (int64_t i = 0; st == LOP_OK && i < p; i++)
        if (!(t->H[i * p + i] * t->H[i * p + i] > SINGULAR * t->start[i])) st = LOP_E_NUMERIC;
    if (st == LOP_E_NUMERIC)
        return lop_fail(err, st,
                        "the Gram matrix of %" PRId64 " channels is singular at ridge = %g: raise ridge, or sample "
                        "more rows (%g for %" PRId64 " taps)",
                        t->m, t->ridge, t->of->q->rows, p);
    if (st == LOP_OK) st = lop_cholesky_solve(p, t->H, p, t->n, t->W, t->n, err);
    return st == LOP_OK ? lop_cholesky_inverse(p, t->H, p, err) : st;
}

static int64_t tap_of(const lop_table *t, int64_t row) { return t->channel[row / t->k] * t->k + row % t->k; }

/* C = W W0^T of the channels in the table. */
static lop_status load_along(lop_table *t, lop_error *err)
{
    const int64_t p = t->m * t->k, n = t->n;
    lop_status st = LOP_OK;
    for (int64_t first = 0; st == LOP_OK && first < p; first += PANEL) {
        const int64_t count = p - first < PANEL ? p - first : PANEL;
        for (int64_t i = 0; i < count; i++)
            memcpy(t->panel + i * n, t->of->W0 + tap_of(t, first + i) * n, (size_t)n * sizeof(double));
        st = lop_gemm(false, true, p, count, n, 1.0, t->W, n, t->panel, n, 0.0, t->C + first, p, err);
    }
    for (int64_t i = 0; i < p; i++) t->along[i] = t->C[i * p + i];
    return st;
}

static lop_status load_products(lop_table *t, lop_error *err)
{
    const int64_t p = t->m * t->k, k = t->k;
    lop_status st = lop_syrk(false, p, t->n, 1.0, t->W, t->n, 0.0, t->S, p, err);
    if (st == LOP_OK && t->C) st = load_along(t, err);
    for (int64_t i = 0; st == LOP_OK && i < p; i++)
        for (int64_t j = 0, first = i / k * k; j < k; j++)
            t->square[i * k + j] = first + j >= i ? t->S[i * p + first + j] : t->S[(first + j) * p + i];
    return st;
}

static double pull_of(const lop_table *t, int64_t place)
{
    return t->ridge * lop_centred_power(t->of->q, t->channel[place]);
}

/* E = sum sc - 2 <W, Bc> + <W, Gc W>, where Gc W = Bc + ridge N D (W0 - W): no product with Gc is needed. */
static double error_of_weights(const lop_table *t, const bool *gone)
{
    double E = t->of->energy;
    for (int64_t i = 0; i < t->m * t->k; i++) {
        const int64_t tap = tap_of(t, i);
        if (gone[i / t->k] || t->of->dead[tap]) continue;
        const double *w = t->W + i * t->n, *w0 = t->of->W0 + tap * t->n, pull = pull_of(t, i / t->k);
        E -= lop_dot(t->n, w, (const double *)t->of->q->cross.data + tap * t->n);
        E += pull * (lop_dot(t->n, w, w0) - lop_dot(t->n, w, w));
    }
    return E;
}

/* What the ridge adds to E, less what it adds where W is 0: ridge N (|W|^2 - 2 <W, W0>). */
static double penalty(const lop_table *t, const bool *gone)
{
    double sum = 0.0;
    for (int64_t i = 0; t->C && i < t->m * t->k; i++)
        if (!gone[i / t->k])
            sum += pull_of(t, i / t->k) * (t->square[i * t->k + i % t->k] - 2.0 * t->along[i]);
    return sum;
}

double lop_table_error(const lop_table *t, const bool *gone)
{
    return t->S ? t->objective - penalty(t, gone) : error_of_weights(t, gone);
}

lop_status lop_table_load(lop_table *t, const int64_t *channel, int64_t m, const bool *gone, bool errors,
                          lop_error *err)
{
    const int64_t k = t->k, p = m * k;
    t->channel = channel;
    t->m = m;
    t->pending = 0;
    lop_normal_fill(t->of->q, t->of->W0, t->of->dead, channel, m, t->ridge, t->H, t->W);
    for (int64_t i = 0; i < p; i++) t->start[i] = t->H[i * p + i];
    lop_status st = t->forward ? LOP_OK : invert(t, err);
    for (int64_t i = 0; st == LOP_OK && i < p; i++) {
        memcpy(t->diagonal + i * k, t->H + i * p + i / k * k, (size_t)k * sizeof(double));
        t->start[i] = t->H[i * p + i];
        t->floor[i] = t->forward ? REDUNDANT * t->start[i] : 0.0;
    }
    if (st == LOP_OK && t->S) st = load_products(t, err);
    if (st == LOP_OK && t->S && errors) t->objective = error_of_weights(t, gone) + penalty(t, gone);
    return st;
}

/* L^-1 S_jj L^-T to M (k, k); returns its trace. */
static double whiten_products(const lop_table *t, int64_t place, double *M, bool *skipped)
{
    const int64_t k = t->k, first = place * k;
    const double *L = t->L, *S = t->square + first * k;
    double *T = M + k * k, sum = 0.0;
    lop_select_factor(k, t->diagonal + first * k, k, 1.0, t->floor + first, t->L, skipped);
    lop_select_unmix(k, k, S, k, L, T, k);              /* S_jj L^-T, of which the transpose is L^-1 S_jj */
    for (int64_t i = 0; i < k; i++)
        for (int64_t j = 0; j < k; j++) M[i * k + j] = T[j * k + i];
    lop_select_unmix(k, k, M, k, L, M, k);
    for (int64_t i = 0; i < k; i++) sum += M[i * k + i];
    return sum;
}

double lop_table_change(lop_table *t, int64_t place, bool *skipped)
{
    const int64_t k = t->k, first = place * k;
    if (t->S) return whiten_products(t, place, t->Y, skipped);
    return lop_select_whiten(k, t->n, t->diagonal + first * k, k, 1.0, t->floor + first, t->W + first * t->n, t->L,
                             t->Y, skipped);
}

/* Columns first .. first + k of a symmetric A (p, p), of which the upper triangle is read, to `to` (p, k). */
static void columns_of(const double *A, int64_t p, int64_t first, int64_t k, double *to, int64_t ld)
{
    for (int64_t i = 0; i < first; i++) memcpy(to + i * ld, A + i * p + first, (size_t)k * sizeof(double));
    for (int64_t j = 0; j < k; j++)
        for (int64_t i = first; i < p; i++)
            to[i * ld + j] = i >= first + j ? A[(first + j) * p + i] : A[i * p + first + j];
}

static lop_status subtract_pending(lop_table *t, lop_error *err)
{
    const int64_t p = t->m * t->k, ld = LOP_TABLE_DELAY * t->k, count = t->pending * t->k;
    lop_status st = lop_syrk(false, p, count, -1.0, t->U, ld, 1.0, t->H, p, err);
    if (st == LOP_OK && t->S) st = lop_syr2k(p, count, -1.0, t->U, ld, t->Z, ld, 1.0, t->S, p, err);
    if (st == LOP_OK && t->C) st = lop_gemm(false, true, p, p, count, -1.0, t->U, ld, t->ZC, ld, 1.0, t->C, p, err);
    t->pending = 0;
    return st;
}

/* Z of the channel at `first`, V and M being known; square and, where it is asked for, along are brought up to date. */
static lop_status take_products(lop_table *t, int64_t first, const double *V, const double *M, lop_error *err)
{
    const int64_t k = t->k, p = t->m * k, ld = LOP_TABLE_DELAY * k, old = t->pending * k;
    const double *U = t->U + first * ld;
    double *z = t->Z + old, *c = t->C ? t->ZC + old : NULL;
    columns_of(t->S, p, first, k, z, ld);
    lop_status st = lop_gemm(false, true, p, k, old, -1.0, t->U, ld, t->Z + first * ld, ld, 1.0, z, ld, err);
    if (st == LOP_OK) st = lop_gemm(false, true, p, k, old, -1.0, t->Z, ld, U, ld, 1.0, z, ld, err);
    lop_select_unmix(p, k, z, ld, t->L, z, ld);
    if (st == LOP_OK) st = lop_gemm(false, false, p, k, k, -0.5, V, ld, M, k, 1.0, z, ld, err);
    for (int64_t i = 0; c && i < p; i++)
        for (int64_t j = 0; j < k; j++) c[i * ld + j] = t->C[(first + j) * p + i];
    if (st == LOP_OK && c) st = lop_gemm(false, true, p, k, old, -1.0, t->ZC, ld, U, ld, 1.0, c, ld, err);
    if (c) lop_select_unmix(p, k, c, ld, t->L, c, ld);
    for (int64_t i = 0; i < p; i++) {
        const double *v = V + i * ld, *own = z + i * ld;
        for (int64_t j = 0, base = i / k * k; j < k; j++)
            for (int64_t l = 0; l < k; l++)
                t->square[i * k + j] -= v[l] * z[(base + j) * ld + l] + own[l] * V[(base + j) * ld + l];
        for (int64_t l = 0; c && l < k; l++) t->along[i] -= v[l] * c[i * ld + l];
    }
    return st;
}

/* W -= V Y. */
static lop_status take_weights(lop_table *t, int64_t first, const double *V, lop_error *err)
{
    const int64_t k = t->k, p = t->m * k;
    const lop_status st = lop_gemm(false, false, p, t->n, k, -1.0, V, LOP_TABLE_DELAY * k, t->Y, t->n, 1.0, t->W, t->n,
                                   err);
    memset(t->W + first * t->n, 0, (size_t)(k * t->n) * sizeof(double));
    return st;
}

lop_status lop_table_take(lop_table *t, int64_t place, const bool *gone, bool *worn, lop_error *err)
{
    lop_status st = t->pending == LOP_TABLE_DELAY ? subtract_pending(t, err) : LOP_OK;
    if (st != LOP_OK) return st;
    const int64_t k = t->k, p = t->m * k, ldu = LOP_TABLE_DELAY * k, first = place * k, old = t->pending * k;
    double *column = t->U + old;        /* V is made in its place among the pending ones */
    bool skipped = false;
    columns_of(t->H, p, first, k, column, ldu);
    st = lop_gemm(false, true, p, k, old, -1.0, t->U, ldu, t->U + first * ldu, ldu, 1.0, column, ldu, err);
    if (st != LOP_OK) return st;
    const double change = lop_table_change(t, place, &skipped);
    if (skipped && !t->forward)
        return lop_fail(err, LOP_E_NUMERIC, "elimination lost channel #%" PRId64 " to rounding: raise ridge",
                        t->channel[place]);
    t->objective += t->forward ? -change : change;
    lop_select_unmix(p, k, column, ldu, t->L, column, ldu);
    st = t->S ? take_products(t, first, column, t->Y, err) : take_weights(t, first, column, err);
    for (int64_t i = 0; i < p; i++) {
        double *block = t->diagonal + i * k;
        const double *v = column + i * ldu, *others = column + i / k * k * ldu;
        for (int64_t j = 0; j < k; j++) block[j] -= lop_dot(k, v, others + j * ldu);
        if (!gone[i / k] && block[i % k] < WORN * t->start[i]) *worn = true;
    }
    t->pending++;
    return st;
}

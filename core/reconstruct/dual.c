/* core/reconstruct/dual.c - least squares with a ridge from rows, in as many unknowns as there are rows: for consumers
 * whose taps squared would not fit. Taps are taken a panel at a time; only matrices of rows by rows are ever whole. */
#include "reconstruct/reconstruct_impl.h"
#include "linalg/linalg.h"
#include <math.h>
#include <string.h>

enum { PANEL = 256 };

typedef struct {                /* one set of rows */
    int64_t rows;
    const float *x, *y;         /* (rows, p), (rows, n) */
    double *X;                  /* (rows, PANEL): the panel in work */
    double *R;                  /* (rows, n): Y - X W0 */
    double *K;                  /* (rows, N): X (N D)^-1 X^T against the rows that are solved on */
    double centred;             /* |Y|^2 about their own mean */
} row_set;

typedef struct {
    const lop_centred *q;
    const lop_tensor *weight;
    const int64_t *channel;
    int64_t width, n;           /* taps kept */
    const float *fixed;         /* the bias that stays, or NULL */
    uint8_t *dead;              /* (p) */
    double *inverse;            /* (width): 1 / (N D), 0 for a dead tap */
    double *W0;                 /* (PANEL, n) */
    double *scaled;             /* (N, PANEL): X (N D)^-1 */
    row_set train, held;        /* held.rows 0: none */
    double *M, *alpha, *best;   /* (N, N), (N, n): the factor at a ridge, (K + ridge I)^-1 R */
} dual;

static void set_clear(row_set *s)
{
    double *own[] = {s->X, s->R, s->K};
    for (size_t k = 0; k < sizeof own / sizeof *own; k++) lop_free(own[k]);
}

static void dual_clear(dual *a)
{
    void *own[] = {a->dead, a->inverse, a->W0, a->scaled, a->M, a->alpha, a->best};
    for (size_t k = 0; k < sizeof own / sizeof *own; k++) lop_free(own[k]);
    set_clear(&a->train);
    set_clear(&a->held);
}

/* The rows that s keeps; R starts as Y less what the intercept takes. */
static lop_status set_init(const dual *a, const lop_stats *s, row_set *to, lop_error *err)
{
    const int64_t n = a->n;
    const double *my = a->q->mean_y.data;
    to->rows = lop_stats_kept(s);
    to->x = lop_stats_kept_x(s);
    to->y = lop_stats_kept_y(s);
    to->X = lop_array(to->rows, PANEL * sizeof(double), err);
    to->R = lop_array(to->rows, (size_t)n * sizeof(double), err);
    to->K = lop_array(to->rows, (size_t)lop_stats_kept(a->q->kept) * sizeof(double), err);
    if (!to->X || !to->R || !to->K) return LOP_E_MEMORY;
    for (int64_t f = 0; f < n; f++) {
        double sum = 0.0, square = 0.0;
        for (int64_t r = 0; r < to->rows; r++) sum += (double)to->y[r * n + f];
        for (int64_t r = 0; r < to->rows; r++) {
            const double y = to->y[r * n + f], d = y - sum / (double)to->rows;
            square += d * d;
            to->R[r * n + f] = y - (a->fixed ? (double)a->fixed[f] : my[f]);
        }
        to->centred += square;
    }
    return LOP_OK;
}

static int64_t tap_of(const dual *a, int64_t i) { return a->channel[i / a->q->taps] * a->q->taps + i % a->q->taps; }

static void load_weights(const dual *a, int64_t first, int64_t count)
{
    const int64_t p = a->q->c * a->q->taps, n = a->n;
    for (int64_t i = 0; i < count; i++)
        for (int64_t f = 0, tap = tap_of(a, first + i); f < n; f++)
            a->W0[i * n + f] = a->weight->type == LOP_F32 ? (double)((const float *)a->weight->data)[f * p + tap]
                                                          : ((const double *)a->weight->data)[f * p + tap];
}

static void load_panel(const dual *a, row_set *s, int64_t first, int64_t count)
{
    const int64_t p = a->q->c * a->q->taps;
    const double *mean = a->q->mean_x.data;
    for (int64_t i = 0; i < count; i++) {
        const int64_t tap = tap_of(a, first + i);
        const double less = a->fixed ? 0.0 : mean[tap];
        for (int64_t r = 0; r < s->rows; r++) s->X[r * count + i] = (double)s->x[r * p + tap] - less;
    }
}

/* A panel's part of R and of K. The train panel is loaded, and stands scaled. */
static lop_status add_panel(const dual *a, row_set *s, int64_t first, int64_t count, lop_error *err)
{
    if (s != &a->train) load_panel(a, s, first, count);
    lop_status st = lop_gemm(false, false, s->rows, a->n, count, -1.0, s->X, count, a->W0, a->n, 1.0, s->R, a->n, err);
    if (st == LOP_OK)
        st = lop_gemm(false, true, s->rows, a->train.rows, count, 1.0, s->X, count, a->scaled, count, 1.0, s->K,
                      a->train.rows, err);
    return st;
}

static lop_status sum_panels(dual *a, lop_error *err)
{
    lop_status st = LOP_OK;
    for (int64_t first = 0; st == LOP_OK && first < a->width; first += PANEL) {
        const int64_t count = a->width - first < PANEL ? a->width - first : PANEL;
        load_weights(a, first, count);
        load_panel(a, &a->train, first, count);
        for (int64_t r = 0; r < a->train.rows; r++)
            for (int64_t i = 0; i < count; i++)
                a->scaled[r * count + i] = a->train.X[r * count + i] * a->inverse[first + i];
        st = add_panel(a, &a->train, first, count, err);
        if (st == LOP_OK && a->held.rows > 0) st = add_panel(a, &a->held, first, count, err);
    }
    return st;
}

static lop_status dual_init(dual *a, const lop_stats *held, lop_error *err)
{
    const int64_t N = lop_stats_kept(a->q->kept), p = a->q->c * a->q->taps;
    lop_status st = lop_weight_part(a->weight, a->q->c, a->q->taps, a->n, 0, 0, NULL, err);
    if (st != LOP_OK) return st;
    a->dead = lop_array(p, 1, err);
    a->inverse = lop_array(a->width, sizeof(double), err);
    a->W0 = lop_array(PANEL, (size_t)a->n * sizeof(double), err);
    a->scaled = lop_array(N, PANEL * sizeof(double), err);
    a->M = lop_array(N, (size_t)N * sizeof(double), err);
    a->alpha = lop_array(N, (size_t)a->n * sizeof(double), err);
    a->best = lop_array(N, (size_t)a->n * sizeof(double), err);
    if (!a->dead || !a->inverse || !a->W0 || !a->scaled || !a->M || !a->alpha || !a->best) return LOP_E_MEMORY;
    lop_centred_dead(a->q, a->dead);
    for (int64_t i = 0; i < a->width; i++)
        a->inverse[i] = a->dead[tap_of(a, i)] ? 0.0 : 1.0 / lop_centred_power(a->q, a->channel[i / a->q->taps]);
    st = set_init(a, a->q->kept, &a->train, err);
    if (st == LOP_OK && held && lop_stats_kept(held) > 0) st = set_init(a, held, &a->held, err);
    return st == LOP_OK ? sum_panels(a, err) : st;
}

/* |R - K alpha|^2, relative; alpha NULL: 0. R is left as it was. */
static lop_status error_of(const dual *a, const row_set *s, const double *alpha, double *error, lop_error *err)
{
    const int64_t n = a->n, N = a->train.rows;
    enum { AT_ONCE = 128 };
    double *left = lop_array(AT_ONCE, (size_t)n * sizeof *left, err), sum = 0.0;
    lop_status st = left ? LOP_OK : LOP_E_MEMORY;
    for (int64_t r = 0; st == LOP_OK && r < s->rows; r += AT_ONCE) {
        const int64_t rows = s->rows - r < AT_ONCE ? s->rows - r : AT_ONCE;
        memcpy(left, s->R + r * n, (size_t)(rows * n) * sizeof *left);
        if (alpha) st = lop_gemm(false, false, rows, n, N, -1.0, s->K + r * N, N, alpha, n, 1.0, left, n, err);
        sum += lop_dot(rows * n, left, left);
    }
    lop_free(left);
    *error = s->centred > 0.0 ? sum / s->centred : sum > 0.0 ? INFINITY : 0.0;
    return st;
}

/* alpha = (K + ridge I)^-1 R. */
static lop_status solve(dual *a, double ridge, lop_error *err)
{
    const int64_t N = a->train.rows;
    memcpy(a->M, a->train.K, (size_t)(N * N) * sizeof(double));
    memcpy(a->alpha, a->train.R, (size_t)(N * a->n) * sizeof(double));
    for (int64_t i = 0; i < N; i++) a->M[i * N + i] += ridge;
    const lop_status st = lop_cholesky(N, a->M, N, err);
    return st == LOP_OK ? lop_cholesky_solve(N, a->M, N, a->n, a->alpha, a->n, err) : st;
}

/* The ridge of least held-out error, or the first that can be solved; alpha of it in best. */
static lop_status find(dual *a, const lop_reconstruct_options *o, lop_reconstruction *out, lop_error *err)
{
    const bool automatic = o->ridge < 0.0, judged = automatic && a->held.rows > 0;
    double least = INFINITY, error = 0.0;
    out->ridge = -1.0;
    for (int k = !automatic ? LOP_RIDGES - 1 : judged ? 1 : LOP_RIDGE_BLIND; k < LOP_RIDGES; k++) {
        const double ridge = automatic ? lop_ridge_grid[k] : o->ridge;
        lop_status st = solve(a, ridge, err);
        if (st == LOP_E_NUMERIC && automatic) continue;
        if (st == LOP_OK && judged) st = error_of(a, &a->held, a->alpha, &error, err);
        if (st != LOP_OK) return st;
        if (out->ridge >= 0.0 && !(error < least)) continue;
        double *old = a->best;
        a->best = a->alpha;
        a->alpha = old;
        out->ridge = ridge;
        least = error;
        if (!judged) break;
    }
    if (out->ridge >= 0.0) return LOP_OK;
    return lop_fail(err, LOP_E_NUMERIC, "the rows' matrix is singular even at ridge = %g",
                    lop_ridge_grid[LOP_RIDGES - 1]);
}

/* W = W0 + (N D)^-1 X^T alpha, panel by panel; the bias is the intercept, or the one that stays. */
static lop_status write_out(dual *a, const double *alpha, lop_reconstruction *out, lop_error *err)
{
    const int64_t n = a->n, N = a->train.rows;
    const double *mx = a->q->mean_x.data, *my = a->q->mean_y.data;
    double *bias = lop_array(n, sizeof *bias, err);
    lop_status st = bias ? LOP_OK : LOP_E_MEMORY;
    for (int64_t f = 0; st == LOP_OK && f < n; f++) bias[f] = a->fixed ? (double)a->fixed[f] : my[f];
    float *w = out->weight.data;
    for (int64_t first = 0; st == LOP_OK && first < a->width; first += PANEL) {
        const int64_t count = a->width - first < PANEL ? a->width - first : PANEL;
        load_weights(a, first, count);
        load_panel(a, &a->train, first, count);
        for (int64_t r = 0; r < N; r++)
            for (int64_t i = 0; i < count; i++) a->train.X[r * count + i] *= a->inverse[first + i];
        if (alpha) st = lop_gemm(true, false, count, n, N, 1.0, a->train.X, count, alpha, n, 1.0, a->W0, n, err);
        for (int64_t i = 0; i < count; i++) {
            for (int64_t f = 0; f < n; f++) w[f * a->width + first + i] = (float)a->W0[i * n + f];
            if (!a->fixed) lop_axpy(n, -mx[tap_of(a, first + i)], a->W0 + i * n, bias);
        }
    }
    for (int64_t f = 0; st == LOP_OK && f < n; f++) ((float *)out->bias.data)[f] = (float)bias[f];
    lop_free(bias);
    return st == LOP_OK ? lop_reconstruction_check(out, err) : st;
}

lop_status lop_reconstruct_dual(const lop_centred *q, const lop_stats *held, const lop_tensor *weight,
                                const int64_t *channel, int64_t count, const lop_reconstruct_options *options,
                                lop_reconstruction *out, lop_error *err)
{
    *out = (lop_reconstruction){0};
    if (!q->kept) return lop_fail(err, LOP_E_ARG, "the dual needs statistics that keep rows");
    if (options->method != LOP_RECONSTRUCT_LEAST_SQUARES && options->method != LOP_RECONSTRUCT_NONE)
        return lop_fail(err, LOP_E_UNSUPPORTED,
                        "where statistics keep rows in place of sums: least-squares or none expected");
    const bool solves = options->method == LOP_RECONSTRUCT_LEAST_SQUARES;
    if (solves && options->ridge == 0.0)
        return lop_fail(err, LOP_E_ARG, "ridge = 0: more than 0 expected where statistics keep rows in place of sums");
    dual a = {.q = q, .weight = weight, .channel = channel, .width = count * q->taps, .n = q->n,
              .fixed = options->bias};
    lop_status st = dual_init(&a, held, err);
    if (st == LOP_OK && solves) st = find(&a, options, out, err);
    const double *alpha = solves ? a.best : NULL;
    out->held_error = NAN;
    if (st == LOP_OK && a.held.rows > 0) st = error_of(&a, &a.held, alpha, &out->held_error, err);
    if (st == LOP_OK) st = error_of(&a, &a.train, alpha, &out->error, err);
    if (st == LOP_OK) st = lop_reconstruction_shape(q, weight, count, out, err);
    if (st == LOP_OK) st = write_out(&a, alpha, out, err);
    if (st != LOP_OK) lop_reconstruction_clear(out);
    dual_clear(&a);
    return st;
}

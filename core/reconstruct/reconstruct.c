/* core/reconstruct/reconstruct.c - least squares, a scale a channel or a filter, or the intercept alone. */
#include "reconstruct/reconstruct_impl.h"
#include "linalg/linalg.h"
#include <math.h>
#include <string.h>

const double lop_ridge_grid[LOP_RIDGES] = {0.0, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1};
static const double SINGULAR = 1e-13;

lop_status lop_reconstruct_method_of(const char *name, lop_reconstruct_method *out, lop_error *err)
{
    static const char *const names[] = {"least-squares", "scale", "none", "moments"};
    for (int k = 0; k < 4; k++)
        if (strcmp(name, names[k]) == 0) {
            *out = (lop_reconstruct_method)k;
            return LOP_OK;
        }
    return lop_fail(err, LOP_E_ARG, "no reconstruction is called '%s': least-squares, scale, moments or none expected",
                    name);
}

void lop_reconstruction_clear(lop_reconstruction *r)
{
    lop_tensor_clear(&r->weight);
    lop_tensor_clear(&r->bias);
}

/* ---- errors: E = s - 2 <W, B> + <W, G W>, with the bias as W's last row when the sums are not centred ---- */

/* <W, G W> and <W, B> over the rows listed of G (ld) and B (n). */
static lop_status quadratic(const double *G, int64_t ld, const double *B, int64_t n, const int64_t *row, int64_t rows,
                            const double *W, double *square, double *cross, lop_error *err)
{
    enum { PANEL = 128 };       /* rows of G gathered at once */
    double *part = lop_array(PANEL, (size_t)rows * sizeof *part, err);
    double *product = lop_array(PANEL, (size_t)n * sizeof *product, err);
    lop_status st = part && product ? LOP_OK : LOP_E_MEMORY;
    *square = *cross = 0.0;
    for (int64_t first = 0; st == LOP_OK && first < rows; first += PANEL) {
        const int64_t high = rows - first < PANEL ? rows - first : PANEL;
        for (int64_t i = 0; i < high; i++)
            for (int64_t j = 0; j < rows; j++) part[i * rows + j] = G[row[first + i] * ld + row[j]];
        st = lop_gemm(false, false, high, n, rows, 1.0, part, rows, W, n, 0.0, product, n, err);
        for (int64_t i = 0; st == LOP_OK && i < high; i++) {
            *square += lop_dot(n, W + (first + i) * n, product + i * n);
            *cross += lop_dot(n, W + (first + i) * n, B + row[first + i] * n);
        }
    }
    lop_free(part);
    lop_free(product);
    return st;
}

static double sum_of(int64_t n, const double *v)
{
    double sum = 0.0;
    for (int64_t i = 0; i < n; i++) sum += v[i];
    return sum;
}

/* W (rows + 1, n), its last row the bias, on uncentred sums; rows lists count taps and then the constant. */
static lop_status error_on(lop_stats *s, const int64_t *row, int64_t rows, const double *W, double *error,
                           lop_error *err)
{
    const int64_t n = lop_stats_filters(s), p = lop_stats_channels(s) * lop_stats_taps(s);
    const double *G = lop_stats_gram(s), *B = lop_stats_cross(s), *energy = lop_stats_energy(s), N = lop_stats_rows(s);
    double square, cross, centred = 0.0;
    if (!G)
        return lop_fail(err, LOP_E_UNSUPPORTED, "statistics that keep rows in place of sums tell no error of weights");
    if (!(N > 0.0)) return lop_fail(err, LOP_E_ARG, "statistics: no rows were added yet");
    const lop_status st = quadratic(G, p + 1, B, n, row, rows, W, &square, &cross, err);
    if (st != LOP_OK) return st;
    for (int64_t f = 0; f < n; f++) centred += fmax(0.0, energy[f] - B[p * n + f] * B[p * n + f] / N);
    const double E = fmax(0.0, sum_of(n, energy) - 2.0 * cross + square);
    *error = centred > 0.0 ? E / centred : E > 0.0 ? INFINITY : 0.0;
    return LOP_OK;
}

/* ---- the problem ---- */

typedef struct {
    const lop_centred *q;
    lop_stats *held;
    const int64_t *channel;
    int64_t count, rows, n, taps;       /* rows = count taps */
    const float *fixed;                 /* the bias that stays, or NULL */
    uint8_t *dead;                      /* (p) */
    int64_t *row;                       /* (rows + 1): the taps kept among all, then the constant's row */
    double *W0;                         /* (p, n) */
    double *M, *R, *base;               /* (rows, rows) and (rows, n) of one ridge; M without ridge */
    double *W, *best;                   /* (rows + 1, n), the last row the bias */
} problem;

static void problem_clear(problem *a)
{
    void *own[] = {a->dead, a->row, a->W0, a->M, a->R, a->base, a->W, a->best};
    for (size_t k = 0; k < sizeof own / sizeof *own; k++) lop_free(own[k]);
}

static lop_status problem_init(problem *a, const lop_tensor *weight, bool solves, lop_error *err)
{
    const int64_t p = a->q->c * a->taps, side = solves ? a->rows : 1;
    a->dead = lop_array(p, 1, err);
    a->row = lop_array(a->rows + 1, sizeof *a->row, err);
    a->W0 = lop_array(p, (size_t)a->n * sizeof(double), err);
    a->M = lop_array(side, (size_t)side * sizeof(double), err);
    a->base = lop_array(side, (size_t)side * sizeof(double), err);
    a->R = lop_array(a->rows, (size_t)a->n * sizeof(double), err);
    a->W = lop_array(a->rows + 1, (size_t)a->n * sizeof(double), err);
    a->best = lop_array(a->rows + 1, (size_t)a->n * sizeof(double), err);
    if (!a->dead || !a->row || !a->W0 || !a->M || !a->R || !a->base || !a->W || !a->best) return LOP_E_MEMORY;
    for (int64_t i = 0; i < a->rows; i++) a->row[i] = a->channel[i / a->taps] * a->taps + i % a->taps;
    a->row[a->rows] = p;
    lop_centred_dead(a->q, a->dead);
    return lop_weight_rows(weight, a->q->c, a->taps, a->n, a->W0, err);
}

/* With a bias that stays the sums are about (0, bias), not about the means: G + N m m^T, B + N m (m_y - bias)^T. */
static void shift(const problem *a, double *M, double *R)
{
    const double *mx = a->q->mean_x.data, *my = a->q->mean_y.data, N = a->q->rows;
    for (int64_t i = 0; i < a->rows; i++) {
        const double m = N * mx[a->row[i]];
        if (a->dead[a->row[i]]) continue;
        for (int64_t j = 0; M && j < a->rows; j++)
            if (!a->dead[a->row[j]]) M[i * a->rows + j] += m * mx[a->row[j]];
        for (int64_t f = 0; R && f < a->n; f++) R[i * a->n + f] += m * (my[f] - (double)a->fixed[f]);
    }
}

/* With the target less what dead taps, whose weights stay, put in: nothing but a constant, which matters only when no
 * free intercept takes it. */
static void subtract_dead(const problem *a, double *R)
{
    const double *mx = a->q->mean_x.data, N = a->q->rows;
    for (int64_t d = 0; d < a->rows; d++) {
        if (!a->dead[a->row[d]]) continue;
        const double *w = a->W0 + a->row[d] * a->n;
        for (int64_t i = 0; i < a->rows; i++)
            if (!a->dead[a->row[i]]) lop_axpy(a->n, -N * mx[a->row[i]] * mx[a->row[d]], w, R + i * a->n);
    }
}

static lop_status factor(int64_t rows, double *M, const double *base, lop_error *err)
{
    lop_status st = lop_cholesky(rows, M, rows, NULL);
    for (int64_t i = 0; st == LOP_OK && i < rows; i++)
        if (!(M[i * rows + i] * M[i * rows + i] > SINGULAR * base[i * rows + i])) st = LOP_E_NUMERIC;
    return st == LOP_E_NUMERIC ? lop_fail(err, st, "singular") : st;
}

/* Weights stay as they were where nothing was learned about them. Bias: m_y - W^T m_x, or the one that stays. */
static void finish(const problem *a, double *W)
{
    double *bias = W + a->rows * a->n;
    const double *mx = a->q->mean_x.data, *my = a->q->mean_y.data;
    for (int64_t i = 0; i < a->rows; i++)
        if (a->dead[a->row[i]]) memcpy(W + i * a->n, a->W0 + a->row[i] * a->n, (size_t)a->n * sizeof *W);
    for (int64_t f = 0; f < a->n; f++) bias[f] = a->fixed ? (double)a->fixed[f] : my[f];
    for (int64_t i = 0; !a->fixed && i < a->rows; i++) lop_axpy(a->n, -mx[a->row[i]], W + i * a->n, bias);
}

static lop_status least_squares(problem *a, double ridge, lop_error *err)
{
    const int64_t rows = a->rows;
    memcpy(a->M, a->base, (size_t)(rows * rows) * sizeof(double));
    for (int64_t i = 0; i < rows; i++)
        if (!a->dead[a->row[i]]) a->M[i * rows + i] += ridge * lop_centred_power(a->q, a->channel[i / a->taps]);
    lop_status st = factor(rows, a->M, a->base, err);
    if (st != LOP_OK) return st;
    lop_normal_fill(a->q, a->W0, a->dead, a->channel, a->count, ridge, NULL, a->W);
    if (a->fixed) {
        shift(a, NULL, a->W);
        subtract_dead(a, a->W);
    }
    st = lop_cholesky_solve(rows, a->M, rows, a->n, a->W, a->n, err);
    finish(a, a->W);
    return st;
}

/* ---- a scale for each channel: A beta = b with A_ij = <W0_i, M_ij W0_j>, b_i = <W0_i, R_i>, drawn to beta = 1 ---- */

static lop_status scale_sums(problem *a, double *A, double *b, lop_error *err)
{
    const int64_t k = a->taps, rows = a->rows, n = a->n;
    double *own = lop_array(rows, (size_t)n * sizeof *own, err);
    double *panel = lop_array(k, (size_t)rows * sizeof *panel, err);
    lop_status st = own && panel ? LOP_OK : LOP_E_MEMORY;
    for (int64_t i = 0; st == LOP_OK && i < rows; i++)
        if (!a->dead[a->row[i]]) memcpy(own + i * n, a->W0 + a->row[i] * n, (size_t)n * sizeof *own);
    for (int64_t i = 0; st == LOP_OK && i < a->count; i++) {
        st = lop_gemm(false, true, k, rows, n, 1.0, own + i * k * n, n, own, n, 0.0, panel, rows, err);
        b[i] = lop_dot(k * n, own + i * k * n, a->R + i * k * n);
        for (int64_t t = 0; t < k; t++)
            for (int64_t j = 0; j < rows; j++)
                A[i * a->count + j / k] += panel[t * rows + j] * a->base[(i * k + t) * rows + j];
    }
    lop_free(own);
    lop_free(panel);
    return st;
}

static lop_status scale(problem *a, double ridge, lop_error *err)
{
    const int64_t m = a->count;
    double *A = lop_array(m, (size_t)m * sizeof *A, err), *b = lop_array(m, sizeof *b, err);
    double *whole = lop_array(m, (size_t)m * sizeof *whole, err);
    lop_status st = A && b && whole ? scale_sums(a, A, b, err) : LOP_E_MEMORY;
    if (st == LOP_OK) {
        memcpy(whole, A, (size_t)(m * m) * sizeof *whole);
        for (int64_t i = 0; i < m; i++) {
            const double own = A[i * m + i] > 0.0 ? A[i * m + i] : 1.0; /* a channel of no response stays as it is */
            whole[i * m + i] = own;
            b[i] += A[i * m + i] > 0.0 ? ridge * own : 1.0;
            A[i * m + i] = A[i * m + i] > 0.0 ? own * (1.0 + ridge) : 1.0;
        }
        st = factor(m, A, whole, err);
    }
    if (st == LOP_OK) st = lop_cholesky_solve(m, A, m, 1, b, 1, err);
    for (int64_t i = 0; st == LOP_OK && i < a->rows; i++) {
        memset(a->W + i * a->n, 0, (size_t)a->n * sizeof(double));
        lop_axpy(a->n, b[i / a->taps], a->W0 + a->row[i] * a->n, a->W + i * a->n);
    }
    if (st == LOP_OK) finish(a, a->W);
    lop_free(A);
    lop_free(b);
    lop_free(whole);
    return st;
}

static void keep_weights(problem *a)
{
    for (int64_t i = 0; i < a->rows; i++)
        memcpy(a->W + i * a->n, a->W0 + a->row[i] * a->n, (size_t)a->n * sizeof(double));
    finish(a, a->W);
}

/* Filter f of W0 by the ratio of deviations: of the target's centred energy to w^T G w. */
static lop_status moments(problem *a, lop_error *err)
{
    const int64_t rows = a->rows, n = a->n;
    const double *energy = a->q->energy.data;
    for (int64_t i = 0; i < rows; i++) {
        if (a->dead[a->row[i]]) memset(a->W + i * n, 0, (size_t)n * sizeof(double));
        else memcpy(a->W + i * n, a->W0 + a->row[i] * n, (size_t)n * sizeof(double));
    }
    const lop_status st = lop_gemm(false, false, rows, n, rows, 1.0, a->base, rows, a->W, n, 0.0, a->R, n, err);
    if (st != LOP_OK) return st;
    for (int64_t f = 0; f < n; f++) {
        double own = 0.0;
        for (int64_t i = 0; i < rows; i++) own += a->W[i * n + f] * a->R[i * n + f];
        const double s = own > 1e-8 * energy[f] && own > 0.0 ? sqrt(fmax(0.0, energy[f]) / own) : 1.0;
        for (int64_t i = 0; i < rows; i++) a->W[i * n + f] *= s;
    }
    finish(a, a->W);
    return LOP_OK;
}

/* ---- the choice of a ridge ---- */

static lop_status solve(problem *a, lop_reconstruct_method method, double ridge, lop_error *err)
{
    if (method == LOP_RECONSTRUCT_SCALE) return scale(a, ridge, err);
    return least_squares(a, ridge, err);
}

/* Walks the grid; what cannot be solved is passed over. Blind (no held-out sums): the first that can. */
static lop_status try_grid(problem *a, lop_reconstruct_method method, lop_reconstruction *out, lop_error *err)
{
    out->held_error = INFINITY;
    out->ridge = -1.0;
    for (int k = a->held ? 0 : LOP_RIDGE_BLIND; k < LOP_RIDGES; k++) {
        double error = 0.0;
        lop_status st = solve(a, method, lop_ridge_grid[k], err);
        if (st == LOP_E_NUMERIC) continue;
        if (st == LOP_OK && a->held) st = error_on(a->held, a->row, a->rows + 1, a->W, &error, err);
        if (st != LOP_OK) return st;
        if (out->ridge >= 0.0 && !(error < out->held_error)) continue;
        out->held_error = error;
        out->ridge = lop_ridge_grid[k];
        double *old = a->best;
        a->best = a->W;
        a->W = old;
        if (!a->held) break;
    }
    double *chosen = a->best;
    a->best = a->W;
    a->W = chosen;
    if (out->ridge >= 0.0) return LOP_OK;
    return lop_fail(err, LOP_E_NUMERIC, "the Gram matrix of %" PRId64 " channels is singular even at ridge = %g",
                    a->count, lop_ridge_grid[LOP_RIDGES - 1]);
}

static lop_status find_weights(problem *a, const lop_reconstruct_options *o, lop_reconstruction *out, lop_error *err)
{
    if (o->method == LOP_RECONSTRUCT_NONE) {
        keep_weights(a);
        return LOP_OK;
    }
    lop_normal_fill(a->q, a->W0, a->dead, a->channel, a->count, 0.0, a->base, a->R);
    if (o->method == LOP_RECONSTRUCT_MOMENTS) return moments(a, err);
    if (a->fixed) {
        shift(a, a->base, a->R);
        subtract_dead(a, a->R);
    }
    if (o->ridge < 0.0) return try_grid(a, o->method, out, err);
    out->ridge = o->ridge;
    const lop_status st = solve(a, o->method, o->ridge, err);
    if (st != LOP_E_NUMERIC) return st;
    return lop_fail(err, st,
                    "the Gram matrix of %" PRId64 " channels is singular at ridge = %g: raise ridge, or sample more "
                    "rows (%g for %" PRId64 " taps)",
                    a->count, o->ridge, a->q->rows, a->rows);
}

/* ---- the result ---- */

/* On the sums that W was made from; a bias that is not the free intercept adds N |m_y - W^T m_x - bias|^2. */
static lop_status train_error(const problem *a, double *error, lop_error *err)
{
    const double *mx = a->q->mean_x.data, *my = a->q->mean_y.data, *bias = a->W + a->rows * a->n;
    double square, cross;
    const lop_status st = quadratic(a->q->gram.data, a->q->c * a->taps, a->q->cross.data, a->n, a->row, a->rows, a->W,
                                    &square, &cross, err);
    if (st != LOP_OK) return st;
    const double energy = sum_of(a->n, a->q->energy.data);
    double E = energy - 2.0 * cross + square;
    for (int64_t f = 0; a->fixed && f < a->n; f++) {
        double miss = my[f] - bias[f];
        for (int64_t i = 0; i < a->rows; i++) miss -= a->W[i * a->n + f] * mx[a->row[i]];
        E += a->q->rows * miss * miss;
    }
    E = fmax(E, 0.0);
    *error = energy > 0.0 ? E / energy : E > 0.0 ? INFINITY : 0.0;
    return LOP_OK;
}

lop_status lop_reconstruction_shape(const lop_centred *q, const lop_tensor *weight, int64_t count,
                                    lop_reconstruction *out, lop_error *err)
{
    lop_shape shape = weight->shape;
    if (shape.ndim > 1 && shape.dim[1] == q->c) shape.dim[1] = count;
    else shape = (lop_shape){2, {q->n, count * q->taps}};       /* a Gemm behind Flatten: (n, c taps) */
    const lop_status st = lop_tensor_init(&out->weight, LOP_F32, &shape, err);
    return st == LOP_OK ? lop_tensor_init(&out->bias, LOP_F32, &(lop_shape){1, {q->n}}, err) : st;
}

lop_status lop_reconstruction_check(const lop_reconstruction *r, lop_error *err)
{
    int64_t where;
    if (lop_tensor_finite(&r->weight, &where) && lop_tensor_finite(&r->bias, &where)) return LOP_OK;
    return lop_fail(err, LOP_E_NUMERIC, "a new weight is past float32: raise ridge");
}

static lop_status write_out(const problem *a, const lop_tensor *weight, lop_reconstruction *out, lop_error *err)
{
    const lop_status st = lop_reconstruction_shape(a->q, weight, a->count, out, err);
    if (st != LOP_OK) return st;
    float *w = out->weight.data, *bias = out->bias.data;
    for (int64_t f = 0; f < a->n; f++) {
        for (int64_t i = 0; i < a->rows; i++) w[f * a->rows + i] = (float)a->W[i * a->n + f];
        bias[f] = (float)a->W[a->rows * a->n + f];
    }
    return lop_reconstruction_check(out, err);
}

lop_status lop_reconstruct_check(const lop_centred *q, lop_stats *held, const int64_t *channel, int64_t count,
                                 const lop_reconstruct_options *o, lop_error *err)
{
    if (count < 1 || count > q->c)
        return lop_fail(err, LOP_E_ARG, "%" PRId64 " channels kept: 1 to %" PRId64 " expected", count, q->c);
    for (int64_t i = 0; i < count; i++)
        if (channel[i] < 0 || channel[i] >= q->c || (i > 0 && channel[i] <= channel[i - 1]))
            return lop_fail(err, LOP_E_ARG, "kept channel #%" PRId64 " stands out of order or of 0 to %" PRId64,
                            channel[i], q->c - 1);
    if (held &&
        (lop_stats_channels(held) != q->c || lop_stats_taps(held) != q->taps || lop_stats_filters(held) != q->n))
        return lop_fail(err, LOP_E_SHAPE,
                        "held-out statistics are of another layer: %" PRId64 "x%" PRId64 "x%" PRId64 " against %" PRId64
                        "x%" PRId64 "x%" PRId64,
                        lop_stats_channels(held), lop_stats_taps(held), lop_stats_filters(held), q->c, q->taps, q->n);
    if (held && lop_stats_summed(held) != (q->gram.data != NULL))
        return lop_fail(err, LOP_E_ARG,
                        "held-out statistics keep rows in place of sums, or the others do: both expected");
    if (!isfinite(o->ridge) || (o->ridge < 0.0 && o->ridge != LOP_RIDGE_AUTO))
        return lop_fail(err, LOP_E_ARG, "ridge = %g: 0 or more, or automatic, expected", o->ridge);
    if ((int)o->method < LOP_RECONSTRUCT_LEAST_SQUARES || o->method > LOP_RECONSTRUCT_MOMENTS)
        return lop_fail(err, LOP_E_ARG, "reconstruction %d is unknown", (int)o->method);
    return LOP_OK;
}

lop_status lop_reconstruct(const lop_centred *q, lop_stats *held, const lop_tensor *weight, const int64_t *channel,
                           int64_t count, const lop_reconstruct_options *options, lop_reconstruction *out,
                           lop_error *err)
{
    static const lop_reconstruct_options usual = {LOP_RECONSTRUCT_LEAST_SQUARES, LOP_RIDGE_AUTO, NULL};
    const lop_reconstruct_options *o = options ? options : &usual;
    *out = (lop_reconstruction){0};
    lop_status st = lop_reconstruct_check(q, held, channel, count, o, err);
    if (st != LOP_OK) return st;
    if (!q->gram.data) return lop_reconstruct_dual(q, held, weight, channel, count, o, out, err);
    problem a = {.q = q, .held = held, .channel = channel, .count = count, .rows = count * q->taps, .n = q->n,
                 .taps = q->taps, .fixed = o->bias};
    st = problem_init(&a, weight, o->method != LOP_RECONSTRUCT_NONE, err);
    if (st == LOP_OK) st = find_weights(&a, o, out, err);
    out->held_error = NAN;
    if (st == LOP_OK && held) st = error_on(held, a.row, a.rows + 1, a.W, &out->held_error, err);
    if (st == LOP_OK) st = train_error(&a, &out->error, err);
    if (st == LOP_OK) st = write_out(&a, weight, out, err);
    if (st != LOP_OK) lop_reconstruction_clear(out);
    problem_clear(&a);
    return st;
}

lop_status lop_reconstruct_error(lop_stats *s, const lop_tensor *weight, const lop_tensor *bias, const int64_t *channel,
                                 int64_t count, double *error, lop_error *err)
{
    const int64_t taps = lop_stats_taps(s), n = lop_stats_filters(s), c = lop_stats_channels(s), rows = count * taps;
    lop_status st = lop_expect_f32(bias, "bias", (lop_shape){1, {n}}, err);
    for (int64_t i = 0; st == LOP_OK && i < count; i++)
        if (channel[i] < 0 || channel[i] >= c)
            st = lop_fail(err, LOP_E_ARG, "channel #%" PRId64 " is not one of %" PRId64, channel[i], c);
    if (st != LOP_OK) return st;
    double *W = lop_array(rows + 1, (size_t)n * sizeof *W, err);
    int64_t *row = lop_array(rows + 1, sizeof *row, err);
    st = W && row ? lop_weight_rows(weight, count, taps, n, W, err) : LOP_E_MEMORY;
    if (st == LOP_OK) {
        for (int64_t i = 0; i < rows; i++) row[i] = channel[i / taps] * taps + i % taps;
        row[rows] = c * taps;
        for (int64_t f = 0; f < n; f++) W[rows * n + f] = (double)((const float *)bias->data)[f];
        st = error_on(s, row, rows + 1, W, error, err);
    }
    lop_free(W);
    lop_free(row);
    return st;
}

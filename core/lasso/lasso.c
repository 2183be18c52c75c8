/* core/lasso/lasso.c - the LASSO's A and b from the sums of a consumer's patches: standardised, no dead channels. */
#include "lasso/lasso_impl.h"
#include "linalg/linalg.h"
#include <math.h>
#include <string.h>

void lop_lasso_clear(lop_lasso *l)
{
    lop_tensor *own[] = {&l->gram, &l->cross, &l->response, &l->scale, &l->live_gram, &l->live_cross};
    for (size_t k = 0; k < sizeof own / sizeof *own; k++) lop_tensor_clear(own[k]);
    lop_free(l->live);
    l->live = NULL;
}

static lop_status vector(lop_tensor *t, int64_t size, lop_error *err)
{
    return lop_tensor_init(t, LOP_F64, &(lop_shape){1, {size}}, err);
}

static lop_status square(lop_tensor *t, int64_t size, lop_error *err)
{
    return lop_tensor_init(t, LOP_F64, &(lop_shape){2, {size, size}}, err);
}

static lop_status begin(lop_lasso *l, int64_t c, const lop_lasso_options *options, lop_error *err)
{
    *l = (lop_lasso){.c = c, .nonnegative = options && options->nonnegative};
    lop_status st = square(&l->gram, c, err);
    if (st == LOP_OK) st = vector(&l->cross, c, err);
    if (st == LOP_OK) st = vector(&l->response, c, err);
    if (st == LOP_OK) st = vector(&l->scale, c, err);
    if (st == LOP_OK && !(l->live = lop_array(c, sizeof *l->live, err))) st = LOP_E_MEMORY;
    return st;
}

/* ---- A_ij = trace(W_i (Gc)_ij W_j^T): the sum over a k x k block of Gc times W^T W, entry by entry ---- */

enum { PANEL = 256 };           /* taps of W^T W made at once; sizes were checked when the sums were made */

static void add_gram(const lop_centred *q, const double *W, double weight, double *panel, lop_lasso *l)
{
    const int64_t k = q->taps, p = q->c * k, n = q->n;
    double *A = l->gram.data;
    for (int64_t first = 0; first < p; first += PANEL) {
        const int64_t high = p - first < PANEL ? p - first : PANEL;
        lop_gemm(false, true, high, p, n, 1.0, W + first * n, n, W, n, 0.0, panel, p, NULL);
        for (int64_t a = 0; a < high; a++) {
            const double *G = (const double *)q->gram.data + (first + a) * p, *V = panel + a * p;
            double *row = A + (first + a) / k * q->c;
            for (int64_t j = 0; j < q->c; j++) {
                double sum = 0.0;
                for (int64_t b = j * k; b < (j + 1) * k; b++) sum += G[b] * V[b];
                row[j] += weight * sum;
            }
        }
    }
}

/* b_i = <W_i, (Bc)_i^T>, and what the means add to the energy of Z_i: N |W_i m_i|^2. */
static void add_cross(const lop_centred *q, const double *W, double weight, double *constant, lop_lasso *l)
{
    const int64_t k = q->taps, n = q->n;
    double *b = l->cross.data, *response = l->response.data;
    const double *mean = q->mean_x.data;
    for (int64_t i = 0; i < q->c; i++) {
        memset(constant, 0, (size_t)n * sizeof *constant);
        for (int64_t a = i * k; a < (i + 1) * k; a++) lop_axpy(n, mean[a], W + a * n, constant);
        b[i] += weight * lop_dot(k * n, W + i * k * n, (const double *)q->cross.data + i * k * n);
        response[i] += weight * q->rows * lop_dot(n, constant, constant);
    }
}

static lop_status add_consumer(const lop_centred *q, const lop_tensor *weight, bool several, lop_lasso *l,
                               lop_error *err)
{
    const int64_t p = q->c * q->taps;
    double energy = 0.0;
    for (int64_t f = 0; f < q->n; f++) energy += ((const double *)q->energy.data)[f];
    if (q->c != l->c)
        return lop_fail(err, LOP_E_SHAPE, "consumers of %" PRId64 " and of %" PRId64 " channels share none", l->c,
                        q->c);
    if (several && !(energy > 0.0)) return LOP_OK;      /* a constant target asks for nothing */
    if (!q->gram.data) {
        const lop_status st = lop_lasso_add_rows(q, weight, several ? 1.0 / energy : 1.0, l, err);
        l->energy += several ? 1.0 : energy;
        l->rows = several ? 1.0 : q->rows;
        return st;
    }
    double *W = lop_array(p, (size_t)q->n * sizeof *W, err), *constant = lop_array(q->n, sizeof *constant, err);
    double *panel = lop_array(p < PANEL ? p : PANEL, (size_t)p * sizeof *panel, err);
    lop_status st = W && constant && panel ? lop_weight_rows(weight, q->c, q->taps, q->n, W, err) : LOP_E_MEMORY;
    if (st == LOP_OK) {
        const double whole = energy + q->beside, part = several ? 1.0 / whole : 1.0;
        add_gram(q, W, part, panel, l);
        add_cross(q, W, part, constant, l);
        l->energy += part * whole;
        l->start += part * energy;
        l->rows = several ? 1.0 : q->rows;
    }
    lop_free(W);
    lop_free(constant);
    lop_free(panel);
    return st;
}

/* ---- dead channels, standardisation ---- */

static void find_live(lop_lasso *l, bool unscaled)
{
    const double *A = l->gram.data, *response = l->response.data;
    double *scale = l->scale.data, most = 0.0;
    for (int64_t i = 0; i < l->c; i++) most = fmax(most, A[i * l->c + i]);
    for (int64_t i = 0; i < l->c; i++) {
        const double own = A[i * l->c + i];
        scale[i] = own <= 1e-12 * most || own <= 1e-10 * response[i] ? 0.0 : unscaled ? 1.0 : sqrt(own / l->rows);
        if (scale[i] > 0.0) l->live[l->count++] = i;
    }
}

static lop_status standardise(lop_lasso *l, lop_error *err)
{
    const int64_t m = l->count;
    l->start = l->start > 0.0 ? l->start : 0.0;
    lop_status st = square(&l->live_gram, m, err);
    if (st == LOP_OK) st = vector(&l->live_cross, m, err);
    if (st != LOP_OK) return st;
    const double *A = l->gram.data, *b = l->cross.data, *scale = l->scale.data;
    double *to = l->live_gram.data, *cross = l->live_cross.data;
    for (int64_t i = 0; i < m; i++) {
        const int64_t row = l->live[i];
        cross[i] = b[row] / scale[row];
        for (int64_t j = 0; j < m; j++) to[i * m + j] = A[row * l->c + l->live[j]] / (scale[row] * scale[l->live[j]]);
    }
    return LOP_OK;
}

lop_status lop_lasso_init(const lop_centred *const *q, const lop_tensor *const *weight, int64_t consumers,
                          const lop_lasso_options *options, lop_lasso *out, lop_error *err)
{
    *out = (lop_lasso){0};
    if (consumers < 1) return lop_fail(err, LOP_E_ARG, "%" PRId64 " consumers: at least 1 expected", consumers);
    lop_status st = begin(out, q[0]->c, options, err);
    out->rows = 1.0;
    for (int64_t k = 0; st == LOP_OK && k < consumers; k++) {
        st = add_consumer(q[k], weight[k], consumers > 1, out, err);
        if (st != LOP_OK && consumers > 1) lop_error_at(err, "consumer #%" PRId64, k);
    }
    if (st == LOP_OK) {
        double *response = out->response.data;
        for (int64_t i = 0; i < out->c; i++) response[i] += ((double *)out->gram.data)[i * out->c + i];
        find_live(out, options && options->unscaled);
        st = standardise(out, err);
    }
    if (st != LOP_OK) lop_lasso_clear(out);
    return st;
}

lop_status lop_lasso_from(const lop_tensor *gram, const lop_tensor *cross, double energy, double rows,
                          const lop_lasso_options *options, lop_lasso *out, lop_error *err)
{
    const int64_t c = lop_tensor_size(cross);
    *out = (lop_lasso){0};
    lop_status st = lop_expect_f64(cross, "cross", (lop_shape){1, {c}}, err);
    if (st == LOP_OK) st = lop_expect_f64(gram, "gram", (lop_shape){2, {c, c}}, err);
    if (st == LOP_OK && !(c > 0 && rows > 0.0 && isfinite(rows) && energy >= 0.0 && isfinite(energy)))
        st = lop_fail(err, LOP_E_ARG, "%" PRId64 " channels, rows = %g, energy = %g: 1 or more, > 0 and >= 0 expected",
                      c, rows, energy);
    if (st != LOP_OK) return st;
    st = begin(out, c, options, err);
    if (st == LOP_OK) {
        out->rows = rows;
        out->energy = energy;
        memcpy(out->gram.data, gram->data, lop_tensor_bytes(gram));
        memcpy(out->cross.data, cross->data, lop_tensor_bytes(cross));
        for (int64_t i = 0; i < c; i++)
            ((double *)out->response.data)[i] = ((const double *)gram->data)[i * c + i];
        out->start = out->energy;
        find_live(out, options && options->unscaled);
        st = standardise(out, err);
    }
    if (st != LOP_OK) lop_lasso_clear(out);
    return st;
}

/* ---- some channels stay ---- */

/* A and b without what channel o explains, one step of a Cholesky factorisation; v (c) is workspace. A channel that the
 * ones before it explain has nothing left to take away. */
static void project_out(int64_t c, int64_t o, double own, double *A, double *b, double *start, double *v)
{
    const double pivot = A[o * c + o];
    if (!(pivot > 1e-10 * own)) return;
    for (int64_t j = 0; j < c; j++) v[j] = A[o * c + j] / sqrt(pivot);
    const double along = b[o] / sqrt(pivot);
    *start -= along * along;
    for (int64_t i = 0; i < c; i++) {
        b[i] -= v[i] * along;
        lop_axpy(c, -v[i], v, A + i * c);
    }
}

/* out's A, b and live channels from what is left of all's. */
static void take_listed(const lop_lasso *all, const double *A, const double *b, const int64_t *channel, lop_lasso *out)
{
    double *to = out->gram.data, *cross = out->cross.data, *response = out->response.data, *scale = out->scale.data;
    const double *whole = all->gram.data, *energy = all->response.data, *scales = all->scale.data;
    for (int64_t i = 0; i < out->c; i++) {
        const int64_t k = channel[i];
        cross[i] = b[k];
        response[i] = energy[k];
        for (int64_t j = 0; j < out->c; j++) to[i * out->c + j] = A[k * all->c + channel[j]];
        scale[i] = A[k * all->c + k] > 1e-10 * whole[k * all->c + k] ? scales[k] : 0.0;
        if (scale[i] > 0.0) out->live[out->count++] = i;
    }
}

lop_status lop_lasso_given(const lop_lasso *all, const int64_t *channel, int64_t count, lop_lasso *out, lop_error *err)
{
    const int64_t c = all->c;
    const lop_lasso_options o = {.nonnegative = all->nonnegative};
    *out = (lop_lasso){0};
    for (int64_t i = 0; i < count; i++)
        if (channel[i] < 0 || channel[i] >= c || (i > 0 && channel[i] <= channel[i - 1]))
            return lop_fail(err, LOP_E_ARG, "channel #%" PRId64 " stands out of order or of 0 to %" PRId64, channel[i],
                            c - 1);
    if (count < 1) return lop_fail(err, LOP_E_ARG, "no channel is left to choose from");
    double *A = lop_array(c, (size_t)c * sizeof *A, err), *b = lop_array(2 * c, sizeof *b, err);
    lop_status st = A && b ? begin(out, count, &o, err) : LOP_E_MEMORY;
    if (st == LOP_OK) {
        out->rows = all->rows;
        out->energy = all->energy;
        out->start = all->start;
        memcpy(A, all->gram.data, (size_t)(c * c) * sizeof *A);
        memcpy(b, all->cross.data, (size_t)c * sizeof *b);
        for (int64_t i = 0, next = 0; i < c; i++) {
            if (next < count && channel[next] == i) next++;
            else if (((const double *)all->scale.data)[i] > 0.0)
                project_out(c, i, ((const double *)all->gram.data)[i * c + i], A, b, &out->start, b + c);
        }
        take_listed(all, A, b, channel, out);
        st = standardise(out, err);
    }
    lop_free(A);
    lop_free(b);
    if (st != LOP_OK) lop_lasso_clear(out);
    return st;
}

/* ---- one lambda ---- */

double lop_lasso_top(const lop_lasso *l)
{
    const double *b = l->live_cross.data;
    double most = 0.0;
    for (int64_t i = 0; i < l->count; i++) most = fmax(most, l->nonnegative ? b[i] : fabs(b[i]));
    return most / l->rows;
}

double lop_lasso_error(const lop_lasso *l, const double *beta)
{
    const double *A = l->gram.data, *b = l->cross.data;
    double sum = l->start;
    for (int64_t i = 0; i < l->c; i++)
        if (beta[i] != 0.0) sum += beta[i] * (lop_dot(l->c, A + i * l->c, beta) - 2.0 * b[i]);
    return l->energy > 0.0 ? sum / l->energy : 0.0;
}

lop_status lop_lasso_at(const lop_lasso *l, double lambda, double tol, lop_tensor *beta, int64_t *active,
                        lop_error *err)
{
    const double *scale = l->scale.data;
    lop_tensor x = {0};
    lop_status st = lop_expect_f64(beta, "beta", (lop_shape){1, {l->c}}, err);
    if (st == LOP_OK) st = vector(&x, l->count, err);
    if (st != LOP_OK) return st;
    double *to = beta->data, *from = x.data;
    for (int64_t i = 0; i < l->count; i++) from[i] = to[l->live[i]] * scale[l->live[i]];
    const lop_lasso_problem p = {&l->live_gram, &l->live_cross, l->rows, l->nonnegative};
    st = lop_lasso_solve(&p, lambda, tol, &x, err);
    if (st == LOP_OK) {
        memset(to, 0, (size_t)l->c * sizeof *to);
        *active = 0;
        for (int64_t i = 0; i < l->count; i++) {
            to[l->live[i]] = from[i] / scale[l->live[i]];
            *active += from[i] != 0.0;
        }
    }
    lop_tensor_clear(&x);
    return st;
}

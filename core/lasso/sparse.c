/* core/lasso/sparse.c - sparse coding: codes by the LASSO or by reweighted ridge steps, the basis by least squares,
 * each with the other fixed. All is done on sums, G = A A^T and S = Z^T Z, so that a step costs nothing in d. */
#include "lasso/lasso_impl.h"
#include "linalg/linalg.h"
#include <math.h>
#include <string.h>

enum { ROWS = 64, STEPS = 500, ROUNDS = 1000 };   /* samples a chunk; ridge steps a sample; rounds over the atoms */
static const double MOVED = 1e-9, LONG = 1e-9;

lop_status lop_rho_of(const char *name, lop_rho *out, lop_error *err)
{
    static const char *const names[] = {"l1", "log", "student-t"};
    for (int k = 0; k < 3; k++)
        if (strcmp(name, names[k]) == 0) {
            *out = (lop_rho)k;
            return LOP_OK;
        }
    return lop_fail(err, LOP_E_ARG, "no penalty is called '%s': l1, log or student-t expected", name);
}

static double rho(const lop_sparse_options *o, double z)
{
    if (o->rho == LOP_RHO_L1) return fabs(z);
    if (o->rho == LOP_RHO_LOG) return log1p(z * z);
    return 0.5 * (o->nu + 1.0) * log1p(z * z / o->nu);
}

/* rho'(z) / (2 z). */
static double slope(const lop_sparse_options *o, double z)
{
    if (o->rho == LOP_RHO_LOG) return 1.0 / (1.0 + z * z);
    return 0.5 * (o->nu + 1.0) / (o->nu + z * z);
}

static bool positive(double v) { return v > 0.0 && isfinite(v); }

static lop_status check(const lop_tensor *x, const lop_tensor *basis, const lop_tensor *z, lop_error *err)
{
    if (x->shape.ndim != 2 || basis->shape.ndim != 2)
        return lop_fail(err, LOP_E_SHAPE, "x and basis: matrices (samples, d) and (atoms, d) expected");
    const int64_t N = x->shape.dim[0], d = x->shape.dim[1], k = basis->shape.dim[0];
    if (N < 1 || d < 1 || k < 1) return lop_fail(err, LOP_E_SHAPE, "x or basis is empty");
    lop_status st = lop_expect_f64(x, "x", (lop_shape){2, {N, d}}, err);
    if (st == LOP_OK) st = lop_expect_f64(basis, "basis", (lop_shape){2, {k, d}}, err);
    return st == LOP_OK ? lop_expect_f64(z, "codes", (lop_shape){2, {N, k}}, err) : st;
}

static lop_status check_options(const lop_sparse_options *o, lop_error *err)
{
    if ((int)o->rho < LOP_RHO_L1 || o->rho > LOP_RHO_STUDENT)
        return lop_fail(err, LOP_E_ARG, "penalty %d is unknown", (int)o->rho);
    if (!positive(o->eta)) return lop_fail(err, LOP_E_ARG, "eta = %g: a number above 0 expected", o->eta);
    if (o->rho == LOP_RHO_STUDENT && !positive(o->nu))
        return lop_fail(err, LOP_E_ARG, "nu = %g: a number above 0 expected", o->nu);
    return positive(o->tol) ? LOP_OK : lop_fail(err, LOP_E_ARG, "tol = %g: a number above 0 expected", o->tol);
}

/* ---- codes ---- */

typedef struct {
    const lop_sparse_options *o;
    int64_t N, d, k;
    const double *x, *basis;
    double *z, *G;              /* G_jj is 1 for an atom of zeros */
    double *work;               /* (threads, ROWS k + 2 k + k^2) */
    lop_status *status;         /* by chunk */
} coding;

static int64_t work_size(int64_t k) { return ROWS * k + 2 * k + k * k; }

/* A sample's part of the objective, less |x|^2. */
static double part(const coding *c, const double *b, const double *z)
{
    double sum = 0.0;
    for (int64_t j = 0; j < c->k; j++)
        if (z[j] != 0.0) sum += z[j] * (lop_dot(c->k, c->G + j * c->k, z) - 2.0 * b[j]) + c->o->eta * rho(c->o, z[j]);
    return sum;
}

static void by_lasso(const coding *c, const double *b, double *z, double *next, double *r)
{
    const lop_descent descent = {c->k, c->G, b, false};
    memcpy(next, z, (size_t)c->k * sizeof *z);
    lop_lasso_descend(&descent, 0.5 * c->o->eta, c->o->tol, next, r);
    if (part(c, b, next) <= part(c, b, z)) memcpy(z, next, (size_t)c->k * sizeof *z);
}

static lop_status by_ridges(const coding *c, const double *b, double energy, double *z, double *next, double *M)
{
    const int64_t k = c->k;
    double now = part(c, b, z);
    for (int step = 0; step < STEPS; step++) {
        memcpy(M, c->G, (size_t)(k * k) * sizeof *M);
        memcpy(next, b, (size_t)k * sizeof *next);
        for (int64_t j = 0; j < k; j++) M[j * k + j] += c->o->eta * slope(c->o, z[j]);
        if (lop_cholesky(k, M, k, NULL) != LOP_OK) return LOP_E_NUMERIC;
        if (lop_cholesky_solve(k, M, k, 1, next, 1, NULL) != LOP_OK) return LOP_E_NUMERIC;
        const double then = part(c, b, next), gain = now - then;
        if (!(gain > 0.0)) break;
        memcpy(z, next, (size_t)k * sizeof *z);
        now = then;
        if (gain <= c->o->tol * energy) break;
    }
    return LOP_OK;
}

static void code_chunk(void *context, int64_t chunk, int worker)
{
    const coding *c = context;
    const int64_t first = chunk * ROWS, rows = c->N - first < ROWS ? c->N - first : ROWS, k = c->k;
    double *b = c->work + worker * work_size(k), *next = b + ROWS * k, *r = next + k, *M = r + k;
    const double *x = c->x + first * c->d;
    lop_status st = lop_gemm(false, true, rows, k, c->d, 1.0, x, c->d, c->basis, c->d, 0.0, b, k, NULL);
    for (int64_t i = 0; st == LOP_OK && i < rows; i++) {
        double *z = c->z + (first + i) * k;
        if (c->o->rho == LOP_RHO_L1) by_lasso(c, b + i * k, z, next, r);
        else st = by_ridges(c, b + i * k, lop_dot(c->d, x + i * c->d, x + i * c->d), z, next, M);
    }
    c->status[chunk] = st;
}

static lop_status gram_of(coding *c, lop_error *err)
{
    const int64_t k = c->k;
    const lop_status st = lop_syrk(false, k, c->d, 1.0, c->basis, c->d, 0.0, c->G, k, err);
    if (st != LOP_OK) return st;
    lop_mirror(k, c->G, k);
    for (int64_t j = 0; c->o->rho == LOP_RHO_L1 && j < k; j++)
        if (c->G[j * k + j] <= 0.0) c->G[j * k + j] = 1.0;
    return LOP_OK;
}

lop_status lop_sparse_codes(const lop_tensor *x, const lop_tensor *basis, const lop_sparse_options *o, lop_team *team,
                            lop_tensor *z, lop_error *err)
{
    lop_status st = check(x, basis, z, err);
    if (st == LOP_OK) st = check_options(o, err);
    if (st != LOP_OK) return st;
    coding c = {.o = o, .N = x->shape.dim[0], .d = x->shape.dim[1], .k = basis->shape.dim[0], .x = x->data,
                .basis = basis->data, .z = z->data};
    const int64_t chunks = (c.N + ROWS - 1) / ROWS;
    c.G = lop_array(c.k, (size_t)c.k * sizeof *c.G, err);
    c.work = lop_array(lop_team_threads(team), (size_t)work_size(c.k) * sizeof *c.work, err);
    c.status = lop_array(chunks, sizeof *c.status, err);
    st = c.G && c.work && c.status ? gram_of(&c, err) : LOP_E_MEMORY;
    if (st == LOP_OK) {
        lop_team_run(team, chunks, code_chunk, &c);
        for (int64_t i = 0; st == LOP_OK && i < chunks; i++)
            if (c.status[i] != LOP_OK)
                st = lop_fail(err, c.status[i], "codes of the samples from #%" PRId64 " on were not found: raise eta",
                              i * ROWS);
    }
    lop_free(c.G);
    lop_free(c.work);
    lop_free(c.status);
    return st;
}

/* ---- the basis ---- */

/* S = Z^T Z and C = Z^T X. */
typedef struct { int64_t N, d, k; double lambda, *S, *C, *A, *M; } refit;

static lop_status sums_of(const refit *f, const double *x, const double *z, lop_error *err)
{
    const lop_status st = lop_syrk(true, f->k, f->N, 1.0, z, f->k, 0.0, f->S, f->k, err);
    if (st != LOP_OK) return st;
    lop_mirror(f->k, f->S, f->k);
    return lop_gemm(true, false, f->k, f->d, f->N, 1.0, z, f->k, x, f->d, 0.0, f->C, f->d, err);
}

/* Least squares into `to`; false where they cannot be solved or an atom is longer than 1. */
static bool unbounded(const refit *f, double *to)
{
    memcpy(f->M, f->S, (size_t)(f->k * f->k) * sizeof *to);
    memcpy(to, f->C, (size_t)(f->k * f->d) * sizeof *to);
    for (int64_t j = 0; j < f->k; j++) f->M[j * f->k + j] += 0.5 * f->lambda;
    if (lop_cholesky(f->k, f->M, f->k, NULL) != LOP_OK) return false;
    for (int64_t j = 0; j < f->k; j++)          /* a pivot that rounding alone has left */
        if (!(f->M[j * f->k + j] * f->M[j * f->k + j] > 1e-12 * (f->S[j * f->k + j] + 0.5 * f->lambda))) return false;
    if (lop_cholesky_solve(f->k, f->M, f->k, f->d, to, f->d, NULL) != LOP_OK) return false;
    for (int64_t j = 0; j < f->k; j++)
        if (!(lop_dot(f->d, to + j * f->d, to + j * f->d) <= 1.0)) return false;
    return true;
}

/* The best atom j beside the others, at most 1 long: round about its least squares the objective rises alike on all
 * sides. Returns by how much it moved. */
static double place_atom(const refit *f, int64_t j, double *next)
{
    const double *s = f->S + j * f->k, own = s[j] + 0.5 * f->lambda;
    double *a = f->A + j * f->d, moved = 0.0;
    if (!(own > 0.0)) return 0.0;
    memcpy(next, f->C + j * f->d, (size_t)f->d * sizeof *next);
    for (int64_t i = 0; i < f->k; i++)
        if (i != j && s[i] != 0.0) lop_axpy(f->d, -s[i], f->A + i * f->d, next);
    const double length = sqrt(lop_dot(f->d, next, next)) / own, share = 1.0 / (own * fmax(1.0, length));
    for (int64_t t = 0; t < f->d; t++) {
        moved += (next[t] * share - a[t]) * (next[t] * share - a[t]);
        a[t] = next[t] * share;
    }
    return sqrt(moved);
}

static void find_basis(const refit *f, double *next)
{
    if (unbounded(f, next)) {
        memcpy(f->A, next, (size_t)(f->k * f->d) * sizeof *next);
        return;
    }
    for (int round = 0; round < ROUNDS; round++) {
        double most = 0.0;
        for (int64_t j = 0; j < f->k; j++) most = fmax(most, place_atom(f, j, next));
        if (most <= MOVED) return;
    }
}

lop_status lop_sparse_basis(const lop_tensor *x, const lop_tensor *z, double lambda, lop_tensor *basis, lop_error *err)
{
    lop_status st = check(x, basis, z, err);
    if (st != LOP_OK) return st;
    if (!(lambda >= 0.0 && isfinite(lambda)))
        return lop_fail(err, LOP_E_ARG, "lambda = %g: 0 or more expected", lambda);
    refit f = {.N = x->shape.dim[0], .d = x->shape.dim[1], .k = basis->shape.dim[0], .lambda = lambda,
               .A = basis->data};
    for (int64_t j = 0; j < f.k; j++) {
        const double length = sqrt(lop_dot(f.d, f.A + j * f.d, f.A + j * f.d));
        if (length > 1.0 + LONG)
            return lop_fail(err, LOP_E_ARG, "atom #%" PRId64 " has the norm %g: at most 1 expected", j, length);
    }
    double *next = lop_array(f.k, (size_t)f.d * sizeof *next, err);
    f.S = lop_array(f.k, (size_t)f.k * sizeof *f.S, err);
    f.M = lop_array(f.k, (size_t)f.k * sizeof *f.M, err);
    f.C = lop_array(f.k, (size_t)f.d * sizeof *f.C, err);
    st = next && f.S && f.M && f.C ? sums_of(&f, x->data, z->data, err) : LOP_E_MEMORY;
    if (st == LOP_OK) find_basis(&f, next);
    lop_free(next);
    lop_free(f.S);
    lop_free(f.M);
    lop_free(f.C);
    return st;
}

/* ---- the objective ---- */

lop_status lop_sparse_objective(const lop_tensor *x, const lop_tensor *basis, const lop_tensor *z,
                                const lop_sparse_options *o, double lambda, double *objective, lop_error *err)
{
    lop_status st = check(x, basis, z, err);
    if (st == LOP_OK) st = check_options(o, err);
    if (st != LOP_OK) return st;
    const int64_t N = x->shape.dim[0], d = x->shape.dim[1], k = basis->shape.dim[0];
    const double *X = x->data, *A = basis->data, *Z = z->data;
    double *rest = lop_array(ROWS, (size_t)d * sizeof *rest, err), sum = 0.5 * lambda * lop_dot(k * d, A, A);
    if (!rest) return LOP_E_MEMORY;
    for (int64_t first = 0; st == LOP_OK && first < N; first += ROWS) {
        const int64_t rows = N - first < ROWS ? N - first : ROWS;
        memcpy(rest, X + first * d, (size_t)(rows * d) * sizeof *rest);
        st = lop_gemm(false, false, rows, d, k, -1.0, Z + first * k, k, A, d, 1.0, rest, d, err);
        sum += lop_dot(rows * d, rest, rest);
        for (int64_t i = first * k; i < (first + rows) * k; i++) sum += o->eta * rho(o, Z[i]);
    }
    lop_free(rest);
    *objective = sum;
    return st;
}

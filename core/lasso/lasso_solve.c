/* core/lasso/lasso_solve.c - cyclic coordinate descent (Friedman, Hastie, Tibshirani, JSS 33(1), 2010) on a Gram
 * matrix. r = b - A x is kept up to date, so that a coordinate costs one row of A when it moves and nothing when it
 * stays. */
#include "lasso/lasso_impl.h"
#include "linalg/linalg.h"
#include <math.h>
#include <string.h>

static double soft_threshold(double z, double t, bool nonnegative)
{
    return z > t ? z - t : z < -t && !nonnegative ? z + t : 0.0;
}

/* At the optimum r_j = t sign(x_j) where x_j is not 0, and |r_j| <= t (nonnegative: r_j <= t) elsewhere. */
static double kkt_miss(const lop_descent *d, const double *r, const double *x, double t)
{
    double worst = 0.0;
    for (int64_t j = 0; j < d->c; j++) {
        const double outside = d->nonnegative ? r[j] : fabs(r[j]);
        worst = fmax(worst, x[j] != 0.0 ? fabs(r[j] - copysign(t, x[j])) : outside - t);
    }
    return worst;
}

double lop_lasso_goal(const lop_descent *d, double tol)
{
    double most = 0.0;
    for (int64_t j = 0; j < d->c; j++) most = fmax(most, fabs(d->b[j]));
    return tol * most;
}

static void residual(const lop_descent *d, const double *x, double *r)
{
    memcpy(r, d->b, (size_t)d->c * sizeof *r);
    for (int64_t j = 0; j < d->c; j++)
        if (x[j] != 0.0) lop_axpy(d->c, -x[j], d->A + j * d->c, r);
}

/* One pass over all coordinates or over those that are not 0, in order, never shuffled: equal input, equal bytes. A
 * result within `slack` of 0 is 0: of two equal channels the second would else enter by its rounding error. */
static void sweep(const lop_descent *d, double t, double slack, bool active_only, double *x, double *r)
{
    for (int64_t j = 0; j < d->c; j++) {
        if (active_only && x[j] == 0.0) continue;
        const double *row = d->A + j * d->c;
        double next = soft_threshold(r[j] + row[j] * x[j], t, d->nonnegative) / row[j];
        if (fabs(next) * row[j] <= slack) next = 0.0;
        if (next != x[j]) lop_axpy(d->c, x[j] - next, row, r);
        x[j] = next;
    }
}

enum { BETWEEN = 8 };           /* passes over the active ones between two over all */

double lop_lasso_descend(const lop_descent *d, double t, double tol, double *x, double *r)
{
    const double goal = lop_lasso_goal(d, tol);
    for (int64_t j = 0; d->nonnegative && j < d->c; j++) x[j] = fmax(x[j], 0.0);
    residual(d, x, r);
    double miss = kkt_miss(d, r, x, t);
    for (int pass = 0; miss > goal && pass < LOP_LASSO_SWEEPS; pass++) {
        sweep(d, t, 1e-3 * goal, pass % (BETWEEN + 1) != 0, x, r);
        miss = kkt_miss(d, r, x, t);
        if (miss > goal) continue;
        residual(d, x, r);      /* confirmed without what a thousand updates of r rounded away */
        miss = kkt_miss(d, r, x, t);
    }
    return miss;
}

static lop_status check(const lop_lasso_problem *p, double lambda, double tol, const lop_tensor *beta, lop_error *err)
{
    const int64_t c = lop_tensor_size(p->cross);
    lop_status st = lop_expect_f64(p->cross, "cross", (lop_shape){1, {c}}, err);    /* no NaN: fmax hides it */
    if (st == LOP_OK) st = lop_expect_f64(p->gram, "gram", (lop_shape){2, {c, c}}, err);
    if (st == LOP_OK) st = lop_expect_f64(beta, "beta", (lop_shape){1, {c}}, err);
    const double *A = p->gram->data;
    for (int64_t j = 0; st == LOP_OK && j < c; j++)
        if (A[j * c + j] <= 0.0) st = lop_fail(err, LOP_E_NUMERIC, "gram: channel #%" PRId64 " is dead: drop it", j);
    if (st == LOP_OK && !(p->rows > 0.0 && lambda >= 0.0 && isfinite(p->rows * lambda)))
        st = lop_fail(err, LOP_E_ARG, "rows = %g, lambda = %g: > 0 and >= 0 expected", p->rows, lambda);
    if (st == LOP_OK && !(tol > 0.0)) st = lop_fail(err, LOP_E_ARG, "tol = %g: > 0 expected", tol);
    return st;
}

lop_status lop_lasso_solve(const lop_lasso_problem *p, double lambda, double tol, lop_tensor *beta, lop_error *err)
{
    lop_status st = check(p, lambda, tol, beta, err);
    if (st != LOP_OK) return st;
    const lop_descent d = {lop_tensor_size(beta), p->gram->data, p->cross->data, p->nonnegative};
    double *r = lop_array(d.c, sizeof *r, err);
    if (!r) return LOP_E_MEMORY;
    const double miss = lop_lasso_descend(&d, p->rows * lambda, tol, beta->data, r), goal = lop_lasso_goal(&d, tol);
    lop_free(r);
    if (miss <= goal) return LOP_OK;
    return lop_fail(err, LOP_E_NUMERIC, "LASSO: off by %.2g, %.2g allowed: raise tol", miss, goal);
}

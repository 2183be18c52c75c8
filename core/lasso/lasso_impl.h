/* core/lasso/lasso_impl.h - what the files of this folder share. */
#ifndef LOP_LASSO_LASSO_IMPL_H
#define LOP_LASSO_LASSO_IMPL_H
#include "lasso/lasso.h"

typedef struct {                /* checked arrays of one problem; t = N lambda */
    int64_t c;
    const double *A, *b;
    bool nonnegative;
} lop_descent;
/* Descends from x, with r (c) as its workspace: on return r = b - A x. Returns the largest miss of a KKT condition; it
 * is at most tol * max |b_j| unless LOP_LASSO_SWEEPS sweeps did not suffice. */
double lop_lasso_descend(const lop_descent *d, double t, double tol, double *x, double *r);
double lop_lasso_goal(const lop_descent *d, double tol);        /* tol * max |b_j| */
/* Adds share times one consumer's A, b and constant energy to l, from the rows that q keeps (lasso/lasso_rows.c). */
lop_status lop_lasso_add_rows(const lop_centred *q, const lop_tensor *weight, double share, lop_lasso *l,
                              lop_error *err);
#endif

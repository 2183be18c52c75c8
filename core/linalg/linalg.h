/* core/linalg/linalg.h - dense algebra on float64, row-major: thin wrappers of CBLAS and LAPACK. A matrix is a pointer
 * and the distance ld between its rows, in elements (ld >= columns). Dimensions are int64_t; ARG where one is negative,
 * an ld is too small, or a figure does not fit the library's integer. Matrices may not overlap. Empty ones are fine.
 * All functions may run at once on different data once lop_blas_single_thread was called. */
#ifndef LOP_LINALG_LINALG_H
#define LOP_LINALG_LINALG_H
#include "base/base.h"

/* Our own team splits the work (the same bytes for any number of threads), so BLAS has one thread. Sets a switch of the
 * whole process: call once, at the start. */
void lop_blas_single_thread(void);
/* "OpenBLAS 0.3.21 Haswell": release and core, cut to n bytes. Returns text. */
char *lop_blas_text(char *text, size_t n);

void lop_axpy(int64_t n, double alpha, const double *x, double *y);     /* y += alpha x; n < 1: nothing */
double lop_dot(int64_t n, const double *x, const double *y);            /* 0 for n < 1 */
/* C = alpha op(A) op(B) + beta C, C (m, n), op(A) (m, k), op(B) (k, n); op transposes where asked. beta 0: C is only
 * written. */
lop_status lop_gemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, double alpha, const double *a,
                    int64_t lda, const double *b, int64_t ldb, double beta, double *c, int64_t ldc, lop_error *err);
/* The upper triangle of C (n, n) = alpha A A^T + beta C, A (n, k), or with transpose alpha A^T A + beta C, A (k, n).
 * The strictly lower triangle is untouched. */
lop_status lop_syrk(bool transpose, int64_t n, int64_t k, double alpha, const double *a, int64_t lda, double beta,
                    double *c, int64_t ldc, lop_error *err);
/* The upper triangle of C (n, n) = alpha (A B^T + B A^T) + beta C, A and B (n, k). The rest is untouched. */
lop_status lop_syr2k(int64_t n, int64_t k, double alpha, const double *a, int64_t lda, const double *b, int64_t ldb,
                     double beta, double *c, int64_t ldc, lop_error *err);
/* Copies the strictly upper triangle of A (n, n) to the lower one. */
void lop_mirror(int64_t n, double *a, int64_t lda);
/* A = U^T U in place: reads and writes the upper triangle of A (n, n) only. NUMERIC names the first pivot that is not
 * positive or not a number, and A is then spoilt. */
lop_status lop_cholesky(int64_t n, double *a, int64_t lda, lop_error *err);
/* X of U^T U X = B in place of B (n, count), U from lop_cholesky. */
lop_status lop_cholesky_solve(int64_t n, const double *u, int64_t ldu, int64_t count, double *b, int64_t ldb,
                              lop_error *err);
/* The inverse of U^T U in place of U, both triangles. */
lop_status lop_cholesky_inverse(int64_t n, double *u, int64_t ldu, lop_error *err);
/* A (n, n) symmetric, of which the upper triangle is read: w (n) the eigenvalues, ascending, and row i of A becomes the
 * unit eigenvector of w[i]. NUMERIC: an entry is not finite, or no convergence. */
lop_status lop_eigen_symmetric(int64_t n, double *a, int64_t lda, double *w, lop_error *err);
/* A (m, n) = U diag(s) V^T with r = min(m, n): U (m, r), s (r) descending, vt (r, n), dense (ld = columns). A is
 * spoilt. NUMERIC: an entry is not finite, or no convergence. */
lop_status lop_svd(int64_t m, int64_t n, double *a, int64_t lda, double *u, double *s, double *vt, lop_error *err);
#endif

/* core/linalg/linalg.c - CBLAS and LAPACK behind checked dimensions. LAPACK counts by columns: its lower triangle is
 * our upper one, its A our A^T, so nothing is ever transposed here. */
#include "linalg/linalg.h"
#include <cblas.h>
#include <lapacke.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { STEP = 1 << 30 };        /* vectors longer than the library's integer go by pieces */

void lop_blas_single_thread(void) { openblas_set_num_threads(1); }

char *lop_blas_text(char *text, size_t n)
{
    const char *config = openblas_get_config();         /* "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH ..." */
    const char *end = strchr(config, ' ');
    end = end ? strchr(end + 1, ' ') : NULL;
    const int length = end ? (int)(end - config) : (int)strlen(config);
    snprintf(text, n, "%.*s %s", length, config, openblas_get_corename());
    return text;
}

void lop_axpy(int64_t n, double alpha, const double *x, double *y)
{
    for (int64_t at = 0; at < n; at += STEP)
        cblas_daxpy((int)(n - at < STEP ? n - at : STEP), alpha, x + at, 1, y + at, 1);
}

double lop_dot(int64_t n, const double *x, const double *y)
{
    double sum = 0.0;
    for (int64_t at = 0; at < n; at += STEP)
        sum += cblas_ddot((int)(n - at < STEP ? n - at : STEP), x + at, 1, y + at, 1);
    return sum;
}

/* A matrix's figures, before they become the library's integers. */
static lop_status check(const char *what, int64_t rows, int64_t columns, int64_t ld, lop_error *err)
{
    if (rows >= 0 && columns >= 0 && ld >= columns && rows <= INT_MAX && ld <= INT_MAX) return LOP_OK;
    return lop_fail(err, LOP_E_ARG, "%s: %" PRId64 " x %" PRId64 " with rows %" PRId64 " apart: 0 to %d expected, and "
                    "rows apart by their length at least", what, rows, columns, ld, INT_MAX);
}

/* Of all rows, or of the upper triangle's part of them. */
static lop_status check_finite(const char *what, int64_t rows, int64_t columns, const double *a, int64_t lda,
                               bool upper, lop_error *err)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = upper ? i : 0; j < columns; j++)
            if (!isfinite(a[i * lda + j]))
                return lop_fail(err, LOP_E_NUMERIC, "%s: entry (%" PRId64 ", %" PRId64 ") is %g", what, i, j,
                                a[i * lda + j]);
    return LOP_OK;
}

lop_status lop_gemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, double alpha, const double *a,
                    int64_t lda, const double *b, int64_t ldb, double beta, double *c, int64_t ldc, lop_error *err)
{
    lop_status st = check("gemm, A", transpose_a ? k : m, transpose_a ? m : k, lda, err);
    if (st == LOP_OK) st = check("gemm, B", transpose_b ? n : k, transpose_b ? k : n, ldb, err);
    if (st == LOP_OK) st = check("gemm, C", m, n, ldc, err);
    if (st != LOP_OK || m == 0 || n == 0) return st;
    cblas_dgemm(CblasRowMajor, transpose_a ? CblasTrans : CblasNoTrans, transpose_b ? CblasTrans : CblasNoTrans,
                (int)m, (int)n, (int)k, alpha, a, lda > 0 ? (int)lda : 1, b, ldb > 0 ? (int)ldb : 1, beta, c, (int)ldc);
    return LOP_OK;
}

lop_status lop_syrk(bool transpose, int64_t n, int64_t k, double alpha, const double *a, int64_t lda, double beta,
                    double *c, int64_t ldc, lop_error *err)
{
    lop_status st = check("syrk, A", transpose ? k : n, transpose ? n : k, lda, err);
    if (st == LOP_OK) st = check("syrk, C", n, n, ldc, err);
    if (st != LOP_OK || n == 0) return st;
    cblas_dsyrk(CblasRowMajor, CblasUpper, transpose ? CblasTrans : CblasNoTrans, (int)n, (int)k, alpha, a,
                lda > 0 ? (int)lda : 1, beta, c, (int)ldc);
    return LOP_OK;
}

lop_status lop_syr2k(int64_t n, int64_t k, double alpha, const double *a, int64_t lda, const double *b, int64_t ldb,
                     double beta, double *c, int64_t ldc, lop_error *err)
{
    lop_status st = check("syr2k, A", n, k, lda, err);
    if (st == LOP_OK) st = check("syr2k, B", n, k, ldb, err);
    if (st == LOP_OK) st = check("syr2k, C", n, n, ldc, err);
    if (st != LOP_OK || n == 0) return st;
    cblas_dsyr2k(CblasRowMajor, CblasUpper, CblasNoTrans, (int)n, (int)k, alpha, a, lda > 0 ? (int)lda : 1, b,
                 ldb > 0 ? (int)ldb : 1, beta, c, (int)ldc);
    return LOP_OK;
}

void lop_mirror(int64_t n, double *a, int64_t lda)
{
    enum { TILE = 32 };         /* by tiles: a whole column of a large matrix would miss the cache at each step */
    for (int64_t top = 0; top < n; top += TILE)
        for (int64_t left = top; left < n; left += TILE)
            for (int64_t i = top; i < n && i < top + TILE; i++)
                for (int64_t j = left > i ? left : i + 1; j < n && j < left + TILE; j++)
                    a[j * lda + i] = a[i * lda + j];
}

lop_status lop_cholesky(int64_t n, double *a, int64_t lda, lop_error *err)
{
    const lop_status st = check("Cholesky", n, n, lda, err);
    if (st != LOP_OK || n == 0) return st;
    int64_t pivot = LAPACKE_dpotrf_work(LAPACK_COL_MAJOR, 'L', (int)n, a, (int)lda) - 1;
    /* OpenBLAS compares pivots with 0 only, which a NaN passes; it then ends up on the diagonal. */
    for (int64_t i = 0; pivot < 0 && i < n; i++)
        if (!(a[i * lda + i] > 0.0 && isfinite(a[i * lda + i]))) pivot = i;
    if (pivot < 0) return LOP_OK;
    return lop_fail(err, LOP_E_NUMERIC, "Cholesky: not positive definite at pivot #%" PRId64 " of %" PRId64
                    ": a larger ridge would help", pivot, n);
}

lop_status lop_cholesky_solve(int64_t n, const double *u, int64_t ldu, int64_t count, double *b, int64_t ldb,
                              lop_error *err)
{
    lop_status st = check("Cholesky, U", n, n, ldu, err);
    if (st == LOP_OK) st = check("Cholesky, B", n, count, ldb, err);
    if (st != LOP_OK || n == 0 || count == 0) return st;
    static const CBLAS_TRANSPOSE order[2] = {CblasTrans, CblasNoTrans};
    for (int i = 0; i < 2; i++)
        cblas_dtrsm(CblasRowMajor, CblasLeft, CblasUpper, order[i], CblasNonUnit, (int)n, (int)count, 1.0, u, (int)ldu,
                    b, (int)ldb);
    return LOP_OK;
}

lop_status lop_cholesky_inverse(int64_t n, double *u, int64_t ldu, lop_error *err)
{
    const lop_status st = check("Cholesky", n, n, ldu, err);
    if (st != LOP_OK || n == 0) return st;
    const int info = LAPACKE_dpotri_work(LAPACK_COL_MAJOR, 'L', (int)n, u, (int)ldu);
    if (info != 0) return lop_fail(err, LOP_E_NUMERIC, "Cholesky: pivot #%d is 0: no inverse", info - 1);
    lop_mirror(n, u, ldu);
    return LOP_OK;
}

/* What LAPACKE's drivers return: below 0 the work space (all else was checked), above 0 no convergence. */
static lop_status driver_status(const char *what, int info, lop_error *err)
{
    if (info == 0) return LOP_OK;
    if (info < 0) return lop_fail(err, LOP_E_MEMORY, "%s: no memory to work in", what);
    return lop_fail(err, LOP_E_NUMERIC, "%s: no convergence", what);
}

lop_status lop_eigen_symmetric(int64_t n, double *a, int64_t lda, double *w, lop_error *err)
{
    lop_status st = check("eigenvalues", n, n, lda, err);
    if (st == LOP_OK) st = check_finite("eigenvalues", n, n, a, lda, true, err);
    if (st != LOP_OK || n == 0) return st;
    return driver_status("eigenvalues", LAPACKE_dsyevd(LAPACK_COL_MAJOR, 'V', 'L', (int)n, a, (int)lda, w), err);
}

lop_status lop_svd(int64_t m, int64_t n, double *a, int64_t lda, double *u, double *s, double *vt, lop_error *err)
{
    lop_status st = check("SVD", m, n, lda, err);
    if (st == LOP_OK) st = check_finite("SVD", m, n, a, lda, false, err);
    if (st != LOP_OK || m == 0 || n == 0) return st;
    const int r = (int)(m < n ? m : n);
    /* A^T = V diag(s) U^T: the library's U is our vt, its V^T our U. */
    const int info = LAPACKE_dgesdd(LAPACK_COL_MAJOR, 'S', (int)n, (int)m, a, (int)lda, s, vt, (int)n, u, r);
    return driver_status("SVD", info, err);
}

/* tests/core/linalg/test_linalg.c - against plain loops and defining equations, with rows wider apart than needed. */
#include "support/t.h"
#include "linalg/linalg.h"
#include <math.h>

enum { GAP = 3 };       /* unused elements behind each row: a wrapper may not touch them */
static const double untouched = 12345.5;
static const int64_t sizes[] = {1, 2, 3, 8, 17, 33, 64};

typedef struct { int64_t rows, columns, ld; double *at; } matrix;

static matrix matrix_new(int64_t rows, int64_t columns, uint64_t seed)
{
    lop_error err;
    matrix m = {rows, columns, columns + GAP, lop_array(rows * (columns + GAP), sizeof(double), &err)};
    assert_non_null(m.at);
    for (int64_t i = 0; i < rows * m.ld; i++)
        m.at[i] = i % m.ld < columns ? lop_random_normal(seed, LOP_STREAM_USER, (uint64_t)i) : untouched;
    return m;
}

/* A A^T + I of a random A. */
static matrix positive(int64_t n, uint64_t seed)
{
    matrix a = matrix_new(n, n, seed), s = matrix_new(n, n, seed);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++) {
            double sum = i == j;
            for (int64_t k = 0; k < n; k++) sum += a.at[i * a.ld + k] * a.at[j * a.ld + k];
            s.at[i * s.ld + j] = sum;
        }
    lop_free(a.at);
    return s;
}

static void gaps_are_untouched(matrix m)
{
    for (int64_t i = 0; i < m.rows * m.ld; i++) assert_true(i % m.ld < m.columns || m.at[i] == untouched);
}

static void near(double got, double want, double scale)
{
    if (!(fabs(got - want) <= 1e-11 * (1 + fabs(scale)))) fail_msg("%.17g, %.17g expected", got, want);
}

T_TEST(vectors)
{
    double x[5] = {1, 2, 3, 4, 5}, y[5] = {5, 4, 3, 2, 1};
    assert_true(lop_dot(5, x, y) == 35 && lop_dot(0, x, y) == 0 && lop_dot(-1, x, y) == 0);
    lop_axpy(4, 2, x, y);
    assert_true(y[0] == 7 && y[3] == 10 && y[4] == 1);
    lop_axpy(-1, 2, x, y);
    assert_true(y[0] == 7);
}

T_TEST(products_equal_plain_loops)
{
    lop_error err;
    for (size_t s = 0; s < T_COUNT(sizes); s++)
        for (int form = 0; form < 4; form++) {
            const int64_t m = sizes[s], n = sizes[(s + 2) % T_COUNT(sizes)], k = sizes[(s + 3) % T_COUNT(sizes)];
            const bool ta = form & 1, tb = form & 2;
            matrix a = matrix_new(ta ? k : m, ta ? m : k, 1), b = matrix_new(tb ? n : k, tb ? k : n, 2);
            matrix c = matrix_new(m, n, 3), old = matrix_new(m, n, 3);
            t_ok(lop_gemm(ta, tb, m, n, k, 0.5, a.at, a.ld, b.at, b.ld, -2, c.at, c.ld, &err), err);
            for (int64_t i = 0; i < m; i++)
                for (int64_t j = 0; j < n; j++) {
                    double sum = 0;
                    for (int64_t l = 0; l < k; l++)
                        sum += a.at[ta ? l * a.ld + i : i * a.ld + l] * b.at[tb ? j * b.ld + l : l * b.ld + j];
                    near(c.at[i * c.ld + j], 0.5 * sum - 2 * old.at[i * c.ld + j], (double)k);
                }
            gaps_are_untouched(c);
            lop_free(a.at), lop_free(b.at), lop_free(c.at), lop_free(old.at);
        }
}

T_TEST(symmetric_products_fill_the_upper_triangle)
{
    lop_error err;
    for (size_t s = 0; s < T_COUNT(sizes); s++)
        for (int form = 0; form < 2; form++) {
            const int64_t n = sizes[s], k = sizes[(s + 3) % T_COUNT(sizes)];
            matrix a = matrix_new(form ? k : n, form ? n : k, 1), c = matrix_new(n, n, 3), old = matrix_new(n, n, 3);
            t_ok(lop_syrk(form, n, k, 2, a.at, a.ld, 1, c.at, c.ld, &err), err);
            for (int64_t i = 0; i < n; i++)
                for (int64_t j = 0; j < n; j++) {
                    double sum = 0;
                    for (int64_t l = 0; l < k; l++)
                        sum += form ? a.at[l * a.ld + i] * a.at[l * a.ld + j] : a.at[i * a.ld + l] * a.at[j * a.ld + l];
                    if (j >= i) near(c.at[i * c.ld + j], 2 * sum + old.at[i * c.ld + j], (double)k);
                    else assert_true(c.at[i * c.ld + j] == old.at[i * c.ld + j]);
                }
            lop_mirror(n, c.at, c.ld);
            for (int64_t i = 0; i < n; i++)
                for (int64_t j = 0; j < i; j++) assert_true(c.at[i * c.ld + j] == c.at[j * c.ld + i]);
            gaps_are_untouched(c);
            lop_free(a.at), lop_free(c.at), lop_free(old.at);
        }
}

T_TEST(products_of_two_fill_the_upper_triangle)
{
    lop_error err;
    for (size_t s = 0; s < T_COUNT(sizes); s++) {
        const int64_t n = sizes[s], k = sizes[(s + 3) % T_COUNT(sizes)];
        matrix a = matrix_new(n, k, 1), b = matrix_new(n, k, 2), c = matrix_new(n, n, 3), old = matrix_new(n, n, 3);
        t_ok(lop_syr2k(n, k, -2, a.at, a.ld, b.at, b.ld, 1, c.at, c.ld, &err), err);
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < n; j++) {
                double sum = 0;
                for (int64_t l = 0; l < k; l++)
                    sum += a.at[i * a.ld + l] * b.at[j * b.ld + l] + b.at[i * b.ld + l] * a.at[j * a.ld + l];
                if (j >= i) near(c.at[i * c.ld + j], old.at[i * c.ld + j] - 2 * sum, 2 * (double)k);
                else assert_true(c.at[i * c.ld + j] == old.at[i * c.ld + j]);
            }
        gaps_are_untouched(c);
        lop_free(a.at), lop_free(b.at), lop_free(c.at), lop_free(old.at);
    }
}

T_TEST(cholesky_factors_solves_and_inverts)
{
    lop_error err;
    for (size_t s = 0; s < T_COUNT(sizes); s++)
        for (uint64_t seed = 0; seed < T_SEEDS(3); seed++) {
            const int64_t n = sizes[s], count = 5;
            matrix a = positive(n, seed), u = positive(n, seed);
            matrix x = matrix_new(n, count, 7), b = matrix_new(n, count, 7);
            for (int64_t i = 1; i < n; i++) u.at[i * u.ld] = NAN;       /* below the diagonal: not read */
            t_ok(lop_cholesky(n, u.at, u.ld, &err), err);
            assert_true(n == 1 || isnan(u.at[u.ld]));
            t_ok(lop_cholesky_solve(n, u.at, u.ld, count, x.at, x.ld, &err), err);
            t_ok(lop_cholesky_inverse(n, u.at, u.ld, &err), err);
            for (int64_t i = 0; i < n; i++) {
                for (int64_t j = 0; j < count; j++) {
                    double sum = 0;
                    for (int64_t k = 0; k < n; k++) sum += a.at[i * a.ld + k] * x.at[k * x.ld + j];
                    near(sum, b.at[i * b.ld + j], 100);
                }
                for (int64_t j = 0; j < n; j++) {
                    double sum = 0;
                    for (int64_t k = 0; k < n; k++) sum += a.at[i * a.ld + k] * u.at[k * u.ld + j];
                    near(sum, i == j, 100);
                }
            }
            gaps_are_untouched(u);
            gaps_are_untouched(x);
            lop_free(a.at), lop_free(u.at), lop_free(x.at), lop_free(b.at);
        }
}

T_TEST(cholesky_names_the_pivot)
{
    static const struct { int at; double value; const char *says; } cases[] = {
        {4, 0, "pivot #0 of 2"}, {7, -1, "pivot #1 of 2"}, {7, NAN, "pivot #1 of 2"}, {5, NAN, "pivot #1 of 2"},
        {4, NAN, "pivot #0 of 2"}, {4, INFINITY, "pivot #0 of 2"}, {5, 1, "pivot #1 of 2"}};
    lop_error err;
    for (size_t k = 0; k < T_COUNT(cases); k++) {
        double a[8] = {0, 0, 0, 0, 1, 0.5, 0.5, 1};
        a[cases[k].at] = cases[k].value;
        t_fails(lop_cholesky(2, a + 4, 2, &err), LOP_E_NUMERIC, err, cases[k].says);
    }
}

T_TEST(eigenvectors_diagonalise)
{
    lop_error err;
    for (size_t s = 0; s < T_COUNT(sizes); s++) {
        const int64_t n = sizes[s];
        matrix a = positive(n, 5), v = positive(n, 5);
        double w[64];
        for (int64_t i = 1; i < n; i++) v.at[i * v.ld] = NAN;           /* not read */
        t_ok(lop_eigen_symmetric(n, v.at, v.ld, w, &err), err);
        for (int64_t e = 0; e < n; e++) {
            assert_true(e == 0 || w[e] >= w[e - 1]);
            for (int64_t i = 0; i < n; i++) {
                near(lop_dot(n, a.at + i * a.ld, v.at + e * v.ld), w[e] * v.at[e * v.ld + i], 100 + w[n - 1]);
                near(lop_dot(n, v.at + i * v.ld, v.at + e * v.ld), i == e, 100);
            }
        }
        gaps_are_untouched(v);
        lop_free(a.at), lop_free(v.at);
    }
}

T_TEST(singular_values_give_the_matrix_back)
{
    lop_error err;
    for (size_t p = 0; p < T_COUNT(sizes); p++)
        for (size_t q = 0; q < T_COUNT(sizes); q++) {
            const int64_t m = sizes[p], n = sizes[q], r = m < n ? m : n;
            matrix a = matrix_new(m, n, 9), old = matrix_new(m, n, 9);
            double s[64], *u = lop_array(m * r, sizeof *u, &err), *vt = lop_array(r * n, sizeof *vt, &err);
            t_ok(lop_svd(m, n, a.at, a.ld, u, s, vt, &err), err);
            for (int64_t k = 0; k < r; k++) {
                assert_true(s[k] >= 0 && (k == 0 || s[k] <= s[k - 1]));
                for (int64_t l = 0; l < r; l++) near(lop_dot(n, vt + k * n, vt + l * n), k == l, 100);
            }
            for (int64_t i = 0; i < m; i++)
                for (int64_t j = 0; j < n; j++) {
                    double sum = 0;
                    for (int64_t k = 0; k < r; k++) sum += u[i * r + k] * s[k] * vt[k * n + j];
                    near(sum, old.at[i * old.ld + j], 100);
                }
            lop_free(a.at), lop_free(old.at), lop_free(u), lop_free(vt);
        }
}

T_TEST(bad_input_is_refused_and_empty_is_fine)
{
    lop_error err;
    double a[9] = {1, 2, 3, 4, NAN, 6, 7, 8, 9}, b[9], c[9];
    t_fails(lop_eigen_symmetric(3, a, 3, b, &err), LOP_E_NUMERIC, err, "eigenvalues: entry (1, 1) is nan");
    t_fails(lop_svd(3, 3, a, 3, b, c, b, &err), LOP_E_NUMERIC, err, "SVD: entry (1, 1) is nan");
    t_fails(lop_gemm(false, false, 2, 2, 3, 1, a, 2, b, 2, 0, c, 2, &err), LOP_E_ARG, err,
            "gemm, A: 2 x 3 with rows 2 apart");
    const int64_t wide = INT64_C(1) << 31;
    t_fails(lop_gemm(false, false, 2, 2, wide, 1, a, wide, b, 2, 0, c, 2, &err), LOP_E_ARG, err, "gemm, A");
    t_fails(lop_syrk(false, -1, 2, 1, a, 2, 0, c, 2, &err), LOP_E_ARG, err, "syrk, A: -1 x 2");
    t_fails(lop_syr2k(2, 2, 1, a, 2, a, 1, 0, c, 2, &err), LOP_E_ARG, err, "syr2k, B: 2 x 2 with rows 1 apart");
    t_fails(lop_cholesky(INT64_C(1) << 40, a, INT64_C(1) << 40, &err), LOP_E_ARG, err, "Cholesky");
    t_fails(lop_cholesky_solve(2, a, 2, 3, b, 2, &err), LOP_E_ARG, err, "Cholesky, B: 2 x 3");
    t_ok(lop_gemm(false, false, 0, 0, 0, 1, a, 0, b, 0, 0, c, 0, &err), err);
    t_ok(lop_gemm(false, true, 2, 2, 0, 1, a, 0, b, 0, 0, c, 2, &err), err);
    assert_true(c[0] == 0 && c[3] == 0);
    t_ok(lop_cholesky(0, a, 0, &err), err);
    t_ok(lop_svd(0, 3, a, 3, b, c, b, &err), err);
    t_ok(lop_eigen_symmetric(0, a, 0, b, &err), err);
}

T_TEST(the_library_is_named)
{
    char text[80];
    lop_blas_single_thread();
    lop_blas_text(text, sizeof text);
    int major, minor, used = 0;
    assert_int_equal(sscanf(text, "OpenBLAS %d.%d%*s %n", &major, &minor, &used), 2);
    assert_true(used > 0 && strlen(text + used) > 2 && !strchr(text + used, ' '));
}
T_MAIN(T(vectors), T(products_equal_plain_loops), T(symmetric_products_fill_the_upper_triangle),
       T(products_of_two_fill_the_upper_triangle),
       T(cholesky_factors_solves_and_inverts), T(cholesky_names_the_pivot), T(eigenvectors_diagonalise),
       T(singular_values_give_the_matrix_back), T(bad_input_is_refused_and_empty_is_fine), T(the_library_is_named))

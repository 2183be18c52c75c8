/* tests/core/lasso/test_lasso_golden.c - rows summed, centred and solved here give the coefficients that scikit-learn
 * finds on the stacked rows themselves (tests/golden/make_lasso.py, which makes the same rows). */
#include "support/t.h"
#include "golden/lasso.h"
#include "lasso/lasso.h"
#include <math.h>

static double draw(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 48) / 65536;
}

static void rows_of(uint64_t seed, int64_t c, int64_t taps, int64_t n, int64_t rows, float *x, float *y, float *w)
{
    const int64_t p = c * taps;
    for (int64_t i = 0; i < n * p; i++) w[i] = (float)(draw(&seed) - 0.5);
    for (int64_t r = 0; r < rows; r++) {
        double shared[3];
        for (int i = 0; i < 3; i++) shared[i] = draw(&seed);
        for (int64_t i = 0; i < p; i++) x[r * p + i] = (float)fmax(0, shared[i / taps % 3] + draw(&seed) - 0.75);
        for (int64_t f = 0; f < n; f++) {
            double sum = draw(&seed);
            for (int64_t i = 0; i < p; i++) sum += (double)w[f * p + i] * x[r * p + i];
            y[r * n + f] = (float)(floor(sum * 4096) / 4096);
        }
    }
}

static void check(uint64_t seed, int64_t c, int64_t taps, int64_t n, int64_t rows, const double *golden,
                  int64_t lambdas)
{
    float *x = lop_array(rows * c * taps, sizeof *x, NULL), *y = lop_array(rows * n, sizeof *y, NULL);
    float *w = lop_array(n * c * taps, sizeof *w, NULL);
    lop_stats *s;
    lop_centred q;
    lop_lasso l;
    lop_error err;
    lop_tensor beta = {0};
    const lop_tensor weight = {LOP_F32, {3, {n, c, taps}}, w, NULL};
    rows_of(seed, c, taps, n, rows, x, y, w);
    t_ok(lop_stats_new(c, taps, n, &s, &err), err);
    t_ok(lop_stats_add(s, x, y, rows, NULL, &err), err);
    t_ok(lop_stats_centre(s, &q, &err), err);
    t_ok(lop_lasso_init((const lop_centred *const[]){&q}, (const lop_tensor *const[]){&weight}, 1, NULL, &l, &err),
         err);
    t_ok(lop_tensor_init(&beta, LOP_F64, &(lop_shape){1, {c}}, &err), err);
    assert_true(fabs(lop_lasso_top(&l) * 0.95 - golden[0]) < 1e-12);
    for (int64_t k = 0; k < lambdas; k++, golden += c + 1) {
        int64_t active;
        t_ok(lop_lasso_at(&l, golden[0], 1e-12, &beta, &active, &err), err);
        for (int64_t i = 0; i < c; i++) {
            const double got = ((double *)beta.data)[i];
            if (fabs(got - golden[1 + i]) > 1e-6)
                fail_msg("problem %d, lambda #%d, beta #%d: %.9g, %.9g expected", (int)seed, (int)k, (int)i, got,
                         golden[1 + i]);
        }
    }
    lop_tensor_clear(&beta);
    lop_lasso_clear(&l);
    lop_centred_clear(&q);
    lop_stats_free(s);
    lop_free(x);
    lop_free(y);
    lop_free(w);
}

T_TEST(coefficients_are_scikit_learns)
{
    check(1, 8, 1, 3, 120, lasso_0[0], T_COUNT(lasso_0));
    check(2, 14, 4, 5, 150, lasso_1[0], T_COUNT(lasso_1));
    check(3, 24, 9, 4, 400, lasso_2[0], T_COUNT(lasso_2));
}

T_MAIN(T(coefficients_are_scikit_learns))

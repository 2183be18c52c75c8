/* tests/core/sample/test_project.c - projected sums against the sums of projected rows. */
#include "support/t.h"
#include "sample/sample.h"
#include <math.h>

typedef struct { int64_t c, taps, keep, rank, n; } size_case;

static void near(const double *got, const double *want, int64_t count, const char *what)
{
    for (int64_t i = 0; i < count; i++)
        if (fabs(got[i] - want[i]) > 1e-9 * (1 + fabs(want[i])))
            fail_msg("%s #%d: %.17g, %.17g expected", what, (int)i, got[i], want[i]);
}

T_TEST(projected_sums_are_sums_of_projected_rows)
{
    static const size_case cases[] = {{3, 9, 3, 4, 5}, {5, 4, 1, 3, 2}, {2, 6, 6, 2, 3}, {1, 1, 1, 1, 1},
                                      {7, 3, 3, 9, 4}};
    enum { ROWS = 60 };
    for (size_t k = 0; k < T_COUNT(cases); k++) {
        const size_case d = cases[k];
        const int64_t p = d.c * d.taps, parts = p / d.keep, m = d.rank * d.keep;
        float *x = lop_array(ROWS * p, sizeof *x, NULL), *y = lop_array(ROWS * d.n, sizeof *y, NULL);
        float *z = lop_array(ROWS * m, sizeof *z, NULL);
        double *V = lop_array(d.rank * parts, sizeof *V, NULL);
        lop_stats *s, *made, *want;
        lop_error err;
        for (int64_t i = 0; i < ROWS * p; i++) x[i] = (float)(int)(lop_random(k, 1, (uint64_t)i) % 17) - 8;
        for (int64_t i = 0; i < ROWS * d.n; i++) y[i] = (float)(int)(lop_random(k, 2, (uint64_t)i) % 9) - 3;
        for (int64_t i = 0; i < d.rank * parts; i++) V[i] = (double)(int)(lop_random(k, 3, (uint64_t)i) % 5) - 2;
        for (int64_t r = 0; r < ROWS; r++)              /* small whole numbers: float32 holds them exactly */
            for (int64_t i = 0; i < d.rank; i++)
                for (int64_t b = 0; b < d.keep; b++)
                    for (int64_t a = 0; a < parts; a++)
                        z[r * m + i * d.keep + b] += (float)V[i * parts + a] * x[r * p + a * d.keep + b];
        t_ok(lop_stats_new(d.c, d.taps, d.n, &s, &err), err);
        t_ok(lop_stats_add(s, x, y, ROWS, NULL, &err), err);
        t_ok(lop_stats_new(d.rank, d.keep, d.n, &want, &err), err);
        t_ok(lop_stats_add(want, z, y, ROWS, NULL, &err), err);
        t_ok(lop_stats_project(s, V, d.rank, d.keep, &made, &err), err);
        assert_int_equal(lop_stats_channels(made), d.rank);
        assert_int_equal(lop_stats_taps(made), d.keep);
        assert_true(lop_stats_rows(made) == ROWS);
        near(lop_stats_gram(made), lop_stats_gram(want), (m + 1) * (m + 1), "G");
        near(lop_stats_cross(made), lop_stats_cross(want), (m + 1) * d.n, "B");
        near(lop_stats_energy(made), lop_stats_energy(want), d.n, "s");
        lop_stats_free(s);
        lop_stats_free(made);
        lop_stats_free(want);
        lop_free(x);
        lop_free(y);
        lop_free(z);
        lop_free(V);
    }
}

T_TEST(what_does_not_divide_is_refused)
{
    lop_stats *s, *made;
    lop_error err;
    t_ok(lop_stats_new(3, 9, 2, &s, &err), err);
    t_fails(lop_stats_project(s, NULL, 2, 2, &made, &err), LOP_E_ARG, err, "it does not divide");
    t_fails(lop_stats_project(s, NULL, 0, 3, &made, &err), LOP_E_ARG, err, "to rank 0");
    lop_stats_free(s);
}
T_MAIN(T(projected_sums_are_sums_of_projected_rows), T(what_does_not_divide_is_refused))

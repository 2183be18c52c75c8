/* tests/core/lasso/test_lasso_solve.c - optimality, certified; bad input, named. */
#include "support/t.h"
#include "lasso/lasso.h"
#include <math.h>

typedef struct {                /* a seeded problem: A = M M^T + I / 10, b at random; top = max |b_j| */
    int64_t c;
    double *A, *b, *x, top;
    lop_tensor gram, cross, beta;
    lop_lasso_problem p;
    lop_error err;
} t_lasso;

static t_lasso *t_lasso_new(int64_t c, uint64_t seed)
{
    t_lasso *q = lop_array(1, sizeof *q, NULL);
    q->c = c;
    t_ok(lop_tensor_init(&q->gram, LOP_F64, &(lop_shape){2, {c, c}}, &q->err), q->err);
    t_ok(lop_tensor_init(&q->cross, LOP_F64, &(lop_shape){1, {c}}, &q->err), q->err);
    t_ok(lop_tensor_init(&q->beta, LOP_F64, &(lop_shape){1, {c}}, &q->err), q->err);
    q->A = q->gram.data;
    q->b = q->cross.data;
    q->x = q->beta.data;
    for (int64_t i = 0; i < c; i++)
        for (int64_t j = 0; j < c; j++) {
            for (int64_t r = 0; r < c; r++)
                q->A[i * c + j] += lop_random_normal(seed, 1, (uint64_t)(r * c + (i < j ? i : j))) *
                                   lop_random_normal(seed, 1, (uint64_t)(r * c + (i < j ? j : i)));
            q->A[i * c + j] += i == j ? 0.1 : 0.0;
        }
    for (int64_t i = 0; i < c; i++) {
        q->b[i] = 10 * lop_random_normal(seed, 2, (uint64_t)i);
        q->top = fmax(q->top, fabs(q->b[i]));
    }
    q->p = (lop_lasso_problem){&q->gram, &q->cross, 7.0, false};
    return q;
}

static void t_lasso_free(t_lasso *q)
{
    lop_tensor_clear(&q->gram);
    lop_tensor_clear(&q->cross);
    lop_tensor_clear(&q->beta);
    lop_free(q);
}

/* Optimality needs no second solver: the KKT conditions, recomputed from A and b, certify a result. */
T_TEST(result_is_optimal)
{
    static const struct { int64_t c; double ratio; bool nonnegative; } cases[] = {
        {1, .5, false}, {2, 0, false}, {17, .3, false}, {64, .01, false}, {64, 1, false}, {17, .1, true},
        {64, .05, true}};
    for (size_t k = 0; k < T_COUNT(cases); k++)
        for (uint64_t seed = 0; seed < T_SEEDS(20); seed++) {
            t_lasso *q = t_lasso_new(cases[k].c, seed);
            const double t = cases[k].ratio * q->top;
            q->p.nonnegative = cases[k].nonnegative;
            t_ok(lop_lasso_solve(&q->p, t / q->p.rows, 1e-9, &q->beta, &q->err), q->err);
            for (int64_t j = 0; j < q->c; j++) {
                double r = q->b[j];
                for (int64_t i = 0; i < q->c; i++) r -= q->A[j * q->c + i] * q->x[i];
                const double outside = q->p.nonnegative ? r : fabs(r);
                const double miss = q->x[j] != 0 ? fabs(r - copysign(t, q->x[j])) : outside - t;
                if (miss > 2e-9 * q->top || (q->p.nonnegative && q->x[j] < 0))
                    fail_msg("case %zu, seed %d, channel #%d", k, (int)seed, (int)j);
            }
            t_lasso_free(q);
        }
}

T_TEST(warm_starts_end_where_cold_ones_do)
{
    for (uint64_t seed = 0; seed < T_SEEDS(5); seed++) {
        t_lasso *q = t_lasso_new(30, seed);
        double cold[30];
        t_ok(lop_lasso_solve(&q->p, 0.1 * q->top / 7, 1e-11, &q->beta, &q->err), q->err);
        memcpy(cold, q->x, sizeof cold);
        t_ok(lop_lasso_solve(&q->p, 0.02 * q->top / 7, 1e-11, &q->beta, &q->err), q->err);
        t_ok(lop_lasso_solve(&q->p, 0.1 * q->top / 7, 1e-11, &q->beta, &q->err), q->err);
        for (int i = 0; i < 30; i++)
            if (fabs(q->x[i] - cold[i]) > 1e-8) fail_msg("seed %d: %g, %g expected", (int)seed, q->x[i], cold[i]);
        t_lasso_free(q);
    }
}

T_TEST(bad_input_is_named_and_beta_untouched)
{
    static const struct { int at; double value, lambda; const char *says; } cases[] = {
        {0, NAN, 1, "gram: entry #0"}, {3, 0, 1, "gram: channel #1 is dead"}, {1, 0, -1, "lambda = -1"}};
    for (size_t k = 0; k < T_COUNT(cases); k++) {
        t_lasso *q = t_lasso_new(2, 7);
        q->A[cases[k].at] = cases[k].value;
        assert_int_not_equal(lop_lasso_solve(&q->p, cases[k].lambda, 1e-9, &q->beta, &q->err), LOP_OK);
        assert_true(strstr(q->err.message, cases[k].says) && q->x[0] == 0 && q->x[1] == 0);
        t_lasso_free(q);
    }
}
T_MAIN(T(result_is_optimal), T(warm_starts_end_where_cold_ones_do), T(bad_input_is_named_and_beta_untouched))

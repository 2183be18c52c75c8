/* tests/core/lasso/test_sparse.c - codes are optimal, certified; the basis is least squares or optimal under its bound;
 * neither step lets the objective grow; bad input, named. */
#include "support/t.h"
#include "lasso/lasso.h"
#include <math.h>

typedef struct { int64_t N, d, k; lop_tensor x, basis, z; lop_error err; } t_sparse;

static double *at(const lop_tensor *t) { return t->data; }

/* Samples of 3 atoms each and some noise; the basis is another one, its atoms `length` long. */
static t_sparse *t_sparse_new(int64_t N, int64_t d, int64_t k, double length, uint64_t seed)
{
    t_sparse *q = lop_array(1, sizeof *q, NULL);
    *q = (t_sparse){.N = N, .d = d, .k = k};
    t_ok(lop_tensor_init(&q->x, LOP_F64, &(lop_shape){2, {N, d}}, &q->err), q->err);
    t_ok(lop_tensor_init(&q->basis, LOP_F64, &(lop_shape){2, {k, d}}, &q->err), q->err);
    t_ok(lop_tensor_init(&q->z, LOP_F64, &(lop_shape){2, {N, k}}, &q->err), q->err);
    for (int64_t i = 0; i < N * d; i++) at(&q->x)[i] = lop_random_normal(seed, 1, (uint64_t)i);
    for (int64_t j = 0; j < k; j++) {
        double *a = at(&q->basis) + j * d, energy = 0.0;
        for (int64_t t = 0; t < d; t++) {
            a[t] = lop_random_normal(seed, 2, (uint64_t)(j * d + t));
            energy += a[t] * a[t];
        }
        for (int64_t t = 0; t < d; t++) a[t] *= length / sqrt(energy);
    }
    return q;
}

static void t_sparse_free(t_sparse *q)
{
    lop_tensor_clear(&q->x);
    lop_tensor_clear(&q->basis);
    lop_tensor_clear(&q->z);
    lop_free(q);
}

/* x_i - A z_i. */
static void rest_of(const t_sparse *q, int64_t i, double *rest)
{
    for (int64_t t = 0; t < q->d; t++) rest[t] = at(&q->x)[i * q->d + t];
    for (int64_t j = 0; j < q->k; j++)
        for (int64_t t = 0; t < q->d; t++) rest[t] -= at(&q->z)[i * q->k + j] * at(&q->basis)[j * q->d + t];
}

static double objective(t_sparse *q, const lop_sparse_options *o, double lambda)
{
    double value;
    t_ok(lop_sparse_objective(&q->x, &q->basis, &q->z, o, lambda, &value, &q->err), q->err);
    return value;
}

/* The derivative of a penalty. */
static double slope(const lop_sparse_options *o, double z)
{
    if (o->rho == LOP_RHO_LOG) return 2.0 * z / (1.0 + z * z);
    return (o->nu + 1.0) * z / (o->nu + z * z);
}

/* Stationary: 2 a_j' (x - A z) = eta rho'(z_j); of L1 the KKT conditions, hence the optimum of an independent view. */
T_TEST(codes_are_optimal)
{
    static const lop_sparse_options cases[] = {{LOP_RHO_L1, .5, 0, 1e-10}, {LOP_RHO_L1, 3, 0, 1e-10},
                                               {LOP_RHO_LOG, .5, 0, 1e-15}, {LOP_RHO_STUDENT, 2, 3, 1e-15}};
    for (size_t n = 0; n < T_COUNT(cases); n++)
        for (uint64_t seed = 0; seed < T_SEEDS(3); seed++) {
            const lop_sparse_options *o = &cases[n];
            t_sparse *q = t_sparse_new(70, 9, 14, 1.0, seed);
            double rest[9];
            const double before = objective(q, o, 0.0);
            t_ok(lop_sparse_codes(&q->x, &q->basis, o, NULL, &q->z, &q->err), q->err);
            assert_true(objective(q, o, 0.0) < before);
            for (int64_t i = 0; i < q->N; i++) {
                rest_of(q, i, rest);
                for (int64_t j = 0; j < q->k; j++) {
                    double g = 0.0, miss;
                    const double z = at(&q->z)[i * q->k + j];
                    for (int64_t t = 0; t < q->d; t++) g += 2.0 * rest[t] * at(&q->basis)[j * q->d + t];
                    if (o->rho != LOP_RHO_L1) miss = fabs(g - o->eta * slope(o, z));
                    else miss = z != 0.0 ? fabs(g - copysign(o->eta, z)) : fabs(g) - o->eta;
                    if (miss > (o->rho == LOP_RHO_L1 ? 1e-8 : 2e-5))
                        fail_msg("case %zu, seed %d, sample #%d, atom #%d: %g", n, (int)seed, (int)i, (int)j, miss);
                }
            }
            t_sparse_free(q);
        }
}

/* lop_lasso_solve, asked one by one with lambda = eta / 2 and N = 1, gives the same codes. */
T_TEST(codes_are_those_of_the_lasso)
{
    t_sparse *q = t_sparse_new(65, 12, 8, 1.0, 5);
    const lop_sparse_options o = {LOP_RHO_L1, 1.0, 0, 1e-10};
    double A[64], b[8], x[8];
    lop_tensor gram = {LOP_F64, {2, {8, 8}}, A, NULL}, cross = {LOP_F64, {1, {8}}, b, NULL};
    lop_tensor beta = {LOP_F64, {1, {8}}, x, NULL};
    t_ok(lop_sparse_codes(&q->x, &q->basis, &o, NULL, &q->z, &q->err), q->err);
    for (int64_t i = 0; i < q->N; i++) {
        for (int64_t j = 0; j < 8; j++) {
            b[j] = x[j] = 0.0;
            for (int64_t t = 0; t < 12; t++) b[j] += at(&q->basis)[j * 12 + t] * at(&q->x)[i * 12 + t];
            for (int64_t l = 0; l < 8; l++) {
                A[j * 8 + l] = 0.0;
                for (int64_t t = 0; t < 12; t++) A[j * 8 + l] += at(&q->basis)[j * 12 + t] * at(&q->basis)[l * 12 + t];
            }
        }
        t_ok(lop_lasso_solve(&(lop_lasso_problem){&gram, &cross, 1.0, false}, 0.5, 1e-10, &beta, &q->err), q->err);
        for (int64_t j = 0; j < 8; j++) assert_float_equal(x[j], at(&q->z)[i * 8 + j], 1e-8);
    }
    t_sparse_free(q);
}

/* No feasible basis near by is better, and without the bound's touching the gradient is 0. */
T_TEST(basis_is_optimal)
{
    for (int bound = 0; bound < 2; bound++)
        for (uint64_t seed = 0; seed < T_SEEDS(5); seed++) {
            t_sparse *q = t_sparse_new(60, 7, 6, 0.9, seed);
            const lop_sparse_options o = {LOP_RHO_L1, 1, 0, 1e-9};
            double rest[7];
            for (int64_t i = 0; i < q->N * q->k; i++)
                at(&q->z)[i] = (bound ? 0.2 : 3.0) * lop_random_normal(seed, 3, (uint64_t)i);
            const double before = objective(q, &o, 2.0);
            t_ok(lop_sparse_basis(&q->x, &q->z, 2.0, &q->basis, &q->err), q->err);
            assert_true(objective(q, &o, 2.0) < before);
            int touching = 0;
            for (int64_t j = 0; j < q->k; j++) {       /* -gradient: 0, or straight out of the ball where that is met */
                double *a = at(&q->basis) + j * q->d, g[7] = {0}, length = 0.0, out = 0.0, miss = 0.0;
                for (int64_t t = 0; t < q->d; t++) {
                    for (int64_t i = 0; i < q->N; i++) {
                        rest_of(q, i, rest);
                        g[t] += 2.0 * at(&q->z)[i * q->k + j] * rest[t];
                    }
                    g[t] -= 2.0 * a[t];
                    length += a[t] * a[t];
                    out += g[t] * a[t];
                }
                assert_true(length <= 1.0 + 1e-9);
                const bool touches = length > 1.0 - 1e-9;
                touching += touches;
                if (touches) assert_true(out >= -1e-6);
                for (int64_t t = 0; t < q->d; t++) miss = fmax(miss, fabs(g[t] - (touches ? out * a[t] : 0.0)));
                if (miss > 1e-5) fail_msg("bound %d, seed %d, atom #%d: %g", bound, (int)seed, (int)j, miss);
            }
            assert_true(bound ? touching > 0 : touching == 0);
            t_sparse_free(q);
        }
}

T_TEST(codes_are_the_same_bytes_for_any_team)
{
    for (int rho = LOP_RHO_L1; rho <= LOP_RHO_STUDENT; rho++) {
        const lop_sparse_options o = {(lop_rho)rho, 1, 2, 1e-9};
        t_sparse *a = t_sparse_new(200, 8, 10, 1.0, 3), *b = t_sparse_new(200, 8, 10, 1.0, 3);
        lop_team *team;
        t_ok(lop_team_new(3, &team, &a->err), a->err);
        t_ok(lop_sparse_codes(&a->x, &a->basis, &o, NULL, &a->z, &a->err), a->err);
        t_ok(lop_sparse_codes(&b->x, &b->basis, &o, team, &b->z, &b->err), b->err);
        assert_memory_equal(a->z.data, b->z.data, lop_tensor_bytes(&a->z));
        lop_team_free(team);
        t_sparse_free(a);
        t_sparse_free(b);
    }
}

/* An atom of zeros gets no code, an atom without codes no change at lambda = 0, and zeros above. */
T_TEST(atoms_of_nothing)
{
    const lop_sparse_options o = {LOP_RHO_L1, 0.1, 0, 1e-9};
    t_sparse *q = t_sparse_new(20, 5, 3, 1.0, 1);
    for (int t = 0; t < 5; t++) at(&q->basis)[5 + t] = 0.0;
    for (int i = 0; i < 20; i++) at(&q->z)[i * 3 + 1] = 7.0;
    t_ok(lop_sparse_codes(&q->x, &q->basis, &o, NULL, &q->z, &q->err), q->err);
    for (int i = 0; i < 20; i++) assert_true(at(&q->z)[i * 3 + 1] == 0.0);
    at(&q->basis)[5] = 0.5;
    t_ok(lop_sparse_basis(&q->x, &q->z, 0.0, &q->basis, &q->err), q->err);
    assert_true(at(&q->basis)[5] == 0.5);
    t_ok(lop_sparse_basis(&q->x, &q->z, 1.0, &q->basis, &q->err), q->err);
    assert_true(at(&q->basis)[5] == 0.0);
    t_sparse_free(q);
}

T_TEST(bad_input_is_named)
{
    t_sparse *q = t_sparse_new(4, 3, 2, 1.0, 1);
    lop_tensor wide = {LOP_F64, {2, {2, 4}}, q->basis.data, NULL};
    lop_sparse_options o = {LOP_RHO_L1, 0, 1, 1e-9};
    lop_rho rho;
    t_fails(lop_rho_of("l2", &rho, &q->err), LOP_E_ARG, q->err, "'l2'");
    t_fails(lop_sparse_codes(&q->x, &q->basis, &o, NULL, &q->z, &q->err), LOP_E_ARG, q->err, "eta = 0");
    o.eta = 1.0;
    t_fails(lop_sparse_codes(&q->x, &wide, &o, NULL, &q->z, &q->err), LOP_E_SHAPE, q->err, "basis");
    o = (lop_sparse_options){LOP_RHO_STUDENT, 1, -1, 1e-9};
    t_fails(lop_sparse_codes(&q->x, &q->basis, &o, NULL, &q->z, &q->err), LOP_E_ARG, q->err, "nu = -1");
    t_fails(lop_sparse_basis(&q->x, &q->z, -1, &q->basis, &q->err), LOP_E_ARG, q->err, "lambda = -1");
    at(&q->x)[4] = NAN;
    t_fails(lop_sparse_basis(&q->x, &q->z, 1, &q->basis, &q->err), LOP_E_NUMERIC, q->err, "x: entry #4");
    at(&q->x)[4] = 0.0;
    at(&q->basis)[3] = 2.0;
    t_fails(lop_sparse_basis(&q->x, &q->z, 1, &q->basis, &q->err), LOP_E_ARG, q->err, "atom #1");
    t_sparse_free(q);
}

T_MAIN(T(codes_are_optimal), T(codes_are_those_of_the_lasso), T(basis_is_optimal),
       T(codes_are_the_same_bytes_for_any_team), T(atoms_of_nothing), T(bad_input_is_named))

/* tests/core/lasso/test_lasso_path.c - the sums' LASSO against the LASSO on the rows themselves; widths exactly as
 * asked. */
#include "core/sample/layer.h"
#include "lasso/lasso.h"

static void init(const t_layer *l, const lop_lasso_options *o, lop_lasso *out)
{
    lop_error err;
    t_ok(lop_lasso_init((const lop_centred *const[]){&l->q}, (const lop_tensor *const[]){&l->weight}, 1, o, out, &err),
         err);
}

/* Column i of the stacked problem: Z_i = X_i W_i^T over rows and filters. */
static double *stacked(const t_layer *l)
{
    double *Z = lop_array(l->c * l->rows * l->n, sizeof *Z, NULL);
    for (int64_t i = 0; i < l->c; i++)
        for (int64_t r = 0; r < l->rows; r++)
            for (int64_t f = 0; f < l->n; f++)
                for (int64_t t = i * l->taps; t < (i + 1) * l->taps; t++)
                    Z[(i * l->rows + r) * l->n + f] += l->X[r * l->p + t] * l->w[f * l->p + t];
    return Z;
}

/* Plain coordinate descent on rows: min |Y - sum x_i Z_i / s_i|^2 / (2 N) + lambda |x|_1, beta = x / s; channels from
 * `unpenalised` on are left out of |x|_1. */
static void direct(const t_layer *l, double *Z, double lambda, int64_t unpenalised, double *beta)
{
    const int64_t m = l->rows * l->n;
    double *R = lop_array(m, sizeof *R, NULL), moved = 1;
    memcpy(R, l->Y, (size_t)m * sizeof *R);
    memset(beta, 0, (size_t)l->c * sizeof *beta);
    for (int pass = 0; pass < 20000 && moved > 1e-13; pass++) {
        moved = 0;
        for (int64_t i = 0; i < l->c; i++) {
            double zz = 0, zr = 0;
            for (int64_t k = 0; k < m; k++) {
                zz += Z[i * m + k] * Z[i * m + k];
                zr += Z[i * m + k] * R[k];
            }
            const double s = sqrt(zz / (double)l->rows), z = zr / s + beta[i] * s * (double)l->rows;
            const double t = i < unpenalised ? lambda * (double)l->rows : 0, x = z > t ? z - t : z < -t ? z + t : 0;
            const double step = x / (double)l->rows / s - beta[i];
            for (int64_t k = 0; k < m; k++) R[k] -= step * Z[i * m + k];
            beta[i] += step;
            moved = fmax(moved, fabs(step));
        }
    }
    lop_free(R);
}

T_TEST(sums_and_rows_have_the_same_solutions)
{
    for (uint64_t seed = 0; seed < T_SEEDS(4); seed++) {
        t_layer *l = t_layer_new(9, 3, 4, 150, seed, T_PLAIN);
        lop_lasso q;
        lop_error err;
        lop_tensor beta = {0};
        double *Z = stacked(l), want[9];
        init(l, NULL, &q);
        t_ok(lop_tensor_init(&beta, LOP_F64, &(lop_shape){1, {9}}, &err), err);
        for (double ratio = 0.8; ratio > 0.001; ratio *= 0.4) {
            int64_t active;
            direct(l, Z, ratio * lop_lasso_top(&q), 9, want);
            t_ok(lop_lasso_at(&q, ratio * lop_lasso_top(&q), 1e-12, &beta, &active, &err), err);
            for (int i = 0; i < 9; i++) {
                const double got = ((double *)beta.data)[i];
                if (fabs(got - want[i]) > 1e-7)
                    fail_msg("seed %d, ratio %g: %g, %g expected", (int)seed, ratio, got, want[i]);
                active -= want[i] != 0;
            }
            assert_int_equal(active, 0);
        }
        lop_tensor_clear(&beta);
        lop_lasso_clear(&q);
        lop_free(Z);
        t_layer_free(l);
    }
}

/* The last three channels stay: unpenalised on the rows, projected out of the sums. */
T_TEST(channels_that_stay_are_free_of_the_penalty)
{
    static const int64_t listed[6] = {0, 1, 2, 3, 4, 5};
    for (uint64_t seed = 0; seed < T_SEEDS(4); seed++) {
        t_layer *l = t_layer_new(9, 3, 4, 150, seed, T_PLAIN);
        lop_lasso all, q;
        lop_error err;
        lop_tensor beta = {0};
        double *Z = stacked(l), want[9];
        init(l, NULL, &all);
        t_ok(lop_lasso_given(&all, listed, 6, &q, &err), err);
        t_ok(lop_tensor_init(&beta, LOP_F64, &(lop_shape){1, {6}}, &err), err);
        for (double ratio = 0.8; ratio > 0.001; ratio *= 0.4) {
            int64_t active;
            double error = 0;
            direct(l, Z, ratio * lop_lasso_top(&q), 6, want);
            t_ok(lop_lasso_at(&q, ratio * lop_lasso_top(&q), 1e-12, &beta, &active, &err), err);
            for (int i = 0; i < 6; i++) {
                const double got = ((double *)beta.data)[i];
                if (fabs(got - want[i]) > 1e-7)
                    fail_msg("seed %d, ratio %g: %g, %g expected", (int)seed, ratio, got, want[i]);
                active -= want[i] != 0;
            }
            assert_int_equal(active, 0);
            for (int64_t k = 0; k < l->rows * l->n; k++) {
                double d = l->Y[k];
                for (int64_t i = 0; i < 9; i++) d -= want[i] * Z[i * l->rows * l->n + k];
                error += d * d / l->energy;
            }
            assert_true(fabs(lop_lasso_error(&q, beta.data) - error) < 1e-9);
        }
        lop_tensor_clear(&beta);
        lop_lasso_clear(&q);
        t_fails(lop_lasso_given(&all, (int64_t[]){3, 3}, 2, &q, &err), LOP_E_ARG, err,
                "channel #3 stands out of order");
        t_fails(lop_lasso_given(&all, listed, 0, &q, &err), LOP_E_ARG, err, "no channel");
        lop_lasso_clear(&all);
        lop_free(Z);
        t_layer_free(l);
    }
}

/* What the channels that stay explain wholly is dead, and comes last. */
T_TEST(twins_of_what_stays_are_dead)
{
    static const int64_t listed[4] = {1, 3, 4, 5};
    t_layer *l = t_layer_new(6, 2, 3, 120, 3, T_TWINS);
    for (int64_t f = 0; f < l->n; f++)          /* twins in weight too: else Z differs */
        for (int64_t t = 0; t < 2; t++) l->w[f * l->p + 2 + t] = l->w[f * l->p + t];
    lop_lasso all, q;
    lop_error err;
    lop_lasso_choice choice;
    init(l, NULL, &all);
    t_ok(lop_lasso_given(&all, listed, 4, &q, &err), err);
    assert_true(((double *)q.scale.data)[0] == 0);
    t_ok(lop_lasso_width(&q, 3, &choice, &err), err);
    for (int i = 0; i < 3; i++) assert_int_equal(choice.channel[i], i + 1);
    lop_lasso_choice_clear(&choice);
    lop_lasso_clear(&q);
    lop_lasso_clear(&all);
    t_layer_free(l);
}

static int stop(void *context, const char *what, int64_t done, int64_t total)
{
    assert_string_equal(what, "lasso");
    assert_true(done < total);
    return ++*(int *)context == 3;
}

T_TEST(a_path_can_be_stopped)
{
    t_layer *l = t_layer_new(9, 3, 4, 150, 1, T_PLAIN);
    int calls = 0;
    const lop_progress progress = {stop, &calls};
    lop_lasso q;
    lop_error err;
    lop_lasso_choice choice;
    init(l, NULL, &q);
    q.progress = &progress;
    t_fails(lop_lasso_width(&q, 7, &choice, &err), LOP_E_INTERRUPTED, err, "lasso: interrupted");
    assert_true(calls == 3 && !choice.channel);
    lop_lasso_clear(&q);
    t_layer_free(l);
}

static void check_choice(const t_layer *l, const lop_lasso *q, int64_t width, bool nonnegative)
{
    lop_lasso_choice choice;
    lop_error err;
    t_ok(lop_lasso_width(q, width, &choice, &err), err);
    assert_int_equal(choice.count, width);
    double left = 0, *Z = stacked(l);
    for (int64_t k = 0; k < width; k++) {
        assert_true(choice.channel[k] >= 0 && choice.channel[k] < l->c &&
                    (k == 0 || choice.channel[k] > choice.channel[k - 1]));
        assert_true(!nonnegative || choice.beta[k] >= 0);
    }
    for (int64_t r = 0; r < l->rows * l->n; r++) {
        double d = l->Y[r];
        for (int64_t k = 0; k < width; k++) d -= choice.beta[k] * Z[choice.channel[k] * l->rows * l->n + r];
        left += d * d;
    }
    if (fabs(left / l->energy - choice.error) > 1e-9)
        fail_msg("width %d: error %g, %g expected", (int)width, choice.error, left / l->energy);
    lop_free(Z);
    lop_lasso_choice_clear(&choice);
}

T_TEST(the_width_asked_for_is_delivered)
{
    for (int traits = 0; traits < 4; traits++)
        for (uint64_t seed = 0; seed < T_SEEDS(5); seed++) {
            t_layer *l = t_layer_new(12, 2, 3, 120, seed, traits);
            lop_lasso q;
            const lop_lasso_options o = {.nonnegative = seed % 2 == 1};
            init(l, &o, &q);
            assert_int_equal(q.count, traits & T_DEAD ? 11 : 12);
            for (int64_t width = 1; width <= 12; width++) check_choice(l, &q, width, o.nonnegative);
            lop_lasso_clear(&q);
            t_layer_free(l);
        }
}

/* Without ties one channel comes or goes at a time, so every width has a lambda, and it must be found. */
T_TEST(a_width_that_some_lambda_has_is_its_support)
{
    for (uint64_t seed = 0; seed < T_SEEDS(4); seed++) {
        t_layer *l = t_layer_new(16, 1, 3, 200, seed, T_PLAIN);
        lop_lasso q;
        lop_error err;
        lop_tensor beta = {0};
        init(l, NULL, &q);
        for (int64_t width = 1; width <= 16; width++) {
            lop_lasso_choice choice;
            int64_t active;
            t_ok(lop_tensor_init(&beta, LOP_F64, &(lop_shape){1, {16}}, &err), err);
            t_ok(lop_lasso_width(&q, width, &choice, &err), err);
            t_ok(lop_lasso_at(&q, choice.lambda, 1e-10, &beta, &active, &err), err);
            if (active != width)
                fail_msg("seed %d, width %d: lambda has %d active", (int)seed, (int)width, (int)active);
            for (int64_t k = 0; k < width; k++)
                assert_true(fabs(((double *)beta.data)[choice.channel[k]] - choice.beta[k]) < 1e-5
                            && choice.beta[k] != 0);
            lop_lasso_choice_clear(&choice);
            lop_tensor_clear(&beta);
        }
        lop_lasso_clear(&q);
        t_layer_free(l);
    }
}

/* Channels 0 and 1 are the same in rows and weights, and nothing else matters much: width 1 keeps #0, by its number. */
T_TEST(ties_go_to_the_lowest_number_and_dead_channels_last)
{
    double A[] = {4, 4, 0, 0, 4, 4, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0}, b[] = {3, 3, 0.1, 0};
    static const int64_t want[4][4] = {{0}, {0, 2}, {0, 1, 2}, {0, 1, 2, 3}};
    const lop_tensor gram = {LOP_F64, {2, {4, 4}}, A, NULL}, cross = {LOP_F64, {1, {4}}, b, NULL};
    lop_lasso q;
    lop_error err;
    t_ok(lop_lasso_from(&gram, &cross, 10, 5, NULL, &q, &err), err);
    for (int64_t width = 1; width <= 4; width++) {
        lop_lasso_choice choice;
        t_ok(lop_lasso_width(&q, width, &choice, &err), err);
        assert_memory_equal(choice.channel, want[width - 1], (size_t)width * sizeof(int64_t));
        lop_lasso_choice_clear(&choice);
    }
    lop_lasso_choice none;
    t_fails(lop_lasso_width(&q, 0, &none, &err), LOP_E_ARG, err, "width = 0: 1 to 4");
    t_fails(lop_lasso_width(&q, 5, &none, &err), LOP_E_ARG, err, "width = 5: 1 to 4");
    lop_lasso_clear(&q);
}

T_TEST(a_schedules_own_beta_is_cut_or_filled)
{
    t_layer *l = t_layer_new(8, 2, 3, 120, 3, T_PLAIN);
    lop_lasso q;
    lop_error err;
    lop_lasso_choice choice;
    double beta[8] = {0, 1, 0, 0.5, 0, 2, 0, 0};
    init(l, NULL, &q);
    t_ok(lop_lasso_exact(&q, beta, 0.1, 3, &choice, &err), err);
    assert_true(choice.channel[0] == 1 && choice.channel[1] == 3 && choice.channel[2] == 5 &&
                fabs(choice.beta[2] - 2) < 1e-12);
    lop_lasso_choice_clear(&choice);
    for (int64_t width = 1; width <= 8; width++) {
        t_ok(lop_lasso_exact(&q, beta, 0.1, width, &choice, &err), err);
        assert_int_equal(choice.count, width);
        lop_lasso_choice_clear(&choice);
    }
    lop_lasso_clear(&q);
    t_layer_free(l);
}

/* Two consumers: the problem is that of their rows one below the other, each divided by the root of its energy. */
T_TEST(several_consumers_share_one_beta)
{
    t_layer *l[2] = {t_layer_new(6, 3, 4, 100, 1, T_PLAIN), t_layer_new(6, 1, 5, 140, 2, T_PLAIN)};
    lop_lasso both, one[2];
    lop_error err;
    t_ok(lop_lasso_init((const lop_centred *const[]){&l[0]->q, &l[1]->q},
                        (const lop_tensor *const[]){&l[0]->weight, &l[1]->weight}, 2, NULL, &both, &err), err);
    for (int k = 0; k < 2; k++) init(l[k], NULL, &one[k]);
    for (int i = 0; i < 36; i++) {
        double want = 0;
        for (int k = 0; k < 2; k++) want += ((double *)one[k].gram.data)[i] / l[k]->energy;
        assert_true(fabs(((double *)both.gram.data)[i] - want) < 1e-12);
    }
    assert_true(both.rows == 1 && both.energy == 2);
    t_layer *odd = t_layer_new(5, 1, 2, 50, 1, T_PLAIN);
    lop_lasso none;
    t_fails(lop_lasso_init((const lop_centred *const[]){&l[0]->q, &odd->q},
                           (const lop_tensor *const[]){&l[0]->weight, &odd->weight}, 2, NULL, &none, &err),
            LOP_E_SHAPE, err, "consumer #1: consumers of 6 and of 5 channels");
    t_fails(lop_lasso_init((const lop_centred *const[]){&l[0]->q}, (const lop_tensor *const[]){&odd->weight}, 1, NULL,
                           &none, &err),
            LOP_E_SHAPE, err, "weight is float32 2x5x1");
    t_layer_free(odd);
    for (int k = 0; k < 2; k++) {
        lop_lasso_clear(&one[k]);
        t_layer_free(l[k]);
    }
    lop_lasso_clear(&both);
}

T_MAIN(T(sums_and_rows_have_the_same_solutions), T(channels_that_stay_are_free_of_the_penalty),
       T(twins_of_what_stays_are_dead), T(a_path_can_be_stopped), T(the_width_asked_for_is_delivered),
       T(a_width_that_some_lambda_has_is_its_support),
       T(ties_go_to_the_lowest_number_and_dead_channels_last), T(a_schedules_own_beta_is_cut_or_filled),
       T(several_consumers_share_one_beta))

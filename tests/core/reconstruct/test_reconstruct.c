/* tests/core/reconstruct/test_reconstruct.c - weights from sums against those from rows (QR, the ridge as rows). */
#include "core/sample/layer.h"
#include "reconstruct/reconstruct.h"

static const int64_t kept[] = {0, 2, 3, 5};
enum { KEPT = 4 };

/* W (KEPT taps, n) by QR of the centred rows, the ridge below them. */
static void direct(const t_layer *l, double ridge, double *W)
{
    const int64_t m = KEPT * l->taps, rows = l->rows + m;
    double *A = t_columns(l, kept, KEPT, m), *B = lop_array(rows * l->n, sizeof *B, NULL);
    memcpy(B, l->Y, (size_t)(l->rows * l->n) * sizeof *B);
    for (int64_t i = 0; i < m; i++) {
        const int64_t channel = kept[i / l->taps];
        double power = 0;
        for (int64_t r = 0; r < l->rows; r++)
            for (int64_t t = 0; t < l->taps; t++)
                power += pow(l->X[r * l->p + channel * l->taps + t], 2) / (double)l->taps;
        A[(l->rows + i) * m + i] = sqrt(ridge * power);
        for (int64_t f = 0; f < l->n; f++)
            B[(l->rows + i) * l->n + f] =
                sqrt(ridge * power) * (double)l->w[f * l->p + channel * l->taps + i % l->taps];
    }
    t_qr(rows, m, l->n, A, B, W);
    lop_free(A);
    lop_free(B);
}

/* |y - W x - bias|^2 over the layer's own float rows, relative to the centred target. */
static double error_on_rows(const t_layer *l, const lop_reconstruction *r)
{
    const int64_t m = KEPT * l->taps;
    const float *w = r->weight.data, *bias = r->bias.data;
    double error = 0;
    for (int64_t i = 0; i < l->rows; i++)
        for (int64_t f = 0; f < l->n; f++) {
            double d = (double)l->y[i * l->n + f] - (double)bias[f];
            for (int64_t j = 0; j < m; j++)
                d -= (double)w[f * m + j] * l->x[i * l->p + kept[j / l->taps] * l->taps + j % l->taps];
            error += d * d;
        }
    return error / l->energy;
}

T_TEST(weights_equal_those_from_the_rows)
{
    static const double ridges[] = {0, 1e-6, 1e-3, 1e-1};
    for (uint64_t seed = 0; seed < T_SEEDS(5); seed++)
        for (size_t k = 0; k < T_COUNT(ridges); k++) {
            t_layer *l = t_layer_new(6, 1 + (int64_t)seed % 3 * 4, 5, 200, seed, T_PLAIN);
            const lop_reconstruct_options o = {LOP_RECONSTRUCT_LEAST_SQUARES, ridges[k], NULL};
            const int64_t m = KEPT * l->taps;
            double *W = lop_array(m, (size_t)l->n * sizeof *W, NULL), scale = 0;
            lop_reconstruction r;
            lop_error err;
            direct(l, ridges[k], W);
            t_ok(lop_reconstruct(&l->q, l->stats, &l->weight, kept, KEPT, &o, &r, &err), err);
            assert_true(r.weight.shape.ndim == 3 && r.weight.shape.dim[0] == 5 && r.weight.shape.dim[1] == KEPT);
            for (int64_t i = 0; i < m * l->n; i++) scale = fmax(scale, fabs(W[i]));
            for (int64_t f = 0; f < l->n; f++)
                for (int64_t i = 0; i < m; i++) {
                    const double got = (double)((float *)r.weight.data)[f * m + i];
                    if (fabs(got - W[i * l->n + f]) > 1e-6 * scale)
                        fail_msg("seed %d, ridge %g: %g, %g expected", (int)seed, ridges[k], got, W[i * l->n + f]);
                }
            const double error = error_on_rows(l, &r);
            assert_true(fabs(r.error - error) < 1e-6 && fabs(r.held_error - error) < 1e-6 && r.ridge == ridges[k]);
            double again;
            t_ok(lop_reconstruct_error(l->stats, &r.weight, &r.bias, kept, KEPT, &again, &err), err);
            assert_true(fabs(again - error) < 1e-9);
            lop_reconstruction_clear(&r);
            lop_free(W);
            t_layer_free(l);
        }
}

/* The ridge taken has the least error on the rows held out: all of the grid, by hand. */
T_TEST(the_ridge_is_chosen_on_held_out_rows)
{
    int64_t inner = 0;
    for (uint64_t seed = 0; seed < T_SEEDS(5); seed++) {
        t_layer *l = t_layer_new(6, 9, 3, 60, seed, T_PLAIN), *other = t_layer_new(6, 9, 3, 300, seed + 50, T_PLAIN);
        double least = INFINITY, at = -1;
        lop_reconstruction r;
        lop_error err;
        memcpy(other->w, l->w, (size_t)(l->n * l->p) * sizeof(float));
        for (int64_t i = 0; i < other->rows; i++)           /* the same layer, other rows */
            for (int64_t f = 0; f < l->n; f++) {
                double y = 0.5 + 0.3 * t_draw(seed + 50, 5, i * l->n + f);
                for (int64_t j = 0; j < l->p; j++) y += (double)l->w[f * l->p + j] * other->x[i * l->p + j];
                other->y[i * l->n + f] = (float)y;
            }
        t_centre(other->y, other->rows, other->n, other->Y);
        other->energy = 0;
        for (int64_t i = 0; i < other->rows * other->n; i++) other->energy += other->Y[i] * other->Y[i];
        lop_stats_free(other->stats);
        t_ok(lop_stats_new(6, 9, 3, &other->stats, &err), err);
        t_ok(lop_stats_add(other->stats, other->x, other->y, other->rows, NULL, &err), err);
        for (int k = -8; k <= -1; k++) {
            const double ridge = k == -8 ? 0 : pow(10, k);
            const lop_reconstruct_options o = {LOP_RECONSTRUCT_LEAST_SQUARES, ridge, NULL};
            t_ok(lop_reconstruct(&l->q, NULL, &l->weight, kept, KEPT, &o, &r, &err), err);
            assert_true(isnan(r.held_error));
            const double error = error_on_rows(other, &r);
            if (error < least) at = ridge;
            least = fmin(least, error);
            lop_reconstruction_clear(&r);
        }
        t_ok(lop_reconstruct(&l->q, other->stats, &l->weight, kept, KEPT, NULL, &r, &err), err);
        if (fabs(r.ridge - at) > 1e-9 * at || fabs(r.held_error - least) > 1e-6)
            fail_msg("seed %d: ridge %g of error %g, %g of %g expected", (int)seed, r.ridge, r.held_error, at, least);
        inner += at > 0;
        lop_reconstruction_clear(&r);
        t_layer_free(l);
        t_layer_free(other);
    }
    assert_true(inner > 0);
}

T_TEST(scales_equal_those_from_the_rows)
{
    for (uint64_t seed = 0; seed < T_SEEDS(3); seed++) {
        t_layer *l = t_layer_new(6, 3, 4, 120, seed, T_PLAIN);
        const lop_reconstruct_options o = {LOP_RECONSTRUCT_SCALE, 0, NULL};
        const int64_t m = l->rows * l->n;
        double *Z = lop_array(m, KEPT * sizeof *Z, NULL), *Y = lop_array(m, sizeof *Y, NULL), beta[KEPT];
        lop_reconstruction r;
        lop_error err;
        memcpy(Y, l->Y, (size_t)m * sizeof *Y);
        for (int64_t i = 0; i < m; i++)
            for (int64_t j = 0; j < KEPT * 3; j++)
                Z[i * KEPT + j / 3] += l->X[i / 4 * l->p + kept[j / 3] * 3 + j % 3] *
                                       (double)l->w[i % 4 * l->p + kept[j / 3] * 3 + j % 3];
        t_qr(m, KEPT, 1, Z, Y, beta);
        t_ok(lop_reconstruct(&l->q, NULL, &l->weight, kept, KEPT, &o, &r, &err), err);
        for (int64_t f = 0; f < 4; f++)
            for (int64_t j = 0; j < KEPT * 3; j++) {
                const double want = beta[j / 3] * (double)l->w[f * l->p + kept[j / 3] * 3 + j % 3];
                assert_true(fabs((double)((float *)r.weight.data)[f * KEPT * 3 + j] - want) < 1e-6);
            }
        assert_true(fabs(r.error - error_on_rows(l, &r)) < 1e-6);
        lop_reconstruction_clear(&r);
        lop_free(Z);
        lop_free(Y);
        t_layer_free(l);
    }
}

T_TEST(nothing_but_the_intercept)
{
    t_layer *l = t_layer_new(6, 3, 4, 120, 2, T_PLAIN);
    const lop_reconstruct_options o = {LOP_RECONSTRUCT_NONE, 0, NULL};
    lop_reconstruction r;
    lop_error err;
    t_ok(lop_reconstruct(&l->q, l->stats, &l->weight, kept, KEPT, &o, &r, &err), err);
    for (int64_t f = 0; f < 4; f++) {
        double bias = 0;
        for (int64_t i = 0; i < l->rows; i++) {
            bias += (double)l->y[i * 4 + f] / (double)l->rows;
            for (int64_t j = 0; j < KEPT * 3; j++)
                bias -= (double)l->w[f * l->p + kept[j / 3] * 3 + j % 3] * l->x[i * l->p + kept[j / 3] * 3 + j % 3] /
                        (double)l->rows;
        }
        assert_true(fabs((double)((float *)r.bias.data)[f] - bias) < 1e-5);
        for (int64_t j = 0; j < KEPT * 3; j++)
            assert_true(((float *)r.weight.data)[f * KEPT * 3 + j] == l->w[f * l->p + kept[j / 3] * 3 + j % 3]);
    }
    assert_true(fabs(r.error - error_on_rows(l, &r)) < 1e-6 && fabs(r.error - r.held_error) < 1e-9);
    lop_reconstruction_clear(&r);
    t_layer_free(l);
}

/* What a filter makes has the target's mean and deviation, and its weights are the original's but for a factor. */
T_TEST(moments_are_those_of_the_target)
{
    for (uint64_t seed = 0; seed < T_SEEDS(3); seed++) {
        t_layer *l = t_layer_new(6, 3, 4, 120, seed, seed % 2 ? T_DEAD : T_PLAIN);
        const lop_reconstruct_options o = {LOP_RECONSTRUCT_MOMENTS, LOP_RIDGE_AUTO, NULL};
        lop_reconstruction r;
        lop_error err;
        t_ok(lop_reconstruct(&l->q, l->stats, &l->weight, kept, KEPT, &o, &r, &err), err);
        const float *w = r.weight.data, *bias = r.bias.data;
        for (int64_t f = 0; f < 4; f++) {
            double sum[2] = {0, 0}, square[2] = {0, 0};                 /* of what it makes, of the target */
            for (int64_t i = 0; i < l->rows; i++) {
                double made = (double)bias[f];
                const double want = (double)l->y[i * 4 + f];
                for (int64_t j = 0; j < KEPT * 3; j++)
                    made += (double)w[f * KEPT * 3 + j] * l->x[i * l->p + kept[j / 3] * 3 + j % 3];
                sum[0] += made;
                sum[1] += want;
                square[0] += made * made;
                square[1] += want * want;
            }
            const double n = (double)l->rows;
            assert_true(fabs(sum[0] - sum[1]) < 1e-4 * n);
            assert_true(fabs((square[0] - sum[0] * sum[0] / n) / (square[1] - sum[1] * sum[1] / n) - 1) < 1e-5);
            const double factor = (double)w[f * KEPT * 3] / (double)l->w[f * l->p];
            for (int64_t j = 0; j < KEPT * 3 && seed % 2 == 0; j++) {
                const double was = (double)l->w[f * l->p + kept[j / 3] * 3 + j % 3];
                assert_true(fabs((double)w[f * KEPT * 3 + j] - factor * was) < 1e-6);
            }
        }
        assert_true(r.ridge == 0 && fabs(r.error - error_on_rows(l, &r)) < 1e-6);
        lop_reconstruction_clear(&r);
        t_layer_free(l);
    }
}

/* A bias that stays: the solution is that of rows as they are, the target less the bias. */
T_TEST(a_bias_that_stays)
{
    static const float bias[4] = {0.5f, -1, 2, 0};
    for (int traits = T_PLAIN; traits <= T_DEAD; traits += T_DEAD) {
        t_layer *l = t_layer_new(6, 3, 4, 120, 2, traits);
        const lop_reconstruct_options o = {LOP_RECONSTRUCT_LEAST_SQUARES, 0, bias};
        const int64_t m = KEPT * 3, live = traits ? m - 3 : m;
        double *A = lop_array(l->rows, (size_t)live * sizeof *A, NULL), *B = lop_array(l->rows * 4, sizeof *B, NULL);
        double *W = lop_array(m * 4, sizeof *W, NULL);
        lop_reconstruction r;
        lop_error err;
        for (int64_t i = 0; i < l->rows; i++) {
            for (int64_t j = 0; j < live; j++) A[i * live + j] = (double)l->x[i * l->p + kept[j / 3] * 3 + j % 3];
            for (int64_t f = 0; f < 4; f++) {
                B[i * 4 + f] = (double)l->y[i * 4 + f] - (double)bias[f];
                for (int64_t j = live; j < m; j++)
                    B[i * 4 + f] -= (double)l->w[f * l->p + 15 + j - live] * l->x[i * l->p + 15 + j - live];
            }
        }
        const double left = t_qr(l->rows, live, 4, A, B, W);
        t_ok(lop_reconstruct(&l->q, l->stats, &l->weight, kept, KEPT, &o, &r, &err), err);
        for (int64_t f = 0; f < 4; f++)
            for (int64_t j = 0; j < live; j++)
                assert_true(fabs((double)((float *)r.weight.data)[f * m + j] - W[j * 4 + f]) < 1e-6);
        assert_true(fabs(r.error - left / l->energy) < 1e-6 && fabs(r.held_error - left / l->energy) < 1e-6);
        assert_memory_equal(r.bias.data, bias, sizeof bias);
        lop_reconstruction_clear(&r);
        lop_free(A);
        lop_free(B);
        lop_free(W);
        t_layer_free(l);
    }
}

T_TEST(twins_and_dead_channels_are_survived)
{
    static const int64_t all[] = {0, 1, 2, 3, 4, 5};
    t_layer *l = t_layer_new(6, 2, 3, 100, 1, T_TWINS | T_DEAD);
    lop_reconstruct_options o = {LOP_RECONSTRUCT_LEAST_SQUARES, 0, NULL};
    lop_reconstruction r;
    lop_error err;
    t_fails(lop_reconstruct(&l->q, NULL, &l->weight, all, 6, &o, &r, &err), LOP_E_NUMERIC, err,
            "singular at ridge = 0");
    assert_null(r.weight.data);
    t_ok(lop_reconstruct(&l->q, NULL, &l->weight, all, 6, NULL, &r, &err), err);
    assert_true(r.ridge == 1e-5);
    for (int f = 0; f < 3; f++)
        for (int t = 10; t < 12; t++) assert_true(((float *)r.weight.data)[f * 12 + t] == l->w[f * 12 + t]);
    lop_reconstruction_clear(&r);
    t_ok(lop_reconstruct(&l->q, l->stats, &l->weight, all, 6, NULL, &r, &err), err);
    assert_true(r.ridge > 0 && r.ridge < 1e-3 && r.held_error < 0.2);
    lop_reconstruction_clear(&r);
    o.method = LOP_RECONSTRUCT_SCALE;
    o.ridge = LOP_RIDGE_AUTO;
    t_ok(lop_reconstruct(&l->q, l->stats, &l->weight, all, 6, &o, &r, &err), err);
    lop_reconstruction_clear(&r);
    t_layer_free(l);
}

T_TEST(what_is_wrong_is_named)
{
    static const int64_t twice[] = {1, 1}, past[] = {2, 6};
    t_layer *l = t_layer_new(6, 2, 3, 50, 1, T_PLAIN), *odd = t_layer_new(6, 2, 4, 50, 1, T_PLAIN);
    lop_reconstruct_options o = {LOP_RECONSTRUCT_LEAST_SQUARES, -3, NULL};
    lop_reconstruction r;
    lop_reconstruct_method method;
    lop_error err;
    t_fails(lop_reconstruct_method_of("ls", &method, &err), LOP_E_ARG, err, "'ls': least-squares, scale, moments");
    t_fails(lop_reconstruct(&l->q, NULL, &l->weight, twice, 2, NULL, &r, &err), LOP_E_ARG, err, "kept channel #1");
    t_fails(lop_reconstruct(&l->q, NULL, &l->weight, past, 2, NULL, &r, &err), LOP_E_ARG, err, "0 to 5");
    t_fails(lop_reconstruct(&l->q, NULL, &l->weight, past, 0, NULL, &r, &err), LOP_E_ARG, err, "0 channels kept");
    t_fails(lop_reconstruct(&l->q, odd->stats, &l->weight, kept, 4, NULL, &r, &err), LOP_E_SHAPE, err,
            "6x2x4 against 6x2x3");
    t_fails(lop_reconstruct(&l->q, NULL, &odd->weight, kept, 4, NULL, &r, &err), LOP_E_SHAPE, err,
            "weight is float32 4x6x2");
    t_fails(lop_reconstruct(&l->q, NULL, &l->weight, kept, 4, &o, &r, &err), LOP_E_ARG, err, "ridge = -3");
    assert_true(!r.weight.data && !r.bias.data);
    t_layer_free(l);
    t_layer_free(odd);
}

T_MAIN(T(weights_equal_those_from_the_rows), T(the_ridge_is_chosen_on_held_out_rows),
       T(scales_equal_those_from_the_rows), T(nothing_but_the_intercept), T(moments_are_those_of_the_target),
       T(a_bias_that_stays),
       T(twins_and_dead_channels_are_survived), T(what_is_wrong_is_named))

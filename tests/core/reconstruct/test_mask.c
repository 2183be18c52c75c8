/* tests/core/reconstruct/test_mask.c - weights filter by filter against least squares on each filter's own rows. */
#include "core/sample/layer.h"
#include "linalg/linalg.h"
#include "reconstruct/reconstruct.h"

/* Half of the pairs, drawn; of filter `bare` none. */
static uint8_t *draw_mask(const t_layer *l, uint64_t seed, int64_t bare)
{
    uint8_t *mask = lop_array(l->n, (size_t)l->c, NULL);
    for (int64_t f = 0; f < l->n; f++)
        for (int64_t i = 0; i < l->c; i++)
            mask[f * l->c + i] =
                f != bare && (lop_random_unit(seed, 77, (uint64_t)(f * l->c + i)) < 0.5 || i == f % l->c);
    return mask;
}

static int64_t channels_of(const t_layer *l, const uint8_t *mask, int64_t f, int64_t *channel)
{
    int64_t count = 0;
    for (int64_t i = 0; i < l->c; i++)
        if (mask[f * l->c + i]) channel[count++] = i;
    return count;
}

static double mean_of(const float *from, int64_t rows, int64_t columns, int64_t at)
{
    double sum = 0;
    for (int64_t r = 0; r < rows; r++) sum += from[r * columns + at];
    return sum / (double)rows;
}

/* Householder on the columns of this filter's channels and its own target; returns what is left of it. */
static double check_filter(const t_layer *l, const uint8_t *mask, int64_t f, const float *weight, double bias)
{
    int64_t channel[32];
    const int64_t count = channels_of(l, mask, f, channel), m = count * l->taps;
    double *A = t_columns(l, channel, count, 0), *b = lop_array(l->rows, sizeof *b, NULL);
    double *W = lop_array(m + 1, sizeof *W, NULL), intercept = mean_of(l->y, l->rows, l->n, f);
    for (int64_t r = 0; r < l->rows; r++) b[r] = l->Y[r * l->n + f];
    const double left = t_qr(l->rows, m, 1, A, b, W);
    for (int64_t i = 0, at = 0; i < l->p; i++) {
        const double wanted = mask[f * l->c + i / l->taps] ? W[at++] : 0.0;
        if (wanted == 0.0) assert_true(weight[f * l->p + i] == 0.0f);
        if (fabs(weight[f * l->p + i] - wanted) > 1e-5)
            fail_msg("filter #%d, tap #%d: %g, %g expected", (int)f, (int)i, (double)weight[f * l->p + i], wanted);
        intercept -= wanted * mean_of(l->x, l->rows, l->p, i);
    }
    assert_true(fabs(bias - intercept) < 1e-4);
    lop_free(A);
    lop_free(b);
    lop_free(W);
    return left;
}

T_TEST(each_filter_is_least_squares_on_its_own_channels)
{
    for (uint64_t seed = 0; seed < T_SEEDS(4); seed++) {
        lop_reconstruction r;
        lop_error err;
        t_layer *l = t_layer_new(8, 4, 11, 500, seed, T_PLAIN);
        uint8_t *mask = draw_mask(l, seed, 7);
        const lop_reconstruct_options o = {LOP_RECONSTRUCT_LEAST_SQUARES, 0.0, NULL};
        t_ok(lop_reconstruct_mask(&l->q, NULL, &l->weight, mask, &o, NULL, &r, &err), err);
        assert_true(lop_shape_equal(&r.weight.shape, &l->weight.shape));
        double left = 0;
        for (int64_t f = 0; f < l->n; f++)
            left += check_filter(l, mask, f, r.weight.data, ((const float *)r.bias.data)[f]);
        assert_true(fabs(r.error - left / l->energy) < 1e-9);
        assert_true(isnan(r.held_error) && r.ridge == 0.0);
        lop_reconstruction_clear(&r);
        lop_free(mask);
        t_layer_free(l);
    }
}

/* With every row of the mask alike it is the layer's own reconstruction, whatever is asked for. */
T_TEST(one_set_for_all_is_the_plain_reconstruction)
{
    t_layer *l = t_layer_new(7, 3, 9, 300, 4, T_DEAD), *held = t_layer_new(7, 3, 9, 150, 5, T_DEAD);
    static const int64_t channel[] = {0, 2, 3, 6};
    uint8_t mask[9 * 7] = {0};
    float bias[9];
    for (int64_t f = 0; f < 9; f++) {
        bias[f] = 0.1f * (float)f;
        for (int k = 0; k < 4; k++) mask[f * 7 + channel[k]] = 1;
    }
    const lop_reconstruct_options cases[] = {
        {LOP_RECONSTRUCT_LEAST_SQUARES, 1e-3, NULL}, {LOP_RECONSTRUCT_LEAST_SQUARES, LOP_RIDGE_AUTO, NULL},
        {LOP_RECONSTRUCT_LEAST_SQUARES, 1e-3, bias}, {LOP_RECONSTRUCT_NONE, LOP_RIDGE_AUTO, NULL}};
    for (size_t k = 0; k < T_COUNT(cases); k++) {
        lop_reconstruction plain, masked;
        lop_error err;
        t_ok(lop_reconstruct(&l->q, held->stats, &l->weight, channel, 4, &cases[k], &plain, &err), err);
        t_ok(lop_reconstruct_mask(&l->q, held->stats, &l->weight, mask, &cases[k], NULL, &masked, &err), err);
        const float *a = plain.weight.data, *b = masked.weight.data;
        for (int64_t f = 0; f < 9; f++)
            for (int i = 0; i < 12; i++)
                assert_true(fabsf(a[f * 12 + i] - b[f * 21 + channel[i / 3] * 3 + i % 3]) < 1e-6f);
        for (int64_t f = 0; f < 9; f++)
            assert_true(fabs(lop_tensor_get(&plain.bias, f) - lop_tensor_get(&masked.bias, f)) < 1e-5);
        assert_true(fabs(plain.error - masked.error) < 1e-7 && fabs(plain.held_error - masked.held_error) < 1e-5);
        assert_true(plain.ridge == masked.ridge);
        lop_reconstruction_clear(&plain);
        lop_reconstruction_clear(&masked);
    }
    t_layer_free(l);
    t_layer_free(held);
}

T_TEST(the_automatic_ridge_is_that_of_least_error_on_held_out_rows)
{
    t_layer *l = t_layer_new(6, 4, 12, 60, 6, T_PLAIN), *held = t_layer_new(6, 4, 12, 200, 6, T_PLAIN);
    uint8_t *mask = draw_mask(l, 9, -1);
    lop_reconstruction chosen, r;
    lop_error err;
    for (int64_t i = 0; i < 60 * l->n; i++) l->y[i] += 3.0f * (float)t_draw(11, 1, i);  /* noise: a ridge pays */
    lop_stats_free(l->stats);
    lop_centred_clear(&l->q);
    t_ok(lop_stats_new(l->c, l->taps, l->n, &l->stats, &err), err);
    t_ok(lop_stats_add(l->stats, l->x, l->y, l->rows, NULL, &err), err);
    t_ok(lop_stats_centre(l->stats, &l->q, &err), err);
    t_ok(lop_reconstruct_mask(&l->q, held->stats, &l->weight, mask, NULL, NULL, &chosen, &err), err);
    double least = INFINITY, at = NAN;
    static const double grid[] = {0, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1};
    for (size_t k = 0; k < T_COUNT(grid); k++) {
        const lop_reconstruct_options o = {LOP_RECONSTRUCT_LEAST_SQUARES, grid[k], NULL};
        t_ok(lop_reconstruct_mask(&l->q, held->stats, &l->weight, mask, &o, NULL, &r, &err), err);
        if (r.held_error < least) least = r.held_error, at = grid[k];
        lop_reconstruction_clear(&r);
    }
    assert_true(at > 0 && chosen.ridge == at && chosen.held_error == least);
    lop_reconstruction_clear(&chosen);
    lop_free(mask);
    t_layer_free(l);
    t_layer_free(held);
}

T_TEST(twins_are_solved_with_a_ridge_and_a_team_changes_nothing)
{
    t_layer *l = t_layer_new(6, 3, 10, 200, 7, T_TWINS);
    uint8_t mask[60];
    lop_reconstruction one, three;
    lop_team *team;
    lop_error err;
    memset(mask, 1, sizeof mask);
    lop_blas_single_thread();
    t_ok(lop_team_new(3, &team, &err), err);
    const lop_reconstruct_options none = {LOP_RECONSTRUCT_LEAST_SQUARES, 0.0, NULL};
    t_fails(lop_reconstruct_mask(&l->q, NULL, &l->weight, mask, &none, team, &one, &err), LOP_E_NUMERIC, err,
            "filter #0: the Gram matrix of 6 channels is singular");
    t_ok(lop_reconstruct_mask(&l->q, NULL, &l->weight, mask, NULL, NULL, &one, &err), err);
    t_ok(lop_reconstruct_mask(&l->q, NULL, &l->weight, mask, NULL, team, &three, &err), err);
    assert_true(one.ridge == 1e-5 && one.error == three.error);
    assert_memory_equal(one.weight.data, three.weight.data, lop_tensor_bytes(&one.weight));
    assert_memory_equal(one.bias.data, three.bias.data, lop_tensor_bytes(&one.bias));
    lop_reconstruction_clear(&one);
    lop_reconstruction_clear(&three);
    lop_team_free(team);
    t_layer_free(l);
}

T_TEST(what_is_refused)
{
    t_layer *l = t_layer_new(4, 2, 3, 80, 1, T_PLAIN), *other = t_layer_new(4, 2, 2, 80, 1, T_PLAIN);
    uint8_t mask[12];
    lop_reconstruction r;
    lop_error err;
    memset(mask, 1, sizeof mask);
    t_fails(lop_reconstruct_mask(&l->q, other->stats, &l->weight, mask, NULL, NULL, &r, &err), LOP_E_SHAPE, err,
            "another layer");
    t_fails(lop_reconstruct_mask(&l->q, NULL, &other->weight, mask, NULL, NULL, &r, &err), LOP_E_SHAPE, err,
            "3 filters of 4");
    const lop_reconstruct_options o = {LOP_RECONSTRUCT_LEAST_SQUARES, -2.0, NULL};
    t_fails(lop_reconstruct_mask(&l->q, NULL, &l->weight, mask, &o, NULL, &r, &err), LOP_E_ARG, err, "ridge = -2");
    assert_true(!r.weight.data && !r.bias.data);
    t_layer_free(l);
    t_layer_free(other);
}

T_MAIN(T(each_filter_is_least_squares_on_its_own_channels), T(one_set_for_all_is_the_plain_reconstruction),
       T(the_automatic_ridge_is_that_of_least_error_on_held_out_rows),
       T(twins_are_solved_with_a_ridge_and_a_team_changes_nothing), T(what_is_refused))

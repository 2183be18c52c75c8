/* tests/core/sample/test_patch.c - positions, and rows from images: a convolution of the rows is the convolution. */
#include "support/t.h"
#include "sample/sample.h"
#include <math.h>

T_TEST(positions_are_different_ascending_and_even)
{
    int64_t list[64], count, hits[49] = {0};
    lop_error err;
    for (int64_t image = 0; image < 4000; image++) {
        t_ok(lop_positions(3, 2, image, 7, 7, 10, list, &count, &err), err);
        assert_int_equal(count, 10);
        for (int64_t i = 0; i < count; i++) {
            assert_true(list[i] >= 0 && list[i] < 49 && (i == 0 || list[i] > list[i - 1]));
            hits[list[i]]++;
        }
    }
    for (int i = 0; i < 49; i++)        /* 816 each expected, deviation 25.5 */
        if (hits[i] < 816 - 130 || hits[i] > 816 + 130) fail_msg("position %d was drawn %d times", i, (int)hits[i]);
    t_ok(lop_positions(3, 2, 0, 3, 4, 12, list, &count, &err), err);
    for (int i = 0; i < 12; i++) assert_int_equal(list[i], i);
    assert_int_equal(count, 12);
    t_fails(lop_positions(3, -1, 0, 3, 4, 12, list, &count, &err), LOP_E_ARG, err, "layer -1");
    t_fails(lop_positions(3, 1, 0, 3, 4, 0, list, &count, &err), LOP_E_ARG, err, "0 an image");
}

T_TEST(positions_depend_on_seed_layer_and_image_only)
{
    int64_t a[8], b[8], count, same = 0;
    static const struct { uint64_t seed; int64_t layer, image; } other[] = {{2, 1, 1}, {1, 2, 1}, {1, 1, 2}};
    lop_positions(1, 1, 1, 40, 40, 8, a, &count, NULL);
    for (size_t k = 0; k < T_COUNT(other); k++) {
        lop_positions(other[k].seed, other[k].layer, other[k].image, 40, 40, 8, b, &count, NULL);
        same += memcmp(a, b, sizeof a) == 0;
    }
    lop_positions(1, 1, 1, 40, 40, 8, b, &count, NULL);
    assert_memory_equal(a, b, sizeof a);
    assert_int_equal(same, 0);
}

typedef struct { lop_tensor x, y; float w[4 * 3 * 6]; } images;

/* x at random; y = its convolution by random weights, by the textbook's six loops. */
static images convolved(int64_t count, int64_t h, int64_t w, const lop_window *v)
{
    images t = {0};
    const int64_t oh = (h + v->pad[0] + v->pad[2] - v->dilation[0] * (v->kh - 1) - 1) / v->stride[0] + 1;
    const int64_t ow = (w + v->pad[1] + v->pad[3] - v->dilation[1] * (v->kw - 1) - 1) / v->stride[1] + 1;
    assert_int_equal(lop_tensor_init(&t.x, LOP_F32, &(lop_shape){4, {count, 3, h, w}}, NULL), LOP_OK);
    assert_int_equal(lop_tensor_init(&t.y, LOP_F32, &(lop_shape){4, {count, 4, oh, ow}}, NULL), LOP_OK);
    float *x = t.x.data, *y = t.y.data;
    for (int64_t i = 0; i < count * 3 * h * w; i++) x[i] = (float)lop_random_unit(1, 1, (uint64_t)i);
    for (uint64_t i = 0; i < 4 * 3 * 6; i++) t.w[i] = (float)lop_random_normal(1, 2, i);
    const int64_t k = v->kh * v->kw;
    for (int64_t im = 0; im < count; im++)
        for (int64_t f = 0; f < 4; f++)
            for (int64_t o = 0; o < oh * ow; o++) {
                double sum = 0;
                for (int64_t c = 0; c < 3; c++)
                    for (int64_t e = 0; e < k; e++) {
                        const int64_t iy = o / ow * v->stride[0] - v->pad[0] + e / v->kw * v->dilation[0];
                        const int64_t ix = o % ow * v->stride[1] - v->pad[1] + e % v->kw * v->dilation[1];
                        if (iy >= 0 && iy < h && ix >= 0 && ix < w)
                            sum += (double)t.w[(f * 3 + c) * k + e] * x[((im * 3 + c) * h + iy) * w + ix];
                    }
                y[(im * 4 + f) * oh * ow + o] = (float)sum;
            }
    return t;
}

/* If rows are patches then y = x W for the weights that made y: G W = B and s = diag W^T B. */
T_TEST(rows_reproduce_the_convolution)
{
    static const struct { lop_window v; int64_t h, w, per; } cases[] = {
        {{2, 3, {1, 1}, {1, 1, 0, 1}, {1, 1}}, 6, 7, 50}, {{2, 3, {2, 1}, {0, 2, 1, 0}, {2, 1}}, 8, 7, 5},
        {{3, 2, {1, 3}, {2, 0, 2, 1}, {1, 2}}, 5, 9, 4},  {{1, 6, {1, 1}, {0, 0, 0, 0}, {1, 1}}, 1, 6, 10}};
    for (size_t k = 0; k < T_COUNT(cases); k++) {
        images t = convolved(37, cases[k].h, cases[k].w, &cases[k].v);
        lop_error err;
        lop_stats *s;
        t_ok(lop_stats_new(3, 6, 4, &s, &err), err);
        t_ok(lop_sample_add(s, &t.x, &t.y, &cases[k].v, 9, 1, 0, cases[k].per, NULL, &err), err);
        const int64_t places = lop_tensor_size(&t.y) / 37 / 4;
        assert_true(lop_stats_rows(s) == 37.0 * (double)(places < cases[k].per ? places : cases[k].per));
        const double *G = lop_stats_gram(s), *B = lop_stats_cross(s), *e = lop_stats_energy(s);
        for (int64_t f = 0; f < 4; f++) {
            double energy = 0;
            for (int64_t i = 0; i < 19; i++) {
                double sum = 0;
                for (int64_t j = 0; j < 18; j++) sum += G[i * 19 + j] * (double)t.w[f * 18 + j];
                if (fabs(sum - B[i * 4 + f]) > 1e-3) fail_msg("case %zu: %g, %g expected", k, B[i * 4 + f], sum);
                if (i < 18) energy += (double)t.w[f * 18 + i] * sum;
            }
            if (fabs(energy - e[f]) > 1e-4 * energy) fail_msg("case %zu: energy %g, %g expected", k, e[f], energy);
        }
        lop_stats_free(s);
        lop_tensor_clear(&t.x);
        lop_tensor_clear(&t.y);
    }
}

static lop_stats *by_calls(const images *t, const lop_window *v, const int64_t *cut, size_t cuts, int threads)
{
    lop_error err;
    lop_stats *s;
    lop_team *team;
    int64_t first = 0;
    t_ok(lop_team_new(threads, &team, &err), err);
    t_ok(lop_stats_new(3, 6, 4, &s, &err), err);
    for (size_t k = 0; k < cuts; first = cut[k++]) {
        lop_tensor x, y;
        t_ok(lop_tensor_narrow(&x, &t->x, 0, first, cut[k] - first, &err), err);
        t_ok(lop_tensor_narrow(&y, &t->y, 0, first, cut[k] - first, &err), err);
        t_ok(lop_sample_add(s, &x, &y, v, 9, 1, first, 40, team, &err), err);
        lop_tensor_clear(&x);
        lop_tensor_clear(&y);
    }
    lop_team_free(team);
    return s;
}

T_TEST(any_split_and_any_team_give_the_same_bytes)
{
    const lop_window v = {2, 3, {1, 1}, {1, 1, 0, 1}, {1, 1}};
    static const int64_t whole[] = {50}, split[] = {16, 48, 50};
    images t = convolved(50, 9, 8, &v);
    lop_stats *a = by_calls(&t, &v, whole, 1, 1), *b = by_calls(&t, &v, split, 3, 3);
    assert_memory_equal(lop_stats_gram(a), lop_stats_gram(b), 19 * 19 * sizeof(double));
    assert_memory_equal(lop_stats_cross(a), lop_stats_cross(b), 19 * 4 * sizeof(double));
    lop_stats_free(a);
    lop_stats_free(b);
    lop_tensor_clear(&t.x);
    lop_tensor_clear(&t.y);
}

T_TEST(what_does_not_fit_is_named)
{
    const lop_window v = {2, 3, {1, 1}, {1, 1, 0, 1}, {1, 1}}, none = {2, 3, {0, 1}, {0}, {1, 1}};
    images t = convolved(3, 6, 7, &v);
    lop_error err;
    lop_stats *s;
    t_ok(lop_stats_new(3, 6, 5, &s, &err), err);
    t_fails(lop_sample_add(s, &t.x, &t.y, &v, 0, 0, 0, 5, NULL, &err), LOP_E_SHAPE, err, "target 3x4x6x7");
    t_fails(lop_sample_add(s, &t.x, &t.y, &none, 0, 0, 0, 5, NULL, &err), LOP_E_ARG, err, "window");
    t_fails(lop_sample_add(s, &t.x, &(lop_tensor){0}, &v, 0, 0, 0, 5, NULL, &err), LOP_E_SHAPE, err, "target (none");
    lop_stats_free(s);
    t_ok(lop_stats_new(3, 6, 4, &s, &err), err);
    ((float *)t.x.data)[3 * 42 + 5] = NAN;
    t_fails(lop_sample_add(s, &t.x, &t.y, &v, 0, 0, 0, 99, NULL, &err), LOP_E_NUMERIC, err, "images up to #2: row #");
    t_fails(lop_sample_add(s, &t.x, &t.y, &v, 0, 0, 0, 0, NULL, &err), LOP_E_ARG, err, "0 positions an image");
    lop_stats_free(s);
    lop_tensor_clear(&t.x);
    lop_tensor_clear(&t.y);
}

T_MAIN(T(positions_are_different_ascending_and_even), T(positions_depend_on_seed_layer_and_image_only),
       T(rows_reproduce_the_convolution), T(any_split_and_any_team_give_the_same_bytes), T(what_does_not_fit_is_named))

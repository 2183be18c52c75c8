/* tests/core/sample/test_regroup.c - regrouped sums against the sums of rows put in that order, and the choice among
 * what is listed against the choice among all with the others told to stay. */
#include "layer.h"
#include "select/select.h"
#include <string.h>

static void near_to(double got, double want, double scale, const char *what, int64_t at)
{
    if (!(fabs(got - want) <= 1e-11 * scale)) fail_msg("%s #%d: %.17g, %.17g expected", what, (int)at, got, want);
}

/* Channels 4, 1, 5, 0, 2, 3 by two: three of twice the taps. */
T_TEST(another_order_is_that_of_the_rows)
{
    static const int64_t order[] = {4, 1, 5, 0, 2, 3};
    t_layer *l = t_layer_new(6, 3, 5, 400, 3, T_PLAIN);
    lop_error err;
    lop_stats *want, *got;
    float *x = lop_array(l->rows * l->p, sizeof *x, NULL);
    for (int64_t r = 0; r < l->rows; r++)
        for (int64_t i = 0; i < l->p; i++) x[r * l->p + i] = l->x[r * l->p + order[i / 3] * 3 + i % 3];
    t_ok(lop_stats_new(3, 6, 5, &want, &err), err);
    t_ok(lop_stats_add(want, x, l->y, l->rows, NULL, &err), err);
    t_ok(lop_stats_regroup(l->stats, order, 6, 2, 1e-5, &got, &err), err);
    assert_true(lop_stats_channels(got) == 3 && lop_stats_taps(got) == 6 && lop_stats_filters(got) == 5);
    assert_true(lop_stats_rows(got) == (double)l->rows);
    const int64_t m = l->p + 1;
    const double *a = lop_stats_gram(want), *b = lop_stats_gram(got);
    for (int64_t i = 0; i < m * m; i++) near_to(b[i], a[i], a[m * m - 1] * 10, "G", i);
    for (int64_t i = 0; i < m * 5; i++) near_to(lop_stats_cross(got)[i], lop_stats_cross(want)[i], 1e4, "B", i);
    for (int64_t i = 0; i < 5; i++) near_to(lop_stats_energy(got)[i], lop_stats_energy(want)[i], 1e4, "s", i);
    for (int64_t i = 0; i < l->p; i++) assert_true(lop_stats_nonzero(got)[i] == lop_stats_nonzero(want)[i]);
    lop_stats_free(want);
    lop_stats_free(got);
    lop_free(x);
    t_layer_free(l);
}

/* W0 of the channels listed. */
static void slices(const t_layer *l, const int64_t *list, int64_t count, double *to)
{
    for (int64_t f = 0; f < l->n; f++)
        for (int64_t i = 0; i < count * l->taps; i++)
            to[f * count * l->taps + i] = l->w[f * l->p + list[i / l->taps] * l->taps + i % l->taps];
}

T_TEST(what_is_not_listed_stays)
{
    static const int64_t list[] = {7, 0, 3, 6, 5};
    for (uint64_t seed = 0; seed < T_SEEDS(4); seed++) {
        t_layer *l = t_layer_new(9, 2, 4, 500, seed, seed % 2 ? T_DEAD : T_PLAIN);
        lop_error err;
        lop_stats *part;
        lop_centred q = {0};
        lop_curve all, some;
        bool stay[9];
        double w[4 * 5 * 2];
        for (int i = 0; i < 9; i++) stay[i] = true;
        for (int i = 0; i < 5; i++) stay[list[i]] = false;
        t_ok(lop_stats_regroup(l->stats, list, 5, 1, 0.0, &part, &err), err);
        assert_int_equal(lop_stats_save(part, NULL, "regrouped.npz", &err), LOP_E_ARG);
        t_ok(lop_stats_centre(part, &q, &err), err);
        slices(l, list, 5, w);
        const lop_tensor weight = {LOP_F64, {3, {4, 5, 2}}, w, NULL}, *whole = &l->weight, *view = &weight;
        const lop_centred *lq = &l->q, *pq = &q;
        const lop_select_input a = {.centred = &lq, .weight = &whole, .consumers = 1, .stay = stay};
        const lop_select_input b = {.centred = &pq, .weight = &view, .consumers = 1};
        t_ok(lop_select_curve(&a, LOP_SELECT_ELIMINATION, &all, &err), err);
        t_ok(lop_select_curve(&b, LOP_SELECT_ELIMINATION, &some, &err), err);
        for (int i = 0; i < 5; i++) {
            if (all.order[i] != list[some.order[i]]) fail_msg("seed %d: removal #%d differs", (int)seed, i);
            near_to(some.error[i], all.error[4 + i], 10.0, "error", i);
        }
        lop_curve_clear(&all);
        lop_curve_clear(&some);
        lop_centred_clear(&q);
        lop_stats_free(part);
        t_layer_free(l);
    }
}

T_TEST(bad_lists_are_named)
{
    static const struct { int64_t list[3], each; double ridge; const char *says; } cases[] = {
        {{0, 1, 1}, 1, 0, "channel #1 is no channel of 4, or listed twice"}, {{0, 4, 1}, 1, 0, "channel #4"},
        {{0, 1, 2}, 2, 0, "3 channels by 2"}, {{0, 1, 2}, 1, -1, "ridge = -1"}};
    t_layer *l = t_layer_new(4, 1, 2, 60, 1, T_PLAIN);
    for (size_t k = 0; k < T_COUNT(cases); k++) {
        lop_error err;
        lop_stats *s;
        assert_int_not_equal(lop_stats_regroup(l->stats, cases[k].list, 3, cases[k].each, cases[k].ridge, &s, &err),
                             LOP_OK);
        assert_true(strstr(err.message, cases[k].says) && !s);
    }
    t_layer_free(l);
}
T_MAIN(T(another_order_is_that_of_the_rows), T(what_is_not_listed_stays), T(bad_lists_are_named))

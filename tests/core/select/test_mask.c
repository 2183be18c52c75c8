/* tests/core/select/test_mask.c - a mask's rows against the choice for each filter from sums of its own, made from its
 * rows; the same for any team; what is refused. */
#include "core/sample/layer.h"
#include "linalg/linalg.h"
#include "select/select.h"

static lop_select_input input_of(const lop_centred *const *q, const lop_tensor *const *w)
{
    return (lop_select_input){.centred = q, .weight = w, .consumers = 1, .ridge = 1e-5, .seed = 3};
}

/* The channels that are chosen for filter f as for a layer that has no other, its sums made anew. */
static void check_row(const t_layer *l, int64_t f, lop_select_method method, int64_t width, bool refine,
                      const uint8_t *row)
{
    lop_stats *s;
    lop_centred q;
    lop_choice choice;
    lop_error err;
    float *y = lop_array(l->rows, sizeof *y, NULL);
    for (int64_t r = 0; r < l->rows; r++) y[r] = l->y[r * l->n + f];
    t_ok(lop_stats_new(l->c, l->taps, 1, &s, &err), err);
    t_ok(lop_stats_add(s, l->x, y, l->rows, NULL, &err), err);
    t_ok(lop_stats_centre(s, &q, &err), err);
    const lop_tensor own = {LOP_F32, {3, {1, l->c, l->taps}}, l->w + f * l->p, NULL};
    const lop_centred *q_at = &q;
    const lop_tensor *w_at = &own;
    const lop_select_input in = input_of(&q_at, &w_at);
    t_ok(lop_select(&in, method, width, &choice, &err), err);
    if (refine) t_ok(lop_select_swap(&in, &choice, NULL, &err), err);
    int64_t ones = 0;
    for (int64_t i = 0; i < l->c; i++) ones += row[i];
    assert_int_equal(ones, width);
    for (int64_t i = 0; i < choice.count; i++)
        if (row[choice.channel[i]] != 1)
            fail_msg("%s, filter #%d: channel #%d is missing", lop_select_method_name(method), (int)f,
                     (int)choice.channel[i]);
    lop_choice_clear(&choice);
    lop_centred_clear(&q);
    lop_stats_free(s);
    lop_free(y);
}

T_TEST(each_row_is_the_choice_for_its_filter_alone)
{
    static const struct { lop_select_method method; bool refine; } cases[] = {
        {LOP_SELECT_ELIMINATION, false}, {LOP_SELECT_ELIMINATION, true}, {LOP_SELECT_FORWARD, false},
        {LOP_SELECT_LASSO, false},       {LOP_SELECT_ALTERNATING, false}, {LOP_SELECT_THINET, false},
        {LOP_SELECT_RESPONSE, false},    {LOP_SELECT_L1, false},         {LOP_SELECT_APOZ, false}};
    for (uint64_t seed = 0; seed < T_SEEDS(3); seed++) {
        t_layer *l = t_layer_new(9, 4, 70, 400, seed, seed % 2 ? T_DEAD : T_PLAIN);     /* 70: more than one block */
        uint8_t *mask = lop_array(l->n, (size_t)l->c, NULL);
        const lop_centred *q = &l->q;
        const lop_tensor *w = &l->weight;
        const lop_select_input in = input_of(&q, &w);
        for (size_t k = 0; k < T_COUNT(cases); k++)
            for (int64_t width = 1; width <= l->c; width += 4) {
                lop_error err;
                t_ok(lop_select_mask(&in, cases[k].method, width, cases[k].refine, NULL, mask, &err), err);
                for (int64_t f = 0; f < l->n; f += 11)
                    check_row(l, f, cases[k].method, width, cases[k].refine, mask + f * l->c);
            }
        lop_free(mask);
        t_layer_free(l);
    }
}

T_TEST(filters_choose_different_channels)
{
    t_layer *l = t_layer_new(12, 1, 40, 300, 5, T_PLAIN);
    static const lop_select_method methods[] = {LOP_SELECT_ELIMINATION, LOP_SELECT_LASSO, LOP_SELECT_RANDOM};
    for (size_t k = 0; k < T_COUNT(methods); k++) {
        uint8_t mask[40 * 12];
        lop_error err;
        const lop_centred *q = &l->q;
        const lop_tensor *w = &l->weight;
        const lop_select_input in = input_of(&q, &w);
        int64_t kept[12] = {0}, others = 0;
        t_ok(lop_select_mask(&in, methods[k], 6, false, NULL, mask, &err), err);
        for (int64_t f = 0; f < 40; f++) {
            for (int64_t i = 0; i < 12; i++) kept[i] += mask[f * 12 + i];
            others += memcmp(mask, mask + f * 12, 12) != 0;
        }
        assert_true(others > 30);
        for (int64_t i = 0; i < 12; i++) assert_true(kept[i] > 0 && kept[i] < 40);
    }
    t_layer_free(l);
}

T_TEST(a_team_changes_nothing)
{
    lop_team *team;
    lop_error err;
    lop_blas_single_thread();
    t_ok(lop_team_new(3, &team, &err), err);
    t_layer *l = t_layer_new(10, 9, 67, 900, 8, T_TWINS);
    uint8_t *one = lop_array(l->n, (size_t)l->c, NULL), *three = lop_array(l->n, (size_t)l->c, NULL);
    const lop_centred *q = &l->q;
    const lop_tensor *w = &l->weight;
    const lop_select_input in = input_of(&q, &w);
    t_ok(lop_select_mask(&in, LOP_SELECT_ELIMINATION, 4, true, NULL, one, &err), err);
    t_ok(lop_select_mask(&in, LOP_SELECT_ELIMINATION, 4, true, team, three, &err), err);
    assert_memory_equal(one, three, (size_t)(l->n * l->c));
    lop_free(one);
    lop_free(three);
    t_layer_free(l);
    lop_team_free(team);
}

/* A target that never changes can be had from any channels: there are still as many as asked for. */
T_TEST(a_constant_target_has_its_width)
{
    t_layer *l = t_layer_new(6, 2, 3, 200, 2, T_PLAIN);
    lop_error err;
    for (int64_t r = 0; r < l->rows; r++) l->y[r * l->n + 1] = 0.25f;
    lop_stats_free(l->stats);
    lop_centred_clear(&l->q);
    t_ok(lop_stats_new(l->c, l->taps, l->n, &l->stats, &err), err);
    t_ok(lop_stats_add(l->stats, l->x, l->y, l->rows, NULL, &err), err);
    t_ok(lop_stats_centre(l->stats, &l->q, &err), err);
    const lop_centred *q = &l->q;
    const lop_tensor *w = &l->weight;
    const lop_select_input in = input_of(&q, &w);
    static const lop_select_method methods[] = {LOP_SELECT_ELIMINATION, LOP_SELECT_LASSO, LOP_SELECT_FORWARD};
    for (size_t k = 0; k < T_COUNT(methods); k++) {
        uint8_t mask[18];
        int ones = 0;
        t_ok(lop_select_mask(&in, methods[k], 3, false, NULL, mask, &err), err);
        for (int i = 6; i < 12; i++) ones += mask[i];
        assert_int_equal(ones, 3);
    }
    t_layer_free(l);
}

static int stop(void *context, const char *what, int64_t done, int64_t total)
{
    (void)context, (void)what, (void)done, (void)total;
    return 1;
}

T_TEST(what_is_refused)
{
    t_layer *l = t_layer_new(5, 2, 4, 100, 1, T_PLAIN);
    uint8_t mask[20];
    lop_error err;
    const lop_centred *q[] = {&l->q, &l->q};
    const lop_tensor *w[] = {&l->weight, &l->weight};
    lop_select_input in = input_of(q, w);
    t_fails(lop_select_mask(&in, LOP_SELECT_L1, 6, false, NULL, mask, &err), LOP_E_ARG, err,
            "filter #0: width = 6: 1 to 5 expected");
    in.consumers = 2;
    t_fails(lop_select_mask(&in, LOP_SELECT_L1, 3, false, NULL, mask, &err), LOP_E_ARG, err, "one layer's");
    in.consumers = 1;
    in.progress = &(lop_progress){.step = stop};
    t_fails(lop_select_mask(&in, LOP_SELECT_L1, 3, false, NULL, mask, &err), LOP_E_INTERRUPTED, err, "");
    in.progress = NULL;
    const lop_tensor other = {LOP_F32, {3, {2, 5, 4}}, l->w, NULL};
    w[0] = &other;
    t_fails(lop_select_mask(&in, LOP_SELECT_L1, 3, false, NULL, mask, &err), LOP_E_SHAPE, err, "4 filters of 5");
    w[0] = &l->weight;
    lop_stats *rows;
    lop_centred kept;
    t_ok(lop_stats_new_rows(5, 2, 4, 50, 1, false, &rows, &err), err);
    t_ok(lop_stats_add(rows, l->x, l->y, l->rows, NULL, &err), err);
    t_ok(lop_stats_centre(rows, &kept, &err), err);
    q[0] = &kept;
    t_fails(lop_select_mask(&in, LOP_SELECT_LASSO, 3, false, NULL, mask, &err), LOP_E_UNSUPPORTED, err, "no mask");
    lop_centred_clear(&kept);
    lop_stats_free(rows);
    t_layer_free(l);
}

T_MAIN(T(each_row_is_the_choice_for_its_filter_alone), T(filters_choose_different_channels), T(a_team_changes_nothing),
       T(a_constant_target_has_its_width), T(what_is_refused))

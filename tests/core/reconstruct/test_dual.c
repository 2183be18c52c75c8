/* tests/core/reconstruct/test_dual.c - what is solved and chosen from rows against what is from their sums. */
#include "core/sample/layer.h"
#include "reconstruct/reconstruct.h"
#include "select/select.h"

static const int64_t kept[] = {0, 2, 3, 5};
enum { KEPT = 4 };

static lop_stats *rows_of(const t_layer *l)
{
    lop_stats *s;
    lop_error err;
    t_ok(lop_stats_new_rows(l->c, l->taps, l->n, l->rows, 0, false, &s, &err), err);
    t_ok(lop_stats_add(s, l->x, l->y, l->rows, NULL, &err), err);
    return s;
}

/* Weights are float32: as near as one step of it. The errors are float64. */
static void same(const lop_reconstruction *a, const lop_reconstruction *b, const char *what)
{
    double scale = 0;
    for (int64_t i = 0; i < lop_tensor_size(&b->weight); i++) scale = fmax(scale, fabs(lop_tensor_get(&b->weight, i)));
    assert_true(lop_shape_equal(&a->weight.shape, &b->weight.shape));
    for (int64_t i = 0; i < lop_tensor_size(&b->weight); i++)
        if (fabs(lop_tensor_get(&a->weight, i) - lop_tensor_get(&b->weight, i)) > 1.2e-7 * scale)
            fail_msg("%s: weight #%d", what, (int)i);
    for (int64_t i = 0; i < lop_tensor_size(&b->bias); i++)
        if (fabs(lop_tensor_get(&a->bias, i) - lop_tensor_get(&b->bias, i)) > 2.4e-7 * fmax(1, scale))
            fail_msg("%s: bias #%d: %g, %g", what, (int)i, lop_tensor_get(&a->bias, i), lop_tensor_get(&b->bias, i));
    if (fabs(a->error - b->error) > 1e-8 || fabs(a->held_error - b->held_error) > 1e-8 || a->ridge != b->ridge)
        fail_msg("%s: errors %.12g, %.12g; held out %.12g, %.12g", what, a->error, b->error, a->held_error,
                 b->held_error);
}

/* More taps than rows, and fewer; panels of 256 taps crossed; dead taps; biases free and fixed; ridges given, found. */
T_TEST(the_dual_agrees_with_the_primal)
{
    static const struct { int64_t taps, rows; double ridge; int traits; bool fixed; } cases[] = {
        {1, 50, 1e-3, T_PLAIN, false}, {9, 60, 1e-2, T_PLAIN, false},  {9, 20, 1e-3, T_PLAIN, true},
        {80, 30, 1e-1, T_DEAD, false}, {80, 30, 1e-2, T_DEAD, true},   {4, 90, LOP_RIDGE_AUTO, T_PLAIN, false},
        {9, 24, LOP_RIDGE_AUTO, T_TWINS, false}};
    const float bias[] = {0.5f, -1, 0, 2, 0.25f};
    for (uint64_t seed = 0; seed < T_SEEDS(3); seed++)
        for (size_t k = 0; k < T_COUNT(cases); k++) {
            t_layer *l = t_layer_new(6, cases[k].taps, 5, cases[k].rows, seed, cases[k].traits);
            t_layer *other = t_layer_new(6, cases[k].taps, 5, 40, seed + 9, cases[k].traits);
            lop_stats *rows = rows_of(l), *held = rows_of(other);
            const lop_reconstruct_options o = {LOP_RECONSTRUCT_LEAST_SQUARES, cases[k].ridge,
                                               cases[k].fixed ? bias : NULL};
            lop_centred q;
            lop_reconstruction primal, dual;
            lop_error err;
            char what[64];
            snprintf(what, sizeof what, "seed %d, case %d", (int)seed, (int)k);
            t_ok(lop_stats_centre(rows, &q, &err), err);
            t_ok(lop_reconstruct(&l->q, other->stats, &l->weight, kept, KEPT, &o, &primal, &err), err);
            t_ok(lop_reconstruct(&q, held, &l->weight, kept, KEPT, &o, &dual, &err), err);
            same(&dual, &primal, what);
            lop_reconstruction_clear(&primal);
            lop_reconstruction_clear(&dual);
            lop_centred_clear(&q);
            lop_stats_free(rows);
            lop_stats_free(held);
            t_layer_free(l);
            t_layer_free(other);
        }
}

T_TEST(a_bias_alone_and_what_is_refused)
{
    t_layer *l = t_layer_new(6, 9, 5, 30, 1, T_PLAIN);
    lop_stats *rows = rows_of(l);
    lop_centred q;
    lop_reconstruction a, b;
    lop_error err;
    t_ok(lop_stats_centre(rows, &q, &err), err);
    lop_reconstruct_options o = {LOP_RECONSTRUCT_NONE, LOP_RIDGE_AUTO, NULL};
    t_ok(lop_reconstruct(&l->q, NULL, &l->weight, kept, KEPT, &o, &a, &err), err);
    t_ok(lop_reconstruct(&q, NULL, &l->weight, kept, KEPT, &o, &b, &err), err);
    a.held_error = b.held_error = 0;
    same(&b, &a, "none");
    lop_reconstruction_clear(&a);
    lop_reconstruction_clear(&b);
    o.method = LOP_RECONSTRUCT_SCALE;
    t_fails(lop_reconstruct(&q, NULL, &l->weight, kept, KEPT, &o, &a, &err), LOP_E_UNSUPPORTED, err,
            "least-squares or");
    o = (lop_reconstruct_options){LOP_RECONSTRUCT_LEAST_SQUARES, 0, NULL};
    t_fails(lop_reconstruct(&q, NULL, &l->weight, kept, KEPT, &o, &a, &err), LOP_E_ARG, err, "more than 0 expected");
    t_fails(lop_reconstruct(&q, l->stats, &l->weight, kept, KEPT, NULL, &a, &err), LOP_E_ARG, err, "held-out");
    lop_centred_clear(&q);
    lop_stats_free(rows);
    t_layer_free(l);
}

/* Blocks of 64 filters and 64 rows crossed; one consumer, and two of which one has sums. */
T_TEST(channels_are_chosen_as_from_sums)
{
    static const lop_select_method methods[] = {LOP_SELECT_LASSO, LOP_SELECT_THINET, LOP_SELECT_RESPONSE, LOP_SELECT_L1,
                                                LOP_SELECT_L2,    LOP_SELECT_FPGM,   LOP_SELECT_APOZ, LOP_SELECT_FIRST};
    for (uint64_t seed = 0; seed < T_SEEDS(3); seed++) {
        t_layer *l = t_layer_new(12, 3, 70, 150, seed, T_PLAIN), *m = t_layer_new(12, 2, 4, 60, seed + 5, T_PLAIN);
        lop_stats *rows = rows_of(l);
        lop_centred q;
        lop_error err;
        t_ok(lop_stats_centre(rows, &q, &err), err);
        const lop_centred *sums_of[] = {&m->q, &l->q}, *rows_in[] = {&m->q, &q};
        const lop_tensor *weight[] = {&m->weight, &l->weight};
        for (int64_t first = 0; first < 2; first++) {           /* both, or the second alone */
            lop_select_input a = {.centred = sums_of + first, .weight = weight + first, .consumers = 2 - first};
            lop_select_input b = a;
            b.centred = rows_in + first;
            for (size_t k = 0; k < T_COUNT(methods); k++)
                for (int64_t width = 1; width < 12; width += 3) {
                    lop_choice want, got;
                    t_ok(lop_select(&a, methods[k], width, &want, &err), err);
                    t_ok(lop_select(&b, methods[k], width, &got, &err), err);
                    assert_memory_equal(got.channel, want.channel, (size_t)width * sizeof *got.channel);
                    lop_choice_clear(&want);
                    lop_choice_clear(&got);
                }
            lop_lasso one, two;
            t_ok(lop_lasso_init(a.centred, a.weight, a.consumers, NULL, &one, &err), err);
            t_ok(lop_lasso_init(b.centred, b.weight, b.consumers, NULL, &two, &err), err);
            for (int64_t i = 0; i < 144; i++)
                assert_true(fabs(lop_tensor_get(&one.gram, i) - lop_tensor_get(&two.gram, i)) <
                            1e-10 * lop_tensor_get(&one.gram, 0));
            assert_true(fabs(one.energy - two.energy) < 1e-9 * one.energy && one.rows == two.rows);
            for (int64_t i = 0; i < 12; i++)
                assert_true(fabs(lop_tensor_get(&one.response, i) - lop_tensor_get(&two.response, i)) <
                            1e-10 * lop_tensor_get(&one.response, i));
            lop_lasso_clear(&one);
            lop_lasso_clear(&two);
            lop_choice none;
            t_fails(lop_select(&b, LOP_SELECT_ELIMINATION, 4, &none, &err), LOP_E_ARG, err, "no Gram matrix");
            t_fails(lop_select(&b, LOP_SELECT_FORWARD, 4, &none, &err), LOP_E_ARG, err, "no Gram matrix");
            t_fails(lop_select(&b, LOP_SELECT_ALTERNATING, 4, &none, &err), LOP_E_ARG, err, "no Gram matrix");
        }
        lop_centred_clear(&q);
        lop_stats_free(rows);
        t_layer_free(l);
        t_layer_free(m);
    }
}

T_MAIN(T(the_dual_agrees_with_the_primal), T(a_bias_alone_and_what_is_refused), T(channels_are_chosen_as_from_sums))

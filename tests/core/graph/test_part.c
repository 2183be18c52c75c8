/* tests/core/graph/test_part.c - a node gone, a constant in its place: what goes too, what stays, what is refused. */
#include "net.h"

/* x - Relu s - Conv a - Relu ar - Conv z - Add t with s, - Identity y: a residual block on 2 channels. */
static lop_graph *block(void)
{
    lop_graph *g = net_new();
    net_input(g, "x", (lop_shape){4, {-1, 2, 4, 4}});
    net_constant(g, "wa", (lop_shape){4, {3, 2, 1, 1}}, 1, 1);
    net_constant(g, "wz", (lop_shape){4, {2, 3, 1, 1}}, 1, 1);
    net_node(g, "Relu", "stem", "x", "s");
    net_node(g, "Conv", "a", "s wa", "ao");
    net_node(g, "Relu", "ar", "ao", "h");
    net_node(g, "Conv", "z", "h wz", "zo");
    net_node(g, "Add", "add", "zo s", "t");
    net_node(g, "Identity", "end", "t", "y");
    net_output(g, "y");
    return g;
}

static lop_tensor values(lop_dtype type, lop_shape shape)
{
    lop_error err;
    lop_tensor t = {0};
    t_ok(lop_tensor_init(&t, type, &shape, &err), err);
    for (int64_t k = 0; k < lop_tensor_size(&t); k++) lop_tensor_set(&t, k, 5 + (double)k);
    return t;
}

static bool has_constant(const lop_graph *g, const char *name)
{
    const int v = lop_graph_value(g, name);
    return v >= 0 && g->value[v]->constant.data;
}

T_TEST(a_branch_goes_with_all_that_only_it_needed)
{
    lop_error err;
    lop_graph *g = block();
    lop_tensor t = values(LOP_F32, (lop_shape){1, {2}});
    t_ok(lop_graph_make_constant(g, lop_graph_node(g, "z"), &t, &err), err);
    lop_tensor_set(&t, 0, -1);                                  /* it is a copy that stands there */
    assert_int_equal(g->nnode, 3);
    assert_true(lop_graph_node(g, "stem") == 0 && lop_graph_node(g, "add") == 1 && lop_graph_node(g, "end") == 2);
    assert_false(has_constant(g, "wa") || has_constant(g, "wz"));
    const lop_tensor *made = &g->value[lop_graph_value(g, "zo")]->constant;
    assert_true(made->type == LOP_F32 && lop_shape_equal(&made->shape, &(lop_shape){4, {1, 2, 1, 1}}));
    assert_true(lop_tensor_get(made, 0) == 5 && lop_tensor_get(made, 1) == 6);
    lop_tensor_clear(&t);
    lop_graph_free(g);
}

T_TEST(what_others_need_stays)
{
    lop_error err;
    lop_graph *g = block();
    net_node(g, "Conv", "beside", "h wz", "b");                 /* reads the branch's inside, and z's weights */
    net_output(g, "b");
    lop_tensor t = values(LOP_F32, (lop_shape){1, {2}});
    t_ok(lop_graph_make_constant(g, lop_graph_node(g, "z"), &t, &err), err);
    assert_true(lop_graph_node(g, "a") >= 0 && lop_graph_node(g, "ar") >= 0 && lop_graph_node(g, "beside") >= 0);
    assert_true(lop_graph_node(g, "z") < 0 && has_constant(g, "wa") && has_constant(g, "wz"));
    lop_tensor_clear(&t);
    lop_graph_free(g);
}

/* The rank is the output's, so that a matrix is added to a matrix; a shape of the caller's own is taken as it is, and
 * where nothing is known of the output, it is a picture's. */
T_TEST(the_rank_is_that_of_what_was_there)
{
    static const struct { int rank; lop_shape given, want; } cases[] = {
        {2, {1, {2}}, {2, {1, 2}}}, {3, {1, {2}}, {3, {1, 2, 1}}}, {4, {1, {2}}, {4, {1, 2, 1, 1}}},
        {4, {3, {2, 1, 1}}, {3, {2, 1, 1}}}, {0, {1, {7}}, {4, {1, 7, 1, 1}}}};
    for (size_t k = 0; k < T_COUNT(cases); k++) {
        lop_error err;
        lop_graph *g = net_new();
        net_input(g, "x", (lop_shape){cases[k].rank ? cases[k].rank : 4, {-1, 2, 3, cases[k].rank ? 3 : -1}});
        net_node(g, cases[k].rank ? "Relu" : "Odd", "r", "x", "a");
        net_node(g, "Identity", "end", "a", "y");
        net_output(g, "y");
        lop_tensor t = values(LOP_F32, cases[k].given);
        t_ok(lop_graph_make_constant(g, 0, &t, &err), err);
        const lop_tensor *made = &g->value[lop_graph_value(g, "a")]->constant;
        if (!lop_shape_equal(&made->shape, &cases[k].want)) fail_msg("case %zu", k);
        lop_tensor_clear(&t);
        lop_graph_free(g);
    }
}

T_TEST(what_cannot_be_is_named_and_nothing_changes)
{
    lop_error err;
    lop_graph *g = block();
    lop_tensor t = values(LOP_F32, (lop_shape){1, {2}}), few = values(LOP_F32, (lop_shape){1, {1}});
    t_fails(lop_graph_make_constant(g, -1, &t, &err), LOP_E_ARG, err, "no node #-1");
    t_fails(lop_graph_make_constant(g, 6, &t, &err), LOP_E_ARG, err, "no node #6");
    t_fails(lop_graph_make_constant(g, 5, &t, &err), LOP_E_ARG, err, "node 'end': its output is the graph's");
    t_fails(lop_graph_make_constant(g, 3, &few, &err), LOP_E_SHAPE, err, "node 'z': 1 values for its 2 channels");
    assert_int_equal(g->nnode, 6);
    assert_true(has_constant(g, "wa") && has_constant(g, "wz") && !has_constant(g, "zo"));
    const int two[2] = {net_value(g, "p"), net_value(g, "q")}, in = lop_graph_value(g, "x");
    lop_node *made;
    t_ok(lop_graph_insert(g, 0, "Split", "split", &in, 1, two, 2, &made, &err), err);
    t_fails(lop_graph_make_constant(g, 0, &t, &err), LOP_E_ARG, err, "no node #0 of one output");
    lop_tensor_clear(&few);
    lop_tensor_clear(&t);
    lop_graph_free(g);
}

T_MAIN(T(a_branch_goes_with_all_that_only_it_needed), T(what_others_need_stays),
       T(the_rank_is_that_of_what_was_there), T(what_cannot_be_is_named_and_nothing_changes))

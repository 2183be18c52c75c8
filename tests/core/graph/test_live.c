/* tests/core/graph/test_live.c - bytes alive at once; sizes of inputs; shapes as far as they can be told. */
#include "net.h"
#include "ops/ops.h"

static lop_graph *graph(void)
{
    lop_error err;
    lop_graph *g;
    t_ok(lop_graph_new(lop_ops(), &g, &err), err);
    t_ok(lop_graph_set_opset(g, 13, &err), err);
    return g;
}

static void expect_peak(const lop_graph *g, int64_t want)
{
    lop_error err;
    lop_shapes s;
    int64_t bytes;
    t_ok(lop_graph_infer(g, NULL, &s, &err), err);
    t_ok(lop_graph_peak_bytes(g, &s, &bytes, &err), err);
    assert_int_equal(bytes, want);
    lop_shapes_clear(&s);
}

/* x is read twice by one node, a and b meet, what nobody reads counts where it is made; constants do not count. */
T_TEST(the_peak_is_what_is_alive_at_once)
{
    lop_graph *g = graph();
    net_input(g, "x", (lop_shape){2, {-1, 10}});
    net_constant(g, "c", (lop_shape){2, {1, 10}}, 1, 1);
    net_node(g, "Relu", "", "x", "a");
    net_node(g, "Neg", "", "a", "b");
    net_node(g, "Add", "", "a b", "y");
    net_output(g, "y");
    expect_peak(g, 4 * 30);                                     /* a, b, y; x is gone */
    net_node(g, "Mul", "", "x x", "unread");
    expect_peak(g, 4 * 40);                                     /* x stays for the Mul */
    net_node(g, "Concat", "", "y y y y c", "wide");
    net_output(g, "wide");
    lop_error err;
    const lop_attr axis = {.name = (char *)"axis", .kind = LOP_ATTR_INT, .i = 1};
    t_ok(lop_node_set_attr(g->node[4], &axis, &err), err);
    expect_peak(g, 4 * 60);                                     /* y, wide */
    lop_graph_free(g);
}

T_TEST(what_can_be_told_is_told)
{
    lop_error err;
    lop_shapes s;
    int64_t bytes;
    lop_graph *g = graph();
    const int x = net_input(g, "x", (lop_shape){3, {1, 3, -1}}), z = net_input(g, "z", (lop_shape){1, {4}});
    net_constant(g, "c", (lop_shape){1, {3}}, 0, 1);
    net_node(g, "Relu", "", "x", "a");
    net_node(g, "NoSuch", "", "z", "b");
    net_node(g, "Add", "bad", "z c", "d");                      /* 4 and 3 do not fit */
    net_node(g, "Neg", "", "z", "e");
    t_ok(lop_graph_infer_known(g, &s, &err), err);
    assert_false(s.known[x] || s.known[lop_graph_value(g, "a")] || s.known[lop_graph_value(g, "d")]);
    assert_true(s.known[z] && s.known[lop_graph_value(g, "e")]);
    assert_int_equal(s.first_unsupported, -1);
    assert_int_equal(s.unsupported, 3);
    assert_string_equal(s.reason, "input 'x': dimension #2 is free: give its shape");
    t_fails(lop_graph_peak_bytes(g, &s, &bytes, &err), LOP_E_UNSUPPORTED, err, "value 'x': its shape is not known");
    lop_shapes_clear(&s);
    lop_graph_free(g);
}

static int declared(lop_graph *g, const char *name, lop_dtype type, lop_shape shape, const char *first)
{
    lop_error err;
    const int v = lop_graph_value(g, name);
    g->value[v]->type = type;
    g->value[v]->shaped = true;
    g->value[v]->shape = shape;
    if (first) {
        g->value[v]->param[0] = lop_string(first, &err);
        assert_non_null(g->value[v]->param[0]);
    }
    return v;
}

T_TEST(declared_shapes_stand_where_no_rule_tells)
{
    lop_error err;
    lop_shapes s;
    lop_graph *g = graph();
    const int x = net_input(g, "x", (lop_shape){2, {-1, 3}});
    g->value[x]->param[0] = lop_string("N", &err);
    static const char *const made[] = {"a", "b", "c", "d", "e"};
    for (int k = 0; k < 5; k++) net_node(g, "NoSuch", "", "x", made[k]);
    net_node(g, "Relu", "", "a", "behind");
    net_node(g, "Relu", "", "c", "lost");                       /* its input is unknown: its own declaration counts */
    net_node(g, "Relu", "", "x", "wrong");
    const int a = declared(g, "a", LOP_F32, (lop_shape){2, {-1, 7}}, "N"), lost = lop_graph_value(g, "lost");
    const int b = declared(g, "b", LOP_I64, (lop_shape){1, {5}}, NULL);
    const int c = declared(g, "c", LOP_F32, (lop_shape){2, {-1, 7}}, "M");
    const int d = declared(g, "d", LOP_F32, (lop_shape){2, {1, -1}}, NULL);
    const int e = declared(g, "e", LOP_F32, (lop_shape){2, {INT64_MAX, 8}}, NULL);
    const int wrong = declared(g, "wrong", LOP_F32, (lop_shape){2, {4, 4}}, NULL);
    declared(g, "lost", LOP_F32, (lop_shape){1, {6}}, NULL);
    t_ok(lop_graph_infer_known(g, &s, &err), err);
    assert_true(s.known[a] && lop_shape_equal(&s.value[a].shape, &(lop_shape){2, {1, 7}}));
    assert_true(lop_shape_equal(&s.value[lop_graph_value(g, "behind")].shape, &(lop_shape){2, {1, 7}}));
    assert_true(s.known[b] && s.value[b].type == LOP_I64 && s.value[b].shape.dim[0] == 5 && !s.value[b].data);
    assert_false(s.known[c] || s.known[d] || s.known[e]);       /* another free name, a free size, a wild one */
    assert_true(s.known[lost] && s.value[lost].shape.dim[0] == 6);
    assert_true(lop_shape_equal(&s.value[wrong].shape, &(lop_shape){2, {1, 3}}));
    assert_int_equal(s.unsupported, 5);
    lop_shapes_clear(&s);
    t_ok(lop_graph_infer(g, NULL, &s, &err), err);              /* to run a net, declarations are not enough */
    assert_false(s.known[a] || s.known[b] || s.known[lost]);
    lop_shapes_clear(&s);
    lop_graph_free(g);
}

T_TEST(sizes_are_taken_where_they_are_free)
{
    lop_error err;
    lop_graph *g = graph(), *copy;
    const int x = net_input(g, "x", (lop_shape){3, {-1, 3, -1}}), c = net_constant(g, "c", (lop_shape){1, {3}}, 0, 1);
    g->value[x]->param[0] = lop_string("N", &err);
    t_ok(lop_graph_clone(g, &copy, &err), err);
    t_ok(lop_graph_set_input_shape(copy, x, &(lop_shape){3, {-1, -1, 7}}, &err), err);
    assert_true(lop_shape_equal(&copy->value[x]->shape, &(lop_shape){3, {-1, 3, 7}}));
    assert_string_equal(copy->value[x]->param[0], "N");
    t_fails(lop_graph_set_input_shape(copy, x, &(lop_shape){3, {1, 4, 7}}, &err), LOP_E_ARG, err, "input 'x' is");
    t_fails(lop_graph_set_input_shape(copy, x, &(lop_shape){2, {1, 3}}, &err), LOP_E_ARG, err, "given");
    t_fails(lop_graph_set_input_shape(copy, c, &(lop_shape){1, {3}}, &err), LOP_E_ARG, err, "is no input");
    t_ok(lop_graph_set_input_shape(copy, x, &(lop_shape){3, {2, 3, 7}}, &err), err);
    assert_null(copy->value[x]->param[0]);
    t_ok(lop_graph_copy_input_shapes(copy, g, &err), err);
    assert_true(lop_shape_equal(&copy->value[x]->shape, &g->value[x]->shape));
    assert_string_equal(copy->value[x]->param[0], "N");
    lop_graph_free(copy);
    lop_graph_free(g);
}

T_MAIN(T(the_peak_is_what_is_alive_at_once), T(what_can_be_told_is_told),
       T(declared_shapes_stand_where_no_rule_tells), T(sizes_are_taken_where_they_are_free))

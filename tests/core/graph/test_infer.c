/* tests/core/graph/test_infer.c - shapes, folded constants, unsupported operators, cost; with toy operators. */
#include "net.h"

T_TEST(shapes_go_through_and_shape_is_a_constant)
{
    lop_error err;
    lop_shapes s;
    lop_graph *g = net_new();
    net_input(g, "x", (lop_shape){4, {-1, 3, 8, 8}});
    net_constant(g, "w", (lop_shape){4, {4, 3, 3, 3}}, 0, 1);
    net_node(g, "Conv", "conv", "x w", "a");
    net_node(g, "Shape", "shape", "a", "dims");
    net_node(g, "Add", "add", "dims dims", "y");
    net_output(g, "y");
    t_ok(lop_graph_infer(g, NULL, &s, &err), err);
    const lop_tensor *y = &s.value[lop_graph_value(g, "y")];
    const int a = lop_graph_value(g, "a"), w = lop_graph_value(g, "w");
    assert_true(lop_shape_equal(&s.value[a].shape, &(lop_shape){4, {1, 4, 6, 6}}));
    assert_true(s.known[a] && !s.folded[a] && !s.value[a].data);
    assert_true(s.known[w] && !s.folded[w]);
    assert_true(s.folded[lop_graph_value(g, "y")]);
    static const double expected[] = {2, 8, 12, 12};
    for (int k = 0; k < 4; k++) assert_true(lop_tensor_get(y, k) == expected[k]);
    assert_int_equal(s.unsupported, 0);
    t_ok(lop_shapes_complete(g, &s, &err), err);
    lop_shapes_clear(&s);
    t_ok(lop_graph_infer(g, &(lop_shape){4, {5, 3, 3, 3}}, &s, &err), err);
    assert_true(lop_tensor_get(&s.value[lop_graph_value(g, "dims")], 0) == 5);
    lop_shapes_clear(&s);
    lop_graph_free(g);
}

/* ONNX Constant: value_float is a scalar, value_ints a vector. */
T_TEST(constant_nodes_are_constants)
{
    lop_error err;
    lop_shapes s;
    lop_graph *g = net_new();
    const int64_t list[3] = {7, -1, 9};
    t_ok(lop_node_set_ints(net_node(g, "Constant", "ints", "", "a"), "value_ints", list, 3, &err), err);
    t_ok(lop_node_set_int(net_node(g, "Constant", "int", "", "b"), "value_int", 5, &err), err);
    lop_node *f = net_node(g, "Constant", "float", "", "c"), *odd = net_node(g, "Constant", "text", "", "d");
    t_ok(lop_node_set_int(f, "value_float", 0, &err), err);
    f->attr[0].kind = LOP_ATTR_FLOAT;
    f->attr[0].f = 2.5f;
    t_ok(lop_node_set_int(odd, "value_string", 0, &err), err);
    odd->attr[0].kind = LOP_ATTR_STRING;
    odd->attr[0].s = lop_string("text", &err);
    net_node(g, "Add", "add", "a a", "sum");
    net_output(g, "sum");
    t_ok(lop_graph_infer(g, NULL, &s, &err), err);
    assert_int_equal(s.value[0].type, LOP_I64);
    assert_true(lop_tensor_get(&s.value[lop_graph_value(g, "sum")], 1) == -2);
    assert_int_equal(s.value[1].shape.ndim, 0);
    assert_true(lop_tensor_get(&s.value[1], 0) == 5 && s.value[1].type == LOP_I64);
    assert_true(lop_tensor_get(&s.value[2], 0) == 2.5 && s.value[2].type == LOP_F32);
    assert_false(s.known[3]);
    assert_int_equal(s.unsupported, 1);
    assert_int_equal(s.first_unsupported, 3);
    lop_shapes_clear(&s);
    lop_graph_free(g);
}

T_TEST(unsupported_nodes_are_counted_and_named)
{
    static const struct { const char *op, *says; } cases[] = {
        {"Odd", "node 'bad' (Odd): mode 'odd' is not built here"},
        {"Loop", "node 'bad' (Loop): the operator is not supported"}};
    for (size_t k = 0; k < T_COUNT(cases); k++) {
        lop_error err = {0};
        lop_shapes s;
        lop_graph *g = net_new();
        net_input(g, "x", (lop_shape){1, {2}});
        net_node(g, "Relu", "good", "x", "a");
        net_node(g, cases[k].op, "bad", "a", "b");
        net_node(g, "Relu", "behind", "b", "c");
        net_node(g, "Nothing", "also", "c", "d");
        net_output(g, "d");
        t_ok(lop_graph_infer(g, NULL, &s, &err), err);
        assert_int_equal(s.unsupported, 2);
        assert_int_equal(s.first_unsupported, 1);
        assert_true(s.known[lop_graph_value(g, "a")]);
        assert_false(s.known[lop_graph_value(g, "b")] || s.known[lop_graph_value(g, "c")]);
        t_fails(lop_shapes_complete(g, &s, &err), LOP_E_UNSUPPORTED, err, cases[k].says);
        lop_shapes_clear(&s);
        lop_graph_free(g);
    }
}

T_TEST(bad_sizes_are_named)
{
    static const struct { lop_shape declared, given; lop_status st; const char *says; } cases[] = {
        {{4, {-1, 3, -1, 8}}, {-1, {0}}, LOP_E_ARG, "input 'x': dimension #2 is free"},
        {{4, {1, 3, 8, 8}}, {4, {1, 3, -8, 8}}, LOP_E_ARG, "input 'x': dimension #2 is free"},
        {{4, {1, 3, 8, 8}}, {9, {1}}, LOP_E_ARG, "input 'x': 9 dimensions"},
        {{4, {1, INT64_MAX, 8, 8}}, {-1, {0}}, LOP_E_SHAPE, "input 'x': "},
        {{3, {1, 3, 8}}, {-1, {0}}, LOP_E_SHAPE, "node 'conv' (Conv): weight has 4 dimensions, 3 expected"}};
    for (size_t k = 0; k < T_COUNT(cases); k++) {
        lop_error err = {0};
        lop_shapes s;
        lop_graph *g = net_new();
        net_input(g, "x", cases[k].declared);
        net_constant(g, "w", (lop_shape){4, {4, 3, 3, 3}}, 0, 1);
        net_node(g, "Conv", "conv", "x w", "y");
        net_output(g, "y");
        t_fails(lop_graph_infer(g, cases[k].given.ndim < 0 ? NULL : &cases[k].given, &s, &err), cases[k].st, err,
                cases[k].says);
        assert_null(s.value);
        lop_graph_free(g);
    }
}

T_TEST(an_undeclared_input_needs_a_shape)
{
    lop_error err = {0};
    lop_shapes s;
    lop_graph *g = net_new();
    const int x = net_input(g, "x", (lop_shape){1, {2}});
    g->value[x]->shaped = false;
    net_output(g, "x");
    t_fails(lop_graph_infer(g, NULL, &s, &err), LOP_E_ARG, err, "input 'x' declares no type and shape");
    t_ok(lop_graph_infer(g, &(lop_shape){1, {3}}, &s, &err), err);
    assert_int_equal(s.value[x].shape.dim[0], 3);
    lop_shapes_clear(&s);
    lop_graph_free(g);
}

/* Counted by hand: conv 36 outputs x 4 filters x 27 taps, depthwise-like second 2 x 2 x ..., Gemm 10 x 4. */
T_TEST(costs_are_those_counted_by_hand)
{
    lop_error err;
    lop_shapes s;
    lop_cost c;
    lop_graph *g = net_new();
    net_input(g, "x", (lop_shape){4, {-1, 3, 8, 8}});
    net_input(g, "f", (lop_shape){2, {-1, 10}});
    net_constant(g, "w", (lop_shape){4, {4, 3, 3, 3}}, 0, 1);
    net_constant(g, "b", (lop_shape){1, {4}}, 0, 1);
    net_constant(g, "m", (lop_shape){1, {4}}, 0, 1);
    net_constant(g, "v", (lop_shape){1, {4}}, 1, 1);
    net_constant(g, "dw", (lop_shape){4, {4, 1, 3, 3}}, 0, 1);
    net_constant(g, "g", (lop_shape){2, {4, 10}}, 0, 1);
    net_node(g, "Conv", "conv", "x w b", "a");
    net_node(g, "Identity", "id", "b", "b2");
    net_node(g, "BatchNormalization", "bn", "a b b2 m v", "n");     /* scale: the shared b */
    net_node(g, "Conv", "dw", "n dw", "d");
    net_node(g, "Gemm", "gemm", "f g", "e");
    t_ok(lop_node_set_int(g->node[4], "transB", 1, &err), err);
    net_output(g, "d");
    net_output(g, "e");
    t_ok(lop_graph_infer(g, NULL, &s, &err), err);
    static const struct { int node; int64_t macs, params; } cases[] = {
        {0, 36 * 4 * 27, 108 + 4}, {1, 0, 0}, {2, 0, 8}, {3, 16 * 4 * 9, 36}, {4, 40, 40}};
    for (size_t k = 0; k < T_COUNT(cases); k++) {
        t_ok(lop_node_cost(g, &s, cases[k].node, &c, &err), err);
        assert_int_equal(c.macs, cases[k].macs);
        assert_int_equal(c.params, cases[k].params);
        assert_int_equal(c.bytes, 4 * cases[k].params);
    }
    t_ok(lop_graph_cost(g, &s, &c, &err), err);
    assert_int_equal(c.macs, 36 * 4 * 27 + 16 * 4 * 9 + 40);
    assert_int_equal(c.params, 112 + 4 + 36 + 40);                  /* b once, and what Identity makes of it */
    assert_int_equal(lop_node_cost(g, &s, 5, &c, &err), LOP_E_ARG);
    lop_shapes_clear(&s);
    lop_graph_free(g);
}

T_TEST(thousands_of_nodes_take_no_time)
{
    lop_error err;
    lop_shapes s;
    lop_graph *g = net_new();
    int v = net_input(g, "x", (lop_shape){2, {1, 4}});
    for (int k = 0; k < 5000; k++) {
        char name[32];
        int next;
        snprintf(name, sizeof name, "v%d", k);
        t_ok(lop_graph_add_value(g, name, &next, &err), err);
        t_ok(lop_graph_insert(g, g->nnode, "Relu", name, &v, 1, &next, 1, NULL, &err), err);
        v = next;
    }
    const double start = lop_seconds();
    t_ok(lop_graph_infer(g, NULL, &s, &err), err);
    assert_true(lop_seconds() - start < 1.0);
    assert_true(s.known[v]);
    lop_shapes_clear(&s);
    lop_graph_free(g);
}

T_MAIN(T(shapes_go_through_and_shape_is_a_constant), T(constant_nodes_are_constants),
       T(unsupported_nodes_are_counted_and_named), T(bad_sizes_are_named), T(an_undeclared_input_needs_a_shape),
       T(costs_are_those_counted_by_hand), T(thousands_of_nodes_take_no_time))

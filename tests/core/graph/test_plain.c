/* tests/core/graph/test_plain.c - constants folded into initializers, and one floating type, by lop's operators. */
#include "net.h"
#include "ops/ops.h"

static lop_graph *with_ops(void)
{
    lop_graph *g = NULL;
    lop_error err;
    t_ok(lop_graph_new(lop_ops(), &g, &err), err);
    t_ok(lop_graph_set_opset(g, 13, &err), err);
    return g;
}

static void weights_behind_nodes_become_initializers(void **state)
{
    (void)state;
    lop_graph *g = with_ops();
    lop_error err;
    int count = -1;
    net_input(g, "x", (lop_shape){2, {-1, 3}});
    net_constant(g, "w", (lop_shape){2, {3, 2}}, 1, 1);
    net_constant(g, "half", (lop_shape){0, {0}}, 0.5, 0);
    net_node(g, "Mul", "scale", "w half", "w2");
    net_node(g, "Transpose", "turn", "w2", "w3");
    net_node(g, "Gemm", "fc", "x w2", "y");
    net_node(g, "Identity", "kept", "w3", "z");
    net_output(g, "y");
    net_output(g, "z");
    t_ok(lop_graph_fold_constants(g, &count, &err), err);
    assert_int_equal(count, 2);
    assert_int_equal(g->nnode, 2);              /* z is the graph's own output: its node stays */
    const lop_tensor *w2 = &g->value[lop_graph_value(g, "w2")]->constant;
    for (int k = 0; k < 6; k++) assert_true(lop_tensor_get(w2, k) == 0.5 * (k + 1));
    const lop_tensor *w3 = &g->value[lop_graph_value(g, "w3")]->constant;
    assert_true(lop_tensor_get(w3, 1) == 1.5);
    t_ok(lop_graph_fold_constants(g, &count, &err), err);
    assert_int_equal(count, 0);
    lop_graph_free(g);
}

static void what_depends_on_an_input_stays(void **state)
{
    (void)state;
    lop_graph *g = with_ops();
    lop_error err;
    int count = -1;
    net_input(g, "x", (lop_shape){2, {1, 3}});
    net_node(g, "Shape", "shape", "x", "s");    /* known, yet not from initializers: another input has another shape */
    net_node(g, "Reshape", "reshape", "x s", "y");
    net_output(g, "y");
    t_ok(lop_graph_fold_constants(g, &count, &err), err);
    assert_int_equal(count, 0);
    assert_int_equal(g->nnode, 2);
    lop_graph_free(g);
}

static void all_floats_become_single(void **state)
{
    (void)state;
    lop_graph *g = with_ops();
    lop_error err;
    lop_tensor wide = {0};
    int count = -1, id = -1;
    const int x = net_input(g, "x", (lop_shape){1, {3}});
    g->value[x]->type = LOP_F16;
    t_ok(lop_tensor_init(&wide, LOP_F64, &(lop_shape){1, {3}}, &err), err);
    for (int k = 0; k < 3; k++) lop_tensor_set(&wide, k, k + 0.25);
    t_ok(lop_graph_add_constant(g, "w", &wide, &id, &err), err);
    lop_tensor_clear(&wide);
    t_ok(lop_node_set_int(net_node(g, "Cast", "cast", "x", "x64"), "to", LOP_F64, &err), err);
    t_ok(lop_node_set_int(net_node(g, "Cast", "whole", "x", "i"), "to", LOP_I64, &err), err);
    net_node(g, "Mul", "mul", "x64 w", "y");
    net_output(g, "y");
    t_ok(lop_graph_to_float32(g, &count, &err), err);
    assert_int_equal(count, 3);
    assert_int_equal(g->value[x]->type, LOP_F32);
    assert_int_equal(g->value[id]->constant.type, LOP_F32);
    assert_true(lop_tensor_get(&g->value[id]->constant, 2) == 2.25);
    assert_int_equal(lop_node_int(g->node[0], "to", 0), LOP_F32);
    assert_int_equal(lop_node_int(g->node[1], "to", 0), LOP_I64);
    lop_shapes s;
    t_ok(lop_graph_infer(g, NULL, &s, &err), err);
    assert_int_equal(s.value[lop_graph_value(g, "y")].type, LOP_F32);
    lop_shapes_clear(&s);
    lop_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_behind_nodes_become_initializers),
        cmocka_unit_test(what_depends_on_an_input_stays),
        cmocka_unit_test(all_floats_become_single),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

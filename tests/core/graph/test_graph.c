/* tests/core/graph/test_graph.c - building, looking up, copying; order and dead nodes. */
#include "net.h"

/* x -> Conv(w) -> Relu -> y, and a branch that nothing needs. */
static lop_graph *chain(void)
{
    lop_graph *g = net_new();
    net_input(g, "x", (lop_shape){4, {-1, 3, 8, 8}});
    net_constant(g, "w", (lop_shape){4, {4, 3, 3, 3}}, 1, 0.5);
    net_constant(g, "unused", (lop_shape){1, {2}}, 0, 1);
    net_node(g, "Conv", "conv", "x w", "a");
    net_node(g, "Relu", "", "a", "y");
    net_node(g, "Identity", "dead", "a", "b");
    net_output(g, "y");
    return g;
}

T_TEST(names_find_values_and_nodes)
{
    lop_graph *g = chain();
    static const struct { const char *name; int node; } cases[] = {
        {"conv", 0}, {"y", 1}, {"dead", 2}, {"b", 2}, {"a", 0}, {"", -1}, {"none", -1}};
    for (size_t k = 0; k < T_COUNT(cases); k++) assert_int_equal(lop_graph_node(g, cases[k].name), cases[k].node);
    assert_string_equal(lop_node_label(g, g->node[1]), "y");
    assert_int_equal(lop_graph_value(g, "none"), -1);
    lop_graph_free(g);
}

T_TEST(a_taken_name_gets_a_number)
{
    lop_error err;
    lop_graph *g = chain();
    static const char *const cases[][2] = {
        {"w", "w_1"}, {"w", "w_2"}, {"fresh", "fresh"}, {NULL, "value"}, {"", "value_1"}};
    for (size_t k = 0; k < T_COUNT(cases); k++) {
        int id;
        t_ok(lop_graph_add_value(g, cases[k][0], &id, &err), err);
        assert_string_equal(g->value[id]->name, cases[k][1]);
    }
    lop_graph_free(g);
}

T_TEST(uses_list_every_read)
{
    lop_error err;
    lop_uses u;
    lop_graph *g = net_new();
    net_input(g, "x", (lop_shape){1, {2}});
    net_node(g, "Add", "twice", "x x", "a");
    net_node(g, "Add", "again", "a x", "b");
    net_output(g, "b");
    t_ok(lop_graph_uses(g, &u, &err), err);
    const int x = lop_graph_value(g, "x"), a = lop_graph_value(g, "a"), b = lop_graph_value(g, "b");
    assert_int_equal(u.first[x + 1] - u.first[x], 3);
    assert_int_equal(u.reader[u.first[x] + 2], 1);
    assert_int_equal(u.producer[x], -1);
    assert_int_equal(u.producer[a], 0);
    assert_int_equal(u.producer[b], 1);
    assert_int_equal(u.first[b + 1] - u.first[b], 0);
    lop_uses_free(&u);
    lop_graph_free(g);
}

T_TEST(sort_is_stable_and_mends_order)
{
    lop_error err;
    lop_graph *g = net_new();
    net_input(g, "x", (lop_shape){1, {2}});
    net_node(g, "Relu", "last", "c", "y");
    net_node(g, "Relu", "p", "x", "a");
    net_node(g, "Relu", "q", "x", "b");
    net_node(g, "Add", "join", "a b", "c");
    net_output(g, "y");
    t_ok(lop_graph_sort(g, &err), err);
    static const char *const order[] = {"p", "q", "join", "last"};
    for (int k = 0; k < 4; k++) assert_string_equal(g->node[k]->name, order[k]);
    lop_graph_free(g);
}

/* Reference: of the nodes whose inputs are there, always the first in the old order; by looking at all, each time. */
T_TEST(sort_takes_the_first_that_is_ready)
{
    enum { NODES = 40 };
    for (uint64_t seed = 0; seed < T_SEEDS(50); seed++) {
        lop_error err;
        lop_graph *g = net_new();
        int rank[NODES];                        /* node k reads only what nodes of a lower rank make */
        bool done[NODES] = {false};
        net_input(g, "x", (lop_shape){1, {2}});
        for (int k = 0; k < NODES; k++) rank[k] = k;
        for (int k = NODES - 1; k > 0; k--) {
            const int other = (int)lop_random_below(seed, LOP_STREAM_USER, (uint64_t)k, k + 1), old = rank[k];
            rank[k] = rank[other];
            rank[other] = old;
        }
        for (int k = 0; k < NODES; k++) {
            char in[64], out[32], name[32];
            const int64_t back = lop_random_below(seed, LOP_STREAM_USER + 1, (uint64_t)k, 6);
            if (rank[k] > back) snprintf(in, sizeof in, "x v%d", rank[k] - 1 - (int)back);
            else snprintf(in, sizeof in, "x x");
            snprintf(out, sizeof out, "v%d", rank[k]);
            snprintf(name, sizeof name, "n%d", k);
            net_node(g, "Add", name, in, out);
        }
        int order[NODES];
        for (int placed = 0; placed < NODES; placed++)
            for (int k = 0; k < NODES; k++) {
                bool ready = g->node[k]->in[1] == lop_graph_value(g, "x");
                for (int j = 0; j < NODES; j++) ready |= done[j] && g->node[j]->out[0] == g->node[k]->in[1];
                if (done[k] || !ready) continue;
                done[k] = true;
                order[placed] = k;
                break;
            }
        t_ok(lop_graph_sort(g, &err), err);
        for (int k = 0; k < NODES; k++)
            if (atoi(g->node[k]->name + 1) != order[k]) fail_msg("seed %d, place %d", (int)seed, k);
        lop_graph_free(g);
    }
}

T_TEST(sort_names_what_is_wrong)
{
    static const struct { const char *in1, *out1, *in2, *out2, *says; } cases[] = {
        {"x b", "a", "a", "b", "node 'one' (Add) is on, or behind, a cycle"},
        {"x ghost", "a", "a", "b", "node 'one' (Add) reads 'ghost', which nothing makes"},
        {"x x", "b", "x", "b", "value 'b' is made twice, by 'one' and 'two'"},
        {"x x", "a", "a", "x", "value 'x' is an input of the graph, and node 'two' makes it too"},
        {"x x", "w", "w", "b", "value 'w' is an initializer, and node 'one' makes it too"},
        {"x x", "a", "a", "c", "output 'b' is made by no node"}};
    for (size_t k = 0; k < T_COUNT(cases); k++) {
        lop_error err = {0};
        lop_graph *g = net_new();
        net_input(g, "x", (lop_shape){1, {2}});
        net_constant(g, "w", (lop_shape){1, {2}}, 0, 1);
        net_node(g, "Add", "one", cases[k].in1, cases[k].out1);
        net_node(g, "Relu", "two", cases[k].in2, cases[k].out2);
        net_output(g, "b");
        t_fails(lop_graph_sort(g, &err), LOP_E_FORMAT, err, cases[k].says);
        assert_string_equal(g->node[0]->name, "one");
        lop_graph_free(g);
    }
}

T_TEST(dead_nodes_and_initializers_go)
{
    lop_error err;
    lop_graph *g = chain();
    net_input(g, "free", (lop_shape){1, {1}});
    t_ok(lop_graph_prune_dead(g, &err), err);
    assert_int_equal(g->nnode, 2);
    assert_null(g->value[lop_graph_value(g, "unused")]->constant.data);
    assert_non_null(g->value[lop_graph_value(g, "w")]->constant.data);
    assert_int_equal(g->ninput, 2);             /* an input that nothing reads is still the user's */
    lop_graph_free(g);
}

/* What the body of an If reads from around it must stay: its bytes hold the name. */
T_TEST(what_a_subgraph_may_read_stays)
{
    lop_error err;
    lop_graph *g = chain();
    lop_node *n = net_node(g, "If", "branch", "x", "z");
    net_output(g, "z");
    t_ok(lop_node_set_int(n, "then_branch", 0, &err), err);
    n->attr[0].kind = LOP_ATTR_GRAPH;
    n->attr[0].raw = (uint8_t *)lop_string("...b...", &err);
    n->attr[0].length = 7;
    t_ok(lop_graph_prune_dead(g, &err), err);
    assert_true(lop_graph_node(g, "dead") >= 0);
    lop_graph_free(g);
}

T_TEST(a_clone_shares_weights_and_nothing_else)
{
    lop_error err;
    lop_graph *g = chain(), *copy;
    int64_t list[3] = {1, 2, 3}, back[2] = {0, 0};
    t_ok(lop_node_set_ints(g->node[0], "pads", list, 3, &err), err);
    t_ok(lop_graph_set_meta(g, "key", "value", &err), err);
    t_ok(lop_graph_clone(g, &copy, &err), err);
    const int w = lop_graph_value(g, "w");
    assert_ptr_equal(copy->value[w]->constant.data, g->value[w]->constant.data);
    lop_graph_free(g);
    assert_string_equal(lop_graph_meta(copy, "key"), "value");
    assert_int_equal(lop_node_ints(copy->node[0], "pads", back, 2), 3);
    assert_int_equal(back[1], 2);
    assert_int_equal(copy->value[0]->shape.dim[0], -1);
    assert_true(lop_tensor_get(&copy->value[w]->constant, 2) == 2.0);
    t_ok(lop_graph_sort(copy, &err), err);
    lop_graph_free(copy);
}

T_TEST(attributes_are_typed_and_replaced)
{
    lop_error err;
    lop_graph *g = chain();
    lop_node *n = g->node[0];
    int64_t none[1];
    t_ok(lop_node_set_int(n, "group", 2, &err), err);
    assert_int_equal(lop_node_int(n, "group", 1), 2);
    assert_int_equal(lop_node_ints(n, "group", none, 1), -1);
    assert_true(lop_node_float(n, "group", 0.5f) == 0.5f);
    assert_string_equal(lop_node_string(n, "group", "no"), "no");
    t_ok(lop_node_set_ints(n, "group", none, 0, &err), err);
    assert_int_equal(lop_node_ints(n, "group", none, 1), 0);
    assert_int_equal(n->nattr, 1);
    assert_int_equal(lop_node_set_ints(n, "group", none, -1, &err), LOP_E_ARG);
    lop_graph_free(g);
}

T_TEST(meta_is_kept_in_order)
{
    lop_error err;
    lop_graph *g = net_new();
    t_ok(lop_graph_set_meta(g, "b", "1", &err), err);
    t_ok(lop_graph_set_meta(g, "a", "2", &err), err);
    t_ok(lop_graph_set_meta(g, "b", "3", &err), err);
    assert_int_equal(g->nmeta, 2);
    assert_string_equal(g->meta[0].value, "3");
    assert_null(lop_graph_meta(g, "c"));
    lop_graph_free(g);
}

T_TEST(ops_are_found_in_onnx_domain_only)
{
    assert_string_equal(lop_op_find(&toys, "", "Shape")->name, "Shape");
    assert_string_equal(lop_op_find(&toys, "ai.onnx", "Add")->name, "Add");
    assert_null(lop_op_find(&toys, "com.microsoft", "Add"));
    assert_null(lop_op_find(&toys, "", "Nothing"));
    assert_null(lop_op_find(NULL, "", "Add"));
}

T_TEST(insert_and_remove_keep_the_others)
{
    lop_error err;
    lop_graph *g = chain();
    const int x = lop_graph_value(g, "x");
    t_ok(lop_graph_insert(g, 1, "Relu", "between", &x, 1, &x, 0, NULL, &err), err);
    assert_string_equal(g->node[1]->name, "between");
    assert_int_equal(g->nnode, 4);
    lop_graph_remove_node(g, 0);
    assert_string_equal(g->node[2]->name, "dead");
    assert_int_equal(lop_graph_insert(g, 9, "Relu", NULL, &x, 1, &x, 0, NULL, &err), LOP_E_ARG);
    lop_graph_free(g);
}

T_MAIN(T(names_find_values_and_nodes), T(a_taken_name_gets_a_number), T(uses_list_every_read),
       T(sort_is_stable_and_mends_order), T(sort_takes_the_first_that_is_ready), T(sort_names_what_is_wrong),
       T(dead_nodes_and_initializers_go), T(what_a_subgraph_may_read_stays),
       T(a_clone_shares_weights_and_nothing_else),
       T(attributes_are_typed_and_replaced), T(meta_is_kept_in_order), T(ops_are_found_in_onnx_domain_only),
       T(insert_and_remove_keep_the_others))

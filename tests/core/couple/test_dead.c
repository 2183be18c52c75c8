/* tests/core/couple/test_dead.c - channels that are one number everywhere go, and the net computes what it did. */
#include "run_net.h"
#include "couple/couple.h"
#include "onnx/onnx.h"

static lop_status drop_dead(lop_graph *g, int64_t *count, lop_error *err)
{
    lop_shapes s;
    lop_groups q;
    t_ok(lop_graph_infer(g, NULL, &s, err), *err);
    t_ok(lop_groups_find(g, &s, &q, err), *err);
    bool *gone = lop_array(q.classes, sizeof *gone, NULL);
    const lop_status st = lop_graph_drop_dead(g, &s, &q, gone, count, err);
    int64_t went = 0;
    for (int c = 0; c < q.classes; c++) went += gone[c];
    assert_true(st != LOP_OK || (went >= *count && (went > 0) == (*count > 0)));
    lop_free(gone);
    lop_groups_clear(&q);
    lop_shapes_clear(&s);
    return st;
}

/* x (1, 2, 6, 6), a convolution a of 4 filters, of which #1 and #3 are zeros with these biases, an operator, and a
 * convolution b that reads it, padded or not; left: channels that stay. */
typedef struct { const char *what; const char *op; bool pads; float bias[2]; int64_t left; } small;

static void set_filters(lop_graph *g, const char *weight, const char *bias, const float *at)
{
    lop_tensor *w = &g->value[lop_graph_value(g, weight)]->constant, *b = &g->value[lop_graph_value(g, bias)]->constant;
    const int64_t each = lop_tensor_size(w) / 4;
    for (int64_t i = 0; i < each; i++) {
        lop_tensor_set(w, each + i, 0);
        lop_tensor_set(w, 3 * each + i, 0);
    }
    lop_tensor_set(b, 1, (double)at[0]);
    lop_tensor_set(b, 3, (double)at[1]);
}

static lop_graph *build(const small *c)
{
    lop_error err;
    lop_graph *g;
    t_ok(lop_graph_new(lop_ops(), &g, &err), err);
    g->opset = lop_array(1, sizeof *g->opset, NULL);
    g->opset[0] = (lop_opset){lop_string("", &err), 13};
    g->nopset = 1;
    net_input(g, "x", (lop_shape){4, {1, 2, 6, 6}});
    net_constant(g, "w1", (lop_shape){4, {4, 2, 1, 1}}, -1, 0.3);
    net_constant(g, "b1", (lop_shape){1, {4}}, 0.4, -0.1);
    set_filters(g, "w1", "b1", c->bias);
    net_node(g, "Conv", "a", "x w1 b1", "h");
    lop_node *between = net_node(g, c->op, "m", "h", "m");
    if (strstr(c->op, "Pool")) t_ok(lop_node_set_ints(between, "kernel_shape", (const int64_t[]){3, 3}, 2, &err), err);
    if (strcmp(c->op, "AveragePool") == 0) {
        t_ok(lop_node_set_ints(between, "pads", (const int64_t[]){1, 1, 1, 1}, 4, &err), err);
        t_ok(lop_node_set_int(between, "count_include_pad", 1, &err), err);
    }
    net_constant(g, "w2", (lop_shape){4, {2, 4, 3, 3}}, 1, -0.05);
    lop_node *b = net_node(g, "Conv", "b", "m w2", "y");
    if (c->pads) t_ok(lop_node_set_ints(b, "pads", (const int64_t[]){1, 1, 1, 1}, 4, &err), err);
    net_output(g, "y");
    return g;
}

T_TEST(numbers_are_carried_where_they_can_be)
{
    static const small cases[] = {
        {"zeros", "Identity", true, {0, 0}, 2},          {"numbers, no padding", "Identity", false, {-1, 2}, 2},
        {"numbers, padding", "Identity", true, {-1, 2}, 4}, {"below 0, then Relu", "Relu", true, {-1, 2}, 3},
        {"Sigmoid of 0", "Sigmoid", true, {0, 0}, 4},    {"Sigmoid, no padding", "Sigmoid", false, {0, 5}, 2},
        {"largest of a window", "MaxPool", false, {-1, 2}, 2},
        {"mean with padding", "AveragePool", false, {0, 2}, 3}};
    for (size_t k = 0; k < T_COUNT(cases); k++) {
        lop_error err;
        lop_tensor before[RUN_OUTPUTS] = {{0}}, after[RUN_OUTPUTS] = {{0}};
        lop_graph *g = build(&cases[k]);
        int64_t count;
        run_net(cases[k].what, g, 1, before);
        t_ok(drop_dead(g, &count, &err), err);
        if (count != 4 - cases[k].left) fail_msg("%s: %d channels went", cases[k].what, (int)count);
        run_net(cases[k].what, g, 1, after);
        same_outputs(cases[k].what, g, before, after, 1e-6);
        assert_int_equal(g->value[lop_graph_value(g, "w1")]->constant.shape.dim[0], cases[k].left);
        t_ok(drop_dead(g, &count, &err), err);
        assert_int_equal(count, 0);                     /* all that could went */
        lop_graph_free(g);
    }
}

/* A group whose filters are all zeros keeps one. */
T_TEST(one_channel_stays)
{
    lop_error err;
    lop_tensor before[RUN_OUTPUTS] = {{0}}, after[RUN_OUTPUTS] = {{0}};
    const small c = {"all zeros", "Relu", false, {1, 2}, 1};
    lop_graph *g = build(&c);
    lop_tensor *w = &g->value[lop_graph_value(g, "w1")]->constant;
    int64_t count;
    for (int64_t i = 0; i < lop_tensor_size(w); i++) lop_tensor_set(w, i, 0);
    run_net(c.what, g, 1, before);
    t_ok(drop_dead(g, &count, &err), err);
    assert_int_equal(count, 3);
    run_net(c.what, g, 1, after);
    same_outputs(c.what, g, before, after, 1e-6);
    lop_graph_free(g);
}

/* Zeros in a third of all filters, biases as they are or 0. */
static void kill_filters(lop_graph *g, uint64_t seed)
{
    for (int k = 0; k < g->nnode; k++) {
        const lop_node *n = g->node[k];
        if (strcmp(n->op, "Conv") != 0) continue;
        lop_tensor *w = &g->value[n->in[1]]->constant;
        const int64_t each = lop_tensor_size(w) / w->shape.dim[0];
        for (int64_t o = 0; o < w->shape.dim[0]; o++) {
            if (lop_random_unit(seed, LOP_STREAM_USER + 2, (uint64_t)(k * 1000 + o)) > 0.33) continue;
            for (int64_t i = 0; i < each; i++) lop_tensor_set(w, o * each + i, 0);
            if (n->nin > 2 && (o + k) % 2 == 0) lop_tensor_set(&g->value[n->in[2]]->constant, o, 0);
        }
    }
}

T_TEST(random_nets_keep_their_function)
{
    int64_t total = 0;
    for (uint64_t seed = 0; seed < T_SEEDS(300); seed++) {
        rn_net b;
        lop_error err;
        lop_tensor before[RUN_OUTPUTS] = {{0}}, after[RUN_OUTPUTS] = {{0}};
        char what[600];
        int64_t count;
        rn_build(&b, seed, 1 + (int)(seed % 5));
        snprintf(what, sizeof what, "seed %d, %s", (int)seed, b.trace);
        kill_filters(b.g, seed);
        run_net(what, b.g, seed, before);
        if (drop_dead(b.g, &count, &err) != LOP_OK) fail_msg("%s: %s", what, err.message);
        run_net(what, b.g, seed, after);
        same_outputs(what, b.g, before, after, 1e-5);
        total += count;
        lop_graph_free(b.g);
    }
    print_message("%d channels\n", (int)total);
    assert_true(total > 400);
}

/* Two thirds of its weights are zeros. */
T_TEST(squeezenet_keeps_its_function)
{
    char path[4096];
    lop_error err;
    lop_graph *g;
    lop_tensor before[RUN_OUTPUTS] = {{0}}, after[RUN_OUTPUTS] = {{0}};
    int64_t count;
    t_ok(lop_onnx_load(t_shared("models/squeezenet/model.onnx", path), lop_ops(), &g, &err), err);
    run_net("squeezenet", g, 1, before);
    t_ok(drop_dead(g, &count, &err), err);
    print_message("squeezenet: %d channels\n", (int)count);
    run_net("squeezenet", g, 1, after);
    same_outputs("squeezenet", g, before, after, 1e-5);
    lop_graph_free(g);
}
T_MAIN(T(numbers_are_carried_where_they_can_be), T(one_channel_stays), T(random_nets_keep_their_function),
       T(squeezenet_keeps_its_function))

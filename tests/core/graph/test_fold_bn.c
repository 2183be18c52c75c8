/* tests/core/graph/test_fold_bn.c - norms taken into the layer before: the same function, computed here directly. */
#include "net.h"
#include <math.h>

enum { C = 3, N = 4 };

typedef struct { double weight[N * C], bias[N]; } linear;       /* y = W x + b, filters in rows */

static double at(const lop_graph *g, const char *name, int64_t k)
{
    return lop_tensor_get(&g->value[lop_graph_value(g, name)]->constant, k);
}

/* What the layer and its norm are together, by the definition: (y - mean) scale / sqrt(var + eps) + shift. */
static linear reference(const lop_graph *g, bool turned, double beta, bool bias)
{
    linear r;
    for (int j = 0; j < N; j++) {
        const double s = at(g, "scale", j) / sqrt(at(g, "var", j) + 1e-5);
        for (int i = 0; i < C; i++) r.weight[j * C + i] = at(g, "w", turned ? i * N + j : j * C + i) * s;
        r.bias[j] = (beta * (bias ? at(g, "b", j) : 0) - at(g, "mean", j)) * s + at(g, "shift", j);
    }
    return r;
}

/* op: Conv or Gemm, through Identity where the shift is. */
static lop_graph *pair(const char *op, bool turned, bool bias, const char *shift)
{
    lop_graph *g = net_new();
    const bool conv = strcmp(op, "Conv") == 0;
    net_input(g, "x", conv ? (lop_shape){4, {-1, C, 2, 2}} : (lop_shape){2, {-1, C}});
    net_constant(g, "w", conv ? (lop_shape){4, {N, C, 1, 1}} : turned ? (lop_shape){2, {C, N}} : (lop_shape){2, {N, C}},
                 -0.5, 0.3);
    net_constant(g, "b", (lop_shape){1, {N}}, 0.1, 0.7);
    net_constant(g, "scale", (lop_shape){1, {N}}, 1, -0.4);
    net_constant(g, "shift", (lop_shape){1, {N}}, 0.2, 0.1);
    net_constant(g, "mean", (lop_shape){1, {N}}, -1, 0.6);
    net_constant(g, "var", (lop_shape){1, {N}}, 0.01, 0.9);
    net_node(g, "Identity", "id", "shift", "shift2");
    net_node(g, op, "layer", bias ? "x w b" : "x w", "a");
    if (!conv) {
        lop_error err;
        t_ok(lop_node_set_int(g->node[1], "transB", !turned, &err), err);
        t_ok(lop_node_set_int(g->node[1], "beta", 0, &err), err);
        g->node[1]->attr[1].kind = LOP_ATTR_FLOAT;
        g->node[1]->attr[1].f = 0.5f;
    }
    char in[64];
    snprintf(in, sizeof in, "a scale %s mean var", shift);
    net_node(g, "BatchNormalization", "bn", in, "n");
    net_node(g, "Relu", "relu", "n", "y");
    net_output(g, "y");
    return g;
}

static void expect_same(const lop_graph *g, const linear *r, bool turned)
{
    const lop_node *n = g->node[lop_graph_node(g, "layer")];
    const lop_tensor *w = &g->value[n->in[1]]->constant, *b = &g->value[n->in[2]]->constant;
    for (int j = 0; j < N; j++) {
        for (int i = 0; i < C; i++)
            assert_true(fabs(lop_tensor_get(w, turned ? i * N + j : j * C + i) - r->weight[j * C + i]) < 2e-6);
        assert_true(fabs(lop_tensor_get(b, j) * (double)lop_node_float(n, "beta", 1) - r->bias[j]) < 2e-6);
    }
}

T_TEST(folded_layers_compute_the_same)
{
    static const struct { const char *op; bool turned, bias; const char *shift; } cases[] = {
        {"Conv", false, false, "shift"}, {"Conv", false, true, "shift2"}, {"Gemm", false, true, "shift"},
        {"Gemm", true, true, "shift2"},  {"Gemm", true, false, "shift"}};
    for (size_t k = 0; k < T_COUNT(cases); k++) {
        lop_error err;
        int count;
        lop_graph *g = pair(cases[k].op, cases[k].turned, cases[k].bias, cases[k].shift);
        const double beta = strcmp(cases[k].op, "Gemm") == 0 ? 0.5 : 1.0;
        const linear r = reference(g, cases[k].turned, beta, cases[k].bias);
        t_ok(lop_graph_fold_bn(g, &count, &err), err);
        assert_int_equal(count, 1);
        assert_int_equal(g->nnode, 2);                          /* Identity went with the norm */
        assert_string_equal(g->value[g->node[0]->out[0]]->name, "n");
        assert_string_equal(g->value[g->node[0]->in[1]]->name, "w");
        expect_same(g, &r, cases[k].turned);
        t_ok(lop_graph_sort(g, &err), err);
        lop_graph_free(g);
    }
}

/* The clone holds the weights too: folding replaces, and never writes into them. */
T_TEST(shared_memory_is_not_written)
{
    lop_error err;
    int count;
    lop_graph *g = pair("Conv", false, true, "shift"), *copy;
    t_ok(lop_graph_clone(g, &copy, &err), err);
    t_ok(lop_graph_fold_bn(g, &count, &err), err);
    assert_true((float)at(copy, "w", 1) == (float)(-0.5 + 0.3));
    assert_true((float)at(copy, "b", 1) == (float)(0.1 + 0.7));
    assert_int_equal(copy->nnode, 4);
    lop_graph_free(g);
    lop_graph_free(copy);
}

T_TEST(a_weight_that_others_read_is_copied)
{
    lop_error err;
    int count;
    lop_graph *g = pair("Conv", false, true, "shift");
    net_node(g, "Conv", "other", "x w b", "z");
    net_output(g, "z");
    const linear r = reference(g, false, 1, true);
    t_ok(lop_graph_fold_bn(g, &count, &err), err);
    assert_int_equal(count, 1);
    expect_same(g, &r, false);
    const lop_node *other = g->node[lop_graph_node(g, "other")];
    assert_string_equal(g->value[other->in[1]]->name, "w");
    assert_true((float)at(g, "w", 1) == (float)(-0.5 + 0.3));
    lop_graph_free(g);
}

typedef enum { OUTPUT_READ, IS_OUTPUT, TRAINING, NOT_CONSTANT } obstacle;

T_TEST(what_cannot_be_folded_stays)
{
    static const obstacle cases[] = {OUTPUT_READ, IS_OUTPUT, TRAINING, NOT_CONSTANT};
    for (size_t k = 0; k < T_COUNT(cases); k++) {
        lop_error err;
        int count;
        lop_graph *g = pair("Conv", false, true, "shift");
        lop_node *bn = g->node[lop_graph_node(g, "bn")];
        if (cases[k] == OUTPUT_READ) {
            net_node(g, "Relu", "peek", "a", "p");
            net_output(g, "p");
        }
        if (cases[k] == IS_OUTPUT) net_output(g, "a");
        if (cases[k] == TRAINING) t_ok(lop_node_set_int(bn, "training_mode", 1, &err), err);
        if (cases[k] == NOT_CONSTANT) bn->in[1] = net_input(g, "given", (lop_shape){1, {N}});
        const int nodes = g->nnode;
        t_ok(lop_graph_fold_bn(g, &count, &err), err);
        assert_int_equal(count, 0);
        assert_int_equal(g->nnode, nodes);
        lop_graph_free(g);
    }
}

/* Two norms in a row: the second has no convolution before it any more that was there at first. */
T_TEST(a_second_norm_stays)
{
    lop_error err;
    int count;
    lop_graph *g = pair("Conv", false, true, "shift");
    net_node(g, "BatchNormalization", "bn2", "n scale shift mean var", "q");
    g->node[lop_graph_node(g, "relu")]->in[0] = lop_graph_value(g, "q");
    t_ok(lop_graph_sort(g, &err), err);
    t_ok(lop_graph_fold_bn(g, &count, &err), err);
    assert_int_equal(count, 1);
    assert_true(lop_graph_node(g, "bn2") >= 0);
    lop_graph_free(g);
}

T_TEST(a_negative_variance_is_named)
{
    lop_error err = {0};
    int count;
    lop_graph *g = pair("Conv", false, true, "shift");
    lop_tensor_set(&g->value[lop_graph_value(g, "var")]->constant, 2, -1);
    t_fails(lop_graph_fold_bn(g, &count, &err), LOP_E_NUMERIC, err, "node 'bn' (BatchNormalization): channel #2: ");
    lop_graph_free(g);
}

T_MAIN(T(folded_layers_compute_the_same), T(shared_memory_is_not_written), T(a_weight_that_others_read_is_copied),
       T(what_cannot_be_folded_stays), T(a_second_norm_stays), T(a_negative_variance_is_named))

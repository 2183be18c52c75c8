/* tests/core/onnx/test_branch.c - If with a constant condition: which branch, under which names, what is refused. */
#include "wire.h"
#include "ops/ops.h"

/* A body with one node and one output. */
static wire body_of(const char *op, const char *in, const char *out)
{
    wire b = {.n = 0}, n = wire_node(op, in, out), y = {.n = 0};
    wire_text(&y, 1, out);
    wire_message(&b, 1, &n);
    wire_message(&b, 12, &y);
    return b;
}

static void add_body(wire *node, const char *name, const wire *body)
{
    wire a = {.n = 0};
    wire_text(&a, 1, name);
    wire_message(&a, 6, body);
    wire_int(&a, 20, 5);
    wire_message(node, 5, &a);
}

static wire if_node(const char *condition, const char *out, const wire *then, const wire *other)
{
    wire n = wire_node("If", condition, out);
    if (then) add_body(&n, "then_branch", then);
    if (other) add_body(&n, "else_branch", other);
    return n;
}

static wire flag(const char *name, bool value)
{
    wire t = wire_tensor(name, 9, NULL, 0);
    wire_bytes(&t, 9, &value, 1);
    return t;
}

static wire number(const char *name, int64_t value)
{
    wire t = wire_tensor(name, 7, NULL, 0);
    wire_bytes(&t, 9, &value, sizeof value);
    return t;
}

/* Input x of this shape, output y, and these nodes and initializers. */
static lop_status load(const wire *nodes, int nnode, const wire *constants, int nconstant, const int64_t *dim, int ndim,
                       lop_graph **g, lop_error *err)
{
    wire graph = {.n = 0}, x = wire_value("x", dim, ndim), y = wire_value("y", dim, ndim);
    for (int k = 0; k < nnode; k++) wire_message(&graph, 1, &nodes[k]);
    for (int k = 0; k < nconstant; k++) wire_message(&graph, 5, &constants[k]);
    wire_message(&graph, 11, &x);
    wire_message(&graph, 12, &y);
    wire m = wire_model(&graph);
    *err = (lop_error){0};
    return lop_onnx_parse(m.bytes, m.n, NULL, lop_ops(), g, err);
}

static const int64_t square[] = {-1, 3};

/* "Relu(x)=y Neg(y)=z": the nodes in order. */
static const char *nodes_text(const lop_graph *g, char *text, size_t n)
{
    size_t at = 0;
    text[0] = 0;
    for (int k = 0; k < g->nnode && at < n; k++) {
        const lop_node *node = g->node[k];
        at += (size_t)snprintf(text + at, n - at, "%s%s(", k ? " " : "", node->op);
        for (int i = 0; i < node->nin && at < n; i++)
            at += (size_t)snprintf(text + at, n - at, "%s%s", i ? "," : "", g->value[node->in[i]]->name);
        at += (size_t)snprintf(text + at, n - at, ")=%s", g->value[node->out[0]]->name);
    }
    return text;
}

T_TEST(the_condition_says_which_branch)
{
    for (int yes = 0; yes < 2; yes++) {
        const wire then = body_of("Relu", "x", "z"), other = body_of("Neg", "x", "z"), c = flag("c", yes);
        const wire n = if_node("c", "y", &then, &other);
        char text[256];
        lop_graph *g;
        lop_error err;
        t_ok(load(&n, 1, &c, 1, square, 2, &g, &err), err);
        assert_string_equal(nodes_text(g, text, sizeof text), yes ? "Relu(x)=y" : "Neg(x)=y");
        lop_graph_free(g);
    }
}

/* The condition: does x have as many entries? */
T_TEST(declared_shapes_decide_and_free_ones_do_not)
{
    static const struct { int64_t dim[2], entries; const char *says; } cases[] = {
        {{2, 3}, 6, "Relu(x)=y"}, {{2, 3}, 7, "Neg(x)=y"}, {{-1, 3}, 3, "If"}, {{-1, 3}, 7, "Neg(x)=y"},
        {{2, -1}, 6, "If"}, {{2, -1}, 7, "If"}};
    for (size_t k = 0; k < T_COUNT(cases); k++) {
        const wire then = body_of("Relu", "x", "z"), other = body_of("Neg", "x", "z");
        const wire c = number("c", cases[k].entries);
        wire nodes[3] = {wire_node("Size", "x", "size"), {.n = 0}, if_node("same", "y", &then, &other)};
        wire_text(&nodes[1], 1, "size");
        wire_text(&nodes[1], 1, "c");
        wire_text(&nodes[1], 2, "same");
        wire_text(&nodes[1], 4, "Equal");
        char text[256];
        lop_graph *g;
        lop_error err;
        t_ok(load(nodes, 3, &c, 1, cases[k].dim, 2, &g, &err), err);
        nodes_text(g, text, sizeof text);
        if (!strstr(text, cases[k].says)) fail_msg("case %zu: %s: no %s", k, text, cases[k].says);
        assert_true(strstr(cases[k].says, "If") || !strstr(text, "If"));
        lop_graph_free(g);
    }
}

/* Two branches that call their values alike, the second with a branch of its own that reads one of them. */
T_TEST(names_that_are_taken_get_a_number)
{
    const wire relu = wire_node("Relu", "x", "t"), sign = wire_node("Neg", "t", "out");
    wire first = {.n = 0}, second = {.n = 0}, out = {.n = 0};
    wire_text(&out, 1, "out");
    wire_message(&first, 1, &relu);
    wire_message(&first, 1, &sign);
    wire_message(&first, 12, &out);
    const wire third = body_of("Exp", "t", "inner"), inner = if_node("c", "out", &third, &third);
    const wire again = wire_node("Relu", "m", "t");
    wire_message(&second, 1, &again);
    wire_message(&second, 1, &inner);
    wire_message(&second, 12, &out);
    const wire nodes[2] = {if_node("c", "m", &first, &first), if_node("c", "y", &second, &second)}, c = flag("c", true);
    char text[256];
    lop_graph *g;
    lop_error err;
    t_ok(load(nodes, 2, &c, 1, square, 2, &g, &err), err);
    assert_string_equal(nodes_text(g, text, sizeof text), "Relu(x)=t_1 Neg(t_1)=m Relu(m)=t Exp(t)=y");
    lop_graph_free(g);
}

/* An initializer of the branch, a value from outside, and one value under two names need a node to name them. */
T_TEST(outputs_that_no_node_makes)
{
    wire body = {.n = 0}, n = wire_node("Relu", "x", "r"), out = {.n = 0};
    const char *const names[] = {"r", "w", "x", "r"};
    const wire w = number("w", 5), c = flag("c", true);
    wire_message(&body, 1, &n);
    wire_message(&body, 5, &w);
    for (int o = 0; o < 4; o++) {
        out.n = 0;
        wire_text(&out, 1, names[o]);
        wire_message(&body, 12, &out);
    }
    wire node = wire_node("If", "c", "y");
    wire_text(&node, 2, "second");
    wire_text(&node, 2, "third");
    wire_text(&node, 2, "fourth");
    add_body(&node, "then_branch", &body);
    add_body(&node, "else_branch", &body);
    char text[256];
    lop_graph *g;
    lop_error err;
    t_ok(load(&node, 1, &c, 1, square, 2, &g, &err), err);
    nodes_text(g, text, sizeof text);
    assert_non_null(strstr(text, "Relu(x)=y"));
    assert_non_null(strstr(text, "Identity(w)=second"));
    assert_non_null(strstr(text, "Identity(x)=third"));
    assert_non_null(strstr(text, "Identity(y)=fourth"));
    assert_true(lop_tensor_get(&g->value[lop_graph_value(g, "w")]->constant, 0) == 5);
    lop_graph_free(g);
}

/* A condition that comes later: as an input it decides nothing, as a constant it does. */
T_TEST(a_condition_may_become_constant)
{
    const wire then = body_of("Relu", "x", "z"), other = body_of("Neg", "x", "z"), n = if_node("x", "y", &then, &other);
    const lop_shape scalar = {0, {0}};
    char text[256];
    int count;
    lop_graph *g;
    lop_error err;
    t_ok(load(&n, 1, NULL, 0, square, 2, &g, &err), err);
    assert_non_null(strstr(nodes_text(g, text, sizeof text), "If"));
    t_ok(lop_tensor_init(&g->value[lop_graph_value(g, "x")]->constant, LOP_BOOL, &scalar, &err), err);
    t_ok(lop_onnx_take_branches(g, NULL, &count, &err), err);
    assert_int_equal(count, 1);
    assert_string_equal(nodes_text(g, text, sizeof text), "Neg(x)=y");
    lop_graph_free(g);
}

T_TEST(damaged_branches_are_refused)
{
    const wire good = body_of("Relu", "x", "z"), lost = body_of("Relu", "nothing", "z"), c = flag("c", true);
    const wire twice = wire_node("Neg", "x", "z"), x = wire_value("p", square, 2);
    wire two = good, inputs = good, none = {.n = 0}, extra = good, out = {.n = 0};
    wire_message(&two, 1, &twice);
    wire_message(&inputs, 11, &x);
    wire_text(&out, 1, "z");
    wire_message(&extra, 12, &out);
    const wire ghost = body_of("Relu", "x", "z");
    wire other = {.n = 0}, name = {.n = 0};
    wire_text(&name, 1, "ghost");
    wire_message(&other, 12, &name);
    const struct { const wire *then; const char *says; } cases[] = {
        {NULL, "node 'y' (If): then_branch is missing"}, {&none, "its branch has 0 outputs, 1 expected"},
        {&extra, "its branch has 2 outputs, 1 expected"}, {&inputs, "has inputs"}, {&two, "defines 'z' twice"},
        {&lost, "'nothing'"}, {&other, "gives 'ghost', which nothing makes"}};
    for (size_t k = 0; k < T_COUNT(cases); k++) {
        const wire n = if_node("c", "y", cases[k].then, &ghost);
        lop_graph *g = NULL;
        lop_error err;
        t_fails(load(&n, 1, &c, 1, square, 2, &g, &err), LOP_E_FORMAT, err, cases[k].says);
        assert_null(g);
    }
}

T_MAIN(T(the_condition_says_which_branch), T(declared_shapes_decide_and_free_ones_do_not),
       T(names_that_are_taken_get_a_number), T(outputs_that_no_node_makes), T(a_condition_may_become_constant),
       T(damaged_branches_are_refused))

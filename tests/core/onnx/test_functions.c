/* tests/core/onnx/test_functions.c - local functions: bodies in the place of calls, under which names; what is refused.
 * What they compute: tests/bindings/net/golden_spec.lua. */
#include "wire.h"
#include "same.h"
#include "ops/ops.h"

static void add_import(wire *m, unsigned field, const char *domain, int64_t version)
{
    wire o = {.n = 0};
    if (domain[0]) wire_text(&o, 1, domain);
    wire_int(&o, 2, version);
    wire_message(m, field, &o);
}

/* A node of domain "f"; inputs and outputs: one letter each, '-' is one left out. */
static wire call(const char *op, const char *in, const char *out)
{
    wire n = {.n = 0};
    for (const char *p = in; *p; p++) wire_bytes(&n, 1, p, *p != '-');
    for (const char *p = out; *p; p++) wire_bytes(&n, 2, p, *p != '-');
    wire_text(&n, 4, op);
    wire_text(&n, 7, "f");
    return n;
}

static wire function_of(const char *name, const char *in, const char *out, const wire *nodes, int n, int64_t opset)
{
    wire f = {.n = 0};
    wire_text(&f, 1, name);
    for (const char *p = in; *p; p++) wire_bytes(&f, 4, p, 1);
    for (const char *p = out; *p; p++) wire_bytes(&f, 5, p, 1);
    for (int k = 0; k < n; k++) wire_message(&f, 7, &nodes[k]);
    add_import(&f, 9, "", opset);
    wire_text(&f, 10, "f");
    return f;
}

/* x (2, 3) in, y out, of opset 13. */
static wire model_of(const wire *nodes, int nnode, const wire *functions, int nfunction)
{
    static const int64_t dim[] = {2, 3};
    wire graph = {.n = 0}, x = wire_value("x", dim, 2), y = wire_value("y", dim, 2);
    for (int k = 0; k < nnode; k++) wire_message(&graph, 1, &nodes[k]);
    wire_message(&graph, 11, &x);
    wire_message(&graph, 12, &y);
    wire m = wire_model(&graph);
    for (int k = 0; k < nfunction; k++) wire_message(&m, 25, &functions[k]);
    return m;
}

static lop_status parse(const wire *m, lop_graph **g, lop_error *err)
{
    *err = (lop_error){0};
    return lop_onnx_parse(m->bytes, m->n, NULL, lop_ops(), g, err);
}

/* "Relu(x)=y Neg(y)=z": the nodes in order. */
static void expect_nodes(const wire *m, const char *want)
{
    char text[2000] = "";
    size_t at = 0;
    lop_error err;
    lop_graph *g;
    t_ok(parse(m, &g, &err), err);
    for (int k = 0; k < g->nnode; k++) {
        const lop_node *n = g->node[k];
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%s(", k ? " " : "", n->op);
        for (int i = 0; i < n->nin; i++)
            at += (size_t)snprintf(text + at, sizeof text - at, "%s%s", i ? "," : "",
                                   n->in[i] < 0 ? "" : g->value[n->in[i]]->name);
        at += (size_t)snprintf(text + at, sizeof text - at, ")=%s", g->value[n->out[0]]->name);
    }
    assert_string_equal(text, want);
    lop_graph_free(g);
}

static void refuse(const wire *m, lop_status code, const char *text)
{
    lop_error err;
    lop_graph *g;
    t_fails(parse(m, &g, &err), code, err, text);
    assert_null(g);
}

/* The caller has a value named as an inner one would be. */
T_TEST(inner_names_are_those_of_the_call)
{
    const wire body[] = {wire_node("Relu", "a", "t"), wire_node("Neg", "t", "b")};
    const wire f = function_of("F", "a", "b", body, 2, 13);
    const wire nodes[] = {wire_node("Abs", "x", "y/t"), call("F", "x", "s"), wire_node("Add", "y/t", "u"),
                          call("F", "s", "y")};
    const wire m = model_of(nodes, 4, &f, 1);
    expect_nodes(&m, "Abs(x)=y/t Relu(x)=s/t Neg(s/t)=s Add(y/t)=u Relu(s)=y/t_1 Neg(y/t_1)=y");
}

T_TEST(functions_call_functions)
{
    const wire relu = wire_node("Relu", "a", "b"), inner[] = {call("F", "a", "t"), call("F", "t", "b")};
    const wire f[] = {function_of("F", "a", "b", &relu, 1, 13), function_of("G", "a", "b", inner, 2, 13)};
    const wire node = call("G", "x", "y"), m = model_of(&node, 1, f, 2);
    expect_nodes(&m, "Relu(x)=y/t Relu(y/t)=y");
}

T_TEST(inputs_left_out_and_handed_through)
{
    wire clip = {.n = 0};
    wire_text(&clip, 1, "a");
    wire_text(&clip, 1, "l");
    wire_text(&clip, 1, "h");
    wire_text(&clip, 2, "b");
    wire_text(&clip, 4, "Clip");
    const wire f[] = {function_of("C", "alh", "b", &clip, 1, 13), function_of("Two", "ab", "ba", NULL, 0, 13)};
    const wire nodes[] = {wire_node("Abs", "x", "h"), call("C", "x-h", "s"), call("C", "s", "t"),
                          call("Two", "st", "-y")};
    const wire m = model_of(nodes, 4, f, 2);
    expect_nodes(&m, "Abs(x)=h Clip(x,,h)=s Clip(s,,)=t Identity(s)=y");
    const wire bad = call("Two", "-x", "uy"), n = model_of(&bad, 1, f, 2);
    refuse(&n, LOP_E_FORMAT, "node 'u' (Two): function 'Two': output 'a' is an input that is not given");
}

/* What the call says, else the default of the function, else the operator's own. */
T_TEST(attributes_are_the_calls_or_the_functions_or_none)
{
    static const float want[] = {0.5f, 0.25f, 0.01f};
    for (int k = 0; k < 3; k++) {
        wire leak = wire_node("LeakyRelu", "a", "b"), ref = {.n = 0}, given = {.n = 0}, node = call("F", "x", "y");
        wire_text(&ref, 1, "alpha");
        wire_int(&ref, 20, 1);
        wire_text(&ref, 21, "slope");
        wire_message(&leak, 5, &ref);
        wire f = function_of("F", "a", "b", &leak, 1, 13);
        wire_text(&given, 1, "slope");
        wire_float(&given, 2, want[k]);
        wire_int(&given, 20, 1);
        if (k == 0) wire_message(&node, 5, &given);
        if (k == 1) wire_message(&f, 11, &given);
        const wire m = model_of(&node, 1, &f, 1);
        lop_error err;
        lop_graph *g;
        t_ok(parse(&m, &g, &err), err);
        assert_true(lop_node_float(g->node[0], "alpha", 0.01f) == want[k]);
        assert_int_equal(g->node[0]->nattr, k < 2);
        lop_graph_free(g);
    }
}

/* Nothing calls them: they stay as they came, whatever they hold. */
T_TEST(functions_that_nothing_calls_stay)
{
    lop_error err;
    lop_graph *a, *b;
    uint8_t *bytes;
    size_t size;
    const wire again = call("F", "a", "b"), f = function_of("F", "a", "b", &again, 1, 13);
    const wire node = wire_node("Relu", "x", "y"), m = model_of(&node, 1, &f, 1);
    t_ok(parse(&m, &a, &err), err);
    assert_true(a->extra_length > f.n);
    t_ok(lop_onnx_write_bytes(a, &bytes, &size, &err), err);
    t_ok(lop_onnx_parse(bytes, size, NULL, lop_ops(), &b, &err), err);
    same_graph(a, b);
    lop_free(bytes);
    lop_graph_free(a);
    lop_graph_free(b);
}

T_TEST(operator_sets_that_agree_are_taken)
{
    const wire relu = wire_node("Relu", "a", "b"), soft = wire_node("Softmax", "a", "b"), node = call("F", "x", "y");
    const wire f = function_of("F", "a", "b", &relu, 1, 17), m = model_of(&node, 1, &f, 1);
    expect_nodes(&m, "Relu(x)=y");
    const wire old = function_of("F", "a", "b", &soft, 1, 11), n = model_of(&node, 1, &old, 1);
    refuse(&n, LOP_E_UNSUPPORTED, "function 'F' uses Softmax of opset 11, which means something else in the model's "
           "opset 13");
}

T_TEST(overloads_are_told_apart)
{
    const wire relu = wire_node("Relu", "a", "b"), neg = wire_node("Neg", "a", "b");
    wire f[] = {function_of("F", "a", "b", &relu, 1, 13), function_of("F", "a", "b", &neg, 1, 13)};
    wire node = call("F", "x", "y");
    wire m = model_of(&node, 1, f, 2);
    refuse(&m, LOP_E_FORMAT, "function 'F' is there twice");
    wire_text(&f[1], 13, "second");
    wire_text(&node, 8, "second");
    m = model_of(&node, 1, f, 2);
    expect_nodes(&m, "Neg(x)=y");
}

T_TEST(recursion_and_wrong_calls_are_refused)
{
    const wire other = call("G", "a", "b"), back = call("F", "a", "b"), relu = wire_node("Relu", "a", "b");
    const wire f[] = {function_of("F", "a", "b", &other, 1, 13), function_of("G", "a", "b", &back, 1, 13),
                      function_of("H", "a", "b", &relu, 1, 13)};
    wire node = call("F", "x", "y"), m = model_of(&node, 1, f, 3);
    refuse(&m, LOP_E_FORMAT, "node 'y' (F): function 'F' calls itself");
    node = call("H", "xx", "y");
    m = model_of(&node, 1, f, 3);
    refuse(&m, LOP_E_FORMAT, "it has 2 inputs and 1 outputs, function 'H' has 1 and 1");
}

/* Each of 40 functions calls the next one twice: 2^40 nodes out of 3 kB. */
T_TEST(what_grows_without_end_is_refused)
{
    enum { N = 40 };
    static wire f[N];
    for (int k = 0; k < N; k++) {
        char name[2] = {(char)('A' + k), 0}, next[2] = {(char)('B' + k), 0};
        const wire twice[] = {call(next, "a", "t"), call(next, "t", "b")}, last = wire_node("Relu", "a", "b");
        f[k] = k < N - 1 ? function_of(name, "a", "b", twice, 2, 13) : function_of(name, "a", "b", &last, 1, 13);
    }
    const wire node = call("A", "x", "y"), m = model_of(&node, 1, f, N);
    refuse(&m, LOP_E_UNSUPPORTED, "make more than");
}

T_MAIN(T(inner_names_are_those_of_the_call), T(functions_call_functions), T(inputs_left_out_and_handed_through),
       T(attributes_are_the_calls_or_the_functions_or_none), T(functions_that_nothing_calls_stay),
       T(operator_sets_that_agree_are_taken), T(overloads_are_told_apart), T(recursion_and_wrong_calls_are_refused),
       T(what_grows_without_end_is_refused))

/* tests/core/couple/test_groups.c - what ties channels together and what stops them, on nets of two convolutions with
 * something between: a group called prunable can be cut, and what was cut still has the shapes that follow. */
#include "core/graph/net.h"
#include <math.h>
#include "couple/couple.h"
#include "ops/ops.h"

static void whole_numbers(lop_graph *g, const char *name, const int64_t *list, int64_t n)
{
    lop_error err;
    lop_tensor t;
    int id;
    t_ok(lop_tensor_init(&t, LOP_I64, &(lop_shape){1, {n}}, &err), err);
    memcpy(t.data, list, (size_t)n * sizeof *list);
    t_ok(lop_graph_add_constant(g, name, &t, &id, &err), err);
    lop_tensor_clear(&t);
}

static void plain(lop_graph *g) { net_node(g, "Relu", "m", "h", "m"); }

static void slice(lop_graph *g, int64_t start, int64_t end, int64_t axis, int64_t step)
{
    whole_numbers(g, "starts", &start, 1);
    whole_numbers(g, "ends", &end, 1);
    whole_numbers(g, "axes", &axis, 1);
    whole_numbers(g, "steps", &step, 1);
    net_node(g, "Slice", "m", "h starts ends axes steps", "m");
}

static void crop(lop_graph *g) { slice(g, 0, 2, 2, 1); }
static void reversed(lop_graph *g) { slice(g, -1, INT64_MIN + 1, 1, -1); }
static void halved(lop_graph *g) { slice(g, 0, 2, 1, 1); }

static void pad(lop_graph *g, int64_t before, int64_t after, int64_t top)
{
    const int64_t pads[8] = {0, before, top, 0, 0, after, 0, 0};
    whole_numbers(g, "pads", pads, 8);
    net_node(g, "Pad", "m", "h pads", "m");
}

static void border(lop_graph *g) { pad(g, 0, 0, 1); }
static void widened(lop_graph *g) { pad(g, 1, 1, 0); }

static void fixed_reshape(lop_graph *g)
{
    const int64_t shape[4] = {1, 4, 4, 4};
    whole_numbers(g, "shape", shape, 4);
    net_node(g, "Reshape", "m", "h shape", "m");
}

static void twice(lop_graph *g) { net_node(g, "Add", "m", "h h", "m"); }

static void gated(lop_graph *g)
{
    net_constant(g, "w3", (lop_shape){4, {4, 4, 1, 1}}, 0.5, 0.1);
    net_node(g, "GlobalAveragePool", "pool", "h", "p");
    net_node(g, "Conv", "gate", "p w3", "s");
    net_node(g, "Mul", "m", "h s", "m");
}

static void spread(lop_graph *g)
{
    net_constant(g, "w3", (lop_shape){4, {1, 4, 1, 1}}, 0.5, 0.1);
    net_node(g, "Conv", "mask", "h w3", "s");
    net_node(g, "Mul", "m", "h s", "m");
}

static void softened(lop_graph *g)
{
    lop_error err;
    t_ok(lop_node_set_int(net_node(g, "Softmax", "m", "h", "m"), "axis", 1, &err), err);
}

static void added_to_input(lop_graph *g)
{
    net_node(g, "Concat", "both", "x x", "xx");
    lop_error err;
    t_ok(lop_node_set_int(g->node[g->nnode - 1], "axis", 1, &err), err);
    net_node(g, "Add", "m", "h xx", "m");
}

static void unknown(lop_graph *g) { net_node(g, "Unheard", "m", "h", "m"); }

static void transposed(lop_graph *g)
{
    lop_error err;
    t_ok(lop_node_set_ints(net_node(g, "Transpose", "m", "h", "m"), "perm", (const int64_t[]){0, 2, 1, 3}, 4, &err),
         err);
}

static void added(lop_graph *g)
{
    net_constant(g, "w3", (lop_shape){4, {4, 2, 1, 1}}, 0.5, 0.1);
    net_node(g, "Conv", "side", "x w3", "s");
    net_node(g, "Add", "m", "h s", "m");
}

static void depthwise(lop_graph *g)
{
    lop_error err;
    net_constant(g, "w3", (lop_shape){4, {4, 1, 3, 3}}, 0.5, 0.1);
    lop_node *n = net_node(g, "Conv", "m", "h w3", "m");
    t_ok(lop_node_set_int(n, "group", 4, &err), err);
    t_ok(lop_node_set_ints(n, "pads", (const int64_t[]){1, 1, 1, 1}, 4, &err), err);
}

static void captured(lop_graph *g)
{
    lop_error err;
    lop_node *n = net_node(g, "Relu", "m", "h", "m");
    lop_attr *a = lop_array(1, sizeof *a, NULL);
    *a = (lop_attr){.name = lop_string("body", &err), .kind = LOP_ATTR_GRAPH, .length = 5};
    a->raw = (uint8_t *)lop_string("..h..", &err);
    lop_free(n->attr);
    n->attr = a;
    n->nattr = 1;
}

static lop_graph *build(void (*between)(lop_graph *g), int64_t read)
{
    lop_error err;
    lop_graph *g;
    t_ok(lop_graph_new(lop_ops(), &g, &err), err);
    g->opset = lop_array(1, sizeof *g->opset, NULL);
    g->opset[0] = (lop_opset){lop_string("", &err), 13};
    g->nopset = 1;
    net_input(g, "x", (lop_shape){4, {1, 2, 4, 4}});
    net_constant(g, "w1", (lop_shape){4, {4, 2, 1, 1}}, -1, 0.3);
    net_node(g, "Conv", "a", "x w1", "h");
    between(g);
    net_constant(g, "w2", (lop_shape){4, {2, read, 1, 1}}, 1, 0.2);
    net_node(g, "Conv", "b", "m w2", "y");
    net_output(g, "y");
    return g;
}

/* left: channels of 'm' when #1 and #3 of the group stay. */
T_TEST(groups_are_cut_or_say_why_not)
{
    static const struct {
        const char *what;
        void (*between)(lop_graph *g);
        int64_t read, left;
        lop_group_kind kind;
        const char *stopped;
    } cases[] = {
        {"relu", plain, 4, 2, LOP_GROUP_INNER, NULL},
        {"crop", crop, 4, 2, LOP_GROUP_INNER, NULL},
        {"reversed", reversed, 4, 2, LOP_GROUP_INNER, NULL},
        {"halved", halved, 2, 1, LOP_GROUP_INNER, NULL},
        {"border", border, 4, 2, LOP_GROUP_INNER, NULL},
        {"widened", widened, 6, 4, LOP_GROUP_INNER, NULL},
        {"fixed reshape", fixed_reshape, 4, 2, LOP_GROUP_INNER, NULL},
        {"transposed", transposed, 4, 2, LOP_GROUP_INNER, "'b' (Conv): it reads channels along another dimension"},
        {"added", added, 4, 2, LOP_GROUP_STREAM, NULL},
        {"added to itself", twice, 4, 2, LOP_GROUP_INNER, NULL},
        {"gated", gated, 4, 2, LOP_GROUP_INNER, NULL},
        {"spread", spread, 4, 2, LOP_GROUP_INNER, NULL},
        {"depthwise", depthwise, 4, 2, LOP_GROUP_INNER, NULL},
        {"softmax", softened, 4, 2, LOP_GROUP_INNER, "'m' (Softmax): it mixes the channels"},
        {"added to an input", added_to_input, 4, 2, LOP_GROUP_INNER, "'m' (Add): it ties them to entries"},
        {"captured", captured, 4, 2, LOP_GROUP_INNER, "a subgraph may read 'h'"}};
    for (size_t k = 0; k < T_COUNT(cases); k++) {
        lop_graph *g = build(cases[k].between, cases[k].read);
        lop_shapes s;
        lop_groups q;
        lop_error err;
        t_ok(lop_graph_infer(g, NULL, &s, &err), err);
        t_ok(lop_groups_find(g, &s, &q, &err), err);
        const lop_group *p = &q.group[0];
        if (strcmp(p->name, "a") != 0 || p->width != 4 || p->kind != cases[k].kind)
            fail_msg("%s: group '%s' of %d, kind %d", cases[k].what, p->name, (int)p->width, (int)p->kind);
        if (p->prunable != !cases[k].stopped || (cases[k].stopped && !strstr(p->reason, cases[k].stopped)))
            fail_msg("%s: prunable %d, '%s'", cases[k].what, p->prunable, p->reason);
        if (cases[k].stopped && cases[k].between != captured)
            assert_int_equal(p->blocker, lop_graph_node(g, cases[k].between == transposed ? "b" : "m"));
        const lop_status st = lop_graph_cut(g, &q, 0, (const int64_t[]){1, 3}, 2, &err);
        if ((st == LOP_OK) != !cases[k].stopped) fail_msg("%s: cut gave %d", cases[k].what, (int)st);
        lop_shapes_clear(&s);
        t_ok(lop_graph_infer(g, NULL, &s, &err), err);
        if (st == LOP_OK) {
            assert_int_equal(s.value[lop_graph_value(g, "m")].shape.dim[1], cases[k].left);
            assert_int_equal(g->value[lop_graph_value(g, "w1")]->constant.shape.dim[0], 2);     /* names stay */
            assert_int_equal(g->value[lop_graph_value(g, "w2")]->constant.shape.dim[1], cases[k].left);
        }
        lop_shapes_clear(&s);
        lop_groups_clear(&q);
        lop_graph_free(g);
    }
}

T_TEST(consumers_keep_the_weights_of_what_stays)
{
    static const struct { void (*between)(lop_graph *g); double first, second; } cases[] = {
        {plain, 1.2, 1.6}, {reversed, 1.0, 1.4}, {fixed_reshape, 1.2, 1.6}};
    for (size_t k = 0; k < T_COUNT(cases); k++) {
        lop_error err;
        lop_graph *g = build(cases[k].between, 4);
        lop_shapes s;
        lop_groups q;
        t_ok(lop_graph_infer(g, NULL, &s, &err), err);
        t_ok(lop_groups_find(g, &s, &q, &err), err);
        t_ok(lop_graph_cut(g, &q, 0, (const int64_t[]){1, 3}, 2, &err), err);
        const lop_tensor *w2 = &g->value[lop_graph_value(g, "w2")]->constant;
        assert_true(fabs(lop_tensor_get(w2, 0) - cases[k].first) < 1e-6);
        assert_true(fabs(lop_tensor_get(w2, 1) - cases[k].second) < 1e-6);
        lop_shapes_clear(&s);
        lop_groups_clear(&q);
        lop_graph_free(g);
    }
}

/* What an operator that nobody knows reads stays whole; the shapes behind it are not known. */
T_TEST(an_unknown_operator_stops)
{
    lop_error err;
    lop_graph *g = build(unknown, 4);
    lop_shapes s;
    lop_groups q;
    t_ok(lop_graph_infer(g, NULL, &s, &err), err);
    t_ok(lop_groups_find(g, &s, &q, &err), err);
    assert_false(q.group[0].prunable);
    assert_true(strstr(q.group[0].reason, "'m' (Unheard): the operator is not known") != NULL);
    lop_shapes_clear(&s);
    lop_groups_clear(&q);
    lop_graph_free(g);
}

T_TEST(a_wrong_cut_is_refused_and_the_graph_stays)
{
    const struct { lop_cut cut[2]; int n; lop_status code; const char *says; } cases[] = {
        {{{0, (const int64_t[]){1, 0}, 2}}, 1, LOP_E_ARG, "ascending"},
        {{{0, (const int64_t[]){0}, 0}}, 1, LOP_E_ARG, "no channel"},
        {{{0, (const int64_t[]){9999}, 1}}, 1, LOP_E_ARG, "#9999"},
        {{{7, (const int64_t[]){0}, 1}}, 1, LOP_E_ARG, "group 7 of 2"},
        {{{1, (const int64_t[]){0}, 1}}, 1, LOP_E_UNSUPPORTED, "output 'y' of the network"},
        {{{0, (const int64_t[]){2}, 1}}, 1, LOP_E_ARG, "no channel of 'm' would be left"},
        {{{0, (const int64_t[]){0}, 1}, {0, (const int64_t[]){0}, 1}}, 2, LOP_E_ARG, "named twice"}};
    lop_error err;
    lop_graph *g = build(halved, 2);
    lop_shapes s;
    lop_groups q;
    t_ok(lop_graph_infer(g, NULL, &s, &err), err);
    t_ok(lop_groups_find(g, &s, &q, &err), err);
    for (size_t k = 0; k < T_COUNT(cases); k++) {
        t_fails(lop_graph_cut_all(g, &q, cases[k].cut, cases[k].n, &err), cases[k].code, err, cases[k].says);
        assert_int_equal(g->value[lop_graph_value(g, "w1")]->constant.shape.dim[0], 4);
    }
    lop_shapes_clear(&s);
    lop_groups_clear(&q);
    lop_graph_free(g);
}

/* A weight that two nodes share: the one that is cut gets its own, the other keeps the old one. */
T_TEST(a_shared_weight_is_not_changed_for_others)
{
    lop_error err;
    lop_graph *g = build(plain, 4);
    net_node(g, "Conv", "twin", "x w1", "z");
    net_output(g, "z");
    lop_shapes s;
    lop_groups q;
    t_ok(lop_graph_infer(g, NULL, &s, &err), err);
    t_ok(lop_groups_find(g, &s, &q, &err), err);
    t_ok(lop_graph_cut(g, &q, 0, (const int64_t[]){0, 2}, 2, &err), err);
    assert_int_equal(g->value[lop_graph_value(g, "w1")]->constant.shape.dim[0], 4);
    assert_int_equal(g->value[g->node[lop_graph_node(g, "a")]->in[1]]->constant.shape.dim[0], 2);
    lop_shapes_clear(&s);
    lop_groups_clear(&q);
    lop_graph_free(g);
}
T_MAIN(T(groups_are_cut_or_say_why_not), T(consumers_keep_the_weights_of_what_stays), T(an_unknown_operator_stops),
       T(a_wrong_cut_is_refused_and_the_graph_stays), T(a_shared_weight_is_not_changed_for_others))

/* tests/core/graph/test_groups.c - what ties channels together and what stops them, on nets of two convolutions with
 * something between: a group called prunable can be cut, and what was cut still has the shapes that follow. */
#include "net.h"
#include <math.h>
#include "graph/groups.h"
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

static void transposed(lop_graph *g)
{
    lop_error err;
    t_ok(lop_node_set_ints(net_node(g, "Transpose", "m", "h", "m"), "perm", (const int64_t[]){0, 2, 1, 3}, 4, &err), err);
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
    *a = (lop_attr){.name = lop_string("body", &err), .kind = LOP_ATTR_GRAPH, .raw = (uint8_t *)lop_string("..h..", &err), .length = 5};
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

T_TEST(groups_are_cut_or_say_why_not)
{
    static const struct { const char *what; void (*between)(lop_graph *g); int64_t read; const char *stopped; } cases[] = {
        {"relu", plain, 4, NULL}, {"crop", crop, 4, NULL}, {"reversed", reversed, 4, "'m' (Slice)"},
        {"halved", halved, 2, "'m' (Slice)"}, {"border", border, 4, NULL}, {"widened", widened, 6, "'m' (Pad)"},
        {"fixed reshape", fixed_reshape, 4, "'m' (Reshape)"}, {"transposed", transposed, 4, "'m' (Transpose)"},
        {"added", added, 4, "residual stream"}, {"depthwise", depthwise, 4, NULL}, {"captured", captured, 4, "a subgraph"}};
    for (size_t k = 0; k < T_COUNT(cases); k++) {
        lop_graph *g = build(cases[k].between, cases[k].read);
        lop_shapes s;
        lop_groups q;
        lop_error err;
        t_ok(lop_graph_infer(g, NULL, &s, &err), err);
        t_ok(lop_groups_find(g, &s, &q, &err), err);
        const lop_group *p = &q.group[0];
        if (strcmp(p->name, "a") != 0 || p->width != 4) fail_msg("%s: group '%s' of %d", cases[k].what, p->name, (int)p->width);
        if (p->prunable != !cases[k].stopped || (cases[k].stopped && !strstr(p->reason, cases[k].stopped)))
            fail_msg("%s: prunable %d, '%s'", cases[k].what, p->prunable, p->reason);
        const lop_status st = lop_graph_cut(g, &q, 0, (const int64_t[]){1, 3}, 2, &err);
        if ((st == LOP_OK) != !cases[k].stopped) fail_msg("%s: cut gave %d", cases[k].what, (int)st);
        lop_shapes_clear(&s);
        t_ok(lop_graph_infer(g, NULL, &s, &err), err);
        if (st == LOP_OK) {
            assert_int_equal(s.value[lop_graph_value(g, "m")].shape.dim[1], 2);
            assert_int_equal(g->value[lop_graph_value(g, "w1")]->constant.shape.dim[0], 2);     /* names stay */
            const lop_tensor *w2 = &g->value[lop_graph_value(g, "w2")]->constant;
            assert_true(w2->shape.dim[1] == 2 && fabs(lop_tensor_get(w2, 0) - 1.2) < 1e-6 && fabs(lop_tensor_get(w2, 1) - 1.6) < 1e-6);
        }
        lop_shapes_clear(&s);
        lop_groups_clear(&q);
        lop_graph_free(g);
    }
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
T_MAIN(T(groups_are_cut_or_say_why_not), T(a_shared_weight_is_not_changed_for_others))

/* tests/core/exec/test_gather.c - a Gather of channels before a convolution is done by its packing: the same bytes as
 * by the operator, and one step less; left alone where it is not just that. */
#include "core/graph/net.h"
#include "exec/exec.h"
#include "ops/ops.h"

typedef struct { int64_t axis, kernel, stride, pad, group; bool twice; int steps; } kind;

/* x (N, 6, 9, 11) -> Gather -> Conv of 5 filters (-> Relu). */
static lop_graph *net_of(const kind *c)
{
    static const int64_t channel[] = {4, 0, -1, 2};
    lop_graph *g;
    lop_error err;
    lop_tensor index;
    int id;
    t_ok(lop_graph_new(lop_ops(), &g, &err), err);
    g->opset = lop_array(1, sizeof *g->opset, &err);
    g->opset[0] = (lop_opset){lop_string("", &err), 13};
    g->nopset = 1;
    net_input(g, "x", (lop_shape){4, {-1, 6, 9, 11}});
    t_ok(lop_tensor_init(&index, LOP_I64, &(lop_shape){1, {4}}, &err), err);
    memcpy(index.data, channel, sizeof channel);
    t_ok(lop_graph_add_constant(g, "index", &index, &id, &err), err);
    lop_tensor_clear(&index);
    const int64_t in = c->axis == 1 || c->axis == -3 ? 4 : 6;
    net_constant(g, "w", (lop_shape){4, {c->group * 4, in / c->group, c->kernel, c->kernel}}, -0.7, 0.013);
    t_ok(lop_node_set_int(net_node(g, "Gather", "choose", "x index", "part"), "axis", c->axis, &err), err);
    lop_node *conv = net_node(g, "Conv", "conv", "part w", "z");
    t_ok(lop_node_set_ints(conv, "strides", (int64_t[]){c->stride, c->stride}, 2, &err), err);
    t_ok(lop_node_set_ints(conv, "pads", (int64_t[]){c->pad, c->pad, c->pad, c->pad}, 4, &err), err);
    t_ok(lop_node_set_int(conv, "group", c->group, &err), err);
    net_node(g, "Relu", "relu", "z", "y");
    net_output(g, "y");
    if (c->twice) {
        net_node(g, "Relu", "beside", "part", "t");
        net_output(g, "t");
    }
    return g;
}

static int run(const lop_graph *g, bool no_fuse, const lop_tensor *x, lop_tensor *y)
{
    lop_shapes s;
    lop_exec *e;
    lop_exec_step *steps;
    lop_error err;
    int count;
    lop_tensor first;
    t_ok(lop_graph_infer(g, NULL, &s, &err), err);
    t_ok(lop_exec_new(g, &s, &(lop_exec_options){.no_fuse = no_fuse}, &e, &err), err);
    t_ok(lop_exec_run(e, NULL, x, y, &err), err);
    t_ok(lop_tensor_narrow(&first, x, 0, 0, 1, &err), err);
    t_ok(lop_exec_profile(e, NULL, &first, 1, &steps, &count, &err), err);
    lop_tensor_clear(&first);
    lop_free(steps);
    lop_exec_free(e);
    lop_shapes_clear(&s);
    return count;
}

T_TEST(channels_are_gathered_by_the_packing)
{
    static const kind kinds[] = {
        {1, 1, 1, 0, 1, false, 1}, {1, 3, 1, 1, 1, false, 1}, {-3, 3, 2, 1, 1, false, 1}, {1, 3, 1, 0, 1, false, 1},
        {1, 3, 1, 1, 2, false, 2}, {2, 3, 1, 1, 1, false, 2}, {1, 1, 1, 0, 1, true, 3}};
    for (size_t k = 0; k < T_COUNT(kinds); k++) {
        lop_graph *g = net_of(&kinds[k]);
        lop_tensor x, y[2], z[2];
        lop_error err;
        t_ok(lop_tensor_init(&x, LOP_F32, &(lop_shape){4, {3, 6, 9, 11}}, &err), err);
        for (int64_t i = 0; i < lop_tensor_size(&x); i++)
            ((float *)x.data)[i] = (float)lop_random_normal(k, LOP_STREAM_USER, (uint64_t)i);
        assert_int_equal(run(g, false, &x, y), kinds[k].steps);
        run(g, true, &x, z);
        for (int i = 0; i < g->noutput; i++) {
            assert_true(lop_shape_equal(&y[i].shape, &z[i].shape));
            assert_memory_equal(y[i].data, z[i].data, lop_tensor_bytes(&z[i]));
            lop_tensor_clear(&y[i]);
            lop_tensor_clear(&z[i]);
        }
        lop_tensor_clear(&x);
        lop_graph_free(g);
    }
}

T_MAIN(T(channels_are_gathered_by_the_packing))

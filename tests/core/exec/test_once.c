/* tests/core/exec/test_once.c - a plan and its run in one: what the sizes of the inputs do not say, their values do;
 * and whole batches where images are not apart after all. */
#include "core/graph/net.h"
#include "exec/exec.h"
#include "ops/ops.h"

static lop_graph *open_graph(void)
{
    lop_graph *g;
    lop_error err;
    t_ok(lop_graph_new(lop_ops(), &g, &err), err);
    g->opset = lop_array(1, sizeof *g->opset, &err);
    g->opset[0] = (lop_opset){lop_string("", &err), 13};
    g->nopset = 1;
    return g;
}

static void input(lop_graph *g, const char *name, lop_dtype type)
{
    const int id = net_input(g, name, (lop_shape){0, {0}});
    lop_value *v = g->value[id];
    v->type = type;
    v->shaped = false;
}

static lop_tensor filled(lop_dtype type, lop_shape shape, const double *values)
{
    lop_tensor t;
    lop_error err;
    t_ok(lop_tensor_init(&t, type, &shape, &err), err);
    for (int64_t i = 0; i < lop_tensor_size(&t); i++) lop_tensor_set(&t, i, values[i]);
    return t;
}

/* Runs g on `in`, which goes, and compares its one output; g goes too. */
static void gives(lop_graph *g, lop_tensor *in, int nin, lop_shape shape, const double *values)
{
    lop_error err;
    lop_tensor y;
    char text[96], want[96];
    t_ok(lop_exec_once(g, NULL, in, nin, NULL, 0, &y, &err), err);
    if (!lop_shape_equal(&y.shape, &shape))
        fail_msg("%s, %s expected", lop_shape_text(&y.shape, text, sizeof text),
                 lop_shape_text(&shape, want, sizeof want));
    int64_t size = 1;
    for (int d = 0; d < shape.ndim; d++) size *= shape.dim[d];
    for (int64_t i = 0; i < size; i++) assert_true(lop_tensor_get(&y, i) == values[i]);
    lop_tensor_clear(&y);
    for (int i = 0; i < nin; i++) lop_tensor_clear(&in[i]);
    lop_graph_free(g);
}

static const double numbers[] = {1, -2, 3, 4, -5, 6};

T_TEST(few_integers_may_say_a_shape)
{
    lop_graph *g = open_graph();
    input(g, "x", LOP_F32);
    input(g, "sizes", LOP_I64);
    net_node(g, "Reshape", "r", "x sizes", "z");
    net_node(g, "Relu", "a", "z", "y");
    net_output(g, "y");
    lop_tensor in[2] = {filled(LOP_F32, (lop_shape){2, {2, 3}}, numbers),
                        filled(LOP_I64, (lop_shape){1, {2}}, (double[]){3, -1})};
    gives(g, in, 2, (lop_shape){2, {3, 2}}, (double[]){1, 0, 3, 4, 0, 6});
}

T_TEST(values_may_say_a_shape)
{
    lop_graph *g = open_graph();
    input(g, "x", LOP_F32);
    net_node(g, "Relu", "a", "x", "z");
    net_node(g, "NonZero", "n", "z", "y");
    net_output(g, "y");
    lop_tensor x = filled(LOP_F32, (lop_shape){2, {2, 3}}, numbers);
    gives(g, &x, 1, (lop_shape){2, {2, 4}}, (double[]){0, 0, 1, 1, 0, 2, 0, 2});
}

/* Size, as a number, into every image: at one image it would be another number. */
T_TEST(numbers_that_count_images_take_the_whole_batch)
{
    lop_graph *g = open_graph();
    lop_error err;
    input(g, "x", LOP_F32);
    net_node(g, "Size", "s", "x", "n");
    t_ok(lop_node_set_int(net_node(g, "Cast", "c", "n", "f"), "to", 1, &err), err);
    net_node(g, "Mul", "m", "x f", "y");
    net_output(g, "y");
    lop_tensor x = filled(LOP_F32, (lop_shape){2, {2, 3}}, numbers);
    gives(g, &x, 1, (lop_shape){2, {2, 3}}, (double[]){6, -12, 18, 24, -30, 36});
}

T_TEST(a_shape_is_that_of_the_whole_batch)
{
    lop_graph *g = open_graph();
    input(g, "x", LOP_F32);
    net_node(g, "Shape", "s", "x", "y");
    net_output(g, "y");
    lop_tensor x = filled(LOP_F32, (lop_shape){2, {2, 3}}, numbers);
    gives(g, &x, 1, (lop_shape){1, {2}}, (double[]){2, 3});
}

T_TEST(inputs_of_other_batches)
{
    static const struct { const char *op; lop_shape a, b, y; double values[4]; } cases[] = {
        {"Add", {2, {2, 2}}, {2, {1, 2}}, {2, {2, 2}}, {2, -4, 4, 2}},
        {"Add", {2, {2, 2}}, {1, {2}}, {2, {2, 2}}, {2, -4, 4, 2}},
        {"MatMul", {2, {2, 2}}, {2, {2, 1}}, {2, {2, 1}}, {5, -5}},
        {"MatMul", {2, {1, 2}}, {2, {2, 1}}, {2, {1, 1}}, {5}},
        {"Add", {0, {0}}, {0, {0}}, {0, {0}}, {2}}};
    for (size_t k = 0; k < T_COUNT(cases); k++) {
        lop_graph *g = open_graph();
        input(g, "a", LOP_F32);
        input(g, "b", LOP_F32);
        net_node(g, cases[k].op, "n", "a b", "y");
        net_output(g, "y");
        lop_tensor in[2] = {filled(LOP_F32, cases[k].a, numbers), filled(LOP_F32, cases[k].b, numbers)};
        gives(g, in, 2, cases[k].y, cases[k].values);
    }
}

T_TEST(images_that_are_apart_stay_so)
{
    lop_graph *g = open_graph();
    lop_error err;
    input(g, "x", LOP_F32);
    net_constant(g, "w", (lop_shape){4, {1, 3, 1, 1}}, 1, 1);
    net_node(g, "Conv", "c", "x w", "y");
    net_output(g, "y");
    lop_tensor x = filled(LOP_F32, (lop_shape){4, {2, 3, 1, 1}}, numbers), y;
    const int wanted = lop_graph_value(g, "x");
    t_ok(lop_exec_once(g, NULL, &x, 1, &wanted, 1, &y, &err), err);         /* a given value may be wanted */
    assert_memory_equal(y.data, x.data, lop_tensor_bytes(&x));
    lop_tensor_clear(&y);
    gives(g, &x, 1, (lop_shape){4, {2, 1, 1, 1}}, (double[]){6, 12});
}

T_TEST(what_cannot_be_run_is_said)
{
    static const struct { const char *op; lop_dtype second; lop_status code; const char *says; } cases[] = {
        {"LSTM", LOP_I64, LOP_E_UNSUPPORTED, "operator LSTM is not in this version"},
        {"Gather", LOP_I64, LOP_E_SHAPE, "index #0 is 9 of 2"},
        {"Reshape", LOP_F32, LOP_E_FORMAT, "shape"},
        {"Reshape", LOP_I64, LOP_E_SHAPE, "node 'n' (Reshape): 2x3 does not reshape to 9"}};
    for (size_t k = 0; k < T_COUNT(cases); k++) {
        lop_graph *g = open_graph();
        lop_error err;
        lop_tensor y;
        input(g, "x", LOP_F32);
        input(g, "i", cases[k].second);
        net_node(g, cases[k].op, "n", "x i", "y");
        net_output(g, "y");
        lop_tensor in[2] = {filled(LOP_F32, (lop_shape){2, {2, 3}}, numbers),
                            filled(cases[k].second, (lop_shape){1, {1}}, (double[]){9})};
        t_fails(lop_exec_once(g, NULL, in, 2, NULL, 0, &y, &err), cases[k].code, err, cases[k].says);
        t_fails(lop_exec_once(g, NULL, in, 1, NULL, 0, &y, &err), LOP_E_ARG, err, "1 inputs given, the graph has 2");
        assert_null(y.data);
        lop_tensor_clear(&in[0]);
        lop_tensor_clear(&in[1]);
        lop_graph_free(g);
    }
}

T_TEST(a_wrong_type_is_named)
{
    lop_graph *g = open_graph();
    lop_error err;
    lop_tensor y, x = filled(LOP_I64, (lop_shape){1, {2}}, numbers);
    input(g, "x", LOP_F32);
    net_node(g, "NonZero", "n", "x", "y");
    net_output(g, "y");
    t_fails(lop_exec_once(g, NULL, &x, 1, NULL, 0, &y, &err), LOP_E_SHAPE, err, "input 'x': int64 given, float32");
    lop_tensor_clear(&x);
    lop_graph_free(g);
}

T_MAIN(T(few_integers_may_say_a_shape), T(values_may_say_a_shape), T(numbers_that_count_images_take_the_whole_batch),
       T(a_shape_is_that_of_the_whole_batch), T(inputs_of_other_batches), T(images_that_are_apart_stay_so),
       T(what_cannot_be_run_is_said), T(a_wrong_type_is_named))

/* tests/core/graph/net.h - small graphs for the suites of this folder, and a table of toy operators. */
#ifndef LOP_TESTS_GRAPH_NET_H
#define LOP_TESTS_GRAPH_NET_H
#include "support/t.h"
#include "graph/graph.h"

static inline int net_value(lop_graph *g, const char *name)
{
    lop_error err;
    int id = lop_graph_value(g, name);
    if (id < 0) t_ok(lop_graph_add_value(g, name, &id, &err), err);
    return id;
}

static inline int net_input(lop_graph *g, const char *name, lop_shape shape)
{
    const int v = net_value(g, name);
    int *grown = lop_array((int64_t)g->ninput + 1, sizeof *grown, NULL);
    for (int k = 0; k < g->ninput; k++) grown[k] = g->input[k];
    grown[g->ninput++] = v;
    lop_free(g->input);
    g->input = grown;
    g->value[v]->type = LOP_F32;
    g->value[v]->shaped = true;
    g->value[v]->shape = shape;
    return v;
}

static inline void net_output(lop_graph *g, const char *name)
{
    int *grown = lop_array((int64_t)g->noutput + 1, sizeof *grown, NULL);
    for (int k = 0; k < g->noutput; k++) grown[k] = g->output[k];
    grown[g->noutput++] = net_value(g, name);
    lop_free(g->output);
    g->output = grown;
}

/* A float32 initializer; element k is first + k * step. */
static inline int net_constant(lop_graph *g, const char *name, lop_shape shape, double first, double step)
{
    lop_error err;
    lop_tensor t = {0};
    int id = -1;
    t_ok(lop_tensor_init(&t, LOP_F32, &shape, &err), err);
    for (int64_t k = 0; k < lop_tensor_size(&t); k++) lop_tensor_set(&t, k, first + step * (double)k);
    t_ok(lop_graph_add_constant(g, name, &t, &id, &err), err);
    lop_tensor_clear(&t);
    return id;
}

/* in: names with blanks between; "-" is an input left out. */
static inline lop_node *net_node(lop_graph *g, const char *op, const char *name, const char *in, const char *out)
{
    lop_error err;
    int list[8], n = 0;
    char copy[256];
    snprintf(copy, sizeof copy, "%s", in);
    for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
        list[n++] = strcmp(word, "-") == 0 ? -1 : net_value(g, word);
    const int made = net_value(g, out);
    lop_node *node = NULL;
    t_ok(lop_graph_insert(g, g->nnode, op, name, list, n, &made, 1, &node, &err), err);
    return node;
}

/* ---- toy operators; Odd gives UNSUPPORTED ---- */

static inline lop_status toy_same(const lop_op_call *c, lop_error *err)
{
    for (int i = 1; i < c->nin; i++)
        if (!lop_shape_equal(&c->in[0]->shape, &c->in[i]->shape))
            return lop_fail(err, LOP_E_SHAPE, "inputs differ in shape");
    c->out[0].type = c->in[0]->type;
    c->out[0].shape = c->in[0]->shape;
    return LOP_OK;
}

static inline lop_status toy_norm(const lop_op_call *c, lop_error *err)
{
    (void)err;
    c->out[0].type = c->in[0]->type;
    c->out[0].shape = c->in[0]->shape;
    return LOP_OK;
}

static inline lop_status toy_sum(const lop_op_call *c, lop_error *err)
{
    (void)err;
    for (int64_t k = 0; k < lop_tensor_size(&c->out[0]); k++) {
        double sum = 0;
        for (int i = 0; i < c->nin; i++) sum += lop_tensor_get(c->in[i], k);
        lop_tensor_set(&c->out[0], k, sum);
    }
    return LOP_OK;
}

static inline lop_status toy_shape(const lop_op_call *c, lop_error *err)
{
    (void)err;
    c->out[0].type = LOP_I64;
    c->out[0].shape = (lop_shape){1, {c->in[0]->shape.ndim}};
    return LOP_OK;
}

static inline lop_status toy_shape_run(const lop_op_call *c, lop_error *err)
{
    (void)err;
    for (int d = 0; d < c->in[0]->shape.ndim; d++) lop_tensor_set(&c->out[0], d, (double)c->in[0]->shape.dim[d]);
    return LOP_OK;
}

/* Stride 1, no padding. */
static inline lop_status toy_conv(const lop_op_call *c, lop_error *err)
{
    const lop_shape *x = &c->in[0]->shape, *w = &c->in[1]->shape;
    if (x->ndim != w->ndim)
        return lop_fail(err, LOP_E_SHAPE, "weight has %d dimensions, %d expected", w->ndim, x->ndim);
    c->out[0].type = c->in[0]->type;
    c->out[0].shape = (lop_shape){x->ndim, {x->dim[0], w->dim[0]}};
    for (int d = 2; d < x->ndim; d++) c->out[0].shape.dim[d] = x->dim[d] - w->dim[d] + 1;
    return LOP_OK;
}

static inline lop_status toy_gemm(const lop_op_call *c, lop_error *err)
{
    (void)err;
    const int last = lop_node_int(c->node, "transB", 0) ? 0 : 1;
    c->out[0].type = c->in[0]->type;
    c->out[0].shape = (lop_shape){2, {c->in[0]->shape.dim[0], c->in[1]->shape.dim[last]}};
    return LOP_OK;
}

static inline lop_status toy_odd(const lop_op_call *c, lop_error *err)
{
    (void)c;
    return lop_fail(err, LOP_E_UNSUPPORTED, "mode 'odd' is not built here");
}

static const lop_op toy_list[] = {
    {"Add", LOP_CUT_JOIN, toy_same, toy_sum, true},       {"BatchNormalization", LOP_CUT_NORM, toy_norm, NULL, true},
    {"Conv", LOP_CUT_CONV, toy_conv, NULL, true},         {"Gemm", LOP_CUT_GEMM, toy_gemm, NULL, true},
    {"Identity", LOP_CUT_SAME, toy_same, toy_sum, true},  {"Odd", LOP_CUT_BLOCK, toy_odd, NULL, false},
    {"Relu", LOP_CUT_SAME, toy_same, NULL, true},         {"Shape", LOP_CUT_SHAPE, toy_shape, toy_shape_run, false}};
static const lop_op_table toys = {toy_list, 8};

static inline lop_graph *net_new(void)
{
    lop_error err;
    lop_graph *g = NULL;
    t_ok(lop_graph_new(&toys, &g, &err), err);
    return g;
}
#endif

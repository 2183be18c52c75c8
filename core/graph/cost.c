/* core/graph/cost.c - multiply-adds and parameters, from shapes. */
#include "graph/graph.h"
#include <string.h>

/* The role of a node in the count; norms and recurrent layers have parameters only. */
typedef enum { NOTHING, CONV, CONV_TRANSPOSE, GEMM, MATMUL, NORM, RECURRENT } role;

static role role_of(const lop_node *n)
{
    static const struct { const char *op; role is; } roles[] = {
        {"Conv", CONV}, {"ConvTranspose", CONV_TRANSPOSE}, {"Gemm", GEMM}, {"MatMul", MATMUL},
        {"BatchNormalization", NORM}, {"InstanceNormalization", NORM}, {"LayerNormalization", NORM},
        {"GroupNormalization", NORM}, {"RNN", RECURRENT}, {"GRU", RECURRENT}, {"LSTM", RECURRENT}};
    if (n->domain && n->domain[0] && strcmp(n->domain, "ai.onnx") != 0) return NOTHING;
    for (size_t k = 0; k < sizeof roles / sizeof *roles; k++)
        if (strcmp(n->op, roles[k].op) == 0) return roles[k].is;
    return NOTHING;
}

static bool counts_macs(role is) { return is != NOTHING && is != NORM && is != RECURRENT; }

/* The inputs that are parameters: weight and bias, or scale and shift; either factor of MatMul; W, R and B of ONNX's
 * recurrent layers. */
static bool is_parameter(const lop_node *n, role is, int i)
{
    if (is == RECURRENT) return i >= 1 && i <= 3;
    if (is == MATMUL) return i <= 1;
    return is != NOTHING && (i == 1 || i == 2 || (is == GEMM && i == 0)) && i < n->nin;
}

static lop_status product(const lop_shape *shape, int from, int64_t *total, lop_error *err)
{
    for (int d = from; d < shape->ndim; d++) {
        const int64_t next = shape->dim[d];
        if (next < 0 || (next > 0 && *total > INT64_MAX / next)) return lop_fail(err, LOP_E_SHAPE, "too many MACs");
        *total *= next;
    }
    return LOP_OK;
}

static lop_status macs_of(const lop_node *n, const lop_shapes *s, role is, int64_t *macs, lop_error *err)
{
    const lop_shape *in = &s->value[n->in[0]].shape, *weight = &s->value[n->in[1]].shape;
    const lop_shape *out = &s->value[n->out[0]].shape;
    lop_shape inner = {1, {1}};                         /* what each element summed over */
    int64_t total = 1;
    *macs = 0;
    if (is == GEMM || is == MATMUL) {
        const bool turned = is == GEMM && lop_node_int(n, "transA", 0) != 0;
        if (in->ndim < 1 || (turned && in->ndim < 2)) return lop_fail(err, LOP_E_SHAPE, "a factor is a scalar");
        inner.dim[0] = in->dim[turned ? in->ndim - 2 : in->ndim - 1];
    }
    /* Conv sums c / group * taps for each output; ConvTranspose spreads each input over n / group * taps. */
    lop_status st = product(is == CONV_TRANSPOSE ? in : out, 0, &total, err);
    const bool matrix = is == GEMM || is == MATMUL;
    if (st == LOP_OK) st = product(matrix ? &inner : weight, matrix ? 0 : 1, &total, err);
    if (st == LOP_OK) *macs = total;
    return st;
}

/* counted NULL: all of this node's; else those that no node before had, by value, and marks them. What Identity gives
 * is a value of its own: it can be trained and cut apart from its source. */
static void add_parameters(const lop_shapes *s, const lop_node *n, bool *counted, lop_cost *cost)
{
    const role is = role_of(n);
    for (int i = 0; i < n->nin; i++) {
        const int v = n->in[i];
        if (!is_parameter(n, is, i) || v < 0 || !s->value[v].data || (counted && counted[v])) continue;
        if (counted) counted[v] = true;
        cost->params += lop_tensor_size(&s->value[v]);
        cost->bytes += (int64_t)lop_tensor_bytes(&s->value[v]);
    }
}

static lop_status add_macs(const lop_graph *g, const lop_shapes *s, int node, lop_cost *cost, lop_error *err)
{
    const lop_node *n = g->node[node];
    const role is = role_of(n);
    int64_t macs = 0;
    if (!counts_macs(is)) return LOP_OK;
    lop_status st = LOP_OK;
    if (n->nin < 2 || n->nout < 1 || n->in[0] < 0 || n->in[1] < 0 || n->out[0] < 0 || !s->known[n->in[0]] ||
        !s->known[n->in[1]] || !s->known[n->out[0]])
        st = lop_fail(err, LOP_E_UNSUPPORTED, "its shapes are not known");
    if (st == LOP_OK) st = macs_of(n, s, is, &macs, err);
    if (st == LOP_OK && macs > INT64_MAX - cost->macs) st = lop_fail(err, LOP_E_SHAPE, "too many MACs");
    if (st == LOP_OK) cost->macs += macs;
    else lop_error_at(err, "node '%s' (%s)", lop_node_label(g, n), n->op);
    return st;
}

lop_status lop_node_cost(const lop_graph *g, const lop_shapes *s, int node, lop_cost *out, lop_error *err)
{
    *out = (lop_cost){0};
    if (node < 0 || node >= g->nnode)
        return lop_fail(err, LOP_E_ARG, "node #%d is not in a graph of %d nodes", node, g->nnode);
    add_parameters(s, g->node[node], NULL, out);
    return add_macs(g, s, node, out, err);
}

lop_status lop_graph_params(const lop_graph *g, const lop_shapes *s, lop_cost *out, lop_error *err)
{
    *out = (lop_cost){0};
    bool *counted = lop_array(g->nvalue, sizeof *counted, err);
    if (!counted) return LOP_E_MEMORY;
    for (int k = 0; k < g->nnode; k++) add_parameters(s, g->node[k], counted, out);
    lop_free(counted);
    return LOP_OK;
}

lop_status lop_graph_cost(const lop_graph *g, const lop_shapes *s, lop_cost *out, lop_error *err)
{
    lop_status st = LOP_OK;
    *out = (lop_cost){0};
    bool *counted = lop_array(g->nvalue, sizeof *counted, err);
    if (!counted) return LOP_E_MEMORY;
    for (int k = 0; st == LOP_OK && k < g->nnode; k++) {
        add_parameters(s, g->node[k], counted, out);
        st = add_macs(g, s, k, out, err);
    }
    lop_free(counted);
    return st;
}

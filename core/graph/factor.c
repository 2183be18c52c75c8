/* core/graph/factor.c - one layer replaced by two, one after the other. */
#include "graph/graph_impl.h"
#include <string.h>

enum { SPACE = 2 };

typedef struct { int64_t stride[SPACE], pad[2 * SPACE], dilation[SPACE]; } window;

static void read_window(const lop_node *n, window *w)
{
    *w = (window){.stride = {1, 1}, .dilation = {1, 1}};
    lop_node_ints(n, "strides", w->stride, SPACE);
    lop_node_ints(n, "pads", w->pad, 2 * SPACE);
    lop_node_ints(n, "dilations", w->dilation, SPACE);
}

/* Along each dimension of the window the one factor or the other does all, where the kernel is more than 1 wide. */
static lop_status check_conv(const lop_graph *g, const lop_node *n, const lop_tensor *first, const lop_tensor *second,
                        bool carries[SPACE], lop_error *err)
{
    const char *label = lop_node_label(g, n), *mode = lop_node_string(n, "auto_pad", "NOTSET");
    if (strcmp(n->op, "Conv") != 0 || n->nin < 2 || lop_node_int(n, "group", 1) != 1)
        return lop_fail(err, LOP_E_UNSUPPORTED,
                        "node '%s' (%s): only a Gemm, or a convolution of one group, is factored", label, n->op);
    if (strcmp(mode, "NOTSET") != 0 && strcmp(mode, "VALID") != 0)
        return lop_fail(err, LOP_E_UNSUPPORTED, "node '%s' (Conv): auto_pad '%s' cannot be factored", label, mode);
    const lop_shape *w = &g->value[n->in[1]]->constant.shape, *a = &first->shape, *b = &second->shape;
    bool fits = g->value[n->in[1]]->constant.data && w->ndim == 4 && a->ndim == 4 && b->ndim == 4 &&
                a->dim[1] == w->dim[1] && b->dim[0] == w->dim[0] && b->dim[1] == a->dim[0];
    for (int d = 0; fits && d < SPACE; d++) {
        const int64_t k = w->dim[d + 2];
        carries[d] = a->dim[d + 2] == k && (k > 1 || b->dim[d + 2] == 1);
        fits = (carries[d] && b->dim[d + 2] == 1) || (a->dim[d + 2] == 1 && b->dim[d + 2] == k);
    }
    if (fits && first->type == LOP_F32 && second->type == LOP_F32) return LOP_OK;
    return lop_fail(err, LOP_E_SHAPE, "node '%s' (Conv): these factors do not make up its filters", label);
}

/* The window's part that this factor does; of the other dimensions a plain 1. */
static lop_status set_window(lop_node *n, const window *w, const lop_tensor *weight, const bool carries[SPACE],
                             bool wanted, lop_error *err)
{
    window own = {.stride = {1, 1}, .dilation = {1, 1}};
    for (int d = 0; d < SPACE; d++) {
        if (carries[d] != wanted) continue;
        own.stride[d] = w->stride[d];
        own.dilation[d] = w->dilation[d];
        own.pad[d] = w->pad[d];
        own.pad[d + SPACE] = w->pad[d + SPACE];
    }
    lop_status st = lop_node_set_ints(n, "kernel_shape", weight->shape.dim + 2, SPACE, err);
    if (st == LOP_OK) st = lop_node_set_ints(n, "strides", own.stride, SPACE, err);
    if (st == LOP_OK) st = lop_node_set_ints(n, "pads", own.pad, 2 * SPACE, err);
    if (st == LOP_OK) st = lop_node_set_ints(n, "dilations", own.dilation, SPACE, err);
    return st;
}

/* The new node before the old one, which reads it from now on and keeps its name and its output. */
static lop_status put_first(lop_graph *g, int at, const char *op, const lop_tensor *first, lop_node **made,
                            lop_error *err)
{
    lop_node *n = g->node[at];
    char *name = NULL;
    int between = -1, weight = -1;
    lop_status st = lop_node_name_with(g, n, "/first", &name, err);
    if (st == LOP_OK) st = lop_graph_add_value(g, name, &between, err);
    if (st == LOP_OK) st = lop_graph_add_constant(g, name, first, &weight, err);
    if (st == LOP_OK) {
        const int in[2] = {n->in[0], weight};
        st = lop_graph_insert(g, at, op, name, in, 2, &between, 1, made, err);
    }
    if (st == LOP_OK) n->in[0] = between;
    lop_free(name);
    return st;
}

static lop_status factor_conv(lop_graph *g, int node, const lop_tensor *first, const lop_tensor *second,
                              lop_error *err)
{
    bool carries[SPACE] = {false};
    window w;
    lop_node *n = g->node[node], *made = NULL;
    lop_status st = check_conv(g, n, first, second, carries, err);
    if (st != LOP_OK) return st;
    read_window(n, &w);
    st = put_first(g, node, "Conv", first, &made, err);
    if (st == LOP_OK) st = set_window(made, &w, first, carries, true, err);
    if (st == LOP_OK) st = set_window(n, &w, second, carries, false, err);
    if (st == LOP_OK) st = lop_graph_replace_constant(g, n, 1, second, err);
    return st;
}

/* Whether it is a matrix of these sizes, with what ones there are behind. */
static bool is_matrix(const lop_tensor *t, int64_t rows, int64_t columns)
{
    const lop_shape *s = &t->shape;
    return t->type == LOP_F32 && s->ndim >= 2 && s->dim[0] == rows && s->dim[1] == columns &&
           lop_tensor_size(t) == rows * columns;
}

/* The matrix (rows, columns), or with `turned` its transpose. */
static lop_status matrix_of(const lop_tensor *t, bool turned, lop_tensor *out, lop_error *err)
{
    const int64_t rows = t->shape.dim[0], columns = t->shape.dim[1];
    if (!turned) return lop_tensor_reshape(out, t, &(lop_shape){2, {rows, columns}}, err);
    lop_status st = lop_tensor_init(out, LOP_F32, &(lop_shape){2, {columns, rows}}, err);
    if (st != LOP_OK) return st;
    const float *from = t->data;
    float *to = out->data;
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++) to[j * rows + i] = from[i * columns + j];
    return LOP_OK;
}

/* A Gemm as a MatMul, which needs no bias in any opset, and a Gemm. */
static lop_status factor_gemm(lop_graph *g, int node, const lop_tensor *first, const lop_tensor *second, lop_error *err)
{
    lop_node *n = g->node[node], *made = NULL;
    const lop_tensor *w = n->nin > 1 ? &g->value[n->in[1]]->constant : NULL;
    const char *label = lop_node_label(g, n);
    lop_tensor a = {0}, b = {0};
    if (!w || !w->data || w->shape.ndim != 2 || lop_node_int(n, "transA", 0) != 0)
        return lop_fail(err, LOP_E_UNSUPPORTED, "node '%s' (Gemm): weights, and an input as it is, expected", label);
    const bool turned = lop_node_int(n, "transB", 0) != 0;                      /* (n, c) in the file */
    const int64_t filters = w->shape.dim[turned ? 0 : 1], channels = w->shape.dim[turned ? 1 : 0];
    if (!is_matrix(first, first->shape.dim[0], channels) || !is_matrix(second, filters, first->shape.dim[0]))
        return lop_fail(err, LOP_E_SHAPE, "node '%s' (Gemm): these factors do not make up its filters", label);
    lop_status st = matrix_of(first, true, &a, err);
    if (st == LOP_OK) st = matrix_of(second, !turned, &b, err);
    if (st == LOP_OK) st = put_first(g, node, "MatMul", &a, &made, err);
    if (st == LOP_OK) st = lop_graph_replace_constant(g, n, 1, &b, err);
    lop_tensor_clear(&a);
    lop_tensor_clear(&b);
    return st;
}

lop_status lop_graph_factor(lop_graph *g, int node, const lop_tensor *first, const lop_tensor *second, lop_error *err)
{
    if (node < 0 || node >= g->nnode) return lop_fail(err, LOP_E_ARG, "no node #%d", node);
    const bool gemm = strcmp(g->node[node]->op, "Gemm") == 0;
    return (gemm ? factor_gemm : factor_conv)(g, node, first, second, err);
}

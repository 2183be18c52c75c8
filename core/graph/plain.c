/* core/graph/plain.c - a graph made plain, so that what works on weights finds them: constants computed once and kept
 * as initializers, and floating point of other widths as float32. */
#include "graph/graph_impl.h"
#include <string.h>

/* ---- constants ---- */

static bool is_output(const lop_graph *g, int v)
{
    for (int k = 0; k < g->noutput; k++)
        if (g->output[k] == v) return true;
    return false;
}

/* All that the node reads are initializers, and all that it makes is known. */
static bool constant_node(const lop_graph *g, const lop_shapes *s, const lop_node *n)
{
    for (int i = 0; i < n->nin; i++)
        if (n->in[i] >= 0 && !g->value[n->in[i]]->constant.data) return false;
    for (int o = 0; o < n->nout; o++)
        if (n->out[o] >= 0 && (!s->folded[n->out[o]] || is_output(g, n->out[o]))) return false;
    return n->nout > 0;
}

lop_status lop_graph_fold_constants(lop_graph *g, int *count, lop_error *err)
{
    lop_shapes s;
    *count = 0;
    bool *gone = lop_array(g->nnode, sizeof *gone, err);
    if (!gone) return LOP_E_MEMORY;
    lop_status st = lop_graph_infer(g, NULL, &s, err);
    if (st != LOP_OK) {
        lop_free(gone);
        return st;
    }
    for (int k = 0; k < g->nnode; k++) {        /* in order: what one leaves is what the next may read */
        const lop_node *n = g->node[k];
        gone[k] = constant_node(g, &s, n);
        for (int o = 0; gone[k] && o < n->nout; o++)
            if (n->out[o] >= 0) lop_tensor_share(&g->value[n->out[o]]->constant, &s.value[n->out[o]]);
        *count += gone[k];
    }
    for (int k = g->nnode - 1; k >= 0; k--)
        if (gone[k]) lop_graph_remove_node(g, k);
    lop_free(gone);
    lop_shapes_clear(&s);
    return *count > 0 ? lop_graph_prune_dead(g, err) : LOP_OK;
}

/* ---- float32 ---- */

static bool other_float(lop_dtype t) { return t == LOP_F16 || t == LOP_BF16 || t == LOP_F64; }

static lop_status convert(lop_tensor *t, int *count, lop_error *err)
{
    lop_tensor single = {0};
    if (!other_float(t->type) || !t->data) return LOP_OK;
    const lop_status st = lop_tensor_cast(&single, t, LOP_F32, err);
    if (st != LOP_OK) return st;
    lop_tensor_clear(t);
    *t = single;
    ++*count;
    return LOP_OK;
}

/* Attributes that name an element type, and those that hold a tensor. */
static lop_status convert_node(lop_node *n, int *count, lop_error *err)
{
    static const char *const names[] = {"to", "dtype", "output_dtype", "stash_type"};
    lop_status st = LOP_OK;
    for (int k = 0; st == LOP_OK && k < n->nattr; k++) {
        lop_attr *a = &n->attr[k];
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            if (a->kind == LOP_ATTR_INT && strcmp(a->name, names[i]) == 0 && other_float((lop_dtype)a->i)) {
                a->i = LOP_F32;
                ++*count;
            }
        if (a->kind == LOP_ATTR_TENSOR) st = convert(&a->tensor, count, err);
    }
    return st;
}

static bool has_other_float(const lop_graph *g)
{
    for (int v = 0; v < g->nvalue; v++)
        if (other_float(g->value[v]->type) || other_float(g->value[v]->constant.type)) return true;
    for (int k = 0; k < g->nnode; k++)
        for (int a = 0; a < g->node[k]->nattr; a++)
            if (other_float(g->node[k]->attr[a].tensor.type)) return true;
    return false;
}

lop_status lop_graph_to_float32(lop_graph *g, int *count, lop_error *err)
{
    lop_status st = LOP_OK;
    *count = 0;
    if (!has_other_float(g)) return LOP_OK;
    for (int k = 0; k < g->nnode; k++)
        for (int a = 0; a < g->node[k]->nattr; a++)
            if (g->node[k]->attr[a].kind == LOP_ATTR_GRAPH)
                return lop_fail(err, LOP_E_UNSUPPORTED, "node '%s' (%s): it has a subgraph, whose element types stay",
                                lop_node_label(g, g->node[k]), g->node[k]->op);
    for (int v = 0; st == LOP_OK && v < g->nvalue; v++) {
        st = convert(&g->value[v]->constant, count, err);
        if (!other_float(g->value[v]->type)) continue;
        g->value[v]->type = LOP_F32;
        *count += !g->value[v]->constant.data;          /* an initializer is counted already */
    }
    for (int k = 0; st == LOP_OK && k < g->nnode; k++) st = convert_node(g->node[k], count, err);
    return st;
}

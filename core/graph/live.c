/* core/graph/live.c - the memory that running a graph needs, by the lifetimes of its values. */
#include "graph/graph.h"

static bool held(const lop_graph *g, const lop_shapes *s, int v) { return v >= 0 && !s->value[v].data && g->value[v]; }

/* last[v]: the last node that reads v, nnode for the graph's outputs. */
static void find_last(const lop_graph *g, int *last)
{
    for (int v = 0; v < g->nvalue; v++) last[v] = -1;
    for (int k = 0; k < g->nnode; k++)
        for (int i = 0; i < g->node[k]->nin; i++)
            if (g->node[k]->in[i] >= 0) last[g->node[k]->in[i]] = k;
    for (int k = 0; k < g->noutput; k++) last[g->output[k]] = g->nnode;
}

static lop_status add(const lop_graph *g, const lop_shapes *s, int v, int64_t *alive, lop_error *err)
{
    if (!held(g, s, v)) return LOP_OK;
    const int64_t bytes = (int64_t)lop_tensor_bytes(&s->value[v]);
    if (!s->known[v]) return lop_fail(err, LOP_E_UNSUPPORTED, "value '%s': its shape is not known", g->value[v]->name);
    if (bytes > INT64_MAX - *alive) return lop_fail(err, LOP_E_SHAPE, "more bytes than can be counted");
    *alive += bytes;
    return LOP_OK;
}

/* A value's readers come behind its maker, so that what dies at a node was added before. */
static void drop(const lop_graph *g, const lop_shapes *s, const int *list, int n, int *last, int node, int64_t *alive)
{
    for (int i = 0; i < n; i++) {
        const int v = list[i];
        if (!held(g, s, v) || last[v] > node || last[v] == -2) continue;
        *alive -= (int64_t)lop_tensor_bytes(&s->value[v]);
        last[v] = -2;                                   /* gone, also where a node reads it twice */
    }
}

lop_status lop_graph_peak_bytes(const lop_graph *g, const lop_shapes *s, int64_t *bytes, lop_error *err)
{
    int64_t alive = 0;
    lop_status st = LOP_OK;
    *bytes = 0;
    int *last = lop_array(g->nvalue, sizeof *last, err);
    if (!last) return LOP_E_MEMORY;
    find_last(g, last);
    for (int k = 0; st == LOP_OK && k < g->ninput; k++) st = add(g, s, g->input[k], &alive, err);
    if (alive > *bytes) *bytes = alive;
    for (int k = 0; st == LOP_OK && k < g->nnode; k++) {
        const lop_node *n = g->node[k];
        for (int o = 0; st == LOP_OK && o < n->nout; o++) st = add(g, s, n->out[o], &alive, err);
        if (alive > *bytes) *bytes = alive;
        drop(g, s, n->in, n->nin, last, k, &alive);
        drop(g, s, n->out, n->nout, last, k, &alive);   /* what nobody reads */
    }
    lop_free(last);
    return st;
}

/* core/graph/order.c - who makes and reads what, topological order, and what can go because nothing needs it. */
#include "graph/graph_impl.h"
#include <string.h>

void lop_graph_captured(const lop_graph *g, bool *captured)
{
    for (int k = 0; k < g->nnode; k++)
        for (int a = 0; a < g->node[k]->nattr; a++) {
            const lop_attr *attr = &g->node[k]->attr[a];
            if (!attr->raw) continue;
            for (int v = 0; v < g->nvalue; v++) {
                const char *name = g->value[v]->name;
                if (!captured[v] && name[0] && memmem(attr->raw, attr->length, name, strlen(name))) captured[v] = true;
            }
        }
}

static lop_status find_producers(const lop_graph *g, int *producer, lop_error *err)
{
    for (int v = 0; v < g->nvalue; v++) producer[v] = -1;
    for (int k = 0; k < g->nnode; k++)
        for (int o = 0; o < g->node[k]->nout; o++) {
            const int v = g->node[k]->out[o];
            if (v < 0) continue;
            if (producer[v] >= 0)
                return lop_fail(err, LOP_E_FORMAT, "value '%s' is made twice, by '%s' and '%s'", g->value[v]->name,
                                lop_node_label(g, g->node[producer[v]]), lop_node_label(g, g->node[k]));
            if (lop_value_is_initializer(g->value[v]))
                return lop_fail(err, LOP_E_FORMAT, "value '%s' is an initializer, and node '%s' makes it too",
                                g->value[v]->name, lop_node_label(g, g->node[k]));
            producer[v] = k;
        }
    for (int k = 0; k < g->ninput; k++)
        if (producer[g->input[k]] >= 0)
            return lop_fail(err, LOP_E_FORMAT, "value '%s' is an input of the graph, and node '%s' makes it too",
                            g->value[g->input[k]]->name, lop_node_label(g, g->node[producer[g->input[k]]]));
    return LOP_OK;
}

lop_status lop_graph_uses(const lop_graph *g, lop_uses *out, lop_error *err)
{
    int64_t total = 0;
    for (int k = 0; k < g->nnode; k++) total += g->node[k]->nin;
    *out = (lop_uses){.nvalue = g->nvalue};
    out->producer = lop_array(g->nvalue, sizeof *out->producer, err);
    out->first = lop_array((int64_t)g->nvalue + 1, sizeof *out->first, err);
    out->reader = lop_array(total, sizeof *out->reader, err);
    int *fill = lop_array(g->nvalue, sizeof *fill, err);
    lop_status st = !out->producer || !out->first || !out->reader || !fill ? LOP_E_MEMORY
                                                                           : find_producers(g, out->producer, err);
    for (int k = 0; st == LOP_OK && k < g->nnode; k++)
        for (int i = 0; i < g->node[k]->nin; i++)
            if (g->node[k]->in[i] >= 0) out->first[g->node[k]->in[i] + 1]++;
    for (int v = 0; st == LOP_OK && v < g->nvalue; v++) {
        out->first[v + 1] += out->first[v];
        fill[v] = out->first[v];
    }
    for (int k = 0; st == LOP_OK && k < g->nnode; k++)
        for (int i = 0; i < g->node[k]->nin; i++)
            if (g->node[k]->in[i] >= 0) out->reader[fill[g->node[k]->in[i]]++] = k;
    lop_free(fill);
    if (st != LOP_OK) lop_uses_free(out);
    return st;
}

void lop_uses_free(lop_uses *u)
{
    lop_free(u->producer);
    lop_free(u->first);
    lop_free(u->reader);
    *u = (lop_uses){0};
}

/* ---- sorting ---- */

/* A heap of positions, the smallest on top: nodes that wait for nothing, in the file's order. */
static void heap_push(int *heap, int *count, int item)
{
    int at = (*count)++;
    for (; at > 0 && heap[(at - 1) / 2] > item; at = (at - 1) / 2) heap[at] = heap[(at - 1) / 2];
    heap[at] = item;
}

static int heap_pop(int *heap, int *count)
{
    const int top = heap[0], item = heap[--*count];
    int at = 0;
    for (int child = 1; child < *count; child = 2 * at + 1) {
        if (child + 1 < *count && heap[child + 1] < heap[child]) child++;
        if (heap[child] >= item) break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = item;
    return top;
}

/* waits[k]: how many inputs of node k other nodes make; FORMAT for an input that comes from nowhere. */
static lop_status count_waits(const lop_graph *g, const lop_uses *u, const bool *given, int *waits, lop_error *err)
{
    for (int k = 0; k < g->nnode; k++)
        for (int i = 0; i < g->node[k]->nin; i++) {
            const int v = g->node[k]->in[i];
            if (v < 0) continue;
            if (u->producer[v] >= 0) waits[k]++;
            else if (!given[v])
                return lop_fail(err, LOP_E_FORMAT, "node '%s' (%s) reads '%s', which nothing makes",
                                lop_node_label(g, g->node[k]), g->node[k]->op, g->value[v]->name);
        }
    for (int k = 0; k < g->noutput; k++)
        if (u->producer[g->output[k]] < 0 && !given[g->output[k]])
            return lop_fail(err, LOP_E_FORMAT, "output '%s' is made by no node", g->value[g->output[k]]->name);
    return LOP_OK;
}

static lop_status place(const lop_graph *g, const lop_uses *u, int *waits, int *heap, lop_node **order, lop_error *err)
{
    int ready = 0, placed = 0;
    for (int k = 0; k < g->nnode; k++)
        if (waits[k] == 0) heap_push(heap, &ready, k);
    while (ready > 0) {
        const int k = heap_pop(heap, &ready);
        order[placed++] = g->node[k];
        for (int o = 0; o < g->node[k]->nout; o++) {
            const int v = g->node[k]->out[o];
            for (int r = v < 0 ? 0 : u->first[v]; v >= 0 && r < u->first[v + 1]; r++)
                if (--waits[u->reader[r]] == 0) heap_push(heap, &ready, u->reader[r]);
        }
    }
    for (int k = 0; placed < g->nnode && k < g->nnode; k++)
        if (waits[k] > 0)
            return lop_fail(err, LOP_E_FORMAT, "node '%s' (%s) is on, or behind, a cycle",
                            lop_node_label(g, g->node[k]), g->node[k]->op);
    return LOP_OK;
}

lop_status lop_graph_sort(lop_graph *g, lop_error *err)
{
    lop_uses u = {0};
    bool *given = lop_array(g->nvalue, sizeof *given, err);
    int *waits = lop_array(g->nnode, sizeof *waits, err), *heap = lop_array(g->nnode, sizeof *heap, err);
    lop_node **order = lop_array(g->nnode, sizeof *order, err);
    lop_status st = given && waits && heap && order ? lop_graph_uses(g, &u, err) : LOP_E_MEMORY;
    for (int v = 0; st == LOP_OK && v < g->nvalue; v++) given[v] = lop_value_is_initializer(g->value[v]);
    for (int k = 0; st == LOP_OK && k < g->ninput; k++) given[g->input[k]] = true;
    if (st == LOP_OK) st = count_waits(g, &u, given, waits, err);
    if (st == LOP_OK) st = place(g, &u, waits, heap, order, err);
    if (st == LOP_OK && g->nnode > 0) memcpy(g->node, order, (size_t)g->nnode * sizeof *order);
    lop_uses_free(&u);
    lop_free(given);
    lop_free(waits);
    lop_free(heap);
    lop_free(order);
    return st;
}

/* ---- dead nodes ---- */

static void drop_nodes(lop_graph *g, bool *needed)
{
    for (int k = g->nnode - 1; k >= 0; k--) {           /* backwards: readers stand behind */
        bool alive = false;
        for (int o = 0; o < g->node[k]->nout; o++) alive |= g->node[k]->out[o] >= 0 && needed[g->node[k]->out[o]];
        for (int i = 0; alive && i < g->node[k]->nin; i++)
            if (g->node[k]->in[i] >= 0) needed[g->node[k]->in[i]] = true;
        if (alive) continue;
        lop_node_free(g->node[k]);
        g->node[k] = NULL;
    }
    int kept = 0;
    for (int k = 0; k < g->nnode; k++)
        if (g->node[k]) g->node[kept++] = g->node[k];
    g->nnode = kept;
}

/* An initializer that nothing reads leaves the list of inputs as well: it would turn into one that must be given. */
static void drop_constants(lop_graph *g, const bool *needed)
{
    int kept = 0;
    for (int k = 0; k < g->ninput; k++)
        if (needed[g->input[k]] || !lop_value_is_initializer(g->value[g->input[k]])) g->input[kept++] = g->input[k];
    g->ninput = kept;
    for (int v = 0; v < g->nvalue; v++)
        if (!needed[v]) {
            lop_tensor_clear(&g->value[v]->constant);
            lop_free(g->value[v]->kept);
            g->value[v]->kept = NULL;
            g->value[v]->kept_length = 0;
        }
}

lop_status lop_graph_prune_dead(lop_graph *g, lop_error *err)
{
    bool *needed = lop_array(g->nvalue, sizeof *needed, err);
    if (!needed) return LOP_E_MEMORY;
    lop_graph_captured(g, needed);
    for (int k = 0; k < g->noutput; k++) needed[g->output[k]] = true;
    drop_nodes(g, needed);
    drop_constants(g, needed);
    lop_free(needed);
    return LOP_OK;
}

/* core/graph/groups.c - channel classes by union-find, carried from producers through the graph in topological order. */
#include "graph/groups.h"
#include "graph/graph_impl.h"
#include <stdio.h>
#include <string.h>

typedef struct {
    const lop_graph *g;
    const lop_shapes *s;
    lop_groups *q;
    int *parent, *maker, *stop; /* by class: union-find, node that made it (-1: an input), node that stops it (-1) */
    bool *tied;                 /* by class: an Add or its like reads it */
    bool *output;               /* by class: leaves the network */
    int64_t capacity;
    int count;
    lop_error *err;
} search;

enum { MOST = 1 << 24 };        /* channels of all kinds: a file may declare an input of any width */

static int root(search *f, int c)
{
    while (f->parent[c] != c) c = f->parent[c] = f->parent[f->parent[c]];
    return c;
}

/* The lower number stays: the first producer names the group. */
static void unite(search *f, int a, int b)
{
    a = root(f, a);
    b = root(f, b);
    if (a < b) f->parent[b] = a;
    if (b < a) f->parent[a] = b;
}

static int64_t channels_of(const search *f, int v)
{
    const lop_tensor *t = &f->s->value[v];
    return f->s->known[v] && t->shape.ndim >= 2 && !t->data ? t->shape.dim[1] : 0;
}

static lop_status grow(search *f, int64_t need)
{
    int64_t cap[5] = {f->capacity, f->capacity, f->capacity, f->capacity, f->capacity};
    lop_status st = lop_reserve((void **)&f->parent, &cap[0], need, sizeof *f->parent, f->err);
    if (st == LOP_OK) st = lop_reserve((void **)&f->maker, &cap[1], need, sizeof *f->maker, f->err);
    if (st == LOP_OK) st = lop_reserve((void **)&f->stop, &cap[2], need, sizeof *f->stop, f->err);
    if (st == LOP_OK) st = lop_reserve((void **)&f->tied, &cap[3], need, sizeof *f->tied, f->err);
    if (st == LOP_OK) st = lop_reserve((void **)&f->output, &cap[4], need, sizeof *f->output, f->err);
    if (st == LOP_OK) f->capacity = cap[0];
    return st;
}

static lop_status new_labels(search *f, int v, int64_t n, int **out)
{
    *out = f->q->label[v] = lop_array(n, sizeof **out, f->err);
    return *out ? LOP_OK : LOP_E_MEMORY;
}

/* Fresh classes for all channels of v, made by node (or -1), stopped by `stop` (or -1). */
static lop_status fresh(search *f, int v, int node, int stop)
{
    const int64_t n = channels_of(f, v);
    if (n == 0) return LOP_OK;
    if (n > MOST - f->count)
        return lop_fail(f->err, LOP_E_UNSUPPORTED, "value '%s' and those before it have more than %d channels",
                        f->g->value[v]->name, MOST);
    int *label;
    lop_status st = grow(f, f->count + n);
    if (st == LOP_OK) st = new_labels(f, v, n, &label);
    for (int64_t i = 0; st == LOP_OK && i < n; i++) {
        const int c = f->count++;
        label[i] = f->parent[c] = c;
        f->maker[c] = node;
        f->stop[c] = stop;
        f->tied[c] = f->output[c] = false;
    }
    return st;
}

static void stop_all(search *f, int v, int node)
{
    const int64_t n = channels_of(f, v);
    for (int64_t i = 0; f->q->label[v] && i < n; i++)
        if (f->stop[f->q->label[v][i]] < 0) f->stop[f->q->label[v][i]] = node;
}

static lop_status stop_node(search *f, int k)
{
    const lop_node *n = f->g->node[k];
    for (int i = 0; i < n->nin; i++)
        if (n->in[i] >= 0) stop_all(f, n->in[i], k);
    lop_status st = LOP_OK;
    for (int i = 0; st == LOP_OK && i < n->nout; i++)
        if (n->out[i] >= 0) st = fresh(f, n->out[i], -1, k);
    return st;
}

/* Channel i of `to` is channel i / repeat of `from`. */
static lop_status pass(search *f, int from, int to, int64_t repeat)
{
    const int64_t n = channels_of(f, to);
    int *label;
    if (!f->q->label[from] || n != channels_of(f, from) * repeat) return LOP_OK;
    lop_status st = new_labels(f, to, n, &label);
    for (int64_t i = 0; st == LOP_OK && i < n; i++) label[i] = f->q->label[from][i / repeat];
    return st;
}

static bool constant(const search *f, int v) { return v >= 0 && f->s->value[v].data != NULL; }

static lop_status visit_conv(search *f, int k)
{
    const lop_node *n = f->g->node[k];
    const int64_t group = lop_node_int(n, "group", 1), c = channels_of(f, n->in[0]), out = channels_of(f, n->out[0]);
    if (!constant(f, n->in[1]) || (n->nin > 2 && n->in[2] >= 0 && !constant(f, n->in[2]))) return stop_node(f, k);
    if (group == 1) return fresh(f, n->out[0], k, -1);
    return group == c && out == c ? pass(f, n->in[0], n->out[0], 1) : stop_node(f, k);
}

static lop_status visit_join(search *f, int k)
{
    const lop_node *n = f->g->node[k];
    const int64_t c = channels_of(f, n->out[0]);
    int first = -1;
    for (int i = 0; i < n->nin; i++) {
        const int v = n->in[i];
        if (v < 0 || (constant(f, v) && lop_tensor_size(&f->s->value[v]) == 1)) continue;
        if (!f->q->label[v] || channels_of(f, v) != c || constant(f, v)) return stop_node(f, k);
        if (first < 0) { first = v; continue; }
        for (int64_t j = 0; j < c; j++) {
            unite(f, f->q->label[first][j], f->q->label[v][j]);
            f->tied[f->q->label[first][j]] = true;
        }
    }
    return first < 0 ? LOP_OK : pass(f, first, n->out[0], 1);
}

static lop_status visit_concat(search *f, int k)
{
    const lop_node *n = f->g->node[k];
    const int64_t axis = lop_node_int(n, "axis", 1), ndim = f->s->value[n->out[0]].shape.ndim;
    int64_t at = 0;
    int *label;
    for (int i = 0; i < n->nin; i++)
        if (n->in[i] < 0 || !f->q->label[n->in[i]]) return stop_node(f, k);
    if ((axis < 0 ? axis + ndim : axis) != 1) return stop_node(f, k);
    lop_status st = new_labels(f, n->out[0], channels_of(f, n->out[0]), &label);
    for (int i = 0; st == LOP_OK && i < n->nin; i++)
        for (int64_t j = 0; j < channels_of(f, n->in[i]); j++) label[at++] = f->q->label[n->in[i]][j];
    return st;
}

/* (N, c, h, w) to (N, c h w), nothing else. */
static lop_status visit_flatten(search *f, int k)
{
    const lop_node *n = f->g->node[k];
    const lop_shape *in = &f->s->value[n->in[0]].shape, *out = &f->s->value[n->out[0]].shape;
    if (in->ndim < 2 || out->ndim != 2 || in->dim[0] != out->dim[0] || in->dim[1] < 1) return stop_node(f, k);
    return pass(f, n->in[0], n->out[0], out->dim[1] / in->dim[1]);
}

/* Entry i of the integers that a node has as constant input `slot`, or as an attribute; `otherwise` where it has none. */
static int64_t entry_of(const search *f, const lop_node *n, int slot, const char *attribute, int i, int64_t otherwise)
{
    int64_t list[2 * LOP_MAX_DIMS];
    if (slot < n->nin && n->in[slot] >= 0) {
        const lop_tensor *t = &f->s->value[n->in[slot]];
        return t->data && i < lop_tensor_size(t) ? (int64_t)lop_tensor_get(t, i) : otherwise;
    }
    return i < lop_node_ints(n, attribute, list, 2 * LOP_MAX_DIMS) && i < 2 * LOP_MAX_DIMS ? list[i] : otherwise;
}

/* Slice and Pad leave channels as they are where dimension 1 keeps its size and is neither reversed nor shifted. */
static lop_status visit_spatial(search *f, int k)
{
    const lop_node *n = f->g->node[k];
    const bool pads = strcmp(n->op, "Pad") == 0;
    bool still = channels_of(f, n->in[0]) == channels_of(f, n->out[0]) && (!pads || n->nin < 4);
    if (pads) still = still && entry_of(f, n, 1, "pads", 1, -1) == 0;
    for (int i = 0; !pads && i < LOP_MAX_DIMS; i++) still = still && entry_of(f, n, 4, "steps", i, 1) > 0;
    return still ? pass(f, n->in[0], n->out[0], 1) : stop_node(f, k);
}

static bool gemm_is_plain(const search *f, const lop_node *n)
{
    return constant(f, n->in[1]) && lop_node_int(n, "transA", 0) == 0 && lop_node_float(n, "alpha", 1) == 1.0f &&
           lop_node_float(n, "beta", 1) == 1.0f && (n->nin < 3 || n->in[2] < 0 || constant(f, n->in[2]));
}

static lop_status visit_kind(search *f, int k)
{
    const lop_node *n = f->g->node[k];
    const lop_op *op = lop_op_find(f->g->ops, n->domain, n->op);
    if (n->nout < 1 || n->out[0] < 0 || constant(f, n->out[0])) return LOP_OK;
    if (!op || n->nin < 1 || n->in[0] < 0) return stop_node(f, k);
    switch (op->cut) {
    case LOP_CUT_SAME: return pass(f, n->in[0], n->out[0], 1);
    case LOP_CUT_NORM:
        for (int i = 1; i < n->nin; i++)
            if (!constant(f, n->in[i])) return stop_node(f, k);
        return pass(f, n->in[0], n->out[0], 1);
    case LOP_CUT_JOIN: return visit_join(f, k);
    case LOP_CUT_CONV: return visit_conv(f, k);
    case LOP_CUT_GEMM: return gemm_is_plain(f, n) ? fresh(f, n->out[0], k, -1) : stop_node(f, k);
    case LOP_CUT_CONCAT: return visit_concat(f, k);
    case LOP_CUT_FLATTEN: return visit_flatten(f, k);
    case LOP_CUT_SLICE:
    case LOP_CUT_PAD: return visit_spatial(f, k);
    case LOP_CUT_SHAPE: return LOP_OK;
    case LOP_CUT_BLOCK: break;
    }
    return stop_node(f, k);
}

/* Channels that did not come through (an output of other dimensions, say) are stopped here. */
static lop_status visit(search *f, int k)
{
    const lop_node *n = f->g->node[k];
    const lop_op *op = lop_op_find(f->g->ops, n->domain, n->op);
    const bool lost_is_fine = op && (op->cut == LOP_CUT_SHAPE || op->cut == LOP_CUT_CONV || op->cut == LOP_CUT_GEMM);
    lop_status st = visit_kind(f, k);
    if (st != LOP_OK || lost_is_fine || n->nin < 1 || n->nout < 1 || n->in[0] < 0 || n->out[0] < 0) return st;
    return f->q->label[n->in[0]] && !f->q->label[n->out[0]] && !constant(f, n->out[0]) ? stop_node(f, k) : st;
}

/* What a subgraph (the body of an If or Loop) may read stays whole. */
static lop_status stop_captured(search *f)
{
    bool *captured = lop_array(f->g->nvalue, sizeof *captured, f->err);
    if (!captured) return LOP_E_MEMORY;
    lop_graph_captured(f->g, captured);
    for (int v = 0; v < f->g->nvalue; v++)
        for (int64_t i = 0; captured[v] && f->q->label[v] && i < channels_of(f, v); i++) f->output[f->q->label[v][i]] = true;
    lop_free(captured);
    return LOP_OK;
}

static bool listed(const int *list, int n, int k)
{
    for (int i = 0; i < n; i++)
        if (list[i] == k) return true;
    return false;
}

/* Numbers the groups: classes whose producers are connected. A producer's classes belong together. */
static lop_status number(search *f)
{
    lop_groups *q = f->q;
    int *first = lop_array(f->g->nnode, sizeof *first, f->err);         /* by node: a class it made, plus one */
    int *joint = lop_array(f->count, sizeof *joint, f->err);            /* union-find over roots, by producer */
    q->group = lop_array(f->count, sizeof *q->group, f->err);
    q->group_of = lop_array(f->count, sizeof *q->group_of, f->err);
    q->rank_of = lop_array(f->count, sizeof *q->rank_of, f->err);
    lop_status st = first && joint && q->group && q->group_of && q->rank_of ? LOP_OK : LOP_E_MEMORY;
    for (int c = 0; st == LOP_OK && c < f->count; c++) joint[c] = root(f, c);
    for (bool again = st == LOP_OK; again;) {           /* the least root reaches all of a group in a few rounds */
        again = false;
        for (int c = 0; c < f->count; c++) {
            const int m = f->maker[c] + 1, r = root(f, c);
            int *low = m > 0 ? &first[m - 1] : NULL;
            if (low && (*low == 0 || joint[r] + 1 < *low)) { *low = joint[r] + 1; again = true; }
            if (low && *low - 1 < joint[r]) { joint[r] = *low - 1; again = true; }
        }
    }
    for (int c = 0; st == LOP_OK && c < f->count; c++) {
        const int r = root(f, c), lead = joint[r];
        q->group_of[c] = q->rank_of[c] = -1;
        if (f->maker[lead] < 0) continue;
        if (c == lead) {
            lop_group *p = &q->group[q->count];
            p->name = lop_string(lop_node_label(f->g, f->g->node[f->maker[c]]), f->err);
            if (!p->name) st = LOP_E_MEMORY;
            q->group_of[c] = q->count++;
        } else {
            q->group_of[c] = q->group_of[lead];
        }
        q->rank_of[c] = c == r ? (int)q->group[q->group_of[c]].width++ : q->rank_of[r];
    }
    q->classes = f->count;
    lop_free(first);
    lop_free(joint);
    return st;
}

static lop_status add_to(int **list, int *n, int k, lop_error *err)
{
    int64_t capacity = *n;
    if (listed(*list, *n, k)) return LOP_OK;
    lop_status st = lop_reserve((void **)list, &capacity, *n + 1, sizeof **list, err);
    if (st == LOP_OK) (*list)[(*n)++] = k;
    return st;
}

/* Producers from the classes' makers, consumers from whose input carries them. */
static lop_status members(search *f)
{
    lop_groups *q = f->q;
    lop_status st = LOP_OK;
    for (int k = 0; st == LOP_OK && k < f->g->nnode; k++) {
        const lop_node *n = f->g->node[k];
        const lop_op *op = lop_op_find(f->g->ops, n->domain, n->op);
        const bool reads = op && (op->cut == LOP_CUT_CONV || op->cut == LOP_CUT_GEMM);
        if (!reads || n->nout < 1 || n->out[0] < 0 || n->in[0] < 0) continue;
        const int *made = q->label[n->out[0]], *read = q->label[n->in[0]];
        if (made && f->maker[made[0]] == k && q->group_of[made[0]] >= 0) {
            lop_group *p = &q->group[q->group_of[made[0]]];
            st = add_to(&p->producer, &p->nproducer, k, f->err);
        }
        if (lop_node_int(n, "group", 1) != 1) continue;
        for (int64_t i = 0; st == LOP_OK && read && i < channels_of(f, n->in[0]); i++) {
            if (q->group_of[read[i]] < 0) continue;
            lop_group *p = &q->group[q->group_of[read[i]]];
            st = add_to(&p->consumer, &p->nconsumer, k, f->err);
        }
    }
    return st;
}

static void judge(search *f)
{
    lop_groups *q = f->q;
    for (int i = 0; i < q->count; i++) q->group[i].prunable = true;
    for (int c = 0; c < f->count; c++) {
        if (q->group_of[c] < 0) continue;
        lop_group *p = &q->group[q->group_of[c]];
        if (!p->prunable) continue;
        const lop_node *stop = f->stop[c] >= 0 ? f->g->node[f->stop[c]] : NULL;
        if (f->output[c]) snprintf(p->reason, sizeof p->reason, "its channels are an output of the network, or a subgraph reads them");
        else if (stop)
            snprintf(p->reason, sizeof p->reason, "stopped by node '%.80s' (%.30s)", lop_node_label(f->g, stop), stop->op);
        else if (f->maker[c] < 0) snprintf(p->reason, sizeof p->reason, "tied to an input of the network");
        else if (f->tied[c] || p->nproducer > 1)
            snprintf(p->reason, sizeof p->reason, "residual stream: tied by addition, %d producers", p->nproducer);
        else if (p->nconsumer == 0) snprintf(p->reason, sizeof p->reason, "no weights read it");
        p->prunable = !*p->reason;
    }
}

lop_status lop_groups_find(const lop_graph *g, const lop_shapes *s, lop_groups *out, lop_error *err)
{
    *out = (lop_groups){.nvalue = g->nvalue};
    search f = {.g = g, .s = s, .q = out, .err = err};
    out->label = lop_array(g->nvalue, sizeof *out->label, err);
    out->channels = lop_array(g->nvalue, sizeof *out->channels, err);
    lop_status st = out->label && out->channels ? LOP_OK : LOP_E_MEMORY;
    for (int v = 0; st == LOP_OK && v < g->nvalue; v++) out->channels[v] = channels_of(&f, v);
    for (int i = 0; st == LOP_OK && i < g->ninput; i++)
        if (!g->value[g->input[i]]->constant.data) st = fresh(&f, g->input[i], -1, -1);
    for (int k = 0; st == LOP_OK && k < g->nnode; k++) st = visit(&f, k);
    for (int i = 0; st == LOP_OK && i < g->noutput; i++)
        for (int64_t j = 0; out->label[g->output[i]] && j < channels_of(&f, g->output[i]); j++)
            f.output[out->label[g->output[i]][j]] = true;
    if (st == LOP_OK) st = stop_captured(&f);
    if (st == LOP_OK) st = number(&f);
    if (st == LOP_OK) st = members(&f);
    if (st == LOP_OK) judge(&f);
    lop_free(f.parent);
    lop_free(f.maker);
    lop_free(f.stop);
    lop_free(f.tied);
    lop_free(f.output);
    if (st != LOP_OK) lop_groups_clear(out);
    return st;
}

void lop_groups_clear(lop_groups *q)
{
    for (int i = 0; q->group && i < q->count; i++) {
        lop_free(q->group[i].name);
        lop_free(q->group[i].producer);
        lop_free(q->group[i].consumer);
    }
    for (int v = 0; q->label && v < q->nvalue; v++) lop_free(q->label[v]);
    lop_free(q->group);
    lop_free(q->label);
    lop_free(q->channels);
    lop_free(q->group_of);
    lop_free(q->rank_of);
    *q = (lop_groups){0};
}

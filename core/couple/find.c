/* core/couple/find.c - the groups of a graph: classes are carried through it in topological order, then numbered. */
#include "couple/couple_impl.h"
#include <stdio.h>
#include <string.h>

/* ---- one pass through the nodes ---- */

static lop_status visit_kind(couple *f, int k, lop_cut_kind kind)
{
    switch (kind) {
    case LOP_CUT_SAME: return couple_visit_same(f, k);
    case LOP_CUT_POOL: return couple_visit_pool(f, k);
    case LOP_CUT_JOIN: return couple_visit_join(f, k);
    case LOP_CUT_CONV: return couple_visit_conv(f, k);
    case LOP_CUT_CONV_TRANSPOSE: return couple_visit_conv_transpose(f, k);
    case LOP_CUT_GEMM: return couple_visit_gemm(f, k);
    case LOP_CUT_MATMUL: return couple_visit_matmul(f, k);
    case LOP_CUT_NORM: return couple_visit_norm(f, k);
    case LOP_CUT_GROUP_NORM: return couple_visit_group_norm(f, k);
    case LOP_CUT_AXIS: return couple_visit_axis(f, k);
    case LOP_CUT_REDUCE: return couple_visit_reduce(f, k);
    case LOP_CUT_CONCAT: return couple_visit_concat(f, k);
    case LOP_CUT_SPLIT: return couple_visit_split(f, k);
    case LOP_CUT_SLICE:
    case LOP_CUT_PAD:
    case LOP_CUT_GATHER:
    case LOP_CUT_TILE: return couple_visit_pick(f, k);
    case LOP_CUT_EXPAND: return couple_visit_expand(f, k);
    case LOP_CUT_FLATTEN: return couple_visit_reshape(f, k);
    case LOP_CUT_TRANSPOSE: return couple_visit_transpose(f, k);
    case LOP_CUT_DEPTH: return couple_visit_depth(f, k);
    case LOP_CUT_SHAPE: return LOP_OK;
    case LOP_CUT_BLOCK: break;
    }
    couple_stop_node(f, k, "what it does to channels is not known");
    return LOP_OK;
}

static bool has_further_outputs(const lop_node *n, lop_cut_kind kind)
{
    for (int o = 1; kind != LOP_CUT_SPLIT && kind != LOP_CUT_SAME && kind != LOP_CUT_POOL && o < n->nout; o++)
        if (n->out[o] >= 0) return true;
    return false;
}

static lop_status visit(couple *f, int k)
{
    const lop_node *n = f->g->node[k];
    const lop_op *op = lop_op_find(f->g->ops, n->domain, n->op);
    if (n->nout < 1 || n->nin < 1 || (n->out[0] >= 0 && couple_constant(f, n->out[0]))) return LOP_OK;
    if (!op || n->in[0] < 0 || n->out[0] < 0 || !f->s->known[n->out[0]] || !f->s->known[n->in[0]])
        couple_stop_node(f, k, "the operator is not known");
    else if (has_further_outputs(n, op->cut)) couple_stop_node(f, k, "it gives more than one output");
    else return visit_kind(f, k, op->cut);
    return LOP_OK;
}

/* What leaves the network stays whole, and what a subgraph (the body of an If or Loop) may read. */
static lop_status stop_edges(couple *f)
{
    bool *captured = lop_array(f->g->nvalue, sizeof *captured, f->err);
    if (!captured) return LOP_E_MEMORY;
    lop_graph_captured(f->g, captured);
    for (int i = 0; i < f->g->noutput; i++)
        couple_stop_value(f, f->g->output[i], COUPLE_OUTPUT, f->g->value[f->g->output[i]]->name);
    for (int v = 0; v < f->g->nvalue; v++)
        if (captured[v]) couple_stop_value(f, v, COUPLE_CAPTURED, f->g->value[v]->name);
    lop_free(captured);
    return LOP_OK;
}

/* ---- numbering ---- */

static int lead_of(int *joint, int c)
{
    while (joint[c] != c) c = joint[c] = joint[joint[c]];
    return c;
}

static lop_status name_group(couple *f, int class)
{
    lop_groups *q = f->q;
    lop_group *p = &q->group[q->count];
    *p = (lop_group){.blocker = -1, .name = lop_string(lop_node_label(f->g, f->g->node[f->maker[class]]), f->err)};
    if (!p->name) return LOP_E_MEMORY;
    q->count++;
    return LOP_OK;
}

/* Numbers the groups: a producer's classes belong together. first: by node, a root that it made, plus one; joint: a
 * second union-find, over roots. */
static lop_status number_with(couple *f, int *first, int *joint)
{
    lop_groups *q = f->q;
    lop_status st = LOP_OK;
    for (int c = 0; c < f->count; c++) joint[c] = c;
    for (int c = 0; c < f->count; c++) {
        if (f->maker[c] < 0) continue;
        const int r = couple_root(f, c), before = first[f->maker[c]];
        if (before > 0) {
            const int a = lead_of(joint, before - 1), b = lead_of(joint, r);
            joint[a < b ? b : a] = a < b ? a : b;
        } else first[f->maker[c]] = r + 1;
    }
    for (int c = 0; c < f->count; c++) q->group_of[c] = q->rank_of[c] = -1;
    for (int c = 0; st == LOP_OK && c < f->count; c++) {                /* in the order of the first producers */
        const int lead = lead_of(joint, couple_root(f, c));
        if (f->maker[c] < 0 || q->group_of[lead] >= 0) continue;
        st = name_group(f, c);
        q->group_of[lead] = q->count - 1;
    }
    for (int c = 0; st == LOP_OK && c < f->count; c++) {                /* roots before the rest of theirs */
        const int r = couple_root(f, c);
        q->group_of[c] = q->group_of[lead_of(joint, r)];
        if (q->group_of[c] < 0) continue;
        lop_group *p = &q->group[q->group_of[c]];
        q->rank_of[c] = c == r ? (int)p->width++ : q->rank_of[r];
        if (c == r && f->tied[r]) p->kind = LOP_GROUP_STREAM;
    }
    q->classes = f->count;
    return st;
}

static lop_status number(couple *f)
{
    lop_groups *q = f->q;
    int *first = lop_array(f->g->nnode, sizeof *first, f->err), *joint = lop_array(f->count, sizeof *joint, f->err);
    q->group = lop_array(f->g->nnode, sizeof *q->group, f->err);        /* a group has a producer of its own */
    q->group_of = lop_array(f->count, sizeof *q->group_of, f->err);
    q->rank_of = lop_array(f->count, sizeof *q->rank_of, f->err);
    lop_status st = first && joint && q->group && q->group_of && q->rank_of ? LOP_OK : LOP_E_MEMORY;
    if (st == LOP_OK) st = number_with(f, first, joint);
    lop_free(first);
    lop_free(joint);
    return st;
}

/* ---- who makes and who reads ---- */

static lop_status add_to(int **list, int *n, int k, lop_error *err)
{
    int64_t capacity = *n;
    if (*n > 0 && (*list)[*n - 1] == k) return LOP_OK;
    lop_status st = lop_reserve((void **)list, &capacity, (int64_t)*n + 1, sizeof **list, err);
    if (st == LOP_OK) (*list)[(*n)++] = k;
    return st;
}

bool couple_reads(const lop_graph *g, const lop_shapes *s, const lop_groups *q, int k)
{
    const lop_node *n = g->node[k];
    const lop_op *op = lop_op_find(g->ops, n->domain, n->op);
    const int v = n->nin > 1 && n->in[1] >= 0 ? n->in[0] : -1;
    if (!op || v < 0 || !q->label[v] || n->nout < 1 || n->out[0] < 0) return false;
    const int64_t groups = lop_node_int(n, "group", 1);
    if (op->cut == LOP_CUT_CONV || op->cut == LOP_CUT_CONV_TRANSPOSE)
        return groups == 1 || (groups != s->value[v].shape.dim[1] && !q->whole[k]);
    if (op->cut == LOP_CUT_MATMUL) return q->axis[v] + q->naxes[v] == s->value[v].shape.ndim && s->value[n->in[1]].data;
    return op->cut == LOP_CUT_GEMM;
}

static lop_status members(couple *f)
{
    lop_groups *q = f->q;
    lop_status st = LOP_OK;
    for (int k = 0; st == LOP_OK && k < f->g->nnode; k++) {
        const lop_node *n = f->g->node[k];
        if (n->nin < 2 || n->nout < 1 || n->in[0] < 0 || n->in[1] < 0 || n->out[0] < 0) continue;
        const bool reads = couple_reads(f->g, f->s, q, k);
        const int *made = q->label[n->out[0]], *read = q->label[n->in[0]];
        const int class = made ? made[0] : -1;
        if (class >= 0 && f->maker[class] == k && q->group_of[class] >= 0) {
            lop_group *p = &q->group[q->group_of[class]];
            st = add_to(&p->producer, &p->nproducer, k, f->err);
        }
        for (int64_t i = 0; st == LOP_OK && reads && i < q->channels[n->in[0]]; i++) {
            if (read[i] < 0 || q->group_of[read[i]] < 0) continue;
            lop_group *p = &q->group[q->group_of[read[i]]];
            st = add_to(&p->consumer, &p->nconsumer, k, f->err);
        }
    }
    return st;
}

/* ---- what can be cut ---- */

static void explain(const couple *f, int class, lop_group *p)
{
    const int stop = f->stop[class];
    if (stop == COUPLE_OUTPUT)
        snprintf(p->reason, sizeof p->reason, "its channels are output '%.80s' of the network", f->why[class]);
    else if (stop == COUPLE_CAPTURED)
        snprintf(p->reason, sizeof p->reason, "a subgraph may read '%.80s'", f->why[class]);
    else if (stop >= 0) {
        const lop_node *n = f->g->node[stop];
        snprintf(p->reason, sizeof p->reason, "stopped by node '%.80s' (%.30s): %.100s", lop_node_label(f->g, n),
                 n->op, f->why[class]);
        p->blocker = stop;
    }
}

static void judge(couple *f)
{
    lop_groups *q = f->q;
    for (int c = 0; c < f->count; c++)
        if (q->group_of[c] >= 0 && !*q->group[q->group_of[c]].reason) explain(f, c, &q->group[q->group_of[c]]);
    for (int i = 0; i < q->count; i++) {
        lop_group *p = &q->group[i];
        if (!*p->reason && p->nconsumer == 0) snprintf(p->reason, sizeof p->reason, "no weights read it");
        if (!*p->reason && p->width < 2)
            snprintf(p->reason, sizeof p->reason, "its channels go together or not at all");
        p->prunable = !*p->reason;
    }
}

/* ---- all of it ---- */

static void clear_search(couple *f)
{
    lop_free(f->parent);
    lop_free(f->maker);
    lop_free(f->stop);
    lop_free(f->why);
    lop_free(f->made);
    lop_free(f->tied);
}

static lop_status keep_inputs(couple *f)
{
    int real = 0;
    f->q->input = lop_array(f->g->ninput, sizeof *f->q->input, f->err);
    if (!f->q->input) return LOP_E_MEMORY;
    for (int i = 0; i < f->g->ninput; i++)
        if (!lop_value_is_initializer(f->g->value[f->g->input[i]]))
            f->q->input[real++] = *couple_shape(f, f->g->input[i]);
    return LOP_OK;
}

/* One search; whole: what it was told to take for whole groups, by node. */
static lop_status search(const lop_graph *g, const lop_shapes *s, const bool *whole, lop_groups *out, lop_error *err)
{
    *out = (lop_groups){.nvalue = g->nvalue, .nnode = g->nnode};
    couple f = {.g = g, .s = s, .q = out, .err = err};
    out->label = lop_array(g->nvalue, sizeof *out->label, err);
    out->channels = lop_array(g->nvalue, sizeof *out->channels, err);
    out->axis = lop_array(g->nvalue, sizeof *out->axis, err);
    out->naxes = lop_array(g->nvalue, sizeof *out->naxes, err);
    out->whole = lop_array(g->nnode, sizeof *out->whole, err);
    const bool room = out->label && out->channels && out->axis && out->naxes && out->whole;
    lop_status st = room ? keep_inputs(&f) : LOP_E_MEMORY;
    if (st == LOP_OK && g->nnode > 0) memcpy(out->whole, whole, (size_t)g->nnode * sizeof *whole);
    for (int k = 0; st == LOP_OK && k < g->nnode; k++) st = visit(&f, k);
    if (st == LOP_OK) st = stop_edges(&f);
    if (st == LOP_OK) couple_impose_blocks(&f);
    if (st == LOP_OK) st = number(&f);
    if (st == LOP_OK) st = members(&f);
    if (st == LOP_OK) judge(&f);
    clear_search(&f);
    if (st != LOP_OK) lop_groups_clear(out);
    return st;
}

/* A grouped convolution of many small groups is better cut by whole ones: more classes. */
static void wish_whole(const lop_graph *g, const lop_shapes *s, bool *whole)
{
    for (int k = 0; k < g->nnode; k++) {
        const lop_node *n = g->node[k];
        const lop_op *op = lop_op_find(g->ops, n->domain, n->op);
        const int64_t groups = lop_node_int(n, "group", 1);
        if (!op || op->cut != LOP_CUT_CONV || groups < 2 || n->nin < 1 || n->in[0] < 0 || !s->known[n->in[0]]) continue;
        const lop_shape *x = &s->value[n->in[0]].shape;
        whole[k] = x->ndim > 1 && groups > x->dim[1] / groups;
    }
}

/* Where whole groups left nothing to cut (a channel shuffle ties them all), takes the same places in each instead. */
static bool give_up_whole(const lop_groups *q, const lop_graph *g, bool *whole)
{
    bool any = false;
    for (int k = 0; k < g->nnode; k++) {
        const int v = whole[k] && g->node[k]->nout > 0 ? g->node[k]->out[0] : -1;
        const int *label = v >= 0 ? q->label[v] : NULL;
        if (!label || label[0] < 0 || q->group_of[label[0]] < 0 || q->group[q->group_of[label[0]]].width > 1) continue;
        whole[k] = false;
        any = true;
    }
    return any;
}

lop_status lop_groups_find(const lop_graph *g, const lop_shapes *s, lop_groups *out, lop_error *err)
{
    bool *whole = lop_array(g->nnode, sizeof *whole, err);
    if (!whole) return LOP_E_MEMORY;
    wish_whole(g, s, whole);
    lop_status st = search(g, s, whole, out, err);
    if (st == LOP_OK && give_up_whole(out, g, whole)) {
        lop_groups_clear(out);
        st = search(g, s, whole, out, err);
    }
    lop_free(whole);
    return st;
}

void lop_groups_clear(lop_groups *q)
{
    for (int i = 0; q->group && i < q->count; i++) {
        lop_free(q->group[i].name);
        lop_free(q->group[i].producer);
        lop_free(q->group[i].consumer);
    }
    for (int64_t i = 0; i < q->nblock; i++) lop_free(q->block[i]);
    lop_free(q->block);
    lop_free(q->group);
    lop_free(q->label);
    lop_free(q->channels);
    lop_free(q->axis);
    lop_free(q->naxes);
    lop_free(q->group_of);
    lop_free(q->rank_of);
    lop_free(q->whole);
    lop_free(q->input);
    *q = (lop_groups){0};
}

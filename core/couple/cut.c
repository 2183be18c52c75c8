/* core/couple/cut.c - taking channels out of a graph: which entries of each value stay follows from its labels; nodes
 * then lose the parameters of the others, and what they hold of sizes and places follows. */
#include "couple/couple_impl.h"
#include <string.h>

/* ---- what stays ---- */

static bool gone(const couple_cut *c, int label) { return label >= 0 && c->gone[label]; }

lop_status couple_kept_of(const couple_cut *c, int v, int axis, couple_kept *out)
{
    *out = (couple_kept){NULL, 0};
    if (v < 0 || v >= c->q->nvalue || !c->touched[v]) return LOP_OK;
    const int first = c->q->axis[v], count = c->q->naxes[v];
    if (axis < first || axis >= first + count) return LOP_OK;
    const int64_t n = c->s->value[v].shape.dim[axis];
    int64_t inner = 1;
    for (int d = axis + 1; d < first + count; d++) inner *= c->s->value[v].shape.dim[d];
    bool *stays = lop_array(n, sizeof *stays, c->err);
    out->list = lop_array(n, sizeof *out->list, c->err);
    for (int64_t p = 0; stays && out->list && p < c->q->channels[v]; p++)
        if (!gone(c, c->q->label[v][p])) stays[p / inner % n] = true;
    for (int64_t i = 0; stays && out->list && i < n; i++)
        if (stays[i]) out->list[out->count++] = i;
    const bool room = stays && out->list;
    lop_free(stays);
    if (room && out->count < n) return LOP_OK;
    lop_free(out->list);                                /* all of this dimension stay */
    *out = (couple_kept){NULL, 0};
    return room ? LOP_OK : LOP_E_MEMORY;
}

lop_status couple_new_shape(const couple_cut *c, int v, lop_shape *out)
{
    lop_status st = LOP_OK;
    *out = c->s->value[v].shape;
    if (!c->touched[v]) return LOP_OK;
    for (int d = c->q->axis[v]; st == LOP_OK && d < c->q->axis[v] + c->q->naxes[v]; d++) {
        couple_kept k;
        st = couple_kept_of(c, v, d, &k);
        if (st == LOP_OK && k.list) out->dim[d] = k.count;
        lop_free(k.list);
    }
    return st;
}

/* ---- replacing constants ---- */

/* The tensor that node n reads as input `slot`, as it is now. */
static const lop_tensor *constant_of(const couple_cut *c, const lop_node *n, int slot)
{
    const int v = slot < n->nin ? n->in[slot] : -1;
    if (v < 0) return NULL;
    if (c->g->value[v]->constant.data) return &c->g->value[v]->constant;
    return v < c->s->nvalue && c->s->value[v].data ? &c->s->value[v] : NULL;
}

/* An initializer that none but n reads keeps its name; other constants get one of their own. */
static lop_status put(couple_cut *c, lop_node *n, int slot, const lop_tensor *t)
{
    const int v = n->in[slot];
    lop_value *old = c->g->value[v];
    if (old->constant.data && (v >= c->s->nvalue || c->readers[v] == 1)) {
        lop_value_set_constant(old, t);
        return LOP_OK;
    }
    if (v < c->s->nvalue) c->readers[v]--;
    return lop_graph_add_constant(c->g, old->name, t, &n->in[slot], c->err);
}

static lop_status count_readers(couple_cut *c)
{
    const lop_graph *g = c->g;
    c->readers = lop_array(g->nvalue, sizeof *c->readers, c->err);
    if (!c->readers) return LOP_E_MEMORY;
    for (int k = 0; k < g->nnode; k++)
        for (int i = 0; i < g->node[k]->nin; i++)
            if (g->node[k]->in[i] >= 0) c->readers[g->node[k]->in[i]]++;
    for (int i = 0; i < g->noutput; i++) c->readers[g->output[i]]++;
    return LOP_OK;
}

lop_status couple_slice(couple_cut *c, lop_node *n, int slot, int dim, const couple_kept *k)
{
    const lop_tensor *old = constant_of(c, n, slot);
    lop_tensor part;
    if (!old || !k->list || dim < 0 || dim >= old->shape.ndim) return LOP_OK;
    lop_status st = lop_tensor_index(&part, old, dim, k->list, k->count, c->err);
    if (st != LOP_OK) return lop_error_at(c->err, "node '%s' (%s)", lop_node_label(c->g, n), n->op);
    st = put(c, n, slot, &part);
    lop_tensor_clear(&part);
    return st;
}

lop_status couple_put_ints(couple_cut *c, lop_node *n, int slot, const char *name, const int64_t *list, int count)
{
    if (name && (slot < 0 || lop_node_attr(n, name))) return lop_node_set_ints(n, name, list, count, c->err);
    const lop_tensor *old = constant_of(c, n, slot);
    lop_tensor t;
    lop_status st = lop_tensor_init(&t, old ? old->type : LOP_I64, &(lop_shape){1, {count}}, c->err);
    for (int i = 0; st == LOP_OK && i < count; i++) {
        if (t.type == LOP_I64) ((int64_t *)t.data)[i] = list[i];
        else lop_tensor_set(&t, i, (double)list[i]);
    }
    if (st == LOP_OK) st = put(c, n, slot, &t);
    lop_tensor_clear(&t);
    return st;
}

/* ---- the cut ---- */

static bool node_touched(const couple_cut *c, const lop_node *n)
{
    bool any = false;
    for (int i = 0; i < n->nin; i++) any = any || (n->in[i] >= 0 && n->in[i] < c->q->nvalue && c->touched[n->in[i]]);
    for (int i = 0; i < n->nout; i++)
        any = any || (n->out[i] >= 0 && n->out[i] < c->q->nvalue && c->touched[n->out[i]]);
    return any && n->nin > 0 && n->nout > 0 && n->in[0] >= 0 && n->out[0] >= 0;
}

static lop_status cut_nodes(couple_cut *c)
{
    lop_status st = LOP_OK;
    for (int k = 0; st == LOP_OK && k < c->g->nnode; k++) {
        lop_node *n = c->g->node[k];
        const lop_op *op = lop_op_find(c->g->ops, n->domain, n->op);
        if (!op || !node_touched(c, n)) continue;
        st = couple_cut_compute(c, n, op);
        if (st == LOP_OK) st = couple_cut_move(c, n, op);
    }
    return st;
}

/* Which values lose entries; ARG for one that would lose all. */
static lop_status touch(couple_cut *c)
{
    for (int v = 0; v < c->q->nvalue; v++) {
        bool left = false;
        for (int64_t i = 0; c->q->label[v] && i < c->q->channels[v]; i++) {
            const bool goes = gone(c, c->q->label[v][i]);
            c->touched[v] = c->touched[v] || goes;
            left = left || !goes;
        }
        if (c->touched[v] && !left)
            return lop_fail(c->err, LOP_E_ARG, "no channel of '%s' would be left: keep one of them",
                            c->g->value[v]->name);
    }
    return LOP_OK;
}

/* Constants that were computed from shapes of activations: they will be computed from the new ones. */
static void mark_following(const lop_graph *g, const lop_shapes *s, bool *follows)
{
    for (int k = 0; k < g->nnode; k++) {
        const lop_node *n = g->node[k];
        const lop_op *op = lop_op_find(g->ops, n->domain, n->op);
        const bool sizes = op && op->cut == LOP_CUT_SHAPE;
        bool any = false;
        for (int i = 0; i < n->nin; i++)
            any = any || (n->in[i] >= 0 && (follows[n->in[i]] || (sizes && !s->value[n->in[i]].data)));
        for (int o = 0; any && o < n->nout; o++)
            if (n->out[o] >= 0 && s->value[n->out[o]].data) follows[n->out[o]] = true;
    }
}

/* Every value has the shape that its labels say. */
static lop_status check_shapes(const couple_cut *c)
{
    lop_shapes s;
    lop_status st = lop_graph_infer(c->g, c->q->input, &s, c->err);
    for (int v = 0; st == LOP_OK && v < c->q->nvalue; v++) {
        lop_shape want;
        if (!c->touched[v] || !s.known[v]) continue;
        st = couple_new_shape(c, v, &want);
        for (int d = c->q->axis[v]; st == LOP_OK && d < c->q->axis[v] + c->q->naxes[v]; d++)
            if (s.value[v].shape.ndim != want.ndim || s.value[v].shape.dim[d] != want.dim[d])
                st = lop_fail(c->err, LOP_E_UNSUPPORTED, "'%s' would have %" PRId64 " channels, %" PRId64 " expected",
                              c->g->value[v]->name, s.value[v].shape.dim[d], want.dim[d]);
    }
    if (s.value) lop_shapes_clear(&s);
    return st;
}

/* Shapes that the file declared between inputs and outputs are no longer true. */
static lop_status forget_shapes(lop_graph *g, lop_error *err)
{
    bool *edge = lop_array(g->nvalue, sizeof *edge, err);
    if (!edge) return LOP_E_MEMORY;
    for (int i = 0; i < g->ninput; i++) edge[g->input[i]] = true;
    for (int i = 0; i < g->noutput; i++) edge[g->output[i]] = true;
    for (int v = 0; v < g->nvalue; v++)
        if (!edge[v] && !lop_value_is_initializer(g->value[v])) g->value[v]->shaped = false;
    lop_free(edge);
    return LOP_OK;
}

static lop_status attempt(couple_cut *c, const lop_graph *g, bool firm)
{
    c->firm = firm;
    lop_status st = lop_graph_clone(g, &c->g, c->err);                  /* worked on a copy: all or nothing */
    if (st == LOP_OK && !firm) st = touch(c);
    if (st == LOP_OK) st = count_readers(c);
    if (st == LOP_OK) st = cut_nodes(c);
    lop_free(c->readers);
    c->readers = NULL;
    if (st == LOP_OK) st = lop_graph_prune_dead(c->g, c->err);
    if (st == LOP_OK) st = forget_shapes(c->g, c->err);
    if (st != LOP_OK) return st;
    st = check_shapes(c);
    return st == LOP_E_SHAPE || st == LOP_E_FORMAT ? LOP_E_UNSUPPORTED : st;
}

static lop_status check_cut(const lop_groups *q, const lop_cut *cut, lop_error *err)
{
    if (cut->group < 0 || cut->group >= q->count)
        return lop_fail(err, LOP_E_ARG, "group %d of %d", cut->group, q->count);
    const lop_group *p = &q->group[cut->group];
    if (!p->prunable) return lop_fail(err, LOP_E_UNSUPPORTED, "group '%s' cannot be cut: %s", p->name, p->reason);
    if (cut->count < 1) return lop_fail(err, LOP_E_ARG, "group '%s': no channel would be left", p->name);
    for (int64_t i = 0; i < cut->count; i++)
        if (cut->keep[i] < 0 || cut->keep[i] >= p->width || (i > 0 && cut->keep[i] <= cut->keep[i - 1]))
            return lop_fail(err, LOP_E_ARG,
                            "group '%s': channel #%" PRId64 ": ascending numbers below %" PRId64 " expected",
                            p->name, cut->keep[i], p->width);
    return LOP_OK;
}

/* Which classes go; the lists are checked. */
static lop_status mark_gone(const lop_groups *q, const lop_cut *cuts, int n, bool *gone_class, lop_error *err)
{
    const bool **kept = lop_array(q->count, sizeof *kept, err);
    lop_status st = kept ? LOP_OK : LOP_E_MEMORY;
    for (int i = 0; st == LOP_OK && i < n; i++) {
        st = check_cut(q, &cuts[i], err);
        if (st != LOP_OK) break;
        const lop_group *p = &q->group[cuts[i].group];
        bool *list = kept[cuts[i].group] ? NULL : lop_array(p->width, sizeof *list, err);
        if (!list) {
            st = kept[cuts[i].group] ? lop_fail(err, LOP_E_ARG, "group '%s' is named twice", p->name) : LOP_E_MEMORY;
            break;
        }
        for (int64_t j = 0; j < cuts[i].count; j++) list[cuts[i].keep[j]] = true;
        kept[cuts[i].group] = list;
    }
    for (int class = 0; st == LOP_OK && class < q->classes; class++) {
        const int group = q->group_of[class];
        gone_class[class] = group >= 0 && kept[group] && !kept[group][q->rank_of[class]];
    }
    for (int i = 0; kept && i < q->count; i++) lop_free((void *)(uintptr_t)kept[i]);
    lop_free(kept);
    return st;
}

static void swap_graphs(lop_graph *a, lop_graph *b)
{
    const lop_graph old = *a;
    *a = *b;
    *b = old;
}

/* Constants that follow are left to it; where that gives wrong shapes they are replaced. */
static lop_status cut_graph(couple_cut *c, lop_graph *g)
{
    lop_error why = {0};
    lop_error *err = c->err;
    c->err = &why;
    lop_status st = attempt(c, g, false);
    if (st == LOP_E_UNSUPPORTED) {
        lop_graph_free(c->g);
        st = attempt(c, g, true);
    }
    c->err = err;
    if (st == LOP_OK) swap_graphs(g, c->g);
    else lop_fail(err, st, "%s", why.message);
    lop_graph_free(c->g);
    return st;
}

lop_status lop_graph_cut_all(lop_graph *g, const lop_groups *q, const lop_cut *cuts, int n, lop_error *err)
{
    lop_shapes s = {0};
    bool *goes = lop_array(q->classes, sizeof *goes, err), *touched = lop_array(g->nvalue, sizeof *touched, err);
    bool *follows = lop_array(g->nvalue, sizeof *follows, err);
    lop_status st = goes && touched && follows ? LOP_OK : LOP_E_MEMORY;
    if (st == LOP_OK && (q->nvalue > g->nvalue || q->nnode != g->nnode))
        st = lop_fail(err, LOP_E_ARG, "the groups are of another graph");
    if (st == LOP_OK) st = mark_gone(q, cuts, n, goes, err);
    if (st == LOP_OK) st = lop_graph_infer(g, q->input, &s, err);
    if (st == LOP_OK) {
        couple_cut c = {.q = q, .s = &s, .gone = goes, .touched = touched, .follows = follows, .err = err};
        mark_following(g, &s, follows);
        st = cut_graph(&c, g);
        if (st != LOP_OK && n == 1) lop_error_at(err, "group '%s' cannot be cut", q->group[cuts[0].group].name);
    }
    if (s.value) lop_shapes_clear(&s);
    lop_free(goes);
    lop_free(touched);
    lop_free(follows);
    return st;
}

lop_status lop_graph_cut(lop_graph *g, const lop_groups *q, int which, const int64_t *keep, int64_t count,
                         lop_error *err)
{
    return lop_graph_cut_all(g, q, &(lop_cut){which, keep, count}, 1, err);
}

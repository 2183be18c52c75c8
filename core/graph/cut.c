/* core/graph/cut.c - taking channels out of a graph: each node that holds parameters by channel loses the entries of
 * those that go, which the labels of its input and output tell. */
#include "graph/groups.h"
#include <string.h>

typedef struct {
    const lop_groups *q;
    int which;
    bool *kept;                 /* by place in the group */
    lop_error *err;
} cut;

/* The places along labels[0..n) that stay. Returns their count, -1 when none of them is of the group. */
static int64_t places(const cut *c, const int *label, int64_t n, int64_t *list)
{
    int64_t count = 0;
    bool touched = false;
    for (int64_t i = 0; i < n; i++) {
        const bool ours = c->q->group_of[label[i]] == c->which;
        touched = touched || ours;
        if (!ours || c->kept[c->q->rank_of[label[i]]]) list[count++] = i;
    }
    return touched ? count : -1;
}

/* Gives node n, in place `slot`, the listed slices of dimension dim of its initializer. */
static lop_status slice(lop_graph *g, lop_node *n, int slot, int dim, const int64_t *list, int64_t count, lop_error *err)
{
    if (slot >= n->nin || n->in[slot] < 0) return LOP_OK;
    const lop_value *old = g->value[n->in[slot]];
    if (!old->constant.data)
        return lop_fail(err, LOP_E_UNSUPPORTED, "node '%s' (%s): '%s' is computed, an initializer is expected",
                        lop_node_label(g, n), n->op, old->name);
    lop_tensor part;
    lop_status st = lop_tensor_index(&part, &old->constant, dim, list, count, err);
    if (st != LOP_OK) return lop_error_at(err, "node '%s' (%s)", lop_node_label(g, n), n->op);
    st = lop_graph_replace_constant(g, n, slot, &part, err);
    lop_tensor_clear(&part);
    return st;
}

static lop_status cut_conv(lop_graph *g, lop_node *n, const int64_t *out, int64_t nout, const int64_t *in, int64_t nin,
                           lop_error *err)
{
    const bool depthwise = lop_node_int(n, "group", 1) > 1;
    lop_status st = LOP_OK;
    if (nout >= 0) {
        st = slice(g, n, 1, 0, out, nout, err);
        if (st == LOP_OK) st = slice(g, n, 2, 0, out, nout, err);
        if (st == LOP_OK && depthwise) st = lop_node_set_int(n, "group", nout, err);
    }
    return st == LOP_OK && nin >= 0 && !depthwise ? slice(g, n, 1, 1, in, nin, err) : st;
}

static lop_status cut_gemm(lop_graph *g, lop_node *n, const int64_t *out, int64_t nout, const int64_t *in, int64_t nin,
                           lop_error *err)
{
    const int rows = lop_node_int(n, "transB", 0) ? 0 : 1;      /* the dimension of B that makes outputs */
    lop_status st = LOP_OK;
    if (nout >= 0) st = slice(g, n, 1, rows, out, nout, err);
    if (st == LOP_OK && nout >= 0 && n->nin > 2 && n->in[2] >= 0) {
        const lop_shape *bias = &g->value[n->in[2]]->constant.shape;
        if (bias->ndim > 0 && bias->dim[bias->ndim - 1] > 1) st = slice(g, n, 2, bias->ndim - 1, out, nout, err);
    }
    return st == LOP_OK && nin >= 0 ? slice(g, n, 1, 1 - rows, in, nin, err) : st;
}

static lop_status cut_node(const cut *c, lop_graph *g, lop_node *n)
{
    const lop_op *op = lop_op_find(g->ops, n->domain, n->op);
    if (!op || n->nin < 1 || n->nout < 1 || n->in[0] < 0 || n->out[0] < 0) return LOP_OK;
    if (op->cut != LOP_CUT_CONV && op->cut != LOP_CUT_GEMM && op->cut != LOP_CUT_NORM) return LOP_OK;
    const int *made = c->q->label[n->out[0]], *read = c->q->label[n->in[0]];
    const int64_t nmade = c->q->channels[n->out[0]], nread = c->q->channels[n->in[0]];
    int64_t *out = lop_array(nmade, sizeof *out, c->err), *in = lop_array(nread, sizeof *in, c->err);
    lop_status st = out && in ? LOP_OK : LOP_E_MEMORY;
    const int64_t nout = st == LOP_OK && made ? places(c, made, nmade, out) : -1;
    const int64_t nin = st == LOP_OK && read ? places(c, read, nread, in) : -1;
    if (st == LOP_OK && op->cut == LOP_CUT_CONV) st = cut_conv(g, n, out, nout, in, nin, c->err);
    if (st == LOP_OK && op->cut == LOP_CUT_GEMM) st = cut_gemm(g, n, out, nout, in, nin, c->err);
    for (int i = 1; st == LOP_OK && op->cut == LOP_CUT_NORM && nout >= 0 && i < n->nin; i++)
        st = slice(g, n, i, 0, out, nout, c->err);
    lop_free(out);
    lop_free(in);
    return st;
}

static lop_status check_list(const lop_groups *q, int which, const int64_t *keep, int64_t count, lop_error *err)
{
    if (which < 0 || which >= q->count) return lop_fail(err, LOP_E_ARG, "group %d of %d", which, q->count);
    const lop_group *p = &q->group[which];
    if (!p->prunable) return lop_fail(err, LOP_E_UNSUPPORTED, "group '%s' cannot be cut: %s", p->name, p->reason);
    if (count < 1) return lop_fail(err, LOP_E_ARG, "group '%s': no channel would be left", p->name);
    for (int64_t i = 0; i < count; i++)
        if (keep[i] < 0 || keep[i] >= p->width || (i > 0 && keep[i] <= keep[i - 1]))
            return lop_fail(err, LOP_E_ARG, "group '%s': channel #%" PRId64 ": ascending numbers below %" PRId64 " expected",
                            p->name, keep[i], p->width);
    return LOP_OK;
}

/* Do shapes still follow? A Reshape or Resize may hold the old number of channels as a constant. */
static lop_status check_shapes(const cut *c, const lop_graph *g)
{
    lop_shapes s;
    lop_error why;
    lop_status st = lop_graph_infer(g, NULL, &s, &why);
    if (st != LOP_OK)
        return lop_fail(c->err, LOP_E_UNSUPPORTED, "group '%s' cannot be cut: %.300s", c->q->group[c->which].name, why.message);
    for (int v = 0; st == LOP_OK && v < c->q->nvalue; v++) {
        const int64_t n = c->q->channels[v];
        int64_t *list = c->q->label[v] && s.known[v] ? lop_array(n, sizeof *list, c->err) : NULL;
        const int64_t left = list ? places(c, c->q->label[v], n, list) : -1;
        lop_free(list);
        if (left >= 0 && s.value[v].shape.ndim >= 2 && s.value[v].shape.dim[1] != left)
            st = lop_fail(c->err, LOP_E_UNSUPPORTED, "group '%s' cannot be cut: '%s' would have %" PRId64 " channels, %" PRId64
                          " expected", c->q->group[c->which].name, g->value[v]->name, s.value[v].shape.dim[1], left);
    }
    lop_shapes_clear(&s);
    return st;
}

/* Shapes that the file declared between inputs and outputs are no longer true. */
static void forget_shapes(lop_graph *g)
{
    for (int v = 0; v < g->nvalue; v++) {
        bool edge = g->value[v]->constant.data != NULL;
        for (int i = 0; i < g->ninput; i++) edge = edge || g->input[i] == v;
        for (int i = 0; i < g->noutput; i++) edge = edge || g->output[i] == v;
        if (!edge) g->value[v]->shaped = false;
    }
}

lop_status lop_graph_cut(lop_graph *g, const lop_groups *q, int which, const int64_t *keep, int64_t count, lop_error *err)
{
    lop_graph *next = NULL;
    cut c = {.q = q, .which = which, .err = err};
    lop_status st = check_list(q, which, keep, count, err);
    if (st != LOP_OK) return st;
    c.kept = lop_array(q->group[which].width, sizeof *c.kept, err);
    if (!c.kept) return LOP_E_MEMORY;
    for (int64_t i = 0; i < count; i++) c.kept[keep[i]] = true;
    st = lop_graph_clone(g, &next, err);                /* worked on a copy: all or nothing */
    for (int k = 0; st == LOP_OK && k < next->nnode; k++) st = cut_node(&c, next, next->node[k]);
    if (st == LOP_OK) st = lop_graph_prune_dead(next, err);
    if (st == LOP_OK) forget_shapes(next);
    if (st == LOP_OK) st = check_shapes(&c, next);
    if (st == LOP_OK) {
        const lop_graph old = *g;
        *g = *next;
        *next = old;
    }
    lop_graph_free(next);
    lop_free(c.kept);
    return st;
}

/* core/couple/cut_move.c - what Reshape, Slice, Split, Pad, Gather, ... hold of sizes and places, after a cut. */
#include "couple/couple_impl.h"
#include <string.h>

/* ---- sizes: Reshape, Expand, Resize ---- */

/* The list that node n holds as input `slot`: leave it (false) where it follows the cut by itself. */
static bool held(const couple_cut *c, const lop_node *n, int slot, int64_t *list, int *count)
{
    if (slot >= n->nin || n->in[slot] < 0 || n->in[slot] >= c->s->nvalue) return false;
    if (c->follows[n->in[slot]] && !c->firm) return false;
    *count = couple_ints(c->s, n, slot, NULL, list);
    return *count > 0;
}

static lop_status cut_reshape(couple_cut *c, lop_node *n)
{
    int64_t list[COUPLE_LIST];
    int count;
    lop_shape x, y;
    if (strcmp(n->op, "Reshape") != 0 || !held(c, n, 1, list, &count)) return LOP_OK;
    const bool computed = c->follows[n->in[1]];         /* it told the sizes of one image: 0 copies an input's size */
    const lop_shape *old_x = &c->s->value[n->in[0]].shape, *old_y = &c->s->value[n->out[0]].shape;
    lop_status st = couple_new_shape(c, n->in[0], &x);
    if (st == LOP_OK) st = couple_new_shape(c, n->out[0], &y);
    bool changed = false;
    for (int d = 0; st == LOP_OK && d < count && d < y.ndim; d++) {
        const bool copies = list[d] == 0 && lop_node_int(n, "allowzero", 0) == 0;
        if (computed && d < x.ndim && old_x->dim[d] == old_y->dim[d] && x.dim[d] == y.dim[d]) list[d] = 0;
        else if (list[d] != -1 && (copies ? x.dim[d] : list[d]) != y.dim[d]) list[d] = y.dim[d];
        else continue;
        changed = true;
    }
    return st == LOP_OK && changed ? couple_put_ints(c, n, 1, NULL, list, count) : st;
}

/* Expand's shape, aligned at its end; Resize's sizes, of all dimensions. */
static lop_status cut_sizes(couple_cut *c, lop_node *n, int slot)
{
    int64_t list[COUPLE_LIST];
    int count;
    lop_shape y;
    if (lop_node_attr(n, "axes") || !held(c, n, slot, list, &count)) return LOP_OK;
    const lop_shape *old = &c->s->value[n->out[0]].shape;
    lop_status st = couple_new_shape(c, n->out[0], &y);
    bool changed = false;
    for (int i = 0; st == LOP_OK && i < count && count <= y.ndim; i++) {
        const int d = y.ndim - count + i;
        if (old->dim[d] == y.dim[d] || list[i] != old->dim[d]) continue;
        list[i] = y.dim[d];
        changed = true;
    }
    return st == LOP_OK && changed ? couple_put_ints(c, n, slot, NULL, list, count) : st;
}

/* ---- places along a dimension ---- */

/* One dimension of a Slice, Pad or Gather: where entries come from, and which of the input and the output stay. */
typedef struct {
    int64_t *from, *rank;       /* by entry of the output; by entry of the input: its new place, -1 */
    int64_t size, made;         /* entries of the input and the output, before */
    couple_kept in, out;
    bool plain;
} places;

static lop_status read_places(couple_cut *c, const lop_node *n, int axis, places *p)
{
    *p = (places){.size = c->s->value[n->in[0]].shape.dim[axis], .made = c->s->value[n->out[0]].shape.dim[axis]};
    p->from = lop_array(p->made, sizeof *p->from, c->err);
    p->rank = lop_array(p->size, sizeof *p->rank, c->err);
    lop_status st = p->from && p->rank ? couple_kept_of(c, n->in[0], axis, &p->in) : LOP_E_MEMORY;
    if (st == LOP_OK) st = couple_kept_of(c, n->out[0], axis, &p->out);
    if (st == LOP_OK && !couple_source(c->g, c->s, n, 0, axis, p->from, &p->plain))
        st = lop_fail(c->err, LOP_E_UNSUPPORTED, "node '%s' (%s): its bounds are not constant",
                      lop_node_label(c->g, n), n->op);
    for (int64_t i = 0; st == LOP_OK && i < p->size; i++) p->rank[i] = p->in.list ? -1 : i;
    for (int64_t i = 0; st == LOP_OK && p->in.list && i < p->in.count; i++) p->rank[p->in.list[i]] = i;
    return st;
}

static void clear_places(places *p)
{
    lop_free(p->from);
    lop_free(p->rank);
    lop_free(p->in.list);
    lop_free(p->out.list);
}

static bool stays(const couple_kept *k, int64_t i)
{
    int64_t low = 0, high = k->count;                   /* the list ascends */
    while (k->list && low < high) {
        const int64_t mid = (low + high) / 2;
        if (k->list[mid] < i) low = mid + 1;
        else high = mid;
    }
    return !k->list || (low < k->count && k->list[low] == i);
}

/* Where axis stands in a list of axes; the end of it where it does not. */
static int entry_of(const int64_t *axes, int naxes, int entries, int ndim, int axis)
{
    for (int i = 0; i < entries; i++)
        if ((naxes < 0 ? i : couple_axis(axes[i], ndim)) == axis) return i;
    return entries;
}

/* The entries that stay lie side by side in the input that stays, forwards or backwards. */
static lop_status slice_places(couple_cut *c, lop_node *n, int axis, const places *p)
{
    int64_t start[COUPLE_LIST], end[COUPLE_LIST], axes[COUPLE_LIST], step[COUPLE_LIST];
    const int ndim = c->s->value[n->in[0]].shape.ndim;
    const int starts = couple_ints(c->s, n, 1, "starts", start), ends = couple_ints(c->s, n, 2, "ends", end);
    const int naxes = couple_ints(c->s, n, 3, "axes", axes), steps = couple_ints(c->s, n, 4, "steps", step);
    const int i = entry_of(axes, naxes, starts, ndim, axis);
    if (starts < 1 || ends != starts || i == starts) return LOP_OK;
    int64_t first = -1, count = 0;
    for (int64_t j = 0; j < p->made; j++) {
        if (!stays(&p->out, j)) continue;
        if (count++ == 0) first = p->rank[p->from[j]];
    }
    start[i] = first;
    end[i] = steps > i && step[i] < 0 ? first - count : first + count;
    if (end[i] < 0) end[i] = -INT32_MAX;
    const lop_status st = couple_put_ints(c, n, 1, "starts", start, starts);
    return st == LOP_OK ? couple_put_ints(c, n, 2, "ends", end, ends) : st;
}

static lop_status pad_places(couple_cut *c, lop_node *n, int axis, const places *p)
{
    int64_t pads[COUPLE_LIST], axes[COUPLE_LIST], before = 0, after = 0;
    const int ndim = c->s->value[n->in[0]].shape.ndim;
    const int count = couple_ints(c->s, n, 1, "pads", pads), naxes = couple_ints(c->s, n, 3, "axes", axes);
    const int i = entry_of(axes, naxes, count / 2, ndim, axis);
    if (count < 2 || i == count / 2) return LOP_OK;
    const int64_t old_before = pads[i], old_after = pads[i + count / 2];
    for (int64_t j = 0; j < p->made; j++) {             /* what is put there */
        before += j < old_before && stays(&p->out, j);
        after += j >= p->made - old_after && stays(&p->out, j);
    }
    for (int64_t j = 0; j < p->size; j++) {             /* what is cropped */
        before -= j < -old_before && stays(&p->in, j);
        after -= j >= p->size + old_after && stays(&p->in, j);
    }
    pads[i] = before;
    pads[i + count / 2] = after;
    return couple_put_ints(c, n, 1, "pads", pads, count);
}

static lop_status gather_places(couple_cut *c, lop_node *n, const places *p)
{
    int64_t *list = lop_array(p->made, sizeof *list, c->err), count = 0;
    lop_tensor t;
    if (!list) return LOP_E_MEMORY;
    lop_status st = LOP_OK;
    for (int64_t j = 0; st == LOP_OK && j < p->made; j++) {
        if (!stays(&p->out, j)) continue;
        list[count++] = p->rank[p->from[j]];
        if (p->rank[p->from[j]] < 0)
            st = lop_fail(c->err, LOP_E_UNSUPPORTED, "node '%s' (%s) reads entry #%" PRId64 ", which would go",
                          lop_node_label(c->g, n), n->op, p->from[j]);
    }
    if (st == LOP_OK) st = lop_tensor_init(&t, LOP_I64, &(lop_shape){1, {count}}, c->err);
    if (st == LOP_OK) {
        if (count > 0) memcpy(t.data, list, (size_t)count * sizeof *list);
        const lop_value *old = c->g->value[n->in[1]];
        st = lop_graph_add_constant(c->g, old->name, &t, &n->in[1], c->err);
        lop_tensor_clear(&t);
    }
    lop_free(list);
    return st;
}

static lop_status cut_places(couple_cut *c, lop_node *n, lop_cut_kind kind)
{
    const int v = c->touched[n->in[0]] ? n->in[0] : n->out[0];
    lop_status st = LOP_OK;
    if (c->s->value[n->in[0]].shape.ndim != c->s->value[n->out[0]].shape.ndim) return LOP_OK;     /* Gather elsewhere */
    for (int d = c->q->axis[v]; st == LOP_OK && d < c->q->axis[v] + c->q->naxes[v]; d++) {
        places p;
        st = read_places(c, n, d, &p);
        if (st == LOP_OK && !p.plain && kind == LOP_CUT_SLICE) st = slice_places(c, n, d, &p);
        if (st == LOP_OK && !p.plain && kind == LOP_CUT_PAD) st = pad_places(c, n, d, &p);
        const int axis = couple_axis(lop_node_int(n, "axis", 0), c->s->value[n->in[0]].shape.ndim);
        if (st == LOP_OK && kind == LOP_CUT_GATHER && axis == d) st = gather_places(c, n, &p);
        clear_places(&p);
    }
    return st;
}

/* ---- Split ---- */

static void drop_attribute(lop_node *n, const char *name)
{
    lop_attr *a = NULL;
    for (int i = 0; i < n->nattr && !a; i++)
        if (strcmp(n->attr[i].name, name) == 0) a = &n->attr[i];
    if (!a) return;
    lop_free(a->name);                                  /* a number owns nothing else */
    *a = n->attr[--n->nattr];
}

/* Sizes as an input from opset 13 on: one is added where the parts were equal. */
static lop_status put_parts(couple_cut *c, lop_node *n, const int64_t *part)
{
    if (lop_node_attr(n, "split") || lop_graph_opset(c->g, n->domain) < 13)
        return couple_put_ints(c, n, -1, "split", part, n->nout);
    drop_attribute(n, "num_outputs");
    if (n->nin > 1 && n->in[1] >= 0) return couple_put_ints(c, n, 1, "split", part, n->nout);
    lop_tensor t;
    int *in = lop_array(2, sizeof *in, c->err);
    lop_status st = in ? lop_tensor_init(&t, LOP_I64, &(lop_shape){1, {n->nout}}, c->err) : LOP_E_MEMORY;
    if (st != LOP_OK) {
        lop_free(in);
        return st;
    }
    memcpy(t.data, part, (size_t)n->nout * sizeof *part);
    in[0] = n->in[0];
    st = lop_graph_add_constant(c->g, "split", &t, &in[1], c->err);
    lop_tensor_clear(&t);
    if (st != LOP_OK) {
        lop_free(in);
        return st;
    }
    lop_free(n->in);
    n->in = in;
    n->nin = 2;
    return LOP_OK;
}

static lop_status cut_split(couple_cut *c, lop_node *n)
{
    int64_t part[COUPLE_LIST];
    const int axis = couple_axis(lop_node_int(n, "axis", 0), c->s->value[n->in[0]].shape.ndim);
    bool changed = false;
    lop_status st = LOP_OK;
    if (axis < 0 || !couple_parts(c->s, n, axis, part)) return LOP_OK;
    for (int o = 0; st == LOP_OK && o < n->nout; o++) {
        lop_shape y;
        st = couple_new_shape(c, n->out[o], &y);
        changed = changed || (st == LOP_OK && y.dim[axis] != part[o]);
        if (st == LOP_OK) part[o] = y.dim[axis];
    }
    return st == LOP_OK && changed ? put_parts(c, n, part) : st;
}

lop_status couple_cut_move(couple_cut *c, lop_node *n, const lop_op *op)
{
    switch (op->cut) {
    case LOP_CUT_FLATTEN: return cut_reshape(c, n);
    case LOP_CUT_EXPAND: return cut_sizes(c, n, 1);
    case LOP_CUT_POOL: return strcmp(n->op, "Resize") == 0 ? cut_sizes(c, n, 3) : LOP_OK;
    case LOP_CUT_SLICE:
    case LOP_CUT_PAD:
    case LOP_CUT_GATHER: return cut_places(c, n, op->cut);
    case LOP_CUT_SPLIT: return cut_split(c, n);
    default: return LOP_OK;
    }
}

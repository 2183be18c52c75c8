/* core/couple/read.c - what nodes hold as attributes or constant inputs: where entries come from, what is mixed. */
#include "couple/couple_impl.h"
#include <string.h>

int couple_ints(const lop_shapes *s, const lop_node *n, int slot, const char *name, int64_t *list)
{
    const int64_t count = name ? lop_node_ints(n, name, list, COUPLE_LIST) : -1;
    if (count > COUPLE_LIST) return -2;
    if (count >= 0) return (int)count;
    if (slot < 0 || slot >= n->nin || n->in[slot] < 0) return -1;
    const lop_tensor *t = &s->value[n->in[slot]];
    if (!t->data || lop_tensor_size(t) > COUPLE_LIST) return -2;
    for (int64_t i = 0; i < lop_tensor_size(t); i++)
        list[i] = t->type == LOP_I64 ? ((const int64_t *)t->data)[i] : (int64_t)lop_tensor_get(t, i);
    return (int)lop_tensor_size(t);
}

int couple_axis(int64_t axis, int ndim)
{
    if (axis < 0) axis += ndim;
    return axis >= 0 && axis < ndim ? (int)axis : -1;
}

static int64_t clamp(int64_t v, int64_t low, int64_t high) { return v < low ? low : v > high ? high : v; }

/* Which entry of a list of axes (all of them when count < 0) speaks of `axis`; -1: none does. */
static int entry_for(const int64_t *axes, int count, int entries, int ndim, int axis)
{
    for (int i = 0; i < entries; i++)
        if ((count < 0 ? i : couple_axis(axes[i], ndim)) == axis) return i;
    return -1;
}

static bool slice_source(const lop_shapes *s, const lop_node *n, int axis, int64_t size, int64_t left, int64_t *from)
{
    int64_t start[COUPLE_LIST], axes[COUPLE_LIST], step[COUPLE_LIST], first = 0, by = 1;
    const int ndim = s->value[n->in[0]].shape.ndim;
    const int starts = couple_ints(s, n, 1, "starts", start), naxes = couple_ints(s, n, 3, "axes", axes);
    const int steps = couple_ints(s, n, 4, "steps", step);
    if (starts < 0 || naxes < -1 || steps < -1 || (naxes >= 0 && naxes < starts) || (steps >= 0 && steps < starts))
        return false;
    const int i = entry_for(axes, naxes, starts, ndim, axis);
    if (i >= 0) {
        by = steps < 0 ? 1 : step[i];
        first = start[i] < 0 ? start[i] + size : start[i];
        first = clamp(first, by > 0 ? 0 : -1, by > 0 ? size : size - 1);
    }
    for (int64_t j = 0; j < left; j++) from[j] = first + j * by;
    return by == 1 || by == -1 || left < 2;
}

static bool pad_source(const lop_shapes *s, const lop_node *n, int axis, int64_t size, int64_t left, int64_t *from)
{
    int64_t pads[COUPLE_LIST], axes[COUPLE_LIST];
    const int ndim = s->value[n->in[0]].shape.ndim;
    const int count = couple_ints(s, n, 1, "pads", pads), naxes = couple_ints(s, n, 3, "axes", axes);
    if (count < 0 || naxes < -1 || (naxes >= 0 && count != 2 * naxes) || (naxes < 0 && count != 2 * ndim)) return false;
    const int i = entry_for(axes, naxes, count / 2, ndim, axis);
    const int64_t before = i < 0 ? 0 : pads[i];
    for (int64_t j = 0; j < left; j++) from[j] = j - before >= 0 && j - before < size ? j - before : -1;
    return (before == 0 && left == size) || strcmp(lop_node_string(n, "mode", "constant"), "constant") == 0;
}

static bool gather_source(const lop_shapes *s, const lop_node *n, int axis, int64_t size, int64_t left, int64_t *from)
{
    const int at = couple_axis(lop_node_int(n, "axis", 0), s->value[n->in[0]].shape.ndim);
    const lop_tensor *t = n->nin > 1 && n->in[1] >= 0 ? &s->value[n->in[1]] : NULL;
    if (at < 0 || !t || (at == axis && (!t->data || t->shape.ndim != 1))) return false;
    for (int64_t j = 0; j < left; j++) {
        from[j] = at == axis ? (int64_t)lop_tensor_get(t, j) : j;
        if (from[j] < 0) from[j] += size;
        if (from[j] < 0 || from[j] >= size) return false;
    }
    return true;
}

bool couple_parts(const lop_shapes *s, const lop_node *n, int axis, int64_t *part)
{
    if (n->nout > COUPLE_LIST) return false;
    for (int o = 0; o < n->nout; o++) {
        if (n->out[o] < 0 || !s->known[n->out[o]]) return false;
        part[o] = s->value[n->out[o]].shape.dim[axis];
    }
    return true;
}

static bool split_source(const lop_shapes *s, const lop_node *n, int o, int axis, int64_t left, int64_t *from)
{
    int64_t part[COUPLE_LIST] = {0}, first = 0;
    const int at = couple_axis(lop_node_int(n, "axis", 0), s->value[n->in[0]].shape.ndim);
    if (at < 0 || !couple_parts(s, n, axis, part)) return false;
    for (int i = 0; at == axis && i < o; i++) first += part[i];
    for (int64_t j = 0; j < left; j++) from[j] = first + j;
    return true;
}

bool couple_source(const lop_graph *g, const lop_shapes *s, const lop_node *n, int o, int axis, int64_t *from,
                   bool *plain)
{
    const lop_op *op = lop_op_find(g->ops, n->domain, n->op);
    const int64_t size = s->value[n->in[0]].shape.dim[axis], left = s->value[n->out[o]].shape.dim[axis];
    bool told = false;
    if (op && op->cut == LOP_CUT_SLICE) told = slice_source(s, n, axis, size, left, from);
    if (op && op->cut == LOP_CUT_PAD) told = pad_source(s, n, axis, size, left, from);
    if (op && op->cut == LOP_CUT_GATHER) told = gather_source(s, n, axis, size, left, from);
    if (op && op->cut == LOP_CUT_SPLIT) told = split_source(s, n, o, axis, left, from);
    if (op && op->cut == LOP_CUT_TILE) {
        for (int64_t j = 0; j < left; j++) from[j] = j % size;
        told = true;
    }
    *plain = told && size == left;
    for (int64_t j = 0; *plain && j < left; j++) *plain = from[j] == j;
    return told;
}

static bool is(const lop_node *n, const char *op) { return strcmp(n->op, op) == 0; }

/* From axis on, or axis alone. */
static bool set_axes(int64_t axis, int ndim, bool behind, bool *set)
{
    const int at = couple_axis(axis, ndim);
    for (int d = at; at >= 0 && d < ndim && (behind || d == at); d++) set[d] = true;
    return at >= 0;
}

static bool reduced_axes(const lop_shapes *s, const lop_node *n, int ndim, bool *set)
{
    int64_t axes[COUPLE_LIST];
    const int count = couple_ints(s, n, 1, "axes", axes);
    if (count == -2) return false;
    for (int i = 0; i < count; i++)
        if (!set_axes(axes[i], ndim, false, set)) return false;
    for (int d = 0; count < 1 && lop_node_int(n, "noop_with_empty_axes", 0) == 0 && d < ndim; d++) set[d] = true;
    return true;
}

bool couple_mixed(const lop_graph *g, const lop_shapes *s, const lop_node *n, bool *set)
{
    const int ndim = s->value[n->in[0]].shape.ndim;
    const bool modern = lop_graph_opset(g, n->domain) >= 13;
    int64_t axes[COUPLE_LIST] = {0};
    memset(set, 0, LOP_MAX_DIMS * sizeof *set);
    if (is(n, "Softmax") || is(n, "LogSoftmax") || is(n, "Hardmax"))
        return set_axes(lop_node_int(n, "axis", modern ? -1 : 1), ndim, !modern, set);
    if (is(n, "LayerNormalization")) return set_axes(lop_node_int(n, "axis", -1), ndim, true, set);
    if (is(n, "LpNormalization") || is(n, "TopK")) return set_axes(lop_node_int(n, "axis", -1), ndim, false, set);
    if (is(n, "ArgMax") || is(n, "ArgMin")) return set_axes(lop_node_int(n, "axis", 0), ndim, false, set);
    if (is(n, "LRN")) return set_axes(1, ndim, false, set);
    if (is(n, "CumSum")) return couple_ints(s, n, 1, NULL, axes) == 1 && set_axes(axes[0], ndim, false, set);
    if (is(n, "MeanVarianceNormalization")) {
        const int64_t count = lop_node_ints(n, "axes", axes, COUPLE_LIST);
        for (int d = 0; count < 0 && d < ndim; d++) set[d] = d != 1;
        for (int i = 0; i < count; i++)
            if (!set_axes(axes[i], ndim, false, set)) return false;
        return true;
    }
    return reduced_axes(s, n, ndim, set);
}

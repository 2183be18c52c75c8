/* core/couple/move.c - what operators that move entries mean to channel classes: exact index maps. */
#include "couple/couple_impl.h"
#include <string.h>

static bool advance(int64_t *at, const int64_t *dim, int count)
{
    for (int d = count - 1; d >= 0; d--) {
        if (++at[d] < dim[d]) return true;
        at[d] = 0;
    }
    return false;
}

/* ---- Concat ---- */

static bool same_place(const couple_layout *a, const couple_layout *b)
{
    return a->first == b->first && a->count == b->count;
}

/* Along another dimension than the channels': each input's channel i is the output's. */
static lop_status concat_beside(couple *f, int k, const couple_layout *first)
{
    const lop_node *n = f->g->node[k];
    int *label = lop_array(first->size, sizeof *label, f->err);
    if (!label) return LOP_E_MEMORY;
    memcpy(label, first->label, (size_t)first->size * sizeof *label);
    for (int i = 0; i < n->nin; i++) {
        couple_layout l;
        const bool labelled = couple_layout_of(f, n->in[i], &l);
        if (couple_constant(f, n->in[i])) continue;
        for (int64_t p = 0; p < first->size; p++) {
            const int other = labelled ? l.label[p] : -1;
            couple_unite(f, label[p], other, k, false);
            if (other < 0) label[p] = -1;
        }
    }
    const lop_status st = couple_set(f, n->out[0], k, first->first, first->count, label);
    lop_free(label);
    return st;
}

/* Along dimension `axis` of the channels' own. */
static lop_status concat_along(couple *f, int k, int axis, const couple_layout *like)
{
    const lop_node *n = f->g->node[k];
    const int64_t *dim = couple_shape(f, n->out[0])->dim + like->first;
    int64_t size = 1, inner = 1, offset = 0;
    for (int d = 0; d < like->count; d++) size *= dim[d];
    for (int d = axis + 1; d < like->first + like->count; d++) inner *= dim[d - like->first];
    const int64_t row = dim[axis - like->first] * inner;                /* of the output */
    int *label = lop_array(size, sizeof *label, f->err);
    if (!label) return LOP_E_MEMORY;
    for (int i = 0; i < n->nin; i++) {
        couple_layout l = {.label = NULL};
        const bool labelled = couple_layout_of(f, n->in[i], &l);
        const int64_t part = couple_shape(f, n->in[i])->dim[axis] * inner;
        for (int64_t r = 0; r < size / row; r++)
            for (int64_t p = 0; p < part; p++) label[r * row + offset + p] = labelled ? l.label[r * part + p] : -1;
        offset += part;
    }
    const lop_status st = couple_set(f, n->out[0], k, like->first, like->count, label);
    lop_free(label);
    return st;
}

lop_status couple_visit_concat(couple *f, int k)
{
    const lop_node *n = f->g->node[k];
    const int axis = couple_axis(lop_node_int(n, "axis", 1), couple_shape(f, n->out[0])->ndim);
    couple_layout like = {.label = NULL}, l;
    bool any = false, fit = axis >= 0;
    for (int i = 0; i < n->nin; i++) {
        if (!couple_layout_of(f, n->in[i], &l)) continue;
        fit = fit && (!any || same_place(&like, &l));
        if (!any) like = l;
        any = true;
    }
    if (!any || !couple_fits(f, k, n->out[0], like.first, like.count)) return LOP_OK;
    if (!fit) {
        couple_stop_node(f, k, "it joins channels of different dimensions");
        return LOP_OK;
    }
    if (axis >= like.first && axis < like.first + like.count) return concat_along(f, k, axis, &like);
    return concat_beside(f, k, &like);
}

/* ---- Slice, Split, Pad, Gather, Tile: along each dimension by itself ---- */

typedef struct { int64_t *from[LOP_MAX_DIMS]; } sources;

/* Reads the maps of l's dimensions; *plain when none moves anything. */
static lop_status read_sources(couple *f, const lop_node *n, int o, const couple_layout *l, sources *m, bool *told,
                               bool *plain)
{
    *told = *plain = true;
    for (int d = 0; d < l->count; d++) {
        bool still = false;
        m->from[d] = lop_array(couple_shape(f, n->out[o])->dim[l->first + d], sizeof *m->from[d], f->err);
        if (!m->from[d]) return LOP_E_MEMORY;
        *told = *told && couple_source(f->g, f->s, n, o, l->first + d, m->from[d], &still);
        *plain = *plain && still;
    }
    return LOP_OK;
}

/* A fill gets a class of its own, so that it can go with what it is added to; so does one that is taken several
 * times. */
static lop_status label_of(couple *f, const couple_layout *l, const sources *m, const int64_t *at, const int *taken,
                           int *out)
{
    int64_t place = 0;
    for (int d = 0; d < l->count && place >= 0; d++) {
        const int64_t i = m->from[d][at[d]];
        place = i < 0 ? -1 : place * l->dim[d] + i;
    }
    if (place >= 0 && l->label[place] < 0) *out = -1;
    else if (place >= 0 && (taken[place] < 2 || f->made[couple_root(f, l->label[place])])) *out = l->label[place];
    else return couple_fresh(f, 1, -1, out);
    return LOP_OK;
}

static lop_status pick(couple *f, int k, int o, const couple_layout *l, const sources *m)
{
    const int v = f->g->node[k]->out[o];
    const int64_t *dim = couple_shape(f, v)->dim + l->first;
    int64_t size = 1, at[LOP_MAX_DIMS] = {0};
    for (int d = 0; d < l->count; d++) size *= dim[d];
    int *label = lop_array(size, sizeof *label, f->err), *taken = lop_array(l->size, sizeof *taken, f->err);
    lop_status st = label && taken ? LOP_OK : LOP_E_MEMORY;
    for (int64_t j = 0; st == LOP_OK && l->count == 1 && j < size; j++)
        if (m->from[0][j] >= 0) taken[m->from[0][j]]++;
    for (int64_t p = 0; st == LOP_OK && p < size; p++) {
        st = label_of(f, l, m, at, taken, &label[p]);
        advance(at, dim, l->count);
    }
    if (st == LOP_OK) st = couple_set(f, v, k, l->first, l->count, label);
    lop_free(label);
    lop_free(taken);
    return st;
}

static lop_status pick_output(couple *f, int k, int o)
{
    const lop_node *n = f->g->node[k];
    couple_layout l;
    sources m = {{NULL}};
    bool told, plain;
    if (n->out[o] < 0 || !couple_layout_of(f, n->in[0], &l) || !couple_fits(f, k, n->out[o], l.first, l.count))
        return LOP_OK;
    lop_status st = read_sources(f, n, o, &l, &m, &told, &plain);
    if (st == LOP_OK && !told) couple_stop_node(f, k, "it picks channels in a way that a cut cannot follow");
    else if (st == LOP_OK && plain && couple_pass(f, n->in[0], n->out[o])) st = LOP_OK;
    else if (st == LOP_OK) st = pick(f, k, o, &l, &m);
    for (int d = 0; d < l.count; d++) lop_free(m.from[d]);
    return st;
}

/* Indices of another rank than 1: the dimensions behind theirs move. */
static lop_status gather_shifts(couple *f, int k, int shift)
{
    const lop_node *n = f->g->node[k];
    const int axis = couple_axis(lop_node_int(n, "axis", 0), couple_shape(f, n->in[0])->ndim);
    couple_layout l;
    int source[LOP_MAX_DIMS];
    if (!couple_layout_of(f, n->in[0], &l)) return LOP_OK;
    if (axis < 0 || (axis >= l.first && axis < l.first + l.count)) {
        couple_stop_node(f, k, "it picks channels into other dimensions");
        return LOP_OK;
    }
    for (int d = 0; d < l.count; d++) source[d] = l.first + d;
    return couple_remap(f, k, n->in[0], n->out[0], l.first + (axis < l.first ? shift : 0), l.count, source);
}

lop_status couple_visit_pick(couple *f, int k)
{
    const lop_node *n = f->g->node[k];
    const int shift = couple_shape(f, n->out[0])->ndim - couple_shape(f, n->in[0])->ndim;
    if (shift != 0) return gather_shifts(f, k, shift);
    return pick_output(f, k, 0);
}

lop_status couple_visit_split(couple *f, int k)
{
    lop_status st = LOP_OK;
    for (int o = 0; st == LOP_OK && o < f->g->node[k]->nout; o++) st = pick_output(f, k, o);
    return st;
}

lop_status couple_visit_expand(couple *f, int k)
{
    const lop_node *n = f->g->node[k];
    const lop_shape *y = couple_shape(f, n->out[0]);
    const int shift = y->ndim - couple_shape(f, n->in[0])->ndim;
    couple_layout l;
    int source[LOP_MAX_DIMS];
    if (!couple_layout_of(f, n->in[0], &l)) return LOP_OK;
    for (int d = 0; d < l.count; d++) {
        source[d] = l.first + d;
        if (y->dim[l.first + d + shift] == l.dim[d]) continue;
        couple_stop_node(f, k, "it spreads one channel over several");
        return LOP_OK;
    }
    return couple_remap(f, k, n->in[0], n->out[0], l.first + shift, l.count, source);
}

/* ---- Reshape and its like ---- */

/* The dimensions of x and y, both row by row, fall into blocks of equal size. Finds those of y that hold l's, and those
 * of x beside: [*p, *q) of x are [*r, *t) of y. */
static bool block_of(const lop_shape *x, const lop_shape *y, const couple_layout *l, int *p, int *q, int *r, int *t)
{
    *p = *r = -1;
    for (int i = 0, j = 0; i < x->ndim || j < y->ndim;) {
        const int from = i, to = j;
        int64_t a = i < x->ndim ? x->dim[i++] : 1, b = j < y->ndim ? y->dim[j++] : 1;
        while (a != b) {
            if (a < b && i < x->ndim) a *= x->dim[i++];
            else if (b < a && j < y->ndim) b *= y->dim[j++];
            else return false;
        }
        if (a == 0) return false;
        if (i <= l->first || from >= l->first + l->count) continue;
        if (*p < 0) {
            *p = from;
            *r = to;
        }
        *q = i;
        *t = j;
    }
    return *p >= 0 && *t > *r;
}

lop_status couple_visit_reshape(couple *f, int k)
{
    const lop_node *n = f->g->node[k];
    const lop_shape *x = couple_shape(f, n->in[0]), *y = couple_shape(f, n->out[0]);
    couple_layout l;
    int p = 0, q = 0, r = 0, t = 0;
    int64_t size = 1, inner = 1;
    if (!couple_layout_of(f, n->in[0], &l)) return LOP_OK;
    if (!block_of(x, y, &l, &p, &q, &r, &t)) {
        couple_stop_node(f, k, "it moves them where a cut cannot follow");
        return LOP_OK;
    }
    if (!couple_fits(f, k, n->in[0], p, q - p)) return LOP_OK;
    for (int d = p; d < q; d++) size *= x->dim[d];
    for (int d = l.first + l.count; d < q; d++) inner *= x->dim[d];
    int *label = lop_array(size, sizeof *label, f->err);
    if (!label) return LOP_E_MEMORY;
    for (int64_t i = 0; i < size; i++) label[i] = l.label[i / inner % l.size];
    const lop_status st = couple_set(f, n->out[0], k, r, t - r, label);
    lop_free(label);
    return st;
}

lop_status couple_visit_transpose(couple *f, int k)
{
    const lop_node *n = f->g->node[k];
    const int ndim = couple_shape(f, n->in[0])->ndim;
    int64_t perm[COUPLE_LIST];
    couple_layout l;
    int source[LOP_MAX_DIMS], low = ndim, high = 0;
    if (!couple_layout_of(f, n->in[0], &l)) return LOP_OK;
    const int64_t given = lop_node_ints(n, "perm", perm, COUPLE_LIST);
    for (int d = 0; d < ndim; d++) {
        const int64_t from = given == ndim ? perm[d] : ndim - 1 - d;
        if (from < l.first || from >= l.first + l.count) continue;
        if (d < low) low = d;
        high = d + 1;
    }
    for (int d = low; d < high; d++) source[d - low] = (int)(given == ndim ? perm[d] : ndim - 1 - d);
    return couple_remap(f, k, n->in[0], n->out[0], low, high - low, source);
}

/* DepthToSpace: b b blocks of channels become space. SpaceToDepth: the reverse, blocks before channels. */
lop_status couple_visit_depth(couple *f, int k)
{
    const lop_node *n = f->g->node[k];
    const int64_t b = lop_node_int(n, "blocksize", 1), blocks = b * b;
    const bool spreads = strcmp(n->op, "SpaceToDepth") == 0;
    const bool column = strcmp(lop_node_string(n, "mode", "DCR"), "CRD") == 0;
    couple_layout l;
    lop_status st = LOP_OK;
    if (!couple_collapse(f, n->in[0], 1, k, &st)) couple_stop_node(f, k, "it works along their dimension");
    if (st != LOP_OK || !couple_layout_of(f, n->in[0], &l) || l.first != 1) return st;
    const int64_t out = couple_shape(f, n->out[0])->dim[1];
    int *label = lop_array(out, sizeof *label, f->err);
    if (!label) return LOP_E_MEMORY;
    for (int64_t i = 0; i < out; i++) {
        label[i] = l.label[spreads ? i % l.size : column ? i * blocks : i];
        for (int64_t t = 1; !spreads && t < blocks; t++)
            couple_unite(f, label[i], l.label[column ? i * blocks + t : t * out + i], k, false);
    }
    st = couple_set(f, n->out[0], k, 1, 1, label);
    lop_free(label);
    return st;
}

/* core/couple/labels.c - classes by union-find, and the labels by which values carry them. */
#include "couple/couple_impl.h"
#include <string.h>

/* A file may declare dimensions of any size: labels of one value (a flattened picture, say), classes, and labels of
 * all values together. */
static const int64_t MOST = (int64_t)1 << 24, ALL = (int64_t)1 << 28;

const lop_shape *couple_shape(const couple *f, int v) { return &f->s->value[v].shape; }

bool couple_constant(const couple *f, int v) { return v >= 0 && f->s->value[v].data != NULL; }

bool couple_layout_of(const couple *f, int v, couple_layout *out)
{
    if (v < 0 || !f->q->label[v]) return false;
    *out = (couple_layout){.first = f->q->axis[v], .count = f->q->naxes[v], .size = f->q->channels[v],
                           .label = f->q->label[v]};
    for (int d = 0; d < out->count; d++) out->dim[d] = couple_shape(f, v)->dim[out->first + d];
    return true;
}

/* ---- classes ---- */

int couple_root(couple *f, int class)
{
    while (f->parent[class] != class) class = f->parent[class] = f->parent[f->parent[class]];
    return class;
}

void couple_stop(couple *f, int class, int k, const char *why)
{
    if (class < 0 || f->stop[class] != -1) return;
    f->stop[class] = k;
    f->why[class] = why;
}

void couple_stop_value(couple *f, int v, int k, const char *why)
{
    for (int64_t i = 0; v >= 0 && f->q->label[v] && i < f->q->channels[v]; i++)
        couple_stop(f, f->q->label[v][i], k, why);
}

void couple_stop_node(couple *f, int k, const char *why)
{
    for (int i = 0; i < f->g->node[k]->nin; i++) couple_stop_value(f, f->g->node[k]->in[i], k, why);
}

void couple_unite(couple *f, int a, int b, int k, bool additive)
{
    if (a < 0 || b < 0) {
        couple_stop(f, a < 0 ? b : a, k, "it ties them to entries that no weights make");
        return;
    }
    a = couple_root(f, a);
    b = couple_root(f, b);
    if (a == b) return;
    const int low = a < b ? a : b, high = a < b ? b : a;
    f->parent[high] = low;
    f->tied[low] = f->tied[low] || f->tied[high] || (additive && f->made[low] && f->made[high]);
    f->made[low] = f->made[low] || f->made[high];
}

static lop_status grow(couple *f, int64_t need)
{
    int64_t cap[6] = {f->capacity, f->capacity, f->capacity, f->capacity, f->capacity, f->capacity};
    lop_status st = lop_reserve((void **)&f->parent, &cap[0], need, sizeof *f->parent, f->err);
    if (st == LOP_OK) st = lop_reserve((void **)&f->maker, &cap[1], need, sizeof *f->maker, f->err);
    if (st == LOP_OK) st = lop_reserve((void **)&f->stop, &cap[2], need, sizeof *f->stop, f->err);
    if (st == LOP_OK) st = lop_reserve((void **)&f->why, &cap[3], need, sizeof *f->why, f->err);
    if (st == LOP_OK) st = lop_reserve((void **)&f->made, &cap[4], need, sizeof *f->made, f->err);
    if (st == LOP_OK) st = lop_reserve((void **)&f->tied, &cap[5], need, sizeof *f->tied, f->err);
    if (st == LOP_OK) f->capacity = cap[0];
    return st;
}

lop_status couple_fresh(couple *f, int64_t n, int node, int *first)
{
    *first = f->count;
    if (n > MOST - f->count)
        return lop_fail(f->err, LOP_E_UNSUPPORTED, "the network has more than %" PRId64 " channels", MOST);
    const lop_status st = grow(f, f->count + n);
    for (int64_t i = 0; st == LOP_OK && i < n; i++) {
        const int c = f->count++;
        f->parent[c] = c;
        f->maker[c] = node;
        f->stop[c] = -1;
        f->why[c] = NULL;
        f->made[c] = node >= 0;
        f->tied[c] = false;
    }
    return st;
}

/* ---- labels ---- */

lop_status couple_labels(couple *f, int64_t n, int **out)
{
    lop_groups *q = f->q;
    *out = NULL;
    if (n > ALL - f->labels)
        return lop_fail(f->err, LOP_E_UNSUPPORTED, "the values have more than %" PRId64 " channels in all", ALL);
    f->labels += n;
    lop_status st = lop_reserve((void **)&q->block, &q->block_capacity, q->nblock + 1, sizeof *q->block, f->err);
    if (st == LOP_OK) *out = lop_array(n, sizeof **out, f->err);
    if (!*out) return LOP_E_MEMORY;
    q->block[q->nblock++] = *out;
    return LOP_OK;
}

bool couple_fits(couple *f, int k, int v, int first, int count)
{
    int64_t size = 1;
    for (int d = first; d < first + count; d++) {
        const int64_t n = couple_shape(f, v)->dim[d];
        if (n > 0 && size > MOST / n) {
            couple_stop_node(f, k, "it spreads them over too many entries to follow");
            return false;
        }
        size *= n;
    }
    return true;
}

static int root_of(couple *f, int label) { return label < 0 ? -1 : couple_root(f, label); }

/* Do labels in so many outer, n, inner entries tell nothing along the n? */
static bool same_along(couple *f, const int *label, int64_t outer, int64_t n, int64_t inner)
{
    for (int64_t o = 0; o < outer; o++)
        for (int64_t i = 0; i < inner; i++) {
            const int *l = label + o * n * inner + i;
            for (int64_t j = 1; j < n; j++)
                if (l[j * inner] != l[0] && root_of(f, l[j * inner]) != root_of(f, l[0])) return false;
        }
    return true;
}

lop_status couple_set(couple *f, int v, int k, int first, int count, const int *label)
{
    int64_t size = 1, step = 1;                         /* step: every step-th label is kept */
    bool any = false;
    for (int d = 0; d < count; d++) size *= couple_shape(f, v)->dim[first + d];
    if (couple_constant(f, v) || size == 0) return LOP_OK;
    for (; count > 1; count--) {                        /* inner dimensions */
        const int64_t n = couple_shape(f, v)->dim[first + count - 1];
        if (!same_along(f, label, size / (n * step), n, step)) break;
        step *= n;
    }
    int64_t left = size / step;
    for (; count > 1; count--, first++) {               /* outer ones */
        const int64_t n = couple_shape(f, v)->dim[first];
        if (!same_along(f, label, 1, n, left / n * step)) break;
        left /= n;
    }
    int *own;
    const lop_status st = couple_labels(f, left, &own);
    for (int64_t i = 0; st == LOP_OK && i < left; i++) {
        own[i] = label[i * step];
        any = any || own[i] >= 0;
        if (first == 0) couple_stop(f, own[i], k, "it moves them into the first dimension, where images are");
    }
    if (st != LOP_OK || !any || first == 0) return st;
    f->q->label[v] = own;
    f->q->axis[v] = first;
    f->q->naxes[v] = count;
    f->q->channels[v] = left;
    return LOP_OK;
}

bool couple_pass(couple *f, int from, int to)
{
    couple_layout l;
    if (!couple_layout_of(f, from, &l) || couple_constant(f, to)) return true;
    const lop_shape *y = couple_shape(f, to);
    if (!f->s->known[to] || y->ndim != couple_shape(f, from)->ndim) return false;
    for (int d = 0; d < l.count; d++)
        if (y->dim[l.first + d] != l.dim[d]) return false;
    f->q->label[to] = f->q->label[from];
    f->q->axis[to] = l.first;
    f->q->naxes[to] = l.count;
    f->q->channels[to] = l.size;
    return true;
}

/* Walks all index tuples of dimensions dim[0..count), row by row; false at the end. */
static bool next_index(int64_t *at, const int64_t *dim, int count)
{
    for (int d = count - 1; d >= 0; d--) {
        if (++at[d] < dim[d]) return true;
        at[d] = 0;
    }
    return false;
}

lop_status couple_remap(couple *f, int k, int from, int to, int first, int count, const int *source)
{
    couple_layout l;
    int64_t size = 1, at[LOP_MAX_DIMS] = {0}, step[LOP_MAX_DIMS] = {0};
    const int64_t *dim = couple_shape(f, to)->dim + first;
    if (!couple_layout_of(f, from, &l) || !couple_fits(f, k, to, first, count)) return LOP_OK;
    for (int i = 0; i < count; i++) {
        size *= dim[i];
        if (source[i] < l.first || source[i] >= l.first + l.count) continue;
        step[i] = 1;
        for (int d = source[i] + 1; d < l.first + l.count; d++) step[i] *= l.dim[d - l.first];
    }
    int *label = lop_array(size, sizeof *label, f->err);
    if (!label) return LOP_E_MEMORY;
    for (int64_t p = 0; p < size; p++) {
        int64_t i = 0;
        for (int d = 0; d < count; d++) i += at[d] * step[d];
        label[p] = l.label[i];
        next_index(at, dim, count);
    }
    const lop_status st = couple_set(f, to, k, first, count, label);
    lop_free(label);
    return st;
}

/* Unites what differs along all dimensions of l but `keep`. */
static void unite_but(couple *f, const couple_layout *l, int keep, int k)
{
    int64_t inner = 1;
    for (int d = keep + 1; d < l->count; d++) inner *= l->dim[d];
    if (inner < 1 || l->dim[keep] < 1) return;
    for (int64_t p = 0; p < l->size; p++) {
        const int64_t j = p / inner % l->dim[keep];
        if (p != j * inner) couple_unite(f, l->label[j * inner], l->label[p], k, false);
    }
}

bool couple_collapse(couple *f, int v, int axis, int k, lop_status *st)
{
    couple_layout l;
    if (!couple_layout_of(f, v, &l)) return true;
    if (axis < l.first || axis >= l.first + l.count) return false;
    if (l.count == 1) return true;
    const int keep = axis - l.first;
    int64_t inner = 1;
    int *label;
    unite_but(f, &l, keep, k);
    for (int d = keep + 1; d < l.count; d++) inner *= l.dim[d];
    *st = couple_labels(f, l.dim[keep], &label);
    if (*st != LOP_OK) return true;
    for (int64_t j = 0; j < l.dim[keep]; j++) label[j] = l.label[j * inner];
    f->q->label[v] = label;
    f->q->axis[v] = axis;
    f->q->naxes[v] = 1;
    f->q->channels[v] = l.dim[keep];
    return true;
}

/* Along which dimension alone do the classes of l differ? -1: along several. */
static int block_axis(couple *f, const couple_layout *l)
{
    for (int keep = 0; keep < l->count; keep++) {
        int64_t inner = 1;
        bool alone = true;
        for (int d = keep + 1; d < l->count; d++) inner *= l->dim[d];
        if (inner < 1 || l->dim[keep] < 1) return keep;
        for (int64_t p = 0; alone && p < l->size; p++)
            alone = root_of(f, l->label[p]) == root_of(f, l->label[p / inner % l->dim[keep] * inner]);
        if (alone) return keep;
    }
    return -1;
}

/* A value with a stopped class is not cut: its classes stay as they are. */
static bool stopped(const couple *f, const couple_layout *l)
{
    for (int64_t p = 0; p < l->size; p++)
        if (l->label[p] >= 0 && f->stop[l->label[p]] != -1) return true;
    return false;
}

void couple_impose_blocks(couple *f)
{
    for (int k = 0; k < f->g->nnode; k++)
        for (int o = 0; o < f->g->node[k]->nout; o++) {
            couple_layout l;
            int keep = 0;
            if (!couple_layout_of(f, f->g->node[k]->out[o], &l) || l.count < 2) continue;
            if (stopped(f, &l) || block_axis(f, &l) >= 0) continue;
            for (int d = 1; d < l.count; d++)
                if (l.dim[d] >= l.dim[keep]) keep = d;          /* the finest cut: of the longest dimension */
            unite_but(f, &l, keep, k);
        }
}

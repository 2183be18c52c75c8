/* core/couple/dead.c - channels that cost without telling anything: those that are one number everywhere, which the
 * biases of their readers can carry, and those that nothing reads. */
#include "couple/couple_impl.h"
#include <math.h>
#include <string.h>

typedef struct {
    const lop_graph *g;
    const lop_shapes *s;
    const lop_groups *q;
    double **known;             /* by value: see couple_known */
    bool *dead;                 /* by class */
    lop_error *err;
} search;

/* Can node k do without entry i of its input, by a change of its bias? */
static bool carries(const search *f, int k, int64_t i)
{
    const lop_node *n = f->g->node[k];
    const double *x = f->q->naxes[n->in[0]] == 1 ? f->known[n->in[0]] : NULL;
    if (!x || isnan(x[i]) || isinf(x[i])) return false;
    if (x[i] == 0.0) return true;
    const bool gemm = strcmp(n->op, "Gemm") == 0;
    if (f->s->value[n->in[1]].type != LOP_F32 || (gemm && n->nin > 2 && n->in[2] >= 0 &&
                                                  f->s->value[n->in[2]].shape.ndim != 1))
        return false;
    return gemm || (strcmp(n->op, "Conv") == 0 && couple_unpadded(n));
}

/* All of a group's classes are dead until a reader needs one. */
static void find_dead(search *f)
{
    const lop_groups *q = f->q;
    for (int c = 0; c < q->classes; c++) f->dead[c] = q->group_of[c] >= 0 && q->group[q->group_of[c]].prunable;
    for (int i = 0; i < q->count; i++)
        for (int j = 0; q->group[i].prunable && j < q->group[i].nconsumer; j++) {
            const int k = q->group[i].consumer[j], v = f->g->node[k]->in[0];
            for (int64_t p = 0; p < q->channels[v]; p++)
                if (q->label[v][p] >= 0 && !carries(f, k, p)) f->dead[q->label[v][p]] = false;
        }
}

/* United classes share their fate; alive: by group and place. Then each value and each group keeps one. */
static lop_status revive(search *f)
{
    const lop_groups *q = f->q;
    int64_t *first = lop_array((int64_t)q->count + 1, sizeof *first, f->err);
    if (!first) return LOP_E_MEMORY;
    for (int i = 0; i < q->count; i++) first[i + 1] = first[i] + q->group[i].width;
    bool *alive = lop_array(first[q->count], sizeof *alive, f->err);
    for (int c = 0; alive && c < q->classes; c++)
        if (q->group_of[c] >= 0 && !f->dead[c]) alive[first[q->group_of[c]] + q->rank_of[c]] = true;
    for (int v = 0; alive && v < q->nvalue; v++) {
        bool left = !q->label[v];
        for (int64_t p = 0; !left && p < q->channels[v]; p++) {
            const int c = q->label[v][p];
            left = c < 0 || q->group_of[c] < 0 || alive[first[q->group_of[c]] + q->rank_of[c]];
        }
        if (!left) alive[first[q->group_of[q->label[v][0]]] + q->rank_of[q->label[v][0]]] = true;
    }
    for (int i = 0; alive && i < q->count; i++) {
        bool left = false;
        for (int64_t r = first[i]; r < first[i + 1]; r++) left = left || alive[r];
        if (!left) alive[first[i]] = true;
    }
    for (int c = 0; alive && c < q->classes; c++)
        f->dead[c] = q->group_of[c] >= 0 && !alive[first[q->group_of[c]] + q->rank_of[c]];
    const lop_status st = alive ? LOP_OK : LOP_E_MEMORY;
    lop_free(alive);
    lop_free(first);
    return st;
}

/* ---- the numbers that readers carry ---- */

/* sum[o]: what the entries that go add to output o. */
static void add_up(const search *f, const lop_node *n, const lop_tensor *w, int64_t outputs, double *sum, bool *any)
{
    const int v = n->in[0];
    const bool conv = strcmp(n->op, "Conv") == 0, turned = conv || lop_node_int(n, "transB", 0) != 0;
    const int64_t inputs = w->shape.dim[turned ? 1 : 0], groups = conv ? lop_node_int(n, "group", 1) : 1;
    const int64_t taps = lop_tensor_size(w) / (outputs * inputs);
    for (int64_t o = 0; o < outputs; o++)
        for (int64_t j = 0; j < inputs; j++) {
            const int64_t p = o / (outputs / groups) * inputs + j;
            const int c = f->q->label[v][p];
            if (c < 0 || !f->dead[c] || !f->known[v] || !(fabs(f->known[v][p]) > 0.0)) continue;
            const int64_t at = (turned ? o * inputs + j : j * outputs + o) * taps;
            for (int64_t t = 0; t < taps; t++) sum[o] += f->known[v][p] * lop_tensor_get(w, at + t);
            *any = true;
        }
}

static lop_status put_bias(lop_graph *g, lop_node *n, const lop_tensor *bias, lop_error *err)
{
    if (n->nin > 2 && n->in[2] >= 0 && g->value[n->in[2]]->constant.data)
        return lop_graph_replace_constant(g, n, 2, bias, err);
    int *in = lop_array(3, sizeof *in, err);
    lop_status st = in ? lop_graph_add_constant(g, "bias", bias, &in[2], err) : LOP_E_MEMORY;
    if (st != LOP_OK) {
        lop_free(in);
        return st;
    }
    in[0] = n->in[0];
    in[1] = n->in[1];
    lop_free(n->in);
    n->in = in;
    n->nin = 3;
    return LOP_OK;
}

static lop_status carry(const search *f, lop_graph *next, int k)
{
    const lop_node *n = f->g->node[k];
    if (strcmp(n->op, "Conv") != 0 && strcmp(n->op, "Gemm") != 0) return LOP_OK;        /* theirs are zeros */
    const lop_tensor *w = &f->s->value[n->in[1]];
    const lop_tensor *old = n->nin > 2 && n->in[2] >= 0 ? &f->s->value[n->in[2]] : NULL;
    const bool rows = strcmp(n->op, "Conv") == 0 || lop_node_int(n, "transB", 0) != 0;
    const int64_t outputs = w->shape.dim[rows ? 0 : 1];
    double *sum = lop_array(outputs, sizeof *sum, f->err);
    bool any = false;
    if (!sum) return LOP_E_MEMORY;
    if (lop_tensor_size(w) > 0) add_up(f, n, w, outputs, sum, &any);
    lop_tensor bias = {0};
    lop_status st = any ? lop_tensor_init(&bias, LOP_F32, &(lop_shape){1, {outputs}}, f->err) : LOP_OK;
    for (int64_t o = 0; any && st == LOP_OK && o < outputs; o++)
        lop_tensor_set(&bias, o, (old ? lop_tensor_get(old, lop_tensor_size(old) == 1 ? 0 : o) : 0.0) + sum[o]);
    if (any && st == LOP_OK) st = put_bias(next, next->node[k], &bias, f->err);
    lop_tensor_clear(&bias);
    lop_free(sum);
    return st;
}

/* ---- all of it ---- */

/* A list of what stays for each group that loses something; *gone: places that go. Free with clear_cuts. */
static lop_status list_cuts(const search *f, lop_cut *cuts, int *n, int64_t *gone)
{
    const lop_groups *q = f->q;
    int64_t **keep = lop_array(q->count, sizeof *keep, f->err), *count = lop_array(q->count, sizeof *count, f->err);
    lop_status st = keep && count ? LOP_OK : LOP_E_MEMORY;
    for (int i = 0; st == LOP_OK && i < q->count; i++) {
        keep[i] = lop_array(q->group[i].width, sizeof **keep, f->err);
        if (!keep[i]) st = LOP_E_MEMORY;
    }
    for (int c = 0; st == LOP_OK && c < q->classes; c++) {              /* a place's first class is its root */
        const int i = q->group_of[c];
        if (i >= 0 && !f->dead[c] && q->rank_of[c] >= (count[i] > 0 ? keep[i][count[i] - 1] + 1 : 0))
            keep[i][count[i]++] = q->rank_of[c];
    }
    for (int i = 0; keep && i < q->count; i++) {
        if (st != LOP_OK || count[i] == q->group[i].width) {
            lop_free(keep[i]);
            continue;
        }
        cuts[(*n)++] = (lop_cut){i, keep[i], count[i]};
        *gone += q->group[i].width - count[i];
    }
    lop_free(keep);
    lop_free(count);
    return st;
}

static lop_status drop(search *f, lop_graph *g, int64_t *count)
{
    lop_graph *next = NULL;
    int n = 0;
    lop_cut *cuts = lop_array((int64_t)f->q->count + 1, sizeof *cuts, f->err);
    lop_status st = cuts ? couple_known(g, f->s, f->q, f->known, f->err) : LOP_E_MEMORY;
    if (st == LOP_OK) find_dead(f);
    if (st == LOP_OK) st = revive(f);
    if (st == LOP_OK) st = list_cuts(f, cuts, &n, count);
    if (st == LOP_OK && n > 0) st = lop_graph_clone(g, &next, f->err);
    for (int k = 0; st == LOP_OK && n > 0 && k < g->nnode; k++)
        if (couple_reads(g, f->s, f->q, k)) st = carry(f, next, k);
    if (st == LOP_OK && n > 0) st = lop_graph_cut_all(next, f->q, cuts, n, f->err);
    if (st == LOP_OK && n > 0) {
        const lop_graph old = *g;
        *g = *next;
        *next = old;
    }
    lop_graph_free(next);
    for (int i = 0; i < n; i++) lop_free((void *)(uintptr_t)cuts[i].keep);
    lop_free(cuts);
    return st;
}

lop_status lop_graph_drop_dead(lop_graph *g, const lop_shapes *s, const lop_groups *q, bool *gone, int64_t *count,
                               lop_error *err)
{
    search f = {.g = g, .s = s, .q = q, .err = err};
    *count = 0;
    f.known = lop_array(q->nvalue, sizeof *f.known, err);
    f.dead = lop_array(q->classes, sizeof *f.dead, err);
    lop_status st = f.known && f.dead ? drop(&f, g, count) : LOP_E_MEMORY;
    if (st != LOP_OK) *count = 0;
    if (st == LOP_OK && gone && q->classes > 0) memcpy(gone, f.dead, (size_t)q->classes * sizeof *gone);
    for (int v = 0; f.known && v < q->nvalue; v++) lop_free(f.known[v]);
    lop_free(f.known);
    lop_free(f.dead);
    return st;
}

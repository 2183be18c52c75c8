/* core/graph/fold_bn.c - batch normalization, taken into the convolution or Gemm before it. */
#include "graph/graph_impl.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    lop_graph *g;
    lop_uses uses;              /* as before the first fold: folds change no other node's reads */
    bool *held;                 /* values that must stay: outputs of the graph, names that a subgraph may read */
    int64_t value_count;        /* of held and uses */
    lop_error *err;
} folding;

/* One convolution and its norm. */
typedef struct {
    lop_node *conv;
    const lop_node *norm;
    const lop_tensor *weight, *bias;                    /* bias: NULL when there is none */
    const lop_tensor *scale, *shift, *mean, *var;
    int axis;                   /* of the weight, where its filters are */
    int64_t filters;
    double epsilon, old_factor;                         /* Gemm's beta before its bias */
} pair;

static bool is_op(const lop_node *n, const char *op)
{
    return strcmp(n->op, op) == 0 && (!n->domain || !n->domain[0] || strcmp(n->domain, "ai.onnx") == 0);
}

/* The constant behind a value: an initializer, a Constant node, or either behind Identity; NULL: not constant. */
static const lop_tensor *constant_of(const folding *f, int v)
{
    for (int step = 0; step <= f->g->nnode && v >= 0; step++) {
        if (f->g->value[v]->constant.data) return &f->g->value[v]->constant;
        if (v >= f->value_count || f->uses.producer[v] < 0) return NULL;
        const lop_node *n = f->g->node[f->uses.producer[v]];
        if (is_op(n, "Constant")) {
            const lop_attr *a = lop_node_attr(n, "value");
            return a && a->kind == LOP_ATTR_TENSOR ? &a->tensor : NULL;
        }
        if (!is_op(n, "Identity") || n->nin != 1) return NULL;
        v = n->in[0];
    }
    return NULL;
}

static bool is_vector(const lop_tensor *t, int64_t n) { return t && lop_tensor_size(t) == n && t->shape.ndim == 1; }

/* Gemm's C, when every row gets the same: a scalar, (n) or (1, n). */
static bool is_row(const lop_tensor *t, int64_t n)
{
    const int64_t size = lop_tensor_size(t), last = t->shape.ndim > 0 ? t->shape.dim[t->shape.ndim - 1] : 1;
    return size == 1 || (size == n && last == n);
}

static bool find_weight(const folding *f, pair *p)
{
    const lop_node *n = p->conv;
    const bool gemm = is_op(n, "Gemm");
    p->weight = n->nin >= 2 ? constant_of(f, n->in[1]) : NULL;
    if (!p->weight || p->weight->shape.ndim < 2 || n->nout != 1) return false;
    p->axis = gemm && lop_node_int(n, "transB", 0) == 0 ? 1 : 0;
    p->filters = p->weight->shape.dim[p->axis];
    p->old_factor = gemm ? (double)lop_node_float(n, "beta", 1.0f) : 1.0;
    if (n->nin < 3 || n->in[2] < 0) return true;
    p->bias = constant_of(f, n->in[2]);
    return p->bias && (gemm ? is_row(p->bias, p->filters) : is_vector(p->bias, p->filters));
}

/* Inference form, one output, plain statistics per channel. */
static bool find_norm(const folding *f, pair *p)
{
    const lop_node *n = p->norm;
    if (n->nin < 5 || lop_node_int(n, "training_mode", 0) != 0 || lop_node_int(n, "spatial", 1) == 0) return false;
    for (int o = 1; o < n->nout; o++)
        if (n->out[o] >= 0) return false;
    p->scale = constant_of(f, n->in[1]);
    p->shift = constant_of(f, n->in[2]);
    p->mean = constant_of(f, n->in[3]);
    p->var = constant_of(f, n->in[4]);
    p->epsilon = (double)lop_node_float(n, "epsilon", 1e-5f);
    return is_vector(p->scale, p->filters) && is_vector(p->shift, p->filters) && is_vector(p->mean, p->filters) &&
           is_vector(p->var, p->filters);
}

static bool find_pair(const folding *f, int at, pair *p)
{
    *p = (pair){.norm = f->g->node[at]};
    if (!is_op(p->norm, "BatchNormalization") || p->norm->nin < 1 || p->norm->nout < 1) return false;
    const int v = p->norm->in[0];
    if (v < 0 || v >= f->value_count || p->norm->out[0] < 0 || f->held[v] || f->uses.producer[v] < 0) return false;
    if (f->uses.first[v + 1] - f->uses.first[v] != 1) return false;
    p->conv = f->g->node[f->uses.producer[v]];
    if (!is_op(p->conv, "Conv") && !is_op(p->conv, "Gemm")) return false;
    return find_weight(f, p) && find_norm(f, p);
}

/* ---- the arithmetic ---- */

/* s of each filter, float64; NUMERIC names the channel whose scale is no number. */
static lop_status scales(const pair *p, double *s, lop_error *err)
{
    for (int64_t j = 0; j < p->filters; j++) {
        const double var = lop_tensor_get(p->var, j);
        s[j] = lop_tensor_get(p->scale, j) / sqrt(var + p->epsilon);
        if (!isfinite(s[j]))
            return lop_fail(err, LOP_E_NUMERIC, "channel #%" PRId64 ": scale %g over the root of variance %g + %g is "
                            "no number", j, lop_tensor_get(p->scale, j), var, p->epsilon);
    }
    return LOP_OK;
}

static lop_status scaled_weight(const pair *p, const double *s, lop_tensor *out, lop_error *err)
{
    const lop_tensor *w = p->weight;
    int64_t inner = 1;
    const lop_status st = lop_tensor_init(out, w->type, &w->shape, err);
    if (st != LOP_OK) return st;
    for (int d = p->axis + 1; d < w->shape.ndim; d++) inner *= w->shape.dim[d];
    const int64_t size = lop_tensor_size(w);
    for (int64_t k = 0; k < size; k++)
        lop_tensor_set(out, k, lop_tensor_get(w, k) * s[k / inner % p->filters]);
    return LOP_OK;
}

static lop_status shifted_bias(const pair *p, const double *s, lop_tensor *out, lop_error *err)
{
    const lop_shape shape = {1, {p->filters}};
    const lop_status st = lop_tensor_init(out, p->weight->type, &shape, err);
    for (int64_t j = 0; st == LOP_OK && j < p->filters; j++) {
        const int64_t from = p->bias && lop_tensor_size(p->bias) > 1 ? j : 0;
        const double b = p->bias ? p->old_factor * lop_tensor_get(p->bias, from) : 0.0;
        lop_tensor_set(out, j, (b - lop_tensor_get(p->mean, j)) * s[j] + lop_tensor_get(p->shift, j));
    }
    return st;
}

/* ---- the surgery ---- */

/* Puts t where input i of the convolution reads: in the old initializer's place if none but this node reads it, so
 * that its name stays; else in a new one. */
static lop_status replace(folding *f, pair *p, int i, const char *name, const lop_tensor *t)
{
    const int v = i < p->conv->nin ? p->conv->in[i] : -1;
    const bool alone = v >= 0 && v < f->value_count && f->g->value[v]->constant.data && !f->held[v] &&
                       f->uses.first[v + 1] - f->uses.first[v] == 1;
    if (alone) {
        lop_tensor_clear(&f->g->value[v]->constant);
        lop_tensor_share(&f->g->value[v]->constant, t);
        return LOP_OK;
    }
    return lop_graph_add_constant(f->g, name, t, &p->conv->in[i], f->err);
}

/* conv1.w or conv1.weight has conv1.bias beside it. */
static char *bias_name(const char *weight, lop_error *err)
{
    const char *dot = strrchr(weight, '.');
    const size_t stem = dot ? (size_t)(dot - weight) : strlen(weight), room = stem + 8;
    char *name = lop_array((int64_t)room, 1, err);
    if (name) snprintf(name, room, "%.*s%s", (int)stem, weight, dot ? ".bias" : "_bias");
    return name;
}

/* Three inputs, the third possibly left out. */
static lop_status widen(lop_node *n, lop_error *err)
{
    if (n->nin >= 3) return LOP_OK;
    int *in = lop_array(3, sizeof *in, err);
    if (!in) return LOP_E_MEMORY;
    in[0] = n->in[0];
    in[1] = n->in[1];
    in[2] = -1;
    lop_free(n->in);
    n->in = in;
    n->nin = 3;
    return LOP_OK;
}

static void set_beta_to_one(lop_node *n)
{
    for (int k = 0; k < n->nattr; k++)
        if (strcmp(n->attr[k].name, "beta") == 0 && n->attr[k].kind == LOP_ATTR_FLOAT) n->attr[k].f = 1.0f;
}

static lop_status install(folding *f, pair *p, const lop_tensor *weight, const lop_tensor *bias)
{
    const char *old = f->g->value[p->conv->in[1]]->name;
    char *name = bias_name(old, f->err);
    lop_status st = name ? widen(p->conv, f->err) : LOP_E_MEMORY;
    if (st == LOP_OK) st = replace(f, p, 2, name, bias);
    if (st == LOP_OK) st = replace(f, p, 1, old, weight);
    if (st == LOP_OK) {
        set_beta_to_one(p->conv);
        p->conv->out[0] = p->norm->out[0];
    }
    lop_free(name);
    return st;
}

static lop_status fold_pair(folding *f, pair *p)
{
    lop_tensor weight = {0}, bias = {0};
    double *s = lop_array(p->filters, sizeof *s, f->err);
    lop_status st = s ? scales(p, s, f->err) : LOP_E_MEMORY;
    if (st == LOP_OK) st = scaled_weight(p, s, &weight, f->err);
    if (st == LOP_OK) st = shifted_bias(p, s, &bias, f->err);
    if (st == LOP_OK) st = install(f, p, &weight, &bias);
    else lop_error_at(f->err, "node '%s' (%s)", lop_node_label(f->g, p->norm), p->norm->op);
    lop_tensor_clear(&weight);
    lop_tensor_clear(&bias);
    lop_free(s);
    return st;
}

/* Norms that were taken in leave at the end: until then positions are those of `uses`. */
static lop_status fold_all(folding *f, bool *gone, int *count)
{
    lop_status st = LOP_OK;
    for (int k = 0; st == LOP_OK && k < f->g->nnode; k++) {
        pair p;
        if (!find_pair(f, k, &p)) continue;
        st = fold_pair(f, &p);
        gone[k] = st == LOP_OK;
        *count += st == LOP_OK;
    }
    for (int k = f->g->nnode - 1; k >= 0; k--)
        if (gone[k]) lop_graph_remove_node(f->g, k);
    return *count > 0 && st == LOP_OK ? lop_graph_prune_dead(f->g, f->err) : st;
}

lop_status lop_graph_fold_bn(lop_graph *g, int *count, lop_error *err)
{
    folding f = {.g = g, .value_count = g->nvalue, .err = err};
    *count = 0;
    f.held = lop_array(g->nvalue, sizeof *f.held, err);
    bool *gone = lop_array(g->nnode, sizeof *gone, err);
    lop_status st = f.held && gone ? lop_graph_uses(g, &f.uses, err) : LOP_E_MEMORY;
    if (st == LOP_OK) {
        lop_graph_captured(g, f.held);
        for (int k = 0; k < g->noutput; k++) f.held[g->output[k]] = true;
        st = fold_all(&f, gone, count);
    }
    lop_uses_free(&f.uses);
    lop_free(gone);
    lop_free(f.held);
    return st;
}

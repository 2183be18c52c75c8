/* core/couple/known.c - channels that hold one number everywhere, whatever the picture: those of filters of zeros, as
 * far as operators pass them on. Element-wise operators are asked: their own forward is run on the numbers. */
#include "couple/couple_impl.h"
#include <math.h>
#include <string.h>

typedef struct {
    const lop_graph *g;
    const lop_shapes *s;
    const lop_groups *q;
    double **known;             /* by value: by channel, NAN where it is not known; NULL: none is */
    lop_error *err;
} search;

static bool single(const search *f, int v) { return v >= 0 && f->q->label[v] && f->q->naxes[v] == 1; }

static const double *known_of(const search *f, int v) { return single(f, v) ? f->known[v] : NULL; }

/* Room for v's numbers, none known yet. */
static lop_status room(search *f, int v, double **out)
{
    *out = f->known[v] = lop_array(f->q->channels[v], sizeof **out, f->err);
    for (int64_t i = 0; *out && i < f->q->channels[v]; i++) (*out)[i] = NAN;
    return *out ? LOP_OK : LOP_E_MEMORY;
}

static const lop_tensor *constant(const search *f, const lop_node *n, int slot)
{
    const int v = slot < n->nin ? n->in[slot] : -1;
    return v >= 0 && f->s->value[v].data ? &f->s->value[v] : NULL;
}

/* ---- weights ---- */

bool couple_unpadded(const lop_node *n)
{
    int64_t pads[COUPLE_LIST];
    const char *how = lop_node_string(n, "auto_pad", "NOTSET");
    const int64_t count = lop_node_ints(n, "pads", pads, COUPLE_LIST);
    if (strcmp(how, "VALID") == 0) return true;
    for (int64_t i = 0; i < count && i < COUPLE_LIST; i++)
        if (pads[i] != 0) return false;
    return strcmp(how, "NOTSET") == 0;
}

/* Sum of w's entries `first`, first + step, ... (count of them); *zero: all are 0. */
static double sum_of(const lop_tensor *w, int64_t first, int64_t step, int64_t count, bool *zero)
{
    double sum = 0;
    *zero = true;
    for (int64_t i = 0; i < count; i++) {
        const double x = lop_tensor_get(w, first + i * step);
        sum += x;
        *zero = *zero && x == 0.0;
    }
    return sum;
}

static lop_status from_conv(search *f, const lop_node *n)
{
    const lop_tensor *w = constant(f, n, 1), *b = constant(f, n, 2);
    const int64_t filters = w->shape.dim[0], each = lop_tensor_size(w) / filters;
    const double *x = known_of(f, n->in[0]);
    const bool depthwise = w->shape.dim[1] == 1 && lop_node_int(n, "group", 1) == f->s->value[n->in[0]].shape.dim[1];
    double *y;
    lop_status st = room(f, n->out[0], &y);
    for (int64_t o = 0; st == LOP_OK && o < filters; o++) {
        bool zero;
        const double sum = sum_of(w, o * each, 1, each, &zero), bias = b ? lop_tensor_get(b, o) : 0.0;
        const double in = depthwise && x ? x[o / (filters / f->q->channels[n->in[0]])] : NAN;
        if (zero || in == 0.0) y[o] = bias;
        else if (!isnan(in) && couple_unpadded(n)) y[o] = in * sum + bias;
    }
    return st;
}

/* Gemm, MatMul: a column of zeros gives the bias. */
static lop_status from_matrix(search *f, const lop_node *n)
{
    const lop_tensor *w = constant(f, n, 1), *b = constant(f, n, 2);
    const bool turned = lop_node_int(n, "transB", 0) != 0;
    const int64_t rows = w->shape.dim[0], columns = w->shape.dim[1];
    const int64_t outputs = turned ? rows : columns, inputs = turned ? columns : rows;
    const int64_t size = b ? lop_tensor_size(b) : 1;
    double *y;
    if (f->q->channels[n->out[0]] != outputs || (size != 1 && size != outputs)) return LOP_OK;
    lop_status st = room(f, n->out[0], &y);
    for (int64_t o = 0; st == LOP_OK && o < outputs; o++) {
        bool zero;
        sum_of(w, turned ? o * inputs : o, turned ? 1 : outputs, inputs, &zero);
        if (zero) y[o] = b ? lop_tensor_get(b, size == 1 ? 0 : o) : 0.0;
    }
    return st;
}

/* ---- element by element: the operator's own forward ---- */

/* Operand `slot` as a tensor of one entry a channel, in `ndim` dimensions, along `axis`; unknown ones are 0. False: it
 * has other entries. Constants are shared. */
static bool operand(search *f, const lop_node *n, int slot, int ndim, int axis, int64_t channels, lop_tensor *out,
                    lop_status *st)
{
    const lop_tensor *c = constant(f, n, slot);
    const int v = n->in[slot];
    lop_shape shape = {.ndim = ndim};
    for (int d = 0; d < ndim; d++) shape.dim[d] = d == axis ? channels : 1;
    if (c) {
        const int shift = ndim - c->shape.ndim;
        for (int d = 0; d < c->shape.ndim; d++)
            if (c->shape.dim[d] != 1 && d + shift != axis) return false;
        lop_tensor_share(out, c);
        return true;
    }
    const double *x = known_of(f, v);
    if (!x || f->s->value[v].type != LOP_F32 || f->q->channels[v] != channels) return false;
    if (f->q->axis[v] + ndim - f->s->value[v].shape.ndim != axis) return false;
    *st = lop_tensor_init(out, LOP_F32, &shape, f->err);
    for (int64_t i = 0; *st == LOP_OK && i < channels; i++) lop_tensor_set(out, i, isnan(x[i]) ? 0.0 : x[i]);
    return true;
}

/* A number is known where those of all activations are. */
static void take_known(search *f, const lop_node *n, const lop_tensor *result, double *y)
{
    for (int64_t i = 0; i < lop_tensor_size(result); i++) {
        bool all = true;
        for (int k = 0; k < n->nin; k++) {
            const double *x = n->in[k] >= 0 ? known_of(f, n->in[k]) : NULL;
            all = all && (!x || !isnan(x[i]));
        }
        if (all) y[i] = lop_tensor_get(result, i);
    }
}

static lop_status run(search *f, const lop_node *n, const lop_op *op, lop_tensor *list, int axis)
{
    const int v = n->out[0];
    const lop_tensor *in[COUPLE_LIST];
    lop_shape shape = {.ndim = f->s->value[v].shape.ndim};
    lop_tensor out = {0};
    double *y;
    for (int d = 0; d < shape.ndim; d++) shape.dim[d] = d == axis ? f->q->channels[v] : 1;
    for (int i = 0; i < n->nin; i++) in[i] = n->in[i] >= 0 ? &list[i] : NULL;
    const lop_op_call call = {.graph = f->g, .node = n, .opset = lop_graph_opset(f->g, n->domain), .nin = n->nin,
                              .nout = 1, .in = in, .out = &out};
    lop_error ignored;
    lop_status st = lop_tensor_init(&out, LOP_F32, &shape, f->err);
    if (st == LOP_OK && op->forward(&call, &ignored) == LOP_OK) {
        st = room(f, v, &y);
        if (st == LOP_OK) take_known(f, n, &out, y);
    }
    lop_tensor_clear(&out);
    return st;
}

static lop_status element_wise(search *f, const lop_node *n, const lop_op *op)
{
    const int v = n->out[0], axis = f->q->axis[v];
    bool fits = f->s->value[v].type == LOP_F32 && n->nin <= COUPLE_LIST && op->forward;
    lop_status st = LOP_OK;
    lop_tensor *list = lop_array(n->nin, sizeof *list, f->err);
    if (!list) return LOP_E_MEMORY;
    for (int i = 0; fits && st == LOP_OK && i < n->nin; i++)
        if (n->in[i] >= 0)
            fits = operand(f, n, i, f->s->value[v].shape.ndim, axis, f->q->channels[v], &list[i], &st);
    if (st == LOP_OK && fits) st = run(f, n, op, list, axis);
    for (int i = 0; i < n->nin; i++) lop_tensor_clear(&list[i]);
    lop_free(list);
    return st;
}

/* 0 times whatever: a gate that is not known leaves a channel of zeros as it is. */
static lop_status times_zero(search *f, const lop_node *n)
{
    double *y = f->known[n->out[0]];
    const int v = n->out[0];
    lop_status st = y ? LOP_OK : room(f, v, &y);
    for (int k = 0; st == LOP_OK && k < n->nin; k++) {
        const double *x = n->in[k] >= 0 ? known_of(f, n->in[k]) : NULL;
        if (!x || f->q->channels[n->in[k]] != f->q->channels[v]) continue;
        const int shift = f->s->value[v].shape.ndim - f->s->value[n->in[k]].shape.ndim;
        if (f->q->axis[n->in[k]] + shift != f->q->axis[v]) continue;
        for (int64_t i = 0; i < f->q->channels[v]; i++)
            if (x[i] == 0.0) y[i] = 0.0;
    }
    return st;
}

/* ---- moving ---- */

/* Channel i of the output holds what channel i / (their ratio) of the input holds. */
static lop_status pass(search *f, const lop_node *n)
{
    const double *x = known_of(f, n->in[0]);
    const int64_t from = f->q->channels[n->in[0]], to = f->q->channels[n->out[0]];
    double *y;
    if (!x || to % from != 0) return LOP_OK;
    lop_status st = room(f, n->out[0], &y);
    for (int64_t i = 0; st == LOP_OK && i < to; i++) y[i] = x[i / (to / from)];
    return st;
}

/* Is a channel of one number still one behind this pool, at its border too? */
static bool pool_keeps(const lop_node *n)
{
    if (strcmp(n->op, "AveragePool") == 0)
        return lop_node_int(n, "count_include_pad", 0) == 0 ||
               (couple_unpadded(n) && lop_node_int(n, "ceil_mode", 0) == 0);
    if (strcmp(n->op, "Resize") == 0)
        return strcmp(lop_node_string(n, "coordinate_transformation_mode", ""), "tf_crop_and_resize") != 0;
    return strcmp(n->op, "MaxPool") == 0 || strcmp(n->op, "GlobalAveragePool") == 0 ||
           strcmp(n->op, "GlobalMaxPool") == 0 || strcmp(n->op, "Upsample") == 0;
}

/* Where padding counts, zeros are still zeros. */
static lop_status from_pool(search *f, const lop_node *n)
{
    const bool keeps = pool_keeps(n);
    if (!keeps && strcmp(n->op, "AveragePool") != 0) return LOP_OK;
    const lop_status st = pass(f, n);
    double *y = f->known[n->out[0]];
    for (int64_t i = 0; y && !keeps && i < f->q->channels[n->out[0]]; i++)
        if (y[i] != 0.0) y[i] = NAN;
    return st;
}

/* Row by row the same entries, and as many before the channels: those of one stay together. */
static bool reshape_keeps(const search *f, const lop_node *n)
{
    int64_t before = 1, after = 1;
    for (int d = 0; d < f->q->axis[n->in[0]]; d++) before *= f->s->value[n->in[0]].shape.dim[d];
    for (int d = 0; d < f->q->axis[n->out[0]]; d++) after *= f->s->value[n->out[0]].shape.dim[d];
    return before == after;
}

static lop_status from_concat(search *f, const lop_node *n)
{
    const int v = n->out[0], ndim = f->s->value[v].shape.ndim;
    int64_t at = 0;
    double *y;
    if (couple_axis(lop_node_int(n, "axis", 1), ndim) != f->q->axis[v]) return LOP_OK;
    lop_status st = room(f, v, &y);
    for (int k = 0; st == LOP_OK && k < n->nin; k++) {
        const double *x = known_of(f, n->in[k]);
        const int64_t part = f->s->value[n->in[k]].shape.dim[f->q->axis[v]];
        for (int64_t i = 0; x && i < part; i++) y[at + i] = x[i];
        at += part;
    }
    return st;
}

/* Slice, Split, Gather; Pad where it adds nothing, or zeros beside a channel of zeros. */
static lop_status from_pick(search *f, const lop_node *n, int o, bool pads)
{
    const int v = n->out[o];
    const double *x = known_of(f, n->in[0]);
    if (!single(f, v) || !x || f->q->axis[v] != f->q->axis[n->in[0]]) return LOP_OK;
    int64_t *from = lop_array(f->q->channels[v], sizeof *from, f->err);
    const lop_tensor *fill = constant(f, n, 2);
    const bool zeros = pads && (fill ? lop_tensor_get(fill, 0) : (double)lop_node_float(n, "value", 0)) == 0.0;
    bool plain;
    double *y;
    lop_status st = from ? room(f, v, &y) : LOP_E_MEMORY;
    if (st == LOP_OK && couple_source(f->g, f->s, n, o, f->q->axis[v], from, &plain))
        for (int64_t i = 0; i < f->q->channels[v]; i++)
            if (from[i] >= 0 && (!pads || (zeros && x[from[i]] == 0.0))) y[i] = x[from[i]];
    lop_free(from);
    return st;
}

static lop_status visit(search *f, const lop_node *n, const lop_op *op)
{
    const bool both = single(f, n->in[0]) && single(f, n->out[0]);
    const bool weights = constant(f, n, 1) && lop_tensor_size(constant(f, n, 1)) > 0 && single(f, n->out[0]);
    lop_status st = LOP_OK;
    switch (op->cut) {
    case LOP_CUT_CONV: return weights ? from_conv(f, n) : LOP_OK;
    case LOP_CUT_GEMM: return weights ? from_matrix(f, n) : LOP_OK;
    case LOP_CUT_MATMUL: return weights && constant(f, n, 1)->shape.ndim == 2 ? from_matrix(f, n) : LOP_OK;
    case LOP_CUT_NORM: return both && strcmp(n->op, "BatchNormalization") == 0 ? element_wise(f, n, op) : LOP_OK;
    case LOP_CUT_SAME: return both ? element_wise(f, n, op) : LOP_OK;
    case LOP_CUT_JOIN:
        if (!single(f, n->out[0])) return LOP_OK;
        st = element_wise(f, n, op);
        return st == LOP_OK && strcmp(n->op, "Mul") == 0 ? times_zero(f, n) : st;
    case LOP_CUT_POOL: return both ? from_pool(f, n) : LOP_OK;
    case LOP_CUT_REDUCE: return both && strcmp(n->op, "ReduceMean") == 0 ? pass(f, n) : LOP_OK;
    case LOP_CUT_TRANSPOSE: return both ? pass(f, n) : LOP_OK;
    case LOP_CUT_FLATTEN: return both && reshape_keeps(f, n) ? pass(f, n) : LOP_OK;
    case LOP_CUT_CONCAT: return single(f, n->out[0]) ? from_concat(f, n) : LOP_OK;
    case LOP_CUT_SLICE:
    case LOP_CUT_GATHER: return both ? from_pick(f, n, 0, false) : LOP_OK;
    case LOP_CUT_PAD: return both ? from_pick(f, n, 0, true) : LOP_OK;
    case LOP_CUT_SPLIT:
        for (int o = 0; st == LOP_OK && o < n->nout; o++)
            if (n->out[o] >= 0) st = from_pick(f, n, o, false);
        return st;
    default: return LOP_OK;
    }
}

lop_status couple_known(const lop_graph *g, const lop_shapes *s, const lop_groups *q, double **known, lop_error *err)
{
    search f = {.g = g, .s = s, .q = q, .known = known, .err = err};
    lop_status st = LOP_OK;
    for (int k = 0; st == LOP_OK && k < g->nnode; k++) {
        const lop_node *n = g->node[k];
        const lop_op *op = lop_op_find(g->ops, n->domain, n->op);
        if (!op || n->nin < 1 || n->nout < 1 || n->in[0] < 0 || n->out[0] < 0 || !s->known[n->out[0]]) continue;
        st = visit(&f, n, op);
    }
    return st;
}

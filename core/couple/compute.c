/* core/couple/compute.c - what operators that compute mean to channel classes: weights make and read them, norms carry
 * parameters for each, element-wise operators pass or unite them, others mix them. */
#include "couple/couple_impl.h"
#include <string.h>

static const char *const COMPUTED = "its weights are computed, not constant";
static const char *const ELSEWHERE = "it reads channels along another dimension than theirs";

/* New classes along one dimension of node k's output. */
static lop_status make(couple *f, int k, int axis)
{
    const int v = f->g->node[k]->out[0];
    const int64_t n = couple_shape(f, v)->dim[axis];
    if (!couple_fits(f, k, v, axis, 1)) return LOP_OK;
    int first, *label = lop_array(n, sizeof *label, f->err);
    lop_status st = label ? couple_fresh(f, n, k, &first) : LOP_E_MEMORY;
    for (int64_t i = 0; st == LOP_OK && i < n; i++) label[i] = first + (int)i;
    if (st == LOP_OK) st = couple_set(f, v, k, axis, 1, label);
    lop_free(label);
    return st;
}

static bool parameters_constant(const couple *f, const lop_node *n)
{
    for (int i = 1; i < n->nin; i++)
        if (n->in[i] >= 0 && !couple_constant(f, n->in[i])) return false;
    return n->nin > 1 && n->in[1] >= 0;
}

/* ---- convolutions ---- */

/* Filter i goes with the channel that it reads. */
static lop_status pass_depthwise(couple *f, int k, int64_t outputs)
{
    const lop_node *n = f->g->node[k];
    couple_layout l;
    if (!couple_layout_of(f, n->in[0], &l)) return LOP_OK;
    int *label = lop_array(outputs, sizeof *label, f->err);
    if (!label) return LOP_E_MEMORY;
    for (int64_t i = 0; i < outputs; i++) label[i] = l.label[i / (outputs / l.size)];
    const lop_status st = couple_set(f, n->out[0], k, 1, 1, label);
    lop_free(label);
    return st;
}

/* Whole groups: a group's inputs and outputs are one class. Else the same places in each group: one class a place. */
static lop_status visit_grouped(couple *f, int k, int64_t groups)
{
    const lop_node *n = f->g->node[k];
    const int64_t inputs = couple_shape(f, n->in[0])->dim[1], outputs = couple_shape(f, n->out[0])->dim[1];
    const int64_t reads = inputs / groups, makes = outputs / groups;
    couple_layout l = {.size = 0};
    const bool labelled = couple_layout_of(f, n->in[0], &l), whole = f->q->whole[k] = f->q->whole[k] && labelled;
    int first, *label = lop_array(outputs, sizeof *label, f->err);
    lop_status st = label ? couple_fresh(f, whole ? groups : makes, k, &first) : LOP_E_MEMORY;
    for (int64_t i = 0; st == LOP_OK && i < outputs; i++) label[i] = first + (int)(whole ? i / makes : i % makes);
    for (int64_t i = 0; st == LOP_OK && labelled && i < l.size; i++) {
        if (whole) couple_unite(f, first + (int)(i / reads), l.label[i], k, false);
        else couple_unite(f, l.label[i % reads], l.label[i], k, false);
    }
    if (st == LOP_OK) st = couple_set(f, n->out[0], k, 1, 1, label);
    lop_free(label);
    return st;
}

static lop_status visit_filters(couple *f, int k, int64_t per_group)
{
    const lop_node *n = f->g->node[k];
    const int64_t groups = lop_node_int(n, "group", 1);
    const int64_t inputs = couple_shape(f, n->in[0])->dim[1], outputs = couple_shape(f, n->out[0])->dim[1];
    lop_status st = LOP_OK;
    if (!parameters_constant(f, n)) couple_stop_node(f, k, COMPUTED);
    else if (!couple_collapse(f, n->in[0], 1, k, &st)) couple_stop_node(f, k, ELSEWHERE);
    else if (st == LOP_OK && groups == 1) return make(f, k, 1);
    else if (st == LOP_OK && (groups < 1 || inputs % groups != 0 || outputs % groups != 0 || per_group < 1))
        couple_stop_node(f, k, "its groups do not divide its channels");
    else if (st == LOP_OK && groups == inputs) return pass_depthwise(f, k, outputs);
    else if (st == LOP_OK) return visit_grouped(f, k, groups);
    return st;
}

static bool has_planes(const couple *f, const lop_node *n)
{
    return couple_shape(f, n->in[0])->ndim >= 3 && couple_shape(f, n->out[0])->ndim >= 3;
}

lop_status couple_visit_conv(couple *f, int k)
{
    const lop_node *n = f->g->node[k];
    if (has_planes(f, n) && n->nin > 1 && n->in[1] >= 0) return visit_filters(f, k, couple_shape(f, n->in[1])->dim[1]);
    couple_stop_node(f, k, COMPUTED);
    return LOP_OK;
}

lop_status couple_visit_conv_transpose(couple *f, int k) { return couple_visit_conv(f, k); }

/* ---- matrices ---- */

lop_status couple_visit_gemm(couple *f, int k)
{
    const lop_node *n = f->g->node[k];
    lop_status st = LOP_OK;
    if (!parameters_constant(f, n)) couple_stop_node(f, k, COMPUTED);
    else if (lop_node_int(n, "transA", 0) != 0 || !couple_collapse(f, n->in[0], 1, k, &st))
        couple_stop_node(f, k, ELSEWHERE);
    else if (lop_node_float(n, "alpha", 1) != 1.0f || lop_node_float(n, "beta", 1) != 1.0f)
        couple_stop_node(f, k, "its alpha or beta is not 1");
    else if (st == LOP_OK) st = make(f, k, 1);
    return st;
}

/* x (..., c) times a constant (c, n): reads the last dimension; channels in dimensions before it pass. */
lop_status couple_visit_matmul(couple *f, int k)
{
    const lop_node *n = f->g->node[k];
    couple_layout l;
    const int last = couple_shape(f, n->in[0])->ndim - 1;
    lop_status st = LOP_OK;
    const bool matrix = n->nin > 1 && couple_constant(f, n->in[1]) && couple_shape(f, n->in[1])->ndim == 2;
    if (!matrix || couple_constant(f, n->in[0])) {
        couple_stop_node(f, k, "it multiplies them by what is no constant matrix");
        return LOP_OK;
    }
    if (couple_layout_of(f, n->in[0], &l) && l.first + l.count <= last) {
        if (!couple_pass(f, n->in[0], n->out[0])) couple_stop_node(f, k, ELSEWHERE);
        return LOP_OK;
    }
    if (!couple_collapse(f, n->in[0], last, k, &st)) couple_stop_node(f, k, ELSEWHERE);
    else if (st == LOP_OK && last > 0) st = make(f, k, last);
    return st;
}

/* ---- norms ---- */

static lop_status pass_or_stop(couple *f, int k, int output)
{
    const lop_node *n = f->g->node[k];
    if (output < n->nout && n->out[output] >= 0 && !couple_pass(f, n->in[0], n->out[output]))
        couple_stop_node(f, k, "it changes the number of channels");
    return LOP_OK;
}

/* BatchNormalization: parameters by channel. InstanceNormalization: means over all dimensions behind the channels. */
lop_status couple_visit_norm(couple *f, int k)
{
    const lop_node *n = f->g->node[k];
    couple_layout l;
    lop_status st = LOP_OK;
    if (!couple_layout_of(f, n->in[0], &l)) return LOP_OK;
    if (!parameters_constant(f, n)) {
        couple_stop_node(f, k, COMPUTED);
        return LOP_OK;
    }
    if (strcmp(n->op, "BatchNormalization") != 0 && !couple_collapse(f, n->in[0], 1, k, &st)) {
        couple_stop_node(f, k, "it takes means over channels");
        return LOP_OK;
    }
    return st == LOP_OK ? pass_or_stop(f, k, 0) : st;
}

/* Means over the channels of a group: whole groups go. */
lop_status couple_visit_group_norm(couple *f, int k)
{
    const lop_node *n = f->g->node[k];
    const int64_t groups = lop_node_int(n, "num_groups", 1);
    couple_layout l;
    lop_status st = LOP_OK;
    if (!couple_layout_of(f, n->in[0], &l)) return LOP_OK;
    if (!parameters_constant(f, n)) couple_stop_node(f, k, COMPUTED);
    else if (!couple_collapse(f, n->in[0], 1, k, &st)) couple_stop_node(f, k, "it takes means over channels");
    else if (st == LOP_OK && couple_layout_of(f, n->in[0], &l) && groups > 0 && l.size % groups == 0) {
        const int64_t each = l.size / groups;
        for (int64_t i = 0; i < l.size; i++) couple_unite(f, l.label[i / each * each], l.label[i], k, false);
        return pass_or_stop(f, k, 0);
    }
    return st;
}

/* ---- element by element ---- */

static bool others_are_scalars(const couple *f, const lop_node *n)
{
    for (int i = 1; i < n->nin; i++)
        if (n->in[i] >= 0 && lop_tensor_size(&f->s->value[n->in[i]]) != 1) return false;
    return true;
}

lop_status couple_visit_same(couple *f, int k)
{
    const lop_node *n = f->g->node[k];
    if (!others_are_scalars(f, n)) {
        couple_stop_node(f, k, "its other inputs are no scalars");
        return LOP_OK;
    }
    const lop_status st = pass_or_stop(f, k, 0);
    return st == LOP_OK ? pass_or_stop(f, k, 1) : st;                   /* Dropout's mask */
}

/* Each channel alone, over the dimensions behind it. */
lop_status couple_visit_pool(couple *f, int k)
{
    const lop_node *n = f->g->node[k];
    lop_status st = LOP_OK;
    for (int i = 1; i < n->nin; i++) couple_stop_value(f, n->in[i], k, "it says where to look");
    if (n->nout > 1 && n->out[1] >= 0) couple_stop_node(f, k, "it gives places, which count channels");
    else if (!couple_collapse(f, n->in[0], 1, k, &st)) couple_stop_node(f, k, "it works along their dimension");
    else if (st == LOP_OK) st = pass_or_stop(f, k, 0);
    return st;
}

/* An operand of a broadcast operator, in the dimensions of the output. */
typedef struct { couple_layout l; int v, first; bool labelled; } operand;

static operand operand_of(const couple *f, const lop_node *n, int i)
{
    operand o = {.v = n->in[i]};
    o.labelled = couple_layout_of(f, o.v, &o.l);
    o.first = o.l.first + couple_shape(f, n->out[0])->ndim - couple_shape(f, o.v)->ndim;
    return o;
}

/* The operand has all of the output's entries along its channels. */
static bool carries(const operand *o, const lop_shape *y)
{
    for (int d = 0; d < o->l.count; d++)
        if (o->l.dim[d] != y->dim[o->first + d]) return false;
    return o->labelled;
}

/* It has more than one entry somewhere along dimensions [low, high) of the output. */
static bool reaches(const couple *f, int v, int ndim, int low, int high)
{
    const lop_shape *x = couple_shape(f, v);
    for (int d = low; d < high; d++)
        if (d >= ndim - x->ndim && x->dim[d - (ndim - x->ndim)] > 1) return true;
    return false;
}

/* Unites what the operand carries with label, one entry a place of the output's dimensions [low, high). */
static void unite_operand(couple *f, int k, const operand *o, const lop_shape *y, int low, int high, int *label,
                          bool additive)
{
    int64_t inner = 1, size = 1;                        /* entries of the output behind the operand's channels */
    for (int d = low; d < high; d++) size *= y->dim[d];
    for (int d = o->labelled ? o->first + o->l.count : high; d < high; d++) inner *= y->dim[d];
    for (int64_t p = 0; p < size; p++) {
        const int l = o->labelled ? o->l.label[p / inner % o->l.size] : -1;
        if (label[p] == -2) label[p] = l;
        else couple_unite(f, label[p], l, k, additive);
        if (l == -1) label[p] = -1;
    }
}

static lop_status join(couple *f, int k, const operand *list, int count, int low, int high)
{
    const lop_node *n = f->g->node[k];
    const lop_shape *y = couple_shape(f, n->out[0]);
    const bool additive = strcmp(n->op, "Add") == 0 || strcmp(n->op, "Sub") == 0 || strcmp(n->op, "Sum") == 0 ||
                          strcmp(n->op, "Mean") == 0;
    int64_t size = 1;
    for (int d = low; d < high; d++) size *= y->dim[d];
    int *label = lop_array(size, sizeof *label, f->err);
    if (!label) return LOP_E_MEMORY;
    for (int64_t p = 0; p < size; p++) label[p] = -2;
    for (int i = 0; i < count; i++)
        if (list[i].labelled || reaches(f, list[i].v, y->ndim, low, high))
            unite_operand(f, k, &list[i], y, low, high, label, additive);
    const lop_status st = couple_set(f, n->out[0], k, low, high - low, label);
    lop_free(label);
    return st;
}

lop_status couple_visit_join(couple *f, int k)
{
    const lop_node *n = f->g->node[k];
    const lop_shape *y = couple_shape(f, n->out[0]);
    int low = y->ndim, high = 0, count = 0;
    operand *list = lop_array(n->nin, sizeof *list, f->err);
    if (!list) return LOP_E_MEMORY;
    for (int i = 0; i < n->nin; i++) {
        if (n->in[i] < 0 || couple_constant(f, n->in[i])) continue;
        operand o = operand_of(f, n, i);
        if (o.labelled && !carries(&o, y)) {
            couple_stop_value(f, o.v, k, "it spreads one channel over several");
            o.labelled = false;
        }
        if (o.labelled && o.first < low) low = o.first;
        if (o.labelled && o.first + o.l.count > high) high = o.first + o.l.count;
        list[count++] = o;
    }
    const lop_status st = low < high && couple_fits(f, k, n->out[0], low, high - low) ? join(f, k, list, count, low,
                                                                                             high) : LOP_OK;
    lop_free(list);
    return st;
}

/* ---- mixing along dimensions ---- */

static bool mixes_channels(couple *f, int k, bool *set)
{
    couple_layout l;
    if (!couple_layout_of(f, f->g->node[k]->in[0], &l)) return false;
    bool mixes = !couple_mixed(f->g, f->s, f->g->node[k], set);
    for (int d = l.first; d < l.first + l.count; d++) mixes = mixes || set[d];
    if (mixes) couple_stop_node(f, k, "it mixes the channels");
    return mixes;
}

lop_status couple_visit_axis(couple *f, int k)
{
    bool set[LOP_MAX_DIMS] = {false};
    return mixes_channels(f, k, set) ? LOP_OK : pass_or_stop(f, k, 0);
}

lop_status couple_visit_reduce(couple *f, int k)
{
    const lop_node *n = f->g->node[k];
    bool set[LOP_MAX_DIMS] = {false};
    couple_layout l;
    int source[LOP_MAX_DIMS], first;
    if (mixes_channels(f, k, set) || !couple_layout_of(f, n->in[0], &l)) return LOP_OK;
    first = l.first;
    const bool drops = couple_shape(f, n->out[0])->ndim != couple_shape(f, n->in[0])->ndim;
    for (int d = 0; drops && d < l.first; d++) first -= set[d];
    for (int d = 0; d < l.count; d++) source[d] = l.first + d;
    return couple_remap(f, k, n->in[0], n->out[0], first, l.count, source);
}

/* core/couple/cut_compute.c - parameters by channel: filters, inputs of filters, entries of norms, per-channel
 * constants. */
#include "couple/couple_impl.h"

/* Channels in `groups` blocks, of which whole ones went, or the same number from each. */
typedef struct { int64_t blocks; couple_kept within; } blocks;          /* blocks left; what stays within one */

static lop_status split_blocks(const couple_cut *c, const couple_kept *k, int64_t total, int64_t groups, blocks *out)
{
    const int64_t each = total / groups;
    *out = (blocks){groups, {NULL, 0}};
    if (!k->list) return LOP_OK;
    int64_t last = -1;
    out->blocks = 0;
    out->within.list = lop_array(each, sizeof *out->within.list, c->err);
    if (!out->within.list) return LOP_E_MEMORY;
    for (int64_t i = 0; i < k->count; i++) {
        const int64_t b = k->list[i] / each;
        if (b != last) out->blocks++;
        last = b;
        if (b == k->list[0] / each) out->within.list[out->within.count++] = k->list[i] % each;
    }
    return LOP_OK;
}

/* Conv: w (n, c / groups, ...), dimension `in` 1; ConvTranspose: w (c, n / groups, ...), dimension `in` 0. */
static lop_status cut_filters(couple_cut *c, lop_node *n, bool transposed)
{
    const int64_t groups = lop_node_int(n, "group", 1);
    const lop_shape *x = &c->s->value[n->in[0]].shape, *y = &c->s->value[n->out[0]].shape;
    couple_kept in = {NULL, 0}, out = {NULL, 0};
    blocks reads = {groups, {NULL, 0}}, makes = {groups, {NULL, 0}};
    lop_status st = couple_kept_of(c, n->in[0], 1, &in);
    if (st == LOP_OK) st = couple_kept_of(c, n->out[0], 1, &out);
    if (st == LOP_OK) st = split_blocks(c, &in, x->dim[1], groups, &reads);
    if (st == LOP_OK) st = split_blocks(c, &out, y->dim[1], groups, &makes);
    const int64_t left = in.list ? reads.blocks : makes.blocks;
    if (st == LOP_OK) st = couple_slice(c, n, 1, 0, transposed ? &in : &out);
    if (st == LOP_OK) st = couple_slice(c, n, 1, 1, transposed ? &makes.within : &reads.within);
    if (st == LOP_OK) st = couple_slice(c, n, 2, 0, &out);
    if (st == LOP_OK && left != groups) st = lop_node_set_int(n, "group", left, c->err);
    lop_free(reads.within.list);
    lop_free(makes.within.list);
    lop_free(in.list);
    lop_free(out.list);
    return st;
}

static lop_status cut_gemm(couple_cut *c, lop_node *n)
{
    const int rows = lop_node_int(n, "transB", 0) ? 0 : 1;              /* the dimension of B that makes outputs */
    couple_kept in = {NULL, 0}, out = {NULL, 0};
    lop_status st = couple_kept_of(c, n->in[0], 1, &in);
    if (st == LOP_OK) st = couple_kept_of(c, n->out[0], 1, &out);
    if (st == LOP_OK) st = couple_slice(c, n, 1, rows, &out);
    if (st == LOP_OK) st = couple_slice(c, n, 1, 1 - rows, &in);
    if (st == LOP_OK && n->nin > 2 && n->in[2] >= 0) {
        const lop_shape *bias = &c->s->value[n->in[2]].shape;
        if (bias->ndim > 0 && bias->dim[bias->ndim - 1] > 1) st = couple_slice(c, n, 2, bias->ndim - 1, &out);
    }
    lop_free(in.list);
    lop_free(out.list);
    return st;
}

static lop_status cut_matmul(couple_cut *c, lop_node *n)
{
    couple_kept in = {NULL, 0}, out = {NULL, 0};
    const int last = c->s->value[n->in[0]].shape.ndim - 1;
    lop_status st = couple_kept_of(c, n->in[0], last, &in);
    if (st == LOP_OK) st = couple_kept_of(c, n->out[0], last, &out);
    if (st == LOP_OK) st = couple_slice(c, n, 1, 0, &in);
    if (st == LOP_OK) st = couple_slice(c, n, 1, 1, &out);
    lop_free(in.list);
    lop_free(out.list);
    return st;
}

static lop_status cut_norm(couple_cut *c, lop_node *n)
{
    couple_kept out;
    lop_status st = couple_kept_of(c, n->out[0], 1, &out);
    for (int i = 1; st == LOP_OK && i < n->nin; i++) st = couple_slice(c, n, i, 0, &out);
    lop_free(out.list);
    return st;
}

/* Scales by group up to opset 20, by channel after: as many entries as there are. */
static lop_status cut_group_norm(couple_cut *c, lop_node *n)
{
    const int64_t channels = c->s->value[n->in[0]].shape.dim[1], groups = lop_node_int(n, "num_groups", 1);
    const int64_t each = channels / groups;
    couple_kept out, by_group = {NULL, 0};
    lop_status st = couple_kept_of(c, n->out[0], 1, &out);
    if (st != LOP_OK || !out.list) return st;
    by_group.list = lop_array(groups, sizeof *by_group.list, c->err);
    if (!by_group.list) st = LOP_E_MEMORY;
    for (int64_t i = 0; st == LOP_OK && i < out.count; i++)
        if (i == 0 || out.list[i] / each != out.list[i - 1] / each)
            by_group.list[by_group.count++] = out.list[i] / each;
    for (int i = 1; st == LOP_OK && i < n->nin; i++) {
        const bool per_group = n->in[i] >= 0 && c->s->value[n->in[i]].shape.dim[0] == groups && groups != channels;
        st = couple_slice(c, n, i, 0, per_group ? &by_group : &out);
    }
    if (st == LOP_OK) st = lop_node_set_int(n, "num_groups", by_group.count, c->err);
    lop_free(by_group.list);
    lop_free(out.list);
    return st;
}

/* Constants beside activations, in Add, Mul, PRelu, Concat ...: they lose what the output loses, where they have it. */
static lop_status cut_constants(couple_cut *c, lop_node *n, int but)
{
    const int v = n->out[0], ndim = c->s->value[v].shape.ndim;
    lop_status st = LOP_OK;
    if (!c->touched[v]) return LOP_OK;
    for (int d = c->q->axis[v]; st == LOP_OK && d < c->q->axis[v] + c->q->naxes[v]; d++) {
        couple_kept k;
        st = d == but ? LOP_OK : couple_kept_of(c, v, d, &k);
        if (st != LOP_OK || d == but) continue;
        for (int i = 0; st == LOP_OK && k.list && i < n->nin; i++) {
            const int operand = n->in[i];
            if (operand < 0 || (operand < c->s->nvalue && !c->s->value[operand].data)) continue;
            if (operand < c->s->nvalue && c->follows[operand] && !c->firm) continue;
            const lop_shape *x = operand < c->s->nvalue ? &c->s->value[operand].shape
                                                        : &c->g->value[operand]->constant.shape;
            const int at = d - (ndim - x->ndim);
            if (at >= 0 && x->dim[at] > 1) st = couple_slice(c, n, i, at, &k);
        }
        lop_free(k.list);
    }
    return st;
}

lop_status couple_cut_compute(couple_cut *c, lop_node *n, const lop_op *op)
{
    const int ndim = c->s->value[n->out[0]].shape.ndim;
    if (n->nin < 2) return LOP_OK;
    switch (op->cut) {
    case LOP_CUT_CONV:
    case LOP_CUT_CONV_TRANSPOSE: return cut_filters(c, n, op->cut == LOP_CUT_CONV_TRANSPOSE);
    case LOP_CUT_GEMM: return cut_gemm(c, n);
    case LOP_CUT_MATMUL: return cut_matmul(c, n);
    case LOP_CUT_NORM: return cut_norm(c, n);
    case LOP_CUT_GROUP_NORM: return cut_group_norm(c, n);
    case LOP_CUT_JOIN: return cut_constants(c, n, -1);
    case LOP_CUT_CONCAT: return cut_constants(c, n, couple_axis(lop_node_int(n, "axis", 1), ndim));
    default: return LOP_OK;
    }
}

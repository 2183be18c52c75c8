/* core/ops/move/arrange.c - elements in another order, side by side, or repeated: Transpose, Concat, Expand, Tile,
 * DepthToSpace, SpaceToDepth, Trilu. */
#include "ops/ops_impl.h"
#include <string.h>

/* ---- Transpose ---- */

static lop_status perm_read(const lop_op_call *call, int *perm, lop_error *err)
{
    int64_t list[LOP_MAX_DIMS];
    const int ndim = call->in[0]->shape.ndim;
    bool seen[LOP_MAX_DIMS] = {false};
    int count;
    lop_status st = ops_ints(call, "perm", -1, list, LOP_MAX_DIMS, &count, err);
    if (st != LOP_OK) return st;
    if (count >= 0 && count != ndim)
        return lop_fail(err, LOP_E_SHAPE, "perm has %d entries, the input %d dimensions", count, ndim);
    for (int d = 0; d < ndim; d++) {
        const int64_t p = count < 0 ? ndim - 1 - d : list[d];
        if (p < 0 || p >= ndim || seen[p]) return lop_fail(err, LOP_E_FORMAT, "perm is no permutation");
        seen[p] = true;
        perm[d] = (int)p;
    }
    return LOP_OK;
}

lop_status ops_transpose_shape(const lop_op_call *call, lop_error *err)
{
    int perm[LOP_MAX_DIMS];
    lop_status st = ops_need(call, 1, 1, err);
    if (st == LOP_OK) st = perm_read(call, perm, err);
    if (st != LOP_OK) return st;
    lop_shape y = call->in[0]->shape;
    for (int d = 0; d < y.ndim; d++) y.dim[d] = call->in[0]->shape.dim[perm[d]];
    return ops_set(call, 0, call->in[0]->type, &y, err);
}

/* y, of shape `shape`, dimension d running along x's by step[d] elements. */
static lop_status move_steps(const lop_op_call *call, const lop_shape *shape, const int64_t *step, lop_error *err)
{
    const lop_tensor *x = call->in[0];
    ops_map m;
    lop_status st = ops_map_init(&m, shape, err);
    if (st != LOP_OK) return st;
    for (int d = 0; d < shape->ndim; d++)
        for (int64_t i = 0; i < m.n[d]; i++) m.offset[d][i] = i * step[d];
    ops_map_run(&m, lop_dtype_size(x->type), x->data, NULL, call->out[0].data, call->team);
    ops_map_clear(&m);
    return LOP_OK;
}

lop_status ops_transpose_forward(const lop_op_call *call, lop_error *err)
{
    int perm[LOP_MAX_DIMS];
    int64_t stride[LOP_MAX_DIMS], step[LOP_MAX_DIMS];
    lop_status st = perm_read(call, perm, err);
    if (st != LOP_OK) return st;
    ops_strides(&call->in[0]->shape, stride);
    for (int d = 0; d < call->in[0]->shape.ndim; d++) step[d] = stride[perm[d]];
    return move_steps(call, &call->out[0].shape, step, err);
}

bool ops_mixes_transpose(const lop_op_call *call)
{
    int perm[LOP_MAX_DIMS];
    lop_error ignored;
    return perm_read(call, perm, &ignored) != LOP_OK || call->in[0]->shape.ndim < 1 || perm[0] != 0;
}

/* ---- Concat ---- */

lop_status ops_concat_shape(const lop_op_call *call, lop_error *err)
{
    int axis;
    char first[96], other[96];
    lop_status st = ops_need(call, call->nin < 1 ? 1 : call->nin, INT32_MAX, err);
    if (st != LOP_OK) return st;
    lop_shape y = call->in[0]->shape;
    st = ops_axis(lop_node_int(call->node, "axis", 1), y.ndim, &axis, err);
    for (int i = 1; st == LOP_OK && i < call->nin; i++) {
        lop_shape x = call->in[i]->shape;
        const int64_t n = x.ndim == y.ndim ? x.dim[axis] : 0, sum = y.dim[axis];
        if (x.ndim == y.ndim) x.dim[axis] = sum;
        if (!lop_shape_equal(&x, &y) || call->in[i]->type != call->in[0]->type)
            return lop_fail(err, LOP_E_SHAPE, "input #%d is %s %s, the first one %s %s", i,
                            lop_dtype_name(call->in[i]->type), lop_shape_text(&call->in[i]->shape, other, sizeof other),
                            lop_dtype_name(call->in[0]->type),
                            lop_shape_text(&call->in[0]->shape, first, sizeof first));
        if (n > INT64_MAX - sum) return lop_fail(err, LOP_E_SHAPE, "more entries than there are numbers");
        y.dim[axis] = sum + n;
    }
    return st == LOP_OK ? ops_set(call, 0, call->in[0]->type, &y, err) : st;
}

lop_status ops_concat_forward(const lop_op_call *call, lop_error *err)
{
    const lop_tensor *y = &call->out[0];
    int axis;
    lop_status st = ops_axis(lop_node_int(call->node, "axis", 1), y->shape.ndim, &axis, err);
    if (st != LOP_OK) return st;
    const int64_t outer = ops_outer(&y->shape, axis);
    const size_t unit = (size_t)ops_inner(&y->shape, axis) * lop_dtype_size(y->type);
    const size_t row = (size_t)y->shape.dim[axis] * unit;
    size_t at = 0;
    for (int i = 0; i < call->nin; i++) {
        const size_t part = (size_t)call->in[i]->shape.dim[axis] * unit;
        const char *from = call->in[i]->data;
        for (int64_t o = 0; part > 0 && o < outer; o++)
            memcpy((char *)y->data + (size_t)o * row + at, from + (size_t)o * part, part);
        at += part;
    }
    return LOP_OK;
}

/* ---- Expand, Tile ---- */

lop_status ops_expand_shape(const lop_op_call *call, lop_error *err)
{
    lop_shape y;
    lop_status st = ops_need(call, 2, 2, err);
    if (st == LOP_OK) st = ops_input_ints(call, 1, "shape", y.dim, LOP_MAX_DIMS, &y.ndim, err);
    if (st == LOP_OK) st = ops_broadcast(&call->in[0]->shape, &y, &y, err);
    return st == LOP_OK ? ops_set(call, 0, call->in[0]->type, &y, err) : st;
}

lop_status ops_expand_forward(const lop_op_call *call, lop_error *err)
{
    int64_t step[LOP_MAX_DIMS];
    ops_broadcast_strides(&call->in[0]->shape, &call->out[0].shape, step);
    return move_steps(call, &call->out[0].shape, step, err);
}

lop_status ops_tile_shape(const lop_op_call *call, lop_error *err)
{
    int64_t repeat[LOP_MAX_DIMS];
    int count;
    lop_status st = ops_need(call, 2, 2, err);
    if (st == LOP_OK) st = ops_input_ints(call, 1, "repeats", repeat, LOP_MAX_DIMS, &count, err);
    if (st != LOP_OK) return st;
    lop_shape y = call->in[0]->shape;
    if (count != y.ndim) return lop_fail(err, LOP_E_SHAPE, "repeats has %d entries, %d expected", count, y.ndim);
    for (int d = 0; d < y.ndim; d++) {
        size_t n;
        if (repeat[d] < 0 || !lop_mul_size(&n, (size_t)y.dim[d], repeat[d]) || n > INT64_MAX)
            return lop_fail(err, LOP_E_SHAPE, "repeats[%d] is %" PRId64, d, repeat[d]);
        y.dim[d] = (int64_t)n;
    }
    return ops_set(call, 0, call->in[0]->type, &y, err);
}

lop_status ops_tile_forward(const lop_op_call *call, lop_error *err)
{
    const lop_tensor *x = call->in[0], *y = &call->out[0];
    int64_t stride[LOP_MAX_DIMS];
    ops_map m;
    lop_status st = ops_map_init(&m, &y->shape, err);
    if (st != LOP_OK) return st;
    ops_strides(&x->shape, stride);
    for (int d = 0; d < y->shape.ndim; d++)
        for (int64_t i = 0; i < m.n[d]; i++) m.offset[d][i] = i % x->shape.dim[d] * stride[d];
    ops_map_run(&m, lop_dtype_size(x->type), x->data, NULL, y->data, call->team);
    ops_map_clear(&m);
    return LOP_OK;
}

bool ops_mixes_tile(const lop_op_call *call)
{
    int64_t repeat[LOP_MAX_DIMS];
    int count;
    lop_error ignored;
    return ops_input_ints(call, 1, "repeats", repeat, LOP_MAX_DIMS, &count, &ignored) != LOP_OK || count < 1 ||
           repeat[0] != 1;
}

/* ---- DepthToSpace, SpaceToDepth: a transposition of six dimensions ---- */

static lop_status block_read(const lop_op_call *call, bool to_space, int64_t *b, lop_error *err)
{
    const lop_shape *x = &call->in[0]->shape;
    const char *mode = lop_node_string(call->node, "mode", "DCR");
    *b = lop_node_int(call->node, "blocksize", 0);
    if (x->ndim != 4) return lop_fail(err, LOP_E_SHAPE, "input has %d dimensions, 4 expected", x->ndim);
    if (*b < 1 || *b > INT16_MAX) return lop_fail(err, LOP_E_FORMAT, "blocksize is %" PRId64, *b);
    for (int d = 1; d < 4; d++)
        if (x->dim[d] > INT32_MAX) return lop_fail(err, LOP_E_SHAPE, "dimension %d is %" PRId64, d, x->dim[d]);
    if (to_space ? x->dim[1] % (*b * *b) != 0 : x->dim[2] % *b != 0 || x->dim[3] % *b != 0)
        return lop_fail(err, LOP_E_SHAPE, "%" PRId64 "x%" PRId64 "x%" PRId64 " by blocks of %" PRId64, x->dim[1],
                        x->dim[2], x->dim[3], *b);
    if (strcmp(mode, "DCR") != 0 && strcmp(mode, "CRD") != 0)
        return lop_fail(err, LOP_E_FORMAT, "mode is '%.30s'", mode);
    return LOP_OK;
}

static lop_status block_shape(const lop_op_call *call, bool to_space, lop_error *err)
{
    int64_t b;
    lop_status st = ops_need(call, 1, 1, err);
    if (st == LOP_OK) st = block_read(call, to_space, &b, err);
    if (st != LOP_OK) return st;
    const int64_t *x = call->in[0]->shape.dim;
    lop_shape y = {4, {x[0], x[1] / (b * b), x[2] * b, x[3] * b}};
    if (!to_space) y = (lop_shape){4, {x[0], x[1] * b * b, x[2] / b, x[3] / b}};
    return ops_set(call, 0, call->in[0]->type, &y, err);
}

lop_status ops_depth_to_space_shape(const lop_op_call *call, lop_error *err) { return block_shape(call, true, err); }
lop_status ops_space_to_depth_shape(const lop_op_call *call, lop_error *err) { return block_shape(call, false, err); }

lop_status ops_depth_to_space_forward(const lop_op_call *call, lop_error *err)
{
    const bool crd = strcmp(lop_node_string(call->node, "mode", "DCR"), "CRD") == 0;
    const int64_t *x = call->in[0]->shape.dim, b = lop_node_int(call->node, "blocksize", 1), c = x[1] / (b * b);
    const int64_t plane = x[2] * x[3];
    const int64_t along_c = crd ? b * b * plane : plane, along_block = crd ? plane : c * plane;
    const lop_shape y = {6, {x[0], c, x[2], b, x[3], b}};
    return move_steps(call, &y, (int64_t[]){x[1] * plane, along_c, x[3], b * along_block, 1, along_block}, err);
}

lop_status ops_space_to_depth_forward(const lop_op_call *call, lop_error *err)
{
    const int64_t *x = call->in[0]->shape.dim, b = lop_node_int(call->node, "blocksize", 1), plane = x[2] * x[3];
    const lop_shape y = {6, {x[0], b, b, x[1], x[2] / b, x[3] / b}};
    return move_steps(call, &y, (int64_t[]){x[1] * plane, x[3], 1, plane, b * x[3], b}, err);
}

/* ---- Trilu ---- */

lop_status ops_trilu_shape(const lop_op_call *call, lop_error *err)
{
    lop_status st = ops_need(call, 1, 2, err);
    if (st == LOP_OK && call->in[0]->shape.ndim < 2)
        return lop_fail(err, LOP_E_SHAPE, "input has %d dimensions, 2 or more expected", call->in[0]->shape.ndim);
    if (st == LOP_OK && ops_has(call, 1) && (call->in[1]->type != LOP_I64 || lop_tensor_size(call->in[1]) != 1))
        return lop_fail(err, LOP_E_SHAPE, "k: one int64 expected");
    return st == LOP_OK ? ops_set(call, 0, call->in[0]->type, &call->in[0]->shape, err) : st;
}

lop_status ops_trilu_forward(const lop_op_call *call, lop_error *err)
{
    const bool upper = lop_node_int(call->node, "upper", 1) != 0;
    const lop_shape *s = &call->in[0]->shape;
    const int64_t k = ops_has(call, 1) ? *(const int64_t *)call->in[1]->data : 0;
    const int64_t rows = s->dim[s->ndim - 2], cols = s->dim[s->ndim - 1];
    const size_t item = lop_dtype_size(call->in[0]->type);
    char *y = call->out[0].data;
    lop_status st = ops_copy_forward(call, err);
    for (int64_t i = 0; i < lop_tensor_size(call->in[0]); i++) {
        const int64_t off = i % cols - i / cols % rows;
        if (upper ? off < k : off > k) memset(y + (size_t)i * item, 0, item);
    }
    return st;
}

bool ops_mixes_trilu(const lop_op_call *call) { return call->in[0]->shape.ndim < 3; }

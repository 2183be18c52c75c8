/* core/ops/move.c - operators that move elements and compute nothing: Transpose (13), Concat (13), Slice (13 and before),
 * Pad (13 and before, constant), Gather (13). Any element type. */
#include "ops/ops_impl.h"
#include <string.h>

enum { DIMS = LOP_MAX_DIMS };

static lop_status need_one(const lop_op_call *c, lop_error *err) { return ops_need(c, 0, err); }

static lop_status order_of(const lop_op_call *c, int64_t perm[DIMS], lop_error *err)
{
    const int ndim = c->in[0]->shape.ndim;
    const int64_t n = lop_node_ints(c->node, "perm", perm, DIMS);
    unsigned seen = 0;
    for (int d = 0; n < 0 && d < ndim; d++) perm[d] = ndim - 1 - d;
    for (int d = 0; d < ndim; d++)
        if ((n >= 0 && n != ndim) || perm[d] < 0 || perm[d] >= ndim) return lop_fail(err, LOP_E_SHAPE, "perm does not fit %d dimensions", ndim);
        else seen |= 1u << perm[d];
    return seen == (1u << ndim) - 1 ? LOP_OK : lop_fail(err, LOP_E_SHAPE, "perm names a dimension twice");
}

lop_status ops_transpose_shape(const lop_op_call *c, lop_error *err)
{
    int64_t perm[DIMS];
    lop_status st = need_one(c, err);
    if (st == LOP_OK) st = order_of(c, perm, err);
    if (st != LOP_OK) return st;
    lop_shape s = c->in[0]->shape;
    for (int d = 0; d < s.ndim; d++) s.dim[d] = c->in[0]->shape.dim[perm[d]];
    ops_set(c->out, c->in[0]->type, &s);
    return LOP_OK;
}

/* Copies to `out`, in its order, the elements of x at first + sum of index times stride (in elements). */
static void gather_strided(const lop_tensor *x, int64_t first, const int64_t stride[DIMS], const lop_tensor *out)
{
    const size_t item = lop_dtype_size(x->type);
    const lop_shape *s = &out->shape;
    const int64_t n = lop_tensor_size(out);
    int64_t at[DIMS] = {0}, from = first;
    for (int64_t i = 0; i < n; i++) {
        memcpy((char *)out->data + (size_t)i * item, (const char *)x->data + (size_t)from * item, item);
        for (int d = s->ndim - 1; d >= 0; d--) {
            from += stride[d];
            if (++at[d] < s->dim[d]) break;
            from -= stride[d] * s->dim[d];
            at[d] = 0;
        }
    }
}

lop_status ops_transpose_forward(const lop_op_call *c, lop_error *err)
{
    int64_t perm[DIMS], stride[DIMS];
    lop_status st = order_of(c, perm, err);
    const lop_shape *s = &c->in[0]->shape;
    for (int d = 0; st == LOP_OK && d < s->ndim; d++) stride[d] = ops_product(s, (int)perm[d] + 1, s->ndim);
    if (st == LOP_OK) gather_strided(c->in[0], 0, stride, c->out);
    return st;
}

lop_status ops_concat_shape(const lop_op_call *c, lop_error *err)
{
    int axis;
    lop_status st = need_one(c, err);
    if (st == LOP_OK) st = ops_axis(lop_node_int(c->node, "axis", 1), c->in[0]->shape.ndim, &axis, err);
    if (st != LOP_OK) return st;
    lop_shape s = c->in[0]->shape;
    for (int i = 1; i < c->nin; i++) {
        st = ops_need(c, i, err);
        if (st != LOP_OK) return st;
        lop_shape other = c->in[i]->shape;
        const int64_t size = other.ndim == s.ndim ? other.dim[axis] : 0;
        other.dim[axis] = s.dim[axis];
        if (!lop_shape_equal(&s, &other) || c->in[i]->type != c->in[0]->type)
            return lop_fail(err, LOP_E_SHAPE, "input %d does not fit input 1 beside axis %d", i + 1, axis);
        s.dim[axis] += size;
    }
    ops_set(c->out, c->in[0]->type, &s);
    return LOP_OK;
}

lop_status ops_concat_forward(const lop_op_call *c, lop_error *err)
{
    int axis;
    const lop_shape *s = &c->out->shape;
    lop_status st = ops_axis(lop_node_int(c->node, "axis", 1), s->ndim, &axis, err);
    if (st != LOP_OK) return st;
    const size_t item = lop_dtype_size(c->out->type);
    const int64_t outer = ops_product(s, 0, axis);
    char *to = c->out->data;
    for (int64_t o = 0; o < outer; o++)
        for (int i = 0; i < c->nin; i++) {
            const size_t bytes = (size_t)ops_product(&c->in[i]->shape, axis, s->ndim) * item;
            if (bytes) memcpy(to, (const char *)c->in[i]->data + (size_t)o * bytes, bytes);
            to += bytes;
        }
    return LOP_OK;
}

/* Where a Slice begins and how it steps, and its shape. */
static lop_status slice_of(const lop_op_call *c, lop_shape *s, int64_t first[DIMS], int64_t step[DIMS], lop_error *err)
{
    int64_t starts[DIMS], ends[DIMS], axes[DIMS], steps[DIMS], n, m, a, t;
    const bool old = c->nin < 2;
    *s = c->in[0]->shape;
    for (int d = 0; d < s->ndim; d++) { first[d] = 0; step[d] = 1; }
    lop_status st = ops_list(c, old ? -1 : 1, "starts", starts, DIMS, &n, err);
    if (st == LOP_OK) st = ops_list(c, old ? -1 : 2, "ends", ends, DIMS, &m, err);
    if (st == LOP_OK) st = ops_list(c, old ? -1 : 3, "axes", axes, DIMS, &a, err);
    if (st == LOP_OK) st = ops_list(c, old ? -1 : 4, "steps", steps, DIMS, &t, err);
    if (st == LOP_OK && (n < 0 || m != n || (a >= 0 && a != n) || (t >= 0 && t != n)))
        st = lop_fail(err, LOP_E_SHAPE, "starts, ends, axes and steps differ in length");
    for (int64_t i = 0; st == LOP_OK && i < n; i++) {
        int d;
        st = ops_axis(a < 0 ? i : axes[i], s->ndim, &d, err);
        if (st != LOP_OK) break;
        const int64_t size = c->in[0]->shape.dim[d], by = t < 0 ? 1 : steps[i];
        if (by == 0 || by == INT64_MIN) return lop_fail(err, LOP_E_SHAPE, "a step of %" PRId64, by);
        int64_t from = starts[i] < 0 ? starts[i] + size : starts[i], to = ends[i] < 0 ? ends[i] + size : ends[i];
        const int64_t low = by > 0 ? 0 : -1, high = by > 0 ? size : size - 1;
        from = from < 0 ? 0 : from > high ? high : from;
        to = to < low ? low : to > size ? size : to;
        const int64_t span = by > 0 ? to - from : from - to, stride = by > 0 ? by : -by;
        first[d] = from;
        step[d] = by;
        s->dim[d] = span > 0 ? (span - 1) / stride + 1 : 0;
    }
    return st;
}

lop_status ops_slice_shape(const lop_op_call *c, lop_error *err)
{
    lop_shape s;
    int64_t first[DIMS], step[DIMS];
    lop_status st = need_one(c, err);
    if (st == LOP_OK) st = slice_of(c, &s, first, step, err);
    if (st == LOP_OK) ops_set(c->out, c->in[0]->type, &s);
    return st;
}

lop_status ops_slice_forward(const lop_op_call *c, lop_error *err)
{
    lop_shape s;
    int64_t first[DIMS], step[DIMS], start = 0;
    lop_status st = slice_of(c, &s, first, step, err);
    for (int d = 0; st == LOP_OK && d < s.ndim; d++) {
        const int64_t inner = ops_product(&c->in[0]->shape, d + 1, s.ndim);
        start += first[d] * inner;
        step[d] *= inner;
    }
    if (st == LOP_OK) gather_strided(c->in[0], start, step, c->out);
    return st;
}

static lop_status pads_of(const lop_op_call *c, int64_t pads[2 * DIMS], lop_error *err)
{
    int64_t n;
    lop_status st = need_one(c, err);
    if (st == LOP_OK && strcmp(lop_node_string(c->node, "mode", "constant"), "constant") != 0)
        st = lop_fail(err, LOP_E_UNSUPPORTED, "mode %s, constant expected", lop_node_string(c->node, "mode", "constant"));
    if (st == LOP_OK && ops_in(c, 3)) st = lop_fail(err, LOP_E_UNSUPPORTED, "axes as an input");
    if (st == LOP_OK) st = ops_list(c, c->nin > 1 ? 1 : -1, "pads", pads, 2 * DIMS, &n, err);
    if (st == LOP_OK && n != 2 * c->in[0]->shape.ndim) st = lop_fail(err, LOP_E_SHAPE, "pads has %" PRId64 " entries, %d expected", n, 2 * c->in[0]->shape.ndim);
    return st;
}

lop_status ops_pad_shape(const lop_op_call *c, lop_error *err)
{
    int64_t pads[2 * DIMS];
    lop_status st = pads_of(c, pads, err);
    if (st != LOP_OK) return st;
    lop_shape s = c->in[0]->shape;
    for (int d = 0; d < s.ndim; d++) {
        const int64_t before = pads[d], after = pads[d + s.ndim];
        if (before < 0 || after < 0 || before > INT32_MAX || after > INT32_MAX)
            return lop_fail(err, LOP_E_UNSUPPORTED, "pads %" PRId64 " and %" PRId64 ": 0 to 2^31 expected", before, after);
        s.dim[d] += before + after;
    }
    ops_set(c->out, c->in[0]->type, &s);
    return LOP_OK;
}

lop_status ops_pad_forward(const lop_op_call *c, lop_error *err)
{
    int64_t pads[2 * DIMS], at[DIMS] = {0};
    lop_status st = pads_of(c, pads, err);
    if (st != LOP_OK) return st;
    const lop_tensor *fill = ops_in(c, 2);
    const double value = fill ? lop_tensor_get(fill, 0) : (double)lop_node_float(c->node, "value", 0);
    const lop_shape *x = &c->in[0]->shape, *y = &c->out->shape;
    const size_t item = lop_dtype_size(c->out->type);
    const int64_t n = lop_tensor_size(c->out), m = lop_tensor_size(c->in[0]);
    for (int64_t i = 0; i < n; i++) lop_tensor_set(c->out, i, value);
    for (int64_t i = 0; i < m; i++) {
        int64_t to = 0;
        for (int d = 0; d < x->ndim; d++) to = to * y->dim[d] + at[d] + pads[d];
        memcpy((char *)c->out->data + (size_t)to * item, (const char *)c->in[0]->data + (size_t)i * item, item);
        for (int d = x->ndim - 1; d >= 0 && ++at[d] == x->dim[d]; d--) at[d] = 0;
    }
    return LOP_OK;
}

lop_status ops_gather_shape(const lop_op_call *c, lop_error *err)
{
    int axis;
    lop_status st = need_one(c, err);
    if (st == LOP_OK) st = ops_need(c, 1, err);
    if (st == LOP_OK) st = ops_axis(lop_node_int(c->node, "axis", 0), c->in[0]->shape.ndim, &axis, err);
    if (st != LOP_OK) return st;
    const lop_shape *x = &c->in[0]->shape, *list = &c->in[1]->shape;
    lop_shape s = {.ndim = x->ndim - 1 + list->ndim};
    if (s.ndim > DIMS) return lop_fail(err, LOP_E_UNSUPPORTED, "%d dimensions come out, %d at most", s.ndim, DIMS);
    for (int d = 0; d < axis; d++) s.dim[d] = x->dim[d];
    for (int d = 0; d < list->ndim; d++) s.dim[axis + d] = list->dim[d];
    for (int d = axis + 1; d < x->ndim; d++) s.dim[list->ndim + d - 1] = x->dim[d];
    ops_set(c->out, c->in[0]->type, &s);
    return LOP_OK;
}

lop_status ops_gather_forward(const lop_op_call *c, lop_error *err)
{
    int axis;
    const lop_shape *x = &c->in[0]->shape;
    lop_status st = ops_axis(lop_node_int(c->node, "axis", 0), x->ndim, &axis, err);
    if (st != LOP_OK) return st;
    const int64_t size = x->dim[axis], outer = ops_product(x, 0, axis), count = lop_tensor_size(c->in[1]);
    const size_t bytes = (size_t)ops_product(x, axis + 1, x->ndim) * lop_dtype_size(c->out->type);
    for (int64_t o = 0; o < outer; o++)
        for (int64_t i = 0; i < count; i++) {
            int64_t k = (int64_t)lop_tensor_get(c->in[1], i);
            if (k < -size || k >= size) return lop_fail(err, LOP_E_SHAPE, "index %" PRId64 " of %" PRId64, k, size);
            if (k < 0) k += size;
            memcpy((char *)c->out->data + (size_t)(o * count + i) * bytes, (const char *)c->in[0]->data + (size_t)(o * size + k) * bytes, bytes);
        }
    return LOP_OK;
}

/* core/ops/move/slice.c - parts of a tensor and what is put round it: Slice, Split, Pad (constant, reflect, edge,
 * wrap). */
#include "ops/ops_impl.h"
#include <string.h>

/* ---- Slice: bounds as attributes before opset 10, as inputs from then on ---- */

typedef struct { int64_t first[LOP_MAX_DIMS], step[LOP_MAX_DIMS], count[LOP_MAX_DIMS]; } slice;

static int64_t between(int64_t v, int64_t low, int64_t high) { return v < low ? low : v > high ? high : v; }

/* Elements start, start + step, ... before end, of a dimension of n: numpy's rules. */
static lop_status slice_dim(int64_t n, int64_t start, int64_t end, int64_t step, slice *s, int d, lop_error *err)
{
    if (step == 0 || step == INT64_MIN) return lop_fail(err, LOP_E_FORMAT, "a step of %" PRId64, step);
    const int64_t low = step > 0 ? 0 : -1, high = step > 0 ? n : n - 1;
    start = between(start < 0 ? start + n : start, step > 0 ? 0 : low, high);
    end = between(end < 0 ? end + n : end, low, step > 0 ? n : high);
    const int64_t span = step > 0 ? end - start : start - end, by = step > 0 ? step : -step;
    s->first[d] = start;
    s->step[d] = step;
    s->count[d] = span > 0 ? (span - 1) / by + 1 : 0;
    return LOP_OK;
}

static lop_status slice_read(const lop_op_call *call, slice *s, lop_error *err)
{
    int64_t start[LOP_MAX_DIMS], end[LOP_MAX_DIMS], step[LOP_MAX_DIMS], axes[LOP_MAX_DIMS];
    int starts, ends, steps, naxes;
    const lop_shape *x = &call->in[0]->shape;
    lop_status st = ops_ints(call, "starts", 1, start, LOP_MAX_DIMS, &starts, err);
    if (st == LOP_OK) st = ops_ints(call, "ends", 2, end, LOP_MAX_DIMS, &ends, err);
    if (st == LOP_OK) st = ops_ints(call, "axes", 3, axes, LOP_MAX_DIMS, &naxes, err);
    if (st == LOP_OK) st = ops_ints(call, "steps", 4, step, LOP_MAX_DIMS, &steps, err);
    if (st != LOP_OK) return st;
    if (starts < 0 || ends != starts || (naxes >= 0 && naxes != starts) || (steps >= 0 && steps != starts))
        return lop_fail(err, LOP_E_FORMAT, "starts, ends, axes, steps have %d, %d, %d, %d entries", starts, ends, naxes,
                        steps);
    for (int d = 0; d < x->ndim; d++) {
        s->first[d] = 0;
        s->step[d] = 1;
        s->count[d] = x->dim[d];
    }
    for (int i = 0; st == LOP_OK && i < starts; i++) {
        int d;
        st = ops_axis(naxes < 0 ? i : axes[i], x->ndim, &d, err);
        if (st == LOP_OK) st = slice_dim(x->dim[d], start[i], end[i], steps < 0 ? 1 : step[i], s, d, err);
    }
    return st;
}

lop_status ops_slice_shape(const lop_op_call *call, lop_error *err)
{
    slice s = {{0}, {0}, {0}};
    lop_status st = ops_need(call, 1, 5, err);
    if (st == LOP_OK) st = slice_read(call, &s, err);
    if (st != LOP_OK) return st;
    lop_shape y = call->in[0]->shape;
    for (int d = 0; d < y.ndim; d++) y.dim[d] = s.count[d];
    return ops_set(call, 0, call->in[0]->type, &y, err);
}

static lop_status move_slice(const lop_op_call *call, int out, const slice *s, lop_error *err)
{
    const lop_tensor *x = call->in[0], *y = &call->out[out];
    int64_t stride[LOP_MAX_DIMS] = {0};
    ops_map m;
    lop_status st = ops_map_init(&m, &y->shape, err);
    if (st != LOP_OK) return st;
    ops_strides(&x->shape, stride);
    for (int d = 0; d < y->shape.ndim; d++)
        for (int64_t i = 0; i < m.n[d]; i++) m.offset[d][i] = (s->first[d] + i * s->step[d]) * stride[d];
    ops_map_run(&m, lop_dtype_size(x->type), x->data, NULL, y->data, call->team);
    ops_map_clear(&m);
    return LOP_OK;
}

lop_status ops_slice_forward(const lop_op_call *call, lop_error *err)
{
    slice s = {{0}, {0}, {0}};
    lop_status st = slice_read(call, &s, err);
    return st == LOP_OK ? move_slice(call, 0, &s, err) : st;
}

bool ops_mixes_slice(const lop_op_call *call)
{
    int64_t start[LOP_MAX_DIMS], end[LOP_MAX_DIMS], step[LOP_MAX_DIMS], axes[LOP_MAX_DIMS];
    int starts, ends, steps, naxes;
    lop_error ignored;
    if (ops_ints(call, "starts", 1, start, LOP_MAX_DIMS, &starts, &ignored) != LOP_OK ||
        ops_ints(call, "ends", 2, end, LOP_MAX_DIMS, &ends, &ignored) != LOP_OK ||
        ops_ints(call, "axes", 3, axes, LOP_MAX_DIMS, &naxes, &ignored) != LOP_OK ||
        ops_ints(call, "steps", 4, step, LOP_MAX_DIMS, &steps, &ignored) != LOP_OK)
        return true;
    for (int i = 0; i < starts; i++) {
        const int64_t d = naxes < 0 ? i : axes[i];
        const bool all = start[i] == 0 && end[i] >= INT32_MAX && (steps < 0 || step[i] == 1);
        if ((d == 0 || d == -call->in[0]->shape.ndim) && !all) return true;
    }
    return false;
}

/* ---- Split: sizes as an attribute before opset 13, as an input from then on, or equal parts ---- */

static lop_status split_read(const lop_op_call *call, int *axis, int64_t *part, lop_error *err)
{
    const lop_shape *x = &call->in[0]->shape;
    int count;
    int64_t total = 0;
    if (call->nout > 64) return lop_fail(err, LOP_E_UNSUPPORTED, "%d outputs, 64 are the most", call->nout);
    lop_status st = ops_axis(lop_node_int(call->node, "axis", 0), x->ndim, axis, err);
    if (st == LOP_OK) st = ops_ints(call, "split", 1, part, 64, &count, err);
    if (st != LOP_OK) return st;
    const int64_t n = x->dim[*axis], parts = lop_node_int(call->node, "num_outputs", call->nout);
    if (count < 0) {
        if (parts != call->nout || (n % parts != 0 && !lop_node_attr(call->node, "num_outputs")))
            return lop_fail(err, LOP_E_SHAPE, "%" PRId64 " entries into %d equal parts", n, call->nout);
        const int64_t each = (n + parts - 1) / parts;                   /* the last may be smaller */
        for (int i = 0; i < call->nout; i++) part[i] = between(n - i * each, 0, each);
        count = call->nout;
    }
    for (int i = 0; i < count; i++) {
        if (part[i] < 0 || part[i] > n) return lop_fail(err, LOP_E_SHAPE, "split[%d] is %" PRId64, i, part[i]);
        total += part[i];
    }
    if (count != call->nout || total != n)
        return lop_fail(err, LOP_E_SHAPE, "%d parts of %" PRId64 " entries in all, %d of %" PRId64 " expected", count,
                        total, call->nout, n);
    return LOP_OK;
}

lop_status ops_split_shape(const lop_op_call *call, lop_error *err)
{
    int axis;
    int64_t part[64];
    lop_status st = ops_need(call, 1, 2, err);
    if (st == LOP_OK) st = split_read(call, &axis, part, err);
    for (int i = 0; st == LOP_OK && i < call->nout; i++) {
        lop_shape y = call->in[0]->shape;
        y.dim[axis] = part[i];
        st = ops_set(call, i, call->in[0]->type, &y, err);
    }
    return st;
}

lop_status ops_split_forward(const lop_op_call *call, lop_error *err)
{
    int axis;
    int64_t part[64];
    slice s = {{0}, {0}, {0}};
    lop_status st = split_read(call, &axis, part, err);
    for (int d = 0; d < LOP_MAX_DIMS; d++) s.step[d] = 1;
    for (int i = 0; st == LOP_OK && i < call->nout; i++) {
        if (call->out[i].data) st = move_slice(call, i, &s, err);
        s.first[axis] += part[i];
    }
    return st;
}

/* ---- Pad: pads and value as attributes before opset 11, as inputs from then on; axes from opset 18 on ---- */

typedef struct { int64_t begin[LOP_MAX_DIMS], end[LOP_MAX_DIMS]; } padding;

static lop_status pad_read(const lop_op_call *call, padding *p, lop_error *err)
{
    int64_t list[2 * LOP_MAX_DIMS], axes[LOP_MAX_DIMS];
    int count, naxes = -1;
    const lop_shape *x = &call->in[0]->shape;
    lop_status st = ops_ints(call, "pads", 1, list, 2 * LOP_MAX_DIMS, &count, err);
    if (st == LOP_OK) st = ops_ints(call, "axes", 3, axes, LOP_MAX_DIMS, &naxes, err);
    if (st != LOP_OK) return st;
    const int n = naxes < 0 ? x->ndim : naxes;
    if (count != 2 * n) return lop_fail(err, LOP_E_FORMAT, "pads has %d entries, %d expected", count, 2 * n);
    *p = (padding){{0}, {0}};
    for (int i = 0; st == LOP_OK && i < n; i++) {
        int d;
        st = ops_axis(naxes < 0 ? i : axes[i], x->ndim, &d, err);
        if (st != LOP_OK) return st;
        p->begin[d] = list[i];
        p->end[d] = list[i + n];
        if (list[i] < -INT32_MAX || list[i] > INT32_MAX || list[i + n] < -INT32_MAX || list[i + n] > INT32_MAX ||
            x->dim[d] + list[i] + list[i + n] < 0)
            return lop_fail(err, LOP_E_SHAPE, "dimension %d: %" PRId64 " + %" PRId64 " + %" PRId64, d, list[i],
                            x->dim[d], list[i + n]);
    }
    return st;
}

lop_status ops_pad_shape(const lop_op_call *call, lop_error *err)
{
    static const char *const modes[] = {"constant", "reflect", "edge", "wrap"};
    const char *mode = lop_node_string(call->node, "mode", "constant");
    bool known = false;
    padding p;
    lop_status st = ops_need(call, 1, 4, err);
    if (st == LOP_OK) st = pad_read(call, &p, err);
    if (st != LOP_OK) return st;
    for (int i = 0; i < 4; i++) known = known || strcmp(mode, modes[i]) == 0;
    if (!known) return lop_fail(err, LOP_E_FORMAT, "mode is '%.30s'", mode);
    lop_shape y = call->in[0]->shape;
    for (int d = 0; d < y.ndim; d++) {
        const int64_t left = y.dim[d] + (p.begin[d] < 0 ? p.begin[d] : 0) + (p.end[d] < 0 ? p.end[d] : 0);
        y.dim[d] += p.begin[d] + p.end[d];
        if (*mode != 'c' && left < 1 && y.dim[d] > 0) return lop_fail(err, LOP_E_SHAPE, "dimension %d is empty", d);
    }
    if (ops_has(call, 2) && (lop_tensor_size(call->in[2]) != 1 || call->in[2]->type != call->in[0]->type))
        return lop_fail(err, LOP_E_SHAPE, "value: one %s expected", lop_dtype_name(call->in[0]->type));
    return ops_set(call, 0, call->in[0]->type, &y, err);
}

/* Which of n entries stands at place i, which may be outside; -1: none. Entries that a negative pad takes away are gone
 * before the others are repeated. */
static int64_t pad_source(const padding *p, int d, int64_t place, int64_t size, char mode)
{
    const int64_t first = p->begin[d] < 0 ? -p->begin[d] : 0, n = size - first + (p->end[d] < 0 ? p->end[d] : 0);
    const int64_t i = place - (p->begin[d] > 0 ? p->begin[d] : 0);
    if (i >= 0 && i < n) return first + i;
    if (mode == 'c') return -1;
    if (mode == 'e') return first + (i < 0 ? 0 : n - 1);
    if (mode == 'w') return first + (i % n + n) % n;
    const int64_t period = n > 1 ? 2 * (n - 1) : 1, r = (i % period + period) % period;     /* mirrored, edges once */
    return first + (r < n ? r : period - r);
}

lop_status ops_pad_forward(const lop_op_call *call, lop_error *err)
{
    const lop_tensor *x = call->in[0], *y = &call->out[0];
    const char mode = *lop_node_string(call->node, "mode", "constant");
    int64_t stride[LOP_MAX_DIMS], value = 0;
    lop_tensor fill = {.type = x->type, .data = &value};
    padding p;
    ops_map m;
    lop_status st = pad_read(call, &p, err);
    if (st == LOP_OK) st = ops_map_init(&m, &y->shape, err);
    if (st != LOP_OK) return st;
    lop_tensor_set(&fill, 0, (double)lop_node_float(call->node, "value", 0));
    if (ops_has(call, 2)) fill.data = call->in[2]->data;
    ops_strides(&x->shape, stride);
    for (int d = 0; d < y->shape.ndim; d++)
        for (int64_t i = 0; i < m.n[d]; i++) {
            const int64_t from = pad_source(&p, d, i, x->shape.dim[d], mode);
            m.offset[d][i] = from < 0 ? OPS_FILL : from * stride[d];
        }
    ops_map_run(&m, lop_dtype_size(x->type), x->data, fill.data, y->data, call->team);
    ops_map_clear(&m);
    return LOP_OK;
}

bool ops_mixes_pad(const lop_op_call *call)
{
    padding p;
    lop_error ignored;
    return pad_read(call, &p, &ignored) != LOP_OK || call->in[0]->shape.ndim < 1 || p.begin[0] != 0 || p.end[0] != 0;
}

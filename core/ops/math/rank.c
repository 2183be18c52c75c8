/* core/ops/math/rank.c - by size along one axis: ArgMax, ArgMin, TopK. Equal entries stand in the order they came; a
 * NaN is above all numbers. */
#include "ops/ops_impl.h"
#include <math.h>
#include <string.h>

static bool sortable(lop_dtype type)
{
    return type == LOP_F32 || type == LOP_F64 || type == LOP_I8 || type == LOP_U8 || type == LOP_I32 || type == LOP_I64;
}

/* An integer that is less just where the entry is. */
static int64_t key(const lop_tensor *t, int64_t at)
{
    if (t->type == LOP_I64) return ((const int64_t *)t->data)[at];
    const double v = lop_tensor_get(t, at) + 0.0;       /* -0 is 0 */
    int64_t bits;
    memcpy(&bits, &v, sizeof bits);
    if (isnan(v)) return INT64_MAX;
    return bits < 0 ? INT64_MIN - bits : bits;
}

/* ---- ArgMax, ArgMin ---- */

lop_status ops_arg_shape(const lop_op_call *call, lop_error *err)
{
    int axis;
    const bool keep = lop_node_int(call->node, "keepdims", 1) != 0;
    lop_status st = ops_need(call, 1, 1, err);
    if (st != LOP_OK) return st;
    const lop_shape *x = &call->in[0]->shape;
    if (!sortable(call->in[0]->type))
        return lop_fail(err, LOP_E_UNSUPPORTED, "of %s is not built", lop_dtype_name(call->in[0]->type));
    st = ops_axis(lop_node_int(call->node, "axis", 0), x->ndim, &axis, err);
    if (st != LOP_OK) return st;
    if (x->dim[axis] < 1) return lop_fail(err, LOP_E_SHAPE, "dimension %d is empty", axis);
    lop_shape y = {0, {0}};
    for (int d = 0; d < x->ndim; d++)
        if (d != axis || keep) y.dim[y.ndim++] = d == axis ? 1 : x->dim[d];
    return ops_set(call, 0, LOP_I64, &y, err);
}

lop_status ops_arg_forward(const lop_op_call *call, lop_error *err)
{
    const lop_tensor *x = call->in[0];
    const bool most = strcmp(call->node->op, "ArgMax") == 0;
    const bool last = lop_node_int(call->node, "select_last_index", 0) != 0;
    int64_t *y = call->out[0].data;
    int axis;
    lop_status st = ops_axis(lop_node_int(call->node, "axis", 0), x->shape.ndim, &axis, err);
    if (st != LOP_OK) return st;
    const int64_t n = x->shape.dim[axis], inner = ops_inner(&x->shape, axis);
    for (int64_t r = 0; r < lop_tensor_size(&call->out[0]); r++) {
        const int64_t at = r / inner * n * inner + r % inner;
        int64_t best = key(x, at);
        y[r] = 0;
        for (int64_t i = 1; i < n; i++) {
            const int64_t k = key(x, at + i * inner);
            if (!(most ? k > best : k < best) && !(last && k == best)) continue;
            best = k;
            y[r] = i;
        }
    }
    return LOP_OK;
}

/* ---- TopK: k is an attribute before opset 10, an input from then on ---- */

static lop_status top_read(const lop_op_call *call, int *axis, int64_t *k, lop_error *err)
{
    int count = 1;
    const lop_shape *x = &call->in[0]->shape;
    lop_status st = ops_axis(lop_node_int(call->node, "axis", -1), x->ndim, axis, err);
    *k = lop_node_int(call->node, "k", -1);
    if (st == LOP_OK && *k < 0 && !ops_has(call, 1)) st = lop_fail(err, LOP_E_FORMAT, "k is missing");
    if (st == LOP_OK && *k < 0) st = ops_input_ints(call, 1, "k", k, 1, &count, err);
    if (st == LOP_OK && (count != 1 || *k < 0 || *k > x->dim[*axis]))
        st = lop_fail(err, LOP_E_SHAPE, "%" PRId64 " of %" PRId64 " entries", *k, x->dim[*axis]);
    return st;
}

lop_status ops_top_k_shape(const lop_op_call *call, lop_error *err)
{
    int axis;
    int64_t k;
    lop_status st = ops_need(call, 1, 2, err);
    if (st == LOP_OK && !sortable(call->in[0]->type))
        st = lop_fail(err, LOP_E_UNSUPPORTED, "of %s is not built", lop_dtype_name(call->in[0]->type));
    if (st == LOP_OK) st = top_read(call, &axis, &k, err);
    if (st != LOP_OK) return st;
    lop_shape y = call->in[0]->shape;
    y.dim[axis] = k;
    st = ops_set(call, 0, call->in[0]->type, &y, err);
    return st == LOP_OK ? ops_set(call, 1, LOP_I64, &y, err) : st;
}

typedef struct { int64_t key, at; } entry;

/* Merge sort, which keeps equal ones in order, ascending by key; the result is in a. */
static void sort(entry *a, entry *spare, int64_t n)
{
    if (n < 2) return;
    const int64_t half = n / 2;
    sort(a, spare, half);
    sort(a + half, spare, n - half);
    memcpy(spare, a, (size_t)half * sizeof *a);
    for (int64_t i = 0, j = half, to = 0; i < half; to++)
        a[to] = j < n && a[j].key < spare[i].key ? a[j++] : spare[i++];
}

lop_status ops_top_k_forward(const lop_op_call *call, lop_error *err)
{
    const lop_tensor *x = call->in[0];
    const bool largest = lop_node_int(call->node, "largest", 1) != 0;
    const size_t item = lop_dtype_size(x->type);
    int axis;
    int64_t k;
    lop_status st = top_read(call, &axis, &k, err);
    if (st != LOP_OK) return st;
    const int64_t n = x->shape.dim[axis], inner = ops_inner(&x->shape, axis);
    entry *list = lop_array(n, sizeof *list, err), *spare = lop_array(n, sizeof *spare, err);
    if (!list || !spare) st = LOP_E_MEMORY;
    for (int64_t r = 0; st == LOP_OK && r < ops_outer(&x->shape, axis) * inner; r++) {
        const int64_t from = r / inner * n * inner + r % inner, to = r / inner * k * inner + r % inner;
        for (int64_t i = 0; i < n; i++) {
            const int64_t v = key(x, from + i * inner);
            list[i] = (entry){largest ? ~v : v, i};         /* ~ turns the order round */
        }
        sort(list, spare, n);
        for (int64_t i = 0; i < k; i++) {
            const char *value = (const char *)x->data + (size_t)(from + list[i].at * inner) * item;
            if (call->out[0].data) memcpy((char *)call->out[0].data + (size_t)(to + i * inner) * item, value, item);
            if (ops_wants(call, 1)) ((int64_t *)call->out[1].data)[to + i * inner] = list[i].at;
        }
    }
    lop_free(list);
    lop_free(spare);
    return st;
}

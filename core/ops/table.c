/* core/ops/table.c - the table, and what the families share. */
#include "ops/ops_impl.h"
#include <string.h>

#define ROW(name, cut, family) {name, cut, ops_##family##_shape, ops_##family##_forward, true}
static const lop_op rows[] = {
    ROW("Abs", LOP_CUT_SAME, unary),
    ROW("Add", LOP_CUT_JOIN, binary),
    ROW("AveragePool", LOP_CUT_SAME, pool),
    ROW("BatchNormalization", LOP_CUT_NORM, norm),
    ROW("Cast", LOP_CUT_SAME, cast),
    ROW("Clip", LOP_CUT_SAME, unary),
    ROW("Concat", LOP_CUT_CONCAT, concat),
    ROW("Constant", LOP_CUT_SHAPE, constant),
    ROW("ConstantOfShape", LOP_CUT_SHAPE, fill),
    ROW("Conv", LOP_CUT_CONV, conv),
    ROW("Div", LOP_CUT_JOIN, binary),
    ROW("Dropout", LOP_CUT_SAME, same),
    ROW("Exp", LOP_CUT_SAME, unary),
    ROW("Flatten", LOP_CUT_FLATTEN, reshape),
    ROW("Gather", LOP_CUT_BLOCK, gather),
    ROW("Gemm", LOP_CUT_GEMM, gemm),
    ROW("GlobalAveragePool", LOP_CUT_SAME, global_pool),
    ROW("HardSigmoid", LOP_CUT_SAME, unary),
    ROW("HardSwish", LOP_CUT_SAME, unary),
    ROW("Identity", LOP_CUT_SAME, same),
    ROW("LeakyRelu", LOP_CUT_SAME, unary),
    ROW("MatMul", LOP_CUT_BLOCK, matmul),
    ROW("MaxPool", LOP_CUT_SAME, pool),
    ROW("Mul", LOP_CUT_JOIN, binary),
    ROW("Neg", LOP_CUT_SAME, unary),
    ROW("Pad", LOP_CUT_PAD, pad),
    ROW("Relu", LOP_CUT_SAME, unary),
    ROW("Reshape", LOP_CUT_FLATTEN, reshape),
    ROW("Shape", LOP_CUT_SHAPE, shape),
    ROW("Sigmoid", LOP_CUT_SAME, unary),
    ROW("Slice", LOP_CUT_SLICE, slice),
    ROW("Softmax", LOP_CUT_BLOCK, softmax),
    ROW("Sqrt", LOP_CUT_SAME, unary),
    ROW("Squeeze", LOP_CUT_FLATTEN, reshape),
    ROW("Sub", LOP_CUT_JOIN, binary),
    ROW("Tanh", LOP_CUT_SAME, unary),
    ROW("Transpose", LOP_CUT_BLOCK, transpose),
    ROW("Unsqueeze", LOP_CUT_BLOCK, reshape),
};
static const lop_op_table table = {rows, sizeof rows / sizeof *rows};

const lop_op_table *lop_ops(void) { return &table; }

const lop_tensor *ops_in(const lop_op_call *c, int i) { return i < c->nin ? c->in[i] : NULL; }

lop_status ops_need(const lop_op_call *c, int i, lop_error *err)
{
    return ops_in(c, i) ? LOP_OK : lop_fail(err, LOP_E_FORMAT, "input %d is missing", i + 1);
}

void ops_set(lop_tensor *out, lop_dtype type, const lop_shape *shape)
{
    out->type = type;
    out->shape = *shape;
}

lop_status ops_list(const lop_op_call *c, int i, const char *attribute, int64_t *list, int64_t max, int64_t *count, lop_error *err)
{
    const lop_tensor *t = i >= 0 ? ops_in(c, i) : NULL;
    *count = -1;
    if (!t) {
        *count = lop_node_ints(c->node, attribute, list, max);
    } else {
        if (!t->data) return lop_fail(err, LOP_E_UNSUPPORTED, "input %d (%s) is not constant", i + 1, attribute);
        *count = lop_tensor_size(t);
        for (int64_t k = 0; k < *count && k < max; k++)
            list[k] = t->type == LOP_I64 ? ((const int64_t *)t->data)[k] : (int64_t)lop_tensor_get(t, k);
    }
    return *count > max ? lop_fail(err, LOP_E_SHAPE, "%s has %" PRId64 " entries, %" PRId64 " at most", attribute, *count, max) : LOP_OK;
}

lop_status ops_axis(int64_t axis, int ndim, int *out, lop_error *err)
{
    if (axis < -ndim || axis >= ndim) return lop_fail(err, LOP_E_SHAPE, "axis %" PRId64 " of %d dimensions", axis, ndim);
    *out = (int)(axis < 0 ? axis + ndim : axis);
    return LOP_OK;
}

int64_t ops_product(const lop_shape *s, int from, int to)
{
    int64_t n = 1;
    for (int d = from; d < to; d++) n *= s->dim[d];
    return n;
}

/* An axis attribute that is dimension 0; axes unknown count as that. */
static bool on_first(const lop_op_call *c, const char *key, int64_t otherwise)
{
    const int ndim = c->nin > 0 && c->in[0] ? c->in[0]->shape.ndim : 0;
    const int64_t axis = lop_node_int(c->node, key, otherwise);
    return axis == 0 || axis == -ndim;
}

static bool slice_keeps_first(const lop_op_call *c)
{
    int64_t axes[LOP_MAX_DIMS], n;
    lop_error ignored;
    if (ops_list(c, c->nin > 3 ? 3 : -1, "axes", axes, LOP_MAX_DIMS, &n, &ignored) != LOP_OK || n < 0) return false;
    for (int64_t i = 0; i < n; i++)
        if (axes[i] == 0 || axes[i] == -c->in[0]->shape.ndim) return false;
    return true;
}

static bool pad_keeps_first(const lop_op_call *c)
{
    int64_t pads[2 * LOP_MAX_DIMS], n;
    lop_error ignored;
    if (ops_list(c, c->nin > 1 ? 1 : -1, "pads", pads, 2 * LOP_MAX_DIMS, &n, &ignored) != LOP_OK || n < 2) return false;
    return pads[0] == 0 && pads[n / 2] == 0;
}

bool lop_ops_mixes_images(const lop_op_call *c)
{
    const char *op = c->node->op;
    int64_t perm[LOP_MAX_DIMS];
    if (strcmp(op, "Concat") == 0) return on_first(c, "axis", 0);
    if (strcmp(op, "Gather") == 0) return on_first(c, "axis", 0);
    if (strcmp(op, "Softmax") == 0) return on_first(c, "axis", c->opset < 13 ? 1 : -1);
    if (strcmp(op, "Flatten") == 0) return on_first(c, "axis", 1);
    if (strcmp(op, "Transpose") == 0) return lop_node_ints(c->node, "perm", perm, LOP_MAX_DIMS) < 1 || perm[0] != 0;
    if (strcmp(op, "Slice") == 0) return !slice_keeps_first(c);
    if (strcmp(op, "Pad") == 0) return !pad_keeps_first(c);
    if (strcmp(op, "Gemm") == 0) return lop_node_int(c->node, "transA", 0) != 0 || !c->in[1]->data;
    return false;
}

/* core/ops/shape.c - operators on shapes: Shape, Reshape (14), Flatten, Squeeze, Unsqueeze, Constant, ConstantOfShape,
 * Cast, Identity, Dropout (inference). */
#include "ops/ops_impl.h"
#include <string.h>

lop_status ops_shape_shape(const lop_op_call *c, lop_error *err)
{
    lop_status st = ops_need(c, 0, err);
    if (st == LOP_OK && (lop_node_attr(c->node, "start") || lop_node_attr(c->node, "end")))
        st = lop_fail(err, LOP_E_UNSUPPORTED, "start and end");
    if (st == LOP_OK) ops_set(c->out, LOP_I64, &(lop_shape){1, {c->in[0]->shape.ndim}});
    return st;
}

lop_status ops_shape_forward(const lop_op_call *c, lop_error *err)
{
    (void)err;
    for (int d = 0; d < c->in[0]->shape.ndim; d++) ((int64_t *)c->out->data)[d] = c->in[0]->shape.dim[d];
    return LOP_OK;
}

static lop_status flatten(const lop_op_call *c, lop_shape *s, lop_error *err)
{
    const lop_shape *x = &c->in[0]->shape;
    int64_t axis = lop_node_int(c->node, "axis", 1);
    if (axis < 0) axis += x->ndim;
    if (axis < 0 || axis > x->ndim) return lop_fail(err, LOP_E_SHAPE, "axis %" PRId64 " of %d dimensions", axis, x->ndim);
    *s = (lop_shape){2, {ops_product(x, 0, (int)axis), ops_product(x, (int)axis, x->ndim)}};
    return LOP_OK;
}

static lop_status reshape(const lop_op_call *c, lop_shape *s, lop_error *err)
{
    int64_t list[LOP_MAX_DIMS], n, known = 1;
    const int64_t size = lop_tensor_size(c->in[0]);
    int open = -1;
    lop_status st = ops_list(c, c->nin > 1 ? 1 : -1, "shape", list, LOP_MAX_DIMS, &n, err);
    if (st != LOP_OK) return st;
    if (n < 0) return lop_fail(err, LOP_E_FORMAT, "no shape");
    s->ndim = (int)n;
    for (int d = 0; d < s->ndim; d++) {
        s->dim[d] = list[d];
        if (list[d] == 0 && lop_node_int(c->node, "allowzero", 0) == 0) {
            if (d >= c->in[0]->shape.ndim) return lop_fail(err, LOP_E_SHAPE, "dimension %d is copied from where there is none", d);
            s->dim[d] = c->in[0]->shape.dim[d];
        }
        if (s->dim[d] < -1 || (s->dim[d] == -1 && open >= 0)) return lop_fail(err, LOP_E_SHAPE, "shape has %" PRId64, s->dim[d]);
        if (s->dim[d] == -1) open = d;
        else if (s->dim[d] && known > INT64_MAX / s->dim[d]) return lop_fail(err, LOP_E_SHAPE, "shape is past any memory");
        else known *= s->dim[d];
    }
    if (open >= 0) s->dim[open] = known ? size / known : 0;
    if ((open < 0 ? known : known * s->dim[open]) != size)
        return lop_fail(err, LOP_E_SHAPE, "%" PRId64 " elements do not fit the shape asked for", size);
    return LOP_OK;
}

/* Marks the axes named, counted over `ndim` dimensions. */
static lop_status marked(const lop_op_call *c, int ndim, bool mark[LOP_MAX_DIMS], int64_t *n, lop_error *err)
{
    int64_t axes[LOP_MAX_DIMS];
    lop_status st = ops_list(c, c->nin > 1 ? 1 : -1, "axes", axes, LOP_MAX_DIMS, n, err);
    for (int64_t i = 0; st == LOP_OK && i < *n; i++) {
        int d;
        st = ops_axis(axes[i], ndim, &d, err);
        if (st == LOP_OK && mark[d]) st = lop_fail(err, LOP_E_SHAPE, "axis %d twice", d);
        if (st == LOP_OK) mark[d] = true;
    }
    return st;
}

static lop_status squeeze(const lop_op_call *c, lop_shape *s, lop_error *err)
{
    const lop_shape *x = &c->in[0]->shape;
    bool mark[LOP_MAX_DIMS] = {false};
    int64_t n;
    lop_status st = marked(c, x->ndim, mark, &n, err);
    for (int d = 0; st == LOP_OK && d < x->ndim; d++) {
        if (mark[d] && x->dim[d] != 1) return lop_fail(err, LOP_E_SHAPE, "dimension %d is %" PRId64 ", 1 expected", d, x->dim[d]);
        if (!mark[d] && (n >= 0 || x->dim[d] != 1)) s->dim[s->ndim++] = x->dim[d];
    }
    return st;
}

static lop_status unsqueeze(const lop_op_call *c, lop_shape *s, lop_error *err)
{
    const lop_shape *x = &c->in[0]->shape;
    bool mark[LOP_MAX_DIMS] = {false};
    int64_t axes[LOP_MAX_DIMS], n;
    lop_status st = ops_list(c, c->nin > 1 ? 1 : -1, "axes", axes, LOP_MAX_DIMS, &n, err);
    if (st == LOP_OK && (n < 0 || x->ndim + n > LOP_MAX_DIMS)) st = lop_fail(err, LOP_E_SHAPE, "axes are missing, or too many");
    if (st == LOP_OK) st = marked(c, x->ndim + (int)n, mark, &n, err);
    if (st != LOP_OK) return st;
    s->ndim = x->ndim + (int)n;
    for (int d = 0, from = 0; d < s->ndim; d++) s->dim[d] = mark[d] ? 1 : x->dim[from++];
    return LOP_OK;
}

lop_status ops_reshape_shape(const lop_op_call *c, lop_error *err)
{
    lop_shape s = {0};
    lop_status st = ops_need(c, 0, err);
    if (st != LOP_OK) return st;
    switch (c->node->op[0]) {
    case 'F': st = flatten(c, &s, err); break;
    case 'R': st = reshape(c, &s, err); break;
    case 'S': st = squeeze(c, &s, err); break;
    default: st = unsqueeze(c, &s, err); break;
    }
    if (st == LOP_OK) ops_set(c->out, c->in[0]->type, &s);
    return st;
}

static void copy_all(const lop_op_call *c)
{
    const size_t bytes = lop_tensor_bytes(c->out);
    if (bytes) memcpy(c->out->data, c->in[0]->data, bytes);
}

lop_status ops_reshape_forward(const lop_op_call *c, lop_error *err)
{
    (void)err;
    copy_all(c);
    return LOP_OK;
}

lop_status ops_same_shape(const lop_op_call *c, lop_error *err)
{
    lop_status st = ops_need(c, 0, err);
    for (int i = 0; st == LOP_OK && i < c->nout; i++) ops_set(&c->out[i], i ? LOP_BOOL : c->in[0]->type, &c->in[0]->shape);
    return st;
}

lop_status ops_same_forward(const lop_op_call *c, lop_error *err)
{
    (void)err;
    copy_all(c);
    if (c->nout > 1 && c->out[1].data) memset(c->out[1].data, 1, lop_tensor_bytes(&c->out[1]));
    return LOP_OK;
}

lop_status ops_constant_shape(const lop_op_call *c, lop_error *err)
{
    const lop_attr *a = c->node->nattr > 0 ? &c->node->attr[0] : NULL;
    if (a && a->kind == LOP_ATTR_TENSOR) ops_set(c->out, a->tensor.type, &a->tensor.shape);
    else if (a && a->kind == LOP_ATTR_INT) ops_set(c->out, LOP_I64, &(lop_shape){0});
    else if (a && a->kind == LOP_ATTR_INTS) ops_set(c->out, LOP_I64, &(lop_shape){1, {a->count}});
    else if (a && a->kind == LOP_ATTR_FLOAT) ops_set(c->out, LOP_F32, &(lop_shape){0});
    else if (a && a->kind == LOP_ATTR_FLOATS) ops_set(c->out, LOP_F32, &(lop_shape){1, {a->count}});
    else return lop_fail(err, LOP_E_UNSUPPORTED, "a constant that is no tensor of numbers");
    return LOP_OK;
}

lop_status ops_constant_forward(const lop_op_call *c, lop_error *err)
{
    const lop_attr *a = &c->node->attr[0];
    const void *from = a->kind == LOP_ATTR_TENSOR ? a->tensor.data : a->kind == LOP_ATTR_INT ? (const void *)&a->i
                     : a->kind == LOP_ATTR_INTS ? a->ints : a->kind == LOP_ATTR_FLOAT ? (const void *)&a->f : a->floats;
    (void)err;
    if (lop_tensor_bytes(c->out)) memcpy(c->out->data, from, lop_tensor_bytes(c->out));
    return LOP_OK;
}

lop_status ops_fill_shape(const lop_op_call *c, lop_error *err)
{
    const lop_attr *a = lop_node_attr(c->node, "value");
    lop_shape s = {0};
    int64_t n, size;
    lop_status st = ops_need(c, 0, err);
    if (st == LOP_OK) st = ops_list(c, 0, "shape", s.dim, LOP_MAX_DIMS, &n, err);
    if (st != LOP_OK) return st;
    s.ndim = (int)n;
    st = lop_shape_size(&s, &size, err);
    if (st == LOP_OK) ops_set(c->out, a && a->kind == LOP_ATTR_TENSOR ? a->tensor.type : LOP_F32, &s);
    return st;
}

lop_status ops_fill_forward(const lop_op_call *c, lop_error *err)
{
    const lop_attr *a = lop_node_attr(c->node, "value");
    const int64_t n = lop_tensor_size(c->out);
    const size_t item = lop_dtype_size(c->out->type);
    if (!a || a->kind != LOP_ATTR_TENSOR) return memset(c->out->data, 0, (size_t)n * item), LOP_OK;
    if (lop_tensor_size(&a->tensor) != 1) return lop_fail(err, LOP_E_FORMAT, "value is not one number");
    for (int64_t i = 0; i < n; i++) memcpy((char *)c->out->data + (size_t)i * item, a->tensor.data, item);
    return LOP_OK;
}

lop_status ops_cast_shape(const lop_op_call *c, lop_error *err)
{
    const lop_dtype to = (lop_dtype)lop_node_int(c->node, "to", 0);
    lop_status st = ops_need(c, 0, err);
    if (st == LOP_OK && !lop_dtype_size(to)) st = lop_fail(err, LOP_E_UNSUPPORTED, "to type %d", (int)to);
    if (st == LOP_OK) ops_set(c->out, to, &c->in[0]->shape);
    return st;
}

lop_status ops_cast_forward(const lop_op_call *c, lop_error *err)
{
    lop_tensor t;
    lop_status st = lop_tensor_cast(&t, c->in[0], c->out->type, err);
    if (st != LOP_OK) return st;
    if (lop_tensor_bytes(&t)) memcpy(c->out->data, t.data, lop_tensor_bytes(&t));
    lop_tensor_clear(&t);
    return LOP_OK;
}

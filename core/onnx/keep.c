/* core/onnx/keep.c - initializers that are no dense tensor of numbers: sparse ones are made dense; strings, and what
 * would be too large when dense, become Constant nodes, which ONNX defines alike and which keep them as they came. */
#include "onnx/onnx_impl.h"
#include <string.h>

enum { STRING = 8, TENSOR_ATTR = 4, SPARSE_ATTR = 11 };     /* TensorProto.DataType, AttributeProto.AttributeType */
static const size_t DENSE = (size_t)256 << 20;              /* a small file must not fill the memory */

bool lop_onnx_is_text(const Onnx__TensorProto *t) { return t->data_type == STRING; }

/* ---- as a Constant node before position `at` ---- */

static lop_status add_constant(lop_onnx_reader *r, char *name, Onnx__AttributeProto *a, int at)
{
    Onnx__NodeProto n = ONNX__NODE_PROTO__INIT;
    for (int v = 0; v < r->g->nvalue; v++) {
        if (strcmp(r->g->value[v]->name, name) != 0) continue;
        bool made = r->g->value[v]->constant.data != NULL;
        for (int k = 0; k < r->g->ninput; k++) made = made || r->g->input[k] == v;
        if (made) return lop_fail(r->err, LOP_E_UNSUPPORTED, "is an input or another initializer as well");
    }
    a->has_type = 1;
    n.op_type = (char[]){"Constant"};
    n.n_output = 1;
    n.output = &name;
    n.n_attribute = 1;
    n.attribute = &a;
    return lop_onnx_insert_node(r, &n, at);
}

static lop_status keep_text(lop_onnx_reader *r, Onnx__TensorProto *t, int at)
{
    size_t need = 1;
    for (size_t d = 0; d < t->n_dims; d++)
        if (!lop_mul_size(&need, need, t->dims[d]))
            return lop_fail(r->err, LOP_E_FORMAT, "has a negative or too large shape");
    if (t->data_location != 1 && t->n_string_data != need)
        return lop_fail(r->err, LOP_E_FORMAT, "has %zu strings, %zu expected by its shape", t->n_string_data, need);
    Onnx__AttributeProto a = ONNX__ATTRIBUTE_PROTO__INIT;
    a.name = (char[]){"value"};
    a.type = TENSOR_ATTR;
    a.t = t;
    return add_constant(r, t->name, &a, at);
}

/* ---- sparse: values (n), indices (n) into the flat tensor or (n, dimensions) ---- */

static lop_status scatter(const lop_tensor *values, const lop_tensor *at, lop_tensor *dense, lop_error *err)
{
    const int64_t n = lop_tensor_size(values), *index = at->data, all = lop_tensor_size(dense);
    const size_t item = lop_dtype_size(dense->type);
    const int rank = at->shape.ndim == 2 ? dense->shape.ndim : 1;
    if (at->type != LOP_I64 || values->shape.ndim != 1 || at->shape.ndim < 1 || at->shape.ndim > 2 ||
        at->shape.dim[0] != n || (at->shape.ndim == 2 && at->shape.dim[1] != rank))
        return lop_fail(err, LOP_E_FORMAT, "has indices that do not fit its %" PRId64 " values", n);
    for (int64_t k = 0; k < n; k++) {
        int64_t flat = 0;
        for (int d = 0; d < rank; d++) {
            const int64_t size = at->shape.ndim == 2 ? dense->shape.dim[d] : all, i = index[k * rank + d];
            if (i < 0 || i >= size)
                return lop_fail(err, LOP_E_FORMAT, "has index %" PRId64 " where %" PRId64 " are", i, size);
            flat = flat * size + i;
        }
        memcpy((char *)dense->data + (size_t)flat * item, (const char *)values->data + (size_t)k * item, item);
    }
    return LOP_OK;
}

static lop_status make_dense(lop_onnx_reader *r, const Onnx__SparseTensorProto *m, const lop_shape *shape)
{
    lop_tensor values = {0}, at = {0}, dense = {0};
    int id;
    lop_status st = lop_onnx_read_tensor(m->values, "its values", r->folder, &values, r->err);
    if (st == LOP_OK) st = lop_onnx_read_tensor(m->indices, "its indices", r->folder, &at, r->err);
    if (st == LOP_OK) st = lop_tensor_init(&dense, values.type, shape, r->err);
    if (st == LOP_OK) st = scatter(&values, &at, &dense, r->err);
    if (st == LOP_OK) st = lop_onnx_number(r, m->values->name, &id);
    if (st == LOP_OK && r->g->value[id]->constant.data) st = lop_fail(r->err, LOP_E_FORMAT, "is there twice");
    if (st == LOP_OK) {
        lop_tensor_share(&r->g->value[id]->constant, &dense);
        r->g->value[id]->type = dense.type;
    }
    lop_tensor_clear(&values);
    lop_tensor_clear(&at);
    lop_tensor_clear(&dense);
    return st;
}

static lop_status read_sparse(lop_onnx_reader *r, Onnx__SparseTensorProto *m, int at)
{
    int64_t size = 0;
    size_t bytes = 0;
    lop_shape shape = {.ndim = m->n_dims <= LOP_MAX_DIMS ? (int)m->n_dims : 0};
    if (!m->indices) return lop_fail(r->err, LOP_E_FORMAT, "has no indices");
    for (size_t d = 0; d < m->n_dims; d++)
        if (m->dims[d] < 0) return lop_fail(r->err, LOP_E_FORMAT, "has dimension #%zu of %" PRId64, d, m->dims[d]);
    for (int d = 0; d < shape.ndim; d++) shape.dim[d] = m->dims[d];
    if (m->n_dims <= LOP_MAX_DIMS && lop_onnx_holds(m->values) && lop_shape_size(&shape, &size, NULL) == LOP_OK &&
        lop_mul_size(&bytes, lop_dtype_size((lop_dtype)m->values->data_type), size) && bytes <= DENSE)
        return make_dense(r, m, &shape);
    Onnx__AttributeProto a = ONNX__ATTRIBUTE_PROTO__INIT;
    a.name = (char[]){"sparse_value"};
    a.type = SPARSE_ATTR;
    a.sparse_tensor = m;
    return add_constant(r, m->values->name, &a, at);
}

lop_status lop_onnx_read_kept(lop_onnx_reader *r, Onnx__GraphProto *m)
{
    lop_status st = LOP_OK;
    int at = 0;
    for (size_t k = 0; st == LOP_OK && k < m->n_initializer; k++) {
        if (!m->initializer[k]) continue;               /* taken already */
        st = keep_text(r, m->initializer[k], at++);
        if (st != LOP_OK) lop_error_at(r->err, "initializer '%.256s'", m->initializer[k]->name);
    }
    for (size_t k = 0; st == LOP_OK && k < m->n_sparse_initializer; k++) {
        Onnx__SparseTensorProto *s = m->sparse_initializer[k];
        if (!s->values || !s->values->name || !s->values->name[0])
            return lop_fail(r->err, LOP_E_FORMAT, "sparse initializer #%zu has no name", k);
        st = read_sparse(r, s, at);
        if (st != LOP_OK) lop_error_at(r->err, "sparse initializer '%.256s'", s->values->name);
    }
    return st;
}

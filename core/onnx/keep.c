/* core/onnx/keep.c - initializers that are no dense tensor of numbers of known types. What no lop_tensor can hold
 * (strings, complex numbers, types of less than a byte, more than LOP_MAX_DIMS dimensions) is kept as it came and
 * written so again; sparse ones are made dense, or kept where that would be too large. */
#include "onnx/onnx_impl.h"
#include <stdlib.h>
#include <string.h>

static const size_t DENSE = (size_t)256 << 20;              /* a small file must not fill the memory */

/* m as bytes; what it is, for whoever asks. */
static lop_status keep(lop_value *v, const ProtobufCMessage *m, const Onnx__TensorProto *values, bool sparse,
                       lop_error *err)
{
    v->kept_sparse = sparse;
    const lop_status st = lop_onnx_pack(m, &v->kept, &v->kept_length, err);
    return st == LOP_OK ? lop_onnx_tensor_type_text(values, sparse ? "sparse " : "", &v->foreign, err) : st;
}

static void declare(lop_value *v, const int64_t *dim, size_t n)
{
    if (n > LOP_MAX_DIMS) return;
    v->shaped = true;
    v->shape.ndim = (int)n;
    for (size_t d = 0; d < n; d++) v->shape.dim[d] = dim[d];
}

/* ---- dense ones ---- */

/* Bits of an element in raw data; 0: a type of a later version of ONNX, whose data stays as it is. */
static size_t bits_of(int32_t type)
{
    switch (type) {
    case 14: return 64;                                     /* complex64 */
    case 15: return 128;                                    /* complex128 */
    case 17: case 18: case 19: case 20: case 24: return 8;  /* float8 of five kinds */
    case 21: case 22: case 23: return 4;                    /* uint4, int4, float4 */
    default: return 8 * lop_dtype_size((lop_dtype)type);
    }
}

static bool count_elements(const Onnx__TensorProto *t, size_t *count)
{
    *count = 1;
    for (size_t d = 0; d < t->n_dims; d++)
        if (!lop_mul_size(count, *count, t->dims[d])) return false;
    return *count <= SIZE_MAX / 128;
}

/* What lies in a file of its own comes into the message: the result may be written anywhere. */
static lop_status fetch(Onnx__TensorProto *t, const char *folder, size_t bytes, lop_error *err)
{
    lop_file file = {0};
    const uint8_t *data = NULL;
    lop_status st = lop_onnx_find_external(t, folder, bytes, &file, &data, err);
    uint8_t *copy = st == LOP_OK ? malloc(bytes + 1) : NULL;            /* protobuf-c frees it */
    if (st == LOP_OK && !copy) st = lop_fail(err, LOP_E_MEMORY, "no memory for %zu bytes", bytes);
    if (st == LOP_OK) {
        if (bytes > 0) memcpy(copy, data, bytes);
        if (t->has_raw_data) free(t->raw_data.data);
        t->has_raw_data = 1;
        t->raw_data = (ProtobufCBinaryData){bytes, copy};
        t->has_data_location = 0;
        for (size_t k = 0; k < t->n_external_data; k++)
            onnx__string_string_entry_proto__free_unpacked(t->external_data[k], NULL);
        t->n_external_data = 0;
    }
    lop_file_close(&file);
    return st;
}

static lop_status check_kept(Onnx__TensorProto *t, const char *folder, lop_error *err)
{
    size_t count;
    const size_t bits = bits_of(t->data_type);
    if (!count_elements(t, &count)) return lop_fail(err, LOP_E_FORMAT, "has a negative or too large shape");
    if (t->data_type <= 0) return lop_fail(err, LOP_E_FORMAT, "has no element type");
    const size_t bytes = (count * bits + 7) / 8;
    if (t->data_location == 1 && bits == 0)
        return lop_fail(err, LOP_E_UNSUPPORTED, "has element type %d, and lies in a file of its own",
                        (int)t->data_type);
    if (t->data_location == 1) return fetch(t, folder, bytes, err);
    if (t->data_type == LOP_ONNX_STRING && t->n_string_data != count)
        return lop_fail(err, LOP_E_FORMAT, "has %zu strings, %zu expected by its shape", t->n_string_data, count);
    if (t->has_raw_data && bits > 0 && t->raw_data.len != bytes)
        return lop_fail(err, LOP_E_FORMAT, "has %zu bytes, %zu expected by its shape", t->raw_data.len, bytes);
    return LOP_OK;
}

lop_status lop_onnx_keep(lop_onnx_reader *r, Onnx__TensorProto *t, lop_value *v)
{
    const lop_status st = check_kept(t, r->folder, r->err);
    declare(v, t->dims, t->n_dims);
    return st == LOP_OK ? keep(v, &t->base, t, false, r->err) : st;
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

static lop_status make_dense(lop_onnx_reader *r, const Onnx__SparseTensorProto *m, const lop_shape *shape, lop_value *v)
{
    lop_tensor values = {0}, at = {0}, dense = {0};
    lop_status st = lop_onnx_read_tensor(m->values, "its values", r->folder, &values, r->err);
    if (st == LOP_OK) st = lop_onnx_read_tensor(m->indices, "its indices", r->folder, &at, r->err);
    if (st == LOP_OK) st = lop_tensor_init(&dense, values.type, shape, r->err);
    if (st == LOP_OK) st = scatter(&values, &at, &dense, r->err);
    if (st == LOP_OK) {
        lop_tensor_share(&v->constant, &dense);
        v->type = dense.type;
    }
    lop_tensor_clear(&values);
    lop_tensor_clear(&at);
    lop_tensor_clear(&dense);
    return st;
}

lop_status lop_onnx_read_sparse(lop_onnx_reader *r, Onnx__SparseTensorProto *m, lop_value *v)
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
        return make_dense(r, m, &shape, v);
    if (m->values->data_location == 1 || m->indices->data_location == 1)
        return lop_fail(r->err, LOP_E_UNSUPPORTED, "is too large when dense, and lies in a file of its own");
    declare(v, m->dims, m->n_dims);
    return keep(v, &m->base, m->values, true, r->err);
}

/* core/tensor/tensor.c - tensors: making, sharing, cutting. */
#include "tensor/tensor.h"
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

struct lop_storage { atomic_int owners; void *block; };

static const struct { lop_dtype type; size_t size; const char *name; } types[] = {
    {LOP_F32, 4, "float32"}, {LOP_F64, 8, "float64"}, {LOP_F16, 2, "float16"}, {LOP_BF16, 2, "bfloat16"},
    {LOP_BOOL, 1, "bool"}, {LOP_U8, 1, "uint8"}, {LOP_I8, 1, "int8"}, {LOP_U16, 2, "uint16"}, {LOP_I16, 2, "int16"},
    {LOP_U32, 4, "uint32"}, {LOP_I32, 4, "int32"}, {LOP_U64, 8, "uint64"}, {LOP_I64, 8, "int64"}};
enum { TYPES = sizeof types / sizeof *types };

size_t lop_dtype_size(lop_dtype type)
{
    for (int i = 0; i < TYPES; i++)
        if (types[i].type == type) return types[i].size;
    return 0;
}

const char *lop_dtype_name(lop_dtype type)
{
    for (int i = 0; i < TYPES; i++)
        if (types[i].type == type) return types[i].name;
    return "none";
}

lop_dtype lop_dtype_of(const char *name)
{
    for (int i = 0; i < TYPES; i++)
        if (strcmp(types[i].name, name) == 0) return types[i].type;
    return LOP_NONE;
}

lop_status lop_shape_size(const lop_shape *shape, int64_t *size, lop_error *err)
{
    size_t n = 1;
    if (shape->ndim < 0 || shape->ndim > LOP_MAX_DIMS)
        return lop_fail(err, LOP_E_SHAPE, "%d dimensions: 0 to %d expected", shape->ndim, LOP_MAX_DIMS);
    bool empty = false;
    for (int d = 0; d < shape->ndim; d++) {
        if (shape->dim[d] < 0) return lop_fail(err, LOP_E_SHAPE, "dimension %d is %" PRId64, d, shape->dim[d]);
        if (shape->dim[d] == 0) empty = true;
    }
    for (int d = 0; !empty && d < shape->ndim; d++)
        if (!lop_mul_size(&n, n, shape->dim[d]) || n > INT64_MAX / 16)
            return lop_fail(err, LOP_E_SHAPE, "a shape of %d dimensions is past any memory", shape->ndim);
    *size = empty ? 0 : (int64_t)n;
    return LOP_OK;
}

bool lop_shape_equal(const lop_shape *a, const lop_shape *b)
{
    if (a->ndim != b->ndim) return false;
    for (int d = 0; d < a->ndim; d++)
        if (a->dim[d] != b->dim[d]) return false;
    return true;
}

char *lop_shape_text(const lop_shape *shape, char *text, size_t n)
{
    size_t at = 0;
    snprintf(text, n, "%s", shape->ndim == 0 ? "scalar" : "");
    for (int d = 0; d < shape->ndim && at < n; d++)
        at += (size_t)snprintf(text + at, n - at, d ? "x%" PRId64 : "%" PRId64, shape->dim[d]);
    return text;
}

int64_t lop_tensor_size(const lop_tensor *t)
{
    int64_t size = 0;
    return t->type == LOP_NONE || lop_shape_size(&t->shape, &size, NULL) != LOP_OK ? 0 : size;
}

size_t lop_tensor_bytes(const lop_tensor *t) { return (size_t)lop_tensor_size(t) * lop_dtype_size(t->type); }

lop_status lop_tensor_init(lop_tensor *t, lop_dtype type, const lop_shape *shape, lop_error *err)
{
    int64_t size;
    const size_t item = lop_dtype_size(type);
    *t = (lop_tensor){0};
    if (item == 0) return lop_fail(err, LOP_E_UNSUPPORTED, "element type %d is not in this version", (int)type);
    lop_status st = lop_shape_size(shape, &size, err);
    if (st != LOP_OK) return st;
    lop_storage *s = lop_array(1, sizeof *s, err);
    void *block = s ? lop_array(size, item, err) : NULL;
    if (!block) {
        lop_free(s);
        return LOP_E_MEMORY;
    }
    atomic_init(&s->owners, 1);
    s->block = block;
    *t = (lop_tensor){.type = type, .shape = *shape, .data = block, .storage = s};
    return LOP_OK;
}

void lop_tensor_clear(lop_tensor *t)
{
    if (t->storage && atomic_fetch_sub(&t->storage->owners, 1) == 1) {
        lop_free(t->storage->block);
        lop_free(t->storage);
    }
    *t = (lop_tensor){0};
}

void lop_tensor_share(lop_tensor *to, const lop_tensor *from)
{
    *to = *from;
    if (to->storage) atomic_fetch_add(&to->storage->owners, 1);
}

lop_status lop_tensor_copy(lop_tensor *to, const lop_tensor *from, lop_error *err)
{
    lop_status st = lop_tensor_init(to, from->type, &from->shape, err);
    if (st == LOP_OK && lop_tensor_bytes(from) > 0) memcpy(to->data, from->data, lop_tensor_bytes(from));
    return st;
}

lop_status lop_tensor_reshape(lop_tensor *to, const lop_tensor *from, const lop_shape *shape, lop_error *err)
{
    lop_shape next = *shape;
    int64_t size = lop_tensor_size(from), total;
    int open = -1;
    char a[96], b[96];
    for (int d = 0; d < next.ndim && d < LOP_MAX_DIMS; d++) {
        if (next.dim[d] != -1) continue;
        if (open >= 0) return lop_fail(err, LOP_E_SHAPE, "reshape: two dimensions are -1, one at most expected");
        next.dim[open = d] = 1;
    }
    lop_status st = lop_shape_size(&next, &total, err);
    if (st != LOP_OK) return st;
    if (open >= 0 && total > 0) {
        next.dim[open] = size / total;
        total *= next.dim[open];
    }
    if (total != size)
        return lop_fail(err, LOP_E_SHAPE, "reshape: %s has %" PRId64 " elements, %s has not",
                        lop_shape_text(&from->shape, a, sizeof a), size, lop_shape_text(shape, b, sizeof b));
    lop_tensor_share(to, from);
    to->shape = next;
    return LOP_OK;
}

static lop_status check_dim(const lop_tensor *t, int dim, lop_error *err)
{
    if (dim >= 0 && dim < t->shape.ndim) return LOP_OK;
    return lop_fail(err, LOP_E_ARG, "dimension %d of a tensor with %d", dim, t->shape.ndim);
}

/* Elements before and behind dimension dim: outer runs of dim[dim] slices of `inner` bytes. */
static void around(const lop_tensor *t, int dim, int64_t *outer, size_t *inner)
{
    *outer = lop_tensor_size(t) > 0 ? 1 : 0;    /* beside a dimension of 0 the others may be past any product */
    *inner = (size_t)*outer * lop_dtype_size(t->type);
    if (*outer == 0) return;
    for (int d = 0; d < dim; d++) *outer *= t->shape.dim[d];
    for (int d = dim + 1; d < t->shape.ndim; d++) *inner *= (size_t)t->shape.dim[d];
}

lop_status lop_tensor_index(lop_tensor *to, const lop_tensor *from, int dim, const int64_t *list, int64_t count,
                            lop_error *err)
{
    lop_status st = check_dim(from, dim, err);
    if (st != LOP_OK) return st;
    const int64_t size = from->shape.dim[dim];
    for (int64_t i = 0; i < count; i++)
        if (list[i] < 0 || list[i] >= size)
            return lop_fail(err, LOP_E_ARG, "index %" PRId64 " of dimension %d, which has %" PRId64, list[i], dim,
                            size);
    lop_shape shape = from->shape;
    shape.dim[dim] = count;
    st = lop_tensor_init(to, from->type, &shape, err);
    if (st != LOP_OK) return st;
    int64_t outer;
    size_t inner;
    around(from, dim, &outer, &inner);
    for (int64_t o = 0; o < outer; o++)
        for (int64_t i = 0; i < count; i++)
            memcpy((char *)to->data + (size_t)(o * count + i) * inner,
                   (const char *)from->data + (size_t)(o * size + list[i]) * inner, inner);
    return LOP_OK;
}

lop_status lop_tensor_narrow(lop_tensor *to, const lop_tensor *from, int dim, int64_t first, int64_t count,
                             lop_error *err)
{
    lop_status st = check_dim(from, dim, err);
    if (st != LOP_OK) return st;
    const int64_t size = from->shape.dim[dim];
    if (first < 0 || count < 0 || first > size || count > size - first)
        return lop_fail(err, LOP_E_ARG, "%" PRId64 " elements from %" PRId64 " on of dimension %d, which has %" PRId64,
                        count, first, dim, size);
    int64_t outer;
    size_t inner;
    around(from, dim, &outer, &inner);
    if (dim == 0) {
        lop_tensor_share(to, from);
        to->shape.dim[0] = count;
        to->data = (char *)from->data + (size_t)first * inner;
        return LOP_OK;
    }
    lop_shape shape = from->shape;
    shape.dim[dim] = count;
    st = lop_tensor_init(to, from->type, &shape, err);
    for (int64_t o = 0; st == LOP_OK && o < outer; o++)
        memcpy((char *)to->data + (size_t)(o * count) * inner,
               (const char *)from->data + (size_t)(o * size + first) * inner, (size_t)count * inner);
    return st;
}

bool lop_tensor_finite(const lop_tensor *t, int64_t *where)
{
    const int64_t n = t->type == LOP_F32 || t->type == LOP_F64 ? lop_tensor_size(t) : 0;
    for (int64_t i = 0; i < n; i++)
        if (t->type == LOP_F32 ? !isfinite(((const float *)t->data)[i]) : !isfinite(((const double *)t->data)[i])) {
            *where = i;
            return false;
        }
    return true;
}

static lop_status expect(const lop_tensor *t, lop_dtype type, const char *name, lop_shape shape, lop_error *err)
{
    char came[96], want[96];
    int64_t at;
    if (t->type != type || !t->data)
        return lop_fail(err, LOP_E_ARG, "%s: %s given, %s expected", name, lop_dtype_name(t->type),
                        lop_dtype_name(type));
    if (!lop_shape_equal(&t->shape, &shape))
        return lop_fail(err, LOP_E_SHAPE, "%s: shape %s given, %s expected", name,
                        lop_shape_text(&t->shape, came, sizeof came), lop_shape_text(&shape, want, sizeof want));
    if (!lop_tensor_finite(t, &at))
        return lop_fail(err, LOP_E_NUMERIC, "%s: entry #%" PRId64 " is %g", name, at, lop_tensor_get(t, at));
    return LOP_OK;
}

lop_status lop_expect_f64(const lop_tensor *t, const char *name, lop_shape shape, lop_error *err)
{
    return expect(t, LOP_F64, name, shape, err);
}

lop_status lop_expect_f32(const lop_tensor *t, const char *name, lop_shape shape, lop_error *err)
{
    return expect(t, LOP_F32, name, shape, err);
}

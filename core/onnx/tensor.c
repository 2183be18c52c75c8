/* core/onnx/tensor.c - TensorProto to tensor: raw data, typed fields, or a file of its own beside the model. */
#include "onnx/onnx_impl.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool lop_onnx_holds(const Onnx__TensorProto *t)
{
    return t->n_dims <= LOP_MAX_DIMS && lop_dtype_size((lop_dtype)t->data_type) > 0;
}

/* ---- external data ---- */

static const char *entry(const Onnx__TensorProto *t, const char *key)
{
    for (size_t k = 0; k < t->n_external_data; k++)
        if (t->external_data[k]->key && strcmp(t->external_data[k]->key, key) == 0) return t->external_data[k]->value;
    return NULL;
}

static bool parse_count(const char *text, uint64_t *value)
{
    char *end;
    if (text[0] < '0' || text[0] > '9') return false;
    errno = 0;
    *value = strtoull(text, &end, 10);
    return errno == 0 && *end == '\0';
}

/* A relative path without "..". */
static bool stays_inside(const char *location)
{
    if (!location[0] || location[0] == '/') return false;
    for (const char *part = location; part; part = strchr(part, '/')) {
        if (*part == '/') part++;
        if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || part[2] == '\0')) return false;
    }
    return true;
}

/* Links are followed, and must end inside the folder as well. */
static lop_status open_inside(const char *folder, const char *location, lop_file *file, lop_error *err)
{
    const size_t n = strlen(folder);
    char *joined = lop_array((int64_t)(n + strlen(location) + 2), 1, err);
    if (!joined) return LOP_E_MEMORY;
    memcpy(joined, folder, n);
    joined[n] = '/';
    memcpy(joined + n + 1, location, strlen(location));
    char *real = realpath(joined, NULL), *root = realpath(folder, NULL);
    const size_t m = root ? strlen(root) : 0;
    lop_status st;
    if (!real) st = lop_fail(err, LOP_E_NOTFOUND, "lies in '%s': no such file", location);
    else if (!root || strncmp(real, root, m) != 0 || (m > 1 && real[m] != '/'))
        st = lop_fail(err, LOP_E_FORMAT, "lies in '%s', a link out of the model's folder", location);
    else st = lop_file_open(real, file, err);
    free(real);
    free(root);
    lop_free(joined);
    return st;
}

lop_status lop_onnx_find_external(const Onnx__TensorProto *t, const char *folder, size_t need, lop_file *file,
                                  const uint8_t **data, lop_error *err)
{
    const char *location = entry(t, "location"), *offset = entry(t, "offset"), *length = entry(t, "length");
    uint64_t start = 0, given = need;
    if (!folder) return lop_fail(err, LOP_E_FORMAT, "lies in a file of its own, and there is no folder to look in");
    if (!location || !stays_inside(location))
        return lop_fail(err, LOP_E_FORMAT, "lies in '%s', not inside the model's folder", location ? location : "");
    if (offset && !parse_count(offset, &start))
        return lop_fail(err, LOP_E_FORMAT, "lies in '%s' at '%s', a number of bytes expected", location, offset);
    if (length && !parse_count(length, &given))
        return lop_fail(err, LOP_E_FORMAT, "lies in '%s', '%s' long, a number of bytes expected", location, length);
    if (given != need)
        return lop_fail(err, LOP_E_FORMAT, "needs %zu bytes, it has %" PRIu64 " in '%s'", need, given, location);
    const lop_status st = open_inside(folder, location, file, err);
    if (st != LOP_OK) return st;
    if (start > file->size || need > file->size - start)
        return lop_fail(err, LOP_E_FORMAT, "needs %zu bytes from byte %" PRIu64 " of '%s' on, the file has %zu in all",
                        need, start, location, file->size);
    *data = file->bytes ? file->bytes + start : NULL;
    return LOP_OK;
}

/* ---- data in the model ---- */

/* The typed field that holds elements of this type, how many it has, and the bytes of one there. */
static const void *typed_field(const Onnx__TensorProto *t, size_t *count, size_t *item)
{
    switch ((lop_dtype)t->data_type) {
    case LOP_F32: *count = t->n_float_data; *item = sizeof(float); return t->float_data;
    case LOP_F64: *count = t->n_double_data; *item = sizeof(double); return t->double_data;
    case LOP_I64: *count = t->n_int64_data; *item = sizeof(int64_t); return t->int64_data;
    case LOP_U32:
    case LOP_U64: *count = t->n_uint64_data; *item = sizeof(uint64_t); return t->uint64_data;
    default: *count = t->n_int32_data; *item = sizeof(int32_t); return t->int32_data;
    }
}

static size_t bytes_present(const Onnx__TensorProto *t)
{
    size_t count = 0, item = 1;
    if (t->has_raw_data) return t->raw_data.len;
    typed_field(t, &count, &item);
    return count * lop_dtype_size((lop_dtype)t->data_type);
}

/* Narrow types stand in wider fields, float16 as its bits: the low bytes are the element. */
static void copy_typed(const Onnx__TensorProto *t, lop_tensor *out)
{
    size_t count = 0, item = 1;
    const uint8_t *from = typed_field(t, &count, &item);
    const size_t width = lop_dtype_size(out->type);
    uint8_t *to = out->data;
    for (size_t k = 0; k < count; k++) memcpy(to + k * width, from + k * item, width);
}

static lop_status check_shape(const Onnx__TensorProto *t, lop_shape *shape, size_t *bytes, lop_error *err)
{
    int64_t size;
    const size_t width = lop_dtype_size((lop_dtype)t->data_type);
    if (t->n_dims > LOP_MAX_DIMS)
        return lop_fail(err, LOP_E_UNSUPPORTED, "has %zu dimensions, at most %d expected", t->n_dims, LOP_MAX_DIMS);
    if (width == 0)
        return lop_fail(err, LOP_E_UNSUPPORTED, "has element type %d (strings, complex, ...), which is not supported",
                        (int)t->data_type);
    *shape = (lop_shape){.ndim = (int)t->n_dims};
    for (int d = 0; d < shape->ndim; d++) shape->dim[d] = t->dims[d];
    if (lop_shape_size(shape, &size, NULL) != LOP_OK || !lop_mul_size(bytes, width, size))
        return lop_fail(err, LOP_E_FORMAT, "has a negative or too large shape");
    return LOP_OK;
}

/* What is there is compared with the shape before memory is asked for: 100 bytes must not reserve gigabytes. */
static lop_status read_tensor(const Onnx__TensorProto *t, const char *folder, lop_file *file, lop_tensor *out,
                              lop_error *err)
{
    lop_shape shape;
    size_t need = 0;
    const uint8_t *data = t->has_raw_data ? t->raw_data.data : NULL;
    lop_status st = check_shape(t, &shape, &need, err);
    if (st != LOP_OK) return st;
    if (t->data_location == 1) st = lop_onnx_find_external(t, folder, need, file, &data, err);
    else if (bytes_present(t) < need)
        st = lop_fail(err, LOP_E_FORMAT, "needs %zu bytes, the file has %zu", need, bytes_present(t));
    else if (bytes_present(t) > need)
        st = lop_fail(err, LOP_E_FORMAT, "has %zu bytes, %zu expected by its shape", bytes_present(t), need);
    if (st == LOP_OK) st = lop_tensor_init(out, (lop_dtype)t->data_type, &shape, err);
    if (st != LOP_OK) return st;
    if (need > 0 && data) memcpy(out->data, data, need);
    else if (need > 0) copy_typed(t, out);             /* not beside empty raw data: then it is not what was measured */
    uint8_t *truth = out->data;
    for (size_t k = 0; out->type == LOP_BOOL && k < need; k++) truth[k] = truth[k] != 0;
    return LOP_OK;
}

lop_status lop_onnx_read_tensor(const Onnx__TensorProto *t, const char *what, const char *folder, lop_tensor *out,
                                lop_error *err)
{
    lop_error why = {0};
    lop_file file = {0};
    const lop_status st = read_tensor(t, folder, &file, out, &why);
    lop_file_close(&file);
    if (st == LOP_OK) return st;
    const bool sentence = st == LOP_E_FORMAT || st == LOP_E_UNSUPPORTED || st == LOP_E_NOTFOUND;
    return lop_fail(err, st, "%s%s %s", what, sentence ? "" : ":", why.message);
}

/* ---- a file with a tensor and nothing else ---- */

static lop_status parse_tensor(const lop_file *file, lop_tensor *out, lop_error *err)
{
    if (file->size > INT32_MAX) return lop_fail(err, LOP_E_UNSUPPORTED, "is larger than 2 GiB");
    lop_status st = lop_onnx_check(file->bytes, file->size, &onnx__tensor_proto__descriptor, err);
    if (st != LOP_OK) return st;
    Onnx__TensorProto *t = onnx__tensor_proto__unpack(NULL, file->size, file->bytes);
    if (!t) return lop_fail(err, LOP_E_MEMORY, "no memory for a tensor of %zu bytes", file->size);
    st = lop_onnx_read_tensor(t, "tensor", NULL, out, err);
    onnx__tensor_proto__free_unpacked(t, NULL);
    return st;
}

lop_status lop_onnx_load_tensor(const char *path, lop_tensor *out, lop_error *err)
{
    lop_file file;
    *out = (lop_tensor){0};
    lop_status st = lop_file_open(path, &file, err);
    if (st != LOP_OK) return st;
    st = parse_tensor(&file, out, err);
    if (st != LOP_OK) lop_error_at(err, "%s", path);
    lop_file_close(&file);
    return st;
}

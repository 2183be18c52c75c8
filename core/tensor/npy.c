/* core/tensor/npy.c - the .npy format: "\x93NUMPY", version, header length, a Python dictionary with descr,
 * fortran_order and shape, then the elements (numpy.lib.format). */
#include "tensor/tensor_impl.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct { const char *code; lop_dtype type; } codes[] = {
    {"b1", LOP_BOOL}, {"u1", LOP_U8}, {"i1", LOP_I8}, {"u2", LOP_U16}, {"i2", LOP_I16}, {"u4", LOP_U32},
    {"i4", LOP_I32}, {"u8", LOP_U64}, {"i8", LOP_I64}, {"f2", LOP_F16}, {"f4", LOP_F32}, {"f8", LOP_F64}};
enum { CODES = sizeof codes / sizeof *codes };

/* What stands behind 'key': in the header, spaces skipped; NULL when it is not there. */
static const char *entry(const char *header, const char *key)
{
    char quoted[32];
    snprintf(quoted, sizeof quoted, "'%s'", key);
    const char *p = strstr(header, quoted);
    if (!p) return NULL;
    p += strlen(quoted);
    while (*p == ' ' || *p == ':') p++;
    return p;
}

static lop_status parse_shape(const char *p, lop_shape *shape, lop_error *err)
{
    *shape = (lop_shape){0};
    if (*p++ != '(') return lop_fail(err, LOP_E_FORMAT, "npy: the header's shape is no tuple");
    for (;;) {
        while (*p == ' ' || *p == ',') p++;
        if (*p == ')') return LOP_OK;
        char *end;
        const long long d = strtoll(p, &end, 10);
        if (end == p || d < 0) return lop_fail(err, LOP_E_FORMAT, "npy: the header's shape is not made of numbers");
        if (shape->ndim == LOP_MAX_DIMS)
            return lop_fail(err, LOP_E_UNSUPPORTED, "npy: more than %d dimensions", LOP_MAX_DIMS);
        shape->dim[shape->ndim++] = d;
        p = end;
    }
}

static lop_status parse_header(const char *header, lop_dtype *type, bool *swap, lop_shape *shape, lop_error *err)
{
    const char *descr = entry(header, "descr"), *order = entry(header, "fortran_order"), *dims = entry(header, "shape");
    if (!descr || !order || !dims || *descr != '\'' || strlen(descr) < 5)
        return lop_fail(err, LOP_E_FORMAT, "npy: the header lacks descr, fortran_order or shape");
    if (strncmp(order, "False", 5) != 0)
        return lop_fail(err, LOP_E_FORMAT, "npy: Fortran order: save numpy.ascontiguousarray(a) instead");
    const char byte_order = descr[1];
    *type = LOP_NONE;
    for (int i = 0; i < CODES; i++)
        if (strncmp(descr + 2, codes[i].code, 2) == 0 && descr[4] == '\'') *type = codes[i].type;
    if (*type == LOP_NONE || !strchr("<>|=", byte_order))
        return lop_fail(err, LOP_E_UNSUPPORTED, "npy: element type %.12s: numbers of 1 to 8 bytes expected", descr);
    *swap = byte_order == '>';
    return parse_shape(dims, shape, err);
}

static void swap_bytes(uint8_t *p, int64_t count, size_t size)
{
    for (int64_t i = 0; i < count; i++, p += size)
        for (size_t a = 0, b = size - 1; a < b; a++, b--) {
            const uint8_t t = p[a];
            p[a] = p[b];
            p[b] = t;
        }
}

lop_status lop_npy_parse(const uint8_t *bytes, size_t size, lop_tensor *out, lop_error *err)
{
    *out = (lop_tensor){0};
    if (size < 10 || memcmp(bytes, "\x93NUMPY", 6) != 0) return lop_fail(err, LOP_E_FORMAT, "not an .npy file");
    const size_t start = bytes[6] == 1 ? 10 : 12;
    if (bytes[6] < 1 || bytes[6] > 3)
        return lop_fail(err, LOP_E_UNSUPPORTED, "npy: version %d, 1 to 3 expected", bytes[6]);
    size_t length = (size_t)bytes[8] | (size_t)bytes[9] << 8;
    if (start == 12 && size >= 12) length |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
    if (size < start || length > size - start) return lop_fail(err, LOP_E_FORMAT, "npy: the header is cut off");
    char *header = lop_string_n((const char *)bytes + start, length, err);
    if (!header) return LOP_E_MEMORY;
    lop_dtype type = LOP_NONE;
    lop_shape shape;
    bool swap = false;
    int64_t count = 0;
    lop_status st = parse_header(header, &type, &swap, &shape, err);
    lop_free(header);
    if (st == LOP_OK) st = lop_shape_size(&shape, &count, err);
    const size_t left = size - start - length;
    if (st == LOP_OK && (size_t)count > left / lop_dtype_size(type))
        st = lop_fail(err, LOP_E_FORMAT, "npy: %" PRId64 " elements of %zu bytes declared, the file has %zu bytes more",
                      count, lop_dtype_size(type), left);
    if (st == LOP_OK) st = lop_tensor_init(out, type, &shape, err);
    if (st != LOP_OK) return st;
    if (count > 0) memcpy(out->data, bytes + start + length, lop_tensor_bytes(out));
    if (swap) swap_bytes(out->data, count, lop_dtype_size(type));
    return LOP_OK;
}

lop_status lop_npy_load(const char *path, lop_tensor *out, lop_error *err)
{
    lop_file file;
    *out = (lop_tensor){0};
    lop_status st = lop_file_open(path, &file, err);
    if (st != LOP_OK) return st;
    st = lop_npy_parse(file.bytes, file.size, out, err);
    if (st != LOP_OK) lop_error_at(err, "%s", path);
    lop_file_close(&file);
    return st;
}

lop_status lop_npy_header(const lop_tensor *t, char text[LOP_NPY_HEADER], size_t *length, lop_error *err)
{
    const char *code = NULL;
    for (int i = 0; i < CODES; i++)
        if (codes[i].type == t->type) code = codes[i].code;
    if (!code) return lop_fail(err, LOP_E_UNSUPPORTED, "numpy has no %s: cast to float32", lop_dtype_name(t->type));
    char dims[256] = "";
    size_t at = 0;
    for (int d = 0; d < t->shape.ndim; d++)
        at += (size_t)snprintf(dims + at, sizeof dims - at, d ? ", %" PRId64 : "%" PRId64, t->shape.dim[d]);
    memcpy(text, "\x93NUMPY\x01\x00", 8);
    int n = snprintf(text + 10, LOP_NPY_HEADER - 80, "{'descr': '%c%s', 'fortran_order': False, 'shape': (%s%s), }",
                     code[1] == '1' ? '|' : '<', code, dims, t->shape.ndim == 1 ? "," : "");
    while ((10 + n + 1) % 64) text[10 + n++] = ' ';
    text[10 + n++] = '\n';
    text[8] = (char)(n & 255);
    text[9] = (char)(n >> 8);
    *length = (size_t)n + 10;
    return LOP_OK;
}

lop_status lop_npy_save(const char *path, const lop_tensor *t, lop_error *err)
{
    char header[LOP_NPY_HEADER];
    size_t length;
    lop_status st = lop_npy_header(t, header, &length, err);
    if (st != LOP_OK) {
        lop_error_at(err, "%s", path);
        return st;
    }
    lop_writer *w;
    st = lop_writer_open(path, &w, err);
    if (st != LOP_OK) return st;
    st = lop_writer_write(w, header, length, err);
    if (st == LOP_OK) st = lop_writer_write(w, t->data, lop_tensor_bytes(t), err);
    if (st == LOP_OK) return lop_writer_commit(w, err);
    lop_writer_abandon(w);
    return st;
}

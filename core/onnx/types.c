/* core/onnx/types.c - types of values as text, also those that no tensor here can have. */
#include "onnx/onnx_impl.h"
#include <stdio.h>
#include <string.h>

/* TensorProto.DataType; lop_dtype knows the others. */
static const char *name_of(int32_t type)
{
    switch (type) {
    case 8: return "string";
    case 14: return "complex64";
    case 15: return "complex128";
    case 17: return "float8e4m3fn";
    case 18: return "float8e4m3fnuz";
    case 19: return "float8e5m2";
    case 20: return "float8e5m2fnuz";
    case 21: return "uint4";
    case 22: return "int4";
    case 23: return "float4e2m1";
    case 24: return "float8e8m0";
    default: return lop_dtype_size((lop_dtype)type) > 0 ? lop_dtype_name((lop_dtype)type) : "an unknown type";
    }
}

typedef struct { char text[512]; size_t n; } line;              /* cut off where it is full */

static void add(line *l, const char *text)
{
    const size_t n = strlen(text), room = sizeof l->text - 1 - l->n;
    memcpy(l->text + l->n, text, n < room ? n : room);
    l->n += n < room ? n : room;
    l->text[l->n] = '\0';
}

/* Depth is bounded by what lop_onnx_check lets pass. */
static void add_type(line *l, const Onnx__TypeProto *m, bool inside)
{
    if (!m) return;
    const Onnx__TypeProto__Tensor *t = m->tensor_type ? m->tensor_type : m->sparse_tensor_type;
    if (t) {
        const bool bare = m->tensor_type && !inside;
        if (!bare) add(l, m->tensor_type ? "tensor(" : "sparse_tensor(");
        add(l, name_of(t->elem_type));
        if (!bare) add(l, ")");
    } else if (m->map_type) {
        add(l, "map(");
        add(l, name_of(m->map_type->key_type));
        add(l, ", ");
        add_type(l, m->map_type->value_type, true);
        add(l, ")");
    } else if (m->sequence_type || m->optional_type) {
        add(l, m->sequence_type ? "seq(" : "optional(");
        add_type(l, (m->sequence_type ? m->sequence_type : m->optional_type)->elem_type, true);
        add(l, ")");
    }
}

static void add_dimensions(line *l, size_t n)
{
    char text[64];
    if (n <= LOP_MAX_DIMS) return;
    snprintf(text, sizeof text, ", %zu dimensions", n);
    add(l, text);
}

static lop_status text_of(const line *l, char **text, lop_error *err)
{
    *text = l->n > 0 ? lop_string(l->text, err) : NULL;
    return l->n > 0 && !*text ? LOP_E_MEMORY : LOP_OK;
}

lop_status lop_onnx_type_text(const Onnx__TypeProto *m, char **text, lop_error *err)
{
    line l = {.n = 0};
    add_type(&l, m, false);
    if (m->tensor_type && m->tensor_type->shape) add_dimensions(&l, m->tensor_type->shape->n_dim);
    return text_of(&l, text, err);
}

lop_status lop_onnx_tensor_type_text(const Onnx__TensorProto *t, const char *before, char **text, lop_error *err)
{
    line l = {.n = 0};
    add(&l, before);
    add(&l, name_of(t->data_type));
    add_dimensions(&l, t->n_dims);
    return text_of(&l, text, err);
}

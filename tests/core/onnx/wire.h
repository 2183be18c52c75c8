/* tests/core/onnx/wire.h - protobuf's wire format by hand: what a test feeds the reader is not made by its own code. */
#ifndef LOP_TESTS_ONNX_WIRE_H
#define LOP_TESTS_ONNX_WIRE_H
#include "support/t.h"
#include "onnx/onnx.h"

typedef struct { uint8_t bytes[8192]; size_t n; } wire;

static inline void wire_varint(wire *w, uint64_t v)
{
    for (; v >= 0x80; v >>= 7) w->bytes[w->n++] = (uint8_t)(v | 0x80);
    w->bytes[w->n++] = (uint8_t)v;
}

static inline void wire_int(wire *w, unsigned field, int64_t v)
{
    wire_varint(w, field << 3);
    wire_varint(w, (uint64_t)v);
}

static inline void wire_bytes(wire *w, unsigned field, const void *bytes, size_t n)
{
    wire_varint(w, field << 3 | 2);
    wire_varint(w, n);
    if (n > 0) memcpy(w->bytes + w->n, bytes, n);
    w->n += n;
}

static inline void wire_float(wire *w, unsigned field, float v)
{
    wire_varint(w, field << 3 | 5);
    memcpy(w->bytes + w->n, &v, 4);
    w->n += 4;
}

static inline void wire_text(wire *w, unsigned field, const char *s) { wire_bytes(w, field, s, strlen(s)); }
static inline void wire_message(wire *w, unsigned field, const wire *m) { wire_bytes(w, field, m->bytes, m->n); }

/* A TensorProto without data. */
static inline wire wire_tensor(const char *name, int type, const int64_t *dim, int ndim)
{
    wire t = {.n = 0};
    for (int d = 0; d < ndim; d++) wire_int(&t, 1, dim[d]);
    wire_int(&t, 2, type);
    if (name) wire_text(&t, 8, name);
    return t;
}

/* A ValueInfoProto: float32, dimensions as given, -1 written as the parameter "N". */
static inline wire wire_value(const char *name, const int64_t *dim, int ndim)
{
    wire shape = {.n = 0}, tensor = {.n = 0}, type = {.n = 0}, v = {.n = 0};
    for (int d = 0; d < ndim; d++) {
        wire one = {.n = 0};
        if (dim[d] < 0) wire_text(&one, 2, "N");
        else wire_int(&one, 1, dim[d]);
        wire_message(&shape, 1, &one);
    }
    wire_int(&tensor, 1, 1);
    wire_message(&tensor, 2, &shape);
    wire_message(&type, 1, &tensor);
    wire_text(&v, 1, name);
    wire_message(&v, 2, &type);
    return v;
}

static inline wire wire_node(const char *op, const char *in, const char *out)
{
    wire n = {.n = 0};
    wire_text(&n, 1, in);
    wire_text(&n, 2, out);
    wire_text(&n, 4, op);
    return n;
}

/* A ModelProto around a graph: IR 8, opset 13. */
static inline wire wire_model(const wire *graph)
{
    wire m = {.n = 0}, opset = {.n = 0};
    wire_int(&m, 1, 8);
    wire_message(&m, 7, graph);
    wire_int(&opset, 2, 13);
    wire_message(&m, 8, &opset);
    return m;
}

/* A model whose only initializer is t, read by Identity. */
static inline wire wire_model_of(const wire *t, const char *name)
{
    wire g = {.n = 0}, n = wire_node("Identity", name, "y"), y = wire_value("y", NULL, 0);
    wire_message(&g, 1, &n);
    wire_message(&g, 5, t);
    wire_message(&g, 12, &y);
    return wire_model(&g);
}
#endif

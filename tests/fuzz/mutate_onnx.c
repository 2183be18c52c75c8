/* tests/fuzz/mutate_onnx.c - libFuzzer's mutations of a model, made on the unpacked message: bytes alone would seldom
 * get past the reader. A field is picked anywhere in the message, led by the generated descriptors, and changed; then,
 * most of the time, tensors get as many bytes as their shapes say. */
#include "fuzz/fuzz.h"
#include "onnx.pb-c.h"
#include "ops/ops.h"
#include <stdbool.h>

size_t LLVMFuzzerMutate(uint8_t *bytes, size_t size, size_t most);
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t most, unsigned seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t na, const uint8_t *b, size_t nb, uint8_t *out, size_t most,
                                 unsigned seed);

typedef struct { ProtobufCMessage *message; const ProtobufCFieldDescriptor *field; } place;
enum { PLACES = 20000, REPAIR = 1 << 16 };
typedef struct {
    uint64_t seed, drawn;
    place *list;                /* all fields of all messages, up to PLACES */
    int n;
} mutation;

static int64_t below(mutation *m, int64_t n) { return lop_random_below(m->seed, LOP_STREAM_USER, m->drawn++, n); }

static void collect(mutation *m, ProtobufCMessage *message)
{
    for (unsigned i = 0; i < message->descriptor->n_fields && m->n < PLACES; i++) {
        const ProtobufCFieldDescriptor *f = &message->descriptor->fields[i];
        char *at = (char *)message + f->offset;
        m->list[m->n++] = (place){message, f};
        if (f->type != PROTOBUF_C_TYPE_MESSAGE) continue;
        ProtobufCMessage *one = *(ProtobufCMessage **)(void *)at, **many = *(ProtobufCMessage ***)(void *)at;
        if (f->label != PROTOBUF_C_LABEL_REPEATED) {
            if (one) collect(m, one);
        } else {
            const size_t n = *(size_t *)(void *)((char *)message + f->quantifier_offset);
            for (size_t k = 0; k < n; k++) collect(m, many[k]);
        }
    }
}

/* ---- new contents ---- */

static int64_t whole(mutation *m)
{
    static const int64_t odd[] = {0, 1, -1, 2, 3, 7, 8, 64, 127, 255, 256, 65535, 65536, 1 << 20, INT32_MAX, INT32_MIN,
                                  (int64_t)1 << 32, (int64_t)1 << 40, INT64_MAX, INT64_MIN, INT64_MAX - 1, -2, -3};
    return below(m, 3) > 0 ? below(m, 9) - 1 : odd[below(m, (int64_t)(sizeof odd / sizeof *odd))];
}

static double real(mutation *m)
{
    static const double odd[] = {0, 1, -1, 0.5, 1e30, -1e30, 1e-30, 1e300, 0.0 / 0.0, 1.0 / 0.0, -1.0 / 0.0};
    return odd[below(m, (int64_t)(sizeof odd / sizeof *odd))];
}

static size_t list_length(const place *p)
{
    return *(const size_t *)(const void *)((const char *)p->message + p->field->quantifier_offset);
}

/* A string that stands in a field of the same name elsewhere, an operator's name, an attribute's. */
static const char *word(mutation *m, const ProtobufCFieldDescriptor *f)
{
    static const char *const words[] = {
        "axis", "axes", "perm", "shape", "pads", "strides", "dilations", "kernel_shape", "group", "auto_pad",
        "SAME_UPPER", "alpha", "beta", "transA", "transB", "keepdims", "mode", "to", "value", "split", "starts", "ends",
        "steps", "epsilon", "ceil_mode", "count_include_pad", "storage_order", "output_padding", "output_shape",
        "blocksize", "p", "size", "num_groups", "equation", "batch_dims", "exclusive", "reverse", "sorted", "largest",
        "k", "upper", "reduction", "", "noop_with_empty_axes", "coordinate_transformation_mode", "nearest_mode",
        "cubic_coeff_a", "exclude_outside"};
    const lop_op_table *ops = lop_ops();
    if (strcmp(f->name, "op_type") == 0) return ops->op[below(m, ops->count)].name;
    const int from = (int)below(m, m->n);
    for (int i = 0; below(m, 3) > 0 && i < m->n; i++) {
        const place *p = &m->list[(from + i) % m->n];
        const bool name = strcmp(f->name, "input") == 0 && strcmp(p->field->name, "output") == 0;
        if (p->field->type != PROTOBUF_C_TYPE_STRING || (p->field->id != f->id && !name)) continue;
        const void *at = (const char *)p->message + p->field->offset;
        if (p->field->label != PROTOBUF_C_LABEL_REPEATED) {
            const char *s = *(const char *const *)at;
            if (s) return s;
        } else {
            const int64_t n = (int64_t)list_length(p);
            if (n > 0) return (*(const char *const *const *)at)[below(m, n)];
        }
    }
    return words[below(m, (int64_t)(sizeof words / sizeof *words))];
}

static void *copy_of(const void *bytes, size_t n)
{
    char *copy = calloc(1, n + 1);
    if (copy && n > 0) memcpy(copy, bytes, n);
    return copy;
}

static ProtobufCMessage *clone(const ProtobufCMessage *from)
{
    const size_t n = protobuf_c_message_get_packed_size(from);
    uint8_t *bytes = malloc(n + 1);
    if (!bytes) return NULL;
    protobuf_c_message_pack(from, bytes);
    ProtobufCMessage *copy = protobuf_c_message_unpack(from->descriptor, NULL, n, bytes);
    free(bytes);
    return copy;
}

/* A message of this type: a copy of one that is there, or an empty one. */
static ProtobufCMessage *message_of(mutation *m, const ProtobufCMessageDescriptor *type)
{
    const int from = (int)below(m, m->n);
    for (int i = 0; i < m->n; i++) {
        const place *p = &m->list[(from + i) % m->n];
        if (p->message->descriptor == type) return clone(p->message);
    }
    return protobuf_c_message_unpack(type, NULL, 0, (const uint8_t *)"");
}

static size_t width_of(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_DOUBLE: return 8;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE: return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES: return sizeof(ProtobufCBinaryData);
    default: return 4;
    }
}

/* A new value of the field's type. */
static void make(mutation *m, const ProtobufCFieldDescriptor *f, void *at)
{
    const char *s;
    switch (f->type) {
    case PROTOBUF_C_TYPE_INT32: *(int32_t *)at = (int32_t)whole(m); break;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_UINT64: *(int64_t *)at = whole(m); break;
    case PROTOBUF_C_TYPE_FLOAT: *(float *)at = (float)real(m); break;
    case PROTOBUF_C_TYPE_DOUBLE: *(double *)at = real(m); break;
    case PROTOBUF_C_TYPE_STRING:
        s = word(m, f);
        *(char **)at = copy_of(s, strlen(s));
        break;
    case PROTOBUF_C_TYPE_BYTES:
        s = word(m, f);
        *(ProtobufCBinaryData *)at = (ProtobufCBinaryData){strlen(s), copy_of(s, strlen(s))};
        break;
    case PROTOBUF_C_TYPE_MESSAGE: *(ProtobufCMessage **)at = message_of(m, f->descriptor); break;
    default: break;
    }
}

static void drop(const ProtobufCFieldDescriptor *f, void *at)
{
    if (f->type == PROTOBUF_C_TYPE_STRING) {
        if (*(const char **)at != f->default_value) free(*(char **)at);
    } else if (f->type == PROTOBUF_C_TYPE_BYTES) free(((ProtobufCBinaryData *)at)->data);
    else if (f->type == PROTOBUF_C_TYPE_MESSAGE && *(ProtobufCMessage **)at)
        protobuf_c_message_free_unpacked(*(ProtobufCMessage **)at, NULL);
}

/* A new value in place of the old one, which goes last: the new one may be its copy. */
static void replace(mutation *m, const ProtobufCFieldDescriptor *f, void *at)
{
    char fresh[sizeof(ProtobufCBinaryData)] = {0};
    make(m, f, fresh);
    drop(f, at);
    memcpy(at, fresh, width_of(f->type));
}

/* ---- one change ---- */

static void change_list(mutation *m, const place *p)
{
    const ProtobufCFieldDescriptor *f = p->field;
    size_t *n = (size_t *)(void *)((char *)p->message + f->quantifier_offset), width = width_of(f->type);
    char **list = (char **)(void *)((char *)p->message + f->offset);
    const int64_t what = below(m, 4);
    if (what == 0 || *n == 0) {                                 /* one more */
        char *grown = realloc(*list, (*n + 1) * width);
        if (!grown) return;
        *list = grown;
        make(m, f, grown + *n * width);
        ++*n;
        return;
    }
    char *one = *list + (size_t)below(m, (int64_t)*n) * width;
    char *other = *list + (size_t)below(m, (int64_t)*n) * width;
    if (what == 1) {                                            /* one less */
        drop(f, one);
        memmove(one, one + width, (size_t)(*list + *n * width - one) - width);
        --*n;
    } else if (what == 2 || f->type == PROTOBUF_C_TYPE_MESSAGE) {       /* two change places */
        char kept[sizeof(ProtobufCBinaryData)];
        memcpy(kept, one, width);
        memmove(one, other, width);
        memcpy(other, kept, width);
    } else {
        replace(m, f, one);
    }
}

static void change(mutation *m)
{
    const place *p = &m->list[below(m, m->n)];
    const ProtobufCFieldDescriptor *f = p->field;
    FUZZ_EXPECT(f, "a place of nothing");
    if (f->label == PROTOBUF_C_LABEL_REPEATED) {
        change_list(m, p);
        return;
    }
    const bool counted = f->type != PROTOBUF_C_TYPE_STRING && f->type != PROTOBUF_C_TYPE_MESSAGE;
    void *at = (char *)p->message + f->offset;
    if (f->type == PROTOBUF_C_TYPE_MESSAGE && *(void **)at) return;     /* what is in it is in the list itself */
    replace(m, f, at);
    if (counted) *(protobuf_c_boolean *)(void *)((char *)p->message + f->quantifier_offset) = 1;
}

/* As many bytes as the shape says, where those are few. */
static void repair(mutation *m, Onnx__TensorProto *t)
{
    size_t need = lop_dtype_size((lop_dtype)t->data_type);
    for (size_t d = 0; d < t->n_dims; d++)
        if (!lop_mul_size(&need, need, t->dims[d])) return;
    if (need > REPAIR) return;
    if (!t->has_raw_data) {
        const size_t typed = t->n_float_data + t->n_int32_data + t->n_int64_data + t->n_double_data + t->n_uint64_data;
        if (typed > 0 && below(m, 2)) return;
        t->n_float_data = t->n_int32_data = t->n_int64_data = t->n_double_data = t->n_uint64_data = 0;
    }
    uint8_t *bytes = calloc(1, need + 1);
    if (!bytes) return;
    memcpy(bytes, t->raw_data.data ? t->raw_data.data : bytes, t->raw_data.len < need ? t->raw_data.len : need);
    const int64_t value = whole(m);
    if (t->data_type == LOP_I64 && need >= 8 && below(m, 2)) memcpy(bytes + below(m, (int64_t)need / 8) * 8, &value, 8);
    free(t->raw_data.data);
    t->raw_data = (ProtobufCBinaryData){need, bytes};
    t->has_raw_data = 1;
}

static size_t pack(mutation *m, Onnx__ModelProto *model, uint8_t *out, size_t most)
{
    m->n = 0;
    collect(m, &model->base);
    for (int i = 0; i < m->n && below(m, 8) > 0; i++)
        if (m->list[i].message->descriptor == &onnx__tensor_proto__descriptor && m->list[i].field->id == 1)
            repair(m, (Onnx__TensorProto *)(void *)m->list[i].message);
    const size_t size = protobuf_c_message_get_packed_size(&model->base);
    return size <= most ? protobuf_c_message_pack(&model->base, out) : 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t most, unsigned seed)
{
    mutation m = {.seed = seed};
    Onnx__ModelProto *model = below(&m, 8) > 0 ? onnx__model_proto__unpack(NULL, size, bytes) : NULL;
    if (!model) return LLVMFuzzerMutate(bytes, size, most);
    m.list = calloc(PLACES, sizeof *m.list);
    FUZZ_EXPECT(m.list, "no memory");
    for (int64_t i = 1 + below(&m, 4); i > 0; i--) {
        m.n = 0;
        collect(&m, &model->base);
        change(&m);
    }
    const size_t n = pack(&m, model, bytes, most);
    onnx__model_proto__free_unpacked(model, NULL);
    free(m.list);
    return n > 0 ? n : LLVMFuzzerMutate(bytes, size, most);
}

/* Nodes and initializers of b, joined to a's; what names they share ties them together. */
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t na, const uint8_t *b, size_t nb, uint8_t *out, size_t most,
                                 unsigned seed)
{
    mutation m = {.seed = seed};
    Onnx__ModelProto *x = onnx__model_proto__unpack(NULL, na, a), *y = onnx__model_proto__unpack(NULL, nb, b);
    size_t n = 0;
    if (x && y && x->graph && y->graph) {
        uint8_t *tail = malloc(nb + 1);
        FUZZ_EXPECT(tail, "no memory");
        const size_t outputs = y->graph->n_output;
        if (below(&m, 2)) y->graph->n_output = 0;
        const size_t more = onnx__graph_proto__pack(y->graph, tail);    /* behind a's bytes: its lists go on */
        y->graph->n_output = outputs;
        const size_t own = onnx__graph_proto__get_packed_size(x->graph);
        uint8_t *both = malloc(own + more + 1);
        FUZZ_EXPECT(both, "no memory");
        onnx__graph_proto__pack(x->graph, both);
        memcpy(both + own, tail, more);
        Onnx__GraphProto *joined = onnx__graph_proto__unpack(NULL, own + more, both);
        if (joined) {
            onnx__graph_proto__free_unpacked(x->graph, NULL);
            x->graph = joined;
            if (onnx__model_proto__get_packed_size(x) <= most) n = onnx__model_proto__pack(x, out);
        }
        free(both);
        free(tail);
    }
    if (x) onnx__model_proto__free_unpacked(x, NULL);
    if (y) onnx__model_proto__free_unpacked(y, NULL);
    return n;
}

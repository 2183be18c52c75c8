/* core/onnx/check.c - a walk over the bytes of a protobuf message, led by the generated descriptors, before protobuf-c
 * unpacks it: protobuf-c recurses without a limit, and says nothing of where a file is damaged. */
#include "onnx/onnx_impl.h"

typedef struct { const uint8_t *bytes; size_t at, end; lop_error *err; } cursor;

static lop_status damaged(const cursor *c, const char *what)
{
    return lop_fail(c->err, LOP_E_FORMAT, "is no ONNX model, or is damaged: byte %zu: %s", c->at, what);
}

static bool read_varint(cursor *c, uint64_t *value)
{
    *value = 0;
    for (int shift = 0; shift < 70 && c->at < c->end; shift += 7) {
        const uint8_t byte = c->bytes[c->at++];
        *value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) return true;
    }
    return false;
}

static ProtobufCWireType wire_of(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE: return PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED;
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_SFIXED32: return PROTOBUF_C_WIRE_TYPE_32BIT;
    case PROTOBUF_C_TYPE_DOUBLE:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_SFIXED64: return PROTOBUF_C_WIRE_TYPE_64BIT;
    default: return PROTOBUF_C_WIRE_TYPE_VARINT;
    }
}

/* A packed list fills its bytes exactly. */
static lop_status check_packed(cursor c, ProtobufCWireType wire)
{
    uint64_t value;
    if (wire == PROTOBUF_C_WIRE_TYPE_32BIT && (c.end - c.at) % 4 != 0) return damaged(&c, "half a float in a list");
    if (wire == PROTOBUF_C_WIRE_TYPE_64BIT && (c.end - c.at) % 8 != 0) return damaged(&c, "half a double in a list");
    while (wire == PROTOBUF_C_WIRE_TYPE_VARINT && c.at < c.end)
        if (!read_varint(&c, &value)) return damaged(&c, "an integer in a list does not end");
    return LOP_OK;
}

static lop_status check_message(cursor c, const ProtobufCMessageDescriptor *type, int level);

static lop_status check_content(cursor c, const ProtobufCFieldDescriptor *field, int level)
{
    if (!field || field->type == PROTOBUF_C_TYPE_STRING || field->type == PROTOBUF_C_TYPE_BYTES) return LOP_OK;
    if (field->type == PROTOBUF_C_TYPE_MESSAGE) return check_message(c, field->descriptor, level + 1);
    return check_packed(c, wire_of(field->type));
}

static lop_status check_length(cursor *c, const ProtobufCMessageDescriptor *type, const ProtobufCFieldDescriptor *field,
                               int level)
{
    uint64_t length;
    if (!read_varint(c, &length)) return damaged(c, "a length does not end");
    if (length > c->end - c->at)
        return lop_fail(c->err, LOP_E_FORMAT, "is cut off, or no ONNX model: byte %zu: %s.%s needs %" PRIu64
                        " bytes, there are %zu", c->at, type->short_name, field ? field->name : "(unknown)", length,
                        c->end - c->at);
    const cursor inner = {c->bytes, c->at, c->at + (size_t)length, c->err};
    c->at = inner.end;
    return check_content(inner, field, level);
}

static lop_status check_field(cursor *c, const ProtobufCMessageDescriptor *type, int level)
{
    uint64_t tag, value;
    const size_t start = c->at;
    if (!read_varint(c, &tag)) return damaged(c, "a field's number does not end");
    if (tag >> 3 == 0 || tag >> 32 != 0 || c->at - start > 5) return damaged(c, "no such field number");
    const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field(type, (unsigned)(tag >> 3));
    const ProtobufCWireType wire = (ProtobufCWireType)(tag & 7);
    const bool list = field && field->label == PROTOBUF_C_LABEL_REPEATED &&
                      wire == PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED;
    if (field && wire != wire_of(field->type) && !list)
        return lop_fail(c->err, LOP_E_FORMAT, "is no ONNX model, or is damaged: byte %zu: %s.%s has another type",
                        start, type->short_name, field->name);
    switch (wire) {
    case PROTOBUF_C_WIRE_TYPE_VARINT: return read_varint(c, &value) ? LOP_OK : damaged(c, "an integer does not end");
    case PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED: return check_length(c, type, field, level);
    case PROTOBUF_C_WIRE_TYPE_64BIT: value = 8; break;
    case PROTOBUF_C_WIRE_TYPE_32BIT: value = 4; break;
    default: return damaged(c, "no such wire type");
    }
    if (value > c->end - c->at) return damaged(c, "the file ends inside a number");
    c->at += (size_t)value;
    return LOP_OK;
}

static lop_status check_message(cursor c, const ProtobufCMessageDescriptor *type, int level)
{
    lop_status st = LOP_OK;
    if (level > LOP_ONNX_LEVELS)
        return lop_fail(c.err, LOP_E_FORMAT, "byte %zu: messages are nested more than %d deep", c.at, LOP_ONNX_LEVELS);
    while (st == LOP_OK && c.at < c.end) st = check_field(&c, type, level);
    return st;
}

lop_status lop_onnx_check(const uint8_t *bytes, size_t size, const ProtobufCMessageDescriptor *type, lop_error *err)
{
    return check_message((cursor){bytes, 0, size, err}, type, 1);
}

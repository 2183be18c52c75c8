/* core/onnx/onnx_impl.h - what the files of this folder share. */
#ifndef LOP_ONNX_ONNX_IMPL_H
#define LOP_ONNX_ONNX_IMPL_H
#include "onnx/onnx.h"
#include "onnx.pb-c.h"

enum { LOP_ONNX_LEVELS = 64 };          /* of messages within messages; torch's models have 6 */

/* Walks the bytes of a message without allocating: tags, lengths, wire types, nesting. What passes, protobuf-c unpacks
 * without surprise. FORMAT names the byte and the field. */
lop_status lop_onnx_check(const uint8_t *bytes, size_t size, const ProtobufCMessageDescriptor *type, lop_error *err);
/* The tensor of a TensorProto, in memory of its own. Messages begin with `what` ("initializer 'conv1.w'"). */
lop_status lop_onnx_read_tensor(const Onnx__TensorProto *t, const char *what, const char *folder, lop_tensor *out,
                                lop_error *err);
/* Puts the body of a local function in the place of each node that calls it (onnx/inline.c); m->functions is empty
 * then, or as it was where nothing calls one. FORMAT: a function that calls itself, more inputs than it has, ...;
 * UNSUPPORTED: too many nodes or bytes, or an operator that the function and the model mean differently. */
lop_status lop_onnx_inline(Onnx__ModelProto *m, lop_error *err);
/* Calls visit for every name of a value in a graph or a node, also in the graphs within (onnx/names.c). A visitor may
 * replace the text (malloc's); an error stops the walk. Text is NULL where a field is absent. */
typedef lop_status lop_onnx_visitor(void *context, char **text, lop_error *err);
lop_status lop_onnx_names_of_graph(Onnx__GraphProto *m, lop_onnx_visitor *visit, void *context, lop_error *err);
lop_status lop_onnx_names_of_node(Onnx__NodeProto *m, lop_onnx_visitor *visit, void *context, lop_error *err);
/* A set of names, by a hash of 64 bits: a name may be taken for one that is there, never the other way round. */
typedef struct { uint64_t *slot; size_t slots, used; } lop_onnx_set;
bool lop_onnx_set_has(const lop_onnx_set *s, const char *name);
lop_status lop_onnx_set_add(lop_onnx_set *s, const char *name, lop_error *err);
/* Names by names; both texts are borrowed. */
typedef struct { const char *from, *to; } lop_onnx_pair;
typedef struct { lop_onnx_pair *slot; size_t slots, used; } lop_onnx_map;
const char *lop_onnx_map_get(const lop_onnx_map *m, const char *from);          /* NULL: not there */
lop_status lop_onnx_map_put(lop_onnx_map *m, const char *from, const char *to, lop_error *err);
/* Whether lop_tensor can hold it: its type has a size here, and it has no more than LOP_MAX_DIMS dimensions. */
bool lop_onnx_holds(const Onnx__TensorProto *t);
/* What type it is, in ONNX's notation with lop_dtype's words: "string", "seq(tensor(float32))", "map(int64, ...)",
 * "complex64, 9 dimensions". *text: lop_free; NULL where the message names none. (onnx/types.c) */
lop_status lop_onnx_type_text(const Onnx__TypeProto *m, char **text, lop_error *err);
lop_status lop_onnx_tensor_type_text(const Onnx__TensorProto *t, const char *before, char **text, lop_error *err);
/* Reading into a graph (onnx/read.c). */
typedef struct {
    lop_graph *g;
    const char *folder;         /* of external data, or NULL */
    int *slot;                  /* open addressing: value number + 1 by the hash of its name, 0: free; lop_free it */
    size_t slots;               /* a power of two, more than twice the values */
    lop_error *err;
} lop_onnx_reader;
/* slot: the names of g's values, and room for all that m can add. */
lop_status lop_onnx_start_names(lop_onnx_reader *r, const Onnx__GraphProto *m);
/* Each message goes once its tensor is taken. */
lop_status lop_onnx_read_initializers(lop_onnx_reader *r, Onnx__GraphProto *m);
lop_status lop_onnx_read_infos(lop_onnx_reader *r, Onnx__ValueInfoProto **list, size_t count);
/* The number of a name, new if need be; -1 for "". */
lop_status lop_onnx_number(lop_onnx_reader *r, const char *name, int *id);
/* What no lop_tensor can hold stays with the value as bytes, what lies in a file of its own fetched into them (t then
 * holds it); a sparse one becomes a tensor, or stays as bytes (onnx/keep.c). Messages begin with "has". */
enum { LOP_ONNX_STRING = 8 };           /* TensorProto.DataType */
lop_status lop_onnx_keep(lop_onnx_reader *r, Onnx__TensorProto *t, lop_value *v);
lop_status lop_onnx_read_sparse(lop_onnx_reader *r, Onnx__SparseTensorProto *m, lop_value *v);
/* Maps the file that t's data lies in and finds the `need` bytes; the file is the caller's to close, also on error. */
lop_status lop_onnx_find_external(const Onnx__TensorProto *t, const char *folder, size_t need, lop_file *file,
                                  const uint8_t **data, lop_error *err);
/* A node before position `at`, its values by name. */
lop_status lop_onnx_insert_node(lop_onnx_reader *r, const Onnx__NodeProto *m, int at);
/* The bytes of a message; *bytes NULL and *size 0 where it is empty. */
lop_status lop_onnx_pack(const ProtobufCMessage *m, uint8_t **bytes, size_t *size, lop_error *err);
#endif

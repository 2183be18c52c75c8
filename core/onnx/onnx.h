/* core/onnx/onnx.h - ONNX files to graphs and back.
 *
 * What the graph has no words for (subgraphs, node metadata, ...) is kept as bytes and written again. A node that calls
 * one of the model's functions becomes the function's body, its inner names "call/name"; where nothing calls any,
 * functions stay as they came. Files are not trusted: lengths, nesting (64 levels), what functions grow to (2^17 nodes,
 * 256 MiB) and every tensor's size are checked before anything is unpacked or allocated, and external data is read only
 * from inside the model's folder. Different files may be read and written at once. */
#ifndef LOP_ONNX_ONNX_H
#define LOP_ONNX_ONNX_H
#include "graph/graph.h"

/* Reads a model; ops (borrowed, may be NULL) becomes the graph's table. *out is the caller's to free, NULL on error.
 * Messages begin with path. NOTFOUND and IO as lop_file_open; FORMAT: no ONNX model, cut off, a tensor's data missing,
 * nodes that fit no order, a function that calls itself; UNSUPPORTED: a function that uses an operator of an opset in
 * which it means something else than in the model's. An initializer that no lop_tensor can hold (strings, complex
 * numbers, types of less than a byte, more than LOP_MAX_DIMS dimensions) is kept as it came and written so again, its
 * data in the model even if it lay in a file of its own: such a net can be looked at and saved; running what reads it
 * is UNSUPPORTED and names the node. A sparse initializer becomes, and is written as, a dense one, or is kept like
 * those where that would take more than 256 MiB. Names and doc strings of tensors in attributes, and doc strings of
 * attributes and initializers, are dropped. */
lop_status lop_onnx_load(const char *path, const lop_op_table *ops, lop_graph **out, lop_error *err);
/* The same from bytes, which may go afterwards. folder: where external data lies; NULL: models that need it are
 * refused (FORMAT). Messages begin with the thing, not with a path. */
lop_status lop_onnx_parse(const uint8_t *bytes, size_t size, const char *folder, const lop_op_table *ops,
                          lop_graph **out, lop_error *err);
/* Puts the branch in the place of each If whose condition is constant: an initializer, computed from such, or from the
 * shapes that the inputs declare, alike for one image and for two. Loading does it; call it again once inputs have been
 * made constants. *count: how many. Names that the graph has already get a number behind them. folder as above. On
 * error g can only be freed. */
lop_status lop_onnx_take_branches(lop_graph *g, const char *folder, int *count, lop_error *err);

/* Writes g; equal graphs give equal bytes. All tensors go into the file as raw data, unless `external`, or unless that
 * would make more than the 2 GiB that protobuf allows: then initializers of 1024 bytes and more go into PATH.data, in
 * the order of the values, at multiples of 64 bytes (from 1 MiB on: of 4096). No such initializer: no such file.
 * PATH appears whole or not at all. Of the two files both are complete before either takes its place, the data first:
 * only a failure between the two renames leaves the new data beside an older model. Messages begin with the path.
 * UNSUPPORTED: what stays in the model is past 2 GiB. */
lop_status lop_onnx_save(const lop_graph *g, const char *path, bool external, lop_error *err);
/* As bytes, without external data. UNSUPPORTED: past 2 GiB. bytes: lop_free. */
lop_status lop_onnx_write_bytes(const lop_graph *g, uint8_t **bytes, size_t *size, lop_error *err);

/* The tensor of a file that holds one TensorProto, as ONNX's test vectors do. Messages begin with path; FORMAT and
 * UNSUPPORTED as for an initializer, external data refused. out is empty on error, else the caller's to clear. */
lop_status lop_onnx_load_tensor(const char *path, lop_tensor *out, lop_error *err);
#endif

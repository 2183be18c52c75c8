/* core/ops/ops.h - the ONNX operators (domain ai.onnx, opsets 7 to 21) that lop knows: their shape rules, their forward
 * computation, what a cut of channels means to them, whether they keep images apart. Definitions: the ONNX operator
 * specification (onnx/onnx, docs/Operators.md and Changelog.md); where it is silent, what ONNX Runtime does.
 * No state: all functions may be called at once. Messages name inputs and attributes, not the node: callers add it. */
#ifndef LOP_OPS_OPS_H
#define LOP_OPS_OPS_H
#include "graph/graph.h"
#include "kernel/kernel.h"

/* The table, sorted by name; an operator that is not in it is not built. `shape` gives SHAPE where inputs do not fit,
 * FORMAT for an attribute the specification forbids, UNSUPPORTED for a type or form that is not built and where an
 * input that decides the output's shape is not constant. `forward` trusts what `shape` has checked; it gives MEMORY,
 * and SHAPE or NUMERIC where the input's values are at fault (an index out of range, an integer division by zero). */
const lop_op_table *lop_ops(void);

/* Does this node mix, permute or select images, that is, entries of dimension 0? Attributes and constant inputs are
 * looked at; `in` and `out` carry the shapes of one image. True where it cannot be told, and for unknown operators. */
bool lop_ops_mixes_images(const lop_op_call *call);

/* Conv (1-D as a 2-D one of height 1, or 2-D): attributes and the shapes of input and weight as the convolution of one
 * image, auto_pad worked out. SHAPE, FORMAT, UNSUPPORTED (three spatial dimensions: ops->forward does those). */
lop_status lop_ops_conv_params(const lop_op_call *call, lop_conv *out, lop_error *err);
/* MaxPool or AveragePool, 1-D or 2-D, alike; ceil_mode and auto_pad are worked out in oh and ow. */
lop_status lop_ops_pool_params(const lop_op_call *call, lop_pool *out, lop_error *err);
/* The bounds of a Clip: attributes before opset 11, constant float32 inputs from then on; a missing one is the largest
 * finite number. UNSUPPORTED when an input bound is not constant. */
lop_status lop_ops_clip_range(const lop_op_call *call, float *low, float *high, lop_error *err);
/* BatchNormalization as y = x * scale[ch] + shift[ch]: scale = gamma / sqrt(var + epsilon), shift = beta - mean *
 * scale, in float64, rounded once. Both hold one entry a channel. The four parameters must be there as data. */
lop_status lop_ops_bn_affine(const lop_op_call *call, float *scale, float *shift, lop_error *err);
#endif

/* core/ops/ops.h - the operators of ONNX that lop computes: shape rules and forward passes, one file per family, as the
 * ONNX operator specification gives them. */
#ifndef LOP_OPS_OPS_H
#define LOP_OPS_OPS_H
#include "graph/graph.h"
#include "kernel/kernel.h"

const lop_op_table *lop_ops(void);      /* constant; sorted by name */

/* What a node means for one image, for core/exec. in[] as in lop_op_call: shapes, and data where constant. */
lop_status lop_ops_conv_params(const lop_op_call *call, lop_conv *out, lop_error *err);         /* 2-D Conv */
lop_status lop_ops_pool_params(const lop_op_call *call, lop_pool *out, lop_error *err);         /* 2-D pools */
lop_status lop_ops_clip_range(const lop_op_call *call, float *low, float *high, lop_error *err);
/* scale (c) and shift (c) of an inference BatchNormalization, computed in float64. */
lop_status lop_ops_bn_affine(const lop_op_call *call, float *scale, float *shift, lop_error *err);
/* Does this node join, pick or move images along dimension 0? True where that is not known. */
bool lop_ops_mixes_images(const lop_op_call *call);
#endif

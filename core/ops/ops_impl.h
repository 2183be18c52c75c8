/* core/ops/ops_impl.h - shared within core/ops. */
#ifndef LOP_OPS_OPS_IMPL_H
#define LOP_OPS_OPS_IMPL_H
#include "ops/ops.h"

#define OP(name) lop_status ops_##name##_shape(const lop_op_call *c, lop_error *err);   \
    lop_status ops_##name##_forward(const lop_op_call *c, lop_error *err);
OP(conv) OP(norm) OP(pool) OP(global_pool) OP(gemm) OP(matmul) OP(binary) OP(unary) OP(softmax) OP(shape) OP(reshape)
OP(transpose) OP(concat) OP(slice) OP(pad) OP(gather) OP(constant) OP(fill) OP(cast) OP(same)
#undef OP

const lop_tensor *ops_in(const lop_op_call *c, int i);          /* NULL where it is left out */
/* That input is there, or ARG. */
lop_status ops_need(const lop_op_call *c, int i, lop_error *err);
void ops_set(lop_tensor *out, lop_dtype type, const lop_shape *shape);
/* The integers of constant input i, or of the attribute that older opsets had; -1 where there are none. */
lop_status ops_list(const lop_op_call *c, int i, const char *attribute, int64_t *list, int64_t max, int64_t *count, lop_error *err);
lop_status ops_axis(int64_t axis, int ndim, int *out, lop_error *err);
int64_t ops_product(const lop_shape *s, int from, int to);
#endif

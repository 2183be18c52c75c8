/* core/ops/table.c - the table of operators, and whether one of its nodes mixes images. */
#include "ops/ops_impl.h"

/* Each operator's entries, which let it compute float16 and bfloat16 in float32 where it does not know them. */
#define OP(name, cut, shape, forward, mixes)                                                    \
    static lop_status name##_shape(const lop_op_call *call, lop_error *err)                     \
    {                                                                                           \
        return ops_half_shape(call, shape, err);                                                \
    }                                                                                           \
    static lop_status name##_forward(const lop_op_call *call, lop_error *err)                   \
    {                                                                                           \
        return ops_half_forward(call, shape, forward, err);                                     \
    }
#include "ops/ops.inc"
#undef OP
#define OP(name, cut, shape, forward, mixes) {#name, LOP_CUT_##cut, name##_shape, name##_forward, true},
static const lop_op ops[] = {
#include "ops/ops.inc"
};
#undef OP
#define OP(name, cut, shape, forward, mixes) mixes,
static const ops_mixes rules[] = {
#include "ops/ops.inc"
};
#undef OP
static const lop_op_table table = {ops, sizeof ops / sizeof *ops};

const lop_op_table *lop_ops(void) { return &table; }

bool lop_ops_mixes_images(const lop_op_call *call)
{
    const lop_op *op = lop_op_find(&table, call->node->domain, call->node->op);
    return !op || call->nout < 1 || rules[op - ops](call);
}

/* core/ops/table.c - the table of operators, and whether one of its nodes mixes images. */
#include "ops/ops_impl.h"

#define OP(name, cut, shape, forward, mixes) {#name, LOP_CUT_##cut, shape, forward, true},
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

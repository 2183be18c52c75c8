/* core/exec/exec_impl.h - what exec_plan.c makes and exec_run.c runs. */
#ifndef LOP_EXEC_EXEC_IMPL_H
#define LOP_EXEC_EXEC_IMPL_H
#include "exec/exec.h"
#include "kernel/kernel.h"
#include "ops/ops.h"

typedef struct {
    const lop_op *op;           /* run by op->forward, unless plan is set */
    int node;                   /* in the exec's own copy of the graph: the first of those fused */
    int out;                    /* the value that the step leaves: the last fused node's output */
    lop_conv_plan *plan;        /* a convolution, packed */
    float *bias;                /* of plan, or NULL */
    int in, add;                /* of plan: input value; value added before act, or -1 */
    lop_act act;
    float low, high;
    int64_t macs;
} exec_step;

struct lop_exec {
    lop_graph *graph;           /* own copy; shares the constants */
    lop_shapes shapes;
    bool per_image;
    int *given, *wanted;
    int ngiven, nwanted;
    exec_step *step;
    int nstep;
    int64_t *offset;            /* by value: bytes into the arena, -1 for none */
    int64_t arena, scratch;     /* bytes a worker */
    size_t packed;
};

bool exec_is_const(const lop_exec *e, int value);
/* Steps for the needed nodes (need: by node), in order, fused where it keeps the meaning. */
lop_status exec_fuse(lop_exec *e, const bool *need, bool fuse, lop_error *err);
/* offset, arena and scratch from the steps. */
lop_status exec_place(lop_exec *e, lop_error *err);
/* A call for a node: in and out point into arrays of at least nin and nout; data as in the shapes (constants). */
typedef struct { lop_tensor value[64], out[8]; const lop_tensor *in[64]; } exec_arguments;
lop_status exec_call(const lop_exec *e, const lop_node *n, exec_arguments *a, lop_op_call *call, lop_error *err);
#endif

/* core/exec/exec.h - running a graph, or the part of it between given and wanted values: constants packed once, fused
 * operators, a memory plan. float32.
 *
 * A graph whose operators keep images apart (lop_op.per_image, checked on its shapes at batch 1 and 2) is run image by
 * image: with at least as many images as threads, each thread takes whole images through all nodes, so that what one
 * node wrote is still in cache when the next one reads it; with fewer, the threads share each node's work. Any other
 * graph is run once on the whole input. The bytes of the results depend on neither batch nor threads. */
#ifndef LOP_EXEC_EXEC_H
#define LOP_EXEC_EXEC_H
#include "graph/graph.h"

typedef struct lop_exec lop_exec;

/* A plan that computes `wanted` values from `given` ones (and constants). given NULL: the graph's own inputs; wanted
 * NULL: its outputs. Both must be values of g; a wanted value may be a given one or a constant. in: the shapes of the
 * given values, for ONE image where the graph is run image by image (first dimension 1); NULL: as lop_graph_infer
 * gives them (s). Constant data is shared with g, which may be changed or freed afterwards. no_fuse runs operator
 * by operator, for tests. UNSUPPORTED names the first operator (and node) that is missing on the way; NOTFOUND a
 * value that is not computable from what is given. */
typedef struct {
    const int *given, *wanted;
    int ngiven, nwanted;
    bool no_fuse;
} lop_exec_options;
lop_status lop_exec_new(const lop_graph *g, const lop_shapes *s, const lop_exec_options *o, lop_exec **out,
                        lop_error *err);
void lop_exec_free(lop_exec *e);

/* in: ngiven tensors, first dimension images * what one image has (the same for all); out: nwanted empty tensors,
 * made here, the caller's to clear. team may be NULL. On error out is empty. One run of an exec at a time. */
lop_status lop_exec_run(lop_exec *e, lop_team *team, const lop_tensor *in, lop_tensor *out, lop_error *err);

/* Plan and run in one, for these inputs (nin of them, the graph's own, in order): image by image where that may be.
 * What a plan for sizes cannot know, it learns from the inputs' values, first from those of up to 64 integers or truths
 * (a Reshape's sizes, an If's condition), then from all: how many entries a NonZero has, which boxes stay. That way
 * each node runs alone, in inference (limits there). wanted NULL: the outputs. Errors as of lop_exec_new and
 * lop_exec_run. */
lop_status lop_exec_once(const lop_graph *g, lop_team *team, const lop_tensor *in, int nin, const int *wanted,
                         int nwanted, lop_tensor *out, lop_error *err);

bool lop_exec_per_image(const lop_exec *e);
/* Bytes of working memory (activations, packed weights) that a run with so many threads takes beside in and out. */
size_t lop_exec_bytes(const lop_exec *e, int threads);

/* Times each step of one run over the same input: label, operator, median seconds of `repeat` runs, MACs. */
typedef struct { char label[96]; char op[48]; double seconds; int64_t macs; } lop_exec_step;
lop_status lop_exec_profile(lop_exec *e, lop_team *team, const lop_tensor *in, int repeat, lop_exec_step **steps,
                            int *count, lop_error *err);        /* steps: lop_free */
#endif

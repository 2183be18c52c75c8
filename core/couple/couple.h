/* core/couple/couple.h - which channels must be cut together, and the cut itself.
 *
 * Each channel that a convolution (or Gemm, MatMul) makes is a class, a number. Every value carries, along the
 * dimension where its channels lie, the class of each entry; operators pass classes on (Concat, Slice, Reshape,
 * Transpose ... move them: an exact index map), unite them (an addition unites entry by entry, a grouped convolution
 * group by group), read them by weights, or stop them. Classes that are united go together or not at all. A group is
 * what its producers' classes connect; its width is its number of classes. He et al., ICCV 2017, section 3.3, is the
 * case of one producer. */
#ifndef LOP_COUPLE_COUPLE_H
#define LOP_COUPLE_COUPLE_H
#include "graph/graph.h"

typedef enum {
    LOP_GROUP_INNER,            /* one producer, or several that gate each other (Mul) or that are concatenated */
    LOP_GROUP_STREAM            /* an addition unites what different nodes make: the residual stream of a stage, say */
} lop_group_kind;

typedef struct {
    char *name;                 /* its first producer's label */
    int64_t width;              /* classes: what a cut counts. One class may stand for several channels of a layer */
    int *producer, *consumer;   /* node positions, ascending: who makes these channels, whose weights read them */
    int nproducer, nconsumer;
    lop_group_kind kind;
    bool prunable;
    int blocker;                /* position of the node that stops it, or -1 */
    char reason[240];           /* where it is not prunable: why, in a line; else "" */
} lop_group;

typedef struct {
    lop_group *group;
    int count;
    int **label;                /* by value: classes along its channel dimensions, row by row; -1 (an entry that stays)
                                 * where none was made; NULL: no channel of a group. Values may share a list */
    int64_t *channels;          /* by value: entries of label, 0 without one */
    int *axis, *naxes;          /* by value: first channel dimension, and how many: 1, but inside a channel shuffle */
    int *group_of, *rank_of;    /* by class: its group (-1: none), and its place in it */
    int classes, nvalue;
    bool *whole;                /* by node: a grouped convolution that keeps or loses whole groups */
    int nnode;
    lop_shape *input;           /* sizes of the graph's inputs for which this holds */
    void **block;               /* owns the labels */
    int64_t nblock, block_capacity;
} lop_groups;

/* s: shapes of g at one image. The groups stand in the order of their first producers. Free with lop_groups_clear.
 * Time and memory: in proportion to the entries of all channel dimensions. */
lop_status lop_groups_find(const lop_graph *g, const lop_shapes *s, lop_groups *out, lop_error *err);
void lop_groups_clear(lop_groups *q);

typedef struct {
    int group;
    const int64_t *keep;        /* places in the group, ascending, at least one */
    int64_t count;
} lop_cut;

/* Keeps the channels keep[0..count) of each group named, each named once: producers lose filters and biases, norms
 * their entries, per-channel constants too, depthwise convolutions their filters, consumers their inputs; shapes,
 * sizes, bounds and indices held by Reshape, Split, Slice, Gather, Pad, ... follow. Initializers are replaced, never
 * changed in place. A consumer's remaining weights are as they were: reconstruction sets them afterwards. All or
 * nothing: on error g is as before. q is out of date after it. ARG for a list that is not so, or that leaves a node
 * without channels; UNSUPPORTED for a group that is not prunable. */
lop_status lop_graph_cut_all(lop_graph *g, const lop_groups *q, const lop_cut *cuts, int n, lop_error *err);
lop_status lop_graph_cut(lop_graph *g, const lop_groups *q, int which, const int64_t *keep, int64_t count,
                         lop_error *err);

/* Takes out channels that cost without telling anything: those that nothing reads, and those that are one number
 * everywhere (their filters are zeros) where the biases of their readers can carry it: a reader with padding carries 0
 * only. One of each group stays. s, q: of g, out of date after it. gone: by class of q, those that went, or NULL.
 * *count: how many channels of groups. The function stays, up to rounding. All or nothing. */
lop_status lop_graph_drop_dead(lop_graph *g, const lop_shapes *s, const lop_groups *q, bool *gone, int64_t *count,
                               lop_error *err);
#endif

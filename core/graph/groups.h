/* core/graph/groups.h - which channels must be cut together, and the cut itself. Every channel that a convolution (or
 * Gemm) makes is a class; operators pass classes on, tie them together, or stop them. A group is what its producers'
 * classes connect; its width is its number of classes. He et al., ICCV 2017, section 3.3, is the case of one producer. */
#ifndef LOP_GRAPH_GROUPS_H
#define LOP_GRAPH_GROUPS_H
#include "graph/graph.h"

typedef struct {
    char *name;                 /* its first producer's label */
    int64_t width;
    int *producer, *consumer;   /* node positions: who makes these channels, whose weights read them */
    int nproducer, nconsumer;
    bool prunable;
    char reason[200];           /* where it is not prunable: what stops it, in a line */
} lop_group;

typedef struct {
    lop_group *group;
    int count;
    int **label;                /* by value: for each channel (index of dimension 1) its class in [0, classes), or NULL */
    int64_t *channels;          /* by value: size of dimension 1 of an activation, else 0 */
    int *group_of, *rank_of;    /* by class: its group, and its place in it */
    int classes, nvalue;
} lop_groups;

/* s: shapes of g at one image. The groups stand in the order of their first producers. Free with lop_groups_clear. */
lop_status lop_groups_find(const lop_graph *g, const lop_shapes *s, lop_groups *out, lop_error *err);
void lop_groups_clear(lop_groups *q);

/* Keeps the channels keep[0..count) of group `which` (places in the group, ascending, at least one): producers lose
 * filters and biases, norms their entries, depthwise convolutions their filters, consumers their inputs. Initializers
 * are replaced, never changed in place. A consumer's remaining weights are as they were: reconstruction sets them
 * afterwards. All or nothing: on error g is as before. q is out of date after it. ARG for a list that is not so;
 * UNSUPPORTED for a group that is not prunable, or where a constant of the graph holds its old width. */
lop_status lop_graph_cut(lop_graph *g, const lop_groups *q, int which, const int64_t *keep, int64_t count, lop_error *err);
#endif

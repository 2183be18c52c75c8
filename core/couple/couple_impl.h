/* core/couple/couple_impl.h - what the files of this folder share: the search, the labels, what nodes hold. */
#ifndef LOP_COUPLE_COUPLE_IMPL_H
#define LOP_COUPLE_COUPLE_IMPL_H
#include "couple/couple.h"

/* ---- the search for classes ---- */

typedef struct {
    const lop_graph *g;
    const lop_shapes *s;
    lop_groups *q;
    int *parent;                /* by class: union-find; the lowest number is the root, so the first producer names */
    int *maker;                 /* by class: the node that made it, -1: a Pad */
    int *stop;                  /* by class: the node that stops it, -1; COUPLE_OUTPUT, COUPLE_CAPTURED */
    const char **why;           /* by class: what that node does, a static text */
    bool *made, *tied;          /* by root: a producer made one of them; an addition united different ones */
    int64_t capacity;
    int count;
    int64_t labels;             /* of all values */
    lop_error *err;
} couple;

enum { COUPLE_OUTPUT = -2, COUPLE_CAPTURED = -3 };

/* A value's labels and where they lie. */
typedef struct {
    int first, count;
    int64_t dim[LOP_MAX_DIMS];  /* of the labelled dimensions */
    int64_t size;
    const int *label;
} couple_layout;

bool couple_layout_of(const couple *f, int v, couple_layout *out);      /* false: v has no labels */
const lop_shape *couple_shape(const couple *f, int v);
bool couple_constant(const couple *f, int v);
/* Room for n labels, owned by the groups. */
lop_status couple_labels(couple *f, int64_t n, int **out);
/* Are there few enough entries in dimensions [first, first + count) of v? If not, what node k reads is stopped. */
bool couple_fits(couple *f, int k, int v, int first, int count);
/* v (made by node k): `label` along dimensions [first, first + count), shortened where outer or inner ones do not tell
 * apart. */
lop_status couple_set(couple *f, int v, int k, int first, int count, const int *label);
/* n new classes, made by a node (-1: a Pad); *first is the lowest. */
lop_status couple_fresh(couple *f, int64_t n, int node, int *first);
int couple_root(couple *f, int class);
/* -1 with a class stops it: node k unites it with what stays. */
void couple_unite(couple *f, int a, int b, int k, bool additive);
void couple_stop(couple *f, int class, int k, const char *why);
void couple_stop_value(couple *f, int v, int k, const char *why);
/* All that node k reads; what it makes gets no labels. */
void couple_stop_node(couple *f, int k, const char *why);
/* Unites all but dimension `axis` of v, so that v's channels lie along it; false: they do not. */
bool couple_collapse(couple *f, int v, int axis, int k, lop_status *st);
/* Values whose channels lie along several dimensions: the kept ones must be a block, so all but one are united. */
void couple_impose_blocks(couple *f);
/* Labels of `to` from `from`'s, entry by entry: labelled dimension i of `to`, which are [first, first + count), is
 * dimension source[i] of `from`; a source that is not labelled, or -1, tells nothing. */
lop_status couple_remap(couple *f, int k, int from, int to, int first, int count, const int *source);
/* The same channels in the same dimensions; false: sizes differ there. */
bool couple_pass(couple *f, int from, int to);

/* What each kind of operator means (couple/compute.c, couple/move.c). */
lop_status couple_visit_conv(couple *f, int k);
lop_status couple_visit_conv_transpose(couple *f, int k);
lop_status couple_visit_gemm(couple *f, int k);
lop_status couple_visit_matmul(couple *f, int k);
lop_status couple_visit_norm(couple *f, int k);
lop_status couple_visit_group_norm(couple *f, int k);
lop_status couple_visit_join(couple *f, int k);
lop_status couple_visit_same(couple *f, int k);
lop_status couple_visit_pool(couple *f, int k);
lop_status couple_visit_axis(couple *f, int k);
lop_status couple_visit_reduce(couple *f, int k);
lop_status couple_visit_concat(couple *f, int k);
lop_status couple_visit_split(couple *f, int k);
lop_status couple_visit_pick(couple *f, int k);         /* Slice, Pad, Gather, Tile */
lop_status couple_visit_expand(couple *f, int k);
lop_status couple_visit_reshape(couple *f, int k);
lop_status couple_visit_transpose(couple *f, int k);
lop_status couple_visit_depth(couple *f, int k);

/* ---- what nodes hold (couple/read.c) ---- */

enum { COUPLE_LIST = 64 };
/* Attribute `name`, or else constant input `slot` (negative: none): its integers, COUPLE_LIST at most; -1 when there
 * is neither, -2 when it is not constant or too long. */
int couple_ints(const lop_shapes *s, const lop_node *n, int slot, const char *name, int64_t *list);
/* An axis below ndim from [-ndim, ndim), or -1. */
int couple_axis(int64_t axis, int ndim);
/* Where the entries of dimension `axis` of output `o` of a Slice, Pad, Gather, Tile or Split come from: size of them in
 * `from`, -1: a fill. plain: entry i from i, and all of them. False: it cannot be told. from is room for the output's
 * entries. */
bool couple_source(const lop_graph *g, const lop_shapes *s, const lop_node *n, int o, int axis, int64_t *from,
                   bool *plain);
/* Sizes of a Split's outputs; false: they cannot be told. */
bool couple_parts(const lop_shapes *s, const lop_node *n, int axis, int64_t *part);
/* Dimensions along which node n mixes entries: Softmax, LayerNormalization, Reduce..., CumSum, LRN ... False: it cannot
 * be told. */
bool couple_mixed(const lop_graph *g, const lop_shapes *s, const lop_node *n, bool *set);

/* ---- the cut ---- */

typedef struct {
    const lop_groups *q;
    const lop_shapes *s;        /* of the graph before the cut */
    const bool *gone;           /* by class */
    bool *touched;              /* by value: loses entries */
    const bool *follows;        /* by value: a constant computed from shapes, which follows the cut by itself */
    bool firm;                  /* replace those too */
    lop_graph *g;               /* the copy that is cut */
    int *readers;               /* by value of the copy as it came: inputs of nodes, outputs of the graph */
    lop_error *err;
} couple_cut;

typedef struct { int64_t *list; int64_t count; } couple_kept;           /* list NULL: all stay */
/* The entries of dimension `axis` of v that stay; lop_free the list. */
lop_status couple_kept_of(const couple_cut *c, int v, int axis, couple_kept *out);
/* How many stay: out of value v's shape, dimension d. */
lop_status couple_new_shape(const couple_cut *c, int v, lop_shape *out);
/* Gives node n's input `slot` the listed slices of dimension dim of its constant. */
lop_status couple_slice(couple_cut *c, lop_node *n, int slot, int dim, const couple_kept *k);
/* Gives it these integers: the attribute `name` (may be NULL) where slot is negative or the node has it, else the
 * input, 1-D. */
lop_status couple_put_ints(couple_cut *c, lop_node *n, int slot, const char *name, const int64_t *list, int count);
/* Node n's own part (couple/cut_compute.c, couple/cut_move.c). */
lop_status couple_cut_compute(couple_cut *c, lop_node *n, const lop_op *op);
lop_status couple_cut_move(couple_cut *c, lop_node *n, const lop_op *op);

/* ---- channels of one number ---- */

/* Does node k read the channels of its input by weights, so that others can make up for one that goes? */
bool couple_reads(const lop_graph *g, const lop_shapes *s, const lop_groups *q, int k);
/* No padding at all. */
bool couple_unpadded(const lop_node *n);
/* known (nvalue of them, NULL on entry): by value whose channels lie along one dimension, the number that each channel
 * is everywhere, or NAN; NULL where none is known. The lists are the caller's to free, on errors too. */
lop_status couple_known(const lop_graph *g, const lop_shapes *s, const lop_groups *q, double **known, lop_error *err);
#endif

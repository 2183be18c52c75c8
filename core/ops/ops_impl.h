/* core/ops/ops_impl.h - what the operator families share: checks, lists, broadcasting, moving elements, chunks. */
#ifndef LOP_OPS_OPS_IMPL_H
#define LOP_OPS_OPS_IMPL_H
#include "ops/ops.h"

typedef lop_status (*ops_rule)(const lop_op_call *call, lop_error *err);
typedef bool (*ops_mixes)(const lop_op_call *call);

/* Every operator's functions, from the one list. */
#define OP(name, cut, shape, forward, mixes)                            \
    lop_status shape(const lop_op_call *call, lop_error *err);          \
    lop_status forward(const lop_op_call *call, lop_error *err);        \
    bool mixes(const lop_op_call *call);
#include "ops/ops.inc"
#undef OP

/* ---- checks and lists (ops/util.c) ---- */

static inline bool ops_has(const lop_op_call *call, int i) { return i < call->nin && call->in[i]; }
static inline bool ops_wants(const lop_op_call *call, int i) { return i < call->nout && call->out[i].data; }
/* `least` inputs there, no more than `most`, one output at least. */
lop_status ops_need(const lop_op_call *call, int least, int most, lop_error *err);
/* Input i is float32. */
lop_status ops_need_f32(const lop_op_call *call, int i, lop_error *err);
/* Sets type and shape of output i, the shape's size checked; nothing where the node has no output i. */
lop_status ops_set(const lop_op_call *call, int i, lop_dtype type, const lop_shape *shape, lop_error *err);
/* axis in [-ndim, ndim) to [0, ndim). */
lop_status ops_axis(int64_t axis, int ndim, int *out, lop_error *err);
/* The integers of constant input i (int64 or int32), `max` at most. */
lop_status ops_input_ints(const lop_op_call *call, int i, const char *what, int64_t *list, int max, int *count,
                          lop_error *err);
/* Attribute `name`, or else input i (negative: none); *count is -1 when there is neither. */
lop_status ops_ints(const lop_op_call *call, const char *name, int i, int64_t *list, int max, int *count,
                    lop_error *err);
/* The same as a set of axes of ndim dimensions; *count -1 when absent. */
lop_status ops_axes(const lop_op_call *call, int i, int ndim, bool *set, int *count, lop_error *err);
/* The shape both broadcast to; a and out may be the same. */
lop_status ops_broadcast(const lop_shape *a, const lop_shape *b, lop_shape *out, lop_error *err);
/* Elements before, and after, dimension d. */
int64_t ops_outer(const lop_shape *s, int d);
int64_t ops_inner(const lop_shape *s, int d);
/* Element strides of a dense tensor. */
void ops_strides(const lop_shape *s, int64_t *stride);
/* Strides of `s` seen as the broadcast shape `out`: 0 where it repeats. */
void ops_broadcast_strides(const lop_shape *s, const lop_shape *out, int64_t *stride);
/* Copies input 0 into output 0 as it lies. */
lop_status ops_copy_forward(const lop_op_call *call, lop_error *err);

/* body(context, begin, end) over [0, count) in pieces of `grain`, which depend on nothing else. */
typedef void (*ops_body)(void *context, int64_t begin, int64_t end);
void ops_spread(lop_team *team, int64_t count, int64_t grain, ops_body body, void *context);
/* How many rows of so many elements make a piece worth a thread's while. */
int64_t ops_grain(int64_t row);

/* ---- float16 and bfloat16 (ops/half.c) ---- */

/* An operator's rules; where they give UNSUPPORTED and an input is of such a type, in float32 and back. */
lop_status ops_half_shape(const lop_op_call *call, ops_rule shape, lop_error *err);
lop_status ops_half_forward(const lop_op_call *call, ops_rule shape, ops_rule forward, lop_error *err);

/* ---- moving elements (ops/move/map.c) ---- */

/* A result whose element (i0, i1, ...) is source element offset[0][i0] + offset[1][i1] + ...; a fill value where one of
 * them is OPS_FILL. */
#define OPS_FILL INT64_MIN
typedef struct { int ndim; int64_t n[LOP_MAX_DIMS]; int64_t *offset[LOP_MAX_DIMS]; int64_t *block; } ops_map;
lop_status ops_map_init(ops_map *m, const lop_shape *out, lop_error *err);
void ops_map_clear(ops_map *m);
/* fill may be NULL where no offset is OPS_FILL. item: bytes of an element, 1, 2, 4 or 8. */
void ops_map_run(const ops_map *m, size_t item, const void *from, const void *fill, void *to, lop_team *team);

/* ---- windows of convolutions and pools (ops/nn/window.c): depth, height, width ---- */

typedef struct { int64_t in[3], k[3], out[3], stride[3], pad[6], dilation[3]; } ops_window;     /* pad: begins, ends */
/* Attributes strides, pads, dilations, auto_pad for input 0 (N, c, [[d,] h,] w) and kernel k. */
lop_status ops_window_read(const lop_op_call *call, const int64_t k[3], bool ceil, ops_window *w, lop_error *err);
/* The sizes of input 0's spatial dimensions, and how many there are: 1 to 3. */
lop_status ops_window_input(const lop_op_call *call, int *spatial, int64_t in[3], lop_error *err);
/* Attribute kernel_shape; FORMAT when it is absent. */
lop_status ops_window_kernel(const lop_op_call *call, int spatial, int64_t k[3], lop_error *err);
/* Attribute `name`: as many positive integers as there are spatial dimensions, 1 when absent. */
lop_status ops_window_sizes(const lop_op_call *call, const char *name, int spatial, int64_t size[3], lop_error *err);
/* Attribute pads, 0 when absent. */
lop_status ops_window_pads(const lop_op_call *call, int spatial, int64_t pad[6], lop_error *err);
/* (images, channels, w's outputs). */
void ops_window_shape(const ops_window *w, int spatial, int64_t images, int64_t channels, lop_shape *y);

/* ---- pools (ops/nn/pool_window.c) ---- */

typedef enum { OPS_POOL_MAX, OPS_POOL_MEAN, OPS_POOL_LP } ops_pool_kind;
typedef struct { ops_window w; ops_pool_kind kind; double p; bool count_pad, by_column; } ops_pool;
/* Pools the (N, c, ...) volumes of x, of any type. y, or index (where a maximum lies), may be NULL. */
void ops_pool_windows(const ops_pool *p, const lop_tensor *x, lop_tensor *y, int64_t *index, lop_team *team);

/* ---- element by element, two inputs at a time (ops/math/binary.c) ---- */

typedef void (*ops_pair_kernel)(int64_t n, const void *a, int64_t step_a, const void *b, int64_t step_b, void *y);
/* y = kernel(a, b), broadcast; y has elements of y_item bytes. y may be a or b where that has y's shape. */
void ops_pair_run(const lop_tensor *a, const lop_tensor *b, ops_pair_kernel kernel, size_t item, size_t y_item,
                  const lop_shape *shape, void *y, lop_team *team);
/* The kernel of a Scatter's reduction: "add", "mul", "min", "max"; NULL for any other, or a type without one. */
ops_pair_kernel ops_pair_of_reduction(const char *how, lop_dtype type);

/* ---- products of matrices that are not float32 (ops/math/product.c) ---- */

typedef struct { int64_t m, n, k; bool ta, tb; } ops_product;      /* ta: a is (k, m); tb: b is (n, k) */
bool ops_product_knows(lop_dtype type);
/* y (m, n) = a b, in its type. */
void ops_product_run(lop_dtype type, const ops_product *q, const void *a, const void *b, void *y, lop_team *team);
#endif

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

/* ---- moving elements (ops/move/map.c) ---- */

/* A result whose element (i0, i1, ...) is source element offset[0][i0] + offset[1][i1] + ...; a fill value where one of
 * them is OPS_FILL. */
#define OPS_FILL INT64_MIN
typedef struct { int ndim; int64_t n[LOP_MAX_DIMS]; int64_t *offset[LOP_MAX_DIMS]; int64_t *block; } ops_map;
lop_status ops_map_init(ops_map *m, const lop_shape *out, lop_error *err);
void ops_map_clear(ops_map *m);
/* fill may be NULL where no offset is OPS_FILL. item: bytes of an element, 1, 2, 4 or 8. */
void ops_map_run(const ops_map *m, size_t item, const void *from, const void *fill, void *to, lop_team *team);

/* ---- windows of convolutions and pools (ops/nn/window.c) ---- */

typedef struct { int64_t in[2], k[2], out[2], stride[2], pad[4], dilation[2]; } ops_window;
/* Attributes strides, pads, dilations, auto_pad for input shape x (N, c, [h,] w) and kernel k (h, w). */
lop_status ops_window_read(const lop_op_call *call, const lop_shape *x, const int64_t *k, bool ceil, ops_window *w,
                           lop_error *err);
/* Attribute kernel_shape as (h, w); h is 1 for one spatial dimension. FORMAT when it is absent. */
lop_status ops_window_kernel(const lop_op_call *call, int spatial, int64_t *k, lop_error *err);
/* Up to two positive integers, 1 when absent. */
lop_status ops_window_pair(const lop_op_call *call, const char *name, int spatial, int64_t *pair, lop_error *err);
/* Attribute pads, 0 when absent. */
lop_status ops_window_pads(const lop_op_call *call, int spatial, int64_t *pad, lop_error *err);

/* ---- element by element, two inputs at a time (ops/math/binary.c) ---- */

typedef void (*ops_pair_kernel)(int64_t n, const void *a, int64_t step_a, const void *b, int64_t step_b, void *y);
/* y = kernel(a, b), broadcast; y has elements of y_item bytes. y may be a or b where that has y's shape. */
void ops_pair_run(const lop_tensor *a, const lop_tensor *b, ops_pair_kernel kernel, size_t item, size_t y_item,
                  const lop_shape *shape, void *y, lop_team *team);
/* The kernel of a Scatter's reduction: "add", "mul", "min", "max"; NULL for any other, or a type without one. */
ops_pair_kernel ops_pair_of_reduction(const char *how, lop_dtype type);
#endif

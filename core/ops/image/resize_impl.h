/* core/ops/image/resize_impl.h - Resize and Upsample: from attributes and inputs (resize_read.c) to samples
 * (resize.c). */
#ifndef LOP_OPS_IMAGE_RESIZE_IMPL_H
#define LOP_OPS_IMAGE_RESIZE_IMPL_H
#include "ops/ops_impl.h"

typedef enum { RESIZE_NEAREST, RESIZE_LINEAR, RESIZE_CUBIC } resize_mode;
typedef enum {
    RESIZE_HALF_PIXEL, RESIZE_HALF_PIXEL_SYMMETRIC, RESIZE_PYTORCH_HALF_PIXEL, RESIZE_ALIGN_CORNERS, RESIZE_ASYMMETRIC,
    RESIZE_TF_HALF_PIXEL_FOR_NN, RESIZE_CROP
} resize_where;
typedef enum { RESIZE_ROUND_FLOOR, RESIZE_ROUND_CEIL, RESIZE_FLOOR, RESIZE_CEIL, RESIZE_SIMPLE } resize_round;

typedef struct {
    resize_mode mode;
    resize_where where;
    resize_round round;
    float cubic_a, extrapolation;
    bool exclude_outside, antialias;
    lop_shape out;
    float scale[LOP_MAX_DIMS], start[LOP_MAX_DIMS], end[LOP_MAX_DIMS];      /* start, end: the region of CROP */
} resize;

/* All of a node; for `shape`, inputs that decide the output must be constant. */
lop_status resize_read(const lop_op_call *call, resize *r, lop_error *err);
#endif

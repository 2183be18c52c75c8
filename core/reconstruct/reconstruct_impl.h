/* core/reconstruct/reconstruct_impl.h - what the files of this folder share. */
#ifndef LOP_RECONSTRUCT_RECONSTRUCT_IMPL_H
#define LOP_RECONSTRUCT_RECONSTRUCT_IMPL_H
#include "reconstruct/reconstruct.h"

enum { LOP_RIDGES = 8, LOP_RIDGE_BLIND = 3 };           /* without held-out sums: from 1e-5 on */
extern const double lop_ridge_grid[LOP_RIDGES];         /* ascending from 0 */
/* Makes out's weight (n, count, further dimensions as the original's) and bias (n), of zeros. */
lop_status lop_reconstruction_shape(const lop_centred *q, const lop_tensor *weight, int64_t count,
                                    lop_reconstruction *out, lop_error *err);
/* Whether a method has a ridge. */
static inline bool lop_reconstruct_solves(lop_reconstruct_method m)
{
    return m == LOP_RECONSTRUCT_LEAST_SQUARES || m == LOP_RECONSTRUCT_SCALE;
}
/* ARG or SHAPE, as lop_reconstruct has it. */
lop_status lop_reconstruct_check(const lop_centred *q, lop_stats *held, const int64_t *channel, int64_t count,
                                 const lop_reconstruct_options *o, lop_error *err);
/* NUMERIC where a value does not fit float32. */
lop_status lop_reconstruction_check(const lop_reconstruction *r, lop_error *err);
#endif

/* core/reconstruct/reconstruct.h - a consumer's new weights on the channels that are kept, from sums: He et al., ICCV
 * 2017, eq. 4, with a free intercept and a ridge toward the original weights. The target y is what the sums saw, all of
 * it (the original bias included where it was): the new bias replaces the old one. */
#ifndef LOP_RECONSTRUCT_RECONSTRUCT_H
#define LOP_RECONSTRUCT_RECONSTRUCT_H
#include "sample/sample.h"

typedef enum {
    LOP_RECONSTRUCT_LEAST_SQUARES,      /* min |y - W^T x - bias|^2 + ridge N <W - W0, D (W - W0)> */
    LOP_RECONSTRUCT_SCALE,              /* W_i = beta_i W0_i, beta by the same least squares */
    LOP_RECONSTRUCT_NONE,               /* W = W0: only the bias is new */
    LOP_RECONSTRUCT_MOMENTS             /* filter f of W0 times s_f, so that its output has the target's deviation,
                                         * by the bias its mean: what batch statistics, estimated again, would do. A
                                         * filter whose output varies by less than 1e-4 of the target's keeps s_f = 1 */
} lop_reconstruct_method;
/* "least-squares", "scale", "none", "moments". ARG lists them. */
lop_status lop_reconstruct_method_of(const char *name, lop_reconstruct_method *out, lop_error *err);

enum { LOP_RIDGE_AUTO = -1 };
typedef struct {
    lop_reconstruct_method method;
    double ridge;               /* rho >= 0, or LOP_RIDGE_AUTO: of 0, 1e-7, 1e-6 ... 1e-1 that of least held-out error;
                                 * without held-out sums 1e-5, or the next that can be solved */
    const float *bias;          /* (n): this bias stays and W is solved for it; NULL: a free intercept */
} lop_reconstruct_options;

typedef struct {
    lop_tensor weight, bias;    /* float32: (n, count, further dimensions as the original's), (n) */
    double error, held_error;   /* relative to the target's centred energy; held_error is NaN without held-out sums */
    double ridge;               /* the one taken; 0 for NONE and MOMENTS */
} lop_reconstruction;

/* weight: the original filters (n, c, ...), float32 or float64; channel: kept, ascending, 1 to c of them. held: sums of
 * other images, of the same sizes, or NULL; their error is taken uncentred, with the bias as it is. options NULL:
 * least squares, automatic ridge. Dead taps keep their original weights. ARG, SHAPE, MEMORY; NUMERIC: singular at this
 * ridge. On error out is empty. */
lop_status lop_reconstruct(const lop_centred *q, lop_stats *held, const lop_tensor *weight, const int64_t *channel,
                           int64_t count, const lop_reconstruct_options *options, lop_reconstruction *out,
                           lop_error *err);
/* What lop_reconstruct does where q keeps rows in place of sums (lop_stats_new_rows), without c k squared memory: the
 * dual, an equation a row, with X, Y the rows less their means (uncentred, less the bias, where that stays) and
 *     W = W0 + (N D)^-1 X^T (X (N D)^-1 X^T + ridge I)^-1 (Y - X W0).
 * It is the same minimiser, and needs ridge > 0 (ARG); the automatic one leaves 0 out. held keeps rows, too. SCALE and
 * MOMENTS are UNSUPPORTED. */
lop_status lop_reconstruct_dual(const lop_centred *q, const lop_stats *held, const lop_tensor *weight,
                                const int64_t *channel, int64_t count, const lop_reconstruct_options *options,
                                lop_reconstruction *out, lop_error *err);
/* Filter by filter (reconstruct/mask.c): filter f on the channels that row f of mask (n, c) has ones for, as
 * lop_reconstruct solves it, on the same Gram matrix with its own target; of another channel its weights are 0, without
 * any its bias is all. out->weight has the original's shape. One ridge serves all filters: the automatic one is that of
 * least held-out error of the layer. team may be NULL: the same bytes. As lop_reconstruct, with the filter in the
 * message; UNSUPPORTED where q keeps rows in place of sums. */
lop_status lop_reconstruct_mask(const lop_centred *q, lop_stats *held, const lop_tensor *weight, const uint8_t *mask,
                                const lop_reconstruct_options *options, lop_team *team, lop_reconstruction *out,
                                lop_error *err);
/* Bends what least squares found (r: of these channels, with a free intercept, at r->ridge) toward a target that is
 * seen through a ReLU: min |relu(y + o) - relu(W^T x + bias + o)|^2, by Zhang et al., TPAMI 2016, section 3.1.2: z for
 * each row and filter in closed form with a penalty that grows, W by least squares toward z. o is what is added before
 * the ReLU, none where beside is NULL: statistics of it as channels of one tap, of the same rows. q has sums and keeps
 * rows: the sums' own least squares is corrected by what z changes on these. r becomes the best by held's rows, or by
 * q's where held is NULL, the beginning counted in; its errors are those after the ReLU, relative to the target's about
 * its mean. ARG: no rows; SHAPE; MEMORY; NUMERIC: singular at this ridge, or a weight is past float32. After an error r
 * can only be cleared. */
lop_status lop_reconstruct_relu(const lop_centred *q, const lop_stats *beside, const lop_stats *held,
                                const lop_stats *held_beside, const int64_t *channel, int64_t count,
                                lop_reconstruction *r, lop_error *err);
void lop_reconstruction_clear(lop_reconstruction *r);
/* Relative error, on any sums, of weights (n, count, ...) and bias (n) as lop_reconstruct returns them, or others. */
lop_status lop_reconstruct_error(lop_stats *s, const lop_tensor *weight, const lop_tensor *bias, const int64_t *channel,
                                 int64_t count, double *error, lop_error *err);
#endif

/* core/select/select.h - which input channels of a consumer (or of several that share them) to keep. The method's page
 * 2: elimination and forward selection with the exact change of the least-squares error at each step, the LASSO, and
 * the criteria of the literature. No state. Channels are numbered from 0. */
#ifndef LOP_SELECT_SELECT_H
#define LOP_SELECT_SELECT_H
#include "lasso/lasso.h"

typedef enum {
    LOP_SELECT_ELIMINATION,     /* backward: drop the channel whose loss raises the error least, again and again */
    LOP_SELECT_FORWARD,         /* add the channel that lowers the error most, again and again */
    LOP_SELECT_LASSO,           /* lop_lasso_width: He et al., ICCV 2017 */
    LOP_SELECT_THINET,          /* greedy on the error with weights as they are: Luo et al., ICCV 2017 */
    LOP_SELECT_RESPONSE,        /* keep the largest energy of Z_i = X_i W_i^T, uncentred */
    LOP_SELECT_L1,              /* keep the largest norms of the producer's filters: Li et al., ICLR 2017 */
    LOP_SELECT_L2,
    LOP_SELECT_FPGM,            /* drop filters nearest to the geometric median: He et al., CVPR 2019 */
    LOP_SELECT_FIRST,           /* keep the first */
    LOP_SELECT_RANDOM,          /* keep at random: one draw a channel, so that smaller widths are subsets */
    LOP_SELECT_SCORE            /* keep the largest of `score`: BN scales, 1 - APoZ, anything */
} lop_select_method;
/* "elimination", "forward", "lasso", "thinet", "response", "l1", "l2", "fpgm", "first", "random", "score", and for the
 * latter also "bn-scale" and "apoz". ARG lists them. */
lop_status lop_select_method_of(const char *name, lop_select_method *out, lop_error *err);
const char *lop_select_method_name(lop_select_method method);

typedef struct {                /* borrowed */
    const lop_centred *const *centred;  /* of each consumer, of equal c; several: errors are summed, each divided */
    const lop_tensor *const *weight;    /* by its target's energy. Original filters (n_k, c, ...), float32 or float64 */
    int64_t consumers;          /* at least 1 */
    double ridge;               /* rho >= 0, toward the original weights; 1e-5 is usual */
    const double *cost;         /* (c) > 0: elimination and forward compare error per cost; NULL: plain error */
    uint64_t seed;              /* of RANDOM */
    const lop_tensor *producer; /* (c, ...): the filters that make the channels, for L1, L2, FPGM; NULL: consumers' */
    const double *score;        /* (c), for SCORE */
    bool nonnegative;           /* LASSO: beta >= 0 */
    const lop_progress *progress;       /* may be NULL */
} lop_select_input;

typedef struct {
    int64_t *channel, count;    /* kept, ascending */
    double error;               /* relative least-squares error, mean over consumers; NaN where the method has none */
    double lambda;              /* LASSO's, or NaN */
} lop_choice;
void lop_choice_clear(lop_choice *choice);

/* Exactly `width` channels, 1 to c. ARG, SHAPE, MEMORY, INTERRUPTED; NUMERIC: the kept Gram is singular at this ridge
 * (only elimination solves with it; raise ridge). On error out is empty. Equal scores: the lowest number is kept, or,
 * in elimination, ThiNet and forward, taken first. Dead channels go first in elimination and last in the others that
 * look at data. */
lop_status lop_select(const lop_select_input *in, lop_select_method method, int64_t width, lop_choice *out,
                      lop_error *err);

typedef struct {
    int64_t c;
    int64_t *order;             /* (c) channels in the order of removal: width w keeps order[c - w ..] */
    double *error;              /* (c + 1): error[w], relative, of that set's least squares; mean over consumers */
} lop_curve;
/* The error for every width of a nested method (not of LASSO: ARG), by one elimination in the method's order. Exact at
 * ridge 0; else the error of the ridge's weights. */
lop_status lop_select_curve(const lop_select_input *in, lop_select_method method, lop_curve *out, lop_error *err);
void lop_curve_clear(lop_curve *curve);

/* Swap refinement of a choice in place: takes out the kept channel whose loss costs least, puts in the one that gains
 * most, while the (penalised) error falls, at most count times. *swaps: how many (may be NULL). choice->error becomes
 * NaN if any. Costs are not looked at. */
lop_status lop_select_swap(const lop_select_input *in, lop_choice *choice, int64_t *swaps, lop_error *err);
#endif

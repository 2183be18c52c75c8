/* core/select/select.h - which input channels of a consumer (or of several that share them) to keep. The method's page
 * 2: elimination and forward selection with the exact change of the least-squares error at each step, the LASSO, and
 * the criteria of the literature. No state. Channels are numbered from 0. */
#ifndef LOP_SELECT_SELECT_H
#define LOP_SELECT_SELECT_H
#include "lasso/lasso.h"

typedef enum {
    LOP_SELECT_ELIMINATION,     /* backward: drop the channel whose loss raises the error least, again and again */
    LOP_SELECT_FORWARD,         /* add the channel that lowers the error most, again and again */
    LOP_SELECT_LASSO,           /* lop_lasso_width: He et al., ICCV 2017, the LASSO once */
    LOP_SELECT_ALTERNATING,     /* the paper's own loop, see lop_alternation */
    LOP_SELECT_THINET,          /* greedy on the error with weights as they are: Luo et al., ICCV 2017 */
    LOP_SELECT_RESPONSE,        /* keep the largest energy of Z_i = X_i W_i^T, uncentred */
    LOP_SELECT_L1,              /* keep the largest norms of the producer's filters: Li et al., ICLR 2017 */
    LOP_SELECT_L2,
    LOP_SELECT_APOZ,            /* keep what is zero least often: Hu et al., "Network Trimming", 2016 */
    LOP_SELECT_FPGM,            /* drop filters nearest to the geometric median: He et al., CVPR 2019 */
    LOP_SELECT_FIRST,           /* keep the first */
    LOP_SELECT_RANDOM,          /* keep at random: one draw a channel, so that smaller widths are subsets */
    LOP_SELECT_SCORE            /* keep the largest of `score`: BN scales, anything */
} lop_select_method;
/* "elimination", "forward", "lasso", "lasso-alternating", "thinet", "response", "l1", "l2", "apoz", "fpgm", "first",
 * "random", "score", and for the latter also "bn-scale". ARG lists them. */
lop_status lop_select_method_of(const char *name, lop_select_method *out, lop_error *err);
const char *lop_select_method_name(lop_select_method method);

typedef struct {                /* borrowed */
    const lop_centred *const *centred;  /* of each consumer, of equal c (those of kept rows: not for ELIMINATION,
                                         * FORWARD, ALTERNATING and swaps, which need the Gram matrix); several:
                                         * errors are summed, each divided */
    const lop_tensor *const *weight;    /* by its target's energy. Original filters (n_k, c, ...), float32 or float64 */
    int64_t consumers;          /* at least 1 */
    double ridge;               /* rho >= 0, toward the original weights; 1e-5 is usual */
    const double *cost;         /* (c) > 0: elimination and forward compare error per cost; NULL: plain error */
    uint64_t seed;              /* of RANDOM */
    const lop_tensor *producer; /* (c, ...): the filters that make the channels, for L1, L2, FPGM; NULL: consumers' */
    const double *score;        /* (c), for SCORE */
    const bool *stay;           /* (c): kept whatever happens, and counted in every width; NULL: none. What the method
                                 * chooses, it chooses given these: their weights are free */
    bool nonnegative;           /* LASSO, ALTERNATING: beta >= 0 */
    const lop_progress *progress;       /* may be NULL */
} lop_select_input;

typedef struct {
    int64_t *channel, count;    /* kept, ascending */
    double error;               /* relative least-squares error, mean over consumers; NaN where the method has none */
    double lambda;              /* LASSO's and ALTERNATING's, or NaN */
} lop_choice;
void lop_choice_clear(lop_choice *choice);

/* Exactly `width` channels, 1 to c. ARG, SHAPE, MEMORY, INTERRUPTED; NUMERIC: the kept Gram is singular at this ridge
 * (elimination and the alternation solve with it; raise ridge). On error out is empty. Equal scores: the lowest
 * number is kept, or, in elimination, ThiNet and forward, taken first. Dead channels go first in elimination and last
 * in the others that look at data. */
lop_status lop_select(const lop_select_input *in, lop_select_method method, int64_t width, lop_choice *out,
                      lop_error *err);

typedef struct {
    int64_t c;
    int64_t *order;             /* (c) channels in the order of removal: width w keeps order[c - w ..] */
    double *error;              /* (c + 1): error[w], relative, of that set's least squares; mean over consumers */
} lop_curve;
/* The error for every width of a nested method (not of LASSO and ALTERNATING: ARG), by one elimination in the
 * method's order. Exact at ridge 0; else the error of the ridge's weights; NaN where a consumer's statistics keep
 * rows in place of sums. */
lop_status lop_select_curve(const lop_select_input *in, lop_select_method method, lop_curve *out, lop_error *err);
void lop_curve_clear(lop_curve *curve);
/* The order alone, to order (c): the same, for less work. */
lop_status lop_select_order(const lop_select_input *in, lop_select_method method, int64_t *order, lop_error *err);

/* Swap refinement of a choice in place: takes out the kept channel whose loss costs least, puts in the one that gains
 * most, while the (penalised) error falls, at most count times. *swaps: how many (may be NULL). choice->error becomes
 * NaN if any. Costs are not looked at. */
lop_status lop_select_swap(const lop_select_input *in, lop_choice *choice, int64_t *swaps, lop_error *err);

/* ---- a mask (select/mask.c): He et al., ICCV 2017, section 3.3, "filter-wise": each filter its own channels ---- */

/* mask (n, c), row-major, the caller's: row f has `width` ones, at the channels that lop_select chooses for a consumer
 * of filter f alone, its target the layer's column f, on the same Gram matrix. refine: by swaps. in has one consumer;
 * RANDOM draws anew for each filter, SCORE and a `producer` give all the same. team may be NULL: the same bytes. ARG,
 * UNSUPPORTED (no Gram matrix), and as lop_select, with the filter in the message. On error mask is of no use. */
lop_status lop_select_mask(const lop_select_input *in, lop_select_method method, int64_t width, bool refine,
                           lop_team *team, uint8_t *mask, lop_error *err);

/* ---- the paper's own loop (select/alternate.c): He et al., ICCV 2017, section 3.1 ----
 *
 * It starts with all channels, |W_i| = 1 over all consumers together, beta_i W_i the original weights. A step at
 * lambda: (i) beta by the LASSO, W as it is, channels not standardised; (ii) W of the channels left by least squares
 * (with the ridge), then beta_i = |W_i|, W_i over it; (i) and (ii) again until (i) drops no channel. What is dropped
 * stays out, so lambda has to grow from step to step. */

typedef struct lop_alternation lop_alternation;
/* Keeps a copy of *in; what that points to must outlive it. */
lop_status lop_alternation_new(const lop_select_input *in, lop_alternation **out, lop_error *err);
void lop_alternation_free(lop_alternation *a);                  /* NULL is fine */
void lop_alternation_restart(lop_alternation *a);               /* all channels, the original weights */
/* One lambda >= 0. ARG, NUMERIC, MEMORY, INTERRUPTED: the state is one to restart from. */
lop_status lop_alternation_step(lop_alternation *a, double lambda, lop_error *err);
int64_t lop_alternation_active(const lop_alternation *a);       /* channels left; those that stay are counted */
/* The lambda from which on the next step leaves nothing but what stays. */
lop_status lop_alternation_top(const lop_alternation *a, double *top, lop_error *err);
/* Exactly width channels: of those left, the ones of largest beta; or all of them and, one by one, the channel whose
 * original response Z_i = X_i W_i^T, standardised, correlates most with what the weights as they are leave of the
 * target, lowest number first among equals, dead channels last. */
lop_status lop_alternation_choice(const lop_alternation *a, int64_t width, lop_choice *out, lop_error *err);
#endif

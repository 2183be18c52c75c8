/* core/lasso/lasso.h - the LASSO over channel weights beta: He et al., ICCV 2017, eq. 3, from sums instead of samples,
 * A_ij = <Z_i, Z_j>, b_i = <Z_i, Y>, Z_i = X_i W_i^T; its path, cut at a width. No state: calls that write different
 * results may run at once. */
#ifndef LOP_LASSO_LASSO_H
#define LOP_LASSO_LASSO_H
#include "sample/sample.h"

/* ---- one problem, one lambda (lasso/lasso_solve.c) ---- */

typedef struct {                /* a view: owns nothing */
    const lop_tensor *gram;     /* A, float64 (c, c), both triangles, A_jj > 0 */
    const lop_tensor *cross;    /* b, float64 (c) */
    double rows;                /* N, the samples summed in A and b, > 0 */
    bool nonnegative;           /* beta >= 0 */
} lop_lasso_problem;

enum { LOP_LASSO_SWEEPS = 10000 };
/* Minimises (beta' A beta - 2 b' beta) / (2 N) + lambda |beta|_1 over beta, float64 (c), the caller's: in, where
 * to start (zeros, or a nearby lambda's result); out, the result. lambda >= 0; from max |b_j| / N up, beta is 0.
 * Stops when no KKT condition is missed by more than tol * max |b_j| (1e-9 is usual). A sweep costs c operations
 * per beta that moves. Errors: SHAPE, ARG, MEMORY, NUMERIC (not finite; a dead channel), all with beta untouched;
 * NUMERIC also after LOP_LASSO_SWEEPS sweeps, with beta as the last one left it. */
lop_status lop_lasso_solve(const lop_lasso_problem *p, double lambda, double tol, lop_tensor *beta, lop_error *err);

/* ---- the channels of a consumer, or of several that share them (lasso/lasso.c) ---- */

typedef struct {
    bool nonnegative;           /* beta >= 0 */
    bool unscaled;              /* do not divide channels by their energy (lasso-alternating has |W_i| = 1 instead) */
} lop_lasso_options;

typedef struct {                /* read only once made */
    int64_t c;
    double rows, energy;        /* N, sum sc; of several consumers 1 and their number */
    double start;               /* the error at beta = 0: energy, less what channels free of the penalty explain */
    lop_tensor gram, cross;     /* A (c, c), b (c), float64, in the units of the weights given */
    lop_tensor response;        /* (c): the uncentred energy of Z_i, summed over rows */
    lop_tensor scale;           /* (c): sqrt(A_ii / N); 1 if unscaled; 0: the channel is dead */
    int64_t *live, count;       /* the channels that are not dead, ascending */
    lop_tensor live_gram, live_cross;   /* A_ij / (scale_i scale_j), b_i / scale_i of the live ones */
    bool nonnegative;
    const lop_progress *progress;       /* may be set once made; asked before each lambda of lop_lasso_width */
} lop_lasso;

/* The problem of `consumers` >= 1 consumers with sums q[k] and filters weight[k] (n_k, c, ...), float32 or float64,
 * one beta for all. Where q[k] has no sums, A and b are summed from its rows: c^2 n operations a row. Of several, A
 * and b are the sums of theirs, each divided by its own target's energy. options may be NULL. SHAPE, NUMERIC, MEMORY:
 * out is empty. */
lop_status lop_lasso_init(const lop_centred *const *q, const lop_tensor *const *weight, int64_t consumers,
                          const lop_lasso_options *options, lop_lasso *out, lop_error *err);
/* The same from A (c, c) and b (c) themselves, float64; energy = |Y|^2, rows = N. response is A's diagonal. */
lop_status lop_lasso_from(const lop_tensor *gram, const lop_tensor *cross, double energy, double rows,
                          const lop_lasso_options *options, lop_lasso *out, lop_error *err);
/* The problem of the `count` channels listed, ascending, numbered 0 .. count - 1, where all others stay: their beta is
 * free of the penalty and takes, for every beta of these, its least-squares value (Frisch and Waugh, Econometrica 1(4),
 * 1933: the others are projected out of A and b). A channel that the others explain is dead. Penalised, the others
 * would shrink for nothing, as they are kept in any case. Units and errors are those of `all`. ARG, MEMORY. */
lop_status lop_lasso_given(const lop_lasso *all, const int64_t *channel, int64_t count, lop_lasso *out, lop_error *err);
void lop_lasso_clear(lop_lasso *l);
double lop_lasso_top(const lop_lasso *l);       /* the lambda from which on beta is 0 */
/* Relative error (start - 2 b' beta + beta' A beta) / energy of beta (c), in the weights' units. */
double lop_lasso_error(const lop_lasso *l, const double *beta);
/* One step of a schedule: beta (c, float64, in the weights' units) is where to start and the result; *active counts
 * what is not 0. Errors as lop_lasso_solve. */
lop_status lop_lasso_at(const lop_lasso *l, double lambda, double tol, lop_tensor *beta, int64_t *active,
                        lop_error *err);

/* ---- the path (lasso/lasso_path.c) ---- */

typedef struct {
    int64_t *channel, count;    /* kept, ascending */
    double *beta;               /* (count) in the weights' units; 0 for a channel that only fills up */
    double lambda, error;       /* where beta was taken; relative error of beta */
} lop_lasso_choice;
/* Exactly `width` channels, 1 to c, from the path: lambda falls from lop_lasso_top by a fixed factor, each step warm
 * from the last; where the number active jumps over width, lambda is bisected. Where no lambda has width channels
 * (ties, dead channels), the next smaller support is filled up by the largest |b_i - (A beta)_i|, scaled, lowest number
 * first among equals, dead channels last. ARG, MEMORY, INTERRUPTED. */
lop_status lop_lasso_width(const lop_lasso *l, int64_t width, lop_lasso_choice *out, lop_error *err);
/* The same fill applied to a beta (c) found otherwise, by a schedule: beta's support, cut to its `width` largest
 * standardised |beta_i|, or filled up to width. */
lop_status lop_lasso_exact(const lop_lasso *l, const double *beta, double lambda, int64_t width, lop_lasso_choice *out,
                           lop_error *err);
void lop_lasso_choice_clear(lop_lasso_choice *choice);

/* ---- sparse coding (lasso/sparse.c): one basis A for many samples, a code z each ----
 * The objective is sum over samples of |x - A z|^2 + eta sum_j rho(z_j), plus lambda / 2 |A|^2, every atom of A at a
 * norm of at most 1 (Olshausen and Field, Nature 381, 1996). Tensors are float64: x (N, d), z (N, k), and A as `basis`
 * (k, d), an atom a row. */

typedef enum {
    LOP_RHO_L1,                 /* |z|: the LASSO at lambda = eta / 2, N = 1 */
    LOP_RHO_LOG,                /* log(1 + z^2) */
    LOP_RHO_STUDENT             /* (nu + 1) / 2 log(1 + z^2 / nu): Student's t of nu degrees of freedom */
} lop_rho;
/* "l1", "log", "student-t". ARG lists them. */
lop_status lop_rho_of(const char *name, lop_rho *out, lop_error *err);
typedef struct {
    lop_rho rho;
    double eta, nu;             /* > 0; nu is looked at for LOP_RHO_STUDENT alone */
    double tol;                 /* L1: as lop_lasso_solve; else of a step's gain over |x|^2; > 0, 1e-9 is usual */
} lop_sparse_options;
/* Codes for a basis: z is where to start (zeros, or nearby codes) and the result; no sample's part of the objective
 * grows. L1 is solved by coordinate descent, to its optimum, or LOP_LASSO_SWEEPS sweeps where two atoms are so nearly
 * alike that it hardly matters which of them is used. The others are not convex: z_j^2 w_j, w_j = rho'(z_j) /
 * (2 z_j), lies above rho but for a constant and touches it at z_j, so that a step solves (A'A + eta W) z = A'x, until
 * one gains no more than tol; what is found hangs on the start. Codes of an atom of zeros are 0 by L1. The same bytes
 * for any team. SHAPE, ARG, MEMORY, NUMERIC (not finite): z is then of no use. */
lop_status lop_sparse_codes(const lop_tensor *x, const lop_tensor *basis, const lop_sparse_options *o, lop_team *team,
                            lop_tensor *z, lop_error *err);
/* The basis for these codes: basis is where to start, atoms of norm <= 1 (ARG), and the result. By least squares with
 * lambda / 2 >= 0 on the diagonal; where an atom of that would be longer than 1, by minimisation over one atom after
 * the other from the start on, each exact under its bound (Mairal et al., JMLR 11, 2010), until none moves by 1e-9 or
 * 1,000 rounds. The objective does not grow. An atom that no code uses goes to 0, or at lambda = 0 stays. */
lop_status lop_sparse_basis(const lop_tensor *x, const lop_tensor *z, double lambda, lop_tensor *basis, lop_error *err);
lop_status lop_sparse_objective(const lop_tensor *x, const lop_tensor *basis, const lop_tensor *z,
                                const lop_sparse_options *o, double lambda, double *objective, lop_error *err);
#endif

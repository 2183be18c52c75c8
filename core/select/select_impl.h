/* core/select/select_impl.h - what the files of this folder share. */
#ifndef LOP_SELECT_SELECT_IMPL_H
#define LOP_SELECT_SELECT_IMPL_H
#include "select/select.h"

/* L L^T = H (k, k; distance ldh), Y = L^-1 W for W (k, n): returns |Y|^2 = trace(W^T H^-1 W). sign -1 takes -H. A pivot
 * of at most floor[i] (0 if NULL) is of no information: its row of Y and column of L are 0 and *skipped is set. */
double lop_select_whiten(int64_t k, int64_t n, const double *H, int64_t ldh, double sign, const double *floor,
                         const double *W, double *L, double *Y, bool *skipped);
/* V = C L^-T, C (rows, k; distance ldc) to V (rows, k; distance ldv); skipped pivots give columns of 0. */
void lop_select_unmix(int64_t rows, int64_t k, const double *C, int64_t ldc, const double *L, double *V, int64_t ldv);

/* Checked input, and what of it all greedy methods use. */
typedef struct {
    const lop_centred *q;
    double *W0;                 /* (p, n) */
    uint8_t *dead;              /* (p) */
    double energy, share;       /* sum sc; what its error is multiplied by in the total, 0 if the target is constant */
} lop_consumer;
lop_status lop_consumers_new(const lop_select_input *in, lop_consumer **out, lop_error *err);
void lop_consumers_free(lop_consumer *list, int64_t count);

/* LOP_SELECT_ALTERNATING, whole. */
lop_status lop_alternate(const lop_select_input *in, int64_t width, lop_choice *out, lop_error *err);
/* Backward elimination from all channels down to `width` >= 0, in the order `forced` (c - width entries) if given.
 * order (c - width) and error (c + 1, entries width .. c) are filled; either may be NULL. */
lop_status lop_eliminate(const lop_select_input *in, const int64_t *forced, int64_t width, int64_t *order,
                         double *error, lop_error *err);
/* Forward selection of `width` channels: taken[0..width) in the order they come. */
lop_status lop_forward(const lop_select_input *in, int64_t width, int64_t *taken, lop_error *err);
/* The place of the smallest value not gone; within a rounding error of it, the first. */
int64_t lop_select_least(int64_t count, const double *value, const bool *gone);
#endif

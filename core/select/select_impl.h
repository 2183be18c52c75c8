/* core/select/select_impl.h - what the files of this folder share. */
#ifndef LOP_SELECT_SELECT_IMPL_H
#define LOP_SELECT_SELECT_IMPL_H
#include "select/select.h"

/* L L^T = H (k, k; distance ldh), L dense. sign -1 takes -H. A pivot of at most floor[i] (0 if NULL) is of no
 * information: its column of L is 0 and *skipped is set. */
void lop_select_factor(int64_t k, const double *H, int64_t ldh, double sign, const double *floor, double *L,
                       bool *skipped);
/* The same, and Y = L^-1 W for W (k, n): returns |Y|^2 = trace(W^T H^-1 W). Rows of Y for skipped pivots are 0. */
double lop_select_whiten(int64_t k, int64_t n, const double *H, int64_t ldh, double sign, const double *floor,
                         const double *W, double *L, double *Y, bool *skipped);
/* V = C L^-T, C (rows, k; distance ldc) to V (rows, k; distance ldv), which may be C; skipped pivots: columns of 0. */
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

/* ---- one consumer's table of elimination or forward selection (select/table.c) ---- */

enum { LOP_TABLE_DELAY = 32 };  /* channels taken before H is brought up to date */
typedef struct {
    const lop_consumer *of;
    const int64_t *channel;     /* (m) at each place, of the last load */
    int64_t k, n, m, pending;   /* p = m k; channels taken that H does not know of */
    double ridge, objective;    /* objective, with S: the error and its penalty */
    bool forward;
    double *H, *W;              /* (p, p), (p, n) */
    double *S, *C;              /* (p, p): W W^T, W W0^T; NULL where W is followed, or no error is asked for */
    double *U, *Z, *ZC;         /* (p, DELAY k): what is pending: H -= U U^T, S -= U Z^T + Z U^T, C -= U ZC^T */
    double *diagonal, *square;  /* m blocks (k, k) of H and of S, current */
    double *along;              /* (p): C's diagonal, current */
    double *start, *floor;      /* (p): H_tt at the load; what a pivot must exceed */
    double *L, *Y, *panel;
} lop_table;
lop_status lop_table_init(lop_table *t, const lop_consumer *of, double ridge, bool forward, bool errors,
                          lop_error *err);
void lop_table_clear(lop_table *t);             /* also after a failed init */
/* Fills it for m channels; `channel` is borrowed. errors: as at init. */
lop_status lop_table_load(lop_table *t, const int64_t *channel, int64_t m, const bool *gone, bool errors,
                          lop_error *err);
/* What taking the channel at a place changes in the (penalised) error, at least 0 but for rounding. */
double lop_table_change(lop_table *t, int64_t place, bool *skipped);
/* Takes it. *worn is set where H has lost too much to go on with; gone (m): what is taken, this one too. */
lop_status lop_table_take(lop_table *t, int64_t place, const bool *gone, bool *worn, lop_error *err);
/* The squared error now, of elimination. Of a table made with `errors`. */
double lop_table_error(const lop_table *t, const bool *gone);

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

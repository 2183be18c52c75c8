/* core/lasso/lasso_path.c - a support of exactly the width asked for. */
#include "lasso/lasso_impl.h"
#include <math.h>
#include <string.h>

static const double STEP = 0.85, FLOOR = 1e-6, TOLERANCE = 1e-8, CLOSE = 1e-9;

typedef struct {
    double *x, *r;              /* standardised beta of the live channels; r = b - A x */
    double t;                   /* N lambda */
    int64_t active;
} point;

typedef struct {
    const lop_lasso *l;
    lop_descent d;
    double *memory;
    point here, low;            /* here: fewer active than asked; low: the next try */
} walk;

static void walk_clear(walk *w) { lop_free(w->memory); }

static lop_status walk_init(walk *w, const lop_lasso *l, lop_error *err)
{
    const int64_t m = l->count;
    *w = (walk){.l = l, .d = {m, l->live_gram.data, l->live_cross.data, l->nonnegative}};
    w->memory = lop_array(4, (size_t)(m ? m : 1) * sizeof(double), err);
    if (!w->memory) return LOP_E_MEMORY;
    w->here = (point){w->memory, w->memory + m, lop_lasso_top(l) * l->rows, 0};
    w->low = (point){w->memory + 2 * m, w->memory + 3 * m, 0.0, 0};
    if (m) memcpy(w->here.r, w->d.b, (size_t)m * sizeof(double));
    return LOP_OK;
}

/* low = the solution at t, started from here. A miss of the tolerance after all sweeps is left as it is: the support is
 * what counts, and the fill makes the width exact. */
static void try_at(walk *w, double t)
{
    memcpy(w->low.x, w->here.x, (size_t)w->d.c * sizeof(double));
    w->low.t = t;
    lop_lasso_descend(&w->d, t, TOLERANCE, w->low.x, w->low.r);
    w->low.active = 0;
    for (int64_t j = 0; j < w->d.c; j++) w->low.active += w->low.x[j] != 0.0;
}

static void accept(walk *w)
{
    const point old = w->here;
    w->here = w->low;
    w->low = old;
}

/* Down the grid until at least `width` are active, then between the last two points. Leaves `here` with at most width
 * active, exactly width if some lambda has that many. The number of steps is not known before. */
static lop_status descend_to(walk *w, int64_t width, lop_error *err)
{
    const double floor = w->here.t * FLOOR;
    double below = 0.0;         /* a t that has more than width active */
    while (w->here.active < width && w->here.t * STEP > floor) {
        if (lop_progress_step(w->l->progress, "lasso", w->here.active, width, err) != LOP_OK) return LOP_E_INTERRUPTED;
        try_at(w, w->here.t * STEP);
        if (w->low.active > width) {
            below = w->low.t;
            break;
        }
        accept(w);
    }
    while (below > 0.0 && w->here.active < width && below < w->here.t * (1.0 - CLOSE)) {
        const double t = sqrt(below * w->here.t);
        if (!(t > below && t < w->here.t)) break;
        if (lop_progress_step(w->l->progress, "lasso", w->here.active, width, err) != LOP_OK) return LOP_E_INTERRUPTED;
        try_at(w, t);
        if (w->low.active > width) below = t;
        else accept(w);
    }
    return LOP_OK;
}

/* ---- from a point to a choice ---- */

void lop_lasso_choice_clear(lop_lasso_choice *choice)
{
    lop_free(choice->channel);
    lop_free(choice->beta);
    *choice = (lop_lasso_choice){0};
}

/* Among channels not kept the one of the largest score; within a rounding error of it, the lowest number. */
static int64_t best_of(int64_t count, const double *score, const uint8_t *kept)
{
    double most = -INFINITY;
    for (int64_t i = 0; i < count; i++)
        if (!kept[i]) most = fmax(most, score[i]);
    const double equal = most - CLOSE * fabs(most);
    for (int64_t i = 0; i < count; i++)
        if (!kept[i] && score[i] >= equal) return i;
    return -1;
}

static void residual_scores(const lop_lasso *l, const double *r, double *score)
{
    for (int64_t i = 0; i < l->c; i++) score[i] = -1.0;         /* dead channels: below all others */
    for (int64_t i = 0; i < l->count; i++) score[l->live[i]] = l->nonnegative ? fmax(r[i], 0.0) : fabs(r[i]);
}

static lop_status choose(const lop_lasso *l, const point *at, int64_t width, lop_lasso_choice *out, lop_error *err)
{
    const double *scale = l->scale.data;
    uint8_t *kept = lop_array(l->c, 1, err);
    double *score = lop_array(2 * l->c, sizeof *score, err), *beta = score ? score + l->c : NULL;
    *out = (lop_lasso_choice){.count = width, .lambda = at->t / l->rows};
    out->channel = lop_array(width, sizeof *out->channel, err);
    out->beta = lop_array(width, sizeof *out->beta, err);
    if (!kept || !score || !out->channel || !out->beta) {
        lop_free(kept);
        lop_free(score);
        lop_lasso_choice_clear(out);
        return LOP_E_MEMORY;
    }
    int64_t count = 0, next = 0;
    for (int64_t i = 0; i < l->count; i++) score[l->live[i]] = fabs(at->x[i]);
    for (; count < width && count < at->active; count++) {     /* the support, or its largest */
        const int64_t i = best_of(l->c, score, kept);
        kept[i] = 1;
    }
    residual_scores(l, at->r, score);
    for (; count < width; count++) kept[best_of(l->c, score, kept)] = 1;
    for (int64_t i = 0; i < l->count; i++)
        beta[l->live[i]] = kept[l->live[i]] ? at->x[i] / scale[l->live[i]] : 0.0;
    for (int64_t i = 0; i < l->c; i++)
        if (kept[i]) {
            out->channel[next] = i;
            out->beta[next++] = beta[i];
        }
    out->error = lop_lasso_error(l, beta);
    lop_free(kept);
    lop_free(score);
    return LOP_OK;
}

static lop_status check_width(const lop_lasso *l, int64_t width, lop_error *err)
{
    if (width >= 1 && width <= l->c) return LOP_OK;
    return lop_fail(err, LOP_E_ARG, "width = %" PRId64 ": 1 to %" PRId64 " expected", width, l->c);
}

lop_status lop_lasso_width(const lop_lasso *l, int64_t width, lop_lasso_choice *out, lop_error *err)
{
    walk w;
    *out = (lop_lasso_choice){0};
    lop_status st = check_width(l, width, err);
    if (st == LOP_OK) st = walk_init(&w, l, err);
    if (st != LOP_OK) return st;
    if (l->count > 0) st = descend_to(&w, width < l->count ? width : l->count, err);
    if (st == LOP_OK) st = choose(l, &w.here, width, out, err);
    walk_clear(&w);
    return st;
}

lop_status lop_lasso_exact(const lop_lasso *l, const double *beta, double lambda, int64_t width, lop_lasso_choice *out,
                           lop_error *err)
{
    walk w;
    const double *scale = l->scale.data;
    *out = (lop_lasso_choice){0};
    lop_status st = check_width(l, width, err);
    if (st == LOP_OK) st = walk_init(&w, l, err);
    if (st != LOP_OK) return st;
    const int64_t m = l->count;
    w.here.t = lambda * l->rows;
    for (int64_t i = 0; i < m; i++) w.here.x[i] = beta[l->live[i]] * scale[l->live[i]];
    for (int64_t i = 0; i < m; i++) {
        w.here.active += w.here.x[i] != 0.0;
        for (int64_t j = 0; j < m; j++) w.here.r[j] -= w.here.x[i] * w.d.A[i * m + j];
    }
    st = choose(l, &w.here, width, out, err);
    walk_clear(&w);
    return st;
}

/* core/select/alternate.c - the alternation of He et al., ICCV 2017, section 3.1, on sums. Dropped channels have W_i =
 * 0, which makes them dead to the LASSO, so that it needs no bookkeeping of its own. */
#include "select/select_impl.h"
#include "linalg/linalg.h"
#include <math.h>
#include <string.h>

static const double SINGULAR = 1e-13, TOLERANCE = 1e-7, EQUAL = 1e-9;

struct lop_alternation {
    lop_select_input in;
    int64_t c, free, active;    /* free: channels that do not stay */
    int64_t *listed;            /* (free) */
    lop_consumer *consumer;
    size_t size;                /* of the state, in numbers */
    double *state, *start;      /* beta (c), then W of each consumer: now, and before the first step */
    lop_tensor *weight;         /* W of each consumer, (n, c, taps), borrowed from state */
    const lop_tensor **of;      /* their addresses */
    double lambda;
};

void lop_alternation_free(lop_alternation *a)
{
    if (!a) return;
    lop_consumers_free(a->consumer, a->in.consumers);
    void *own[] = {a->listed, a->state, a->start, a->weight, (void *)a->of};
    for (size_t k = 0; k < sizeof own / sizeof *own; k++) lop_free(own[k]);
    lop_free(a);
}

/* Where channel i's slice of filter f starts in W of a consumer. */
static double *slice(const lop_alternation *a, int64_t k, int64_t f, int64_t i)
{
    const lop_centred *q = a->consumer[k].q;
    return (double *)a->weight[k].data + (f * q->c + i) * q->taps;
}

static bool stays(const lop_alternation *a, int64_t i) { return a->in.stay && a->in.stay[i]; }

static void count_active(lop_alternation *a)
{
    a->active = 0;
    for (int64_t i = 0; i < a->c; i++) a->active += a->state[i] != 0.0 || stays(a, i);
}

/* Splits V_i, which stands in the place of W_i, into beta_i = |V_i| and W_i. */
static void normalise(lop_alternation *a)
{
    for (int64_t i = 0; i < a->c; i++) {
        double norm = 0.0;
        for (int64_t k = 0; k < a->in.consumers; k++)
            for (int64_t f = 0; f < a->consumer[k].q->n; f++) {
                const double *w = slice(a, k, f, i);
                norm += lop_dot(a->consumer[k].q->taps, w, w);
            }
        a->state[i] = norm = sqrt(norm);
        for (int64_t k = 0; k < a->in.consumers; k++)
            for (int64_t f = 0; norm > 0.0 && f < a->consumer[k].q->n; f++) {
                double *w = slice(a, k, f, i);
                for (int64_t t = 0; t < a->consumer[k].q->taps; t++) w[t] /= norm;
            }
    }
    count_active(a);
}

static void begin(lop_alternation *a)
{
    for (int64_t k = 0; k < a->in.consumers; k++) {
        const lop_centred *q = a->consumer[k].q;
        for (int64_t f = 0; f < q->n; f++)
            for (int64_t i = 0; i < q->c; i++)
                for (int64_t t = 0; t < q->taps; t++)
                    slice(a, k, f, i)[t] = a->consumer[k].W0[(i * q->taps + t) * q->n + f];
    }
    normalise(a);
}

/* The LASSO over the channels that do not stay, W as it is. */
static lop_status problem(const lop_alternation *a, lop_lasso *out, lop_error *err)
{
    const lop_lasso_options o = {.nonnegative = a->in.nonnegative, .unscaled = true};
    lop_lasso all;
    lop_status st = lop_lasso_init(a->in.centred, a->of, a->in.consumers, &o, &all, err);
    if (st != LOP_OK || a->free == a->c) {
        *out = all;
        return st;
    }
    st = lop_lasso_given(&all, a->listed, a->free, out, err);
    lop_lasso_clear(&all);
    return st;
}

static void drop(lop_alternation *a, int64_t i)
{
    for (int64_t k = 0; k < a->in.consumers; k++)
        for (int64_t f = 0; f < a->consumer[k].q->n; f++)
            memset(slice(a, k, f, i), 0, (size_t)a->consumer[k].q->taps * sizeof(double));
    a->state[i] = 0.0;
}

/* Dead channels leave before the first step. */
static lop_status drop_dead(lop_alternation *a, lop_error *err)
{
    lop_lasso l;
    if (a->free == 0) return LOP_OK;
    const lop_status st = problem(a, &l, err);
    if (st != LOP_OK) return st;
    for (int64_t i = 0; i < a->free; i++) {
        if (((const double *)l.scale.data)[i] > 0.0) continue;
        drop(a, a->listed[i]);
    }
    count_active(a);
    lop_lasso_clear(&l);
    return LOP_OK;
}

static lop_status allocate(lop_alternation *a, lop_error *err)
{
    lop_consumer *consumer = NULL;
    const lop_status st = lop_consumers_new(&a->in, &consumer, err);
    if (st != LOP_OK) return st;
    a->consumer = consumer;
    a->size = (size_t)a->c;
    for (int64_t k = 0; k < a->in.consumers; k++)
        a->size += (size_t)(a->c * a->consumer[k].q->taps * a->consumer[k].q->n);
    a->listed = lop_array(a->c, sizeof *a->listed, err);
    a->state = lop_array((int64_t)a->size, sizeof(double), err);
    a->start = lop_array((int64_t)a->size, sizeof(double), err);
    a->weight = lop_array(a->in.consumers, sizeof *a->weight, err);
    a->of = lop_array(a->in.consumers, sizeof *a->of, err);
    if (!a->listed || !a->state || !a->start || !a->weight || !a->of) return LOP_E_MEMORY;
    double *at = a->state + a->c;
    for (int64_t k = 0; k < a->in.consumers; k++) {
        const lop_centred *q = a->consumer[k].q;
        a->weight[k] = (lop_tensor){LOP_F64, {3, {q->n, q->c, q->taps}}, at, NULL};
        a->of[k] = &a->weight[k];
        at += q->n * q->c * q->taps;
    }
    for (int64_t i = 0; i < a->c; i++)
        if (!stays(a, i)) a->listed[a->free++] = i;
    return LOP_OK;
}

lop_status lop_alternation_new(const lop_select_input *in, lop_alternation **out, lop_error *err)
{
    *out = NULL;
    if (in->consumers < 1) return lop_fail(err, LOP_E_ARG, "%" PRId64 " consumers: at least 1 expected", in->consumers);
    lop_alternation *a = lop_array(1, sizeof *a, err);
    if (!a) return LOP_E_MEMORY;
    *a = (lop_alternation){.in = *in, .c = in->centred[0]->c};
    lop_status st = allocate(a, err);
    if (st == LOP_OK) {
        begin(a);
        st = drop_dead(a, err);
    }
    if (st == LOP_OK) memcpy(a->start, a->state, a->size * sizeof(double));
    if (st == LOP_OK) *out = a;
    else lop_alternation_free(a);
    return st;
}

void lop_alternation_restart(lop_alternation *a)
{
    memcpy(a->state, a->start, a->size * sizeof(double));
    a->lambda = 0.0;
    count_active(a);
}

int64_t lop_alternation_active(const lop_alternation *a) { return a->active; }

lop_status lop_alternation_top(const lop_alternation *a, double *top, lop_error *err)
{
    lop_lasso l;
    *top = 0.0;
    if (a->free == 0) return LOP_OK;
    const lop_status st = problem(a, &l, err);
    if (st != LOP_OK) return st;
    *top = lop_lasso_top(&l);
    lop_lasso_clear(&l);
    return LOP_OK;
}

/* ---- (i) beta ---- */

static lop_status find_beta(lop_alternation *a, double lambda, lop_error *err)
{
    lop_lasso l;
    lop_tensor beta = {0};
    int64_t active;
    lop_status st = problem(a, &l, err);
    if (st != LOP_OK) return st;
    st = lop_tensor_init(&beta, LOP_F64, &(lop_shape){1, {a->free}}, err);
    double *x = beta.data;
    for (int64_t i = 0; st == LOP_OK && i < a->free; i++) x[i] = a->state[a->listed[i]];
    if (st == LOP_OK) st = lop_lasso_at(&l, lambda, TOLERANCE, &beta, &active, err);
    for (int64_t i = 0; st == LOP_OK && i < a->free; i++) {
        a->state[a->listed[i]] = x[i];
        if (x[i] == 0.0) drop(a, a->listed[i]);
    }
    count_active(a);
    lop_tensor_clear(&beta);
    lop_lasso_clear(&l);
    return st;
}

/* ---- (ii) W: V = M^-1 R on the channels left ---- */

static lop_status factor(int64_t m, double *M, double *diagonal, double ridge, lop_error *err)
{
    for (int64_t i = 0; i < m; i++) diagonal[i] = M[i * m + i];
    lop_status st = lop_cholesky(m, M, m, NULL);
    for (int64_t i = 0; st == LOP_OK && i < m; i++)
        if (!(M[i * m + i] * M[i * m + i] > SINGULAR * diagonal[i])) st = LOP_E_NUMERIC;
    if (st != LOP_E_NUMERIC) return st;
    return lop_fail(err, st, "the Gram matrix of %" PRId64 " taps is singular at ridge = %g: raise ridge", m, ridge);
}

static lop_status refit(lop_alternation *a, int64_t k, const int64_t *channel, int64_t count, lop_error *err)
{
    const lop_consumer *of = &a->consumer[k];
    const int64_t taps = of->q->taps, n = of->q->n, m = count * taps;
    double *M = lop_array(m, (size_t)m * sizeof *M, err), *R = lop_array(m, (size_t)n * sizeof *R, err);
    double *diagonal = lop_array(m, sizeof *diagonal, err);
    lop_status st = M && R && diagonal ? LOP_OK : LOP_E_MEMORY;
    if (st == LOP_OK) {
        lop_normal_fill(of->q, of->W0, of->dead, channel, count, a->in.ridge, M, R);
        st = factor(m, M, diagonal, a->in.ridge, err);
    }
    if (st == LOP_OK) st = lop_cholesky_solve(m, M, m, n, R, n, err);
    for (int64_t i = 0; st == LOP_OK && i < m; i++)
        for (int64_t f = 0; f < n; f++) slice(a, k, f, channel[i / taps])[i % taps] = R[i * n + f];
    if (st != LOP_OK && a->in.consumers > 1) lop_error_at(err, "consumer #%" PRId64, k);
    lop_free(M);
    lop_free(R);
    lop_free(diagonal);
    return st;
}

static lop_status find_weights(lop_alternation *a, lop_error *err)
{
    int64_t *channel = lop_array(a->c, sizeof *channel, err), count = 0;
    lop_status st = channel ? LOP_OK : LOP_E_MEMORY;
    for (int64_t i = 0; st == LOP_OK && i < a->c; i++)
        if (a->state[i] != 0.0 || stays(a, i)) channel[count++] = i;
    for (int64_t k = 0; st == LOP_OK && count > 0 && k < a->in.consumers; k++) st = refit(a, k, channel, count, err);
    if (st == LOP_OK) normalise(a);
    lop_free(channel);
    return st;
}

lop_status lop_alternation_step(lop_alternation *a, double lambda, lop_error *err)
{
    if (!(lambda >= 0.0 && isfinite(lambda)))
        return lop_fail(err, LOP_E_ARG, "lambda = %g: 0 or more expected", lambda);
    lop_status st = LOP_OK;
    a->lambda = lambda;
    for (bool moved = true; st == LOP_OK && moved && a->free > 0;) {    /* each round but the last drops a channel */
        const int64_t before = a->active;
        st = lop_progress_step(a->in.progress, "lasso-alternating", a->c - a->active, a->c, err);
        if (st == LOP_OK) st = find_beta(a, lambda, err);
        if (st == LOP_OK) st = find_weights(a, err);
        moved = a->active < before;
    }
    return st;
}

/* ---- a choice ---- */

/* score_i = |<Z_i, what V leaves of Y>| over |Z_i|, Z_i = X_i W0_i^T: -1 for dead channels. */
static lop_status add_scores(const lop_alternation *a, int64_t k, double share, double *score, lop_error *err)
{
    const lop_centred *q = a->consumer[k].q;
    const int64_t n = q->n, p = q->c * q->taps;
    double *V = lop_array(p, (size_t)n * sizeof *V, err), *R = lop_array(p, (size_t)n * sizeof *R, err);
    lop_status st = V && R ? LOP_OK : LOP_E_MEMORY;
    if (st == LOP_OK) {
        for (int64_t i = 0; i < p; i++)
            for (int64_t f = 0; f < n; f++)
                V[i * n + f] = a->state[i / q->taps] * slice(a, k, f, i / q->taps)[i % q->taps];
        memcpy(R, q->cross.data, lop_tensor_bytes(&q->cross));
        st = lop_gemm(false, false, p, n, p, -1.0, q->gram.data, p, V, n, 1.0, R, n, err);
    }
    for (int64_t i = 0; st == LOP_OK && i < q->c; i++)
        score[i] += share * lop_dot(q->taps * n, a->consumer[k].W0 + i * q->taps * n, R + i * q->taps * n);
    lop_free(V);
    lop_free(R);
    return st;
}

static lop_status missing_scores(const lop_alternation *a, double *score, lop_error *err)
{
    lop_lasso l;
    lop_status st = lop_lasso_init(a->in.centred, a->in.weight, a->in.consumers, NULL, &l, err);
    if (st != LOP_OK) return st;
    for (int64_t k = 0; st == LOP_OK && k < a->in.consumers; k++)
        st = add_scores(a, k, a->in.consumers > 1 ? a->consumer[k].share : 1.0, score, err);
    const double *scale = l.scale.data;
    for (int64_t i = 0; st == LOP_OK && i < a->c; i++) score[i] = scale[i] > 0.0 ? fabs(score[i]) / scale[i] : -1.0;
    lop_lasso_clear(&l);
    return st;
}

/* Keeps the best of what is open until `count` of the channels are kept. */
static void keep_best(int64_t c, const double *score, int64_t width, const bool *open, bool *kept, int64_t *count)
{
    while (*count < width) {
        double most = -INFINITY;
        int64_t best = -1;
        for (int64_t i = 0; i < c; i++)
            if (!kept[i] && open[i]) most = fmax(most, score[i]);
        for (int64_t i = c - 1; i >= 0; i--)
            if (!kept[i] && open[i] && score[i] >= most - EQUAL * fabs(most)) best = i;
        if (best < 0) return;
        kept[best] = true;
        ++*count;
    }
}

lop_status lop_alternation_choice(const lop_alternation *a, int64_t width, lop_choice *out, lop_error *err)
{
    *out = (lop_choice){.error = NAN, .lambda = a->lambda};
    if (width < a->c - a->free || width < 1 || width > a->c)
        return lop_fail(err, LOP_E_ARG, "width = %" PRId64 ": %" PRId64 " to %" PRId64 " expected", width,
                        a->free < a->c ? a->c - a->free : 1, a->c);
    bool *kept = lop_array(a->c, sizeof *kept, err), *open = lop_array(a->c, sizeof *open, err);
    double *score = lop_array(a->c, sizeof *score, err);
    out->channel = lop_array(width, sizeof *out->channel, err);
    lop_status st = kept && open && score && out->channel ? LOP_OK : LOP_E_MEMORY;
    int64_t count = 0;
    for (int64_t i = 0; st == LOP_OK && i < a->c; i++) {
        kept[i] = stays(a, i);
        open[i] = a->state[i] != 0.0;
        count += kept[i];
    }
    if (st == LOP_OK) keep_best(a->c, a->state, width, open, kept, &count);
    if (st == LOP_OK && count < width) {
        st = missing_scores(a, score, err);
        for (int64_t i = 0; i < a->c; i++) open[i] = true;
        if (st == LOP_OK) keep_best(a->c, score, width, open, kept, &count);
    }
    for (int64_t i = 0; st == LOP_OK && i < a->c; i++)
        if (kept[i]) out->channel[out->count++] = i;
    if (st != LOP_OK) lop_choice_clear(out);
    lop_free(kept);
    lop_free(open);
    lop_free(score);
    return st;
}

/* ---- the whole loop, with a schedule of its own ---- */

static const double FIRST = 1e-3, GROWTH = 1.5;
enum { GROWTHS = 200, BISECTIONS = 12 };     /* 200: where the target is all but constant, growing ends nothing */

/* lambda grows until at most width are left; where fewer are, it is bisected, each try from the last state with more.
 * above and good: states (a->size); good is left as the one with most channels of at most width. */
static lop_status shrink(lop_alternation *a, int64_t width, double *above, double *good, lop_error *err)
{
    const size_t bytes = a->size * sizeof *a->state;
    double low = 0.0, high;
    lop_status st = lop_alternation_top(a, &high, err);
    high *= FIRST;
    for (int k = 0; st == LOP_OK && k < GROWTHS && a->active > width; k++) {
        if (k > 0) low = high;
        if (k > 0) high *= GROWTH;
        memcpy(above, a->state, bytes);
        st = lop_alternation_step(a, high, err);
    }
    memcpy(good, a->state, bytes);
    int64_t most = a->active;
    double best = high;
    for (int k = 0; st == LOP_OK && k < BISECTIONS && most < width; k++) {
        const double middle = 0.5 * (low + high);
        memcpy(a->state, above, bytes);
        count_active(a);
        st = lop_alternation_step(a, middle, err);
        if (st == LOP_OK && a->active > width) {
            memcpy(above, a->state, bytes);
            low = middle;
        } else if (st == LOP_OK) {
            high = middle;
            if (a->active > most) {
                memcpy(good, a->state, bytes);
                most = a->active;
                best = middle;
            }
        }
    }
    memcpy(a->state, good, bytes);
    a->lambda = best;
    count_active(a);
    return st;
}

lop_status lop_alternate(const lop_select_input *in, int64_t width, lop_choice *out, lop_error *err)
{
    lop_alternation *a;
    lop_status st = lop_alternation_new(in, &a, err);
    if (st != LOP_OK) return st;
    double *above = lop_array((int64_t)a->size, 2 * sizeof *above, err);
    if (!above) st = LOP_E_MEMORY;
    if (st == LOP_OK && a->active > width) st = shrink(a, width, above, above + a->size, err);
    if (st == LOP_OK) st = lop_alternation_choice(a, width, out, err);
    lop_free(above);
    lop_alternation_free(a);
    return st;
}

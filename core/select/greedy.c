/* core/select/greedy.c - exact structured elimination and forward selection, which are one loop. With
 *     M = Gc + ridge N D,   R = Bc + ridge N D W0,
 * elimination starts from H = M^-1, W = H R, forward selection from H = M, W = R. Channel j changes the penalised error
 * by trace(W_j^T H_jj^-1 W_j); taking it,
 *     W -= H_:j H_jj^-1 W_j,   H -= H_:j H_jj^-1 H_j:.
 * What this means to one consumer's table is in table.c. */
#include "select/select_impl.h"
#include "linalg/linalg.h"
#include <math.h>
#include <string.h>

enum { REFACTOR = 64 };         /* channels, or half of the table's if that is more */

typedef struct {
    const lop_select_input *in;
    bool forward, errors;       /* errors: they are asked for, width by width */
    int64_t consumers, c, m, taken;     /* m channels in the tables; taken since the load */
    lop_consumer *consumer;
    lop_table *t;
    int64_t *channel;           /* (m) at each place */
    bool *gone, *aside, worn;   /* aside (m): not to be looked at in this step */
    double *value;              /* (m) change of the total error per cost */
} greedy;

static void greedy_clear(greedy *g)
{
    for (int64_t k = 0; g->t && k < g->consumers; k++) lop_table_clear(&g->t[k]);
    lop_free(g->t);
    lop_free(g->channel);
    lop_free(g->gone);
    lop_free(g->aside);
    lop_free(g->value);
    lop_consumers_free(g->consumer, g->consumers);
}

static lop_status greedy_init(greedy *g, const lop_select_input *in, bool forward, bool errors, lop_error *err)
{
    *g = (greedy){.in = in, .forward = forward, .errors = errors, .consumers = in->consumers, .c = in->centred[0]->c};
    g->m = g->c;
    lop_status st = lop_consumers_new(in, &g->consumer, err);
    if (st != LOP_OK) return st;
    g->t = lop_array(g->consumers, sizeof *g->t, err);
    g->channel = lop_array(g->c, sizeof *g->channel, err);
    g->gone = lop_array(g->c, sizeof *g->gone, err);
    g->aside = lop_array(g->c, sizeof *g->aside, err);
    g->value = lop_array(g->c, sizeof *g->value, err);
    if (!g->t || !g->channel || !g->gone || !g->aside || !g->value) return LOP_E_MEMORY;
    for (int64_t i = 0; i < g->c; i++) g->channel[i] = i;
    for (int64_t k = 0; st == LOP_OK && k < g->consumers; k++)
        st = lop_table_init(&g->t[k], &g->consumer[k], in->ridge, forward, errors, err);
    return st;
}

/* Fills the tables for the channels that are left. */
static lop_status load(greedy *g, lop_error *err)
{
    int64_t left = 0;
    for (int64_t i = 0; i < g->m; i++)
        if (!g->gone[i]) g->channel[left++] = g->channel[i];
    memset(g->gone, 0, (size_t)g->c * sizeof *g->gone);
    g->m = left;
    g->taken = 0;
    g->worn = false;
    lop_status st = LOP_OK;
    for (int64_t q = 0; st == LOP_OK && q < g->consumers; q++) {
        st = lop_table_load(&g->t[q], g->channel, g->m, g->gone, g->errors, err);
        if (st != LOP_OK && g->consumers > 1) lop_error_at(err, "consumer #%" PRId64, q);
    }
    return st;
}

/* What taking the channel at a place changes in the total error. */
static double change(greedy *g, int64_t place)
{
    double sum = 0.0;
    bool skipped = false;
    for (int64_t q = 0; q < g->consumers; q++)
        sum += g->t[q].of->share * lop_table_change(&g->t[q], place, &skipped);
    return sum;
}

static lop_status take(greedy *g, int64_t place, lop_error *err)
{
    lop_status st = LOP_OK;
    g->gone[place] = true;
    for (int64_t q = 0; st == LOP_OK && q < g->consumers; q++)
        st = lop_table_take(&g->t[q], place, g->gone, &g->worn, err);
    g->taken++;
    /* Forward is a block Cholesky and stays accurate; an inverse that is cut down wears off. */
    const bool due = g->taken >= REFACTOR && 2 * g->taken >= g->m;
    return st == LOP_OK && !g->forward && (due || g->worn) ? load(g, err) : st;
}

static double error_now(const greedy *g)
{
    double total = 0.0;
    for (int64_t q = 0; q < g->consumers; q++) total += g->t[q].of->share * lop_table_error(&g->t[q], g->gone);
    return fmax(total, 0.0);
}

/* What stays goes last in elimination and comes first in forward selection. */
static void set_aside(greedy *g)
{
    bool first = false;
    for (int64_t i = 0; i < g->m; i++)
        first = first || (!g->gone[i] && (!g->in->stay || g->in->stay[g->channel[i]] == g->forward));
    for (int64_t i = 0; i < g->m; i++)
        g->aside[i] = g->gone[i] || (first && g->in->stay && g->in->stay[g->channel[i]] != g->forward);
}

static int64_t next_place(greedy *g, const int64_t *forced, int64_t step)
{
    set_aside(g);
    for (int64_t i = 0; i < g->m; i++) {
        if (forced && g->channel[i] == forced[step]) return i;
        if (forced || g->aside[i]) continue;
        g->value[i] = change(g, i) / (g->in->cost ? g->in->cost[g->channel[i]] : 1.0);
        if (g->forward) g->value[i] = -g->value[i];
    }
    return forced ? -1 : lop_select_least(g->m, g->value, g->aside);
}

static lop_status eliminate(greedy *g, const int64_t *forced, int64_t width, int64_t *order, double *error,
                            lop_error *err)
{
    lop_status st = load(g, err);
    if (st == LOP_OK && error) error[g->c] = error_now(g);
    for (int64_t step = 0; st == LOP_OK && step < g->c - width; step++) {
        const int64_t place = next_place(g, forced, step), channel = place >= 0 ? g->channel[place] : -1;
        if (place < 0 || g->gone[place])
            return lop_fail(err, LOP_E_ARG, "order: entry #%" PRId64 " (%" PRId64 ") is no channel that is left", step,
                            forced[step]);
        st = take(g, place, err);
        if (order) order[step] = channel;
        if (st == LOP_OK && error) error[g->c - step - 1] = error_now(g);
        if (st == LOP_OK) st = lop_progress_step(g->in->progress, "elimination", step + 1, g->c - width, err);
    }
    return st;
}

lop_status lop_eliminate(const lop_select_input *in, const int64_t *forced, int64_t width, int64_t *order,
                         double *error, lop_error *err)
{
    greedy g;
    lop_status st = greedy_init(&g, in, false, error != NULL, err);
    if (st == LOP_OK) st = eliminate(&g, forced, width, order, error, err);
    greedy_clear(&g);
    return st;
}

lop_status lop_forward(const lop_select_input *in, int64_t width, int64_t *taken, lop_error *err)
{
    greedy g;
    lop_status st = greedy_init(&g, in, true, false, err);
    if (st == LOP_OK) st = load(&g, err);
    for (int64_t step = 0; st == LOP_OK && step < width; step++) {
        const int64_t place = next_place(&g, NULL, step);
        taken[step] = g.channel[place];
        st = take(&g, place, err);
        if (st == LOP_OK) st = lop_progress_step(in->progress, "forward selection", step + 1, width, err);
    }
    greedy_clear(&g);
    return st;
}

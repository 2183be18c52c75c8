/* core/select/select.c - the one entry: names, rankings, choices and curves. */
#include "select/select_impl.h"
#include "linalg/linalg.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct { const char *name; lop_select_method method; } names[] = {
    {"elimination", LOP_SELECT_ELIMINATION}, {"forward", LOP_SELECT_FORWARD}, {"lasso", LOP_SELECT_LASSO},
    {"lasso-alternating", LOP_SELECT_ALTERNATING},
    {"thinet", LOP_SELECT_THINET}, {"response", LOP_SELECT_RESPONSE}, {"l1", LOP_SELECT_L1}, {"l2", LOP_SELECT_L2},
    {"apoz", LOP_SELECT_APOZ}, {"fpgm", LOP_SELECT_FPGM}, {"first", LOP_SELECT_FIRST}, {"random", LOP_SELECT_RANDOM},
    {"score", LOP_SELECT_SCORE}, {"bn-scale", LOP_SELECT_SCORE}};

lop_status lop_select_method_of(const char *name, lop_select_method *out, lop_error *err)
{
    for (size_t k = 0; k < sizeof names / sizeof *names; k++)
        if (strcmp(names[k].name, name) == 0) {
            *out = names[k].method;
            return LOP_OK;
        }
    return lop_fail(err, LOP_E_ARG,
                    "no selection is called '%s': elimination, forward, lasso, lasso-alternating, thinet, response, "
                    "l1, l2, apoz, fpgm, first, random, score or bn-scale expected",
                    name);
}

const char *lop_select_method_name(lop_select_method method)
{
    for (size_t k = 0; k < sizeof names / sizeof *names; k++)
        if (names[k].method == method) return names[k].name;
    return "unknown";
}

void lop_choice_clear(lop_choice *choice)
{
    lop_free(choice->channel);
    *choice = (lop_choice){0};
}

void lop_curve_clear(lop_curve *curve)
{
    lop_free(curve->order);
    lop_free(curve->error);
    *curve = (lop_curve){0};
}

/* ---- scores ---- */

/* Rows of numbers that stand for the channels: the producer's filters, or else the consumers' slices. */
typedef struct { int64_t c, size; double *row; } filters;

static lop_status from_producer(const lop_select_input *in, filters *f, lop_error *err)
{
    const lop_tensor *w = in->producer;
    char text[128];
    if ((w->type != LOP_F32 && w->type != LOP_F64) || !w->data || w->shape.ndim < 1 || w->shape.dim[0] != f->c)
        return lop_fail(err, LOP_E_SHAPE, "producer is %s %s: float32 or float64 with %" PRId64 " filters expected",
                        lop_dtype_name(w->type), lop_shape_text(&w->shape, text, sizeof text), f->c);
    f->size = lop_tensor_size(w) / f->c;
    f->row = lop_array(f->c, (size_t)(f->size ? f->size : 1) * sizeof(double), err);
    if (!f->row) return LOP_E_MEMORY;
    for (int64_t i = 0; i < f->c * f->size; i++) f->row[i] = lop_tensor_get(w, i);
    return LOP_OK;
}

static lop_status from_consumers(const lop_select_input *in, filters *f, lop_error *err)
{
    for (int64_t k = 0; k < in->consumers; k++) f->size += in->centred[k]->taps * in->centred[k]->n;
    f->row = lop_array(f->c, (size_t)f->size * sizeof(double), err);
    lop_status st = f->row ? LOP_OK : LOP_E_MEMORY;
    int64_t at = 0;
    for (int64_t k = 0; st == LOP_OK && k < in->consumers; k++) {
        const lop_centred *q = in->centred[k];
        const int64_t part = q->taps * q->n;
        double *W = lop_array(f->c, (size_t)part * sizeof *W, err);
        st = W ? lop_weight_rows(in->weight[k], f->c, q->taps, q->n, W, err) : LOP_E_MEMORY;
        for (int64_t i = 0; st == LOP_OK && i < f->c; i++)
            memcpy(f->row + i * f->size + at, W + i * part, (size_t)part * sizeof(double));
        lop_free(W);
        at += part;
    }
    return st;
}

static double distance(const filters *f, int64_t i, int64_t j)
{
    double sum = 0.0;
    for (int64_t t = 0; t < f->size; t++) {
        const double d = f->row[i * f->size + t] - f->row[j * f->size + t];
        sum += d * d;
    }
    return sqrt(sum);
}

static lop_status score_filters(const lop_select_input *in, lop_select_method method, double *score, lop_error *err)
{
    filters f = {.c = in->centred[0]->c};
    const lop_status st = in->producer ? from_producer(in, &f, err) : from_consumers(in, &f, err);
    for (int64_t i = 0; st == LOP_OK && i < f.c; i++) {
        const double *row = f.row + i * f.size;
        if (method == LOP_SELECT_L2) score[i] = sqrt(lop_dot(f.size, row, row));
        for (int64_t t = 0; method == LOP_SELECT_L1 && t < f.size; t++) score[i] += fabs(row[t]);
        for (int64_t j = 0; method == LOP_SELECT_FPGM && j < f.c; j++) score[i] += distance(&f, i, j);
    }
    lop_free(f.row);
    return st;
}

static lop_status score_responses(const lop_select_input *in, double *score, lop_error *err)
{
    lop_lasso l;
    const lop_status st = lop_lasso_init(in->centred, in->weight, in->consumers, NULL, &l, err);
    if (st == LOP_OK) memcpy(score, l.response.data, (size_t)l.c * sizeof *score);
    if (st == LOP_OK) lop_lasso_clear(&l);
    return st;
}

static double nonzero_share(const lop_select_input *in, int64_t channel)
{
    double sum = 0.0;
    for (int64_t k = 0; k < in->consumers; k++) sum += ((const double *)in->centred[k]->nonzero.data)[channel];
    return sum / (double)in->consumers;
}

/* ---- orders of removal ---- */

typedef struct { bool stays; double score; int64_t channel; } ranked;

static int by_score(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->stays != y->stays) return x->stays ? 1 : -1;
    if (x->score != y->score) return x->score < y->score ? -1 : 1;
    return x->channel > y->channel ? -1 : 1;            /* of equals the lowest number is kept */
}

static lop_status order_by_score(const lop_select_input *in, lop_select_method method, int64_t *order, lop_error *err)
{
    const int64_t c = in->centred[0]->c;
    double *score = lop_array(c, sizeof *score, err);
    ranked *list = lop_array(c, sizeof *list, err);
    lop_status st = score && list ? LOP_OK : LOP_E_MEMORY;
    if (st == LOP_OK && method == LOP_SELECT_RESPONSE) st = score_responses(in, score, err);
    if (st == LOP_OK && (method == LOP_SELECT_L1 || method == LOP_SELECT_L2 || method == LOP_SELECT_FPGM))
        st = score_filters(in, method, score, err);
    if (st == LOP_OK && method == LOP_SELECT_SCORE && !in->score)
        st = lop_fail(err, LOP_E_ARG, "score: one number a channel (%" PRId64 ") expected", c);
    for (int64_t i = 0; st == LOP_OK && i < c; i++) {
        if (method == LOP_SELECT_FIRST) score[i] = -(double)i;
        if (method == LOP_SELECT_RANDOM) score[i] = lop_random_unit(in->seed, LOP_STREAM_SUBSET, (uint64_t)i);
        if (method == LOP_SELECT_SCORE) score[i] = in->score[i];
        if (method == LOP_SELECT_APOZ) score[i] = nonzero_share(in, i);
        if (!isfinite(score[i])) st = lop_fail(err, LOP_E_NUMERIC, "score of channel #%" PRId64 " is %g", i, score[i]);
        list[i] = (ranked){in->stay && in->stay[i], score[i], i};
    }
    if (st == LOP_OK) qsort(list, (size_t)c, sizeof *list, by_score);
    for (int64_t i = 0; st == LOP_OK && i < c; i++) order[i] = list[i].channel;
    lop_free(score);
    lop_free(list);
    return st;
}

/* The dropped set T grows by the channel that leaves 1^T A_TT 1, what its contribution is missed by, least. */
static lop_status order_by_thinet(const lop_select_input *in, int64_t *order, lop_error *err)
{
    lop_lasso l;
    lop_status st = lop_lasso_init(in->centred, in->weight, in->consumers, NULL, &l, err);
    if (st != LOP_OK) return st;
    double *grows = lop_array(l.c, sizeof *grows, err);
    bool *gone = lop_array(l.c, sizeof *gone, err);
    if (!grows || !gone) st = LOP_E_MEMORY;
    const double *A = l.gram.data;
    int64_t may_go = 0;
    for (int64_t i = 0; st == LOP_OK && i < l.c; i++) {
        grows[i] = A[i * l.c + i];
        gone[i] = in->stay && in->stay[i];
        may_go += !gone[i];
    }
    for (int64_t step = 0; st == LOP_OK && step < l.c; step++) {
        for (int64_t i = 0; step == may_go && i < l.c; i++) gone[i] = !gone[i] || !in->stay || !in->stay[i];
        const int64_t drop = lop_select_least(l.c, grows, gone);
        order[step] = drop;
        gone[drop] = true;
        lop_axpy(l.c, 2.0, A + drop * l.c, grows);
    }
    lop_free(grows);
    lop_free(gone);
    lop_lasso_clear(&l);
    return st;
}

/* Channels in the order of removal, at least the first c - width of them. error: as lop_eliminate. */
static lop_status order_of(const lop_select_input *in, lop_select_method method, int64_t width, int64_t *order,
                           double *error, lop_error *err)
{
    const int64_t c = in->centred[0]->c;
    if (method == LOP_SELECT_ELIMINATION) return lop_eliminate(in, NULL, width, order, error, err);
    if (method == LOP_SELECT_THINET) return order_by_thinet(in, order, err);
    if (method != LOP_SELECT_FORWARD) return order_by_score(in, method, order, err);
    const int64_t steps = width > 0 ? width : c;
    bool *taken = lop_array(c, sizeof *taken, err);
    int64_t *come = lop_array(c, sizeof *come, err), rest = 0;
    lop_status st = taken && come ? lop_forward(in, steps, come, err) : LOP_E_MEMORY;
    for (int64_t i = 0; st == LOP_OK && i < steps; i++) {
        order[c - 1 - i] = come[i];
        taken[come[i]] = true;
    }
    for (int64_t i = 0; st == LOP_OK && i < c; i++)
        if (!taken[i]) order[rest++] = i;
    lop_free(taken);
    lop_free(come);
    return st;
}

/* ---- the entry ---- */

static lop_status check(const lop_select_input *in, lop_select_method method, lop_error *err)
{
    if (in->consumers < 1) return lop_fail(err, LOP_E_ARG, "%" PRId64 " consumers: at least 1 expected", in->consumers);
    if ((int)method < LOP_SELECT_ELIMINATION || method > LOP_SELECT_SCORE)
        return lop_fail(err, LOP_E_ARG, "selection %d is unknown", (int)method);
    return LOP_OK;
}

static lop_status keep_last(const int64_t *order, int64_t c, int64_t width, lop_choice *out, lop_error *err)
{
    bool *kept = lop_array(c, sizeof *kept, err);
    out->channel = lop_array(width, sizeof *out->channel, err);
    if (!kept || !out->channel) {
        lop_free(kept);
        return LOP_E_MEMORY;
    }
    for (int64_t i = c - width; i < c; i++) kept[order[i]] = true;
    for (int64_t i = 0; i < c; i++)
        if (kept[i]) out->channel[out->count++] = i;
    lop_free(kept);
    return LOP_OK;
}

/* order holds what was removed; what is left follows, in any order. */
static lop_status complete(int64_t *order, int64_t c, int64_t removed, lop_error *err)
{
    bool *gone = lop_array(c, sizeof *gone, err);
    if (!gone) return LOP_E_MEMORY;
    for (int64_t i = 0; i < removed; i++) gone[order[i]] = true;
    for (int64_t i = 0; i < c; i++)
        if (!gone[i]) order[removed++] = i;
    lop_free(gone);
    return LOP_OK;
}

/* The channels that a method may choose, ascending: those that do not stay. */
static int64_t may_be_chosen(const lop_select_input *in, int64_t *list)
{
    int64_t count = 0;
    for (int64_t i = 0; i < in->centred[0]->c; i++)
        if (!in->stay || !in->stay[i]) list[count++] = i;
    return count;
}

/* width channels of `free` ones that list names, and all that stay. */
static lop_status choose_beside(const lop_select_input *in, const lop_lasso *all, const int64_t *list, int64_t free,
                                int64_t width, lop_choice *out, lop_error *err)
{
    lop_lasso l;
    lop_lasso_choice choice = {0};
    const int64_t rest = width - (all->c - free);
    bool *kept = lop_array(all->c, sizeof *kept, err);
    out->channel = lop_array(width, sizeof *out->channel, err);
    if (!kept || !out->channel) {
        lop_free(kept);
        return LOP_E_MEMORY;
    }
    out->lambda = NAN;
    lop_status st = rest > 0 ? lop_lasso_given(all, list, free, &l, err) : LOP_OK;
    if (st == LOP_OK && rest > 0) {
        l.progress = in->progress;
        st = lop_lasso_width(&l, rest, &choice, err);
        if (st == LOP_OK) out->lambda = choice.lambda;
        lop_lasso_clear(&l);
    }
    for (int64_t i = 0; st == LOP_OK && i < choice.count; i++) kept[list[choice.channel[i]]] = true;
    for (int64_t i = 0; st == LOP_OK && i < all->c; i++)
        if (kept[i] || (in->stay && in->stay[i])) out->channel[out->count++] = i;
    lop_lasso_choice_clear(&choice);
    lop_free(kept);
    return st;
}

static lop_status choose_lasso(const lop_select_input *in, int64_t width, lop_choice *out, lop_error *err)
{
    const lop_lasso_options o = {.nonnegative = in->nonnegative};
    lop_lasso l;
    lop_status st = lop_lasso_init(in->centred, in->weight, in->consumers, &o, &l, err);
    if (st != LOP_OK) return st;
    int64_t *list = lop_array(l.c, sizeof *list, err);
    st = list ? choose_beside(in, &l, list, may_be_chosen(in, list), width, out, err) : LOP_E_MEMORY;
    out->error = NAN;
    lop_free(list);
    lop_lasso_clear(&l);
    return st;
}

lop_status lop_select(const lop_select_input *in, lop_select_method method, int64_t width, lop_choice *out,
                      lop_error *err)
{
    *out = (lop_choice){0};
    lop_status st = check(in, method, err);
    if (st != LOP_OK) return st;
    const int64_t c = in->centred[0]->c;
    if (width < 1 || width > c)
        return lop_fail(err, LOP_E_ARG, "width = %" PRId64 ": 1 to %" PRId64 " expected", width, c);
    for (int64_t i = 0, stay = 0; in->stay && i < c; i++)
        if (in->stay[i] && ++stay > width)
            return lop_fail(err, LOP_E_ARG, "width = %" PRId64 ": more channels than that are to stay", width);
    if (method == LOP_SELECT_LASSO || method == LOP_SELECT_ALTERNATING) {
        st = method == LOP_SELECT_LASSO ? choose_lasso(in, width, out, err) : lop_alternate(in, width, out, err);
        if (st != LOP_OK) lop_choice_clear(out);
        return st;
    }
    int64_t *order = lop_array(c, sizeof *order, err);
    double *error = lop_array(c + 1, sizeof *error, err);
    st = order && error ? order_of(in, method, width, order, error, err) : LOP_E_MEMORY;
    if (st == LOP_OK && method == LOP_SELECT_ELIMINATION) st = complete(order, c, c - width, err);
    if (st == LOP_OK) st = keep_last(order, c, width, out, err);
    if (st == LOP_OK) {
        out->error = method == LOP_SELECT_ELIMINATION ? error[width] : NAN;
        out->lambda = NAN;
    } else lop_choice_clear(out);
    lop_free(order);
    lop_free(error);
    return st;
}

static lop_status check_nested(const lop_select_input *in, lop_select_method method, lop_error *err)
{
    const lop_status st = check(in, method, err);
    if (st != LOP_OK || (method != LOP_SELECT_LASSO && method != LOP_SELECT_ALTERNATING)) return st;
    return lop_fail(err, LOP_E_ARG,
                    "the LASSO's sets of channels are not nested: choose each width, or take another method");
}

lop_status lop_select_order(const lop_select_input *in, lop_select_method method, int64_t *order, lop_error *err)
{
    const lop_status st = check_nested(in, method, err);
    return st == LOP_OK ? order_of(in, method, 0, order, NULL, err) : st;
}

lop_status lop_select_curve(const lop_select_input *in, lop_select_method method, lop_curve *out, lop_error *err)
{
    *out = (lop_curve){0};
    lop_status st = check_nested(in, method, err);
    if (st != LOP_OK) return st;
    out->c = in->centred[0]->c;
    out->order = lop_array(out->c, sizeof *out->order, err);
    out->error = lop_array(out->c + 1, sizeof *out->error, err);
    st = out->order && out->error ? order_of(in, method, 0, out->order, out->error, err) : LOP_E_MEMORY;
    bool summed = true;
    for (int64_t k = 0; k < in->consumers; k++) summed = summed && in->centred[k]->gram.data;
    for (int64_t w = 0; !summed && st == LOP_OK && w <= out->c; w++) out->error[w] = NAN;
    if (st == LOP_OK && summed && method != LOP_SELECT_ELIMINATION)
        st = lop_eliminate(in, out->order, 0, NULL, out->error, err);
    if (st != LOP_OK) lop_curve_clear(out);
    return st;
}

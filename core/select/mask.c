/* core/select/mask.c - each filter its own channels: the criteria of this folder, a filter at a time. */
#include "select/select_impl.h"
#include <string.h>

enum { BLOCK = 64 };            /* filters between two looks at whether to stop */

typedef struct {
    const lop_select_input *in;
    lop_select_method method;
    int64_t width, first;       /* first: filter of chunk 0 */
    bool refine;
    uint8_t *mask;
    lop_status status[BLOCK];
    lop_error error[BLOCK];
} job;

static lop_status choose(const job *a, int64_t filter, double *cross, lop_error *err)
{
    lop_centred q;
    const lop_tensor w = lop_weight_filter(a->in->weight[0], filter);
    const lop_centred *q_at = &q;
    const lop_tensor *w_at = &w;
    lop_choice choice;
    lop_select_input own = *a->in;
    own.centred = &q_at;
    own.weight = &w_at;
    own.progress = NULL;        /* it is called on the caller's thread alone */
    own.seed = lop_random(a->in->seed, LOP_STREAM_SUBSET + 3, (uint64_t)filter);
    lop_centred_filter(a->in->centred[0], filter, cross, &q);
    lop_status st = lop_select(&own, a->method, a->width, &choice, err);
    if (st == LOP_OK && a->refine) st = lop_select_swap(&own, &choice, NULL, err);
    for (int64_t i = 0; st == LOP_OK && i < choice.count; i++) a->mask[filter * q.c + choice.channel[i]] = 1;
    lop_choice_clear(&choice);
    return st;
}

static void body(void *context, int64_t chunk, int worker)
{
    job *a = context;
    (void)worker;
    const lop_centred *q = a->in->centred[0];
    lop_error *err = &a->error[chunk];
    double *cross = lop_array(q->c * q->taps, sizeof *cross, err);
    a->status[chunk] = cross ? choose(a, a->first + chunk, cross, err) : LOP_E_MEMORY;
    lop_free(cross);
}

static lop_status check(const lop_select_input *in, lop_error *err)
{
    if (in->consumers != 1)
        return lop_fail(err, LOP_E_ARG, "%" PRId64 " consumers: a mask is one layer's", in->consumers);
    const lop_centred *q = in->centred[0];
    if (!q->gram.data)
        return lop_fail(err, LOP_E_UNSUPPORTED, "statistics that keep rows in place of sums give no mask");
    return lop_weight_part(in->weight[0], q->c, q->taps, q->n, 0, 0, NULL, err);
}

lop_status lop_select_mask(const lop_select_input *in, lop_select_method method, int64_t width, bool refine,
                           lop_team *team, uint8_t *mask, lop_error *err)
{
    lop_status st = check(in, err);
    if (st != LOP_OK) return st;
    const int64_t n = in->centred[0]->n;
    job *a = lop_array(1, sizeof *a, err);
    if (!a) return LOP_E_MEMORY;
    *a = (job){.in = in, .method = method, .width = width, .refine = refine, .mask = mask};
    memset(mask, 0, (size_t)(n * in->centred[0]->c));
    for (; st == LOP_OK && a->first < n; a->first += BLOCK) {
        const int64_t count = n - a->first < BLOCK ? n - a->first : BLOCK;
        lop_team_run(team, count, body, a);
        for (int64_t k = 0; st == LOP_OK && k < count; k++) {
            st = a->status[k];
            if (st == LOP_OK) continue;
            if (err) *err = a->error[k];
            lop_error_at(err, "filter #%" PRId64, a->first + k);
        }
        if (st == LOP_OK) st = lop_progress_step(in->progress, "mask", a->first + count, n, err);
    }
    lop_free(a);
    return st;
}

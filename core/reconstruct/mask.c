/* core/reconstruct/mask.c - a layer whose filters read channels of their own, solved filter by filter. */
#include "reconstruct/reconstruct_impl.h"
#include <math.h>
#include <string.h>

typedef struct {
    const lop_centred *q;
    const lop_tensor *weight;
    const uint8_t *mask;
    const float *fixed;                 /* biases that stay, or NULL */
    lop_reconstruct_options options;    /* of one ridge */
    lop_tensor W, bias;                 /* (n, c, ...), (n) */
    double *left;                       /* (n): the squared error of each filter */
    lop_status *status;
    lop_error *error;                   /* (n) */
} job;

/* A filter that reads nothing is its bias. */
static void leave_bias(job *a, const lop_centred *one, int64_t f)
{
    const double mean = *(const double *)one->mean_y.data;
    const float bias = a->fixed ? a->fixed[f] : (float)mean;
    ((float *)a->bias.data)[f] = bias;
    a->left[f] = *(const double *)one->energy.data;
    if (a->fixed) a->left[f] += one->rows * (mean - (double)bias) * (mean - (double)bias);
}

static lop_status solve_filter(job *a, int64_t f, double *cross, int64_t *channel, lop_error *err)
{
    lop_centred one;
    lop_reconstruction r;
    lop_reconstruct_options own = a->options;
    const int64_t c = a->q->c, taps = a->q->taps;
    const lop_tensor weight = lop_weight_filter(a->weight, f);
    float *to = (float *)a->W.data + f * c * taps;
    int64_t count = 0;
    for (int64_t i = 0; i < c; i++)
        if (a->mask[f * c + i]) channel[count++] = i;
    memset(to, 0, (size_t)(c * taps) * sizeof *to);
    lop_centred_filter(a->q, f, cross, &one);
    if (count == 0) {
        leave_bias(a, &one, f);
        return LOP_OK;
    }
    if (a->fixed) own.bias = a->fixed + f;
    const lop_status st = lop_reconstruct(&one, NULL, &weight, channel, count, &own, &r, err);
    if (st != LOP_OK) return st;
    const float *from = r.weight.data;
    for (int64_t i = 0; i < count; i++) memcpy(to + channel[i] * taps, from + i * taps, (size_t)taps * sizeof *to);
    ((float *)a->bias.data)[f] = *(const float *)r.bias.data;
    const double energy = *(const double *)one.energy.data;
    a->left[f] = energy > 0.0 ? r.error * energy : r.error;
    lop_reconstruction_clear(&r);
    return LOP_OK;
}

static void body(void *context, int64_t f, int worker)
{
    job *a = context;
    (void)worker;
    double *cross = lop_array(a->q->c * a->q->taps, sizeof *cross, &a->error[f]);
    int64_t *channel = lop_array(a->q->c, sizeof *channel, &a->error[f]);
    a->status[f] = cross && channel ? solve_filter(a, f, cross, channel, &a->error[f]) : LOP_E_MEMORY;
    lop_free(cross);
    lop_free(channel);
}

/* All filters at one ridge. */
static lop_status solve(job *a, double ridge, lop_team *team, lop_error *err)
{
    a->options.ridge = ridge;
    lop_team_run(team, a->q->n, body, a);
    for (int64_t f = 0; f < a->q->n; f++) {
        if (a->status[f] == LOP_OK) continue;
        if (err) *err = a->error[f];
        lop_error_at(err, "filter #%" PRId64, f);
        return a->status[f];
    }
    return LOP_OK;
}

static lop_status job_init(job *a, lop_error *err)
{
    a->left = lop_array(a->q->n, sizeof *a->left, err);
    a->status = lop_array(a->q->n, sizeof *a->status, err);
    a->error = lop_array(a->q->n, sizeof *a->error, err);
    lop_status st = a->left && a->status && a->error ? LOP_OK : LOP_E_MEMORY;
    if (st == LOP_OK) st = lop_tensor_init(&a->W, LOP_F32, &a->weight->shape, err);
    return st == LOP_OK ? lop_tensor_init(&a->bias, LOP_F32, &(lop_shape){1, {a->q->n}}, err) : st;
}

static void job_clear(job *a)
{
    lop_free(a->left);
    lop_free(a->status);
    lop_free(a->error);
    lop_tensor_clear(&a->W);
    lop_tensor_clear(&a->bias);
}

/* What the job has now becomes the result. */
static lop_status take(job *a, lop_stats *held, const int64_t *all, lop_reconstruction *out, lop_error *err)
{
    double energy = 0.0, left = 0.0, held_error = NAN;
    for (int64_t f = 0; f < a->q->n; f++) {
        energy += ((const double *)a->q->energy.data)[f];
        left += a->left[f];
    }
    lop_status st = LOP_OK;
    if (held) st = lop_reconstruct_error(held, &a->W, &a->bias, all, a->q->c, &held_error, err);
    if (st != LOP_OK || (out->weight.data && !(held_error < out->held_error))) return st;
    lop_reconstruction_clear(out);
    st = lop_tensor_copy(&out->weight, &a->W, err);
    if (st == LOP_OK) st = lop_tensor_copy(&out->bias, &a->bias, err);
    out->error = energy > 0.0 ? left / energy : left > 0.0 ? INFINITY : 0.0;
    out->held_error = held_error;
    out->ridge = lop_reconstruct_solves(a->options.method) ? a->options.ridge : 0.0;
    return st;
}

/* As lop_reconstruct walks the grid: what cannot be solved is passed over; blind, the first that can. */
static lop_status try_grid(job *a, lop_stats *held, const int64_t *all, lop_team *team, lop_reconstruction *out,
                           lop_error *err)
{
    lop_error why;
    lop_status st = LOP_OK;
    for (int k = held ? 0 : LOP_RIDGE_BLIND; k < LOP_RIDGES; k++) {
        st = solve(a, lop_ridge_grid[k], team, &why);
        if (st == LOP_E_NUMERIC) continue;
        if (st == LOP_OK) st = take(a, held, all, out, &why);
        if (st != LOP_OK || !held) break;
    }
    if (st == LOP_E_NUMERIC && out->weight.data) return LOP_OK;
    if (st != LOP_OK && err) *err = why;
    return st;
}

lop_status lop_reconstruct_mask(const lop_centred *q, lop_stats *held, const lop_tensor *weight, const uint8_t *mask,
                                const lop_reconstruct_options *options, lop_team *team, lop_reconstruction *out,
                                lop_error *err)
{
    static const lop_reconstruct_options usual = {LOP_RECONSTRUCT_LEAST_SQUARES, LOP_RIDGE_AUTO, NULL};
    const lop_reconstruct_options *o = options ? options : &usual;
    *out = (lop_reconstruction){0};
    if (!q->gram.data)
        return lop_fail(err, LOP_E_UNSUPPORTED, "statistics that keep rows in place of sums are not solved by filter");
    int64_t *all = lop_array(q->c, sizeof *all, err);
    job a = {.q = q, .weight = weight, .mask = mask, .fixed = o->bias, .options = *o};
    for (int64_t i = 0; all && i < q->c; i++) all[i] = i;
    lop_status st = all ? lop_reconstruct_check(q, held, all, q->c, o, err) : LOP_E_MEMORY;
    if (st == LOP_OK) st = lop_weight_part(weight, q->c, q->taps, q->n, 0, 0, NULL, err);
    if (st == LOP_OK) st = job_init(&a, err);
    if (st == LOP_OK && o->ridge < 0.0 && lop_reconstruct_solves(o->method)) {
        st = try_grid(&a, held, all, team, out, err);
    } else if (st == LOP_OK) {
        st = solve(&a, o->ridge < 0.0 ? 0.0 : o->ridge, team, err);
        if (st == LOP_OK) st = take(&a, held, all, out, err);
    }
    if (st != LOP_OK) lop_reconstruction_clear(out);
    job_clear(&a);
    lop_free(all);
    return st;
}

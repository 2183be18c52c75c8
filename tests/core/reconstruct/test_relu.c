/* tests/core/reconstruct/test_relu.c - targets seen through a ReLU: planted weights are found where least squares
 * cannot see them, and nothing gets worse. */
#include "support/t.h"
#include "base/base.h"
#include "reconstruct/reconstruct.h"
#include <math.h>

enum { C = 4, TAPS = 3, P = C * TAPS, N = 5, ROWS = 700, ALL = C };
static const int64_t every[] = {0, 1, 2, 3};

typedef struct { float x[ROWS * P], y[ROWS * N], o[ROWS * N]; } rows;
typedef struct { float weight[N * P], bias[N]; } layer;

static float noise(uint64_t seed, uint64_t i) { return (float)lop_random_normal(seed, LOP_STREAM_USER, i); }

static void plant(layer *l, uint64_t seed)
{
    for (int i = 0; i < N * P; i++) l->weight[i] = noise(seed, (uint64_t)i);
    for (int i = 0; i < N; i++) l->bias[i] = noise(seed + 1, (uint64_t)i);
}

/* What the layer gives, with anything at all where what is added to it leaves it below 0. */
static rows *rows_of(const layer *l, uint64_t seed, float beside)
{
    rows *s = malloc(sizeof *s);
    assert_non_null(s);
    for (int i = 0; i < ROWS * P; i++) s->x[i] = noise(seed, (uint64_t)i);
    for (int r = 0; r < ROWS; r++)
        for (int f = 0; f < N; f++) {
            const int at = r * N + f;
            s->o[at] = beside * noise(seed + 1, (uint64_t)at);
            float y = l->bias[f];
            for (int i = 0; i < P; i++) y += l->weight[f * P + i] * s->x[r * P + i];
            s->y[at] = y + s->o[at] > 0 ? y : -s->o[at] - 8 * fabsf(noise(seed + 2, (uint64_t)at));
        }
    return s;
}

static lop_stats *stats_of(const rows *s, bool beside)
{
    lop_stats *out;
    lop_error err;
    t_ok(lop_stats_new_rows(beside ? N : C, beside ? 1 : TAPS, N, ROWS, 3, !beside, &out, &err), err);
    t_ok(lop_stats_add(out, beside ? s->o : s->x, beside ? s->o : s->y, ROWS, NULL, &err), err);
    return out;
}

/* |relu(y + o) - relu(W x + bias + o)|^2 relative to the former about its mean. */
static double miss(const rows *s, const lop_reconstruction *r)
{
    double off = 0, energy = 0;
    for (int f = 0; f < N; f++) {
        double sum = 0, square = 0;
        for (int k = 0; k < ROWS; k++) {
            const double o = (double)s->o[k * N + f], t = fmax(0, (double)s->y[k * N + f] + o);
            double y = lop_tensor_get(&r->bias, f);
            for (int i = 0; i < P; i++) y += lop_tensor_get(&r->weight, f * P + i) * (double)s->x[k * P + i];
            off += (t - fmax(0, y + o)) * (t - fmax(0, y + o));
            sum += t;
            square += t * t;
        }
        energy += square - sum * sum / ROWS;
    }
    return off / energy;
}

static void solve(const rows *s, bool beside, const rows *held, uint64_t seed, double *before, double *after,
                  lop_reconstruction *r)
{
    lop_stats *main = stats_of(s, false), *judge = held ? stats_of(held, false) : NULL;
    lop_stats *o = beside ? stats_of(s, true) : NULL, *held_o = beside && held ? stats_of(held, true) : NULL;
    lop_centred q;
    lop_error err;
    layer start;
    plant(&start, seed);
    const lop_tensor w = {LOP_F32, {3, {N, C, TAPS}}, start.weight, NULL};
    const lop_reconstruct_options how = {LOP_RECONSTRUCT_LEAST_SQUARES, 1e-6, NULL};
    t_ok(lop_stats_centre(main, &q, &err), err);
    t_ok(lop_reconstruct(&q, judge, &w, every, ALL, &how, r, &err), err);
    *before = miss(held ? held : s, r);
    t_ok(lop_reconstruct_relu(&q, o, judge, held_o, every, ALL, r, &err), err);
    *after = miss(held ? held : s, r);
    assert_true(fabs((held ? r->held_error : r->error) - *after) < 1e-5);
    assert_true(fabs(r->error - miss(s, r)) < 1e-5);
    lop_centred_clear(&q);
    lop_stats_free(main);
    lop_stats_free(judge);
    lop_stats_free(o);
    lop_stats_free(held_o);
}

T_TEST(planted_weights_are_found)
{
    for (uint64_t seed = 0; seed < T_SEEDS(3); seed++)
        for (int k = 0; k < 4; k++) {
            layer l;
            double before, after;
            lop_reconstruction r;
            plant(&l, seed * 100);
            rows *s = rows_of(&l, seed * 100 + 10, k & 1 ? 1.5f : 0.0f);
            rows *held = k & 2 ? rows_of(&l, seed * 100 + 20, k & 1 ? 1.5f : 0.0f) : NULL;
            solve(s, k & 1, held, seed * 100 + 30, &before, &after, &r);
            if (before < 0.03 || after > 0.25 * before) fail_msg("case %d: %g before, %g after", k, before, after);
            lop_reconstruction_clear(&r);
            free(s);
            free(held);
        }
}

/* Targets that no weights give: what is not better is not taken. */
T_TEST(nothing_gets_worse)
{
    for (uint64_t seed = 0; seed < T_SEEDS(4); seed++) {
        layer l, other;
        double before, after;
        lop_reconstruction r;
        plant(&l, seed);
        plant(&other, seed + 1000);
        rows *s = rows_of(&l, seed + 10, 1), *held = rows_of(&other, seed + 20, 1);
        for (int i = 0; i < ROWS * N; i++) s->y[i] += 3 * noise(seed + 40, (uint64_t)i);
        solve(s, true, held, seed + 30, &before, &after, &r);
        assert_true(after <= before + 1e-6);
        lop_reconstruction_clear(&r);
        free(s);
        free(held);
    }
}

T_TEST(what_cannot_be_is_refused)
{
    layer l;
    plant(&l, 1);
    rows *s = rows_of(&l, 2, 0);
    lop_stats *sums, *kept = stats_of(s, false), *few, *beside = stats_of(s, true);
    lop_centred q, p;
    lop_reconstruction r = {0}, empty = {0};
    lop_error err;
    const lop_tensor w = {LOP_F32, {3, {N, C, TAPS}}, l.weight, NULL};
    t_ok(lop_stats_new(C, TAPS, N, &sums, &err), err);
    t_ok(lop_stats_add(sums, s->x, s->y, ROWS, NULL, &err), err);
    t_ok(lop_stats_new_rows(N, 1, N, 9, 3, false, &few, &err), err);
    t_ok(lop_stats_add(few, s->o, s->o, 20, NULL, &err), err);
    t_ok(lop_stats_centre(sums, &q, &err), err);
    t_ok(lop_stats_centre(kept, &p, &err), err);
    t_ok(lop_reconstruct(&p, NULL, &w, every, ALL, NULL, &r, &err), err);
    t_fails(lop_reconstruct_relu(&q, NULL, NULL, NULL, every, ALL, &r, &err), LOP_E_ARG, err, "keep no rows");
    t_fails(lop_reconstruct_relu(&p, NULL, sums, NULL, every, ALL, &r, &err), LOP_E_ARG, err, "held-out");
    t_fails(lop_reconstruct_relu(&p, few, NULL, NULL, every, ALL, &r, &err), LOP_E_SHAPE, err, "other rows");
    t_fails(lop_reconstruct_relu(&p, NULL, beside, NULL, every, ALL, &r, &err), LOP_E_SHAPE, err, "another layer");
    t_fails(lop_reconstruct_relu(&p, NULL, NULL, NULL, every, 2, &r, &err), LOP_E_SHAPE, err, "2 channels");
    t_fails(lop_reconstruct_relu(&p, NULL, NULL, NULL, every, ALL, &empty, &err), LOP_E_SHAPE, err, "4 channels");
    lop_reconstruction_clear(&r);
    lop_centred_clear(&q);
    lop_centred_clear(&p);
    lop_stats_free(sums);
    lop_stats_free(few);
    lop_stats_free(kept);
    lop_stats_free(beside);
    free(s);
}
T_MAIN(T(planted_weights_are_found), T(nothing_gets_worse), T(what_cannot_be_is_refused))

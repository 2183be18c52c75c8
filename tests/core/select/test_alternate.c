/* tests/core/select/test_alternate.c - the paper's alternation against the same loop done on the rows themselves: the
 * LASSO by plain coordinate descent on Z_i = X_i W_i^T, least squares by QR. */
#include "core/sample/layer.h"
#include "select/select.h"

enum { C = 7, TAPS = 2, N = 3, ROWS = 140, P = C * TAPS };

typedef struct {                /* the loop on rows */
    const t_layer *l;
    double beta[C], W[P * N];   /* W: a row a tap */
    int active;
} direct;

static void direct_normalise(direct *d)
{
    d->active = 0;
    for (int i = 0; i < C; i++) {
        double norm = 0;
        for (int k = i * TAPS * N; k < (i + 1) * TAPS * N; k++) norm += d->W[k] * d->W[k];
        d->beta[i] = sqrt(norm);
        for (int k = i * TAPS * N; norm > 0 && k < (i + 1) * TAPS * N; k++) d->W[k] /= d->beta[i];
        d->active += norm > 0;
    }
}

static void direct_begin(direct *d, const t_layer *l)
{
    d->l = l;
    for (int f = 0; f < N; f++)
        for (int i = 0; i < P; i++) d->W[i * N + f] = l->w[f * P + i];
    direct_normalise(d);
}

static void direct_beta(direct *d, double lambda)
{
    static double Z[C][ROWS * N], R[ROWS * N];
    double moved = 1;
    memcpy(R, d->l->Y, sizeof R);
    for (int i = 0; i < C; i++)
        for (int k = 0; k < ROWS * N; k++) {
            Z[i][k] = 0;
            for (int t = i * TAPS; t < (i + 1) * TAPS; t++) Z[i][k] += d->l->X[k / N * P + t] * d->W[t * N + k % N];
            R[k] -= d->beta[i] * Z[i][k];
        }
    for (int pass = 0; pass < 20000 && moved > 1e-13; pass++) {
        moved = 0;
        for (int i = 0; i < C; i++) {
            double zz = 0, zr = 0;
            if (d->beta[i] == 0 && d->W[i * TAPS * N] == 0) continue;
            for (int k = 0; k < ROWS * N; k++) {
                zz += Z[i][k] * Z[i][k];
                zr += Z[i][k] * R[k];
            }
            const double z = zr + zz * d->beta[i], t = lambda * ROWS;
            const double next = (z > t ? z - t : z < -t ? z + t : 0) / zz;
            for (int k = 0; k < ROWS * N; k++) R[k] -= (next - d->beta[i]) * Z[i][k];
            moved = fmax(moved, fabs(next - d->beta[i]));
            d->beta[i] = next;
        }
    }
}

static void direct_weights(direct *d)
{
    int64_t kept[C], count = 0;
    double V[P * N];
    for (int i = 0; i < C; i++)
        if (d->beta[i] != 0) kept[count++] = i;
    memset(d->W, 0, sizeof d->W);
    if (count > 0) t_least(d->l, kept, count, V);
    for (int64_t i = 0; i < count; i++)
        memcpy(d->W + kept[i] * TAPS * N, V + i * TAPS * N, TAPS * N * sizeof *V);
    direct_normalise(d);
}

static void direct_step(direct *d, double lambda)
{
    int before;
    do {
        before = d->active;
        direct_beta(d, lambda);
        direct_weights(d);
    } while (d->active < before);
}

static void init(const t_layer *l, lop_select_input *in, const lop_centred **q, const lop_tensor **w)
{
    *q = &l->q;
    *w = &l->weight;
    *in = (lop_select_input){.centred = q, .weight = w, .consumers = 1};
}

/* At each lambda as many are left as on the rows, and they are the same ones. */
T_TEST(sums_and_rows_drop_the_same_channels)
{
    int drops = 0;
    for (uint64_t seed = 0; seed < T_SEEDS(5); seed++) {
        t_layer *l = t_layer_new(C, TAPS, N, ROWS, seed, T_PLAIN);
        const lop_centred *q;
        const lop_tensor *w;
        lop_select_input in;
        lop_alternation *a;
        lop_error err;
        direct d;
        double top;
        init(l, &in, &q, &w);
        t_ok(lop_alternation_new(&in, &a, &err), err);
        direct_begin(&d, l);
        assert_int_equal(lop_alternation_active(a), C);
        t_ok(lop_alternation_top(a, &top, &err), err);
        for (double lambda = 0.02 * top; lop_alternation_active(a) > 0 && lambda < 1e3 * top; lambda *= 1.3) {
            const int before = d.active;
            lop_choice choice;
            direct_step(&d, lambda);
            t_ok(lop_alternation_step(a, lambda, &err), err);
            if (lop_alternation_active(a) != d.active)
                fail_msg("seed %d, lambda %g: %d left, %d on the rows", (int)seed, lambda,
                         (int)lop_alternation_active(a), d.active);
            drops += before - d.active;
            if (d.active == 0) break;
            t_ok(lop_alternation_choice(a, d.active, &choice, &err), err);
            assert_true(choice.lambda == lambda);
            for (int64_t i = 0; i < choice.count; i++) assert_true(d.beta[choice.channel[i]] != 0);
            lop_choice_clear(&choice);
        }
        assert_int_equal(lop_alternation_active(a), 0);
        lop_alternation_restart(a);
        assert_int_equal(lop_alternation_active(a), C);
        lop_alternation_free(a);
        t_layer_free(l);
    }
    assert_int_equal(drops, 5 * C * (int)(T_SEEDS(5) / 5));
}

/* What is missing is filled up by its correlation with what is left of the target; what is too much is cut by beta. */
T_TEST(choices_of_another_width_follow_their_definition)
{
    t_layer *l = t_layer_new(C, TAPS, N, ROWS, 3, T_PLAIN);
    const lop_centred *q;
    const lop_tensor *w;
    lop_select_input in;
    lop_alternation *a;
    lop_error err;
    lop_choice choice;
    direct d;
    double top, most = 0, least = INFINITY;
    int fills = -1, cuts = -1;
    init(l, &in, &q, &w);
    t_ok(lop_alternation_new(&in, &a, &err), err);
    direct_begin(&d, l);
    t_ok(lop_alternation_top(a, &top, &err), err);
    for (double lambda = 0.02 * top; d.active > 4; lambda *= 1.1) {
        direct_step(&d, lambda);
        t_ok(lop_alternation_step(a, lambda, &err), err);
    }
    assert_true(d.active > 1);
    for (int i = 0; i < C; i++) {
        double zz = 0, zr = 0;
        if (d.beta[i] != 0) {
            if (d.beta[i] < least) cuts = i;
            least = fmin(least, d.beta[i]);
            continue;
        }
        for (int k = 0; k < ROWS * N; k++) {
            double z = 0, r = l->Y[k];
            for (int t = 0; t < P; t++) r -= d.beta[t / TAPS] * d.W[t * N + k % N] * l->X[k / N * P + t];
            for (int t = i * TAPS; t < (i + 1) * TAPS; t++) z += l->X[k / N * P + t] * l->w[k % N * P + t];
            zz += z * z;
            zr += z * r;
        }
        if (fabs(zr) / sqrt(zz) > most) fills = i;
        most = fmax(most, fabs(zr) / sqrt(zz));
    }
    t_ok(lop_alternation_choice(a, d.active + 1, &choice, &err), err);
    for (int64_t i = 0; i < choice.count; i++)
        assert_true(d.beta[choice.channel[i]] != 0 || choice.channel[i] == fills);
    assert_int_equal(choice.count, d.active + 1);
    lop_choice_clear(&choice);
    t_ok(lop_alternation_choice(a, d.active - 1, &choice, &err), err);
    for (int64_t i = 0; i < choice.count; i++)
        assert_true(d.beta[choice.channel[i]] != 0 && choice.channel[i] != cuts);
    lop_choice_clear(&choice);
    t_fails(lop_alternation_choice(a, 0, &choice, &err), LOP_E_ARG, err, "width = 0: 1 to 7");
    t_fails(lop_alternation_step(a, -1, &err), LOP_E_ARG, err, "lambda = -1");
    t_fails(lop_alternation_step(a, NAN, &err), LOP_E_ARG, err, "lambda = ");
    lop_alternation_free(a);
    t_layer_free(l);
}

static int stop(void *context, const char *what, int64_t done, int64_t total)
{
    assert_string_equal(what, "lasso-alternating");
    assert_true(done <= total);
    return ++*(int *)context == 4;
}

/* Two consumers of the same channels, one of them twice: the same as one; and a callback stops it. */
T_TEST(consumers_share_beta_and_progress_stops)
{
    t_layer *l = t_layer_new(C, TAPS, N, ROWS, 5, T_PLAIN);
    const lop_centred *q[2] = {&l->q, &l->q};
    const lop_tensor *w[2] = {&l->weight, &l->weight};
    lop_select_input one = {.centred = q, .weight = w, .consumers = 1}, two = one;
    int calls = 0;
    const lop_progress progress = {stop, &calls};
    lop_choice a, b;
    lop_error err;
    two.consumers = 2;
    for (int64_t width = 1; width < C; width++) {
        t_ok(lop_select(&one, LOP_SELECT_ALTERNATING, width, &a, &err), err);
        t_ok(lop_select(&two, LOP_SELECT_ALTERNATING, width, &b, &err), err);
        assert_memory_equal(a.channel, b.channel, (size_t)width * sizeof *a.channel);
        lop_choice_clear(&a);
        lop_choice_clear(&b);
    }
    one.progress = &progress;
    t_fails(lop_select(&one, LOP_SELECT_ALTERNATING, 2, &a, &err), LOP_E_INTERRUPTED, err,
            "lasso-alternating: interrupted");
    assert_null(a.channel);
    t_layer_free(l);
}

T_MAIN(T(sums_and_rows_drop_the_same_channels), T(choices_of_another_width_follow_their_definition),
       T(consumers_share_beta_and_progress_stops))

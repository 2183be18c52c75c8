/* tests/core/select/test_select.c - greedy methods against a fresh least squares on the rows for every candidate;
 * widths. */
#include "core/sample/layer.h"
#include "select/select.h"

enum { MOST = 4 };
typedef struct {
    t_layer *l[MOST];
    const lop_centred *q[MOST];
    const lop_tensor *w[MOST];
    lop_select_input in;
} setting;

static setting *setting_new(int64_t consumers, int64_t c, int64_t taps, int64_t n, int64_t rows, uint64_t seed,
                            int traits)
{
    setting *s = lop_array(1, sizeof *s, NULL);
    for (int64_t k = 0; k < consumers; k++) {
        s->l[k] = t_layer_new(c, taps, n + k, rows, 100 * seed + (uint64_t)k, traits);
        s->q[k] = &s->l[k]->q;
        s->w[k] = &s->l[k]->weight;
    }
    s->in = (lop_select_input){.centred = s->q, .weight = s->w, .consumers = consumers};
    return s;
}

static void setting_free(setting *s)
{
    for (int64_t k = 0; k < s->in.consumers; k++) t_layer_free(s->l[k]);
    lop_free(s);
}

/* N D of a channel, from the rows. */
static double power(const t_layer *l, int64_t channel)
{
    double sum = 0;
    for (int64_t r = 0; r < l->rows; r++)
        for (int64_t t = channel * l->taps; t < (channel + 1) * l->taps; t++)
            sum += l->X[r * l->p + t] * l->X[r * l->p + t];
    return sum / (double)l->taps;
}

/* The ridge as rows: sqrt(ridge N D_j) (W_j - W0_j) below X W - Y. *penalised is the whole minimum, with what the
 * absent channels pay; returns |Y - X W|^2 alone. */
static double ridged(const t_layer *l, const int64_t *channel, int64_t count, double ridge, double *penalised)
{
    const int64_t m = count * l->taps, rows = l->rows + m;
    double *A = t_columns(l, channel, count, m), *B = lop_array(rows * l->n, sizeof *B, NULL);
    double *W = lop_array(m + 1, (size_t)l->n * sizeof *W, NULL), error = 0, absent = 0;
    memcpy(B, l->Y, (size_t)(l->rows * l->n) * sizeof *B);
    for (int64_t j = 0; j < l->c; j++) {
        const double pull = ridge * power(l, j);
        int64_t place = -1;
        for (int64_t k = 0; k < count; k++) place = channel[k] == j ? k : place;
        for (int64_t t = 0; t < l->taps; t++)
            for (int64_t f = 0; f < l->n; f++) {
                const double w0 = l->w[f * l->p + j * l->taps + t];
                const int64_t i = place * l->taps + t;
                if (place < 0) absent += pull * w0 * w0;
                else B[(l->rows + i) * l->n + f] = sqrt(pull) * w0;
                if (place >= 0) A[(l->rows + i) * m + i] = sqrt(pull);
            }
    }
    *penalised = t_qr(rows, m, l->n, A, B, W) + absent;
    for (int64_t r = 0; r < l->rows; r++)
        for (int64_t f = 0; f < l->n; f++) {
            double d = l->Y[r * l->n + f];
            for (int64_t i = 0; i < m; i++)
                d -= l->X[r * l->p + channel[i / l->taps] * l->taps + i % l->taps] * W[i * l->n + f];
            error += d * d;
        }
    lop_free(A);
    lop_free(B);
    lop_free(W);
    return error;
}

/* Mean relative error over consumers; *objective likewise of the penalised one. */
static double fresh(const setting *s, const int64_t *channel, int64_t count, double *objective)
{
    double error = 0;
    *objective = 0;
    for (int64_t k = 0; k < s->in.consumers; k++) {
        double penalised;
        const double scale = s->l[k]->energy * (double)s->in.consumers;
        error += ridged(s->l[k], channel, count, s->in.ridge, &penalised) / scale;
        *objective += penalised / scale;
    }
    return error;
}

static int64_t without(const int64_t *from, int64_t count, int64_t channel, int64_t *to)
{
    int64_t left = 0;
    for (int64_t i = 0; i < count; i++)
        if (from[i] != channel) to[left++] = from[i];
    return left;
}

/* Each step of the curve must be the one that brute force would take, at the error that a fresh solution has. */
static void check_elimination(const setting *s, const lop_curve *curve)
{
    int64_t kept[32], rest[32], count = curve->c;
    double objective, before;
    for (int64_t i = 0; i < count; i++) kept[i] = i;
    double error = fresh(s, kept, count, &before);
    assert_true(fabs(error - curve->error[count]) < 1e-9);
    for (int64_t step = 0; step < curve->c; step++) {
        double least = INFINITY, mine = NAN;
        for (int64_t i = 0; i < count; i++) {
            without(kept, count, kept[i], rest);
            fresh(s, rest, count - 1, &objective);
            objective = (objective - before) / (s->in.cost ? s->in.cost[kept[i]] : 1.0);
            least = fmin(least, objective);
            if (kept[i] == curve->order[step]) mine = objective;
        }
        if (!(mine <= least + 1e-9))
            fail_msg("step %d: #%d raises by %g, the least is %g", (int)step, (int)curve->order[step], mine, least);
        count = without(kept, count, curve->order[step], rest);
        memcpy(kept, rest, sizeof kept);
        error = fresh(s, kept, count, &before);
        if (fabs(error - curve->error[count]) > 1e-9) fail_msg("width %d: error %.12g, %.12g expected", (int)count,
                                                               curve->error[count], error);
    }
}

T_TEST(elimination_is_exact_at_every_width)
{
    static const struct { int64_t consumers, c, taps, n, rows; double ridge; bool cost; } cases[] = {
                 {1, 8, 1, 3, 60, 0, false},    {1, 7, 3, 4, 90, 0, false}, {1, 7, 3, 4, 90, 1e-3, false},
                 {2, 6, 2, 3, 70, 1e-2, false}, {3, 6, 2, 3, 70, 0, true},  {1, 1, 4, 2, 30, 0, false},
                 {1, 7, 3, 20, 90, 0, true},    {1, 6, 4, 30, 90, 1e-2, false}, {2, 7, 3, 7, 90, 1e-3, false}};
    for (size_t k = 0; k < T_COUNT(cases); k++)
        for (uint64_t seed = 0; seed < T_SEEDS(3); seed++) {
            setting *s =
                setting_new(cases[k].consumers, cases[k].c, cases[k].taps, cases[k].n, cases[k].rows, seed, T_PLAIN);
            const double cost[] = {9, 1, 9, 1, 4, 4, 1, 9};
            lop_curve curve;
            lop_error err;
            s->in.ridge = cases[k].ridge;
            s->in.cost = cases[k].cost ? cost : NULL;
            t_ok(lop_select_curve(&s->in, LOP_SELECT_ELIMINATION, &curve, &err), err);
            check_elimination(s, &curve);
            assert_true(fabs(curve.error[0] - 1) < 1e-12);
            lop_curve_clear(&curve);
            setting_free(s);
        }
}

/* Past 32 delayed downdates and several refactorings, with twins that a small ridge keeps apart; few filters and many,
 * of which not the weights but their products are followed. */
static void check_long(int64_t c, int64_t n, int64_t rows, int traits, double ridge)
{
    const int64_t widths[] = {c, c - 1, c - 32, c - 33, c - 63, c - 64, c - 65, c / 4, 10, 1};
    setting *s = setting_new(1, c, 1, n, rows, 7, traits);
    lop_curve curve;
    lop_error err;
    s->in.ridge = ridge;
    t_ok(lop_select_curve(&s->in, LOP_SELECT_ELIMINATION, &curve, &err), err);
    for (size_t i = 0; i < T_COUNT(widths); i++) {
        double objective;
        const double error = fresh(s, curve.order + c - widths[i], widths[i], &objective);
        if (fabs(error - curve.error[widths[i]]) > 1e-8)
            fail_msg("%d channels, %d filters, traits %d, width %d: %.12g, %.12g expected", (int)c, (int)n, traits,
                     (int)widths[i], curve.error[widths[i]], error);
    }
    lop_curve_clear(&curve);
    setting_free(s);
}

T_TEST(long_eliminations_stay_exact)
{
    for (int64_t n = 5; n <= 40; n += 35)
        for (int traits = T_PLAIN; traits <= T_TWINS; traits++) check_long(150, n, 400, traits, traits ? 1e-6 : 0);
    check_long(350, 50, 250, T_TWINS, 1e-4);            /* half of these is more than 64 */
    check_long(350, 5, 500, T_TWINS, 1e-6);
}

T_TEST(an_order_is_the_curves)
{
    static const lop_select_method methods[] = {LOP_SELECT_ELIMINATION, LOP_SELECT_FORWARD, LOP_SELECT_THINET,
                                                LOP_SELECT_L2};
    for (size_t k = 0; k < T_COUNT(methods); k++)
        for (int64_t n = 3; n <= 23; n += 20) {
            setting *s = setting_new(2, 12, 2, n, 80, 5, T_PLAIN);
            lop_curve curve;
            lop_error err;
            int64_t order[12];
            s->in.ridge = 1e-3;
            t_ok(lop_select_curve(&s->in, methods[k], &curve, &err), err);
            t_ok(lop_select_order(&s->in, methods[k], order, &err), err);
            assert_memory_equal(order, curve.order, sizeof order);
            lop_curve_clear(&curve);
            t_fails(lop_select_order(&s->in, LOP_SELECT_LASSO, order, &err), LOP_E_ARG, err, "not nested");
            setting_free(s);
        }
}

T_TEST(forward_adds_what_lowers_the_error_most)
{
    for (uint64_t seed = 0; seed < T_SEEDS(3); seed++) {
        setting *s = setting_new(1 + (int64_t)seed % 2, 8, 2, seed > 1 ? 9 : 3, 80, seed, T_PLAIN);
        lop_curve curve;
        lop_error err;
        int64_t kept[8], count = 0;
        double objective, before;
        s->in.ridge = seed % 3 ? 1e-3 : 0;
        t_ok(lop_select_curve(&s->in, LOP_SELECT_FORWARD, &curve, &err), err);
        fresh(s, kept, 0, &before);
        for (; count < 8; count++) {
            double most = -INFINITY, mine = NAN;
            for (int64_t j = 0; j < 8; j++) {
                bool in = false;
                for (int64_t i = 0; i < count; i++) in = in || kept[i] == j;
                if (in) continue;
                kept[count] = j;
                fresh(s, kept, count + 1, &objective);
                most = fmax(most, before - objective);
                if (j == curve.order[7 - count]) mine = before - objective;
            }
            if (!(mine >= most - 1e-9))
                fail_msg("seed %d, step %d: %g, %g possible", (int)seed, (int)count, mine, most);
            kept[count] = curve.order[7 - count];
            const double error = fresh(s, kept, count + 1, &before);
            assert_true(fabs(error - curve.error[count + 1]) < 1e-9);
        }
        lop_curve_clear(&curve);
        setting_free(s);
    }
}

T_TEST(every_method_delivers_the_width_asked_for)
{
    static const char *const methods[] = {"elimination", "forward", "lasso", "thinet", "response", "l1", "l2",
                                          "fpgm", "first", "random", "score", "apoz", "lasso-alternating"};
    for (int traits = 0; traits < 4; traits++)
        for (uint64_t seed = 0; seed < T_SEEDS(2); seed++) {
            setting *s = setting_new(1 + (int64_t)seed % 2, 9, 2, 3, 80, seed, traits);
            const double score[9] = {5, 4, 4, 9, 1, 2, 2, 2, 7};
            s->in.ridge = 1e-5;
            s->in.score = score;
            for (size_t k = 0; k < T_COUNT(methods); k++)
                for (int64_t width = 1; width <= 9; width++) {
                    lop_select_method method;
                    lop_choice choice;
                    lop_error err;
                    t_ok(lop_select_method_of(methods[k], &method, &err), err);
                    assert_string_equal(lop_select_method_name(method), methods[k]);
                    t_ok(lop_select(&s->in, method, width, &choice, &err), err);
                    assert_int_equal(choice.count, width);
                    for (int64_t i = 0; i < width; i++)
                        assert_true(choice.channel[i] >= 0 && choice.channel[i] < 9 &&
                                    (i == 0 || choice.channel[i] > choice.channel[i - 1]));
                    const bool looks = k < 5, kept_last = choice.channel[width - 1] == 8;
                    if (traits & T_DEAD && looks && width < 9 && kept_last && method != LOP_SELECT_RESPONSE)
                        fail_msg("%s keeps a dead channel at width %d", methods[k], (int)width);
                    lop_choice_clear(&choice);
                }
            setting_free(s);
        }
}

/* Every channel a constant, the target too: nothing to learn, and still a choice of the width asked for. */
T_TEST(a_layer_of_constants_is_survived)
{
    setting *s = setting_new(1, 5, 2, 3, 40, 1, T_PLAIN);
    t_layer *l = s->l[0];
    lop_error err;
    for (int64_t i = 0; i < l->rows * l->p; i++) l->x[i] = 0.1f;
    for (int64_t i = 0; i < l->rows * l->n; i++) l->y[i] = 0.3f;
    lop_centred_clear(&l->q);
    lop_stats_free(l->stats);
    t_ok(lop_stats_new(5, 2, 3, &l->stats, &err), err);
    t_ok(lop_stats_add(l->stats, l->x, l->y, l->rows, NULL, &err), err);
    t_ok(lop_stats_centre(l->stats, &l->q, &err), err);
    for (int method = LOP_SELECT_ELIMINATION; method < LOP_SELECT_SCORE; method++)
        for (int64_t width = 1; width <= 5; width++) {
            lop_choice choice;
            t_ok(lop_select(&s->in, (lop_select_method)method, width, &choice, &err), err);
            assert_int_equal(choice.count, width);
            lop_choice_clear(&choice);
        }
    setting_free(s);
}

T_TEST(rankings_are_those_of_their_definitions)
{
    float filter[4 * 2] = {1, -1, 3, 0, 0, 0.5f, 1, 2.5f};
    const lop_tensor producer = {LOP_F32, {2, {4, 2}}, filter, NULL};
    static const struct { lop_select_method method; int64_t kept[2]; } cases[] = {
        {LOP_SELECT_L1, {1, 3}}, {LOP_SELECT_L2, {1, 3}}, {LOP_SELECT_FPGM, {1, 3}}, {LOP_SELECT_FIRST, {0, 1}},
        {LOP_SELECT_SCORE, {0, 2}}};
    const double score[4] = {2, 1, 3, 2};
    setting *s = setting_new(1, 4, 1, 2, 40, 1, T_PLAIN);
    s->in.producer = &producer;
    s->in.score = score;
    for (size_t k = 0; k < T_COUNT(cases); k++) {
        lop_choice choice;
        lop_error err;
        t_ok(lop_select(&s->in, cases[k].method, 2, &choice, &err), err);
        if (memcmp(choice.channel, cases[k].kept, sizeof cases[k].kept) != 0)
            fail_msg("case %zu keeps #%d, #%d", k, (int)choice.channel[0], (int)choice.channel[1]);
        lop_choice_clear(&choice);
    }
    setting_free(s);
}

/* ThiNet by brute force on rows: each step drops the channel that leaves |sum over dropped of Z_i|^2 least. */
T_TEST(thinet_is_greedy_on_the_rows)
{
    setting *s = setting_new(1, 7, 2, 3, 60, 4, T_PLAIN);
    const t_layer *l = s->l[0];
    lop_curve curve;
    lop_error err;
    bool gone[7] = {false};
    t_ok(lop_select_curve(&s->in, LOP_SELECT_THINET, &curve, &err), err);
    for (int64_t step = 0; step < 7; step++) {
        double least = INFINITY;
        int64_t drop = -1;
        for (int64_t j = 0; j < 7; j++) {
            double sum = 0;
            for (int64_t r = 0; r < l->rows && !gone[j]; r++)
                for (int64_t f = 0; f < l->n; f++) {
                    double z = 0;
                    for (int64_t t = 0; t < l->p; t++)
                        if (gone[t / l->taps] || t / l->taps == j) z += l->X[r * l->p + t] * l->w[f * l->p + t];
                    sum += z * z;
                }
            if (!gone[j] && sum < least) {
                least = sum;
                drop = j;
            }
        }
        assert_int_equal(curve.order[step], drop);
        gone[drop] = true;
    }
    lop_curve_clear(&curve);
    setting_free(s);
}

/* Sampled rows hold zeros: the three channels that hold least stay. */
T_TEST(apoz_counts_zeros)
{
    setting *s = setting_new(1, 6, 2, 3, 200, 9, T_PLAIN);
    const t_layer *l = s->l[0];
    lop_choice choice;
    lop_error err;
    int64_t zeros[6] = {0};
    for (int64_t i = 0; i < l->rows * l->p; i++) zeros[i % l->p / l->taps] += l->x[i] == 0;
    t_ok(lop_select(&s->in, LOP_SELECT_APOZ, 3, &choice, &err), err);
    for (int64_t i = 0; i < 6; i++) {
        int64_t fewer = 0;
        bool kept = false;
        for (int64_t j = 0; j < 6; j++) fewer += zeros[j] < zeros[i] || (zeros[j] == zeros[i] && j < i);
        for (int64_t k = 0; k < 3; k++) kept = kept || choice.channel[k] == i;
        assert_int_equal(kept, fewer < 3);
    }
    lop_choice_clear(&choice);
    setting_free(s);
}

/* With channels that stay: they do, in every method and in a swap; elimination drops what brute force would drop. */
T_TEST(what_stays_stays)
{
    static const bool stay[8] = {false, true, false, false, false, true, false, false};
    const double score[8] = {5, 0, 4, 9, 1, 0, 2, 2};
    for (uint64_t seed = 0; seed < T_SEEDS(2); seed++) {
        setting *s = setting_new(1 + (int64_t)seed % 2, 8, 2, 3, 90, seed, T_PLAIN);
        lop_choice choice;
        lop_curve curve;
        lop_error err;
        s->in.ridge = 1e-5;
        s->in.stay = stay;
        s->in.score = score;
        for (int method = LOP_SELECT_ELIMINATION; method <= LOP_SELECT_SCORE; method++)
            for (int64_t width = 2; width <= 8; width++) {
                int64_t held = 0;
                t_ok(lop_select(&s->in, (lop_select_method)method, width, &choice, &err), err);
                for (int pass = 0; pass < 2; pass++, held = 0) {
                    assert_int_equal(choice.count, width);
                    for (int64_t i = 0; i < width; i++) held += stay[choice.channel[i]];
                    if (held != 2)
                        fail_msg("%s, width %d: %d of 2 stay", lop_select_method_name((lop_select_method)method),
                                 (int)width, (int)held);
                    if (pass == 0) t_ok(lop_select_swap(&s->in, &choice, NULL, &err), err);
                }
                lop_choice_clear(&choice);
            }
        t_fails(lop_select(&s->in, LOP_SELECT_FIRST, 1, &choice, &err), LOP_E_ARG, err, "width = 1: more channels");
        t_ok(lop_select_curve(&s->in, LOP_SELECT_ELIMINATION, &curve, &err), err);
        double least = INFINITY, objective;
        int64_t all[8] = {0, 1, 2, 3, 4, 5, 6, 7}, rest[8], drop = -1;
        for (int64_t j = 0; j < 8; j++) {
            without(all, 8, j, rest);
            fresh(s, rest, 7, &objective);
            if (!stay[j] && objective < least) drop = j;
            if (!stay[j]) least = fmin(least, objective);
        }
        assert_int_equal(curve.order[0], drop);
        assert_true(stay[curve.order[6]] && stay[curve.order[7]]);
        lop_curve_clear(&curve);
        setting_free(s);
    }
}

T_TEST(swaps_lower_the_error_until_none_does)
{
    int64_t total = 0;
    for (uint64_t seed = 0; seed < T_SEEDS(6); seed++) {
        setting *s = setting_new(1 + (int64_t)seed % 2, 8, 2, 3, 80, seed, T_PLAIN);
        lop_choice choice;
        lop_error err;
        double before, after, objective;
        int64_t swaps, again, rest[8];
        s->in.ridge = seed % 3 ? 1e-3 : 0;
        t_ok(lop_select(&s->in, LOP_SELECT_FIRST, 4, &choice, &err), err);
        fresh(s, choice.channel, 4, &before);
        t_ok(lop_select_swap(&s->in, &choice, &swaps, &err), err);
        fresh(s, choice.channel, 4, &after);
        assert_true(choice.count == 4 && swaps <= 4 && (swaps ? after < before : after == before));
        for (int i = 1; i < 4; i++) assert_true(choice.channel[i] > choice.channel[i - 1]);
        t_ok(lop_select_swap(&s->in, &choice, &again, &err), err);
        if (swaps < 4) assert_int_equal(again, 0);
        /* The end, by brute force: leave the cheapest out, and nothing that comes in for it is better. */
        double least = INFINITY;
        int64_t out = -1;
        for (int i = 0; i < 4; i++) {
            without(choice.channel, 4, choice.channel[i], rest);
            fresh(s, rest, 3, &objective);
            if (objective < least) out = choice.channel[i];
            least = fmin(least, objective);
        }
        fresh(s, choice.channel, 4, &after);
        without(choice.channel, 4, out, rest);
        for (rest[3] = 0; rest[3] < 8 && swaps < 4; rest[3]++) {
            bool in = false;
            for (int i = 0; i < 4; i++) in = in || choice.channel[i] == rest[3];
            if (in) continue;
            fresh(s, rest, 4, &objective);
            if (objective < after - 1e-7)
                fail_msg("seed %d: #%d for #%d would be better", (int)seed, (int)rest[3], (int)out);
        }
        total += swaps;
        lop_choice_clear(&choice);
        setting_free(s);
    }
    assert_true(total > 0);
}

T_TEST(what_is_wrong_is_named)
{
    setting *s = setting_new(1, 6, 2, 3, 80, 1, T_TWINS);
    lop_error err;
    lop_choice choice;
    lop_curve curve;
    lop_select_method method;
    const double cost[6] = {1, 1, 0, 1, 1, 1}, score[6] = {1, NAN, 1, 1, 1, 1};
    t_fails(lop_select_method_of("lass", &method, &err), LOP_E_ARG, err, "'lass': elimination, forward, lasso");
    t_fails(lop_select(&s->in, LOP_SELECT_ELIMINATION, 3, &choice, &err), LOP_E_NUMERIC, err,
            "singular at ridge = 0: raise");
    t_fails(lop_select(&s->in, LOP_SELECT_FIRST, 7, &choice, &err), LOP_E_ARG, err, "width = 7: 1 to 6");
    t_fails(lop_select(&s->in, LOP_SELECT_SCORE, 3, &choice, &err), LOP_E_ARG, err, "score: one number a channel (6)");
    t_fails(lop_select_curve(&s->in, LOP_SELECT_LASSO, &curve, &err), LOP_E_ARG, err, "not nested");
    t_fails(lop_select(&s->in, LOP_SELECT_ALTERNATING, 3, &choice, &err), LOP_E_NUMERIC, err, "singular at ridge = 0");
    s->in.score = score;
    t_fails(lop_select(&s->in, LOP_SELECT_SCORE, 3, &choice, &err), LOP_E_NUMERIC, err, "score of channel #1");
    s->in.cost = cost;
    t_fails(lop_select(&s->in, LOP_SELECT_FORWARD, 3, &choice, &err), LOP_E_ARG, err, "cost of channel #2");
    s->in.cost = NULL;
    s->in.ridge = -1;
    t_fails(lop_select(&s->in, LOP_SELECT_FORWARD, 3, &choice, &err), LOP_E_ARG, err, "ridge = -1");
    s->in.producer = s->w[0];
    t_fails(lop_select(&s->in, LOP_SELECT_L1, 3, &choice, &err), LOP_E_SHAPE, err, "producer is float32 3x6x2");
    s->in.consumers = 0;
    t_fails(lop_select(&s->in, LOP_SELECT_L1, 3, &choice, &err), LOP_E_ARG, err, "0 consumers");
    assert_null(choice.channel);
    s->in.consumers = 1;
    setting_free(s);
}

T_MAIN(T(elimination_is_exact_at_every_width), T(long_eliminations_stay_exact), T(an_order_is_the_curves),
       T(forward_adds_what_lowers_the_error_most), T(every_method_delivers_the_width_asked_for),
       T(a_layer_of_constants_is_survived), T(rankings_are_those_of_their_definitions), T(thinet_is_greedy_on_the_rows),
       T(apoz_counts_zeros), T(what_stays_stays), T(swaps_lower_the_error_until_none_does), T(what_is_wrong_is_named))

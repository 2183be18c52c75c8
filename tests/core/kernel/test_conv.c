/* tests/core/kernel/test_conv.c - convolution on every path of this machine, against a chain of multiply-adds in the
 * promised order (to the bit) and a float64 loop. All blocks have their exact size: sanitizers see every step past. */
#include "support/t.h"
#include "kernel/kernel.h"
#include <math.h>

static const lop_cpu paths[] = {LOP_CPU_PORTABLE, LOP_CPU_AVX2, LOP_CPU_AVX512, LOP_CPU_NEON};

typedef struct {
    lop_conv v;
    float *x, *w, *bias, *add, *y, *want;
    double *exact, *scale;      /* the sum, and the sum of magnitudes */
    int64_t nx, nw, ny;
} t_conv;

static float *noise(int64_t n, uint64_t seed, uint64_t stream)
{
    float *p = malloc((size_t)n * sizeof *p);
    assert_non_null(p);
    for (int64_t i = 0; i < n; i++) p[i] = (float)lop_random_normal(seed, stream, (uint64_t)i);
    return p;
}

static void shape(lop_conv *v)
{
    v->oh = (v->h + v->pad[0] + v->pad[2] - v->dilation[0] * (v->kh - 1) - 1) / v->stride[0] + 1;
    v->ow = (v->w + v->pad[1] + v->pad[3] - v->dilation[1] * (v->kw - 1) - 1) / v->stride[1] + 1;
}

static bool fits(const lop_conv *v)
{
    return v->h + v->pad[0] + v->pad[2] > v->dilation[0] * (v->kh - 1) &&
           v->w + v->pad[1] + v->pad[3] > v->dilation[1] * (v->kw - 1);
}

static void reference(t_conv *q, int64_t f, int64_t oy, int64_t ox, bool fused)
{
    const lop_conv *v = &q->v;
    const int64_t channels = v->c / v->group, first = f / (v->n / v->group) * channels;
    const int64_t at = (f * v->oh + oy) * v->ow + ox;
    float sum = 0.0f;
    double exact = 0.0, scale = 0.0;
    for (int64_t i = 0; i < channels; i++)
        for (int64_t ky = 0; ky < v->kh; ky++)
            for (int64_t kx = 0; kx < v->kw; kx++) {
                const int64_t y = oy * v->stride[0] + ky * v->dilation[0] - v->pad[0];
                const int64_t x = ox * v->stride[1] + kx * v->dilation[1] - v->pad[1];
                if (y < 0 || y >= v->h || x < 0 || x >= v->w) continue;
                const float a = q->w[((f * channels + i) * v->kh + ky) * v->kw + kx];
                const float b = q->x[((first + i) * v->h + y) * v->w + x];
                sum = fused ? fmaf(a, b, sum) : a * b + sum;
                exact += (double)a * (double)b;
                scale += fabs((double)a * (double)b);
            }
    q->want[at] = sum;
    q->exact[at] = exact;
    q->scale[at] = scale;
}

static t_conv *t_conv_new(const lop_conv *v, uint64_t seed)
{
    t_conv *q = calloc(1, sizeof *q);
    assert_non_null(q);
    q->v = *v;
    shape(&q->v);
    q->nx = v->c * v->h * v->w;
    q->nw = v->n * (v->c / v->group) * v->kh * v->kw;
    q->ny = v->n * q->v.oh * q->v.ow;
    q->x = noise(q->nx, seed, 1);
    q->w = noise(q->nw, seed, 2);
    q->bias = noise(v->n, seed, 3);
    q->add = noise(q->ny, seed, 4);
    q->y = malloc((size_t)q->ny * sizeof *q->y);
    q->want = malloc((size_t)q->ny * sizeof *q->want);
    q->exact = malloc((size_t)q->ny * sizeof *q->exact);
    q->scale = malloc((size_t)q->ny * sizeof *q->scale);
    assert_true(q->y && q->want && q->exact && q->scale);
    return q;
}

static void t_conv_free(t_conv *q)
{
    free(q->x);
    free(q->w);
    free(q->bias);
    free(q->add);
    free(q->y);
    free(q->want);
    free(q->exact);
    free(q->scale);
    free(q);
}

static void run(t_conv *q, lop_cpu cpu, const lop_epilogue *e, lop_team *team)
{
    lop_conv_plan *plan;
    lop_error err;
    t_ok(lop_conv_plan_new(&q->v, q->w, cpu, &plan, &err), err);
    void *scratch = NULL;
    const size_t bytes = lop_conv_scratch(plan);
    if (bytes > 0) assert_int_equal(posix_memalign(&scratch, 64, bytes), 0);
    if (scratch) memset(scratch, 0xff, bytes);          /* NaN: what is read must have been written */
    lop_conv_run(plan, q->x, e, scratch, team, q->y);
    free(scratch);
    lop_conv_plan_free(plan);
}

static void print_case(const lop_conv *v, lop_cpu cpu)
{
    print_message("%s: c %d h %d w %d n %d kernel %dx%d stride %d %d pad %d %d %d %d dilation %d %d group %d\n",
                  lop_cpu_name(cpu), (int)v->c, (int)v->h, (int)v->w, (int)v->n, (int)v->kh, (int)v->kw,
                  (int)v->stride[0], (int)v->stride[1], (int)v->pad[0], (int)v->pad[1], (int)v->pad[2],
                  (int)v->pad[3], (int)v->dilation[0], (int)v->dilation[1], (int)v->group);
}

static void check(t_conv *q, lop_cpu cpu)
{
    for (int64_t f = 0; f < q->v.n; f++)
        for (int64_t y = 0; y < q->v.oh; y++)
            for (int64_t x = 0; x < q->v.ow; x++) reference(q, f, y, x, cpu != LOP_CPU_PORTABLE);
    memset(q->y, 0xff, (size_t)q->ny * sizeof *q->y);
    run(q, cpu, &(lop_epilogue){0}, NULL);
    for (int64_t i = 0; i < q->ny; i++) {
        const bool near = fabs((double)q->y[i] - q->exact[i]) <= 1e-5 * q->scale[i];
        if (near && q->y[i] == q->want[i]) continue;
        print_case(&q->v, cpu);
        fail_msg("output #%d: %.9g, %.9g expected", (int)i, (double)q->y[i], (double)q->want[i]);
    }
}

static void check_all(const lop_conv *v, uint64_t seed)
{
    t_conv *q = t_conv_new(v, seed);
    for (size_t k = 0; k < T_COUNT(paths); k++)
        if (lop_cpu_runs(paths[k])) check(q, paths[k]);
    t_conv_free(q);
}

/* c, h, w, n, oh, ow (computed), kh, kw, stride, pad (top, left, bottom, right), dilation, group */
static const lop_conv cases[] = {
    {1, 1, 1, 1, 0, 0, 1, 1, {1, 1}, {0, 0, 0, 0}, {1, 1}, 1},             /* one number */
    {16, 32, 32, 16, 0, 0, 3, 3, {1, 1}, {1, 1, 1, 1}, {1, 1}, 1},         /* ResNet-56 */
    {16, 32, 32, 32, 0, 0, 3, 3, {2, 2}, {1, 1, 1, 1}, {1, 1}, 1},
    {32, 16, 16, 32, 0, 0, 3, 3, {1, 1}, {1, 1, 1, 1}, {1, 1}, 1},
    {64, 8, 8, 64, 0, 0, 3, 3, {1, 1}, {1, 1, 1, 1}, {1, 1}, 1},
    {3, 7, 8, 13, 0, 0, 3, 3, {1, 1}, {1, 1, 1, 1}, {1, 1}, 1},            /* an odd number of half-vector rows */
    {3, 60, 61, 10, 0, 0, 7, 7, {2, 2}, {0, 0, 0, 0}, {1, 1}, 1},          /* the first layer of squeezenet */
    {3, 61, 60, 10, 0, 0, 7, 7, {2, 2}, {3, 3, 3, 3}, {1, 1}, 1},
    {24, 27, 27, 9, 0, 0, 1, 1, {1, 1}, {0, 0, 0, 0}, {1, 1}, 1},
    {24, 27, 27, 9, 0, 0, 1, 1, {2, 2}, {0, 0, 0, 0}, {1, 1}, 1},
    {24, 3, 5, 9, 0, 0, 1, 1, {1, 1}, {0, 0, 0, 0}, {1, 1}, 1},            /* fewer pixels than a vector */
    {24, 4, 4, 9, 0, 0, 1, 1, {1, 1}, {0, 0, 0, 0}, {1, 1}, 1},            /* exactly one */
    {40, 1, 1, 33, 0, 0, 1, 1, {1, 1}, {0, 0, 0, 0}, {1, 1}, 1},
    {5, 14, 14, 11, 0, 0, 3, 3, {1, 1}, {0, 0, 0, 0}, {1, 1}, 1},          /* in place: no padding */
    {5, 14, 14, 11, 0, 0, 3, 3, {1, 1}, {0, 0, 0, 0}, {3, 2}, 1},
    {5, 14, 14, 11, 0, 0, 3, 3, {1, 1}, {2, 0, 1, 3}, {1, 1}, 1},          /* asymmetric */
    {5, 14, 14, 11, 0, 0, 3, 3, {2, 3}, {0, 3, 1, 0}, {2, 1}, 1},
    {2, 5, 5, 3, 0, 0, 3, 3, {3, 3}, {4, 4, 4, 4}, {1, 1}, 1},             /* windows wholly in the padding */
    {2, 5, 5, 3, 0, 0, 2, 2, {1, 1}, {0, 9, 0, 0}, {1, 1}, 1},
    {2, 5, 5, 3, 0, 0, 2, 2, {1, 1}, {0, 0, 0, 9}, {1, 1}, 1},
    {2, 5, 5, 3, 0, 0, 2, 2, {4, 4}, {0, 0, 9, 9}, {1, 1}, 1},
    {3, 9, 9, 4, 0, 0, 1, 3, {1, 1}, {0, 1, 0, 1}, {1, 1}, 1},
    {3, 9, 9, 4, 0, 0, 5, 1, {1, 1}, {2, 0, 2, 0}, {1, 1}, 1},
    {3, 12, 12, 4, 0, 0, 3, 3, {2, 2}, {2, 2, 2, 2}, {2, 2}, 1},           /* one phase of four */
    {6, 10, 11, 8, 0, 0, 3, 3, {1, 1}, {1, 1, 1, 1}, {1, 1}, 2},
    {6, 10, 11, 9, 0, 0, 3, 3, {2, 2}, {1, 1, 1, 1}, {1, 1}, 3},
    {6, 10, 11, 8, 0, 0, 1, 1, {1, 1}, {0, 0, 0, 0}, {1, 1}, 2},
    {40, 62, 53, 40, 0, 0, 3, 3, {1, 1}, {1, 1, 1, 1}, {1, 1}, 40},        /* depthwise, more groups than slots */
    {40, 12, 13, 80, 0, 0, 3, 3, {1, 1}, {1, 1, 1, 1}, {1, 1}, 40},
    {8, 50, 51, 32, 0, 0, 3, 3, {1, 1}, {1, 1, 1, 1}, {1, 1}, 2},
    {5, 33, 17, 15, 0, 0, 3, 3, {2, 2}, {1, 1, 1, 1}, {1, 1}, 5},          /* with a multiplier */
    {5, 17, 33, 5, 0, 0, 5, 5, {1, 1}, {2, 2, 2, 2}, {1, 1}, 5},
    {3, 200, 300, 4, 0, 0, 3, 3, {1, 1}, {1, 1, 1, 1}, {1, 1}, 1},
    {20, 150, 151, 3, 0, 0, 3, 3, {1, 1}, {1, 1, 1, 1}, {1, 1}, 1},        /* in bands, the last one shorter */
    {33, 151, 150, 3, 0, 0, 3, 5, {2, 1}, {1, 1, 2, 1}, {1, 2}, 1},
    {600, 3, 3, 67, 0, 0, 3, 3, {1, 1}, {1, 1, 1, 1}, {1, 1}, 1}           /* panels in blocks */
};

T_TEST(known_shapes_match_the_chain_to_the_bit)
{
    for (size_t k = 0; k < T_COUNT(cases); k++) check_all(&cases[k], k);
}

/* Around the tiles: each count of filters and of pixels up to past two tiles. */
T_TEST(sizes_around_the_tile)
{
    for (int64_t n = 1; n <= 17; n++) {
        lop_conv v = {2, 5, 31, n, 0, 0, 3, 3, {1, 1}, {1, 1, 1, 1}, {1, 1}, 1};
        check_all(&v, (uint64_t)n);
    }
    for (int64_t w = 1; w <= 101; w++) {
        lop_conv same = {2, 2, w, 9, 0, 0, 3, 3, {1, 1}, {1, 1, 1, 1}, {1, 1}, 1};
        lop_conv one = {2, 1, w, 9, 0, 0, 1, 1, {1, 1}, {0, 0, 0, 0}, {1, 1}, 1};
        lop_conv half = {2, 3, w, 3, 0, 0, 2, 2, {2, 2}, {0, 1, 1, 0}, {1, 1}, 1};
        check_all(&same, (uint64_t)w);
        check_all(&one, (uint64_t)w);
        check_all(&half, (uint64_t)w);
    }
}

static int64_t draw(uint64_t seed, uint64_t *at, int64_t low, int64_t high)
{
    return low + lop_random_below(seed, LOP_STREAM_USER, (*at)++, high - low + 1);
}

T_TEST(random_shapes_match_the_chain_to_the_bit)
{
    for (uint64_t seed = 0; seed < T_SEEDS(300); seed++) {
        uint64_t at = 0;
        const int64_t group = draw(seed, &at, 0, 3) ? 1 : draw(seed, &at, 1, 4);
        lop_conv v = {.group = group, .c = group * draw(seed, &at, 1, 6), .n = group * draw(seed, &at, 1, 19)};
        v.h = draw(seed, &at, 1, 23);
        v.w = draw(seed, &at, 1, 37);
        v.kh = draw(seed, &at, 1, 5);
        v.kw = draw(seed, &at, 1, 5);
        for (int k = 0; k < 4; k++) v.pad[k] = draw(seed, &at, 0, 1) ? draw(seed, &at, 0, 4) : 0;
        for (int k = 0; k < 2; k++) v.stride[k] = draw(seed, &at, 1, 3), v.dilation[k] = draw(seed, &at, 1, 3);
        if (fits(&v)) check_all(&v, seed);
    }
}

/* y = act(sum + bias [+ add]), each step rounded to float32; the residual may be the output itself. */
T_TEST(epilogues)
{
    static const lop_epilogue kinds[] = {{NULL, NULL, LOP_ACT_RELU, 0, 0}, {NULL, NULL, LOP_ACT_CLIP, -0.5f, 0.75f},
                                         {NULL, NULL, LOP_ACT_NONE, 9, 9}};
    static const lop_conv shapes[] = {
        {3, 9, 13, 11, 0, 0, 3, 3, {1, 1}, {1, 1, 1, 1}, {1, 1}, 1},
        {4, 8, 8, 7, 0, 0, 3, 3, {1, 1}, {1, 1, 1, 1}, {1, 1}, 1},
        {4, 7, 7, 5, 0, 0, 1, 1, {1, 1}, {0, 0, 0, 0}, {1, 1}, 1},
        {4, 9, 9, 4, 0, 0, 3, 3, {1, 1}, {1, 1, 1, 1}, {1, 1}, 4},
        {33, 149, 151, 3, 0, 0, 3, 3, {1, 1}, {1, 1, 1, 1}, {1, 1}, 1}};
    for (size_t s = 0; s < T_COUNT(shapes); s++)
        for (size_t p = 0; p < T_COUNT(paths); p++)
            for (int k = 0; k < 24 && lop_cpu_runs(paths[p]); k++) {
                t_conv *q = t_conv_new(&shapes[s], (uint64_t)k);
                lop_epilogue e = kinds[k % 3];
                const bool add = k / 6 % 2, in_place = k / 12;
                e.bias = k / 3 % 2 ? q->bias : NULL;
                run(q, paths[p], &(lop_epilogue){0}, NULL);
                memcpy(q->want, q->y, (size_t)q->ny * sizeof *q->y);
                if (in_place) memcpy(q->y, q->add, (size_t)q->ny * sizeof *q->y);
                e.add = add ? in_place ? q->y : q->add : NULL;
                run(q, paths[p], &e, NULL);
                for (int64_t i = 0; i < q->ny; i++) {
                    float v = q->want[i] + (e.bias ? q->bias[i / (q->v.oh * q->v.ow)] : 0.0f);
                    if (add) v += q->add[i];
                    if (e.act == LOP_ACT_RELU) v = fmaxf(v, 0.0f);
                    if (e.act == LOP_ACT_CLIP) v = fminf(fmaxf(v, e.low), e.high);
                    if (v == q->y[i]) continue;
                    print_case(&q->v, paths[p]);
                    fail_msg("epilogue %d, output #%d: %g, %g expected", k, (int)i, (double)q->y[i], (double)v);
                }
                t_conv_free(q);
            }
}

T_TEST(a_nan_is_not_cut_away)
{
    const lop_conv v = {1, 4, 6, 2, 0, 0, 1, 1, {1, 1}, {0, 0, 0, 0}, {1, 1}, 1};
    for (size_t p = 0; p < T_COUNT(paths); p++) {
        if (!lop_cpu_runs(paths[p])) continue;
        t_conv *q = t_conv_new(&v, 5);
        q->x[7] = NAN;
        run(q, paths[p], &(lop_epilogue){.act = LOP_ACT_RELU}, NULL);
        for (int64_t i = 0; i < q->ny; i++) assert_int_equal(isnan(q->y[i]) != 0, i % 24 == 7);
        t_conv_free(q);
    }
}

T_TEST(a_team_changes_no_byte)
{
    for (size_t k = 0; k < T_COUNT(cases); k++)
        for (size_t p = 0; p < T_COUNT(paths); p++) {
            if (!lop_cpu_runs(paths[p])) continue;
            t_conv *q = t_conv_new(&cases[k], k);
            const lop_epilogue e = {.bias = q->bias, .add = q->add, .act = LOP_ACT_RELU};
            run(q, paths[p], &e, NULL);
            memcpy(q->want, q->y, (size_t)q->ny * sizeof *q->y);
            for (int threads = 1; threads <= 4; threads++) {
                lop_team *team;
                lop_error err;
                t_ok(lop_team_new(threads == 4 ? 35 : threads, &team, &err), err);     /* 35: more than slots */
                memset(q->y, 0xff, (size_t)q->ny * sizeof *q->y);
                run(q, paths[p], &e, team);
                lop_team_free(team);
                if (memcmp(q->want, q->y, (size_t)q->ny * sizeof *q->y) == 0) continue;
                print_case(&q->v, paths[p]);
                fail_msg("%d threads give other bytes", threads);
            }
            t_conv_free(q);
        }
}

T_TEST(what_cannot_be_planned_is_refused)
{
    const float w[1] = {1.0f};
    lop_conv v = {1, 1, 1, 1, 1, 1, 1, 1, {1, 1}, {0, 0, 0, 0}, {1, 1}, 1};
    lop_conv_plan *plan = NULL;
    lop_error err;
    for (size_t p = 0; p < T_COUNT(paths); p++)
        if (!lop_cpu_runs(paths[p]))
            t_fails(lop_conv_plan_new(&v, w, paths[p], &plan, &err), LOP_E_ARG, err, "does not run");
    t_fails(lop_conv_plan_new(&v, w, (lop_cpu)77, &plan, &err), LOP_E_ARG, err, "does not run unknown");
    v.ow = 0;
    t_fails(lop_conv_plan_new(&v, w, LOP_CPU_PORTABLE, &plan, &err), LOP_E_SHAPE, err, "nothing to compute");
    assert_null(plan);
    lop_conv_plan_free(NULL);
}

T_TEST(the_path_is_the_best_or_the_one_asked_for)
{
    lop_cpu cpu;
    lop_error err;
    unsetenv("LOP_CPU");
    t_ok(lop_cpu_best(&cpu, &err), err);
    assert_true(lop_cpu_runs(cpu));
    if (lop_cpu_runs(LOP_CPU_AVX512)) assert_int_equal(cpu, LOP_CPU_AVX512);
    for (size_t p = 0; p < T_COUNT(paths); p++) {
        setenv("LOP_CPU", lop_cpu_name(paths[p]), 1);
        if (lop_cpu_runs(paths[p])) {
            t_ok(lop_cpu_best(&cpu, &err), err);
            assert_int_equal(cpu, paths[p]);
        } else {
            t_fails(lop_cpu_best(&cpu, &err), LOP_E_ARG, err, "this machine runs portable");
        }
    }
    setenv("LOP_CPU", "sse9", 1);
    t_fails(lop_cpu_best(&cpu, &err), LOP_E_ARG, err, "LOP_CPU is 'sse9': this machine runs portable");
    unsetenv("LOP_CPU");
    assert_string_equal(lop_cpu_name((lop_cpu)-1), "unknown");
}

T_MAIN(T(known_shapes_match_the_chain_to_the_bit), T(sizes_around_the_tile),
       T(random_shapes_match_the_chain_to_the_bit), T(epilogues), T(a_nan_is_not_cut_away),
       T(a_team_changes_no_byte), T(what_cannot_be_planned_is_refused),
       T(the_path_is_the_best_or_the_one_asked_for))

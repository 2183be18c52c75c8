/* tests/core/kernel/test_pool.c - pooling on every path against loops over the padded window. */
#include "support/t.h"
#include "kernel/kernel.h"
#include <math.h>

static const lop_cpu paths[] = {LOP_CPU_PORTABLE, LOP_CPU_AVX2, LOP_CPU_AVX512, LOP_CPU_NEON};

static float *noise(int64_t n, uint64_t seed)
{
    float *p = malloc((size_t)n * sizeof *p);
    assert_non_null(p);
    for (int64_t i = 0; i < n; i++) p[i] = (float)lop_random_normal(seed, 1, (uint64_t)i);
    return p;
}

/* The window at (oy, ox): largest value, sum and count of what is inside, and count within the padded input. */
typedef struct { double max, sum; int64_t inside, padded; } window;

static window look(const lop_pool *p, const float *x, int64_t oy, int64_t ox)
{
    window w = {-INFINITY, 0.0, 0, 0};
    for (int64_t ky = 0; ky < p->kh; ky++)
        for (int64_t kx = 0; kx < p->kw; kx++) {
            const int64_t iy = oy * p->stride[0] + ky * p->dilation[0] - p->pad[0];
            const int64_t ix = ox * p->stride[1] + kx * p->dilation[1] - p->pad[1];
            if (iy < p->h + p->pad[2] && ix < p->w + p->pad[3]) w.padded++;
            if (iy < 0 || iy >= p->h || ix < 0 || ix >= p->w) continue;
            const double v = (double)x[iy * p->w + ix];
            w.inside++;
            w.sum += v;
            w.max = v > w.max ? v : w.max;
        }
    return w;
}

static void check(const lop_pool *p, int64_t planes, uint64_t seed)
{
    const int64_t size = p->oh * p->ow;
    float *x = noise(planes * p->h * p->w, seed), *y = malloc((size_t)(planes * size) * sizeof *y);
    float *mean = malloc((size_t)(planes * size) * sizeof *mean);
    assert_true(y && mean);
    for (size_t k = 0; k < T_COUNT(paths); k++) {
        if (!lop_cpu_runs(paths[k])) continue;
        lop_pool_max(p, planes, x, y, paths[k]);
        lop_pool_mean(p, planes, x, mean, paths[k]);
        for (int64_t i = 0; i < planes * size; i++) {
            const window w = look(p, x + i / size * p->h * p->w, i % size / p->ow, i % p->ow);
            const double want = w.sum / (double)(p->count_pad ? w.padded : w.inside);
            if (w.inside == 0) continue;
            if ((double)y[i] == w.max && fabs((double)mean[i] - want) <= 1e-6 * (1.0 + fabs(want))) continue;
            fail_msg("%s: seed %d, %dx%d kernel %dx%d stride %d pad %d %d: output #%d: max %g mean %g, not %g %g",
                     lop_cpu_name(paths[k]), (int)seed, (int)p->h, (int)p->w, (int)p->kh, (int)p->kw, (int)p->stride[1],
                     (int)p->pad[1], (int)p->pad[3], (int)i, w.max, want, (double)y[i], (double)mean[i]);
        }
    }
    free(x);
    free(y);
    free(mean);
}

static void shape(lop_pool *p, bool ceil_mode)
{
    const int64_t extra[2] = {ceil_mode ? p->stride[0] - 1 : 0, ceil_mode ? p->stride[1] - 1 : 0};
    p->oh = (p->h + p->pad[0] + p->pad[2] - p->dilation[0] * (p->kh - 1) - 1 + extra[0]) / p->stride[0] + 1;
    p->ow = (p->w + p->pad[1] + p->pad[3] - p->dilation[1] * (p->kw - 1) - 1 + extra[1]) / p->stride[1] + 1;
    if ((p->oh - 1) * p->stride[0] >= p->h + p->pad[0]) p->oh--;        /* ONNX: no window begins past the input */
    if ((p->ow - 1) * p->stride[1] >= p->w + p->pad[1]) p->ow--;
}

T_TEST(known_shapes)
{
    lop_pool cases[] = {
        {111, 111, 0, 0, 3, 3, {2, 2}, {0, 0, 0, 0}, {1, 1}, false},
        {55, 55, 0, 0, 3, 3, {2, 2}, {0, 0, 0, 0}, {1, 1}, true},
        {32, 32, 0, 0, 2, 2, {2, 2}, {0, 0, 0, 0}, {1, 1}, false},
        {8, 8, 0, 0, 8, 8, {8, 8}, {0, 0, 0, 0}, {1, 1}, true},
        {14, 14, 0, 0, 3, 3, {1, 1}, {1, 1, 1, 1}, {1, 1}, false},
        {5, 3000, 0, 0, 3, 3, {1, 1}, {1, 1, 1, 1}, {1, 1}, false},
        {3, 9000, 0, 0, 3, 3, {2, 2}, {1, 1, 1, 1}, {1, 1}, false},
        {2, 5000, 0, 0, 1, 2100, {1, 3}, {0, 7, 0, 7}, {1, 1}, true},
        {1, 1, 0, 0, 1, 1, {1, 1}, {0, 0, 0, 0}, {1, 1}, false},
        {3, 4000, 0, 0, 2, 2, {1, 2000}, {0, 0, 0, 0}, {1, 1}, false}};
    for (size_t k = 0; k < T_COUNT(cases); k++)
        for (int ceil_mode = 0; ceil_mode < 2; ceil_mode++) {
            shape(&cases[k], ceil_mode);
            check(&cases[k], 2, k);
        }
}

T_TEST(random_shapes)
{
    for (uint64_t seed = 0; seed < T_SEEDS(400); seed++) {
        int64_t r[12];
        for (uint64_t k = 0; k < 12; k++) r[k] = lop_random_below(seed, LOP_STREAM_USER, k, 1000);
        lop_pool p = {.h = 1 + r[0] % 20, .w = 1 + r[1] % 80, .kh = 1 + r[2] % 4, .kw = 1 + r[3] % 4,
                      .stride = {1 + r[4] % 3, 1 + r[5] % 3}, .dilation = {1 + r[6] % 2, 1 + r[7] % 2},
                      .count_pad = r[8] % 2};
        /* Less than the kernel: each window sees some of the input. */
        const int64_t pad[4] = {r[9] % p.kh, r[10] % p.kw, r[9] / 7 % p.kh, r[10] / 7 % p.kw};
        memcpy(p.pad, pad, sizeof pad);
        if (p.h + pad[0] + pad[2] <= p.dilation[0] * (p.kh - 1)) continue;
        if (p.w + pad[1] + pad[3] <= p.dilation[1] * (p.kw - 1)) continue;
        shape(&p, r[11] % 2);
        check(&p, 1 + r[11] % 3, seed);
    }
}

T_TEST(padding_never_wins)
{
    lop_pool p = {3, 3, 0, 0, 3, 3, {1, 1}, {1, 1, 1, 1}, {1, 1}, false};
    float x[9], y[9];
    shape(&p, false);
    for (int i = 0; i < 9; i++) x[i] = -5.0f;
    for (size_t k = 0; k < T_COUNT(paths); k++) {
        if (!lop_cpu_runs(paths[k])) continue;
        lop_pool_max(&p, 1, x, y, paths[k]);
        for (int i = 0; i < 9; i++) assert_true(y[i] == -5.0f);
    }
}

T_TEST(global_mean_of_each_plane)
{
    for (int64_t size = 1; size <= 40; size++) {
        float *x = noise(3 * size, (uint64_t)size), y[3];
        lop_pool_global_mean(3, size, x, y);
        for (int64_t ch = 0; ch < 3; ch++) {
            double sum = 0.0;
            for (int64_t i = 0; i < size; i++) sum += (double)x[ch * size + i];
            assert_true(fabs((double)y[ch] - sum / (double)size) < 1e-7);
        }
        free(x);
    }
}

T_MAIN(T(known_shapes), T(random_shapes), T(padding_never_wins), T(global_mean_of_each_plane))

/* tests/core/kernel/test_map.c - element-wise work and rows times a matrix, against one-line loops. */
#include "support/t.h"
#include "kernel/kernel.h"
#include <math.h>

static const lop_cpu paths[] = {LOP_CPU_PORTABLE, LOP_CPU_AVX2, LOP_CPU_AVX512, LOP_CPU_NEON};
enum { MOST = 37 };

static float *noise(int64_t n, uint64_t stream)
{
    float *p = malloc((size_t)n * sizeof *p);
    assert_non_null(p);
    for (int64_t i = 0; i < n; i++) p[i] = (float)lop_random_normal(3, stream, (uint64_t)i);
    return p;
}

static float act(lop_act kind, float v)
{
    return kind == LOP_ACT_NONE ? v : kind == LOP_ACT_RELU ? fmaxf(v, 0.0f) : fminf(fmaxf(v, -0.5f), 0.25f);
}

T_TEST(maps_of_every_length)
{
    for (int64_t n = 0; n <= MOST; n++)
        for (int kind = LOP_ACT_NONE; kind <= LOP_ACT_CLIP; kind++) {
            float *a = noise(n, 1), *b = noise(n, 2), *y = noise(n, 3);
            lop_map_act((lop_act)kind, -0.5f, 0.25f, n, a, y);
            for (int64_t i = 0; i < n; i++) assert_true(y[i] == act((lop_act)kind, a[i]));
            lop_map_add(n, a, b, (lop_act)kind, -0.5f, 0.25f, y);
            for (int64_t i = 0; i < n; i++) assert_true(y[i] == act((lop_act)kind, a[i] + b[i]));
            memcpy(y, a, (size_t)n * sizeof *y);
            lop_map_add(n, y, b, (lop_act)kind, -0.5f, 0.25f, y);           /* in place */
            for (int64_t i = 0; i < n; i++) assert_true(y[i] == act((lop_act)kind, a[i] + b[i]));
            free(a);
            free(b);
            free(y);
        }
}

T_TEST(a_nan_is_not_cut_away)
{
    const float x[5] = {NAN, NAN, 1.0f, -1.0f, NAN};
    float y[5];
    lop_map_act(LOP_ACT_RELU, 0, 0, 5, x, y);
    assert_true(isnan(y[0]) && isnan(y[1]) && y[2] == 1.0f && y[3] == 0.0f && isnan(y[4]));
}

T_TEST(affine_by_channel)
{
    for (int64_t size = 1; size <= MOST; size++) {
        const float scale[2] = {1.5f, -0.1f}, shift[2] = {0.3f, 2.0f};
        float *x = noise(2 * size, 1), *y = noise(2 * size, 2);
        lop_map_affine(2, size, scale, shift, x, y);
        for (int64_t i = 0; i < 2 * size; i++) {
            const float product = x[i] * scale[i / size];       /* rounded before the sum, on every machine */
            assert_true(y[i] == product + shift[i / size]);
        }
        free(x);
        free(y);
    }
}

static void check_gemv(int64_t n, int64_t k, lop_cpu cpu)
{
    float *w = noise(n * k, 1), *x = noise(k, 2), *bias = noise(n, 3), *y = noise(n, 4), *again = noise(n, 5);
    lop_gemv(n, k, w, x, bias, cpu, NULL, y);
    for (int64_t i = 0; i < n; i++) {
        double sum = (double)bias[i], scale = 1.0;
        for (int64_t j = 0; j < k; j++) {
            sum += (double)w[i * k + j] * (double)x[j];
            scale += fabs((double)w[i * k + j] * (double)x[j]);
        }
        if (fabs((double)y[i] - sum) > 1e-6 * scale)
            fail_msg("%s: %d x %d, row #%d: %g, %g expected", lop_cpu_name(cpu), (int)n, (int)k, (int)i,
                     (double)y[i], sum);
    }
    for (int threads = 1; threads <= 3; threads++) {
        lop_team *team;
        lop_error err;
        t_ok(lop_team_new(threads, &team, &err), err);
        lop_gemv(n, k, w, x, bias, cpu, team, again);
        assert_memory_equal(y, again, (size_t)n * sizeof *y);
        lop_team_free(team);
    }
    lop_gemv(1, k, w + (n - 1) * k, x, NULL, cpu, NULL, again);             /* the last row alone, without a bias */
    assert_true(again[0] + bias[n - 1] == y[n - 1]);
    free(w);
    free(x);
    free(bias);
    free(y);
    free(again);
}

T_TEST(gemv_on_every_path)
{
    for (size_t p = 0; p < T_COUNT(paths); p++) {
        if (!lop_cpu_runs(paths[p])) continue;
        for (int64_t k = 1; k <= 140; k++) check_gemv(3, k, paths[p]);
        check_gemv(1, 1, paths[p]);
        check_gemv(10, 64, paths[p]);
        check_gemv(100, 1031, paths[p]);
        check_gemv(3, 40000, paths[p]);
    }
}

T_MAIN(T(maps_of_every_length), T(a_nan_is_not_cut_away), T(affine_by_channel), T(gemv_on_every_path))

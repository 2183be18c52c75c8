/* tests/core/decompose/test_decompose.c - factors against their product, and against the best that any rank can do. */
#include "support/t.h"
#include "decompose/decompose.h"
#include <math.h>

static void fill(lop_tensor *t, const lop_shape *shape, uint64_t seed)
{
    lop_error err;
    t_ok(lop_tensor_init(t, LOP_F32, shape, &err), err);
    for (int64_t i = 0; i < lop_tensor_size(t); i++)
        ((float *)t->data)[i] = (float)lop_random_normal(seed, 7, (uint64_t)i);
}

/* Entry (f, c, i, j) of the product of the first `rank` of both factors; the first does all columns where whole. */
static double product(const lop_factors *q, int64_t rank, int64_t f, int64_t c, int64_t i, int64_t j)
{
    const int64_t *a = q->first.shape.dim, *b = q->second.shape.dim;
    const bool whole = a[3] > 1 || b[3] == 1;
    double sum = 0;
    for (int64_t r = 0; r < rank; r++)
        sum += lop_tensor_get(&q->first, ((r * a[1] + c) * a[2] + i) * a[3] + (whole ? j : 0)) *
               lop_tensor_get(&q->second, (f * b[1] + r) * b[3] + (whole ? 0 : j));
    return sum;
}

static double miss(const lop_tensor *w, const lop_factors *q, int64_t rank)
{
    const int64_t *d = w->shape.dim, kh = w->shape.ndim > 2 ? d[2] : 1, kw = w->shape.ndim > 2 ? d[3] : 1;
    double sum = 0;
    for (int64_t f = 0; f < d[0]; f++)
        for (int64_t c = 0; c < d[1]; c++)
            for (int64_t i = 0; i < kh; i++)
                for (int64_t j = 0; j < kw; j++) {
                    const double e = lop_tensor_get(w, ((f * d[1] + c) * kh + i) * kw + j)
                        - product(q, rank, f, c, i, j);
                    sum += e * e;
                }
    return sum;
}

T_TEST(spatial_factors_make_up_the_filters)
{
    static const lop_shape shapes[] = {{4, {5, 3, 3, 3}}, {4, {2, 7, 5, 3}}, {4, {6, 2, 1, 7}}, {4, {4, 4, 3, 1}},
                                       {4, {5, 6, 1, 1}}, {2, {7, 4}}};
    for (size_t k = 0; k < T_COUNT(shapes); k++) {
        lop_tensor w = {0};
        lop_factors q;
        lop_error err;
        fill(&w, &shapes[k], k);
        t_ok(lop_decompose_spatial(&w, &q, &err), err);
        const int64_t R = q.first.shape.dim[0], across = lop_tensor_size(&q.first) / R;
        assert_true(miss(&w, &q, R) < 1e-10);
        for (int64_t a = 0; a < R; a++)                 /* orthonormal rows */
            for (int64_t b = 0; b <= a; b++) {
                double dot = 0;
                for (int64_t i = 0; i < across; i++)
                    dot += lop_tensor_get(&q.first, a * across + i) * lop_tensor_get(&q.first, b * across + i);
                assert_true(fabs(dot - (a == b)) < 1e-5);
            }
        for (int64_t r = 1; r < R; r++) {               /* what rank r misses is what the other factors hold */
            double rest = 0;
            const int64_t kw = q.second.shape.dim[3];
            for (int64_t f = 0; f < w.shape.dim[0]; f++)
                for (int64_t i = r * kw; i < R * kw; i++)
                    rest += pow(lop_tensor_get(&q.second, f * R * kw + i), 2);
            assert_true(fabs(miss(&w, &q, r) - rest) < 1e-4 * (1 + rest));
            assert_true(miss(&w, &q, r) > miss(&w, &q, r + 1));
        }
        lop_factors_clear(&q);
        lop_tensor_clear(&w);
    }
}

enum { ROWS = 400, C = 4, TAPS = 9, P = C * TAPS, N = 6 };

/* Rows whose targets are N mixtures of two hidden ones, and a little noise. */
static lop_stats *rows_of(uint64_t seed, float *x, float *y)
{
    lop_stats *s;
    lop_error err;
    for (int64_t r = 0; r < ROWS; r++) {
        double hidden[2] = {0};
        for (int64_t i = 0; i < P; i++) {
            x[r * P + i] = (float)lop_random_normal(seed, 1, (uint64_t)(r * P + i)) + 0.5f;
            hidden[i % 2] += (double)x[r * P + i];
        }
        for (int64_t f = 0; f < N; f++)
            y[r * N + f] = (float)(hidden[0] * (double)(f + 1) + hidden[1] * (double)(f % 3) +
                                   0.01 * lop_random_normal(seed, 2, (uint64_t)(r * N + f)));
    }
    t_ok(lop_stats_new(C, TAPS, N, &s, &err), err);
    t_ok(lop_stats_add(s, x, y, ROWS, NULL, &err), err);
    return s;
}

T_TEST(channel_factors_find_the_hidden_responses)
{
    float *x = lop_array(ROWS, P * sizeof *x, NULL), *y = lop_array(ROWS, N * sizeof *y, NULL);
    lop_stats *s = rows_of(3, x, y);
    lop_centred q;
    lop_tensor w = {0};
    lop_factors made;
    lop_error err;
    t_ok(lop_tensor_init(&w, LOP_F32, &(lop_shape){4, {N, C, 3, 3}}, &err), err);
    for (int64_t f = 0; f < N; f++)
        for (int64_t i = 0; i < P; i++) ((float *)w.data)[f * P + i] = (float)(i % 2 ? f % 3 : f + 1);
    t_ok(lop_stats_centre(s, &q, &err), err);
    t_ok(lop_decompose_channel(&q, &w, &made, &err), err);
    assert_true(miss(&w, &made, N) < 1e-6);
    assert_true(miss(&w, &made, 2) < 1e-6);             /* rank two is all there is */
    assert_true(miss(&w, &made, 1) > 1);
    lop_factors_clear(&made);
    lop_centred_clear(&q);
    lop_tensor_clear(&w);
    lop_stats_free(s);
    lop_free(x);
    lop_free(y);
}

T_TEST(wrong_sizes_are_refused)
{
    lop_tensor w = {0}, v = {0};
    lop_factors q;
    lop_error err;
    fill(&w, &(lop_shape){3, {2, 3, 4}}, 1);
    t_fails(lop_decompose_spatial(&w, &q, &err), LOP_E_SHAPE, err, "filters: float32 of 4 dimensions");
    fill(&v, &(lop_shape){4, {2, 3, 3, 3}}, 1);
    ((float *)v.data)[5] = NAN;
    t_fails(lop_decompose_spatial(&v, &q, &err), LOP_E_NUMERIC, err, "SVD");
    lop_centred centred = {.c = 3, .taps = 9, .n = 4};
    t_fails(lop_decompose_channel(&centred, &v, &q, &err), LOP_E_SHAPE, err, "sums of 4 filters");
    lop_tensor_clear(&w);
    lop_tensor_clear(&v);
}
T_MAIN(T(spatial_factors_make_up_the_filters), T(channel_factors_find_the_hidden_responses), T(wrong_sizes_are_refused))

/* tests/core/sample/test_stats.c - the sums against plain loops in long double, for any team and any file. */
#include "support/t.h"
#include "sample/sample.h"
#include <math.h>

typedef struct { int64_t c, taps, n, rows; } size_case;

static void fill(float *to, int64_t count, uint64_t seed, uint64_t stream)
{
    for (int64_t i = 0; i < count; i++)
        to[i] = (float)(lop_random_normal(seed, stream, (uint64_t)i) + 3.0);
}

static void close_to(double got, long double want, long double scale, const char *what, int64_t at)
{
    if (fabsl((long double)got - want) > 1e-13L * scale)
        fail_msg("%s #%d: %.17g, %.17g expected", what, (int)at, got, (double)want);
}

T_TEST(sums_equal_plain_loops)
{
    static const size_case cases[] = {{1, 1, 1, 1}, {3, 9, 5, 700}, {5, 1, 130, 33}, {127, 1, 2, 65}, {128, 1, 128, 64},
                                      {43, 3, 1, 513}, {29, 9, 129, 40}};
    for (size_t k = 0; k < T_COUNT(cases); k++) {
        const size_case d = cases[k];
        const int64_t p = d.c * d.taps, m = p + 1;
        float *x = lop_array(d.rows * p, sizeof *x, NULL), *y = lop_array(d.rows * d.n, sizeof *y, NULL);
        lop_error err;
        lop_stats *s;
        fill(x, d.rows * p, k, 1);
        fill(y, d.rows * d.n, k, 2);
        t_ok(lop_stats_new(d.c, d.taps, d.n, &s, &err), err);
        t_ok(lop_stats_add(s, x, y, d.rows / 2, NULL, &err), err);
        t_ok(lop_stats_add(s, x + d.rows / 2 * p, y + d.rows / 2 * d.n, d.rows - d.rows / 2, NULL, &err), err);
        const double *G = lop_stats_gram(s), *B = lop_stats_cross(s), *e = lop_stats_energy(s);
        const long double scale = 16.0L * (long double)d.rows;
        for (int64_t i = 0; i < m; i++) {
            for (int64_t j = 0; j < m + d.n; j++) {
                long double sum = 0;
                for (int64_t r = 0; r < d.rows; r++) {
                    const long double right = j < p ? x[r * p + j] : j == p ? 1.0f : y[r * d.n + j - m];
                    sum += (i < p ? (long double)x[r * p + i] : 1.0L) * right;
                }
                close_to(j < m ? G[i * m + j] : B[i * d.n + j - m], sum, scale, j < m ? "G" : "B", i * (m + d.n) + j);
            }
        }
        for (int64_t j = 0; j < d.n; j++) {
            long double sum = 0;
            for (int64_t r = 0; r < d.rows; r++) sum += (long double)y[r * d.n + j] * y[r * d.n + j];
            close_to(e[j], sum, scale, "s", j);
        }
        assert_true(lop_stats_rows(s) == (double)d.rows);
        lop_stats_free(s);
        lop_free(x);
        lop_free(y);
    }
}

static lop_stats *summed(int threads, uint64_t seed, int64_t rows)
{
    float *x = lop_array(rows * 270, sizeof *x, NULL), *y = lop_array(rows * 140, sizeof *y, NULL);
    lop_error err;
    lop_stats *s;
    lop_team *team;
    fill(x, rows * 270, seed, 1);
    fill(y, rows * 140, seed, 2);
    t_ok(lop_team_new(threads, &team, &err), err);
    t_ok(lop_stats_new(30, 9, 140, &s, &err), err);
    t_ok(lop_stats_add(s, x, y, rows, team, &err), err);
    lop_team_free(team);
    lop_free(x);
    lop_free(y);
    return s;
}

static void same_bytes(lop_stats *a, lop_stats *b)
{
    assert_true(lop_stats_rows(a) == lop_stats_rows(b));
    assert_memory_equal(lop_stats_gram(a), lop_stats_gram(b), 271 * 271 * sizeof(double));
    assert_memory_equal(lop_stats_cross(a), lop_stats_cross(b), 271 * 140 * sizeof(double));
    assert_memory_equal(lop_stats_energy(a), lop_stats_energy(b), 140 * sizeof(double));
    assert_memory_equal(lop_stats_nonzero(a), lop_stats_nonzero(b), 270 * sizeof(double));
}

T_TEST(any_team_gives_the_same_bytes)
{
    for (uint64_t seed = 0; seed < T_SEEDS(2); seed++) {
        lop_stats *one = summed(1, seed, 1100);
        for (int threads = 2; threads <= 3; threads++) {
            lop_stats *many = summed(threads, seed, 1100);
            same_bytes(one, many);
            lop_stats_free(many);
        }
        lop_stats_free(one);
    }
}

T_TEST(centred_sums_are_those_of_centred_rows)
{
    enum { ROWS = 300, P = 6, N = 4 };
    float x[ROWS * P], y[ROWS * N];
    lop_error err;
    lop_stats *s;
    lop_centred q;
    fill(x, ROWS * P, 5, 1);
    fill(y, ROWS * N, 5, 2);
    int64_t zeros = 0;
    for (int r = 0; r < ROWS; r++) {
        x[r * P + 5] = 0.1f;            /* a constant has no energy of its own */
        if (r % 3 == 0) x[r * P + 2] = 0.0f;
        zeros += (x[r * P + 2] == 0.0f) + (x[r * P + 3] == 0.0f);
    }
    t_ok(lop_stats_new(3, 2, N, &s, &err), err);
    t_fails(lop_stats_centre(s, &q, &err), LOP_E_ARG, err, "no rows");
    t_ok(lop_stats_add(s, x, y, ROWS, NULL, &err), err);
    t_ok(lop_stats_centre(s, &q, &err), err);
    double mean[P + N] = {0};
    for (int r = 0; r < ROWS; r++)
        for (int i = 0; i < P + N; i++) mean[i] += (i < P ? x[r * P + i] : y[r * N + i - P]) / (double)ROWS;
    for (int i = 0; i < P; i++)
        for (int j = 0; j < P + N; j++) {
            long double sum = 0;
            for (int r = 0; r < ROWS; r++)
                sum += (x[r * P + i] - mean[i]) * ((j < P ? x[r * P + j] : y[r * N + j - P]) - mean[j]);
            const double *Gc = q.gram.data, *Bc = q.cross.data;
            close_to(j < P ? Gc[i * P + j] : Bc[i * N + j - P], sum, 16 * ROWS, "centred", i * (P + N) + j);
        }
    for (int j = 0; j < N; j++) {
        long double sum = 0;
        for (int r = 0; r < ROWS; r++) sum += (y[r * N + j] - mean[P + j]) * (y[r * N + j] - mean[P + j]);
        close_to(((double *)q.energy.data)[j], sum, 16 * ROWS, "sc", j);
        close_to(((double *)q.mean_y.data)[j], mean[P + j], 16, "mean_y", j);
    }
    close_to(((double *)q.nonzero.data)[1], 1 - (double)zeros / (2.0 * ROWS), 16, "nonzero", 1);
    assert_true(q.c == 3 && q.taps == 2 && q.n == N && q.rows == ROWS && ((double *)q.gram.data)[P * P - 1] >= 0);
    lop_centred_clear(&q);
    lop_centred_clear(&q);
    lop_stats_free(s);
}

T_TEST(files_and_sums_of_sums)
{
    char path[4096];
    lop_error err;
    lop_stats *a = summed(1, 1, 512), *b = summed(1, 2, 100), *back;
    t_temporary("stats.npz", path);
    float extra[2] = {1, 2};
    char names[2][8] = {"mine", "gram"};
    lop_npz_entry entry[2] = {{names[0], {LOP_F32, {1, {2}}, extra, NULL}},
                              {names[1], {LOP_F32, {1, {2}}, extra, NULL}}};
    lop_npz more;
    t_fails(lop_stats_save(a, &(lop_npz){entry, 2}, path, &err), LOP_E_ARG, err, "'gram' is one of");
    t_ok(lop_stats_save(a, &(lop_npz){entry, 1}, path, &err), err);
    t_ok(lop_stats_load(path, &back, &more, &err), err);
    same_bytes(a, back);
    assert_int_equal(more.count, 1);
    assert_memory_equal(lop_npz_find(&more, "mine")->data, extra, sizeof extra);
    lop_npz_clear(&more);
    lop_stats_free(back);
    t_ok(lop_stats_save(a, NULL, path, &err), err);
    t_ok(lop_stats_load(path, &back, NULL, &err), err);
    same_bytes(a, back);
    t_ok(lop_stats_merge(a, b, &err), err);
    t_ok(lop_stats_merge(b, back, &err), err);
    same_bytes(a, b);                                           /* a sum of two does not know their order */
    lop_stats_free(back);
    lop_stats *other;
    t_ok(lop_stats_new(30, 9, 141, &other, &err), err);
    t_fails(lop_stats_merge(a, other, &err), LOP_E_SHAPE, err, "30x9x140");
    t_fails(lop_stats_load("/no/such.npz", &back, NULL, &err), LOP_E_NOTFOUND, err, "/no/such.npz");
    assert_null(back);
    lop_stats_free(a);
    lop_stats_free(b);
    lop_stats_free(other);
    remove(path);
}

T_TEST(files_that_lie_are_refused)
{
    static const struct { int64_t size[3], gram, cross; double corner; const char *says; } cases[] = {
        {{0, 1, 1}, 2, 2, 0, "size holds 0, 1, 1"}, {{1 << 20, 1 << 20, 1}, 2, 2, 0, "size holds"},
        {{1000, 9, 1}, 2, 2, 0, "array 'gram' is float64 2x2"}, {{1, 1, 1}, 2, 1, 0, "array 'cross' is float64 1x1"},
        {{1, 1, 1}, 2, 2, NAN, "array 'gram': entry #3"}, {{1, 1, 1}, 2, 2, 5, "last entry of gram 5"}};
    char path[4096], names[6][8] = {"gram", "cross", "energy", "rows", "size", "nonzero"};
    t_temporary("lies.npz", path);
    for (size_t k = 0; k < T_COUNT(cases); k++) {
        double gram[4] = {1, 0, 0, cases[k].corner}, cross[2] = {0}, energy[1] = {0}, rows[1] = {0}, nonzero[1] = {0};
        int64_t size[3] = {cases[k].size[0], cases[k].size[1], cases[k].size[2]};
        lop_npz_entry entry[6] = {{names[0], {LOP_F64, {2, {cases[k].gram, cases[k].gram}}, gram, NULL}},
                                  {names[1], {LOP_F64, {2, {cases[k].cross, 1}}, cross, NULL}},
                                  {names[2], {LOP_F64, {1, {1}}, energy, NULL}},
                                  {names[3], {LOP_F64, {1, {1}}, rows, NULL}},
                                  {names[4], {LOP_I64, {1, {3}}, size, NULL}},
                                  {names[5], {LOP_F64, {1, {1}}, nonzero, NULL}}};
        lop_error err;
        lop_stats *s;
        t_ok(lop_npz_save(path, &(lop_npz){entry, 6}, false, &err), err);
        assert_int_not_equal(lop_stats_load(path, &s, NULL, &err), LOP_OK);
        if (!strstr(err.message, cases[k].says) || strncmp(err.message, path, strlen(path)) != 0)
            fail_msg("case %zu: %s", k, err.message);
        assert_null(s);
    }
    remove(path);
}

T_TEST(bad_rows_are_named_and_nothing_is_added)
{
    float x[200 * 3], y[200 * 2];
    lop_error err;
    lop_stats *s;
    fill(x, 200 * 3, 1, 1);
    fill(y, 200 * 2, 1, 2);
    t_ok(lop_stats_new(3, 1, 2, &s, &err), err);
    x[150 * 3 + 1] = NAN;
    t_fails(lop_stats_add(s, x, y, 200, NULL, &err), LOP_E_NUMERIC, err, "row #150 ");
    y[130 * 2] = -INFINITY;
    t_fails(lop_stats_add(s, x, y, 200, NULL, &err), LOP_E_NUMERIC, err, "row #130 ");
    t_fails(lop_stats_add(s, x, y, -1, NULL, &err), LOP_E_ARG, err, "-1 rows");
    for (int i = 0; i < 16; i++) assert_true(lop_stats_gram(s)[i] == 0);
    assert_true(lop_stats_rows(s) == 0);
    t_ok(lop_stats_add(s, x, y, 0, NULL, &err), err);
    lop_stats_free(s);
    t_fails(lop_stats_new(0, 1, 1, &s, &err), LOP_E_ARG, err, "0 channels");
    t_fails(lop_stats_new(INT64_MAX, 9, 1, &s, &err), LOP_E_ARG, err, "each at least 1");
}

T_MAIN(T(sums_equal_plain_loops), T(any_team_gives_the_same_bytes), T(centred_sums_are_those_of_centred_rows),
       T(files_and_sums_of_sums), T(files_that_lie_are_refused), T(bad_rows_are_named_and_nothing_is_added))

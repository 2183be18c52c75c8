/* tests/core/sample/test_rows.c - rows that are kept: which, how many, and what is summed of them. */
#include "core/sample/layer.h"

/* Row r of x is r in every entry, so that a kept row tells its number. */
static lop_stats *numbered(int64_t rows, int64_t step, int64_t limit, uint64_t seed, bool summed)
{
    enum { P = 6, N = 2 };
    float *x = lop_array(rows * P, sizeof *x, NULL), *y = lop_array(rows * N, sizeof *y, NULL);
    lop_stats *s;
    lop_error err;
    for (int64_t i = 0; i < rows * P; i++) x[i] = (float)(i / P);
    for (int64_t i = 0; i < rows * N; i++) y[i] = (float)(i / N);
    t_ok(lop_stats_new_rows(2, 3, N, limit, seed, summed, &s, &err), err);
    for (int64_t r = 0; r < rows; r += step)
        t_ok(lop_stats_add(s, x + r * P, y + r * N, rows - r < step ? rows - r : step, NULL, &err), err);
    lop_free(x);
    lop_free(y);
    return s;
}

T_TEST(all_rows_stay_while_there_is_room_and_no_more_than_the_limit_later)
{
    for (int64_t rows = 1; rows < 40; rows += 6) {
        lop_stats *s = numbered(rows, 4, 16, 3, false);
        assert_int_equal(lop_stats_kept(s), rows < 16 ? rows : 16);
        assert_true(lop_stats_rows(s) == (double)lop_stats_kept(s) && !lop_stats_gram(s) && !lop_stats_cross(s));
        for (int64_t r = 0; r < lop_stats_kept(s); r++) {
            const float own = lop_stats_kept_x(s)[r * 6];
            for (int64_t i = 0; i < 6; i++) assert_true(lop_stats_kept_x(s)[r * 6 + i] == own);
            assert_true(lop_stats_kept_y(s)[r * 2] == own && (rows > 16 || own == (float)r));
        }
        lop_stats_free(s);
    }
}

/* 4,000 draws of 5 of 20: each row is kept in a quarter, with a deviation of 27. However they are cut into calls. */
T_TEST(every_row_has_the_same_chance)
{
    int64_t count[20] = {0};
    for (uint64_t seed = 0; seed < 4000; seed++) {
        lop_stats *s = numbered(20, 1 + (int64_t)seed % 7, 5, seed, false), *whole = numbered(20, 20, 5, seed, false);
        assert_memory_equal(lop_stats_kept_x(s), lop_stats_kept_x(whole), 5 * 6 * sizeof(float));
        for (int64_t r = 0; r < 5; r++) count[(int64_t)lop_stats_kept_y(s)[r * 2]]++;
        lop_stats_free(s);
        lop_stats_free(whole);
    }
    for (int r = 0; r < 20; r++)
        if (count[r] < 1000 - 5 * 28 || count[r] > 1000 + 5 * 28) fail_msg("row %d: %d times", r, (int)count[r]);
}

T_TEST(sums_beside_kept_rows_are_those_of_all)
{
    lop_error err;
    lop_stats *s = numbered(50, 9, 7, 1, true), *plain = numbered(50, 50, 0, 1, true);
    assert_int_equal(lop_stats_kept(s), 7);
    assert_true(lop_stats_rows(s) == 50.0);
    assert_memory_equal(lop_stats_cross(s), lop_stats_cross(plain), 7 * 2 * sizeof(double));
    t_ok(lop_stats_merge(s, plain, &err), err);
    assert_true(lop_stats_rows(s) == 100.0);
    lop_stats_free(plain);
    plain = numbered(3, 3, 7, 1, false);
    t_fails(lop_stats_merge(s, plain, &err), LOP_E_ARG, err, "add to their like alone");
    t_fails(lop_stats_save(plain, NULL, "/tmp/never.npz", &err), LOP_E_UNSUPPORTED, err, "have no file");
    lop_stats_free(plain);
    lop_stats_free(s);
    t_fails(lop_stats_new_rows(2, 3, 2, 0, 0, false, &s, &err), LOP_E_ARG, err, "0 rows to keep");
}

T_TEST(what_needs_no_gram_is_that_of_the_sums)
{
    for (uint64_t seed = 0; seed < T_SEEDS(4); seed++) {
        t_layer *l = t_layer_new(5, 4, 3, 70, seed, T_DEAD);
        lop_stats *s;
        lop_centred q;
        lop_error err;
        uint8_t dead[2][20];
        t_ok(lop_stats_new_rows(5, 4, 3, 100, 0, false, &s, &err), err);
        t_ok(lop_stats_add(s, l->x, l->y, l->rows, NULL, &err), err);
        t_ok(lop_stats_centre(s, &q, &err), err);
        assert_true(q.rows == 70 && q.kept == s && !q.gram.data && !q.cross.data && !l->q.kept);
        const lop_tensor *pairs[][2] = {{&q.energy, &l->q.energy}, {&q.mean_x, &l->q.mean_x}, {&q.mean_y, &l->q.mean_y},
                                        {&q.nonzero, &l->q.nonzero}, {&q.diagonal, &l->q.diagonal}};
        for (size_t k = 0; k < T_COUNT(pairs); k++)
            for (int64_t i = 0; i < lop_tensor_size(pairs[k][1]); i++)
                if (fabs(lop_tensor_get(pairs[k][0], i) - lop_tensor_get(pairs[k][1], i)) > 1e-9)
                    fail_msg("sum %d, entry #%d", (int)k, (int)i);
        lop_centred_dead(&q, dead[0]);
        lop_centred_dead(&l->q, dead[1]);
        assert_memory_equal(dead[0], dead[1], 20);
        lop_centred_clear(&q);
        lop_stats_free(s);
        t_layer_free(l);
    }
}

T_MAIN(T(all_rows_stay_while_there_is_room_and_no_more_than_the_limit_later), T(every_row_has_the_same_chance),
       T(sums_beside_kept_rows_are_those_of_all), T(what_needs_no_gram_is_that_of_the_sums))

/* tests/core/base/test_base.c - sizes, random numbers against published vectors, the team, SHA-256, files. */
#include "support/t.h"
#include <sys/stat.h>

T_TEST(sizes_are_checked)
{
    static const struct { size_t a; int64_t b; bool fine; size_t product; } cases[] = {
        {0, 5, true, 0}, {3, 4, true, 12}, {SIZE_MAX, 1, true, SIZE_MAX}, {SIZE_MAX, 2, false, 0}, {1, -1, false, 0},
        {SIZE_MAX / 2 + 1, 2, false, 0}, {0, -1, false, 0}};
    for (size_t k = 0; k < T_COUNT(cases); k++) {
        size_t out = 77;
        assert_int_equal(lop_mul_size(&out, cases[k].a, cases[k].b), cases[k].fine);
        assert_int_equal(out, cases[k].fine ? cases[k].product : 77);
    }
    size_t out = 77;
    assert_false(lop_add_size(&out, SIZE_MAX, 1));
    assert_false(lop_add_size(&out, 1, -1));
    assert_true(lop_add_size(&out, 40, 2));
    assert_int_equal(out, 42);
}

T_TEST(allocation_refuses_what_cannot_be)
{
    lop_error err;
    assert_null(lop_array(-1, 4, &err));
    assert_int_equal(err.code, LOP_E_ARG);
    assert_null(lop_array(INT64_MAX, 16, &err));
    assert_int_equal(err.code, LOP_E_MEMORY);
    char *block = lop_array(1000, 1, &err);
    assert_true((uintptr_t)block % 64 == 0);
    for (int i = 0; i < 1000; i++) assert_int_equal(block[i], 0);
    lop_free(block);
}

T_TEST(messages_stay_one_line_of_whole_characters)
{
    lop_error err;
    char longest[700];
    for (size_t i = 0; i + 2 < sizeof longest; i += 2) memcpy(longest + i, "\xC3\xA4", 2);
    longest[698] = '\0';
    lop_fail(&err, LOP_E_FORMAT, "x%s", longest);
    const size_t n = strlen(err.message);
    assert_true(n < sizeof err.message && n % 2 == 1);
    lop_fail(&err, LOP_E_IO, "a\nb");
    assert_int_equal(lop_error_at(&err, "%s", "net.onnx"), LOP_E_IO);
    assert_string_equal(err.message, "net.onnx: a b");
}

/* Known answers of Philox4x32-10 (Random123, kat_vectors). */
T_TEST(random_numbers_are_philox)
{
    assert_true(lop_random(0, 0, 0) == (UINT64_C(0xe169c58d) << 32 | 0x6627e8d5));
    /* counter and key: the digits of pi, which tell the words apart */
    assert_true(lop_random(UINT64_C(0x299f31d0a4093822), UINT64_C(0x0370734413198a2e), UINT64_C(0x85a308d3243f6a88)) ==
                UINT64_C(0x94fdccebd16cfe09));
    assert_true(lop_random(UINT64_MAX, UINT64_MAX, UINT64_MAX) == (UINT64_C(0x41c83b0e) << 32 | 0x408f276d));
}

T_TEST(random_numbers_fill_their_range)
{
    double sum = 0, square = 0;
    for (uint64_t i = 0; i < 20000; i++) {
        const double u = lop_random_unit(3, 1, i), z = lop_random_normal(3, 2, i);
        assert_true(u >= 0 && u < 1);
        const int64_t k = lop_random_below(3, 3, i, 7);
        assert_true(k >= 0 && k < 7);
        sum += z;
        square += z * z;
    }
    assert_true(sum / 20000 < 0.03 && sum / 20000 > -0.03 && square / 20000 > 0.95 && square / 20000 < 1.05);
}

static void mark(void *context, int64_t chunk, int worker)
{
    int *seen = context;
    seen[chunk] += 1 + 0 * worker;
}

T_TEST(each_chunk_runs_once)
{
    for (int threads = 1; threads <= 5; threads++) {
        lop_team *team;
        lop_error err;
        t_ok(lop_team_new(threads, &team, &err), err);
        for (int round = 0; round < 50; round++) {
            int seen[97] = {0};
            lop_team_run(team, round * 2 % 98, mark, seen);
            for (int i = 0; i < 97; i++) assert_int_equal(seen[i], i < round * 2 % 98);
        }
        lop_team_free(team);
    }
    lop_team *team;
    lop_error err;
    t_fails(lop_team_new(0, &team, &err), LOP_E_ARG, err, "0 threads");
}

/* FIPS 180-4 examples, and a message longer than a block fed in pieces. */
T_TEST(sha256_known_answers)
{
    static const struct { const char *text, *hex; } cases[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"}};
    for (size_t k = 0; k < T_COUNT(cases); k++)
        for (size_t piece = 1; piece < 60; piece += 7) {
            lop_sha256 s;
            char hex[65];
            lop_sha256_init(&s);
            for (size_t at = 0, n = strlen(cases[k].text); at < n; at += piece)
                lop_sha256_add(&s, cases[k].text + at, n - at < piece ? n - at : piece);
            lop_sha256_hex(&s, hex);
            assert_string_equal(hex, cases[k].hex);
        }
}

T_TEST(files_appear_whole_or_not_at_all)
{
    char path[4096], hex[65];
    lop_error err;
    lop_file file;
    lop_writer *w;
    t_temporary("file", path);
    t_fails(lop_file_open(path, &file, &err), LOP_E_NOTFOUND, err, "no such file");
    t_fails(lop_file_open("/", &file, &err), LOP_E_IO, err, "is a directory");
    t_ok(lop_file_write(path, "abc", 3, &err), err);
    t_ok(lop_file_sha256(path, hex, &err), err);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    t_ok(lop_writer_open(path, &w, &err), err);
    t_ok(lop_writer_write(w, "other", 5, &err), err);
    lop_writer_abandon(w);
    t_ok(lop_file_open(path, &file, &err), err);
    assert_int_equal(file.size, 3);
    assert_memory_equal(file.bytes, "abc", 3);
    lop_file_close(&file);
    lop_file_close(&file);
    unlink(path);
    t_fails(lop_writer_open("/no/such/folder/x", &w, &err), LOP_E_IO, err, "folder");
    t_fails(lop_writer_open("/", &w, &err), LOP_E_IO, err, "is a directory");
}

T_TEST(only_files_are_replaced)
{
    char path[4096], link[4096];
    lop_error err;
    lop_writer *w;
    struct stat info;
    t_temporary("pipe", path);
    t_temporary("link", link);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(symlink(path, link), 0);
    t_fails(lop_writer_open(path, &w, &err), LOP_E_IO, err, "is no regular file");
    t_fails(lop_file_write(link, "abc", 3, &err), LOP_E_IO, err, "is no regular file");
    assert_true(stat(link, &info) == 0 && S_ISFIFO(info.st_mode));
    unlink(link);
    unlink(path);
}

static int refuse(void *context, const char *what, int64_t done, int64_t total)
{
    (void)context, (void)what;
    return done == total;
}

T_TEST(progress_can_stop_a_call)
{
    lop_error err;
    const lop_progress p = {refuse, NULL};
    t_ok(lop_progress_step(NULL, "x", 1, 1, &err), err);
    t_ok(lop_progress_step(&p, "x", 0, 1, &err), err);
    t_fails(lop_progress_step(&p, "sampling", 3, 3, &err), LOP_E_INTERRUPTED, err, "sampling: interrupted at 3 of 3");
}
T_MAIN(T(sizes_are_checked), T(allocation_refuses_what_cannot_be), T(messages_stay_one_line_of_whole_characters),
       T(random_numbers_are_philox), T(random_numbers_fill_their_range), T(each_chunk_runs_once),
       T(sha256_known_answers), T(files_appear_whole_or_not_at_all), T(only_files_are_replaced),
       T(progress_can_stop_a_call))

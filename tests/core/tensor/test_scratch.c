/* tests/core/tensor/test_scratch.c - tensors that wait on disk. */
#include "support/t.h"
#include "tensor/tensor.h"
#include <dirent.h>
#include <string.h>

static int names_in(const char *folder)
{
    DIR *d = opendir(folder);
    int n = 0;
    assert_non_null(d);
    for (struct dirent *e = readdir(d); e; e = readdir(d)) n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

T_TEST(what_comes_back_is_what_went_in)
{
    char folder[] = "/tmp/lop_scratch_XXXXXX";
    lop_scratch *s;
    lop_error err;
    assert_non_null(mkdtemp(folder));
    t_ok(lop_scratch_open(folder, 4096, &s, &err), err);
    assert_int_equal(names_in(folder), 0);      /* it has no name from the first moment on */
    static const lop_dtype types[] = {LOP_F32, LOP_I64, LOP_U8};
    for (size_t k = 0; k < T_COUNT(types); k++) {
        const lop_shape shape = {2, {3, 7}};
        lop_tensor t, back;
        t_ok(lop_tensor_init(&t, types[k], &shape, &err), err);
        for (int64_t i = 0; i < 21; i++) lop_tensor_set(&t, i, (double)(i * 3 + (int64_t)k));
        const int64_t at = 1000 * (int64_t)k + 13;
        t_ok(lop_scratch_write(s, at, &t, &err), err);
        t_ok(lop_scratch_write(s, at, &t, &err), err);
        t_ok(lop_scratch_read(s, at, types[k], &shape, &back, &err), err);
        assert_true(back.type == types[k] && lop_shape_equal(&back.shape, &shape));
        assert_memory_equal(back.data, t.data, lop_tensor_bytes(&t));
        lop_tensor_clear(&t);
        lop_tensor_clear(&back);
    }
    lop_scratch_free(s);
    lop_scratch_free(NULL);
    assert_int_equal(rmdir(folder), 0);
}

T_TEST(bad_places_and_folders_are_refused)
{
    lop_scratch *s;
    lop_error err;
    lop_tensor t, back;
    assert_int_equal(lop_scratch_open("/nonexistent/folder", 10, &s, &err), LOP_E_IO);
    assert_non_null(strstr(err.message, "/nonexistent/folder: "));
    assert_int_equal(lop_scratch_open("/tmp", INT64_MAX, &s, &err), LOP_E_IO);
    assert_non_null(strstr(err.message, "MB are free"));
    assert_null(s);
    assert_int_equal(lop_scratch_open("/tmp", -1, &s, &err), LOP_E_ARG);
    t_ok(lop_scratch_open("/tmp", 100, &s, &err), err);
    t_ok(lop_tensor_init(&t, LOP_F32, &(lop_shape){1, {20}}, &err), err);
    t_ok(lop_scratch_write(s, 20, &t, &err), err);
    static const int64_t bad[] = {-1, 21, 100, INT64_MAX};
    for (size_t k = 0; k < T_COUNT(bad); k++) {
        assert_int_equal(lop_scratch_write(s, bad[k], &t, &err), LOP_E_ARG);
        assert_int_equal(lop_scratch_read(s, bad[k], LOP_F32, &t.shape, &back, &err), LOP_E_ARG);
        assert_int_equal(back.type, LOP_NONE);
    }
    lop_tensor_clear(&t);
    lop_scratch_free(s);
}

T_MAIN(T(what_comes_back_is_what_went_in), T(bad_places_and_folders_are_refused))

/* tests/core/tensor/test_npz.c - .npz there and back, an archive that another program made, broken ones. */
#include "support/t.h"
#include "tensor/tensor.h"

static lop_tensor make(lop_dtype type, lop_shape shape, uint64_t seed)
{
    lop_tensor t;
    lop_error err;
    t_ok(lop_tensor_init(&t, type, &shape, &err), err);
    for (int64_t i = 0; i < lop_tensor_size(&t); i++)
        lop_tensor_set(&t, i, (double)lop_random_below(seed, LOP_STREAM_USER, (uint64_t)i, 100));
    return t;
}

T_TEST(npz_comes_back_the_same)
{
    char path[4096], name[3][8] = {"images", "labels", "nothing"};
    lop_error err;
    t_temporary("a.npz", path);
    for (int deflate = 0; deflate < 2; deflate++) {
        lop_npz_entry entry[3] = {{name[0], make(LOP_U8, (lop_shape){4, {7, 3, 11, 5}}, 1)},
                                  {name[1], make(LOP_I64, (lop_shape){1, {7}}, 2)},
                                  {name[2], make(LOP_F32, (lop_shape){2, {0, 4}}, 3)}};
        const lop_npz z = {entry, 3};
        lop_npz back;
        t_ok(lop_npz_save(path, &z, deflate, &err), err);
        t_ok(lop_npz_load(path, &back, &err), err);
        assert_int_equal(back.count, 3);
        for (int k = 0; k < 3; k++) {
            const lop_tensor *t = lop_npz_find(&back, name[k]);
            assert_non_null(t);
            assert_int_equal(t->type, entry[k].tensor.type);
            assert_true(lop_shape_equal(&t->shape, &entry[k].tensor.shape));
            assert_memory_equal(t->data, entry[k].tensor.data, lop_tensor_bytes(t));
            lop_tensor_clear(&entry[k].tensor);
        }
        assert_null(lop_npz_find(&back, "Images"));
        lop_npz_clear(&back);
        unlink(path);
    }
}

T_TEST(equal_tensors_give_equal_bytes)
{
    char path[2][4096], hex[2][65], name[] = "x";
    lop_error err;
    lop_npz_entry entry = {name, make(LOP_F64, (lop_shape){2, {30, 30}}, 5)};
    const lop_npz z = {&entry, 1};
    for (int i = 0; i < 2; i++) {
        t_temporary(i ? "b.npz" : "a.npz", path[i]);
        t_ok(lop_npz_save(path[i], &z, true, &err), err);
        t_ok(lop_file_sha256(path[i], hex[i], &err), err);
        unlink(path[i]);
    }
    assert_string_equal(hex[0], hex[1]);
    lop_tensor_clear(&entry.tensor);
}

/* By Python's zipfile: a.npy (stored, big-endian int16, 64-bit figures as numpy asks for), readme.txt, b.npy (deflated,
 * float32), a comment at the end. */
static const uint8_t foreign[] = {
    80, 75, 3, 4, 45, 0, 0, 0, 0, 0, 66, 8, 177, 80, 189, 209, 89, 173, 255, 255, 255, 255, 255, 255, 255, 255, 5, 0,
    20, 0, 97, 46, 110, 112, 121, 1, 0, 16, 0, 140, 0, 0, 0, 0, 0, 0, 0, 140, 0, 0, 0, 0, 0, 0, 0, 147, 78, 85, 77,
    80, 89, 1, 0, 118, 0, 123, 39, 100, 101, 115, 99, 114, 39, 58, 32, 39, 62, 105, 50, 39, 44, 32, 39, 102, 111, 114,
    116, 114, 97, 110, 95, 111, 114, 100, 101, 114, 39, 58, 32, 70, 97, 108, 115, 101, 44, 32, 39, 115, 104, 97, 112,
    101, 39, 58, 32, 40, 50, 44, 32, 51, 41, 44, 32, 125, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32,
    32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32,
    32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 10, 248, 48, 252, 24, 0, 0, 3, 232, 7, 208, 11, 184,
    80, 75, 3, 4, 20, 0, 0, 0, 0, 0, 66, 8, 177, 80, 134, 166, 16, 54, 5, 0, 0, 0, 5, 0, 0, 0, 10, 0, 0, 0, 114, 101,
    97, 100, 109, 101, 46, 116, 120, 116, 104, 101, 108, 108, 111, 80, 75, 3, 4, 45, 0, 0, 0, 8, 0, 66, 8, 177, 80,
    203, 213, 235, 17, 255, 255, 255, 255, 255, 255, 255, 255, 5, 0, 20, 0, 98, 46, 110, 112, 121, 1, 0, 16, 0, 16, 2,
    0, 0, 0, 0, 0, 0, 85, 0, 0, 0, 0, 0, 0, 0, 155, 236, 23, 234, 27, 16, 201, 200, 80, 198, 80, 173, 158, 146, 90,
    156, 92, 164, 110, 165, 160, 110, 147, 102, 162, 174, 163, 160, 158, 150, 95, 84, 82, 148, 152, 23, 159, 95, 148,
    146, 10, 18, 119, 75, 204, 41, 78, 5, 138, 23, 103, 36, 22, 164, 2, 249, 26, 134, 6, 6, 58, 154, 58, 10, 181, 10,
    100, 3, 46, 6, 8, 176, 103, 96, 104, 0, 226, 3, 246, 163, 252, 129, 229, 3, 0, 80, 75, 1, 2, 45, 3, 45, 0, 0, 0,
    0, 0, 66, 8, 177, 80, 189, 209, 89, 173, 140, 0, 0, 0, 140, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 128, 1,
    0, 0, 0, 0, 97, 46, 110, 112, 121, 80, 75, 1, 2, 20, 3, 20, 0, 0, 0, 0, 0, 66, 8, 177, 80, 134, 166, 16, 54, 5, 0,
    0, 0, 5, 0, 0, 0, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 128, 1, 195, 0, 0, 0, 114, 101, 97, 100, 109, 101, 46, 116,
    120, 116, 80, 75, 1, 2, 45, 3, 45, 0, 0, 0, 8, 0, 66, 8, 177, 80, 203, 213, 235, 17, 85, 0, 0, 0, 16, 2, 0, 0, 5,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 128, 1, 240, 0, 0, 0, 98, 46, 110, 112, 121, 80, 75, 5, 6, 0, 0, 0, 0, 3, 0, 3,
    0, 158, 0, 0, 0, 124, 1, 0, 0, 9, 0, 97, 32, 99, 111, 109, 109, 101, 110, 116};

static void write_bytes(const char *path, const void *bytes, size_t n)
{
    lop_error err;
    t_ok(lop_file_write(path, bytes, n, &err), err);
}

T_TEST(an_archive_of_another_program_is_read)
{
    char path[4096];
    lop_error err;
    lop_npz z;
    t_temporary("other.npz", path);
    write_bytes(path, foreign, sizeof foreign);
    t_ok(lop_npz_load(path, &z, &err), err);
    unlink(path);
    assert_int_equal(z.count, 2);               /* readme.txt is no array */
    const lop_tensor *a = lop_npz_find(&z, "a"), *b = lop_npz_find(&z, "b");
    assert_true(a && b && a->type == LOP_I16 && a->shape.ndim == 2 && a->shape.dim[0] == 2 && a->shape.dim[1] == 3);
    for (int i = 0; i < 6; i++) assert_int_equal(((int16_t *)a->data)[i], 1000 * i - 2000);
    assert_true(b->type == LOP_F32 && b->shape.ndim == 1 && b->shape.dim[0] == 100);
    for (int i = 0; i < 100; i++) assert_true(((float *)b->data)[i] == 0.5f * (float)(i % 4));
    lop_npz_clear(&z);
}

/* Where a byte of `foreign` is changed, and what is said about it. */
T_TEST(a_broken_archive_says_what_is_wrong)
{
    static const struct { size_t at; uint8_t value; lop_status code; const char *says; } cases[] = {
        {538, 0, LOP_E_FORMAT, "no end record"},
        {557, 127, LOP_E_FORMAT, "past the file's end"},
        {553, 127, LOP_E_FORMAT, "past the file's end"},
        {549, 64, LOP_E_FORMAT, "past the file's end"},
        {380, 0, LOP_E_FORMAT, "the directory is broken"},
        {409, 255, LOP_E_FORMAT, "the directory is broken"},
        {388, 1, LOP_E_UNSUPPORTED, "encrypted"},
        {390, 12, LOP_E_UNSUPPORTED, "'a': npz: compression 12"},
        {424, 1, LOP_E_FORMAT, "not where the directory says"},
        {400, 1, LOP_E_FORMAT, "stored in two sizes"},
        {403, 16, LOP_E_FORMAT, "reaches past"},
        {184, 119, LOP_E_FORMAT, "'a': npz: wrong checksum"},
        {397, 210, LOP_E_FORMAT, "wrong checksum"},
        {513, 16, LOP_E_FORMAT, "'b': npz: more bytes declared"},
        {511, 17, LOP_E_FORMAT, "'b': npz: cannot be inflated"},
        {511, 15, LOP_E_FORMAT, "'b': npz: cannot be inflated"}};
    char path[4096];
    lop_error err;
    lop_npz z;
    t_temporary("broken.npz", path);
    for (size_t k = 0; k < T_COUNT(cases); k++) {
        uint8_t bytes[sizeof foreign];
        memcpy(bytes, foreign, sizeof foreign);
        bytes[cases[k].at] = cases[k].value;
        write_bytes(path, bytes, sizeof bytes);
        const lop_status st = lop_npz_load(path, &z, &err);
        if (st != cases[k].code || !strstr(err.message, cases[k].says) || strncmp(err.message, path, strlen(path)) != 0)
            fail_msg("case %zu: %d, %s", k, (int)st, err.message);
        assert_true(z.count == 0 && !z.entry);
    }
    unlink(path);
}

T_TEST(no_cut_and_no_flipped_byte_does_harm)
{
    char path[4096];
    lop_error err;
    lop_npz z;
    t_temporary("cut.npz", path);
    for (size_t n = 0; n < sizeof foreign; n++) {
        write_bytes(path, foreign, n);
        assert_int_not_equal(lop_npz_load(path, &z, &err), LOP_OK);
    }
    for (uint64_t seed = 0; seed < T_SEEDS(300); seed++) {
        uint8_t bytes[sizeof foreign];
        memcpy(bytes, foreign, sizeof foreign);
        for (uint64_t i = 0; i < 3; i++)
            bytes[lop_random_below(seed, LOP_STREAM_USER, 2 * i, sizeof bytes)] ^=
                (uint8_t)(1 + lop_random_below(seed, LOP_STREAM_USER, 2 * i + 1, 255));
        write_bytes(path, bytes, sizeof bytes);
        if (lop_npz_load(path, &z, &err) == LOP_OK) lop_npz_clear(&z);
    }
    unlink(path);
}

T_TEST(what_numpy_lacks_is_refused_before_the_file_is_begun)
{
    char path[4096], name[] = "w";
    lop_error err;
    lop_npz_entry entry = {name, make(LOP_BF16, (lop_shape){1, {2}}, 1)};
    const lop_npz z = {&entry, 1};
    t_temporary("none.npz", path);
    t_fails(lop_npz_save(path, &z, false, &err), LOP_E_UNSUPPORTED, err, "'w': numpy has no bfloat16: cast to float32");
    assert_int_not_equal(access(path, F_OK), 0);
    lop_npz back;
    t_fails(lop_npz_load(path, &back, &err), LOP_E_NOTFOUND, err, "no such file");
    lop_tensor_clear(&entry.tensor);
}
T_MAIN(T(npz_comes_back_the_same), T(equal_tensors_give_equal_bytes), T(an_archive_of_another_program_is_read),
       T(a_broken_archive_says_what_is_wrong), T(no_cut_and_no_flipped_byte_does_harm),
       T(what_numpy_lacks_is_refused_before_the_file_is_begun))

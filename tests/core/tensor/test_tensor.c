/* tests/core/tensor/test_tensor.c - shapes, sharing, cutting, conversion, .npy there and back and broken. */
#include "support/t.h"
#include "tensor/tensor.h"
#include <math.h>

static lop_tensor count_up(lop_dtype type, lop_shape shape)
{
    lop_tensor t;
    lop_error err;
    t_ok(lop_tensor_init(&t, type, &shape, &err), err);
    for (int64_t i = 0; i < lop_tensor_size(&t); i++) lop_tensor_set(&t, i, (double)i);
    return t;
}

T_TEST(shapes_past_memory_are_refused)
{
    lop_error err;
    int64_t size;
    t_fails(lop_shape_size(&(lop_shape){2, {1LL << 40, 1LL << 40}}, &size, &err), LOP_E_SHAPE, err, "past any memory");
    t_fails(lop_shape_size(&(lop_shape){2, {3, -2}}, &size, &err), LOP_E_SHAPE, err, "dimension 1 is -2");
    t_ok(lop_shape_size(&(lop_shape){3, {1LL << 40, 1LL << 40, 0}}, &size, &err), err);
    assert_int_equal(size, 0);
    t_ok(lop_shape_size(&(lop_shape){0}, &size, &err), err);
    assert_int_equal(size, 1);
}

T_TEST(narrow_and_index_pick_the_right_elements)
{
    lop_tensor t = count_up(LOP_F32, (lop_shape){3, {2, 3, 4}}), u;
    lop_error err;
    t_ok(lop_tensor_narrow(&u, &t, 0, 1, 1, &err), err);
    assert_ptr_equal(u.data, (float *)t.data + 12);             /* a view */
    lop_tensor_clear(&u);
    t_ok(lop_tensor_narrow(&u, &t, 1, 1, 2, &err), err);
    assert_true(lop_tensor_get(&u, 0) == 4 && lop_tensor_get(&u, 15) == 23);
    lop_tensor_clear(&u);
    t_ok(lop_tensor_index(&u, &t, 2, (const int64_t[]){3, 0, 3}, 3, &err), err);
    assert_true(lop_tensor_get(&u, 0) == 3 && lop_tensor_get(&u, 1) == 0 && lop_tensor_get(&u, 17) == 23);
    lop_tensor_clear(&u);
    t_fails(lop_tensor_index(&u, &t, 2, (const int64_t[]){4}, 1, &err), LOP_E_ARG, err, "index 4 of dimension 2");
    t_fails(lop_tensor_narrow(&u, &t, 1, 2, 2, &err), LOP_E_ARG, err, "which has 3");
    t_ok(lop_tensor_reshape(&u, &t, &(lop_shape){2, {4, -1}}, &err), err);
    assert_int_equal(u.shape.dim[1], 6);
    lop_tensor_clear(&t);                                       /* u still owns the memory */
    assert_true(lop_tensor_get(&u, 23) == 23);
    lop_tensor_clear(&u);
}

/* binary16 by its definition: every finite pattern survives, and halfway cases go to even. */
T_TEST(half_precision_is_exact)
{
    lop_tensor h = count_up(LOP_F16, (lop_shape){1, {1}});
    for (uint32_t bits = 0; bits < 65536; bits++) {
        if ((bits & 0x7C00) == 0x7C00) continue;
        ((uint16_t *)h.data)[0] = (uint16_t)bits;
        lop_tensor_set(&h, 0, lop_tensor_get(&h, 0));
        assert_int_equal(((uint16_t *)h.data)[0], bits);
    }
    static const struct { double value; uint16_t bits; } cases[] = {
        {1 + 0x1p-11, 0x3C00}, {1 + 3 * 0x1p-11, 0x3C02}, {65519, 0x7BFF}, {65520, 0x7C00}, {0x1p-25, 0},
        {0x1.8p-24, 2}, {-2, 0xC000}};
    for (size_t k = 0; k < T_COUNT(cases); k++) {
        lop_tensor_set(&h, 0, cases[k].value);
        assert_int_equal(((uint16_t *)h.data)[0], cases[k].bits);
    }
    lop_tensor_clear(&h);
}

T_TEST(npy_comes_back_the_same)
{
    static const lop_dtype all[] = {LOP_F32, LOP_F64, LOP_F16, LOP_BOOL, LOP_U8, LOP_I8, LOP_U16, LOP_I16, LOP_U32,
                                    LOP_I32, LOP_U64, LOP_I64};
    static const lop_shape shapes[] = {{0, {0}}, {1, {7}}, {4, {2, 1, 3, 2}}, {2, {0, 3}}};
    char path[4096];
    lop_error err;
    t_temporary("a.npy", path);
    for (size_t k = 0; k < T_COUNT(all); k++)
        for (size_t s = 0; s < T_COUNT(shapes); s++) {
            lop_tensor t = count_up(all[k], shapes[s]), u;
            t_ok(lop_npy_save(path, &t, &err), err);
            t_ok(lop_npy_load(path, &u, &err), err);
            assert_int_equal(u.type, t.type);
            assert_true(lop_shape_equal(&u.shape, &t.shape));
            assert_memory_equal(u.data, t.data, lop_tensor_bytes(&t));
            lop_tensor_clear(&t);
            lop_tensor_clear(&u);
        }
    unlink(path);
}

T_TEST(a_broken_npy_says_what_is_wrong)
{
    static const struct { const char *header, *says; } cases[] = {
        {"{'descr': '<f4', 'fortran_order': True, 'shape': (2,), }", "numpy.ascontiguousarray"},
        {"{'descr': '<c8', 'fortran_order': False, 'shape': (2,), }", "element type '<c8'"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, x), }", "not made of numbers"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1000,), }",
         "1000 elements of 4 bytes declared, the file has 0"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 9), }", "past any memory"},
        {"{'descr': '<f4', 'shape': (2,), }", "lacks"}};
    lop_error err;
    lop_tensor t;
    for (size_t k = 0; k < T_COUNT(cases); k++) {
        char bytes[300] = "\x93NUMPY\x01";
        const size_t n = strlen(cases[k].header);
        bytes[8] = (char)n;
        memcpy(bytes + 10, cases[k].header, n);
        assert_int_not_equal(lop_npy_parse((const uint8_t *)bytes, n + 10, &t, &err), LOP_OK);
        if (!strstr(err.message, cases[k].says)) fail_msg("case %zu: %s", k, err.message);
        for (size_t cut = 0; cut < n + 10; cut++)
            assert_int_not_equal(lop_npy_parse((const uint8_t *)bytes, cut, &t, &err), LOP_OK);
    }
}

T_TEST(a_reference_output_is_read)
{
    char path[4096];
    lop_error err;
    lop_tensor t;
    t_ok(lop_npy_load(t_shared("models/digits-vgg/output.npy", path), &t, &err), err);
    t_ok(lop_expect_f32(&t, "output", (lop_shape){2, {2, 10}}, &err), err);
    t_fails(lop_expect_f64(&t, "output", (lop_shape){2, {2, 10}}, &err), LOP_E_ARG, err,
            "float32 given, float64 expected");
    t_fails(lop_expect_f32(&t, "output", (lop_shape){1, {20}}, &err), LOP_E_SHAPE, err, "2x10 given, 20 expected");
    ((float *)t.data)[3] = NAN;
    t_fails(lop_expect_f32(&t, "output", (lop_shape){2, {2, 10}}, &err), LOP_E_NUMERIC, err, "entry #3 is nan");
    lop_tensor_clear(&t);
}
T_MAIN(T(shapes_past_memory_are_refused), T(narrow_and_index_pick_the_right_elements), T(half_precision_is_exact),
       T(npy_comes_back_the_same), T(a_broken_npy_says_what_is_wrong), T(a_reference_output_is_read))

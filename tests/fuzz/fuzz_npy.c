/* tests/fuzz/fuzz_npy.c - an array from the bytes of an .npy file, written and read again. */
#include "fuzz/fuzz.h"
#include "tensor/tensor.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static fuzz_file file;
    static lop_error err;
    lop_tensor t, u;
    fuzz_file_fill(&file, bytes, size);
    const lop_status st = lop_npy_load(file.path, &t, &err);
    fuzz_message(st, &err);
    FUZZ_EXPECT(st == LOP_OK || !t.data, "a tensor although it failed");
    if (st != LOP_OK) return 0;
    FUZZ_EXPECT(lop_tensor_bytes(&t) <= size, "%zu bytes of %zu", lop_tensor_bytes(&t), size);
    for (int64_t i = 0; i < lop_tensor_size(&t) && i < 64; i++) lop_tensor_get(&t, i);
    if (lop_tensor_cast(&u, &t, LOP_F32, &err) == LOP_OK) lop_tensor_clear(&u);
    lop_tensor_clear(&t);
    return 0;
}

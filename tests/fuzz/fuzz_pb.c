/* tests/fuzz/fuzz_pb.c - a tensor from the bytes of a file with one TensorProto. */
#include "fuzz/fuzz.h"
#include "onnx/onnx.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static fuzz_file file;
    static lop_error err;
    lop_tensor t;
    fuzz_file_fill(&file, bytes, size);
    const lop_status st = lop_onnx_load_tensor(file.path, &t, &err);
    fuzz_message(st, &err);
    FUZZ_EXPECT(st == LOP_OK || !t.data, "a tensor although it failed");
    for (int64_t i = 0; i < lop_tensor_size(&t) && i < 64; i++) lop_tensor_get(&t, i);
    lop_tensor_clear(&t);
    return 0;
}

/* tests/fuzz/fuzz_npz.c - an archive of arrays, and the data set that it may be. */
#include "fuzz/fuzz.h"
#include "data/data.h"

static lop_error err;

static void read_set(const lop_data *d)
{
    lop_preprocess p;
    lop_tensor x;
    int64_t label;
    lop_digest digest;
    const int64_t last = lop_data_size(d) - 1;
    FUZZ_EXPECT(lop_preprocess_parse("unit", &p, &err) == LOP_OK, "%s", err.message);
    FUZZ_EXPECT(last >= 0, "an empty set");
    fuzz_message(lop_data_read(d, &last, 1, &p, &x, &label, &err), &err);
    fuzz_message(lop_data_hash(d, &last, 1, NULL, &digest, &err), &err);
    lop_tensor_clear(&x);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static fuzz_file file;
    lop_npz z;
    lop_data *d;
    fuzz_file_fill(&file, bytes, size);
    lop_status st = lop_npz_load(file.path, &z, &err);
    fuzz_message(st, &err);
    FUZZ_EXPECT(st == LOP_OK || z.count == 0, "entries although it failed");
    lop_npz_find(&z, "images");
    lop_npz_clear(&z);
    st = lop_data_open("npz", file.path, NULL, &d, &err);
    fuzz_message(st, &err);
    if (d) read_set(d);
    lop_data_free(d);
    return 0;
}

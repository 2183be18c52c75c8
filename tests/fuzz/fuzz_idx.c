/* tests/fuzz/fuzz_idx.c - a folder with MNIST's two files, plain or gzipped: the first two bytes of the input say how
 * many of the rest are the images; what is left is the labels. */
#include "fuzz/fuzz.h"
#include "data/data.h"

static const char *const names[] = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte"};
static fuzz_folder folder;
static fuzz_file file[2];
static lop_error err;

static void leave(void)
{
    for (int i = 0; i < 2; i++) fuzz_folder_unlink(&folder, names[i]);
    rmdir(folder.path);
}

static void fill(const uint8_t *bytes, size_t size)
{
    const size_t said = (size_t)bytes[0] << 8 | bytes[1], n = said < size - 2 ? said : size - 2;
    const bool first = file[0].fd == 0;
    fuzz_file_fill(&file[0], bytes + 2, n);
    fuzz_file_fill(&file[1], bytes + 2 + n, size - 2 - n);
    if (!first) return;
    fuzz_folder_make(&folder);
    for (int i = 0; i < 2; i++) fuzz_folder_link(&folder, names[i], &file[i]);
    atexit(leave);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    lop_data *d;
    lop_preprocess p;
    lop_tensor x;
    if (size < 2) return 0;
    fill(bytes, size);
    const lop_status st = lop_data_open("mnist", folder.path, NULL, &d, &err);
    fuzz_message(st, &err);
    if (!d) return 0;
    const int64_t last = lop_data_size(d) - 1;
    FUZZ_EXPECT(last >= 0 && lop_data_classes(d) >= 10, "%d images", (int)last + 1);
    FUZZ_EXPECT(lop_preprocess_parse("unit", &p, &err) == LOP_OK, "%s", err.message);
    fuzz_message(lop_data_read(d, &last, 1, &p, &x, NULL, &err), &err);
    lop_tensor_clear(&x);
    lop_data_free(d);
    return 0;
}

/* tests/fuzz/fuzz_cifar10.c - a folder with one batch of CIFAR-10's binary version. */
#include "fuzz/fuzz.h"
#include "data/data.h"

static fuzz_folder folder;
static fuzz_file file;
static lop_error err;

static void leave(void)
{
    fuzz_folder_unlink(&folder, "data_batch_1.bin");
    rmdir(folder.path);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    lop_data *d;
    lop_digest digest;
    const int64_t first_image = 0;
    const bool first = file.fd == 0;
    fuzz_file_fill(&file, bytes, size);
    if (first) {
        fuzz_folder_make(&folder);
        fuzz_folder_link(&folder, "data_batch_1.bin", &file);
        atexit(leave);
    }
    fuzz_message(lop_data_open("cifar10", folder.path, NULL, &d, &err), &err);
    if (d) fuzz_message(lop_data_hash(d, &first_image, 1, NULL, &digest, &err), &err);
    lop_data_free(d);
    return 0;
}

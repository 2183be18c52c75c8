/* core/data/cifar10.c - the binary version of CIFAR-10: records of a label byte and 3 x 32 x 32 bytes. */
#include "data/data_impl.h"
#include <stdio.h>

enum { SIDE = 32, PIXELS = 3 * SIDE * SIDE, RECORD = PIXELS + 1, PATH_SIZE = 4096 };

static lop_status read_batch(const char *path, lop_data *d, lop_error *err)
{
    lop_file *f = &d->file[d->parts];
    const lop_status st = lop_file_open(path, f, err);
    if (st != LOP_OK) return st;
    if (f->size == 0 || f->size % RECORD != 0) {
        const size_t size = f->size;
        lop_file_close(f);
        return lop_fail(err, LOP_E_FORMAT, "%s: %zu bytes are no whole number of records of %d", path, size, RECORD);
    }
    const int64_t count = (int64_t)(f->size / RECORD);
    d->part[d->parts++] = (lop_data_part){f->bytes + 1, count, RECORD};
    d->size += count;
    return lop_lines_add(&d->files, path, err);
}

/* Batches 1 to 5; fewer are fine (a part of the set), one missing between others is not. */
static lop_status read_train(const char *folder, lop_data *d, lop_error *err)
{
    char path[PATH_SIZE], name[32], missing[32] = "";
    lop_status st = LOP_OK;
    for (int k = 1; st == LOP_OK && k <= LOP_DATA_PARTS; k++) {
        snprintf(name, sizeof name, "data_batch_%d.bin", k);
        if (!lop_data_find(folder, name, path, sizeof path)) {
            if (!missing[0]) snprintf(missing, sizeof missing, "%s", name);
            continue;
        }
        st = missing[0] ? lop_data_missing(folder, missing, err) : read_batch(path, d, err);
    }
    if (st == LOP_OK && d->parts == 0) st = lop_data_missing(folder, missing, err);
    return st;
}

static lop_status read_test(const char *folder, lop_data *d, lop_error *err)
{
    char path[PATH_SIZE];
    const bool there = lop_data_find(folder, "test_batch.bin", path, sizeof path);
    return there ? read_batch(path, d, err) : lop_data_missing(folder, "test_batch.bin", err);
}

static lop_status take_labels(const char *folder, lop_data *d, lop_error *err)
{
    d->labels = lop_array(d->size, sizeof *d->labels, err);
    if (!d->labels) return LOP_E_MEMORY;
    int64_t at = 0;
    for (int k = 0; k < d->parts; k++)
        for (int64_t i = 0; i < d->part[k].count; i++, at++) {
            const uint8_t label = *(d->part[k].images + (size_t)i * RECORD - 1);
            if (label > 9)
                return lop_fail(err, LOP_E_FORMAT, "%s: image %" PRId64 " has label %d: 0 to 9 expected", folder, at,
                                label);
            d->labels[at] = label;
        }
    return LOP_OK;
}

lop_status lop_data_read_cifar10(const char *path, const lop_data_options *options, lop_data *d, lop_error *err)
{
    bool test;
    d->image = (lop_shape){3, {3, SIDE, SIDE}};
    d->type = LOP_U8;
    d->classes = 10;
    lop_status st = lop_data_split(options->split, &test, err);
    if (st == LOP_OK) st = test ? read_test(path, d, err) : read_train(path, d, err);
    return st == LOP_OK ? take_labels(path, d, err) : st;
}

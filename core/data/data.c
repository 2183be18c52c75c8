/* core/data/data.c - opening, what a set knows of itself, subsets. */
#include "data/data_impl.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- opening ---- */

bool lop_data_find(const char *folder, const char *name, char *path, size_t n)
{
    const int length = snprintf(path, n, "%s/%s", folder, name);
    return length > 0 && (size_t)length < n && access(path, R_OK) == 0;
}

lop_status lop_data_missing(const char *folder, const char *name, lop_error *err)
{
    if (access(folder, F_OK) != 0) return lop_fail(err, LOP_E_NOTFOUND, "%s: no such folder", folder);
    return lop_fail(err, LOP_E_NOTFOUND, "%s: no %s in it", folder, name);
}

static lop_status read_kind(const char *kind, const char *path, const lop_data_options *options, lop_data *d,
                            lop_error *err)
{
    char hint[LOP_DATA_HINT];
    if (strcmp(kind, "mnist") == 0) return lop_data_read_mnist(path, options, d, err);
    if (strcmp(kind, "cifar10") == 0) return lop_data_read_cifar10(path, options, d, err);
    if (strcmp(kind, "npz") == 0) return lop_data_read_npz(path, options, d, err);
    if (strcmp(kind, "images") == 0) return lop_data_read_images(path, options, d, err);
    return lop_fail(err, LOP_E_ARG, "unknown data kind '%.40s'%s", kind, lop_data_hint(kind, lop_data_kinds, hint));
}

lop_status lop_data_open(const char *kind, const char *path, const lop_data_options *options, lop_data **out,
                         lop_error *err)
{
    const lop_data_options none = {0};
    *out = NULL;
    lop_data *d = lop_array(1, sizeof *d, err);
    if (!d) return LOP_E_MEMORY;
    const lop_status st = read_kind(kind, path, options ? options : &none, d, err);
    if (st != LOP_OK) {
        lop_data_free(d);
        return st;
    }
    for (int64_t i = 0; d->labels && i < d->size; i++)
        if (d->labels[i] >= d->classes) d->classes = d->labels[i] + 1;
    *out = d;
    return LOP_OK;
}

void lop_data_free(lop_data *d)
{
    if (!d) return;
    for (int i = 0; i < LOP_DATA_PARTS; i++) lop_file_close(&d->file[i]);
    lop_tensor_clear(&d->tensor);
    lop_pictures_free(d->pictures);
    lop_lines_clear(&d->notes);
    lop_lines_clear(&d->files);
    lop_free(d->block);
    lop_free(d->labels);
    lop_free(d);
}

int64_t lop_data_size(const lop_data *d) { return d->size; }
int64_t lop_data_classes(const lop_data *d) { return d->classes; }
size_t lop_data_bytes(const lop_data *d)
{
    size_t bytes = 0;
    for (int i = 0; i < d->parts; i++) bytes += (size_t)d->part[i].count * d->part[i].step;
    return bytes;
}

bool lop_data_labelled(const lop_data *d) { return d->labels != NULL; }
lop_shape lop_data_shape(const lop_data *d) { return d->image; }
int64_t lop_data_notes(const lop_data *d) { return d->notes.count; }
const char *lop_data_note(const lop_data *d, int64_t i) { return d->notes.line[i]; }

int64_t lop_data_files(const lop_data *d) { return d->files.count; }
const char *lop_data_file(const lop_data *d, int64_t i) { return d->files.line[i]; }

/* ---- subsets ---- */

static int ascending(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

lop_status lop_data_subset(int64_t size, int64_t n, uint64_t seed, int64_t *list, lop_error *err)
{
    if (n < 0 || n > size)
        return lop_fail(err, LOP_E_ARG, "%" PRId64 " images asked for, the set has %" PRId64, n, size);
    int64_t *deck = lop_array(size, sizeof *deck, err);
    if (!deck) return LOP_E_MEMORY;
    for (int64_t i = 0; i < size; i++) deck[i] = i;
    for (int64_t i = 0; i < n; i++) {           /* Fisher and Yates, stopped after n */
        const int64_t j = i + lop_random_below(seed, LOP_STREAM_SUBSET, (uint64_t)i, size - i);
        list[i] = deck[j];
        deck[j] = deck[i];
    }
    lop_free(deck);
    if (n > 0) qsort(list, (size_t)n, sizeof *list, ascending);
    return LOP_OK;
}

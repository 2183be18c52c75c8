/* core/data/data.c - opening, reading, hashing; subsets. */
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
    if (strcmp(kind, "images") == 0)
        return lop_fail(err, LOP_E_UNSUPPORTED, "%s: JPEG and PNG are not in this version: save them by numpy.savez as "
                        "images (N, C, H, W), uint8, and labels (N), and open npz:FILE", path);
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
    if (d->labels) d->classes = strcmp(kind, "npz") == 0 ? 0 : 10;
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

/* ---- reading ---- */

static lop_status check_index(const lop_data *d, int64_t index, lop_error *err)
{
    if (index >= 0 && index < d->size) return LOP_OK;
    return lop_fail(err, LOP_E_ARG, "image %" PRId64 " of a set of %" PRId64 ", numbered from 0", index, d->size);
}

/* An image's bytes; the index is checked. */
static const uint8_t *image_at(const lop_data *d, int64_t index)
{
    const lop_data_part *part = d->part;
    while (index >= part->count) index -= (part++)->count;
    return part->images + (size_t)index * part->step;
}

static lop_status check_channels(const lop_data *d, const lop_preprocess *p, lop_error *err)
{
    const int64_t c = d->image.dim[0];
    if (p->nmean != 1 && p->nmean != c)
        return lop_fail(err, LOP_E_SHAPE, "preprocess: figures for %d channels, the images have %" PRId64, p->nmean, c);
    if (p->bgr && c != 3)
        return lop_fail(err, LOP_E_SHAPE, "preprocess: order bgr, but the images have %" PRId64 " channels, not 3", c);
    return LOP_OK;
}

/* The value v of the channel that is fed in place k. */
static float value_of(const lop_preprocess *p, int64_t k, double v)
{
    const int64_t i = p->nmean == 1 ? 0 : k;
    return (float)((v * p->scale - p->mean[i]) / p->std[i]);
}

/* One value per byte and channel, computed once: 256 roundings instead of one a pixel. */
static void make_table(const lop_preprocess *p, float table[4][256])
{
    for (int k = 0; k < p->nmean; k++)
        for (int v = 0; v < 256; v++) table[k][v] = value_of(p, k, v);
}

static void read_image(const lop_data *d, const uint8_t *bytes, const lop_preprocess *p, float table[4][256], float *to)
{
    const int64_t c = d->image.dim[0], pixels = d->image.dim[1] * d->image.dim[2];
    for (int64_t k = 0; k < c; k++, to += pixels) {
        const int64_t from = (p->bgr ? c - 1 - k : k) * pixels;
        if (d->type == LOP_U8) {
            const float *map = table[p->nmean == 1 ? 0 : k];
            for (int64_t i = 0; i < pixels; i++) to[i] = map[bytes[from + i]];
        } else {
            const float *values = (const float *)(const void *)bytes + from;
            for (int64_t i = 0; i < pixels; i++) to[i] = value_of(p, k, (double)values[i]);
        }
    }
}

lop_status lop_data_read(const lop_data *d, const int64_t *index, int64_t count, const lop_preprocess *p, lop_tensor *x,
                         int64_t *labels, lop_error *err)
{
    *x = (lop_tensor){0};
    lop_status st = check_channels(d, p, err);
    for (int64_t i = 0; st == LOP_OK && i < count; i++) st = check_index(d, index[i], err);
    const lop_shape shape = {4, {count, d->image.dim[0], d->image.dim[1], d->image.dim[2]}};
    if (st == LOP_OK) st = lop_tensor_init(x, LOP_F32, &shape, err);
    if (st != LOP_OK) return st;
    float table[4][256];
    make_table(p, table);
    const int64_t values = shape.dim[1] * shape.dim[2] * shape.dim[3];
    for (int64_t i = 0; i < count; i++) {
        read_image(d, image_at(d, index[i]), p, table, (float *)x->data + i * values);
        if (labels) labels[i] = d->labels ? d->labels[index[i]] : -1;
    }
    return LOP_OK;
}

lop_status lop_data_hash(const lop_data *d, int64_t index, uint8_t digest[32], lop_error *err)
{
    const lop_status st = check_index(d, index, err);
    if (st != LOP_OK) return st;
    const size_t values = (size_t)(d->image.dim[0] * d->image.dim[1] * d->image.dim[2]);
    lop_sha256 s;
    lop_sha256_init(&s);
    lop_sha256_add(&s, image_at(d, index), values * lop_dtype_size(d->type));
    lop_sha256_end(&s, digest);
    return LOP_OK;
}

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

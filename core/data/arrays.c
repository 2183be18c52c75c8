/* core/data/arrays.c - kind npz: images (N, C, H, W) and labels (N) as numpy saves them. */
#include "data/data_impl.h"
#include <stdio.h>
#include <string.h>

/* The array, or what the file has instead. */
static lop_status find(const lop_npz *z, const char *name, const lop_tensor **out, lop_error *err)
{
    char list[200] = "nothing";
    size_t at = 0;
    *out = lop_npz_find(z, name);
    if (*out) return LOP_OK;
    for (int64_t k = 0; k < z->count && at < sizeof list; k++)
        at += (size_t)snprintf(list + at, sizeof list - at, "%s'%s'", k ? ", " : "", z->entry[k].name);
    return lop_fail(err, LOP_E_NOTFOUND, "no array '%.80s': it has %s (?x=NAME&y=NAME)", name, list);
}

static lop_status take_images(const lop_tensor *t, const char *name, lop_data *d, lop_error *err)
{
    char text[120];
    int64_t at;
    if (t->shape.ndim != 4 || lop_tensor_size(t) == 0)
        return lop_fail(err, LOP_E_SHAPE, "'%.80s': shape %s, images (N, C, H, W) expected", name,
                        lop_shape_text(&t->shape, text, sizeof text));
    lop_status st = LOP_OK;
    if (t->type == LOP_U8 || t->type == LOP_F32) lop_tensor_share(&d->tensor, t);
    else st = lop_tensor_cast(&d->tensor, t, LOP_F32, err);
    if (st != LOP_OK) return st;
    if (!lop_tensor_finite(&d->tensor, &at))
        return lop_fail(err, LOP_E_NUMERIC, "'%.80s': entry #%" PRId64 " is %g", name, at,
                        lop_tensor_get(&d->tensor, at));
    d->type = d->tensor.type;
    d->size = t->shape.dim[0];
    d->image = (lop_shape){3, {t->shape.dim[1], t->shape.dim[2], t->shape.dim[3]}};
    d->part[0] = (lop_data_part){d->tensor.data, d->size, lop_tensor_bytes(&d->tensor) / (size_t)d->size};
    d->parts = 1;
    return LOP_OK;
}

static lop_status take_labels(const lop_tensor *t, const char *name, lop_data *d, lop_error *err)
{
    enum { MOST = 1 << 24 };                    /* classes: what a float32 tells apart */
    char text[120];
    if (t->shape.ndim != 1 || t->shape.dim[0] != d->size)
        return lop_fail(err, LOP_E_SHAPE, "'%.80s': shape %s, %" PRId64 " labels expected", name,
                        lop_shape_text(&t->shape, text, sizeof text), d->size);
    d->labels = lop_array(d->size, sizeof *d->labels, err);
    if (!d->labels) return LOP_E_MEMORY;
    for (int64_t i = 0; i < d->size; i++) {
        const double v = lop_tensor_get(t, i);
        if (!(v >= 0.0 && v < MOST) || v != (double)(int64_t)v)
            return lop_fail(err, LOP_E_FORMAT, "'%.80s': label #%" PRId64 " is %g, whole numbers expected", name, i, v);
        d->labels[i] = (int64_t)v;
    }
    return LOP_OK;
}

static lop_status take(const lop_npz *z, const lop_data_options *options, lop_data *d, lop_error *err)
{
    const lop_tensor *images, *labels;
    const char *x = options->x ? options->x : "images", *y = options->y ? options->y : "labels";
    lop_status st = find(z, x, &images, err);
    if (st == LOP_OK) st = take_images(images, x, d, err);
    if (st != LOP_OK || (!options->y && !lop_npz_find(z, y))) return st;        /* no labels: fine unless asked for */
    st = find(z, y, &labels, err);
    return st == LOP_OK ? take_labels(labels, y, d, err) : st;
}

lop_status lop_data_read_npz(const char *path, const lop_data_options *options, lop_data *d, lop_error *err)
{
    lop_npz z;
    lop_status st = lop_npz_load(path, &z, err);
    if (st != LOP_OK) return st;
    st = take(&z, options, d, err);
    if (st != LOP_OK) lop_error_at(err, "%s", path);
    lop_npz_clear(&z);
    return st == LOP_OK ? lop_lines_add(&d->files, path, err) : st;
}

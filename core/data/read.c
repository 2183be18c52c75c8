/* core/data/read.c - images as tensors, and their hashes; both by a team, an image a chunk. */
#include "data/data_impl.h"
#include <pthread.h>

static lop_status check_index(const lop_data *d, int64_t index, lop_error *err)
{
    if (index >= 0 && index < d->size) return LOP_OK;
    return lop_fail(err, LOP_E_ARG, "image %" PRId64 " of a set of %" PRId64 ", numbered from 0", index, d->size);
}

/* An image's bytes, where they are in memory; the index is checked. */
static const uint8_t *image_at(const lop_data *d, int64_t index)
{
    const lop_data_part *part = d->part;
    while (index >= part->count) index -= (part++)->count;
    return part->images + (size_t)index * part->step;
}

/* ---- the first of several errors, whatever the order in which they come ---- */

typedef struct { pthread_mutex_t lock; int64_t at; lop_error err; } first_error;

static void first_init(first_error *f)
{
    pthread_mutex_init(&f->lock, NULL);
    f->at = INT64_MAX;
    f->err.code = LOP_OK;
}

static void first_note(first_error *f, int64_t at, const lop_error *err)
{
    pthread_mutex_lock(&f->lock);
    if (at < f->at) {
        f->at = at;
        f->err = *err;
    }
    pthread_mutex_unlock(&f->lock);
}

static lop_status first_end(first_error *f, lop_error *err)
{
    pthread_mutex_destroy(&f->lock);
    if (f->err.code != LOP_OK && err) *err = f->err;
    return f->err.code;
}

/* ---- reading ---- */

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

typedef struct {
    const lop_data *d;
    const int64_t *index;
    const lop_preprocess *p;
    const atomic_bool *stop;
    float table[4][256];
    float *x;
    int64_t values;             /* of an image */
    uint8_t *work;              /* an image's bytes for each worker, where they are decoded */
    first_error failed;
} reading;

static void convert(const reading *r, const uint8_t *bytes, float *to)
{
    const lop_data *d = r->d;
    const lop_preprocess *p = r->p;
    const int64_t c = d->image.dim[0], pixels = d->image.dim[1] * d->image.dim[2];
    for (int64_t k = 0; k < c; k++, to += pixels) {
        const int64_t from = (p->bgr ? c - 1 - k : k) * pixels;
        if (d->type == LOP_U8) {
            const float *map = r->table[p->nmean == 1 ? 0 : k];
            for (int64_t i = 0; i < pixels; i++) to[i] = map[bytes[from + i]];
        } else {
            const float *values = (const float *)(const void *)bytes + from;
            for (int64_t i = 0; i < pixels; i++) to[i] = value_of(p, k, (double)values[i]);
        }
    }
}

static void read_image(void *context, int64_t chunk, int worker)
{
    reading *r = context;
    lop_error err = {0};
    if (r->stop && atomic_load(r->stop)) {
        lop_fail(&err, LOP_E_INTERRUPTED, "no more images are wanted");
        first_note(&r->failed, chunk, &err);
        return;
    }
    const uint8_t *bytes;
    if (r->d->pictures) {
        uint8_t *work = r->work + worker * r->values;
        if (lop_pictures_read(r->d->pictures, r->index[chunk], work, &err) != LOP_OK) {
            first_note(&r->failed, chunk, &err);
            return;
        }
        bytes = work;
    } else {
        bytes = image_at(r->d, r->index[chunk]);
    }
    convert(r, bytes, r->x + chunk * r->values);
}

lop_status lop_data_fill(const lop_data *d, const int64_t *index, int64_t count, const lop_preprocess *p,
                         lop_team *team, const atomic_bool *stop, lop_tensor *x, int64_t *labels, lop_error *err)
{
    reading r = {.d = d, .index = index, .p = p, .stop = stop};
    *x = (lop_tensor){0};
    lop_status st = check_channels(d, p, err);
    for (int64_t i = 0; st == LOP_OK && i < count; i++) st = check_index(d, index[i], err);
    const lop_shape shape = {4, {count, d->image.dim[0], d->image.dim[1], d->image.dim[2]}};
    if (st == LOP_OK) st = lop_tensor_init(x, LOP_F32, &shape, err);
    r.x = x->data;
    r.values = shape.dim[1] * shape.dim[2] * shape.dim[3];
    if (st == LOP_OK && d->pictures) {
        r.work = lop_array(lop_team_threads(team) * r.values, 1, err);
        if (!r.work) st = LOP_E_MEMORY;
    }
    if (st == LOP_OK) {
        make_table(p, r.table);
        first_init(&r.failed);
        lop_team_run(team, count, read_image, &r);
        st = first_end(&r.failed, err);
    }
    lop_free(r.work);
    if (st != LOP_OK) lop_tensor_clear(x);
    for (int64_t i = 0; st == LOP_OK && labels && i < count; i++) labels[i] = d->labels ? d->labels[index[i]] : -1;
    return st;
}

lop_status lop_data_read(const lop_data *d, const int64_t *index, int64_t count, const lop_preprocess *p, lop_tensor *x,
                         int64_t *labels, lop_error *err)
{
    return lop_data_fill(d, index, count, p, NULL, NULL, x, labels, err);
}

/* ---- hashing ---- */

typedef struct { const lop_data *d; const int64_t *index; lop_digest *digests; first_error failed; } hashing;

static void hash_image(void *context, int64_t chunk, int worker)
{
    hashing *h = context;
    const lop_data *d = h->d;
    lop_error err = {0};
    (void)worker;
    if (d->pictures) {
        if (lop_pictures_hash(d->pictures, h->index[chunk], &h->digests[chunk], &err) != LOP_OK)
            first_note(&h->failed, chunk, &err);
        return;
    }
    const size_t values = (size_t)(d->image.dim[0] * d->image.dim[1] * d->image.dim[2]);
    lop_sha256 s;
    lop_sha256_init(&s);
    lop_sha256_add(&s, image_at(d, h->index[chunk]), values * lop_dtype_size(d->type));
    lop_sha256_end(&s, h->digests[chunk].byte);
}

lop_status lop_data_hash(const lop_data *d, const int64_t *index, int64_t count, lop_team *team, lop_digest *digests,
                         lop_error *err)
{
    hashing h = {.d = d, .index = index, .digests = digests};
    lop_status st = LOP_OK;
    for (int64_t i = 0; st == LOP_OK && i < count; i++) st = check_index(d, index[i], err);
    if (st != LOP_OK) return st;
    first_init(&h.failed);
    lop_team_run(team, count, hash_image, &h);
    return first_end(&h.failed, err);
}

/* core/data/batches.c - batch after batch, the next one decoded while the caller works on this one. One slot stands
 * between the two: the reader fills it and waits until it has been taken, so at most one batch is ahead. */
#include "data/data_impl.h"
#include <pthread.h>
#include <string.h>

struct lop_batches {
    const lop_data *d;
    int64_t *index, count, batch;
    lop_preprocess p;
    int64_t at;                         /* the first image of the next batch to be read */
    lop_team *team;                     /* the reader's own */
    pthread_t reader;
    bool started, over;                 /* over: nothing more comes; err says why where it is not the end */
    atomic_bool stop;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool full;                          /* the slot: x, labels, n and err */
    lop_tensor x;
    int64_t *labels, n;
    lop_error err;
};

static int64_t next_count(const lop_batches *b)
{
    return b->count - b->at < b->batch ? b->count - b->at : b->batch;
}

/* Reads what comes next into the slot. */
static void fill(lop_batches *b)
{
    b->n = next_count(b);
    b->err.code = LOP_OK;
    if (b->n > 0) lop_data_fill(b->d, b->index + b->at, b->n, &b->p, b->team, &b->stop, &b->x, b->labels, &b->err);
    b->at += b->n;
}

static void *read_ahead(void *context)
{
    lop_batches *b = context;
    for (bool more = true; more;) {
        fill(b);                                /* the slot is the reader's while it is not full */
        pthread_mutex_lock(&b->lock);
        b->full = true;
        more = b->n > 0 && b->err.code == LOP_OK;
        pthread_cond_broadcast(&b->changed);
        while (b->full && !atomic_load(&b->stop)) pthread_cond_wait(&b->changed, &b->lock);
        if (atomic_load(&b->stop)) more = false;
        pthread_mutex_unlock(&b->lock);
    }
    return NULL;
}

static lop_status start(lop_batches *b, int threads, lop_error *err)
{
    const lop_status st = threads > 1 ? lop_team_new(threads, &b->team, err) : LOP_OK;
    if (st != LOP_OK) return st;
    if (pthread_create(&b->reader, NULL, read_ahead, b) != 0)
        return lop_fail(err, LOP_E_MEMORY, "a thread that reads pictures cannot be started");
    b->started = true;
    return LOP_OK;
}

lop_status lop_batches_new(const lop_data *d, const int64_t *index, int64_t count, int64_t batch,
                           const lop_preprocess *p, int threads, lop_batches **out, lop_error *err)
{
    *out = NULL;
    if (count < 0 || batch < 1 || threads < 1)
        return lop_fail(err, LOP_E_ARG, "batches of %" PRId64 " of %" PRId64 " images by %d threads", batch, count,
                        threads);
    if (batch > count) batch = count > 0 ? count : 1;
    lop_batches *b = lop_array(1, sizeof *b, err);
    if (!b) return LOP_E_MEMORY;
    pthread_mutex_init(&b->lock, NULL);
    pthread_cond_init(&b->changed, NULL);
    b->d = d;
    b->count = count;
    b->batch = batch;
    b->p = *p;
    b->index = lop_array(count, sizeof *b->index, err);
    b->labels = lop_array(batch, sizeof *b->labels, err);
    lop_status st = b->index && b->labels ? LOP_OK : LOP_E_MEMORY;
    if (st == LOP_OK && count > 0) memcpy(b->index, index, (size_t)count * sizeof *index);
    if (st == LOP_OK && d->pictures) st = start(b, threads, err);
    if (st != LOP_OK) lop_batches_free(b);
    else *out = b;
    return st;
}

/* What is in the slot, or why there is nothing. */
static lop_status take(lop_batches *b, lop_tensor *x, int64_t *labels, int64_t *n, lop_error *err)
{
    if (b->err.code != LOP_OK) {
        if (err) *err = b->err;
        b->over = true;
        return b->err.code;
    }
    *n = b->n;
    if (b->n == 0) b->over = true;
    else *x = b->x;
    b->x = (lop_tensor){0};
    if (labels && b->n > 0) memcpy(labels, b->labels, (size_t)b->n * sizeof *labels);
    return LOP_OK;
}

lop_status lop_batches_next(lop_batches *b, lop_tensor *x, int64_t *labels, int64_t *n, lop_error *err)
{
    *x = (lop_tensor){0};
    *n = 0;
    if (b->over) return take(b, x, labels, n, err);
    if (!b->started) {
        fill(b);
        return take(b, x, labels, n, err);
    }
    pthread_mutex_lock(&b->lock);
    while (!b->full) pthread_cond_wait(&b->changed, &b->lock);
    const lop_status st = take(b, x, labels, n, err);
    b->full = b->over;                          /* the last answer stays */
    if (!b->over) pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&b->lock);
    return st;
}

void lop_batches_free(lop_batches *b)
{
    if (!b) return;
    if (b->started) {
        pthread_mutex_lock(&b->lock);
        atomic_store(&b->stop, true);
        pthread_cond_broadcast(&b->changed);
        pthread_mutex_unlock(&b->lock);
        pthread_join(b->reader, NULL);
    }
    lop_team_free(b->team);
    lop_tensor_clear(&b->x);
    pthread_mutex_destroy(&b->lock);
    pthread_cond_destroy(&b->changed);
    lop_free(b->index);
    lop_free(b->labels);
    lop_free(b);
}

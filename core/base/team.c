/* core/base/team.c - a team of threads that takes numbered chunks. Between runs a thread looks for the next one for
 * some microseconds, as the layers of a network follow each other closely and waking a sleeper costs as much as a small
 * layer; then it sleeps. */
#include "base/base.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

typedef struct { struct lop_team *team; int worker; } seat;
struct lop_team {
    pthread_mutex_t lock;
    pthread_cond_t begin, end;
    pthread_t *thread;
    seat *seats;
    int threads, started;
    atomic_int busy;
    atomic_uint_fast64_t round;
    bool stop;
    void (*body)(void *context, int64_t chunk, int worker);
    void *context;
    int64_t chunks;
    atomic_int_fast64_t next;
};

enum { LOOKS = 4000 };          /* some 50 microseconds */

static void rest_a_moment(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#else
    atomic_signal_fence(memory_order_seq_cst);
#endif
}

static void take_chunks(lop_team *t, int worker)
{
    for (;;) {
        const int64_t chunk = atomic_fetch_add(&t->next, 1);
        if (chunk >= t->chunks) return;
        t->body(t->context, chunk, worker);
    }
}

static void *work(void *context)
{
    seat *s = context;
    lop_team *t = s->team;
    uint64_t seen = 0;
    for (;;) {
        for (int i = 0; i < LOOKS && atomic_load(&t->round) == seen; i++) rest_a_moment();
        pthread_mutex_lock(&t->lock);
        while (atomic_load(&t->round) == seen && !t->stop) pthread_cond_wait(&t->begin, &t->lock);
        const bool stop = t->stop;
        seen = atomic_load(&t->round);
        pthread_mutex_unlock(&t->lock);
        if (stop) return NULL;
        take_chunks(t, s->worker);
        if (atomic_fetch_sub(&t->busy, 1) == 1) {
            pthread_mutex_lock(&t->lock);
            pthread_cond_signal(&t->end);
            pthread_mutex_unlock(&t->lock);
        }
    }
}

lop_status lop_team_new(int threads, lop_team **out, lop_error *err)
{
    *out = NULL;
    if (threads < 1 || threads > 4096) return lop_fail(err, LOP_E_ARG, "%d threads: 1 to 4096 expected", threads);
    lop_team *t = lop_array(1, sizeof *t, err);
    if (!t) return LOP_E_MEMORY;
    t->threads = threads;
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->begin, NULL);
    pthread_cond_init(&t->end, NULL);
    t->thread = lop_array(threads, sizeof *t->thread, err);
    t->seats = lop_array(threads, sizeof *t->seats, err);
    lop_status st = t->thread && t->seats ? LOP_OK : LOP_E_MEMORY;
    for (int i = 1; st == LOP_OK && i < threads; i++) {
        t->seats[i] = (seat){t, i};
        if (pthread_create(&t->thread[i], NULL, work, &t->seats[i]) != 0)
            st = lop_fail(err, LOP_E_MEMORY, "thread %d of %d cannot be started: ask for fewer", i + 1, threads);
        else t->started++;
    }
    if (st != LOP_OK) lop_team_free(t);
    else *out = t;
    return st;
}

void lop_team_free(lop_team *t)
{
    if (!t) return;
    pthread_mutex_lock(&t->lock);
    t->stop = true;
    pthread_cond_broadcast(&t->begin);
    pthread_mutex_unlock(&t->lock);
    for (int i = 1; i <= t->started; i++) pthread_join(t->thread[i], NULL);
    pthread_cond_destroy(&t->begin);
    pthread_cond_destroy(&t->end);
    pthread_mutex_destroy(&t->lock);
    lop_free(t->thread);
    lop_free(t->seats);
    lop_free(t);
}

int lop_team_threads(const lop_team *t) { return t ? t->threads : 1; }

void lop_team_run(lop_team *t, int64_t chunks, void (*body)(void *context, int64_t chunk, int worker), void *context)
{
    if (!t || t->threads == 1 || chunks <= 1) {
        for (int64_t k = 0; k < chunks; k++) body(context, k, 0);
        return;
    }
    pthread_mutex_lock(&t->lock);
    t->body = body;
    t->context = context;
    t->chunks = chunks;
    atomic_store(&t->next, 0);
    atomic_store(&t->busy, t->started);
    atomic_fetch_add(&t->round, 1);
    pthread_cond_broadcast(&t->begin);
    pthread_mutex_unlock(&t->lock);
    take_chunks(t, 0);
    for (int i = 0; i < LOOKS && atomic_load(&t->busy) > 0; i++) rest_a_moment();
    pthread_mutex_lock(&t->lock);
    while (atomic_load(&t->busy) > 0) pthread_cond_wait(&t->end, &t->lock);
    pthread_mutex_unlock(&t->lock);
}

int lop_cores(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
    const int n = CPU_COUNT(&set);
    return n < 1 ? 1 : n;
}

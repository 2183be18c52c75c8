/* core/base/base.h - what every other module stands on: status codes and error messages, checked sizes, allocation,
 * addressed random numbers, the thread team, the clock, SHA-256, files that appear whole or not at all.
 * Nothing here prints, exits, or keeps state between calls. Thread safety: all functions may be called at once on
 * different objects; exceptions are named at the function. */
#ifndef LOP_BASE_BASE_H
#define LOP_BASE_BASE_H
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOP_VERSION "0.1.0"

/* ---- status and errors (base/error.c) ---- */

typedef enum {
    LOP_OK = 0,
    LOP_E_ARG,          /* an argument or option is out of its range: the caller's mistake */
    LOP_E_SHAPE,        /* tensors, or a tensor and a node, do not fit */
    LOP_E_FORMAT,       /* a file or a byte string is not what it should be */
    LOP_E_IO,           /* the system refused to open, read or write */
    LOP_E_MEMORY,       /* no memory, or more than was allowed */
    LOP_E_NUMERIC,      /* NaN, infinity, a singular matrix, no convergence */
    LOP_E_UNSUPPORTED,  /* valid, and not built here */
    LOP_E_NOTFOUND,     /* no such file, node, value, key */
    LOP_E_INTERRUPTED   /* a lop_progress callback asked to stop */
} lop_status;

typedef struct {
    lop_status code;
    char message[512];  /* one line, UTF-8, cut at a whole character; "" when code is LOP_OK */
} lop_error;

#if defined(__GNUC__)
#define LOP_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define LOP_PRINTF(text, first)
#endif

/* Fills err (may be NULL) and returns code, so that a check reads: return lop_fail(err, LOP_E_ARG, "...", ...). */
lop_status lop_fail(lop_error *err, lop_status code, const char *format, ...) LOP_PRINTF(3, 4);
/* Puts "prefix: " before the message of err (may be NULL): whoever knows a name adds it. Returns err's code. */
lop_status lop_error_at(lop_error *err, const char *format, ...) LOP_PRINTF(2, 3);
/* "arg", "shape", "format", "io", "memory", "numeric", "unsupported", "notfound", "interrupted", "ok". */
const char *lop_status_name(lop_status code);

/* ---- checked sizes and allocation (base/memory.c) ---- */

/* *out = a * b, or a + b; false (and *out unchanged) where that is past SIZE_MAX or an int64_t is negative. */
bool lop_mul_size(size_t *out, size_t a, int64_t b);
bool lop_add_size(size_t *out, size_t a, int64_t b);
/* count * size bytes of zeros, aligned to 64; count 0 gives a valid pointer. NULL and MEMORY (or ARG for a negative
 * count) when that cannot be. Free with lop_free; lop_free(NULL) is fine. */
void *lop_array(int64_t count, size_t size, lop_error *err);
void lop_free(void *block);
/* A copy of a string (NUL-terminated), or of n bytes with a NUL added; NULL and MEMORY on failure. */
char *lop_string(const char *s, lop_error *err);
char *lop_string_n(const char *s, size_t n, lop_error *err);
/* Grows *block (from lop_array or NULL) to hold at least `need` items, doubling; new items are zero. */
lop_status lop_reserve(void **block, int64_t *capacity, int64_t need, size_t size, lop_error *err);

/* ---- addressed randomness (base/random.c): Philox4x32-10, Salmon et al., SC 2011 ---- */

enum {                          /* streams; the low bits are free for a layer or a purpose */
    LOP_STREAM_POSITION = 1 << 20,
    LOP_STREAM_SUBSET = 2 << 20,        /* images, channels; + 1: rows that are kept; + 2: atoms; + 3: filters */
    LOP_STREAM_WEIGHT = 3 << 20,
    LOP_STREAM_USER = 4 << 20
};
/* 64 uniform bits, a function of its arguments and nothing else. */
uint64_t lop_random(uint64_t seed, uint64_t stream, uint64_t index);
/* Uniform in [0, 1), a multiple of 2^-53; normal (mean 0, deviation 1; Box-Muller on two draws of the same index). */
double lop_random_unit(uint64_t seed, uint64_t stream, uint64_t index);
double lop_random_normal(uint64_t seed, uint64_t stream, uint64_t index);
/* Uniform in [0, below), without modulo bias beyond 2^-64 * below; below > 0. */
int64_t lop_random_below(uint64_t seed, uint64_t stream, uint64_t index, int64_t below);

/* ---- the thread team (base/team.c) ---- */

typedef struct lop_team lop_team;       /* one user at a time; bodies may not call lop_team_run on their own team */
lop_status lop_team_new(int threads, lop_team **out, lop_error *err);   /* threads >= 1, the caller's thread counts */
void lop_team_free(lop_team *team);
int lop_team_threads(const lop_team *team);     /* 1 for NULL */
/* Calls body(context, chunk, worker) once for each chunk in [0, chunks), worker in [0, threads). Chunks are taken in
 * order by whoever is free; results must go to places addressed by chunk, never by worker or arrival. team NULL: all
 * on the caller's thread. Returns when all are done. */
void lop_team_run(lop_team *team, int64_t chunks, void (*body)(void *context, int64_t chunk, int worker),
                  void *context);
int lop_cores(void);                    /* processors this process may use, at least 1 */

/* ---- clock and memory of the process (base/clock.c): for reports, never for decisions ---- */

double lop_seconds(void);               /* monotonic */
int64_t lop_peak_rss(void);             /* bytes, the highest so far; 0 if the system does not tell */
int64_t lop_free_memory(void);          /* bytes that could be had now (MemAvailable, cgroup limits); 0 if unknown */

/* ---- progress ---- */

/* Called on the caller's thread at chunk borders: what is done of total. Non-zero asks to stop: INTERRUPTED. */
typedef struct {
    int (*step)(void *context, const char *what, int64_t done, int64_t total);
    void *context;
} lop_progress;
lop_status lop_progress_step(const lop_progress *p, const char *what, int64_t done, int64_t total, lop_error *err);

/* ---- SHA-256, FIPS 180-4 (base/sha256.c) ---- */

typedef struct { uint32_t h[8]; uint64_t length; uint8_t block[64]; } lop_sha256;
void lop_sha256_init(lop_sha256 *s);
void lop_sha256_add(lop_sha256 *s, const void *bytes, size_t n);
void lop_sha256_end(lop_sha256 *s, uint8_t digest[32]); /* ends the sum */
void lop_sha256_hex(lop_sha256 *s, char hex[65]);       /* the same, as lower case text, NUL-terminated */

/* ---- files (base/file.c) ---- */

typedef struct { const uint8_t *bytes; size_t size; void *owner; } lop_file;    /* read only; owner: private */
/* Maps a regular file. NOTFOUND ("PATH: no such file"), IO ("PATH: is a directory", ...). */
lop_status lop_file_open(const char *path, lop_file *out, lop_error *err);
void lop_file_close(lop_file *file);    /* may be called twice; an empty (zero) lop_file is fine */

typedef struct lop_writer lop_writer;   /* a file in the making: beside its place until committed */
/* IO: no such folder, no right to write there, or what has that name already is no regular file. */
lop_status lop_writer_open(const char *path, lop_writer **out, lop_error *err);
lop_status lop_writer_write(lop_writer *w, const void *bytes, size_t n, lop_error *err);
/* commit: fsync, rename over path, fsync of the folder; frees w in any case. abandon: removes what was written. */
lop_status lop_writer_commit(lop_writer *w, lop_error *err);
void lop_writer_abandon(lop_writer *w);         /* NULL is fine */
/* All of the above in one call. */
lop_status lop_file_write(const char *path, const void *bytes, size_t n, lop_error *err);
/* SHA-256 of a file's content. */
lop_status lop_file_sha256(const char *path, char hex[65], lop_error *err);
#endif

/* tests/fuzz/fuzz.h - what the fuzz targets share. A target is a file fuzz_NAME.c with libFuzzer's entry point; with
 * -fsanitize=fuzzer it is a fuzzer, with replay.c a test that runs what has been found before, under any compiler. */
#ifndef LOP_TESTS_FUZZ_FUZZ_H
#define LOP_TESTS_FUZZ_FUZZ_H
#include "base/base.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* A promise that is broken is a finding, like a crash. */
#define FUZZ_EXPECT(held, ...)                                          \
    do {                                                                \
        if (!(held)) {                                                  \
            fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #held);  \
            fprintf(stderr, __VA_ARGS__);                               \
            fputc('\n', stderr);                                        \
            abort();                                                    \
        }                                                               \
    } while (0)

/* A failure has a code and one line that says why. */
static inline void fuzz_message(lop_status st, const lop_error *err)
{
    if (st == LOP_OK) return;
    FUZZ_EXPECT(err->code == st, "returned %d, the error says %d: '%s'", (int)st, (int)err->code, err->message);
    FUZZ_EXPECT(err->message[0] && !strchr(err->message, '\n'), "'%s'", err->message);
}

typedef struct { int fd; char path[40]; } fuzz_file;    /* a file in memory, for readers that want a path */

static inline void fuzz_file_fill(fuzz_file *f, const uint8_t *bytes, size_t size)
{
    if (f->fd <= 0) {
        f->fd = memfd_create("fuzz", MFD_CLOEXEC);
        snprintf(f->path, sizeof f->path, "/proc/self/fd/%d", f->fd);
    }
    FUZZ_EXPECT(f->fd > 0 && ftruncate(f->fd, 0) == 0, "no file in memory");
    FUZZ_EXPECT(size == 0 || pwrite(f->fd, bytes, size, 0) == (ssize_t)size, "%zu bytes", size);
}

/* A folder under TMPDIR, to be removed by fuzz_folder_remove. */
typedef struct { char path[200]; } fuzz_folder;

static inline void fuzz_folder_make(fuzz_folder *d)
{
    const char *root = getenv("TMPDIR");
    snprintf(d->path, sizeof d->path, "%.150s/lop-fuzz-XXXXXX", root ? root : "/tmp");
    FUZZ_EXPECT(mkdtemp(d->path), "no folder %s", d->path);
}

/* The file in memory stands in the folder under this name. */
static inline void fuzz_folder_link(const fuzz_folder *d, const char *name, const fuzz_file *f)
{
    char link[300];
    snprintf(link, sizeof link, "%s/%s", d->path, name);
    FUZZ_EXPECT(symlink(f->path, link) == 0, "%s", link);
}

static inline void fuzz_folder_unlink(const fuzz_folder *d, const char *name)
{
    char link[300];
    snprintf(link, sizeof link, "%s/%s", d->path, name);
    unlink(link);
}
#endif

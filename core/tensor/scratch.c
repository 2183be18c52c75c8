/* core/tensor/scratch.c - tensors in a file without a name, for what does not fit into memory. */
#include "tensor/tensor.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

struct lop_scratch { char *folder; int fd; size_t bytes; };

static lop_status io_fail(const lop_scratch *s, lop_error *err)
{
    char why[128];
    const char *text = strerror_r(errno, why, sizeof why);
    return lop_fail(err, LOP_E_IO, "%s: a scratch file of %zu MB: %s", s->folder, s->bytes / 1000000 + 1, text);
}

/* Not every file system makes files without a name; elsewhere the name goes as soon as it is there. */
static int open_nameless(const char *folder)
{
    const int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)) return fd;
    const size_t room = strlen(folder) + 32;
    char *name = lop_array((int64_t)room, 1, NULL);
    if (!name) return -1;
    snprintf(name, room, "%s/lop.scratch.XXXXXX", folder);
    const int named = mkostemp(name, O_CLOEXEC);
    if (named >= 0) unlink(name);
    lop_free(name);
    return named;
}

/* Where the file system can, the room is taken now, so that nothing else fills it while the work goes on. */
static lop_status reserve(const lop_scratch *s, lop_error *err)
{
    struct statvfs disk;
    if (fstatvfs(s->fd, &disk) != 0) return io_fail(s, err);
    const uint64_t room = (uint64_t)disk.f_bavail * disk.f_frsize;
    if (room < s->bytes)
        return lop_fail(err, LOP_E_IO, "%s: %" PRIu64 " MB are free, %zu MB are needed: a folder on a larger disk",
                        s->folder, room / 1000000, s->bytes / 1000000 + 1);
    int failed = 0;
    do failed = s->bytes > 0 && fallocate(s->fd, 0, 0, (off_t)s->bytes) != 0;
    while (failed && errno == EINTR);
    return failed && (errno == ENOSPC || errno == EDQUOT || errno == EFBIG) ? io_fail(s, err) : LOP_OK;
}

lop_status lop_scratch_open(const char *folder, int64_t bytes, lop_scratch **out, lop_error *err)
{
    *out = NULL;
    if (bytes < 0) return lop_fail(err, LOP_E_ARG, "a scratch file of %" PRId64 " bytes: 0 or more expected", bytes);
    lop_scratch *s = lop_array(1, sizeof *s, err);
    if (!s) return LOP_E_MEMORY;
    s->fd = -1;
    s->bytes = (size_t)bytes;
    s->folder = lop_string(folder, err);
    lop_status st = s->folder ? LOP_OK : LOP_E_MEMORY;
    if (st == LOP_OK && (s->fd = open_nameless(folder)) < 0) st = io_fail(s, err);
    if (st == LOP_OK) st = reserve(s, err);
    if (st != LOP_OK) {
        lop_scratch_free(s);
        return st;
    }
    *out = s;
    return LOP_OK;
}

void lop_scratch_free(lop_scratch *s)
{
    if (!s) return;
    if (s->fd >= 0) close(s->fd);
    lop_free(s->folder);
    lop_free(s);
}

/* Whether n bytes from `at` on are within the file. */
static lop_status check_place(const lop_scratch *s, int64_t at, size_t n, lop_error *err)
{
    if (at >= 0 && (uint64_t)at <= s->bytes && n <= s->bytes - (uint64_t)at) return LOP_OK;
    return lop_fail(err, LOP_E_ARG, "%zu bytes at %" PRId64 " of a scratch file of %zu", n, at, s->bytes);
}

lop_status lop_scratch_write(lop_scratch *s, int64_t at, const lop_tensor *t, lop_error *err)
{
    const char *from = t->data;
    size_t left = lop_tensor_bytes(t);
    lop_status st = check_place(s, at, left, err);
    while (st == LOP_OK && left > 0) {
        const ssize_t n = pwrite(s->fd, from, left < 1u << 30 ? left : 1u << 30, (off_t)at);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return io_fail(s, err);
        from += n;
        at += n;
        left -= (size_t)n;
    }
    return st;
}

lop_status lop_scratch_read(lop_scratch *s, int64_t at, lop_dtype type, const lop_shape *shape, lop_tensor *out,
                            lop_error *err)
{
    *out = (lop_tensor){0};
    lop_tensor t;
    lop_status st = lop_tensor_init(&t, type, shape, err);
    if (st == LOP_OK) st = check_place(s, at, lop_tensor_bytes(&t), err);
    char *to = t.data;
    size_t left = lop_tensor_bytes(&t);
    while (st == LOP_OK && left > 0) {
        const ssize_t n = pread(s->fd, to, left < 1u << 30 ? left : 1u << 30, (off_t)at);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) st = io_fail(s, err);
        else if (n == 0) st = lop_fail(err, LOP_E_IO, "%s: the scratch file ends before its tensor", s->folder);
        else {
            to += n;
            at += n;
            left -= (size_t)n;
        }
    }
    if (st == LOP_OK) *out = t;
    else lop_tensor_clear(&t);
    return st;
}

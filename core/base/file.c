/* core/base/file.c - files read by mapping, and written beside their place, then renamed. */
#include "base/base.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static lop_status io_fail(lop_error *err, const char *path)
{
    if (errno == ENOENT) return lop_fail(err, LOP_E_NOTFOUND, "%s: no such file", path);
    char why[128];
    const char *text = strerror_r(errno, why, sizeof why);
    return lop_fail(err, LOP_E_IO, "%s: %s", path, text);
}

lop_status lop_file_open(const char *path, lop_file *out, lop_error *err)
{
    *out = (lop_file){0};
    struct stat info;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);   /* a pipe is refused, not waited for */
    if (fd < 0) return io_fail(err, path);
    lop_status st = LOP_OK;
    if (fstat(fd, &info) != 0) st = io_fail(err, path);
    else if (S_ISDIR(info.st_mode)) st = lop_fail(err, LOP_E_IO, "%s: is a directory", path);
    else if (!S_ISREG(info.st_mode)) st = lop_fail(err, LOP_E_IO, "%s: is no regular file", path);
    else if (info.st_size > 0) {
        void *map = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (map == MAP_FAILED) st = io_fail(err, path);
        else *out = (lop_file){map, (size_t)info.st_size, map};
    }
    close(fd);
    return st;
}

void lop_file_close(lop_file *file)
{
    if (file->owner) munmap(file->owner, file->size);
    *file = (lop_file){0};
}

struct lop_writer { char *path, *beside; int fd; };

static void writer_free(lop_writer *w)
{
    if (w->fd >= 0) close(w->fd);
    lop_free(w->path);
    lop_free(w->beside);
    lop_free(w);
}

/* A rename puts a file in the place of whatever has the name: a device must not go that way, nor a link to one. */
static lop_status check_place(const char *path, lop_error *err)
{
    struct stat info;
    if (stat(path, &info) != 0 || S_ISREG(info.st_mode)) return LOP_OK;
    return lop_fail(err, LOP_E_IO, S_ISDIR(info.st_mode) ? "%s: is a directory" : "%s: is no regular file", path);
}

lop_status lop_writer_open(const char *path, lop_writer **out, lop_error *err)
{
    *out = NULL;
    const lop_status place = check_place(path, err);
    if (place != LOP_OK) return place;
    const size_t room = strlen(path) + 32;
    lop_writer *w = lop_array(1, sizeof *w, err);
    if (!w) return LOP_E_MEMORY;
    w->fd = -1;
    w->path = lop_string(path, err);
    w->beside = lop_array((int64_t)room, 1, err);
    if (!w->path || !w->beside) { writer_free(w); return LOP_E_MEMORY; }
    for (int i = 0; i < 1000 && w->fd < 0; i++) {
        snprintf(w->beside, room, "%s.%ld.%d.part", path, (long)getpid(), i);
        w->fd = open(w->beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (w->fd < 0 && errno != EEXIST) break;
    }
    if (w->fd < 0) {
        const lop_status st = errno == ENOENT ? lop_fail(err, LOP_E_IO, "%s: its folder does not exist", path)
                                              : io_fail(err, path);
        writer_free(w);
        return st;
    }
    *out = w;
    return LOP_OK;
}

lop_status lop_writer_write(lop_writer *w, const void *bytes, size_t n, lop_error *err)
{
    const char *p = bytes;
    while (n > 0) {
        const ssize_t done = write(w->fd, p, n < 1u << 30 ? n : 1u << 30);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) return io_fail(err, w->path);
        p += done;
        n -= (size_t)done;
    }
    return LOP_OK;
}

/* Without it a crash could leave the old name behind: best effort, not every file system can. */
static void sync_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash ? lop_string_n(path, (size_t)(slash - path) + 1, NULL) : lop_string(".", NULL);
    const int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    lop_free(folder);
}

lop_status lop_writer_commit(lop_writer *w, lop_error *err)
{
    lop_status st = LOP_OK;
    if (fsync(w->fd) != 0 && errno != EINVAL) st = io_fail(err, w->path);
    if (close(w->fd) != 0 && st == LOP_OK) st = io_fail(err, w->path);
    w->fd = -1;
    if (st == LOP_OK && rename(w->beside, w->path) != 0) st = io_fail(err, w->path);
    if (st == LOP_OK) sync_folder(w->path);
    else unlink(w->beside);
    writer_free(w);
    return st;
}

void lop_writer_abandon(lop_writer *w)
{
    if (!w) return;
    unlink(w->beside);
    writer_free(w);
}

lop_status lop_file_write(const char *path, const void *bytes, size_t n, lop_error *err)
{
    lop_writer *w;
    lop_status st = lop_writer_open(path, &w, err);
    if (!w) return st;
    st = lop_writer_write(w, bytes, n, err);
    if (st == LOP_OK) return lop_writer_commit(w, err);
    lop_writer_abandon(w);
    return st;
}

lop_status lop_file_sha256(const char *path, char hex[65], lop_error *err)
{
    lop_file file;
    lop_status st = lop_file_open(path, &file, err);
    if (st != LOP_OK) return st;
    lop_sha256 s;
    lop_sha256_init(&s);
    if (file.size > 0) lop_sha256_add(&s, file.bytes, file.size);
    lop_sha256_hex(&s, hex);
    lop_file_close(&file);
    return LOP_OK;
}

/* core/data/folder.c - what a folder of pictures holds: their names, sorted, and the classes that a file of labels
 * gives. */
#include "data/data_impl.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum { PATH_SIZE = 4096, DEEP = 8, FOLDERS = 1000000 };

/* ---- lines ---- */

lop_status lop_lines_add(lop_lines *lines, const char *text, lop_error *err)
{
    void *block = lines->line;
    const lop_status st = lop_reserve(&block, &lines->room, lines->count + 1, sizeof *lines->line, err);
    lines->line = block;
    char *copy = st == LOP_OK ? lop_string(text, err) : NULL;
    if (!copy) return LOP_E_MEMORY;
    lines->line[lines->count++] = copy;
    return LOP_OK;
}

static int by_bytes(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

void lop_lines_sort(lop_lines *lines)
{
    if (lines->count > 0) qsort(lines->line, (size_t)lines->count, sizeof *lines->line, by_bytes);
}

void lop_lines_clear(lop_lines *lines)
{
    for (int64_t i = 0; i < lines->count; i++) lop_free(lines->line[i]);
    lop_free(lines->line);
    *lines = (lop_lines){0};
}

/* ---- the listing ---- */

/* A folder on the way down: to see that a link leads back. */
typedef struct above { const struct above *up; dev_t device; ino_t number; int depth; } above;
typedef struct {
    char path[PATH_SIZE];       /* the folder in work, then an entry of it */
    size_t root;                /* length of the first folder and its slash: names begin there */
    int64_t folders;            /* entered so far: links across can make many of few */
    lop_listing *list;
    lop_error *err;
} walk;

static bool is_picture(const char *name)
{
    static const char *const ends[] = {".jpg", ".jpeg", ".png"};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < sizeof ends / sizeof *ends; i++)
        if (strcasecmp(dot, ends[i]) == 0) return true;
    return false;
}

static lop_status list_folder(walk *w, size_t length, const above *up);

/* A folder in the one that was reached by `up`, unless it is one of those above. */
static lop_status enter(walk *w, size_t length, const struct stat *info, const above *up)
{
    for (const above *a = up; a; a = a->up)
        if (a->device == info->st_dev && a->number == info->st_ino) return LOP_OK;
    if (up->depth == 0) {
        const lop_status st = lop_lines_add(&w->list->folder, w->path + w->root, w->err);
        if (st != LOP_OK) return st;
    }
    if (++w->folders > FOLDERS) return lop_fail(w->err, LOP_E_FORMAT, "%s: more than %d folders", w->path, FOLDERS);
    if (up->depth == DEEP)
        return lop_fail(w->err, LOP_E_FORMAT, "%s: folders are nested more than %d deep", w->path, DEEP);
    const above here = {up, info->st_dev, info->st_ino, up->depth + 1};
    return list_folder(w, length, &here);
}

static lop_status list_entry(walk *w, size_t length, const struct dirent *entry, const above *up)
{
    struct stat info;
    const size_t n = strlen(entry->d_name);
    if (entry->d_name[0] == '.') return LOP_OK;
    if (length + n + 2 > PATH_SIZE) return lop_fail(w->err, LOP_E_IO, "%.200s...: the path is too long", w->path);
    memcpy(w->path + length, entry->d_name, n + 1);
    bool file = entry->d_type == DT_REG;
    if (!file) {
        const bool there = stat(w->path, &info) == 0;
        if (there && S_ISDIR(info.st_mode)) return enter(w, length + n, &info, up);
        file = !there || S_ISREG(info.st_mode);         /* a link to nothing: said when it is read */
    }
    if (file && is_picture(entry->d_name)) return lop_lines_add(&w->list->picture, w->path + w->root, w->err);
    if (up->depth > 0 || strcmp(entry->d_name, "labels.txt") != 0) w->list->others++;
    return LOP_OK;
}

/* The folder w->path of `length` bytes. */
static lop_status list_folder(walk *w, size_t length, const above *up)
{
    w->path[length] = '\0';
    DIR *dir = opendir(w->path);
    if (!dir) {
        char why[128];
        return lop_fail(w->err, LOP_E_IO, "%s: %s", w->path, strerror_r(errno, why, sizeof why));
    }
    w->path[length] = '/';
    lop_status st = LOP_OK;
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (!entry) break;
        st = list_entry(w, length + 1, entry, up);
        if (st != LOP_OK) break;
    }
    if (st == LOP_OK && errno != 0) {
        w->path[length] = '\0';
        st = lop_fail(w->err, LOP_E_IO, "%s: could not be read to its end", w->path);
    }
    closedir(dir);
    return st;
}

lop_status lop_listing_read(const char *folder, lop_listing *out, lop_error *err)
{
    struct stat info;
    walk w = {.list = out, .err = err};
    *out = (lop_listing){0};
    size_t n = strlen(folder);
    while (n > 1 && folder[n - 1] == '/') n--;
    if (stat(folder, &info) != 0) return lop_fail(err, LOP_E_NOTFOUND, "%s: no such folder", folder);
    if (!S_ISDIR(info.st_mode)) return lop_fail(err, LOP_E_IO, "%s: is no folder", folder);
    if (n + 2 > PATH_SIZE) return lop_fail(err, LOP_E_IO, "%.200s...: the path is too long", folder);
    memcpy(w.path, folder, n);
    w.root = n + 1;
    const above top = {NULL, info.st_dev, info.st_ino, 0};
    const lop_status st = list_folder(&w, n, &top);
    lop_lines_sort(&out->picture);
    lop_lines_sort(&out->folder);
    return st;
}

void lop_listing_clear(lop_listing *list)
{
    lop_lines_clear(&list->picture);
    lop_lines_clear(&list->folder);
}

/* ---- labels: lines NAME CLASS ---- */

enum { CLASSES = 1 << 24 };     /* what a float32 tells apart */

typedef struct { const char *path; int64_t number; const lop_listing *list; int64_t *labels; } reading;

static bool blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

/* A whole number of digits alone; -1 for anything else, or too many. */
static int64_t class_of(const char *text, size_t n)
{
    int64_t v = 0;
    if (n == 0 || n > 8) return -1;
    for (size_t i = 0; i < n; i++) {
        if (text[i] < '0' || text[i] > '9') return -1;
        v = v * 10 + text[i] - '0';
    }
    return v < CLASSES ? v : -1;
}

static lop_status take_line(reading *r, const char *line, size_t n, lop_error *err)
{
    char name[PATH_SIZE];
    const char *key = name;
    while (n > 0 && blank(line[n - 1])) n--;
    while (n > 0 && blank(*line)) line++, n--;
    if (n == 0) return LOP_OK;
    size_t last = n;
    while (last > 0 && !blank(line[last - 1])) last--;
    const int64_t label = class_of(line + last, n - last);
    size_t end = last;
    while (end > 0 && blank(line[end - 1])) end--;
    if (end == 0 || end >= sizeof name || memchr(line, '\0', n))
        return lop_fail(err, LOP_E_FORMAT, "%s: line %" PRId64 ": NAME CLASS expected", r->path, r->number);
    if (label < 0)
        return lop_fail(err, LOP_E_FORMAT, "%s: line %" PRId64 ": class '%.*s': a whole number from 0 on expected",
                        r->path, r->number, (int)(n - last < 40 ? n - last : 40), line + last);
    memcpy(name, line, end);
    name[end] = '\0';
    while (strncmp(key, "./", 2) == 0) key += 2;
    const lop_lines *all = &r->list->picture;
    char **found = all->count ? bsearch(&key, all->line, (size_t)all->count, sizeof *all->line, by_bytes) : NULL;
    if (!found)
        return lop_fail(err, LOP_E_FORMAT, "%s: line %" PRId64 ": no picture '%.200s' in the folder", r->path,
                        r->number, key);
    int64_t *slot = &r->labels[found - all->line];
    if (*slot >= 0)
        return lop_fail(err, LOP_E_FORMAT, "%s: line %" PRId64 ": '%.200s' has a class already", r->path,
                        r->number, key);
    *slot = label;
    return LOP_OK;
}

lop_status lop_labels_read(const char *path, const lop_listing *list, int64_t *labels, lop_error *err)
{
    reading r = {path, 0, list, labels};
    lop_file file;
    lop_status st = lop_file_open(path, &file, err);
    if (st != LOP_OK) return st;
    for (int64_t i = 0; i < list->picture.count; i++) labels[i] = -1;
    const char *at = (const char *)file.bytes, *end = file.size ? at + file.size : at;
    if (file.size >= 3 && memcmp(at, "\xef\xbb\xbf", 3) == 0) at += 3;          /* the mark of UTF-8 */
    while (st == LOP_OK && at < end) {
        const char *next = memchr(at, '\n', (size_t)(end - at));
        const size_t n = (size_t)((next ? next : end) - at);
        r.number++;
        st = take_line(&r, at, n, err);
        at = next ? next + 1 : end;
    }
    lop_file_close(&file);
    return st;
}

/* core/data/pictures.c - kind images: which pictures, which classes, and each of them decoded and fitted when asked
 * for. */
#include "data/data_impl.h"
#include "image/image.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_SIZE = 4096 };

struct lop_pictures {
    char *folder;               /* what names begin with, the slash included */
    lop_listing list;           /* its pictures are those of the set, its folders the classes */
    lop_fit fit;
    int channels;
};

void lop_pictures_free(lop_pictures *p)
{
    if (!p) return;
    lop_free(p->folder);
    lop_listing_clear(&p->list);
    lop_free(p);
}

/* ---- options ---- */

/* The place of the word in the list (to a NULL), 0 where there is none. */
static lop_status word(const char *key, const char *text, const char *const *words, int *which, lop_error *err)
{
    char hint[LOP_DATA_HINT];
    *which = 0;
    if (!text) return LOP_OK;
    for (int k = 0; words[k]; k++)
        if (strcmp(words[k], text) == 0) {
            *which = k;
            return LOP_OK;
        }
    return lop_fail(err, LOP_E_ARG, "%s '%.40s'%s", key, text, lop_data_hint(text, words, hint));
}

/* Digits alone, up to 6 of them: what they say is small; checked later. */
static const char *digits(const char *text, int64_t *v)
{
    const char *at = text;
    for (*v = 0; *at >= '0' && *at <= '9' && at < text + 6; at++) *v = *v * 10 + *at - '0';
    return at > text ? at : NULL;
}

static lop_status read_size(const lop_data_options *o, lop_fit *fit, lop_error *err)
{
    fit->height = o->input[1];
    fit->width = o->input[2];
    if (o->size) {
        const char *at = digits(o->size, &fit->height);
        if (at && *at == 'x') at = digits(at + 1, &fit->width);
        else fit->width = fit->height;
        if (!at || *at) return lop_fail(err, LOP_E_ARG, "size '%.40s': S or HxW expected, in pixels", o->size);
    } else if (fit->height < 1 || fit->width < 1) {
        return lop_fail(err, LOP_E_ARG, "the size of pictures is not known: images:PATH?size=S or ?size=HxW");
    }
    if (!o->resize) return LOP_OK;
    const char *at = digits(o->resize, &fit->resize);
    if (at && !*at && fit->resize > 0) return LOP_OK;
    return lop_fail(err, LOP_E_ARG, "resize '%.40s': the short side in pixels expected", o->resize);
}

static lop_status read_mode(const lop_data_options *o, lop_fit *fit, lop_error *err)
{
    static const char *const crops[] = {"center", "none", NULL}, *const fits[] = {"crop", "letterbox", "stretch", NULL};
    static const char *const filters[] = {"bilinear", "bicubic", NULL};
    int crop, mode, filter;
    lop_status st = word("crop", o->crop, crops, &crop, err);
    if (st == LOP_OK) st = word("fit", o->fit, fits, &mode, err);
    if (st == LOP_OK) st = word("resample", o->resample, filters, &filter, err);
    if (st != LOP_OK) return st;
    if (o->crop && o->fit && (crop == 0) != (mode == LOP_FIT_CROP))
        return lop_fail(err, LOP_E_ARG, "crop=%s and fit=%s: one of them expected", o->crop, o->fit);
    fit->mode = o->crop && !o->fit && crop == 1 ? LOP_FIT_STRETCH : (lop_fit_mode)mode;
    fit->resample = (lop_resample)filter;
    return LOP_OK;
}

static lop_status read_options(const lop_data_options *o, lop_pictures *p, bool *skip, lop_error *err)
{
    static const char *const channels[] = {"3", "1", NULL}, *const broken[] = {"stop", "skip", NULL};
    int grey = 0, skips = 0;
    lop_status st = word("channels", o->channels, channels, &grey, err);
    if (st == LOP_OK) st = word("broken", o->broken, broken, &skips, err);
    if (st == LOP_OK) st = read_size(o, &p->fit, err);
    if (st == LOP_OK) st = read_mode(o, &p->fit, err);
    if (st == LOP_OK) st = lop_fit_check(&p->fit, err);
    p->channels = (o->channels ? grey : o->input[0] == 1) ? 1 : 3;
    *skip = st == LOP_OK && skips;
    return st;
}

/* ---- which pictures, and their classes ---- */

/* Drops the pictures whose label is `gone`. Returns how many. */
static int64_t drop(lop_data *d, int64_t gone)
{
    lop_lines *all = &d->pictures->list.picture;
    int64_t kept = 0;
    const int64_t before = all->count;
    for (int64_t i = 0; i < before; i++) {
        if (d->labels[i] == gone) {
            lop_free(all->line[i]);
            continue;
        }
        all->line[kept] = all->line[i];
        d->labels[kept++] = d->labels[i];
    }
    all->count = kept;
    return before - kept;
}

static lop_status note(lop_data *d, const char *path, int64_t count, const char *what, lop_error *err)
{
    char text[PATH_SIZE + 200];
    snprintf(text, sizeof text, "%s: %s: %" PRId64, path, what, count);
    return count > 0 ? lop_lines_add(&d->notes, text, err) : LOP_OK;
}

/* The file of labels that is asked for or there, or "". */
static void find_labels(const char *folder, const char *asked, char path[PATH_SIZE])
{
    path[0] = '\0';
    if (asked && strcmp(asked, "none") == 0) return;
    if (!lop_data_find(folder, asked ? asked : "labels.txt", path, PATH_SIZE))
        snprintf(path, PATH_SIZE, "%s", asked ? asked : "");
}

static lop_status labels_of_file(const char *path, lop_data *d, lop_error *err)
{
    lop_status st = lop_labels_read(path, &d->pictures->list, d->labels, err);
    if (st == LOP_OK) st = lop_lines_add(&d->files, path, err);
    if (st != LOP_OK) return st;
    const int64_t dropped = drop(d, -1);
    if (d->pictures->list.picture.count == 0) return lop_fail(err, LOP_E_FORMAT, "%s: names no picture", path);
    return note(d, path, dropped, "pictures without a class in it, left out", err);
}

/* The number of the folder that a picture is in; -1 for one that is in none. */
static int64_t folder_of(const lop_listing *list, const char *name)
{
    const char *slash = strchr(name, '/');
    int64_t low = 0, high = list->folder.count;
    while (slash && low < high) {
        const int64_t mid = (low + high) / 2;
        const char *folder = list->folder.line[mid];
        const size_t n = (size_t)(slash - name), m = strlen(folder);
        int side = memcmp(name, folder, n < m ? n : m);
        if (side == 0) side = (n > m) - (n < m);
        if (side == 0) return mid;
        if (side < 0) high = mid;
        else low = mid + 1;
    }
    return -1;
}

/* Classes by folder, or none in a flat folder. */
static lop_status labels_of_folders(const char *path, lop_data *d, lop_error *err)
{
    const lop_listing *list = &d->pictures->list;
    int64_t flat = 0;
    for (int64_t i = 0; i < list->picture.count; i++) {
        d->labels[i] = folder_of(list, list->picture.line[i]);
        flat += d->labels[i] < 0;
    }
    if (flat > 0 && flat < list->picture.count)
        return lop_fail(err, LOP_E_FORMAT, "%s: %" PRId64 " pictures stand beside folders of pictures: labels=FILE "
                        "says the classes, labels=none takes all without", path, flat);
    if (flat == 0) {
        d->classes = list->folder.count;
        return LOP_OK;
    }
    lop_free(d->labels);
    d->labels = NULL;
    return LOP_OK;
}

static lop_status take_labels(const char *path, const char *asked, lop_data *d, lop_error *err)
{
    char file[PATH_SIZE];
    find_labels(path, asked, file);
    if (asked && strcmp(asked, "none") == 0) return LOP_OK;
    d->labels = lop_array(d->pictures->list.picture.count, sizeof *d->labels, err);
    if (!d->labels) return LOP_E_MEMORY;
    return file[0] ? labels_of_file(file, d, err) : labels_of_folders(path, d, err);
}

static lop_status take_folder(const char *path, const lop_data_options *o, lop_data *d, lop_error *err)
{
    lop_pictures *p = d->pictures;
    lop_status st = lop_listing_read(path, &p->list, err);
    if (st != LOP_OK) return st;
    if (p->list.picture.count == 0)
        return lop_fail(err, LOP_E_NOTFOUND, "%s: no .jpg, .jpeg or .png in it (%" PRId64 " other files)", path,
                        p->list.others);
    st = note(d, path, p->list.others, "files that are no .jpg, .jpeg or .png, passed over", err);
    if (st == LOP_OK) st = take_labels(path, o->labels, d, err);
    const size_t n = strlen(path);
    p->folder = st == LOP_OK ? lop_array((int64_t)n + 2, 1, err) : NULL;
    if (!p->folder) return st == LOP_OK ? LOP_E_MEMORY : st;
    memcpy(p->folder, path, n);
    if (path[n - 1] != '/') p->folder[n] = '/';
    return LOP_OK;
}

static lop_status take_file(const char *path, const lop_data_options *o, lop_data *d, lop_error *err)
{
    if (o->labels) return lop_fail(err, LOP_E_ARG, "labels=%.40s: for folders, and %.200s is a file", o->labels, path);
    d->pictures->folder = lop_string("", err);
    return d->pictures->folder ? lop_lines_add(&d->pictures->list.picture, path, err) : LOP_E_MEMORY;
}

/* ---- reading ---- */

static lop_status load(const lop_pictures *p, int64_t i, lop_image *image, lop_error *err)
{
    char path[2 * PATH_SIZE];
    snprintf(path, sizeof path, "%s%s", p->folder, p->list.picture.line[i]);
    return lop_image_load(path, image, err);
}

lop_status lop_pictures_read(const lop_pictures *p, int64_t i, uint8_t *to, lop_error *err)
{
    lop_image image, fitted = {0};
    lop_status st = load(p, i, &image, err);
    if (st == LOP_E_FORMAT && err && p->folder[0]) {
        const size_t n = strlen(err->message);
        snprintf(err->message + n, sizeof err->message - n, " (broken=skip leaves such files out)");
    }
    if (st == LOP_OK) {
        st = lop_image_fit(&image, &p->fit, &fitted, err);
        if (st != LOP_OK) lop_error_at(err, "%s%s", p->folder, p->list.picture.line[i]);
    }
    if (st == LOP_OK) lop_image_planes(&fitted, p->channels, to);
    lop_image_clear(&image);
    lop_image_clear(&fitted);
    return st;
}

lop_status lop_pictures_hash(const lop_pictures *p, int64_t i, lop_digest *digest, lop_error *err)
{
    lop_image image;
    lop_sha256 s;
    lop_status st = load(p, i, &image, err);
    if (st != LOP_OK) return st;
    const int64_t bytes = image.height * image.width * p->channels;
    uint8_t *planes = lop_array(bytes, 1, err);
    if (planes) {
        lop_image_planes(&image, p->channels, planes);
        lop_sha256_init(&s);
        lop_sha256_add(&s, planes, (size_t)bytes);
        lop_sha256_end(&s, digest->byte);
    } else {
        st = LOP_E_MEMORY;
    }
    lop_free(planes);
    lop_image_clear(&image);
    return st;
}

/* Leaves out what cannot be decoded, with a note each. */
static lop_status skip_broken(lop_data *d, lop_error *err)
{
    enum { BROKEN = -2 };
    lop_lines *all = &d->pictures->list.picture;
    const bool labelled = d->labels != NULL;
    if (!labelled) d->labels = lop_array(all->count, sizeof *d->labels, err);
    lop_status st = d->labels ? LOP_OK : LOP_E_MEMORY;
    for (int64_t i = 0; st == LOP_OK && i < all->count; i++) {
        lop_image image;
        lop_error why;
        st = load(d->pictures, i, &image, &why);
        lop_image_clear(&image);
        if (st == LOP_E_FORMAT || st == LOP_E_IO || st == LOP_E_NOTFOUND) {
            d->labels[i] = BROKEN;
            lop_error_at(&why, "left out");
            st = lop_lines_add(&d->notes, why.message, err);
        } else if (st != LOP_OK && err) {
            *err = why;
        }
    }
    if (st == LOP_OK && drop(d, BROKEN) > 0 && all->count == 0)
        st = lop_fail(err, LOP_E_FORMAT, "%s: no picture in it can be decoded", d->pictures->folder);
    if (!labelled) {
        lop_free(d->labels);
        d->labels = NULL;
    }
    return st;
}

static lop_status list_files(lop_data *d, lop_error *err)
{
    char path[PATH_SIZE];
    const lop_lines *pictures = &d->pictures->list.picture;
    lop_status st = LOP_OK;
    for (int64_t i = 0; st == LOP_OK && i < pictures->count; i++) {
        snprintf(path, sizeof path, "%s%s", d->pictures->folder, pictures->line[i]);
        st = lop_lines_add(&d->files, path, err);
    }
    return st;
}

lop_status lop_data_read_images(const char *path, const lop_data_options *options, lop_data *d, lop_error *err)
{
    struct stat info;
    bool skip = false;
    lop_pictures *p = lop_array(1, sizeof *p, err);
    if (!p) return LOP_E_MEMORY;
    d->pictures = p;
    lop_status st = read_options(options, p, &skip, err);
    if (st != LOP_OK) return st;
    const bool file = stat(path, &info) == 0 && !S_ISDIR(info.st_mode);
    st = file ? take_file(path, options, d, err) : take_folder(path, options, d, err);
    if (st == LOP_OK && skip) st = skip_broken(d, err);
    if (st == LOP_OK) st = list_files(d, err);
    d->size = p->list.picture.count;
    d->image = (lop_shape){3, {p->channels, p->fit.height, p->fit.width}};
    d->type = LOP_U8;
    return st;
}

/* core/data/data_impl.h - what a reader of a kind fills, and what the files of this folder share. */
#ifndef LOP_DATA_DATA_IMPL_H
#define LOP_DATA_DATA_IMPL_H
#include "data/data.h"
#include <stdatomic.h>

enum { LOP_DATA_PARTS = 5 };
/* A run of images in memory, `step` bytes from one to the next. */
typedef struct { const uint8_t *images; int64_t count; size_t step; } lop_data_part;
/* Lines of text, in the order they were added. */
typedef struct { char **line; int64_t count, room; } lop_lines;
typedef struct lop_pictures lop_pictures;       /* data/pictures.c */
struct lop_data {
    int64_t size, classes;                      /* classes: by a reader the least, by lop_data_open settled */
    lop_shape image;                            /* (C, H, W) */
    lop_dtype type;                             /* LOP_U8 or LOP_F32 */
    int parts;
    lop_data_part part[LOP_DATA_PARTS];
    int64_t *labels;                            /* (size), or NULL */
    lop_file file[LOP_DATA_PARTS];              /* owners of what the parts point into */
    uint8_t *block;
    lop_tensor tensor;
    lop_pictures *pictures;                     /* decoded when asked for; parts are none then */
    lop_lines notes, files;
};

/* Readers: fill an empty d, which the caller frees in any case. */
lop_status lop_data_read_mnist(const char *path, const lop_data_options *options, lop_data *d, lop_error *err);
lop_status lop_data_read_cifar10(const char *path, const lop_data_options *options, lop_data *d, lop_error *err);
lop_status lop_data_read_npz(const char *path, const lop_data_options *options, lop_data *d, lop_error *err);
lop_status lop_data_read_images(const char *path, const lop_data_options *options, lop_data *d, lop_error *err);

/* ---- pictures ---- */

void lop_pictures_free(lop_pictures *p);        /* NULL is fine */
/* to (C, H, W): picture number i, fitted. Messages begin with its path. */
lop_status lop_pictures_read(const lop_pictures *p, int64_t i, uint8_t *to, lop_error *err);
lop_status lop_pictures_hash(const lop_pictures *p, int64_t i, lop_digest *digest, lop_error *err);

/* Pictures below a folder: paths from it on, sorted by bytes; the folders in it, too. */
typedef struct {
    lop_lines picture, folder;
    int64_t others;             /* files of other kinds */
} lop_listing;
lop_status lop_listing_read(const char *folder, lop_listing *out, lop_error *err);
void lop_listing_clear(lop_listing *list);
/* labels (pictures) from a file of lines NAME CLASS; -1 for a picture that it does not name. Messages begin with path.
 * */
lop_status lop_labels_read(const char *path, const lop_listing *list, int64_t *labels, lop_error *err);

/* ---- shared ---- */

lop_status lop_lines_add(lop_lines *lines, const char *text, lop_error *err);   /* a copy of it */
void lop_lines_sort(lop_lines *lines);          /* by bytes */
void lop_lines_clear(lop_lines *lines);
/* As lop_data_read, by a team; *stop, where it is not NULL, ends it early with INTERRUPTED. */
lop_status lop_data_fill(const lop_data *d, const int64_t *index, int64_t count, const lop_preprocess *p,
                         lop_team *team, const atomic_bool *stop, lop_tensor *x, int64_t *labels, lop_error *err);

extern const char *const lop_data_kinds[];      /* to a NULL */
enum { LOP_DATA_HINT = 160 };
/* " (did you mean 'mnist'?)" where a known word is near, else ": mnist, cifar10 expected". Returns text. */
const char *lop_data_hint(const char *word, const char *const *known, char text[LOP_DATA_HINT]);
/* *test: the split asked for (train when NULL); ARG for another word. */
lop_status lop_data_split(const char *split, bool *test, lop_error *err);
/* "folder/name" of n bytes; false where it does not fit or no such file can be read. */
bool lop_data_find(const char *folder, const char *name, char *path, size_t n);
/* NOTFOUND: the folder is not there, or lacks this file. */
lop_status lop_data_missing(const char *folder, const char *name, lop_error *err);
#endif

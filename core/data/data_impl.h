/* core/data/data_impl.h - what a reader of a kind fills, and what the files of this folder share. */
#ifndef LOP_DATA_DATA_IMPL_H
#define LOP_DATA_DATA_IMPL_H
#include "data/data.h"

enum { LOP_DATA_PARTS = 5 };
/* A run of images in memory, `step` bytes from one to the next. */
typedef struct { const uint8_t *images; int64_t count; size_t step; } lop_data_part;
struct lop_data {
    int64_t size, classes;
    lop_shape image;                            /* (C, H, W) */
    lop_dtype type;                             /* LOP_U8 or LOP_F32 */
    int parts;
    lop_data_part part[LOP_DATA_PARTS];
    int64_t *labels;                            /* (size), or NULL */
    lop_file file[LOP_DATA_PARTS];              /* owners of what the parts point into */
    uint8_t *block;
    lop_tensor tensor;
};

/* Readers: fill an empty d, which the caller frees in any case. */
lop_status lop_data_read_mnist(const char *path, const lop_data_options *options, lop_data *d, lop_error *err);
lop_status lop_data_read_cifar10(const char *path, const lop_data_options *options, lop_data *d, lop_error *err);
lop_status lop_data_read_npz(const char *path, const lop_data_options *options, lop_data *d, lop_error *err);

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

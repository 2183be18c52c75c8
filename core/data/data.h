/* core/data/data.h - data sets opened by a spec, subsets drawn by a seed, preprocessing. A set is read only once open:
 * all functions on it may run at once. Images and subsets are numbered from 0, in the order of the files. */
#ifndef LOP_DATA_DATA_H
#define LOP_DATA_DATA_H
#include "tensor/tensor.h"

/* ---- the spec: KIND:PATH[?key=value&key=value] (data/spec.c) ---- */

typedef struct {                /* NULL: the default */
    const char *split;          /* mnist, cifar10: "train" (default) or "test" */
    const char *x, *y;          /* npz: names of the arrays; "images" and, if it is there, "labels" */
    const char *labels, *size, *resize, *crop;          /* images */
} lop_data_options;
typedef struct {
    const char *kind, *path;
    lop_data_options options;   /* kind, path and options lie in text, which the spec owns */
    char *text;
} lop_data_spec;

/* ARG: no KIND:PATH, an unknown kind, key or split (the message has the nearest known), a key given twice. The path
 * ends at the last '?'. *out is overwritten. */
lop_status lop_data_spec_parse(const char *text, lop_data_spec *out, lop_error *err);
void lop_data_spec_clear(lop_data_spec *spec);          /* an empty one is fine */

/* ---- preprocessing: (byte * scale - mean) / std (data/preprocess.c) ---- */

typedef struct {
    double scale;
    double mean[4], std[4];     /* per channel, in the order fed */
    int nmean;                  /* 1: one mean and std for all channels; else 2 to 4, and as many channels */
    bool bgr;                   /* fed in reverse order; images must have 3 channels */
} lop_preprocess;

/* A preset (none, unit, imagenet, cifar10, caffe) or scale=S&mean=M,..&std=S,..&order=rgb|bgr, each part optional
 * (1, 0, 1, rgb). ARG: the message lists the presets, or names the part. */
lop_status lop_preprocess_parse(const char *text, lop_preprocess *out, lop_error *err);
enum { LOP_PREPROCESS_TEXT = 320 };                     /* bytes that hold any such text */
/* All four parts, in the shortest figures that lop_preprocess_parse gives back; cut to n bytes. Returns text. */
char *lop_preprocess_text(const lop_preprocess *p, char *text, size_t n);

/* ---- data sets (data/data.c; a file per kind) ---- */

typedef struct lop_data lop_data;
/* kind: mnist (folder with idx files, plain or .gz; test: t10k- or test-), cifar10 (folder with data_batch_1.bin to 5,
 * or the first of them, and test_batch.bin), npz (file with images (N, C, H, W), uint8 or any number, and labels (N),
 * whole numbers). options may be NULL. Keeps no pointer to its arguments. ARG: unknown kind or split; NOTFOUND, FORMAT,
 * SHAPE, NUMERIC (an image is not finite): messages begin with the file; UNSUPPORTED: kind images. A set has one image
 * at least. */
lop_status lop_data_open(const char *kind, const char *path, const lop_data_options *options, lop_data **out,
                         lop_error *err);
void lop_data_free(lop_data *d);                        /* NULL is fine */
int64_t lop_data_size(const lop_data *d);
int64_t lop_data_classes(const lop_data *d);    /* largest label + 1, at least 10 but for npz; 0: no labels */
bool lop_data_labelled(const lop_data *d);
size_t lop_data_bytes(const lop_data *d);               /* of memory that all its images take, read or mapped */
lop_shape lop_data_shape(const lop_data *d);            /* of an image: (C, H, W) */
/* x (count, C, H, W), float32: the images index[0..count), preprocessed; *x is overwritten, as by lop_tensor_init.
 * labels (count) may be NULL, and are -1 in a set without. ARG names an index that is not there, SHAPE a preprocessing
 * that does not fit the channels. */
lop_status lop_data_read(const lop_data *d, const int64_t *index, int64_t count, const lop_preprocess *p, lop_tensor *x,
                         int64_t *labels, lop_error *err);
/* SHA-256 of an image's bytes as stored, (C, H, W), uint8 or float32: equal for one picture in different files. */
lop_status lop_data_hash(const lop_data *d, int64_t index, uint8_t digest[32], lop_error *err);
/* n different numbers below size, each set of n as likely as any other, ascending; drawn from LOP_STREAM_SUBSET. ARG
 * unless 0 <= n <= size. */
lop_status lop_data_subset(int64_t size, int64_t n, uint64_t seed, int64_t *list, lop_error *err);
#endif

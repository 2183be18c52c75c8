/* core/data/data.h - data sets opened by a spec, subsets drawn by a seed, preprocessing. A set is read only once open:
 * all functions on it may run at once. Images and subsets are numbered from 0, in the order of the files. */
#ifndef LOP_DATA_DATA_H
#define LOP_DATA_DATA_H
#include "tensor/tensor.h"

/* ---- the spec: KIND:PATH[?key=value&key=value] (data/spec.c) ---- */

typedef struct {                /* NULL: the default */
    const char *split;          /* mnist, cifar10: "train" (default) or "test" */
    const char *x, *y;          /* npz: names of the arrays; "images" and, if it is there, "labels" */
    const char *labels, *size, *resize, *crop, *fit, *resample, *channels, *broken;     /* images: see lop_data_open */
    int64_t input[3];           /* images: (C, H, W) that the model reads; 0: not known */
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
 * whole numbers), images (below). options may be NULL. Keeps no pointer to its arguments. ARG: unknown kind or word of
 * an option; NOTFOUND, IO, FORMAT, SHAPE, NUMERIC (an image is not finite): messages begin with the file. A set has
 * one image at least.
 *
 * images: the .jpg, .jpeg and .png (in any case) of a folder and of those in it, 8 deep, ordered by the bytes of their
 * paths; or one such file. Names that begin with a dot, and folders that lead back to where one came from, are passed
 * over; other files too, with a note. Pictures are read when they are asked for (see image/image.h), memory does not
 * grow with their size.
 *   labels    a file of lines NAME CLASS, in the folder or from where one is: CLASS a whole number; pictures that it
 *             does not name are left out, with a note. Default: labels.txt in the folder; else the folders' names,
 *             sorted by bytes, are the classes; else none. "none": none. Pictures beside folders of pictures are an
 *             error.
 *   size      S or HxW; default: input's. One of them is needed
 *   fit       crop (default): scaled so that the short side is `resize` (default: as it is where it covers the size by
 *             up to 8/7, the usual margin, else the nearest end of that), then the middle cut out; letterbox; stretch.
 *             crop=center is fit=crop, crop=none is fit=stretch
 *   resample  bilinear (default) or bicubic, antialiased
 *   channels  3 (RGB) or 1 (grey); default: input's, or 3
 *   broken    stop (default): reading such a picture fails with its name; skip: all are decoded once when the set is
 *             opened, and those that cannot be are left out, each with a note */
lop_status lop_data_open(const char *kind, const char *path, const lop_data_options *options, lop_data **out,
                         lop_error *err);
void lop_data_free(lop_data *d);                        /* NULL is fine */
int64_t lop_data_size(const lop_data *d);
int64_t lop_data_classes(const lop_data *d);    /* largest label + 1, at least 10 (mnist, cifar10) or the folders of
                                                 * classes (images); 0: no labels */
bool lop_data_labelled(const lop_data *d);
size_t lop_data_bytes(const lop_data *d);               /* of memory that all its images take, read or mapped: 0 where
                                                         * they are read when asked for */
int64_t lop_data_notes(const lop_data *d);              /* lines about what was passed over when it was opened */
const char *lop_data_note(const lop_data *d, int64_t i);        /* borrowed until d is freed */
int64_t lop_data_files(const lop_data *d);              /* that it was, or pictures are, read from; in a fixed order */
const char *lop_data_file(const lop_data *d, int64_t i);        /* a path; borrowed until d is freed */
lop_shape lop_data_shape(const lop_data *d);            /* of an image: (C, H, W) */
/* x (count, C, H, W), float32: the images index[0..count), preprocessed; *x is overwritten, as by lop_tensor_init.
 * labels (count) may be NULL, and are -1 in a set without. ARG names an index that is not there, SHAPE a preprocessing
 * that does not fit the channels; FORMAT, IO, NOTFOUND: a picture that cannot be read, the first of index. */
lop_status lop_data_read(const lop_data *d, const int64_t *index, int64_t count, const lop_preprocess *p, lop_tensor *x,
                         int64_t *labels, lop_error *err);
/* SHA-256 of each image's bytes, (C, H, W), uint8 or float32, as stored: a picture's in its own size, so that it is
 * equal for one picture in different files, kinds and fits. */
typedef struct { uint8_t byte[32]; } lop_digest;
lop_status lop_data_hash(const lop_data *d, const int64_t *index, int64_t count, lop_team *team, lop_digest *digests,
                         lop_error *err);
/* n different numbers below size, each set of n as likely as any other, ascending; drawn from LOP_STREAM_SUBSET. ARG
 * unless 0 <= n <= size. */
lop_status lop_data_subset(int64_t size, int64_t n, uint64_t seed, int64_t *list, lop_error *err);

/* ---- batch after batch (data/batches.c) ---- */

typedef struct lop_batches lop_batches;
/* The images index[0..count) of d, `batch` >= 1 at a time, the last ones fewer. Where they must be decoded, `threads`
 * >= 1 threads of its own read the next batch while the caller works on this one: two batches of memory, equal bytes
 * whatever the threads. index is copied; d must outlive *out. */
lop_status lop_batches_new(const lop_data *d, const int64_t *index, int64_t count, int64_t batch,
                           const lop_preprocess *p, int threads, lop_batches **out, lop_error *err);
/* The next batch as by lop_data_read, of *n images; labels: room for `batch`, or NULL. *n = 0 and *x empty after the
 * last one. After an error the same error. One thread at a time. */
lop_status lop_batches_next(lop_batches *b, lop_tensor *x, int64_t *labels, int64_t *n, lop_error *err);
void lop_batches_free(lop_batches *b);                  /* does not wait for the rest of a batch; NULL is fine */
#endif

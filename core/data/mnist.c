/* core/data/mnist.c - idx files, plain or gzipped: two zero bytes, the type (8: unsigned byte), the number of
 * dimensions, each dimension as a big-endian uint32, then the bytes. */
#include "data/data_impl.h"
#include <stdio.h>
#include <string.h>
#define ZLIB_CONST          /* next_in is const */
#include <zlib.h>

enum { PATH_SIZE = 4096, PIECE = 1 << 30, RATIO = 1032 };       /* RATIO: deflate shrinks by no more */

/* An idx file's content; header and bytes are in one block, the file's own or `block`. */
typedef struct { int64_t dim[3]; const uint8_t *bytes; uint8_t *block; lop_file file; } idx;

/* The header's dimensions, and how many bytes must follow it. */
static lop_status parse_header(const uint8_t *p, int ndim, int64_t *dim, size_t *bytes, lop_error *err)
{
    if (p[0] != 0 || p[1] != 0) return lop_fail(err, LOP_E_FORMAT, "not an idx file");
    if (p[2] != 8) return lop_fail(err, LOP_E_UNSUPPORTED, "idx: element type %d, unsigned bytes (8) expected", p[2]);
    if (p[3] != ndim) return lop_fail(err, LOP_E_FORMAT, "idx: %d dimensions, %d expected", p[3], ndim);
    *bytes = 1;
    for (int d = 0; d < ndim; d++) {
        const uint8_t *q = p + 4 + 4 * d;
        dim[d] = (int64_t)q[0] << 24 | (int64_t)q[1] << 16 | (int64_t)q[2] << 8 | q[3];
        if (!lop_mul_size(bytes, *bytes, dim[d])) return lop_fail(err, LOP_E_FORMAT, "idx: dimensions past any memory");
    }
    return *bytes > 0 ? LOP_OK : lop_fail(err, LOP_E_FORMAT, "idx: nothing in it");
}

static lop_status wrong_size(lop_error *err, const idx *x, size_t want, size_t have)
{
    return lop_fail(err, LOP_E_FORMAT, "idx: %" PRId64 " items take %zu bytes, the file has %s%zu", x->dim[0], want,
                    have > want ? "more: " : "", have);
}

static lop_status read_plain(idx *x, int ndim, lop_error *err)
{
    const size_t header = 4 + 4 * (size_t)ndim;
    size_t bytes = 0;
    if (x->file.size < header) return lop_fail(err, LOP_E_FORMAT, "idx: the header is cut off");
    const lop_status st = parse_header(x->file.bytes, ndim, x->dim, &bytes, err);
    if (st != LOP_OK) return st;
    x->bytes = x->file.bytes + header;
    return x->file.size - header == bytes ? LOP_OK : wrong_size(err, x, bytes, x->file.size - header);
}

/* Inflates the next n bytes of a gzip file; *got says how many came. false: damaged. */
static bool gunzip(z_stream *z, const lop_file *f, uint8_t *to, size_t n, size_t *got)
{
    int code = Z_OK;
    for (*got = 0; *got < n && code == Z_OK;) {
        const size_t left = f->size - (size_t)(z->next_in - f->bytes);
        const uInt room = n - *got < PIECE ? (uInt)(n - *got) : PIECE;
        z->avail_in = left < PIECE ? (uInt)left : PIECE;
        z->next_out = to + *got;
        z->avail_out = room;
        code = inflate(z, Z_NO_FLUSH);
        *got += room - z->avail_out;
    }
    return code == Z_OK || code == Z_STREAM_END;
}

static lop_status inflate_idx(z_stream *z, idx *x, int ndim, lop_error *err)
{
    uint8_t head[16], more;
    const size_t header = 4 + 4 * (size_t)ndim;
    size_t bytes = 0, got;
    if (!gunzip(z, &x->file, head, header, &got) || got < header)
        return lop_fail(err, LOP_E_FORMAT, "gzip: damaged or cut off");
    lop_status st = parse_header(head, ndim, x->dim, &bytes, err);
    if (st != LOP_OK) return st;
    if (bytes / RATIO > x->file.size) return wrong_size(err, x, bytes, x->file.size);
    x->bytes = x->block = lop_array((int64_t)bytes, 1, err);
    if (!x->block) return LOP_E_MEMORY;
    if (!gunzip(z, &x->file, x->block, bytes, &got)) return lop_fail(err, LOP_E_FORMAT, "gzip: damaged or cut off");
    if (got < bytes) return wrong_size(err, x, bytes, got);
    /* One byte more may not come, and asking for it lets zlib check the sum. */
    if (!gunzip(z, &x->file, &more, 1, &got)) return lop_fail(err, LOP_E_FORMAT, "gzip: damaged or cut off");
    return got == 0 ? LOP_OK : wrong_size(err, x, bytes, bytes + 1);
}

static lop_status read_gzip(idx *x, int ndim, lop_error *err)
{
    z_stream z = {0};
    if (inflateInit2(&z, 16 + MAX_WBITS) != Z_OK) return lop_fail(err, LOP_E_MEMORY, "no memory to inflate in");
    z.next_in = x->file.bytes;
    const lop_status st = inflate_idx(&z, x, ndim, err);
    inflateEnd(&z);
    return st;
}

static void idx_clear(idx *x)
{
    lop_file_close(&x->file);
    lop_free(x->block);
    *x = (idx){0};
}

/* The file PREFIX-WHAT-idxN-ubyte of the folder, plain or .gz; some unpackers put a dot before idx. */
static bool find_idx(const char *folder, const char *prefix, const char *what, int ndim, char path[PATH_SIZE])
{
    static const struct { char before; const char *end; } forms[] = {{'-', ""}, {'-', ".gz"}, {'.', ""}, {'.', ".gz"}};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        char name[80];
        snprintf(name, sizeof name, "%s-%s%cidx%d-ubyte%s", prefix, what, forms[i].before, ndim, forms[i].end);
        if (lop_data_find(folder, name, path, PATH_SIZE)) return true;
    }
    return false;
}

static lop_status read_idx(const char *folder, const char *const *prefixes, const char *what, int ndim, idx *x,
                           lop_lines *files, lop_error *err)
{
    char path[PATH_SIZE], name[80];
    int k = 0;
    while (prefixes[k] && !find_idx(folder, prefixes[k], what, ndim, path)) k++;
    if (!prefixes[k]) {
        snprintf(name, sizeof name, "%s-%s-idx%d-ubyte or .gz", prefixes[0], what, ndim);
        return lop_data_missing(folder, name, err);
    }
    lop_status st = lop_file_open(path, &x->file, err);
    if (st == LOP_OK) st = lop_lines_add(files, path, err);
    if (st != LOP_OK) return st;
    const bool gzip = x->file.size >= 2 && x->file.bytes[0] == 0x1f && x->file.bytes[1] == 0x8b;
    st = gzip ? read_gzip(x, ndim, err) : read_plain(x, ndim, err);
    if (st != LOP_OK) lop_error_at(err, "%s", path);
    return st;
}

static lop_status take_labels(const char *folder, const idx *labels, lop_data *d, lop_error *err)
{
    if (labels->dim[0] != d->size)
        return lop_fail(err, LOP_E_FORMAT, "%s: %" PRId64 " images and %" PRId64 " labels", folder, d->size,
                        labels->dim[0]);
    d->labels = lop_array(d->size, sizeof *d->labels, err);
    if (!d->labels) return LOP_E_MEMORY;
    for (int64_t i = 0; i < d->size; i++) d->labels[i] = labels->bytes[i];
    return LOP_OK;
}

lop_status lop_data_read_mnist(const char *path, const lop_data_options *options, lop_data *d, lop_error *err)
{
    static const char *const names[2][3] = {{"train", NULL}, {"t10k", "test", NULL}};
    bool test;
    idx images = {0}, labels = {0};
    lop_status st = lop_data_split(options->split, &test, err);
    if (st == LOP_OK) st = read_idx(path, names[test], "images", 3, &images, &d->files, err);
    if (st == LOP_OK) st = read_idx(path, names[test], "labels", 1, &labels, &d->files, err);
    if (st == LOP_OK) {
        const size_t step = (size_t)images.dim[1] * (size_t)images.dim[2];
        d->size = images.dim[0];
        d->image = (lop_shape){3, {1, images.dim[1], images.dim[2]}};
        d->type = LOP_U8;
        d->classes = 10;
        d->part[0] = (lop_data_part){images.bytes, d->size, step};
        d->parts = 1;
        st = take_labels(path, &labels, d, err);
    }
    if (st == LOP_OK) {                         /* the images' memory is d's from here on */
        d->file[0] = images.file;
        d->block = images.block;
        images = (idx){0};
    }
    idx_clear(&images);
    idx_clear(&labels);
    return st;
}

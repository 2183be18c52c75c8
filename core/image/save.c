/* core/image/save.c - an 8-bit PNG from a tensor: made in memory by libpng, written as a whole. */
#include "image/image_impl.h"
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <png.h>

typedef struct {
    png_structp p;
    png_infop info;
    jmp_buf escape;
    char why[160];
    uint8_t *row;
    void *bytes;                        /* the file so far */
    int64_t size, room;
    int64_t channels, height, width;
    const uint8_t *planes;
    lop_error *err;
} encoder;

static void leave(png_structp p, png_const_charp why)
{
    encoder *e = png_get_error_ptr(p);
    snprintf(e->why, sizeof e->why, "%s", why);
    longjmp(e->escape, 1);
}

static void pass_over(png_structp p, png_const_charp why)
{
    (void)p;
    (void)why;
}

static void add(png_structp p, png_bytep from, size_t n)
{
    encoder *e = png_get_io_ptr(p);
    if (lop_reserve(&e->bytes, &e->room, e->size + (int64_t)n, 1, e->err) != LOP_OK) png_error(p, "no memory");
    memcpy((uint8_t *)e->bytes + e->size, from, n);
    e->size += (int64_t)n;
}

static void flush(png_structp p) { (void)p; }

static bool write_guarded(encoder *e)
{
    if (setjmp(e->escape) != 0) return false;
    e->info = png_create_info_struct(e->p);
    if (!e->info) png_error(e->p, "no memory");
    png_set_write_fn(e->p, e, add, flush);
    png_set_IHDR(e->p, e->info, (png_uint_32)e->width, (png_uint_32)e->height, 8,
                 e->channels == 3 ? PNG_COLOR_TYPE_RGB : PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(e->p, e->info);
    for (int64_t y = 0; y < e->height; y++) {
        for (int64_t x = 0; x < e->width; x++)
            for (int64_t k = 0; k < e->channels; k++)
                e->row[x * e->channels + k] = e->planes[(k * e->height + y) * e->width + x];
        png_write_row(e->p, e->row);
    }
    png_write_end(e->p, e->info);
    return true;
}

static lop_status encode(encoder *e, lop_error *err)
{
    e->row = lop_array(e->width, (size_t)e->channels, err);
    if (!e->row) return LOP_E_MEMORY;
    e->p = png_create_write_struct(PNG_LIBPNG_VER_STRING, e, leave, pass_over);
    if (!e->p) return lop_fail(err, LOP_E_MEMORY, "no memory for libpng, or another libpng than was built for");
    const bool good = write_guarded(e);
    png_destroy_write_struct(&e->p, &e->info);
    return good ? LOP_OK : lop_fail(err, LOP_E_MEMORY, "PNG: %s", e->why);
}

lop_status lop_image_save_png(const char *path, const lop_tensor *t, lop_error *err)
{
    char text[120];
    const int n = t->shape.ndim;
    const int64_t *dim = t->shape.dim;
    const int64_t channels = n == 3 ? dim[0] : 1;
    if (t->type != LOP_U8 || (n != 2 && n != 3) || (channels != 1 && channels != 3) || lop_tensor_size(t) == 0 ||
        dim[n - 1] > LOP_IMAGE_PIXELS || dim[n - 2] > LOP_IMAGE_PIXELS)
        return lop_fail(err, LOP_E_SHAPE, "%s: a tensor of %s %s: uint8 (H, W), (1, H, W) or (3, H, W) expected", path,
                        lop_dtype_name(t->type), lop_shape_text(&t->shape, text, sizeof text));
    encoder e = {.channels = channels, .height = dim[n - 2], .width = dim[n - 1], .planes = t->data, .err = err};
    lop_status st = encode(&e, err);
    if (st != LOP_OK) lop_error_at(err, "%s", path);
    else st = lop_file_write(path, e.bytes, (size_t)e.size, err);
    lop_free(e.row);
    lop_free(e.bytes);
    return st;
}

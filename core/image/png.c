/* core/image/png.c - PNG by libpng. Its errors come by longjmp, into read_guarded and no further; what must be released
 * then lies in the decoder's struct, whose address alone crosses the jump. */
#include "image/image_impl.h"
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <png.h>

enum { RATIO = 1032, CHUNKS = 1000, CHUNK_BYTES = 8 << 20 };    /* RATIO: deflate shrinks by no more */

typedef struct {
    png_structp p;
    png_infop info;
    const uint8_t *bytes;
    size_t size, at;
    jmp_buf escape;
    char why[160];
    png_bytepp rows;
    lop_image *out;
    int *orientation;
    lop_error *err;
    lop_status refused;                 /* a lop_ function failed and filled err */
    bool starved;                       /* libpng got no memory: not the file's fault */
} decoder;

/* A row takes 8 bytes a pixel at most. More than a chunk may have is asked for by a chunk that is not in the file: some
 * releases of libpng ask for an eXIf's length before they look. */
static png_voidp take(png_structp p, png_alloc_size_t n)
{
    decoder *d = png_get_mem_ptr(p);
    if (n > CHUNK_BYTES + 4096) return NULL;
    void *block = malloc(n);
    if (!block) d->starved = true;
    return block;
}

static void give_back(png_structp p, png_voidp block)
{
    (void)p;
    free(block);
}

static void leave(png_structp p, png_const_charp why)
{
    decoder *d = png_get_error_ptr(p);
    snprintf(d->why, sizeof d->why, "%s", why);
    longjmp(d->escape, 1);
}

static void pass_over(png_structp p, png_const_charp why)
{
    (void)p;
    (void)why;
}

static void give(png_structp p, png_bytep to, size_t n)
{
    decoder *d = png_get_io_ptr(p);
    if (n > d->size - d->at) png_error(p, "the file is cut off");
    memcpy(to, d->bytes + d->at, n);
    d->at += n;
}

/* Pixels that the file is too short for, however well they were compressed: found out before there is memory. */
static bool too_short(const decoder *d)
{
    const int depth = png_get_bit_depth(d->p, d->info) * png_get_channels(d->p, d->info);
    const uint64_t row = ((uint64_t)png_get_image_width(d->p, d->info) * (unsigned)depth + 7) / 8;
    return row * png_get_image_height(d->p, d->info) / RATIO > d->size;
}

/* RGB of 8 bits, whatever the file has. */
static void ask_for_rgb(decoder *d)
{
    const int colour = png_get_color_type(d->p, d->info);
    png_set_strip_16(d->p);
    if (colour == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(d->p);
    if (colour == PNG_COLOR_TYPE_GRAY) png_set_expand_gray_1_2_4_to_8(d->p);
    if (!(colour & PNG_COLOR_MASK_COLOR)) png_set_gray_to_rgb(d->p);
    png_set_strip_alpha(d->p);
    png_set_interlace_handling(d->p);
    png_read_update_info(d->p, d->info);
}

static bool prepare(decoder *d)
{
    const int64_t height = png_get_image_height(d->p, d->info), width = png_get_image_width(d->p, d->info);
    if (too_short(d)) png_error(d->p, "the file is cut off");
    d->refused = lop_image_init(d->out, height, width, d->err);
    if (d->refused != LOP_OK) return false;
    ask_for_rgb(d);
    if (png_get_rowbytes(d->p, d->info) != (size_t)width * 3) png_error(d->p, "a colour type that is not known");
    d->rows = lop_array(height, sizeof *d->rows, d->err);
    if (!d->rows) d->refused = LOP_E_MEMORY;
    for (int64_t y = 0; d->rows && y < height; y++) d->rows[y] = d->out->pixels + y * width * 3;
    return d->refused == LOP_OK;
}

static void read_orientation(decoder *d)
{
#ifdef PNG_eXIf_SUPPORTED
    png_uint_32 n = 0;
    png_bytep exif = NULL;
    if (png_get_eXIf_1(d->p, d->info, &n, &exif) && exif) *d->orientation = lop_exif_orientation(exif, n);
#endif
}

/* false: ended by libpng (the reason is in d->why) or by one of ours (d->refused). */
static bool read_guarded(decoder *d)
{
    if (setjmp(d->escape) != 0) return false;
    d->info = png_create_info_struct(d->p);
    if (!d->info) png_error(d->p, "no memory");
    png_set_read_fn(d->p, d, give);
    png_set_user_limits(d->p, 0x7fffffff, 0x7fffffff);          /* ours are checked by lop_image_init, with a message */
    png_set_chunk_cache_max(d->p, CHUNKS);
    png_set_chunk_malloc_max(d->p, CHUNK_BYTES);
    png_read_info(d->p, d->info);
    if (!prepare(d)) return false;
    png_read_image(d->p, d->rows);
    png_read_end(d->p, d->info);
    read_orientation(d);
    return true;
}

lop_status lop_image_png(const uint8_t *bytes, size_t n, lop_image *out, int *orientation, lop_error *err)
{
    decoder d = {.bytes = bytes, .size = n, .out = out, .orientation = orientation, .err = err};
    d.p = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, &d, leave, pass_over, &d, take, give_back);
    if (!d.p) return lop_fail(err, LOP_E_MEMORY, "no memory for libpng, or another libpng than was built for");
    const bool good = read_guarded(&d);
    png_destroy_read_struct(&d.p, &d.info, NULL);
    lop_free(d.rows);
    if (good) return LOP_OK;
    if (d.refused != LOP_OK) return d.refused;
    return lop_fail(err, d.starved ? LOP_E_MEMORY : LOP_E_FORMAT, "PNG: %s", d.why);
}

/* core/image/image.h - pictures: JPEG and PNG read (libjpeg, libpng) and made to fit a size, PNG written. A picture is
 * RGB, 8 bits a channel, upright. No state: calls on different pictures may run at once; equal input gives equal
 * bytes. */
#ifndef LOP_IMAGE_IMAGE_H
#define LOP_IMAGE_IMAGE_H
#include "tensor/tensor.h"

typedef struct {
    int64_t height, width;
    uint8_t *pixels;            /* (height, width, 3), owned; NULL: empty */
} lop_image;

enum { LOP_IMAGE_PIXELS = 1 << 27 };    /* the most that is decoded: 400 MB as RGB */

/* ---- reading (image/image.c) ---- */

/* Reads a picture, told by its first bytes and not by its name. *out is overwritten; yours to clear; empty on error.
 * Colours are those of Pillow's convert('RGB'): grey three times, palettes looked up, alpha dropped and not blended,
 * four channels of a JPEG taken as inverted CMYK or YCCK (Adobe's way, with or without its marker), gamma and profiles
 * not applied. 16 bits: the upper 8, grey too (where Pillow would saturate). EXIF's orientation, 1 to 8, is undone; a
 * wrong one is passed over. FORMAT: neither JPEG nor PNG, cut off, damaged, or more than LOP_IMAGE_PIXELS, which is
 * found out before there is memory for them; IO, NOTFOUND, MEMORY. Messages of lop_image_load begin with the path. */
lop_status lop_image_load(const char *path, lop_image *out, lop_error *err);
lop_status lop_image_decode(const uint8_t *bytes, size_t n, lop_image *out, lop_error *err);
/* A black picture; FORMAT where a side is below 1 or the pixels are too many. */
lop_status lop_image_init(lop_image *image, int64_t height, int64_t width, lop_error *err);
void lop_image_clear(lop_image *image);         /* an empty one is fine */
/* to (channels, height, width): for 3 channels R, G, B; for 1 the luma (19595 R + 38470 G + 7471 B + 2^15) >> 16,
 * which is Pillow's convert('L') and gives grey back as it was. */
void lop_image_planes(const lop_image *image, int channels, uint8_t *to);

/* ---- making it fit (image/fit.c, image/resample.c) ---- */

typedef enum { LOP_RESAMPLE_BILINEAR, LOP_RESAMPLE_BICUBIC } lop_resample;      /* bicubic: a = -1/2 */
typedef enum {
    LOP_FIT_CROP,               /* scaled with its aspect kept, what is over cut off, in the middle */
    LOP_FIT_LETTERBOX,          /* scaled with its aspect kept to be inside, in the middle; the rest LOP_LETTERBOX */
    LOP_FIT_STRETCH             /* scaled to the size whatever its aspect */
} lop_fit_mode;
enum { LOP_LETTERBOX = 114 };   /* grey: the usual filling of detectors */
typedef struct {
    int64_t height, width;      /* of what comes out */
    lop_fit_mode mode;
    int64_t resize;             /* CROP: the short side after scaling; 0: see lop_image_fit */
    lop_resample resample;
} lop_fit;
/* ARG: sizes out of range (1 to 16384), a resize below the size or where nothing is cropped. */
lop_status lop_fit_check(const lop_fit *fit, lop_error *err);
/* *out is overwritten: a picture of fit->height x fit->width. What it is scaled to: STRETCH, that size. CROP by
 * `resize`: the short side as given, the long one floor(resize * long / short). CROP without: with the aspect kept, so
 * that the side that decides is within size to floor(8 size / 7), the usual margin (256 for 224): as it is where it is
 * within, else the nearest end. LETTERBOX: the side that decides is met exactly. The other side is rounded to nearest.
 * Cropped at ((h - height) div 2, (w - width) div 2). Errors as lop_fit_check, and MEMORY. */
lop_status lop_image_fit(const lop_image *image, const lop_fit *fit, lop_image *out, lop_error *err);
/* Bytes (out->height, out->width) of the picture as scaled to height x width, from row top and column left on. The
 * filter is as wide as the shrinking asks for (antialiased), rows first, 8 bits between the passes, weights of 22 bits:
 * Pillow's figures. *out is overwritten. ARG: the window leaves the scaled picture. */
typedef struct { int64_t top, left, height, width; } lop_image_part;
lop_status lop_image_resize(const lop_image *image, int64_t height, int64_t width, const lop_image_part *window,
                            lop_resample resample, lop_image *out, lop_error *err);

/* ---- writing (image/save.c) ---- */

/* An 8-bit PNG, whole or not at all: uint8, (H, W) or (1, H, W) grey, (3, H, W) RGB; SHAPE for others. */
lop_status lop_image_save_png(const char *path, const lop_tensor *t, lop_error *err);
#endif

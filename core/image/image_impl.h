/* core/image/image_impl.h - what the decoders and the file that calls them share. */
#ifndef LOP_IMAGE_IMAGE_IMPL_H
#define LOP_IMAGE_IMAGE_IMPL_H
#include "image/image.h"

/* Decoders: fill an empty *out, not yet upright, and *orientation where the file has one; the caller clears *out in any
 * case. bytes begin as the format does. */
lop_status lop_image_jpeg(const uint8_t *bytes, size_t n, lop_image *out, int *orientation, lop_error *err);
lop_status lop_image_png(const uint8_t *bytes, size_t n, lop_image *out, int *orientation, lop_error *err);

/* The orientation in a block of EXIF (a TIFF header and what follows); 1 where there is none or the block is broken. */
int lop_exif_orientation(const uint8_t *bytes, size_t n);
/* Turns and mirrors a picture as EXIF's orientation (1 to 8) says. */
lop_status lop_image_upright(lop_image *image, int orientation, lop_error *err);
#endif

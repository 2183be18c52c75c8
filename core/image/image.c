/* core/image/image.c - a picture from a file: which format it is, its planes. */
#include "image/image_impl.h"
#include <string.h>

enum { SIDE = 65535 };          /* JPEG's own limit; it bounds what a resize has between its passes */

lop_status lop_image_init(lop_image *image, int64_t height, int64_t width, lop_error *err)
{
    *image = (lop_image){0};
    if (height < 1 || width < 1)
        return lop_fail(err, LOP_E_FORMAT, "a picture of %" PRId64 "x%" PRId64 " pixels", height, width);
    if (height > SIDE || width > SIDE || height * width > LOP_IMAGE_PIXELS)
        return lop_fail(err, LOP_E_FORMAT, "says it has %" PRId64 "x%" PRId64 " pixels, more than the %d million (%d a "
                        "side) that are read: make it smaller", height, width, LOP_IMAGE_PIXELS / 1000000, SIDE);
    uint8_t *pixels = lop_array(height * width, 3, err);
    if (!pixels) return LOP_E_MEMORY;
    *image = (lop_image){height, width, pixels};
    return LOP_OK;
}

void lop_image_clear(lop_image *image)
{
    lop_free(image->pixels);
    *image = (lop_image){0};
}

static lop_status decode(const uint8_t *bytes, size_t n, lop_image *out, int *orientation, lop_error *err)
{
    static const uint8_t jpeg[] = {0xff, 0xd8, 0xff}, png[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    if (n == 0) return lop_fail(err, LOP_E_FORMAT, "the file is empty");
    if (n >= sizeof jpeg && memcmp(bytes, jpeg, sizeof jpeg) == 0)
        return lop_image_jpeg(bytes, n, out, orientation, err);
    if (n >= sizeof png && memcmp(bytes, png, sizeof png) == 0)
        return lop_image_png(bytes, n, out, orientation, err);
    return lop_fail(err, LOP_E_FORMAT, "neither a JPEG nor a PNG by its first bytes");
}

lop_status lop_image_decode(const uint8_t *bytes, size_t n, lop_image *out, lop_error *err)
{
    int orientation = 1;
    *out = (lop_image){0};
    lop_status st = decode(bytes, n, out, &orientation, err);
    if (st == LOP_OK) st = lop_image_upright(out, orientation, err);
    if (st != LOP_OK) lop_image_clear(out);
    return st;
}

lop_status lop_image_load(const char *path, lop_image *out, lop_error *err)
{
    lop_file file;
    *out = (lop_image){0};
    lop_status st = lop_file_open(path, &file, err);
    if (st != LOP_OK) return st;
    st = lop_image_decode(file.bytes, file.size, out, err);
    if (st != LOP_OK) lop_error_at(err, "%s", path);
    lop_file_close(&file);
    return st;
}

void lop_image_planes(const lop_image *image, int channels, uint8_t *to)
{
    const int64_t pixels = image->height * image->width;
    const uint8_t *p = image->pixels;
    if (channels == 1) {
        for (int64_t i = 0; i < pixels; i++, p += 3)
            to[i] = (uint8_t)((p[0] * 19595u + p[1] * 38470u + p[2] * 7471u + 0x8000u) >> 16);
        return;
    }
    for (int64_t i = 0; i < pixels; i++, p += 3) {
        to[i] = p[0];
        to[pixels + i] = p[1];
        to[2 * pixels + i] = p[2];
    }
}

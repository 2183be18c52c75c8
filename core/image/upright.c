/* core/image/upright.c - EXIF's orientation: found in its block, and undone. EXIF 2.3: "Exif\0\0", then a TIFF header
 * (II or MM, 42, offset of the first directory); a directory is a count and entries of 12 bytes: tag, type, count,
 * value. */
#include "image/image_impl.h"
#include <string.h>

enum { TAG_ORIENTATION = 0x0112, TYPE_SHORT = 3, ENTRY = 12 };

static uint32_t number(const uint8_t *p, int bytes, bool little)
{
    uint32_t v = 0;
    for (int i = 0; i < bytes; i++) v = v << 8 | p[little ? bytes - 1 - i : i];
    return v;
}

int lop_exif_orientation(const uint8_t *bytes, size_t n)
{
    if (n >= 6 && memcmp(bytes, "Exif\0\0", 6) == 0) {
        bytes += 6;
        n -= 6;
    }
    if (n < 8 || (memcmp(bytes, "II", 2) != 0 && memcmp(bytes, "MM", 2) != 0)) return 1;
    const bool little = bytes[0] == 'I';
    const size_t at = number(bytes + 4, 4, little);
    if (number(bytes + 2, 2, little) != 42 || at > n - 2) return 1;
    const size_t count = number(bytes + at, 2, little);
    for (size_t i = 0; i < count && (i + 1) * ENTRY <= n - 2 - at; i++) {
        const uint8_t *entry = bytes + at + 2 + i * ENTRY;
        if (number(entry, 2, little) != TAG_ORIENTATION || number(entry + 2, 2, little) != TYPE_SHORT) continue;
        const uint32_t v = number(entry + 8, 2, little);
        return v >= 1 && v <= 8 ? (int)v : 1;
    }
    return 1;
}

lop_status lop_image_upright(lop_image *image, int orientation, lop_error *err)
{
    /* Where the pixel (y, x) of what comes out is from: sides exchanged, rows from below, columns from the right. */
    static const struct { bool exchange, below, right; } turns[9] = {
        {0, 0, 0}, {0, 0, 0}, {0, 0, 1}, {0, 1, 1}, {0, 1, 0}, {1, 0, 0}, {1, 1, 0}, {1, 1, 1}, {1, 0, 1}};
    if (orientation <= 1 || orientation > 8) return LOP_OK;
    const bool exchange = turns[orientation].exchange;
    const int64_t h = image->height, w = image->width;
    lop_image out;
    const lop_status st = lop_image_init(&out, exchange ? w : h, exchange ? h : w, err);
    if (st != LOP_OK) return st;
    uint8_t *to = out.pixels;
    for (int64_t y = 0; y < out.height; y++)
        for (int64_t x = 0; x < out.width; x++, to += 3) {
            const int64_t row = exchange ? x : y, column = exchange ? y : x;
            const int64_t r = turns[orientation].below ? h - 1 - row : row;
            const int64_t c = turns[orientation].right ? w - 1 - column : column;
            memcpy(to, image->pixels + (r * w + c) * 3, 3);
        }
    lop_image_clear(image);
    *image = out;
    return LOP_OK;
}

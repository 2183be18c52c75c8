/* tests/fuzz/fuzz_image.c - a picture from the bytes of a JPEG or PNG file, made to fit a small size in each way. */
#include "fuzz/fuzz.h"
#include "image/image.h"

enum { SIDE = 16 };
static lop_error err;

static void fit(const lop_image *image, lop_fit_mode mode, lop_resample resample)
{
    const lop_fit how = {.height = SIDE, .width = SIDE - 3, .mode = mode, .resample = resample};
    uint8_t planes[3 * SIDE * SIDE];
    lop_image out;
    const lop_status st = lop_image_fit(image, &how, &out, &err);
    fuzz_message(st, &err);
    if (st != LOP_OK) return;
    FUZZ_EXPECT(out.height == how.height && out.width == how.width, "%d x %d", (int)out.height, (int)out.width);
    lop_image_planes(&out, 3, planes);
    lop_image_planes(&out, 1, planes);
    lop_image_clear(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    lop_image image;
    const lop_status st = lop_image_decode(bytes, size, &image, &err);
    fuzz_message(st, &err);
    FUZZ_EXPECT((st == LOP_OK) == (image.pixels != NULL), "%d", (int)st);
    if (st != LOP_OK) return 0;
    FUZZ_EXPECT(image.height > 0 && image.width > 0 && image.height <= LOP_IMAGE_PIXELS / image.width, "its size");
    fit(&image, LOP_FIT_CROP, LOP_RESAMPLE_BILINEAR);
    fit(&image, LOP_FIT_LETTERBOX, LOP_RESAMPLE_BICUBIC);
    fit(&image, LOP_FIT_STRETCH, LOP_RESAMPLE_BILINEAR);
    lop_image_clear(&image);
    return 0;
}

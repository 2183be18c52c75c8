/* core/image/fit.c - a picture made to fit a size: cropped, letterboxed or stretched. */
#include "image/image_impl.h"
#include <string.h>

enum { SIDE = 16384 };

static int64_t at_least_1(int64_t v) { return v < 1 ? 1 : v; }
static int64_t nearest(int64_t a, int64_t b) { return at_least_1((2 * a + b) / (2 * b)); }    /* a / b, halves up */

/* A side that is to become `size` after cropping: as it is within the usual margin, else brought to the nearest end of
 * it. */
static int64_t with_margin(int64_t side, int64_t size)
{
    const int64_t most = size * 8 / 7;
    return side < size ? size : side > most ? most : side;
}

/* The size that the whole picture is scaled to. */
static void scaled_size(const lop_image *image, const lop_fit *fit, int64_t *height, int64_t *width)
{
    const int64_t h = image->height, w = image->width;
    *height = fit->height;
    *width = fit->width;
    if (fit->mode == LOP_FIT_STRETCH) return;
    if (fit->mode == LOP_FIT_CROP && fit->resize > 0) {
        *height = h <= w ? fit->resize : fit->resize * h / w;
        *width = h <= w ? fit->resize * w / h : fit->resize;
        return;
    }
    const bool crop = fit->mode == LOP_FIT_CROP;
    if ((fit->height * w >= fit->width * h) == crop) {          /* the height decides */
        if (crop) *height = with_margin(h, fit->height);
        *width = nearest(w * *height, h);
    } else {
        if (crop) *width = with_margin(w, fit->width);
        *height = nearest(h * *width, w);
    }
}

lop_status lop_fit_check(const lop_fit *fit, lop_error *err)
{
    if (fit->height < 1 || fit->width < 1 || fit->height > SIDE || fit->width > SIDE)
        return lop_fail(err, LOP_E_ARG, "size %" PRId64 "x%" PRId64 ": sides of 1 to %d expected", fit->height,
                        fit->width, SIDE);
    if (fit->resize < 0 || fit->resize > SIDE || (fit->resize > 0 && fit->mode != LOP_FIT_CROP))
        return lop_fail(err, LOP_E_ARG, "resize=%" PRId64 ": %s", fit->resize,
                        fit->mode != LOP_FIT_CROP ? "only what is cropped has a short side" : "1 to 16384 expected");
    if (fit->resize > 0 && (fit->resize < fit->height || fit->resize < fit->width))
        return lop_fail(err, LOP_E_ARG, "resize=%" PRId64 " is less than the size %" PRId64 "x%" PRId64 " that is "
                        "cropped from it", fit->resize, fit->height, fit->width);
    return LOP_OK;
}

/* Puts a picture that is inside the size in its middle. */
static lop_status letterbox(lop_image *inner, const lop_fit *fit, lop_image *out, lop_error *err)
{
    const lop_status st = lop_image_init(out, fit->height, fit->width, err);
    if (st != LOP_OK) return st;
    const int64_t top = (fit->height - inner->height) / 2, left = (fit->width - inner->width) / 2;
    memset(out->pixels, LOP_LETTERBOX, (size_t)(fit->height * fit->width * 3));
    for (int64_t y = 0; y < inner->height; y++)
        memcpy(out->pixels + ((top + y) * fit->width + left) * 3, inner->pixels + y * inner->width * 3,
               (size_t)inner->width * 3);
    return LOP_OK;
}

lop_status lop_image_fit(const lop_image *image, const lop_fit *fit, lop_image *out, lop_error *err)
{
    *out = (lop_image){0};
    lop_status st = lop_fit_check(fit, err);
    if (st != LOP_OK) return st;
    int64_t h, w;
    scaled_size(image, fit, &h, &w);
    if (fit->mode != LOP_FIT_LETTERBOX) {
        const lop_image_part window = {(h - fit->height) / 2, (w - fit->width) / 2, fit->height, fit->width};
        return lop_image_resize(image, h, w, &window, fit->resample, out, err);
    }
    lop_image inner = {0};
    st = lop_image_resize(image, h, w, &(lop_image_part){0, 0, h, w}, fit->resample, &inner, err);
    if (st == LOP_OK) st = letterbox(&inner, fit, out, err);
    lop_image_clear(&inner);
    return st;
}

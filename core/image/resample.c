/* core/image/resample.c - separable resampling. A pixel of what comes out, at x, stands at c = (x + 1/2) in / out of
 * what goes in; it is the sum over the pixels i within the support s = r max(in / out, 1) of c, each weighed by the
 * filter at (i + 1/2 - c) / max(in / out, 1), the weights scaled to a sum of 1 and rounded to 22 bits: sums are of
 * whole numbers, so every machine gives the same bytes. */
#include "image/image_impl.h"
#include <math.h>

enum { BITS = 22, HALF = 1 << (BITS - 1) };

static double bilinear(double x)
{
    x = fabs(x);
    return x < 1.0 ? 1.0 - x : 0.0;
}

/* Keys's cubic convolution with a = -1/2. */
static double bicubic(double x)
{
    const double a = -0.5;
    x = fabs(x);
    if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
    return x < 2.0 ? (((x - 5.0) * x + 8.0) * x - 4.0) * a : 0.0;
}

static double filter(lop_resample kind, double x) { return kind == LOP_RESAMPLE_BILINEAR ? bilinear(x) : bicubic(x); }

/* For each of `count` pixels of what comes out: the pixels from[k] to from[k] + taps[k] - 1, and their weights, `most`
 * apart. */
typedef struct { int64_t count, most, *from, *taps; int32_t *weight; } plan;

static void plan_clear(plan *p)
{
    lop_free(p->from);
    lop_free(p->taps);
    lop_free(p->weight);
}

static void weigh(plan *p, int64_t k, int64_t x, int64_t in, int64_t out, lop_resample kind, double *work)
{
    const double scale = (double)in / (double)out, wide = fmax(scale, 1.0), narrow = 1.0 / wide;
    const double support = wide * (kind == LOP_RESAMPLE_BILINEAR ? 1.0 : 2.0), centre = ((double)x + 0.5) * scale;
    int64_t from = (int64_t)(centre - support + 0.5), end = (int64_t)(centre + support + 0.5);
    double sum = 0.0;
    if (from < 0) from = 0;
    if (end > in) end = in;
    for (int64_t i = 0; i < end - from; i++) {
        work[i] = filter(kind, ((double)(i + from) - centre + 0.5) * narrow);
        sum += work[i];
    }
    p->from[k] = from;
    p->taps[k] = end - from;
    for (int64_t i = 0; i < end - from; i++) {
        const double w = (sum != 0.0 ? work[i] / sum : 0.0) * (1 << BITS);
        p->weight[k * p->most + i] = (int32_t)(w < 0.0 ? w - 0.5 : w + 0.5);
    }
}

/* The pixels first to first + count - 1 of `out` made from `in`. */
static lop_status make_plan(int64_t in, int64_t out, int64_t first, int64_t count, lop_resample kind, plan *p,
                            lop_error *err)
{
    const double reach = ceil(fmax((double)in / (double)out, 1.0) * (kind == LOP_RESAMPLE_BILINEAR ? 1.0 : 2.0));
    const int64_t most = 2 * (int64_t)reach + 1;
    *p = (plan){.count = count, .most = most};
    p->from = lop_array(count, sizeof *p->from, err);
    p->taps = lop_array(count, sizeof *p->taps, err);
    p->weight = lop_array(count * most, sizeof *p->weight, err);
    double *work = lop_array(most, sizeof *work, err);
    for (int64_t k = 0; work && p->weight && p->taps && p->from && k < count; k++)
        weigh(p, k, first + k, in, out, kind, work);
    lop_free(work);
    return work && p->weight && p->taps && p->from ? LOP_OK : LOP_E_MEMORY;
}

static uint8_t rounded(int32_t sum)
{
    const int32_t v = sum >> BITS;
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

/* One row: to (count, 3). */
static void across(const plan *p, const uint8_t *row, uint8_t *to)
{
    for (int64_t k = 0; k < p->count; k++, to += 3) {
        const uint8_t *from = row + p->from[k] * 3;
        const int32_t *w = p->weight + k * p->most;
        int32_t r = HALF, g = HALF, b = HALF;
        for (int64_t i = 0; i < p->taps[k]; i++, from += 3) {
            r += from[0] * w[i];
            g += from[1] * w[i];
            b += from[2] * w[i];
        }
        to[0] = rounded(r);
        to[1] = rounded(g);
        to[2] = rounded(b);
    }
}

/* Row k of what comes out, `bytes` wide, from rows that begin with number `first` of what goes in. */
static void down(const plan *p, int64_t k, const uint8_t *rows, int64_t first, int64_t bytes, int32_t *sum, uint8_t *to)
{
    for (int64_t x = 0; x < bytes; x++) sum[x] = HALF;
    for (int64_t i = 0; i < p->taps[k]; i++) {
        const uint8_t *row = rows + (p->from[k] - first + i) * bytes;
        const int32_t w = p->weight[k * p->most + i];
        for (int64_t x = 0; x < bytes; x++) sum[x] += row[x] * w;
    }
    for (int64_t x = 0; x < bytes; x++) to[x] = rounded(sum[x]);
}

/* Both passes; between them stand the rows that the window needs, as wide as it. */
static lop_status resample(const lop_image *image, const plan *px, const plan *py, lop_image *out, lop_error *err)
{
    const int64_t first = py->from[0], last = py->from[py->count - 1] + py->taps[py->count - 1];
    const int64_t bytes = px->count * 3;
    uint8_t *rows = lop_array(last - first, (size_t)bytes, err);
    int32_t *sum = lop_array(bytes, sizeof *sum, err);
    const lop_status st = rows && sum ? lop_image_init(out, py->count, px->count, err) : LOP_E_MEMORY;
    for (int64_t y = first; st == LOP_OK && y < last; y++)
        across(px, image->pixels + y * image->width * 3, rows + (y - first) * bytes);
    for (int64_t k = 0; st == LOP_OK && k < py->count; k++)
        down(py, k, rows, first, bytes, sum, out->pixels + k * bytes);
    lop_free(rows);
    lop_free(sum);
    return st;
}

lop_status lop_image_resize(const lop_image *image, int64_t height, int64_t width, const lop_image_part *window,
                            lop_resample kind, lop_image *out, lop_error *err)
{
    enum { MOST = INT32_MAX };
    const lop_image_part w = *window;
    *out = (lop_image){0};
    if (height < 1 || width < 1 || height > MOST || width > MOST || w.top < 0 || w.left < 0 || w.height < 1 ||
        w.width < 1 || w.height > height - w.top || w.width > width - w.left)
        return lop_fail(err, LOP_E_ARG, "a window of %" PRId64 "x%" PRId64 " at %" PRId64 ", %" PRId64 " of %" PRId64
                        "x%" PRId64 " pixels", w.height, w.width, w.top, w.left, height, width);
    plan px = {0}, py = {0};
    lop_status st = make_plan(image->width, width, w.left, w.width, kind, &px, err);
    if (st == LOP_OK) st = make_plan(image->height, height, w.top, w.height, kind, &py, err);
    if (st == LOP_OK) st = resample(image, &px, &py, out, err);
    plan_clear(&px);
    plan_clear(&py);
    return st;
}

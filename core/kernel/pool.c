/* core/kernel/pool.c - pooling of channel planes. The maximum over a window is the maximum over its columns of the
 * maximum down each: both steps run along rows, in vectors. */
#include "kernel/kernel_impl.h"
#include <math.h>

enum { STRIP = 2048 };          /* floats of a row that are worked on at a time, on the stack */

typedef struct { int64_t first, end; } span;

/* The taps of a window starting at `at` (may be in the padding) that fall inside [0, size). */
static span inside(int64_t at, int64_t taps, int64_t dilation, int64_t size)
{
    span s = {at < 0 ? (-at + dilation - 1) / dilation : 0, at < size ? (size - at + dilation - 1) / dilation : 0};
    if (s.end > taps) s.end = taps;
    if (s.first > s.end) s.first = s.end;
    return s;
}

/* column[i] = the maximum down column from + i of the padded input, for the window rows of output row oy. */
static void down(const lop_pool *p, const float *x, int64_t oy, int64_t from, int64_t n, const lop_isa *isa,
                 float *column)
{
    const int64_t top = oy * p->stride[0] - p->pad[0];
    const span rows = inside(top, p->kh, p->dilation[0], p->h);
    const int64_t left = from - p->pad[1], lead = left < 0 ? -left : 0;         /* columns before the input */
    int64_t end = p->w - left;
    end = end > n ? n : end;
    for (int64_t i = 0; i < n; i++) column[i] = -INFINITY;
    if (lead >= end) return;
    for (int64_t k = rows.first; k < rows.end; k++)
        isa->max(end - lead, x + (top + k * p->dilation[0]) * p->w + left + lead, column + lead);
}

/* y[i] = the maximum of column[i stride + k dilation] over taps k. */
static void across(const lop_pool *p, int64_t n, const float *column, const lop_isa *isa, float *y)
{
    const int64_t stride = p->stride[1];
    float part[STRIP];
    for (int64_t i = 0; i < n; i++) y[i] = -INFINITY;
    for (int64_t k = 0; k < p->kw; k++) {
        const float *from = column + k * p->dilation[1];
        if (stride > 1) {
            const lop_conv_rows r = {.rows = 1, .n = n, .step = stride, .x = from, .y = part, .yrow = n};
            isa->copy(&r);
            from = part;
        }
        isa->max(n, from, y);
    }
}

/* A kernel too wide for a strip: tap by tap. */
static void max_plain(const lop_pool *p, const float *x, int64_t oy, float *y)
{
    const int64_t top = oy * p->stride[0] - p->pad[0];
    const span rows = inside(top, p->kh, p->dilation[0], p->h);
    for (int64_t ox = 0; ox < p->ow; ox++) {
        const int64_t left = ox * p->stride[1] - p->pad[1];
        const span cols = inside(left, p->kw, p->dilation[1], p->w);
        float best = -INFINITY;
        for (int64_t r = rows.first; r < rows.end; r++)
            for (int64_t c = cols.first; c < cols.end; c++) {
                const float v = x[(top + r * p->dilation[0]) * p->w + left + c * p->dilation[1]];
                best = v > best ? v : best;
            }
        y[ox] = best;
    }
}

void lop_pool_max(const lop_pool *p, int64_t planes, const float *x, float *y, lop_cpu cpu)
{
    const lop_isa *isa = lop_isa_of(cpu);
    const bool wide = (p->kw - 1) * p->dilation[1] >= STRIP / 2 || p->stride[1] > STRIP / 2;
    const int64_t reach = (p->kw - 1) * p->dilation[1], strip = wide ? 0 : (STRIP - 1 - reach) / p->stride[1] + 1;
    float column[STRIP];
    for (int64_t i = 0; i < planes * p->oh; i++, y += p->ow) {
        const float *plane = x + i / p->oh * p->h * p->w;
        if (wide) max_plain(p, plane, i % p->oh, y);
        for (int64_t ox = 0; ox < p->ow && !wide; ox += strip) {
            const int64_t n = p->ow - ox < strip ? p->ow - ox : strip;
            down(p, plane, i % p->oh, ox * p->stride[1], (n - 1) * p->stride[1] + reach + 1, isa, column);
            across(p, n, column, isa, y + ox);
        }
    }
}

void lop_pool_mean(const lop_pool *p, int64_t planes, const float *x, float *y, lop_cpu cpu)
{
    (void)cpu;                  /* one float64 sum in row order for each output, on every path */
    for (int64_t i = 0; i < planes * p->oh; i++) {
        const float *plane = x + i / p->oh * p->h * p->w;
        const int64_t top = i % p->oh * p->stride[0] - p->pad[0];
        const span rows = inside(top, p->kh, p->dilation[0], p->h);
        const span padded_rows = inside(top + p->pad[0], p->kh, p->dilation[0], p->h + p->pad[0] + p->pad[2]);
        for (int64_t ox = 0; ox < p->ow; ox++) {
            const int64_t left = ox * p->stride[1] - p->pad[1];
            const span cols = inside(left, p->kw, p->dilation[1], p->w);
            const span padded_cols = inside(left + p->pad[1], p->kw, p->dilation[1], p->w + p->pad[1] + p->pad[3]);
            double sum = 0.0;
            for (int64_t r = rows.first; r < rows.end; r++)
                for (int64_t c = cols.first; c < cols.end; c++)
                    sum += (double)plane[(top + r * p->dilation[0]) * p->w + left + c * p->dilation[1]];
            const int64_t count = p->count_pad ? padded_rows.end * padded_cols.end
                                               : (rows.end - rows.first) * (cols.end - cols.first);
            *y++ = (float)(sum / (double)count);
        }
    }
}

void lop_pool_global_mean(int64_t planes, int64_t size, const float *x, float *y)
{
    for (int64_t ch = 0; ch < planes; ch++, x += size) {
        double part[8] = {0.0}, sum = 0.0;      /* eight sums: one would wait for each addition */
        int64_t i = 0;
        for (; i + 8 <= size; i += 8)
            for (int l = 0; l < 8; l++) part[l] += (double)x[i + l];
        for (; i < size; i++) part[0] += (double)x[i];
        for (int l = 0; l < 8; l++) sum += part[l];
        y[ch] = (float)(sum / (double)size);
    }
}

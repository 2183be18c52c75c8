/* core/kernel/pool.c - pooling of channel planes. */
#include "kernel/kernel.h"
#include <math.h>

/* Taps of the window at output o that lie inside [0, size): first and one past the last. */
static void inside(int64_t start, int64_t taps, int64_t dilation, int64_t size, int64_t *from, int64_t *to)
{
    *from = 0;
    while (*from < taps && start + *from * dilation < 0) ++*from;
    *to = taps;
    while (*to > *from && start + (*to - 1) * dilation >= size) --*to;
}

void lop_pool_max(const lop_pool *p, int64_t planes, const float *x, float *y, lop_cpu cpu)
{
    (void)cpu;
    for (int64_t k = 0; k < planes; k++, x += p->h * p->w)
        for (int64_t r = 0; r < p->oh; r++)
            for (int64_t c = 0; c < p->ow; c++) {
                const int64_t top = r * p->stride[0] - p->pad[0], left = c * p->stride[1] - p->pad[1];
                int64_t y0, y1, x0, x1;
                float best = -INFINITY;
                inside(top, p->kh, p->dilation[0], p->h, &y0, &y1);
                inside(left, p->kw, p->dilation[1], p->w, &x0, &x1);
                for (int64_t i = y0; i < y1; i++)
                    for (int64_t j = x0; j < x1; j++) {
                        const float v = x[(top + i * p->dilation[0]) * p->w + left + j * p->dilation[1]];
                        if (v > best || isnan(v)) best = v;
                    }
                *y++ = best;
            }
}

void lop_pool_mean(const lop_pool *p, int64_t planes, const float *x, float *y, lop_cpu cpu)
{
    (void)cpu;
    for (int64_t k = 0; k < planes; k++, x += p->h * p->w)
        for (int64_t r = 0; r < p->oh; r++)
            for (int64_t c = 0; c < p->ow; c++) {
                const int64_t top = r * p->stride[0] - p->pad[0], left = c * p->stride[1] - p->pad[1];
                int64_t y0, y1, x0, x1, py0, py1, px0, px1;
                double sum = 0.0;
                inside(top, p->kh, p->dilation[0], p->h, &y0, &y1);
                inside(left, p->kw, p->dilation[1], p->w, &x0, &x1);
                inside(top + p->pad[0], p->kh, p->dilation[0], p->h + p->pad[0] + p->pad[2], &py0, &py1);
                inside(left + p->pad[1], p->kw, p->dilation[1], p->w + p->pad[1] + p->pad[3], &px0, &px1);
                for (int64_t i = y0; i < y1; i++)
                    for (int64_t j = x0; j < x1; j++)
                        sum += (double)x[(top + i * p->dilation[0]) * p->w + left + j * p->dilation[1]];
                const int64_t count = p->count_pad ? (py1 - py0) * (px1 - px0) : (y1 - y0) * (x1 - x0);
                *y++ = (float)(sum / (double)count);
            }
}

void lop_pool_global_mean(int64_t planes, int64_t size, const float *x, float *y)
{
    for (int64_t k = 0; k < planes; k++, x += size) {
        double sum = 0.0;
        for (int64_t i = 0; i < size; i++) sum += (double)x[i];
        y[k] = (float)(sum / (double)size);
    }
}

/* core/kernel/pool.c - pooling of channel planes. Maxima of a row are taken in vectors where whole windows lie inside
 * the input, one by one at its edges. */
#include "kernel/kernel_impl.h"
#include <math.h>
#include <string.h>

typedef struct { int64_t first, end; } span;

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* The taps of a window starting at `at` (may be in the padding) that fall inside [0, size). */
static span inside(int64_t at, int64_t taps, int64_t dilation, int64_t size)
{
    span s = {at < 0 ? (-at + dilation - 1) / dilation : 0, at < size ? (size - at + dilation - 1) / dilation : 0};
    if (s.end > taps) s.end = taps;
    if (s.first > s.end) s.first = s.end;
    return s;
}

/* Outputs [from, to) of a row, where columns may be in the padding. */
static void max_edge(const lop_pool *p, const float *x, int64_t top, span rows, int64_t from, int64_t to, float *y)
{
    for (int64_t ox = from; ox < to; ox++) {
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
    const int64_t room = p->w + p->pad[1] - (p->kw - 1) * p->dilation[1];       /* for windows to begin in */
    const int64_t end = room < 1 ? 0 : least((room - 1) / p->stride[1] + 1, p->ow);
    const int64_t begin = least((p->pad[1] + p->stride[1] - 1) / p->stride[1], end);
    for (int64_t i = 0; i < planes * p->oh; i++, y += p->ow) {
        const float *plane = x + i / p->oh * p->h * p->w;
        const int64_t top = i % p->oh * p->stride[0] - p->pad[0];
        const span rows = inside(top, p->kh, p->dilation[0], p->h);
        max_edge(p, plane, top, rows, 0, begin, y);
        if (begin < end) {
            const float *first = plane + (top + rows.first * p->dilation[0]) * p->w + begin * p->stride[1] - p->pad[1];
            const lop_max_run r = {.x = first, .rows = rows.end - rows.first, .cols = p->kw,
                .row = p->dilation[0] * p->w, .col = p->dilation[1], .stride = p->stride[1], .n = end - begin,
                .y = y + begin};
            isa->max(&r);
        }
        max_edge(p, plane, top, rows, end, p->ow, y);
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

/* Eight sums, in four vectors: a single one would wait for each addition. */
void lop_pool_global_mean(int64_t planes, int64_t size, const float *x, float *y)
{
    typedef float float2 __attribute__((vector_size(8)));
    typedef double double2 __attribute__((vector_size(16)));
    for (int64_t ch = 0; ch < planes; ch++, x += size) {
        double2 s0 = {0.0}, s1 = {0.0}, s2 = {0.0}, s3 = {0.0};
        double rest = 0.0;
        int64_t i = 0;
        for (; i + 8 <= size; i += 8) {
            float2 pair[4];
            memcpy(pair, x + i, sizeof pair);
            s0 += __builtin_convertvector(pair[0], double2);
            s1 += __builtin_convertvector(pair[1], double2);
            s2 += __builtin_convertvector(pair[2], double2);
            s3 += __builtin_convertvector(pair[3], double2);
        }
        for (; i < size; i++) rest += (double)x[i];
        s0 = s0 + s1 + (s2 + s3);
        y[ch] = (float)((s0[0] + s0[1] + rest) / (double)size);
    }
}

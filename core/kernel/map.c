/* core/kernel/map.c - element-wise work: bound by memory, so four floats at a time on any machine will do. */
#include "kernel/kernel_impl.h"
#include <math.h>
#include <string.h>

typedef float vector4 __attribute__((vector_size(16)));
typedef int32_t mask4 __attribute__((vector_size(16)));

typedef struct { float low, high; } limits;

static limits limits_of(lop_act act, float low, float high)
{
    if (act == LOP_ACT_NONE) return (limits){-INFINITY, INFINITY};
    if (act == LOP_ACT_RELU) return (limits){0.0f, INFINITY};
    return (limits){low, high};
}

/* NaN stays NaN, as in ONNX Runtime. */
static inline float cut(float v, limits l)
{
    v = l.low > v ? l.low : v;
    return l.high < v ? l.high : v;
}

static inline vector4 either(mask4 first, vector4 a, vector4 b)
{
    return (vector4)(((mask4)a & first) | ((mask4)b & ~first));
}

static inline vector4 cut4(vector4 v, vector4 low, vector4 high)
{
    v = either(low > v, low, v);
    return either(high < v, high, v);
}

static inline vector4 load(const float *p)
{
    vector4 v;
    memcpy(&v, p, sizeof v);
    return v;
}

void lop_map_act(lop_act act, float low, float high, int64_t size, const float *x, float *y)
{
    const limits l = limits_of(act, low, high);
    const vector4 low4 = {l.low, l.low, l.low, l.low}, high4 = {l.high, l.high, l.high, l.high};
    int64_t i = 0;
    for (; i + 4 <= size; i += 4) {
        const vector4 v = cut4(load(x + i), low4, high4);
        memcpy(y + i, &v, sizeof v);
    }
    for (; i < size; i++) y[i] = cut(x[i], l);
}

void lop_map_add(int64_t size, const float *a, const float *b, lop_act act, float low, float high, float *y)
{
    const limits l = limits_of(act, low, high);
    const vector4 low4 = {l.low, l.low, l.low, l.low}, high4 = {l.high, l.high, l.high, l.high};
    int64_t i = 0;
    for (; i + 4 <= size; i += 4) {
        const vector4 v = cut4(load(a + i) + load(b + i), low4, high4);
        memcpy(y + i, &v, sizeof v);
    }
    for (; i < size; i++) y[i] = cut(a[i] + b[i], l);
}

void lop_map_affine(int64_t channels, int64_t size, const float *scale, const float *shift, const float *x, float *y)
{
    for (int64_t ch = 0; ch < channels; ch++, x += size, y += size) {
        const float s = scale[ch], t = shift[ch];
        int64_t i = 0;
        for (; i + 4 <= size; i += 4) {
            const vector4 v = load(x + i) * s + t;
            memcpy(y + i, &v, sizeof v);
        }
        for (; i < size; i++) y[i] = x[i] * s + t;
    }
}

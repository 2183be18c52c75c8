/* core/kernel/map.c - element-wise work and rows times a matrix. */
#include "kernel/kernel.h"
#include <math.h>

static float act_of(lop_act act, float low, float high, float v)
{
    if (act == LOP_ACT_RELU) return v > 0.0f ? v : 0.0f;
    return act == LOP_ACT_CLIP ? fminf(fmaxf(v, low), high) : v;
}

void lop_map_act(lop_act act, float low, float high, int64_t size, const float *x, float *y)
{
    for (int64_t i = 0; i < size; i++) y[i] = act_of(act, low, high, x[i]);
}

void lop_map_add(int64_t size, const float *a, const float *b, lop_act act, float low, float high, float *y)
{
    for (int64_t i = 0; i < size; i++) y[i] = act_of(act, low, high, a[i] + b[i]);
}

void lop_map_affine(int64_t channels, int64_t size, const float *scale, const float *shift, const float *x, float *y)
{
    for (int64_t c = 0; c < channels; c++)
        for (int64_t i = 0; i < size; i++) y[c * size + i] = x[c * size + i] * scale[c] + shift[c];
}

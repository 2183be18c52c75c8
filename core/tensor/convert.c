/* core/tensor/convert.c - elements of any type as double, and back. float16: IEEE 754 binary16; bfloat16: the upper
 * half of a binary32; both rounded to nearest, ties to even. */
#include "tensor/tensor.h"
#include <math.h>
#include <string.h>

static uint32_t bits_of(float f) { uint32_t u; memcpy(&u, &f, 4); return u; }
static float float_of(uint32_t u) { float f; memcpy(&f, &u, 4); return f; }

static double from_half(uint16_t h)
{
    const int exponent = h >> 10 & 31, fraction = h & 1023;
    double v = exponent == 0 ? ldexp(fraction, -24)
             : exponent < 31 ? ldexp(1024 + fraction, exponent - 25) : fraction ? (double)NAN : (double)INFINITY;
    return h & 0x8000 ? -v : v;
}

static uint16_t to_half(double v)
{
    const uint16_t sign = signbit(v) ? 0x8000 : 0;
    if (isnan(v)) return (uint16_t)(sign | 0x7E00);
    const double a = fabs(v);
    if (a >= 65520.0) return (uint16_t)(sign | 0x7C00);
    if (a < 0x1p-14) return (uint16_t)(sign | (uint16_t)nearbyint(ldexp(a, 24)));
    int e;
    const double m = nearbyint(ldexp(frexp(a, &e), 11));        /* 1024 to 2048 */
    return (uint16_t)(sign | (uint16_t)(((e + 13) << 10) + (int)m));
}

static uint16_t to_bfloat(float f)
{
    const uint32_t u = bits_of(f);
    if (isnan(f)) return (uint16_t)(u >> 16 | 0x40);
    return (uint16_t)((u + 0x7FFF + (u >> 16 & 1)) >> 16);
}

double lop_tensor_get(const lop_tensor *t, int64_t i)
{
    const void *p = t->data;
    switch (t->type) {
    case LOP_F32: return (double)((const float *)p)[i];
    case LOP_F64: return ((const double *)p)[i];
    case LOP_F16: return from_half(((const uint16_t *)p)[i]);
    case LOP_BF16: return (double)float_of((uint32_t)((const uint16_t *)p)[i] << 16);
    case LOP_BOOL: return ((const uint8_t *)p)[i] != 0;
    case LOP_U8: return ((const uint8_t *)p)[i];
    case LOP_I8: return ((const int8_t *)p)[i];
    case LOP_U16: return ((const uint16_t *)p)[i];
    case LOP_I16: return ((const int16_t *)p)[i];
    case LOP_U32: return ((const uint32_t *)p)[i];
    case LOP_I32: return ((const int32_t *)p)[i];
    case LOP_U64: return (double)((const uint64_t *)p)[i];
    case LOP_I64: return (double)((const int64_t *)p)[i];
    case LOP_NONE: break;
    }
    return 0.0;
}

/* A whole number within int64; C leaves other conversions undefined. */
static int64_t whole(double v)
{
    if (isnan(v)) return 0;
    return v >= 0x1p63 ? INT64_MAX : v <= -0x1p63 ? INT64_MIN : (int64_t)v;
}

void lop_tensor_set(lop_tensor *t, int64_t i, double v)
{
    void *p = t->data;
    switch (t->type) {
    case LOP_F32: ((float *)p)[i] = (float)v; break;
    case LOP_F64: ((double *)p)[i] = v; break;
    case LOP_F16: ((uint16_t *)p)[i] = to_half(v); break;
    case LOP_BF16: ((uint16_t *)p)[i] = to_bfloat((float)v); break;
    case LOP_BOOL: ((uint8_t *)p)[i] = v != 0.0; break;
    case LOP_U8: ((uint8_t *)p)[i] = (uint8_t)whole(v); break;
    case LOP_I8: ((int8_t *)p)[i] = (int8_t)whole(v); break;
    case LOP_U16: ((uint16_t *)p)[i] = (uint16_t)whole(v); break;
    case LOP_I16: ((int16_t *)p)[i] = (int16_t)whole(v); break;
    case LOP_U32: ((uint32_t *)p)[i] = (uint32_t)whole(v); break;
    case LOP_I32: ((int32_t *)p)[i] = (int32_t)whole(v); break;
    case LOP_U64: ((uint64_t *)p)[i] = v >= 0x1p63 ? (uint64_t)v : (uint64_t)whole(v); break;
    case LOP_I64: ((int64_t *)p)[i] = whole(v); break;
    case LOP_NONE: break;
    }
}

/* Exact between integers, which a double is not past 2^53. */
static bool as_integer(const lop_tensor *t, int64_t i, int64_t *out)
{
    if (t->type == LOP_I64) *out = ((const int64_t *)t->data)[i];
    else if (t->type == LOP_U64) *out = (int64_t)((const uint64_t *)t->data)[i];
    else return false;
    return true;
}

lop_status lop_tensor_cast(lop_tensor *to, const lop_tensor *from, lop_dtype type, lop_error *err)
{
    if (type == from->type) return lop_tensor_copy(to, from, err);
    lop_status st = lop_tensor_init(to, type, &from->shape, err);
    const int64_t n = lop_tensor_size(from);
    for (int64_t i = 0; st == LOP_OK && i < n; i++) {
        int64_t exact;
        if ((type == LOP_I64 || type == LOP_U64) && as_integer(from, i, &exact)) ((int64_t *)to->data)[i] = exact;
        else lop_tensor_set(to, i, lop_tensor_get(from, i));
    }
    return st;
}

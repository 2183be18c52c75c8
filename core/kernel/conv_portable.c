/* core/kernel/conv_portable.c - any machine: vectors of 4 floats as gcc and clang know them (two roundings for each
 * multiply-add: a fused one would be a library call where the machine has none). */
#include "kernel/kernel_impl.h"
#include <string.h>

typedef float vector4 __attribute__((vector_size(16)));
typedef int32_t mask4 __attribute__((vector_size(16)));

static inline vector4 load(const float *p)
{
    vector4 v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline vector4 load_n(const float *p, int n, int step)
{
    vector4 v = {0.0f, 0.0f, 0.0f, 0.0f};
    for (int l = 0; l < n; l++) v[l] = p[l * step];
    return v;
}

static inline void store(float *p, vector4 v) { memcpy(p, &v, sizeof v); }

static inline void store_n(float *p, vector4 v, int n)
{
    for (int l = 0; l < n; l++) p[l] = v[l];
}

static inline vector4 either(mask4 first, vector4 a, vector4 b)
{
    return (vector4)(((mask4)a & first) | ((mask4)b & ~first));
}

static inline vector4 pack(vector4 v, uint64_t order)
{
    vector4 to = v;
    for (int l = 0; l < 4; l++) to[l] = v[order >> 8 * l & 3];
    return to;
}

#define V vector4
#define V_WIDTH 4
#define V_ZERO() ((vector4){0.0f, 0.0f, 0.0f, 0.0f})
#define V_SET1(f) ((vector4){f, f, f, f})
#define V_LOAD(p) load(p)
#define V_STORE(p, v) store(p, v)
#define V_FMA(a, b, c) ((a) * (b) + (c))
#define V_ADD(a, b) ((a) + (b))
#define V_MAX(a, b) either((a) > (b), a, b)
#define V_MIN(a, b) either((a) < (b), a, b)
#define V_PACK(v, vector) pack(v, (vector)->order)
#define V_LOAD_N(p, n) load_n(p, n, 1)
#define V_STORE_N(p, v, n) store_n(p, v, n)
#define V_EVEN_N(p, n) load_n(p, n, 2)
#define V_EVEN(p) ((vector4){(p)[0], (p)[2], (p)[4], (p)[6]})
#define TILES(T) \
    T(1, 1) T(1, 2) T(1, 3) T(1, 4) T(2, 1) T(2, 2) T(2, 3) T(3, 1) T(3, 2) T(4, 1) T(4, 2)
#include "kernel/conv_tile.h"

static const lop_isa isa = {.width = V_WIDTH, .filters = 4, .vectors = {4, 3, 2, 2},
    .tile = tile, .copy = copy_rows, .max = max_run, .dot = dot};
const lop_isa *lop_isa_portable(void) { return &isa; }

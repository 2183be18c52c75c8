/* core/kernel/conv_neon.c - AArch64 NEON: 32 registers of 4 floats, 8 filters x 12 pixels. */
#include "kernel/kernel_impl.h"
#if defined(__aarch64__) && defined(__ARM_NEON)
#include <arm_neon.h>

#define V float32x4_t
#define V_WIDTH 4
#define V_ZERO() vdupq_n_f32(0.0f)
#define V_SET1(f) vdupq_n_f32(f)
#define V_LOAD(p) vld1q_f32(p)
#define V_STORE(p, v) vst1q_f32(p, v)
#define V_FMA(a, b, c) vfmaq_f32(c, a, b)
#define V_ADD(a, b) vaddq_f32(a, b)
#define V_MAX(a, b) vbslq_f32(vcgtq_f32(a, b), a, b)
#define V_MIN(a, b) vbslq_f32(vcltq_f32(a, b), a, b)
#define V_PACK(v, vector) pack(v, (vector)->order)
#define V_LOAD_N(p, n) load_n(p, n, 1)
#define V_STORE_N(p, v, n) store_n(p, v, n)
#define V_EVEN_N(p, n) load_n(p, n, 2)
#define V_EVEN(p) vcombine_f32(vld2_f32(p).val[0], vget_low_f32(vuzp2q_f32(vld1q_f32((p) + 3), vld1q_f32((p) + 3))))

static inline float32x4_t pack(float32x4_t v, uint64_t order)
{
    float from[4], to[4];
    vst1q_f32(from, v);
    for (int l = 0; l < 4; l++) to[l] = from[order >> 8 * l & 3];
    return vld1q_f32(to);
}

static inline float32x4_t load_n(const float *p, int n, int step)
{
    float part[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    for (int l = 0; l < n; l++) part[l] = p[l * step];
    return vld1q_f32(part);
}

static inline void store_n(float *p, float32x4_t v, int n)
{
    float part[4];
    vst1q_f32(part, v);
    for (int l = 0; l < n; l++) p[l] = part[l];
}

#define TILES(T)                                                                        \
    T(1, 1) T(1, 2) T(1, 3) T(1, 4) T(1, 5) T(1, 6) T(1, 7) T(1, 8)                     \
    T(2, 1) T(2, 2) T(2, 3) T(2, 4) T(2, 5) T(2, 6) T(2, 7) T(2, 8)                     \
    T(3, 1) T(3, 2) T(3, 3) T(3, 4) T(3, 5) T(3, 6)                                     \
    T(4, 1) T(4, 2) T(4, 3) T(4, 4) T(4, 5) T(5, 1) T(5, 2) T(5, 3) T(5, 4)             \
    T(6, 1) T(6, 2) T(6, 3) T(6, 4) T(7, 1) T(7, 2) T(7, 3) T(8, 1) T(8, 2) T(8, 3)
#include "kernel/conv_tile.h"

static const lop_isa isa = {.width = V_WIDTH, .filters = 8, .vectors = {8, 8, 6, 5, 4, 4, 3, 3},
    .tile = tile, .copy = copy_rows, .max = max_run, .dot = dot};
const lop_isa *lop_isa_neon(void) { return &isa; }
#else
const lop_isa *lop_isa_neon(void) { return NULL; }
#endif

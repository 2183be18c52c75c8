/* core/kernel/conv_avx512.c - AVX-512 (F, BW, VL, DQ): 32 registers of 16 floats, 8 filters x 48 pixels. */
#include "kernel/kernel_impl.h"
#if defined(__AVX512F__) && defined(__AVX512DQ__) && defined(__AVX512VL__)
#include <immintrin.h>

#define V __m512
#define V_WIDTH 16
#define V_ZERO() _mm512_setzero_ps()
#define V_SET1(f) _mm512_set1_ps(f)
#define V_LOAD(p) _mm512_loadu_ps(p)
#define V_STORE(p, v) _mm512_storeu_ps(p, v)
#define V_FMA(a, b, c) _mm512_fmadd_ps(a, b, c)
#define V_ADD(a, b) _mm512_add_ps(a, b)
#define V_MAX(a, b) _mm512_max_ps(a, b)
#define V_MIN(a, b) _mm512_min_ps(a, b)
#define V_PACK(v, vector) _mm512_maskz_compress_ps((__mmask16)(vector)->keep, v)
#define V_LOAD_N(p, n) _mm512_maskz_loadu_ps((__mmask16)((1u << (n)) - 1), p)
#define V_STORE_N(p, v, n) _mm512_mask_storeu_ps(p, (__mmask16)((1u << (n)) - 1), v)
#define V_PAIR(p, gap) \
    _mm512_insertf32x8(_mm512_castps256_ps512(_mm256_loadu_ps(p)), _mm256_loadu_ps((p) + (gap)), 1)
#define V_EVEN(p) even(_mm512_loadu_ps(p), _mm512_loadu_ps((p) + 15))
#define V_EVEN_N(p, n) even(first_n(p, 2 * (n) - 1), first_n((p) + 15, 2 * (n) - 16))

/* The second load begins one early, so that it ends at the last float that is wanted. */
static inline __m512 even(__m512 first, __m512 second)
{
    const __m512i pick = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 17, 19, 21, 23, 25, 27, 29, 31);
    return _mm512_permutex2var_ps(first, pick, second);
}

/* n may be less than 1, or more than there are lanes. */
static inline __m512 first_n(const float *p, int n)
{
    return _mm512_maskz_loadu_ps((__mmask16)(n < 1 ? 0 : n > 15 ? 0xffff : (1 << n) - 1), p);
}

#define TILES(T)                                                                        \
    T(1, 1) T(1, 2) T(1, 3) T(1, 4) T(1, 5) T(1, 6) T(1, 7) T(1, 8)                     \
    T(2, 1) T(2, 2) T(2, 3) T(2, 4) T(2, 5) T(2, 6) T(2, 7) T(2, 8)                     \
    T(3, 1) T(3, 2) T(3, 3) T(3, 4) T(3, 5) T(3, 6)                                     \
    T(4, 1) T(4, 2) T(4, 3) T(4, 4) T(4, 5) T(4, 6) T(5, 1) T(5, 2) T(5, 3) T(5, 4)     \
    T(6, 1) T(6, 2) T(6, 3) T(6, 4) T(7, 1) T(7, 2) T(7, 3) T(8, 1) T(8, 2) T(8, 3)
#define PAIRS(T)                                                                        \
    T(1, 1) T(1, 2) T(1, 3) T(1, 4) T(2, 1) T(2, 2) T(2, 3) T(2, 4)                     \
    T(3, 1) T(3, 2) T(3, 3) T(3, 4) T(4, 1) T(4, 2) T(4, 3) T(4, 4)                     \
    T(5, 1) T(5, 2) T(5, 3) T(5, 4) T(6, 1) T(6, 2) T(6, 3) T(6, 4)                     \
    T(7, 1) T(7, 2) T(7, 3) T(8, 1) T(8, 2) T(8, 3)
#include "kernel/conv_tile.h"

static const lop_isa isa = {.width = V_WIDTH, .filters = 8, .vectors = {8, 8, 6, 6, 4, 4, 3, 3},
    .pairs = {4, 4, 4, 4, 4, 4, 3, 3}, .tile = tile, .copy = copy_rows, .max = max_run, .dot = dot};
const lop_isa *lop_isa_avx512(void) { return &isa; }
#else
const lop_isa *lop_isa_avx512(void) { return NULL; }
#endif

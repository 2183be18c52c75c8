/* core/kernel/conv_avx2.c - AVX2 and FMA: 16 registers of 8 floats, 4 filters x 24 pixels. */
#include "kernel/kernel_impl.h"
#if defined(__AVX2__) && defined(__FMA__) && defined(__x86_64__)
#include <immintrin.h>

#define V __m256
#define V_WIDTH 8
#define V_ZERO() _mm256_setzero_ps()
#define V_SET1(f) _mm256_set1_ps(f)
#define V_LOAD(p) _mm256_loadu_ps(p)
#define V_STORE(p, v) _mm256_storeu_ps(p, v)
#define V_FMA(a, b, c) _mm256_fmadd_ps(a, b, c)
#define V_ADD(a, b) _mm256_add_ps(a, b)
#define V_MAX(a, b) _mm256_max_ps(a, b)
#define V_MIN(a, b) _mm256_min_ps(a, b)
#define V_PACK(v, vector) \
    _mm256_permutevar8x32_ps(v, _mm256_cvtepu8_epi32(_mm_cvtsi64_si128((long long)(vector)->order)))
#define V_LOAD_N(p, n) first_n(p, n)
#define V_STORE_N(p, v, n) store_n(p, v, n)
#define V_EVEN(p) even(_mm256_loadu_ps(p), _mm256_loadu_ps((p) + 7))
#define V_EVEN_N(p, n) even(first_n(p, 2 * (n) - 1), first_n((p) + 7, 2 * (n) - 8))

/* n may be less than 1, or more than there are lanes. */
static inline __m256 first_n(const float *p, int n)
{
    return _mm256_maskload_ps(p, _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)));
}

/* Masked stores take tens of cycles on some processors: three plain ones instead. */
static inline void store_n(float *p, __m256 v, int n)
{
    __m128 part = _mm256_castps256_ps128(v);
    if (n & 4) {
        _mm_storeu_ps(p, part);
        part = _mm256_extractf128_ps(v, 1);
        p += 4;
    }
    if (n & 2) {
        _mm_storel_pi((__m64 *)(void *)p, part);
        part = _mm_movehl_ps(part, part);
        p += 2;
    }
    if (n & 1) _mm_store_ss(p, part);
}

/* The second load begins one early, so that it ends at the last float that is wanted. */
static inline __m256 even(__m256 first, __m256 second)
{
    const __m256 mixed = _mm256_shuffle_ps(first, second, _MM_SHUFFLE(3, 1, 2, 0));
    return _mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(mixed), _MM_SHUFFLE(3, 1, 2, 0)));
}

#define TILES(T)                                                                \
    T(1, 1) T(1, 2) T(1, 3) T(1, 4) T(1, 5) T(1, 6) T(2, 1) T(2, 2) T(2, 3) T(2, 4)   \
    T(3, 1) T(3, 2) T(3, 3) T(4, 1) T(4, 2) T(4, 3) T(5, 1) T(5, 2) T(6, 1) T(6, 2)
#include "kernel/conv_tile.h"

static const lop_isa isa = {.width = V_WIDTH, .filters = 6, .vectors = {6, 4, 3, 3, 2, 2},
    .tile = tile, .copy = copy_rows, .max = max_run, .dot = dot};
const lop_isa *lop_isa_avx2(void) { return &isa; }
#else
const lop_isa *lop_isa_avx2(void) { return NULL; }
#endif

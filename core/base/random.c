/* core/base/random.c - Philox4x32-10: J. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011. The key
 * is the seed, the counter is (index, stream): a draw is a function of its address. */
#include "base/base.h"
#include <math.h>

static void philox(uint64_t seed, uint64_t stream, uint64_t index, uint32_t out[4])
{
    uint32_t c[4] = {(uint32_t)index, (uint32_t)(index >> 32), (uint32_t)stream, (uint32_t)(stream >> 32)};
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (int round = 0; round < 10; round++) {
        const uint64_t a = (uint64_t)0xD2511F53u * c[0], b = (uint64_t)0xCD9E8D57u * c[2];
        const uint32_t next[4] = {(uint32_t)(b >> 32) ^ c[1] ^ k0, (uint32_t)b, (uint32_t)(a >> 32) ^ c[3] ^ k1,
                                  (uint32_t)a};
        for (int i = 0; i < 4; i++) c[i] = next[i];
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    for (int i = 0; i < 4; i++) out[i] = c[i];
}

static uint64_t half(const uint32_t v[4], int i) { return (uint64_t)v[2 * i + 1] << 32 | v[2 * i]; }

static double unit(uint64_t bits) { return (double)(bits >> 11) * 0x1p-53; }

uint64_t lop_random(uint64_t seed, uint64_t stream, uint64_t index)
{
    uint32_t v[4];
    philox(seed, stream, index, v);
    return half(v, 0);
}

double lop_random_unit(uint64_t seed, uint64_t stream, uint64_t index) { return unit(lop_random(seed, stream, index)); }

double lop_random_normal(uint64_t seed, uint64_t stream, uint64_t index)
{
    uint32_t v[4];
    philox(seed, stream, index, v);
    const double radius = sqrt(-2.0 * log(1.0 - unit(half(v, 0))));    /* 1 - u is never 0 */
    return radius * cos(6.283185307179586 * unit(half(v, 1)));
}

int64_t lop_random_below(uint64_t seed, uint64_t stream, uint64_t index, int64_t below)
{
    __extension__ typedef unsigned __int128 u128;
    const u128 wide = (u128)lop_random(seed, stream, index) * (uint64_t)below;
    return (int64_t)(uint64_t)(wide >> 64);
}

/* core/kernel/gemv.c - a matrix times one row, eight partial sums in a fixed pattern. */
#include "kernel/kernel.h"

enum { LANES = 8, BLOCK = 64 };
typedef struct { int64_t n, k; const float *w, *x, *bias; float *y; } work;

static void run_block(void *context, int64_t block, int worker)
{
    const work *t = context;
    const int64_t end = (block + 1) * BLOCK < t->n ? (block + 1) * BLOCK : t->n;
    (void)worker;
    for (int64_t j = block * BLOCK; j < end; j++) {
        const float *w = t->w + j * t->k;
        float sum[LANES] = {0};
        int64_t i = 0;
        for (; i + LANES <= t->k; i += LANES)
            for (int l = 0; l < LANES; l++) sum[l] += w[i + l] * t->x[i + l];
        for (int l = 0; i < t->k; i++, l++) sum[l] += w[i] * t->x[i];
        const float total = ((sum[0] + sum[4]) + (sum[2] + sum[6])) + ((sum[1] + sum[5]) + (sum[3] + sum[7]));
        t->y[j] = t->bias ? total + t->bias[j] : total;
    }
}

void lop_gemv(int64_t n, int64_t k, const float *w, const float *x, const float *bias, lop_cpu cpu, lop_team *team, float *y)
{
    work t = {n, k, w, x, bias, y};
    (void)cpu;
    lop_team_run(team, (n + BLOCK - 1) / BLOCK, run_block, &t);
}

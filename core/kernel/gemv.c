/* core/kernel/gemv.c - a matrix times one vector: each output one fixed-order sum, whoever computes it. */
#include "kernel/kernel_impl.h"

typedef struct {
    const lop_isa *isa;
    int64_t n, k, grain;
    const float *w, *x, *bias;
    float *y;
} gemv_call;

static void rows_chunk(void *context, int64_t chunk, int worker)
{
    (void)worker;
    const gemv_call *c = context;
    const int64_t first = chunk * c->grain, end = first + c->grain < c->n ? first + c->grain : c->n;
    for (int64_t i = first; i < end; i++) {
        const float sum = c->isa->dot(c->k, c->w + i * c->k, c->x);
        c->y[i] = c->bias ? sum + c->bias[i] : sum;
    }
}

void lop_gemv(int64_t n, int64_t k, const float *w, const float *x, const float *bias, lop_cpu cpu, lop_team *team,
              float *y)
{
    enum { CHUNK = 1 << 15 };           /* multiply-adds that are worth a chunk */
    const int64_t grain = k >= CHUNK ? 1 : CHUNK / (k > 0 ? k : 1);
    gemv_call c = {lop_isa_of(cpu), n, k, grain, w, x, bias, y};
    lop_team_run(team, (n + grain - 1) / grain, rows_chunk, &c);
}

/* core/ops/math/product.c - products of matrices that are not float32: float64, and integers, whose sums wrap. */
#include "ops/ops_impl.h"

typedef struct { int64_t m, n, k; const void *a, *b; int64_t step_a[2], step_b[2]; void *y; } matrices;

#define PRODUCT(name, T, ACC)                                                                               \
    static void name(void *context, int64_t begin, int64_t end)                                             \
    {                                                                                                       \
        const matrices *p = context;                                                                        \
        for (int64_t i = begin; i < end; i++)                                                               \
            for (int64_t j = 0; j < p->n; j++) {                                                            \
                const T *a = (const T *)p->a + i * p->step_a[0], *b = (const T *)p->b + j * p->step_b[1];   \
                ACC sum = 0;                                                                                \
                for (int64_t k = 0; k < p->k; k++)                                                          \
                    sum += (ACC)a[k * p->step_a[1]] * (ACC)b[k * p->step_b[0]];                             \
                ((T *)p->y)[i * p->n + j] = (T)sum;                                                         \
            }                                                                                               \
    }
PRODUCT(product_f64, double, double)
PRODUCT(product_i32, int32_t, uint64_t)
PRODUCT(product_i64, int64_t, uint64_t)
PRODUCT(product_u32, uint32_t, uint64_t)
PRODUCT(product_u64, uint64_t, uint64_t)

static ops_body body_of(lop_dtype type)
{
    switch (type) {
    case LOP_F64: return product_f64;
    case LOP_I32: return product_i32;
    case LOP_I64: return product_i64;
    case LOP_U32: return product_u32;
    case LOP_U64: return product_u64;
    default: return NULL;
    }
}

bool ops_product_knows(lop_dtype type) { return body_of(type) != NULL; }

void ops_product_run(lop_dtype type, const ops_product *q, const void *a, const void *b, void *y, lop_team *team)
{
    matrices p = {.m = q->m, .n = q->n, .k = q->k, .a = a, .b = b, .y = y};
    p.step_a[0] = q->ta ? 1 : q->k;
    p.step_a[1] = q->ta ? q->m : 1;
    p.step_b[0] = q->tb ? 1 : q->n;
    p.step_b[1] = q->tb ? q->k : 1;
    if (q->m > 0 && q->n > 0) ops_spread(team, q->m, 1, body_of(type), &p);
}

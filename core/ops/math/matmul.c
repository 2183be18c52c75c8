/* core/ops/math/matmul.c - Gemm (opsets 7 to 13) and MatMul: float32 on the kernel that takes rows times a matrix,
 * other types by product.c. */
#include "ops/ops_impl.h"

/* All inputs of one type that is built. */
static lop_status check_types(const lop_op_call *call, lop_error *err)
{
    const lop_dtype type = call->in[0]->type;
    if (type != LOP_F32 && !ops_product_knows(type))
        return lop_fail(err, LOP_E_UNSUPPORTED, "of %s is not built", lop_dtype_name(type));
    for (int i = 1; i < call->nin; i++)
        if (ops_has(call, i) && call->in[i]->type != type)
            return lop_fail(err, LOP_E_SHAPE, "%s and %s: one type expected", lop_dtype_name(type),
                            lop_dtype_name(call->in[i]->type));
    return LOP_OK;
}

/* to (cols, rows) = from (rows, cols), transposed. */
static void transpose(int64_t rows, int64_t cols, const float *from, float *to)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < cols; j++) to[j * rows + i] = from[i * cols + j];
}

typedef struct {
    int64_t m, n, k;
    const float *x, *w, *bias;          /* (m, k), (n, k), (n) or NULL */
    float *y;                           /* (m, n) */
    lop_cpu cpu;
    lop_team *inner;
} product;

static void product_row(void *context, int64_t row, int worker)
{
    const product *p = context;
    (void)worker;
    lop_gemv(p->n, p->k, p->w, p->x + row * p->k, p->bias, p->cpu, p->inner, p->y + row * p->n);
}

/* One row is shared by the team; of several, each worker takes whole ones. */
static void run_product(product *p, lop_team *team)
{
    p->inner = p->m == 1 ? team : NULL;
    if (p->m == 1) product_row(p, 0, 0);
    else if (p->m > 1) lop_team_run(team, p->m, product_row, p);
}

/* ---- Gemm: y = alpha a b + beta c ---- */

typedef struct { int64_t m, n, k; bool ta, tb; float alpha, beta; } gemm;

static lop_status gemm_read(const lop_op_call *call, gemm *g, lop_error *err)
{
    lop_status st = ops_need(call, 2, 3, err);
    if (st == LOP_OK) st = check_types(call, err);
    if (st != LOP_OK) return st;
    const lop_shape *a = &call->in[0]->shape, *b = &call->in[1]->shape;
    if (a->ndim != 2 || b->ndim != 2)
        return lop_fail(err, LOP_E_SHAPE, "A and B have %d and %d dimensions, 2 expected", a->ndim, b->ndim);
    *g = (gemm){.ta = lop_node_int(call->node, "transA", 0) != 0, .tb = lop_node_int(call->node, "transB", 0) != 0,
                .alpha = lop_node_float(call->node, "alpha", 1), .beta = lop_node_float(call->node, "beta", 1)};
    g->m = a->dim[g->ta];
    g->k = a->dim[!g->ta];
    g->n = b->dim[!g->tb];
    if (b->dim[g->tb] != g->k)
        return lop_fail(err, LOP_E_SHAPE, "A has rows of %" PRId64 ", B columns of %" PRId64, g->k, b->dim[g->tb]);
    return LOP_OK;
}

lop_status ops_gemm_shape(const lop_op_call *call, lop_error *err)
{
    gemm g;
    lop_status st = gemm_read(call, &g, err);
    if (st != LOP_OK) return st;
    lop_shape y = {2, {g.m, g.n}}, with_c;
    if (ops_has(call, 2)) st = ops_broadcast(&y, &call->in[2]->shape, &with_c, err);
    if (st == LOP_OK && ops_has(call, 2) && !lop_shape_equal(&y, &with_c))
        st = lop_fail(err, LOP_E_SHAPE, "C does not broadcast to %" PRId64 "x%" PRId64, g.m, g.n);
    return st == LOP_OK ? ops_set(call, 0, call->in[0]->type, &y, err) : st;
}

/* alpha, and whatever of beta c is not a plain bias of the rows. */
static void finish(const lop_op_call *call, const gemm *g, bool biased)
{
    float *y = call->out[0].data;
    int64_t step[2] = {0, 0};
    const float *c = ops_has(call, 2) && !biased && g->beta != 0.0f ? call->in[2]->data : NULL;
    if (g->alpha == 1.0f && !c) return;
    if (c) ops_broadcast_strides(&call->in[2]->shape, &call->out[0].shape, step);
    for (int64_t i = 0; i < g->m; i++)
        for (int64_t j = 0; j < g->n; j++) {
            const float sum = g->alpha * y[i * g->n + j];
            y[i * g->n + j] = c ? sum + g->beta * c[i * step[0] + j * step[1]] : sum;
        }
}

static bool is_row_bias(const lop_op_call *call, const gemm *g)
{
    if (!ops_has(call, 2) || g->alpha != 1.0f || g->beta != 1.0f) return false;
    const lop_shape *c = &call->in[2]->shape;
    return c->ndim >= 1 && c->dim[c->ndim - 1] == g->n && lop_tensor_size(call->in[2]) == g->n;
}

static lop_status gemm_f32(const lop_op_call *call, const gemm *g, lop_error *err)
{
    lop_cpu cpu;
    lop_status st = lop_cpu_best(&cpu, err);
    if (st != LOP_OK) return st;
    const bool biased = is_row_bias(call, g);
    float *a = g->ta ? lop_array(g->m * g->k, sizeof *a, err) : NULL, *b = NULL;
    if (!g->tb) b = lop_array(g->n * g->k, sizeof *b, err);
    if ((a || !g->ta) && (b || g->tb)) {
        if (a) transpose(g->k, g->m, call->in[0]->data, a);
        if (b) transpose(g->k, g->n, call->in[1]->data, b);
        product p = {g->m, g->n, g->k, a ? a : call->in[0]->data, b ? b : call->in[1]->data,
                     biased ? call->in[2]->data : NULL, call->out[0].data, cpu, NULL};
        run_product(&p, call->team);
        finish(call, g, biased);
    } else {
        st = LOP_E_MEMORY;
    }
    lop_free(a);
    lop_free(b);
    return st;
}

/* Of other types: alpha and beta are applied in float64, one entry at a time. */
static void gemm_any(const lop_op_call *call, const gemm *g)
{
    const ops_product q = {g->m, g->n, g->k, g->ta, g->tb};
    lop_tensor *y = &call->out[0];
    int64_t step[2] = {0, 0};
    ops_product_run(y->type, &q, call->in[0]->data, call->in[1]->data, y->data, call->team);
    if (ops_has(call, 2)) ops_broadcast_strides(&call->in[2]->shape, &y->shape, step);
    if (!ops_has(call, 2) && g->alpha == 1.0f) return;
    for (int64_t i = 0; i < g->m * g->n; i++) {
        const int64_t at = i / g->n * step[0] + i % g->n * step[1];
        const double c = ops_has(call, 2) ? lop_tensor_get(call->in[2], at) : 0.0;
        lop_tensor_set(y, i, (double)g->alpha * lop_tensor_get(y, i) + (double)g->beta * c);
    }
}

lop_status ops_gemm_forward(const lop_op_call *call, lop_error *err)
{
    gemm g;
    lop_status st = gemm_read(call, &g, err);
    if (st != LOP_OK) return st;
    if (call->in[0]->type == LOP_F32) return gemm_f32(call, &g, err);
    gemm_any(call, &g);
    return LOP_OK;
}

/* ---- MatMul: numpy.matmul ---- */

typedef struct { int64_t m, n, k; lop_shape batch, a, b, y; } matmul;   /* a, b: the leading dimensions only */

static lop_status matmul_read(const lop_op_call *call, matmul *q, lop_error *err)
{
    lop_status st = ops_need(call, 2, 2, err);
    if (st == LOP_OK) st = check_types(call, err);
    if (st != LOP_OK) return st;
    const lop_shape *a = &call->in[0]->shape, *b = &call->in[1]->shape;
    if (a->ndim < 1 || b->ndim < 1) return lop_fail(err, LOP_E_SHAPE, "a scalar, a matrix expected");
    q->m = a->ndim > 1 ? a->dim[a->ndim - 2] : 1;
    q->k = a->dim[a->ndim - 1];
    q->n = b->ndim > 1 ? b->dim[b->ndim - 1] : 1;
    const int64_t rows = b->ndim > 1 ? b->dim[b->ndim - 2] : b->dim[0];
    if (rows != q->k)
        return lop_fail(err, LOP_E_SHAPE, "A has rows of %" PRId64 ", B columns of %" PRId64, q->k, rows);
    q->a = *a;
    q->b = *b;
    q->a.ndim = a->ndim > 2 ? a->ndim - 2 : 0;
    q->b.ndim = b->ndim > 2 ? b->ndim - 2 : 0;
    st = ops_broadcast(&q->a, &q->b, &q->batch, err);
    q->y = q->batch;
    if (st == LOP_OK && a->ndim > 1) q->y.dim[q->y.ndim++] = q->m;
    if (st == LOP_OK && b->ndim > 1) q->y.dim[q->y.ndim++] = q->n;
    return st;
}

lop_status ops_matmul_shape(const lop_op_call *call, lop_error *err)
{
    matmul q = {0};
    lop_status st = matmul_read(call, &q, err);
    return st == LOP_OK ? ops_set(call, 0, call->in[0]->type, &q.y, err) : st;
}

static int64_t matrix_at(const lop_shape *batch, const int64_t *step, int64_t index)
{
    int64_t at = 0;
    for (int d = batch->ndim - 1; d >= 0; d--) {
        at += index % batch->dim[d] * step[d];
        index /= batch->dim[d];
    }
    return at;
}

/* The matrices of product i, in elements from the start of each input. */
typedef struct { int64_t a[LOP_MAX_DIMS], b[LOP_MAX_DIMS]; } matrix_steps;

static lop_status matmul_f32(const lop_op_call *call, const matmul *q, const matrix_steps *s, lop_error *err)
{
    lop_cpu cpu;
    int64_t done = -1;
    lop_status st = lop_cpu_best(&cpu, err);
    if (st != LOP_OK) return st;
    float *w = lop_array(q->k * q->n, sizeof *w, err);
    if (!w) return LOP_E_MEMORY;
    const float *a = call->in[0]->data, *b = call->in[1]->data;
    float *y = call->out[0].data;
    for (int64_t i = 0; i < ops_outer(&q->batch, q->batch.ndim); i++) {
        const int64_t at_a = matrix_at(&q->batch, s->a, i), at_b = matrix_at(&q->batch, s->b, i);
        if (at_b != done) transpose(q->k, q->n, b + at_b * q->k * q->n, w);
        done = at_b;
        product p = {q->m, q->n, q->k, a + at_a * q->m * q->k, w, NULL, y + i * q->m * q->n, cpu, NULL};
        run_product(&p, call->team);
    }
    lop_free(w);
    return LOP_OK;
}

static void matmul_any(const lop_op_call *call, const matmul *q, const matrix_steps *s)
{
    const ops_product one = {q->m, q->n, q->k, false, false};
    const lop_dtype type = call->in[0]->type;
    const int64_t item = (int64_t)lop_dtype_size(type);
    const char *a = call->in[0]->data, *b = call->in[1]->data;
    char *y = call->out[0].data;
    for (int64_t i = 0; i < ops_outer(&q->batch, q->batch.ndim); i++) {
        const int64_t at_a = matrix_at(&q->batch, s->a, i), at_b = matrix_at(&q->batch, s->b, i);
        ops_product_run(type, &one, a + at_a * q->m * q->k * item, b + at_b * q->k * q->n * item,
                        y + i * q->m * q->n * item, call->team);
    }
}

lop_status ops_matmul_forward(const lop_op_call *call, lop_error *err)
{
    matmul q = {0};
    matrix_steps s = {{0}, {0}};
    lop_status st = matmul_read(call, &q, err);
    if (st != LOP_OK) return st;
    ops_broadcast_strides(&q.a, &q.batch, s.a);
    ops_broadcast_strides(&q.b, &q.batch, s.b);
    if (call->in[0]->type == LOP_F32) return matmul_f32(call, &q, &s, err);
    matmul_any(call, &q, &s);
    return LOP_OK;
}

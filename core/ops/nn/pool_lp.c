/* core/ops/nn/pool_lp.c - LpPool, GlobalLpPool: the p-th root of the sum of p-th powers of sizes; padding counts as 0.
 * */
#include "ops/ops_impl.h"
#include <math.h>

static lop_status check_p(const lop_op_call *call, lop_error *err)
{
    const int64_t p = lop_node_int(call->node, "p", 2);
    return p >= 1 ? LOP_OK : lop_fail(err, LOP_E_FORMAT, "p is %" PRId64 ", 1 or more expected", p);
}

lop_status ops_lp_pool_shape(const lop_op_call *call, lop_error *err)
{
    lop_status st = check_p(call, err);
    return st == LOP_OK ? ops_pool_shape(call, err) : st;
}

lop_status ops_global_lp_pool_shape(const lop_op_call *call, lop_error *err)
{
    lop_status st = check_p(call, err);
    return st == LOP_OK ? ops_global_pool_shape(call, err) : st;
}

typedef struct { lop_pool w; double p; const float *x; float *y; } lp_pool;

static float lp_window(const lp_pool *q, const float *x, int64_t oy, int64_t ox)
{
    const lop_pool *w = &q->w;
    double sum = 0.0;
    for (int64_t i = 0; i < w->kh; i++)
        for (int64_t j = 0; j < w->kw; j++) {
            const int64_t r = oy * w->stride[0] - w->pad[0] + i * w->dilation[0];
            const int64_t c = ox * w->stride[1] - w->pad[1] + j * w->dilation[1];
            if (r >= 0 && r < w->h && c >= 0 && c < w->w) sum += pow(fabs((double)x[r * w->w + c]), q->p);
        }
    return (float)pow(sum, 1.0 / q->p);
}

static void lp_planes(void *context, int64_t begin, int64_t end)
{
    const lp_pool *q = context;
    const int64_t out = q->w.oh * q->w.ow;
    for (int64_t p = begin; p < end; p++)
        for (int64_t o = 0; o < out; o++)
            q->y[p * out + o] = lp_window(q, q->x + p * q->w.h * q->w.w, o / q->w.ow, o % q->w.ow);
}

static void run_planes(const lop_op_call *call, lp_pool *q)
{
    const lop_shape *x = &call->in[0]->shape;
    q->p = (double)lop_node_int(call->node, "p", 2);
    q->x = call->in[0]->data;
    q->y = call->out[0].data;
    ops_spread(call->team, x->dim[0] * x->dim[1], ops_grain(q->w.h * q->w.w * 8), lp_planes, q);
}

lop_status ops_lp_pool_forward(const lop_op_call *call, lop_error *err)
{
    lp_pool q = {.p = 2.0};
    lop_status st = lop_ops_pool_params(call, &q.w, err);
    if (st == LOP_OK) run_planes(call, &q);
    return st;
}

/* The whole plane is one window, taken as a row. */
lop_status ops_global_lp_pool_forward(const lop_op_call *call, lop_error *err)
{
    const int64_t size = ops_inner(&call->in[0]->shape, 1);
    lp_pool q = {.w = {.h = 1, .w = size, .oh = 1, .ow = 1, .kh = 1, .kw = size, .stride = {1, 1}, .dilation = {1, 1}}};
    (void)err;
    run_planes(call, &q);
    return LOP_OK;
}

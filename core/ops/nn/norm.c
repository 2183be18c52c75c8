/* core/ops/nn/norm.c - normalisations by the input's own statistics: InstanceNormalization, GroupNormalization,
 * LayerNormalization, LpNormalization, LRN. float32; statistics in float64. */
#include "ops/ops_impl.h"
#include <math.h>

/* y = (x - mean) / sqrt(var + epsilon) of n entries; mean and 1 / deviation are given back. */
static void standardise(int64_t n, const float *x, double epsilon, float *y, double *mean, double *scale)
{
    double sum = 0.0, squares = 0.0;
    for (int64_t i = 0; i < n; i++) sum += (double)x[i];
    const double m = sum / (double)n;
    for (int64_t i = 0; i < n; i++) squares += ((double)x[i] - m) * ((double)x[i] - m);
    const double s = 1.0 / sqrt(squares / (double)n + epsilon);
    for (int64_t i = 0; y && i < n; i++) y[i] = (float)(((double)x[i] - m) * s);
    *mean = m;
    *scale = s;
}

static lop_status need_floats(const lop_op_call *call, int least, int most, lop_error *err)
{
    lop_status st = ops_need(call, least, most, err);
    for (int i = 0; st == LOP_OK && i < call->nin; i++)
        if (ops_has(call, i)) st = ops_need_f32(call, i, err);
    return st;
}

static lop_status need_list(const lop_op_call *call, int i, int64_t n, lop_error *err)
{
    if (call->in[i]->shape.ndim == 1 && call->in[i]->shape.dim[0] == n) return LOP_OK;
    return lop_fail(err, LOP_E_SHAPE,
                    "input #%d has %" PRId64 " entries in %d dimensions, a list of %" PRId64 " expected",
                    i, lop_tensor_size(call->in[i]), call->in[i]->shape.ndim, n);
}

/* ---- InstanceNormalization, and GroupNormalization: scale and bias by group up to opset 20, by channel after ---- */

typedef struct {
    int64_t channels, groups, plane, per_entry;     /* per_entry: channels that share a scale */
    double epsilon;
    const float *x, *scale, *bias;
    float *y;
} grouped;

static lop_status grouped_shape(const lop_op_call *call, int64_t groups, int64_t entries, lop_error *err)
{
    const lop_shape *x = &call->in[0]->shape;
    if (groups < 1 || x->dim[1] < 1 || x->dim[1] % groups != 0 || ops_inner(x, 1) < 1)
        return lop_fail(err, LOP_E_SHAPE, "%" PRId64 " channels in %" PRId64 " groups", x->dim[1], groups);
    lop_status st = need_list(call, 1, entries, err);
    if (st == LOP_OK) st = need_list(call, 2, entries, err);
    return st == LOP_OK ? ops_set(call, 0, LOP_F32, x, err) : st;
}

static lop_status need_images(const lop_op_call *call, lop_error *err)
{
    lop_status st = need_floats(call, 3, 3, err);
    if (st == LOP_OK && call->in[0]->shape.ndim < 3)
        st = lop_fail(err, LOP_E_SHAPE, "input has %d dimensions, 3 or more expected", call->in[0]->shape.ndim);
    return st;
}

lop_status ops_instance_norm_shape(const lop_op_call *call, lop_error *err)
{
    lop_status st = need_images(call, err);
    const int64_t c = st == LOP_OK ? call->in[0]->shape.dim[1] : 0;
    return st == LOP_OK ? grouped_shape(call, c, c, err) : st;
}

lop_status ops_group_norm_shape(const lop_op_call *call, lop_error *err)
{
    const int64_t groups = lop_node_int(call->node, "num_groups", 0);
    lop_status st = need_images(call, err);
    if (st != LOP_OK) return st;
    return grouped_shape(call, groups, call->opset < 21 ? groups : call->in[0]->shape.dim[1], err);
}

static void grouped_range(void *context, int64_t begin, int64_t end)
{
    const grouped *g = context;
    const int64_t per_group = g->channels / g->groups, n = per_group * g->plane;
    for (int64_t k = begin; k < end; k++) {
        float *y = g->y + k * n;
        double mean, scale;
        standardise(n, g->x + k * n, g->epsilon, y, &mean, &scale);
        for (int64_t c = 0; c < per_group; c++) {
            const int64_t entry = (k % g->groups * per_group + c) / g->per_entry;
            lop_map_affine(1, g->plane, g->scale + entry, g->bias + entry, y + c * g->plane, y + c * g->plane);
        }
    }
}

static lop_status run_grouped(const lop_op_call *call, int64_t groups)
{
    const lop_shape *x = &call->in[0]->shape;
    grouped g = {.channels = x->dim[1], .groups = groups, .plane = ops_inner(x, 1), .x = call->in[0]->data,
                 .epsilon = (double)lop_node_float(call->node, "epsilon", 1e-5f), .scale = call->in[1]->data,
                 .bias = call->in[2]->data, .y = call->out[0].data};
    g.per_entry = g.channels / call->in[1]->shape.dim[0];
    ops_spread(call->team, x->dim[0] * groups, ops_grain(g.channels / groups * g.plane), grouped_range, &g);
    return LOP_OK;
}

lop_status ops_instance_norm_forward(const lop_op_call *call, lop_error *err)
{
    (void)err;
    return run_grouped(call, call->in[0]->shape.dim[1]);
}

lop_status ops_group_norm_forward(const lop_op_call *call, lop_error *err)
{
    (void)err;
    return run_grouped(call, lop_node_int(call->node, "num_groups", 1));
}

/* ---- LayerNormalization: over all dimensions from the axis on; scale and bias broadcast to those ---- */

lop_status ops_layer_norm_shape(const lop_op_call *call, lop_error *err)
{
    int axis;
    lop_status st = need_floats(call, 2, 3, err);
    if (st != LOP_OK) return st;
    const lop_shape *x = &call->in[0]->shape;
    st = ops_axis(lop_node_int(call->node, "axis", -1), x->ndim, &axis, err);
    for (int i = 1; st == LOP_OK && i < call->nin; i++) {
        lop_shape joint;
        if (!ops_has(call, i)) continue;
        st = ops_broadcast(x, &call->in[i]->shape, &joint, err);
        if (st == LOP_OK && !lop_shape_equal(&joint, x))
            st = lop_fail(err, LOP_E_SHAPE, "input #%d does not broadcast to the input", i);
    }
    if (st != LOP_OK) return st;
    if (lop_tensor_size(call->in[0]) < 1) return lop_fail(err, LOP_E_SHAPE, "input is empty");
    lop_shape rest = *x;
    for (int d = axis; d < x->ndim; d++) rest.dim[d] = 1;
    st = ops_set(call, 0, LOP_F32, x, err);
    if (st == LOP_OK) st = ops_set(call, 1, LOP_F32, &rest, err);
    return st == LOP_OK ? ops_set(call, 2, LOP_F32, &rest, err) : st;
}

static int64_t place(const lop_shape *s, const int64_t *step, int64_t k)
{
    int64_t at = 0;
    for (int d = s->ndim - 1; d >= 0; d--) {
        at += k % s->dim[d] * step[d];
        k /= s->dim[d];
    }
    return at;
}

lop_status ops_layer_norm_forward(const lop_op_call *call, lop_error *err)
{
    const lop_shape *x = &call->in[0]->shape;
    const double epsilon = (double)lop_node_float(call->node, "epsilon", 1e-5f);
    const float *scale = call->in[1]->data, *bias = ops_has(call, 2) ? call->in[2]->data : NULL;
    float *y = call->out[0].data;
    int64_t step[2][LOP_MAX_DIMS];
    int axis;
    lop_status st = ops_axis(lop_node_int(call->node, "axis", -1), x->ndim, &axis, err);
    if (st != LOP_OK) return st;
    const int64_t n = x->dim[axis] * ops_inner(x, axis);
    ops_broadcast_strides(&call->in[1]->shape, x, step[0]);
    if (bias) ops_broadcast_strides(&call->in[2]->shape, x, step[1]);
    for (int64_t r = 0; r < ops_outer(x, axis); r++) {
        double mean, inverse;
        standardise(n, (const float *)call->in[0]->data + r * n, epsilon, y ? y + r * n : NULL, &mean, &inverse);
        if (ops_wants(call, 1)) ((float *)call->out[1].data)[r] = (float)mean;
        if (ops_wants(call, 2)) ((float *)call->out[2].data)[r] = (float)inverse;
        for (int64_t i = r * n; y && i < (r + 1) * n; i++)
            y[i] = y[i] * scale[place(x, step[0], i)] + (bias ? bias[place(x, step[1], i)] : 0.0f);
    }
    return LOP_OK;
}

bool ops_mixes_layer_norm(const lop_op_call *call)
{
    return ops_mixes_axis_last(call) || ops_mixes_parameters(call) || ops_mixes_join(call);
}

/* ---- LpNormalization: by the sum of sizes, or the root of the sum of squares, along one axis ---- */

lop_status ops_lp_norm_shape(const lop_op_call *call, lop_error *err)
{
    int axis;
    lop_status st = need_floats(call, 1, 1, err);
    if (st == LOP_OK) st = ops_axis(lop_node_int(call->node, "axis", -1), call->in[0]->shape.ndim, &axis, err);
    const int64_t p = lop_node_int(call->node, "p", 2);
    if (st == LOP_OK && p != 1 && p != 2) st = lop_fail(err, LOP_E_FORMAT, "p is %" PRId64 ", 1 or 2 expected", p);
    return st == LOP_OK ? ops_set(call, 0, LOP_F32, &call->in[0]->shape, err) : st;
}

lop_status ops_lp_norm_forward(const lop_op_call *call, lop_error *err)
{
    const lop_shape *s = &call->in[0]->shape;
    const bool squares = lop_node_int(call->node, "p", 2) == 2;
    int axis;
    lop_status st = ops_axis(lop_node_int(call->node, "axis", -1), s->ndim, &axis, err);
    if (st != LOP_OK) return st;
    const int64_t n = s->dim[axis], inner = ops_inner(s, axis);
    for (int64_t r = 0; r < ops_outer(s, axis) * inner; r++) {
        const int64_t at = r / inner * n * inner + r % inner;
        const float *x = (const float *)call->in[0]->data + at;
        float *y = (float *)call->out[0].data + at;
        double sum = 0.0;
        for (int64_t i = 0; i < n; i++) {
            const double v = (double)x[i * inner];
            sum += squares ? v * v : fabs(v);
        }
        if (squares) sum = sqrt(sum);
        for (int64_t i = 0; i < n; i++) y[i * inner] = sum > 0.0 ? (float)((double)x[i * inner] / sum) : 0.0f;
    }
    return LOP_OK;
}

/* ---- LRN: y = x / (bias + alpha / size sum of squares)^beta, over `size` channels round each ---- */

lop_status ops_lrn_shape(const lop_op_call *call, lop_error *err)
{
    lop_status st = need_floats(call, 1, 1, err);
    if (st != LOP_OK) return st;
    if (call->in[0]->shape.ndim < 3)
        return lop_fail(err, LOP_E_SHAPE, "input has %d dimensions, 3 or more expected", call->in[0]->shape.ndim);
    if (lop_node_int(call->node, "size", 0) < 1) return lop_fail(err, LOP_E_FORMAT, "size: 1 or more expected");
    return ops_set(call, 0, LOP_F32, &call->in[0]->shape, err);
}

typedef struct { int64_t channels, plane, before, after; double alpha, beta, bias; const float *x; float *y; } lrn;

static void lrn_range(void *context, int64_t begin, int64_t end)
{
    const lrn *q = context;
    for (int64_t p = begin; p < end; p++) {
        const int64_t c = p % q->channels, first = c > q->before ? c - q->before : 0;
        const int64_t last = q->channels - 1 - c > q->after ? c + q->after : q->channels - 1;
        for (int64_t i = 0; i < q->plane; i++) {
            double sum = 0.0;
            for (int64_t j = first; j <= last; j++) {
                const double v = (double)q->x[(p - c + j) * q->plane + i];
                sum += v * v;
            }
            q->y[p * q->plane + i] = (float)((double)q->x[p * q->plane + i] * pow(q->bias + q->alpha * sum, -q->beta));
        }
    }
}

lop_status ops_lrn_forward(const lop_op_call *call, lop_error *err)
{
    const lop_shape *x = &call->in[0]->shape;
    const int64_t size = lop_node_int(call->node, "size", 1);
    lrn q = {.channels = x->dim[1], .plane = ops_inner(x, 1), .before = (size - 1) / 2, .after = size / 2,
             .alpha = (double)lop_node_float(call->node, "alpha", 1e-4f) / (double)size,
             .beta = (double)lop_node_float(call->node, "beta", 0.75f),
             .bias = (double)lop_node_float(call->node, "bias", 1.0f), .x = call->in[0]->data, .y = call->out[0].data};
    (void)err;
    ops_spread(call->team, x->dim[0] * x->dim[1], ops_grain(q.plane * 8), lrn_range, &q);
    return LOP_OK;
}

/* core/ops/math.c - Gemm (13), MatMul (13), element-wise operators with ONNX broadcasting, Softmax (13 and before). */
#include "ops/ops_impl.h"
#include <math.h>
#include <string.h>

static lop_status need_f32(const lop_op_call *c, lop_error *err)
{
    for (int i = 0; i < c->nin; i++)
        if (c->in[i] && c->in[i]->type != LOP_F32)
            return lop_fail(err, LOP_E_UNSUPPORTED, "input %d is %s, float32 expected", i + 1, lop_dtype_name(c->in[i]->type));
    return LOP_OK;
}

lop_status ops_gemm_shape(const lop_op_call *c, lop_error *err)
{
    lop_status st = ops_need(c, 0, err);
    if (st == LOP_OK) st = ops_need(c, 1, err);
    if (st != LOP_OK) return st;
    const lop_shape *a = &c->in[0]->shape, *b = &c->in[1]->shape;
    const int ta = lop_node_int(c->node, "transA", 0) != 0, tb = lop_node_int(c->node, "transB", 0) != 0;
    if (a->ndim != 2 || b->ndim != 2) return lop_fail(err, LOP_E_SHAPE, "matrices expected, got %d and %d dimensions", a->ndim, b->ndim);
    if (a->dim[!ta] != b->dim[tb])
        return lop_fail(err, LOP_E_SHAPE, "rows of %" PRId64 " times columns of %" PRId64, a->dim[!ta], b->dim[tb]);
    ops_set(c->out, c->in[0]->type, &(lop_shape){2, {a->dim[ta], b->dim[!tb]}});
    return LOP_OK;
}

lop_status ops_gemm_forward(const lop_op_call *c, lop_error *err)
{
    const int ta = lop_node_int(c->node, "transA", 0) != 0, tb = lop_node_int(c->node, "transB", 0) != 0;
    const float alpha = lop_node_float(c->node, "alpha", 1), beta = lop_node_float(c->node, "beta", 1);
    const int64_t m = c->out->shape.dim[0], n = c->out->shape.dim[1], k = c->in[0]->shape.dim[!ta];
    const lop_tensor *bias = ops_in(c, 2);
    lop_cpu cpu = LOP_CPU_PORTABLE;
    lop_status st = need_f32(c, err);
    if (st == LOP_OK) st = lop_cpu_best(&cpu, err);
    float *w = st == LOP_OK ? lop_array(n * k, sizeof *w, err) : NULL, *row = w ? lop_array(k, sizeof *row, err) : NULL;
    if (!row) {
        lop_free(w);
        return st == LOP_OK ? LOP_E_MEMORY : st;
    }
    const float *a = c->in[0]->data, *b = c->in[1]->data;
    for (int64_t j = 0; j < n; j++)
        for (int64_t i = 0; i < k; i++) w[j * k + i] = tb ? b[j * k + i] : b[i * n + j];
    for (int64_t r = 0; r < m; r++) {
        float *y = (float *)c->out->data + r * n;
        for (int64_t i = 0; i < k; i++) row[i] = ta ? a[i * m + r] : a[r * k + i];
        lop_gemv(n, k, w, row, NULL, cpu, c->team, y);
        const int64_t size = bias ? lop_tensor_size(bias) : 0, wide = bias && bias->shape.ndim ? bias->shape.dim[bias->shape.ndim - 1] : 1;
        for (int64_t j = 0; j < n; j++) {
            const float shift = !bias ? 0.0f : ((const float *)bias->data)[(size > wide ? r * wide : 0) + (wide > 1 ? j : 0)];
            y[j] = alpha * y[j] + beta * shift;
        }
    }
    lop_free(w);
    lop_free(row);
    return st;
}

static lop_status broadcast(const lop_shape *a, const lop_shape *b, lop_shape *out, lop_error *err)
{
    out->ndim = a->ndim > b->ndim ? a->ndim : b->ndim;
    for (int d = 0; d < out->ndim; d++) {
        const int i = d - (out->ndim - a->ndim), j = d - (out->ndim - b->ndim);
        const int64_t p = i < 0 ? 1 : a->dim[i], q = j < 0 ? 1 : b->dim[j];
        if (p != q && p != 1 && q != 1)
            return lop_fail(err, LOP_E_SHAPE, "shapes do not broadcast: %" PRId64 " against %" PRId64 " in dimension %d", p, q, d);
        out->dim[d] = p == 1 ? q : p;
    }
    return LOP_OK;
}

/* Stride of each dimension of out in t: 0 where t is broadcast. */
static void strides_in(const lop_shape *t, const lop_shape *out, int64_t stride[LOP_MAX_DIMS])
{
    int64_t step = 1;
    for (int d = out->ndim - 1; d >= 0; d--) {
        const int i = d - (out->ndim - t->ndim);
        stride[d] = i < 0 || t->dim[i] == 1 ? 0 : step;
        if (i >= 0) step *= t->dim[i];
    }
}

lop_status ops_binary_shape(const lop_op_call *c, lop_error *err)
{
    lop_shape s;
    lop_status st = ops_need(c, 0, err);
    if (st == LOP_OK) st = ops_need(c, 1, err);
    if (st == LOP_OK && c->in[0]->type != c->in[1]->type)
        st = lop_fail(err, LOP_E_SHAPE, "%s and %s", lop_dtype_name(c->in[0]->type), lop_dtype_name(c->in[1]->type));
    if (st == LOP_OK) st = broadcast(&c->in[0]->shape, &c->in[1]->shape, &s, err);
    if (st == LOP_OK) ops_set(c->out, c->in[0]->type, &s);
    return st;
}

static float float_op(char op, float a, float b) { return op == 'A' ? a + b : op == 'S' ? a - b : op == 'M' ? a * b : a / b; }

static int64_t int_op(char op, int64_t a, int64_t b)
{
    if (op == 'D') return b == 0 ? 0 : b == -1 ? (int64_t)(0 - (uint64_t)a) : a / b;
    const uint64_t p = (uint64_t)a, q = (uint64_t)b;
    return (int64_t)(op == 'A' ? p + q : op == 'S' ? p - q : p * q);
}

lop_status ops_binary_forward(const lop_op_call *c, lop_error *err)
{
    const char op = c->node->op[0];
    const lop_shape *s = &c->out->shape;
    const int64_t n = lop_tensor_size(c->out);
    const lop_dtype type = c->out->type;
    int64_t sa[LOP_MAX_DIMS], sb[LOP_MAX_DIMS], at[LOP_MAX_DIMS] = {0}, a = 0, b = 0;
    if (type != LOP_F32 && type != LOP_I64) return lop_fail(err, LOP_E_UNSUPPORTED, "%s elements", lop_dtype_name(type));
    strides_in(&c->in[0]->shape, s, sa);
    strides_in(&c->in[1]->shape, s, sb);
    for (int64_t i = 0; i < n; i++) {
        if (type == LOP_F32)
            ((float *)c->out->data)[i] = float_op(op, ((const float *)c->in[0]->data)[a], ((const float *)c->in[1]->data)[b]);
        else
            ((int64_t *)c->out->data)[i] = int_op(op, ((const int64_t *)c->in[0]->data)[a], ((const int64_t *)c->in[1]->data)[b]);
        for (int d = s->ndim - 1; d >= 0; d--) {
            a += sa[d];
            b += sb[d];
            if (++at[d] < s->dim[d]) break;
            a -= sa[d] * s->dim[d];
            b -= sb[d] * s->dim[d];
            at[d] = 0;
        }
    }
    return LOP_OK;
}

lop_status lop_ops_clip_range(const lop_op_call *c, float *low, float *high, lop_error *err)
{
    *low = lop_node_float(c->node, "min", -INFINITY);
    *high = lop_node_float(c->node, "max", INFINITY);
    for (int i = 1; i < 3; i++) {
        const lop_tensor *t = ops_in(c, i);
        if (!t) continue;
        if (!t->data) return lop_fail(err, LOP_E_UNSUPPORTED, "its limits are not constant");
        *(i == 1 ? low : high) = (float)lop_tensor_get(t, 0);
    }
    return LOP_OK;
}

lop_status ops_unary_shape(const lop_op_call *c, lop_error *err)
{
    lop_status st = ops_need(c, 0, err);
    if (st == LOP_OK) ops_set(c->out, c->in[0]->type, &c->in[0]->shape);
    return st;
}

static float hard_sigmoid(float a, float b, float v) { return fminf(fmaxf(a * v + b, 0.0f), 1.0f); }

static float unary(const char *op, float a, float b, float v)
{
    switch (op[0]) {
    case 'A': return fabsf(v);
    case 'E': return expf(v);
    case 'H': return op[5] == 'i' ? hard_sigmoid(a, b, v) : v * hard_sigmoid(1.0f / 6, 0.5f, v);
    case 'L': return v < 0 ? a * v : v;
    case 'N': return -v;
    case 'T': return tanhf(v);
    default: return op[1] == 'i' ? 1.0f / (1.0f + expf(-v)) : sqrtf(v);
    }
}

lop_status ops_unary_forward(const lop_op_call *c, lop_error *err)
{
    const char *op = c->node->op;
    const int64_t n = lop_tensor_size(c->out);
    const float *x = c->in[0]->data;
    float *y = c->out->data, low = 0, high = 0;
    lop_status st = need_f32(c, err);
    if (st != LOP_OK) return st;
    if (strcmp(op, "Relu") == 0) {
        lop_map_act(LOP_ACT_RELU, 0, 0, n, x, y);
    } else if (strcmp(op, "Clip") == 0) {
        st = lop_ops_clip_range(c, &low, &high, err);
        if (st == LOP_OK) lop_map_act(LOP_ACT_CLIP, low, high, n, x, y);
    } else {
        const float a = lop_node_float(c->node, "alpha", op[0] == 'L' ? 0.01f : 0.2f), b = lop_node_float(c->node, "beta", 0.5f);
        for (int64_t i = 0; i < n; i++) y[i] = unary(op, a, b, x[i]);
    }
    return st;
}

lop_status ops_softmax_shape(const lop_op_call *c, lop_error *err) { return ops_unary_shape(c, err); }

lop_status ops_softmax_forward(const lop_op_call *c, lop_error *err)
{
    const lop_shape *s = &c->in[0]->shape;
    int axis;
    lop_status st = need_f32(c, err);
    if (st == LOP_OK) st = ops_axis(lop_node_int(c->node, "axis", c->opset < 13 ? 1 : -1), s->ndim, &axis, err);
    if (st != LOP_OK) return st;
    /* Before opset 13 all dimensions from axis on are one. */
    const int64_t outer = ops_product(s, 0, axis), inner = c->opset < 13 ? 1 : ops_product(s, axis + 1, s->ndim);
    const int64_t n = ops_product(s, axis, s->ndim) / (inner ? inner : 1);
    for (int64_t o = 0; o < outer * inner; o++) {
        const float *x = (const float *)c->in[0]->data + o / inner * n * inner + o % inner;
        float *y = (float *)c->out->data + o / inner * n * inner + o % inner, top = -INFINITY;
        double sum = 0.0;
        for (int64_t i = 0; i < n; i++) top = fmaxf(top, x[i * inner]);
        for (int64_t i = 0; i < n; i++) sum += (double)(y[i * inner] = expf(x[i * inner] - top));
        for (int64_t i = 0; i < n; i++) y[i * inner] = (float)((double)y[i * inner] / sum);
    }
    return LOP_OK;
}

lop_status ops_matmul_shape(const lop_op_call *c, lop_error *err)
{
    lop_status st = ops_need(c, 0, err);
    if (st == LOP_OK) st = ops_need(c, 1, err);
    if (st != LOP_OK) return st;
    lop_shape s = c->in[0]->shape;
    const lop_shape *b = &c->in[1]->shape;
    if (s.ndim < 2 || b->ndim != 2) return lop_fail(err, LOP_E_UNSUPPORTED, "a stack of matrices times one matrix expected");
    if (s.dim[s.ndim - 1] != b->dim[0]) return lop_fail(err, LOP_E_SHAPE, "rows of %" PRId64 " times columns of %" PRId64, s.dim[s.ndim - 1], b->dim[0]);
    s.dim[s.ndim - 1] = b->dim[1];
    ops_set(c->out, c->in[0]->type, &s);
    return LOP_OK;
}

lop_status ops_matmul_forward(const lop_op_call *c, lop_error *err)
{
    const int64_t k = c->in[1]->shape.dim[0], n = c->in[1]->shape.dim[1], rows = lop_tensor_size(c->out) / (n ? n : 1);
    const float *a = c->in[0]->data, *b = c->in[1]->data;
    lop_status st = need_f32(c, err);
    for (int64_t r = 0; st == LOP_OK && r < rows; r++) {
        float *y = (float *)c->out->data + r * n;
        memset(y, 0, (size_t)n * sizeof *y);
        for (int64_t i = 0; i < k; i++)
            for (int64_t j = 0; j < n; j++) y[j] += a[r * k + i] * b[i * n + j];
    }
    return st;
}

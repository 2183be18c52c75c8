/* core/ops/nn/batch_norm.c - BatchNormalization with the running statistics (opsets 7, 9, 14, 15; inference). */
#include "ops/ops_impl.h"
#include <math.h>

lop_status ops_batch_norm_shape(const lop_op_call *call, lop_error *err)
{
    static const char *const names[] = {"input", "scale", "B", "mean", "var"};
    lop_status st = ops_need(call, 5, 5, err);
    for (int i = 0; st == LOP_OK && i < 5; i++) st = ops_need_f32(call, i, err);
    if (st != LOP_OK) return st;
    const lop_shape *x = &call->in[0]->shape;
    if (x->ndim < 2) return lop_fail(err, LOP_E_SHAPE, "input has %d dimensions, 2 or more expected", x->ndim);
    if (lop_node_int(call->node, "training_mode", 0) != 0 || lop_node_int(call->node, "spatial", 1) != 1)
        return lop_fail(err, LOP_E_UNSUPPORTED, "training_mode and spatial = 0 are not built: export for inference");
    for (int i = 1; i < 5; i++) {
        const lop_shape *p = &call->in[i]->shape;
        if (p->ndim != 1 || p->dim[0] != x->dim[1])
            return lop_fail(err, LOP_E_SHAPE,
                            "%s has %" PRId64 " entries in %d dimensions, a list of %" PRId64 " expected",
                            names[i], lop_tensor_size(call->in[i]), p->ndim, x->dim[1]);
    }
    return ops_set(call, 0, LOP_F32, x, err);
}

lop_status lop_ops_bn_affine(const lop_op_call *call, float *scale, float *shift, lop_error *err)
{
    const double epsilon = (double)lop_node_float(call->node, "epsilon", 1e-5f);
    const float *p[5];
    for (int i = 1; i < 5; i++) {
        if (!ops_has(call, i) || !call->in[i]->data)
            return lop_fail(err, LOP_E_UNSUPPORTED, "input #%d is computed, a constant is expected", i);
        p[i] = call->in[i]->data;
    }
    for (int64_t ch = 0; ch < call->in[1]->shape.dim[0]; ch++) {
        const double s = (double)p[1][ch] / sqrt((double)p[4][ch] + epsilon);
        scale[ch] = (float)s;
        shift[ch] = (float)((double)p[2][ch] - (double)p[3][ch] * s);
    }
    return LOP_OK;
}

typedef struct { int64_t channels, size; const float *scale, *shift, *x; float *y; } affine;

static void affine_planes(void *context, int64_t begin, int64_t end)
{
    const affine *a = context;
    for (int64_t p = begin; p < end; p++) {
        const int64_t ch = p % a->channels;
        lop_map_affine(1, a->size, a->scale + ch, a->shift + ch, a->x + p * a->size, a->y + p * a->size);
    }
}

lop_status ops_batch_norm_forward(const lop_op_call *call, lop_error *err)
{
    const lop_shape *x = &call->in[0]->shape;
    const int64_t c = x->dim[1];
    float *scale = lop_array(c, sizeof *scale, err), *shift = lop_array(c, sizeof *shift, err);
    lop_status st = scale && shift ? lop_ops_bn_affine(call, scale, shift, err) : LOP_E_MEMORY;
    if (st == LOP_OK) {
        affine a = {c, ops_inner(x, 1), scale, shift, call->in[0]->data, call->out[0].data};
        ops_spread(call->team, x->dim[0] * c, ops_grain(a.size), affine_planes, &a);
    }
    lop_free(scale);
    lop_free(shift);
    return st;
}

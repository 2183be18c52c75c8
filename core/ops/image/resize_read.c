/* core/ops/image/resize_read.c - what a Resize (opsets 10 to 19) or Upsample (7, 9) asks for. */
#include "ops/image/resize_impl.h"
#include <math.h>
#include <string.h>

/* The place of a string attribute's value in a list. */
static lop_status choose(const lop_op_call *call, const char *name, const char *const *list, int count,
                         const char *usual, int *out, lop_error *err)
{
    const char *value = lop_node_string(call->node, name, usual);
    for (*out = 0; *out < count; (*out)++)
        if (strcmp(list[*out], value) == 0) return LOP_OK;
    return lop_fail(err, LOP_E_UNSUPPORTED, "%s '%.40s' is not built", name, value);
}

static lop_status read_modes(const lop_op_call *call, resize *r, lop_error *err)
{
    static const char *const modes[] = {"nearest", "linear", "cubic"};
    static const char *const places[] = {"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners",
                                         "asymmetric", "tf_half_pixel_for_nn", "tf_crop_and_resize"};
    static const char *const rounds[] = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"};
    const bool old = call->opset < 11 || strcmp(call->node->op, "Upsample") == 0;
    int mode, where = RESIZE_ASYMMETRIC, rounding = RESIZE_SIMPLE;
    lop_status st = choose(call, "mode", modes, 3, "nearest", &mode, err);
    if (st == LOP_OK && !old)
        st = choose(call, "coordinate_transformation_mode", places, 7, "half_pixel", &where, err);
    if (st == LOP_OK && !old) st = choose(call, "nearest_mode", rounds, 4, "round_prefer_floor", &rounding, err);
    if (st != LOP_OK) return st;
    r->mode = (resize_mode)mode;
    r->where = (resize_where)where;
    r->round = (resize_round)rounding;
    r->cubic_a = lop_node_float(call->node, "cubic_coeff_a", -0.75f);
    r->extrapolation = lop_node_float(call->node, "extrapolation_value", 0.0f);
    r->antialias = lop_node_int(call->node, "antialias", 0) != 0;
    r->exclude_outside = lop_node_int(call->node, "exclude_outside", 0) != 0;
    return LOP_OK;
}

/* Up to `max` floats of input i; *count is -1 when it is left out or empty. */
static lop_status input_floats(const lop_op_call *call, int i, const char *what, float *list, int max, int *count,
                               lop_error *err)
{
    *count = -1;
    if (!ops_has(call, i) || lop_tensor_size(call->in[i]) == 0) return LOP_OK;
    const lop_tensor *t = call->in[i];
    if (!t->data)
        return lop_fail(err, LOP_E_UNSUPPORTED, "%s is computed from activations, a constant is expected", what);
    if ((t->type != LOP_F32 && t->type != LOP_F64) || t->shape.ndim != 1 || t->shape.dim[0] > max)
        return lop_fail(err, LOP_E_SHAPE, "%s is %s of %" PRId64 " entries, float32, at most %d expected", what,
                        lop_dtype_name(t->type), lop_tensor_size(t), max);
    *count = (int)t->shape.dim[0];
    for (int k = 0; k < *count; k++) list[k] = (float)lop_tensor_get(t, k);
    return LOP_OK;
}

static lop_status attribute_floats(const lop_op_call *call, float *list, int *count, lop_error *err)
{
    const lop_attr *a = lop_node_attr(call->node, "scales");
    if (!a || a->kind != LOP_ATTR_FLOATS || a->count > LOP_MAX_DIMS)
        return lop_fail(err, LOP_E_FORMAT, "scales is missing, or not a list of at most %d numbers", LOP_MAX_DIMS);
    *count = (int)a->count;
    memcpy(list, a->floats, (size_t)a->count * sizeof *list);
    return LOP_OK;
}

static lop_status apply_scale(resize *r, int d, int64_t in, float scale, lop_error *err)
{
    const float n = (float)in * scale;
    if (!(scale > 0.0f) || !(n < 1e12f))
        return lop_fail(err, LOP_E_SHAPE, "scale %g of dimension %d", (double)scale, d);
    r->scale[d] = scale;
    r->out.dim[d] = (int64_t)n;
    return LOP_OK;
}

/* keep_aspect_ratio_policy: one scale for all axes, the least or the greatest that the sizes ask for; 0: stretch. */
static float common_scale(const lop_op_call *call, const int *axis, int n, const int64_t *size)
{
    const char *policy = lop_node_string(call->node, "keep_aspect_ratio_policy", "stretch");
    float scale = 0.0f;
    if (strcmp(policy, "stretch") == 0) return 0.0f;
    for (int i = 0; i < n; i++) {
        const float s = (float)size[i] / (float)call->in[0]->shape.dim[axis[i]];
        const bool better = strcmp(policy, "not_larger") == 0 ? s < scale : s > scale;
        if (i == 0 || better) scale = s;
    }
    return scale;
}

static lop_status apply_sizes(const lop_op_call *call, resize *r, const int *axis, int n, lop_error *err)
{
    const lop_shape *x = &call->in[0]->shape;
    int64_t size[LOP_MAX_DIMS];
    int count;
    lop_status st = ops_input_ints(call, 3, "sizes", size, LOP_MAX_DIMS, &count, err);
    if (st == LOP_OK && count != n) st = lop_fail(err, LOP_E_SHAPE, "sizes has %d entries, %d expected", count, n);
    if (st != LOP_OK) return st;
    const float common = common_scale(call, axis, n, size);
    for (int i = 0; i < n; i++) {
        const int64_t in = x->dim[axis[i]];
        if (size[i] < 0 || size[i] > INT32_MAX || in < 1)
            return lop_fail(err, LOP_E_SHAPE, "sizes[%d] is %" PRId64 ", of %" PRId64, i, size[i], in);
        r->scale[axis[i]] = common > 0.0f ? common : (float)size[i] / (float)in;
        r->out.dim[axis[i]] = size[i];
        if (common == 0.0f) continue;
        if (!(common * (float)in < 1e12f))
            return lop_fail(err, LOP_E_SHAPE, "scale %g of %" PRId64, (double)common, in);
        r->out.dim[axis[i]] = (int64_t)roundf(common * (float)in);
    }
    return LOP_OK;
}

static lop_status read_axes(const lop_op_call *call, int *axis, int *n, lop_error *err)
{
    int64_t list[LOP_MAX_DIMS];
    lop_status st = ops_ints(call, "axes", -1, list, LOP_MAX_DIMS, n, err);
    const int ndim = call->in[0]->shape.ndim;
    if (st == LOP_OK && *n < 0) {
        *n = ndim;
        for (int d = 0; d < ndim; d++) list[d] = d;
    }
    for (int i = 0; st == LOP_OK && i < *n; i++) st = ops_axis(list[i], ndim, &axis[i], err);
    return st;
}

static lop_status read_region(const lop_op_call *call, resize *r, const int *axis, int n, lop_error *err)
{
    float roi[2 * LOP_MAX_DIMS];
    int count;
    if (r->where != RESIZE_CROP) return LOP_OK;
    lop_status st = input_floats(call, 1, "roi", roi, 2 * LOP_MAX_DIMS, &count, err);
    if (st == LOP_OK && count != 2 * n)
        st = lop_fail(err, LOP_E_SHAPE, "roi has %d entries, %d expected", count, 2 * n);
    for (int i = 0; st == LOP_OK && i < n; i++) {
        r->start[axis[i]] = roi[i];
        r->end[axis[i]] = roi[i + n];
    }
    return st;
}

lop_status resize_read(const lop_op_call *call, resize *r, lop_error *err)
{
    const bool upsample = strcmp(call->node->op, "Upsample") == 0;
    const int scales_at = upsample || call->opset < 11 ? 1 : 2;
    float scales[LOP_MAX_DIMS];
    int axis[LOP_MAX_DIMS], n = 0, count = -1;
    lop_status st = ops_need(call, 1, 4, err);
    *r = (resize){0};
    if (st == LOP_OK) st = read_modes(call, r, err);
    if (st == LOP_OK) st = read_axes(call, axis, &n, err);
    if (st == LOP_OK && upsample && call->opset < 9) st = attribute_floats(call, scales, &count, err);
    else if (st == LOP_OK) st = input_floats(call, scales_at, "scales", scales, LOP_MAX_DIMS, &count, err);
    if (st != LOP_OK) return st;
    r->out = call->in[0]->shape;
    for (int d = 0; d < LOP_MAX_DIMS; d++) {
        r->scale[d] = 1.0f;
        r->end[d] = 1.0f;
    }
    if (count < 0 && !ops_has(call, 3)) return lop_fail(err, LOP_E_FORMAT, "neither scales nor sizes");
    if (count < 0) st = apply_sizes(call, r, axis, n, err);
    else if (count != n) st = lop_fail(err, LOP_E_SHAPE, "scales has %d entries, %d expected", count, n);
    for (int i = 0; st == LOP_OK && i < count; i++)
        st = apply_scale(r, axis[i], call->in[0]->shape.dim[axis[i]], scales[i], err);
    for (int d = 0; st == LOP_OK && d < r->out.ndim; d++)
        if (r->out.dim[d] > 0 && call->in[0]->shape.dim[d] == 0)
            st = lop_fail(err, LOP_E_SHAPE, "dimension %d is empty", d);
    return st == LOP_OK ? read_region(call, r, axis, n, err) : st;
}

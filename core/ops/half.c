/* core/ops/half.c - float16 and bfloat16 for operators that do not know them: computed in float32, rounded once. */
#include "ops/ops_impl.h"
#include <string.h>

/* Inputs of so few entries may decide a shape (Range, Resize); larger ones are weights, looked at by forward alone. */
enum { FEW = 64 };

static bool is_half(lop_dtype type) { return type == LOP_F16 || type == LOP_BF16; }

/* The type of the first such input; NONE. */
static lop_dtype half_of(const lop_op_call *call)
{
    for (int i = 0; i < call->nin; i++)
        if (call->in[i] && is_half(call->in[i]->type)) return call->in[i]->type;
    return LOP_NONE;
}

typedef struct {
    lop_op_call call;           /* the same node in float32 */
    lop_tensor *in, *out;
    const lop_tensor **list;
} widened;

static void close_wide(widened *w)
{
    for (int i = 0; w->in && i < w->call.nin; i++) lop_tensor_clear(&w->in[i]);
    for (int o = 0; w->out && o < w->call.nout; o++) lop_tensor_clear(&w->out[o]);
    lop_free(w->in);
    lop_free(w->out);
    lop_free(w->list);
}

/* Inputs of more than `few` entries keep no data where they are widened. */
static lop_status open_wide(const lop_op_call *call, int64_t few, widened *w, lop_error *err)
{
    *w = (widened){.call = *call};
    w->in = lop_array(call->nin, sizeof *w->in, err);
    w->out = lop_array(call->nout, sizeof *w->out, err);
    w->list = lop_array(call->nin, sizeof *w->list, err);
    if (!w->in || !w->out || !w->list) return LOP_E_MEMORY;
    for (int i = 0; i < call->nin; i++) {
        const lop_tensor *t = call->in[i];
        w->list[i] = t;
        if (!t || !is_half(t->type)) continue;
        lop_status st = LOP_OK;
        if (t->data && lop_tensor_size(t) <= few) st = lop_tensor_cast(&w->in[i], t, LOP_F32, err);
        else w->in[i] = (lop_tensor){.type = LOP_F32, .shape = t->shape};
        if (st != LOP_OK) return st;
        w->list[i] = &w->in[i];
    }
    w->call.in = w->list;
    w->call.out = w->out;
    return LOP_OK;
}

/* Statistics stay float32 (LayerNormalization's stash_type). */
static bool is_statistic(const lop_op_call *call, int o)
{
    return o > 0 && strcmp(call->node->op, "LayerNormalization") == 0;
}

lop_status ops_half_shape(const lop_op_call *call, ops_rule shape, lop_error *err)
{
    const lop_dtype half = half_of(call);
    lop_status st = shape(call, err);
    if (st != LOP_E_UNSUPPORTED || half == LOP_NONE) return st;
    widened w;
    st = open_wide(call, FEW, &w, err);
    if (st == LOP_OK) st = shape(&w.call, err);
    for (int o = 0; st == LOP_OK && o < call->nout; o++) {
        call->out[o].type = w.out[o].type == LOP_F32 && !is_statistic(call, o) ? half : w.out[o].type;
        call->out[o].shape = w.out[o].shape;
    }
    close_wide(&w);
    return st;
}

/* Does the operator's own rule take these types? */
static lop_status knows(const lop_op_call *call, ops_rule shape, bool *yes, lop_error *err)
{
    lop_op_call probe = *call;
    lop_error ignored;
    probe.out = lop_array(call->nout, sizeof *probe.out, err);
    if (!probe.out) return LOP_E_MEMORY;
    *yes = shape(&probe, &ignored) != LOP_E_UNSUPPORTED;
    for (int o = 0; o < call->nout; o++) lop_tensor_clear(&probe.out[o]);
    lop_free(probe.out);
    return LOP_OK;
}

static lop_status take(const lop_tensor *from, lop_tensor *to, lop_error *err)
{
    lop_tensor narrow = {0};
    lop_status st = lop_tensor_cast(&narrow, from, to->type, err);
    if (st == LOP_OK && lop_tensor_bytes(to) > 0) memcpy(to->data, narrow.data, lop_tensor_bytes(to));
    lop_tensor_clear(&narrow);
    return st;
}

static lop_status run_wide(const lop_op_call *call, ops_rule forward, lop_error *err)
{
    widened w;
    lop_status st = open_wide(call, INT64_MAX, &w, err);
    for (int o = 0; st == LOP_OK && o < call->nout; o++) {
        const lop_tensor *y = &call->out[o];
        if (y->data) st = lop_tensor_init(&w.out[o], is_half(y->type) ? LOP_F32 : y->type, &y->shape, err);
    }
    if (st == LOP_OK) st = forward(&w.call, err);
    for (int o = 0; st == LOP_OK && o < call->nout; o++)
        if (call->out[o].data) st = take(&w.out[o], &call->out[o], err);
    close_wide(&w);
    return st;
}

lop_status ops_half_forward(const lop_op_call *call, ops_rule shape, ops_rule forward, lop_error *err)
{
    bool known = true;
    lop_status st = LOP_OK;
    if (half_of(call) != LOP_NONE) st = knows(call, shape, &known, err);
    if (st != LOP_OK) return st;
    return known ? forward(call, err) : run_wide(call, forward, err);
}

/* core/graph/infer.c - shapes of all values, and the constants among them, for given input sizes. */
#include "graph/graph.h"
#include <stdio.h>
#include <string.h>

/* A value is folded up to ONE bytes, all of a graph together up to ALL: a small file must not fill the memory. */
static const size_t ONE = (size_t)64 << 20, ALL = (size_t)1 << 30;

typedef struct {
    const lop_graph *g;
    lop_shapes *s;
    size_t folded;              /* bytes so far */
    const lop_tensor **in;      /* room for the largest node */
    lop_tensor *out;
    bool lenient;               /* what cannot be told stays unknown */
    lop_error *err;
} inference;

void lop_shapes_clear(lop_shapes *s)
{
    for (int v = 0; s->value && v < s->nvalue; v++) lop_tensor_clear(&s->value[v]);
    lop_free(s->value);
    lop_free(s->known);
    lop_free(s->folded);
    *s = (lop_shapes){0};
}

/* ---- where it starts: inputs and initializers ---- */

static lop_status input_shape(const lop_value *v, const lop_shape *given, lop_shape *out, lop_error *err)
{
    int64_t size;
    if (v->foreign)
        return lop_fail(err, LOP_E_UNSUPPORTED, "input '%s' is %s: such do not run here", v->name, v->foreign);
    if (given) *out = *given;
    else if (v->type == LOP_NONE || !v->shaped)
        return lop_fail(err, LOP_E_ARG, "input '%s' declares no type and shape: give its shape", v->name);
    else *out = v->shape;
    if (out->ndim < 0 || out->ndim > LOP_MAX_DIMS)
        return lop_fail(err, LOP_E_ARG, "input '%s': %d dimensions given, at most %d expected", v->name, out->ndim,
                        LOP_MAX_DIMS);
    for (int d = 0; d < out->ndim; d++) {
        if (!given && d == 0 && out->dim[d] < 0) out->dim[d] = 1;
        if (out->dim[d] < 0)
            return lop_fail(err, LOP_E_ARG, "input '%s': dimension #%d is free: give its shape", v->name, d);
    }
    if (lop_shape_size(out, &size, err) == LOP_OK) return LOP_OK;
    lop_error_at(err, "input '%s'", v->name);
    return LOP_E_SHAPE;
}

static void note_unsupported(inference *f, int node, const char *reason)
{
    if (f->s->unsupported++ > 0) return;
    f->s->first_unsupported = node;
    snprintf(f->s->reason, sizeof f->s->reason, "%.255s", reason);
}

/* An initializer that is no tensor here stops whoever reads it. */
static void note_foreign(inference *f, int node, const lop_value *v)
{
    char reason[256];
    if (!v->kept) return;
    snprintf(reason, sizeof reason, "its input '%.128s' is %s: such do not run here", v->name, v->foreign);
    note_unsupported(f, node, reason);
}

static lop_status start(inference *f, const lop_shape *inputs)
{
    lop_shapes *s = f->s;
    for (int v = 0; v < s->nvalue; v++)
        if (f->g->value[v]->constant.data) {
            lop_tensor_share(&s->value[v], &f->g->value[v]->constant);
            s->known[v] = true;
        }
    for (int k = 0, real = 0; k < f->g->ninput; k++) {
        const int v = f->g->input[k];
        const lop_value *value = f->g->value[v];
        if (lop_value_is_initializer(value)) continue;
        lop_error why = {0};
        const lop_status st = input_shape(value, inputs ? &inputs[real] : NULL, &s->value[v].shape, &why);
        if (st != LOP_OK && !f->lenient) return lop_fail(f->err, st, "%s", why.message);
        if (st != LOP_OK) {
            note_unsupported(f, -1, why.message);
            s->value[v].shape = (lop_shape){0};
            continue;
        }
        s->value[v].type = value->type;
        s->known[v] = value->type != LOP_NONE;
        real++;
    }
    return LOP_OK;
}

/* ---- one node ---- */

/* ONNX Constant says its value in its attributes; the sparse and string forms stay unknown. */
static lop_status constant_value(const lop_node *n, lop_tensor *out, lop_error *err)
{
    const lop_attr *a = n->nattr == 1 ? &n->attr[0] : NULL;
    lop_status st = LOP_E_UNSUPPORTED;
    if (!a) return lop_fail(err, st, "one attribute expected, %d given", n->nattr);
    const bool list = a->kind == LOP_ATTR_INTS || a->kind == LOP_ATTR_FLOATS;
    const bool whole = a->kind == LOP_ATTR_INTS || a->kind == LOP_ATTR_INT;
    const lop_shape shape = {list ? 1 : 0, {a->count}};
    if (a->kind == LOP_ATTR_TENSOR) {
        lop_tensor_share(out, &a->tensor);
        return LOP_OK;
    }
    if (!list && !whole && a->kind != LOP_ATTR_FLOAT)
        return lop_fail(err, st, "'%s' holds strings or a sparse tensor: such do not run here", a->name);
    st = lop_tensor_init(out, whole ? LOP_I64 : LOP_F32, &shape, err);
    if (st != LOP_OK) return st;
    const void *from = whole ? list ? (const void *)a->ints : &a->i : list ? (const void *)a->floats : &a->f;
    if (lop_tensor_bytes(out) > 0) memcpy(out->data, from, lop_tensor_bytes(out));
    return LOP_OK;
}

/* What the rule set must be a shape; memory of a wild size is not asked for later. */
static lop_status check_outputs(const lop_op_call *call, lop_error *err)
{
    int64_t size;
    for (int o = 0; o < call->nout; o++) {
        if (call->node->out[o] < 0 || call->out[o].type == LOP_NONE) continue;
        const lop_status st = lop_shape_size(&call->out[o].shape, &size, err);
        if (st == LOP_OK) continue;
        lop_error_at(err, "output #%d", o);
        return st;
    }
    return LOP_OK;
}

/* All inputs constant, or only their shapes read; outputs without data yet, and small. */
static bool foldable(const inference *f, const lop_op *op, const lop_op_call *call)
{
    size_t bytes = 0;
    if (!op->forward || call->nin == 0) return false;
    for (int i = 0; i < call->nin; i++)
        if (call->in[i] && !call->in[i]->data && op->cut != LOP_CUT_SHAPE) return false;
    for (int o = 0; o < call->nout; o++) {
        const size_t size = lop_tensor_bytes(&call->out[o]);
        if (call->out[o].data || call->out[o].type == LOP_NONE || size > ONE) return false;
        bytes += size;
    }
    return bytes <= ALL && f->folded <= ALL - bytes;
}

static lop_status fold(inference *f, const lop_op *op, const lop_op_call *call)
{
    lop_status st = LOP_OK;
    for (int o = 0; st == LOP_OK && o < call->nout; o++) {
        const lop_shape shape = call->out[o].shape;
        st = lop_tensor_init(&call->out[o], call->out[o].type, &shape, f->err);
        f->folded += lop_tensor_bytes(&call->out[o]);
    }
    return st == LOP_OK ? op->forward(call, f->err) : st;
}

/* UNSUPPORTED by forward alone: the shapes stand, the values are not constants. */
static void drop_data(const lop_op_call *call)
{
    for (int o = 0; o < call->nout; o++) {
        const lop_tensor t = {.type = call->out[o].type, .shape = call->out[o].shape};
        lop_tensor_clear(&call->out[o]);
        call->out[o] = t;
    }
}

static lop_status apply(inference *f, int node, const lop_op *op, const lop_op_call *call)
{
    lop_error why = {0};
    lop_status st = op->shape(call, &why);
    if (st == LOP_E_UNSUPPORTED) {
        note_unsupported(f, node, why.message);
        for (int o = 0; o < call->nout; o++) lop_tensor_clear(&call->out[o]);
        return LOP_OK;
    }
    if (st != LOP_OK) return lop_fail(f->err, st, "%s", why.message);
    st = check_outputs(call, f->err);
    if (st != LOP_OK || !foldable(f, op, call)) return st;
    st = fold(f, op, call);
    if (st != LOP_E_UNSUPPORTED) return st;
    drop_data(call);
    return LOP_OK;
}

/* The outputs move from the scratch list to their places. */
static void take_outputs(inference *f, const lop_node *n, bool ok)
{
    for (int o = 0; o < n->nout; o++) {
        const int v = n->out[o];
        if (!ok || v < 0 || f->out[o].type == LOP_NONE) lop_tensor_clear(&f->out[o]);
        else {
            lop_tensor_clear(&f->s->value[v]);
            f->s->value[v] = f->out[o];
            f->s->known[v] = true;
            f->s->folded[v] = f->out[o].data != NULL;
        }
        f->out[o] = (lop_tensor){0};
    }
}

/* A free first dimension is one image where an input calls its own, free as well, by the same name: input_shape. */
static bool is_batch(const lop_graph *g, const char *name)
{
    for (int k = 0; name && k < g->ninput; k++) {
        const lop_value *v = g->value[g->input[k]];
        if (v->shaped && v->shape.ndim > 0 && v->shape.dim[0] < 0 && v->param[0] && strcmp(v->param[0], name) == 0)
            return true;
    }
    return false;
}

/* What no rule told, as the file declares it; no constants, and nothing of a free or wild size. */
static void take_declared(inference *f, const lop_node *n)
{
    for (int o = 0; o < n->nout; o++) {
        const int v = n->out[o];
        const lop_value *value = v >= 0 ? f->g->value[v] : NULL;
        if (!value || f->s->known[v] || value->type == LOP_NONE || !value->shaped) continue;
        int64_t size;
        lop_shape shape = value->shape;
        if (shape.ndim > 0 && shape.dim[0] < 0 && is_batch(f->g, value->param[0])) shape.dim[0] = 1;
        if (lop_shape_size(&shape, &size, NULL) != LOP_OK) continue;
        f->s->value[v] = (lop_tensor){.type = value->type, .shape = shape};
        f->s->known[v] = true;
    }
}

static lop_status infer_node(inference *f, int node)
{
    const lop_node *n = f->g->node[node];
    const lop_op *op = lop_op_find(f->g->ops, n->domain, n->op);
    const bool constant = strcmp(n->op, "Constant") == 0 && n->nin == 0 && n->nout == 1;
    const int64_t opset = lop_graph_opset(f->g, n->domain);
    if (!constant && (!op || !op->shape)) {
        note_unsupported(f, node, strcmp(n->op, "If") == 0 ? "the condition is not constant" : "");
        if (f->lenient) take_declared(f, n);
        return LOP_OK;
    }
    for (int i = 0; i < n->nin; i++) {
        if (n->in[i] >= 0 && !f->s->known[n->in[i]]) {
            note_foreign(f, node, f->g->value[n->in[i]]);
            if (f->lenient) take_declared(f, n);
            return LOP_OK;
        }
        f->in[i] = n->in[i] >= 0 ? &f->s->value[n->in[i]] : NULL;
    }
    const lop_op_call call = {.graph = f->g, .node = n, .opset = opset > 0 ? opset : 1, .nin = n->nin,
                              .nout = n->nout, .in = f->in, .out = f->out};
    lop_status st;
    if (constant) {
        lop_error why = {0};
        st = constant_value(n, &f->out[0], &why);
        if (st == LOP_E_UNSUPPORTED) note_unsupported(f, node, why.message);
        else if (st != LOP_OK) return lop_fail(f->err, st, "%s", why.message);
        st = LOP_OK;
    } else st = apply(f, node, op, &call);
    take_outputs(f, n, st == LOP_OK);
    if (st == LOP_OK && f->lenient) take_declared(f, n);
    if (st == LOP_OK) return st;
    if (f->lenient && st != LOP_E_MEMORY) {
        note_unsupported(f, node, f->err->message);
        return LOP_OK;
    }
    lop_error_at(f->err, "node '%s' (%s)", lop_node_label(f->g, n), n->op);
    return st;
}

/* ---- the graph ---- */

static lop_status prepare(inference *f)
{
    int most_in = 0, most_out = 0;
    for (int k = 0; k < f->g->nnode; k++) {
        if (f->g->node[k]->nin > most_in) most_in = f->g->node[k]->nin;
        if (f->g->node[k]->nout > most_out) most_out = f->g->node[k]->nout;
    }
    lop_shapes *s = f->s;
    s->nvalue = f->g->nvalue;
    s->value = lop_array(s->nvalue, sizeof *s->value, f->err);
    s->known = lop_array(s->nvalue, sizeof *s->known, f->err);
    s->folded = lop_array(s->nvalue, sizeof *s->folded, f->err);
    f->in = lop_array(most_in, sizeof *f->in, f->err);
    f->out = lop_array(most_out, sizeof *f->out, f->err);
    return s->value && s->known && s->folded && f->in && f->out ? LOP_OK : LOP_E_MEMORY;
}

static lop_status infer(const lop_graph *g, const lop_shape *inputs, bool lenient, lop_shapes *out, lop_error *err)
{
    *out = (lop_shapes){.first_unsupported = -1};
    inference f = {.g = g, .s = out, .lenient = lenient, .err = err};
    lop_status st = prepare(&f);
    if (st == LOP_OK) st = start(&f, inputs);
    for (int k = 0; st == LOP_OK && k < g->nnode; k++) st = infer_node(&f, k);
    lop_free(f.in);
    lop_free(f.out);
    if (st != LOP_OK) lop_shapes_clear(out);
    return st;
}

lop_status lop_graph_infer(const lop_graph *g, const lop_shape *inputs, lop_shapes *out, lop_error *err)
{
    return infer(g, inputs, false, out, err);
}

lop_status lop_graph_infer_known(const lop_graph *g, lop_shapes *out, lop_error *err)
{
    lop_error why = {0};
    const lop_status st = infer(g, NULL, true, out, &why);
    return st == LOP_OK ? st : lop_fail(err, st, "%s", why.message);
}

lop_status lop_shapes_complete(const lop_graph *g, const lop_shapes *s, lop_error *err)
{
    if (s->unsupported == 0) return LOP_OK;
    if (s->first_unsupported < 0) return lop_fail(err, LOP_E_UNSUPPORTED, "%s", s->reason);
    const lop_node *n = g->node[s->first_unsupported];
    return lop_fail(err, LOP_E_UNSUPPORTED, "node '%s' (%s): %s", lop_node_label(g, n), n->op,
                    s->reason[0] ? s->reason : "the operator is not supported");
}

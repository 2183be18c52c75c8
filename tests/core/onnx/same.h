/* tests/core/onnx/same.h - are two graphs the same to the last field? */
#ifndef LOP_TESTS_ONNX_SAME_H
#define LOP_TESTS_ONNX_SAME_H
#include "support/t.h"
#include "onnx/onnx.h"

static inline void same_text(const char *a, const char *b, const char *what)
{
    if (!a != !b || (a && strcmp(a, b) != 0)) fail_msg("%s: '%s' and '%s'", what, a ? a : "NULL", b ? b : "NULL");
}

static inline void same_tensor(const lop_tensor *a, const lop_tensor *b, const char *what)
{
    if (a->type != b->type || !a->data != !b->data || !lop_shape_equal(&a->shape, &b->shape) ||
        (a->data && memcmp(a->data, b->data, lop_tensor_bytes(a)) != 0))
        fail_msg("%s: tensors differ", what);
}

static inline void same_ids(const lop_graph *a, const int *x, int nx, const lop_graph *b, const int *y, int ny,
                            const char *what)
{
    if (nx != ny) fail_msg("%s: %d and %d values", what, nx, ny);
    for (int k = 0; k < nx; k++)
        same_text(x[k] < 0 ? "" : a->value[x[k]]->name, y[k] < 0 ? "" : b->value[y[k]]->name, what);
}

static inline void same_attr(const lop_attr *a, const lop_attr *b, const char *what)
{
    same_text(a->name, b->name, what);
    if (a->kind != b->kind || a->f != b->f || a->i != b->i || a->count != b->count || a->length != b->length ||
        (a->s && memcmp(a->s, b->s, a->length) != 0) || (a->raw && memcmp(a->raw, b->raw, a->length) != 0) ||
        (a->ints && memcmp(a->ints, b->ints, (size_t)a->count * sizeof *a->ints) != 0) ||
        (a->floats && memcmp(a->floats, b->floats, (size_t)a->count * sizeof *a->floats) != 0))
        fail_msg("%s: attribute '%s' differs", what, a->name);
    same_tensor(&a->tensor, &b->tensor, what);
}

static inline void same_nodes(const lop_graph *a, const lop_graph *b)
{
    assert_int_equal(a->nnode, b->nnode);
    for (int k = 0; k < a->nnode; k++) {
        const lop_node *m = a->node[k], *n = b->node[k];
        same_text(m->name, n->name, "name of node");
        same_text(m->op, n->op, m->name);
        same_text(m->domain, n->domain, m->name);
        same_text(m->doc, n->doc, m->name);
        same_ids(a, m->in, m->nin, b, n->in, n->nin, m->name);
        same_ids(a, m->out, m->nout, b, n->out, n->nout, m->name);
        assert_int_equal(m->extra_length, n->extra_length);
        assert_int_equal(m->nattr, n->nattr);
        for (int i = 0; i < m->nattr; i++) same_attr(&m->attr[i], &n->attr[i], m->name);
    }
}

static inline void same_values(const lop_graph *a, const lop_graph *b)
{
    assert_int_equal(a->nvalue, b->nvalue);
    for (int v = 0; v < a->nvalue; v++) {
        const lop_value *x = a->value[v], *y = b->value[v];
        same_text(x->name, y->name, "name of value");
        same_tensor(&x->constant, &y->constant, x->name);
        if (x->type != y->type || x->shaped != y->shaped || !lop_shape_equal(&x->shape, &y->shape))
            fail_msg("value '%s': declarations differ", x->name);
        for (int d = 0; d < LOP_MAX_DIMS; d++) same_text(x->param[d], y->param[d], x->name);
        if (x->raw_length != y->raw_length || (x->raw && memcmp(x->raw, y->raw, x->raw_length) != 0))
            fail_msg("value '%s': bytes differ", x->name);
    }
}

static inline void same_graph(const lop_graph *a, const lop_graph *b)
{
    const char *const x[] = {a->name, a->doc, a->producer, a->producer_version, a->model_domain, a->model_doc};
    const char *const y[] = {b->name, b->doc, b->producer, b->producer_version, b->model_domain, b->model_doc};
    for (size_t k = 0; k < T_COUNT(x); k++) same_text(x[k], y[k], "text of the model");
    assert_int_equal(a->ir_version, b->ir_version);
    assert_int_equal(a->model_version, b->model_version);
    assert_int_equal(a->nopset, b->nopset);
    assert_int_equal(a->nmeta, b->nmeta);
    for (int k = 0; k < a->nopset; k++) {
        same_text(a->opset[k].domain, b->opset[k].domain, "domain");
        assert_int_equal(a->opset[k].version, b->opset[k].version);
    }
    for (int k = 0; k < a->nmeta; k++) {
        same_text(a->meta[k].key, b->meta[k].key, "key");
        same_text(a->meta[k].value, b->meta[k].value, a->meta[k].key);
    }
    same_ids(a, a->input, a->ninput, b, b->input, b->ninput, "inputs");
    same_ids(a, a->output, a->noutput, b, b->output, b->noutput, "outputs");
    assert_int_equal(a->extra_length, b->extra_length);
    if (a->extra) assert_memory_equal(a->extra, b->extra, a->extra_length);
    same_values(a, b);
    same_nodes(a, b);
}
#endif

/* core/graph/build.c - what a graph made by hand needs beside values and nodes: inputs, outputs, opset, attributes. */
#include "graph/graph_impl.h"
#include <string.h>

static lop_status append(int **list, int *count, int v, lop_error *err)
{
    int *grown = lop_array((int64_t)*count + 1, sizeof *grown, err);
    if (!grown) return LOP_E_MEMORY;
    if (*count > 0) memcpy(grown, *list, (size_t)*count * sizeof *grown);
    grown[(*count)++] = v;
    lop_free(*list);
    *list = grown;
    return LOP_OK;
}

static lop_status new_value(lop_graph *g, const char *name, int *id, lop_error *err)
{
    if (!name || !name[0]) return lop_fail(err, LOP_E_ARG, "an input without a name");
    if (lop_graph_value(g, name) >= 0) return lop_fail(err, LOP_E_ARG, "value '%s' is there already", name);
    return lop_graph_add_value(g, name, id, err);
}

lop_status lop_graph_add_input(lop_graph *g, const char *name, lop_dtype type, const lop_shape *shape, int *id,
                               lop_error *err)
{
    *id = -1;
    for (int d = 0; d < shape->ndim; d++)
        if (shape->dim[d] < -1)
            return lop_fail(err, LOP_E_SHAPE, "input '%s': dimension %d is %" PRId64 ", 0 or more, or -1 for a free "
                            "one, expected", name, d + 1, shape->dim[d]);
    lop_status st = new_value(g, name, id, err);
    if (st == LOP_OK) st = append(&g->input, &g->ninput, *id, err);
    if (st != LOP_OK) return st;
    lop_value *v = g->value[*id];
    v->type = type;
    v->shaped = true;
    v->shape = *shape;
    return LOP_OK;
}

static bool is_input(const lop_graph *g, int id)
{
    for (int k = 0; k < g->ninput; k++)
        if (g->input[k] == id) return !lop_value_is_initializer(g->value[id]);
    return false;
}

lop_status lop_graph_set_input_shape(lop_graph *g, int id, const lop_shape *shape, lop_error *err)
{
    char given[96], declared[96];
    if (id < 0 || id >= g->nvalue || !is_input(g, id)) return lop_fail(err, LOP_E_ARG, "value %d is no input", id);
    lop_value *v = g->value[id];
    bool fits = !v->shaped || v->shape.ndim == shape->ndim;
    for (int d = 0; fits && v->shaped && d < shape->ndim; d++)
        fits = v->shape.dim[d] < 0 || shape->dim[d] < 0 || v->shape.dim[d] == shape->dim[d];
    if (!fits)
        return lop_fail(err, LOP_E_ARG, "input '%s' is %s in the model, %s given", v->name,
                        lop_shape_text(&v->shape, declared, sizeof declared),
                        lop_shape_text(shape, given, sizeof given));
    if (!v->shaped) v->shape = *shape;
    v->shaped = true;
    for (int d = 0; d < shape->ndim; d++) {
        if (shape->dim[d] < 0) continue;
        v->shape.dim[d] = shape->dim[d];
        lop_free(v->param[d]);
        v->param[d] = NULL;
    }
    return LOP_OK;
}

static lop_status copy_sizes(lop_value *to, const lop_value *from, lop_error *err)
{
    if (!from->shaped || (to->shaped && to->shape.ndim != from->shape.ndim)) return LOP_OK;
    for (int d = 0; d < from->shape.ndim; d++) {
        char *name = from->param[d] ? lop_string(from->param[d], err) : NULL;
        if (from->param[d] && !name) return LOP_E_MEMORY;
        lop_free(to->param[d]);
        to->param[d] = name;
    }
    to->shape = from->shape;
    to->shaped = true;
    return LOP_OK;
}

lop_status lop_graph_copy_input_shapes(lop_graph *g, const lop_graph *from, lop_error *err)
{
    lop_status st = LOP_OK;
    for (int k = 0; st == LOP_OK && k < from->ninput; k++) {
        const lop_value *source = from->value[from->input[k]];
        const int id = lop_graph_value(g, source->name);
        if (id >= 0 && is_input(g, id)) st = copy_sizes(g->value[id], source, err);
    }
    return st;
}

lop_status lop_graph_add_output(lop_graph *g, int id, lop_error *err)
{
    if (id < 0 || id >= g->nvalue) return lop_fail(err, LOP_E_ARG, "output: no value #%d", id);
    for (int k = 0; k < g->noutput; k++)
        if (g->output[k] == id) return lop_fail(err, LOP_E_ARG, "output '%s' is listed twice", g->value[id]->name);
    return append(&g->output, &g->noutput, id, err);
}

lop_status lop_graph_set_opset(lop_graph *g, int64_t version, lop_error *err)
{
    for (int k = 0; k < g->nopset; k++)
        if (!g->opset[k].domain[0]) {
            g->opset[k].version = version;
            return LOP_OK;
        }
    lop_opset *grown = lop_array((int64_t)g->nopset + 1, sizeof *grown, err);
    char *domain = grown ? lop_string("", err) : NULL;
    if (!domain) {
        lop_free(grown);
        return LOP_E_MEMORY;
    }
    if (g->nopset > 0) memcpy(grown, g->opset, (size_t)g->nopset * sizeof *grown);
    grown[g->nopset++] = (lop_opset){domain, version};
    lop_free(g->opset);
    g->opset = grown;
    return LOP_OK;
}

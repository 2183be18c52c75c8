/* core/onnx/branch.c - If with a constant condition: the branch it takes becomes part of the graph. */
#include "onnx/onnx_impl.h"
#include <stdlib.h>
#include <string.h>

static bool is_if(const lop_node *n)
{
    return strcmp(n->op, "If") == 0 && (!n->domain[0] || strcmp(n->domain, "ai.onnx") == 0);
}

/* ---- which branch: 1 then, 0 else, -1 not constant ---- */

/* Shapes for the inputs: the free first dimension `images`, all other free ones `pixels`. False: one has no shape. */
static bool input_shapes(const lop_graph *g, int64_t images, int64_t pixels, lop_shape *out, bool *others)
{
    int n = 0;
    for (int k = 0; k < g->ninput; k++) {
        const lop_value *v = g->value[g->input[k]];
        if (lop_value_is_initializer(v)) continue;
        if (v->type == LOP_NONE || !v->shaped || v->shape.ndim > LOP_MAX_DIMS) return false;
        out[n] = v->shape;
        for (int d = 0; d < v->shape.ndim; d++) {
            if (v->shape.dim[d] >= 0) continue;
            out[n].dim[d] = d == 0 ? images : pixels;
            *others = *others || d > 0;
        }
        n++;
    }
    return true;
}

/* from_input[v]: a graph input has a say in value v. Nodes stand in topological order. */
static void follow_inputs(const lop_graph *g, bool *from_input)
{
    for (int k = 0; k < g->ninput; k++)
        if (!lop_value_is_initializer(g->value[g->input[k]])) from_input[g->input[k]] = true;
    for (int k = 0; k < g->nnode; k++) {
        const lop_node *n = g->node[k];
        bool any = is_if(n);            /* its body may read anything */
        for (int i = 0; i < n->nin; i++) any = any || (n->in[i] >= 0 && from_input[n->in[i]]);
        for (int o = 0; o < n->nout; o++)
            if (n->out[o] >= 0) from_input[n->out[o]] = any;
    }
}

static int truth(const lop_tensor *t)
{
    if (!t->data || t->type != LOP_BOOL || lop_tensor_size(t) != 1) return -1;
    return *(const bool *)t->data;
}

/* choice[k] for all nodes. A graph whose shapes cannot be inferred decides nothing. */
static lop_status decide(const lop_graph *g, int *choice, lop_error *err)
{
    lop_shapes one = {0}, two = {0};
    lop_error ignored;
    bool others = false;
    lop_shape *shape = lop_array(g->ninput, sizeof *shape, err);
    bool *from_input = lop_array(g->nvalue, sizeof *from_input, err);
    if (!shape || !from_input) {
        lop_free(shape);
        lop_free(from_input);
        return LOP_E_MEMORY;
    }
    follow_inputs(g, from_input);
    for (int k = 0; k < g->nnode; k++) choice[k] = -1;
    if (input_shapes(g, 1, 64, shape, &others) && lop_graph_infer(g, shape, &one, &ignored) == LOP_OK &&
        input_shapes(g, 2, 96, shape, &others) && lop_graph_infer(g, shape, &two, &ignored) == LOP_OK)
        for (int k = 0; k < g->nnode; k++) {
            const lop_node *n = g->node[k];
            if (!is_if(n) || n->nin != 1 || n->in[0] < 0 || (others && from_input[n->in[0]])) continue;
            const int a = truth(&one.value[n->in[0]]), b = truth(&two.value[n->in[0]]);
            if (a == b) choice[k] = a;
        }
    lop_shapes_clear(&one);
    lop_shapes_clear(&two);
    lop_free(shape);
    lop_free(from_input);
    return LOP_OK;
}

/* ---- names: what a body defines, and what it is called in the graph ---- */

typedef struct { int count; char **from; int *to; } renaming;       /* from: borrowed of the body; to: values of g */

static void renaming_clear(renaming *r)
{
    for (int i = 0; i < r->count; i++) free(r->from[i]);
    lop_free(r->from);
    lop_free(r->to);
}

static int find(const renaming *r, const char *name)
{
    for (int i = 0; i < r->count; i++)
        if (strcmp(r->from[i], name) == 0) return i;
    return -1;
}

/* An output's name is that of the If's output, if a node of the body makes it and no output before had it. */
static int output_of(const renaming *r, const lop_node *n, const Onnx__GraphProto *body, const char *name)
{
    for (int o = 0; o < n->nout; o++) {
        bool taken = n->out[o] < 0 || strcmp(body->output[o]->name, name) != 0;
        for (int i = 0; !taken && i < r->count; i++) taken = r->to[i] == n->out[o];
        if (!taken) return n->out[o];
    }
    return -1;
}

static lop_status define(lop_graph *g, renaming *r, const char *name, int as, lop_error *err)
{
    if (!name || !name[0]) return LOP_OK;
    if (find(r, name) >= 0) return lop_fail(err, LOP_E_FORMAT, "its branch defines '%s' twice", name);
    char *copy = strdup(name);
    if (!copy) return lop_fail(err, LOP_E_MEMORY, "no memory for a name");
    r->from[r->count] = copy;
    r->to[r->count++] = as;
    return as >= 0 ? LOP_OK : lop_graph_add_value(g, name, &r->to[r->count - 1], err);
}

static lop_status define_all(lop_graph *g, const lop_node *n, const Onnx__GraphProto *body, renaming *r, lop_error *err)
{
    size_t most = body->n_initializer + body->n_sparse_initializer;
    lop_status st = LOP_OK;
    for (size_t k = 0; k < body->n_node; k++) most += body->node[k]->n_output;
    r->from = lop_array((int64_t)most, sizeof *r->from, err);
    r->to = lop_array((int64_t)most, sizeof *r->to, err);
    if (!r->from || !r->to) return LOP_E_MEMORY;
    for (size_t k = 0; st == LOP_OK && k < body->n_initializer; k++)
        st = define(g, r, body->initializer[k]->name, -1, err);
    for (size_t k = 0; st == LOP_OK && k < body->n_sparse_initializer; k++)
        if (body->sparse_initializer[k]->values) st = define(g, r, body->sparse_initializer[k]->values->name, -1, err);
    for (size_t k = 0; st == LOP_OK && k < body->n_node; k++)
        for (size_t o = 0; st == LOP_OK && o < body->node[k]->n_output; o++) {
            const char *name = body->node[k]->output[o];
            st = define(g, r, name, name[0] ? output_of(r, n, body, name) : -1, err);
        }
    return st;
}

typedef struct { const lop_graph *g; const renaming *names; } renamer;

/* The body's names become the graph's. protobuf-c's strings are malloc's. */
static lop_status rename_text(void *context, char **text, lop_error *err)
{
    const renamer *r = context;
    const int i = *text ? find(r->names, *text) : -1;
    if (i < 0 || strcmp(r->g->value[r->names->to[i]]->name, *text) == 0) return LOP_OK;
    char *name = strdup(r->g->value[r->names->to[i]]->name);
    if (!name) return lop_fail(err, LOP_E_MEMORY, "no memory for a name");
    free(*text);
    *text = name;
    return LOP_OK;
}

/* ---- a body into the graph ---- */

/* Outputs that no node of the body makes under their name: constants, values from outside, one given twice. */
static lop_status add_identities(lop_graph *g, const int *out, int nout, const Onnx__GraphProto *body, int at,
                                 lop_error *err)
{
    lop_status st = LOP_OK;
    for (int o = 0; st == LOP_OK && o < nout; o++) {
        if (out[o] < 0 || strcmp(g->value[out[o]]->name, body->output[o]->name) == 0) continue;
        const char *name = body->output[o]->name;
        const int from = lop_graph_value(g, name);
        if (from < 0) return lop_fail(err, LOP_E_FORMAT, "its branch gives '%s', which nothing makes", name);
        st = lop_graph_insert(g, at, "Identity", "", &from, 1, &out[o], 1, NULL, err);
    }
    return st;
}

/* Node `at` goes; what its body holds comes. */
static lop_status insert_body(lop_onnx_reader *r, int at, Onnx__GraphProto *body)
{
    lop_graph *g = r->g;
    int out[64];
    const int nout = g->node[at]->nout;
    memcpy(out, g->node[at]->out, (size_t)nout * sizeof *out);
    lop_graph_remove_node(g, at);
    lop_status st = lop_onnx_start_names(r, body);
    if (st == LOP_OK) st = lop_onnx_read_initializers(r, body);
    for (size_t k = 0; st == LOP_OK && k < body->n_node; k++) st = lop_onnx_insert_node(r, body->node[k], at + (int)k);
    if (st == LOP_OK) st = lop_onnx_read_infos(r, body->value_info, body->n_value_info);
    if (st == LOP_OK) st = add_identities(g, out, nout, body, at + (int)body->n_node, r->err);
    lop_free(r->slot);
    return st;
}

static lop_status check_body(const lop_node *n, const Onnx__GraphProto *body, lop_error *err)
{
    if (!body || body->n_output != (size_t)n->nout || n->nout > 64)
        return lop_fail(err, LOP_E_FORMAT, "its branch has %zu outputs, %d expected", body ? body->n_output : 0,
                        n->nout);
    if (body->n_input > 0) return lop_fail(err, LOP_E_FORMAT, "its branch has inputs");
    for (size_t o = 0; o < body->n_output; o++)
        if (!body->output[o]->name || !body->output[o]->name[0])
            return lop_fail(err, LOP_E_FORMAT, "an output of its branch has no name");
    return LOP_OK;
}

static lop_status take(lop_graph *g, int at, bool then, const char *folder, lop_error *err)
{
    const lop_node *n = g->node[at];
    const char *which = then ? "then_branch" : "else_branch";
    const lop_attr *a = lop_node_attr(n, which);
    if (!a || a->kind != LOP_ATTR_GRAPH) return lop_fail(err, LOP_E_FORMAT, "%s is missing", which);
    Onnx__AttributeProto *m = onnx__attribute_proto__unpack(NULL, a->length, a->raw);
    if (!m) return lop_fail(err, LOP_E_MEMORY, "no memory for a branch of %zu bytes", a->length);
    renaming names = {0};
    lop_onnx_reader r = {.g = g, .folder = folder, .err = err};
    lop_status st = check_body(n, m->g, err);
    if (st == LOP_OK) st = define_all(g, n, m->g, &names, err);
    renamer by = {g, &names};
    if (st == LOP_OK) st = lop_onnx_names_of_graph(m->g, rename_text, &by, err);
    if (st == LOP_OK) st = insert_body(&r, at, m->g);
    renaming_clear(&names);
    onnx__attribute_proto__free_unpacked(m, NULL);
    return st;
}

/* One pass over the Ifs that are there now; those in the branches taken come next. */
static lop_status take_round(lop_graph *g, const char *folder, int *taken, lop_error *err)
{
    int *choice = lop_array(g->nnode, sizeof *choice, err);
    lop_status st = choice ? decide(g, choice, err) : LOP_E_MEMORY;
    *taken = 0;
    for (int k = g->nnode - 1; st == LOP_OK && k >= 0; k--) {       /* from the end: positions before it stay */
        if (choice[k] < 0) continue;
        char label[128];
        strncpy(label, lop_node_label(g, g->node[k]), sizeof label - 1);
        label[sizeof label - 1] = '\0';
        st = take(g, k, choice[k] == 1, folder, err);
        if (st != LOP_OK) lop_error_at(err, "node '%s' (If)", label);
        ++*taken;
    }
    lop_free(choice);
    return st == LOP_OK && *taken > 0 ? lop_graph_sort(g, err) : st;
}

lop_status lop_onnx_take_branches(lop_graph *g, const char *folder, int *count, lop_error *err)
{
    lop_status st = LOP_OK;
    *count = 0;
    for (int taken = 1; st == LOP_OK && taken > 0;) {
        bool any = false;
        for (int k = 0; k < g->nnode; k++) any = any || is_if(g->node[k]);
        if (!any) return LOP_OK;
        st = take_round(g, folder, &taken, err);
        *count += taken;
    }
    return st;
}

/* core/graph/graph.c - making, copying and looking into a graph. */
#include "graph/graph_impl.h"
#include <limits.h>
#include <stdio.h>
#include <string.h>

lop_status lop_graph_new(const lop_op_table *ops, lop_graph **out, lop_error *err)
{
    *out = lop_array(1, sizeof **out, err);
    if (!*out) return LOP_E_MEMORY;
    (*out)->ops = ops;
    return LOP_OK;
}

bool lop_value_is_initializer(const lop_value *v) { return v->constant.data || v->kept; }

static void value_free(lop_value *v)
{
    if (!v) return;
    for (int d = 0; d < LOP_MAX_DIMS; d++) lop_free(v->param[d]);
    lop_tensor_clear(&v->constant);
    lop_free(v->name);
    lop_free(v->raw);
    lop_free(v->foreign);
    lop_free(v->kept);
    lop_free(v);
}

void lop_graph_free(lop_graph *g)
{
    if (!g) return;
    for (int k = 0; k < g->nnode; k++) lop_node_free(g->node[k]);
    for (int k = 0; k < g->nvalue; k++) value_free(g->value[k]);
    for (int k = 0; k < g->nopset; k++) lop_free(g->opset[k].domain);
    for (int k = 0; k < g->nmeta; k++) {
        lop_free(g->meta[k].key);
        lop_free(g->meta[k].value);
    }
    char *const texts[] = {g->name, g->doc, g->producer, g->producer_version, g->model_domain, g->model_doc};
    for (size_t k = 0; k < sizeof texts / sizeof *texts; k++) lop_free(texts[k]);
    void *const blocks[] = {g->node, g->value, g->opset, g->meta, g->input, g->output, g->extra};
    for (size_t k = 0; k < sizeof blocks / sizeof *blocks; k++) lop_free(blocks[k]);
    lop_free(g);
}

/* ---- copying ---- */

static lop_status value_copy(const lop_value *from, lop_value **out, lop_error *err)
{
    lop_value *v = lop_array(1, sizeof *v, err);
    if (!v) return LOP_E_MEMORY;
    *v = (lop_value){.type = from->type, .shaped = from->shaped, .shape = from->shape,
                     .raw_length = from->raw_length, .kept_length = from->kept_length,
                     .kept_sparse = from->kept_sparse};
    lop_status st = lop_text_copy(&v->name, from->name, err);
    if (st == LOP_OK) st = lop_bytes_copy(&v->raw, from->raw, from->raw_length, err);
    if (st == LOP_OK) st = lop_text_copy(&v->foreign, from->foreign, err);
    if (st == LOP_OK) st = lop_bytes_copy(&v->kept, from->kept, from->kept_length, err);
    for (int d = 0; st == LOP_OK && d < LOP_MAX_DIMS; d++) st = lop_text_copy(&v->param[d], from->param[d], err);
    if (st == LOP_OK) lop_tensor_share(&v->constant, &from->constant);
    if (st == LOP_OK) *out = v;
    else value_free(v);
    return st;
}

static lop_status copy_texts(const lop_graph *from, lop_graph *to, lop_error *err)
{
    const char *const source[] = {from->name, from->doc, from->producer, from->producer_version,
                                  from->model_domain, from->model_doc};
    char **const target[] = {&to->name, &to->doc, &to->producer, &to->producer_version,
                             &to->model_domain, &to->model_doc};
    lop_status st = lop_bytes_copy(&to->extra, from->extra, from->extra_length, err);
    to->extra_length = from->extra_length;
    for (size_t k = 0; st == LOP_OK && k < sizeof source / sizeof *source; k++)
        st = lop_text_copy(target[k], source[k], err);
    return st;
}

static lop_status copy_tables(const lop_graph *from, lop_graph *to, lop_error *err)
{
    to->opset = lop_array(from->nopset, sizeof *to->opset, err);
    to->meta = lop_array(from->nmeta, sizeof *to->meta, err);
    if (!to->opset || !to->meta) return LOP_E_MEMORY;
    lop_status st = LOP_OK;
    for (; st == LOP_OK && to->nopset < from->nopset; to->nopset++) {
        to->opset[to->nopset].version = from->opset[to->nopset].version;
        st = lop_text_copy(&to->opset[to->nopset].domain, from->opset[to->nopset].domain, err);
    }
    for (; st == LOP_OK && to->nmeta < from->nmeta; to->nmeta++) {
        lop_pair *p = &to->meta[to->nmeta];
        st = lop_text_copy(&p->key, from->meta[to->nmeta].key, err);
        if (st == LOP_OK) st = lop_text_copy(&p->value, from->meta[to->nmeta].value, err);
    }
    return st;
}

static lop_status copy_network(const lop_graph *from, lop_graph *to, lop_error *err)
{
    to->value = lop_array(from->nvalue, sizeof *to->value, err);
    to->node = lop_array(from->nnode, sizeof *to->node, err);
    to->input = lop_array(from->ninput, sizeof *to->input, err);
    to->output = lop_array(from->noutput, sizeof *to->output, err);
    if (!to->value || !to->node || !to->input || !to->output) return LOP_E_MEMORY;
    to->value_capacity = from->nvalue;
    to->node_capacity = from->nnode;
    to->ninput = from->ninput;
    to->noutput = from->noutput;
    for (int k = 0; k < from->ninput; k++) to->input[k] = from->input[k];
    for (int k = 0; k < from->noutput; k++) to->output[k] = from->output[k];
    lop_status st = LOP_OK;
    for (; st == LOP_OK && to->nvalue < from->nvalue; to->nvalue++)
        st = value_copy(from->value[to->nvalue], &to->value[to->nvalue], err);
    for (; st == LOP_OK && to->nnode < from->nnode; to->nnode++)
        st = lop_node_copy(from->node[to->nnode], &to->node[to->nnode], err);
    return st;
}

lop_status lop_graph_clone(const lop_graph *g, lop_graph **out, lop_error *err)
{
    lop_graph *copy;
    *out = NULL;
    lop_status st = lop_graph_new(g->ops, &copy, err);
    if (st != LOP_OK) return st;
    copy->ir_version = g->ir_version;
    copy->model_version = g->model_version;
    st = copy_texts(g, copy, err);
    if (st == LOP_OK) st = copy_tables(g, copy, err);
    if (st == LOP_OK) st = copy_network(g, copy, err);
    if (st == LOP_OK) *out = copy;
    else lop_graph_free(copy);
    return st;
}

/* ---- looking up ---- */

int lop_graph_value(const lop_graph *g, const char *name)
{
    for (int v = 0; v < g->nvalue; v++)
        if (strcmp(g->value[v]->name, name) == 0) return v;
    return -1;
}

const char *lop_node_label(const lop_graph *g, const lop_node *n)
{
    if (n->name && n->name[0]) return n->name;
    for (int k = 0; k < n->nout; k++)
        if (n->out[k] >= 0) return g->value[n->out[k]]->name;
    return n->op;
}

int lop_graph_node(const lop_graph *g, const char *name)
{
    for (int k = 0; k < g->nnode; k++)
        if (name[0] && g->node[k]->name && strcmp(g->node[k]->name, name) == 0) return k;
    for (int k = 0; k < g->nnode; k++) {
        const lop_node *n = g->node[k];
        if (n->nout > 0 && n->out[0] >= 0 && strcmp(g->value[n->out[0]]->name, name) == 0) return k;
    }
    return -1;
}

static bool is_onnx(const char *domain) { return !domain || !domain[0] || strcmp(domain, "ai.onnx") == 0; }

static bool same_domain(const char *a, const char *b)
{
    return is_onnx(a) || is_onnx(b) ? is_onnx(a) && is_onnx(b) : strcmp(a, b) == 0;
}

int64_t lop_graph_opset(const lop_graph *g, const char *domain)
{
    for (int k = 0; k < g->nopset; k++)
        if (same_domain(g->opset[k].domain, domain)) return g->opset[k].version;
    return 0;
}

const lop_op *lop_op_find(const lop_op_table *t, const char *domain, const char *name)
{
    if (!t || !name || !is_onnx(domain)) return NULL;
    for (int low = 0, high = t->count; low < high;) {
        const int middle = low + (high - low) / 2, order = strcmp(name, t->op[middle].name);
        if (order == 0) return &t->op[middle];
        if (order < 0) high = middle;
        else low = middle + 1;
    }
    return NULL;
}

const char *lop_graph_meta(const lop_graph *g, const char *key)
{
    for (int k = 0; k < g->nmeta; k++)
        if (strcmp(g->meta[k].key, key) == 0) return g->meta[k].value;
    return NULL;
}

/* ---- changing ---- */

static lop_status append_meta(lop_graph *g, const char *key, char *value, lop_error *err)
{
    lop_pair *grown = lop_array((int64_t)g->nmeta + 1, sizeof *grown, err);
    char *name = grown ? lop_string(key, err) : NULL;
    if (!name) {
        lop_free(grown);
        lop_free(value);
        return LOP_E_MEMORY;
    }
    if (g->nmeta > 0) memcpy(grown, g->meta, (size_t)g->nmeta * sizeof *grown);
    grown[g->nmeta++] = (lop_pair){name, value};
    lop_free(g->meta);
    g->meta = grown;
    return LOP_OK;
}

lop_status lop_graph_set_meta(lop_graph *g, const char *key, const char *value, lop_error *err)
{
    char *copy = lop_string(value, err);
    if (!copy) return LOP_E_MEMORY;
    for (int k = 0; k < g->nmeta; k++)
        if (strcmp(g->meta[k].key, key) == 0) {
            lop_free(g->meta[k].value);
            g->meta[k].value = copy;
            return LOP_OK;
        }
    return append_meta(g, key, copy, err);
}

/* A name that no value has: `base`, or base_1, base_2, ... */
static char *fresh_name(const lop_graph *g, const char *base, lop_error *err)
{
    if (!base || !base[0]) base = "value";
    if (lop_graph_value(g, base) < 0) return lop_string(base, err);
    const size_t room = strlen(base) + 16;
    char *name = lop_array((int64_t)room, 1, err);
    for (int k = 1; name && k <= g->nvalue; k++) {      /* nvalue names can take nvalue - 1 of these at most */
        snprintf(name, room, "%s_%d", base, k);
        if (lop_graph_value(g, name) < 0) break;
    }
    return name;
}

lop_status lop_graph_add_value(lop_graph *g, const char *name, int *id, lop_error *err)
{
    void *block = g->value;
    *id = -1;
    if (g->nvalue == INT_MAX) return lop_fail(err, LOP_E_MEMORY, "the graph has %d values, no more fit", g->nvalue);
    lop_status st = lop_reserve(&block, &g->value_capacity, (int64_t)g->nvalue + 1, sizeof *g->value, err);
    g->value = block;
    if (st != LOP_OK) return st;
    lop_value *v = lop_array(1, sizeof *v, err);
    if (!v) return LOP_E_MEMORY;
    v->name = fresh_name(g, name, err);
    if (!v->name) {
        value_free(v);
        return LOP_E_MEMORY;
    }
    *id = g->nvalue;
    g->value[g->nvalue++] = v;
    return LOP_OK;
}

lop_status lop_graph_add_constant(lop_graph *g, const char *name, const lop_tensor *c, int *id, lop_error *err)
{
    lop_status st = lop_graph_add_value(g, name, id, err);
    if (st != LOP_OK) return st;
    lop_tensor_share(&g->value[*id]->constant, c);
    g->value[*id]->type = c->type;
    return LOP_OK;
}

static lop_node *new_node(const char *op, const char *name, const int *in, int nin, const int *out, int nout,
                          lop_error *err)
{
    lop_node *n = lop_array(1, sizeof *n, err);
    if (!n) return NULL;
    n->name = lop_string(name ? name : "", err);
    n->op = lop_string(op, err);
    n->domain = lop_string("", err);
    n->in = lop_array(nin, sizeof *n->in, err);
    n->out = lop_array(nout, sizeof *n->out, err);
    if (!n->name || !n->op || !n->domain || !n->in || !n->out) {
        lop_node_free(n);
        return NULL;
    }
    for (int k = 0; k < nin; k++) n->in[n->nin++] = in[k];
    for (int k = 0; k < nout; k++) n->out[n->nout++] = out[k];
    return n;
}

static int readers(const lop_graph *g, int v)
{
    int count = 0;
    for (int k = 0; k < g->nnode; k++)
        for (int i = 0; i < g->node[k]->nin; i++) count += g->node[k]->in[i] == v;
    for (int i = 0; i < g->noutput; i++) count += g->output[i] == v;
    return count;
}

void lop_value_set_constant(lop_value *v, const lop_tensor *c)
{
    lop_tensor next;
    lop_tensor_share(&next, c);
    lop_tensor_clear(&v->constant);
    v->constant = next;
    if (v->shaped) v->shape = c->shape;
}

lop_status lop_graph_replace_constant(lop_graph *g, lop_node *n, int slot, const lop_tensor *c, lop_error *err)
{
    lop_value *old = slot < n->nin && n->in[slot] >= 0 ? g->value[n->in[slot]] : NULL;
    if (!old || !old->constant.data)
        return lop_fail(err, LOP_E_ARG, "node '%s' (%s): input %d is no initializer", lop_node_label(g, n), n->op,
                        slot + 1);
    if (readers(g, n->in[slot]) > 1) return lop_graph_add_constant(g, old->name, c, &n->in[slot], err);
    lop_value_set_constant(old, c);
    return LOP_OK;
}

lop_status lop_graph_insert(lop_graph *g, int at, const char *op, const char *name, const int *in, int nin,
                            const int *out, int nout, lop_node **node, lop_error *err)
{
    void *block = g->node;
    if (node) *node = NULL;
    if (at < 0 || at > g->nnode)
        return lop_fail(err, LOP_E_ARG, "position %d is not in a graph of %d nodes", at, g->nnode);
    lop_status st = lop_reserve(&block, &g->node_capacity, (int64_t)g->nnode + 1, sizeof *g->node, err);
    g->node = block;
    if (st != LOP_OK) return st;
    lop_node *n = new_node(op, name, in, nin, out, nout, err);
    if (!n) return LOP_E_MEMORY;
    memmove(g->node + at + 1, g->node + at, (size_t)(g->nnode - at) * sizeof *g->node);
    g->node[at] = n;
    g->nnode++;
    if (node) *node = n;
    return LOP_OK;
}

void lop_graph_remove_node(lop_graph *g, int at)
{
    lop_node_free(g->node[at]);
    g->nnode--;
    memmove(g->node + at, g->node + at + 1, (size_t)(g->nnode - at) * sizeof *g->node);
}

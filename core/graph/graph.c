/* core/graph/graph.c - the graph itself: making, copying, sorting, and who reads what. */
#include "graph/graph_impl.h"
#include <stdio.h>
#include <string.h>

lop_status lop_graph_new(const lop_op_table *ops, lop_graph **out, lop_error *err)
{
    *out = lop_array(1, sizeof **out, err);
    if (!*out) return LOP_E_MEMORY;
    (*out)->ops = ops;
    return LOP_OK;
}

void graph_node_free(lop_node *n)
{
    if (!n) return;
    for (int i = 0; i < n->nattr; i++) graph_attr_clear(&n->attr[i]);
    lop_free(n->attr);
    lop_free(n->name);
    lop_free(n->op);
    lop_free(n->domain);
    lop_free(n->doc);
    lop_free(n->in);
    lop_free(n->out);
    lop_free(n);
}

static void value_free(lop_value *v)
{
    if (!v) return;
    for (int d = 0; d < LOP_MAX_DIMS; d++) lop_free(v->param[d]);
    lop_tensor_clear(&v->constant);
    lop_free(v->name);
    lop_free(v->raw);
    lop_free(v);
}

void lop_graph_free(lop_graph *g)
{
    if (!g) return;
    for (int k = 0; k < g->nnode; k++) graph_node_free(g->node[k]);
    for (int v = 0; v < g->nvalue; v++) value_free(g->value[v]);
    for (int i = 0; i < g->nopset; i++) lop_free(g->opset[i].domain);
    for (int i = 0; i < g->nmeta; i++) {
        lop_free(g->meta[i].key);
        lop_free(g->meta[i].value);
    }
    void *blocks[] = {g->name, g->doc, g->producer, g->producer_version, g->model_domain, g->model_doc, g->opset, g->meta,
                      g->value, g->node, g->input, g->output, g->extra};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) lop_free(blocks[i]);
    lop_free(g);
}

static char *copy_text(const char *s, lop_status *st, lop_error *err)
{
    char *copy = s ? lop_string(s, err) : NULL;
    if (s && !copy) *st = LOP_E_MEMORY;
    return copy;
}

static int *copy_list(const int *list, int n, lop_status *st, lop_error *err)
{
    int *copy = lop_array(n, sizeof *copy, err);
    if (!copy) *st = LOP_E_MEMORY;
    else if (n > 0) memcpy(copy, list, (size_t)n * sizeof *copy);
    return copy;
}

static lop_status copy_value(const lop_value *from, lop_value **out, lop_error *err)
{
    lop_status st = LOP_OK;
    lop_value *v = *out = lop_array(1, sizeof *v, err);
    if (!v) return LOP_E_MEMORY;
    *v = (lop_value){.type = from->type, .shaped = from->shaped, .shape = from->shape, .raw_length = from->raw_length};
    lop_tensor_share(&v->constant, &from->constant);
    v->name = copy_text(from->name, &st, err);
    for (int d = 0; d < LOP_MAX_DIMS; d++) v->param[d] = copy_text(from->param[d], &st, err);
    if (from->raw) v->raw = (uint8_t *)lop_string_n((const char *)from->raw, from->raw_length, err);
    return from->raw && !v->raw ? LOP_E_MEMORY : st;
}

static lop_status copy_node(const lop_node *from, lop_node **out, lop_error *err)
{
    lop_status st = LOP_OK;
    lop_node *n = *out = lop_array(1, sizeof *n, err);
    if (!n) return LOP_E_MEMORY;
    n->name = copy_text(from->name, &st, err);
    n->op = copy_text(from->op, &st, err);
    n->domain = copy_text(from->domain, &st, err);
    n->doc = copy_text(from->doc, &st, err);
    n->in = copy_list(from->in, from->nin, &st, err);
    n->out = copy_list(from->out, from->nout, &st, err);
    n->nin = from->nin;
    n->nout = from->nout;
    n->attr = lop_array(from->nattr, sizeof *n->attr, err);
    if (!n->attr) st = LOP_E_MEMORY;
    for (int i = 0; st == LOP_OK && i < from->nattr; i++) {
        n->nattr = i + 1;
        st = graph_attr_copy(&n->attr[i], &from->attr[i], err);
    }
    return st;
}

static lop_status copy_header(lop_graph *c, const lop_graph *g, lop_error *err)
{
    lop_status st = LOP_OK;
    c->ir_version = g->ir_version;
    c->model_version = g->model_version;
    c->name = copy_text(g->name, &st, err);
    c->doc = copy_text(g->doc, &st, err);
    c->producer = copy_text(g->producer, &st, err);
    c->producer_version = copy_text(g->producer_version, &st, err);
    c->model_domain = copy_text(g->model_domain, &st, err);
    c->model_doc = copy_text(g->model_doc, &st, err);
    c->input = copy_list(g->input, g->ninput, &st, err);
    c->output = copy_list(g->output, g->noutput, &st, err);
    c->ninput = g->ninput;
    c->noutput = g->noutput;
    c->opset = lop_array(g->nopset, sizeof *c->opset, err);
    if (!c->opset) return LOP_E_MEMORY;
    for (int i = 0; i < g->nopset; i++) {
        c->opset[i] = (lop_opset){copy_text(g->opset[i].domain, &st, err), g->opset[i].version};
        c->nopset = i + 1;
    }
    for (int i = 0; st == LOP_OK && i < g->nmeta; i++) st = lop_graph_set_meta(c, g->meta[i].key, g->meta[i].value, err);
    if (g->extra && st == LOP_OK) {
        c->extra = (uint8_t *)lop_string_n((const char *)g->extra, g->extra_length, err);
        c->extra_length = g->extra_length;
        if (!c->extra) st = LOP_E_MEMORY;
    }
    return st;
}

lop_status lop_graph_clone(const lop_graph *g, lop_graph **out, lop_error *err)
{
    lop_status st = lop_graph_new(g->ops, out, err);
    if (st != LOP_OK) return st;
    lop_graph *c = *out;
    st = copy_header(c, g, err);
    c->value = lop_array(g->nvalue, sizeof *c->value, err);
    c->node = lop_array(g->nnode, sizeof *c->node, err);
    if (!c->value || !c->node) st = LOP_E_MEMORY;
    c->value_capacity = g->nvalue;
    c->node_capacity = g->nnode;
    for (int v = 0; st == LOP_OK && v < g->nvalue; v++) {
        c->nvalue = v + 1;
        st = copy_value(g->value[v], &c->value[v], err);
    }
    for (int k = 0; st == LOP_OK && k < g->nnode; k++) {
        c->nnode = k + 1;
        st = copy_node(g->node[k], &c->node[k], err);
    }
    if (st != LOP_OK) {
        lop_graph_free(c);
        *out = NULL;
    }
    return st;
}

int lop_graph_value(const lop_graph *g, const char *name)
{
    for (int v = 0; v < g->nvalue; v++)
        if (strcmp(g->value[v]->name, name) == 0) return v;
    return -1;
}

int lop_graph_node(const lop_graph *g, const char *name)
{
    for (int k = 0; k < g->nnode; k++)
        if (*name && strcmp(g->node[k]->name, name) == 0) return k;
    for (int k = 0; k < g->nnode; k++)
        if (strcmp(lop_node_label(g, g->node[k]), name) == 0) return k;
    return -1;
}

const char *lop_node_label(const lop_graph *g, const lop_node *n)
{
    if (*n->name) return n->name;
    for (int i = 0; i < n->nout; i++)
        if (n->out[i] >= 0) return g->value[n->out[i]]->name;
    return "";
}

lop_status lop_graph_add_value(lop_graph *g, const char *name, int *id, lop_error *err)
{
    char fresh[256];
    snprintf(fresh, sizeof fresh, "%s", name ? name : "value");
    if (!name || lop_graph_value(g, name) >= 0)
        for (int i = 1; lop_graph_value(g, fresh) >= 0; i++) snprintf(fresh, sizeof fresh, "%.200s_%d", name ? name : "value", i);
    const bool own = !name || lop_graph_value(g, name) >= 0;
    if (g->nvalue == INT32_MAX) return lop_fail(err, LOP_E_MEMORY, "too many values");
    lop_status st = lop_reserve((void **)&g->value, &g->value_capacity, g->nvalue + 1, sizeof *g->value, err);
    lop_value *v = st == LOP_OK ? lop_array(1, sizeof *v, err) : NULL;
    if (v) v->name = lop_string(own ? fresh : name, err);
    if (!v || !v->name) {
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
    if (st == LOP_OK) lop_tensor_share(&g->value[*id]->constant, c);
    return st;
}

lop_status lop_graph_insert(lop_graph *g, int at, const char *op, const char *name, const int *in, int nin, const int *out,
                            int nout, lop_node **node, lop_error *err)
{
    lop_status st = at < 0 || at > g->nnode ? lop_fail(err, LOP_E_ARG, "position %d of %d nodes", at, g->nnode) : LOP_OK;
    if (st == LOP_OK) st = lop_reserve((void **)&g->node, &g->node_capacity, g->nnode + 1, sizeof *g->node, err);
    lop_node *n = st == LOP_OK ? lop_array(1, sizeof *n, err) : NULL;
    if (!n) return st == LOP_OK ? LOP_E_MEMORY : st;
    n->op = copy_text(op, &st, err);
    n->name = copy_text(name ? name : "", &st, err);
    n->domain = copy_text("", &st, err);
    n->in = copy_list(in, nin, &st, err);
    n->out = copy_list(out, nout, &st, err);
    n->nin = nin;
    n->nout = nout;
    if (st != LOP_OK) {
        graph_node_free(n);
        return st;
    }
    memmove(g->node + at + 1, g->node + at, (size_t)(g->nnode - at) * sizeof *g->node);
    g->node[at] = n;
    g->nnode++;
    if (node) *node = n;
    return LOP_OK;
}

void lop_graph_remove_node(lop_graph *g, int at)
{
    graph_node_free(g->node[at]);
    g->nnode--;
    memmove(g->node + at, g->node + at + 1, (size_t)(g->nnode - at) * sizeof *g->node);
}

lop_status lop_graph_prune_dead(lop_graph *g, lop_error *err)
{
    bool *live = lop_array(g->nvalue, sizeof *live, err);
    if (!live) return LOP_E_MEMORY;
    for (int i = 0; i < g->noutput; i++) live[g->output[i]] = true;
    for (int k = g->nnode - 1; k >= 0; k--) {
        const lop_node *n = g->node[k];
        bool needed = false;
        for (int i = 0; i < n->nout; i++) needed = needed || (n->out[i] >= 0 && live[n->out[i]]);
        for (int i = 0; needed && i < n->nin; i++)
            if (n->in[i] >= 0) live[n->in[i]] = true;
        if (!needed) lop_graph_remove_node(g, k);
    }
    int inputs = 0;
    for (int i = 0; i < g->ninput; i++) {               /* initializers listed as inputs go with them */
        const int v = g->input[i];
        if (live[v] || !g->value[v]->constant.data) g->input[inputs++] = v;
    }
    g->ninput = inputs;
    for (int v = 0; v < g->nvalue; v++)
        if (!live[v]) lop_tensor_clear(&g->value[v]->constant);
    lop_free(live);
    return LOP_OK;
}

lop_status lop_graph_uses(const lop_graph *g, lop_uses *out, lop_error *err)
{
    int64_t reads = 0;
    for (int k = 0; k < g->nnode; k++) reads += g->node[k]->nin;
    *out = (lop_uses){.nvalue = g->nvalue};
    out->producer = lop_array(g->nvalue, sizeof *out->producer, err);
    out->first = lop_array(g->nvalue + 2, sizeof *out->first, err);
    out->reader = lop_array(reads, sizeof *out->reader, err);
    if (!out->producer || !out->first || !out->reader) {
        lop_uses_free(out);
        return LOP_E_MEMORY;
    }
    for (int v = 0; v < g->nvalue; v++) out->producer[v] = -1;
    int *end = out->first + 1;          /* counts, then where each value's readers begin, then (once filled) end */
    for (int k = 0; k < g->nnode; k++) {
        const lop_node *n = g->node[k];
        for (int i = 0; i < n->nout; i++)
            if (n->out[i] >= 0) out->producer[n->out[i]] = k;
        for (int i = 0; i < n->nin; i++)
            if (n->in[i] >= 0) end[n->in[i] + 1]++;
    }
    for (int v = 1; v <= g->nvalue; v++) end[v] += end[v - 1];
    for (int k = 0; k < g->nnode; k++)
        for (int i = 0; i < g->node[k]->nin; i++)
            if (g->node[k]->in[i] >= 0) out->reader[end[g->node[k]->in[i]]++] = k;
    return LOP_OK;
}

void lop_uses_free(lop_uses *u)
{
    lop_free(u->producer);
    lop_free(u->first);
    lop_free(u->reader);
    *u = (lop_uses){0};
}

/* May node n run: is every value it reads an input, an initializer or made already? */
static bool ready(const lop_node *n, const bool *made)
{
    for (int i = 0; i < n->nin; i++)
        if (n->in[i] >= 0 && !made[n->in[i]]) return false;
    return true;
}

lop_status lop_graph_sort(lop_graph *g, lop_error *err)
{
    bool *made = lop_array(g->nvalue, sizeof *made, err);
    lop_node **order = lop_array(g->nnode, sizeof *order, err);
    lop_status st = made && order ? LOP_OK : LOP_E_MEMORY;
    int done = 0;
    for (int v = 0; st == LOP_OK && v < g->nvalue; v++) made[v] = g->value[v]->constant.data != NULL;
    for (int i = 0; st == LOP_OK && i < g->ninput; i++) made[g->input[i]] = true;
    for (bool moved = st == LOP_OK; moved && done < g->nnode;) {        /* one pass for a file in order, as most are */
        moved = false;
        for (int k = 0; k < g->nnode; k++) {
            lop_node *n = g->node[k];
            if (!n || !ready(n, made)) continue;
            for (int i = 0; i < n->nout; i++)
                if (n->out[i] >= 0) made[n->out[i]] = true;
            order[done++] = n;
            g->node[k] = NULL;
            moved = true;
        }
    }
    for (int k = 0, at = done; order && k < g->nnode; k++) {
        if (!g->node[k]) continue;
        const lop_node *n = g->node[k];
        for (int i = 0; st == LOP_OK && i < n->nin; i++)
            if (n->in[i] >= 0 && !made[n->in[i]])
                st = lop_fail(err, LOP_E_FORMAT, "node '%s' (%s) reads '%s', which nothing makes before it: a cycle, or a gap",
                              lop_node_label(g, n), n->op, g->value[n->in[i]]->name);
        order[at++] = g->node[k];
    }
    if (order && g->nnode) memcpy(g->node, order, (size_t)g->nnode * sizeof *order);
    lop_free(made);
    lop_free(order);
    return st;
}

int64_t lop_graph_opset(const lop_graph *g, const char *domain)
{
    const char *want = strcmp(domain, "ai.onnx") == 0 ? "" : domain;
    for (int i = 0; i < g->nopset; i++) {
        const char *have = strcmp(g->opset[i].domain, "ai.onnx") == 0 ? "" : g->opset[i].domain;
        if (strcmp(have, want) == 0) return g->opset[i].version;
    }
    return 0;
}

const char *lop_graph_meta(const lop_graph *g, const char *key)
{
    for (int i = 0; i < g->nmeta; i++)
        if (strcmp(g->meta[i].key, key) == 0) return g->meta[i].value;
    return NULL;
}

lop_status lop_graph_set_meta(lop_graph *g, const char *key, const char *value, lop_error *err)
{
    char *copy = lop_string(value, err);
    if (!copy) return LOP_E_MEMORY;
    for (int i = 0; i < g->nmeta; i++)
        if (strcmp(g->meta[i].key, key) == 0) {
            lop_free(g->meta[i].value);
            g->meta[i].value = copy;
            return LOP_OK;
        }
    int64_t capacity = g->nmeta;
    lop_status st = lop_reserve((void **)&g->meta, &capacity, g->nmeta + 1, sizeof *g->meta, err);
    char *name = st == LOP_OK ? lop_string(key, err) : NULL;
    if (!name) {
        lop_free(copy);
        return LOP_E_MEMORY;
    }
    g->meta[g->nmeta++] = (lop_pair){name, copy};
    return LOP_OK;
}

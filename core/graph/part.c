/* core/graph/part.c - a layer that reads a part of its input's channels, makes a part of its output's, or nothing. */
#include "graph/graph_impl.h"
#include <stdio.h>
#include <string.h>

lop_status lop_node_name_with(const lop_graph *g, const lop_node *n, const char *ending, char **out, lop_error *err)
{
    const char *label = lop_node_label(g, n);
    const size_t room = strlen(label) + strlen(ending) + 1;
    *out = lop_array((int64_t)room, 1, err);
    if (*out) snprintf(*out, room, "%s%s", label, ending);
    return *out ? LOP_OK : LOP_E_MEMORY;
}

lop_status lop_graph_sample(lop_graph *g, int node, const int64_t *channel, int64_t count, lop_error *err)
{
    if (node < 0 || node >= g->nnode || g->node[node]->nin < 1)
        return lop_fail(err, LOP_E_ARG, "no node #%d that reads anything", node);
    lop_node *n = g->node[node], *made = NULL;
    lop_tensor index = {0};
    char *name = NULL;
    int part = -1, list = -1;
    lop_status st = lop_tensor_init(&index, LOP_I64, &(lop_shape){1, {count}}, err);
    if (st == LOP_OK) memcpy(index.data, channel, (size_t)count * sizeof *channel);
    if (st == LOP_OK) st = lop_node_name_with(g, n, "/read", &name, err);
    if (st == LOP_OK) st = lop_graph_add_value(g, name, &part, err);
    if (st == LOP_OK) st = lop_graph_add_constant(g, name, &index, &list, err);
    if (st == LOP_OK) {
        const int in[2] = {n->in[0], list};
        st = lop_graph_insert(g, node, "Gather", name, in, 2, &part, 1, &made, err);
    }
    if (st == LOP_OK) st = lop_node_set_int(made, "axis", 1, err);
    if (st == LOP_OK) n->in[0] = part;
    lop_free(name);
    lop_tensor_clear(&index);
    return st;
}

static lop_status check_writer(const lop_graph *g, const lop_node *n, const int64_t *channel, int64_t count,
                               const lop_tensor *rest, lop_error *err)
{
    const char *label = lop_node_label(g, n);
    const lop_tensor *w = n->nin > 1 ? &g->value[n->in[1]]->constant : NULL;
    const bool biased = n->nin > 2 && n->in[2] >= 0;
    if (strcmp(n->op, "Conv") != 0 || !w || !w->data || w->shape.ndim != 4 || lop_node_int(n, "group", 1) != 1 ||
        (biased && !g->value[n->in[2]]->constant.data))
        return lop_fail(err, LOP_E_UNSUPPORTED,
                        "node '%s' (%s): only a 2-D convolution of one group with constant weights may "
                        "write a part of its channels", label, n->op);
    const int64_t filters = w->shape.dim[0];
    bool fits = count > 0 && count <= filters && rest->type == LOP_F32 && lop_tensor_size(rest) == filters;
    for (int64_t i = 0; fits && i < count; i++)
        fits = channel[i] >= 0 && channel[i] < filters && (i == 0 || channel[i] > channel[i - 1]);
    if (!fits) return lop_fail(err, LOP_E_ARG, "node '%s' (Conv): channels ascending, fewer than its %lld filters, and "
                               "a value for each filter", label, (long long)filters);
    return LOP_OK;
}

static lop_status keep_rows(lop_graph *g, lop_node *n, int slot, const int64_t *channel, int64_t count, lop_error *err)
{
    lop_tensor part = {0};
    lop_status st = lop_tensor_index(&part, &g->value[n->in[slot]]->constant, 0, channel, count, err);
    if (st == LOP_OK) st = lop_graph_replace_constant(g, n, slot, &part, err);
    lop_tensor_clear(&part);
    return st;
}

/* A node behind number `at`: what it reads; its output is `out`, or new where < 0. */
typedef struct { int at, read, out; } link;
static lop_status put_behind(lop_graph *g, const lop_node *n, const char *op, const char *ending,
                             const lop_tensor *constant, link *l, lop_node **made, lop_error *err)
{
    char *name = NULL;
    int in[2] = {l->read, -1};
    lop_status st = lop_node_name_with(g, n, ending, &name, err);
    if (st == LOP_OK && constant) st = lop_graph_add_constant(g, name, constant, &in[1], err);
    if (st == LOP_OK && l->out < 0) st = lop_graph_add_value(g, name, &l->out, err);
    if (st == LOP_OK) st = lop_graph_insert(g, l->at + 1, op, name, in, constant ? 2 : 1, &l->out, 1, made, err);
    lop_free(name);
    *l = (link){l->at + 1, l->out, -1};
    return st;
}

/* One channel of zeros behind those that are made: from opset 11 on the pads are an input. */
static lop_status put_zeros(lop_graph *g, const lop_node *n, link *l, lop_error *err)
{
    static const int64_t pads[8] = {0, 0, 0, 0, 0, 1, 0, 0};
    const bool is_input = lop_graph_opset(g, "") >= 11;
    lop_tensor t = {0};
    lop_node *made = NULL;
    lop_status st = lop_tensor_init(&t, LOP_I64, &(lop_shape){1, {8}}, err);
    if (st == LOP_OK) memcpy(t.data, pads, sizeof pads);
    if (st == LOP_OK) st = put_behind(g, n, "Pad", "/zero", is_input ? &t : NULL, l, &made, err);
    if (st == LOP_OK && !is_input) st = lop_node_set_ints(made, "pads", pads, 8, err);
    lop_tensor_clear(&t);
    return st;
}

/* Every channel from where it is made, the others from the zeros. */
static lop_status put_places(lop_graph *g, const lop_node *n, const int64_t *channel, int64_t count, int64_t filters,
                             link *l, lop_error *err)
{
    lop_tensor t = {0};
    lop_node *made = NULL;
    lop_status st = lop_tensor_init(&t, LOP_I64, &(lop_shape){1, {filters}}, err);
    int64_t *place = t.data;
    for (int64_t f = 0; st == LOP_OK && f < filters; f++) place[f] = count;
    for (int64_t i = 0; st == LOP_OK && i < count; i++) place[channel[i]] = i;
    if (st == LOP_OK) st = put_behind(g, n, "Gather", "/write", &t, l, &made, err);
    if (st == LOP_OK) st = lop_node_set_int(made, "axis", 1, err);
    lop_tensor_clear(&t);
    return st;
}

static lop_status put_rest(lop_graph *g, const lop_node *n, const int64_t *channel, int64_t count,
                           const lop_tensor *rest, int output, link *l, lop_error *err)
{
    const int64_t filters = lop_tensor_size(rest);
    lop_tensor t = {0};
    lop_node *made = NULL;
    lop_status st = lop_tensor_init(&t, LOP_F32, &(lop_shape){4, {1, filters, 1, 1}}, err);
    float *value = t.data;
    if (st == LOP_OK) memcpy(value, rest->data, (size_t)filters * sizeof *value);
    for (int64_t i = 0; st == LOP_OK && i < count; i++) value[channel[i]] = 0.0f;
    l->out = output;
    if (st == LOP_OK) st = put_behind(g, n, "Add", "/rest", &t, l, &made, err);
    lop_tensor_clear(&t);
    return st;
}

lop_status lop_graph_write_part(lop_graph *g, int node, const int64_t *channel, int64_t count, const lop_tensor *rest,
                                lop_error *err)
{
    if (node < 0 || node >= g->nnode) return lop_fail(err, LOP_E_ARG, "no node #%d", node);
    lop_node *n = g->node[node];
    lop_status st = check_writer(g, n, channel, count, rest, err);
    if (st != LOP_OK) return st;
    const int output = n->out[0];
    char *name = NULL;
    int part = -1;
    st = lop_node_name_with(g, n, "/part", &name, err);
    if (st == LOP_OK) st = keep_rows(g, n, 1, channel, count, err);
    if (st == LOP_OK && n->nin > 2 && n->in[2] >= 0) st = keep_rows(g, n, 2, channel, count, err);
    if (st == LOP_OK) st = lop_graph_add_value(g, name, &part, err);
    lop_free(name);
    if (st != LOP_OK) return st;
    n->out[0] = part;
    link l = {node, part, -1};
    st = put_zeros(g, n, &l, err);
    if (st == LOP_OK) st = put_places(g, n, channel, count, lop_tensor_size(rest), &l, err);
    if (st == LOP_OK) st = put_rest(g, n, channel, count, rest, output, &l, err);
    return st;
}

/* ---- a node gone, its output a constant ---- */

/* The shape that a value is given: t's, or (1, n, 1, ..) of as many dimensions as it has; 4 where not known. */
static lop_status constant_shape(const lop_graph *g, const lop_node *n, const lop_tensor *t, lop_shape *made,
                                 lop_error *err)
{
    *made = t->shape;
    if (t->shape.ndim != 1) return LOP_OK;
    lop_shapes s;
    lop_status st = lop_graph_infer_known(g, &s, err);
    if (st != LOP_OK) return st;
    const int64_t values = t->shape.dim[0];
    const bool known = s.known[n->out[0]];
    const lop_shape now = known ? s.value[n->out[0]].shape : (lop_shape){4, {1, values, 1, 1}};
    if (now.ndim < 2 || now.dim[1] != values)
        st = lop_fail(err, LOP_E_SHAPE, "node '%s': %lld values for its %lld channels", lop_node_label(g, n),
                      (long long)values, (long long)(now.ndim < 2 ? 0 : now.dim[1]));
    *made = (lop_shape){now.ndim, {1, values}};
    for (int d = 2; d < now.ndim; d++) made->dim[d] = 1;
    lop_shapes_clear(&s);
    return st;
}

/* A constant in a value's place, under its name. It comes after all values there are, as it does where the graph is
 * read from a file that was written in between: both are then written alike. */
static lop_status replace_value(lop_graph *g, int value, const lop_tensor *t, lop_error *err)
{
    int id = -1;
    const lop_status st = lop_graph_add_constant(g, g->value[value]->name, t, &id, err);
    if (st != LOP_OK) return st;
    char *name = g->value[id]->name;
    g->value[id]->name = g->value[value]->name;
    g->value[value]->name = name;
    for (int k = 0; k < g->nnode; k++)
        for (int i = 0; i < g->node[k]->nin; i++)
            if (g->node[k]->in[i] == value) g->node[k]->in[i] = id;
    return LOP_OK;
}

lop_status lop_graph_make_constant(lop_graph *g, int node, const lop_tensor *t, lop_error *err)
{
    if (node < 0 || node >= g->nnode || g->node[node]->nout != 1)
        return lop_fail(err, LOP_E_ARG, "no node #%d of one output", node);
    const int out = g->node[node]->out[0];
    for (int k = 0; k < g->noutput; k++)
        if (g->output[k] == out)
            return lop_fail(err, LOP_E_ARG, "node '%s': its output is the graph's", lop_node_label(g, g->node[node]));
    lop_tensor made = {0};
    lop_shape shape;
    lop_status st = constant_shape(g, g->node[node], t, &shape, err);
    if (st == LOP_OK) st = lop_tensor_init(&made, t->type, &shape, err);
    if (st != LOP_OK) return st;
    memcpy(made.data, t->data, lop_tensor_bytes(t));
    st = replace_value(g, out, &made, err);
    lop_tensor_clear(&made);
    if (st != LOP_OK) return st;
    lop_graph_remove_node(g, node);
    return lop_graph_prune_dead(g, err);
}

/* core/exec/exec_fuse.c - nodes to steps. A convolution takes what follows it into its store: a batch normalisation
 * (into the packed weights), a residual addition, a ReLU or Clip; and a Gather of channels before it into its packing -
 * each only where nothing else reads the value between. */
#include "exec/exec_impl.h"
#include <string.h>

typedef struct {
    lop_exec *e;
    const lop_uses *uses;
    const bool *need;
    bool *taken;                /* by node: part of a step already */
    bool *joined;               /* by node: a Gather that the convolution behind it does */
    const int *made;            /* by value: position of the node that makes it, -1 for given and constants */
    lop_cpu cpu;
} fusion;

/* The only node that reads v, if it is one that runs and v is not wanted itself; else -1. */
static int sole_reader(const fusion *f, int v)
{
    const lop_uses *u = f->uses;
    if (u->first[v + 1] - u->first[v] != 1) return -1;
    for (int i = 0; i < f->e->nwanted; i++)
        if (f->e->wanted[i] == v) return -1;
    for (int i = 0; i < f->e->ngiven; i++)
        if (f->e->given[i] == v) return -1;
    const int k = u->reader[u->first[v]];
    return f->need[k] && !f->taken[k] ? k : -1;
}

static bool is(const lop_node *n, const char *op) { return strcmp(n->op, op) == 0 && !*n->domain; }

static bool given(const lop_exec *e, int v)
{
    for (int i = 0; i < e->ngiven; i++)
        if (e->given[i] == v) return true;
    return false;
}

/* w (n, inner) and b (n) become those of convolution and batch normalisation together, in float64. */
static lop_status take_norm(const fusion *f, int k, int64_t n, int64_t inner, float *w, float *b, lop_error *err)
{
    exec_arguments a;
    lop_op_call call;
    lop_status st = exec_call(f->e, f->e->graph->node[k], &a, &call, err);
    float *scale = lop_array(n, sizeof *scale, err), *shift = lop_array(n, sizeof *shift, err);
    if (st == LOP_OK && (!scale || !shift)) st = LOP_E_MEMORY;
    if (st == LOP_OK) st = lop_ops_bn_affine(&call, scale, shift, err);
    for (int64_t j = 0; st == LOP_OK && j < n; j++) {
        for (int64_t i = 0; i < inner; i++) w[j * inner + i] *= scale[j];
        b[j] = (float)((double)b[j] * (double)scale[j] + (double)shift[j]);
    }
    lop_free(scale);
    lop_free(shift);
    return st;
}

static bool constants(const lop_exec *e, const lop_node *n, int from)
{
    for (int i = from; i < n->nin; i++)
        if (n->in[i] >= 0 && !exec_is_const(e, n->in[i])) return false;
    return true;
}

/* An addition of v and a value of the same shape that is there before step k. */
static int other_summand(const fusion *f, const lop_node *n, int v, int k)
{
    if (!is(n, "Add") || n->nin != 2) return -1;
    const int other = n->in[0] == v ? n->in[1] : n->in[0];
    const lop_exec *e = f->e;
    if (other == v || other < 0 || exec_is_const(e, other) || !e->shapes.known[other]) return -1;
    if (!lop_shape_equal(&e->shapes.value[other].shape, &e->shapes.value[v].shape)) return -1;
    return given(e, other) || f->made[other] < k ? other : -1;
}

/* Takes an activation that reads s->out. */
static lop_status take_act(fusion *f, exec_step *s, lop_error *err)
{
    const int k = sole_reader(f, s->out);
    if (k < 0) return LOP_OK;
    const lop_node *n = f->e->graph->node[k];
    lop_status st = LOP_OK;
    if (is(n, "Relu")) {
        s->act = LOP_ACT_RELU;
    } else if (is(n, "Clip") && constants(f->e, n, 1)) {
        exec_arguments a;
        lop_op_call call;
        st = exec_call(f->e, n, &a, &call, err);
        if (st == LOP_OK) st = lop_ops_clip_range(&call, &s->low, &s->high, err);
        s->act = LOP_ACT_CLIP;
    } else {
        return LOP_OK;
    }
    f->taken[k] = true;
    s->out = n->out[0];
    return st;
}

/* The channels of x that node k, a Gather along the second axis by constants, takes; NULL where it is none, or not
 * that. lop_free it. */
static lop_status gathered(const fusion *f, int k, int64_t **channel, lop_error *err)
{
    const lop_exec *e = f->e;
    const lop_node *n = e->graph->node[k];
    *channel = NULL;
    if (!is(n, "Gather") || n->nin != 2 || !constants(e, n, 1) || exec_is_const(e, n->in[0])) return LOP_OK;
    const lop_tensor *x = &e->shapes.value[n->in[0]], *index = &e->shapes.value[n->in[1]];
    const int64_t axis = lop_node_int(n, "axis", 0), count = lop_tensor_size(index);
    if (x->type != LOP_F32 || x->shape.ndim != 4 || (axis != 1 && axis != -3) || index->shape.ndim != 1 || count < 1)
        return LOP_OK;
    int64_t *list = lop_array(count, sizeof *list, err);
    if (!list) return LOP_E_MEMORY;
    for (int64_t i = 0; i < count; i++) {
        const int64_t at = (int64_t)lop_tensor_get(index, i);
        list[i] = at < 0 ? at + x->shape.dim[1] : at;
        if (list[i] >= 0 && list[i] < x->shape.dim[1]) continue;
        lop_free(list);                                 /* the operator says what is wrong */
        return LOP_OK;
    }
    *channel = list;
    return LOP_OK;
}

/* Whether node k does nothing but choose channels for one convolution of one group, whose packing can do it. */
static lop_status joins_conv(const fusion *f, int k, bool *joins, lop_error *err)
{
    const lop_exec *e = f->e;
    const lop_node *n = e->graph->node[k];
    *joins = false;
    const int next = is(n, "Gather") && n->nout == 1 ? sole_reader(f, n->out[0]) : -1;
    const lop_node *conv = next >= 0 ? e->graph->node[next] : NULL;
    if (!conv || !is(conv, "Conv") || !constants(e, conv, 1) || lop_node_int(conv, "group", 1) != 1) return LOP_OK;
    int64_t *channel;
    const lop_status st = gathered(f, k, &channel, err);
    *joins = channel != NULL;
    lop_free(channel);
    return st;
}

/* The Gather that a convolution's plan is to do as well. */
static lop_status take_gather(const fusion *f, const lop_node *n, exec_step *s, lop_error *err)
{
    const int k = f->made[n->in[0]];
    int64_t *channel = NULL;
    if (k < 0 || !f->joined[k]) return LOP_OK;
    lop_status st = gathered(f, k, &channel, err);
    if (st == LOP_OK) st = lop_conv_plan_gather(s->plan, channel, err);
    lop_free(channel);
    s->in = f->e->graph->node[k]->in[0];
    return st;
}

static lop_status fill_conv(fusion *f, int k, bool fuse, const lop_conv *conv, exec_step *s, lop_error *err)
{
    const lop_exec *e = f->e;
    const lop_node *n = e->graph->node[k];
    const lop_tensor *w = &e->shapes.value[n->in[1]];
    const lop_tensor *b = n->nin > 2 && n->in[2] >= 0 ? &e->shapes.value[n->in[2]] : NULL;
    const int64_t inner = lop_tensor_size(w) / conv->n;
    lop_tensor own = {0};
    s->bias = lop_array(conv->n, sizeof *s->bias, err);
    lop_status st = s->bias ? lop_tensor_copy(&own, w, err) : LOP_E_MEMORY;
    if (st == LOP_OK && b) memcpy(s->bias, b->data, (size_t)conv->n * sizeof *s->bias);
    int next = fuse && st == LOP_OK ? sole_reader(f, s->out) : -1;
    if (next >= 0 && is(e->graph->node[next], "BatchNormalization") && constants(e, e->graph->node[next], 1)) {
        st = take_norm(f, next, conv->n, inner, own.data, s->bias, err);
        f->taken[next] = true;
        s->out = e->graph->node[next]->out[0];
    }
    next = fuse && st == LOP_OK ? sole_reader(f, s->out) : -1;
    const int other = next >= 0 ? other_summand(f, e->graph->node[next], s->out, k) : -1;
    if (other >= 0) {
        s->add = other;
        f->taken[next] = true;
        s->out = e->graph->node[next]->out[0];
    }
    if (fuse && st == LOP_OK) st = take_act(f, s, err);
    if (st == LOP_OK) st = lop_conv_plan_new(conv, own.data, f->cpu, &s->plan, err);
    if (st == LOP_OK) st = take_gather(f, n, s, err);
    lop_tensor_clear(&own);
    return st;
}

static lop_status make_step(fusion *f, int k, bool fuse, exec_step *s, lop_error *err)
{
    lop_exec *e = f->e;
    const lop_node *n = e->graph->node[k];
    *s = (exec_step){.op = lop_op_find(e->graph->ops, n->domain, n->op), .node = k, .out = n->out[0],
                     .in = n->nin > 0 ? n->in[0] : -1, .add = -1};
    f->taken[k] = true;
    lop_cost cost = {0};
    lop_status st = lop_node_cost(e->graph, &e->shapes, k, &cost, err);
    s->macs = cost.macs;
    if (st != LOP_OK || !is(n, "Conv") || !constants(e, n, 1)) return st;
    exec_arguments a;
    lop_op_call call;
    lop_conv conv;
    if (e->shapes.value[n->in[0]].type != LOP_F32 || e->shapes.value[n->in[0]].shape.ndim != 4) return LOP_OK;
    st = exec_call(e, n, &a, &call, err);
    if (st == LOP_OK) st = lop_ops_conv_params(&call, &conv, err);
    if (st == LOP_OK) st = fill_conv(f, k, fuse, &conv, s, err);
    if (st != LOP_OK) return st;
    e->packed += lop_conv_plan_bytes(s->plan);
    if ((int64_t)lop_conv_scratch(s->plan) > e->scratch) e->scratch = (int64_t)lop_conv_scratch(s->plan);
    return LOP_OK;
}

lop_status exec_fuse(lop_exec *e, const bool *need, bool fuse, lop_error *err)
{
    lop_uses uses;
    lop_status st = lop_graph_uses(e->graph, &uses, err);
    if (st != LOP_OK) return st;
    fusion f = {.e = e, .uses = &uses, .need = need, .made = uses.producer};
    f.taken = lop_array(e->graph->nnode, sizeof *f.taken, err);
    f.joined = lop_array(e->graph->nnode, sizeof *f.joined, err);
    e->step = lop_array(e->graph->nnode, sizeof *e->step, err);
    if (!f.taken || !f.joined || !e->step) st = LOP_E_MEMORY;
    if (st == LOP_OK) st = lop_cpu_best(&f.cpu, err);
    for (int k = 0; st == LOP_OK && k < e->graph->nnode; k++) {
        if (!need[k] || f.taken[k]) continue;
        if (fuse) st = joins_conv(&f, k, &f.joined[k], err);
        f.taken[k] = f.joined[k];
        if (st != LOP_OK || f.taken[k]) continue;
        st = make_step(&f, k, fuse, &e->step[e->nstep++], err);
        if (st != LOP_OK)
            lop_error_at(err, "node '%s' (%s)", lop_node_label(e->graph, e->graph->node[k]), e->graph->node[k]->op);
    }
    lop_free(f.taken);
    lop_free(f.joined);
    lop_uses_free(&uses);
    return st;
}

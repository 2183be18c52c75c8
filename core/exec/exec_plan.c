/* core/exec/exec_plan.c - from wanted values back to given ones: which nodes run, whether images stay apart, and where
 * in memory each value lies. */
#include "exec/exec_impl.h"
#include <string.h>

bool exec_is_const(const lop_exec *e, int value) { return e->shapes.value[value].data != NULL; }

lop_status exec_call(const lop_exec *e, const lop_node *n, exec_arguments *a, lop_op_call *call, lop_error *err)
{
    if (n->nin > 64 || n->nout > 8)
        return lop_fail(err, LOP_E_UNSUPPORTED, "%d inputs and %d outputs; 64 and 8 are the most", n->nin, n->nout);
    for (int i = 0; i < n->nin; i++) {
        a->in[i] = NULL;
        if (n->in[i] < 0) continue;
        a->value[i] = e->shapes.value[n->in[i]];
        a->in[i] = &a->value[i];
    }
    for (int i = 0; i < n->nout; i++) a->out[i] = n->out[i] < 0 ? (lop_tensor){0} : e->shapes.value[n->out[i]];
    *call = (lop_op_call){.graph = e->graph, .node = n, .opset = lop_graph_opset(e->graph, n->domain),
                          .nin = n->nin, .nout = n->nout, .in = a->in, .out = a->out};
    return LOP_OK;
}

static lop_status copy_shapes(const lop_shapes *from, lop_shapes *to, lop_error *err)
{
    *to = (lop_shapes){.nvalue = from->nvalue, .unsupported = from->unsupported,
                       .first_unsupported = from->first_unsupported};
    memcpy(to->reason, from->reason, sizeof to->reason);
    to->value = lop_array(from->nvalue, sizeof *to->value, err);
    to->known = lop_array(from->nvalue, sizeof *to->known, err);
    to->folded = lop_array(from->nvalue, sizeof *to->folded, err);
    if (!to->value || !to->known || !to->folded) return LOP_E_MEMORY;
    for (int v = 0; v < from->nvalue; v++) {
        lop_tensor_share(&to->value[v], &from->value[v]);
        to->known[v] = from->known[v];
        to->folded[v] = from->folded[v];
    }
    return LOP_OK;
}

static lop_status copy_list(const int *list, int n, int limit, int **out, lop_error *err)
{
    *out = lop_array(n, sizeof **out, err);
    if (!*out) return LOP_E_MEMORY;
    for (int i = 0; i < n; i++) {
        if (list[i] < 0 || list[i] >= limit)
            return lop_fail(err, LOP_E_ARG, "value %d: the graph has %d", list[i], limit);
        (*out)[i] = list[i];
    }
    return LOP_OK;
}

/* The graph's own inputs: those that are no initializers. */
static lop_status own_inputs(lop_exec *e, lop_error *err)
{
    e->given = lop_array(e->graph->ninput, sizeof *e->given, err);
    if (!e->given) return LOP_E_MEMORY;
    for (int i = 0; i < e->graph->ninput; i++)
        if (!lop_value_is_initializer(e->graph->value[e->graph->input[i]])) e->given[e->ngiven++] = e->graph->input[i];
    return LOP_OK;
}

static lop_status runs_here(const lop_graph *g, const lop_node *n, lop_error *err)
{
    for (int i = 0; i < n->nin; i++) {
        const lop_value *v = n->in[i] >= 0 ? g->value[n->in[i]] : NULL;
        if (v && v->kept)
            return lop_fail(err, LOP_E_UNSUPPORTED, "node '%s' (%s): its input '%s' is %s: such do not run here",
                            lop_node_label(g, n), n->op, v->name, v->foreign);
    }
    if (lop_op_find(g->ops, n->domain, n->op)) return LOP_OK;
    return lop_fail(err, LOP_E_UNSUPPORTED, "node '%s': operator %s%s%s is not in this version", lop_node_label(g, n),
                    n->domain, *n->domain ? "." : "", n->op);
}

/* Marks the nodes between given and wanted. */
static lop_status mark(const lop_exec *e, bool *need, bool *have, lop_error *err)
{
    lop_uses uses;
    lop_status st = lop_graph_uses(e->graph, &uses, err);
    if (st != LOP_OK) return st;
    bool *want = lop_array(e->graph->nvalue, sizeof *want, err);
    if (!want) st = LOP_E_MEMORY;
    for (int i = 0; st == LOP_OK && i < e->ngiven; i++) have[e->given[i]] = true;
    for (int i = 0; st == LOP_OK && i < e->nwanted; i++) want[e->wanted[i]] = true;
    for (int k = e->graph->nnode - 1; st == LOP_OK && k >= 0; k--) {
        const lop_node *n = e->graph->node[k];
        for (int i = 0; i < n->nout; i++)
            if (n->out[i] >= 0 && want[n->out[i]] && !have[n->out[i]] && !exec_is_const(e, n->out[i])) need[k] = true;
        for (int i = 0; need[k] && i < n->nin; i++)
            if (n->in[i] >= 0) want[n->in[i]] = true;
        if (need[k]) st = runs_here(e->graph, n, err);
    }
    for (int v = 0; st == LOP_OK && v < e->graph->nvalue; v++) {
        if (!want[v] || have[v] || exec_is_const(e, v)) continue;
        if (uses.producer[v] < 0)
            st = lop_fail(err, LOP_E_NOTFOUND, "value '%s' is needed and not given", e->graph->value[v]->name);
        else if (!e->shapes.known[v])
            st = lop_fail(err, LOP_E_UNSUPPORTED, "value '%s': its shape is not known%s%s", e->graph->value[v]->name,
                          *e->shapes.reason ? ": " : "", e->shapes.reason);
    }
    lop_free(want);
    lop_uses_free(&uses);
    return st;
}

/* Numbers computed from the batch's size, as in a mean over it. Integers are left out: they are sizes and places, and
 * what they do to shapes is looked at on its own. */
static bool counts_images(const lop_exec *e, const lop_shapes *two, const lop_node *n)
{
    for (int i = 0; i < n->nin; i++) {
        const int v = n->in[i];
        if (v < 0 || !e->shapes.folded[v]) continue;
        const lop_tensor *a = &e->shapes.value[v], *b = &two->value[v];
        if (a->type != LOP_F32 && a->type != LOP_F64 && a->type != LOP_F16 && a->type != LOP_BF16) continue;
        if (!b->data || !lop_shape_equal(&a->shape, &b->shape) || memcmp(a->data, b->data, lop_tensor_bytes(a)) != 0)
            return true;
    }
    return false;
}

/* The node's outputs must have one image for one, two for two. */
static bool grows_by_images(const lop_exec *e, const lop_shapes *two, const lop_node *n)
{
    for (int i = 0; i < n->nout; i++) {
        const int v = n->out[i];
        if (v < 0 || !e->shapes.known[v]) continue;
        lop_shape want = e->shapes.value[v].shape;
        if (want.ndim < 1 || want.dim[0] != 1 || !two->known[v]) return false;
        want.dim[0] = 2;
        if (!lop_shape_equal(&want, &two->value[v].shape)) return false;
    }
    return true;
}

/* A file that fixes the first dimension of all its inputs to 1 says what one image gives, however its inner sizes are
 * written (exporters leave the 1 in the sizes of a Reshape): more images are more runs. */
static bool is_of_one_image(const lop_exec *e)
{
    for (int i = 0; i < e->graph->ninput; i++) {
        const lop_value *v = e->graph->value[e->graph->input[i]];
        if (!lop_value_is_initializer(v) && (!v->shaped || v->shape.ndim < 1 || v->shape.dim[0] != 1)) return false;
    }
    for (int i = 0; i < e->ngiven + e->nwanted; i++) {
        const int v = i < e->ngiven ? e->given[i] : e->wanted[i - e->ngiven];
        if (!e->shapes.known[v] || e->shapes.value[v].shape.ndim < 1 || e->shapes.value[v].shape.dim[0] < 1)
            return false;
    }
    return true;
}

/* Do images stay apart? Shapes at a doubled first dimension must double there and nowhere else. */
static lop_status keeps_images_apart(const lop_exec *e, const bool *need, bool *apart, lop_error *err)
{
    lop_shape inputs[64];
    int n = 0;
    *apart = is_of_one_image(e);
    for (int i = 0; !*apart && i < e->graph->ninput && n < 64; i++) {
        const int v = e->graph->input[i];
        if (lop_value_is_initializer(e->graph->value[v])) continue;
        inputs[n] = e->shapes.value[v].shape;
        if (inputs[n].ndim < 1 || inputs[n].dim[0] != 1) return LOP_OK;
        inputs[n++].dim[0] = 2;
    }
    if (*apart) return LOP_OK;
    lop_shapes two;
    lop_error ignored;
    if (lop_graph_infer(e->graph, inputs, &two, &ignored) != LOP_OK) return LOP_OK;     /* a fixed Reshape, say */
    *apart = true;
    for (int i = 0; i < e->ngiven + e->nwanted; i++) {
        const int v = i < e->ngiven ? e->given[i] : e->wanted[i - e->ngiven];
        if (!e->shapes.known[v] || e->shapes.value[v].shape.ndim < 1) *apart = false;
    }
    for (int k = 0; *apart && k < e->graph->nnode; k++) {
        if (!need[k]) continue;
        const lop_node *node = e->graph->node[k];
        const lop_op *op = lop_op_find(e->graph->ops, node->domain, node->op);
        exec_arguments a;
        lop_op_call call;
        lop_status st = exec_call(e, node, &a, &call, err);
        if (st != LOP_OK) { lop_shapes_clear(&two); return st; }
        *apart = op->per_image && !lop_ops_mixes_images(&call) && !counts_images(e, &two, node) &&
                 grows_by_images(e, &two, node);
    }
    lop_shapes_clear(&two);
    return LOP_OK;
}

/* First fit by lifetime: a value lives from the step that makes it to the last that reads it. */
lop_status exec_place(lop_exec *e, lop_error *err)
{
    typedef struct { int64_t from, to; int last; } span;
    const int nv = e->graph->nvalue;
    int *last = lop_array(nv, sizeof *last, err);
    span *used = lop_array(e->nstep * 8 + 1, sizeof *used, err);
    e->offset = lop_array(nv, sizeof *e->offset, err);
    if (!last || !used || !e->offset) { lop_free(last); lop_free(used); return LOP_E_MEMORY; }
    for (int v = 0; v < nv; v++) e->offset[v] = -1;
    for (int k = 0; k < e->nstep; k++) {
        const exec_step *s = &e->step[k];
        const lop_node *n = e->graph->node[s->node];
        if (s->plan) {
            last[s->in] = k;
            if (s->add >= 0) last[s->add] = k;
        } else {
            for (int i = 0; i < n->nin; i++)
                if (n->in[i] >= 0) last[n->in[i]] = k;
        }
    }
    int spans = 0;
    for (int k = 0; k < e->nstep; k++) {
        const exec_step *s = &e->step[k];
        const lop_node *n = e->graph->node[s->node];
        int alive = 0;
        for (int i = 0; i < spans; i++)
            if (used[i].last >= k) used[alive++] = used[i];
        spans = alive;
        for (int o = 0; o < (s->plan ? 1 : n->nout); o++) {
            const int v = s->plan ? s->out : n->out[o];
            if (v < 0) continue;
            const int64_t bytes = ((int64_t)lop_tensor_bytes(&e->shapes.value[v]) + 127) / 64 * 64;
            int64_t at = 0;
            for (bool moved = true; moved;) {
                moved = false;
                for (int i = 0; i < spans; i++)
                    if (at < used[i].to && used[i].from < at + bytes) { at = used[i].to; moved = true; }
            }
            e->offset[v] = at;
            used[spans++] = (span){at, at + bytes, last[v] > k ? last[v] : k};
            if (at + bytes > e->arena) e->arena = at + bytes;
        }
    }
    lop_free(last);
    lop_free(used);
    return LOP_OK;
}

static lop_status plan(lop_exec *e, const lop_shapes *s, const lop_exec_options *o, lop_error *err)
{
    lop_status st = copy_shapes(s, &e->shapes, err);
    if (st == LOP_OK && !o->given) st = own_inputs(e, err);
    if (st == LOP_OK && o->given) {
        st = copy_list(o->given, o->ngiven, e->graph->nvalue, &e->given, err);
        e->ngiven = o->ngiven;
    }
    const int *wanted = o->wanted ? o->wanted : e->graph->output;
    e->nwanted = o->wanted ? o->nwanted : e->graph->noutput;
    if (st == LOP_OK) st = copy_list(wanted, e->nwanted, e->graph->nvalue, &e->wanted, err);
    if (st != LOP_OK) return st;
    for (int i = 0; i < e->ngiven; i++)
        if (!e->shapes.known[e->given[i]])
            return lop_fail(err, LOP_E_SHAPE, "value '%s': its shape is not known", e->graph->value[e->given[i]]->name);
    bool *need = lop_array(e->graph->nnode, sizeof *need, err), *have = lop_array(e->graph->nvalue, sizeof *have, err);
    if (!need || !have) st = LOP_E_MEMORY;
    if (st == LOP_OK) st = mark(e, need, have, err);
    if (st == LOP_OK) st = keeps_images_apart(e, need, &e->per_image, err);
    if (st == LOP_OK) st = exec_fuse(e, need, !o->no_fuse, err);
    if (st == LOP_OK) st = exec_place(e, err);
    lop_free(need);
    lop_free(have);
    return st;
}

lop_status lop_exec_new(const lop_graph *g, const lop_shapes *s, const lop_exec_options *o, lop_exec **out,
                        lop_error *err)
{
    static const lop_exec_options usual = {0};
    *out = NULL;
    lop_exec *e = lop_array(1, sizeof *e, err);
    if (!e) return LOP_E_MEMORY;
    lop_status st = lop_graph_clone(g, &e->graph, err);
    if (st == LOP_OK) st = plan(e, s, o ? o : &usual, err);
    if (st != LOP_OK) {
        lop_exec_free(e);
        return st;
    }
    *out = e;
    return LOP_OK;
}

void lop_exec_free(lop_exec *e)
{
    if (!e) return;
    for (int k = 0; k < e->nstep; k++) {
        lop_conv_plan_free(e->step[k].plan);
        lop_free(e->step[k].bias);
    }
    lop_free(e->step);
    lop_free(e->offset);
    lop_free(e->given);
    lop_free(e->wanted);
    lop_shapes_clear(&e->shapes);
    lop_graph_free(e->graph);
    lop_free(e);
}

bool lop_exec_per_image(const lop_exec *e) { return e->per_image; }

size_t lop_exec_bytes(const lop_exec *e, int threads)
{
    return e->packed + (size_t)(e->arena + e->scratch) * (size_t)(e->per_image ? threads : 1);
}

/* core/exec/exec_once.c - a plan and its run in one: for the sizes of the inputs alone where these suffice, else with
 * what the inputs hold. */
#include "exec/exec_impl.h"
#include "onnx/onnx.h"
#include <string.h>

/* Inputs of so few whole numbers say sizes, axes, counts; larger ones are data. */
enum { FEW = 64 };

typedef struct {
    const lop_graph *g;
    lop_team *team;
    const lop_tensor *in;
    const int *wanted;
    int nin, nwanted;
    lop_tensor *out;
} once;

static bool all_same_batch(const lop_tensor *in, int n)
{
    for (int i = 0; i < n; i++)
        if (in[i].shape.ndim < 1 || in[i].shape.dim[0] < 1 || in[i].shape.dim[0] != in[0].shape.dim[0]) return false;
    return n > 0;
}

/* A wanted value that inference knows is not one an image. */
static bool wants_constant(const once *o, const lop_shapes *s)
{
    for (int k = 0; k < o->nwanted; k++)
        if (s->value[o->wanted[k]].data) return true;
    return false;
}

/* A plan for whole inputs, or for one image of each; *e NULL where that cannot be. */
static lop_status plan_for(const once *o, const lop_graph *g, const lop_tensor *in, int nin, bool one_image,
                           lop_exec **e, lop_error *err)
{
    const lop_exec_options options = {.wanted = o->wanted, .nwanted = o->nwanted};
    lop_shapes s = {0};
    *e = NULL;
    lop_shape *shape = lop_array(nin, sizeof *shape, err);
    if (!shape) return LOP_E_MEMORY;
    for (int i = 0; i < nin; i++) {
        shape[i] = in[i].shape;
        if (one_image) shape[i].dim[0] = 1;
    }
    lop_status st = lop_graph_infer(g, shape, &s, err);
    if (st == LOP_OK && !(one_image && wants_constant(o, &s))) st = lop_exec_new(g, &s, &options, e, err);
    lop_shapes_clear(&s);
    lop_free(shape);
    return st;
}

/* Image by image where the graph allows it: the bytes are then those of any other batch. */
static lop_status plan_and_run(const once *o, const lop_graph *g, const lop_tensor *in, int nin, lop_error *err)
{
    lop_exec *e = NULL;
    lop_error ignored;
    lop_status st = LOP_OK;
    if (all_same_batch(in, nin) && plan_for(o, g, in, nin, true, &e, &ignored) != LOP_OK) e = NULL;
    if (e && !lop_exec_per_image(e)) {
        lop_exec_free(e);
        e = NULL;
    }
    if (!e) st = plan_for(o, g, in, nin, false, &e, err);
    if (st == LOP_OK) st = lop_exec_run(e, o->team, in, o->out, err);
    lop_exec_free(e);
    return st;
}

/* ---- values ---- */

/* Only an If may turn out to be known once its condition is. */
static bool operators_are_there(const lop_graph *g)
{
    for (int k = 0; k < g->nnode; k++) {
        const lop_node *n = g->node[k];
        if (!lop_op_find(g->ops, n->domain, n->op) && strcmp(n->op, "If") != 0) return false;
    }
    return true;
}

static bool says_sizes(const lop_tensor *t)
{
    return (t->type == LOP_I64 || t->type == LOP_I32 || t->type == LOP_BOOL) && lop_tensor_size(t) <= FEW;
}

/* The same with inputs as constants: those of few whole numbers, or all. */
static lop_status run_with_values(const once *o, bool all, lop_error *err)
{
    lop_graph *g = NULL;
    int taken, left = 0, at = 0;
    lop_tensor *in = lop_array(o->nin, sizeof *in, err);            /* views */
    lop_status st = in ? lop_graph_clone(o->g, &g, err) : LOP_E_MEMORY;
    for (int k = 0; st == LOP_OK && k < g->ninput; k++) {
        lop_value *v = g->value[g->input[k]];
        if (lop_value_is_initializer(v)) continue;
        const lop_tensor *given = &o->in[at++];
        if (v->type != LOP_NONE && given->type != v->type)
            st = lop_fail(err, LOP_E_SHAPE, "input '%s': %s given, %s expected", v->name, lop_dtype_name(given->type),
                          lop_dtype_name(v->type));
        else if (all || says_sizes(given)) lop_tensor_share(&v->constant, given);
        else in[left++] = *given;
    }
    if (st == LOP_OK) st = lop_onnx_take_branches(g, NULL, &taken, err);
    if (st == LOP_OK) st = plan_and_run(o, g, in, left, err);
    lop_graph_free(g);
    lop_free(in);
    return st;
}

lop_status lop_exec_once(const lop_graph *g, lop_team *team, const lop_tensor *in, int nin, const int *wanted,
                         int nwanted, lop_tensor *out, lop_error *err)
{
    lop_error first = {0};
    int free_inputs = 0;
    for (int k = 0; k < g->ninput; k++) free_inputs += !lop_value_is_initializer(g->value[g->input[k]]);
    if (nin != free_inputs)
        return lop_fail(err, LOP_E_ARG, "%d inputs given, the graph has %d", nin, free_inputs);
    const once o = {.g = g, .team = team, .in = in, .nin = nin, .out = out, .wanted = wanted ? wanted : g->output,
                    .nwanted = wanted ? nwanted : g->noutput};
    for (int k = 0; k < o.nwanted; k++) out[k] = (lop_tensor){0};
    lop_status st = plan_and_run(&o, g, in, nin, &first);
    if (st == LOP_E_UNSUPPORTED && operators_are_there(g)) {
        st = run_with_values(&o, false, err);
        if (st == LOP_E_UNSUPPORTED) st = run_with_values(&o, true, err);
        if (st != LOP_E_UNSUPPORTED) return st;
    }
    if (st != LOP_OK && err) *err = first;
    return st;
}

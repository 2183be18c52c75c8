/* core/exec/exec_run.c - running the steps: image by image, or once on the whole input. */
#include "exec/exec_impl.h"
#include <stdlib.h>
#include <string.h>

typedef struct {
    const lop_exec *e;
    lop_team *inner;            /* shares a node's work; NULL where each worker has images of its own */
    const lop_tensor *in;
    lop_tensor *out;
    char **arena;               /* by worker: arena and scratch */
    void ***place;              /* by worker: where each value lies */
    lop_error *error;           /* by worker, with the image it happened at */
    int64_t *failed;
} run;

static void *place_of(const run *r, int worker, int v)
{
    return exec_is_const(r->e, v) ? r->e->shapes.value[v].data : r->place[worker][v];
}

static void run_conv(const run *r, int worker, const exec_step *s)
{
    const lop_exec *e = r->e;
    const int64_t batch = e->shapes.value[s->out].shape.dim[0];
    const int64_t nx = lop_tensor_size(&e->shapes.value[s->in]) / batch;
    const int64_t ny = lop_tensor_size(&e->shapes.value[s->out]) / batch;
    const float *x = place_of(r, worker, s->in), *add = s->add >= 0 ? place_of(r, worker, s->add) : NULL;
    float *y = r->place[worker][s->out];
    for (int64_t i = 0; i < batch; i++) {
        const lop_epilogue after = {.bias = s->bias, .add = add ? add + i * ny : NULL, .act = s->act, .low = s->low,
                                    .high = s->high};
        lop_conv_run(s->plan, x + i * nx, &after, r->arena[worker] + e->arena, r->inner, y + i * ny);
    }
}

static lop_status run_op(const run *r, int worker, const exec_step *s, lop_error *err)
{
    const lop_exec *e = r->e;
    const lop_node *n = e->graph->node[s->node];
    exec_arguments a;
    lop_op_call call;
    lop_status st = exec_call(e, n, &a, &call, err);
    if (st != LOP_OK) return st;
    call.team = r->inner;
    for (int i = 0; i < n->nin; i++)
        if (n->in[i] >= 0) a.value[i].data = place_of(r, worker, n->in[i]);
    for (int i = 0; i < n->nout; i++)
        if (n->out[i] >= 0) a.out[i].data = r->place[worker][n->out[i]];
    st = s->op->forward(&call, err);
    return st == LOP_OK ? st : lop_error_at(err, "node '%s' (%s)", lop_node_label(e->graph, n), n->op);
}

/* Where the values of image `i` lie: inputs and outputs in the caller's tensors, all others in the worker's arena. */
static void lay_out(const run *r, int64_t i, int worker)
{
    const lop_exec *e = r->e;
    void **place = r->place[worker];
    for (int v = 0; v < e->graph->nvalue; v++) place[v] = e->offset[v] >= 0 ? r->arena[worker] + e->offset[v] : NULL;
    for (int k = 0; k < e->ngiven; k++)
        place[e->given[k]] = (char *)r->in[k].data + i * (int64_t)lop_tensor_bytes(&e->shapes.value[e->given[k]]);
    for (int k = 0; k < e->nwanted; k++) {
        const int v = e->wanted[k];
        if (e->offset[v] >= 0)
            place[v] = (char *)r->out[k].data + i * (int64_t)lop_tensor_bytes(&e->shapes.value[v]);
    }
}

/* Wanted values that no step left in place: given ones, constants, one wanted twice. */
static void copy_rest(const run *r, int64_t i, int worker)
{
    const lop_exec *e = r->e;
    for (int k = 0; k < e->nwanted; k++) {
        const int v = e->wanted[k];
        const size_t bytes = lop_tensor_bytes(&e->shapes.value[v]);
        char *to = (char *)r->out[k].data + (size_t)i * bytes;
        const void *from = place_of(r, worker, v);
        if (from != to && bytes > 0) memcpy(to, from, bytes);
    }
}

static void run_image(void *context, int64_t image, int worker)
{
    const run *r = context;
    if (r->failed[worker] >= 0) return;
    lay_out(r, image, worker);
    lop_status st = LOP_OK;
    for (int k = 0; st == LOP_OK && k < r->e->nstep; k++) {
        const exec_step *s = &r->e->step[k];
        if (s->plan) run_conv(r, worker, s);
        else st = run_op(r, worker, s, &r->error[worker]);
    }
    if (st == LOP_OK) copy_rest(r, image, worker);
    else r->failed[worker] = image;
}

static lop_status check_inputs(const lop_exec *e, const lop_tensor *in, int64_t *images, lop_error *err)
{
    *images = 1;
    for (int k = 0; k < e->ngiven; k++) {
        const char *name = e->graph->value[e->given[k]]->name;
        const lop_tensor *want = &e->shapes.value[e->given[k]];
        char came[96], expected[96];
        lop_shape shape = in[k].shape;
        const int64_t one = e->per_image && want->shape.ndim > 0 ? want->shape.dim[0] : 0;      /* rows of an image */
        const int64_t count = one > 0 && shape.ndim > 0 ? shape.dim[0] / one : 1;
        if (one > 0 && shape.ndim > 0 && shape.dim[0] % one == 0) shape.dim[0] = one;
        if (in[k].type != want->type)
            return lop_fail(err, LOP_E_SHAPE, "input '%s': %s given, %s expected", name, lop_dtype_name(in[k].type),
                            lop_dtype_name(want->type));
        if (!lop_shape_equal(&shape, &want->shape) || count < 1 || (k > 0 && count != *images))
            return lop_fail(err, LOP_E_SHAPE, "input '%s': shape %s given, %s%s expected", name,
                            lop_shape_text(&in[k].shape, came, sizeof came),
                            lop_shape_text(&want->shape, expected, sizeof expected),
                            e->per_image ? " (times images)" : "");
        *images = count;
    }
    return LOP_OK;
}

static lop_status make_outputs(const lop_exec *e, int64_t images, lop_tensor *out, lop_error *err)
{
    for (int k = 0; k < e->nwanted; k++) out[k] = (lop_tensor){0};
    for (int k = 0; k < e->nwanted; k++) {
        const lop_tensor *t = &e->shapes.value[e->wanted[k]];
        lop_shape shape = t->shape;
        if (e->per_image && shape.ndim > 0) shape.dim[0] *= images;
        lop_status st = lop_tensor_init(&out[k], t->type, &shape, err);
        if (st != LOP_OK) return st;
    }
    return LOP_OK;
}

static void close_run(run *r, int workers)
{
    for (int w = 0; w < workers; w++) {
        if (r->arena) lop_free(r->arena[w]);
        if (r->place) lop_free(r->place[w]);
    }
    lop_free(r->arena);
    lop_free(r->place);
    lop_free(r->error);
    lop_free(r->failed);
}

static lop_status open_run(run *r, int workers, lop_error *err)
{
    r->arena = lop_array(workers, sizeof *r->arena, err);
    r->place = lop_array(workers, sizeof *r->place, err);
    r->error = lop_array(workers, sizeof *r->error, err);
    r->failed = lop_array(workers, sizeof *r->failed, err);
    if (!r->arena || !r->place || !r->error || !r->failed) return LOP_E_MEMORY;
    for (int w = 0; w < workers; w++) {
        r->failed[w] = -1;
        r->arena[w] = lop_array(r->e->arena + r->e->scratch, 1, err);
        r->place[w] = lop_array(r->e->graph->nvalue, sizeof **r->place, err);
        if (!r->arena[w] || !r->place[w]) return LOP_E_MEMORY;
    }
    return LOP_OK;
}

lop_status lop_exec_run(lop_exec *e, lop_team *team, const lop_tensor *in, lop_tensor *out, lop_error *err)
{
    int64_t images;
    lop_status st = check_inputs(e, in, &images, err);
    if (st != LOP_OK) return st;
    const bool spread = e->per_image && images >= lop_team_threads(team);
    const int workers = spread ? lop_team_threads(team) : 1;
    run r = {.e = e, .inner = spread ? NULL : team, .in = in, .out = out};
    st = make_outputs(e, images, out, err);
    if (st == LOP_OK) st = open_run(&r, workers, err);
    if (st == LOP_OK && spread) lop_team_run(team, images, run_image, &r);
    else if (st == LOP_OK)
        for (int64_t i = 0; i < (e->per_image ? images : 1); i++) run_image(&r, i, 0);
    for (int w = 0; st == LOP_OK && w < workers; w++)
        if (r.failed[w] >= 0) {
            st = r.error[w].code;
            if (err) *err = r.error[w];
        }
    if (st != LOP_OK)
        for (int k = 0; k < e->nwanted; k++) lop_tensor_clear(&out[k]);
    close_run(&r, workers);
    return st;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Times the steps of the first image, one after the other, `repeat` times. */
static lop_status profile_steps(run *r, int repeat, lop_exec_step *steps, double *times, lop_error *err)
{
    const lop_exec *e = r->e;
    lay_out(r, 0, 0);
    for (int t = 0; t < repeat; t++)
        for (int k = 0; k < e->nstep; k++) {
            const double begin = lop_seconds();
            if (e->step[k].plan) {
                run_conv(r, 0, &e->step[k]);
            } else {
                lop_status st = run_op(r, 0, &e->step[k], err);
                if (st != LOP_OK) return st;
            }
            times[k * repeat + t] = lop_seconds() - begin;
        }
    for (int k = 0; k < e->nstep; k++) {
        const lop_node *n = e->graph->node[e->step[k].node];
        qsort(times + k * repeat, (size_t)repeat, sizeof *times, by_value);
        strncpy(steps[k].label, lop_node_label(e->graph, n), sizeof steps[k].label - 1);
        strncpy(steps[k].op, n->op, sizeof steps[k].op - 1);
        steps[k].seconds = times[k * repeat + repeat / 2];
        steps[k].macs = e->step[k].macs;
    }
    return LOP_OK;
}

lop_status lop_exec_profile(lop_exec *e, lop_team *team, const lop_tensor *in, int repeat, lop_exec_step **steps,
                            int *count, lop_error *err)
{
    int64_t images;
    *steps = NULL;
    if (repeat < 1) return lop_fail(err, LOP_E_ARG, "repeat is %d, 1 or more expected", repeat);
    lop_status st = check_inputs(e, in, &images, err);
    lop_tensor *out = lop_array(e->nwanted, sizeof *out, err);
    double *times = lop_array((int64_t)e->nstep * repeat, sizeof *times, err);
    *steps = lop_array(e->nstep, sizeof **steps, err);
    run r = {.e = e, .inner = team, .in = in, .out = out};
    if (st == LOP_OK && (!out || !times || !*steps)) st = LOP_E_MEMORY;
    if (st == LOP_OK) st = make_outputs(e, images, out, err);
    if (st == LOP_OK) st = open_run(&r, 1, err);
    if (st == LOP_OK) st = profile_steps(&r, repeat, *steps, times, err);
    for (int k = 0; out && k < e->nwanted; k++) lop_tensor_clear(&out[k]);
    close_run(&r, 1);
    lop_free(out);
    lop_free(times);
    if (st != LOP_OK) {
        lop_free(*steps);
        *steps = NULL;
    }
    *count = e->nstep;
    return st;
}

/* tests/core/ops/test_models.c - whole networks, operator by operator: shapes by lop_graph_infer, values by each
 * operator's forward, against what ONNX Runtime gave for the same input. */
#include "support/t.h"
#include "kernel/kernel.h"
#include "onnx/onnx.h"
#include "ops/ops.h"
#include <math.h>

static lop_status run_node(const lop_graph *g, int k, lop_tensor *value, lop_team *team, lop_error *err)
{
    const lop_node *n = g->node[k];
    const lop_op *op = lop_op_find(g->ops, n->domain, n->op);
    const lop_tensor *in[64];
    lop_tensor out[8] = {{0}};
    bool done = true;
    for (int i = 0; i < n->nout; i++) done = done && (n->out[i] < 0 || value[n->out[i]].data);
    if (done) return LOP_OK;                                            /* folded by inference */
    for (int i = 0; i < n->nin; i++) in[i] = n->in[i] < 0 ? NULL : &value[n->in[i]];
    lop_status st = LOP_OK;
    for (int i = 0; st == LOP_OK && i < n->nout; i++)
        if (n->out[i] >= 0) st = lop_tensor_init(&out[i], value[n->out[i]].type, &value[n->out[i]].shape, err);
    const lop_op_call call = {.graph = g, .node = n, .opset = lop_graph_opset(g, ""), .nin = n->nin, .nout = n->nout,
                              .in = in, .out = out, .team = team};
    if (st == LOP_OK) st = op->forward(&call, err);
    for (int i = 0; i < n->nout; i++)
        if (n->out[i] >= 0) value[n->out[i]] = out[i];
    return st == LOP_OK ? st : lop_error_at(err, "node '%s' (%s)", lop_node_label(g, n), n->op);
}

static void compare(const char *model, const lop_tensor *got, const lop_tensor *want)
{
    double worst = 0.0, most = 1.0;
    assert_true(lop_shape_equal(&got->shape, &want->shape));
    for (int64_t i = 0; i < lop_tensor_size(want); i++) {
        worst = fmax(worst, fabs(lop_tensor_get(got, i) - lop_tensor_get(want, i)));
        most = fmax(most, fabs(lop_tensor_get(want, i)));
    }
    if (!(worst <= 1e-4 * most))
        fail_msg("%s, LOP_CPU=%s: off by %g, the largest value is %g", model, getenv("LOP_CPU"), worst, most);
}

/* A file of a model's folder. Only the folder may be missing, its files may not. */
static const char *in_folder(const char *folder, const char *file, char path[4200])
{
    snprintf(path, 4200, "%s/%s", folder, file);
    return path;
}

static void run_model(const char *model, int threads)
{
    char name[64], folder[4096], path[4200];
    lop_error err;
    lop_graph *g;
    lop_shapes s;
    lop_tensor input, want;
    lop_team *team;
    snprintf(name, sizeof name, "models/%s", model);
    t_shared(name, folder);                     /* the test may be skipped here, while nothing is held */
    t_ok(lop_team_new(threads, &team, &err), err);
    t_ok(lop_onnx_load(in_folder(folder, "model.onnx", path), lop_ops(), &g, &err), err);
    t_ok(lop_npy_load(in_folder(folder, "input.npy", path), &input, &err), err);
    t_ok(lop_graph_infer(g, &input.shape, &s, &err), err);
    t_ok(lop_shapes_complete(g, &s, &err), err);
    for (int i = 0; i < g->ninput; i++)
        if (!g->value[g->input[i]]->constant.data) lop_tensor_share(&s.value[g->input[i]], &input);
    for (int k = 0; k < g->nnode; k++) t_ok(run_node(g, k, s.value, team, &err), err);
    for (int o = 0; o < g->noutput; o++) {
        if (g->noutput > 1) snprintf(name, sizeof name, "output_%d.npy", o);
        else snprintf(name, sizeof name, "output.npy");
        t_ok(lop_npy_load(in_folder(folder, name, path), &want, &err), err);
        compare(model, &s.value[g->output[o]], &want);
        lop_tensor_clear(&want);
    }
    lop_shapes_clear(&s);
    lop_tensor_clear(&input);
    lop_graph_free(g);
    lop_team_free(team);
}

/* Every instruction set that this machine has. */
T_TEST(networks_give_what_onnx_runtime_gives)
{
    static const char *const models[] = {"digits-vgg", "digits-resnet", "cifar-resnet20-bn", "cifar-resnet56",
                                         "cifar-resnet56-bn", "squeezenet", "ultraface"};
    static const lop_cpu paths[] = {LOP_CPU_PORTABLE, LOP_CPU_AVX2, LOP_CPU_AVX512, LOP_CPU_NEON};
    for (size_t p = 0; p < T_COUNT(paths); p++) {
        if (!lop_cpu_runs(paths[p])) continue;
        setenv("LOP_CPU", lop_cpu_name(paths[p]), 1);
        for (size_t i = 0; i < T_COUNT(models); i++) run_model(models[i], p % 2 ? 1 : 2);
    }
    unsetenv("LOP_CPU");
}

T_MAIN(T(networks_give_what_onnx_runtime_gives))

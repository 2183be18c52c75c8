/* tests/core/exec/test_exec.c - runs of whole networks: the reference outputs of ONNX Runtime, the same bytes for any
 * team and batch, fused as unfused; and cuts of channels, which must keep the function where the channels are zero. */
#include "support/t.h"
#include "exec/exec.h"
#include "couple/couple.h"
#include "onnx/onnx.h"
#include "ops/ops.h"
#include <math.h>

typedef struct { lop_graph *g; lop_shapes s; lop_exec *e; lop_error err; } t_net;

static void open_net(t_net *n, const char *path, const lop_exec_options *o)
{
    *n = (t_net){0};
    t_ok(lop_onnx_load(path, lop_ops(), &n->g, &n->err), n->err);
    t_ok(lop_graph_infer(n->g, NULL, &n->s, &n->err), n->err);
    t_ok(lop_exec_new(n->g, &n->s, o, &n->e, &n->err), n->err);
}

static void close_net(t_net *n)
{
    lop_exec_free(n->e);
    lop_shapes_clear(&n->s);
    lop_graph_free(n->g);
}

static lop_tensor noise(const lop_shape *shape, uint64_t seed)
{
    lop_tensor t;
    lop_error err;
    t_ok(lop_tensor_init(&t, LOP_F32, shape, &err), err);
    for (int64_t i = 0; i < lop_tensor_size(&t); i++)
        ((float *)t.data)[i] = (float)lop_random_normal(seed, LOP_STREAM_USER, (uint64_t)i);
    return t;
}

static double worst(const lop_tensor *a, const lop_tensor *b)
{
    double d = 0;
    assert_true(lop_shape_equal(&a->shape, &b->shape));
    for (int64_t i = 0; i < lop_tensor_size(a); i++) d = fmax(d, fabs(lop_tensor_get(a, i) - lop_tensor_get(b, i)));
    return d;
}

static double largest(const lop_tensor *a)
{
    double m = 1;
    for (int64_t i = 0; i < lop_tensor_size(a); i++) m = fmax(m, fabs(lop_tensor_get(a, i)));
    return m;
}

static void reference_here(const char *model, int outputs)
{
    char path[4096], name[256];
    lop_tensor x, want, got[4];
    t_net n;
    snprintf(name, sizeof name, "models/%s/model.onnx", model);
    open_net(&n, t_shared(name, path), NULL);
    snprintf(name, sizeof name, "models/%s/input.npy", model);
    t_ok(lop_npy_load(t_shared(name, path), &x, &n.err), n.err);
    t_ok(lop_exec_run(n.e, NULL, &x, got, &n.err), n.err);
    for (int i = 0; i < outputs; i++) {
        if (outputs == 1) snprintf(name, sizeof name, "models/%s/output.npy", model);
        else snprintf(name, sizeof name, "models/%s/output_%d.npy", model, i);
        t_ok(lop_npy_load(t_shared(name, path), &want, &n.err), n.err);
        const double d = worst(&got[i], &want), limit = 1e-4 * largest(&want);
        if (d > limit)
            fail_msg("%s, output %d, LOP_CPU=%s: off by %g, %g allowed", model, i, getenv("LOP_CPU"), d, limit);
        lop_tensor_clear(&want);
        lop_tensor_clear(&got[i]);
    }
    lop_tensor_clear(&x);
    close_net(&n);
}

/* On every instruction set that this machine has. */
static void reference(const char *model, int outputs)
{
    static const lop_cpu paths[] = {LOP_CPU_PORTABLE, LOP_CPU_AVX2, LOP_CPU_AVX512, LOP_CPU_NEON};
    for (size_t p = 0; p < T_COUNT(paths); p++) {
        if (!lop_cpu_runs(paths[p])) continue;
        setenv("LOP_CPU", lop_cpu_name(paths[p]), 1);
        reference_here(model, outputs);
    }
    unsetenv("LOP_CPU");
}

T_TEST(digits_vgg_as_onnx_runtime) { reference("digits-vgg", 1); }
T_TEST(digits_resnet_as_onnx_runtime) { reference("digits-resnet", 1); }
T_TEST(resnet20_bn_as_onnx_runtime) { reference("cifar-resnet20-bn", 1); }
T_TEST(resnet56_bn_as_onnx_runtime) { reference("cifar-resnet56-bn", 1); }
T_TEST(resnet56_as_onnx_runtime) { reference("cifar-resnet56", 1); }
T_TEST(squeezenet_as_onnx_runtime) { reference("squeezenet", 1); }
T_TEST(ultraface_as_onnx_runtime) { reference("ultraface", 2); }

static const char *const shipped[] = {"recipes/models/digits-vgg/model.onnx",
                                      "recipes/models/digits-resnet/model.onnx"};

T_TEST(neither_team_nor_batch_changes_a_byte)
{
    for (size_t m = 0; m < T_COUNT(shipped); m++) {
        t_net n;
        open_net(&n, shipped[m], NULL);
        assert_true(lop_exec_per_image(n.e));
        lop_tensor x = noise(&(lop_shape){4, {5, 1, 28, 28}}, m), all, one, part;
        t_ok(lop_exec_run(n.e, NULL, &x, &all, &n.err), n.err);
        for (int threads = 2; threads <= 7; threads += 5) {
            lop_team *team;
            t_ok(lop_team_new(threads, &team, &n.err), n.err);
            t_ok(lop_exec_run(n.e, team, &x, &one, &n.err), n.err);
            assert_memory_equal(one.data, all.data, lop_tensor_bytes(&all));
            lop_tensor_clear(&one);
            lop_team_free(team);
        }
        t_ok(lop_tensor_narrow(&part, &x, 0, 3, 1, &n.err), n.err);
        t_ok(lop_exec_run(n.e, NULL, &part, &one, &n.err), n.err);
        assert_memory_equal(one.data, (float *)all.data + 30, lop_tensor_bytes(&one));
        lop_tensor_clear(&one);
        lop_tensor_clear(&part);
        lop_tensor_clear(&all);
        lop_tensor_clear(&x);
        close_net(&n);
    }
}

T_TEST(fused_as_operator_by_operator)
{
    for (size_t m = 0; m < T_COUNT(shipped); m++) {
        t_net a, b;
        open_net(&a, shipped[m], NULL);
        open_net(&b, shipped[m], &(lop_exec_options){.no_fuse = true});
        lop_tensor x = noise(&(lop_shape){4, {2, 1, 28, 28}}, 9), y, z;
        t_ok(lop_exec_run(a.e, NULL, &x, &y, &a.err), a.err);
        t_ok(lop_exec_run(b.e, NULL, &x, &z, &b.err), b.err);
        assert_true(worst(&y, &z) <= 1e-5 * largest(&z));
        lop_tensor_clear(&x);
        lop_tensor_clear(&y);
        lop_tensor_clear(&z);
        close_net(&a);
        close_net(&b);
    }
}

T_TEST(a_wrong_input_is_named)
{
    t_net n;
    open_net(&n, shipped[0], NULL);
    lop_tensor x = noise(&(lop_shape){4, {1, 3, 28, 28}}, 1), y;
    t_fails(lop_exec_run(n.e, NULL, &x, &y, &n.err), LOP_E_SHAPE, n.err,
            "1x3x28x28 given, 1x1x28x28 (times images) expected");
    lop_tensor_clear(&x);
    close_net(&n);
}

/* A filter and its bias set to zero make a channel that is zero behind the ReLU: taking it out changes nothing. Only
 * for producers without a norm, whose shift would make it a constant. */
static void zero_filters(lop_graph *g, int node, const bool *keep, int64_t n)
{
    lop_error err;
    for (int i = 1; i < g->node[node]->nin; i++) {
        lop_tensor *t = &g->value[g->node[node]->in[i]]->constant, own;
        t_ok(lop_tensor_copy(&own, t, &err), err);
        const int64_t inner = lop_tensor_size(t) / n;
        for (int64_t j = 0; j < n; j++)
            for (int64_t k = 0; !keep[j] && k < inner; k++) ((float *)own.data)[j * inner + k] = 0;
        lop_tensor_clear(t);
        *t = own;
    }
}

T_TEST(cutting_zero_channels_keeps_the_function)
{
    lop_error err;
    lop_graph *count;
    lop_shapes cs;
    lop_groups cq;
    t_ok(lop_onnx_load(shipped[0], lop_ops(), &count, &err), err);
    t_ok(lop_graph_infer(count, NULL, &cs, &err), err);
    t_ok(lop_groups_find(count, &cs, &cq, &err), err);
    const int groups = cq.count;
    assert_int_equal(groups, 7);                        /* six convolutions, and the classes */
    assert_false(cq.group[6].prunable);
    assert_true(strstr(cq.group[6].reason, "of the network") != NULL);
    for (int i = 0; i < 6; i++) assert_true(cq.group[i].prunable && cq.group[i].nconsumer == 1);
    lop_groups_clear(&cq);
    lop_shapes_clear(&cs);
    lop_graph_free(count);
    for (int which = 0; which < 6; which++)
        for (uint64_t seed = 0; seed < T_SEEDS(3); seed++) {
            t_net n;
            lop_groups q;
            open_net(&n, shipped[0], NULL);
            t_ok(lop_groups_find(n.g, &n.s, &q, &n.err), n.err);
            const int64_t width = q.group[which].width;
            bool keep[128] = {true};
            int64_t list[128], kept = 0;
            for (int64_t j = 0; j < width; j++) {
                keep[j] = j == 0 || lop_random_unit(seed, 1, (uint64_t)j) < 0.5;
                if (keep[j]) list[kept++] = j;
            }
            zero_filters(n.g, q.group[which].producer[0], keep, width);
            lop_exec_free(n.e);
            lop_shapes_clear(&n.s);
            t_ok(lop_graph_infer(n.g, NULL, &n.s, &n.err), n.err);
            t_ok(lop_exec_new(n.g, &n.s, NULL, &n.e, &n.err), n.err);
            lop_tensor x = noise(&(lop_shape){4, {2, 1, 28, 28}}, seed), y, z;
            lop_cost before, after;
            t_ok(lop_exec_run(n.e, NULL, &x, &y, &n.err), n.err);
            t_ok(lop_graph_cost(n.g, &n.s, &before, &n.err), n.err);
            t_ok(lop_graph_cut(n.g, &q, which, list, kept, &n.err), n.err);
            lop_groups_clear(&q);
            lop_exec_free(n.e);
            lop_shapes_clear(&n.s);
            t_ok(lop_graph_infer(n.g, NULL, &n.s, &n.err), n.err);
            t_ok(lop_exec_new(n.g, &n.s, NULL, &n.e, &n.err), n.err);
            t_ok(lop_exec_run(n.e, NULL, &x, &z, &n.err), n.err);
            t_ok(lop_graph_cost(n.g, &n.s, &after, &n.err), n.err);
            if (worst(&y, &z) > 1e-5 * largest(&y))
                fail_msg("group %d, seed %d: off by %g", which, (int)seed, worst(&y, &z));
            assert_true(kept == width || after.macs < before.macs);
            lop_tensor_clear(&x);
            lop_tensor_clear(&y);
            lop_tensor_clear(&z);
            close_net(&n);
        }
}

T_MAIN(T(digits_vgg_as_onnx_runtime), T(digits_resnet_as_onnx_runtime), T(resnet20_bn_as_onnx_runtime),
       T(resnet56_bn_as_onnx_runtime), T(resnet56_as_onnx_runtime), T(squeezenet_as_onnx_runtime),
       T(ultraface_as_onnx_runtime), T(neither_team_nor_batch_changes_a_byte), T(fused_as_operator_by_operator),
       T(a_wrong_input_is_named), T(cutting_zero_channels_keeps_the_function))

/* tests/core/couple/test_property.c - whatever the net: a group that is called prunable can be cut to any channels, and
 * where no weight reads those that go, the net computes what it did. Random nets, and those of ../shared/models. */
#include "run_net.h"
#include "couple/couple.h"
#include "onnx/onnx.h"

typedef struct {
    lop_graph *g;
    lop_shapes s;
    lop_groups q;
    char what[700];
} net;

static void open_net(net *n)
{
    lop_error err;
    t_ok(lop_graph_infer(n->g, NULL, &n->s, &err), err);
    t_ok(lop_shapes_complete(n->g, &n->s, &err), err);
    t_ok(lop_groups_find(n->g, &n->s, &n->q, &err), err);
}

static void close_net(net *n)
{
    lop_groups_clear(&n->q);
    lop_shapes_clear(&n->s);
    lop_graph_free(n->g);
}

/* ---- weights that read what goes are set to zero ---- */

/* Does weight entry (i, j) of its first two dimensions read a channel that goes? in: labels of the input. */
static bool reads_gone(const net *n, const lop_node *node, const bool *gone, const lop_tensor *w, int64_t i, int64_t j)
{
    const int v = node->in[0];
    const int64_t group = lop_node_int(node, "group", 1);
    int64_t p = j;
    if (strcmp(node->op, "Conv") == 0) p = i / (w->shape.dim[0] / group) * w->shape.dim[1] + j;
    else if (strcmp(node->op, "ConvTranspose") == 0 || strcmp(node->op, "MatMul") == 0) p = i;
    else if (!lop_node_int(node, "transB", 0)) p = i;
    return n->q.label[v] && n->q.label[v][p] >= 0 && gone[n->q.label[v][p]];
}

static void zero_reader(net *n, lop_node *node, const bool *gone)
{
    lop_error err;
    lop_tensor w;
    t_ok(lop_tensor_copy(&w, &n->s.value[node->in[1]], &err), err);
    const int64_t rows = w.shape.dim[0], columns = w.shape.dim[1], taps = lop_tensor_size(&w) / (rows * columns);
    for (int64_t i = 0; i < rows * columns; i++)
        for (int64_t t = 0; t < taps && reads_gone(n, node, gone, &w, i / columns, i % columns); t++)
            lop_tensor_set(&w, i * taps + t, 0);
    if (n->g->value[node->in[1]]->constant.data) t_ok(lop_graph_replace_constant(n->g, node, 1, &w, &err), err);
    else t_ok(lop_graph_add_constant(n->g, "w", &w, &node->in[1], &err), err);
    lop_tensor_clear(&n->s.value[node->in[1] < n->s.nvalue ? node->in[1] : 0]);
    if (node->in[1] < n->s.nvalue) lop_tensor_share(&n->s.value[node->in[1]], &w);
    lop_tensor_clear(&w);
}

static void zero_readers(net *n, const lop_cut *cuts, int count)
{
    bool *gone = lop_array(n->q.classes, sizeof *gone, NULL);
    for (int i = 0; i < count; i++) {
        const int group = cuts[i].group;
        for (int c = 0; c < n->q.classes; c++) {
            if (n->q.group_of[c] != group) continue;
            gone[c] = true;
            for (int64_t j = 0; j < cuts[i].count; j++) gone[c] = gone[c] && cuts[i].keep[j] != n->q.rank_of[c];
        }
    }
    for (int i = 0; i < count; i++) {
        const lop_group *p = &n->q.group[cuts[i].group];
        for (int k = 0; k < p->nconsumer; k++) zero_reader(n, n->g->node[p->consumer[k]], gone);
    }
    lop_free(gone);
}

/* ---- cuts ---- */

/* Each channel stays with this chance; one at least. */
static lop_cut draw(const net *n, int group, uint64_t seed, double chance)
{
    const int64_t width = n->q.group[group].width;
    int64_t *keep = lop_array(width, sizeof *keep, NULL), count = 0;
    for (int64_t j = 0; j < width; j++)
        if (lop_random_unit(seed, LOP_STREAM_SUBSET + (uint64_t)group, (uint64_t)j) < chance) keep[count++] = j;
    if (count == 0) keep[count++] = lop_random_below(seed, LOP_STREAM_SUBSET + (uint64_t)group, (uint64_t)width, width);
    return (lop_cut){group, keep, count};
}

/* Cuts; the function stays. False: refused, as a node would be left without channels. */
static bool try_cut(net *n, const lop_cut *cuts, int count, uint64_t seed)
{
    lop_error err;
    lop_tensor before[RUN_OUTPUTS] = {{0}}, after[RUN_OUTPUTS] = {{0}};
    zero_readers(n, cuts, count);
    run_net(n->what, n->g, seed, before);
    const lop_status st = lop_graph_cut_all(n->g, &n->q, cuts, count, &err);
    if (st != LOP_OK && !(st == LOP_E_ARG && strstr(err.message, "would be left")))
        fail_msg("%s: %s", n->what, err.message);
    if (st == LOP_OK) {
        run_net(n->what, n->g, seed, after);
        same_outputs(n->what, n->g, before, after, 1e-4);
    }
    for (int o = 0; o < RUN_OUTPUTS; o++) lop_tensor_clear(&before[o]);
    return st == LOP_OK;
}

/* Every group by itself, then all at once. Returns how many were prunable; *done: how many cuts were not refused. */
static int try_all(const lop_graph *g, const char *what, uint64_t seed, int *done)
{
    lop_error err;
    net n = {.g = NULL};
    int groups = 1, prunable = 0;
    for (int i = 0; i <= groups; i++) {
        int count = 0;
        t_ok(lop_graph_clone(g, &n.g, &err), err);
        open_net(&n);
        groups = n.q.count;
        lop_cut *cuts = lop_array((int64_t)groups + 1, sizeof *cuts, NULL);
        for (int j = 0; j < groups; j++)
            if ((j == i || i == groups) && n.q.group[j].prunable)
                cuts[count++] = draw(&n, j, seed, i == groups ? 0.7 : 0.5);
        snprintf(n.what, sizeof n.what, "%.600s, group '%.30s'", what, i < groups ? n.q.group[i].name : "all");
        prunable += i < groups && count > 0;
        if (count > 0) *done += try_cut(&n, cuts, count, seed);
        for (int j = 0; j < count; j++) lop_free((void *)(uintptr_t)cuts[j].keep);
        lop_free(cuts);
        close_net(&n);
    }
    return prunable;
}

T_TEST(random_nets_keep_their_function)
{
    int prunable = 0, done = 0;
    for (uint64_t seed = 0; seed < T_SEEDS(300); seed++) {
        rn_net b;
        char what[600];
        rn_build(&b, seed, 1 + (int)(seed % 5));
        snprintf(what, sizeof what, "seed %d, %s", (int)seed, b.trace);
        prunable += try_all(b.g, what, seed, &done);
        lop_graph_free(b.g);
    }
    print_message("%d groups, %d cuts\n", prunable, done);
    assert_true(prunable > 600 && done > prunable);     /* refusals are rare */
}

static void check_model(const char *name)
{
    char file[128], path[4096];
    lop_error err;
    lop_graph *g;
    int done = 0;
    snprintf(file, sizeof file, "models/%s/model.onnx", name);
    t_ok(lop_onnx_load(t_shared(file, path), lop_ops(), &g, &err), err);
    assert_true(try_all(g, name, 1, &done) > 0 && done > 0);
    lop_graph_free(g);
}

T_TEST(digits_vgg) { check_model("digits-vgg"); }
T_TEST(digits_resnet) { check_model("digits-resnet"); }
T_TEST(cifar_resnet20_bn) { check_model("cifar-resnet20-bn"); }
T_TEST(cifar_resnet56) { check_model("cifar-resnet56"); }
T_TEST(squeezenet) { check_model("squeezenet"); }
T_TEST(ultraface) { check_model("ultraface"); }
T_MAIN(T(random_nets_keep_their_function), T(digits_vgg), T(digits_resnet), T(cifar_resnet20_bn), T(cifar_resnet56),
       T(squeezenet), T(ultraface))

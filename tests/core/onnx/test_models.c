/* tests/core/onnx/test_models.c - the shared models: round trips, the costs that their README states, norms folded,
 * damaged copies. */
#include "same.h"
#include "ops/ops.h"

/* From ../shared/models/README.md; norms: BatchNormalization nodes behind a convolution. */
typedef struct { const char *name; int64_t macs, params; int norms; } model;
static const model models[] = {
    {"digits-vgg", 10951872, 108530, 0},          {"digits-resnet", 11139552, 99178, 13},
    {"cifar-resnet20-bn", 40551040, 269722, 19},  {"cifar-resnet56-bn", 125485696, 853018, 55},
    {"cifar-resnet56", 125485696, 850986, 0},     {"squeezenet", 861339936, 1248424, 0},
    {"ultraface", 100418560, 276292, 35}};

static const char *model_path(const model *m, char path[4096])
{
    char name[256];
    snprintf(name, sizeof name, "models/%s/model.onnx", m->name);
    return t_shared(name, path);
}

static lop_graph *load(const model *m)
{
    char path[4096];
    lop_graph *g = NULL;
    lop_error err;
    t_ok(lop_onnx_load(model_path(m, path), lop_ops(), &g, &err), err);
    return g;
}

T_TEST(written_and_read_again_they_are_the_same)
{
    for (size_t k = 0; k < T_COUNT(models); k++) {
        char path[4096];
        lop_error err;
        lop_graph *a = load(&models[k]), *b;
        t_temporary("round.onnx", path);
        t_ok(lop_onnx_save(a, path, false, &err), err);
        t_ok(lop_onnx_load(path, lop_ops(), &b, &err), err);
        same_graph(a, b);
        unlink(path);
        lop_graph_free(a);
        lop_graph_free(b);
    }
}

T_TEST(costs_are_those_of_the_readme)
{
    for (size_t k = 0; k < T_COUNT(models); k++) {
        lop_error err;
        lop_shapes s;
        lop_cost cost;
        lop_graph *g = load(&models[k]);
        t_ok(lop_graph_infer(g, NULL, &s, &err), err);
        t_ok(lop_shapes_complete(g, &s, &err), err);
        t_ok(lop_graph_cost(g, &s, &cost, &err), err);
        if (cost.macs != models[k].macs || cost.params != models[k].params)
            fail_msg("%s: %" PRId64 " MACs, %" PRId64 " params", models[k].name, cost.macs, cost.params);
        lop_shapes_clear(&s);
        lop_graph_free(g);
    }
}

/* The exporter left a chain of nine nodes for each Pad: all of it is constant. */
T_TEST(pads_that_the_exporter_computes_are_folded)
{
    lop_error err;
    lop_shapes s;
    lop_graph *g = load(&models[2]);
    t_ok(lop_graph_infer(g, NULL, &s, &err), err);
    int seen = 0;
    for (int k = 0; k < g->nnode; k++) {
        const lop_node *n = g->node[k];
        if (strcmp(n->op, "Pad") != 0 || n->nin < 3) continue;
        const lop_tensor *pads = &s.value[n->in[1]];
        const double p = seen == 0 ? 8 : 16;
        assert_true(pads->data && s.folded[n->in[1]]);
        for (int i = 0; i < 8; i++) assert_true(lop_tensor_get(pads, i) == (i % 4 == 1 ? p : 0));
        seen++;
    }
    assert_int_equal(seen, 2);
    lop_shapes_clear(&s);
    lop_graph_free(g);
}

T_TEST(norms_fold_and_costs_stay)
{
    for (size_t k = 0; k < T_COUNT(models); k++) {
        lop_error err;
        lop_shapes s;
        lop_cost cost;
        int count;
        lop_graph *g = load(&models[k]);
        t_ok(lop_graph_fold_bn(g, &count, &err), err);
        if (count != models[k].norms) fail_msg("%s: %d norms folded", models[k].name, count);
        for (int i = 0; i < g->nnode; i++) assert_string_not_equal(g->node[i]->op, "BatchNormalization");
        t_ok(lop_graph_sort(g, &err), err);
        t_ok(lop_graph_infer(g, NULL, &s, &err), err);
        t_ok(lop_graph_cost(g, &s, &cost, &err), err);
        assert_int_equal(cost.macs, models[k].macs);
        lop_shapes_clear(&s);
        lop_graph_free(g);
    }
}

/* ---- damage ---- */

/* Whatever comes out: a graph or one clear line. What is read is inferred as well, as a user's command would. */
static void survive(const uint8_t *bytes, size_t n, const char *what, size_t which)
{
    lop_graph *g;
    lop_shapes s;
    lop_error err = {0};
    const lop_status st = lop_onnx_parse(bytes, n, NULL, lop_ops(), &g, &err);
    if (st != LOP_OK) {
        if (g || !err.message[0] || strchr(err.message, '\n')) fail_msg("%s %zu: '%s'", what, which, err.message);
        return;
    }
    if (lop_graph_infer(g, NULL, &s, &err) == LOP_OK) lop_shapes_clear(&s);
    lop_graph_free(g);
}

static uint8_t *whole(const model *m, size_t *n)
{
    char path[4096];
    lop_file file;
    lop_error err;
    t_ok(lop_file_open(model_path(m, path), &file, &err), err);
    uint8_t *copy = lop_array((int64_t)file.size, 1, &err);
    assert_non_null(copy);
    memcpy(copy, file.bytes, file.size);
    *n = file.size;
    lop_file_close(&file);
    return copy;
}

/* A block of its own size each time, so that a read behind the end is seen. */
T_TEST(truncated_files_give_one_line)
{
    size_t n;
    uint8_t *all = whole(&models[1], &n);
    for (size_t k = 0; k < 200; k++) {
        const size_t size = k < 100 ? k : n - 1 - (k - 100) * n / 101;
        uint8_t *cut = malloc(size > 0 ? size : 1);
        lop_graph *g;
        lop_error err = {0};
        memcpy(cut, all, size);
        if (lop_onnx_parse(cut, size, NULL, lop_ops(), &g, &err) == LOP_OK) fail_msg("%zu bytes are a model", size);
        survive(cut, size, "cut to", size);
        free(cut);
    }
    lop_free(all);
}

T_TEST(flipped_bytes_do_no_harm)
{
    static const int which[] = {1, 6};              /* names and structure first, then anywhere */
    for (size_t k = 0; k < T_COUNT(which); k++) {
        size_t n;
        uint8_t *all = whole(&models[which[k]], &n);
        const uint64_t flips = T_SEEDS(500);
        for (uint64_t seed = 0; seed < flips; seed++) {
            const int64_t range = seed % 2 ? (int64_t)n : 12000;
            const size_t at = (size_t)lop_random_below(seed, LOP_STREAM_USER, 0, range);
            const uint8_t old = all[at];
            all[at] = (uint8_t)(old ^ (1 + lop_random_below(seed, LOP_STREAM_USER, 1, 255)));
            survive(all, n, "flip, seed", (size_t)seed);
            all[at] = old;
        }
        lop_free(all);
    }
}

T_MAIN(T(written_and_read_again_they_are_the_same), T(costs_are_those_of_the_readme),
       T(pads_that_the_exporter_computes_are_folded), T(norms_fold_and_costs_stay), T(truncated_files_give_one_line),
       T(flipped_bytes_do_no_harm))

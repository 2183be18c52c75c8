/* tests/fuzz/fuzz_onnx.c - a model from bytes: read, write, read again; shapes, cost, groups, cuts, folded norms. */
#include "fuzz/net.h"
#include "couple/couple.h"
#include "onnx/onnx.h"
#include "ops/ops.h"

static lop_error err;

/* What is written is read back, and written again it is the same bytes. */
static void write_and_read(const lop_graph *g)
{
    uint8_t *bytes, *again;
    size_t size, size_again;
    lop_graph *copy;
    lop_status st = lop_onnx_write_bytes(g, &bytes, &size, &err);
    fuzz_message(st, &err);
    if (st != LOP_OK) return;
    st = lop_onnx_parse(bytes, size, NULL, lop_ops(), &copy, &err);
    FUZZ_EXPECT(st == LOP_OK, "read back: %s", err.message);
    st = lop_onnx_write_bytes(copy, &again, &size_again, &err);
    FUZZ_EXPECT(st == LOP_OK, "written again: %s", err.message);
    FUZZ_EXPECT(size == size_again && memcmp(bytes, again, size) == 0, "%zu and %zu bytes", size, size_again);
    lop_free(bytes);
    lop_free(again);
    lop_graph_free(copy);
}

/* Shapes of the outputs stay when channels inside go, or norms are folded. */
static void same_outputs(const lop_graph *g, const lop_shapes *s, const char *what)
{
    lop_shapes now;
    const lop_status st = lop_graph_infer(g, NULL, &now, &err);
    FUZZ_EXPECT(st == LOP_OK, "%s: %s", what, err.message);
    for (int k = 0; k < g->noutput; k++) {
        const int v = g->output[k];
        FUZZ_EXPECT(!s->known[v] || !now.known[v] || lop_shape_equal(&s->value[v].shape, &now.value[v].shape),
                    "%s: output '%s' has another shape", what, g->value[v]->name);
    }
    lop_shapes_clear(&now);
}

static void cut_first(const lop_graph *g, const lop_shapes *s, const lop_groups *q)
{
    int which = 0;
    int64_t keep[64];
    lop_graph *copy;
    while (which < q->count && !q->group[which].prunable) which++;
    if (which == q->count || lop_graph_clone(g, &copy, &err) != LOP_OK) return;
    int64_t count = (q->group[which].width + 1) / 2;
    if (count > 64) count = 64;
    for (int64_t i = 0; i < count; i++) keep[i] = 2 * i;
    const lop_status st = lop_graph_cut(copy, q, which, keep, count, &err);
    fuzz_message(st, &err);
    if (st == LOP_OK) same_outputs(copy, s, "cut");
    lop_graph_free(copy);
}

static void fold_norms(const lop_graph *g, const lop_shapes *s)
{
    int count = 0;
    lop_graph *copy;
    if (lop_graph_clone(g, &copy, &err) != LOP_OK) return;
    const lop_status st = lop_graph_fold_bn(copy, &count, &err);
    fuzz_message(st, &err);
    if (st == LOP_OK && count > 0) same_outputs(copy, s, "fold");
    lop_graph_free(copy);
}

static void look_at(const lop_graph *g)
{
    lop_shapes s;
    lop_groups q;
    lop_cost cost;
    lop_status st = lop_graph_infer(g, NULL, &s, &err);
    fuzz_message(st, &err);
    if (st != LOP_OK) return;
    fuzz_message(lop_graph_cost(g, &s, &cost, &err), &err);
    for (int k = 0; k < g->nnode; k++) fuzz_message(lop_node_cost(g, &s, k, &cost, &err), &err);
    st = lop_groups_find(g, &s, &q, &err);
    fuzz_message(st, &err);
    if (st == LOP_OK) {
        cut_first(g, &s, &q);
        lop_groups_clear(&q);
    }
    fold_norms(g, &s);
    lop_shapes_clear(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    lop_graph *g;
    const lop_status st = lop_onnx_parse(bytes, size, NULL, lop_ops(), &g, &err);
    fuzz_message(st, &err);
    FUZZ_EXPECT((st == LOP_OK) == (g != NULL), "a graph although it failed, or none although it did not");
    if (!g) return 0;
    write_and_read(g);
    look_at(g);
    lop_graph_free(g);
    return 0;
}

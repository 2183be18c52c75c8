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

/* Every second channel of group `which`, or of all (-1). A group that is called prunable can be cut. */
static void cut(const lop_graph *g, const lop_shapes *s, const lop_groups *q, int which)
{
    enum { MOST = 64 };
    static int64_t even[4096];
    lop_cut cuts[MOST];
    int n = 0;
    lop_graph *copy;
    for (int64_t i = 0; i < 4096; i++) even[i] = 2 * i;
    for (int i = 0; i < q->count && n < MOST; i++) {
        if (!q->group[i].prunable || (which >= 0 && which != i)) continue;
        const int64_t count = (q->group[i].width + 1) / 2;
        cuts[n++] = (lop_cut){i, even, count > 4096 ? 4096 : count};
    }
    if (n == 0 || lop_graph_clone(g, &copy, &err) != LOP_OK) return;
    const lop_status st = lop_graph_cut_all(copy, q, cuts, n, &err);
    fuzz_message(st, &err);
    FUZZ_EXPECT(st == LOP_OK || st == LOP_E_MEMORY || strstr(err.message, "would be left"), "cut: %s", err.message);
    if (st == LOP_OK) same_outputs(copy, s, "cut");
    lop_graph_free(copy);
}

static void drop_dead(const lop_graph *g, const lop_shapes *s, const lop_groups *q)
{
    int64_t count;
    lop_graph *copy;
    if (lop_graph_clone(g, &copy, &err) != LOP_OK) return;
    const lop_status st = lop_graph_drop_dead(copy, s, q, NULL, &count, &err);
    fuzz_message(st, &err);
    if (st == LOP_OK) same_outputs(copy, s, "dead");
    lop_graph_free(copy);
}

static void fold_norms(const lop_graph *g, const lop_shapes *s)
{
    int count = 0;
    lop_graph *copy;
    if (lop_graph_clone(g, &copy, &err) != LOP_OK) return;
    const lop_status st = lop_graph_fold_bn(copy, &count, &err);
    fuzz_message(st, &err);
    /* A norm that is not understood goes, and what stood behind it is then looked at for the first time. */
    if (st == LOP_OK && count > 0 && s->unsupported == 0) same_outputs(copy, s, "fold");
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
        for (int i = -1; i < q.count && i < 8; i++) cut(g, &s, &q, i);
        drop_dead(g, &s, &q);
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

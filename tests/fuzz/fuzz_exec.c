/* tests/fuzz/fuzz_exec.c - a small model from bytes is run, with and without fused operators. */
#include "fuzz/net.h"
#include "exec/exec.h"
#include "onnx/onnx.h"
#include "ops/ops.h"

enum { MOST = 1 << 18, TENSORS = 16 };      /* elements of all values together; inputs and outputs */
static lop_error err;

/* The inputs: halves around 0, whole numbers, 0 and 1. */
static lop_status fill_inputs(const lop_graph *g, const lop_shapes *s, lop_tensor *in, int *n)
{
    lop_status st = LOP_OK;
    for (int k = 0; st == LOP_OK && k < g->ninput; k++) {
        const int v = g->input[k];
        if (g->value[v]->constant.data) continue;
        st = lop_tensor_init(&in[*n], s->value[v].type, &s->value[v].shape, &err);
        for (int64_t i = 0; st == LOP_OK && i < lop_tensor_size(&in[*n]); i++)
            lop_tensor_set(&in[*n], i, (double)(i % 7) * 0.5 - 1.0);
        if (st == LOP_OK) ++*n;
    }
    return st;
}

static void run(const lop_graph *g, const lop_shapes *s, bool no_fuse)
{
    lop_tensor in[TENSORS] = {{0}}, out[TENSORS] = {{0}};
    const lop_exec_options o = {.no_fuse = no_fuse};
    lop_exec *e;
    int n = 0;
    lop_status st = lop_exec_new(g, s, &o, &e, &err);
    fuzz_message(st, &err);
    if (st != LOP_OK) return;
    if (lop_exec_bytes(e, 1) < (size_t)256 << 20 && fill_inputs(g, s, in, &n) == LOP_OK) {
        st = lop_exec_run(e, NULL, in, out, &err);
        fuzz_message(st, &err);
        for (int k = 0; st == LOP_OK && k < g->noutput; k++)
            FUZZ_EXPECT(lop_shape_equal(&out[k].shape, &s->value[g->output[k]].shape), "output #%d", k);
    }
    for (int k = 0; k < TENSORS; k++) {
        lop_tensor_clear(&in[k]);
        lop_tensor_clear(&out[k]);
    }
    lop_exec_free(e);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    lop_graph *g;
    lop_shapes s;
    if (lop_onnx_parse(bytes, size, NULL, lop_ops(), &g, &err) != LOP_OK) return 0;
    if (g->ninput <= TENSORS && g->noutput <= TENSORS && lop_graph_infer(g, NULL, &s, &err) == LOP_OK) {
        if (fuzz_small(g, &s, MOST)) {
            run(g, &s, false);
            run(g, &s, true);
        }
        lop_shapes_clear(&s);
    }
    lop_graph_free(g);
    return 0;
}

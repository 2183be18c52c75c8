/* tests/core/couple/run_net.h - running a net on noise, and comparing what it gives. */
#ifndef LOP_TESTS_COUPLE_RUN_NET_H
#define LOP_TESTS_COUPLE_RUN_NET_H
#include "random_net.h"
#include "exec/exec.h"
#include <math.h>

enum { RUN_OUTPUTS = 8 };

/* Runs g on noise; out: RUN_OUTPUTS tensors, its outputs. what: named on failure. */
static inline void run_net(const char *what, const lop_graph *g, uint64_t seed, lop_tensor *out)
{
    lop_error err;
    lop_shapes s;
    lop_exec *e;
    lop_tensor in[4] = {{0}};
    int nin = 0;
    assert_true(g->noutput <= RUN_OUTPUTS);
    if (lop_graph_infer(g, NULL, &s, &err) != LOP_OK) fail_msg("%s: %s", what, err.message);
    for (int i = 0; i < g->ninput && nin < 4; i++) {
        if (g->value[g->input[i]]->constant.data) continue;
        t_ok(lop_tensor_init(&in[nin], LOP_F32, &s.value[g->input[i]].shape, &err), err);
        for (int64_t j = 0; j < lop_tensor_size(&in[nin]); j++)
            lop_tensor_set(&in[nin], j, lop_random_normal(seed, LOP_STREAM_USER + 1, (uint64_t)j));
        nin++;
    }
    if (lop_exec_new(g, &s, NULL, &e, &err) != LOP_OK || lop_exec_run(e, NULL, in, out, &err) != LOP_OK)
        fail_msg("%s: %s", what, err.message);
    lop_exec_free(e);
    for (int i = 0; i < nin; i++) lop_tensor_clear(&in[i]);
    lop_shapes_clear(&s);
}

/* Both are the same to `part` of the largest value (1e-3 at least); clears both. */
static inline void same_outputs(const char *what, const lop_graph *g, lop_tensor *a, lop_tensor *b, double part)
{
    for (int o = 0; o < g->noutput; o++) {
        double worst = 0, most = 1e-3;
        assert_true(lop_shape_equal(&a[o].shape, &b[o].shape));
        for (int64_t i = 0; i < lop_tensor_size(&a[o]); i++) {
            worst = fmax(worst, fabs(lop_tensor_get(&a[o], i) - lop_tensor_get(&b[o], i)));
            most = fmax(most, fabs(lop_tensor_get(&a[o], i)));
        }
        if (!(worst <= part * most)) fail_msg("%s: output %d is off by %g of %g", what, o, worst, most);
        lop_tensor_clear(&a[o]);
        lop_tensor_clear(&b[o]);
    }
}
#endif

/* tests/fuzz/net.h - bounds within which a net from a fuzzer may be run. */
#ifndef LOP_TESTS_FUZZ_NET_H
#define LOP_TESTS_FUZZ_NET_H
#include "fuzz/fuzz.h"
#include "graph/graph.h"

/* Whether all shapes are known and small: a net that is large by right takes its time by right. */
static inline bool fuzz_small(const lop_graph *g, const lop_shapes *s, int64_t most)
{
    int64_t all = 0;
    for (int v = 0; v < s->nvalue; v++) {
        int64_t size = 0;
        if (!s->known[v]) continue;
        if (lop_shape_size(&s->value[v].shape, &size, NULL) != LOP_OK || size > most) return false;
        all += size;
        if (all > most) return false;
    }
    lop_cost cost;
    return lop_shapes_complete(g, s, NULL) == LOP_OK && lop_graph_cost(g, s, &cost, NULL) == LOP_OK &&
           cost.macs <= 16 * most;
}
#endif

/* core/graph/graph_impl.h - shared within core/graph. */
#ifndef LOP_GRAPH_GRAPH_IMPL_H
#define LOP_GRAPH_GRAPH_IMPL_H
#include "graph/graph.h"

void graph_attr_clear(lop_attr *a);
lop_status graph_attr_copy(lop_attr *to, const lop_attr *from, lop_error *err);
void graph_node_free(lop_node *n);
#endif

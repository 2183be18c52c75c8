/* core/graph/graph_impl.h - what the files of this folder share. */
#ifndef LOP_GRAPH_GRAPH_IMPL_H
#define LOP_GRAPH_GRAPH_IMPL_H
#include "graph/graph.h"

void lop_attr_clear(lop_attr *a);
lop_status lop_attr_copy(lop_attr *to, const lop_attr *from, lop_error *err);   /* shares the tensor's memory */
void lop_node_free(lop_node *n);                                                /* NULL is fine */
lop_status lop_node_copy(const lop_node *from, lop_node **out, lop_error *err);
/* A copy of n bytes; NULL for NULL, which is no failure. */
lop_status lop_bytes_copy(uint8_t **to, const uint8_t *from, size_t n, lop_error *err);
lop_status lop_text_copy(char **to, const char *from, lop_error *err);          /* NULL stays NULL */
/* The node's name, or its first output's, with an ending: yours to free (graph/part.c). */
lop_status lop_node_name_with(const lop_graph *g, const lop_node *n, const char *ending, char **out, lop_error *err);
#endif

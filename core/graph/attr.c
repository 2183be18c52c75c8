/* core/graph/attr.c - attributes of nodes, and the operator table. */
#include "graph/graph_impl.h"
#include <string.h>

const lop_attr *lop_node_attr(const lop_node *n, const char *name)
{
    for (int i = 0; i < n->nattr; i++)
        if (strcmp(n->attr[i].name, name) == 0) return &n->attr[i];
    return NULL;
}

int64_t lop_node_int(const lop_node *n, const char *name, int64_t otherwise)
{
    const lop_attr *a = lop_node_attr(n, name);
    return a && a->kind == LOP_ATTR_INT ? a->i : otherwise;
}

float lop_node_float(const lop_node *n, const char *name, float otherwise)
{
    const lop_attr *a = lop_node_attr(n, name);
    return a && a->kind == LOP_ATTR_FLOAT ? a->f : otherwise;
}

const char *lop_node_string(const lop_node *n, const char *name, const char *otherwise)
{
    const lop_attr *a = lop_node_attr(n, name);
    return a && a->kind == LOP_ATTR_STRING ? a->s : otherwise;
}

int64_t lop_node_ints(const lop_node *n, const char *name, int64_t *list, int64_t max)
{
    const lop_attr *a = lop_node_attr(n, name);
    if (!a || a->kind != LOP_ATTR_INTS) return -1;
    for (int64_t i = 0; i < a->count && i < max; i++) list[i] = a->ints[i];
    return a->count;
}

void graph_attr_clear(lop_attr *a)
{
    lop_free(a->name);
    lop_free(a->s);
    lop_free(a->floats);
    lop_free(a->ints);
    lop_free(a->raw);
    lop_tensor_clear(&a->tensor);
    *a = (lop_attr){0};
}

static void *copy_block(const void *from, int64_t count, size_t size, lop_status *st, lop_error *err)
{
    if (!from) return NULL;
    void *to = lop_array(count, size, err);
    if (!to) *st = LOP_E_MEMORY;
    else if (count > 0) memcpy(to, from, (size_t)count * size);
    return to;
}

lop_status graph_attr_copy(lop_attr *to, const lop_attr *from, lop_error *err)
{
    lop_status st = LOP_OK;
    *to = (lop_attr){.kind = from->kind, .f = from->f, .i = from->i, .count = from->count, .length = from->length};
    lop_tensor_share(&to->tensor, &from->tensor);
    to->name = lop_string(from->name, err);
    if (!to->name) st = LOP_E_MEMORY;
    to->s = copy_block(from->s, (int64_t)from->length + 1, 1, &st, err);
    to->floats = copy_block(from->floats, from->count, sizeof *to->floats, &st, err);
    to->ints = copy_block(from->ints, from->count, sizeof *to->ints, &st, err);
    to->raw = copy_block(from->raw, (int64_t)from->length, 1, &st, err);
    return st;
}

/* The attribute of that name, made if need be, emptied. */
static lop_attr *fresh_attr(lop_node *n, const char *name, lop_error *err)
{
    for (int i = 0; i < n->nattr; i++)
        if (strcmp(n->attr[i].name, name) == 0) {
            char *keep = n->attr[i].name;
            n->attr[i].name = NULL;
            graph_attr_clear(&n->attr[i]);
            n->attr[i].name = keep;
            return &n->attr[i];
        }
    lop_attr *grown = lop_array(n->nattr + 1, sizeof *grown, err);
    char *copy = lop_string(name, err);
    if (!grown || !copy) {
        lop_free(grown);
        lop_free(copy);
        return NULL;
    }
    if (n->nattr) memcpy(grown, n->attr, (size_t)n->nattr * sizeof *grown);
    lop_free(n->attr);
    n->attr = grown;
    grown[n->nattr].name = copy;
    return &grown[n->nattr++];
}

lop_status lop_node_set_int(lop_node *n, const char *name, int64_t value, lop_error *err)
{
    lop_attr *a = fresh_attr(n, name, err);
    if (!a) return LOP_E_MEMORY;
    a->kind = LOP_ATTR_INT;
    a->i = value;
    return LOP_OK;
}

lop_status lop_node_set_ints(lop_node *n, const char *name, const int64_t *list, int64_t count, lop_error *err)
{
    lop_status st = LOP_OK;
    int64_t *own = copy_block(list, count, sizeof *own, &st, err);
    lop_attr *a = own ? fresh_attr(n, name, err) : NULL;
    if (!a) {
        lop_free(own);
        return LOP_E_MEMORY;
    }
    a->kind = LOP_ATTR_INTS;
    a->ints = own;
    a->count = count;
    return LOP_OK;
}

const lop_op *lop_op_find(const lop_op_table *t, const char *domain, const char *name)
{
    if (!t || (*domain && strcmp(domain, "ai.onnx") != 0)) return NULL;
    int low = 0, high = t->count;
    while (low < high) {
        const int mid = (low + high) / 2, order = strcmp(t->op[mid].name, name);
        if (order == 0) return &t->op[mid];
        if (order < 0) low = mid + 1;
        else high = mid;
    }
    return NULL;
}

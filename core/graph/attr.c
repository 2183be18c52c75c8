/* core/graph/attr.c - attributes of nodes: look-up with a default, setting, copying. */
#include "graph/graph_impl.h"
#include <string.h>

lop_status lop_bytes_copy(uint8_t **to, const uint8_t *from, size_t n, lop_error *err)
{
    *to = from ? (uint8_t *)lop_string_n((const char *)from, n, err) : NULL;
    return from && !*to ? LOP_E_MEMORY : LOP_OK;
}

lop_status lop_text_copy(char **to, const char *from, lop_error *err)
{
    *to = from ? lop_string(from, err) : NULL;
    return from && !*to ? LOP_E_MEMORY : LOP_OK;
}

/* All but the name, so that an attribute may be given another value. */
static void clear_value(lop_attr *a)
{
    lop_free(a->s);
    lop_free(a->floats);
    lop_free(a->ints);
    lop_free(a->raw);
    lop_tensor_clear(&a->tensor);
    *a = (lop_attr){.name = a->name};
}

void lop_attr_clear(lop_attr *a)
{
    clear_value(a);
    lop_free(a->name);
    *a = (lop_attr){0};
}

static lop_status copy_array(void *to, const void *from, int64_t count, size_t size, lop_error *err)
{
    void *block = NULL;
    if (from) {
        block = lop_array(count, size, err);
        if (!block) return LOP_E_MEMORY;
        if (count > 0) memcpy(block, from, (size_t)count * size);
    }
    memcpy(to, &block, sizeof block);
    return LOP_OK;
}

lop_status lop_attr_copy(lop_attr *to, const lop_attr *from, lop_error *err)
{
    *to = (lop_attr){.kind = from->kind, .f = from->f, .i = from->i, .count = from->count, .length = from->length};
    lop_status st = lop_text_copy(&to->name, from->name, err);
    if (st == LOP_OK && from->s) {
        to->s = lop_string_n(from->s, from->length, err);
        if (!to->s) st = LOP_E_MEMORY;
    }
    if (st == LOP_OK) st = copy_array(&to->floats, from->floats, from->count, sizeof *from->floats, err);
    if (st == LOP_OK) st = copy_array(&to->ints, from->ints, from->count, sizeof *from->ints, err);
    if (st == LOP_OK) st = lop_bytes_copy(&to->raw, from->raw, from->length, err);
    if (st == LOP_OK) lop_tensor_share(&to->tensor, &from->tensor);
    else lop_attr_clear(to);
    return st;
}

const lop_attr *lop_node_attr(const lop_node *n, const char *name)
{
    for (int k = 0; k < n->nattr; k++)
        if (strcmp(n->attr[k].name, name) == 0) return &n->attr[k];
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
    for (int64_t k = 0; k < a->count && k < max; k++) list[k] = a->ints[k];
    return a->count;
}

/* The attribute of that name, emptied, or a new one at the end; NULL when there is no memory. */
static lop_attr *attr_for(lop_node *n, const char *name, lop_error *err)
{
    for (int k = 0; k < n->nattr; k++)
        if (strcmp(n->attr[k].name, name) == 0) {
            clear_value(&n->attr[k]);
            return &n->attr[k];
        }
    lop_attr *grown = lop_array((int64_t)n->nattr + 1, sizeof *grown, err);
    char *copy = grown ? lop_string(name, err) : NULL;
    if (!copy) {
        lop_free(grown);
        return NULL;
    }
    if (n->nattr > 0) memcpy(grown, n->attr, (size_t)n->nattr * sizeof *grown);
    lop_free(n->attr);
    n->attr = grown;
    n->attr[n->nattr].name = copy;
    return &n->attr[n->nattr++];
}

lop_status lop_node_set_attr(lop_node *n, const lop_attr *a, lop_error *err)
{
    lop_attr copy;
    lop_status st = lop_attr_copy(&copy, a, err);
    if (st != LOP_OK) return st;
    lop_attr *place = attr_for(n, a->name, err);
    if (!place) {
        lop_attr_clear(&copy);
        return LOP_E_MEMORY;
    }
    lop_free(place->name);
    *place = copy;
    return LOP_OK;
}

lop_status lop_node_set_int(lop_node *n, const char *name, int64_t value, lop_error *err)
{
    lop_attr *a = attr_for(n, name, err);
    if (!a) return LOP_E_MEMORY;
    a->kind = LOP_ATTR_INT;
    a->i = value;
    return LOP_OK;
}

lop_status lop_node_set_ints(lop_node *n, const char *name, const int64_t *list, int64_t count, lop_error *err)
{
    int64_t *copy = lop_array(count, sizeof *copy, err);    /* first: list may be the attribute's own */
    if (!copy) return count < 0 ? LOP_E_ARG : LOP_E_MEMORY;
    if (count > 0) memcpy(copy, list, (size_t)count * sizeof *copy);
    lop_attr *a = attr_for(n, name, err);
    if (!a) {
        lop_free(copy);
        return LOP_E_MEMORY;
    }
    a->kind = LOP_ATTR_INTS;
    a->ints = copy;
    a->count = count;
    return LOP_OK;
}

void lop_node_free(lop_node *n)
{
    if (!n) return;
    for (int k = 0; k < n->nattr; k++) lop_attr_clear(&n->attr[k]);
    lop_free(n->attr);
    lop_free(n->name);
    lop_free(n->op);
    lop_free(n->domain);
    lop_free(n->doc);
    lop_free(n->in);
    lop_free(n->out);
    lop_free(n->extra);
    lop_free(n);
}

static lop_status copy_fields(const lop_node *from, lop_node *to, lop_error *err)
{
    lop_status st = lop_text_copy(&to->name, from->name, err);
    if (st == LOP_OK) st = lop_text_copy(&to->op, from->op, err);
    if (st == LOP_OK) st = lop_text_copy(&to->domain, from->domain, err);
    if (st == LOP_OK) st = lop_text_copy(&to->doc, from->doc, err);
    if (st == LOP_OK) st = copy_array(&to->in, from->in, from->nin, sizeof *from->in, err);
    if (st == LOP_OK) st = copy_array(&to->out, from->out, from->nout, sizeof *from->out, err);
    if (st == LOP_OK) st = lop_bytes_copy(&to->extra, from->extra, from->extra_length, err);
    if (st != LOP_OK) return st;
    to->nin = from->nin;
    to->nout = from->nout;
    to->extra_length = from->extra_length;
    to->attr = lop_array(from->nattr, sizeof *to->attr, err);
    if (!to->attr) return LOP_E_MEMORY;
    for (; st == LOP_OK && to->nattr < from->nattr; to->nattr++)
        st = lop_attr_copy(&to->attr[to->nattr], &from->attr[to->nattr], err);
    return st;
}

lop_status lop_node_copy(const lop_node *from, lop_node **out, lop_error *err)
{
    *out = lop_array(1, sizeof **out, err);
    if (!*out) return LOP_E_MEMORY;
    const lop_status st = copy_fields(from, *out, err);
    if (st != LOP_OK) {
        lop_node_free(*out);
        *out = NULL;
    }
    return st;
}

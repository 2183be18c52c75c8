/* core/onnx/names.c - the names of values in messages: a walk over all of them, a set, a map. */
#include "onnx/onnx_impl.h"
#include <string.h>

/* ---- the walk ---- */

static lop_status visit_list(char **list, size_t n, lop_onnx_visitor *visit, void *context, lop_error *err)
{
    lop_status st = LOP_OK;
    for (size_t k = 0; st == LOP_OK && k < n; k++) st = visit(context, &list[k], err);
    return st;
}

static lop_status visit_infos(Onnx__ValueInfoProto **list, size_t n, lop_onnx_visitor *visit, void *context,
                              lop_error *err)
{
    lop_status st = LOP_OK;
    for (size_t k = 0; st == LOP_OK && k < n; k++) st = visit(context, &list[k]->name, err);
    return st;
}

/* Depth is bounded by what lop_onnx_check lets pass. */
lop_status lop_onnx_names_of_node(Onnx__NodeProto *m, lop_onnx_visitor *visit, void *context, lop_error *err)
{
    lop_status st = visit_list(m->input, m->n_input, visit, context, err);
    if (st == LOP_OK) st = visit_list(m->output, m->n_output, visit, context, err);
    for (size_t a = 0; st == LOP_OK && a < m->n_attribute; a++) {
        Onnx__AttributeProto *attr = m->attribute[a];
        if (attr->g) st = lop_onnx_names_of_graph(attr->g, visit, context, err);
        for (size_t k = 0; st == LOP_OK && k < attr->n_graphs; k++)
            st = lop_onnx_names_of_graph(attr->graphs[k], visit, context, err);
    }
    return st;
}

lop_status lop_onnx_names_of_graph(Onnx__GraphProto *m, lop_onnx_visitor *visit, void *context, lop_error *err)
{
    lop_status st = visit_infos(m->input, m->n_input, visit, context, err);
    if (st == LOP_OK) st = visit_infos(m->output, m->n_output, visit, context, err);
    if (st == LOP_OK) st = visit_infos(m->value_info, m->n_value_info, visit, context, err);
    for (size_t k = 0; st == LOP_OK && k < m->n_initializer; k++) st = visit(context, &m->initializer[k]->name, err);
    for (size_t k = 0; st == LOP_OK && k < m->n_sparse_initializer; k++)
        if (m->sparse_initializer[k]->values) st = visit(context, &m->sparse_initializer[k]->values->name, err);
    for (size_t k = 0; st == LOP_OK && k < m->n_node; k++) st = lop_onnx_names_of_node(m->node[k], visit, context, err);
    return st;
}

/* ---- the set, the map: open addressing, doubled when more than half full ---- */

static uint64_t hash_of(const char *name)
{
    uint64_t hash = 14695981039346656037u;              /* FNV-1a */
    for (const char *p = name; *p; p++) hash = (hash ^ (uint8_t)*p) * 1099511628211u;
    hash ^= hash >> 32;
    return hash ? hash : 1;                             /* 0: a free slot */
}

static size_t set_slot(const lop_onnx_set *s, uint64_t hash)
{
    size_t at = (size_t)hash & (s->slots - 1);
    while (s->slot[at] && s->slot[at] != hash) at = (at + 1) & (s->slots - 1);
    return at;
}

bool lop_onnx_set_has(const lop_onnx_set *s, const char *name)
{
    return s->slots > 0 && s->slot[set_slot(s, hash_of(name))] != 0;
}

lop_status lop_onnx_set_add(lop_onnx_set *s, const char *name, lop_error *err)
{
    if (2 * (s->used + 1) > s->slots) {
        lop_onnx_set wider = {.slots = s->slots ? 2 * s->slots : 64, .used = s->used};
        wider.slot = lop_array((int64_t)wider.slots, sizeof *wider.slot, err);
        if (!wider.slot) return LOP_E_MEMORY;
        for (size_t k = 0; k < s->slots; k++)
            if (s->slot[k]) wider.slot[set_slot(&wider, s->slot[k])] = s->slot[k];
        lop_free(s->slot);
        *s = wider;
    }
    const uint64_t hash = hash_of(name);
    const size_t at = set_slot(s, hash);
    s->used += s->slot[at] == 0;
    s->slot[at] = hash;
    return LOP_OK;
}

static size_t map_slot(const lop_onnx_map *m, const char *from)
{
    size_t at = (size_t)hash_of(from) & (m->slots - 1);
    while (m->slot[at].from && strcmp(m->slot[at].from, from) != 0) at = (at + 1) & (m->slots - 1);
    return at;
}

const char *lop_onnx_map_get(const lop_onnx_map *m, const char *from)
{
    return m->slots > 0 ? m->slot[map_slot(m, from)].to : NULL;
}

lop_status lop_onnx_map_put(lop_onnx_map *m, const char *from, const char *to, lop_error *err)
{
    if (2 * (m->used + 1) > m->slots) {
        lop_onnx_map wider = {.slots = m->slots ? 2 * m->slots : 64, .used = m->used};
        wider.slot = lop_array((int64_t)wider.slots, sizeof *wider.slot, err);
        if (!wider.slot) return LOP_E_MEMORY;
        for (size_t k = 0; k < m->slots; k++)
            if (m->slot[k].from) wider.slot[map_slot(&wider, m->slot[k].from)] = m->slot[k];
        lop_free(m->slot);
        *m = wider;
    }
    const size_t at = map_slot(m, from);
    m->used += m->slot[at].from == NULL;
    m->slot[at] = (lop_onnx_pair){from, to};
    return LOP_OK;
}

/* core/onnx/read.c - ModelProto to graph: names become numbers, initializers tensors, the rest is kept as bytes. */
#include "onnx/onnx_impl.h"
#include <limits.h>
#include <stdio.h>
#include <string.h>

typedef lop_onnx_reader reader;

static lop_status text(char **to, const char *from, lop_error *err)
{
    *to = from ? lop_string(from, err) : NULL;
    return from && !*to ? LOP_E_MEMORY : LOP_OK;
}

static lop_status text_or_empty(char **to, const char *from, lop_error *err) { return text(to, from ? from : "", err); }

lop_status lop_onnx_pack(const ProtobufCMessage *m, uint8_t **bytes, size_t *size, lop_error *err)
{
    *size = protobuf_c_message_get_packed_size(m);
    *bytes = *size > 0 ? lop_array((int64_t)*size, 1, err) : NULL;
    if (*size > 0 && !*bytes) return LOP_E_MEMORY;
    if (*bytes) protobuf_c_message_pack(m, *bytes);
    return LOP_OK;
}

/* ---- names ---- */

static size_t name_slot(const reader *r, const char *name)
{
    uint64_t hash = 14695981039346656037u;              /* FNV-1a */
    for (const char *p = name; *p; p++) hash = (hash ^ (uint8_t)*p) * 1099511628211u;
    size_t at = (size_t)(hash ^ hash >> 32) & (r->slots - 1);
    while (r->slot[at] && strcmp(r->g->value[r->slot[at] - 1]->name, name) != 0) at = (at + 1) & (r->slots - 1);
    return at;
}

static lop_status append_value(reader *r, const char *name, int *id)
{
    lop_graph *g = r->g;
    void *block = g->value;
    lop_status st = lop_reserve(&block, &g->value_capacity, (int64_t)g->nvalue + 1, sizeof *g->value, r->err);
    g->value = block;
    if (st != LOP_OK) return st;
    lop_value *v = lop_array(1, sizeof *v, r->err);
    if (!v) return LOP_E_MEMORY;
    v->name = lop_string(name, r->err);
    if (!v->name) {
        lop_free(v);
        return LOP_E_MEMORY;
    }
    *id = g->nvalue;
    g->value[g->nvalue++] = v;
    return LOP_OK;
}

/* The number of a name, new if need be; -1 for "". */
lop_status lop_onnx_number(reader *r, const char *name, int *id)
{
    *id = -1;
    if (!name || !name[0]) return LOP_OK;
    const size_t at = name_slot(r, name);
    if (r->slot[at]) {
        *id = r->slot[at] - 1;
        return LOP_OK;
    }
    const lop_status st = append_value(r, name, id);
    if (st == LOP_OK) r->slot[at] = *id + 1;
    return st;
}

/* Room for every name that the model can hold, so that the table never grows. */
lop_status lop_onnx_start_names(lop_onnx_reader *r, const Onnx__GraphProto *m)
{
    size_t most = m->n_input + m->n_output +
                  m->n_initializer + m->n_sparse_initializer + m->n_value_info + (size_t)r->g->nvalue;
    for (size_t k = 0; k < m->n_node; k++) most += m->node[k]->n_input + m->node[k]->n_output;
    if (most > INT_MAX / 4) return lop_fail(r->err, LOP_E_UNSUPPORTED, "the graph names %zu values, too many", most);
    for (r->slots = 64; r->slots < 2 * most;) r->slots *= 2;
    r->slot = lop_array((int64_t)r->slots, sizeof *r->slot, r->err);
    for (int v = 0; r->slot && v < r->g->nvalue; v++)
        if (r->g->value[v]->name[0]) r->slot[name_slot(r, r->g->value[v]->name)] = v + 1;
    return r->slot ? LOP_OK : LOP_E_MEMORY;
}

/* ---- values ---- */

static bool plain_shape(const Onnx__TensorShapeProto *s)
{
    if (s->n_dim > LOP_MAX_DIMS || s->base.n_unknown_fields > 0) return false;
    for (size_t d = 0; d < s->n_dim; d++)
        if (s->dim[d]->base.n_unknown_fields > 0 || s->dim[d]->dim_value < 0) return false;     /* Paddle's -1 */
    return true;
}

/* Nothing but a name, an element type and a shape: lop_value says it all. */
static bool plain_info(const Onnx__ValueInfoProto *m)
{
    const Onnx__TypeProto *t = m->type;
    if (m->doc_string || m->base.n_unknown_fields > 0 || !t) return !m->doc_string && m->base.n_unknown_fields == 0;
    if (!t->tensor_type || t->base.n_unknown_fields > 0) return false;
    if (t->sequence_type || t->map_type || t->sparse_tensor_type || t->optional_type) return false;
    if (lop_dtype_size((lop_dtype)t->tensor_type->elem_type) == 0) return false;
    return t->tensor_type->base.n_unknown_fields == 0 && (!t->tensor_type->shape || plain_shape(t->tensor_type->shape));
}

static lop_status read_shape(lop_value *v, const Onnx__TensorShapeProto *m, lop_error *err)
{
    lop_status st = LOP_OK;
    v->shaped = true;
    v->shape.ndim = (int)m->n_dim;
    for (int d = 0; st == LOP_OK && d < v->shape.ndim; d++) {
        const Onnx__TensorShapeProto__Dimension *dim = m->dim[d];
        v->shape.dim[d] = dim->has_dim_value && dim->dim_value >= 0 ? dim->dim_value : -1;
        if (dim->dim_param && dim->dim_param[0] && !dim->has_dim_value && !v->param[d])
            st = text(&v->param[d], dim->dim_param, err);
    }
    return st;
}

/* Of several declarations of a name the first counts; an initializer is its own declaration. */
static lop_status read_info(reader *r, const Onnx__ValueInfoProto *m, int id)
{
    lop_value *v = r->g->value[id];
    if (v->type != LOP_NONE || v->raw) return LOP_OK;
    if (!plain_info(m)) {
        const lop_status st = lop_onnx_pack(&m->base, &v->raw, &v->raw_length, r->err);
        if (st != LOP_OK) return st;
    }
    const Onnx__TypeProto__Tensor *t = m->type ? m->type->tensor_type : NULL;
    const bool wide = t && t->shape && t->shape->n_dim > LOP_MAX_DIMS;
    if (m->type && !v->kept && (!t || wide || lop_dtype_size((lop_dtype)t->elem_type) == 0)) {
        const lop_status st = lop_onnx_type_text(m->type, &v->foreign, r->err);
        if (st != LOP_OK || !t || wide) return st;
    }
    if (!t || wide || v->kept) return LOP_OK;
    if (!v->foreign) v->type = (lop_dtype)t->elem_type;
    return t->shape ? read_shape(v, t->shape, r->err) : LOP_OK;
}

static lop_status read_initializer(reader *r, Onnx__TensorProto *t, size_t k)
{
    int id;
    char what[300];
    if (!t->name || !t->name[0])
        return lop_fail(r->err, LOP_E_FORMAT, "initializer #%zu has no name", k);
    snprintf(what, sizeof what, "initializer '%.256s'", t->name);
    lop_status st = lop_onnx_number(r, t->name, &id);
    if (st != LOP_OK) return st;
    lop_value *v = r->g->value[id];
    if (lop_value_is_initializer(v)) return lop_fail(r->err, LOP_E_FORMAT, "%s is there twice", what);
    if (!lop_onnx_holds(t)) {
        st = lop_onnx_keep(r, t, v);
        if (st != LOP_OK) lop_error_at(r->err, "%s", what);
        return st;
    }
    st = lop_onnx_read_tensor(t, what, r->folder, &v->constant, r->err);
    if (st == LOP_OK) v->type = v->constant.type;
    return st;
}

static lop_status read_sparse(reader *r, Onnx__SparseTensorProto *m, size_t k)
{
    int id;
    if (!m->values || !m->values->name || !m->values->name[0])
        return lop_fail(r->err, LOP_E_FORMAT, "sparse initializer #%zu has no name", k);
    lop_status st = lop_onnx_number(r, m->values->name, &id);
    if (st == LOP_OK && lop_value_is_initializer(r->g->value[id]))
        st = lop_fail(r->err, LOP_E_FORMAT, "is there twice");
    if (st == LOP_OK) st = lop_onnx_read_sparse(r, m, r->g->value[id]);
    if (st != LOP_OK) lop_error_at(r->err, "sparse initializer '%.256s'", m->values->name);
    return st;
}

/* Each message goes once its tensor is taken: two copies of all weights would be twice the model. */
lop_status lop_onnx_read_initializers(lop_onnx_reader *r, Onnx__GraphProto *m)
{
    lop_status st = LOP_OK;
    for (size_t k = 0; st == LOP_OK && k < m->n_initializer; k++) {
        st = read_initializer(r, m->initializer[k], k);
        onnx__tensor_proto__free_unpacked(m->initializer[k], NULL);
        m->initializer[k] = NULL;
    }
    for (size_t k = 0; st == LOP_OK && k < m->n_sparse_initializer; k++)
        st = read_sparse(r, m->sparse_initializer[k], k);
    return st;
}

/* Inputs first, so that values are numbered the same when the file written from the graph is read. */
static lop_status read_list(reader *r, Onnx__ValueInfoProto **list, size_t count, const char *what, int **ids, int *n)
{
    lop_status st = LOP_OK;
    *ids = lop_array((int64_t)count, sizeof **ids, r->err);
    if (!*ids) return LOP_E_MEMORY;
    for (size_t k = 0; st == LOP_OK && k < count; k++) {
        int id;
        if (!list[k]->name || !list[k]->name[0])
            return lop_fail(r->err, LOP_E_FORMAT, "%s #%zu of the graph has no name", what, k);
        st = lop_onnx_number(r, list[k]->name, &id);
        if (st == LOP_OK) (*ids)[(*n)++] = id;
    }
    return st;
}

/* Declarations come after the initializers, whose own shape is the one that counts. */
lop_status lop_onnx_read_infos(lop_onnx_reader *r, Onnx__ValueInfoProto **list, size_t count)
{
    lop_status st = LOP_OK;
    for (size_t k = 0; st == LOP_OK && k < count; k++) {
        int id;
        st = lop_onnx_number(r, list[k]->name, &id);
        if (st == LOP_OK && id >= 0) st = read_info(r, list[k], id);
    }
    return st;
}

/* ---- nodes ---- */

/* Files before IR version 2 do not say the type: it is what is there. */
static int attr_type(const Onnx__AttributeProto *m)
{
    if (m->has_type && m->type != 0) return m->type;
    if (m->has_f) return LOP_ATTR_FLOAT;
    if (m->has_i) return LOP_ATTR_INT;
    if (m->has_s) return LOP_ATTR_STRING;
    if (m->t) return LOP_ATTR_TENSOR;
    if (m->g) return LOP_ATTR_GRAPH;
    if (m->n_floats > 0) return LOP_ATTR_FLOATS;
    return m->n_ints > 0 ? LOP_ATTR_INTS : LOP_ATTR_OTHER;
}

static lop_attr_kind attr_kind(const Onnx__AttributeProto *m)
{
    const int type = attr_type(m);
    if (m->ref_attr_name && m->ref_attr_name[0]) return LOP_ATTR_OTHER;
    if (type == LOP_ATTR_TENSOR) return m->t && lop_onnx_holds(m->t) ? LOP_ATTR_TENSOR : LOP_ATTR_OTHER;
    return type >= LOP_ATTR_FLOAT && type <= LOP_ATTR_INTS ? (lop_attr_kind)type : LOP_ATTR_OTHER;
}

static lop_status copy_list(void **to, const void *from, size_t count, size_t size, lop_attr *a, lop_error *err)
{
    *to = lop_array((int64_t)count, size, err);
    if (!*to) return LOP_E_MEMORY;
    if (count > 0) memcpy(*to, from, count * size);
    a->count = (int64_t)count;
    return LOP_OK;
}

static lop_status read_attr_value(reader *r, const Onnx__AttributeProto *m, lop_attr *a)
{
    char what[300];
    void *list = NULL;
    lop_status st = LOP_OK;
    switch (a->kind) {
    case LOP_ATTR_FLOAT: a->f = m->f; break;
    case LOP_ATTR_INT: a->i = m->i; break;
    case LOP_ATTR_STRING:
        a->s = lop_string_n((const char *)m->s.data, m->s.len, r->err);
        a->length = m->s.len;
        if (!a->s) st = LOP_E_MEMORY;
        break;
    case LOP_ATTR_TENSOR:
        snprintf(what, sizeof what, "attribute '%.256s'", a->name);
        st = lop_onnx_read_tensor(m->t, what, r->folder, &a->tensor, r->err);
        break;
    case LOP_ATTR_FLOATS:
        st = copy_list(&list, m->floats, m->n_floats, sizeof *m->floats, a, r->err);
        a->floats = list;
        break;
    case LOP_ATTR_INTS:
        st = copy_list(&list, m->ints, m->n_ints, sizeof *m->ints, a, r->err);
        a->ints = list;
        break;
    case LOP_ATTR_GRAPH:
    case LOP_ATTR_OTHER: st = lop_onnx_pack(&m->base, &a->raw, &a->length, r->err); break;
    }
    return st;
}

static lop_status read_attrs(reader *r, const Onnx__NodeProto *m, lop_node *n)
{
    lop_status st = LOP_OK;
    n->attr = lop_array((int64_t)m->n_attribute, sizeof *n->attr, r->err);
    if (!n->attr) return LOP_E_MEMORY;
    for (size_t k = 0; st == LOP_OK && k < m->n_attribute; k++) {
        lop_attr *a = &n->attr[n->nattr++];
        a->kind = attr_kind(m->attribute[k]);
        st = text_or_empty(&a->name, m->attribute[k]->name, r->err);
        if (st == LOP_OK) st = read_attr_value(r, m->attribute[k], a);
    }
    return st;
}

static lop_status read_names(reader *r, char **name, size_t count, int **ids, int *n)
{
    lop_status st = LOP_OK;
    *ids = lop_array((int64_t)count, sizeof **ids, r->err);
    if (!*ids) return LOP_E_MEMORY;
    for (size_t k = 0; st == LOP_OK && k < count; k++) {
        st = lop_onnx_number(r, name[k], &(*ids)[k]);
        if (st == LOP_OK) (*n)++;
    }
    return st;
}

static lop_status read_node(reader *r, const Onnx__NodeProto *m, lop_node *n)
{
    const Onnx__NodeProto rest = {.base = {&onnx__node_proto__descriptor, m->base.n_unknown_fields,
                                           m->base.unknown_fields}, .overload = m->overload};
    lop_status st = text_or_empty(&n->name, m->name, r->err);
    if (st == LOP_OK) st = text_or_empty(&n->op, m->op_type, r->err);
    if (st == LOP_OK) st = text_or_empty(&n->domain, m->domain, r->err);
    if (st == LOP_OK) st = text(&n->doc, m->doc_string, r->err);
    if (st == LOP_OK) st = read_names(r, m->input, m->n_input, &n->in, &n->nin);
    if (st == LOP_OK) st = read_names(r, m->output, m->n_output, &n->out, &n->nout);
    if (st == LOP_OK) st = lop_onnx_pack(&rest.base, &n->extra, &n->extra_length, r->err);
    if (st != LOP_OK) return st;
    st = read_attrs(r, m, n);
    if (st != LOP_OK) lop_error_at(r->err, "node '%s' (%s)", lop_node_label(r->g, n), n->op);
    return st;
}

static lop_status read_nodes(reader *r, const Onnx__GraphProto *m)
{
    lop_status st = LOP_OK;
    lop_graph *g = r->g;
    g->node = lop_array((int64_t)m->n_node, sizeof *g->node, r->err);
    if (!g->node) return LOP_E_MEMORY;
    g->node_capacity = (int64_t)m->n_node;
    for (size_t k = 0; st == LOP_OK && k < m->n_node; k++) {
        lop_node *n = lop_array(1, sizeof *n, r->err);
        if (!n) return LOP_E_MEMORY;
        g->node[g->nnode++] = n;
        st = read_node(r, m->node[k], n);
    }
    return st;
}

lop_status lop_onnx_insert_node(lop_onnx_reader *r, const Onnx__NodeProto *m, int at)
{
    lop_node *n;
    lop_status st = lop_graph_insert(r->g, at, "", "", NULL, 0, NULL, 0, &n, r->err);
    if (st != LOP_OK) return st;
    void *const blocks[] = {n->name, n->op, n->domain, n->in, n->out};
    for (size_t k = 0; k < sizeof blocks / sizeof *blocks; k++) lop_free(blocks[k]);
    *n = (lop_node){0};
    return read_node(r, m, n);
}

/* ---- the model ---- */

static lop_status read_texts(lop_graph *g, const Onnx__ModelProto *m, lop_error *err)
{
    g->ir_version = m->ir_version;
    g->model_version = m->model_version;
    lop_status st = text(&g->name, m->graph->name, err);
    if (st == LOP_OK) st = text(&g->doc, m->graph->doc_string, err);
    if (st == LOP_OK) st = text(&g->producer, m->producer_name, err);
    if (st == LOP_OK) st = text(&g->producer_version, m->producer_version, err);
    if (st == LOP_OK) st = text(&g->model_domain, m->domain, err);
    if (st == LOP_OK) st = text(&g->model_doc, m->doc_string, err);
    return st;
}

static lop_status read_tables(lop_graph *g, const Onnx__ModelProto *m, lop_error *err)
{
    lop_status st = LOP_OK;
    g->opset = lop_array((int64_t)m->n_opset_import, sizeof *g->opset, err);
    g->meta = lop_array((int64_t)m->n_metadata_props, sizeof *g->meta, err);
    if (!g->opset || !g->meta) return LOP_E_MEMORY;
    for (size_t k = 0; st == LOP_OK && k < m->n_opset_import; k++) {
        lop_opset *o = &g->opset[g->nopset++];
        o->version = m->opset_import[k]->version;
        st = text_or_empty(&o->domain, m->opset_import[k]->domain, err);
    }
    for (size_t k = 0; st == LOP_OK && k < m->n_metadata_props; k++) {
        lop_pair *p = &g->meta[g->nmeta++];
        st = text_or_empty(&p->key, m->metadata_props[k]->key, err);
        if (st == LOP_OK) st = text_or_empty(&p->value, m->metadata_props[k]->value, err);
    }
    return st;
}

/* Functions and all fields that the schema does not name, as a ModelProto of nothing else. */
static lop_status read_extra(lop_graph *g, const Onnx__ModelProto *m, lop_error *err)
{
    Onnx__GraphProto inner = ONNX__GRAPH_PROTO__INIT;
    Onnx__ModelProto rest = ONNX__MODEL_PROTO__INIT;
    inner.base.n_unknown_fields = m->graph->base.n_unknown_fields;
    inner.base.unknown_fields = m->graph->base.unknown_fields;
    rest.base.n_unknown_fields = m->base.n_unknown_fields;
    rest.base.unknown_fields = m->base.unknown_fields;
    rest.n_functions = m->n_functions;
    rest.functions = m->functions;
    if (inner.base.n_unknown_fields > 0) rest.graph = &inner;
    return lop_onnx_pack(&rest.base, &g->extra, &g->extra_length, err);
}

static lop_status read_model(reader *r, Onnx__ModelProto *m)
{
    lop_graph *g = r->g;
    Onnx__GraphProto *net = m->graph;
    if (!net) return lop_fail(r->err, LOP_E_FORMAT, "holds no graph: is it an ONNX model?");
    lop_status st = lop_onnx_start_names(r, net);
    if (st == LOP_OK) st = read_texts(g, m, r->err);
    if (st == LOP_OK) st = read_tables(g, m, r->err);
    if (st == LOP_OK) st = read_extra(g, m, r->err);
    if (st == LOP_OK) st = read_list(r, net->input, net->n_input, "input", &g->input, &g->ninput);
    if (st == LOP_OK && g->nvalue < g->ninput)
        st = lop_fail(r->err, LOP_E_FORMAT, "two inputs of the graph have the same name");
    if (st == LOP_OK) st = lop_onnx_read_initializers(r, net);
    if (st == LOP_OK) st = read_nodes(r, net);
    if (st == LOP_OK) st = read_list(r, net->output, net->n_output, "output", &g->output, &g->noutput);
    if (st == LOP_OK) st = lop_onnx_read_infos(r, net->input, net->n_input);
    if (st == LOP_OK) st = lop_onnx_read_infos(r, net->output, net->n_output);
    if (st == LOP_OK) st = lop_onnx_read_infos(r, net->value_info, net->n_value_info);
    return st == LOP_OK ? lop_graph_sort(g, r->err) : st;
}

lop_status lop_onnx_parse(const uint8_t *bytes, size_t size, const char *folder, const lop_op_table *ops,
                          lop_graph **out, lop_error *err)
{
    *out = NULL;
    if (size == 0) return lop_fail(err, LOP_E_FORMAT, "is empty, no ONNX model");
    if (size > INT32_MAX)
        return lop_fail(err, LOP_E_UNSUPPORTED, "is larger than 2 GiB: ONNX keeps such weights in external data");
    lop_status st = lop_onnx_check(bytes, size, &onnx__model_proto__descriptor, err);
    if (st != LOP_OK) return st;
    Onnx__ModelProto *m = onnx__model_proto__unpack(NULL, size, bytes);
    if (!m) return lop_fail(err, LOP_E_MEMORY, "no memory for a model of %zu bytes", size);
    reader r = {.folder = folder, .err = err};
    st = lop_onnx_inline(m, err);
    if (st == LOP_OK) st = lop_graph_new(ops, &r.g, err);
    if (st == LOP_OK) st = read_model(&r, m);
    onnx__model_proto__free_unpacked(m, NULL);
    lop_free(r.slot);
    int taken;
    if (st == LOP_OK) st = lop_onnx_take_branches(r.g, folder, &taken, err);
    if (st == LOP_OK) *out = r.g;
    else lop_graph_free(r.g);
    return st;
}

static char *folder_of(const char *path, lop_error *err)
{
    const char *slash = strrchr(path, '/');
    if (!slash) return lop_string(".", err);
    return lop_string_n(path, slash == path ? 1 : (size_t)(slash - path), err);
}

lop_status lop_onnx_load(const char *path, const lop_op_table *ops, lop_graph **out, lop_error *err)
{
    lop_file file;
    *out = NULL;
    lop_status st = lop_file_open(path, &file, err);
    if (st != LOP_OK) return st;
    char *folder = folder_of(path, err);
    st = folder ? lop_onnx_parse(file.bytes, file.size, folder, ops, out, err) : LOP_E_MEMORY;
    if (st != LOP_OK) lop_error_at(err, "%s", path);
    lop_free(folder);
    lop_file_close(&file);
    return st;
}

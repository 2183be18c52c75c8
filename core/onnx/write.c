/* core/onnx/write.c - graph to ModelProto. Messages point into the graph: no weight is copied on its way to disk. */
#include "onnx/onnx_impl.h"
#include <stdio.h>
#include <string.h>

/* What the messages are made of, freed together when all is written. */
typedef struct block { struct block *next; void *memory; ProtobufCMessage *message; } block;
typedef struct {
    const lop_graph *g;
    block *owned;
    const char *location;       /* of large initializers, a file's name; borrowed; NULL: in the model */
    size_t end;                 /* of what lies there so far */
    lop_error *err;
} writer;

static block *own(writer *w)
{
    block *b = lop_array(1, sizeof *b, w->err);
    if (!b) return NULL;
    b->next = w->owned;
    return w->owned = b;
}

/* count zeroed items; NULL when there is no memory. */
static void *take(writer *w, size_t count, size_t size)
{
    block *b = own(w);
    if (b) b->memory = lop_array((int64_t)count, size, w->err);
    return b ? b->memory : NULL;
}

/* A message of `count` of them, made ready; NULL when there is no memory. */
static void *take_messages(writer *w, size_t count, const ProtobufCMessageDescriptor *type)
{
    char *items = take(w, count, type->sizeof_message);
    for (size_t k = 0; items && k < count; k++)
        protobuf_c_message_init(type, items + k * type->sizeof_message);
    return items;
}

/* A message kept as bytes. */
static void *unpack(writer *w, const ProtobufCMessageDescriptor *type, const uint8_t *bytes, size_t size)
{
    block *b = own(w);
    if (b) b->message = protobuf_c_message_unpack(type, NULL, size, bytes);
    if (b && !b->message) lop_fail(w->err, LOP_E_MEMORY, "no memory for a message of %zu bytes", size);
    return b ? b->message : NULL;
}

static void free_owned(writer *w)
{
    while (w->owned) {
        block *b = w->owned;
        w->owned = b->next;
        if (b->message) protobuf_c_message_free_unpacked(b->message, NULL);
        lop_free(b->memory);
        lop_free(b);
    }
}

static char *unless_empty(char *s) { return s && s[0] ? s : NULL; }

/* ---- tensors ---- */

static lop_status put_tensor(writer *w, const lop_tensor *t, char *name, Onnx__TensorProto *m)
{
    m->dims = take(w, (size_t)t->shape.ndim, sizeof *m->dims);
    if (!m->dims) return LOP_E_MEMORY;
    m->n_dims = (size_t)t->shape.ndim;
    for (int d = 0; d < t->shape.ndim; d++) m->dims[d] = t->shape.dim[d];
    m->has_data_type = 1;
    m->data_type = (int32_t)t->type;
    m->name = unless_empty(name);
    m->has_raw_data = 1;
    m->raw_data = (ProtobufCBinaryData){lop_tensor_bytes(t), t->data};
    return LOP_OK;
}

/* ---- initializers in a file of their own ---- */

enum { EXTERNAL_LEAST = 1024, EXTERNAL_ALIGN = 64, EXTERNAL_LARGE = 1 << 20, EXTERNAL_PAGE = 4096 };

static bool is_external(const lop_tensor *t) { return t->data && lop_tensor_bytes(t) >= EXTERNAL_LEAST; }

/* Where t goes behind `end`: a large one on a page of its own, so that a reader can map it. False past SIZE_MAX. */
static bool place(size_t end, const lop_tensor *t, size_t *start, size_t *next)
{
    const size_t bytes = lop_tensor_bytes(t), align = bytes >= EXTERNAL_LARGE ? EXTERNAL_PAGE : EXTERNAL_ALIGN;
    const size_t gap = (align - end % align) % align;
    return lop_add_size(start, end, (int64_t)gap) && lop_add_size(next, *start, (int64_t)bytes);
}

static lop_status put_entry(writer *w, const char *key, const char *value, Onnx__StringStringEntryProto *m)
{
    m->key = take(w, strlen(key) + 1, 1);
    m->value = take(w, strlen(value) + 1, 1);
    if (!m->key || !m->value) return LOP_E_MEMORY;
    memcpy(m->key, key, strlen(key));
    memcpy(m->value, value, strlen(value));
    return LOP_OK;
}

static lop_status put_external(writer *w, const lop_tensor *t, char *name, Onnx__TensorProto *m)
{
    static const char *const keys[] = {"location", "offset", "length"};
    char offset[24], length[24];
    size_t start;
    lop_status st = put_tensor(w, t, name, m);
    if (st != LOP_OK) return st;
    if (!place(w->end, t, &start, &w->end)) return lop_fail(w->err, LOP_E_UNSUPPORTED, "the weights are too large");
    snprintf(offset, sizeof offset, "%zu", start);
    snprintf(length, sizeof length, "%zu", lop_tensor_bytes(t));
    const char *const values[] = {w->location, offset, length};
    Onnx__StringStringEntryProto *entry = take_messages(w, 3, &onnx__string_string_entry_proto__descriptor);
    m->external_data = take(w, 3, sizeof *m->external_data);
    if (!entry || !m->external_data) return LOP_E_MEMORY;
    m->has_raw_data = 0;
    m->has_data_location = 1;
    m->data_location = 1;
    m->n_external_data = 3;
    for (int k = 0; st == LOP_OK && k < 3; k++) {
        m->external_data[k] = &entry[k];
        st = put_entry(w, keys[k], values[k], &entry[k]);
    }
    return st;
}

/* ---- values ---- */

static lop_status put_shape(writer *w, const lop_shape *shape, char *const *param, Onnx__TensorShapeProto *m)
{
    const size_t n = (size_t)shape->ndim;
    Onnx__TensorShapeProto__Dimension *dim = take_messages(w, n, &onnx__tensor_shape_proto__dimension__descriptor);
    m->dim = take(w, n, sizeof *m->dim);
    if (!dim || !m->dim) return LOP_E_MEMORY;
    m->n_dim = n;
    for (size_t d = 0; d < n; d++) {
        m->dim[d] = &dim[d];
        dim[d].has_dim_value = shape->dim[d] >= 0;
        dim[d].dim_value = shape->dim[d] >= 0 ? shape->dim[d] : 0;
        if (param && shape->dim[d] < 0) dim[d].dim_param = param[d];
    }
    return LOP_OK;
}

static lop_status put_type(writer *w, const lop_value *v, Onnx__ValueInfoProto *m)
{
    const bool constant = v->constant.data != NULL;
    Onnx__TypeProto *type = take_messages(w, 1, &onnx__type_proto__descriptor);
    Onnx__TypeProto__Tensor *t = take_messages(w, 1, &onnx__type_proto__tensor__descriptor);
    Onnx__TensorShapeProto *shape = take_messages(w, 1, &onnx__tensor_shape_proto__descriptor);
    if (!type || !t || !shape) return LOP_E_MEMORY;
    m->type = type;
    type->tensor_type = t;
    t->has_elem_type = 1;
    t->elem_type = (int32_t)(constant ? v->constant.type : v->type);
    if (constant || v->shaped) t->shape = shape;
    if (constant) return put_shape(w, &v->constant.shape, NULL, shape);
    return v->shaped ? put_shape(w, &v->shape, v->param, shape) : LOP_OK;
}

/* The declaration kept as bytes still says what the value says: then it is written as it came. */
static bool says_the_same(const Onnx__ValueInfoProto *m, const lop_value *v)
{
    const Onnx__TypeProto__Tensor *t = m->type ? m->type->tensor_type : NULL;
    if (v->constant.data) return false;
    if (v->type == LOP_NONE) return true;
    if (!t || t->elem_type != (int32_t)v->type || (t->shape != NULL) != v->shaped) return false;
    if (t->shape && t->shape->n_dim != (size_t)v->shape.ndim) return false;
    for (int d = 0; t->shape && d < v->shape.ndim; d++) {
        const Onnx__TensorShapeProto__Dimension *dim = t->shape->dim[d];
        if ((dim->has_dim_value && dim->dim_value >= 0 ? dim->dim_value : -1) != v->shape.dim[d]) return false;
    }
    return true;
}

static lop_status put_info(writer *w, const lop_value *v, Onnx__ValueInfoProto *m)
{
    if (v->raw) {
        const Onnx__ValueInfoProto *kept = unpack(w, &onnx__value_info_proto__descriptor, v->raw, v->raw_length);
        if (!kept) return LOP_E_MEMORY;
        *m = *kept;
    }
    m->name = v->name;
    if (v->raw && says_the_same(m, v)) return LOP_OK;
    return v->constant.data || v->type != LOP_NONE ? put_type(w, v, m) : LOP_OK;
}

static lop_status put_infos(writer *w, const int *list, size_t n, size_t *count, Onnx__ValueInfoProto ***to)
{
    lop_status st = LOP_OK;
    Onnx__ValueInfoProto *info = take_messages(w, n, &onnx__value_info_proto__descriptor);
    *to = take(w, n, sizeof **to);
    if (!info || !*to) return LOP_E_MEMORY;
    *count = n;
    for (size_t k = 0; k < n; k++) (*to)[k] = &info[k];
    for (size_t k = 0; st == LOP_OK && k < n; k++) st = put_info(w, w->g->value[list[k]], &info[k]);
    return st;
}

/* Values between the nodes that the file declared; inputs, outputs and initializers have places of their own. */
static lop_status put_value_infos(writer *w, Onnx__GraphProto *m)
{
    const lop_graph *g = w->g;
    size_t n = 0;
    int *list = take(w, (size_t)g->nvalue, sizeof *list);
    bool *listed = take(w, (size_t)g->nvalue, sizeof *listed), *made = take(w, (size_t)g->nvalue, sizeof *made);
    if (!list || !listed || !made) return LOP_E_MEMORY;
    for (int k = 0; k < g->ninput; k++) listed[g->input[k]] = true;
    for (int k = 0; k < g->noutput; k++) listed[g->output[k]] = true;
    for (int k = 0; k < g->nnode; k++)
        for (int o = 0; o < g->node[k]->nout; o++)
            if (g->node[k]->out[o] >= 0) made[g->node[k]->out[o]] = true;
    for (int v = 0; v < g->nvalue; v++)
        if (made[v] && !listed[v] && (g->value[v]->type != LOP_NONE || g->value[v]->raw)) list[n++] = v;
    return put_infos(w, list, n, &m->n_value_info, &m->value_info);
}

/* What is no tensor here goes back as it came. */
static lop_status put_kept(writer *w, const lop_value *v, Onnx__GraphProto *m)
{
    void *kept = unpack(w, v->kept_sparse ? &onnx__sparse_tensor_proto__descriptor : &onnx__tensor_proto__descriptor,
                        v->kept, v->kept_length);
    if (!kept) return LOP_E_MEMORY;
    if (v->kept_sparse) m->sparse_initializer[m->n_sparse_initializer++] = kept;
    else m->initializer[m->n_initializer++] = kept;
    return LOP_OK;
}

static lop_status put_initializers(writer *w, Onnx__GraphProto *m)
{
    size_t n = 0;
    lop_status st = LOP_OK;
    for (int v = 0; v < w->g->nvalue; v++) n += lop_value_is_initializer(w->g->value[v]);
    Onnx__TensorProto *t = take_messages(w, n, &onnx__tensor_proto__descriptor);
    m->initializer = take(w, n, sizeof *m->initializer);
    m->sparse_initializer = take(w, n, sizeof *m->sparse_initializer);
    if (!t || !m->initializer || !m->sparse_initializer) return LOP_E_MEMORY;
    for (int v = 0; st == LOP_OK && v < w->g->nvalue; v++) {
        const lop_value *value = w->g->value[v];
        if (value->kept) st = put_kept(w, value, m);
        if (!value->constant.data) continue;
        m->initializer[m->n_initializer] = &t[m->n_initializer];
        Onnx__TensorProto *to = &t[m->n_initializer++];
        st = w->location && is_external(&value->constant) ? put_external(w, &value->constant, value->name, to)
                                                          : put_tensor(w, &value->constant, value->name, to);
    }
    return st;
}

/* ---- nodes ---- */

static lop_status put_attr(writer *w, const lop_attr *a, Onnx__AttributeProto *m)
{
    if (a->kind == LOP_ATTR_GRAPH || a->kind == LOP_ATTR_OTHER) {
        const Onnx__AttributeProto *kept = unpack(w, &onnx__attribute_proto__descriptor, a->raw, a->length);
        if (kept) *m = *kept;
        return kept ? LOP_OK : LOP_E_MEMORY;
    }
    m->name = a->name;
    m->has_type = 1;
    m->type = (int32_t)a->kind;
    m->has_f = a->kind == LOP_ATTR_FLOAT;
    m->f = a->f;
    m->has_i = a->kind == LOP_ATTR_INT;
    m->i = a->i;
    m->has_s = a->kind == LOP_ATTR_STRING;
    if (m->has_s) m->s = (ProtobufCBinaryData){a->length, (uint8_t *)a->s};
    if (a->kind == LOP_ATTR_FLOATS) m->n_floats = (size_t)a->count;
    m->floats = a->floats;
    if (a->kind == LOP_ATTR_INTS) m->n_ints = (size_t)a->count;
    m->ints = a->ints;
    if (a->kind != LOP_ATTR_TENSOR) return LOP_OK;
    m->t = take_messages(w, 1, &onnx__tensor_proto__descriptor);
    return m->t ? put_tensor(w, &a->tensor, NULL, m->t) : LOP_E_MEMORY;
}

static lop_status put_names(writer *w, const int *list, int count, size_t *n, char ***to)
{
    char *none = take(w, 1, 1);                         /* "": left out */
    *to = take(w, (size_t)count, sizeof **to);
    if (!none || !*to) return LOP_E_MEMORY;
    for (int k = 0; k < count; k++) (*to)[k] = list[k] >= 0 ? w->g->value[list[k]]->name : none;
    *n = (size_t)count;
    return LOP_OK;
}

static lop_status put_node(writer *w, const lop_node *n, Onnx__NodeProto *m)
{
    const size_t count = (size_t)n->nattr;
    if (n->extra) {
        const Onnx__NodeProto *kept = unpack(w, &onnx__node_proto__descriptor, n->extra, n->extra_length);
        if (!kept) return LOP_E_MEMORY;
        m->base = kept->base;
        m->overload = kept->overload;
    }
    m->name = unless_empty(n->name);
    m->op_type = n->op;
    m->domain = unless_empty(n->domain);
    m->doc_string = n->doc;
    lop_status st = put_names(w, n->in, n->nin, &m->n_input, &m->input);
    if (st == LOP_OK) st = put_names(w, n->out, n->nout, &m->n_output, &m->output);
    if (st != LOP_OK) return st;
    Onnx__AttributeProto *attr = take_messages(w, count, &onnx__attribute_proto__descriptor);
    m->attribute = take(w, count, sizeof *m->attribute);
    if (!attr || !m->attribute) return LOP_E_MEMORY;
    m->n_attribute = count;
    for (size_t k = 0; k < count; k++) m->attribute[k] = &attr[k];
    for (size_t k = 0; st == LOP_OK && k < count; k++) st = put_attr(w, &n->attr[k], &attr[k]);
    return st;
}

static lop_status put_nodes(writer *w, Onnx__GraphProto *m)
{
    const size_t n = (size_t)w->g->nnode;
    lop_status st = LOP_OK;
    Onnx__NodeProto *node = take_messages(w, n, &onnx__node_proto__descriptor);
    m->node = take(w, n, sizeof *m->node);
    if (!node || !m->node) return LOP_E_MEMORY;
    m->n_node = n;
    for (size_t k = 0; k < n; k++) m->node[k] = &node[k];
    for (size_t k = 0; st == LOP_OK && k < n; k++) st = put_node(w, w->g->node[k], &node[k]);
    return st;
}

/* ---- the model ---- */

static lop_status put_tables(writer *w, Onnx__ModelProto *m)
{
    const lop_graph *g = w->g;
    const size_t no = (size_t)g->nopset, nm = (size_t)g->nmeta;
    Onnx__OperatorSetIdProto *opset = take_messages(w, no, &onnx__operator_set_id_proto__descriptor);
    Onnx__StringStringEntryProto *meta = take_messages(w, nm, &onnx__string_string_entry_proto__descriptor);
    m->opset_import = take(w, no, sizeof *m->opset_import);
    m->metadata_props = take(w, nm, sizeof *m->metadata_props);
    if (!opset || !meta || !m->opset_import || !m->metadata_props) return LOP_E_MEMORY;
    m->n_opset_import = no;
    m->n_metadata_props = nm;
    for (size_t k = 0; k < no; k++) {
        m->opset_import[k] = &opset[k];
        opset[k].domain = unless_empty(g->opset[k].domain);
        opset[k].has_version = 1;
        opset[k].version = g->opset[k].version;
    }
    for (size_t k = 0; k < nm; k++) {
        m->metadata_props[k] = &meta[k];
        meta[k].key = g->meta[k].key;
        meta[k].value = g->meta[k].value;
    }
    return LOP_OK;
}

static lop_status put_extra(writer *w, Onnx__ModelProto *m)
{
    if (!w->g->extra) return LOP_OK;
    const Onnx__ModelProto *kept = unpack(w, &onnx__model_proto__descriptor, w->g->extra, w->g->extra_length);
    if (!kept) return LOP_E_MEMORY;
    m->base = kept->base;
    m->n_functions = kept->n_functions;
    m->functions = kept->functions;
    if (kept->graph) m->graph->base = kept->graph->base;
    return LOP_OK;
}

static lop_status put_model(writer *w, Onnx__ModelProto *m)
{
    const lop_graph *g = w->g;
    m->graph = take_messages(w, 1, &onnx__graph_proto__descriptor);
    if (!m->graph) return LOP_E_MEMORY;
    m->has_ir_version = 1;
    m->ir_version = g->ir_version;
    m->has_model_version = g->model_version != 0;
    m->model_version = g->model_version;
    m->producer_name = g->producer;
    m->producer_version = g->producer_version;
    m->domain = g->model_domain;
    m->doc_string = g->model_doc;
    m->graph->name = g->name;
    m->graph->doc_string = g->doc;
    lop_status st = put_extra(w, m);
    if (st == LOP_OK) st = put_tables(w, m);
    if (st == LOP_OK) st = put_infos(w, g->input, (size_t)g->ninput, &m->graph->n_input, &m->graph->input);
    if (st == LOP_OK) st = put_infos(w, g->output, (size_t)g->noutput, &m->graph->n_output, &m->graph->output);
    if (st == LOP_OK) st = put_value_infos(w, m->graph);
    if (st == LOP_OK) st = put_initializers(w, m->graph);
    return st == LOP_OK ? put_nodes(w, m->graph) : st;
}

static bool fits(const Onnx__ModelProto *m) { return protobuf_c_message_get_packed_size(&m->base) <= INT32_MAX; }

static lop_status too_large(lop_error *err)
{
    return lop_fail(err, LOP_E_UNSUPPORTED, "the model is larger than 2 GiB, more than an ONNX file can hold");
}

lop_status lop_onnx_write_bytes(const lop_graph *g, uint8_t **bytes, size_t *size, lop_error *err)
{
    writer w = {.g = g, .err = err};
    Onnx__ModelProto m = ONNX__MODEL_PROTO__INIT;
    *bytes = NULL;
    *size = 0;
    lop_status st = put_model(&w, &m);
    if (st == LOP_OK && !fits(&m)) st = too_large(err);
    if (st == LOP_OK) st = lop_onnx_pack(&m.base, bytes, size, err);
    free_owned(&w);
    return st;
}

/* protobuf-c hands over a few bytes at a time, and whole tensors: the few are gathered, tensors go straight through. */
typedef struct {
    ProtobufCBuffer base;
    lop_writer *file;
    uint8_t *gathered;
    size_t n;
    lop_status st;
    lop_error *err;
} stream;

enum { GATHER = 1 << 16 };

static void flush(stream *s)
{
    if (s->st == LOP_OK && s->n > 0) s->st = lop_writer_write(s->file, s->gathered, s->n, s->err);
    s->n = 0;
}

static void append(ProtobufCBuffer *buffer, size_t n, const uint8_t *bytes)
{
    stream *s = (stream *)buffer;
    if (n > GATHER - s->n) flush(s);
    if (n > GATHER) {
        if (s->st == LOP_OK) s->st = lop_writer_write(s->file, bytes, n, s->err);
    } else if (n > 0) {
        memcpy(s->gathered + s->n, bytes, n);
        s->n += n;
    }
}

static lop_status stream_to(const Onnx__ModelProto *m, lop_writer *file, lop_error *err)
{
    stream s = {.base = {append}, .file = file, .err = err, .gathered = lop_array(GATHER, 1, err)};
    if (!s.gathered) return LOP_E_MEMORY;
    protobuf_c_message_pack_to_buffer(&m->base, &s.base);
    flush(&s);
    lop_free(s.gathered);
    return s.st;
}

/* ---- files ---- */

/* The same walk as that of put_initializers, so that everything lies where the model says. */
static lop_status write_data(const lop_graph *g, lop_writer *file, lop_error *err)
{
    static const uint8_t zeros[EXTERNAL_PAGE];
    size_t end = 0;
    lop_status st = LOP_OK;
    for (int v = 0; st == LOP_OK && v < g->nvalue; v++) {
        const lop_tensor *t = &g->value[v]->constant;
        size_t start, next;
        if (!is_external(t) || !place(end, t, &start, &next)) continue;     /* place: put_external has asked */
        st = lop_writer_write(file, zeros, start - end, err);
        if (st == LOP_OK) st = lop_writer_write(file, t->data, next - start, err);
        end = next;
    }
    return st;
}

/* Both are written before either takes its place: what fails until then leaves what was there before. */
static lop_status write_files(const writer *w, const Onnx__ModelProto *m, const char *path, const char *data,
                              lop_error *err)
{
    lop_writer *model = NULL, *weights = NULL;
    lop_status st = lop_writer_open(path, &model, err);
    if (st == LOP_OK && w->end > 0) st = lop_writer_open(data, &weights, err);
    if (st == LOP_OK && weights) st = write_data(w->g, weights, err);
    if (st == LOP_OK) st = stream_to(m, model, err);
    if (st == LOP_OK && weights) {
        st = lop_writer_commit(weights, err);
        weights = NULL;
    }
    if (st == LOP_OK) return lop_writer_commit(model, err);
    lop_writer_abandon(weights);
    lop_writer_abandon(model);
    return st;
}

/* *small: the model's file can hold what is not external; where it can't, nothing is written. */
static lop_status save(const lop_graph *g, const char *path, const char *data, bool external, bool *small,
                       lop_error *err)
{
    const char *slash = strrchr(data, '/'), *name = slash ? slash + 1 : data;
    writer w = {.g = g, .location = external ? name : NULL, .err = err};
    Onnx__ModelProto m = ONNX__MODEL_PROTO__INIT;
    lop_status st = put_model(&w, &m);
    *small = st == LOP_OK && fits(&m);
    if (st != LOP_OK) lop_error_at(err, "%s", path);
    else if (*small) st = write_files(&w, &m, path, data, err);             /* names the path itself */
    free_owned(&w);
    return st;
}

lop_status lop_onnx_save(const lop_graph *g, const char *path, bool external, lop_error *err)
{
    const size_t n = strlen(path);
    bool small;
    char *data = lop_array((int64_t)n + 6, 1, err);
    if (!data) return LOP_E_MEMORY;
    memcpy(data, path, n);
    memcpy(data + n, ".data", 5);
    lop_status st = save(g, path, data, external, &small, err);
    if (st == LOP_OK && !small && !external) st = save(g, path, data, true, &small, err);
    if (st == LOP_OK && !small) {
        st = too_large(err);
        lop_error_at(err, "%s", path);
    }
    lop_free(data);
    return st;
}

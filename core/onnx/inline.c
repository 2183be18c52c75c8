/* core/onnx/inline.c - local functions (ModelProto.functions): each node that calls one becomes the nodes of its body,
 * under names of their own ("call/name"), in messages, before the graph is made. */
#include "onnx/onnx_impl.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A few hundred bytes of functions that call one another twice could ask for 2^60 nodes. */
enum { MOST_NODES = 1 << 17, MOST_BYTES = 1 << 28 };

typedef struct {
    Onnx__ModelProto *m;
    const Onnx__FunctionProto **function;       /* sorted by what find_function compares */
    lop_onnx_set values, nodes;                 /* names that are taken, anywhere in the model */
    char **owned;                               /* new names, until the end */
    int64_t nowned, capacity;
    int64_t nodes_left, bytes_left, serial;
    const Onnx__FunctionProto *stack[LOP_ONNX_LEVELS];      /* the calls that we are in */
    int depth, inlined;
    lop_error *err;
} inliner;

static lop_status no_memory(const inliner *x)
{
    return lop_fail(x->err, LOP_E_MEMORY, "no memory for a function's body");
}

static lop_status spend(inliner *x, size_t bytes)
{
    x->bytes_left -= bytes > MOST_BYTES ? MOST_BYTES + 1 : (int64_t)bytes;
    if (x->nodes_left >= 0 && x->bytes_left >= 0) return LOP_OK;
    return lop_fail(x->err, LOP_E_UNSUPPORTED, "the model's functions make more than %d nodes, or %d MiB", MOST_NODES,
                    MOST_BYTES >> 20);
}

/* ---- functions by domain, name, overload ---- */

static const char *or_empty(const char *s) { return s ? s : ""; }

static const char *domain_of(const char *domain)
{
    return domain && strcmp(domain, "ai.onnx") != 0 ? domain : "";
}

static int compare(const Onnx__FunctionProto *f, const char *domain, const char *name, const char *overload)
{
    int c = strcmp(domain_of(f->domain), domain);
    if (c == 0) c = strcmp(or_empty(f->name), name);
    return c != 0 ? c : strcmp(or_empty(f->overload), overload);
}

static int by_key(const void *a, const void *b)
{
    const Onnx__FunctionProto *x = *(const Onnx__FunctionProto *const *)a, *y = *(const Onnx__FunctionProto *const *)b;
    return compare(x, domain_of(y->domain), or_empty(y->name), or_empty(y->overload));
}

/* Two of one key: neither may be called. */
static lop_status find_function(const inliner *x, const Onnx__NodeProto *n, const Onnx__FunctionProto **f)
{
    const char *domain = domain_of(n->domain), *name = or_empty(n->op_type), *overload = or_empty(n->overload);
    size_t low = 0, high = x->m->n_functions;
    while (low < high) {
        const size_t at = low + (high - low) / 2;
        if (compare(x->function[at], domain, name, overload) < 0) low = at + 1;
        else high = at;
    }
    *f = low < x->m->n_functions && compare(x->function[low], domain, name, overload) == 0 ? x->function[low] : NULL;
    if (*f && low + 1 < x->m->n_functions && compare(x->function[low + 1], domain, name, overload) == 0)
        return lop_fail(x->err, LOP_E_FORMAT, "function '%s' is there twice", name);
    return LOP_OK;
}

/* ---- names ---- */

/* "label/name", or that with a number behind it where it is taken. */
static lop_status fresh(inliner *x, lop_onnx_set *taken, const char *label, const char *name, const char **out)
{
    void *block = x->owned;
    lop_status st = lop_reserve(&block, &x->capacity, x->nowned + 1, sizeof *x->owned, x->err);
    x->owned = block;
    const size_t n = strlen(label) + strlen(name) + 24;
    if (st == LOP_OK) st = spend(x, n);
    if (st != LOP_OK) return st;
    char *text = lop_array((int64_t)n, 1, x->err);
    if (!text) return LOP_E_MEMORY;
    x->owned[x->nowned++] = text;
    snprintf(text, n, "%s/%s", label, name);
    while (lop_onnx_set_has(taken, text)) snprintf(text, n, "%s/%s_%" PRId64, label, name, ++x->serial);
    *out = text;
    return lop_onnx_set_add(taken, text, x->err);
}

static lop_status replace(inliner *x, char **text, const char *by)
{
    char *copy = strdup(by);
    if (!copy) return no_memory(x);
    free(*text);
    *text = copy;
    return spend(x, strlen(by));
}

static lop_status note_value(void *context, char **text, lop_error *err)
{
    inliner *x = context;
    return *text && (*text)[0] ? lop_onnx_set_add(&x->values, *text, err) : LOP_OK;
}

typedef struct { inliner *x; lop_onnx_map map; const char *label; } body;        /* of one call */

/* A name that is neither input nor output of the function. */
static lop_status name_inner(void *context, char **text, lop_error *err)
{
    body *b = context;
    const char *to;
    if (!*text || !(*text)[0] || lop_onnx_map_get(&b->map, *text)) return LOP_OK;
    const lop_status st = fresh(b->x, &b->x->values, b->label, *text, &to);
    return st == LOP_OK ? lop_onnx_map_put(&b->map, *text, to, err) : st;
}

static lop_status rename_value(void *context, char **text, lop_error *err)
{
    body *b = context;
    (void)err;
    const char *to = *text && (*text)[0] ? lop_onnx_map_get(&b->map, *text) : NULL;
    return to ? replace(b->x, text, to) : LOP_OK;
}

/* Inputs are what the call gives (an input left out: ""), outputs what it names. */
static lop_status bind(body *b, const Onnx__FunctionProto *f, const Onnx__NodeProto *call)
{
    inliner *x = b->x;
    lop_status st = LOP_OK;
    for (size_t i = 0; st == LOP_OK && i < f->n_input; i++) {
        if (!f->input[i][0] || lop_onnx_map_get(&b->map, f->input[i]))
            return lop_fail(x->err, LOP_E_FORMAT, "function '%s': input #%zu has no name of its own", or_empty(f->name),
                            i);
        st = lop_onnx_map_put(&b->map, f->input[i], i < call->n_input ? call->input[i] : "", x->err);
    }
    for (size_t o = 0; st == LOP_OK && o < f->n_output; o++) {
        const char *to = o < call->n_output ? call->output[o] : "";
        if (!f->output[o][0])
            return lop_fail(x->err, LOP_E_FORMAT, "function '%s': output #%zu has no name", or_empty(f->name), o);
        if (to[0] && !lop_onnx_map_get(&b->map, f->output[o])) st = lop_onnx_map_put(&b->map, f->output[o], to, x->err);
    }
    for (size_t k = 0; st == LOP_OK && k < f->n_node; k++)
        st = lop_onnx_names_of_node(f->node[k], name_inner, b, x->err);
    return st;
}

/* ---- copies of messages ---- */

static void *copy_of(inliner *x, const ProtobufCMessage *m)
{
    uint8_t *bytes;
    size_t size;
    if (lop_onnx_pack(m, &bytes, &size, x->err) != LOP_OK || spend(x, size) != LOP_OK) {
        lop_free(bytes);
        return NULL;
    }
    void *copy = protobuf_c_message_unpack(m->descriptor, NULL, size, bytes);
    if (!copy) no_memory(x);
    lop_free(bytes);
    return copy;
}

static lop_status status_of(const inliner *x) { return x->err->code != LOP_OK ? x->err->code : LOP_E_MEMORY; }

/* ---- attributes that refer to those of the function ---- */

static const Onnx__AttributeProto *attr_named(Onnx__AttributeProto *const *list, size_t n, const char *name)
{
    for (size_t k = 0; k < n; k++)
        if (strcmp(or_empty(list[k]->name), name) == 0) return list[k];
    return NULL;
}

static lop_status resolve_graph(inliner *x, const Onnx__FunctionProto *f, const Onnx__NodeProto *call,
                                Onnx__GraphProto *m);

/* What the call says, or else the function's default; neither: *attr is freed, and NULL. */
static lop_status resolve_attr(inliner *x, const Onnx__FunctionProto *f, const Onnx__NodeProto *call,
                               Onnx__AttributeProto **attr)
{
    Onnx__AttributeProto *old = *attr, *now = NULL;
    lop_status st = LOP_OK;
    if (!old->ref_attr_name || !old->ref_attr_name[0]) {
        if (old->g) st = resolve_graph(x, f, call, old->g);
        for (size_t k = 0; st == LOP_OK && k < old->n_graphs; k++) st = resolve_graph(x, f, call, old->graphs[k]);
        return st;
    }
    const Onnx__AttributeProto *value = attr_named(call->attribute, call->n_attribute, old->ref_attr_name);
    if (!value) value = attr_named(f->attribute_proto, f->n_attribute_proto, old->ref_attr_name);
    if (value) {
        now = copy_of(x, &value->base);
        st = now ? replace(x, &now->name, or_empty(old->name)) : status_of(x);
    }
    onnx__attribute_proto__free_unpacked(old, NULL);
    *attr = now;
    return st;
}

static lop_status resolve_node(inliner *x, const Onnx__FunctionProto *f, const Onnx__NodeProto *call,
                               Onnx__NodeProto *n)
{
    lop_status st = LOP_OK;
    size_t kept = 0;
    for (size_t k = 0; k < n->n_attribute; k++) {
        if (st == LOP_OK) st = resolve_attr(x, f, call, &n->attribute[k]);
        if (n->attribute[k]) n->attribute[kept++] = n->attribute[k];
    }
    n->n_attribute = kept;
    return st;
}

static lop_status resolve_graph(inliner *x, const Onnx__FunctionProto *f, const Onnx__NodeProto *call,
                                Onnx__GraphProto *m)
{
    lop_status st = LOP_OK;
    for (size_t k = 0; st == LOP_OK && k < m->n_node; k++) st = resolve_node(x, f, call, m->node[k]);
    return st;
}

/* ---- operator sets ---- */

/* Versions from which on an operator of ai.onnx reads its attributes and inputs in another way. */
typedef struct { const char *op; int at[4]; } change;
static const change changes[] = {
    {"Add", {7}}, {"And", {7}}, {"AveragePool", {7, 19}}, {"BatchNormalization", {6, 7, 9, 14}}, {"Cast", {6}},
    {"Clip", {6, 11}}, {"Concat", {4}}, {"Div", {7}}, {"Dropout", {7, 10, 12}}, {"Equal", {7}}, {"Gemm", {7}},
    {"Greater", {7}}, {"GridSample", {20}}, {"GroupNormalization", {21}}, {"Hardmax", {13}}, {"Less", {7}},
    {"LogSoftmax", {13}}, {"Loop", {11}}, {"MaxPool", {8}}, {"Mul", {7}}, {"Or", {7}}, {"PRelu", {7}}, {"Pad", {2, 11}},
    {"Pow", {7}}, {"ReduceL1", {18}}, {"ReduceL2", {18}}, {"ReduceLogSum", {18}}, {"ReduceLogSumExp", {18}},
    {"ReduceMax", {18}}, {"ReduceMean", {18}}, {"ReduceMin", {18}}, {"ReduceProd", {18}}, {"ReduceSum", {13}},
    {"ReduceSumSquare", {18}}, {"Reshape", {5}}, {"Resize", {11}}, {"RoiAlign", {16}}, {"Scan", {9}}, {"Slice", {10}},
    {"Softmax", {13}}, {"Split", {2, 13, 18}}, {"Squeeze", {13}}, {"Sub", {7}}, {"Tile", {6}}, {"TopK", {10}},
    {"Unsqueeze", {13}}, {"Upsample", {7, 9}}, {"Xor", {7}}};

static bool changed(const char *op, int64_t a, int64_t b)
{
    const int64_t low = a < b ? a : b, high = a < b ? b : a;
    for (size_t k = 0; k < sizeof changes / sizeof *changes; k++)
        for (int i = 0; strcmp(changes[k].op, op) == 0 && i < 4; i++)
            if (changes[k].at[i] > low && changes[k].at[i] <= high) return true;
    return false;
}

/* What one operator set calls `op`, the other means otherwise: the name of the first such node; NULL: none. */
static const char *other_meaning(Onnx__NodeProto *const *node, size_t n, int64_t a, int64_t b)
{
    const char *found = NULL;
    for (size_t k = 0; k < n && !found; k++) {
        if (!domain_of(node[k]->domain)[0] && changed(or_empty(node[k]->op_type), a, b)) found = node[k]->op_type;
        for (size_t i = 0; i < node[k]->n_attribute && !found; i++) {
            const Onnx__GraphProto *g = node[k]->attribute[i]->g;
            if (g) found = other_meaning(g->node, g->n_node, a, b);
        }
    }
    return found;
}

static lop_status add_import(inliner *x, const Onnx__OperatorSetIdProto *import)
{
    Onnx__ModelProto *m = x->m;
    void *copy = copy_of(x, &import->base);
    Onnx__OperatorSetIdProto **grown = realloc(m->opset_import, (m->n_opset_import + 1) * sizeof *grown);
    if (grown) m->opset_import = grown;
    if (copy && grown) {
        grown[m->n_opset_import++] = copy;
        return LOP_OK;
    }
    if (copy) protobuf_c_message_free_unpacked(copy, NULL);
    return copy ? no_memory(x) : status_of(x);
}

/* The body is run with the model's operator sets. */
static lop_status check_imports(inliner *x, const Onnx__FunctionProto *f)
{
    lop_status st = LOP_OK;
    for (size_t k = 0; st == LOP_OK && k < f->n_opset_import; k++) {
        const Onnx__OperatorSetIdProto *mine = f->opset_import[k], *model = NULL;
        const char *domain = domain_of(mine->domain);
        for (size_t i = 0; i < x->m->n_opset_import && !model; i++)
            if (strcmp(domain_of(x->m->opset_import[i]->domain), domain) == 0) model = x->m->opset_import[i];
        if (!model) {
            st = add_import(x, mine);
            continue;
        }
        const char *op = domain[0] ? NULL : other_meaning(f->node, f->n_node, mine->version, model->version);
        if (op)
            st = lop_fail(x->err, LOP_E_UNSUPPORTED, "function '%s' uses %s of opset %" PRId64 ", which means "
                          "something else in the model's opset %" PRId64, or_empty(f->name), op, mine->version,
                          model->version);
    }
    return st;
}

/* ---- calls become bodies ---- */

typedef struct { Onnx__NodeProto **node; size_t n, capacity; } list;    /* malloc's, as a message's */

static void list_clear(list *l)
{
    for (size_t k = 0; k < l->n; k++) onnx__node_proto__free_unpacked(l->node[k], NULL);
    free(l->node);
    *l = (list){0};
}

/* Takes n, also where it fails. */
static lop_status push(inliner *x, list *l, Onnx__NodeProto *n)
{
    if (l->n == l->capacity) {
        const size_t capacity = l->capacity ? 2 * l->capacity : 16;
        Onnx__NodeProto **grown = realloc(l->node, capacity * sizeof *grown);
        if (!grown) {
            onnx__node_proto__free_unpacked(n, NULL);
            return no_memory(x);
        }
        l->node = grown;
        l->capacity = capacity;
    }
    l->node[l->n++] = n;
    return LOP_OK;
}

static lop_status expand_node(inliner *x, Onnx__NodeProto *n, list *to);

static lop_status expand_body_node(body *b, const Onnx__FunctionProto *f, const Onnx__NodeProto *call,
                                   const Onnx__NodeProto *m, list *to)
{
    inliner *x = b->x;
    const char *name;
    x->nodes_left--;
    Onnx__NodeProto *n = copy_of(x, &m->base);
    if (!n) return status_of(x);
    lop_status st = lop_onnx_names_of_node(n, rename_value, b, x->err);
    if (st == LOP_OK && m->name && m->name[0]) {
        st = fresh(x, &x->nodes, b->label, m->name, &name);
        if (st == LOP_OK) st = replace(x, &n->name, name);
    }
    if (st == LOP_OK) st = resolve_node(x, f, call, n);
    if (st == LOP_OK) return expand_node(x, n, to);
    onnx__node_proto__free_unpacked(n, NULL);
    return st;
}

/* Outputs that no node of the body makes under their name: an input handed through, or one given twice. */
static lop_status add_identities(body *b, const Onnx__FunctionProto *f, const Onnx__NodeProto *call, list *to)
{
    lop_status st = LOP_OK;
    for (size_t o = 0; st == LOP_OK && o < call->n_output; o++) {
        const char *from = lop_onnx_map_get(&b->map, f->output[o]);
        if (!call->output[o][0] || strcmp(from, call->output[o]) == 0) continue;
        if (!from[0])
            return lop_fail(b->x->err, LOP_E_FORMAT, "function '%s': output '%s' is an input that is not given",
                            or_empty(f->name), f->output[o]);
        char *input[] = {(char *)from}, *output[] = {call->output[o]}, op[] = "Identity";
        Onnx__NodeProto n = ONNX__NODE_PROTO__INIT;
        n.n_input = n.n_output = 1;
        n.input = input;
        n.output = output;
        n.op_type = op;
        void *copy = copy_of(b->x, &n.base);
        st = copy ? push(b->x, to, copy) : status_of(b->x);
    }
    return st;
}

static lop_status check_call(const inliner *x, const Onnx__FunctionProto *f, const Onnx__NodeProto *call)
{
    for (int k = 0; k < x->depth; k++)
        if (x->stack[k] == f) return lop_fail(x->err, LOP_E_FORMAT, "function '%s' calls itself", or_empty(f->name));
    if (x->depth == LOP_ONNX_LEVELS)
        return lop_fail(x->err, LOP_E_UNSUPPORTED, "functions call one another more than %d deep", LOP_ONNX_LEVELS);
    if (call->n_input > f->n_input || call->n_output > f->n_output)
        return lop_fail(x->err, LOP_E_FORMAT, "it has %zu inputs and %zu outputs, function '%s' has %zu and %zu",
                        call->n_input, call->n_output, or_empty(f->name), f->n_input, f->n_output);
    return LOP_OK;
}

static const char *label_of(const Onnx__NodeProto *n)
{
    if (n->name && n->name[0]) return n->name;
    for (size_t o = 0; o < n->n_output; o++)
        if (n->output[o][0]) return n->output[o];
    return or_empty(n->op_type);
}

static lop_status expand_call(inliner *x, const Onnx__FunctionProto *f, const Onnx__NodeProto *call, list *to)
{
    body b = {.x = x, .label = label_of(call)};
    lop_status st = check_call(x, f, call);
    if (st == LOP_OK) st = check_imports(x, f);
    if (st == LOP_OK) st = bind(&b, f, call);
    if (st == LOP_OK) {
        x->inlined++;
        x->stack[x->depth++] = f;
        for (size_t k = 0; st == LOP_OK && k < f->n_node; k++) st = expand_body_node(&b, f, call, f->node[k], to);
        x->depth--;
    }
    if (st == LOP_OK) st = add_identities(&b, f, call, to);
    lop_free(b.map.slot);
    if (st != LOP_OK && x->depth == 0) lop_error_at(x->err, "node '%s' (%s)", b.label, or_empty(call->op_type));
    return st;
}

static lop_status expand_graph(inliner *x, Onnx__GraphProto *m)
{
    list to = {0};
    lop_status st = LOP_OK;
    for (size_t k = 0; st == LOP_OK && k < m->n_node; k++) {
        Onnx__NodeProto *n = m->node[k];
        m->node[k] = NULL;
        st = expand_node(x, n, &to);
    }
    if (st != LOP_OK) {
        list_clear(&to);
        return st;
    }
    free(m->node);
    m->node = to.node;
    m->n_node = to.n;
    return LOP_OK;
}

/* Takes n, also where it fails. Graphs within it first. */
static lop_status expand_node(inliner *x, Onnx__NodeProto *n, list *to)
{
    const Onnx__FunctionProto *f = NULL;
    lop_status st = LOP_OK;
    for (size_t a = 0; st == LOP_OK && a < n->n_attribute; a++) {
        if (n->attribute[a]->g) st = expand_graph(x, n->attribute[a]->g);
        for (size_t k = 0; st == LOP_OK && k < n->attribute[a]->n_graphs; k++)
            st = expand_graph(x, n->attribute[a]->graphs[k]);
    }
    if (st == LOP_OK) st = find_function(x, n, &f);
    if (st == LOP_OK && !f) return push(x, to, n);
    if (st == LOP_OK) st = expand_call(x, f, n, to);
    onnx__node_proto__free_unpacked(n, NULL);
    return st;
}

/* ---- the model ---- */

/* Bodies within bodies: what is written must be read again. */
static bool too_deep(const ProtobufCMessage *m, int level)
{
    if (level > LOP_ONNX_LEVELS) return true;
    for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
        const char *at = (const char *)m + f->offset;
        if (f->type != PROTOBUF_C_TYPE_MESSAGE) continue;
        if (f->label != PROTOBUF_C_LABEL_REPEATED) {
            const ProtobufCMessage *one = *(const ProtobufCMessage *const *)(const void *)at;
            if (one && too_deep(one, level + 1)) return true;
            continue;
        }
        const ProtobufCMessage *const *many = *(const ProtobufCMessage *const *const *)(const void *)at;
        const size_t n = *(const size_t *)(const void *)((const char *)m + f->quantifier_offset);
        for (size_t k = 0; k < n; k++)
            if (too_deep(many[k], level + 1)) return true;
    }
    return false;
}

static lop_status start(inliner *x)
{
    Onnx__ModelProto *m = x->m;
    x->function = lop_array((int64_t)m->n_functions, sizeof *x->function, x->err);
    if (!x->function) return LOP_E_MEMORY;
    for (size_t k = 0; k < m->n_functions; k++) x->function[k] = m->functions[k];
    qsort(x->function, m->n_functions, sizeof *x->function, by_key);
    lop_status st = lop_onnx_names_of_graph(m->graph, note_value, x, x->err);
    for (size_t k = 0; st == LOP_OK && k < m->graph->n_node; k++)
        if (m->graph->node[k]->name) st = lop_onnx_set_add(&x->nodes, m->graph->node[k]->name, x->err);
    return st;
}

static void drop_functions(Onnx__ModelProto *m)
{
    for (size_t k = 0; k < m->n_functions; k++) onnx__function_proto__free_unpacked(m->functions[k], NULL);
    m->n_functions = 0;
}

lop_status lop_onnx_inline(Onnx__ModelProto *m, lop_error *err)
{
    lop_error why = {0};
    inliner x = {.m = m, .nodes_left = MOST_NODES, .bytes_left = MOST_BYTES, .err = &why};
    if (m->n_functions == 0 || !m->graph) return LOP_OK;
    lop_status st = start(&x);
    if (st == LOP_OK) st = expand_graph(&x, m->graph);
    if (st == LOP_OK && x.inlined > 0 && too_deep(&m->base, 1))
        st = lop_fail(&why, LOP_E_FORMAT, "with its functions' bodies in place, messages are nested more than %d deep",
                      LOP_ONNX_LEVELS);
    if (st == LOP_OK && x.inlined > 0) drop_functions(m);
    for (int64_t k = 0; k < x.nowned; k++) lop_free(x.owned[k]);
    lop_free(x.owned);
    lop_free(x.values.slot);
    lop_free(x.nodes.slot);
    lop_free(x.function);
    return st == LOP_OK ? st : lop_fail(err, st, "%s", why.message);
}

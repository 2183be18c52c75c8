/* bindings/c/net/lop_net.c - networks: lop.load and the methods of what it returns. */
#include "net/lop_net.h"
#include "onnx/onnx.h"
#include "ops/ops.h"
#include <string.h>

lop_graph *lopL_checknet(lua_State *L, int arg)
{
    lop_graph **g = luaL_testudata(L, arg, LOPL_NET);
    if (!g) lopL_argerror(L, arg, "net", "lop.net");
    if (!*g) lopL_error(L, "net: closed");
    return *g;
}

lop_graph **lopL_newnet(lua_State *L)
{
    lop_graph **g = lua_newuserdatauv(L, sizeof *g, 0);
    *g = NULL;
    luaL_setmetatable(L, LOPL_NET);
    return g;
}

static int net_gc(lua_State *L)
{
    lop_graph **g = luaL_checkudata(L, 1, LOPL_NET);
    lop_graph_free(*g);
    *g = NULL;
    return 0;
}

#define NET_HOLD "lop.net.hold"

static int hold_gc(lua_State *L)
{
    lopL_work *h = luaL_checkudata(L, 1, NET_HOLD);
    lop_exec_free(h->exec);
    h->exec = NULL;
    lop_groups_clear(&h->groups);
    lop_shapes_clear(&h->shapes);
    return 0;
}

static lopL_work *new_hold(lua_State *L)
{
    lopL_work *h = lua_newuserdatauv(L, sizeof *h, 0);
    *h = (lopL_work){0};
    luaL_setmetatable(L, NET_HOLD);
    return h;
}

lopL_work *lopL_infer(lua_State *L, const lop_graph *g, const lop_shape *inputs)
{
    lopL_work *h = new_hold(L);
    lop_error err;
    lopL_check(L, lop_graph_infer(g, inputs, &h->shapes, &err), &err);
    return h;
}

/* ---@param path string
 * ---@return lop.net */
static int net_load(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    lop_graph **g = lopL_newnet(L);
    lop_error err;
    lopL_check(L, lop_onnx_load(path, lop_ops(), g, &err), &err);
    return 1;
}

/* ---@param bytes string     an ONNX file's content
 * ---@return lop.net */
static int net_load_bytes(lua_State *L)
{
    size_t n;
    const char *bytes = luaL_checklstring(L, 1, &n);
    lop_graph **g = lopL_newnet(L);
    lop_error err;
    lopL_check(L, lop_onnx_parse((const uint8_t *)bytes, n, NULL, lop_ops(), g, &err), &err);
    return 1;
}

/* ---@param path string      the file appears whole or not at all
 * ---@param opts {external: boolean?}?    external: large weights in PATH.data (past 2 GiB without being asked) */
static int net_save(lua_State *L)
{
    static const char *const keys[] = {"external", NULL};
    const lop_graph *g = lopL_checknet(L, 1);
    const char *path = luaL_checkstring(L, 2);
    lop_error err;
    lopL_checkoptions(L, 3, keys);
    lopL_check(L, lop_onnx_save(g, path, lopL_optboolean(L, 3, "external", false), &err), &err);
    return 0;
}

/* ---@return lop.net         shares the weights' memory */
static int net_clone(lua_State *L)
{
    const lop_graph *g = lopL_checknet(L, 1);
    lop_graph **copy = lopL_newnet(L);
    lop_error err;
    lopL_check(L, lop_graph_clone(g, copy, &err), &err);
    return 1;
}

static int cost(lua_State *L, int which)
{
    const lop_graph *g = lopL_checknet(L, 1);
    const lopL_work *h = lopL_infer(L, g, NULL);
    lop_cost c;
    lop_error err;
    lopL_check(L, lop_graph_cost(g, &h->shapes, &c, &err), &err);
    lua_pushinteger(L, which == 0 ? c.macs : which == 1 ? c.params : c.bytes);
    return 1;
}

static int net_macs(lua_State *L) { return cost(L, 0); }
static int net_params(lua_State *L) { return cost(L, 1); }
static int net_bytes(lua_State *L) { return cost(L, 2); }

static void set_text(lua_State *L, const char *key, const char *value)
{
    lua_pushstring(L, value);
    lua_setfield(L, -2, key);
}

static void push_value(lua_State *L, const lop_graph *g, const lop_shapes *s, int v)
{
    lua_createtable(L, 0, 4);
    set_text(L, "name", g->value[v]->name);
    lua_pushboolean(L, s->value[v].data != NULL);
    lua_setfield(L, -2, "constant");
    const lop_dtype type = s->known[v] ? s->value[v].type : g->value[v]->type;
    if (type != LOP_NONE) set_text(L, "type", lop_dtype_name(type));
    else if (g->value[v]->foreign) set_text(L, "type", g->value[v]->foreign);
    if (!s->known[v]) return;
    lopL_pushint64s(L, s->value[v].shape.dim, s->value[v].shape.ndim);
    lua_setfield(L, -2, "shape");
}

/* Pushes a list of values; those with data of their own left out. */
static void push_values(lua_State *L, const lop_graph *g, const lop_shapes *s, const int *list, int n, bool constants)
{
    int count = 0;
    lua_newtable(L);
    for (int i = 0; i < n; i++) {
        if (list[i] < 0 || (!constants && lop_value_is_initializer(g->value[list[i]]))) continue;
        push_value(L, g, s, list[i]);
        lua_rawseti(L, -2, ++count);
    }
}

/* ---@return {name: string, type: string, shape: integer[]}[]   for one image */
static int net_inputs(lua_State *L)
{
    const lop_graph *g = lopL_checknet(L, 1);
    const lopL_work *h = lopL_infer(L, g, NULL);
    push_values(L, g, &h->shapes, g->input, g->ninput, false);
    return 1;
}

static int net_outputs(lua_State *L)
{
    const lop_graph *g = lopL_checknet(L, 1);
    const lopL_work *h = lopL_infer(L, g, NULL);
    push_values(L, g, &h->shapes, g->output, g->noutput, true);
    return 1;
}

static void push_layer(lua_State *L, const lop_graph *g, const lop_shapes *s, int k)
{
    const lop_node *n = g->node[k];
    lop_cost c;
    lop_error err;
    lua_createtable(L, 0, 10);
    luaL_setmetatable(L, LOPL_LAYER);
    set_text(L, "name", lop_node_label(g, n));
    set_text(L, "op", n->op);
    if (n->domain[0] && strcmp(n->domain, "ai.onnx") != 0) set_text(L, "domain", n->domain);
    push_values(L, g, s, n->in, n->nin, true);
    lua_setfield(L, -2, "inputs");
    push_values(L, g, s, n->out, n->nout, true);
    lua_setfield(L, -2, "outputs");
    const int out = n->nout > 0 ? n->out[0] : -1;
    if (out >= 0 && s->known[out]) {
        lopL_pushint64s(L, s->value[out].shape.dim, s->value[out].shape.ndim);
        lua_setfield(L, -2, "shape");
    }
    lua_pushboolean(L, lop_op_find(g->ops, n->domain, n->op) != NULL);
    lua_setfield(L, -2, "supported");
    if (lop_node_cost(g, s, k, &c, &err) == LOP_OK) {          /* else its shapes are not known */
        lua_pushinteger(L, c.macs);
        lua_setfield(L, -2, "macs");
    }
    lua_pushinteger(L, c.params);
    lua_setfield(L, -2, "params");
    lua_pushinteger(L, c.bytes);
    lua_setfield(L, -2, "bytes");
    for (int i = 1; i <= 2; i++) {
        if (n->nin <= i || n->in[i] < 0 || !s->value[n->in[i]].data) continue;
        lopL_pushtensor(L, &s->value[n->in[i]]);
        lua_setfield(L, -2, i == 1 ? "weight" : "bias");
    }
}

/* ---@return table[]  every node, in order: name, op, inputs, outputs, shape, macs, params, bytes (of these),
 *                    supported, weight, bias */
static int net_layers(lua_State *L)
{
    const lop_graph *g = lopL_checknet(L, 1);
    const lopL_work *h = lopL_infer(L, g, NULL);
    lua_createtable(L, g->nnode, 0);
    for (int k = 0; k < g->nnode; k++) {
        push_layer(L, g, &h->shapes, k);
        lua_rawseti(L, -2, k + 1);
    }
    return 1;
}

/* ---@param name string
 * ---@return table           as in net:layers() */
static int net_layer(lua_State *L)
{
    const lop_graph *g = lopL_checknet(L, 1);
    const char *name = luaL_checkstring(L, 2);
    const int k = lop_graph_node(g, name);
    if (k < 0) return lopL_failf(L, "notfound", "no layer '%s': net:layers() lists them", name);
    const lopL_work *h = lopL_infer(L, g, NULL);
    push_layer(L, g, &h->shapes, k);
    return 1;
}

/* What the file says of a value: sizes, names of free ones, "?" for free ones without a name. */
static void push_declared(lua_State *L, const lop_value *v)
{
    lua_newtable(L);
    for (int d = 0; d < v->shape.ndim; d++) {
        if (v->shape.dim[d] >= 0) lua_pushinteger(L, v->shape.dim[d]);
        else lua_pushstring(L, v->param[d] ? v->param[d] : "?");
        lua_rawseti(L, -2, d + 1);
    }
    lua_setfield(L, -2, "declared");
}

/* To each item of the list on top, which push_values made of the same values. */
static void push_declarations(lua_State *L, const lop_graph *g, const int *ids, int n, bool all)
{
    for (int k = 0, i = 0; k < n; k++) {
        if (ids[k] < 0 || (!all && lop_value_is_initializer(g->value[ids[k]]))) continue;
        lua_rawgeti(L, -1, ++i);
        if (g->value[ids[k]]->shaped) push_declared(L, g->value[ids[k]]);
        lua_pushboolean(L, g->value[ids[k]]->foreign != NULL);
        lua_setfield(L, -2, "foreign");
        lua_pop(L, 1);
    }
}

static void push_costs(lua_State *L, const lop_graph *g, const lop_shapes *s)
{
    lop_cost total;
    int64_t peak;
    lop_error err;
    const bool counted = lop_graph_cost(g, s, &total, &err) == LOP_OK;
    if (counted) {
        lua_pushinteger(L, total.macs);
        lua_setfield(L, -2, "macs");
    }
    if (counted || lop_graph_params(g, s, &total, &err) == LOP_OK) {
        lua_pushinteger(L, total.params);
        lua_setfield(L, -2, "params");
    }
    if (lop_graph_peak_bytes(g, s, &peak, &err) != LOP_OK) return;
    lua_pushinteger(L, peak);
    lua_setfield(L, -2, "peak_bytes");
}

/* What can be told of any model, also of one that does not run here.
 * ---@return table  inputs and outputs (and what they declare), layers; macs, params, peak_bytes where known;
 *                   reason: why something is not known */
static int net_describe(lua_State *L)
{
    const lop_graph *g = lopL_checknet(L, 1);
    lopL_work *h = lua_newuserdatauv(L, sizeof *h, 0);
    lop_error err;
    *h = (lopL_work){0};
    luaL_setmetatable(L, NET_HOLD);
    lopL_check(L, lop_graph_infer_known(g, &h->shapes, &err), &err);
    lua_createtable(L, 0, 8);
    push_values(L, g, &h->shapes, g->input, g->ninput, false);
    push_declarations(L, g, g->input, g->ninput, false);
    lua_setfield(L, -2, "inputs");
    push_values(L, g, &h->shapes, g->output, g->noutput, true);
    push_declarations(L, g, g->output, g->noutput, true);
    lua_setfield(L, -2, "outputs");
    lua_createtable(L, g->nnode, 0);
    for (int k = 0; k < g->nnode; k++) {
        push_layer(L, g, &h->shapes, k);
        lua_rawseti(L, -2, k + 1);
    }
    lua_setfield(L, -2, "layers");
    push_costs(L, g, &h->shapes);
    if (lop_shapes_complete(g, &h->shapes, &err) != LOP_OK) set_text(L, "reason", err.message);
    return 1;
}

/* Sizes for an input whose own are free.
 * ---@param name string
 * ---@param shape integer[]   -1: as it is */
static int net_set_shape(lua_State *L)
{
    lop_graph *g = lopL_checknet(L, 1);
    const char *name = luaL_checkstring(L, 2);
    const int id = lop_graph_value(g, name);
    lop_shape shape = {0};
    lop_error err;
    luaL_checktype(L, 3, LUA_TTABLE);
    const lua_Integer n = luaL_len(L, 3);
    if (n > LOP_MAX_DIMS) return lopL_error(L, "shape: %I dimensions, %d at most", n, LOP_MAX_DIMS);
    for (shape.ndim = 0; shape.ndim < n; shape.ndim++) {
        lua_rawgeti(L, 3, shape.ndim + 1);
        shape.dim[shape.ndim] = luaL_checkinteger(L, -1);
        if (shape.dim[shape.ndim] < -1) return lopL_error(L, "shape: %I, -1 or more expected", shape.dim[shape.ndim]);
        lua_pop(L, 1);
    }
    if (id < 0) return lopL_failf(L, "notfound", "no input '%s'", name);
    lopL_check(L, lop_graph_set_input_shape(g, id, &shape, &err), &err);
    return 0;
}

/* ---@param other lop.net    whose inputs say the sizes that this net's are to say again */
static int net_shapes_of(lua_State *L)
{
    lop_error err;
    lopL_check(L, lop_graph_copy_input_shapes(lopL_checknet(L, 1), lopL_checknet(L, 2), &err), &err);
    return 0;
}

/* Gives a layer new weights and a bias, in place; its operator and their types stay.
 * ---@param layer string
 * ---@param weight lop.tensor
 * ---@param bias lop.tensor?     nil: it keeps its own, or none */
static int net_set(lua_State *L)
{
    lop_graph *g = lopL_checknet(L, 1);
    const char *name = luaL_checkstring(L, 2);
    const lop_tensor *w = lopL_checktensor(L, 3, "weight");
    const lop_tensor *b = lua_isnoneornil(L, 4) ? NULL : lopL_checktensor(L, 4, "bias");
    const int k = lop_graph_node(g, name);
    lop_error err;
    if (k < 0 || g->node[k]->nin < 2) return lopL_failf(L, "notfound", "no layer '%s' with weights", name);
    lop_node *n = g->node[k];
    lopL_check(L, lop_graph_replace_constant(g, n, 1, w, &err), &err);
    if (!b) return 0;
    if (n->nin > 2 && n->in[2] >= 0) {
        lopL_check(L, lop_graph_replace_constant(g, n, 2, b, &err), &err);
        return 0;
    }
    int *in = lop_array(3, sizeof *in, &err);           /* it had no bias */
    lop_status st = in ? lop_graph_add_constant(g, "bias", b, &in[2], &err) : LOP_E_MEMORY;
    if (st != LOP_OK) {
        lop_free(in);
        return lopL_fail(L, &err);
    }
    in[0] = n->in[0];
    in[1] = n->in[1];
    lop_free(n->in);
    n->in = in;
    n->nin = 3;
    return 0;
}

/* Makes two layers of a convolution or a Gemm, in place; the first is called LAYER/first. lop_graph_factor.
 * ---@param layer string
 * ---@param first lop.tensor   float32 (r, c, ...)
 * ---@param second lop.tensor  float32 (n, r, ...) */
static int net_factor(lua_State *L)
{
    lop_graph *g = lopL_checknet(L, 1);
    const char *name = luaL_checkstring(L, 2);
    const lop_tensor *first = lopL_checktensor(L, 3, "first"), *second = lopL_checktensor(L, 4, "second");
    const int k = lop_graph_node(g, name);
    lop_error err;
    if (k < 0) return lopL_failf(L, "notfound", "no layer '%s': net:layers() lists them", name);
    lopL_check(L, lop_graph_factor(g, k, first, second, &err), &err);
    return 0;
}

/* Lets a layer read a part of the channels it reads now, in place: a Gather stands before it. lop_graph_sample. Its
 * weights are then to be set.
 * ---@param layer string
 * ---@param channels integer[]     from 1, ascending */
static int net_sample(lua_State *L)
{
    lop_graph *g = lopL_checknet(L, 1);
    const char *name = luaL_checkstring(L, 2);
    const int k = lop_graph_node(g, name);
    lop_error err;
    int64_t count;
    if (k < 0) return lopL_failf(L, "notfound", "no layer '%s': net:layers() lists them", name);
    const lopL_work *h = lopL_infer(L, g, NULL);
    const lop_shape *x = &h->shapes.value[g->node[k]->in[0]].shape;
    if (x->ndim < 2) return lopL_failf(L, "unsupported", "layer '%s' reads no channels", name);
    const int64_t *channel = lopL_channels(L, 3, "channels", x->dim[1], &count);
    lopL_check(L, lop_graph_sample(g, k, channel, count, &err), &err);
    return 0;
}

/* A convolution makes only some channels of its output from now on, in place. lop_graph_write_part.
 * ---@param layer string
 * ---@param channels integer[]   ascending, from 1
 * ---@param rest lop.tensor      float32, a value a filter: what the other channels are */
static int net_write_part(lua_State *L)
{
    lop_graph *g = lopL_checknet(L, 1);
    const char *name = luaL_checkstring(L, 2);
    const lop_tensor *rest = lopL_checktensor(L, 4, "rest");
    const int k = lop_graph_node(g, name);
    lop_error err;
    int64_t count;
    if (k < 0) return lopL_failf(L, "notfound", "no layer '%s': net:layers() lists them", name);
    const int64_t *channel = lopL_channels(L, 3, "channels", lop_tensor_size(rest), &count);
    lopL_check(L, lop_graph_write_part(g, k, channel, count, rest, &err), &err);
    return 0;
}

/* A layer's output is a constant from now on, and what only it needed is gone, in place. lop_graph_make_constant.
 * ---@param layer string
 * ---@param values lop.tensor    float32, one a filter */
static int net_vanish(lua_State *L)
{
    lop_graph *g = lopL_checknet(L, 1);
    const char *name = luaL_checkstring(L, 2);
    const int k = lop_graph_node(g, name);
    lop_error err;
    if (k < 0) return lopL_failf(L, "notfound", "no layer '%s': net:layers() lists them", name);
    lopL_check(L, lop_graph_make_constant(g, k, lopL_checktensor(L, 3, "values"), &err), &err);
    return 0;
}

/* ---@param layer string
 * ---@param name string
 * ---@return integer|number|string|integer[]|nil     nil where there is no such attribute, or one of another kind */
static int net_attribute(lua_State *L)
{
    const lop_graph *g = lopL_checknet(L, 1);
    const char *name = luaL_checkstring(L, 2);
    const int k = lop_graph_node(g, name);
    if (k < 0) return lopL_failf(L, "notfound", "no layer '%s': net:layers() lists them", name);
    const lop_attr *a = lop_node_attr(g->node[k], luaL_checkstring(L, 3));
    if (a && a->kind == LOP_ATTR_INT) lua_pushinteger(L, a->i);
    else if (a && a->kind == LOP_ATTR_FLOAT) lua_pushnumber(L, (lua_Number)a->f);
    else if (a && a->kind == LOP_ATTR_STRING) lua_pushstring(L, a->s);
    else if (a && a->kind == LOP_ATTR_INTS) lopL_pushint64s(L, a->ints, a->count);
    else lua_pushnil(L);
    return 1;
}

/* auto_pad worked out, ONNX Conv: an odd pixel of SAME_UPPER goes to the end. */
static void same_pads(lua_State *L, const lop_graph *g, const lop_node *n, const int64_t *kernel, const int64_t *stride,
                      const int64_t *dilation, int64_t pad[4])
{
    const char *mode = lop_node_string(n, "auto_pad", "NOTSET");
    if (strncmp(mode, "SAME_", 5) != 0) return;
    const lopL_work *h = lopL_infer(L, g, NULL);
    const lop_shape *x = &h->shapes.value[n->in[0]].shape;
    for (int d = 0; d < 2 && x->ndim == 4; d++) {
        const int64_t size = x->dim[d + 2], out = (size + stride[d] - 1) / stride[d];
        const int64_t need = (out - 1) * stride[d] + dilation[d] * (kernel[d] - 1) + 1 - size;
        const int64_t total = need > 0 ? need : 0;
        const int64_t less = total / 2, more = total - less;
        pad[d] = strcmp(mode, "SAME_UPPER") == 0 ? less : more;
        pad[d + 2] = total - pad[d];
    }
    lua_pop(L, 1);
}

/* The window of a convolution's node: kernel, stride, pad, dilation, group; nil for other layers.
 * ---@param layer string */
static int net_window(lua_State *L)
{
    static const char *const keys[] = {"strides", "pads", "dilations"}, *const names[] = {"stride", "pad", "dilation"};
    const lop_graph *g = lopL_checknet(L, 1);
    const int k = lop_graph_node(g, luaL_checkstring(L, 2));
    if (k < 0 || strcmp(g->node[k]->op, "Conv") != 0 || g->node[k]->nin < 2) return 0;
    const lop_node *n = g->node[k];
    const lop_shape *w = &g->value[n->in[1]]->constant.shape;
    if (w->ndim != 4) return 0;
    int64_t figures[3][4] = {{1, 1}, {0}, {1, 1}};       /* what ONNX takes where an attribute is absent */
    for (int i = 0; i < 3; i++) lop_node_ints(n, keys[i], figures[i], 4);
    same_pads(L, g, n, w->dim + 2, figures[0], figures[2], figures[1]);
    lua_createtable(L, 0, 5);
    lopL_pushint64s(L, w->dim + 2, 2);
    lua_setfield(L, -2, "kernel");
    for (int i = 0; i < 3; i++) {
        lopL_pushint64s(L, figures[i], i == 1 ? 4 : 2);
        lua_setfield(L, -2, names[i]);
    }
    lua_pushinteger(L, lop_node_int(n, "group", 1));
    lua_setfield(L, -2, "group");
    return 1;
}

/* Folds batch normalisation into the convolutions before it, in place.
 * ---@return integer count */
static int change(lua_State *L, lop_status (*pass)(lop_graph *g, int *count, lop_error *err))
{
    int count = 0;
    lop_error err;
    lopL_check(L, pass(lopL_checknet(L, 1), &count, &err), &err);
    lua_pushinteger(L, count);
    return 1;
}

static int net_fold_bn(lua_State *L) { return change(L, lop_graph_fold_bn); }

/* ---@return integer         nodes that were constant, and are initializers now */
static int net_fold_constants(lua_State *L) { return change(L, lop_graph_fold_constants); }

/* ---@return integer         places where float16, bfloat16 or float64 became float32 */
static int net_to_float32(lua_State *L) { return change(L, lop_graph_to_float32); }

/* ---@param key string
 * ---@param value string?    sets it
 * ---@return string?         metadata_props of the file */
static int net_meta(lua_State *L)
{
    lop_graph *g = lopL_checknet(L, 1);
    const char *key = luaL_checkstring(L, 2);
    lop_error err;
    if (!lua_isnoneornil(L, 3)) lopL_check(L, lop_graph_set_meta(g, key, luaL_checkstring(L, 3), &err), &err);
    lua_pushstring(L, lop_graph_meta(g, key));
    return 1;
}

enum { MOST = 64 };             /* inputs and outputs of a call */

/* The values named in options.want, or the graph's outputs. */
static int wanted(lua_State *L, const lop_graph *g, int list[MOST])
{
    int n = 0;
    if (lopL_getoption(L, lua_gettop(L), "want") != LUA_TTABLE) {
        for (; n < g->noutput && n < MOST; n++) list[n] = g->output[n];
        return n;
    }
    for (; n < MOST && lua_rawgeti(L, -1, n + 1) == LUA_TSTRING; n++) {
        list[n] = lop_graph_value(g, lua_tostring(L, -1));
        if (list[n] < 0) return lopL_failf(L, "notfound", "want: no value '%s'", lua_tostring(L, -1));
        lua_pop(L, 1);
    }
    return n;
}

/* ---@param x lop.tensor     float32, one per input of the net
 * ---@param opts {want: string[]}?
 * ---@return lop.tensor ...  the outputs, or the values wanted */
static int net_forward(lua_State *L)
{
    static const char *const keys[] = {"want", NULL};
    const lop_graph *g = lopL_checknet(L, 1);
    lop_tensor in[MOST], out[MOST];
    int list[MOST], nin = 0;
    for (; nin < MOST && lopL_testtensor(L, nin + 2); nin++)
        in[nin] = *lopL_testtensor(L, nin + 2);         /* a view: the argument stays on the stack */
    int need = 0;
    for (int i = 0; i < g->ninput; i++) need += !lop_value_is_initializer(g->value[g->input[i]]);
    if (nin != need) return lopL_error(L, "%d tensors given, the net has %d inputs", nin, need);
    lua_settop(L, nin + 2);
    lopL_checkoptions(L, nin + 2, keys);
    const int n = wanted(L, g, list);
    luaL_checkstack(L, n, NULL);
    lop_tensor *slot[MOST];
    lop_error err;
    for (int i = 0; i < n; i++) slot[i] = lopL_newtensor(L);
    lopL_check(L, lop_exec_once(g, lopL_team(L), in, nin, list, n, out, &err), &err);
    for (int i = 0; i < n; i++) *slot[i] = out[i];
    return n;
}

static int net_tostring(lua_State *L)
{
    lop_graph **g = luaL_checkudata(L, 1, LOPL_NET);
    if (*g) lua_pushfstring(L, "lop.net (%d nodes)", (*g)->nnode);
    else lua_pushliteral(L, "lop.net (closed)");
    return 1;
}

static const luaL_Reg methods[] = {
    {"save", net_save}, {"clone", net_clone}, {"macs", net_macs}, {"params", net_params}, {"bytes", net_bytes},
    {"inputs", net_inputs}, {"outputs", net_outputs}, {"layers", net_layers}, {"layer", net_layer},
    {"describe", net_describe}, {"set_shape", net_set_shape}, {"shapes_of", net_shapes_of},
    {"groups", lopL_net_groups}, {"cut", lopL_net_cut}, {"set", net_set}, {"factor", net_factor},
    {"sample", net_sample},
    {"write_part", net_write_part}, {"vanish", net_vanish},
    {"window", net_window}, {"attribute", net_attribute}, {"channels", lopL_net_channels}, {"ranks", lopL_net_ranks},
    {"parts", lopL_net_parts}, {"drop_unread", lopL_net_drop_unread},
    {"filters", lopL_net_filters}, {"fold_bn", net_fold_bn}, {"drop_dead", lopL_net_drop_dead},
    {"fold_constants", net_fold_constants}, {"to_float32", net_to_float32}, {"meta", net_meta},
    {"forward", net_forward}, {NULL, NULL}};
static const luaL_Reg meta[] = {{"__gc", net_gc}, {"__close", net_gc}, {"__tostring", net_tostring}, {NULL, NULL}};
static const luaL_Reg functions[] = {{"load", net_load}, {"load_bytes", net_load_bytes}, {NULL, NULL}};

int lop_open_net(lua_State *L)
{
    luaL_newmetatable(L, NET_HOLD);
    lua_pushcfunction(L, hold_gc);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
    luaL_newmetatable(L, LOPL_LAYER);           /* tables; the Lua half says how they are shown */
    luaL_newmetatable(L, LOPL_GROUP);
    lua_pop(L, 2);
    lopL_newtype(L, LOPL_NET, meta, methods);
    luaL_setfuncs(L, functions, 0);
    return 1;
}

/* tests/core/couple/random_net.h - a seeded generator of small networks: chains, residual blocks, option-A shortcuts,
 * Concat, gates, depthwise, grouped and transposed convolutions, shuffles, U-shapes, norms, NHWC detours. */
#ifndef LOP_TESTS_COUPLE_RANDOM_NET_H
#define LOP_TESTS_COUPLE_RANDOM_NET_H
#include "core/graph/net.h"
#include "ops/ops.h"

typedef struct { char name[24]; int64_t c, s; } rn_value;               /* (1, c, s, s) */

typedef struct {
    lop_graph *g;
    uint64_t seed, draws;
    int64_t opset;
    int count;                  /* names given */
    char trace[512];            /* the blocks, for messages */
} rn_net;

static inline int64_t rn_below(rn_net *b, int64_t n)
{
    return lop_random_below(b->seed, LOP_STREAM_USER, b->draws++, n);
}

/* A float32 initializer of noise, the same for the same place in the same net. */
static inline const char *rn_weight(rn_net *b, lop_shape shape, double scale, double shift)
{
    static char name[24];
    lop_error err;
    lop_tensor t;
    int id;
    snprintf(name, sizeof name, "w%d", b->count++);
    t_ok(lop_tensor_init(&t, LOP_F32, &shape, &err), err);
    for (int64_t i = 0; i < lop_tensor_size(&t); i++)
        lop_tensor_set(&t, i, shift + scale * lop_random_normal(b->seed, LOP_STREAM_WEIGHT + (uint64_t)b->count,
                                                                (uint64_t)i));
    t_ok(lop_graph_add_constant(b->g, name, &t, &id, &err), err);
    lop_tensor_clear(&t);
    return name;
}

static inline const char *rn_ints(rn_net *b, const int64_t *list, int64_t n)
{
    static char name[24];
    lop_error err;
    lop_tensor t;
    int id;
    snprintf(name, sizeof name, "i%d", b->count++);
    t_ok(lop_tensor_init(&t, LOP_I64, &(lop_shape){1, {n}}, &err), err);
    memcpy(t.data, list, (size_t)n * sizeof *list);
    t_ok(lop_graph_add_constant(b->g, name, &t, &id, &err), err);
    lop_tensor_clear(&t);
    return name;
}

/* A node; in: a printf format of its inputs' names. */
static inline lop_node *rn_node(rn_net *b, const char *op, char out[24], const char *in, ...) LOP_PRINTF(4, 5);
static inline lop_node *rn_node(rn_net *b, const char *op, char out[24], const char *in, ...)
{
    char inputs[256], made[24], name[40];
    va_list list;
    va_start(list, in);
    vsnprintf(inputs, sizeof inputs, in, list);
    va_end(list);
    snprintf(made, sizeof made, "v%d", b->count++);
    snprintf(name, sizeof name, "%s_%s", op, made);
    lop_node *n = net_node(b->g, op, name, inputs, made);
    memcpy(out, made, sizeof made);
    return n;
}

static inline void rn_set(lop_node *n, const char *name, const int64_t *list, int64_t count)
{
    lop_error err;
    t_ok(lop_node_set_ints(n, name, list, count, &err), err);
}

static inline void rn_int(lop_node *n, const char *name, int64_t value)
{
    lop_error err;
    t_ok(lop_node_set_int(n, name, value, &err), err);
}

static inline void rn_text(lop_node *n, const char *name, const char *value)
{
    lop_error err;
    rn_int(n, name, 0);
    lop_attr *a = &n->attr[n->nattr - 1];
    a->kind = LOP_ATTR_STRING;
    a->s = lop_string(value, &err);
    a->length = strlen(value);
}

/* ---- layers ---- */

static inline rn_value rn_conv(rn_net *b, rn_value x, int64_t filters, int64_t k, int64_t stride, int64_t group)
{
    char w[24], bias[24];
    rn_value y = {.c = filters, .s = (x.s - 1) / stride + 1};
    const double scale = 1.0 / (double)((x.c / group) * k);
    snprintf(w, sizeof w, "%s", rn_weight(b, (lop_shape){4, {filters, x.c / group, k, k}}, scale, 0));
    snprintf(bias, sizeof bias, "%s", rn_weight(b, (lop_shape){1, {filters}}, 0.3, 0));
    lop_node *n = rn_below(b, 3) == 0 ? rn_node(b, "Conv", y.name, "%s %s", x.name, w)
                                      : rn_node(b, "Conv", y.name, "%s %s %s", x.name, w, bias);
    rn_set(n, "pads", (const int64_t[]){k / 2, k / 2, k / 2, k / 2}, 4);
    rn_set(n, "strides", (const int64_t[]){stride, stride}, 2);
    if (group != 1) rn_int(n, "group", group);
    return y;
}

static inline rn_value rn_norm(rn_net *b, rn_value x)
{
    char p[4][24];
    rn_value y = x;
    for (int i = 0; i < 4; i++)
        snprintf(p[i], 24, "%s", rn_weight(b, (lop_shape){1, {x.c}}, 0.1, i == 0 || i == 3 ? 1 : 0));
    rn_node(b, "BatchNormalization", y.name, "%s %s %s %s %s", x.name, p[0], p[1], p[2], p[3]);
    return y;
}

static inline rn_value rn_unary(rn_net *b, const char *op, rn_value x)
{
    rn_value y = x;
    rn_node(b, op, y.name, "%s", x.name);
    return y;
}

static inline rn_value rn_act(rn_net *b, rn_value x)
{
    static const char *const ops[] = {"Relu", "LeakyRelu", "HardSigmoid", "Identity", "Sigmoid", "Softplus"};
    return rn_unary(b, ops[rn_below(b, 6)], x);
}

static inline rn_value rn_layer(rn_net *b, rn_value x, int64_t filters, int64_t k, int64_t stride)
{
    rn_value y = rn_conv(b, x, filters, k, stride, 1);
    if (rn_below(b, 2)) y = rn_norm(b, y);
    return rn_act(b, y);
}

static inline rn_value rn_pair(rn_net *b, const char *op, rn_value x, rn_value z)
{
    rn_value y = x;
    rn_node(b, op, y.name, "%s %s", x.name, z.name);
    return y;
}

static inline rn_value rn_concat(rn_net *b, rn_value x, rn_value z)
{
    rn_value y = {.c = x.c + z.c, .s = x.s};
    rn_int(rn_node(b, "Concat", y.name, "%s %s", x.name, z.name), "axis", rn_below(b, 2) ? 1 : -3);
    return y;
}

static inline rn_value rn_slice(rn_net *b, rn_value x, int axis, int64_t start, int64_t end, int64_t step, rn_value y)
{
    const int64_t a = axis;
    char names[4][24];
    if (b->opset < 10) {                                /* attributes; no steps then */
        lop_node *n = rn_node(b, "Slice", y.name, "%s", x.name);
        rn_set(n, "starts", &start, 1);
        rn_set(n, "ends", &end, 1);
        rn_set(n, "axes", &a, 1);
        return y;
    }
    snprintf(names[0], 24, "%s", rn_ints(b, &start, 1));
    snprintf(names[1], 24, "%s", rn_ints(b, &end, 1));
    snprintf(names[2], 24, "%s", rn_ints(b, &a, 1));
    snprintf(names[3], 24, "%s", rn_ints(b, &step, 1));
    rn_node(b, "Slice", y.name, "%s %s %s %s %s", x.name, names[0], names[1], names[2], names[3]);
    return y;
}

static inline rn_value rn_pad(rn_net *b, rn_value x, int64_t before, int64_t after)
{
    const int64_t pads[8] = {0, before, 0, 0, 0, after, 0, 0};
    rn_value y = {.c = x.c + before + after, .s = x.s};
    if (b->opset < 11) rn_set(rn_node(b, "Pad", y.name, "%s", x.name), "pads", pads, 8);
    else rn_node(b, "Pad", y.name, "%s %s", x.name, rn_ints(b, pads, 8));
    return y;
}

static inline void rn_split(rn_net *b, rn_value x, int64_t first, rn_value *y, rn_value *z)
{
    const int64_t parts[2] = {first, x.c - first};
    lop_error err;
    char other[24];
    int *out = lop_array(2, sizeof *out, &err);
    lop_node *n = b->opset >= 13 && (parts[0] != parts[1] || rn_below(b, 2))
                      ? rn_node(b, "Split", y->name, "%s %s", x.name, rn_ints(b, parts, 2))
                      : rn_node(b, "Split", y->name, "%s", x.name);
    if (b->opset < 13 && (parts[0] != parts[1] || rn_below(b, 2))) rn_set(n, "split", parts, 2);
    if (b->opset >= 18 && n->nin == 1) rn_int(n, "num_outputs", 2);
    rn_int(n, "axis", 1);
    snprintf(other, sizeof other, "v%d", b->count++);
    out[0] = n->out[0];
    out[1] = net_value(b->g, other);
    lop_free(n->out);
    n->out = out;
    n->nout = 2;
    y->c = parts[0];
    z->c = parts[1];
    y->s = z->s = x.s;
    memcpy(z->name, other, sizeof other);
}

/* ---- blocks: x in, another value out ---- */

static inline rn_value rn_reshape(rn_net *b, rn_value x, const int64_t *shape, int n, bool computed, rn_value y)
{
    char all[24], first[24], rest[24], list[24];
    if (!computed) {
        lop_node *plain = rn_node(b, "Reshape", y.name, "%s %s", x.name, rn_ints(b, shape, n));
        if (b->opset >= 14) rn_int(plain, "allowzero", 0);
        return y;
    }
    rn_node(b, "Shape", all, "%s", x.name);             /* (size of x) + constants, as exporters write it */
    rn_int(rn_node(b, "Gather", first, "%s %s", all, rn_ints(b, (const int64_t[]){0}, 1)), "axis", 0);
    snprintf(rest, sizeof rest, "%s", rn_ints(b, shape + 1, n - 1));
    rn_int(rn_node(b, "Concat", list, "%s %s", first, rest), "axis", 0);
    rn_node(b, "Reshape", y.name, "%s %s", x.name, list);
    return y;
}

static inline rn_value rn_shuffle(rn_net *b, rn_value x, int64_t groups)
{
    rn_value y = x, z = x;
    const bool computed = rn_below(b, 2) == 1;
    y = rn_reshape(b, x, (const int64_t[]){1, groups, x.c / groups, x.s, x.s}, 5, computed, y);
    rn_set(rn_node(b, "Transpose", z.name, "%s", y.name), "perm", (const int64_t[]){0, 2, 1, 3, 4}, 5);
    return rn_reshape(b, z, (const int64_t[]){1, rn_below(b, 2) ? -1 : x.c, x.s, x.s}, 4, computed, x);
}

static inline rn_value rn_gate(rn_net *b, rn_value x)
{
    rn_value y = x, squeezed = {.c = x.c, .s = 1};
    if (rn_below(b, 2)) rn_node(b, "GlobalAveragePool", squeezed.name, "%s", x.name);
    else if (b->opset >= 18)
        rn_node(b, "ReduceMean", squeezed.name, "%s %s", x.name, rn_ints(b, (const int64_t[]){2, 3}, 2));
    else rn_set(rn_node(b, "ReduceMean", squeezed.name, "%s", x.name), "axes", (const int64_t[]){-1, -2}, 2);
    rn_value inner = rn_layer(b, squeezed, 3, 1, 1);
    rn_value gate = rn_unary(b, "Sigmoid", rn_conv(b, inner, x.c, 1, 1, 1));
    rn_node(b, "Mul", y.name, "%s %s", x.name, gate.name);
    return y;
}

static inline rn_value rn_option_a(rn_net *b, rn_value x)
{
    const int64_t before = 1 + rn_below(b, 3), after = rn_below(b, 4);
    rn_value narrow = {.c = x.c, .s = (x.s + 1) / 2}, half = {.c = x.c, .s = x.s};
    if (b->opset < 10) rn_node(b, "MaxPool", narrow.name, "%s", x.name);
    else {
        half.s = narrow.s;
        half = rn_slice(b, x, 2, 0, INT64_MAX, 2, half);
        narrow = rn_slice(b, half, 3, 0, INT64_MAX, 2, narrow);
    }
    if (b->opset < 10) {
        lop_node *n = b->g->node[b->g->nnode - 1];
        rn_set(n, "kernel_shape", (const int64_t[]){1, 1}, 2);
        rn_set(n, "strides", (const int64_t[]){2, 2}, 2);
    }
    rn_value shortcut = rn_pad(b, narrow, before, after);
    rn_value branch = rn_conv(b, rn_layer(b, x, x.c + before + after, 3, 2), x.c + before + after, 3, 1, 1);
    return rn_act(b, rn_pair(b, "Add", shortcut, branch));
}

static inline rn_value rn_scale(rn_net *b, rn_value x)
{
    static const char *const ops[] = {"Mul", "Add", "Sub", "PRelu"};
    rn_value y = x;
    const char *op = ops[rn_below(b, 4)];
    const bool flat = strcmp(op, "PRelu") == 0 || rn_below(b, 2);
    const lop_shape shape = flat ? (lop_shape){3, {x.c, 1, 1}} : (lop_shape){4, {1, x.c, 1, 1}};
    rn_node(b, op, y.name, "%s %s", x.name, rn_weight(b, shape, 0.3, 1));
    return y;
}

/* To NHWC, a matrix or two, and back. */
static inline rn_value rn_detour(rn_net *b, rn_value x)
{
    rn_value y = x, z = x;
    const int64_t inner = 4 + rn_below(b, 4);
    rn_set(rn_node(b, "Transpose", y.name, "%s", x.name), "perm", (const int64_t[]){0, 2, 3, 1}, 4);
    rn_node(b, "MatMul", z.name, "%s %s", y.name, rn_weight(b, (lop_shape){2, {x.c, inner}}, 0.3, 0));
    rn_node(b, "Add", y.name, "%s %s", z.name, rn_weight(b, (lop_shape){1, {inner}}, 0.3, 0));
    z = rn_act(b, y);
    rn_node(b, "MatMul", y.name, "%s %s", z.name, rn_weight(b, (lop_shape){2, {inner, x.c}}, 0.3, 0));
    rn_set(rn_node(b, "Transpose", z.name, "%s", y.name), "perm", (const int64_t[]){0, 3, 1, 2}, 4);
    return rn_below(b, 2) ? rn_pair(b, "Add", x, z) : z;
}

static inline rn_value rn_u_shape(rn_net *b, rn_value x)
{
    rn_value down = rn_layer(b, x, x.c + 2, 3, 2), up = {.c = x.c + 1, .s = x.s};
    if (x.s % 2 != 0) return rn_concat(b, x, rn_layer(b, x, 5, 1, 1));
    if (rn_below(b, 2)) {
        char w[24];
        snprintf(w, sizeof w, "%s", rn_weight(b, (lop_shape){4, {down.c, up.c, 2, 2}}, 0.3, 0));
        lop_node *n = rn_node(b, "ConvTranspose", up.name, "%s %s", down.name, w);
        rn_set(n, "strides", (const int64_t[]){2, 2}, 2);
    } else {
        down = rn_layer(b, down, up.c, 3, 1);
        if (b->opset < 10) {
            char s[24];
            snprintf(s, sizeof s, "%s", rn_weight(b, (lop_shape){1, {4}}, 0, 1));
            lop_tensor *t = &b->g->value[lop_graph_value(b->g, s)]->constant;
            lop_tensor_set(t, 2, 2);
            lop_tensor_set(t, 3, 2);
            rn_node(b, "Upsample", up.name, "%s %s", down.name, s);
        } else {
            const int64_t sizes[4] = {1, up.c, up.s, up.s};
            rn_node(b, "Resize", up.name, "%s - - %s", down.name, rn_ints(b, sizes, 4));
        }
    }
    return rn_layer(b, rn_concat(b, x, up), x.c, 3, 1);
}

/* Means over groups of channels: the operator where there is one, or as exporters write it. */
static inline rn_value rn_group_norm(rn_net *b, rn_value x, int64_t groups)
{
    rn_value y = x, z = x;
    char scale[24], shift[24];
    const bool whole = b->opset >= 21 && rn_below(b, 2);
    const int64_t entries = whole ? x.c : groups;
    snprintf(scale, sizeof scale, "%s", rn_weight(b, (lop_shape){1, {entries}}, 0.1, 1));
    snprintf(shift, sizeof shift, "%s", rn_weight(b, (lop_shape){1, {entries}}, 0.1, 0));
    if (whole) {
        rn_int(rn_node(b, "GroupNormalization", y.name, "%s %s %s", x.name, scale, shift), "num_groups", groups);
        return y;
    }
    y = rn_reshape(b, x, (const int64_t[]){1, groups, -1}, 3, false, y);
    rn_node(b, "InstanceNormalization", z.name, "%s %s %s", y.name, scale, shift);
    z = rn_reshape(b, z, (const int64_t[]){1, x.c, x.s, x.s}, 4, rn_below(b, 2) == 1, x);
    return rn_scale(b, z);
}

static inline rn_value rn_gather(rn_net *b, rn_value x)
{
    int64_t list[128];
    rn_value y = x;
    for (int64_t i = 0; i < x.c; i++) list[i] = i;
    for (int64_t i = x.c - 1; i > 0; i--) {
        const int64_t j = rn_below(b, i + 1), other = list[j];
        list[j] = list[i];
        list[i] = rn_below(b, 4) ? other : other - x.c;
    }
    y.c = x.c - rn_below(b, 2);
    rn_int(rn_node(b, "Gather", y.name, "%s %s", x.name, rn_ints(b, list, y.c)), "axis", 1);
    return y;
}

static inline rn_value rn_depth(rn_net *b, rn_value x)
{
    rn_value y = {.c = x.c * 4, .s = x.s / 2}, z = x;
    if (x.s % 2 != 0) return rn_scale(b, x);
    rn_int(rn_node(b, "SpaceToDepth", y.name, "%s", x.name), "blocksize", 2);
    y = rn_act(b, rn_scale(b, y));
    if (rn_below(b, 2)) y = rn_layer(b, y, x.c * 4, 1, 1);
    lop_node *n = rn_node(b, "DepthToSpace", z.name, "%s", y.name);
    rn_int(n, "blocksize", 2);
    if (b->opset >= 11 && rn_below(b, 2)) rn_text(n, "mode", "CRD");
    return z;
}

static inline rn_value rn_branches(rn_net *b, rn_value x)
{
    rn_value left = {.c = 0}, right = {.c = 0};
    rn_split(b, x, x.c % 2 == 0 && rn_below(b, 2) ? x.c / 2 : 1 + rn_below(b, x.c - 1), &left, &right);
    rn_value y = rn_concat(b, left, rn_layer(b, right, right.c, 1, 1));
    return y.c % 2 == 0 ? rn_shuffle(b, y, 2) : y;
}

static inline rn_value rn_grouped(rn_net *b, rn_value x)
{
    static const int64_t groups[] = {2, 4, 8};
    const int64_t g = groups[rn_below(b, 3)];
    rn_value y = rn_layer(b, x, g * (1 + rn_below(b, 3)), 1, 1);
    y = rn_act(b, rn_conv(b, y, g * (1 + rn_below(b, 3)), 3, 1, g));
    return rn_below(b, 2) && y.c % 2 == 0 ? rn_shuffle(b, y, 2) : y;
}

static inline rn_value rn_pool(rn_net *b, rn_value x)
{
    rn_value y = x;
    lop_node *n = rn_node(b, rn_below(b, 2) ? "MaxPool" : "AveragePool", y.name, "%s", x.name);
    rn_set(n, "kernel_shape", (const int64_t[]){3, 3}, 2);
    rn_set(n, "pads", (const int64_t[]){1, 1, 1, 1}, 4);
    return y;
}

static inline rn_value rn_depthwise(rn_net *b, rn_value x)
{
    rn_value y = rn_act(b, rn_conv(b, x, x.c * (1 + rn_below(b, 2)), 3, 1, x.c));
    return rn_act(b, rn_conv(b, y, 4 + rn_below(b, 8), 1, 1, 1));
}

static inline rn_value rn_residual(rn_net *b, rn_value x)
{
    const rn_value branch = rn_conv(b, rn_layer(b, x, 6, 3, 1), x.c, 3, 1, 1);
    return rn_act(b, rn_pair(b, rn_below(b, 2) ? "Add" : "Sub", x, branch));
}

static inline rn_value rn_block(rn_net *b, rn_value x, int which)
{
    switch (which) {
    case 0: return rn_layer(b, x, 4 + rn_below(b, 9), 3, 1);
    case 1: return rn_residual(b, x);
    case 2: return rn_option_a(b, x);
    case 3: return rn_concat(b, rn_layer(b, x, 5, 1, 1), rn_below(b, 2) ? x : rn_layer(b, x, 3, 3, 1));
    case 4: return rn_gate(b, x);
    case 5: return rn_depthwise(b, x);
    case 6: return rn_grouped(b, x);
    case 7: return x.c % 2 == 0 ? rn_shuffle(b, x, 2) : x.c % 3 == 0 ? rn_shuffle(b, x, 3) : rn_scale(b, x);
    case 8: return rn_branches(b, x);
    case 9: return rn_u_shape(b, x);
    case 10: return rn_scale(b, x);
    case 11: return rn_depth(b, x);
    case 12: return x.c % 2 == 0 ? rn_group_norm(b, x, 2) : rn_group_norm(b, x, x.c);
    case 13: return rn_detour(b, x);
    case 14: return b->opset < 10 ? rn_gather(b, x) : rn_slice(b, x, 1, -1, INT64_MIN + 1, -1, x);
    case 15: return rn_gather(b, x);
    case 16: return rn_pool(b, x);
    default: return rn_slice(b, x, 1, 1, x.c, 1, (rn_value){.c = x.c - 1, .s = x.s});
    }
}
enum { RN_BLOCKS = 18 };

static inline void rn_head(rn_net *b, rn_value x)
{
    rn_value y = x, z;
    const int64_t features = rn_below(b, 2) ? x.c : x.c * x.s * x.s;
    if (features == x.c) rn_node(b, "GlobalAveragePool", y.name, "%s", x.name);
    z = y;
    if (rn_below(b, 2)) rn_node(b, "Flatten", z.name, "%s", y.name);
    else z = rn_reshape(b, y, (const int64_t[]){1, -1}, 2, rn_below(b, 2) == 1, z);
    char w[24], bias[24];
    const bool turned = rn_below(b, 2) == 1;
    snprintf(w, sizeof w, "%s", rn_weight(b, (lop_shape){2, {turned ? 5 : features, turned ? features : 5}}, 0.2, 0));
    snprintf(bias, sizeof bias, "%s", rn_weight(b, (lop_shape){1, {5}}, 0.2, 0));
    lop_node *n = rn_node(b, "Gemm", y.name, "%s %s %s", z.name, w, bias);
    if (turned) rn_int(n, "transB", 1);
    net_output(b->g, y.name);
}

/* The net of a seed; blocks: how many. */
static inline void rn_build(rn_net *b, uint64_t seed, int blocks)
{
    static const int64_t opsets[] = {9, 13, 21};
    lop_error err;
    *b = (rn_net){.seed = seed};
    b->opset = opsets[rn_below(b, 3)];
    t_ok(lop_graph_new(lop_ops(), &b->g, &err), err);
    b->g->opset = lop_array(1, sizeof *b->g->opset, NULL);
    b->g->opset[0] = (lop_opset){lop_string("", &err), b->opset};
    b->g->nopset = 1;
    b->g->ir_version = 8;
    net_input(b->g, "x", (lop_shape){4, {1, 3, 8, 8}});
    rn_value x = {.name = "x", .c = 3, .s = 8};
    x = rn_layer(b, x, 6 + rn_below(b, 7), 3, 1);
    snprintf(b->trace, sizeof b->trace, "opset %d:", (int)b->opset);
    for (int i = 0; i < blocks; i++) {
        const int which = (int)rn_below(b, RN_BLOCKS);
        const size_t used = strlen(b->trace);
        snprintf(b->trace + used, sizeof b->trace - used, " %d", which);
        if (x.c < 3 || x.c > 60) x = rn_layer(b, x, 8, 1, 1);
        x = rn_block(b, x, which);
    }
    if (rn_below(b, 4) == 0) net_output(b->g, rn_conv(b, x, 4, 1, 1, 1).name);
    rn_head(b, x);
}
#endif

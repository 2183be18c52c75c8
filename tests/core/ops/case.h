/* tests/core/ops/case.h - one node, its inputs and its outputs as text.
 *   attributes:  "axis=i:1 alpha=f:0.5 mode=s:linear pads=I:0,1,0,1 scales=F:1,2 value=t:l,1,5"
 *   tensors, separated by '|', "-" where one is left out:  "f 2x2 1 2 3 4|l 1 0|f scalar 7"; the letters are f float32,
 *   d float64, l int64, i int32, b bool, B uint8, c int8, h float16, s int16, S uint16, I
 *   uint32, L uint64; "~5" in place of values: random, seed 5. */
#ifndef LOP_TESTS_CORE_OPS_CASE_H
#define LOP_TESTS_CORE_OPS_CASE_H
#include "support/t.h"
#include "ops/ops.h"
#include <math.h>

typedef struct { const char *op; int opset; const char *attr, *in, *out; } op_case;

enum { CASE_ATTRS = 12, CASE_TENSORS = 16, CASE_LIST = 32 };
typedef struct {
    char text[512], op[64];
    lop_node node;
    lop_attr attr[CASE_ATTRS];
    int64_t ints[CASE_ATTRS][CASE_LIST];
    float floats[CASE_ATTRS][CASE_LIST];
    lop_tensor in[CASE_TENSORS], out[CASE_TENSORS];
    const lop_tensor *list[CASE_TENSORS];
    lop_op_call call;
    const lop_op *rule;
    lop_error err;
} op_run;

static inline lop_dtype case_type(char letter)
{
    static const char letters[] = "fdlibBchsSIL";
    static const lop_dtype types[] = {LOP_F32, LOP_F64, LOP_I64, LOP_I32, LOP_BOOL, LOP_U8, LOP_I8, LOP_F16,
                                      LOP_I16, LOP_U16, LOP_U32, LOP_U64};
    const char *at = strchr(letters, letter);
    assert_true(at && letter);
    return types[at - letters];
}

/* Multiples of 1/512 in [-2, 2], the same as golden.js makes. */
static inline void case_random(lop_tensor *t, uint32_t seed)
{
    for (int64_t i = 0; i < lop_tensor_size(t); i++) {
        seed = seed * 1103515245u + 12345u;
        lop_tensor_set(t, i, ((double)((seed >> 8) % 2049u) - 1024.0) / 512.0);
    }
}

/* One tensor from *text, which moves on behind it. False: left out. */
static inline bool case_tensor(const char **text, lop_tensor *t)
{
    lop_error err;
    const char *p = *text;
    char *end;
    lop_shape shape = {0, {0}};
    *t = (lop_tensor){0};
    if (*p == '-') { *text = p + 1; return false; }
    const lop_dtype type = case_type(*p);
    p += 2;
    if (*p == 's') { p += strlen("scalar"); }
    else {
        for (;; p++) {
            shape.dim[shape.ndim++] = strtoll(p, &end, 10);
            p = end;
            if (*p != 'x') break;
        }
    }
    t_ok(lop_tensor_init(t, type, &shape, &err), err);
    if (strncmp(p, " ~", 2) == 0) {
        case_random(t, (uint32_t)strtoul(p + 2, &end, 10));
        p = end;
    } else {
        for (int64_t i = 0; i < lop_tensor_size(t); i++, p = end) {
            if (type == LOP_I64) ((int64_t *)t->data)[i] = strtoll(p, &end, 10);
            else lop_tensor_set(t, i, strtod(p, &end));
            assert_ptr_not_equal(p, end);
        }
    }
    *text = p;
    return true;
}

static inline int case_tensors(const char *text, lop_tensor *t, const lop_tensor **list)
{
    int n = 0;
    while (*text) {
        const bool there = case_tensor(&text, &t[n]);
        if (list) list[n] = there ? &t[n] : NULL;
        n++;
        if (*text == '|') text++;
    }
    return n;
}

static inline void case_attribute(op_run *r, int k, char *text)
{
    lop_attr *a = &r->attr[k];
    char *value = strchr(text, '='), *end = value + 3;
    assert_non_null(value);
    *value = 0;
    a->name = text;
    value += 3;
    switch (value[-2]) {
    case 'i': a->kind = LOP_ATTR_INT; a->i = strtoll(value, NULL, 10); break;
    case 'f': a->kind = LOP_ATTR_FLOAT; a->f = strtof(value, NULL); break;
    case 's': a->kind = LOP_ATTR_STRING; a->s = value; a->length = strlen(value); break;
    case 'I':
        a->kind = LOP_ATTR_INTS;
        a->ints = r->ints[k];
        while (*end) { a->ints[a->count++] = strtoll(end, &end, 10); if (*end == ',') end++; }
        break;
    case 'F':
        a->kind = LOP_ATTR_FLOATS;
        a->floats = r->floats[k];
        while (*end) { a->floats[a->count++] = strtof(end, &end); if (*end == ',') end++; }
        break;
    default: {
        for (char *c = value; *c; c++)
            if (*c == ',') *c = ' ';
        const char *p = value;
        a->kind = LOP_ATTR_TENSOR;
        case_tensor(&p, &a->tensor);
    }
    }
}

/* The node with its inputs, all of them constant. nout: how many outputs it has. */
static inline void case_open(op_run *r, const op_case *c, int nout)
{
    *r = (op_run){0};
    snprintf(r->text, sizeof r->text, "%s", c->attr);
    snprintf(r->op, sizeof r->op, "%s", c->op);
    for (char *word = strtok(r->text, " "); word; word = strtok(NULL, " ")) case_attribute(r, r->node.nattr++, word);
    r->node.op = r->op;
    r->node.name = r->node.domain = r->op + strlen(r->op);
    r->node.attr = r->attr;
    r->node.nin = case_tensors(c->in, r->in, r->list);
    r->node.nout = nout;
    r->call = (lop_op_call){.node = &r->node, .opset = c->opset, .nin = r->node.nin, .nout = nout, .in = r->list,
                            .out = r->out};
    r->rule = lop_op_find(lop_ops(), "", r->op);
    if (!r->rule) fail_msg("%s is not in the table", c->op);
}

static inline lop_status case_shape(op_run *r) { return r->rule->shape(&r->call, &r->err); }

/* Allocates the outputs and fills them. */
static inline lop_status case_forward(op_run *r)
{
    for (int i = 0; i < r->call.nout; i++) {
        const lop_tensor t = r->out[i];
        if (!t.data) t_ok(lop_tensor_init(&r->out[i], t.type, &t.shape, &r->err), r->err);
    }
    return r->rule->forward(&r->call, &r->err);
}

static inline void case_close(op_run *r)
{
    for (int i = 0; i < CASE_TENSORS; i++) {
        lop_tensor_clear(&r->in[i]);
        lop_tensor_clear(&r->out[i]);
    }
    for (int k = 0; k < CASE_ATTRS; k++) lop_tensor_clear(&r->attr[k].tensor);
}

/* Type and shape, integers exactly, floats within `tolerance` of the larger of 1 and what is wanted. */
static inline void case_compare(const op_case *c, int o, const lop_tensor *got, const lop_tensor *want,
                                double tolerance)
{
    char a[96], b[96];
    if (got->type != want->type || !lop_shape_equal(&got->shape, &want->shape))
        fail_msg("%s [%s] (%s): output %d is %s %s, %s %s expected", c->op, c->attr, c->in, o,
                 lop_dtype_name(got->type),
                 lop_shape_text(&got->shape, a, sizeof a), lop_dtype_name(want->type),
                 lop_shape_text(&want->shape, b, sizeof b));
    for (int64_t i = 0; i < lop_tensor_size(want); i++) {
        const double g = lop_tensor_get(got, i), w = lop_tensor_get(want, i);
        const bool same = isnan(w) ? isnan(g) : isinf(w) ? g == w : fabs(g - w) <= tolerance * fmax(1.0, fabs(w));
        if (!same)
            fail_msg("%s [%s] (%s): output %d #%d is %.9g, %.9g expected", c->op, c->attr, c->in, o, (int)i, g, w);
    }
}
#endif

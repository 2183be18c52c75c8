/* core/ops/math/einsum.c - Einsum (opset 12): products of entries of any number of tensors, summed over the letters
 * that the result does not have. Real numbers are summed in float64, integers in 64 bits that wrap. */
#include "ops/ops_impl.h"
#include <string.h>

/* A label is a letter, or one of the dimensions that "..." stands for, counted from the last. */
enum { LETTERS = 128, LABELS = LETTERS + LOP_MAX_DIMS, OPERANDS = 16 };

typedef struct { int count; int label[LOP_MAX_DIMS]; } term;
typedef struct {
    int operands;
    term in[OPERANDS], out;
    int64_t size[LABELS];       /* -1: not there */
    int dots;                   /* dimensions that "..." stands for, at most */
} equation;

/* ---- the equation ---- */

static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

static lop_status add_label(term *t, int label, lop_error *err)
{
    if (t->count == LOP_MAX_DIMS)
        return lop_fail(err, LOP_E_FORMAT, "equation: a term of more than %d letters", LOP_MAX_DIMS);
    t->label[t->count++] = label;
    return LOP_OK;
}

/* One term from *text up to ',' or '-' or the end; "..." stands for `dots` dimensions. */
static lop_status read_term(const char **text, int dots, term *t, lop_error *err)
{
    const char *p = *text;
    lop_status st = LOP_OK;
    *t = (term){0};
    for (; st == LOP_OK && *p && *p != ',' && *p != '-'; p++) {
        if (*p == ' ') continue;
        if (is_letter(*p)) {
            st = add_label(t, *p, err);
        } else if (strncmp(p, "...", 3) == 0) {
            for (int i = dots - 1; st == LOP_OK && i >= 0; i--) st = add_label(t, LETTERS + i, err);
            p += 2;
        } else {
            st = lop_fail(err, LOP_E_FORMAT, "equation: '%.20s' is no letter, comma or arrow", p);
        }
    }
    *text = p;
    return st;
}

static int letters_before(const char *p)
{
    int n = 0;
    for (; *p && *p != ',' && *p != '-'; p++) n += is_letter(*p);
    return n;
}

/* Dimensions of operand i that no letter names. */
static lop_status count_dots(const char *p, int ndim, int *dots, lop_error *err)
{
    const char *mark = strstr(p, "..."), *end = strpbrk(p, ",-");
    const bool there = mark && (!end || mark < end);
    const int letters = letters_before(p);
    *dots = there ? ndim - letters : 0;
    if (letters <= ndim && (there || letters == ndim)) return LOP_OK;
    return lop_fail(err, LOP_E_SHAPE, "equation: a term of %d letters for an input of %d dimensions", letters, ndim);
}

static lop_status set_sizes(equation *q, const term *t, const lop_shape *shape, lop_error *err)
{
    for (int d = 0; d < t->count; d++) {
        int64_t *size = &q->size[t->label[d]];
        if (*size < 0 || *size == 1) *size = shape->dim[d];
        else if (shape->dim[d] != 1 && shape->dim[d] != *size)
            return lop_fail(err, LOP_E_SHAPE, "equation: one letter for %" PRId64 " and for %" PRId64 " entries", *size,
                            shape->dim[d]);
    }
    return LOP_OK;
}

/* Without an arrow: "..." and the letters that occur once, in their order. */
static lop_status usual_result(equation *q, lop_error *err)
{
    lop_status st = LOP_OK;
    for (int i = q->dots - 1; st == LOP_OK && i >= 0; i--) st = add_label(&q->out, LETTERS + i, err);
    for (int letter = 'A'; st == LOP_OK && letter <= 'z'; letter++) {
        int seen = 0;
        for (int i = 0; i < q->operands; i++)
            for (int d = 0; d < q->in[i].count; d++) seen += q->in[i].label[d] == letter;
        if (seen == 1) st = add_label(&q->out, letter, err);
    }
    return st;
}

static lop_status check_result(const equation *q, lop_error *err)
{
    for (int d = 0; d < q->out.count; d++) {
        if (q->size[q->out.label[d]] < 0)
            return lop_fail(err, LOP_E_FORMAT, "equation: a letter of the result is in no input");
        for (int e = 0; e < d; e++)
            if (q->out.label[e] == q->out.label[d])
                return lop_fail(err, LOP_E_FORMAT, "equation: a letter is twice in the result");
    }
    return LOP_OK;
}

static lop_status read_equation(const lop_op_call *call, equation *q, lop_error *err)
{
    const char *p = lop_node_string(call->node, "equation", NULL);
    if (!p) return lop_fail(err, LOP_E_FORMAT, "equation is missing");
    if (call->nin > OPERANDS) return lop_fail(err, LOP_E_UNSUPPORTED, "%d inputs, at most %d", call->nin, OPERANDS);
    *q = (equation){.operands = call->nin};
    for (int i = 0; i < LABELS; i++) q->size[i] = -1;
    for (int i = 0; i < call->nin; i++) {
        int dots;
        lop_status st = count_dots(p, call->in[i]->shape.ndim, &dots, err);
        if (st == LOP_OK) st = read_term(&p, dots, &q->in[i], err);
        if (st == LOP_OK) st = set_sizes(q, &q->in[i], &call->in[i]->shape, err);
        if (st != LOP_OK) return st;
        if (dots > q->dots) q->dots = dots;
        if (i + 1 < call->nin && *p++ != ',')
            return lop_fail(err, LOP_E_FORMAT, "equation has terms for %d of %d inputs", i + 1, call->nin);
    }
    if (!*p) return usual_result(q, err);
    if (strncmp(p, "->", 2) != 0)
        return lop_fail(err, LOP_E_FORMAT, "equation: '->' expected, '%.20s' there", p);
    p += 2;
    lop_status st = read_term(&p, q->dots, &q->out, err);
    if (st == LOP_OK && *p) st = lop_fail(err, LOP_E_FORMAT, "equation: '%.20s' behind the result", p);
    return st == LOP_OK ? check_result(q, err) : st;
}

lop_status ops_einsum_shape(const lop_op_call *call, lop_error *err)
{
    equation q;
    lop_status st = ops_need(call, call->nin < 1 ? 1 : call->nin, INT32_MAX, err);
    if (st != LOP_OK) return st;
    const lop_dtype type = call->in[0]->type;
    if (type != LOP_F32 && type != LOP_F64 && type != LOP_I32 && type != LOP_I64)
        return lop_fail(err, LOP_E_UNSUPPORTED, "of %s is not built", lop_dtype_name(type));
    for (int i = 1; i < call->nin; i++)
        if (call->in[i]->type != type)
            return lop_fail(err, LOP_E_SHAPE, "%s and %s: one type expected", lop_dtype_name(type),
                            lop_dtype_name(call->in[i]->type));
    st = read_equation(call, &q, err);
    if (st != LOP_OK) return st;
    lop_shape y = {q.out.count, {0}};
    for (int d = 0; d < y.ndim; d++) y.dim[d] = q.size[q.out.label[d]];
    return ops_set(call, 0, type, &y, err);
}

/* ---- sums ---- */

enum { LOOPS = LOP_MAX_DIMS * OPERANDS };
typedef struct {
    int operands, nout, nsum;
    int64_t out[LOP_MAX_DIMS], sum[LOOPS];              /* sizes of the labels */
    int64_t step[OPERANDS][LOOPS + LOP_MAX_DIMS];       /* of the result's labels, then of the summed ones */
    const void *data[OPERANDS];
    void *y;
} loops;

/* Steps of a label that a term has more than once, a diagonal, add up; a dimension of 1 is repeated. */
static int64_t step_of(const term *t, const lop_shape *shape, int label)
{
    int64_t stride[LOP_MAX_DIMS], step = 0;
    ops_strides(shape, stride);
    for (int d = 0; d < t->count; d++)
        if (t->label[d] == label && shape->dim[d] != 1) step += stride[d];
    return step;
}

static void add_loop(const lop_op_call *call, const equation *q, int label, int at, loops *l)
{
    for (int i = 0; i < q->operands; i++) l->step[i][at] = step_of(&q->in[i], &call->in[i]->shape, label);
}

static void plan(const lop_op_call *call, const equation *q, loops *l)
{
    *l = (loops){.operands = q->operands, .nout = q->out.count, .y = call->out[0].data};
    bool done[LABELS] = {false};
    for (int i = 0; i < q->operands; i++) l->data[i] = call->in[i]->data;
    for (int d = 0; d < q->out.count; d++) {
        done[q->out.label[d]] = true;
        l->out[d] = q->size[q->out.label[d]];
        add_loop(call, q, q->out.label[d], d, l);
    }
    for (int label = 0; label < LABELS; label++) {
        if (done[label] || q->size[label] < 0) continue;
        l->sum[l->nsum] = q->size[label];
        add_loop(call, q, label, l->nout + l->nsum++, l);
    }
}

#define SUM(name, T, ACC)                                                                               \
    static ACC name##_of(const loops *l, const int64_t at[OPERANDS], int k)                             \
    {                                                                                                   \
        ACC total = 0;                                                                                  \
        if (k + 1 >= l->nsum) {                                                                         \
            const int64_t n = k < l->nsum ? l->sum[k] : 1;                                              \
            for (int64_t j = 0; j < n; j++) {                                                           \
                ACC product = 1;                                                                        \
                for (int i = 0; i < l->operands; i++)                                                   \
                    product *= (ACC)((const T *)l->data[i])[at[i] + j * l->step[i][l->nout + k]];       \
                total += product;                                                                       \
            }                                                                                           \
            return total;                                                                               \
        }                                                                                               \
        int64_t from[OPERANDS];                                                                         \
        memcpy(from, at, (size_t)l->operands * sizeof *from);                                           \
        for (int64_t j = 0; j < l->sum[k]; j++) {                                                       \
            total += name##_of(l, from, k + 1);                                                         \
            for (int i = 0; i < l->operands; i++) from[i] += l->step[i][l->nout + k];                   \
        }                                                                                               \
        return total;                                                                                   \
    }                                                                                                   \
    static void name(void *context, int64_t begin, int64_t end)                                         \
    {                                                                                                   \
        const loops *l = context;                                                                       \
        for (int64_t o = begin; o < end; o++) {                                                         \
            int64_t at[OPERANDS] = {0}, rest = o;                                                       \
            for (int d = l->nout - 1; d >= 0; d--) {                                                    \
                for (int i = 0; i < l->operands; i++) at[i] += rest % l->out[d] * l->step[i][d];        \
                rest /= l->out[d];                                                                      \
            }                                                                                           \
            ((T *)l->y)[o] = (T)name##_of(l, at, 0);                                                    \
        }                                                                                               \
    }
SUM(sum_f32, float, double)
SUM(sum_f64, double, double)
SUM(sum_i32, int32_t, uint64_t)
SUM(sum_i64, int64_t, uint64_t)

lop_status ops_einsum_forward(const lop_op_call *call, lop_error *err)
{
    equation q;
    loops l;
    lop_status st = read_equation(call, &q, err);
    if (st != LOP_OK) return st;
    plan(call, &q, &l);
    const lop_dtype type = call->in[0]->type;
    const ops_body body = type == LOP_F32 ? sum_f32 : type == LOP_F64 ? sum_f64 : type == LOP_I32 ? sum_i32 : sum_i64;
    int64_t work = 1;
    for (int k = 0; k < l.nsum; k++)
        if (l.sum[k] > 1) work = l.sum[k] > INT32_MAX / work ? INT32_MAX : work * l.sum[k];
    ops_spread(call->team, lop_tensor_size(&call->out[0]), ops_grain(work), body, &l);
    return LOP_OK;
}

/* bindings/c/tensor/lop_tensor_print.c - tostring of a tensor, laid out as PyTorch does: columns of one width, four
 * digits, by powers of ten where the numbers lie far apart, and of large tensors only the borders. */
#include "tensor/lop_tensor_impl.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { COLUMNS = 80, WHOLE = 1000 };    /* width of a line; more elements than this are shortened */

typedef struct {
    const lop_tensor *t;
    int64_t edge;               /* elements shown at either end of a dimension; 0: all */
    char format;                /* 'i' integers, '.' integral floats, 'f' fixed, 'e' powers of ten */
    int width;                  /* of the widest element */
    double least, most;         /* magnitudes of what is shown, finite and not zero; most 0: none */
    bool integral;
} layout;

static int write_element(const layout *p, double v, char text[40])
{
    if (p->t->type == LOP_BOOL) return snprintf(text, 40, "%s", v != 0.0 ? "true" : "false");
    if (isnan(v)) return snprintf(text, 40, "nan");
    if (isinf(v)) return snprintf(text, 40, "%s", v > 0 ? "inf" : "-inf");
    switch (p->format) {
    case 'i': return snprintf(text, 40, "%.0f", v);
    case '.': return snprintf(text, 40, "%.0f.", v);
    case 'f': return snprintf(text, 40, "%.4f", v);
    default: return snprintf(text, 40, "%.4e", v);
    }
}

static void note_magnitude(layout *p, double v)
{
    const double m = fabs(v);
    if (!isfinite(m)) return;
    if (m != floor(m)) p->integral = false;
    if (m == 0.0) return;
    if (p->most == 0.0 || m < p->least) p->least = m;
    if (m > p->most) p->most = m;
}

static void note_width(layout *p, double v)
{
    char text[40];
    const int n = write_element(p, v, text);
    if (n > p->width) p->width = n;
}

/* Where the next shown place after k is: k + 1, or past the gap. */
static int64_t next_shown(const layout *p, int64_t n, int64_t k)
{
    return p->edge > 0 && n > 2 * p->edge && k + 1 == p->edge ? n - p->edge : k + 1;
}

static void visit(layout *p, int dim, int64_t offset, void (*note)(layout *, double))
{
    const lop_shape *s = &p->t->shape;
    if (dim == s->ndim) {
        note(p, lop_tensor_get(p->t, offset));
        return;
    }
    for (int64_t k = 0; k < s->dim[dim]; k = next_shown(p, s->dim[dim], k))
        visit(p, dim + 1, offset * s->dim[dim] + k, note);
}

static void add_padded(luaL_Buffer *b, const layout *p, double v)
{
    char text[40], padded[48];
    write_element(p, v, text);
    snprintf(padded, sizeof padded, "%*s", p->width, text);
    luaL_addstring(b, padded);
}

static void add_break(luaL_Buffer *b, int lines, int indent)
{
    while (lines-- > 0) luaL_addchar(b, '\n');
    while (indent-- > 0) luaL_addchar(b, ' ');
}

/* The innermost dimension: as many elements on a line as fit. */
static void add_row(luaL_Buffer *b, const layout *p, int64_t offset, int indent)
{
    const int64_t n = p->t->shape.dim[p->t->shape.ndim - 1];
    int fit = (COLUMNS - indent) / (p->width + 2);
    if (fit < 1) fit = 1;
    int column = 0;
    for (int64_t k = 0; k < n;) {
        add_padded(b, p, lop_tensor_get(p->t, offset * n + k));
        const int64_t next = next_shown(p, n, k);
        if (next < n) {
            luaL_addchar(b, ',');
            if (next > k + 1) {
                luaL_addstring(b, " ...,");
                column++;
            }
            if (++column >= fit) {
                add_break(b, 1, indent);
                column = 0;
            } else luaL_addchar(b, ' ');
        }
        k = next;
    }
}

static void add_nested(luaL_Buffer *b, const layout *p, int dim, int64_t offset, int indent)
{
    const lop_shape *s = &p->t->shape;
    if (s->ndim == 0) {
        add_padded(b, p, lop_tensor_get(p->t, 0));
        return;
    }
    luaL_addchar(b, '[');
    if (dim == s->ndim - 1) add_row(b, p, offset, indent + 1);
    else {
        const int64_t n = s->dim[dim];
        for (int64_t k = 0; k < n;) {
            add_nested(b, p, dim + 1, offset * n + k, indent + 1);
            const int64_t next = next_shown(p, n, k);
            if (next < n) {
                luaL_addchar(b, ',');
                if (next > k + 1) {
                    add_break(b, s->ndim - 1 - dim, indent + 1);
                    luaL_addstring(b, "...,");
                }
                add_break(b, s->ndim - 1 - dim, indent + 1);
            }
            k = next;
        }
    }
    luaL_addchar(b, ']');
}

static char choose_format(const layout *p)
{
    const lop_dtype type = p->t->type;
    if (type != LOP_F32 && type != LOP_F64 && type != LOP_F16 && type != LOP_BF16) return 'i';
    const bool far = p->most > 0.0 && (p->most / p->least > 1000.0 || p->most > 1e8);
    if (p->integral) return far ? 'e' : '.';
    return far || p->least < 1e-4 ? 'e' : 'f';
}

int lopL_tensor_tostring(lua_State *L)
{
    static const char open[] = "tensor(";
    const lop_tensor *t = luaL_checkudata(L, 1, LOPL_TENSOR);
    if (t->type == LOP_NONE) {
        lua_pushliteral(L, "tensor (closed)");
        return 1;
    }
    layout p = {.t = t, .integral = true};
    if (lop_tensor_size(t) > WHOLE) p.edge = t->shape.ndim > 4 ? 1 : 3;
    visit(&p, 0, 0, note_magnitude);
    p.format = choose_format(&p);
    visit(&p, 0, 0, note_width);
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    luaL_addstring(&b, open);
    if (lop_tensor_size(t) > 0) add_nested(&b, &p, 0, 0, (int)strlen(open));
    else luaL_addstring(&b, "[]");
    char shape[200];
    luaL_addstring(&b, ", ");
    luaL_addstring(&b, lop_shape_text(&t->shape, shape, sizeof shape));
    luaL_addchar(&b, ' ');
    luaL_addstring(&b, lop_dtype_name(t->type));
    luaL_addchar(&b, ')');
    luaL_pushresult(&b);
    return 1;
}

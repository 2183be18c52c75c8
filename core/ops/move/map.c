/* core/ops/move/map.c - elements from one place to another: the map that Slice, Pad, Transpose, Gather, Resize
 * (nearest) and their like share. */
#include "ops/ops_impl.h"
#include <string.h>

lop_status ops_map_init(ops_map *m, const lop_shape *out, lop_error *err)
{
    size_t total = 0;
    m->ndim = out->ndim;
    for (int d = 0; d < out->ndim; d++) {
        m->n[d] = out->dim[d];
        if (!lop_add_size(&total, total, out->dim[d]) || total > INT64_MAX)
            return lop_fail(err, LOP_E_SHAPE, "dimension %d is %" PRId64, d, out->dim[d]);
    }
    if (m->ndim == 0) {                 /* a scalar is a list of one */
        m->n[0] = 1;
        total = 1;
        m->ndim = 1;
    }
    m->block = lop_array((int64_t)total, sizeof *m->block, err);
    if (!m->block) return LOP_E_MEMORY;
    int64_t at = 0;
    for (int d = 0; d < m->ndim; d++) {
        m->offset[d] = m->block + at;
        at += m->n[d];
    }
    return LOP_OK;
}

void ops_map_clear(ops_map *m)
{
    lop_free(m->block);
    m->block = NULL;
}

typedef struct { const ops_map *m; size_t item; const char *from, *fill; char *to; bool run; } move;

#define MOVE_ROW(name, type)                                                                            \
    static void name(int64_t n, const int64_t *offset, const type *from, const type *fill, type *to)    \
    {                                                                                                   \
        for (int64_t i = 0; i < n; i++) to[i] = offset[i] == OPS_FILL ? *fill : from[offset[i]];        \
    }
MOVE_ROW(row_1, uint8_t)
MOVE_ROW(row_2, uint16_t)
MOVE_ROW(row_4, uint32_t)
MOVE_ROW(row_8, uint64_t)

static void move_row(const move *v, const char *from, char *to)
{
    const int last = v->m->ndim - 1;
    const int64_t n = v->m->n[last], *offset = v->m->offset[last];
    const void *f = from, *fill = v->fill;
    void *t = to;
    if (v->run) memcpy(to, from + offset[0] * (int64_t)v->item, (size_t)n * v->item);
    else if (v->item == 1) row_1(n, offset, f, fill, t);
    else if (v->item == 2) row_2(n, offset, f, fill, t);
    else if (v->item == 4) row_4(n, offset, f, fill, t);
    else row_8(n, offset, f, fill, t);
}

static void fill_row(const move *v, char *to)
{
    for (int64_t i = 0; i < v->m->n[v->m->ndim - 1]; i++) memcpy(to + i * (int64_t)v->item, v->fill, v->item);
}

static void move_rows(void *context, int64_t begin, int64_t end)
{
    const move *v = context;
    const ops_map *m = v->m;
    const int outer = m->ndim - 1;
    int64_t at[LOP_MAX_DIMS] = {0}, rest = begin;
    for (int d = outer - 1; d >= 0; d--) {
        at[d] = rest % m->n[d];
        rest /= m->n[d];
    }
    for (int64_t row = begin; row < end; row++) {
        char *to = v->to + row * m->n[outer] * (int64_t)v->item;
        int64_t base = 0;
        bool filled = false;
        for (int d = 0; d < outer; d++) {
            const int64_t o = m->offset[d][at[d]];
            if (o == OPS_FILL) filled = true;
            else base += o;
        }
        if (filled) fill_row(v, to);
        else move_row(v, v->from + base * (int64_t)v->item, to);
        for (int d = outer - 1; d >= 0; d--) {
            if (++at[d] < m->n[d]) break;
            at[d] = 0;
        }
    }
}

/* One memcpy does a row whose sources lie side by side. */
static bool row_is_run(const ops_map *m)
{
    const int last = m->ndim - 1;
    const int64_t *o = m->offset[last];
    if (o[0] == OPS_FILL) return false;
    for (int64_t i = 1; i < m->n[last]; i++)
        if (o[i] == OPS_FILL || o[i] != o[0] + i) return false;
    return true;
}

void ops_map_run(const ops_map *m, size_t item, const void *from, const void *fill, void *to, lop_team *team)
{
    move v = {.m = m, .item = item, .from = from, .fill = fill, .to = to};
    int64_t rows = 1;
    for (int d = 0; d < m->ndim - 1; d++) rows *= m->n[d];
    if (rows == 0 || m->n[m->ndim - 1] == 0) return;
    v.run = row_is_run(m);
    ops_spread(team, rows, ops_grain(m->n[m->ndim - 1]), move_rows, &v);
}

/* core/sample/centre.c - sums freed of their means, and the sums' file. */
#include "sample/sample_impl.h"
#include <math.h>
#include <string.h>

static lop_status matrix(lop_tensor *t, int64_t rows, int64_t columns, lop_error *err)
{
    const lop_shape shape = {.ndim = columns ? 2 : 1, .dim = {rows, columns}};
    return lop_tensor_init(t, LOP_F64, &shape, err);
}

void lop_centred_clear(lop_centred *q)
{
    lop_tensor_clear(&q->gram);
    lop_tensor_clear(&q->cross);
    lop_tensor_clear(&q->energy);
    lop_tensor_clear(&q->mean_x);
    lop_tensor_clear(&q->mean_y);
    lop_tensor_clear(&q->nonzero);
    lop_tensor_clear(&q->diagonal);
}

/* Gc = G - N m_x m_x^T, Bc = B - N m_x m_y^T, sc = s - N m_y^2; the means are the sums that the constant 1 gathered. */
static void centre(lop_stats *s, lop_centred *q)
{
    const int64_t p = s->p, m = p + 1, n = s->n;
    const double N = s->rows, *G = lop_stats_gram(s);
    double *Gc = q->gram.data, *Bc = q->cross.data, *sc = q->energy.data, *mx = q->mean_x.data, *my = q->mean_y.data;
    for (int64_t i = 0; i < p; i++) mx[i] = G[i * m + p] / N;
    for (int64_t j = 0; j < n; j++) my[j] = s->cross[p * n + j] / N;
    for (int64_t i = 0; i < p; i++) {
        for (int64_t j = 0; j < p; j++) Gc[i * p + j] = G[i * m + j] - N * (mx[i] * mx[j]);
        for (int64_t j = 0; j < n; j++) Bc[i * n + j] = s->cross[i * n + j] - N * (mx[i] * my[j]);
        if (Gc[i * p + i] < 0.0) Gc[i * p + i] = 0.0;   /* a constant's rounding */
    }
    for (int64_t j = 0; j < n; j++) sc[j] = fmax(0.0, s->energy[j] - N * (my[j] * my[j]));
    double *diagonal = q->diagonal.data, *share = q->nonzero.data;
    for (int64_t i = 0; i < p; i++) diagonal[i] = Gc[i * p + i];
    for (int64_t i = 0; i < p; i++) share[i / s->taps] += s->nonzero[i] / (N * (double)s->taps);
}

lop_status lop_stats_centre(lop_stats *s, lop_centred *out, lop_error *err)
{
    if (!(lop_stats_rows(s) > 0.0)) return lop_fail(err, LOP_E_ARG, "statistics: no rows were added yet");
    lop_centred q = {.c = s->c, .taps = s->taps, .n = s->n, .rows = lop_stats_rows(s), .beside = s->beside,
                     .kept = s->kept ? s : NULL};
    lop_status st = s->summed ? matrix(&q.gram, s->p, s->p, err) : LOP_OK;
    if (st == LOP_OK && s->summed) st = matrix(&q.cross, s->p, s->n, err);
    if (st == LOP_OK) st = matrix(&q.energy, s->n, 0, err);
    if (st == LOP_OK) st = matrix(&q.mean_x, s->p, 0, err);
    if (st == LOP_OK) st = matrix(&q.mean_y, s->n, 0, err);
    if (st == LOP_OK) st = matrix(&q.nonzero, s->c, 0, err);
    if (st == LOP_OK) st = matrix(&q.diagonal, s->p, 0, err);
    if (st == LOP_OK && s->summed) centre(s, &q);
    if (st == LOP_OK && !s->summed) lop_centre_rows(s, &q);
    if (st != LOP_OK) lop_centred_clear(&q);
    if (st == LOP_OK) *out = q;
    return st;
}

/* ---- the file ---- */

enum { ENTRIES = 6 };
static const char *const own_names[ENTRIES] = {"gram", "cross", "energy", "nonzero", "rows", "size"};

static bool is_own(const char *name)
{
    for (int k = 0; k < ENTRIES; k++)
        if (strcmp(name, own_names[k]) == 0) return true;
    return false;
}

lop_status lop_stats_save(lop_stats *s, const lop_npz *more, const char *path, lop_error *err)
{
    const int64_t others = more ? more->count : 0;
    if (!s->summed) return lop_fail(err, LOP_E_UNSUPPORTED, "statistics that keep rows in place of sums have no file");
    if (s->beside > 0.0) return lop_fail(err, LOP_E_ARG, "regrouped statistics: save those that they were made from");
    lop_stats_gram(s);
    int64_t size[3] = {s->c, s->taps, s->n};
    char names[ENTRIES][8];
    const lop_tensor own[ENTRIES] = {
        {LOP_F64, {2, {s->p + 1, s->p + 1}}, s->gram, NULL}, {LOP_F64, {2, {s->p + 1, s->n}}, s->cross, NULL},
        {LOP_F64, {1, {s->n}}, s->energy, NULL},             {LOP_F64, {1, {s->p}}, s->nonzero, NULL},
        {LOP_F64, {1, {1}}, &s->rows, NULL},                 {LOP_I64, {1, {3}}, size, NULL}};
    lop_npz_entry *entry = lop_array(ENTRIES + others, sizeof *entry, err);
    if (!entry) return LOP_E_MEMORY;
    lop_status st = LOP_OK;
    for (int k = 0; k < ENTRIES; k++) entry[k] = (lop_npz_entry){strcpy(names[k], own_names[k]), own[k]};
    for (int64_t k = 0; st == LOP_OK && k < others; k++) {
        entry[ENTRIES + k] = more->entry[k];
        if (is_own(more->entry[k].name))
            st = lop_fail(err, LOP_E_ARG, "array '%s' is one of the statistics' own", more->entry[k].name);
    }
    const lop_npz z = {entry, ENTRIES + others};
    if (st == LOP_OK) st = lop_npz_save(path, &z, false, err);
    lop_free(entry);
    return st;
}

static const lop_tensor *entry_of(const lop_npz *z, const char *name, lop_dtype type, lop_shape shape, lop_error *err)
{
    const lop_tensor *t = lop_npz_find(z, name);
    char want[128], got[128];
    if (t && t->type == type && lop_shape_equal(&t->shape, &shape)) return t;
    lop_shape_text(&shape, want, sizeof want);
    if (!t) lop_fail(err, LOP_E_FORMAT, "array '%s' (%s %s) is missing: not a file of statistics", name,
                     lop_dtype_name(type), want);
    else lop_fail(err, LOP_E_FORMAT, "array '%s' is %s %s, %s %s expected", name, lop_dtype_name(t->type),
                  lop_shape_text(&t->shape, got, sizeof got), lop_dtype_name(type), want);
    return NULL;
}

static lop_status take(const lop_npz *z, const char *name, lop_shape shape, double *to, lop_error *err)
{
    int64_t where;
    const lop_tensor *t = entry_of(z, name, LOP_F64, shape, err);
    if (!t) return LOP_E_FORMAT;
    if (!lop_tensor_finite(t, &where))
        return lop_fail(err, LOP_E_NUMERIC, "array '%s': entry #%" PRId64 " is not finite", name, where);
    memcpy(to, t->data, lop_tensor_bytes(t));
    return LOP_OK;
}

static lop_status fill(const lop_npz *z, lop_stats *s, lop_error *err)
{
    lop_status st = take(z, "rows", (lop_shape){1, {1}}, &s->rows, err);
    if (st == LOP_OK) st = take(z, "gram", (lop_shape){2, {s->p + 1, s->p + 1}}, s->gram, err);
    if (st == LOP_OK) st = take(z, "cross", (lop_shape){2, {s->p + 1, s->n}}, s->cross, err);
    if (st == LOP_OK) st = take(z, "energy", (lop_shape){1, {s->n}}, s->energy, err);
    if (st == LOP_OK) st = take(z, "nonzero", (lop_shape){1, {s->p}}, s->nonzero, err);
    if (st == LOP_OK && (s->rows < 0.0 || s->gram[(s->p + 1) * (s->p + 1) - 1] != s->rows))
        st = lop_fail(err, LOP_E_FORMAT, "rows is %g and the last entry of gram %g: equal and not negative expected",
                      s->rows, s->gram[(s->p + 1) * (s->p + 1) - 1]);
    s->seen = (int64_t)fmin(s->rows, 9e18);
    s->half = true;                     /* a file need not be symmetric to the last bit: the upper triangle counts */
    return st;
}

/* Leaves what is not the statistics' own, in its order. */
static void drop_own(lop_npz *z)
{
    int64_t left = 0;
    for (int64_t k = 0; k < z->count; k++) {
        lop_npz_entry *e = &z->entry[k];
        if (is_own(e->name)) {
            lop_free(e->name);
            lop_tensor_clear(&e->tensor);
        } else z->entry[left++] = *e;
    }
    z->count = left;
}

lop_status lop_stats_load(const char *path, lop_stats **out, lop_npz *more, lop_error *err)
{
    lop_npz z = {0};
    *out = NULL;
    if (more) *more = (lop_npz){0};
    lop_status st = lop_npz_load(path, &z, err);
    if (st != LOP_OK) return st;
    const lop_tensor *size = entry_of(&z, "size", LOP_I64, (lop_shape){1, {3}}, err);
    const int64_t *d = size ? size->data : NULL;
    lop_stats *s = NULL;
    st = LOP_E_FORMAT;
    if (d && d[0] > 0 && d[1] > 0 && d[0] < INT32_MAX / d[1] && d[2] > 0) {
        /* Its gram must be there at that size before memory of that size is asked for. */
        const int64_t m = d[0] * d[1] + 1;
        if (entry_of(&z, "gram", LOP_F64, (lop_shape){2, {m, m}}, err) &&
            entry_of(&z, "cross", LOP_F64, (lop_shape){2, {m, d[2]}}, err))
            st = lop_stats_new(d[0], d[1], d[2], &s, err);
    } else if (d) lop_fail(err, LOP_E_FORMAT, "size holds %" PRId64 ", %" PRId64 ", %" PRId64
                           ": channels, taps, filters expected", d[0], d[1], d[2]);
    if (st == LOP_OK) st = fill(&z, s, err);
    if (st == LOP_OK && more) {
        drop_own(&z);
        *more = z;
    } else lop_npz_clear(&z);
    if (st == LOP_OK) *out = s;
    else {
        lop_stats_free(s);
        lop_error_at(err, "%s", path);
    }
    return st;
}

/* core/sample/project.c - sums of projected rows from the sums of the rows: with x' = T x, G' = T G T^T, B' = T B. */
#include "sample/sample_impl.h"
#include "linalg/linalg.h"
#include <string.h>

typedef struct {
    const lop_stats *from;
    lop_stats *to;
    const double *basis;                /* (rank, parts) */
    int64_t rank, parts, keep;          /* the old patch has parts * keep entries, the new one rank * keep */
    double *block, *half, *made;        /* (parts, parts), (rank, parts), (rank, rank) */
} projection;

/* G'(i, j) of the entries that stay at place b and at place d: V G_bd V^T. */
static lop_status gram_block(const projection *a, int64_t b, int64_t d, lop_error *err)
{
    const int64_t m = a->from->p + 1, P = a->parts, r = a->rank, k = a->keep, to = a->to->p + 1;
    for (int64_t i = 0; i < P; i++)
        for (int64_t j = 0; j < P; j++) a->block[i * P + j] = a->from->gram[(i * k + b) * m + j * k + d];
    lop_status st = lop_gemm(false, false, r, P, P, 1.0, a->basis, P, a->block, P, 0.0, a->half, P, err);
    if (st == LOP_OK) st = lop_gemm(false, true, r, r, P, 1.0, a->half, P, a->basis, P, 0.0, a->made, r, err);
    for (int64_t i = 0; st == LOP_OK && i < r; i++)
        for (int64_t j = 0; j < r; j++) {
            a->to->gram[(i * k + b) * to + j * k + d] = a->made[i * r + j];
            a->to->gram[(j * k + d) * to + i * k + b] = a->made[i * r + j];
        }
    return st;
}

/* The same rows of another matrix: out's row (i, b) = sum over parts of basis[i][a] times in's row (a, b). */
static lop_status rows_of(const projection *a, const double *in, int64_t columns, double *out, lop_error *err)
{
    const int64_t k = a->keep;
    lop_status st = LOP_OK;
    for (int64_t b = 0; st == LOP_OK && b < k; b++)
        st = lop_gemm(false, false, a->rank, columns, a->parts, 1.0, a->basis, a->parts, in + b * columns, k * columns,
                      0.0, out + b * columns, k * columns, err);
    return st;
}

/* The column of the constant 1, and its row. */
static void constants(const projection *a)
{
    const int64_t m = a->from->p + 1, to = a->to->p + 1, k = a->keep;
    double *G = a->to->gram;
    for (int64_t i = 0; i < a->rank; i++)
        for (int64_t b = 0; b < k; b++) {
            double sum = 0.0;
            for (int64_t j = 0; j < a->parts; j++)
                sum += a->basis[i * a->parts + j] * a->from->gram[(j * k + b) * m + m - 1];
            G[(i * k + b) * to + to - 1] = G[(to - 1) * to + i * k + b] = sum;
        }
    G[to * to - 1] = a->from->rows;
}

static lop_status project(const projection *a, lop_error *err)
{
    const int64_t n = a->from->n;
    lop_status st = LOP_OK;
    for (int64_t b = 0; st == LOP_OK && b < a->keep; b++)
        for (int64_t d = b; st == LOP_OK && d < a->keep; d++) st = gram_block(a, b, d, err);
    if (st == LOP_OK) st = rows_of(a, a->from->cross, n, a->to->cross, err);
    if (st != LOP_OK) return st;
    constants(a);
    memcpy(a->to->cross + a->to->p * n, a->from->cross + a->from->p * n, (size_t)n * sizeof(double));
    memcpy(a->to->energy, a->from->energy, (size_t)n * sizeof(double));
    for (int64_t i = 0; i < a->to->p; i++) a->to->nonzero[i] = a->from->rows;
    a->to->rows = a->from->rows;
    return LOP_OK;
}

lop_status lop_stats_project(lop_stats *s, const double *basis, int64_t rank, int64_t keep, lop_stats **out,
                             lop_error *err)
{
    *out = NULL;
    if (!s->summed)
        return lop_fail(err, LOP_E_UNSUPPORTED, "statistics that keep rows in place of sums are not projected");
    if (rank < 1 || keep < 1 || s->p % keep)
        return lop_fail(err, LOP_E_ARG, "a projection of %" PRId64 " entries to rank %" PRId64 ", %" PRId64
                        " places kept: it does not divide", s->p, rank, keep);
    projection a = {.from = s, .basis = basis, .rank = rank, .parts = s->p / keep, .keep = keep};
    lop_status st = lop_stats_new(rank, keep, s->n, &a.to, err);
    if (st != LOP_OK) return st;
    lop_stats_gram(s);                  /* both triangles */
    a.block = lop_array(a.parts, (size_t)a.parts * sizeof(double), err);
    a.half = lop_array(rank, (size_t)a.parts * sizeof(double), err);
    a.made = lop_array(rank, (size_t)rank * sizeof(double), err);
    st = a.block && a.half && a.made ? project(&a, err) : LOP_E_MEMORY;
    lop_free(a.block);
    lop_free(a.half);
    lop_free(a.made);
    if (st == LOP_OK) *out = a.to;
    else lop_stats_free(a.to);
    return st;
}

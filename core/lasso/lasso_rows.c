/* core/lasso/lasso_rows.c - A and b from rows, where the patches' Gram matrix would not fit: of each row Z_i = X_i
 * W_i^T for all channels, then A_ij += <Z_i, Z_j>. Filters are taken a few at a time, so that W is never whole in
 * float64. */
#include "lasso/lasso_impl.h"
#include "linalg/linalg.h"

enum { FILTERS = 64, ROWS = 64 };

typedef struct {
    const lop_centred *q;
    double share;
    double *W;                  /* (c taps, count): the filters in work */
    double *x, *y, *Z;          /* (ROWS, p), (ROWS, n) centred; Z (c, ROWS count) */
    double *constant;           /* (count) */
} summing;

static void centre(const float *from, const double *mean, int64_t rows, int64_t width, double *to)
{
    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < width; i++) to[r * width + i] = (double)from[r * width + i] - mean[i];
}

/* Rows first .. first + rows - 1, filters f .. f + count - 1: b_i += <Z_i, Y>, A += Z Z^T (upper triangle). */
static void add_block(const summing *s, int64_t first, int64_t rows, int64_t f, int64_t count, lop_lasso *l)
{
    const lop_centred *q = s->q;
    const int64_t k = q->taps, p = q->c * k, n = q->n, size = rows * count;
    double *b = l->cross.data;
    centre(lop_stats_kept_x(q->kept) + first * p, q->mean_x.data, rows, p, s->x);
    centre(lop_stats_kept_y(q->kept) + first * n, q->mean_y.data, rows, n, s->y);
    for (int64_t i = 0; i < q->c; i++) {
        double *Z = s->Z + i * size;
        lop_gemm(false, false, rows, count, k, 1.0, s->x + i * k, p, s->W + i * k * count, count, 0.0, Z, count, NULL);
        for (int64_t r = 0; r < rows; r++) b[i] += s->share * lop_dot(count, Z + r * count, s->y + r * n + f);
    }
    lop_syrk(false, q->c, size, s->share, s->Z, size, 1.0, l->gram.data, q->c, NULL);
}

/* What the means add to the energy of Z_i: N |W_i m_i|^2. */
static void add_constant(const summing *s, int64_t count, lop_lasso *l)
{
    const lop_centred *q = s->q;
    const double *mean = q->mean_x.data;
    double *response = l->response.data;
    for (int64_t i = 0; i < q->c; i++) {
        for (int64_t f = 0; f < count; f++) s->constant[f] = 0.0;
        for (int64_t a = i * q->taps; a < (i + 1) * q->taps; a++)
            lop_axpy(count, mean[a], s->W + a * count, s->constant);
        response[i] += s->share * q->rows * lop_dot(count, s->constant, s->constant);
    }
}

lop_status lop_lasso_add_rows(const lop_centred *q, const lop_tensor *weight, double share, lop_lasso *l,
                              lop_error *err)
{
    const int64_t p = q->c * q->taps, kept = lop_stats_kept(q->kept);
    summing s = {.q = q, .share = share};
    s.W = lop_array(p, FILTERS * sizeof(double), err);
    s.x = lop_array(p, ROWS * sizeof(double), err);
    s.y = lop_array(q->n, ROWS * sizeof(double), err);
    s.Z = lop_array(q->c, ROWS * FILTERS * sizeof(double), err);
    s.constant = lop_array(FILTERS, sizeof(double), err);
    lop_status st = s.W && s.x && s.y && s.Z && s.constant ? LOP_OK : LOP_E_MEMORY;
    for (int64_t f = 0; st == LOP_OK && f < q->n; f += FILTERS) {
        const int64_t count = q->n - f < FILTERS ? q->n - f : FILTERS;
        st = lop_weight_part(weight, q->c, q->taps, q->n, f, count, s.W, err);
        for (int64_t r = 0; st == LOP_OK && r < kept; r += ROWS)
            add_block(&s, r, kept - r < ROWS ? kept - r : ROWS, f, count, l);
        if (st == LOP_OK) add_constant(&s, count, l);
    }
    if (st == LOP_OK) lop_mirror(q->c, l->gram.data, q->c);
    double *own[] = {s.W, s.x, s.y, s.Z, s.constant};
    for (size_t k = 0; k < sizeof own / sizeof *own; k++) lop_free(own[k]);
    return st;
}

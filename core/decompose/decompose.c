/* core/decompose/decompose.c - the two factorisations, at full rank. */
#include "decompose/decompose.h"
#include "linalg/linalg.h"
#include <string.h>

void lop_factors_clear(lop_factors *f)
{
    lop_tensor_clear(&f->first);
    lop_tensor_clear(&f->second);
}

/* n, c, kh, kw of a convolution's or Gemm's filters. */
static lop_status sizes_of(const lop_tensor *weight, int64_t size[4], lop_error *err)
{
    const lop_shape *s = &weight->shape;
    if (weight->type != LOP_F32 || (s->ndim != 4 && s->ndim != 2) || lop_tensor_size(weight) < 1)
        return lop_fail(err, LOP_E_SHAPE, "filters: float32 of 4 dimensions, or 2, expected");
    for (int d = 0; d < 4; d++) size[d] = d < s->ndim ? s->dim[d] : 1;
    return LOP_OK;
}

static lop_status init_factors(lop_factors *out, const lop_shape *first, const lop_shape *second, lop_error *err)
{
    *out = (lop_factors){0};
    lop_status st = lop_tensor_init(&out->first, LOP_F32, first, err);
    if (st == LOP_OK) st = lop_tensor_init(&out->second, LOP_F32, second, err);
    if (st != LOP_OK) lop_factors_clear(out);
    return st;
}

/* ---- spatial ---- */

/* Row (channel, row of the window), column (filter, column of the window). */
static void unfold(const float *w, const int64_t size[4], double *M)
{
    const int64_t n = size[0], c = size[1], kh = size[2], kw = size[3];
    for (int64_t f = 0; f < n; f++)
        for (int64_t i = 0; i < c * kh; i++)
            for (int64_t j = 0; j < kw; j++) M[i * n * kw + f * kw + j] = w[(f * c * kh + i) * kw + j];
}

static void write_spatial(const int64_t size[4], int64_t R, const double *u, const double *s, const double *vt,
                          lop_factors *out)
{
    const int64_t n = size[0], rows = size[1] * size[2], kw = size[3];
    float *first = out->first.data, *second = out->second.data;
    for (int64_t r = 0; r < R; r++) {
        for (int64_t i = 0; i < rows; i++) first[r * rows + i] = (float)u[i * R + r];
        for (int64_t f = 0; f < n; f++)
            for (int64_t j = 0; j < kw; j++)
                second[(f * R + r) * kw + j] = (float)(s[r] * vt[r * n * kw + f * kw + j]);
    }
}

lop_status lop_decompose_spatial(const lop_tensor *weight, lop_factors *out, lop_error *err)
{
    int64_t size[4];
    *out = (lop_factors){0};
    lop_status st = sizes_of(weight, size, err);
    if (st != LOP_OK) return st;
    const int64_t rows = size[1] * size[2], columns = size[0] * size[3], R = rows < columns ? rows : columns;
    double *M = lop_array(rows, (size_t)columns * sizeof *M, err), *u = lop_array(rows, (size_t)R * sizeof *u, err);
    double *vt = lop_array(R, (size_t)columns * sizeof *vt, err), *s = lop_array(R, sizeof *s, err);
    st = M && u && vt && s ? LOP_OK : LOP_E_MEMORY;
    if (st == LOP_OK) unfold(weight->data, size, M);
    if (st == LOP_OK) st = lop_svd(rows, columns, M, columns, u, s, vt, err);
    if (st == LOP_OK)
        st = init_factors(out, &(lop_shape){4, {R, size[1], size[2], 1}}, &(lop_shape){4, {size[0], R, 1, size[3]}},
                          err);
    if (st == LOP_OK) write_spatial(size, R, u, s, vt, out);
    lop_free(M);
    lop_free(u);
    lop_free(vt);
    lop_free(s);
    return st;
}

/* ---- channel ---- */

/* The covariance of the filters' responses, C = W Gc W^T (n, n), W (n, p) row-major. */
static lop_status response(const lop_centred *q, const double *W, double *C, lop_error *err)
{
    const int64_t p = q->c * q->taps, n = q->n;
    if (!q->gram.data)
        return lop_fail(err, LOP_E_UNSUPPORTED, "statistics that keep rows have no covariance to factor");
    double *half = lop_array(n, (size_t)p * sizeof *half, err);
    lop_status st = half ? LOP_OK : LOP_E_MEMORY;
    if (st == LOP_OK) st = lop_gemm(false, false, n, p, p, 1.0, W, p, q->gram.data, p, 0.0, half, p, err);
    if (st == LOP_OK) st = lop_gemm(false, true, n, n, p, 1.0, half, p, W, p, 0.0, C, n, err);
    lop_free(half);
    return st;
}

/* P: rows of C, the eigenvectors, in ascending order of their values: the last is the first direction. */
static lop_status write_channel(const lop_centred *q, const double *W, const double *C, lop_factors *out,
                                lop_error *err)
{
    const int64_t p = q->c * q->taps, n = q->n;
    double *first = lop_array(n, (size_t)p * sizeof *first, err);
    lop_status st = first ? lop_gemm(false, false, n, p, n, 1.0, C, n, W, p, 0.0, first, p, err) : LOP_E_MEMORY;
    for (int64_t r = 0; st == LOP_OK && r < n; r++) {
        const double *row = first + (n - 1 - r) * p;
        for (int64_t i = 0; i < p; i++) ((float *)out->first.data)[r * p + i] = (float)row[i];
        for (int64_t f = 0; f < n; f++) ((float *)out->second.data)[f * n + r] = (float)C[(n - 1 - r) * n + f];
    }
    lop_free(first);
    return st;
}

lop_status lop_decompose_channel(const lop_centred *q, const lop_tensor *weight, lop_factors *out, lop_error *err)
{
    int64_t size[4];
    *out = (lop_factors){0};
    lop_status st = sizes_of(weight, size, err);
    if (st != LOP_OK) return st;
    const int64_t p = q->c * q->taps, n = q->n;
    if (size[0] != n || lop_tensor_size(weight) != n * p)
        return lop_fail(err, LOP_E_SHAPE, "filters of %" PRId64 " values, sums of %" PRId64 " filters with %" PRId64
                        " taps", lop_tensor_size(weight), n, p);
    double *W = lop_array(n, (size_t)p * sizeof *W, err), *C = lop_array(n, (size_t)n * sizeof *C, err);
    double *w = lop_array(n, sizeof *w, err);
    st = W && C && w ? LOP_OK : LOP_E_MEMORY;
    for (int64_t i = 0; st == LOP_OK && i < n * p; i++) W[i] = ((const float *)weight->data)[i];
    if (st == LOP_OK) st = response(q, W, C, err);
    if (st == LOP_OK) st = lop_eigen_symmetric(n, C, n, w, err);
    if (st == LOP_OK)
        st = init_factors(out, &(lop_shape){4, {n, size[1], size[2], size[3]}}, &(lop_shape){4, {n, n, 1, 1}}, err);
    if (st == LOP_OK) st = write_channel(q, W, C, out, err);
    if (st != LOP_OK) lop_factors_clear(out);
    lop_free(W);
    lop_free(C);
    lop_free(w);
    return st;
}

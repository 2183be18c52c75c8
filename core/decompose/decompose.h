/* core/decompose/decompose.h - a layer as two of lower rank, one after the other, without a nonlinearity between. Here
 * the factors are found at full rank, best first: a rank r keeps the first r of what lies between, and the second
 * factor is then solved anew on data (lop_stats_project, lop_reconstruct). No state: calls may run at once. */
#ifndef LOP_DECOMPOSE_DECOMPOSE_H
#define LOP_DECOMPOSE_DECOMPOSE_H
#include "sample/sample.h"

/* first (R, c, ...), second (n, R, ...), float32, both yours; their product is the layer's weight up to rounding. */
typedef struct { lop_tensor first, second; } lop_factors;
void lop_factors_clear(lop_factors *f);

/* Spatial (Jaderberg et al., BMVC 2014, scheme 2): weight (n, c, kh, kw) as kh x 1, then 1 x kw. The SVD of the matrix
 * (c kh) x (n kw); first (R, c, kh, 1) with orthonormal rows, second (n, R, 1, kw), R = min(c kh, n kw). A Gemm's (n,
 * c) is taken as 1 x 1: the plain SVD. float32; SHAPE, NUMERIC, MEMORY; on error out is empty. */
lop_status lop_decompose_spatial(const lop_tensor *weight, lop_factors *out, lop_error *err);

/* Channel (Zhang et al., TPAMI 2016, section 3.1; reduced-rank regression): filters onto the principal directions P of
 * their centred response, P^T W of the whole window, then 1 x 1 back to n. weight (n, c, kh, kw) of q's sizes, best
 * solved by least squares on q; first (n, c, kh, kw), second (n, n, 1, 1): here R = n. */
lop_status lop_decompose_channel(const lop_centred *q, const lop_tensor *weight, lop_factors *out, lop_error *err);
#endif

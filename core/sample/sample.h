/* core/sample/sample.h - rows (patches and targets) drawn from activations, and the sums that everything else is
 * computed from. The method's page 2: with x = (patch, 1) and y per row,
 *     G += x x^T    B += x y^T    s_j += y_j^2,   float64, exact products of float32;
 * and how often each entry of x was not 0, for what counts zeros (APoZ). */
#ifndef LOP_SAMPLE_SAMPLE_H
#define LOP_SAMPLE_SAMPLE_H
#include "tensor/tensor.h"

typedef struct lop_stats lop_stats;
/* channels c, taps k = kh kw (the patch has c k entries, channel-major: channel * k + tap), filters n. */
lop_status lop_stats_new(int64_t c, int64_t taps, int64_t n, lop_stats **out, lop_error *err);
/* The same that keeps rows, at most `limit` of those added, each with the same chance (Vitter's algorithm R, ACM TOMS
 * 11(1), 1985, drawn by lop_random(seed, ...) and the row's number): for what needs rows, and for patches whose G would
 * not fit. summed: sums are made too, of all rows; else of what is kept alone, and there are no G and B. ARG,
 * MEMORY. */
lop_status lop_stats_new_rows(int64_t c, int64_t taps, int64_t n, int64_t limit, uint64_t seed, bool summed,
                              lop_stats **out, lop_error *err);
void lop_stats_free(lop_stats *s);
bool lop_stats_summed(const lop_stats *s);              /* whether there are G and B */
int64_t lop_stats_kept(const lop_stats *s);             /* rows kept so far; 0 where none are to be */
/* Borrowed until s changes: the rows kept, x (kept, c k) and y (kept, n). */
const float *lop_stats_kept_x(const lop_stats *s);
const float *lop_stats_kept_y(const lop_stats *s);
int64_t lop_stats_channels(const lop_stats *s);
int64_t lop_stats_taps(const lop_stats *s);
int64_t lop_stats_filters(const lop_stats *s);
double lop_stats_rows(const lop_stats *s);              /* N, rows summed so far; those kept where there are no sums */
/* Adds rows: x (rows, c k), y (rows, n), float32, dense. The same bytes for any team. NUMERIC names the row that holds
 * a NaN or infinity, with s untouched. */
lop_status lop_stats_add(lop_stats *s, const float *x, const float *y, int64_t rows, lop_team *team, lop_error *err);
/* s += other, same sizes, and both summed or neither. Rows that other keeps come behind those of s: where s is full,
 * an even chance is theirs alone. */
lop_status lop_stats_merge(lop_stats *s, const lop_stats *other, lop_error *err);
/* *out (yours to free): sums of the channels listed, in that order, `each` of them as one of each * taps taps. What is
 * not listed stays and is projected out, at a ridge toward 0, so that choosing among the channels of *out is choosing
 * with the others' weights free; errors stay relative to the whole target. Such sums take no rows and go into no file.
 * count is a multiple of each, no channel twice. ARG, MEMORY; NUMERIC: what stays is singular at this ridge. */
lop_status lop_stats_regroup(lop_stats *s, const int64_t *channel, int64_t count, int64_t each, double ridge,
                             lop_stats **out, lop_error *err);
/* Borrowed until s changes: G (p + 1 square, p = c k, both triangles valid), B ((p + 1) x n), s (n), row-major; NULL
 * where rows are kept in their place. */
const double *lop_stats_gram(lop_stats *s);             /* completes the lower triangle on first use after an add */
const double *lop_stats_cross(const lop_stats *s);
const double *lop_stats_energy(const lop_stats *s);
const double *lop_stats_nonzero(const lop_stats *s);    /* (p): rows in which the entry was not 0 */
/* The sums of projected rows, as if they had been added: an entry of the patch is (a, b), number a * keep + b, b <
 * keep; the new row has the entries (i, b), x'_ib = sum over a of basis[i][a] x_ab: `rank` channels of `keep` taps.
 * basis (rank, c k / keep), row-major. What a low-rank factor in front of a layer makes of it. *out is yours. */
lop_status lop_stats_project(lop_stats *s, const double *basis, int64_t rank, int64_t keep, lop_stats **out,
                             lop_error *err);
/* Atomic file (an .npz with arrays gram, cross, energy, nonzero, rows, size) and back. more (may be NULL): further
 * arrays, of other names, that are written beside them; on the way back, cleared and filled with what else the file
 * holds. Rows that are kept are not written; UNSUPPORTED where there is nothing else. */
lop_status lop_stats_save(lop_stats *s, const lop_npz *more, const char *path, lop_error *err);
lop_status lop_stats_load(const char *path, lop_stats **out, lop_npz *more, lop_error *err);

/* Centred sums (own memory, row-major): Gc (p, p), Bc (p, n), mean_x (p), mean_y (n), sc (n), diagonal (p) of Gc; N =
 * rows; nonzero (c): the share of a channel's entries that were not 0. Without G and B gram and cross are empty, and
 * the rest is of the rows kept. beside: energy of the target that is not in sc, as channels beside these explain it
 * (lop_stats_regroup): errors are relative to it and sc together. */
typedef struct {
    int64_t c, taps, n;
    double rows, beside;
    lop_tensor gram, cross, energy, mean_x, mean_y, nonzero, diagonal;
    const lop_stats *kept;      /* borrowed: whose rows these are, for what needs rows; NULL where none are kept */
} lop_centred;
lop_status lop_stats_centre(lop_stats *s, lop_centred *out, lop_error *err);
void lop_centred_clear(lop_centred *q);
/* Of sums that have G and B, those of one filter alone (sample/filter.c): n = 1, the rest borrowed from q but cross
 * (c taps), the caller's, which is filled. Not to be cleared; `beside` is 0, and no rows are kept. */
void lop_centred_filter(const lop_centred *q, int64_t filter, double *cross, lop_centred *out);
/* And its weights: (1, c, ...), borrowed from (n, c, ...). */
lop_tensor lop_weight_filter(const lop_tensor *weight, int64_t filter);

/* ---- the normal equations of a kept set (sample/normal.c): the method's page 2, least squares ---- */

/* Filters (n, c, ...), `taps` entries a channel, float32 or float64, turned: out (c taps, n), a row a tap. */
lop_status lop_weight_rows(const lop_tensor *weight, int64_t c, int64_t taps, int64_t n, double *out, lop_error *err);
/* Of these the filters first .. first + count - 1: out (c taps, count). All are checked; count 0 writes none. */
lop_status lop_weight_part(const lop_tensor *weight, int64_t c, int64_t taps, int64_t n, int64_t first, int64_t count,
                           double *out, lop_error *err);
/* dead (c taps): 1 for a tap of (almost) no centred energy, Gc_tt <= 1e-12 of the largest or <= 1e-10 of what it has
 * uncentred. A channel whose taps are all dead is dead: the intercept carries it. */
void lop_centred_dead(const lop_centred *q, uint8_t *dead);
/* N D_i of each channel: the mean centred energy of its taps. */
double lop_centred_power(const lop_centred *q, int64_t channel);
/* M = Gc_SS + ridge N D (count taps square) and R = Bc_S + ridge N D W0_S (count taps, n), S the taps of the channels
 * listed, in that order; W0 as lop_weight_rows gives it. A dead tap stands alone, M_tt = 1, R_t = 0. M or R may be
 * NULL. */
void lop_normal_fill(const lop_centred *q, const double *W0, const uint8_t *dead, const int64_t *channel, int64_t count,
                     double ridge, double *M, double *R);

/* ---- positions, patches, targets (sample/patch.c) ---- */

typedef struct {                /* where a consumer's filters look; as ONNX Conv */
    int64_t kh, kw, stride[2], pad[4], dilation[2];
} lop_window;
/* positions of an image: `per_image` different outputs out of oh x ow (all of them, in order, when per_image >= oh ow),
 * drawn by lop_random(seed, LOP_STREAM_POSITION + layer, image): list (count) of y * ow + x, ascending. */
lop_status lop_positions(uint64_t seed, int64_t layer, int64_t image, int64_t oh, int64_t ow, int64_t per_image,
                         int64_t *list, int64_t *count, lop_error *err);
/* Adds rows of images: x (images, c, h, w) the consumer's input, y (images, n, oh, ow) its target; first_image is the
 * number of x's first image in the data set's order. Chunked by a fixed number of rows; same bytes for any team and any
 * split of the images into calls that respects multiples of LOP_SAMPLE_IMAGES. A Gemm behind Flatten: window (h, w). */
enum { LOP_SAMPLE_IMAGES = 16 };
lop_status lop_sample_add(lop_stats *s, const lop_tensor *x, const lop_tensor *y, const lop_window *window,
                          uint64_t seed, int64_t layer, int64_t first_image, int64_t per_image, lop_team *team,
                          lop_error *err);
#endif

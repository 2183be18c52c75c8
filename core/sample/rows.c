/* core/sample/rows.c - rows kept as they are, a bounded sample of those added, and the sums of them that stay small. */
#include "sample/sample_impl.h"
#include <string.h>

enum { STREAM = LOP_STREAM_SUBSET + 1 };        /* addresses the draws of rows */

/* Row number i, from 0, takes a place while there is one; later the place drawn below i + 1, if that exists. */
static int64_t place_of(const lop_stats *s, int64_t number)
{
    if (number < s->limit) return number;
    const int64_t draw = lop_random_below(s->seed, STREAM, (uint64_t)number, number + 1);
    return draw < s->limit ? draw : -1;
}

static lop_status make_room(lop_stats *s, int64_t rows, lop_error *err)
{
    int64_t need = s->kept + (rows < s->limit - s->kept ? rows : s->limit - s->kept);
    if (need <= s->room) return LOP_OK;
    if (need < 2 * s->room) need = 2 * s->room < s->limit ? 2 * s->room : s->limit;   /* never past the limit */
    float *wide = lop_array(need, (size_t)s->p * sizeof *wide, err);
    float *deep = wide ? lop_array(need, (size_t)s->n * sizeof *deep, err) : NULL;
    if (!deep) {
        lop_free(wide);
        return LOP_E_MEMORY;
    }
    if (s->x) memcpy(wide, s->x, (size_t)(s->kept * s->p) * sizeof *wide);
    if (s->y) memcpy(deep, s->y, (size_t)(s->kept * s->n) * sizeof *deep);
    lop_free(s->x);
    lop_free(s->y);
    s->x = wide;
    s->y = deep;
    s->room = need;
    return LOP_OK;
}

lop_status lop_stats_keep(lop_stats *s, const float *x, const float *y, int64_t rows, lop_error *err)
{
    const lop_status st = make_room(s, rows, err);
    if (st != LOP_OK) return st;
    for (int64_t r = 0; r < rows; r++) {
        const int64_t at = place_of(s, s->seen++);
        if (at < 0) continue;
        memcpy(s->x + at * s->p, x + r * s->p, (size_t)s->p * sizeof *x);
        memcpy(s->y + at * s->n, y + r * s->n, (size_t)s->n * sizeof *y);
        if (at == s->kept) s->kept++;
    }
    return LOP_OK;
}

/* Means and centred energies of columns, one pass each: rows lie behind one another. */
static void columns(const float *from, int64_t rows, int64_t width, double *mean, double *energy)
{
    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < width; i++) mean[i] += (double)from[r * width + i];
    for (int64_t i = 0; i < width; i++) mean[i] /= (double)rows;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < width; i++) {
            const double d = (double)from[r * width + i] - mean[i];
            energy[i] += d * d;
        }
}

void lop_centre_rows(const lop_stats *s, lop_centred *q)
{
    double *share = q->nonzero.data;
    columns(s->x, s->kept, s->p, q->mean_x.data, q->diagonal.data);
    columns(s->y, s->kept, s->n, q->mean_y.data, q->energy.data);
    for (int64_t i = 0; i < s->p; i++) {
        int64_t count = 0;
        for (int64_t r = 0; r < s->kept; r++) count += s->x[r * s->p + i] != 0.0f;
        share[i / s->taps] += (double)count / ((double)s->kept * (double)s->taps);
    }
}

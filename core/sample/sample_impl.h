/* core/sample/sample_impl.h - what the files of this folder share. */
#ifndef LOP_SAMPLE_SAMPLE_IMPL_H
#define LOP_SAMPLE_SAMPLE_IMPL_H
#include "sample/sample.h"

/* Rows converted and summed at once: an added set of rows is cut here, and nowhere else. */
enum { LOP_STATS_BLOCK = 512 };

struct lop_stats {
    int64_t c, taps, n, p;              /* p = c taps */
    double rows;
    double *gram, *cross, *energy;      /* ((p + 1), (p + 1)), ((p + 1), n), (n) */
    double *nonzero;                    /* (p) */
    double beside;                      /* of sums that were regrouped: energy that what was left out explains */
    double *block;                      /* rows as float64: LOP_STATS_BLOCK x (p + n), from the first add on */
    bool half;                          /* only the upper triangle of gram is valid */
    bool summed;                        /* else no gram, cross, energy and nonzero */
    int64_t limit, kept, seen;          /* rows to keep at most, and kept; rows added */
    int64_t room;                       /* rows that x and y have room for */
    uint64_t seed;
    float *x, *y;                       /* (kept, p), (kept, n) */
};
/* Keeps rows of those added (sample/rows.c). */
lop_status lop_stats_keep(lop_stats *s, const float *x, const float *y, int64_t rows, lop_error *err);
/* The sums of q that need no G and B, from the rows kept. */
void lop_centre_rows(const lop_stats *s, lop_centred *q);
#endif

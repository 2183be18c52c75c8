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
    double *block;                      /* rows as float64: LOP_STATS_BLOCK x (p + n), from the first add on */
    bool half;                          /* only the upper triangle of gram is valid */
};
#endif

/* core/kernel/kernel_impl.h - what the files of this folder share: the functions one instruction set offers, and the
 * plan of a convolution.
 *
 * A convolution is a matrix product whose right side is never built. The input is copied once into padded planes,
 * one for each channel and each remainder (row, column) modulo the stride, so that tap (channel, ky, kx) of output
 * pixels p, p + 1, ... is a contiguous run: base + off[tap] + p, whatever the stride and the dilation. Output pixels
 * are numbered along the padded rows; the few numbers that fall between two rows are computed and not stored. */
#ifndef LOP_KERNEL_IMPL_H
#define LOP_KERNEL_IMPL_H
#include "kernel/kernel.h"

enum { LOP_TILE_FILTERS = 8, LOP_TILE_VECTORS = 8, LOP_LANES = 16 };    /* the most of any instruction set */

typedef struct {                /* one vector of output pixels */
    int64_t src;                /* of its first lane, from the base of the planes */
    int64_t dst;                /* of its first kept lane, in the output plane of the band */
    uint64_t order;             /* the first 8 kept lanes, a byte each */
    uint32_t keep;              /* the kept lanes, a bit each; they land side by side */
    int32_t count;              /* of the kept lanes */
} lop_conv_vector;

typedef struct {                /* `filters` x `vectors` outputs */
    const float *base;          /* planes of the group's first channel */
    const int64_t *off;         /* taps */
    int64_t taps;
    const float *w;             /* taps x filters */
    int filters, vectors;
    int64_t gap;                /* 0, or: the upper half of a vector is read at src + gap */
    const lop_conv_vector *vector;
    int64_t limit;              /* pixels of the output plane of the band */
    const float *bias, *add;    /* or NULL; of the first filter */
    float *y;
    int64_t plane;              /* from one filter to the next in add and y */
    float low, high;            /* always applied; infinite where nothing is cut */
} lop_conv_tile;

typedef struct {                /* rows of `lead` zeros, n pixels x[0], x[step], ..., and zeros up to yrow */
    int64_t rows, n, lead, step;
    const float *x;
    int64_t xrow;
    float *y;
    int64_t yrow;
} lop_conv_rows;

typedef struct {                /* n maxima over rows x cols taps, the first of them at x, x + stride, ... */
    const float *x;
    int64_t rows, cols, row, col;                   /* taps, and from one to the next */
    int64_t stride, n;
    float *y;
} lop_max_run;

typedef struct {
    int width;                                      /* lanes of a vector */
    int filters;                                    /* most filters of a tile */
    uint8_t vectors[LOP_TILE_FILTERS];              /* most vectors of a tile of 1, 2, ... filters */
    uint8_t pairs[LOP_TILE_FILTERS];                /* the same with a gap; 0: not offered */
    void (*tile)(const lop_conv_tile *t);
    void (*copy)(const lop_conv_rows *r);
    void (*max)(const lop_max_run *r);              /* all taps lie inside the input */
    float (*dot)(int64_t n, const float *a, const float *b);        /* a fixed order for each n */
} lop_isa;
const lop_isa *lop_isa_portable(void);
const lop_isa *lop_isa_avx2(void);                  /* these three: NULL where not built */
const lop_isa *lop_isa_avx512(void);
const lop_isa *lop_isa_neon(void);
const lop_isa *lop_isa_of(lop_cpu cpu);             /* NULL where not built */

typedef struct {                /* along one axis: output position i of a tap of this phase reads position i + shift */
    int64_t phase;              /* tap position modulo the stride */
    int64_t need;               /* plane positions that are read */
    int64_t lead, end;          /* positions [lead, end) come from the input, the others are padding */
} lop_conv_phase;
typedef struct {
    lop_conv_phase *phase;
    int64_t phases;
    int64_t *index, *shift;     /* of each tap */
    int64_t reach;              /* the largest shift */
} lop_conv_axis;

typedef struct { int64_t parts, least, more; } lop_split;   /* the first `more` parts hold one item more */
static inline int64_t lop_split_begin(lop_split s, int64_t part)
{
    return part * s.least + (part < s.more ? part : s.more);
}

struct lop_conv_plan {
    lop_conv conv;
    const lop_isa *isa;
    lop_conv_axis rows, cols;
    bool direct;                /* the input itself serves as planes */
    int64_t band;               /* output rows that are computed at a time */
    int64_t row;                /* from one row of a plane to the next */
    int64_t plane;              /* from one plane to the next; a channel has rows.phases * cols.phases */
    int64_t channel;            /* from one channel to the next */
    int64_t slots, slot;        /* groups whose planes scratch holds at a time (1 without groups), and floats of each */
    int64_t taps;               /* of one group: c / group * kh * kw */
    int64_t *off;               /* taps */
    int64_t *from;              /* c: the channel of x that each input channel is; NULL: itself */
    lop_conv_vector *vector;    /* of one band */
    int64_t vectors, gap;
    lop_split tile;             /* of the vectors */
    lop_split panel;            /* of one group's filters */
    int64_t block;              /* panels that are run over all tiles before the next ones */
    float *pack;                /* group, panel, tap, filter */
    size_t bytes, scratch;
};

typedef struct {                /* one call of lop_conv_run */
    const lop_conv_plan *plan;
    const float *x;
    const lop_epilogue *epilogue;
    float *scratch, *y;
    int64_t band, first;        /* the band under way: its output rows, and the first of them */
    int64_t block;              /* panels that one chunk runs */
    int64_t group;              /* the first group of the round under way, and whether a worker has its own slot */
    bool own_slot;
} lop_conv_call;

/* Copies one channel of the input into the planes at `to`, for the call's band. */
void lop_conv_copy(const lop_conv_call *c, int64_t channel, float *to);
/* Tile `tile` of panels [first, end) of a group whose planes are at base. */
void lop_conv_panels(const lop_conv_call *c, const float *base, int64_t group, int64_t tile, int64_t first,
                     int64_t end);
/* group > 1: a chunk is a group. */
void lop_conv_groups(lop_conv_call *c, lop_team *team);
#endif

/* core/kernel/conv.c - running a plan on one image: the padded copy, then all tiles. */
#include "kernel/kernel_impl.h"
#include <math.h>
#include <string.h>

/* Rows r of this plane are rows first + r of the phase. */
static void copy_plane(const lop_conv_call *c, const float *x, const lop_conv_phase *py, const lop_conv_phase *px,
                       float *to)
{
    const lop_conv_plan *p = c->plan;
    const lop_conv *v = &p->conv;
    const int64_t rows = c->band + p->rows.reach;
    int64_t begin = py->lead - c->first, end = py->end - c->first;
    begin = begin < 0 ? 0 : begin > rows ? rows : begin;
    end = end < begin ? begin : end > rows ? rows : end;
    if (px->end == px->lead) end = begin;
    memset(to, 0, (size_t)(begin * p->row) * sizeof *to);
    if (end > begin) {
        const int64_t y0 = (c->first + begin) * v->stride[0] + py->phase - v->pad[0];
        const int64_t x0 = px->lead * v->stride[1] + px->phase - v->pad[1];
        const lop_conv_rows r = {.rows = end - begin, .n = px->end - px->lead, .lead = px->lead, .step = v->stride[1],
            .x = x + y0 * v->w + x0, .xrow = v->stride[0] * v->w, .y = to + begin * p->row, .yrow = p->row};
        p->isa->copy(&r);
    }
    memset(to + end * p->row, 0, (size_t)(p->plane - end * p->row) * sizeof *to);
}

void lop_conv_copy(const lop_conv_call *c, int64_t channel, float *to)
{
    const lop_conv_plan *p = c->plan;
    const float *x = c->x + (p->from ? p->from[channel] : channel) * p->conv.h * p->conv.w;
    for (int64_t y = 0; y < p->rows.phases; y++)
        for (int64_t i = 0; i < p->cols.phases; i++, to += p->plane)
            copy_plane(c, x, p->rows.phase + y, p->cols.phase + i, to);
}

void lop_conv_panels(const lop_conv_call *c, const float *base, int64_t group, int64_t tile, int64_t first, int64_t end)
{
    const lop_conv_plan *p = c->plan;
    const lop_epilogue *e = c->epilogue;
    const int64_t n = p->conv.n / p->conv.group, plane = p->conv.oh * p->conv.ow;
    const int64_t from = lop_split_begin(p->tile, tile), to = lop_split_begin(p->tile, tile + 1);
    lop_conv_tile t = {.base = base, .off = p->off, .taps = p->taps, .vectors = (int)(to - from), .gap = p->gap,
        .vector = p->vector + from, .limit = c->band * p->conv.ow, .plane = plane,
        .low = e->act == LOP_ACT_NONE ? -INFINITY : e->act == LOP_ACT_RELU ? 0.0f : e->low,
        .high = e->act == LOP_ACT_CLIP ? e->high : INFINITY};
    if (t.vector->dst >= t.limit) return;       /* past the last, shorter band */
    for (int64_t i = first; i < end; i++) {
        const int64_t begin = lop_split_begin(p->panel, i), filter = group * n + begin;
        const int64_t at = filter * plane + c->first * p->conv.ow;
        t.filters = (int)(lop_split_begin(p->panel, i + 1) - begin);
        t.w = p->pack + filter * p->taps;
        t.bias = e->bias ? e->bias + filter : NULL;
        t.add = e->add ? e->add + at : NULL;
        t.y = c->y + at;
        p->isa->tile(&t);
    }
}

static void copy_chunk(void *context, int64_t chunk, int worker)
{
    (void)worker;
    const lop_conv_call *c = context;
    lop_conv_copy(c, chunk, c->scratch + chunk * c->plan->channel);
}

/* Tiles go round inside a block of panels, whose weights stay in cache. */
static void tile_chunk(void *context, int64_t chunk, int worker)
{
    (void)worker;
    const lop_conv_call *c = context;
    const lop_conv_plan *p = c->plan;
    const int64_t first = chunk / p->tile.parts * c->block;
    const int64_t end = first + c->block < p->panel.parts ? first + c->block : p->panel.parts;
    lop_conv_panels(c, p->direct ? c->x : c->scratch, 0, chunk % p->tile.parts, first, end);
}

/* Several chunks for each thread, if there are so many panels. */
static int64_t block_for(const lop_conv_plan *p, int threads)
{
    int64_t block = p->block < p->panel.parts ? p->block : p->panel.parts;
    while (threads > 1 && block > 1 && (p->panel.parts + block - 1) / block * p->tile.parts < 4 * threads)
        block = (block + 1) / 2;
    return block;
}

/* Waking a team takes microseconds: not for less work than that. */
enum { TEAM_PIXELS = 1 << 16, TEAM_SUMS = 1 << 20 };

static bool worth_a_team(const lop_conv_plan *p)
{
    return (double)p->conv.n * (double)p->taps * (double)(p->conv.oh * p->conv.ow) >= TEAM_SUMS;
}

void lop_conv_run(const lop_conv_plan *p, const float *x, const lop_epilogue *e, void *scratch, lop_team *team,
                  float *y)
{
    lop_conv_call c = {.plan = p, .x = x, .epilogue = e, .scratch = scratch, .y = y};
    if (!worth_a_team(p)) team = NULL;
    if (p->conv.group > 1) {
        c.band = p->conv.oh;
        lop_conv_groups(&c, team);
        return;
    }
    c.block = block_for(p, lop_team_threads(team));
    const int64_t chunks = (p->panel.parts + c.block - 1) / c.block * p->tile.parts;
    for (c.first = 0; c.first < p->conv.oh; c.first += p->band) {
        c.band = p->conv.oh - c.first < p->band ? p->conv.oh - c.first : p->band;
        if (!p->direct) lop_team_run(p->conv.c * p->channel < TEAM_PIXELS ? NULL : team, p->conv.c, copy_chunk, &c);
        lop_team_run(team, chunks, tile_chunk, &c);
    }
}

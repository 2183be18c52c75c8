/* core/kernel/conv_plan.c - what is decided about a convolution before the first image: the layout of the padded
 * planes, the vectors of output pixels, the shape of the tiles, and the packed weights. */
#include "kernel/kernel_impl.h"

/* Planes past this are made and used a band of rows at a time, so that they stay in the second-level cache. */
enum { SCRATCH_LIMIT = 1 << 21, SCRATCH_GOAL = 1 << 20, PACK_GOAL = 1 << 18, GROUP_SLOTS = 32 };

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }
static int64_t ceil_div(int64_t a, int64_t b) { return a > 0 ? (a - 1) / b + 1 : 0; }      /* negative: 0 */

/* ---- layout ---- */

static int64_t phase_index(lop_conv_axis *a, int64_t phase)
{
    int64_t i = 0;
    while (i < a->phases && a->phase[i].phase != phase) i++;
    if (i == a->phases) a->phase[a->phases++].phase = phase;
    return i;
}

/* Tap t of output position i reads padded position i stride + t dilation: position i + shift of its phase. */
static lop_status axis_init(lop_conv_axis *a, const lop_conv *c, int axis, lop_error *err)
{
    const int64_t taps = axis == 0 ? c->kh : c->kw, out = axis == 0 ? c->oh : c->ow, in = axis == 0 ? c->h : c->w;
    const int64_t stride = c->stride[axis];
    a->phase = lop_array(taps, sizeof *a->phase, err);
    a->index = lop_array(taps, sizeof *a->index, err);
    a->shift = lop_array(taps, sizeof *a->shift, err);
    if (!a->phase || !a->index || !a->shift) return LOP_E_MEMORY;
    for (int64_t t = 0; t < taps; t++) {
        const int64_t at = t * c->dilation[axis];
        a->index[t] = phase_index(a, at % stride);
        a->shift[t] = at / stride;
        a->reach = most(a->reach, a->shift[t]);
        lop_conv_phase *p = a->phase + a->index[t];
        p->need = most(p->need, out + a->shift[t]);
    }
    for (int64_t i = 0; i < a->phases; i++) {
        lop_conv_phase *p = a->phase + i;
        p->lead = least(ceil_div(c->pad[axis] - p->phase, stride), p->need);
        p->end = most(p->lead, least(ceil_div(c->pad[axis] + in - p->phase, stride), p->need));
    }
    return LOP_OK;
}

/* Rows share their padding: zeros at the end of one row are those at the start of the next, where both are needed. */
static int64_t row_length(const lop_conv_plan *p)
{
    int64_t length = p->conv.ow;
    for (int64_t i = 0; i < p->cols.phases; i++) {
        const lop_conv_phase *f = p->cols.phase + i;
        length = most(length, f->need - least(f->lead, f->need - f->end));
    }
    return length;
}

/* A plane of a whole number of lines, and an odd one, so that the planes do not fall on the same cache sets. */
static int64_t plane_size(const lop_conv_plan *p, int64_t band)
{
    int64_t tail = 0;
    for (int64_t i = 0; i < p->cols.phases; i++) tail = most(tail, p->cols.phase[i].need - p->row);
    return (ceil_div((band + p->rows.reach) * p->row + tail, LOP_LANES) | 1) * LOP_LANES;
}

static lop_status planes_init(lop_conv_plan *p, lop_error *err)
{
    const lop_conv *c = &p->conv;
    const int64_t channels = c->c / c->group, phases = p->rows.phases * p->cols.phases;
    size_t floats = 0;
    p->row = row_length(p);
    p->band = c->oh;
    p->slots = c->group > 1 ? least(c->group, GROUP_SLOTS) : 1;
    p->plane = plane_size(p, p->band);
    const double bytes = (double)(p->plane * 4) * (double)(channels * phases);
    if (c->group == 1 && bytes > SCRATCH_LIMIT) {
        const int64_t rows = SCRATCH_GOAL / 4 / (channels * phases) / p->row;
        p->band = least(c->oh, most(rows - p->rows.reach, most(4, p->rows.reach)));
        p->band = ceil_div(c->oh, ceil_div(c->oh, p->band));
        p->plane = plane_size(p, p->band);
    }
    p->channel = p->plane * phases;
    /* Past the last plane: what the lanes that are not stored may read. */
    const int64_t past = ceil_div(p->row, LOP_LANES) * LOP_LANES + 2 * LOP_LANES;
    if (!lop_mul_size(&floats, (size_t)p->channel, channels) || !lop_add_size(&floats, floats, past) ||
        floats > INT64_MAX / 4 || !lop_mul_size(&p->scratch, floats * 4, p->slots))
        return lop_fail(err, LOP_E_MEMORY, "a convolution of %" PRId64 " channels needs more memory than there can be",
                        c->c);
    p->slot = (int64_t)floats;
    return LOP_OK;
}

static void direct_init(lop_conv_plan *p)
{
    p->row = p->conv.w;
    p->band = p->conv.oh;
    p->plane = p->channel = p->conv.h * p->conv.w;
    p->slots = 1;
}

static lop_status offsets_init(lop_conv_plan *p, lop_error *err)
{
    const lop_conv *c = &p->conv;
    p->taps = c->c / c->group * c->kh * c->kw;
    int64_t *off = p->off = lop_array(p->taps, sizeof *p->off, err);
    if (!off) return LOP_E_MEMORY;
    for (int64_t i = 0; i < c->c / c->group; i++)
        for (int64_t y = 0; y < c->kh; y++)
            for (int64_t x = 0; x < c->kw; x++)
                *off++ = i * p->channel + (p->rows.index[y] * p->cols.phases + p->cols.index[x]) * p->plane +
                         p->rows.shift[y] * p->row + p->cols.shift[x];
    return LOP_OK;
}

/* ---- vectors of output pixels ---- */

static void keep_lane(lop_conv_vector *v, int lane)
{
    if (v->count < 8) v->order |= (uint64_t)lane << 8 * v->count;
    v->keep |= 1u << lane;
    v->count++;
}

/* Pixels are numbered y * row + x; those with x >= ow are not kept. In the input itself nothing follows the last
 * pixel: the last vector starts early and drops what the one before has stored. */
static void along_rows(lop_conv_plan *p, int64_t total)
{
    const int width = p->isa->width;
    for (int64_t first = 0; first < total; first += width) {
        lop_conv_vector v = {.src = p->direct ? least(first, total - width) : first};
        for (int lane = 0; lane < width; lane++) {
            const int64_t at = v.src + lane, y = at / p->row, x = at % p->row;
            if (at < first || at >= total || x >= p->conv.ow) continue;
            if (v.count == 0) v.dst = y * p->conv.ow + x;
            keep_lane(&v, lane);
        }
        if (v.count > 0) p->vector[p->vectors++] = v;
    }
}

static void row_by_row(lop_conv_plan *p)
{
    const int width = p->isa->width;
    for (int64_t y = 0; y < p->band; y++)
        for (int64_t x = 0; x < p->conv.ow; x += width) {
            lop_conv_vector v = {.src = y * p->row + x, .dst = y * p->conv.ow + x};
            for (int lane = 0; lane < width && x + lane < p->conv.ow; lane++) keep_lane(&v, lane);
            p->vector[p->vectors++] = v;
        }
}

/* Rows of half a vector: two of them in one. */
static void two_rows(lop_conv_plan *p)
{
    p->gap = p->row;
    for (int64_t y = 0; y < p->band; y += 2) {
        lop_conv_vector v = {.src = y * p->row, .dst = y * p->conv.ow};
        for (int lane = 0; lane < (y + 1 < p->band ? 2 : 1) * p->conv.ow; lane++) keep_lane(&v, lane);
        p->vector[p->vectors++] = v;
    }
}

/* Whatever needs the fewest vectors. */
static lop_status vectors_init(lop_conv_plan *p, lop_error *err)
{
    const int64_t width = p->isa->width, ow = p->conv.ow, total = (p->band - 1) * p->row + ow;
    const int64_t along = ceil_div(total, width), by_row = p->band * ceil_div(ow, width);
    p->vector = lop_array(most(along, by_row), sizeof *p->vector, err);
    if (!p->vector) return LOP_E_MEMORY;
    const bool halves = ow * 2 == width && p->isa->pairs[0] > 0 && ceil_div(p->band, 2) < least(along, by_row);
    if (!p->direct && halves) two_rows(p);
    else if (!p->direct && by_row <= along) row_by_row(p);
    else along_rows(p, total);
    return LOP_OK;
}

/* ---- tiles and packing ---- */

/* Half cycles that a tap of a tile takes: two multiply-adds or two loads a cycle (a load that crosses a line is two),
 * and no sooner than the sum before it is there. */
static int64_t tap_cost(int64_t filters, int64_t vectors)
{
    return most(8, most(filters * vectors, filters + 2 * vectors + 1));
}

static lop_split split(int64_t items, int64_t most_each)
{
    const int64_t parts = most(1, ceil_div(items, most_each));
    return (lop_split){parts, items / parts, items % parts};
}

static int64_t tiles_cost(lop_split tile, int64_t filters)
{
    const int64_t wider = tile.more > 0 ? tile.more * tap_cost(filters, tile.least + 1) : 0;
    return wider + (tile.parts - tile.more) * tap_cost(filters, tile.least);
}

/* As equal panels and tiles as can be, of the sizes that work out best. */
static void tiles_init(lop_conv_plan *p)
{
    const int64_t n = p->conv.n / p->conv.group;
    int64_t best = INT64_MAX;
    for (int64_t filters = least(n, p->isa->filters); filters >= 1; filters--) {
        const int64_t wide = p->gap ? p->isa->pairs[filters - 1] : p->isa->vectors[filters - 1];
        const lop_split panel = split(n, filters), tile = split(p->vectors, wide);
        const int64_t larger = panel.more > 0 ? panel.more * tiles_cost(tile, panel.least + 1) : 0;
        const int64_t cost = larger + (panel.parts - panel.more) * tiles_cost(tile, panel.least);
        if (cost >= best) continue;
        best = cost;
        p->panel = panel;
        p->tile = tile;
    }
    p->block = most(1, PACK_GOAL / 4 / p->taps / (p->panel.least + 1));
}

static lop_status pack_init(lop_conv_plan *p, const float *w, lop_error *err)
{
    const int64_t n = p->conv.n / p->conv.group, taps = p->taps;
    size_t size = 0;
    if (!lop_mul_size(&size, (size_t)p->conv.n, taps) || !lop_mul_size(&p->bytes, size, sizeof *w))
        return lop_fail(err, LOP_E_MEMORY, "%" PRId64 " filters of %" PRId64 " weights: too many", p->conv.n, taps);
    p->pack = lop_array((int64_t)size, sizeof *p->pack, err);
    if (!p->pack) return LOP_E_MEMORY;
    for (int64_t g = 0; g < p->conv.group; g++)
        for (int64_t i = 0; i < p->panel.parts; i++) {
            const int64_t first = lop_split_begin(p->panel, i), filters = lop_split_begin(p->panel, i + 1) - first;
            const float *from = w + (g * n + first) * taps;
            float *to = p->pack + (g * n + first) * taps;
            for (int64_t t = 0; t < taps; t++)
                for (int64_t f = 0; f < filters; f++) *to++ = from[f * taps + t];
        }
    return LOP_OK;
}

/* ---- the plan ---- */

static bool reads_in_place(const lop_conv *c, int width)
{
    return c->stride[0] == 1 && c->stride[1] == 1 && c->pad[0] == 0 && c->pad[1] == 0 && c->pad[2] == 0 &&
           c->pad[3] == 0 && (c->oh - 1) * c->w + c->ow >= width;
}

lop_status lop_conv_plan_new(const lop_conv *conv, const float *w, lop_cpu cpu, lop_conv_plan **out, lop_error *err)
{
    *out = NULL;
    if (!lop_cpu_runs(cpu)) return lop_fail(err, LOP_E_ARG, "this machine does not run %s", lop_cpu_name(cpu));
    if (conv->c < 1 || conv->n < 1 || conv->oh < 1 || conv->ow < 1)
        return lop_fail(err, LOP_E_SHAPE, "a convolution of %" PRId64 " channels to %" PRId64 "x%" PRId64 "x%" PRId64
                        " has nothing to compute", conv->c, conv->n, conv->oh, conv->ow);
    lop_conv_plan *p = lop_array(1, sizeof *p, err);
    if (!p) return LOP_E_MEMORY;
    p->conv = *conv;
    p->isa = lop_isa_of(cpu);
    p->direct = reads_in_place(conv, p->isa->width);
    lop_status st = axis_init(&p->rows, conv, 0, err);
    if (st == LOP_OK) st = axis_init(&p->cols, conv, 1, err);
    if (st == LOP_OK && p->direct) direct_init(p);
    else if (st == LOP_OK) st = planes_init(p, err);
    if (st == LOP_OK) st = offsets_init(p, err);
    if (st == LOP_OK) st = vectors_init(p, err);
    if (st == LOP_OK) {
        tiles_init(p);
        st = pack_init(p, w, err);
    }
    if (st != LOP_OK) lop_conv_plan_free(p);
    else *out = p;
    return st;
}

lop_status lop_conv_plan_gather(lop_conv_plan *p, const int64_t *channel, lop_error *err)
{
    const int64_t c = p->conv.c, taps = p->taps / c;
    if (p->conv.group != 1) return lop_fail(err, LOP_E_ARG, "channels of a grouped convolution are not gathered");
    int64_t *from = lop_array(c, sizeof *from, err);
    if (!from) return LOP_E_MEMORY;
    for (int64_t i = 0; i < c; i++) from[i] = channel[i];
    for (int64_t t = 0; p->direct && t < p->taps; t++)
        p->off[t] += (from[t / taps] - (p->from ? p->from[t / taps] : t / taps)) * p->channel;
    lop_free(p->from);
    p->from = from;
    return LOP_OK;
}

static void axis_clear(lop_conv_axis *a)
{
    lop_free(a->phase);
    lop_free(a->index);
    lop_free(a->shift);
}

void lop_conv_plan_free(lop_conv_plan *p)
{
    if (!p) return;
    axis_clear(&p->rows);
    axis_clear(&p->cols);
    lop_free(p->off);
    lop_free(p->from);
    lop_free(p->vector);
    lop_free(p->pack);
    lop_free(p);
}

size_t lop_conv_plan_bytes(const lop_conv_plan *p)
{
    return p->bytes + (size_t)p->taps * sizeof *p->off + (size_t)p->vectors * sizeof *p->vector;
}

size_t lop_conv_scratch(const lop_conv_plan *p) { return p->scratch; }

/* core/sample/patch.c - positions, patches and targets of images, as rows for the sums. */
#include "sample/sample_impl.h"
#include <string.h>

lop_status lop_positions(uint64_t seed, int64_t layer, int64_t image, int64_t oh, int64_t ow, int64_t per_image,
                         int64_t *list, int64_t *count, lop_error *err)
{
    if (layer < 0 || layer >= LOP_STREAM_POSITION || image < 0 || oh < 1 || ow < 1 || oh > INT32_MAX ||
        ow > INT32_MAX || per_image < 1)
        return lop_fail(err, LOP_E_ARG,
                        "positions of layer %" PRId64 ", image %" PRId64 ", output %" PRId64 "x%" PRId64 ", %" PRId64
                        " an image: layer and image 0 or more, sizes and positions 1 or more expected",
                        layer, image, oh, ow, per_image);
    const int64_t all = oh * ow;
    if (per_image >= all) {
        for (int64_t i = 0; i < all; i++) list[i] = i;
        *count = all;
        return LOP_OK;
    }
    /* R. Floyd's draw without repeats (CACM 30(9), 1987), kept sorted: for each last number `top`, a number up to it
     * or, if that was drawn before, `top` itself. The image's own draw seeds its series. */
    const uint64_t own = lop_random(seed, (uint64_t)(LOP_STREAM_POSITION + layer), (uint64_t)image);
    for (int64_t i = 0; i < per_image; i++) {
        const int64_t top = all - per_image + i;
        int64_t draw = lop_random_below(own, LOP_STREAM_POSITION, (uint64_t)i, top + 1), at = 0, end = i;
        while (at < end) {
            const int64_t middle = (at + end) / 2;
            if (list[middle] < draw) at = middle + 1;
            else end = middle;
        }
        if (at < i && list[at] == draw) {
            draw = top;
            at = i;                     /* larger than all drawn so far */
        }
        memmove(list + at + 1, list + at, (size_t)(i - at) * sizeof *list);
        list[at] = draw;
    }
    *count = per_image;
    return LOP_OK;
}

/* ---- gathering rows ---- */

typedef struct { int64_t image, position; } place;     /* image: counted from x's first */
typedef struct {
    const float *x, *y;
    int64_t c, h, w, n, oh, ow;
    const lop_window *window;
    const place *place;
    int64_t rows;
    float *X, *Y;
} gathering;

/* The patch of one channel: taps in order, zeros outside the image. */
static void patch(const float *plane, const gathering *g, int64_t top, int64_t left, float *to)
{
    const lop_window *v = g->window;
    for (int64_t ky = 0; ky < v->kh; ky++) {
        const int64_t iy = top + ky * v->dilation[0];
        for (int64_t kx = 0; kx < v->kw; kx++) {
            const int64_t ix = left + kx * v->dilation[1];
            *to++ = iy >= 0 && iy < g->h && ix >= 0 && ix < g->w ? plane[iy * g->w + ix] : 0.0f;
        }
    }
}

enum { GATHER = 16 };                   /* rows of one chunk of the team's work */

static void gather(void *context, int64_t chunk, int worker)
{
    (void)worker;
    const gathering *g = context;
    const lop_window *v = g->window;
    const int64_t taps = v->kh * v->kw, pixels = g->h * g->w, outputs = g->oh * g->ow;
    const int64_t end = (chunk + 1) * GATHER < g->rows ? (chunk + 1) * GATHER : g->rows;
    for (int64_t r = chunk * GATHER; r < end; r++) {
        const place at = g->place[r];
        const int64_t top = at.position / g->ow * v->stride[0] - v->pad[0];
        const int64_t left = at.position % g->ow * v->stride[1] - v->pad[1];
        const float *x = g->x + at.image * g->c * pixels, *y = g->y + at.image * g->n * outputs + at.position;
        for (int64_t i = 0; i < g->c; i++) patch(x + i * pixels, g, top, left, g->X + (r * g->c + i) * taps);
        for (int64_t j = 0; j < g->n; j++) g->Y[r * g->n + j] = y[j * outputs];
    }
}

/* Dimensions as (images, channels, rows, columns); a matrix is images of one pixel. */
static bool as_images(const lop_tensor *t, int64_t dim[4])
{
    if (t->type != LOP_F32 || !t->data || (t->shape.ndim != 4 && t->shape.ndim != 2)) return false;
    for (int d = 0; d < 4; d++) dim[d] = d < t->shape.ndim ? t->shape.dim[d] : 1;
    return true;
}

static int64_t outputs_along(const lop_window *v, int axis, int64_t size, int64_t kernel)
{
    const int64_t room = size + v->pad[axis] + v->pad[axis + 2] - v->dilation[axis] * (kernel - 1) - 1;
    return room < 0 ? 0 : room / v->stride[axis] + 1;
}

static lop_status check(const lop_stats *s, const lop_tensor *x, const lop_tensor *y, const lop_window *v, gathering *g,
                        lop_error *err)
{
    int64_t a[4], b[4];
    char text[2][128];
    if (!as_images(x, a) || !as_images(y, b))
        return lop_fail(err, LOP_E_SHAPE, "input (%s %s) and target (%s %s): float32 with 2 or 4 dimensions expected",
                        lop_dtype_name(x->type), lop_shape_text(&x->shape, text[0], sizeof text[0]),
                        lop_dtype_name(y->type), lop_shape_text(&y->shape, text[1], sizeof text[1]));
    bool fine = v->kh >= 1 && v->kw >= 1;
    for (int d = 0; d < 2; d++) fine = fine && v->stride[d] >= 1 && v->dilation[d] >= 1;
    for (int d = 0; d < 4; d++) fine = fine && v->pad[d] >= 0;
    if (!fine)
        return lop_fail(err, LOP_E_ARG, "window: kernel, stride and dilation 1 or more, padding 0 or more expected");
    if (a[1] != s->c || v->kh > s->taps || v->kh * v->kw != s->taps || b[1] != s->n || a[0] != b[0] ||
        b[2] != outputs_along(v, 0, a[2], v->kh) || b[3] != outputs_along(v, 1, a[3], v->kw))
        return lop_fail(err, LOP_E_SHAPE,
                        "input %s, target %s and a %" PRId64 "x%" PRId64 " window do not fit statistics of "
                        "%" PRId64 " channels, %" PRId64 " taps, %" PRId64 " filters",
                        lop_shape_text(&x->shape, text[0], sizeof text[0]),
                        lop_shape_text(&y->shape, text[1], sizeof text[1]), v->kh, v->kw, s->c, s->taps, s->n);
    *g = (gathering){.x = x->data, .y = y->data, .c = a[1], .h = a[2], .w = a[3], .n = b[1], .oh = b[2], .ow = b[3],
                     .window = v};
    return LOP_OK;
}

/* Adds the rows at `places`, a block at a time: the cuts are those that lop_stats_add makes anyway. */
static lop_status add_places(lop_stats *s, gathering *g, const place *places, int64_t count, lop_team *team,
                             lop_error *err)
{
    lop_status st = LOP_OK;
    for (int64_t done = 0; st == LOP_OK && done < count; done += LOP_STATS_BLOCK) {
        g->place = places + done;
        g->rows = count - done < LOP_STATS_BLOCK ? count - done : LOP_STATS_BLOCK;
        lop_team_run(team, (g->rows + GATHER - 1) / GATHER, gather, g);
        st = lop_stats_add(s, g->X, g->Y, g->rows, team, err);
    }
    return st;
}

lop_status lop_sample_add(lop_stats *s, const lop_tensor *x, const lop_tensor *y, const lop_window *window,
                          uint64_t seed, int64_t layer, int64_t first_image, int64_t per_image, lop_team *team,
                          lop_error *err)
{
    gathering g;
    lop_status st = check(s, x, y, window, &g, err);
    if (st != LOP_OK) return st;
    if (per_image < 1) return lop_fail(err, LOP_E_ARG, "%" PRId64 " positions an image: 1 or more expected", per_image);
    const int64_t images = x->shape.dim[0], outputs = g.oh * g.ow, most = per_image < outputs ? per_image : outputs;
    const int64_t rows = LOP_SAMPLE_IMAGES * most, block = rows < LOP_STATS_BLOCK ? rows : LOP_STATS_BLOCK;
    g.X = lop_array(block, (size_t)s->p * sizeof *g.X, err);
    g.Y = lop_array(block, (size_t)s->n * sizeof *g.Y, err);
    place *places = lop_array(rows, sizeof *places, err);
    int64_t *list = lop_array(most, sizeof *list, err), count = 0;
    if (!g.X || !g.Y || !places || !list) st = LOP_E_MEMORY;
    for (int64_t i = 0; st == LOP_OK && i < images; i++) {
        int64_t drawn = 0;
        st = lop_positions(seed, layer, first_image + i, g.oh, g.ow, per_image, list, &drawn, err);
        for (int64_t k = 0; st == LOP_OK && k < drawn; k++) places[count++] = (place){i, list[k]};
        const bool last = i + 1 == images || (first_image + i + 1) % LOP_SAMPLE_IMAGES == 0;
        if (st != LOP_OK || !last) continue;
        st = add_places(s, &g, places, count, team, err);
        if (st == LOP_E_NUMERIC) lop_error_at(err, "images up to #%" PRId64, first_image + i);
        count = 0;
    }
    lop_free(g.X);
    lop_free(g.Y);
    lop_free(places);
    lop_free(list);
    return st;
}

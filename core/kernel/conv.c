/* core/kernel/conv.c - convolution of one image, filter by filter: the input is copied into a padded image once, then
 * each tap adds a run of it, times its weight, to a row of outputs. The inner loop has no branch and is left to the
 * compiler to vectorise. The products are rounded before they are added, in (channel, row tap, column tap) order. */
#include "kernel/kernel.h"
#include <math.h>
#include <string.h>

struct lop_conv_plan {
    lop_conv conv;
    int64_t h, w;               /* of the padded image */
    float *weight;              /* as given */
    size_t bytes;
};

lop_status lop_conv_plan_new(const lop_conv *conv, const float *w, lop_cpu cpu, lop_conv_plan **out, lop_error *err)
{
    *out = NULL;
    if (!lop_cpu_runs(cpu)) return lop_fail(err, LOP_E_ARG, "path %s is not in this build", lop_cpu_name(cpu));
    lop_conv_plan *p = lop_array(1, sizeof *p, err);
    if (!p) return LOP_E_MEMORY;
    const int64_t size = conv->n * (conv->c / conv->group) * conv->kh * conv->kw;
    p->conv = *conv;
    p->h = conv->h + conv->pad[0] + conv->pad[2];
    p->w = conv->w + conv->pad[1] + conv->pad[3];
    p->bytes = (size_t)size * sizeof *w;
    p->weight = lop_array(size, sizeof *w, err);
    if (!p->weight) {
        lop_conv_plan_free(p);
        return LOP_E_MEMORY;
    }
    memcpy(p->weight, w, p->bytes);
    *out = p;
    return LOP_OK;
}

void lop_conv_plan_free(lop_conv_plan *p)
{
    if (!p) return;
    lop_free(p->weight);
    lop_free(p);
}

size_t lop_conv_plan_bytes(const lop_conv_plan *p) { return p->bytes; }

size_t lop_conv_scratch(const lop_conv_plan *p) { return (size_t)(p->conv.c * p->h * p->w) * sizeof(float); }

typedef struct {
    const lop_conv_plan *p;
    const float *x;
    const lop_epilogue *e;
    float *padded, *y;
} work;

static void pad_channel(void *context, int64_t channel, int worker)
{
    const work *k = context;
    const lop_conv *c = &k->p->conv;
    float *to = k->padded + channel * k->p->h * k->p->w;
    (void)worker;
    memset(to, 0, (size_t)(k->p->h * k->p->w) * sizeof *to);
    for (int64_t r = 0; r < c->h; r++)
        memcpy(to + (r + c->pad[0]) * k->p->w + c->pad[1], k->x + (channel * c->h + r) * c->w, (size_t)c->w * sizeof *to);
}

static void add_tap(int64_t n, float w, const float *restrict x, int64_t stride, float *restrict y)
{
    if (stride == 1)
        for (int64_t i = 0; i < n; i++) y[i] += w * x[i];
    else
        for (int64_t i = 0; i < n; i++) y[i] += w * x[i * stride];
}

static void finish(const lop_epilogue *e, float bias, const float *add, int64_t n, float *y)
{
    for (int64_t i = 0; i < n; i++) {
        float v = y[i] + bias;
        if (add) v += add[i];
        if (e->act == LOP_ACT_RELU) v = v > 0.0f ? v : 0.0f;
        if (e->act == LOP_ACT_CLIP) v = fminf(fmaxf(v, e->low), e->high);
        y[i] = v;
    }
}

static void one_row(const work *k, const float *w, int64_t first, int64_t channels, int64_t r, float *y)
{
    const lop_conv *c = &k->p->conv;
    for (int64_t ch = 0; ch < channels; ch++)
        for (int64_t ky = 0; ky < c->kh; ky++) {
            const float *x = k->padded + ((first + ch) * k->p->h + r * c->stride[0] + ky * c->dilation[0]) * k->p->w;
            for (int64_t kx = 0; kx < c->kw; kx++) add_tap(c->ow, *w++, x + kx * c->dilation[1], c->stride[1], y);
        }
}

enum { ROW = 2048 };            /* floats on the stack for a row that must not be overwritten yet: add may be y */

static void run_filter(void *context, int64_t filter, int worker)
{
    const work *k = context;
    const lop_conv *c = &k->p->conv;
    const int64_t channels = c->c / c->group, first = filter / (c->n / c->group) * channels;
    const float *w = k->p->weight + filter * channels * c->kh * c->kw;
    (void)worker;
    for (int64_t r = 0; r < c->oh; r++) {
        float row[ROW];
        float *y = k->y + (filter * c->oh + r) * c->ow;
        const float *add = k->e->add ? k->e->add + (filter * c->oh + r) * c->ow : NULL;
        float *sum = c->ow <= ROW ? row : y;
        memset(sum, 0, (size_t)c->ow * sizeof *sum);
        one_row(k, w, first, channels, r, sum);
        finish(k->e, k->e->bias ? k->e->bias[filter] : 0.0f, add, c->ow, sum);
        if (sum != y) memcpy(y, sum, (size_t)c->ow * sizeof *y);
    }
}

void lop_conv_run(const lop_conv_plan *p, const float *x, const lop_epilogue *e, void *scratch, lop_team *team, float *y)
{
    work k = {p, x, e, scratch, y};
    lop_team_run(team, p->conv.c, pad_channel, &k);
    lop_team_run(team, p->conv.n, run_filter, &k);
}

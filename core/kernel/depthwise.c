/* core/kernel/depthwise.c - grouped and depthwise convolution: group by group, so that the planes of a group are
 * still in the first-level cache when they are read. */
#include "kernel/kernel_impl.h"

static void group_chunk(void *context, int64_t chunk, int worker)
{
    const lop_conv_call *c = context;
    const lop_conv_plan *p = c->plan;
    const int64_t group = c->group + chunk, channels = p->conv.c / p->conv.group;
    const float *base = c->x + group * channels * p->plane;
    if (!p->direct) {
        float *to = c->scratch + (c->own_slot ? worker : chunk) * p->slot;
        for (int64_t i = 0; i < channels; i++) lop_conv_copy(c, group * channels + i, to + i * p->channel);
        base = to;
    }
    for (int64_t first = 0; first < p->panel.parts; first += p->block) {
        const int64_t end = first + p->block < p->panel.parts ? first + p->block : p->panel.parts;
        for (int64_t tile = 0; tile < p->tile.parts; tile++) lop_conv_panels(c, base, group, tile, first, end);
    }
}

void lop_conv_groups(lop_conv_call *c, lop_team *team)
{
    const lop_conv_plan *p = c->plan;
    c->own_slot = lop_team_threads(team) <= p->slots;
    const int64_t round = p->direct || c->own_slot ? p->conv.group : p->slots;
    for (c->group = 0; c->group < p->conv.group; c->group += round) {
        const int64_t left = p->conv.group - c->group;
        lop_team_run(team, left < round ? left : round, group_chunk, c);
    }
}

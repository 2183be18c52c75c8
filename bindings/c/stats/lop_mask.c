/* bindings/c/stats/lop_mask.c - methods of lop.stats for layers whose filters read channels of their own. */
#include "stats/lop_stats.h"
#include <math.h>

/* ---@param width integer        channels of each filter
 * ---@param opts table?          as lopL_newchoice
 * ---@param refine boolean?      by swaps
 * ---@return lop.tensor          uint8 (filters, channels): 1 where a filter keeps a channel */
static int stats_mask(lua_State *L)
{
    lopL_stats *s = lopL_checkstats(L, 1, "stats");
    const int64_t width = luaL_checkinteger(L, 2);
    const lop_shape shape = {2, {lop_stats_filters(s->stats), lop_stats_channels(s->stats)}};
    lopL_progress p;
    lop_error err;
    lua_settop(L, 4);
    const bool refine = lua_toboolean(L, 4);
    const lopL_choice *c = lopL_newchoice(L, 1, 3);
    lop_tensor *mask = lopL_newtensor(L);
    lopL_check(L, lop_tensor_init(mask, LOP_U8, &shape, &err), &err);
    lopL_progress_init(L, 3, &p);
    lop_select_input in = c->in;
    in.progress = &p.progress;
    lopL_progress_check(L, &p, lop_select_mask(&in, c->method, width, refine, lopL_team(L), mask->data, &err), &err);
    lopL_pushtensor(L, mask);
    return 1;
}

static const lop_tensor *check_mask(lua_State *L, int arg, const lop_stats *s)
{
    const lop_tensor *mask = lopL_checktensor(L, arg, "mask");
    const lop_shape shape = {2, {lop_stats_filters(s), lop_stats_channels(s)}};
    char text[128];
    if (mask->type != LOP_U8 || !lop_shape_equal(&mask->shape, &shape))
        lopL_error(L, "mask: uint8 %s expected", lop_shape_text(&shape, text, sizeof text));
    return mask;
}

/* ---@param mask lop.tensor      uint8 (filters, channels)
 * ---@param opts {weight: lop.tensor?, method: string?, ridge: number?, held: lop.stats?, bias: lop.tensor?}?
 *        as stats:reconstruct; one ridge for all filters
 * ---@return lop.tensor weight   of the layer's shape, 0 where the mask is
 * ---@return lop.tensor bias
 * ---@return number error        relative to the target's centred energy
 * ---@return number? held_error
 * ---@return number ridge */
static int stats_reconstruct_mask(lua_State *L)
{
    static const char *const keys[] = {"weight", "method", "ridge", "held", "bias", NULL};
    lopL_stats *s = lopL_checkstats(L, 1, "stats");
    lop_reconstruct_options o;
    lop_error err;
    lua_settop(L, 3);
    const lop_tensor *mask = check_mask(L, 2, s->stats);
    lopL_checkoptions(L, 3, keys);
    const lop_tensor *weight = lopL_owntensor(L, 1, 3, "weight");
    if (!weight) return lopL_error(L, "weight: the layer's filters are missing");
    const lopL_stats *held = lopL_reconstructoptions(L, 1, 3, &o);
    if (lop_reconstruct_method_of(lopL_optstring(L, 3, "method", "least-squares"), &o.method, &err) != LOP_OK)
        return lopL_failf(L, "usage", "%s", err.message);
    lop_reconstruction_clear(&s->made);
    lopL_check(L, lop_reconstruct_mask(lopL_centred(L, s), held ? held->stats : NULL, weight, mask->data, &o,
                                       lopL_team(L), &s->made, &err), &err);
    lopL_pushtensor(L, &s->made.weight);
    lopL_pushtensor(L, &s->made.bias);
    lua_pushnumber(L, s->made.error);
    if (isnan(s->made.held_error)) lua_pushnil(L);
    else lua_pushnumber(L, s->made.held_error);
    lua_pushnumber(L, s->made.ridge);
    return 5;
}

const luaL_Reg lopL_stats_mask[] = {{"mask", stats_mask}, {"reconstruct_mask", stats_reconstruct_mask}, {NULL, NULL}};

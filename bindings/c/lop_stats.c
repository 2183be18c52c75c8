/* bindings/c/lop_stats.c - statistics of a consumer, and what is computed from them: lop.stats, lop.select,
 * lop.reconstruct. */
#include "lop_lua.h"
#include "reconstruct/reconstruct.h"
#include "select/select.h"
#include <math.h>

#define LOPL_STATS "lop.stats"
typedef struct { lop_stats *stats; lop_centred centred; bool fresh; lop_choice choice; lop_curve curve; lop_reconstruction made; } holder;

static int stats_gc(lua_State *L)
{
    holder *h = luaL_checkudata(L, 1, LOPL_STATS);
    lop_stats_free(h->stats);
    lop_centred_clear(&h->centred);
    lop_choice_clear(&h->choice);
    lop_curve_clear(&h->curve);
    lop_reconstruction_clear(&h->made);
    *h = (holder){0};
    return 0;
}

static holder *check_stats(lua_State *L)
{
    holder *h = luaL_testudata(L, 1, LOPL_STATS);
    if (!h) lopL_argerror(L, 1, "stats", "lop.stats");
    if (!h->stats) lopL_error(L, "stats: closed");
    return h;
}

/* ---@param channels integer
 * ---@param taps integer
 * ---@param filters integer
 * ---@return lop.stats */
static int stats_new(lua_State *L)
{
    const int64_t c = luaL_checkinteger(L, 1), taps = luaL_checkinteger(L, 2), n = luaL_checkinteger(L, 3);
    lop_error err;
    holder *h = lua_newuserdatauv(L, sizeof *h, 0);
    *h = (holder){0};
    luaL_setmetatable(L, LOPL_STATS);
    lopL_check(L, lop_stats_new(c, taps, n, &h->stats, &err), &err);
    return 1;
}

static void ints(lua_State *L, const char *key, int64_t *list, int64_t n)
{
    if (lopL_getoption(L, 4, key) == LUA_TNIL) return;
    int64_t count;
    const int64_t *from = lopL_int64s(L, lua_gettop(L), key, &count);
    if (count != n) lopL_error(L, "%s has %d entries, %d expected", key, (int)count, (int)n);
    for (int64_t i = 0; i < n; i++) list[i] = from[i];
}

/* ---@param x lop.tensor     (images, c, h, w), the consumer's input
 * ---@param y lop.tensor     (images, n, oh, ow), its target
 * ---@param opts {kernel: integer[], stride: integer[]?, pad: integer[]?, dilation: integer[]?, seed: integer?, layer: integer?, first: integer?, positions: integer?} */
static int stats_add(lua_State *L)
{
    static const char *const keys[] = {"kernel", "stride", "pad", "dilation", "seed", "layer", "first", "positions", NULL};
    holder *h = check_stats(L);
    const lop_tensor *x = lopL_checktensor(L, 2, "x"), *y = lopL_checktensor(L, 3, "y");
    int64_t kernel[2] = {1, 1};
    lop_window w = {.stride = {1, 1}, .dilation = {1, 1}};
    lop_error err;
    lua_settop(L, 4);
    lopL_checkoptions(L, 4, keys);
    ints(L, "kernel", kernel, 2);
    ints(L, "stride", w.stride, 2);
    ints(L, "pad", w.pad, 4);
    ints(L, "dilation", w.dilation, 2);
    w.kh = kernel[0];
    w.kw = kernel[1];
    h->fresh = false;
    lopL_check(L, lop_sample_add(h->stats, x, y, &w, (uint64_t)lopL_optinteger(L, 4, "seed", 0), lopL_optinteger(L, 4, "layer", 0),
                                 lopL_optinteger(L, 4, "first", 0), lopL_optinteger(L, 4, "positions", 10), lopL_team(L), &err), &err);
    return 0;
}

static const lop_centred *centred_of(lua_State *L, holder *h)
{
    lop_error err;
    if (!h->fresh) {
        lop_centred_clear(&h->centred);
        lopL_check(L, lop_stats_centre(h->stats, &h->centred, &err), &err);
        h->fresh = true;
    }
    return &h->centred;
}

enum { CONSUMERS = 16 };
typedef struct {
    const lop_centred *centred[CONSUMERS];
    const lop_tensor *weight[CONSUMERS];
    lop_select_input in;
    lop_select_method method;
} choice_input;

/* Further consumers of the same channels, from options.others: {{stats, weight}, ...}. */
static void read_others(lua_State *L, int arg, choice_input *c)
{
    if (lopL_getoption(L, arg, "others") != LUA_TTABLE) return;
    const int list = lua_gettop(L);
    const lua_Integer n = luaL_len(L, list);
    if (n >= CONSUMERS) lopL_error(L, "%d consumers at most", CONSUMERS);
    for (lua_Integer i = 1; i <= n; i++) {      /* what is read stays in the caller's tables */
        lua_rawgeti(L, list, i);
        luaL_checktype(L, -1, LUA_TTABLE);
        lua_rawgeti(L, -1, 1);
        holder *h = luaL_testudata(L, -1, LOPL_STATS);
        lua_rawgeti(L, -2, 2);
        c->weight[i] = lopL_testtensor(L, lua_gettop(L));
        if (!h || !h->stats || !c->weight[i]) lopL_error(L, "others: {stats, weight} expected");
        c->centred[i] = centred_of(L, h);
        lua_pop(L, 3);
    }
    c->in.consumers = 1 + n;
}

/* The options of a choice: what lop_select takes. */
static void read_choice(lua_State *L, int arg, holder *h, choice_input *c)
{
    static const char *const keys[] = {"weight", "method", "seed", "cost", "others", NULL};
    lop_error err;
    lopL_checkoptions(L, arg, keys);
    c->weight[0] = lopL_opttensor(L, arg, "weight");
    if (!c->weight[0]) lopL_error(L, "weight is missing");
    if (lop_select_method_of(lopL_optstring(L, arg, "method", "elimination"), &c->method, &err) != LOP_OK)
        lopL_failf(L, "usage", "%s", err.message);
    c->centred[0] = centred_of(L, h);
    c->in = (lop_select_input){.centred = c->centred, .weight = c->weight, .consumers = 1, .ridge = 1e-5,
                               .seed = (uint64_t)lopL_optinteger(L, arg, "seed", 0)};
    const lop_tensor *cost = lopL_opttensor(L, arg, "cost");
    if (cost && (cost->type != LOP_F64 || lop_tensor_size(cost) != lop_stats_channels(h->stats)))
        lopL_error(L, "cost: float64, one number a channel expected");
    if (cost) c->in.cost = cost->data;
    read_others(L, arg, c);
}

/* ---@param width integer
 * ---@param opts {weight: lop.tensor, method: string?, seed: integer?, cost: lop.tensor?, others: table?}
 * ---@return integer[] channels  kept, from 1, ascending
 * ---@return number? error       relative, where the method knows it
 * ---@return number? lambda */
static int stats_select(lua_State *L)
{
    holder *h = check_stats(L);
    const int64_t width = luaL_checkinteger(L, 2);
    choice_input c;
    lop_error err;
    lua_settop(L, 3);
    read_choice(L, 3, h, &c);
    lop_choice_clear(&h->choice);
    lopL_check(L, lop_select(&c.in, c.method, width, &h->choice, &err), &err);
    lopL_pushchannels(L, h->choice.channel, h->choice.count);
    if (isnan(h->choice.error)) lua_pushnil(L);
    else lua_pushnumber(L, h->choice.error);
    if (isnan(h->choice.lambda)) lua_pushnil(L);
    else lua_pushnumber(L, h->choice.lambda);
    return 3;
}

/* ---@param opts table           as for select; a nested method: not lasso
 * ---@return integer[] order  channels, from 1, in the order of removal: a width keeps the last ones
 * ---@return number[] errors  relative least-squares error for the widths 1, 2, ... */
static int stats_curve(lua_State *L)
{
    holder *h = check_stats(L);
    choice_input c;
    lop_error err;
    lua_settop(L, 2);
    read_choice(L, 2, h, &c);
    lop_curve_clear(&h->curve);
    lopL_check(L, lop_select_curve(&c.in, c.method, &h->curve, &err), &err);
    lopL_pushchannels(L, h->curve.order, h->curve.c);
    lua_createtable(L, (int)h->curve.c, 0);
    for (int64_t i = 1; i <= h->curve.c; i++) {
        lua_pushnumber(L, h->curve.error[i]);
        lua_rawseti(L, -2, (lua_Integer)i);
    }
    return 2;
}

/* ---@param channels integer[]  from 1, ascending
 * ---@param opts {weight: lop.tensor, method: string?, ridge: number?, held: lop.stats?}
 * ---@return lop.tensor weight
 * ---@return lop.tensor bias
 * ---@return number error    relative to the target's centred energy */
static int stats_reconstruct(lua_State *L)
{
    static const char *const keys[] = {"weight", "method", "ridge", "held", NULL};
    holder *h = check_stats(L);
    lop_reconstruct_options o = {.ridge = LOP_RIDGE_AUTO};
    lop_error err;
    int64_t count;
    lua_settop(L, 3);
    const int64_t *channel = lopL_channels(L, 2, "channels", lop_stats_channels(h->stats), &count);
    lopL_checkoptions(L, 3, keys);
    const lop_tensor *weight = lopL_opttensor(L, 3, "weight");
    if (!weight) return lopL_error(L, "weight is missing");
    if (lop_reconstruct_method_of(lopL_optstring(L, 3, "method", "least-squares"), &o.method, &err) != LOP_OK)
        return lopL_failf(L, "usage", "%s", err.message);
    o.ridge = lopL_optnumber(L, 3, "ridge", LOP_RIDGE_AUTO);
    lopL_getoption(L, 3, "held");
    holder *held = luaL_testudata(L, -1, LOPL_STATS);
    lop_reconstruction_clear(&h->made);
    lopL_check(L, lop_reconstruct(centred_of(L, h), held ? held->stats : NULL, weight, channel, count, &o, &h->made, &err), &err);
    lopL_pushtensor(L, &h->made.weight);
    lopL_pushtensor(L, &h->made.bias);
    lua_pushnumber(L, h->made.error);
    return 3;
}

static int stats_rows(lua_State *L)
{
    lua_pushnumber(L, lop_stats_rows(check_stats(L)->stats));
    return 1;
}

static const luaL_Reg methods[] = {{"add", stats_add}, {"select", stats_select}, {"curve", stats_curve}, {"reconstruct", stats_reconstruct},
                                   {"rows", stats_rows}, {NULL, NULL}};
static const luaL_Reg meta[] = {{"__gc", stats_gc}, {"__close", stats_gc}, {NULL, NULL}};
static const luaL_Reg functions[] = {{"stats", stats_new}, {NULL, NULL}};

int lop_open_stats(lua_State *L)
{
    lopL_newtype(L, LOPL_STATS, meta, methods);
    luaL_setfuncs(L, functions, 0);
    return 1;
}

/* bindings/c/stats/lop_choice.c - methods of lop.stats that choose channels and rebuild weights. */
#include "stats/lop_stats.h"
#include <math.h>
#include <string.h>

#define CHOICE "lop.choice.input"

static int choice_gc(lua_State *L)
{
    lopL_choice *c = luaL_checkudata(L, 1, CHOICE);
    for (int64_t k = 0; k < c->consumers; k++) {
        if (c->centred) lop_centred_clear(&c->centred[k]);
        if (c->weight) lop_tensor_clear(&c->weight[k]);
    }
    lop_free(c->centred);
    lop_free(c->weight);
    lop_free(c->centred_of);
    lop_free(c->weight_of);
    lop_tensor_clear(&c->producer);
    lop_free(c->cost);
    lop_free(c->score);
    lop_free(c->stay);
    *c = (lopL_choice){0};
    return 0;
}

static void share_centred(lop_centred *to, const lop_centred *from)
{
    *to = *from;
    lop_tensor_share(&to->gram, &from->gram);
    lop_tensor_share(&to->cross, &from->cross);
    lop_tensor_share(&to->energy, &from->energy);
    lop_tensor_share(&to->mean_x, &from->mean_x);
    lop_tensor_share(&to->mean_y, &from->mean_y);
    lop_tensor_share(&to->nonzero, &from->nonzero);
    lop_tensor_share(&to->diagonal, &from->diagonal);
}

/* options[key], one number a channel, a list or a tensor of any type; NULL where absent. Owned by *to. */
static void read_numbers(lua_State *L, int opts, const char *key, int64_t count, double **to)
{
    lop_error err;
    if (lopL_getoption(L, opts, key) != LUA_TNIL) {
        const lop_tensor *t = lopL_testtensor(L, lua_gettop(L));
        if (!t && !lua_istable(L, -1)) lopL_error(L, "%s: list of numbers expected, got %s", key, luaL_typename(L, -1));
        const int64_t n = t ? lop_tensor_size(t) : (int64_t)lua_rawlen(L, -1);
        if (n != count)
            lopL_error(L, "%s: %I numbers, %I expected, one a channel", key, (lua_Integer)n, (lua_Integer)count);
        if (!(*to = lop_array(count, sizeof **to, &err))) lopL_fail(L, &err);
        for (int64_t i = 0; i < count; i++) {
            if (t) (*to)[i] = lop_tensor_get(t, i);
            else if (lua_rawgeti(L, -1, i + 1) != LUA_TNUMBER)
                lopL_error(L, "%s: entry %I: number expected, got %s", key, (lua_Integer)i + 1, luaL_typename(L, -1));
            else {
                (*to)[i] = lua_tonumber(L, -1);
                lua_pop(L, 1);
            }
        }
    }
    lua_pop(L, 1);
}

static void read_stay(lua_State *L, int opts, int64_t channels, lopL_choice *c)
{
    lop_error err;
    if (lopL_getoption(L, opts, "stay") != LUA_TNIL) {
        int64_t count;
        const int64_t *list = lopL_channels(L, lua_gettop(L), "stay", channels, &count);
        if (!(c->stay = lop_array(channels, sizeof *c->stay, &err))) lopL_fail(L, &err);
        for (int64_t i = 0; i < count; i++) c->stay[list[i]] = true;
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

/* Room for the consumer at hand and for as many as `others` lists. */
static void make_room(lua_State *L, int opts, lopL_choice *c)
{
    lop_error err;
    const int type = lopL_getoption(L, opts, "others");
    if (type != LUA_TNIL && type != LUA_TTABLE) lopL_error(L, "others: list expected, got %s", lua_typename(L, type));
    c->consumers = 1 + (type == LUA_TNIL ? 0 : luaL_len(L, -1));
    lua_pop(L, 1);
    c->centred = lop_array(c->consumers, sizeof *c->centred, &err);
    c->weight = lop_array(c->consumers, sizeof *c->weight, &err);
    c->centred_of = lop_array(c->consumers, sizeof *c->centred_of, &err);
    c->weight_of = lop_array(c->consumers, sizeof *c->weight_of, &err);
    if (!c->centred || !c->weight || !c->centred_of || !c->weight_of) lopL_fail(L, &err);
    for (int64_t k = 0; k < c->consumers; k++) {
        c->centred_of[k] = &c->centred[k];
        c->weight_of[k] = &c->weight[k];
    }
}

/* Further consumers of the same channels: {{stats, weight}, ...}. */
static void read_others(lua_State *L, int opts, lopL_choice *c)
{
    lopL_getoption(L, opts, "others");
    for (lua_Integer i = 1; i < c->consumers; i++) {
        if (lua_rawgeti(L, -1, i) != LUA_TTABLE) lopL_error(L, "others: {stats, weight} expected");
        lua_rawgeti(L, -1, 1);
        lopL_stats *s = lopL_teststats(L, lua_gettop(L));
        lua_rawgeti(L, -2, 2);
        const lop_tensor *w = lopL_testtensor(L, lua_gettop(L));
        if (!s || !s->stats || !w) lopL_error(L, "others: {stats, weight} expected");
        share_centred(&c->centred[i], lopL_centred(L, s));
        lop_tensor_share(&c->weight[i], w);
        lua_pop(L, 3);
    }
    c->in.consumers = c->consumers;
    lua_pop(L, 1);
}

const lop_tensor *lopL_owntensor(lua_State *L, int arg, int opts, const char *key)
{
    const lop_tensor *t = lopL_opttensor(L, opts, key);
    if (t) {
        lopL_getoption(L, opts, key);
        return t;
    }
    if (lopL_about(L, arg, key) == LUA_TNIL) return NULL;
    return lopL_checktensor(L, lua_gettop(L), key);
}

lopL_choice *lopL_newchoice(lua_State *L, int arg, int opts)
{
    static const char *const keys[] = {"weight", "method",   "seed", "ridge",  "cost",     "nonnegative",
                                       "score",  "producer", "stay", "others", "progress", NULL};
    lopL_stats *s = lopL_checkstats(L, arg, "stats");
    const int64_t channels = lop_stats_channels(s->stats);
    lop_error err;
    lopL_checkoptions(L, opts, keys);
    lopL_choice *c = lua_newuserdatauv(L, sizeof *c, 0);
    *c = (lopL_choice){0};
    luaL_setmetatable(L, CHOICE);
    make_room(L, opts, c);
    const lop_tensor *w = lopL_owntensor(L, arg, opts, "weight");
    if (!w) lopL_error(L, "weight: the layer's filters are missing");
    lop_tensor_share(&c->weight[0], w);
    lua_pop(L, 1);
    const lop_tensor *producer = lopL_owntensor(L, arg, opts, "producer");
    if (producer) lop_tensor_share(&c->producer, producer);
    lua_pop(L, 1);
    if (lop_select_method_of(lopL_optstring(L, opts, "method", "elimination"), &c->method, &err) != LOP_OK)
        lopL_failf(L, "usage", "%s", err.message);
    share_centred(&c->centred[0], lopL_centred(L, s));
    c->in = (lop_select_input){.centred = c->centred_of, .weight = c->weight_of, .progress = &c->progress};
    read_numbers(L, opts, "cost", channels, &c->cost);
    read_numbers(L, opts, "score", channels, &c->score);
    read_stay(L, opts, channels, c);
    read_others(L, opts, c);
    c->in.ridge = lopL_optnumber(L, opts, "ridge", 1e-5);
    c->in.seed = (uint64_t)lopL_optinteger(L, opts, "seed", 0);
    c->in.nonnegative = lopL_optboolean(L, opts, "nonnegative", false);
    c->in.cost = c->cost;
    c->in.score = c->score;
    c->in.stay = c->stay;
    c->in.producer = producer ? &c->producer : NULL;
    return c;
}

static void push_number(lua_State *L, double value)
{
    if (isnan(value)) lua_pushnil(L);
    else lua_pushnumber(L, value);
}

/* ---@param width integer
 * ---@param opts table?          as lopL_newchoice
 * ---@return integer[] channels  kept, from 1, ascending
 * ---@return number? error       relative, where the method knows it
 * ---@return number? lambda */
static int stats_select(lua_State *L)
{
    lopL_stats *s = lopL_checkstats(L, 1, "stats");
    const int64_t width = luaL_checkinteger(L, 2);
    lopL_progress p;
    lop_error err;
    lua_settop(L, 3);
    lopL_choice *c = lopL_newchoice(L, 1, 3);
    lopL_progress_init(L, 3, &p);
    c->progress = p.progress;
    lop_choice_clear(&s->choice);
    lopL_progress_check(L, &p, lop_select(&c->in, c->method, width, &s->choice, &err), &err);
    lopL_pushchannels(L, s->choice.channel, s->choice.count);
    push_number(L, s->choice.error);
    push_number(L, s->choice.lambda);
    return 3;
}

/* ---@param channels integer[]   kept, from 1
 * ---@param opts table?          as lopL_newchoice
 * ---@return integer[] channels  as many, refined by swaps
 * ---@return integer swaps */
static int stats_swap(lua_State *L)
{
    lopL_stats *s = lopL_checkstats(L, 1, "stats");
    lopL_progress p;
    lop_error err;
    int64_t swaps = 0;
    lua_settop(L, 3);
    lopL_choice *c = lopL_newchoice(L, 1, 3);
    int64_t count;
    const int64_t *list = lopL_channels(L, 2, "channels", lop_stats_channels(s->stats), &count);
    lopL_progress_init(L, 3, &p);
    c->progress = p.progress;
    lop_choice_clear(&s->choice);
    if (!(s->choice.channel = lop_array(count, sizeof *list, &err))) return lopL_fail(L, &err);
    s->choice.count = count;
    for (int64_t i = 0; i < count; i++) s->choice.channel[i] = list[i];
    lopL_progress_check(L, &p, lop_select_swap(&c->in, &s->choice, &swaps, &err), &err);
    lopL_pushchannels(L, s->choice.channel, s->choice.count);
    lua_pushinteger(L, swaps);
    return 2;
}

/* Leaves the order of removal on the stack, and the curve with the statistics; its errors only where asked for. */
static const lop_curve *push_order(lua_State *L, bool errors)
{
    lopL_stats *s = lopL_checkstats(L, 1, "stats");
    lopL_progress p;
    lop_error err;
    lop_status st;
    lua_settop(L, 2);
    lopL_choice *c = lopL_newchoice(L, 1, 2);
    lopL_progress_init(L, 2, &p);
    c->progress = p.progress;
    lop_curve_clear(&s->curve);
    if (errors) {
        st = lop_select_curve(&c->in, c->method, &s->curve, &err);
    } else {
        s->curve.c = lop_stats_channels(s->stats);
        if (!(s->curve.order = lop_array(s->curve.c, sizeof *s->curve.order, &err))) lopL_fail(L, &err);
        st = lop_select_order(&c->in, c->method, s->curve.order, &err);
    }
    lopL_progress_check(L, &p, st, &err);
    lopL_pushchannels(L, s->curve.order, s->curve.c);
    return &s->curve;
}

/* ---@param opts table?          as lopL_newchoice; of a method whose sets are nested
 * ---@return integer[] order     channels, from 1, in the order of removal: a width keeps the last ones
 * ---@return number[] errors     relative least-squares error for the widths 1, 2, ... */
static int stats_curve(lua_State *L)
{
    const lop_curve *curve = push_order(L, true);
    lua_createtable(L, (int)curve->c, 0);
    for (int64_t i = 1; i <= curve->c; i++) {
        lua_pushnumber(L, curve->error[i]);
        lua_rawseti(L, -2, (lua_Integer)i);
    }
    return 2;
}

/* ---@param opts table?          as for curve
 * ---@return integer[] order     the same, without the errors: less work */
static int stats_order(lua_State *L)
{
    push_order(L, false);
    return 1;
}

/* A = <Z_i, Z_j> over the centred rows, Z_i = X_i W_i^T: what the LASSO is solved on.
 * ---@param opts {weight: lop.tensor?}?
 * ---@return lop.tensor gram     float64 (c, c)
 * ---@return lop.tensor cross    <Z_i, Y>, float64 (c)
 * ---@return number energy       |Y|^2 */
static int stats_lasso_gram(lua_State *L)
{
    lop_error err;
    lop_lasso l;
    lua_settop(L, 2);
    const lopL_choice *c = lopL_newchoice(L, 1, 2);
    lop_tensor *gram = lopL_newtensor(L), *cross = lopL_newtensor(L);
    lopL_check(L, lop_lasso_init(c->in.centred, c->in.weight, c->in.consumers, NULL, &l, &err), &err);
    lop_tensor_share(gram, &l.gram);
    lop_tensor_share(cross, &l.cross);
    const double energy = l.energy;
    lop_lasso_clear(&l);
    lopL_filled(L, gram);
    lua_pushnumber(L, energy);
    return 3;
}

/* The statistics in an option, or NULL; the table keeps them. */
static const lop_stats *opt_stats(lua_State *L, int arg, const char *name)
{
    const lop_stats *found = NULL;
    if (lopL_getoption(L, arg, name) != LUA_TNIL) found = lopL_checkstats(L, lua_gettop(L), name)->stats;
    lua_pop(L, 1);
    return found;
}

const lopL_stats *lopL_reconstructoptions(lua_State *L, int arg, int opts, lop_reconstruct_options *o)
{
    lop_error err;
    const lop_tensor *bias = lopL_opttensor(L, opts, "bias");
    const int64_t filters = lop_stats_filters(lopL_checkstats(L, arg, "stats")->stats);
    *o = (lop_reconstruct_options){.ridge = lopL_optnumber(L, opts, "ridge", LOP_RIDGE_AUTO)};
    if (bias) lopL_check(L, lop_expect_f32(bias, "bias", (lop_shape){1, {filters}}, &err), &err);
    if (bias) o->bias = bias->data;
    if (lopL_getoption(L, opts, "held") == LUA_TNIL) lopL_about(L, arg, "held");
    return lua_isnil(L, -1) ? NULL : lopL_checkstats(L, lua_gettop(L), "held");
}

/* ---@param channels integer[]   kept, from 1, ascending
 * ---@param opts {weight: lop.tensor?, method: string?, ridge: number?, held: lop.stats?, bias: lop.tensor?}?
 *        ridge: of least error on `held`, where absent; bias: stays, where given
 * ---@return lop.tensor weight
 * ---@return lop.tensor bias
 * ---@return number error        relative to the target's centred energy
 * ---@return number? held_error
 * ---@return number ridge */
static int stats_reconstruct(lua_State *L)
{
    static const char *const keys[] = {"weight", "method", "ridge", "held", "bias", "beside", "held_beside", NULL};
    lopL_stats *s = lopL_checkstats(L, 1, "stats");
    lop_reconstruct_options o;
    lop_error err;
    int64_t count;
    lua_settop(L, 3);
    const int64_t *channel = lopL_channels(L, 2, "channels", lop_stats_channels(s->stats), &count);
    lopL_checkoptions(L, 3, keys);
    const lop_tensor *weight = lopL_owntensor(L, 1, 3, "weight");
    if (!weight) return lopL_error(L, "weight: the layer's filters are missing");
    const lopL_stats *held = lopL_reconstructoptions(L, 1, 3, &o);
    const char *method = lopL_optstring(L, 3, "method", "least-squares");
    const bool relu = strcmp(method, "relu") == 0;
    if (!relu && lop_reconstruct_method_of(method, &o.method, &err) != LOP_OK)
        return lopL_failf(L, "usage", "%s", err.message);
    if (o.bias && relu) return lopL_failf(L, "usage", "method = \"relu\": with a free intercept only, no bias");
    lop_reconstruction_clear(&s->made);
    lopL_check(L, lop_reconstruct(lopL_centred(L, s), held ? held->stats : NULL, weight, channel, count, &o, &s->made,
                                  &err), &err);
    if (relu)
        lopL_check(L, lop_reconstruct_relu(lopL_centred(L, s), opt_stats(L, 3, "beside"), held ? held->stats : NULL,
                                           opt_stats(L, 3, "held_beside"), channel, count, &s->made, &err), &err);
    lopL_pushtensor(L, &s->made.weight);
    lopL_pushtensor(L, &s->made.bias);
    lua_pushnumber(L, s->made.error);
    push_number(L, s->made.held_error);
    lua_pushnumber(L, s->made.ridge);
    return 5;
}

/* ---@param channels integer[]   kept, from 1
 * ---@param weight lop.tensor    (n, kept, ...)
 * ---@param bias lop.tensor      float32 (n)
 * ---@return number              relative error of these weights on these sums */
static int stats_error(lua_State *L)
{
    lopL_stats *s = lopL_checkstats(L, 1, "stats");
    double error;
    lop_error err;
    int64_t count;
    const lop_tensor *w = lopL_checktensor(L, 3, "weight"), *b = lopL_checktensor(L, 4, "bias");
    const int64_t *channel = lopL_channels(L, 2, "channels", lop_stats_channels(s->stats), &count);
    lopL_check(L, lop_reconstruct_error(s->stats, w, b, channel, count, &error, &err), &err);
    lua_pushnumber(L, error);
    return 1;
}

/* The filters as regrouped sums see them: of each the slices of the channels listed. */
static lop_status regroup_weight(const lop_tensor *weight, const int64_t *channel, int64_t count, const lop_stats *from,
                                 const lop_stats *to, lop_tensor *out, lop_error *err)
{
    const int64_t n = lop_stats_filters(from), c = lop_stats_channels(from), k = lop_stats_taps(from);
    const lop_shape shape = {3, {lop_stats_filters(to), lop_stats_channels(to), lop_stats_taps(to)}};
    if (weight->shape.ndim < 1 || weight->shape.dim[0] != n || lop_tensor_size(weight) != n * c * k)
        return lop_fail(err, LOP_E_SHAPE, "weight: %" PRId64 " filters of %" PRId64 " channels expected", n, c);
    const lop_status st = lop_tensor_init(out, LOP_F64, &shape, err);
    double *w = st == LOP_OK ? out->data : NULL;
    for (int64_t f = 0; w && f < n; f++)
        for (int64_t i = 0; i < count * k; i++)
            w[f * count * k + i] = lop_tensor_get(weight, (f * c + channel[i / k]) * k + i % k);
    return st;
}

/* The same sums as further consumers of the same channels see them; what is not listed is projected out.
 * ---@param channels integer[]   from 1, in the new order
 * ---@param each integer         so many of them are one
 * ---@param weight lop.tensor?   the layer's filters
 * ---@param ridge number?        of the projection
 * ---@return lop.stats           its weight: those filters, regrouped alike */
static int stats_regroup(lua_State *L)
{
    lopL_stats *s = lopL_checkstats(L, 1, "stats");
    int64_t count;
    lua_settop(L, 5);
    const int64_t *list = lopL_channels(L, 2, "channels", lop_stats_channels(s->stats), &count);
    const int64_t each = luaL_checkinteger(L, 3);
    const lop_tensor *weight = lopL_checktensor(L, 4, "weight");
    const double ridge = luaL_optnumber(L, 5, 1e-5);
    lop_error err;
    lopL_stats *to = lopL_newstats(L);
    lopL_check(L, lop_stats_regroup(s->stats, list, count, each, ridge, &to->stats, &err), &err);
    lua_getiuservalue(L, -1, 1);
    lop_tensor *w = lopL_newtensor(L);
    lopL_check(L, regroup_weight(weight, list, count, s->stats, to->stats, w, &err), &err);
    lopL_filled(L, w);
    lua_setfield(L, -2, "weight");
    lua_pop(L, 1);
    return 1;
}

const luaL_Reg lopL_stats_choice[] = {
    {"select", stats_select},         {"swap", stats_swap},   {"curve", stats_curve},
    {"order", stats_order},           {"lasso_gram", stats_lasso_gram},
    {"reconstruct", stats_reconstruct}, {"error", stats_error},
    {"regroup", stats_regroup},       {NULL, NULL}};

void lopL_choice_type(lua_State *L)
{
    luaL_newmetatable(L, CHOICE);
    lua_pushcfunction(L, choice_gc);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
}

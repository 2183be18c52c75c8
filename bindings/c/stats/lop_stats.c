/* bindings/c/stats/lop_stats.c - lop.stats: the sums of a consumer's rows, in memory and in files. */
#include "stats/lop_stats.h"
#include <math.h>
#include <string.h>

static int stats_gc(lua_State *L)
{
    lopL_stats *s = luaL_checkudata(L, 1, LOPL_STATS);
    lop_stats_free(s->stats);
    lop_centred_clear(&s->centred);
    lop_npz_clear(&s->more);
    lop_choice_clear(&s->choice);
    lop_curve_clear(&s->curve);
    lop_reconstruction_clear(&s->made);
    *s = (lopL_stats){0};
    return 0;
}

lopL_stats *lopL_teststats(lua_State *L, int arg) { return luaL_testudata(L, arg, LOPL_STATS); }

lopL_stats *lopL_checkstats(lua_State *L, int arg, const char *name)
{
    lopL_stats *s = lopL_teststats(L, arg);
    if (!s) lopL_argerror(L, arg, name, "lop.stats");
    if (!s->stats) lopL_error(L, "stats: closed");
    return s;
}

static lopL_stats *self(lua_State *L) { return lopL_checkstats(L, 1, "stats"); }

static int64_t patch(const lopL_stats *s) { return lop_stats_channels(s->stats) * lop_stats_taps(s->stats); }

int lopL_about(lua_State *L, int arg, const char *key)
{
    if (lua_getiuservalue(L, arg, 1) != LUA_TTABLE) return LUA_TNIL;
    const int type = lua_getfield(L, -1, key);
    lua_remove(L, -2);
    return type;
}

const lop_centred *lopL_centred(lua_State *L, lopL_stats *s)
{
    lop_error err;
    if (!s->fresh) {
        lop_centred_clear(&s->centred);
        lopL_check(L, lop_stats_centre(s->stats, &s->centred, &err), &err);
        s->fresh = true;
    }
    return &s->centred;
}

/* ---- making ---- */

/* What they are about; of these the tensors are written to files. */
static const char *const about_keys[] = {"weight", "bias",  "producer", "bn_scale",
                                         "kernel", "layer", "held",     NULL};
static const char *const new_keys[] = {"weight", "bias", "producer", "bn_scale", "kernel", "layer",
                                       "held",   "rows", "sums",     "seed",     NULL};
enum { TENSORS = 4 };

lopL_stats *lopL_newstats(lua_State *L)
{
    lopL_stats *s = lua_newuserdatauv(L, sizeof *s, 1);
    *s = (lopL_stats){0};
    luaL_setmetatable(L, LOPL_STATS);
    lua_newtable(L);
    lua_setiuservalue(L, -2, 1);
    return s;
}

/* {kh, kw} of k taps. */
static void check_kernel(lua_State *L, int opts, int64_t taps)
{
    if (lopL_getoption(L, opts, "kernel") != LUA_TNIL) {
        int64_t count;
        const int64_t *k = lopL_int64s(L, lua_gettop(L), "kernel", &count);
        if (count != 2 || k[0] < 1 || k[1] < 1 || k[0] > taps || k[0] * k[1] != taps)
            lopL_error(L, "kernel: two sizes whose product is the %I taps expected", (lua_Integer)taps);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

/* ---@param channels integer
 * ---@param taps integer     kernel height times width
 * ---@param filters integer
 * ---@param about {weight: lop.tensor?, bias: lop.tensor?, producer: lop.tensor?, bn_scale: lop.tensor?,
 *        kernel: integer[]?, layer: string?, held: lop.stats?, rows: integer?, sums: boolean?, seed: integer?}?
 *        what later calls would else have to be told; rows: so many at most are kept, a sample drawn by the seed,
 *        beside the sums or, with sums = false, in their place
 * ---@return lop.stats */
static int stats_new(lua_State *L)
{
    const int64_t c = luaL_checkinteger(L, 1), taps = luaL_checkinteger(L, 2), n = luaL_checkinteger(L, 3);
    lop_error err;
    lua_settop(L, 4);
    lopL_checkoptions(L, 4, new_keys);
    for (int k = 0; k < TENSORS; k++) lopL_opttensor(L, 4, about_keys[k]);
    check_kernel(L, 4, taps);
    lopL_optstring(L, 4, "layer", NULL);
    if (lopL_getoption(L, 4, "held") != LUA_TNIL) lopL_checkstats(L, 5, "held");
    lopL_stats *s = lopL_newstats(L);
    lua_getiuservalue(L, -1, 1);
    for (int k = 0; about_keys[k]; k++) {
        lopL_getoption(L, 4, about_keys[k]);
        lua_setfield(L, -2, about_keys[k]);
    }
    lua_pop(L, 1);
    const int64_t rows = lopL_optinteger(L, 4, "rows", 0);
    const uint64_t seed = (uint64_t)lopL_optinteger(L, 4, "seed", 0);
    const bool sums = lopL_optboolean(L, 4, "sums", true);
    lopL_check(L, lop_stats_new_rows(c, taps, n, rows, seed, sums, &s->stats, &err), &err);
    return 1;
}

static void ints(lua_State *L, const char *key, int64_t *list, int64_t n)
{
    if (lopL_getoption(L, 4, key) == LUA_TNIL && (strcmp(key, "kernel") != 0 || lopL_about(L, 1, key) == LUA_TNIL))
        return;
    int64_t count;
    const int64_t *from = lopL_int64s(L, lua_gettop(L), key, &count);
    if (count != n) lopL_error(L, "%s has %d entries, %d expected", key, (int)count, (int)n);
    for (int64_t i = 0; i < n; i++) list[i] = from[i];
}

/* ---@param x lop.tensor     (images, c, h, w), the consumer's input
 * ---@param y lop.tensor     (images, n, oh, ow), its target
 * ---@param opts {kernel: integer[]?, stride: integer[]?, pad: integer[]?, dilation: integer[]?, seed: integer?,
 *        layer: integer?, first: integer?, positions: integer?}?      kernel: its own */
static int stats_add(lua_State *L)
{
    static const char *const keys[] = {"kernel", "stride", "pad",       "dilation", "seed",
                                       "layer",  "first",  "positions", NULL};
    lopL_stats *s = self(L);
    const lop_tensor *x = lopL_checktensor(L, 2, "x"), *y = lopL_checktensor(L, 3, "y");
    int64_t kernel[2] = {1, lop_stats_taps(s->stats)};
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
    s->fresh = false;
    const uint64_t seed = (uint64_t)lopL_optinteger(L, 4, "seed", 0);
    const int64_t layer = lopL_optinteger(L, 4, "layer", 0), first = lopL_optinteger(L, 4, "first", 0);
    const int64_t positions = lopL_optinteger(L, 4, "positions", 10);
    lopL_check(L, lop_sample_add(s->stats, x, y, &w, seed, layer, first, positions, lopL_team(L), &err), &err);
    return 0;
}

/* ---@param other lop.stats  of equal sizes: added
 * ---@return lop.stats       itself */
static int stats_merge(lua_State *L)
{
    lopL_stats *s = self(L);
    const lopL_stats *other = lopL_checkstats(L, 2, "other");
    lop_error err;
    s->fresh = false;
    lopL_check(L, lop_stats_merge(s->stats, other->stats, &err), &err);
    lua_settop(L, 1);
    return 1;
}

/* The sums of rows that a first factor has been over: lop_stats_project.
 * ---@param basis lop.tensor float32 or float64 (rank, ...): a row a channel of the result
 * ---@param keep integer     the last `keep` entries of a patch's row stay apart: taps of the result
 * ---@return lop.stats */
static int stats_project(lua_State *L)
{
    lopL_stats *s = self(L);
    const lop_tensor *basis = lopL_checktensor(L, 2, "basis");
    const int64_t keep = luaL_checkinteger(L, 3), p = patch(s), size = lop_tensor_size(basis);
    lop_error err;
    const int64_t rank = basis->shape.ndim > 0 ? basis->shape.dim[0] : 0;
    if (keep < 1 || rank < 1 || p % keep != 0 || size != rank * (p / keep))
        return lopL_error(L, "basis: (rank, %I) values expected", (lua_Integer)(keep > 0 ? p / keep : 0));
    lopL_stats *made = lopL_newstats(L);
    double *V = lua_newuserdatauv(L, (size_t)size * sizeof *V, 0);
    for (int64_t i = 0; i < size; i++) V[i] = lop_tensor_get(basis, i);
    lopL_check(L, lop_stats_project(s->stats, V, rank, keep, &made->stats, &err), &err);
    lua_pop(L, 1);
    return 1;
}

/* ---- files ---- */

/* An entry that shares t's memory. */
static void add_entry(lua_State *L, lop_npz *z, const char *name, const lop_tensor *t)
{
    lop_error err;
    lop_npz_entry *e = &z->entry[z->count];
    if (!(e->name = lop_string(name, &err))) lopL_fail(L, &err);
    z->count++;
    lop_tensor_share(&e->tensor, t);
}

/* What is not sums, but for held-out ones, which are a file of their own.
 * ---@param path string      appears whole or not at all */
static int stats_save(lua_State *L)
{
    lopL_stats *s = self(L);
    const char *path = luaL_checkstring(L, 2);
    int64_t kernel[2] = {0};
    lop_error err;
    lop_npz_clear(&s->more);
    if (!(s->more.entry = lop_array(TENSORS + 1, sizeof *s->more.entry, &err))) return lopL_fail(L, &err);
    for (int k = 0; k < TENSORS; k++) {
        if (lopL_about(L, 1, about_keys[k]) != LUA_TNIL)
            add_entry(L, &s->more, about_keys[k], lopL_checktensor(L, -1, about_keys[k]));
        lua_pop(L, 1);
    }
    if (lopL_about(L, 1, "kernel") != LUA_TNIL) {
        int64_t count;
        const int64_t *list = lopL_int64s(L, lua_gettop(L), "kernel", &count);
        for (int64_t i = 0; i < count && i < 2; i++) kernel[i] = list[i];
        add_entry(L, &s->more, "kernel", &(lop_tensor){LOP_I64, {1, {2}}, kernel, NULL});
    }
    const lop_status st = lop_stats_save(s->stats, &s->more, path, &err);
    lop_npz_clear(&s->more);
    lopL_check(L, st, &err);
    return 0;
}

/* Layer and kernel are not trusted to be what they were: a file may say anything. */
static void take_kernel(lua_State *L, const lopL_stats *s)
{
    const lop_tensor *t = lop_npz_find(&s->more, "kernel");
    if (!t || t->type != LOP_I64 || lop_tensor_size(t) != 2) return;
    const int64_t *k = t->data, taps = lop_stats_taps(s->stats);
    if (k[0] < 1 || k[1] < 1 || k[0] > taps || k[1] > taps || k[0] * k[1] != taps) return;
    lopL_pushint64s(L, k, 2);
    lua_setfield(L, -2, "kernel");
}

/* ---@param path string      of stats:save
 * ---@return lop.stats */
static int stats_load(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    lop_error err;
    lopL_stats *s = lopL_newstats(L);
    lopL_check(L, lop_stats_load(path, &s->stats, &s->more, &err), &err);
    lua_getiuservalue(L, -1, 1);
    for (int k = 0; k < TENSORS; k++) {
        const lop_tensor *t = lop_npz_find(&s->more, about_keys[k]);
        if (!t) continue;
        lopL_pushtensor(L, t);
        lua_setfield(L, -2, about_keys[k]);
    }
    take_kernel(L, s);
    lua_pop(L, 1);
    lop_npz_clear(&s->more);
    return 1;
}

/* ---- looking ---- */

/* Pushes a copy: the sums go on. */
static int push_copy(lua_State *L, const double *data, int64_t rows, int64_t columns)
{
    const lop_tensor view = {LOP_F64, {columns ? 2 : 1, {rows, columns}}, (void *)(uintptr_t)data, NULL};
    lop_error err;
    lop_tensor *t = lopL_newtensor(L);
    lopL_check(L, lop_tensor_copy(t, &view, &err), &err);
    lopL_filled(L, t);
    return 1;
}

/* Of statistics with sums. */
static lopL_stats *summed(lua_State *L)
{
    lopL_stats *s = self(L);
    if (!lop_stats_summed(s->stats)) lopL_error(L, "these statistics keep rows in place of sums");
    return s;
}

/* ---@return lop.tensor  G = sum of x x^T, float64 (c k + 1, c k + 1): x is a patch, channel by channel, and a 1 */
static int stats_gram(lua_State *L)
{
    const lopL_stats *s = summed(L);
    return push_copy(L, lop_stats_gram(s->stats), patch(s) + 1, patch(s) + 1);
}

/* ---@return lop.tensor  B = sum of x y^T, float64 (c k + 1, n) */
static int stats_cross(lua_State *L)
{
    const lopL_stats *s = summed(L);
    return push_copy(L, lop_stats_cross(s->stats), patch(s) + 1, lop_stats_filters(s->stats));
}

/* ---@return lop.tensor  sum of y^2 by filter, float64 (n) */
static int stats_energy(lua_State *L)
{
    const lopL_stats *s = summed(L);
    return push_copy(L, lop_stats_energy(s->stats), lop_stats_filters(s->stats), 0);
}

/* ---@return lop.tensor  mean of y by filter, float64 (n)
 * ---@return lop.tensor  its variance */
static int stats_targets(lua_State *L)
{
    const lopL_stats *s = summed(L);
    const int64_t n = lop_stats_filters(s->stats);
    const double rows = lop_stats_rows(s->stats), *square = lop_stats_energy(s->stats);
    if (!(rows > 0.0)) return lopL_failf(L, "arg", "stats: no rows have been added");
    push_copy(L, lop_stats_cross(s->stats) + patch(s) * n, n, 0);       /* the row of the constant 1 */
    push_copy(L, square, n, 0);
    double *mean = lopL_testtensor(L, -2)->data, *variance = lopL_testtensor(L, -1)->data;
    for (int64_t j = 0; j < n; j++) {
        mean[j] /= rows;
        variance[j] = fmax(0.0, square[j] / rows - mean[j] * mean[j]);
    }
    return 2;
}

/* ---@return lop.tensor  the share of zeros in each channel's entries (APoZ), float64 (c) */
static int stats_zeros(lua_State *L)
{
    const lop_centred *q = lopL_centred(L, self(L));
    push_copy(L, q->nonzero.data, q->c, 0);
    double *share = lopL_testtensor(L, -1)->data;
    for (int64_t i = 0; i < q->c; i++) share[i] = 1.0 - share[i];
    return 1;
}

/* Counts and names as fields; methods. */
static int stats_index(lua_State *L)
{
    const char *key = luaL_checkstring(L, 2);
    lua_getfield(L, lua_upvalueindex(1), key);
    if (!lua_isnil(L, -1)) return 1;
    const lop_stats *s = self(L)->stats;
    if (strcmp(key, "rows") == 0) lua_pushnumber(L, lop_stats_rows(s));
    else if (strcmp(key, "channels") == 0) lua_pushinteger(L, lop_stats_channels(s));
    else if (strcmp(key, "kept") == 0) lua_pushinteger(L, lop_stats_kept(s));
    else if (strcmp(key, "summed") == 0) lua_pushboolean(L, lop_stats_summed(s));
    else if (strcmp(key, "taps") == 0) lua_pushinteger(L, lop_stats_taps(s));
    else if (strcmp(key, "filters") == 0) lua_pushinteger(L, lop_stats_filters(s));
    else if (lopL_about(L, 1, key) == LUA_TNIL && strcmp(key, "kernel") == 0)
        lopL_pushint64s(L, (const int64_t[]){1, lop_stats_taps(s)}, 2);
    lua_Integer whole;
    if (lua_type(L, -1) == LUA_TNUMBER && lua_numbertointeger(lua_tonumber(L, -1), &whole)) lua_pushinteger(L, whole);
    return 1;
}

static int stats_tostring(lua_State *L)
{
    const lopL_stats *h = luaL_checkudata(L, 1, LOPL_STATS);
    const lop_stats *s = h->stats;
    if (s)
        lua_pushfstring(L, "lop.stats (%I rows, %I channels x %I taps, %I filters)", (lua_Integer)lop_stats_rows(s),
                        (lua_Integer)lop_stats_channels(s), (lua_Integer)lop_stats_taps(s),
                        (lua_Integer)lop_stats_filters(s));
    else lua_pushliteral(L, "lop.stats (closed)");
    return 1;
}

static const luaL_Reg methods[] = {{"add", stats_add},       {"merge", stats_merge},   {"save", stats_save},
                                   {"gram", stats_gram},     {"cross", stats_cross},   {"energy", stats_energy},
                                   {"targets", stats_targets},
                                   {"zeros", stats_zeros},   {"close", stats_gc},      {"project", stats_project},
                                   {NULL, NULL}};
static const luaL_Reg meta[] = {{"__gc", stats_gc}, {"__close", stats_gc}, {"__tostring", stats_tostring},
                                {NULL, NULL}};
static const luaL_Reg functions[] = {{"stats", stats_new}, {"load_stats", stats_load}, {NULL, NULL}};

int lop_open_stats(lua_State *L)
{
    lopL_choice_type(L);
    luaL_newmetatable(L, LOPL_STATS);
    luaL_setfuncs(L, meta, 0);
    luaL_newlib(L, methods);
    luaL_setfuncs(L, lopL_stats_choice, 0);
    luaL_setfuncs(L, lopL_stats_mask, 0);
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, "methods");             /* lopL_what looks there too */
    lua_pushcclosure(L, stats_index, 1);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    luaL_setfuncs(L, functions, 0);
    return 1;
}

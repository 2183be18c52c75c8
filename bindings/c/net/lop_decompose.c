/* bindings/c/net/lop_decompose.c - a layer's filters as two factors: mechanism for lop.decompose and for ranks. */
#include "decompose/decompose.h"
#include "stats/lop_stats.h"

/* Tensors first, empty; then the factors, which nothing can interrupt on their way into them. */
static int push(lua_State *L, lop_status (*find)(lua_State *L, lop_factors *out, lop_error *err))
{
    lop_tensor *first = lopL_newtensor(L), *second = lopL_newtensor(L);
    lop_factors f;
    lop_error err;
    lopL_check(L, find(L, &f, &err), &err);
    *first = f.first;
    *second = f.second;
    lopL_filled(L, first);
    lopL_filled(L, second);
    return 2;
}

static lop_status spatial(lua_State *L, lop_factors *out, lop_error *err)
{
    return lop_decompose_spatial(lopL_testtensor(L, 1), out, err);
}

/* ---@param weight lop.tensor    (n, c, kh, kw) or (n, c), float32
 * ---@return lop.tensor first    (R, c, kh, 1), best rows first
 * ---@return lop.tensor second   (n, R, 1, kw) */
static int factor_spatial(lua_State *L)
{
    lopL_checktensor(L, 1, "weight");
    lua_settop(L, 1);
    return push(L, spatial);
}

static lop_status channel(lua_State *L, lop_factors *out, lop_error *err)
{
    return lop_decompose_channel(lopL_centred(L, lopL_teststats(L, 2)), lopL_testtensor(L, 1), out, err);
}

/* ---@param weight lop.tensor    (n, c, kh, kw), float32: solved on these sums
 * ---@param stats lop.stats
 * ---@return lop.tensor first    (n, c, kh, kw), best rows first
 * ---@return lop.tensor second   (n, n, 1, 1) */
static int factor_channel(lua_State *L)
{
    lopL_checktensor(L, 1, "weight");
    lopL_checkstats(L, 2, "stats");
    lua_settop(L, 2);
    return push(L, channel);
}

static const luaL_Reg functions[] = {
    {"factor_spatial", factor_spatial}, {"factor_channel", factor_channel}, {NULL, NULL}};

int lop_open_decompose(lua_State *L)
{
    luaL_setfuncs(L, functions, 0);
    return 1;
}

/* bindings/c/tensor/lop_image.c - pictures and tensors: lop.load_image, tensor:save_png. */
#include "image/image.h"
#include "tensor/lop_tensor_impl.h"
#include <math.h>

/* ---@param path string      a JPEG or PNG
 * ---@return lop.tensor      uint8 (3, H, W), RGB, upright */
static int load_image(lua_State *L)
{
    lop_error err;
    lop_image image;
    if (lua_type(L, 1) != LUA_TSTRING) lopL_argerror(L, 1, "path", "string");
    lop_tensor *t = lopL_newtensor(L);
    lopL_check(L, lop_image_load(lua_tostring(L, 1), &image, &err), &err);
    const lop_shape shape = {3, {3, image.height, image.width}};
    const lop_status st = lop_tensor_init(t, LOP_U8, &shape, &err);
    if (st == LOP_OK) lop_image_planes(&image, 3, t->data);
    lop_image_clear(&image);
    lopL_check(L, st, &err);
    lopL_filled(L, t);
    return 1;
}

static void find_range(const lop_tensor *t, double *low, double *high)
{
    *low = INFINITY;
    *high = -INFINITY;
    for (int64_t i = 0; i < lop_tensor_size(t); i++) {
        *low = fmin(*low, lop_tensor_get(t, i));
        *high = fmax(*high, lop_tensor_get(t, i));
    }
}

/* Pushes bytes: low becomes 0, high 255, what is beyond them is cut; NaN and a range of nothing become 0. */
static const lop_tensor *push_bytes(lua_State *L, const lop_tensor *t, double low, double high)
{
    lop_tensor *bytes = lopL_zeros(L, LOP_U8, &t->shape);
    for (int64_t i = 0; high > low && i < lop_tensor_size(t); i++) {
        const double v = 255.0 * (lop_tensor_get(t, i) - low) / (high - low);
        ((uint8_t *)bytes->data)[i] = (uint8_t)(v >= 0.0 ? fmin(v, 255.0) + 0.5 : 0.0);
    }
    return bytes;
}

/* An 8-bit PNG: (H, W) or (1, H, W) is grey, (3, H, W) RGB. uint8 is written as it is; other types, and what is given a
 * range, are mapped from low..high (the least and the greatest element) to 0..255.
 * ---@param path string
 * ---@param opts {low: number?, high: number?}? */
static int save_png(lua_State *L)
{
    static const char *const keys[] = {"low", "high", NULL};
    const lop_tensor *t = lopL_checktensor(L, 1, "tensor");
    double low = 0.0, high = 255.0;
    lop_error err;
    if (lua_type(L, 2) != LUA_TSTRING) lopL_argerror(L, 2, "path", "string");
    lua_settop(L, 3);
    lopL_checkoptions(L, 3, keys);
    if (t->type != LOP_U8) find_range(t, &low, &high);
    const double from = lopL_optnumber(L, 3, "low", low), to = lopL_optnumber(L, 3, "high", high);
    if (t->type != LOP_U8 || from != 0.0 || to != 255.0) t = push_bytes(L, t, from, to);
    lopL_check(L, lop_image_save_png(lua_tostring(L, 2), t, &err), &err);
    return 0;
}

const luaL_Reg lopL_tensor_image[] = {{"save_png", save_png}, {NULL, NULL}};
static const luaL_Reg functions[] = {{"load_image", load_image}, {NULL, NULL}};

int lop_open_image(lua_State *L)
{
    luaL_setfuncs(L, functions, 0);
    return 1;
}

/* bindings/c/tensor/lop_tensor_impl.h - the type lop.tensor over its files: methods by file, and what they share. */
#ifndef LOP_TENSOR_IMPL_H
#define LOP_TENSOR_IMPL_H
#include "lua/lop_lua.h"

extern const luaL_Reg lopL_tensor_math[];       /* methods */
extern const luaL_Reg lopL_tensor_math_meta[];  /* metamethods */
extern const luaL_Reg lopL_tensor_reduce[];     /* methods */
extern const luaL_Reg lopL_tensor_image[];      /* methods */
int lopL_tensor_tostring(lua_State *L);
void lopL_tensor_type(lua_State *L);             /* makes the metatable */

/* A dimension: 1 to ndim, or -1 for the last one, -2 ...; from 0. nil is `otherwise` (from 0). */
int lopL_dim(lua_State *L, int arg, const lop_tensor *t, int otherwise);
/* Pushes a tensor of zeros that Lua owns. */
lop_tensor *lopL_zeros(lua_State *L, lop_dtype type, const lop_shape *shape);
/* Pushes an element: an integer for integral types, else a number. */
void lopL_pushelement(lua_State *L, const lop_tensor *t, int64_t index);
#endif

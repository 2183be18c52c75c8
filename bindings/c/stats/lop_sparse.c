/* bindings/c/stats/lop_sparse.c - sparse coding's two steps and its objective; the alternation is Lua (lop.sparse). */
#include "lasso/lasso.h"
#include "lua/lop_lua.h"

static const char *const keys[] = {"rho", "eta", "nu", "tol", "lambda", "start", NULL};

/* Pushes the argument as float64. */
static lop_tensor *matrix(lua_State *L, const lop_tensor *from)
{
    lop_error err;
    lop_tensor *to = lopL_newtensor(L);
    lopL_check(L, lop_tensor_cast(to, from, LOP_F64, &err), &err);
    lopL_filled(L, to);
    return to;
}

static lop_sparse_options options(lua_State *L, int arg)
{
    lop_error err;
    lop_sparse_options o = {.eta = lopL_number(L, arg, "eta"), .nu = lopL_optnumber(L, arg, "nu", 1.0),
                            .tol = lopL_optnumber(L, arg, "tol", 1e-9)};
    lopL_check(L, lop_rho_of(lopL_optstring(L, arg, "rho", "l1"), &o.rho, &err), &err);
    return o;
}

/* ---@param x lop.tensor        (samples, d)
 * ---@param basis lop.tensor    (atoms, d)
 * ---@param opts {eta: number, rho: string?, nu: number?, tol: number?, start: lop.tensor?}
 *        start: codes to begin with
 * ---@return lop.tensor codes   float64 (samples, atoms) */
static int sparse_codes(lua_State *L)
{
    const lop_tensor *x = lopL_checktensor(L, 1, "x"), *basis = lopL_checktensor(L, 2, "basis");
    lop_error err;
    lua_settop(L, 3);
    lopL_checkoptions(L, 3, keys);
    const lop_sparse_options o = options(L, 3);
    const lop_tensor *start = lopL_opttensor(L, 3, "start");
    x = matrix(L, x);
    basis = matrix(L, basis);
    lop_tensor *z;
    if (start) z = matrix(L, start);
    else {
        z = lopL_newtensor(L);
        const int64_t N = x->shape.ndim ? x->shape.dim[0] : 1, k = basis->shape.ndim ? basis->shape.dim[0] : 1;
        lopL_check(L, lop_tensor_init(z, LOP_F64, &(lop_shape){2, {N, k}}, &err), &err);
        lopL_filled(L, z);
    }
    lopL_check(L, lop_sparse_codes(x, basis, &o, lopL_team(L), z, &err), &err);
    return 1;
}

/* ---@param x lop.tensor        (samples, d)
 * ---@param codes lop.tensor    (samples, atoms)
 * ---@param basis lop.tensor    (atoms, d), of norm 1 at most: where to start
 * ---@param opts {lambda: number?}?
 * ---@return lop.tensor basis   float64 (atoms, d) */
static int sparse_basis(lua_State *L)
{
    const lop_tensor *x = lopL_checktensor(L, 1, "x"), *z = lopL_checktensor(L, 2, "codes");
    const lop_tensor *from = lopL_checktensor(L, 3, "basis");
    lop_error err;
    lua_settop(L, 4);
    lopL_checkoptions(L, 4, keys);
    const double lambda = lopL_optnumber(L, 4, "lambda", 0.0);
    x = matrix(L, x);
    z = matrix(L, z);
    lop_tensor *basis = matrix(L, from);
    lopL_check(L, lop_sparse_basis(x, z, lambda, basis, &err), &err);
    return 1;
}

/* ---@param x lop.tensor
 * ---@param codes lop.tensor
 * ---@param basis lop.tensor
 * ---@param opts {eta: number, rho: string?, nu: number?, lambda: number?}
 * ---@return number             sum |x - A z|^2 + eta sum rho(z) + lambda / 2 |A|^2 */
static int sparse_objective(lua_State *L)
{
    const lop_tensor *x = lopL_checktensor(L, 1, "x"), *z = lopL_checktensor(L, 2, "codes");
    const lop_tensor *basis = lopL_checktensor(L, 3, "basis");
    lop_error err;
    double objective;
    lua_settop(L, 4);
    lopL_checkoptions(L, 4, keys);
    const lop_sparse_options o = options(L, 4);
    const double lambda = lopL_optnumber(L, 4, "lambda", 0.0);
    x = matrix(L, x);
    z = matrix(L, z);
    basis = matrix(L, basis);
    lopL_check(L, lop_sparse_objective(x, basis, z, &o, lambda, &objective, &err), &err);
    lua_pushnumber(L, objective);
    return 1;
}

static const luaL_Reg functions[] = {{"sparse_codes", sparse_codes}, {"sparse_basis", sparse_basis},
                                     {"sparse_objective", sparse_objective}, {NULL, NULL}};

int lop_open_sparse(lua_State *L)
{
    luaL_setfuncs(L, functions, 0);
    return 1;
}

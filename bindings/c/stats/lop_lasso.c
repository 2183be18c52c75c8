/* bindings/c/stats/lop_lasso.c - the LASSO problem of a layer as a value, and the paper's alternation: mechanism for
 * the schedules and paths of the Lua half. */
#include "stats/lop_stats.h"
#include <string.h>

#define LASSO "lop.lasso"
#define ALTERNATION "lop.alternation"

/* ---- one problem ---- */

typedef struct { lop_lasso lasso; lop_lasso_choice choice; } problem;

static int lasso_gc(lua_State *L)
{
    problem *p = luaL_checkudata(L, 1, LASSO);
    lop_lasso_clear(&p->lasso);
    lop_lasso_choice_clear(&p->choice);
    *p = (problem){0};
    return 0;
}

static problem *check_lasso(lua_State *L)
{
    problem *p = luaL_testudata(L, 1, LASSO);
    if (!p) lopL_argerror(L, 1, "lasso", LASSO);
    if (!p->lasso.live) lopL_error(L, "lasso: closed");
    return p;
}

static problem *new_lasso(lua_State *L)
{
    problem *p = lua_newuserdatauv(L, sizeof *p, 0);
    *p = (problem){0};
    luaL_setmetatable(L, LASSO);
    return p;
}

/* From {gram =, cross =, energy =, rows =}, or from statistics and the options of a choice. With `stay` the problem is
 * that of the other channels, numbered from 1 among themselves.
 * ---@param from lop.stats|{gram: lop.tensor, cross: lop.tensor, energy: number, rows: number}
 * ---@param opts table?          as lopL_newchoice
 * ---@return lop.lasso */
static int lasso_new(lua_State *L)
{
    static const char *const keys[] = {"gram", "cross", "energy", "rows", "nonnegative", NULL};
    lop_error err;
    lua_settop(L, 2);
    problem *p = new_lasso(L);
    if (lua_istable(L, 1)) {
        lopL_checkoptions(L, 1, keys);
        const lop_lasso_options o = {.nonnegative = lopL_optboolean(L, 1, "nonnegative", false)};
        const lop_tensor *gram = lopL_opttensor(L, 1, "gram"), *cross = lopL_opttensor(L, 1, "cross");
        if (!gram || !cross) return lopL_error(L, "%s is missing, lop.tensor expected", gram ? "cross" : "gram");
        const double energy = lopL_number(L, 1, "energy"), rows = lopL_number(L, 1, "rows");
        lopL_check(L, lop_lasso_from(gram, cross, energy, rows, &o, &p->lasso, &err), &err);
        return 1;
    }
    const lopL_choice *c = lopL_newchoice(L, 1, 2);
    const lop_lasso_options o = {.nonnegative = c->in.nonnegative};
    lopL_check(L, lop_lasso_init(c->in.centred, c->in.weight, c->in.consumers, &o, &p->lasso, &err), &err);
    if (c->stay) {
        problem *rest = new_lasso(L);
        int64_t *list = lua_newuserdatauv(L, (size_t)p->lasso.c * sizeof *list, 0), count = 0;
        for (int64_t i = 0; i < p->lasso.c; i++)
            if (!c->stay[i]) list[count++] = i;
        lopL_check(L, lop_lasso_given(&p->lasso, list, count, &rest->lasso, &err), &err);
        lua_pop(L, 1);
        return 1;           /* rest */
    }
    lua_pushvalue(L, 3);
    return 1;
}

/* Pushes channels, beta, lambda, error. */
static int push_choice(lua_State *L, const lop_lasso_choice *choice)
{
    lopL_pushchannels(L, choice->channel, choice->count);
    lua_createtable(L, (int)choice->count, 0);
    for (int64_t i = 0; i < choice->count; i++) {
        lua_pushnumber(L, choice->beta[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_pushnumber(L, choice->lambda);
    lua_pushnumber(L, choice->error);
    return 4;
}

/* ---@param width integer
 * ---@param opts {progress: function?}?
 * ---@return integer[] channels  exactly width of them, from 1, ascending
 * ---@return number[] beta       of each
 * ---@return number lambda       where beta was taken
 * ---@return number error        relative, of beta */
static int lasso_width(lua_State *L)
{
    static const char *const keys[] = {"progress", NULL};
    problem *p = check_lasso(L);
    const int64_t width = luaL_checkinteger(L, 2);
    lopL_progress progress;
    lop_error err;
    lua_settop(L, 3);
    lopL_checkoptions(L, 3, keys);
    lopL_progress_init(L, 3, &progress);
    lop_lasso_choice_clear(&p->choice);
    p->lasso.progress = &progress.progress;
    const lop_status st = lop_lasso_width(&p->lasso, width, &p->choice, &err);
    p->lasso.progress = NULL;
    lopL_progress_check(L, &progress, st, &err);
    return push_choice(L, &p->choice);
}

/* Pushes a copy of the argument, or zeros for nil. */
static lop_tensor *push_beta(lua_State *L, int arg, const problem *p)
{
    lop_error err;
    const lop_tensor *from = lua_isnoneornil(L, arg) ? NULL : lopL_checktensor(L, arg, "beta");
    lop_tensor *beta = lopL_newtensor(L);
    const lop_shape shape = {1, {p->lasso.c}};
    if (from) lopL_check(L, lop_expect_f64(from, "beta", shape, &err), &err);
    lopL_check(L, from ? lop_tensor_copy(beta, from, &err) : lop_tensor_init(beta, LOP_F64, &shape, &err), &err);
    return beta;
}

/* ---@param lambda number
 * ---@param beta lop.tensor?     where to start, float64 (c)
 * ---@return lop.tensor beta
 * ---@return integer active      how many are not 0 */
static int lasso_solve(lua_State *L)
{
    problem *p = check_lasso(L);
    const double lambda = luaL_checknumber(L, 2);
    int64_t active;
    lop_error err;
    lop_tensor *beta = push_beta(L, 3, p);
    lopL_check(L, lop_lasso_at(&p->lasso, lambda, 1e-9, beta, &active, &err), &err);
    lua_pushinteger(L, active);
    return 2;
}

/* ---@param beta lop.tensor      found at lambda
 * ---@param lambda number
 * ---@param width integer        its support, cut or filled up to this
 * ---@return integer[] channels, number[] beta, number lambda, number error */
static int lasso_exact(lua_State *L)
{
    problem *p = check_lasso(L);
    const double lambda = luaL_checknumber(L, 3);
    const int64_t width = luaL_checkinteger(L, 4);
    const lop_tensor *beta = push_beta(L, 2, p);
    lop_error err;
    lop_lasso_choice_clear(&p->choice);
    lopL_check(L, lop_lasso_exact(&p->lasso, beta->data, lambda, width, &p->choice, &err), &err);
    return push_choice(L, &p->choice);
}

static int lasso_index(lua_State *L)
{
    const char *key = luaL_checkstring(L, 2);
    lua_getfield(L, lua_upvalueindex(1), key);
    if (!lua_isnil(L, -1)) return 1;
    const problem *p = check_lasso(L);
    if (strcmp(key, "channels") == 0) lua_pushinteger(L, p->lasso.c);
    if (strcmp(key, "live") == 0) lua_pushinteger(L, p->lasso.count);
    if (strcmp(key, "top") == 0) lua_pushnumber(L, lop_lasso_top(&p->lasso));
    return 1;
}

/* ---- the alternation ---- */

typedef struct { lop_alternation *a; lopL_choice *input; lop_choice choice; } alternation;      /* user value: input */

static int alternation_gc(lua_State *L)
{
    alternation *h = luaL_checkudata(L, 1, ALTERNATION);
    lop_alternation_free(h->a);
    lop_choice_clear(&h->choice);
    *h = (alternation){0};
    return 0;
}

static alternation *check_alternation(lua_State *L)
{
    alternation *h = luaL_testudata(L, 1, ALTERNATION);
    if (!h) lopL_argerror(L, 1, "alternation", ALTERNATION);
    if (!h->a) lopL_error(L, "alternation: closed");
    return h;
}

/* ---@param stats lop.stats
 * ---@param opts table?          as lopL_newchoice
 * ---@return lop.alternation */
static int alternation_new(lua_State *L)
{
    lop_error err;
    lua_settop(L, 2);
    alternation *h = lua_newuserdatauv(L, sizeof *h, 1);
    *h = (alternation){0};
    luaL_setmetatable(L, ALTERNATION);
    h->input = lopL_newchoice(L, 1, 2);
    lua_setiuservalue(L, 3, 1);
    lopL_check(L, lop_alternation_new(&h->input->in, &h->a, &err), &err);
    return 1;
}

/* ---@param lambda number
 * ---@param opts {progress: function?}?
 * ---@return integer active      channels left */
static int alternation_step(lua_State *L)
{
    static const char *const keys[] = {"progress", NULL};
    alternation *h = check_alternation(L);
    const double lambda = luaL_checknumber(L, 2);
    lopL_progress progress;
    lop_error err;
    lua_settop(L, 3);
    lopL_checkoptions(L, 3, keys);
    lopL_progress_init(L, 3, &progress);
    h->input->progress = progress.progress;
    const lop_status st = lop_alternation_step(h->a, lambda, &err);
    h->input->progress = (lop_progress){0};
    lopL_progress_check(L, &progress, st, &err);
    lua_pushinteger(L, lop_alternation_active(h->a));
    return 1;
}

static int alternation_restart(lua_State *L)
{
    alternation *h = check_alternation(L);
    lop_alternation_restart(h->a);
    lua_pushinteger(L, lop_alternation_active(h->a));
    return 1;
}

/* ---@return number              the lambda from which on the next step leaves nothing */
static int alternation_top(lua_State *L)
{
    double top;
    lop_error err;
    lopL_check(L, lop_alternation_top(check_alternation(L)->a, &top, &err), &err);
    lua_pushnumber(L, top);
    return 1;
}

/* ---@return integer             channels left */
static int alternation_active(lua_State *L)
{
    lua_pushinteger(L, lop_alternation_active(check_alternation(L)->a));
    return 1;
}

/* ---@param width integer
 * ---@return integer[] channels  exactly width, from 1, ascending */
static int alternation_choice(lua_State *L)
{
    alternation *h = check_alternation(L);
    const int64_t width = luaL_checkinteger(L, 2);
    lop_error err;
    lop_choice_clear(&h->choice);
    lopL_check(L, lop_alternation_choice(h->a, width, &h->choice, &err), &err);
    lopL_pushchannels(L, h->choice.channel, h->choice.count);
    return 1;
}

static const luaL_Reg lasso_methods[] = {{"width", lasso_width}, {"solve", lasso_solve}, {"exact", lasso_exact},
                                         {"close", lasso_gc},    {NULL, NULL}};
static const luaL_Reg lasso_meta[] = {{"__gc", lasso_gc}, {"__close", lasso_gc}, {NULL, NULL}};
static const luaL_Reg alternation_methods[] = {
    {"step", alternation_step},     {"restart", alternation_restart}, {"top", alternation_top},
    {"active", alternation_active}, {"choice", alternation_choice},   {"close", alternation_gc}, {NULL, NULL}};
static const luaL_Reg alternation_meta[] = {{"__gc", alternation_gc}, {"__close", alternation_gc}, {NULL, NULL}};
static const luaL_Reg functions[] = {{"lasso", lasso_new}, {"alternation", alternation_new}, {NULL, NULL}};

int lop_open_lasso(lua_State *L)
{
    lopL_newtype(L, ALTERNATION, alternation_meta, alternation_methods);
    luaL_newmetatable(L, LASSO);
    luaL_setfuncs(L, lasso_meta, 0);
    luaL_newlib(L, lasso_methods);
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, "methods");
    lua_pushcclosure(L, lasso_index, 1);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    luaL_setfuncs(L, functions, 0);
    return 1;
}

/* bindings/c/net/lop_bench.c - lop.time: how long runs of a network take, whole or layer by layer. */
#include "net/lop_net.h"
#include "base/base.h"
#include <string.h>

/* One seeded input for each input of the net, `batch` images; pushed as tensors that Lua owns. */
static int push_inputs(lua_State *L, const lop_graph *g, const lop_shapes *s, int64_t batch, lop_tensor in[16])
{
    int n = 0;
    for (int i = 0; i < g->ninput && n < 16; i++) {
        const int v = g->input[i];
        if (lop_value_is_initializer(g->value[v])) continue;
        lop_shape shape = s->value[v].shape;
        lop_error err;
        if (s->value[v].type != LOP_F32) lopL_error(L, "input '%s' is no float32", g->value[v]->name);
        if (shape.ndim > 0) shape.dim[0] *= batch;
        luaL_checkstack(L, 1, NULL);
        lop_tensor *t = lopL_newtensor(L);
        lopL_check(L, lop_tensor_init(t, LOP_F32, &shape, &err), &err);
        for (int64_t k = 0; k < lop_tensor_size(t); k++)
            ((float *)t->data)[k] = (float)lop_random_normal(1, LOP_STREAM_USER, (uint64_t)k);
        in[n++] = *t;
    }
    return n;
}

/* Seconds of runs before any is timed: by then the system has put each thread on a processor of its own. */
#define WARM 0.1

static void run_once(lua_State *L, lop_exec *e, int nout, const lop_tensor *in, double *seconds)
{
    lop_tensor out[16];
    lop_error err;
    const double begin = lop_seconds();
    lopL_check(L, lop_exec_run(e, lopL_team(L), in, out, &err), &err);
    *seconds = lop_seconds() - begin;
    for (int i = 0; i < nout; i++) lop_tensor_clear(&out[i]);
}

static void push_steps(lua_State *L, lop_exec *e, const lop_tensor *in, int repeat)
{
    lop_exec_step *steps;
    int count;
    lop_error err;
    lopL_check(L, lop_exec_profile(e, lopL_team(L), in, repeat, &steps, &count, &err), &err);
    /* A copy that Lua owns, so that an error while the table is made leaks nothing. */
    lop_exec_step *own = lua_newuserdatauv(L, (size_t)count * sizeof *own + 1, 0);
    if (count > 0) memcpy(own, steps, (size_t)count * sizeof *own);
    lop_free(steps);
    lua_createtable(L, count, 0);
    for (int i = 0; i < count; i++) {
        lua_createtable(L, 0, 4);
        lua_pushstring(L, own[i].label);
        lua_setfield(L, -2, "name");
        lua_pushstring(L, own[i].op);
        lua_setfield(L, -2, "op");
        lua_pushnumber(L, own[i].seconds);
        lua_setfield(L, -2, "seconds");
        lua_pushinteger(L, own[i].macs);
        lua_setfield(L, -2, "macs");
        lua_rawseti(L, -2, i + 1);
    }
}

/* ---@param net lop.net
 * ---@param opts {batch: integer?, repeats: integer?, warmup: integer?, layers: boolean?}?
 * ---@return number[]        seconds of each run, in order; with layers: {name, op, seconds, macs} of each step */
static int bench_time(lua_State *L)
{
    static const char *const keys[] = {"batch", "repeats", "warmup", "layers", NULL};
    const lop_graph *g = lopL_checknet(L, 1);
    lop_tensor in[16];
    lop_error err;
    lua_settop(L, 2);
    lopL_checkoptions(L, 2, keys);
    const int64_t batch = lopL_optinteger(L, 2, "batch", 1), repeats = lopL_optinteger(L, 2, "repeats", 20);
    const int64_t warmup = lopL_optinteger(L, 2, "warmup", 3);
    if (batch < 1 || repeats < 1 || repeats > 100000 || warmup < 0)
        return lopL_error(L, "batch and repeats: 1 or more expected");
    if (g->noutput > 16) return lopL_error(L, "the net has %d outputs, 16 at most", g->noutput);
    lopL_work *h = lopL_infer(L, g, NULL);
    lopL_check(L, lop_exec_new(g, &h->shapes, NULL, &h->exec, &err), &err);
    if (batch > 1 && !lop_exec_per_image(h->exec)) return lopL_error(L, "the net joins images: batch 1 only");
    push_inputs(L, g, &h->shapes, batch, in);
    if (lopL_optboolean(L, 2, "layers", false)) {
        push_steps(L, h->exec, in, (int)repeats);
        return 1;
    }
    double seconds;
    const double begin = lop_seconds();
    for (int64_t i = 0; i < warmup || lop_seconds() - begin < WARM; i++) run_once(L, h->exec, g->noutput, in, &seconds);
    lua_createtable(L, (int)repeats, 0);
    for (int64_t i = 1; i <= repeats; i++) {
        run_once(L, h->exec, g->noutput, in, &seconds);
        lua_pushnumber(L, seconds);
        lua_rawseti(L, -2, i);
    }
    return 1;
}

static const luaL_Reg functions[] = {{"time", bench_time}, {NULL, NULL}};

int lop_open_bench(lua_State *L)
{
    luaL_setfuncs(L, functions, 0);
    return 1;
}

/* bindings/c/data/lop_dataset.c - data sets: lop.data and the methods of what it returns. */
#include "data/data.h"
#include "lua/lop_lua.h"
#include <stdlib.h>
#include <string.h>

#define LOPL_DATA "lop.data"

#define LOPL_FILES "lop.data.files"
#define LOPL_BATCHES "lop.data.batches"

/* What was opened is a userdata of its own, user value 1 of the sets and batches that read it: it goes when all have.
 * */
typedef struct {
    const lop_data *from;       /* NULL: closed */
    int64_t *index;             /* of the images, size of them */
    int64_t size;
    lop_preprocess preprocess;
} dataset;

static int files_gc(lua_State *L)
{
    lop_data **d = luaL_checkudata(L, 1, LOPL_FILES);
    lop_data_free(*d);
    *d = NULL;
    return 0;
}

static int data_gc(lua_State *L)
{
    dataset *d = luaL_checkudata(L, 1, LOPL_DATA);
    lop_free(d->index);
    *d = (dataset){0};
    return 0;
}

static dataset *new_set(lua_State *L)
{
    dataset *d = lua_newuserdatauv(L, sizeof *d, 1);
    *d = (dataset){0};
    luaL_setmetatable(L, LOPL_DATA);
    return d;
}

static dataset *check_set(lua_State *L)
{
    dataset *d = luaL_testudata(L, 1, LOPL_DATA);
    if (!d) lopL_argerror(L, 1, "set", "lop.data");
    if (!d->from) lopL_error(L, "data set: closed");
    return d;
}

static lop_status open_spec(const char *spec, const char *split, const int64_t input[3], lop_data **out, lop_error *err)
{
    lop_data_spec s;
    lop_status st = lop_data_spec_parse(spec, &s, err);
    if (st != LOP_OK) return st;
    const bool splits = strcmp(s.kind, "mnist") == 0 || strcmp(s.kind, "cifar10") == 0;
    if (splits && !s.options.split) s.options.split = split;
    memcpy(s.options.input, input, sizeof s.options.input);
    st = lop_data_open(s.kind, s.path, &s.options, out, err);
    lop_data_spec_clear(&s);
    return st;
}

/* options.input: the last three of the dimensions that a model reads, or zeros. */
static void read_input(lua_State *L, int arg, int64_t input[3])
{
    int64_t count = 0;
    memset(input, 0, 3 * sizeof *input);
    if (lopL_getoption(L, arg, "input") != LUA_TNIL) {
        const int64_t *list = lopL_int64s(L, lua_gettop(L), "input", &count);
        for (int64_t i = 0; count >= 3 && i < 3; i++) input[i] = list[count - 3 + i];
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

/* ---@param spec string      KIND:PATH[?key=value&...]
 * ---@param opts {preprocess: string, split: string?, input: integer[]?}  split: where the spec names none; input: (C,
 * ---        H, W) or (N, C, H, W) of the model, which pictures are made to fit where the spec has no size
 * ---@return lop.data */
static int data_open(lua_State *L)
{
    static const char *const keys[] = {"preprocess", "split", "input", NULL};
    const char *spec = luaL_checkstring(L, 1);
    lua_settop(L, 2);
    lopL_checkoptions(L, 2, keys);
    const char *preprocess = lopL_optstring(L, 2, "preprocess", NULL);
    int64_t input[3];
    read_input(L, 2, input);
    dataset *d = new_set(L);
    lop_data **files = lua_newuserdatauv(L, sizeof *files, 0);
    *files = NULL;
    luaL_setmetatable(L, LOPL_FILES);
    lua_setiuservalue(L, -2, 1);
    lop_error err;
    if (!preprocess)
        return lopL_failf(L, "usage", "no preprocessing is known: none, unit, imagenet, cifar10, caffe or "
                         "mean=127&std=128&order=rgb");
    if (lop_preprocess_parse(preprocess, &d->preprocess, &err) != LOP_OK)
        return lopL_failf(L, "usage", "%s", err.message);
    const lop_status st = open_spec(spec, lopL_optstring(L, 2, "split", "train"), input, files, &err);
    if (st == LOP_E_ARG) return lopL_failf(L, "usage", "%s", err.message);
    lopL_check(L, st, &err);
    d->size = lop_data_size(*files);
    d->index = lop_array(d->size, sizeof *d->index, &err);
    if (!d->index) return lopL_fail(L, &err);
    for (int64_t i = 0; i < d->size; i++) d->index[i] = i;
    d->from = *files;
    return 1;
}

/* ---@param first integer    from 1
 * ---@param n integer
 * ---@return lop.tensor x    float32 (n, C, H, W), preprocessed
 * ---@return integer[]?      labels, from 0; nil where the set has none */
static int data_batch(lua_State *L)
{
    const dataset *d = check_set(L);
    const int64_t first = luaL_checkinteger(L, 2) - 1, n = luaL_checkinteger(L, 3);
    lop_error err;
    if (first < 0 || n < 1 || n > d->size || first > d->size - n)
        return lopL_error(L, "images %I to %I of %I", (lua_Integer)first + 1, (lua_Integer)(first + n),
                          (lua_Integer)d->size);
    int64_t *labels = lua_newuserdatauv(L, (size_t)n * sizeof *labels, 0);
    lop_tensor *x = lopL_newtensor(L);
    lopL_check(L, lop_data_read(d->from, d->index + first, n, &d->preprocess, x, labels, &err), &err);
    lopL_filled(L, x);
    if (!lop_data_labelled(d->from)) return 1;
    lopL_pushint64s(L, labels, n);
    return 2;
}

/* ---- batch after batch ---- */

typedef struct { lop_batches *batches; int64_t *labels, next; bool labelled; } batch_reader;

static int batches_gc(lua_State *L)
{
    batch_reader *r = luaL_checkudata(L, 1, LOPL_BATCHES);
    lop_batches_free(r->batches);
    lop_free(r->labels);
    *r = (batch_reader){0};
    return 0;
}

static int batches_next(lua_State *L)
{
    batch_reader *r = luaL_checkudata(L, lua_upvalueindex(1), LOPL_BATCHES);
    lop_error err;
    int64_t n;
    if (!r->batches) return 0;
    lua_pushinteger(L, r->next);
    lop_tensor *x = lopL_newtensor(L);
    lopL_check(L, lop_batches_next(r->batches, x, r->labels, &n, &err), &err);
    if (n == 0) return 0;
    lopL_filled(L, x);
    r->next += n;
    if (!r->labelled) return 2;
    lopL_pushint64s(L, r->labels, n);
    return 3;
}

/* for first, x, labels in set:batches(n): all images, n at a time, in order; pictures are decoded ahead.
 * ---@param n integer        images of a batch; the last one has fewer
 * ---@return function next   gives first (from 1), x and labels as set:batch does */
static int data_batches(lua_State *L)
{
    const dataset *d = check_set(L);
    const int64_t n = luaL_checkinteger(L, 2);
    const int threads = lopL_threads(L, 0);
    lop_error err;
    if (n < 1) return lopL_error(L, "batches of %I images: 1 or more expected", (lua_Integer)n);
    batch_reader *r = lua_newuserdatauv(L, sizeof *r, 1);
    *r = (batch_reader){.next = 1, .labelled = lop_data_labelled(d->from)};
    luaL_setmetatable(L, LOPL_BATCHES);
    lua_getiuservalue(L, 1, 1);
    lua_setiuservalue(L, -2, 1);
    r->labels = lop_array(n < d->size ? n : d->size, sizeof *r->labels, &err);
    if (!r->labels) return lopL_fail(L, &err);
    lopL_check(L, lop_batches_new(d->from, d->index, d->size, n, &d->preprocess, (threads + 1) / 2, &r->batches, &err),
               &err);
    lua_pushvalue(L, -1);
    lua_pushcclosure(L, batches_next, 1);
    lua_pushnil(L);
    lua_pushnil(L);
    lua_pushvalue(L, -4);               /* closed when the loop ends */
    return 4;
}

/* Pushes a set of n images of set d (the argument 1); the caller fills index with places in d, then calls settle. */
static dataset *new_part(lua_State *L, const dataset *d, int64_t n)
{
    lop_error err;
    dataset *part = new_set(L);
    lua_getiuservalue(L, 1, 1);
    lua_setiuservalue(L, -2, 1);
    part->preprocess = d->preprocess;
    part->index = lop_array(n, sizeof *part->index, &err);
    if (!part->index) lopL_fail(L, &err);
    part->size = n;
    return part;
}

static void settle(const dataset *d, dataset *part)
{
    for (int64_t i = 0; i < part->size; i++) part->index[i] = d->index[part->index[i]];
    part->from = d->from;
}

/* ---@param n integer
 * ---@param seed integer?    0
 * ---@return lop.data        n of its images, drawn by the seed, in order */
static int data_take(lua_State *L)
{
    const dataset *d = check_set(L);
    const int64_t n = luaL_checkinteger(L, 2);
    const uint64_t seed = (uint64_t)luaL_optinteger(L, 3, 0);
    lop_error err;
    dataset *part = new_part(L, d, n);
    lopL_check(L, lop_data_subset(d->size, n, seed, part->index, &err), &err);
    settle(d, part);
    return 1;
}

/* Splits off n images, drawn by the seed.
 * ---@param n integer
 * ---@param seed integer?    0
 * ---@return lop.data part   those n, in order
 * ---@return lop.data rest   the others, in order */
static int data_split(lua_State *L)
{
    const dataset *d = check_set(L);
    const int64_t n = luaL_checkinteger(L, 2);
    const uint64_t seed = (uint64_t)luaL_optinteger(L, 3, 0);
    lop_error err;
    if (n < 1 || n >= d->size)
        return lopL_error(L, "%I of %I images split off: 1 to all but one expected", (lua_Integer)n,
                          (lua_Integer)d->size);
    dataset *part = new_part(L, d, n), *rest = new_part(L, d, d->size - n);
    lopL_check(L, lop_data_subset(d->size, n, seed, part->index, &err), &err);
    for (int64_t i = 0, k = 0; i < d->size; i++) {
        if (k < n && part->index[k] == i) k++;
        else rest->index[i - k] = i;
    }
    settle(d, part);
    settle(d, rest);
    return 2;
}

static int by_bytes(const void *a, const void *b) { return memcmp(a, b, sizeof(lop_digest)); }

/* Pushes the digests of a set's images, as userdata. */
static lop_digest *push_digests(lua_State *L, const dataset *d)
{
    lop_digest *list = lua_newuserdatauv(L, (size_t)d->size * sizeof *list + 1, 0);
    lop_error err;
    lopL_check(L, lop_data_hash(d->from, d->index, d->size, lopL_team(L), list, &err), &err);
    return list;
}

/* ---@param other lop.data
 * ---@return lop.data rest     the images whose content is not in the other set
 * ---@return integer dropped   how many were */
static int data_without(lua_State *L)
{
    const dataset *d = check_set(L), *other = luaL_checkudata(L, 2, LOPL_DATA);
    if (!other->from) return lopL_error(L, "data set: closed");
    lop_digest *seen = push_digests(L, other);
    const lop_digest *own = push_digests(L, d);
    qsort(seen, (size_t)other->size, sizeof *seen, by_bytes);
    dataset *rest = new_part(L, d, d->size);
    int64_t kept = 0;
    for (int64_t i = 0; i < d->size; i++)
        if (!bsearch(&own[i], seen, (size_t)other->size, sizeof *seen, by_bytes)) rest->index[kept++] = i;
    rest->size = kept;
    settle(d, rest);
    lua_pushinteger(L, d->size - kept);
    return 2;
}

static int data_len(lua_State *L)
{
    lua_pushinteger(L, check_set(L)->size);
    return 1;
}

static void push_lines(lua_State *L, const lop_data *d, int64_t count, const char *(*line)(const lop_data *, int64_t))
{
    lua_newtable(L);
    for (int64_t i = 0; i < count; i++) {
        lua_pushstring(L, line(d, i));
        lua_rawseti(L, -2, i + 1);
    }
}

/* Fields: classes; labelled; shape, (C, H, W) of an image; bytes, of all images as they are kept; notes, lines about
 * what was passed over when the set was opened; files, paths that it is read from. */
static int data_index(lua_State *L)
{
    static const char *const fields[] = {"classes", "labelled", "shape", "bytes", "notes", "files", NULL};
    const dataset *d = check_set(L);
    const char *name = luaL_checkstring(L, 2);
    int k = 0;
    while (fields[k] && strcmp(fields[k], name) != 0) k++;
    const lop_shape shape = lop_data_shape(d->from);
    switch (k) {
    case 0: lua_pushinteger(L, lop_data_classes(d->from)); break;
    case 1: lua_pushboolean(L, lop_data_labelled(d->from)); break;
    case 2: lopL_pushint64s(L, shape.dim, shape.ndim); break;
    case 3: lua_pushinteger(L, (lua_Integer)lop_data_bytes(d->from)); break;
    case 4: push_lines(L, d->from, lop_data_notes(d->from), lop_data_note); break;
    case 5: push_lines(L, d->from, lop_data_files(d->from), lop_data_file); break;
    default: lua_getfield(L, lua_upvalueindex(1), name);
    }
    return 1;
}

static int data_tostring(lua_State *L)
{
    const dataset *d = check_set(L);
    const lop_shape s = lop_data_shape(d->from);
    char text[96];
    lua_pushfstring(L, "lop.data (%I images, %s)", (lua_Integer)d->size, lop_shape_text(&s, text, sizeof text));
    return 1;
}

static const luaL_Reg methods[] = {
    {"batch", data_batch}, {"batches", data_batches}, {"take", data_take}, {"split", data_split},
    {"without", data_without}, {NULL, NULL}};
static const luaL_Reg meta[] = {{"__gc", data_gc}, {"__close", data_gc}, {"__len", data_len},
                                {"__tostring", data_tostring}, {NULL, NULL}};
static const luaL_Reg files_meta[] = {{"__gc", files_gc}, {NULL, NULL}};
static const luaL_Reg batches_meta[] = {{"__gc", batches_gc}, {"__close", batches_gc}, {NULL, NULL}};
static const luaL_Reg functions[] = {{"data", data_open}, {NULL, NULL}};

int lop_open_dataset(lua_State *L)
{
    luaL_newmetatable(L, LOPL_FILES);
    luaL_setfuncs(L, files_meta, 0);
    luaL_newmetatable(L, LOPL_BATCHES);
    luaL_setfuncs(L, batches_meta, 0);
    lua_pop(L, 2);
    luaL_newmetatable(L, LOPL_DATA);
    luaL_setfuncs(L, meta, 0);
    luaL_newlib(L, methods);
    lua_pushcclosure(L, data_index, 1);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    luaL_setfuncs(L, functions, 0);
    return 1;
}

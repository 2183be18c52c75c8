/* bindings/c/net/lop_groups.c - a net's methods about channel groups: what goes together, its cut, dead channels. */
#include "net/lop_net.h"
#include <string.h>

static void set_text(lua_State *L, const char *key, const char *value)
{
    lua_pushstring(L, value);
    lua_setfield(L, -2, key);
}

static void push_nodes(lua_State *L, const lop_graph *g, const char *key, const int *list, int n)
{
    lua_createtable(L, n, 0);
    for (int i = 0; i < n; i++) {
        lua_pushstring(L, lop_node_label(g, g->node[list[i]]));
        lua_rawseti(L, -2, i + 1);
    }
    lua_setfield(L, -2, key);
}

static lopL_work *find_groups(lua_State *L, const lop_graph *g)
{
    lopL_work *h = lopL_infer(L, g, NULL);
    lop_error err;
    lopL_check(L, lop_groups_find(g, &h->shapes, &h->groups, &err), &err);
    return h;
}

/* ---@return table[]  channels that are cut together: name, width, kind, producers, consumers, prunable, reason,
 *                   blocker */
int lopL_net_groups(lua_State *L)
{
    const lop_graph *g = lopL_checknet(L, 1);
    const lopL_work *h = find_groups(L, g);
    lua_createtable(L, h->groups.count, 0);
    for (int i = 0; i < h->groups.count; i++) {
        const lop_group *p = &h->groups.group[i];
        lua_createtable(L, 0, 8);
        luaL_setmetatable(L, LOPL_GROUP);
        set_text(L, "name", p->name);
        set_text(L, "reason", p->reason);
        set_text(L, "kind", p->kind == LOP_GROUP_STREAM ? "stream" : "inner");
        push_nodes(L, g, "producers", p->producer, p->nproducer);
        push_nodes(L, g, "consumers", p->consumer, p->nconsumer);
        lua_pushinteger(L, p->width);
        lua_setfield(L, -2, "width");
        lua_pushboolean(L, p->prunable);
        lua_setfield(L, -2, "prunable");
        if (p->blocker >= 0) {
            lua_createtable(L, 0, 2);
            set_text(L, "node", lop_node_label(g, g->node[p->blocker]));
            set_text(L, "op", g->node[p->blocker]->op);
            lua_setfield(L, -2, "blocker");
        }
        lua_rawseti(L, -2, i + 1);
    }
    return 1;
}

static int group_named(lua_State *L, const lop_groups *q, const char *name)
{
    for (int i = 0; i < q->count; i++)
        if (strcmp(q->group[i].name, name) == 0) return i;
    return lopL_failf(L, "notfound", "no group '%s': net:groups() lists them", name);
}

/* A table {group = keep, ...} at index 2 as cuts, in the order of the groups. Pushes what holds their lists. */
static const lop_cut *cuts_of(lua_State *L, const lop_groups *q, int *n)
{
    lop_cut *list = lua_newuserdatauv(L, (size_t)(q->count + 1) * sizeof *list, 0);
    *n = 0;
    for (int i = 0; i < q->count; i++) {
        if (lua_getfield(L, 2, q->group[i].name) == LUA_TNIL) {
            lua_pop(L, 1);
            continue;
        }
        list[*n] = (lop_cut){.group = i};
        luaL_checkstack(L, 8, NULL);
        list[*n].keep = lopL_channels(L, lua_gettop(L), "keep", q->group[i].width, &list[*n].count);
        (*n)++;
    }
    lua_pushnil(L);
    while (lua_next(L, 2)) {                            /* every name is a group's */
        if (lua_type(L, -2) == LUA_TSTRING) group_named(L, q, lua_tostring(L, -2));
        lua_pop(L, 1);
    }
    return list;
}

/* Keeps the listed channels (from 1) of a group, or of several, in place.
 * ---@param group string|table<string, integer[]>     its name; or all names with their lists
 * ---@param keep integer[]?  ascending */
int lopL_net_cut(lua_State *L)
{
    lop_graph *g = lopL_checknet(L, 1);
    const bool many = lua_istable(L, 2);
    if (!many) luaL_checkstring(L, 2);
    const lopL_work *h = find_groups(L, g);
    lop_error err;
    int n = 1;
    lop_cut one = {.group = 0};
    if (!many) {
        one.group = group_named(L, &h->groups, lua_tostring(L, 2));
        one.keep = lopL_channels(L, 3, "keep", h->groups.group[one.group].width, &one.count);
    }
    const lop_cut *cuts = many ? cuts_of(L, &h->groups, &n) : &one;
    lopL_check(L, lop_graph_cut_all(g, &h->groups, cuts, n, &err), &err);
    return 0;
}

/* ---@param layer string     a convolution, or a Gemm
 * ---@param group string
 * ---@return integer[] places   (from 1) of its input channels that are the group's, by channel of the group
 * ---@return integer total      of such places: more than #places where a channel stands there several times */
int lopL_net_channels(lua_State *L)
{
    const lop_graph *g = lopL_checknet(L, 1);
    const int k = lop_graph_node(g, luaL_checkstring(L, 2));
    const char *name = luaL_checkstring(L, 3);
    const lopL_work *h = find_groups(L, g);
    const lop_groups *q = &h->groups;
    lua_Integer total = 0;
    lua_newtable(L);
    const int v = k >= 0 && g->node[k]->nin > 0 ? g->node[k]->in[0] : -1;
    const int64_t n = v >= 0 && q->label[v] ? q->channels[v] : 0;
    for (int64_t i = n - 1; i >= 0; i--) {
        const int c = q->label[v][i];
        if (c < 0 || q->group_of[c] < 0 || strcmp(q->group[q->group_of[c]].name, name) != 0) continue;
        lua_pushinteger(L, i + 1);
        lua_rawseti(L, -2, q->rank_of[c] + 1);          /* the first place, from the last one down */
        total++;
    }
    lua_pushinteger(L, total);
    return 2;
}

/* By entry of value v's channels: the channel of the group of that name (from 1), 0 where it is none of it. */
static void push_ranks(lua_State *L, const lop_groups *q, int v, const char *name)
{
    const int64_t n = v >= 0 && q->label[v] ? q->channels[v] : 0;
    lua_newtable(L);
    for (int64_t i = 0; i < n; i++) {
        const int c = q->label[v][i];
        const bool ours = c >= 0 && q->group_of[c] >= 0 && strcmp(q->group[q->group_of[c]].name, name) == 0;
        lua_pushinteger(L, ours ? q->rank_of[c] + 1 : 0);
        lua_rawseti(L, -2, i + 1);
    }
}

/* ---@param layer string     one that makes channels of a group
 * ---@param group string
 * ---@return integer[]       by filter of the layer: its channel of the group (from 1), 0 where it is none of it */
int lopL_net_filters(lua_State *L)
{
    const lop_graph *g = lopL_checknet(L, 1);
    const int k = lop_graph_node(g, luaL_checkstring(L, 2));
    const char *name = luaL_checkstring(L, 3);
    const lopL_work *h = find_groups(L, g);
    push_ranks(L, &h->groups, k >= 0 && g->node[k]->nout > 0 ? g->node[k]->out[0] : -1, name);
    return 1;
}

/* Pushes {group = channels that stay (from 1), ...} for groups of which something went. */
static void push_kept(lua_State *L, const lop_groups *q, const bool *gone)
{
    lua_newtable(L);
    for (int i = 0; i < q->count; i++) {
        lua_Integer next = 1, left = 0;
        lua_newtable(L);
        for (int c = 0; c < q->classes; c++) {
            if (q->group_of[c] != i || q->rank_of[c] != next - 1) continue;     /* the first class of each place */
            next++;
            if (gone[c]) continue;
            lua_pushinteger(L, next - 1);
            lua_rawseti(L, -2, ++left);
        }
        if (left < q->group[i].width) lua_setfield(L, -2, q->group[i].name);
        else lua_pop(L, 1);
    }
}

/* ---@param layer string     one that reads channels of a group by weights
 * ---@param group string
 * ---@return integer[]       by entry of its input: its channel of the group (from 1), 0 where it is none of it */
int lopL_net_ranks(lua_State *L)
{
    const lop_graph *g = lopL_checknet(L, 1);
    const int k = lop_graph_node(g, luaL_checkstring(L, 2));
    const char *name = luaL_checkstring(L, 3);
    const lopL_work *h = find_groups(L, g);
    push_ranks(L, &h->groups, k >= 0 && g->node[k]->nin > 0 ? g->node[k]->in[0] : -1, name);
    return 1;
}

/* Whether every entry of value v is of group i; has: by channel of the group, whether it stands there. */
static bool holds_only(const lop_groups *q, int v, int i, bool *has)
{
    memset(has, 0, (size_t)q->group[i].width);
    for (int64_t e = 0; e < q->channels[v]; e++) {
        const int c = q->label[v][e];
        if (c < 0 || q->group_of[c] != i) return false;
        has[q->rank_of[c]] = true;
    }
    return q->channels[v] > 0;
}

/* The node that makes value v, or -1. */
static int maker_of(const lop_graph *g, int v)
{
    for (int k = 0; k < g->nnode; k++)
        for (int i = 0; i < g->node[k]->nout; i++)
            if (g->node[k]->out[i] == v) return k;
    return -1;
}

/* ---@param group string
 * ---@return table[]         by value that has some of the group's channels and nothing else: which, ascending, and
 *                            maker, the layer that makes it. No value may be left without any */
int lopL_net_parts(lua_State *L)
{
    const lop_graph *g = lopL_checknet(L, 1);
    const char *name = luaL_checkstring(L, 2);
    const lopL_work *h = find_groups(L, g);
    const lop_groups *q = &h->groups;
    const int i = group_named(L, q, name);
    bool *has = lua_newuserdatauv(L, (size_t)q->group[i].width, 0);
    lua_Integer parts = 0;
    lua_newtable(L);
    for (int v = 0; v < q->nvalue; v++) {
        lua_Integer count = 0;
        if (!q->label[v] || !holds_only(q, v, i, has)) continue;
        const int k = maker_of(g, v);
        if (k < 0) continue;
        lua_newtable(L);
        set_text(L, "maker", lop_node_label(g, g->node[k]));
        for (int64_t r = 0; r < q->group[i].width; r++) {
            if (!has[r]) continue;
            lua_pushinteger(L, r + 1);
            lua_rawseti(L, -2, ++count);
        }
        if (count == q->group[i].width) lua_pop(L, 1);
        else lua_rawseti(L, -2, ++parts);
    }
    return 1;
}

/* Takes out channels that are one number everywhere, or that nothing reads, in place; the function stays.
 * ---@return integer count                     of channels
 * ---@return table<string, integer[]> kept     by group that lost some: its channels that stay, as numbered before */
int lopL_net_drop_dead(lua_State *L)
{
    lop_graph *g = lopL_checknet(L, 1);
    const lopL_work *h = find_groups(L, g);
    bool *gone = lua_newuserdatauv(L, (size_t)h->groups.classes + 1, 0);
    int64_t count = 0;
    lop_error err;
    lopL_check(L, lop_graph_drop_dead(g, &h->shapes, &h->groups, gone, &count, &err), &err);
    lua_pushinteger(L, count);
    push_kept(L, &h->groups, gone);
    return 2;
}

/* Takes out nodes whose outputs nothing needs, in place.
 * ---@return integer count */
int lopL_net_drop_unread(lua_State *L)
{
    lop_graph *g = lopL_checknet(L, 1);
    const int before = g->nnode;
    lop_error err;
    lopL_check(L, lop_graph_prune_dead(g, &err), &err);
    lua_pushinteger(L, before - g->nnode);
    return 1;
}

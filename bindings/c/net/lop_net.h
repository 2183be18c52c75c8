/* bindings/c/net/lop_net.h - the userdata behind a net, for the files of the bindings that take one. */
#ifndef LOP_NET_H
#define LOP_NET_H
#include "exec/exec.h"
#include "couple/couple.h"
#include "lua/lop_lua.h"

#define LOPL_NET "lop.net"
#define LOPL_LAYER "lop.layer"
#define LOPL_GROUP "lop.group"

lop_graph *lopL_checknet(lua_State *L, int arg);        /* not closed */
lop_graph **lopL_newnet(lua_State *L);                  /* pushes a net, to be filled; it owns the graph */

/* Owners of what core fills while Lua may raise: cleared by the collector, whatever happens. */
typedef struct { lop_shapes shapes; lop_groups groups; lop_exec *exec; } lopL_work;
/* Pushes a lopL_work with g's shapes for these input sizes (NULL: one image). */
lopL_work *lopL_infer(lua_State *L, const lop_graph *g, const lop_shape *inputs);

/* Methods of a net about its channel groups (lop_groups.c). */
int lopL_net_groups(lua_State *L);
int lopL_net_cut(lua_State *L);
int lopL_net_channels(lua_State *L);
int lopL_net_filters(lua_State *L);
int lopL_net_ranks(lua_State *L);
int lopL_net_parts(lua_State *L);
int lopL_net_drop_dead(lua_State *L);
int lopL_net_drop_unread(lua_State *L);
#endif

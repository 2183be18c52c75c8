/* bindings/c/lop_net.h - the userdata behind a net, for the files of the bindings that take one. */
#ifndef LOP_NET_H
#define LOP_NET_H
#include "exec/exec.h"
#include "lop_lua.h"

#define LOPL_NET "lop.net"

lop_graph *lopL_checknet(lua_State *L, int arg);        /* not closed */
#endif

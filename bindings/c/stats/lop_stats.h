/* bindings/c/stats/lop_stats.h - the userdata behind lop.stats, and what a choice of channels is made from, for the
 * files of the bindings that take them. */
#ifndef LOP_STATS_H
#define LOP_STATS_H
#include "lua/lop_lua.h"
#include "reconstruct/reconstruct.h"
#include "select/select.h"

#define LOPL_STATS "lop.stats"

typedef struct {                /* its user value: a table of what it is about, kernel, weight, bias, ... */
    lop_stats *stats;           /* NULL: closed */
    lop_centred centred;        /* of the sums as they are, if fresh */
    bool fresh;
    lop_npz more;               /* what a file held beside the sums, while it is read or written */
    lop_choice choice;          /* results on their way to Lua: cleared by the collector whatever happens */
    lop_curve curve;
    lop_reconstruction made;
} lopL_stats;

lopL_stats *lopL_checkstats(lua_State *L, int arg, const char *name);           /* not closed */
lopL_stats *lopL_teststats(lua_State *L, int arg);                              /* NULL where it is something else */
lopL_stats *lopL_newstats(lua_State *L);        /* pushed, of nothing yet, about nothing */
const lop_centred *lopL_centred(lua_State *L, lopL_stats *s);   /* borrowed until s changes */
/* Pushes what the statistics at arg know under this name: nil, or the value. */
int lopL_about(lua_State *L, int arg, const char *key);
/* options[key], or what the statistics at arg know under that name; NULL where neither is there. Pushed. */
const lop_tensor *lopL_owntensor(lua_State *L, int arg, int opts, const char *key);
/* Reads `ridge`, `bias` and `held` of the options at opts (or the last of what the statistics at arg know) into *o,
 * whose method is left to the caller. Returns held, pushed, or NULL. */
const lopL_stats *lopL_reconstructoptions(lua_State *L, int arg, int opts, lop_reconstruct_options *o);
extern const luaL_Reg lopL_stats_choice[];      /* methods of lop_choice.c */
extern const luaL_Reg lopL_stats_mask[];        /* of lop_mask.c */

/* ---- the input of a selection (lop_choice.c) ---- */

typedef struct {                /* owns shares of all that `in` points to */
    int64_t consumers;          /* entries of the next four */
    lop_centred *centred;
    lop_tensor *weight;
    const lop_centred **centred_of;
    const lop_tensor **weight_of;
    lop_tensor producer;
    double *cost, *score;
    bool *stay;
    lop_progress progress;      /* {0} but during a call */
    lop_select_input in;
    lop_select_method method;
} lopL_choice;

/* Pushes it, made of the statistics at `arg` and the options at `opts`:
 * {weight: lop.tensor?, method: string?, seed: integer?, ridge: number?, cost: number[]|lop.tensor?,
 *  nonnegative: boolean?, score: number[]|lop.tensor?, producer: lop.tensor?, stay: integer[]?,
 *  others: {[1]: lop.stats, [2]: lop.tensor}[]?, progress: function?}; others: further consumers of the same
 *  channels. */
lopL_choice *lopL_newchoice(lua_State *L, int arg, int opts);
void lopL_choice_type(lua_State *L);            /* makes its metatable */
#endif

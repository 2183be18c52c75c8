/* scripts/analyzer.h - what clang's analyzer cannot see from one file: lop_fail returns the code that it is given,
 * never LOP_OK, and Lua's errors do not come back. Put in front of each file by scripts/check; no build reads it. */
#include "base/base.h"
#define lop_fail(err, code, ...) (lop_fail((err), (code), __VA_ARGS__), (code))

struct lua_State;
#define NO_RETURN __attribute__((analyzer_noreturn))
int lopL_fail(struct lua_State *L, const lop_error *err) NO_RETURN;
int lopL_failf(struct lua_State *L, const char *code, const char *format, ...) NO_RETURN;
int lopL_error(struct lua_State *L, const char *format, ...) NO_RETURN;
int lopL_argerror(struct lua_State *L, int arg, const char *name, const char *expected) NO_RETURN;

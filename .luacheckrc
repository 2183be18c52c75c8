-- luacheck: Lua 5.4 everywhere, busted's words in the specs; recipes find `lop` in scope, scripts `arg` too.
std = "lua54"
max_line_length = 120
cache = false
files["recipes"] = {read_globals = {"lop"}}
files["tests"] = {std = "+busted", read_globals = {"lop"}}

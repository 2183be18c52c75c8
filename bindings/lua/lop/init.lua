-- bindings/lua/lop/init.lua - require "lop": the functions of lop.core, and those written in Lua over them.

local core = require "lop.core"

local _, path = ...
local folder = path:match("^(.*/)[^/]*$") or "./"
core.library(folder)                    -- errors name the script's line, not one in here

local hidden = {library = true, nearest = true, interrupted = true, fail = true}

local lop = {_VERSION = core._VERSION}
for name, value in pairs(core) do
  if type(value) == "function" and not hidden[name] then lop[name] = value end
end

return lop

-- bindings/lua/lop/runs/log.lua - log.txt: lines are kept until the folder of the run is there, then written at once.

local core = require "lop.core"

local log = {}
log.__index = log

--- A log without a file.
function log.new()
  return setmetatable({kept = {}}, log)
end

--- Adds text.
function log:write(...)
  if self.file then
    self.file:write(...)
  else
    self.kept[#self.kept + 1] = table.concat {...}
  end
end

--- What was kept, and all that follows, goes into a file, from its beginning or behind what is there.
---@param path string
---@param mode "w"|"a"
function log:open(path, mode)
  local file, message = io.open(path, mode)
  if not file then core.fail("io", message) end
  file:setvbuf "line"                   -- a run may be ended at any time
  file:write(table.unpack(self.kept))
  self.file, self.kept = file, {}
end

function log:close()
  if self.file then self.file:close() end
  self.file = nil
end

return log

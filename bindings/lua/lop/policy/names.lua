-- bindings/lua/lop/policy/names.lua - names of layers and groups in a recipe that are nobody's: what was meant.

local core = require "lop.core"

local names = {}

--- The way on from a name that is not known: one that is spelled nearly so, a glob where known ones hold it, or else
--- where they are listed.
---@param name string         or a glob
---@param known string[]
---@param otherwise string    "lop inspect lists them"
---@param globs boolean?      whether a glob may stand there
---@return string
function names.meant(name, known, otherwise, globs)
  local near = core.nearest(name, known)
  if near then return ("did you mean '%s'?"):format(near) end
  local part = name:gsub("^[*?]+", ""):gsub("[*?]+$", "")
  for _, whole in ipairs(part ~= "" and known or {}) do
    if whole:find(part, 1, true) then
      return ("did you mean '%s'?"):format(globs and "*" .. part .. "*" or whole)
    end
  end
  return otherwise
end

--- The names of units, and of the layers that make them.
---@return string[]
function names.of(list)
  local all, seen = {}, {}
  for _, unit in ipairs(list) do
    for _, name in ipairs {unit.name, table.unpack(unit.producers)} do
      if not seen[name] then all[#all + 1], seen[name] = name, true end
    end
  end
  return all
end

return names

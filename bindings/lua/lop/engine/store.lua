-- bindings/lua/lop/engine/store.lua - where lists of tensors wait until they are needed: in memory, or in slots of a
-- nameless file in a scratch folder. What comes back is the same bytes either way.
--
-- put takes tensors over and gives an entry; get gives an entry's tensors, done says that they are no longer looked at;
-- share gives an entry that is dropped on its own.

local core = require "lop.core"

local store = {}

local memory = {}
memory.__index = memory

function memory.put(_, values) return values end
function memory.get(_, entry) return entry end
function memory.done() end
function memory.close() end

function memory.share(_, entry)
  local twin = {}
  for k, t in ipairs(entry) do twin[k] = t:reshape(t:shape()) end
  return twin
end

function memory.drop(_, entry)
  for _, t in ipairs(entry) do t:close() end            -- at once: the collector does not see their size
end

store.memory = setmetatable({}, memory)

local scratch = {}
scratch.__index = scratch

--- A store in a folder.
---@param slot integer        bytes: the most that one entry holds
---@param count integer       entries at the same time, at most
function store.scratch(folder, slot, count)
  local file = core.scratch(folder, slot * count)
  return setmetatable({file = file, slot = slot, count = count, used = 0, free = {}}, scratch)
end

function scratch:put(values)
  local place = table.remove(self.free)
  if not place then
    place, self.used = self.used, self.used + 1
    if place >= self.count then error("store: more entries than foretold") end
  end
  local entry, at = {place = place, owners = 1}, place * self.slot
  for k, t in ipairs(values) do
    entry[k] = {at = at, shape = t:shape(), type = t:type()}
    at = self.file:write(at, t)
    t:close()
  end
  if at > (place + 1) * self.slot then error("store: an entry is larger than foretold") end
  return entry
end

function scratch:get(entry)
  local values = {}
  for k, v in ipairs(entry) do values[k] = self.file:read(v.at, v.shape, v.type) end
  return values
end

function scratch.done(_, values) memory.drop(nil, values) end

function scratch.share(_, entry)
  entry.owners = entry.owners + 1
  return entry
end

function scratch:drop(entry)
  entry.owners = entry.owners - 1
  if entry.owners == 0 then table.insert(self.free, entry.place) end
end

function scratch:close() self.file:close() end

return store

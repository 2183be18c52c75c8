-- bindings/lua/lop/engine/parts.lua - a Split, say, gives a part of a group's channels to a value of its own, which
-- must not be left without any: of each part at least one channel stays.

local parts = {}

-- The part's channels as the unit counts them, or nil: where there are none, and where others of the group's units have
-- some too and came first.
local function of_unit(unit, ranks)
  local list = {}
  if unit.ranks and not unit.index[ranks[1]] then return nil end
  for _, r in ipairs(ranks) do list[#list + 1] = unit.index and unit.index[r] or not unit.index and r or nil end
  return #list < unit.width and list or nil
end

-- A channel of a part to put in: the last to go; and one to take out, the first to go that no part has alone.
local function best_of(part, late)
  local best = part[1]
  for _, c in ipairs(part) do best = late[c] > late[best] and c or best end
  return best
end

local function held_by(part, kept)
  local count = 0
  for _, c in ipairs(part) do count = count + (kept[c] and 1 or 0) end
  return count
end

local function worst_of(kept, late, list)
  local needed, worst = {}, nil
  for _, part in ipairs(list) do
    if held_by(part, kept) == 1 then
      for _, c in ipairs(part) do needed[c] = needed[c] or kept[c] end
    end
  end
  for c in pairs(kept) do
    if not needed[c] and (not worst or late[c] < late[worst]) then worst = c end
  end
  return worst
end

--- The same number of channels, more only where each is the last of a part: with at least one of each part.
---@param unit table
---@param channels integer[]  ascending
---@param order integer[]?    all channels, the first to go first; by number where absent
---@return integer[]
function parts.keep(unit, channels, order)
  if not unit.parts then return channels end
  local kept, late, result = {}, {}, {}
  for c = 1, unit.width do late[c] = unit.width - c end
  for place, c in ipairs(order or {}) do late[c] = place end
  for _, c in ipairs(channels) do kept[c] = true end
  for _, part in ipairs(unit.parts) do
    if held_by(part, kept) == 0 then
      local worst = worst_of(kept, late, unit.parts)
      kept[best_of(part, late)] = true
      if worst then kept[worst] = nil end
    end
  end
  for c = 1, unit.width do result[#result + 1] = kept[c] and c or nil end
  return result
end

--- Gives a unit its parts, those smaller than all of it, and least: the width below which one would be empty.
---@param all integer[][]     the group's, of net:parts
function parts.find(unit, all)
  local seen, list = {}, {}
  for _, ranks in ipairs(all) do
    local part = of_unit(unit, ranks)
    local key = part and table.concat(part, " ")
    if part and #part > 0 and not seen[key] then
      seen[key] = true
      list[#list + 1] = part
    end
  end
  if #list == 0 then return end
  unit.parts = list
  unit.least = #parts.keep(unit, {})
end

return parts

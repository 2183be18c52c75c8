-- bindings/lua/lop/cuts/blocks.lua - a residual branch may vanish: of its inner channels none is left, the mean of what
-- it was to add stands in its place, and what comes behind repairs the stream. A branch is all that a layer needs alone
-- whose output is added to a stream. The groups within it go together, with width 0; what else may be done to its
-- layers, ranks and samplers, is left undone. The schedule comes to it at its first group.

local core = require "lop.core"

local blocks = {}

local ELSEWHERE = "it is not all within one residual branch, or a group of that branch is skipped"

-- ---- what a recipe allows ----

-- Why no branch may vanish beside what else a recipe asks for; nil where some may.
local function obstacle(recipe)
  local coupled = recipe.residual.stream == "coupled"
  for _, entry in ipairs(recipe.layers) do coupled = coupled or (entry.rule.residual or {}).stream == "coupled" end
  if recipe.residual.input == "filter-wise" then return 'not beside masks: residual.input = "whole" or "sampler"' end
  if coupled then return 'not where streams are cut: residual.stream = "keep"' end
  if recipe.order ~= "forward" then return 'what is behind repairs the stream: order = "forward"' end
end

local function is_free(recipe)
  for _, word in ipairs(recipe.cuts) do
    if word == "block" then return true end
  end
  return false
end

-- Whether a width of 0 can come up at all.
local function is_asked(recipe)
  for _, width in pairs(recipe.budget and recipe.budget.widths or {}) do
    if width == 0 then return true end
  end
  return is_free(recipe) or type(recipe.allocate) == "function"
end

--- Refuses what does not go together.
---@param recipe table
function blocks.check(recipe)
  if not is_free(recipe) then return end
  local function refuse(why) core.fail("unsupported", 'cuts has "block": ' .. why) end
  local given = {}
  for _, word in ipairs(recipe.cuts) do given[word] = true end
  if not given.width then refuse('blocks vanish where widths are cut: cuts = {"width", "block"}') end
  local why = obstacle(recipe)
  if why then refuse(why) end
end

-- ---- the branches of a net ----

-- Who reads each value; "" for the net itself.
local function readers_of(net)
  local readers = {}
  local function add(value, name)
    readers[value] = readers[value] or {}
    table.insert(readers[value], name)
  end
  for _, layer in ipairs(net:layers()) do
    for _, v in ipairs(layer.inputs) do add(v.name, layer.name) end
  end
  for _, v in ipairs(net:outputs()) do add(v.name, "") end
  return readers
end

local function all_in(names, set)
  for _, name in ipairs(names or {}) do
    if not set[name] then return false end
  end
  return true
end

-- The layers that go with one: those that only they read. Nil where an input of the net goes, too.
local function layers_of(net, readers, last)
  local set, count, all = {[last] = true}, 1, net:layers()
  for k = #all, 1, -1 do
    local inside = not set[all[k].name]
    for _, v in ipairs(all[k].outputs) do inside = inside and readers[v.name] and all_in(readers[v.name], set) end
    if inside then set[all[k].name], count = true, count + 1 end
  end
  for _, v in ipairs(net:inputs()) do
    if readers[v.name] and all_in(readers[v.name], set) then return nil end
  end
  return set, count
end

-- How a unit lies to a branch: all of it within, none of its channels made there, or neither.
local function lies(unit, set)
  if unit.stream then return "apart" end
  local made = false
  for _, name in ipairs(unit.producers) do made = made or set[name] end
  if not made then return "apart" end
  for _, c in ipairs(unit.consumers) do
    if not set[c.name] then return "across" end
  end
  return all_in(unit.producers, set) and "within" or "across"
end

-- A branch by the layer that ends it; nil where it cannot vanish as a whole.
local function branch_of(net, list, readers, last)
  local set, size = layers_of(net, readers, last)
  if not set then return nil end
  local branch = {last = last, layers = set, size = size, units = {}}
  for _, layer in ipairs(net:layers()) do branch.first = branch.first or (set[layer.name] and layer.name) end
  for _, unit in ipairs(list) do
    local how = lies(unit, set)
    if how == "across" then return nil end
    if how == "within" then table.insert(branch.units, unit) end
  end
  for _, unit in ipairs(branch.units) do
    for k, c in ipairs(unit.consumers) do
      if c.name == last and not c.wide then branch.tail, branch.at = unit, k end
    end
  end
  return branch.tail and branch
end

--- Marks the units that a branch is made of: `branch` = {first = its first layer, last = the one whose output is
--- added, layers = {[name] = true}, units, tail = the last of them that the last layer reads, at = the layer's place
--- among that one's readers, free = whether the allocation may let it go}; of branches within each other the smaller
--- one. `stays`: why a unit can't have width 0.
---@param list table[]        units of width
---@param recipe table
function blocks.mark(net, list, recipe)
  if not is_asked(recipe) then return end
  local why, found, seen, readers = obstacle(recipe), {}, {}, readers_of(net)
  for _, unit in ipairs(list) do
    unit.stays = why
    for _, c in ipairs(why and {} or unit.consumers) do
      if c.residual and not unit.stream and not seen[c.name] then
        seen[c.name], found[#found + 1] = true, branch_of(net, list, readers, c.name)
      end
    end
  end
  for i, branch in ipairs(found) do branch.at_place, branch.free = i, is_free(recipe) end
  table.sort(found, function(a, b) return a.size < b.size or (a.size == b.size and a.at_place < b.at_place) end)
  for _, branch in ipairs(found) do
    local fresh = true
    for _, unit in ipairs(branch.units) do fresh = fresh and not unit.branch end
    for _, unit in ipairs(fresh and branch.units or {}) do unit.branch = branch end
  end
end

-- ---- the branches of a list of units ----

--- The branches of which all units are in a list, in its order: {last, layers, units = their places, tail = the last
--- one's, beside = places of the units of their layers, may = whether the allocation may let it go}.
---@param list table[]
---@return table[]
function blocks.of(list)
  local by, found, whole = {}, {}, {}
  for i, unit in ipairs(list) do
    local b = unit.branch
    if b then
      local own = by[b] or {last = b.last, layers = b.layers, units = {}, beside = {}, may = b.free, count = #b.units}
      if not by[b] then by[b], found[#found + 1] = own, own end
      table.insert(own.units, i)
      own.may = own.may and not unit.fixed and (unit.min or 1) == 1
      if unit.name == b.tail.name then own.tail = i end
    end
  end
  for _, own in ipairs(found) do
    for i, unit in ipairs(list) do
      if unit.kind and own.layers[unit.producer] then table.insert(own.beside, i) end
    end
    if #own.units == own.count then whole[#whole + 1] = own end
  end
  return whole
end

--- Those that the allocation may let go.
function blocks.free(list)
  local free = {}
  for _, b in ipairs(blocks.of(list)) do free[#free + 1] = b.may and b or nil end
  return free
end

--- Whether a branch has vanished.
---@param b table             of blocks.of
function blocks.is_gone(b, widths) return widths[b.units[1]] == 0 end

--- Lets a branch go from a list of widths.
function blocks.drop(list, b, widths)
  for _, i in ipairs(b.units) do widths[i] = 0 end
  for _, i in ipairs(b.beside) do widths[i] = list[i].width end
end

--- The places of all units of branches that have vanished: true.
---@param branches table[]    of blocks.of
---@return table<integer, boolean>
function blocks.gone(branches, widths)
  local set = {}
  for _, b in ipairs(branches) do
    if blocks.is_gone(b, widths) then
      for _, i in ipairs(b.units) do set[i] = true end
      for _, i in ipairs(b.beside) do set[i] = true end
    end
  end
  return set
end

--- Lets branches go of which widths by hand leave a group nothing; refuses where that cannot be.
---@param widths integer[]    changed
---@param said table<integer, boolean>        the units whose width was given
---@param key string          what messages begin with
function blocks.settle(list, widths, said, key)
  local of = {}
  for _, b in ipairs(blocks.of(list)) do
    for _, i in ipairs(b.units) do of[i] = b end
  end
  local function refuse(text, ...) core.fail("usage", key .. ": " .. text:format(...)) end
  for i, unit in ipairs(list) do
    local b = of[i]
    if widths[i] == 0 and not b then refuse("'%s' cannot be 0 wide: %s", unit.name, unit.stays or ELSEWHERE) end
    if widths[i] == 0 then
      for _, k in ipairs(b.units) do
        local other = list[k]
        if said[k] and widths[k] > 0 then
          refuse("'%s' is to be 0 wide, '%s' of the same branch %d: a branch vanishes as a whole", unit.name,
                 other.name, widths[k])
        end
        if (other.min or 1) > 1 then
          refuse("'%s' is to be 0 wide, the least width of '%s' is %d (min_width, layers.NAME.min)", unit.name,
                 other.name, other.min)
        end
      end
      for _, k in ipairs(b.beside) do
        if said[k] and widths[k] < list[k].width then
          refuse("'%s' is of a branch that vanishes ('%s' is to be 0 wide)", list[k].name, unit.name)
        end
      end
      blocks.drop(list, b, widths)
    end
  end
end

-- ---- what vanishes ----

--- Whether a unit is the first of its branch, at which all of it goes.
function blocks.begins(unit) return unit.branch.units[1].name == unit.name end

--- Lets a branch go from a net, in place.
---@param b table             of blocks.mark
---@param stats lop.stats[]   of the tail's readers
function blocks.vanish(net, b, stats) net:vanish(b.last, (stats[b.at]:targets():to "float32")) end

--- A line that names the branches that are gone; nil where all are there.
---@param list {branch: string?}[]    the layers of a report, or the groups of a plan
---@return string?
function blocks.text(list)
  local names, seen = {}, {}
  for _, l in ipairs(list) do
    if l.branch and not seen[l.branch] then seen[l.branch], names[#names + 1] = true, l.branch end
  end
  if #names == 0 then return nil end
  return ("%d %s gone, the mean in its place: %s"):format(#names, #names > 1 and "branches are" or "branch is",
                                                         table.concat(names, ", "))
end

return blocks

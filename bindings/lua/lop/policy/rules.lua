-- bindings/lua/lop/policy/rules.lua - what a recipe's `layers`, `round_to` and `budget` (widths, min_width) say of each
-- unit.

local blocks = require "lop.cuts.blocks"
local core = require "lop.core"
local lambda = require "lop.lambda"
local masks = require "lop.cuts.masks"
local names = require "lop.policy.names"
local schema = require "lop.schema"
local solve = require "lop.engine.solve"
local stream = require "lop.engine.stream"
local units = require "lop.engine.units"

local rules = {}

-- A glob as a Lua pattern: * for any text, ? for one character.
local function pattern_of(glob)
  return "^" .. glob:gsub("[%^%$%(%)%%%.%[%]%+%-]", "%%%0"):gsub("%*", ".*"):gsub("%?", ".") .. "$"
end

local function matches(unit, pattern)
  if unit.name:match(pattern) then return true end
  for _, name in ipairs(unit.producers) do
    if name:match(pattern) then return true end
  end
  return false
end

-- All that a name in a recipe may be: a layer, or a unit.
local function names_of(net, list)
  local all = names.of(list)
  for _, layer in ipairs(net:layers()) do all[#all + 1] = layer.name end
  return all
end

-- A name that is no layer's at all is a slip; a share of a layer that cannot be cut would be passed over in silence.
local function check_entry(net, list, streams, entry)
  local pattern, known, all = pattern_of(entry.name), false, names_of(net, list)
  for _, name in ipairs(all) do known = known or name:match(pattern) ~= nil end
  if not known then
    core.fail("usage", ("layers: no layer is named '%s' (%s)"):format(entry.name,
              names.meant(entry.name, all, "lop inspect lists them", true)))
  end
  local cut, masked = false, false
  for _, unit in ipairs(list) do
    cut = cut or (not unit.kind and matches(unit, pattern))
    masked = masked or (unit.kind == "mask" and unit.name:match(pattern) ~= nil)
  end
  if entry.rule.keep and not cut then
    if masked then core.fail("usage", ("layers: '%s': of a mask residual.keep is its share"):format(entry.name)) end
    for _, unit in ipairs(streams) do
      if matches(unit, pattern) then stream.refuse(entry.name) end
    end
    core.fail("usage", ("layers: '%s' makes no group that can be cut (lop inspect --groups)"):format(entry.name))
  end
end

-- The later entry wins, key by key, and so in tables: but another method drops the lambda of the one before.
local function merge(into, from)
  for key, value in pairs(from) do
    if type(value) == "table" and key ~= "method" and key ~= "lambda" then
      local copy = {}
      for k, v in pairs(into[key] or {}) do copy[k] = v end
      if key == "select" and value.method then copy.lambda = nil end
      merge(copy, value)
      into[key] = copy
    else
      into[key] = value
    end
  end
end

local function rule_of(unit, recipe)
  local rule = {round_to = recipe.round_to, select = recipe.select, reconstruct = recipe.reconstruct,
                residual = recipe.residual}
  for _, entry in ipairs(recipe.layers) do
    if matches(unit, pattern_of(entry.name)) then merge(rule, entry.rule) end
  end
  return rule
end

-- What the solver is to do for this unit, in the words of job.options.
local function own_of(rule)
  local ridge = rule.reconstruct.ridge
  return {reconstruct = rule.reconstruct.method, intercept = rule.reconstruct.intercept,
          producer = solve.rounds(rule.reconstruct), ridge = ridge ~= "auto" and ridge,
          compensate = rule.residual.target == "compensate"}
end

-- min_width: of every group, where its layers do not say another.
local function apply(unit, rule, min_width)
  unit.select, unit.own = rule.select, own_of(rule)
  unit.round_to, unit.min = rule.round_to, rule.min or not unit.kind and min_width or nil
  if unit.least then unit.min = math.max(unit.min or 1, unit.least) end
  if rule.keep and not unit.kind then
    unit.fixed = units.nearest(unit, (unit.before or unit.width) * rule.keep)
  end
end

-- Widths by name of a group or of a layer that makes it; the others stay whole.
local function fix_widths(net, list, widths)
  local given = {}
  for _, name in ipairs(schema.sorted(widths)) do
    local unit
    for _, u in ipairs(list) do
      if u.name == name then unit = u end
      for _, producer in ipairs(u.producers) do unit = unit or (producer == name and not u.kind and u) end
    end
    if not unit then
      local layer = false
      for _, known in ipairs(names_of(net, list)) do layer = layer or known == name end
      core.fail("usage", ("budget.widths: no group '%s' can be cut (%s)"):format(name, layer and "lop inspect --groups"
                or names.meant(name, names.of(list), "lop inspect --groups")))
    end
    if given[unit] then
      core.fail("usage", ("budget.widths: '%s' and '%s' are one group"):format(given[unit], name))
    end
    local whole = unit.before or unit.width
    if widths[name] > whole then
      core.fail("usage", ("budget.widths: '%s' is %d channels wide, %d asked for"):format(name, whole, widths[name]))
    end
    if widths[name] < whole and math.max(widths[name], 1) < (unit.min or 1) then
      core.fail("usage", ("budget.widths: '%s' is to be %d channels wide, its least width is %d (min_width, "
                          .. "layers.NAME.min)"):format(name, widths[name], unit.min))
    end
    if unit.rival and widths[unit.rival] then
      core.fail("usage", ("budget.widths: '%s' and '%s' are one layer"):format(unit.rival, name))
    end
    given[unit], unit.fixed = name, math.min(widths[name], unit.width)
  end
  local found, said = {}, {}
  for i, unit in ipairs(list) do
    if not given[unit] and unit.kind ~= "mask" then unit.fixed = unit.width end
    found[i], said[i] = unit.fixed, given[unit] ~= nil
  end
  blocks.settle(list, found, said, "budget.widths")
  for i, unit in ipairs(list) do unit.fixed = found[i] end
end

-- Without a budget a unit's width is what its fixed lambda leaves, or said by its layer.
local function check_finds_width(unit)
  if unit.fixed or lambda.finds_width(unit.select) then return end
  core.fail("usage", ("budget is missing: group '%s' has neither a fixed select.lambda nor keep"):format(unit.name))
end

--- The units that may be cut, with what the recipe says of each: fixed (its width), round_to, min, select, own.
---@param net lop.net
---@param all table[]         from units.find
---@param recipe table        layers, round_to, select, reconstruct, residual, budget
---@return table[]
function rules.apply(net, all, recipe)
  local open, streams, list = {}, {}, {}
  for _, unit in ipairs(all) do
    local rule = rule_of(unit, recipe)
    table.insert(stream.is_cut(unit, rule.residual) and open or streams, unit)
    apply(unit, rule, recipe.budget and recipe.budget.min_width)
    if unit.kind == "mask" and not rule.skip then masks.prepare(unit, rule.residual.keep or recipe.budget.keep) end
    if not rule.skip and open[#open] == unit then list[#list + 1] = unit end
  end
  for _, entry in ipairs(recipe.layers) do check_entry(net, open, streams, entry) end
  if not recipe.budget then
    for _, unit in ipairs(list) do check_finds_width(unit) end
  elseif recipe.budget.widths then
    fix_widths(net, list, recipe.budget.widths)
  end
  return list
end

return rules

-- bindings/lua/lop/cuts/blocks.lua - a residual block may vanish: of its inner channels none is left, its branch is the
-- mean of what it was to add, and what comes behind repairs the stream. The multiply-adds left are foretold exactly; of
-- parameters and activations a little less is left: the constant is not counted as the layer's bias and output were.

local core = require "lop.core"

local blocks = {}

local function readers_of(net, value)
  local count = 0
  for _, layer in ipairs(net:layers()) do
    for _, v in ipairs(layer.inputs) do count = count + (v.name == value and 1 or 0) end
  end
  return count
end

--- Marks (`block`) the units that are all of a branch: one layer makes the channels, from the stream, which others read
--- too, and the one that reads them is added to it.
---@param list table[]        units of width
function blocks.mark(net, list)
  for _, unit in ipairs(list) do
    local c = unit.consumers[1]
    local alone = #unit.producers == 1 and #unit.consumers == 1 and unit.first == unit.producer
    unit.block = alone and c.residual ~= nil and not (unit.stream or unit.partial or unit.view or unit.wide)
      and readers_of(net, net:layer(unit.producer).inputs[1].name) > 1 or nil
  end
end

--- Whether the unit may have no channel left.
function blocks.may(unit)
  return unit.block and not unit.fixed and (unit.min or 1) == 1
end

--- Lets the branch go from a net, in place.
---@param stats lop.stats     of the unit's consumer
function blocks.vanish(net, unit, stats)
  net:vanish(unit.consumers[1].name, (stats:targets():to "float32"))
end

--- Refuses what does not go together.
---@param recipe table
function blocks.check(recipe)
  local given = {}
  for _, word in ipairs(recipe.cuts) do given[word] = true end
  if not given.block then return end
  local function refuse(why) core.fail("unsupported", 'cuts has "block": ' .. why) end
  if not given.width then refuse('blocks vanish where widths are cut: cuts = {"width", "block"}') end
  if given.rank or given.sampler or recipe.residual.input ~= "whole" or recipe.residual.output ~= "whole" then
    refuse("not beside ranks, samplers and masks")
  end
  if recipe.residual.stream == "coupled" then refuse("not where streams are cut: residual.stream = \"keep\"") end
  if recipe.order ~= "forward" then refuse('what is behind repairs the stream: order = "forward"') end
  if recipe.allocate ~= "sensitivity" and recipe.allocate ~= "error" then
    refuse('losses choose the blocks: allocate = "sensitivity" or "error"')
  end
  if recipe.budget and recipe.budget.ms then refuse "the time of a net without them is not foretold: another budget" end
end

return blocks

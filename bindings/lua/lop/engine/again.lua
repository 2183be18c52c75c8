-- bindings/lua/lop/engine/again.lua - last passes over a net that is cut: all layers in the network's order, each
-- rebuilt with the channels that it has, for its output in the original, from what the net gives it now.

local core = require "lop.core"
local reader = require "lop.engine.reader"
local solve = require "lop.engine.solve"
local units = require "lop.engine.units"

local again = {}

local PASS = 1 << 17                    -- added to a layer's place: the random positions of a pass

-- Units of width that were cut, by the layer that they begin with; who reads them; who made what was cut.
local function cut_units(list, widths)
  local at, read, makes = {}, {}, {}
  for i, unit in ipairs(list) do
    if widths[i] < unit.width and widths[i] > 0 then
      for _, name in ipairs(unit.producers) do makes[name] = true end
      if not unit.stream then
        at[unit.first] = at[unit.first] or {}
        table.insert(at[unit.first], unit)
        for _, c in ipairs(unit.consumers) do read[c.name] = true end
      end
    end
  end
  return at, read, makes
end

-- A layer as the one consumer of nothing that is cut; nil where its weights cannot be solved.
local function whole(net, there, name)
  if not there[name] then return nil end
  local layer = reader.layer(net, name)
  if not layer or units.too_wide(layer) then return nil end
  local c = units.consumer(net, name)
  return c and {name = name, consumers = {c}, producers = {}}
end

local function one(base, net, list, widths, sides, offset, opts, tools)
  local at, read, makes = cut_units(list, widths)
  local there, drifted = {}, false
  for _, layer in ipairs(net:layers()) do there[layer.name] = true end
  for place, layer in ipairs(base:layers()) do
    local name, number = layer.name, offset + place
    local alone = drifted and not read[name] and whole(net, there, name)
    if alone or at[name] then tools.stand_before(sides, base, net, name, opts.passes) end
    if alone then solve.rebuild(base, net, alone, number, sides, opts) end
    for _, unit in ipairs(at[name] or {}) do
      local own = solve.options(unit, opts)
      solve.rebuild(base, net, unit, number, sides, own)
      if own.producer > 0 then tools.bend(base, net, unit, number, sides, own, {}) end
    end
    drifted = drifted or makes[name] or false
  end
end

--- Refuses cuts that leave layers of other forms than the original's.
---@param recipe table
function again.check(recipe)
  if recipe.reconstruct.passes == 0 then return end
  local function refuse(key, word)
    core.fail("unsupported", ("reconstruct.passes go over layers of the form they had, and %s have \"%s\": "
      .. "one of both"):format(key, word))
  end
  for _, word in ipairs(recipe.cuts) do
    if word == "rank" or word == "sampler" then refuse("cuts", word) end
  end
  for _, key in ipairs {"input", "output"} do
    if recipe.residual[key] ~= "whole" then refuse("layers by residual." .. key, recipe.residual[key]) end
  end
end

--- Goes over a net that was cut to these widths, `opts.last` times.
---@param tools table         of lop.prune: pair, stand_before, bend
function again.run(base, net, list, widths, set, held, opts, tools)
  for pass = 1, opts.last do
    local sides = {tools.pair(base, set, opts.passes), tools.pair(base, held, opts.passes)}
    one(base, net, list, widths, sides, pass * PASS, opts, tools)
    for _, side in ipairs(sides) do
      side.original:close()
      side.now:close()
    end
  end
end

return again

-- bindings/lua/lop/cuts/writers.lua - the last convolution of a branch may write a part of its stream's channels: the
-- channel sampler of He et al., ICCV 2017, section 3.3, at the branch's output. What it leaves out is added as its
-- mean, by a constant; the stream stays whole. A unit's "width" is how many channels are written.

local core = require "lop.core"
local cost = require "lop.budget.cost"
local units = require "lop.engine.units"

local writers = {}

local LEAST = 4                         -- channels of a stream, below which it is not worth the nodes

local function unit_of(net, name)
  local consumer, layer, window = units.consumer(net, name), net:layer(name), net:window(name)
  if not consumer or not consumer.residual or units.too_wide(layer) then return nil end
  if not window or window.group ~= 1 then return nil end
  local s = layer.weight:shape()
  if layer.op ~= "Conv" or #s ~= 4 or s[1] < LEAST or not cost.shape_of(net, layer.inputs[1].name) then return nil end
  return {kind = "output", name = name .. ":output", width = s[1], most = s[1] - 1, producer = name, first = name,
          producers = {name}, consumers = {consumer}}
end

--- The convolutions whose output is added to a residual stream, as units.
---@return table[]            as from units.find, and kind = "output"
function writers.find(net)
  local list = {}
  for _, group in ipairs(net:groups()) do
    for _, name in ipairs(group.kind == "stream" and group.producers or {}) do list[#list + 1] = unit_of(net, name) end
  end
  return list
end

-- Channels by falling variance of what the layer is to give, its mean, and the relative error of each number of them.
local function ranking(stats)
  local mean, variance = stats:targets()
  local v, order, total, errors = variance:totable(), {}, 0, {}
  for j, value in ipairs(v) do order[j], total = j, total + value end
  table.sort(order, function(a, b) return v[a] > v[b] or (v[a] == v[b] and a < b) end)
  local left = total
  for k, j in ipairs(order) do
    left = left - v[j]
    errors[k] = total > 0 and math.max(left, 0) / total or 0
  end
  return order, mean, errors
end

--- What lets copies of a net's layer write fewer channels, in place: its filters stay as they are, each solved for
--- itself.
---@param stats lop.stats     with the layer's target
---@return fun(net: lop.net, count: integer): number error
function writers.cutter(_, unit, stats)
  local order, mean, errors = ranking(stats)
  mean = mean:to "float32"
  return function(copy, count)
    local channels = table.move(order, 1, count, 1, {})
    table.sort(channels)
    copy:write_part(unit.producer, channels, mean)
    return errors[count]
  end
end

--- The relative error of each number of channels.
---@return number[]
function writers.errors(_, _, stats)
  return (select(3, ranking(stats)))
end

--- Refuses what does not go together.
---@param residual table      of the recipe
function writers.check(residual)
  if residual.output == "sampler" and residual.stream == "coupled" then
    core.fail("usage", "residual.output = \"sampler\" keeps streams whole, residual.stream = \"coupled\" cuts them: " ..
              "one of both")
  end
end

return writers

-- bindings/lua/lop/engine/stream.lua - residual streams that are cut as a whole: all that a stage adds up loses the
-- same channels. Its consumers stand at different depths; they are looked at together when the channels are chosen, and
-- each is rebuilt again where the schedule comes to it, for its own original output.

local core = require "lop.core"
local frontier = require "lop.engine.frontier"

local stream = {}

--- Calls f(k, consumer, at) for each consumer of a unit, in the network's order, with frontiers that stand before it.
--- The frontiers given stay where they are.
---@param side {original: table, now: table}
---@param f fun(k: integer, consumer: table, at: {original: table, now: table})
function stream.walk(base, net, unit, side, f)
  local places = {}
  for k, c in ipairs(unit.consumers) do
    places[k] = {k = k, there = frontier.position(base, c.name) - 1, here = frontier.position(net, c.name) - 1}
  end
  table.sort(places, function(a, b) return a.here < b.here end)
  local at = {now = side.now:twin()}
  at.original = side.original == side.now and at.now or side.original:twin()
  for _, p in ipairs(places) do
    at.original:advance(base, p.there)
    at.now:advance(net, p.here)
    f(p.k, unit.consumers[p.k], at)
  end
  at.now:close()
  at.original:close()
end

--- Those that wait and stand before a layer, all of them without one, in the network's order.
---@param name string?
---@return string[]
function stream.before(net, due, name)
  local list = {}
  for _, layer in ipairs(net:layers()) do
    if layer.name == name then return list end
    if due[layer.name] then list[#list + 1] = layer.name end
  end
  return list
end

--- Those that wait and read what stands at a frontier: all before them is done, though they may stand further on, as
--- the convolution beside a block does. What the block is to repair includes what they make of it.
---@param front table
---@return string[]
function stream.beside(net, due, front)
  local there, list = {}, {}
  for _, name in ipairs(front.names) do there[name] = true end
  for _, layer in ipairs(net:layers()) do
    if due[layer.name] and there[layer.inputs[1].name] then list[#list + 1] = layer.name end
  end
  return list
end

--- Whether the recipe lets a unit be cut: one that is no stream, or a stream that is not to be kept.
---@param unit table
---@param residual table      of the recipe, or of a rule
function stream.is_cut(unit, residual)
  return not unit.stream or residual.stream == "coupled"
end

--- Why a stream that could be cut stays whole, for a rule that asks for less of it.
function stream.refuse(name)
  core.fail("usage", ("layers: '%s' makes a residual stream, which stays whole: residual.stream = \"coupled\" cuts it")
    :format(name))
end

return stream

-- bindings/lua/lop/solve.lua - one layer's statistics: its input from one network's frontier, its target from
-- another's.

local core = require "lop.core"

local solve = {}

local function plane(t)
  local s = t:shape()
  return #s == 4 and t or t:reshape {s[1], t:size() // s[1], 1, 1}
end

--- Positions of an image so that the rows are 20 for each unknown of a filter, at least 20 an image.
function solve.positions(opts, channels, taps, images)
  return opts.positions or math.max(20, math.ceil(20 * channels * taps / images))
end

--- Sums over all chunks. input(i) and target(i) give the tensors of chunk i.
---@param layer table         of the consumer
---@param number integer      addresses the random positions
function solve.gather(layer, window, number, front, input, target, opts)
  local filters, channels = layer.weight:shape()[1], layer.weight:shape()[2]
  local taps = window.kernel[1] * window.kernel[2]
  local stats = core.stats(channels, taps, filters)
  local how = {kernel = window.kernel, stride = window.stride, pad = window.pad, dilation = window.dilation,
               seed = opts.seed, layer = number, positions = solve.positions(opts, channels, taps, front.images)}
  for i = 1, #front.chunks do
    how.first = (i - 1) * front.chunk
    local x, y = input(i), target(i)
    local px, py = plane(x), plane(y)
    stats:add(px, py, how)
    for _, t in ipairs {x, y, px, py} do t:close() end
  end
  return stats
end

--- The target of a unit's consumer: its output in the original; where that is added to a stream, the original's sum
--- less the stream as it now is, so that the branch repairs it (Y1 + Y2 - Y1', He et al., ICCV 2017, section 3.3).
---@param original table      frontiers of the original, and of the net as pruned so far
---@param now table
function solve.target(base, net, unit, original, now, compensate)
  local residual = compensate and unit.residual
  if not residual then return original:part(base, {base:layer(unit.consumer).outputs[1].name}) end
  local sum, stream = original:part(base, {residual.name}), now:part(net, {residual.other})
  return function(i)
    local whole, now_there = sum(i), stream(i)
    local rest = whole - now_there
    whole:close()
    now_there:close()
    return rest
  end
end

return solve

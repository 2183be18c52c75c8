-- bindings/lua/lop/prune.lua - the schedule: units in forward order, each with its input from the net as pruned so far
-- and its target from the original, so that each layer repairs what the ones before it lost (He et al., ICCV 2017, 3.3).
-- Groups with several consumers stay whole in this version.

local allocate = require "lop.allocate"
local core = require "lop.core"
local frontier = require "lop.frontier"
local solve = require "lop.solve"
local units = require "lop.units"

local HELD = 256                        -- images held out for the losses of single cuts
local REFIT = 1 << 16                   -- added to a unit's number: the positions of its producer's refit

local prune = {}

-- The stream that a branch's first convolution reads has drifted: it is solved too, all channels kept.
local function refit(base, net, unit, number, original, now, opts)
  local window, layer = net:window(unit.producer), net:layer(unit.producer)
  if not window or window.group ~= 1 or not layer.weight then return end
  local stats = solve.gather(layer, window, REFIT + number, now, now:part(net, {layer.inputs[1].name}),
                             original:part(base, {layer.outputs[1].name}), opts)
  local all = {}
  for i = 1, layer.weight:shape()[2] do all[i] = i end
  local w, b = stats:reconstruct(all, {weight = layer.weight})
  net:set(unit.producer, w, b)
end

local function cut(base, net, unit, number, width, original, now, opts)
  local layer = net:layer(unit.consumer)
  local stats = solve.gather(layer, unit.window, number, now, now:part(net, {layer.inputs[1].name}),
                             solve.target(base, net, unit, original, now, opts.compensate), opts)
  local channels, _, lambda = stats:select(width, {weight = layer.weight, method = opts.select, seed = opts.seed})
  local w, b, err = stats:reconstruct(channels, {weight = layer.weight, method = opts.reconstruct})
  net:cut(unit.name, channels)
  net:set(unit.consumer, w, b)
  return err, channels, lambda
end

local function zero_based(channels)
  local list = {}
  for i, c in ipairs(channels or {}) do list[i] = c - 1 end
  return list
end

-- Cuts all units to these widths.
local function run(base, list, widths, set, opts)
  local net, original, now = base:clone(), frontier.new(base, set), frontier.new(base, set)
  local layers, solved, drifted = {}, {}, false
  for i, unit in ipairs(list) do
    local report = {name = unit.name, width_before = unit.width, width_after = widths[i], error = 0}
    original:advance(base, frontier.position(base, unit.producer) - 1)
    now:advance(net, frontier.position(net, unit.producer) - 1)
    if opts.refit and drifted and not solved[unit.producer] then refit(base, net, unit, i, original, now, opts) end
    if widths[i] < unit.width then
      local channels
      report.error, channels, report.lambda = cut(base, net, unit, i, widths[i], original, now, opts)
      report.channels = zero_based(channels)
      solved[unit.consumer], drifted = true, true
    end
    layers[i] = report
    if opts.progress then opts.progress("prune", i, #list) end
  end
  return net, layers
end

local function widths_for(base, list, set, held, budget, opts)
  if opts.keep then return units.uniform(list, opts.keep) end
  local cost = units.cost(base, list)
  if opts.allocate == "uniform" then return units.uniform_for(list, cost, budget) end
  return allocate.widths(list, allocate.measure(base, list, set, held, opts), cost, budget)
end

--- Prunes a net on unlabelled images.
---@param original lop.net
---@param set lop.data        calibration images
---@param held lop.data       other images, for the losses of single cuts
---@param opts {macs: number?, speedup: number?, keep: number?, allocate: string?, select: string?, reconstruct: string?, compensate: boolean, refit: boolean, seed: integer, positions: integer?, progress: function?}
---@return lop.net net        batch normalisation folded
---@return table report       {layers = {{name, width_before, width_after, error}}, macs_before, macs_after, ...}
function prune.run(original, set, held, opts)
  local base = original:clone()
  base:fold_bn()
  local list = units.find(base)
  if #list == 0 then core.fail("unsupported", "no group of channels can be cut: lop inspect --groups says why") end
  local before = base:macs()
  local budget = opts.macs and opts.macs * before or before / (opts.speedup or 1)
  local widths = widths_for(base, list, set, held, budget, opts)
  local net, layers = run(base, list, widths, set, opts)
  return net, {layers = layers, macs_before = before, macs_after = net:macs(), params_before = original:params(),
               params_after = net:params(), bytes_before = original:bytes(), bytes_after = net:bytes(),
               speedup = before / net:macs(), seed = opts.seed}
end

--- Splits a set into calibration and held-out images, drawn by the seed.
---@return lop.data set
---@return lop.data held
function prune.split(set, images, seed)
  local held = math.min(HELD, #set // 4)
  if held < 1 then core.fail("arg", ("the data set has %d images: 4 or more expected"):format(#set)) end
  local n = math.min(images, #set - held)
  local both = n + held < #set and set:take(n + held, seed) or set
  local part, rest = both:split(held, seed + 1)
  return rest, part
end

return prune

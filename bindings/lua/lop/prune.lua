-- bindings/lua/lop/prune.lua - the schedule: units in forward order, each with its input from the net as pruned so far
-- and its target from the original, so that each layer repairs what the ones before it lost (He et al., ICCV 2017, 3.3).
-- Groups with several consumers stay whole in this version.

local allocate = require "lop.allocate"
local core = require "lop.core"
local frontier = require "lop.frontier"
local solve = require "lop.solve"
local units = require "lop.units"

local HELD = 256                        -- images held out for the losses of single cuts and for the ridge
local REFIT = 1 << 16                   -- added to a unit's number: the positions of its producer's refit

local prune = {}

-- The frontiers of both networks, for one set of images.
local function pair(base, set)
  return {original = frontier.new(base, set), now = frontier.new(base, set)}
end

-- Statistics of a layer for the calibration images, and for the held-out ones, which choose the ridge.
local function gather(layer, window, number, sides, input, target, opts)
  local list = {}
  for i, side in ipairs(sides) do
    list[i] = solve.gather(layer, window, number, side.now, input(side), target(side), opts)
  end
  return list[1], list[2]
end

-- A layer that reads what has drifted is solved with all its channels kept, for its own original output.
local function refit(base, net, name, number, sides, opts)
  local layer = net:layer(name)
  local window = net:window(name) or (layer.op == "Gemm" and {kernel = {1, 1}, group = 1})
  if not window or window.group ~= 1 or not layer.weight then return end
  local stats, held = gather(layer, window, REFIT + number, sides,
    function(side) return side.now:part(net, {layer.inputs[1].name}) end,
    function(side) return side.original:part(base, {layer.outputs[1].name}) end, opts)
  local all = {}
  for i = 1, layer.weight:shape()[2] do all[i] = i end
  net:set(name, stats:reconstruct(all, {weight = layer.weight, held = held}))
end

local function cut(base, net, unit, number, width, sides, opts)
  local layer = net:layer(unit.consumer)
  local stats, held = gather(layer, unit.window, number, sides,
    function(side) return side.now:part(net, {layer.inputs[1].name}) end,
    function(side) return solve.target(base, net, unit, side.original, side.now, opts.compensate) end, opts)
  local channels, _, lambda = stats:select(width, {weight = layer.weight, method = opts.select, seed = opts.seed})
  local w, b, err = stats:reconstruct(channels, {weight = layer.weight, method = opts.reconstruct, held = held})
  net:cut(unit.name, channels)
  net:set(unit.consumer, w, b)
  return err, channels, lambda
end

local function zero_based(channels)
  local list = {}
  for i, c in ipairs(channels or {}) do list[i] = c - 1 end
  return list
end

-- Classifiers behind the last unit: they read a drifted stream, and nothing behind them repairs it.
local function refit_last(base, net, list, solved, sides, opts)
  local behind = false
  for _, layer in ipairs(base:layers()) do
    if layer.name == list[#list].consumer then behind = true end
    if behind and layer.op == "Gemm" and not solved[layer.name] then
      for _, side in ipairs(sides) do
        side.original:advance(base, frontier.position(base, layer.name) - 1)
        side.now:advance(net, frontier.position(net, layer.name) - 1)
      end
      refit(base, net, layer.name, #list + 1, sides, opts)
      return
    end
  end
end

-- Cuts all units to these widths.
local function run(base, list, widths, set, held, opts)
  local net, sides = base:clone(), {pair(base, set), pair(base, held)}
  local layers, solved, drifted = {}, {}, false
  for i, unit in ipairs(list) do
    local report = {name = unit.name, width_before = unit.width, width_after = widths[i], error = 0}
    for _, side in ipairs(sides) do
      side.original:advance(base, frontier.position(base, unit.producer) - 1)
      side.now:advance(net, frontier.position(net, unit.producer) - 1)
    end
    if opts.refit and drifted and not solved[unit.producer] then refit(base, net, unit.producer, i, sides, opts) end
    if widths[i] < unit.width then
      local channels
      report.error, channels, report.lambda = cut(base, net, unit, i, widths[i], sides, opts)
      report.channels = zero_based(channels)
      solved[unit.consumer], drifted = true, true
    end
    layers[i] = report
    if opts.progress then opts.progress("prune", i, #list) end
  end
  if opts.refit and drifted then refit_last(base, net, list, solved, sides, opts) end
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
  local net, layers = run(base, list, widths, set, held, opts)
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

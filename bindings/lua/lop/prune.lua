-- bindings/lua/lop/prune.lua - the schedule: units in forward order, each with its input from the net as pruned so far
-- and its target from the original, so that each layer repairs what those before it lost (He et al., ICCV 2017, 3.3).
-- Groups with several consumers stay whole in this version.

local allocate = require "lop.allocate"
local core = require "lop.core"
local frontier = require "lop.frontier"
local memory = require "lop.memory"
local producer = require "lop.producer"
local schema = require "lop.schema"
local solve = require "lop.solve"
local units = require "lop.units"

local HELD = 256                        -- images held out for the losses of single cuts and for the ridge
local REFIT = 1 << 16                   -- added to a unit's number: the positions of its producer's refit

local prune = {}

-- The frontiers of both networks, for one set of images.
local function pair(base, set)
  local original = frontier.new(base, set)
  return {original = original, now = original:twin()}
end

-- Statistics for the calibration images, and for the held-out ones, which choose the ridge.
local function both(sides, gather)
  return gather(sides[1]), gather(sides[2])
end

-- A layer that reads what has drifted is solved with all its channels kept, for its own original output.
local function refit(base, net, name, number, sides, opts)
  local layer = net:layer(name)
  local window = net:window(name) or (layer.op == "Gemm" and {kernel = {1, 1}, group = 1})
  if not window or window.group ~= 1 or not layer.weight then return end
  local stats, held = both(sides, function(side)
    return solve.gather(layer, window, REFIT + number, side.now, side.now:part(net, {layer.inputs[1].name}),
                        side.original:part(base, {layer.outputs[1].name}), opts)
  end)
  local all = {}
  for i = 1, layer.weight:shape()[2] do all[i] = i end
  net:set(name, stats:reconstruct(all, {weight = layer.weight, held = held}))
end

local function cut(base, net, unit, number, width, sides, opts)
  local stats, held = both(sides, function(side) return solve.statistics(base, net, unit, number, side, opts) end)
  local order = solve.order(net, unit, stats, opts)
  local channels, lambda = solve.keep(net, unit, stats, order, width, opts)
  return solve.cut(net, unit, stats, held, channels, opts), channels, lambda
end

-- Numbers from 0, as in the original: places[c] is channel c's number there, where dead ones were dropped.
local function zero_based(channels, places)
  local list = {}
  for i, c in ipairs(channels or {}) do list[i] = (places and places[c] or c) - 1 end
  return list
end

-- Classifiers behind the last unit: they read a drifted stream, and nothing behind them repairs it.
local function refit_last(base, net, list, solved, sides, opts)
  local behind = false
  for _, layer in ipairs(base:layers()) do
    if layer.name == list[#list].producer then behind = true end
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
    local report = {name = unit.name, width_before = unit.before, width_after = widths[i], error = 0}
    for _, side in ipairs(sides) do
      side.original:advance(base, frontier.position(base, unit.producer) - 1)
      side.now:advance(net, frontier.position(net, unit.producer) - 1)
    end
    if opts.refit and drifted and not solved[unit.producer] then refit(base, net, unit.producer, i, sides, opts) end
    if widths[i] < unit.width then
      local channels
      report.error, channels, report.lambda = cut(base, net, unit, i, widths[i], sides, opts)
      report.channels = zero_based(channels, unit.places)
      if opts.producer > 0 then
        local better
        report.rounds, better = producer.refit(base, net, unit, i, sides, opts.producer, opts)
        report.error = better or report.error
      end
      for _, c in ipairs(unit.consumers) do solved[c.name] = true end
      drifted = true
    end
    layers[i] = report
    if opts.progress then opts.progress("prune", i, #list) end
  end
  if opts.refit and drifted then refit_last(base, net, list, solved, sides, opts) end
  return net, layers
end

-- A glob as a Lua pattern: * for any text, ? for one character.
local function pattern_of(glob)
  return "^" .. glob:gsub("[%^%$%(%)%%%.%[%]%+%-]", "%%%0"):gsub("%*", ".*"):gsub("%?", ".") .. "$"
end

-- Leaves out the units that are to stay whole, and fixes the widths that are given.
local function apply_rules(net, list, rules, widths)
  local known, result = {}, {}
  for _, layer in ipairs(net:layers()) do known[#known + 1] = layer.name end
  for _, glob in ipairs(schema.sorted(rules)) do
    local found = false
    for _, name in ipairs(known) do found = found or name:match(pattern_of(glob)) ~= nil end
    if not found then core.fail("usage", ("layers: no layer is named '%s' (lop inspect lists them)"):format(glob)) end
  end
  for _, unit in ipairs(list) do
    local rule = {}
    for _, glob in ipairs(schema.sorted(rules)) do
      if unit.name:match(pattern_of(glob)) then
        for key, value in pairs(rules[glob]) do rule[key] = value end
      end
    end
    if rule.keep then unit.fixed = math.max(1, math.floor(unit.width * rule.keep + 0.5)) end
    if widths then unit.fixed = math.min(widths[unit.name] or unit.width, unit.width) end
    if not rule.skip then result[#result + 1] = unit end
  end
  for _, name in ipairs(schema.sorted(widths or {})) do
    local found = false
    for _, unit in ipairs(list) do found = found or unit.name == name end
    if not found then
      core.fail("usage", ("budget.widths: no group '%s' can be cut (lop inspect --groups)"):format(name))
    end
  end
  return result
end

local function widths_for(base, list, set, held, before, opts)
  local budget, cost = opts.budget, units.cost(base, list)
  if budget.widths then return units.uniform(list, 1), {} end
  if budget.keep then return units.uniform(list, budget.keep), {} end
  local macs = budget.macs and budget.macs * before or before / budget.speedup
  if opts.allocate == "uniform" then return units.uniform_for(list, cost, macs), {} end
  return allocate.widths(list, allocate.measure(base, list, set, held, opts), cost, macs)
end

-- Drops channels that are one number everywhere: their group's width before, and the numbers of the others there.
local function drop_dead(base)
  local before = {}
  for _, g in ipairs(base:groups()) do before[g.name] = g.width end
  local _, places = base:drop_dead()
  return before, places
end

-- The net with batch normalisation folded and dead channels dropped, its units, and the widths they get.
local function prepare(original, set, held, opts)
  local base = original:clone()
  base:fold_constants()
  base:fold_bn()
  local before, places = drop_dead(base)
  local all = units.find(base)
  for _, unit in ipairs(all) do unit.before, unit.places = before[unit.name], places[unit.name] end
  if #all == 0 then core.fail("unsupported", "no group of channels can be cut: lop inspect --groups says why") end
  local list = apply_rules(base, all, opts.layers, opts.budget.widths)
  if #list == 0 then core.fail("usage", "layers: every group is skipped") end
  local needed = memory.bytes(base, list, #set + #held, opts.data_bytes or 0)
  memory.check(needed, opts.memory or math.huge)
  local widths, losses = widths_for(base, list, set, held, original:macs(), opts)
  return base, list, widths, losses, needed, before
end

--- Prunes a net on unlabelled images.
---@param original lop.net
---@param set lop.data        calibration images
---@param held lop.data       other images, for the losses of single cuts and the ridge
---@param opts table          from job.options: budget, allocate, select, reconstruct, ridge, compensate, refit, layers,
---                           seed, positions, progress
---@return lop.net net        batch normalisation folded
---@return table report       {layers = {{name, width_before, width_after, error}}, macs_before, macs_after, ...}
function prune.run(original, set, held, opts)
  local base, list, widths, losses, needed = prepare(original, set, held, opts)
  local net, layers = run(base, list, widths, set, held, opts)
  for i, layer in ipairs(layers) do layer.loss = losses[i] end
  local before, after = original:macs(), net:macs()
  return net, {layers = layers, macs_before = before, macs_after = after, params_before = original:params(),
               params_after = net:params(), bytes_before = original:bytes(), bytes_after = net:bytes(),
               speedup = before / after, seed = opts.seed, memory_bytes = needed}
end

--- What prune.run would do; cuts nothing.
---@return table              {groups = {{name, width, keep, loss, prunable, reason}}, macs_before, macs_after}
function prune.plan(original, set, held, opts)
  local base, list, widths, losses, needed, before = prepare(original, set, held, opts)
  local keep, groups = {}, {}
  for i, unit in ipairs(list) do keep[unit.name] = {widths[i], losses[i]} end
  for i, g in ipairs(base:groups()) do
    local found = keep[g.name]
    local whole = g.kind == "stream" and "residual stream: left whole in this plan" or "left whole in this plan"
    local reason = g.reason ~= "" and g.reason or (not found and whole) or nil
    groups[i] = {name = g.name, width = before[g.name], keep = found and found[1] or g.width, loss = found and found[2],
                 prunable = g.prunable and found ~= nil, reason = reason}
  end
  return {groups = groups, memory_bytes = needed, scratch_bytes = 0,
          macs_before = original:macs(), macs_after = math.floor(units.cost(base, list)(widths) + 0.5)}
end

--- Splits a set into calibration and held-out images, drawn by the seed.
---@return lop.data set
---@return lop.data held
function prune.split(set, images, seed)
  local held = math.min(HELD, #set // 4)
  if held < 1 then core.fail("arg", ("the data set has %d images: 4 or more expected"):format(#set)) end
  local n = math.min(images, #set - held)
  local pool = n + held < #set and set:take(n + held, seed) or set
  local part, rest = pool:split(held, seed + 1)
  return rest, part
end

return prune

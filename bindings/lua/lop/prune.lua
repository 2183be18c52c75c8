-- bindings/lua/lop/prune.lua - the schedule: units in the order asked for, each with its input from the net as pruned
-- so far and its target from the original. Forward, each layer repairs what those before it lost (He et al., ICCV 2017,
-- 3.3).

local core = require "lop.core"
local again = require "lop.engine.again"
local blocks = require "lop.cuts.blocks"
local cost = require "lop.budget.cost"
local frontier = require "lop.engine.frontier"
local json = require "lop.json"
local kinds = require "lop.cuts.kinds"
local masks = require "lop.cuts.masks"
local memory = require "lop.engine.memory"
local order = require "lop.policy.order"
local producer = require "lop.engine.producer"
local ranks = require "lop.cuts.ranks"
local rules = require "lop.policy.rules"
local reader = require "lop.engine.reader"
local relu = require "lop.engine.relu"
local solve = require "lop.engine.solve"
local stages = require "lop.budget.stages"
local stream = require "lop.engine.stream"
local units = require "lop.engine.units"
local widths_of = require "lop.policy.widths"
local writers = require "lop.cuts.writers"

local HELD = 256                        -- images held out for the losses of single cuts and for the ridge
local REFIT = 1 << 16                   -- added to a unit's number: the positions of its producer's refit
local DUE = 1 << 14                     -- and of layers that read a cut stream
local RANK = 1 << 9                     -- and of the rebuilding around a layer that was factored

local prune = {}

-- The frontiers of both networks, for one set of images.
local function pair(base, set, passes)
  local original = frontier.new(base, set, passes)
  return {original = original, now = original:twin(), set = set}
end

-- Moves both before a layer. Frontiers go forward only: an order that goes back starts again from the pictures.
local function stand_before(sides, base, net, name, passes)
  local there, here = frontier.position(base, name) - 1, frontier.before(base, net, name)
  for s, side in ipairs(sides) do
    if side.original.at > there or side.now.at > here then
      side.original:close()
      side.now:close()
      sides[s] = pair(base, side.set, passes)
      side = sides[s]
    end
    side.original:advance(base, there)
    side.now:advance(net, here)
  end
end

-- Statistics for the calibration images, and for the held-out ones, which choose the ridge.
local function both(sides, gather)
  return gather(sides[1]), gather(sides[2])
end

-- A layer that reads what has drifted is solved with all its channels kept, for its own original output.
local function refit(base, net, name, number, sides, opts)
  local layer = reader.layer(net, name)
  if not layer or units.too_wide(layer) then return end
  local stats, held = both(sides, function(side)
    return solve.gather(layer, layer.window, REFIT + number, side.now, side.now:part(net, {layer.inputs[1].name}),
                        solve.own_target(base, name, side.original, opts), opts)
  end)
  local all = {}
  for i = 1, layer.weight:shape()[2] do all[i] = i end
  solve.set(net, name, opts, stats:reconstruct(all, solve.how(layer, held, opts)))
end

local function cut(base, net, unit, number, width, sides, opts)
  local stats, held = both(sides, function(side) return solve.statistics(base, net, unit, number, side, opts) end)
  local removal = solve.order(net, unit, stats, opts)
  local channels, lambda = solve.keep(net, unit, stats, removal, width, opts)
  return solve.cut(net, unit, stats, held, channels, opts), channels, lambda
end

-- Numbers in the group, from 0, as in the original, where dead ones were not dropped yet.
local function zero_based(channels, unit)
  local list = {}
  for i, c in ipairs(channels or {}) do
    local rank = unit.ranks and unit.ranks[c] or c
    list[i] = (unit.places and unit.places[rank] or rank) - 1
  end
  return list
end

-- Classifiers behind the last unit: they read a drifted stream, and nothing behind them repairs it.
local function refit_last(base, net, list, solved, sides, opts)
  local behind = false
  for _, layer in ipairs(base:layers()) do
    if layer.name == list[#list].producer then behind = true end
    if behind and layer.op == "Gemm" and not solved[layer.name] then
      stand_before(sides, base, net, layer.name, opts.passes)
      refit(base, net, layer.name, #list + 1, sides, opts)
      return
    end
  end
end

-- A layer may lose filters before its own input is cut: a gate with what it gates, or where the order goes back. Its
-- target is then what is left of its output. Notes the filters that each maker of a unit keeps, and the channels that
-- the group has left.
local function note_kept(base, unit, channels, opts)
  local stays, kept = {[0] = true}, opts.kept           -- 0: a filter of no channel of the unit
  for _, c in ipairs(channels) do stays[c] = true end
  for _, name in ipairs(unit.producers) do
    local of, list = reader.own(base:filters(name, unit.group), unit), {}
    for filter = 1, #of do list[filter] = filter end
    local left = {}
    for _, filter in ipairs(kept[name] or list) do
      if stays[of[filter]] then left[#left + 1] = filter end
    end
    kept[name] = left
  end
  local all, alive = {}, {}
  for r = 1, unit.group_width do all[r] = r end
  local own = reader.own(all, unit)
  for _, r in ipairs(opts.alive[unit.group] or all) do
    if stays[own[r]] then alive[#alive + 1] = r end
  end
  opts.alive[unit.group] = alive
end

-- Consumers of streams that were cut, rebuilt where the order has come to them: those before a layer, and those that
-- read what stands there, but one that is rebuilt anyway; all of them without a layer. `work`: not taken from the
-- journal.
local function catch_up(base, net, place, but, due, number, sides, work, opts)
  local function rebuild(name)
    if work then refit(base, net, name, DUE + number, sides, opts) end
    due[name] = nil
  end
  for _, name in ipairs(stream.before(net, due, place)) do
    stand_before(sides, base, net, name, opts.passes)
    rebuild(name)
  end
  if not place then return end
  stand_before(sides, base, net, place, opts.passes)
  for _, name in ipairs(stream.beside(net, due, sides[1].now)) do
    if name ~= but then rebuild(name) end
  end
end

-- Rounds of the producer's refit; notes them, and the consumer's error where that fell.
local function refit_producer(base, net, unit, i, sides, own, report)
  local rounds, better = producer.refit(base, net, unit, i, sides, own.producer, own)
  report.rounds = (report.rounds or 0) + rounds
  report.error = better or report.error
end

-- Lets a layer write less, once it is solved with all its filters and what it reads is as it will be.
local function do_writer(base, net, unit, i, report, sides, own)
  local c, around = unit.consumers[1], own.around(unit)
  local factored = ranks.first(net, unit.producer, c.window)
  if not factored then solve.rebuild(base, net, unit, i, sides, own) end
  if own.producer > 0 and around.before then
    refit_producer(base, net, around.before, 2 * RANK + i, sides, own, report)
  end
  local solved = factored and ranks.pair(net, unit) or unit
  local stats = solve.statistics(base, net, solved, i, sides[1], own)
  report.error = kinds.output.cutter(net, unit, stats[1])(net, report.width_after)
end

-- Lets each filter of a layer read channels of its own; what reads the layer is rebuilt, and its filters are bent where
-- they have weights.
local function do_mask(base, net, unit, i, report, sides, own)
  local stats, held = both(sides, function(side) return solve.statistics(base, net, unit, i, side, own) end)
  report.error, report.mask = masks.cutter(net, unit, stats[1], held[1], own)(net, report.width_after)
  masks.note(own, unit.producer, report.mask)
  local after = own.around(unit).after
  if after then solve.rebuild(base, net, after, RANK + i, sides, own) end
  if own.producer > 0 and after then refit_producer(base, net, after, 3 * RANK + i, sides, own, report) end
end

-- Factors a layer, or lets it read less. What reads it is rebuilt, and the filters before are refitted, once all around
-- is as it will be.
local function do_layer(base, net, unit, i, report, sides, own)
  if unit.kind == "output" then return do_writer(base, net, unit, i, report, sides, own) end
  if unit.kind == "mask" then return do_mask(base, net, unit, i, report, sides, own) end
  local stats, held = both(sides, function(side) return solve.statistics(base, net, unit, i, side, own) end)
  report.error = kinds[unit.kind].cutter(net, unit, stats[1], held[1], own)(net, report.width_after)
  if own.producer > 0 and unit.kind ~= "input" and not unit.consumers[1].gemm then
    refit_producer(base, net, ranks.pair(net, unit), RANK + i, sides, own, report)
  end
  local around = own.around(unit)
  if own.producer > 0 and around.before then
    refit_producer(base, net, around.before, 2 * RANK + i, sides, own, report)
  end
  if around.after then solve.rebuild(base, net, around.after, RANK + i, sides, own) end
  if own.producer > 0 and around.after then
    refit_producer(base, net, around.after, 3 * RANK + i, sides, own, {})
  end
end

-- What one unit does to the net: refits its producer, cuts, rebuilds its consumers and refits the producer again.
local function do_unit(base, net, unit, i, report, sides, refits, own)
  if unit.kind then
    if report.width_after < unit.width then do_layer(base, net, unit, i, report, sides, own) end
    return nil
  end
  if refits and report.width_after > 0 then refit(base, net, unit.producer, i, sides, own) end
  if report.width_after >= unit.width then return nil end
  if report.width_after == 0 then
    local b = unit.branch
    if blocks.begins(unit) then blocks.vanish(net, b, solve.statistics(base, net, b.tail, i, sides[1], own)) end
    report.error, report.channels, report.branch = 1, json.array {}, b.last     -- nothing that varies is left
    return {}
  end
  local channels
  if own.reconstruct == "relu" then report.relu = relu.behind(net, unit, unit.consumers[1]) ~= nil end
  report.error, channels, report.lambda = cut(base, net, unit, i, report.width_after, sides, own)
  report.channels, report.method = zero_based(channels, unit), solve.substitute(unit, own)
  if own.producer > 0 and not own.around(unit).changed then
    refit_producer(base, net, unit, i, sides, own, report)
  end
  return channels
end

-- What a unit has to do with those of its layer's neighbours, by unit. Of a layer's last unit: before, the unit of
-- width that the layer reads, whose filters are refitted once more; after, the one that it makes, which is rebuilt and
-- refitted unless what reads that is changed too, later. Of a width: changed, whether one of its layers will be: its
-- filters are refitted then. stand: the layer before which all that can be done.
local function around_of(list, widths)
  local maker, read_by, last, gone = {}, {}, {}, {}
  for i, unit in ipairs(list) do
    if widths[i] == 0 then
      gone[unit] = true
    elseif unit.kind then
      if widths[i] < unit.width then last[unit.producer] = unit end
    elseif #unit.producers == 1 and #unit.consumers == 1 and not (unit.partial or unit.view or unit.stream) then
      maker[unit.producer], read_by[unit.consumers[1].name] = unit, unit
    end
  end
  return function(unit)
    local after, before = maker[unit.producer], read_by[unit.producer]
    local stand = before and last[unit.producer] and before.first or unit.first
    if not unit.kind then
      stand = gone[unit] and unit.branch.first or stand
      return {stand = stand, changed = after == unit and (last[unit.producer] or last[unit.consumers[1].name])}
    end
    if last[unit.producer] ~= unit then return {stand = stand} end
    return {stand = stand, before = before, after = after and not last[after.consumers[1].name] and after or nil}
  end
end

local tools = {pair = pair, stand_before = stand_before, bend = refit_producer}

-- Cuts all units to these widths. With a journal, what it holds is taken from there; the frontiers then make the moves
-- that they made before, so that they stand on the same values.
local function run(base, list, widths, set, held, opts)
  local journal = opts.journal
  local finished = journal and journal.count or 0
  local net = finished > 0 and journal:net() or base:clone()
  local sides = {pair(base, set, opts.passes), pair(base, held, opts.passes)}
  local layers, solved, sequence, first = {}, {}, order.of(list, opts.order), math.huge
  local due = {}
  opts = solve.options({own = {kept = {}, alive = {}, masks = {}, around = around_of(list, widths)}}, opts)
  for done, i in ipairs(sequence) do
    local unit, began = list[i], core.system.seconds()
    local own = solve.options(unit, opts)
    local entry = done <= finished and journal:entry(done) or {}
    local report = entry.report or {name = unit.name, kind = unit.kind, width_before = unit.before,
                                    width_after = widths[i], error = 0}
    local passed = widths[i] == 0 and not blocks.begins(unit)           -- it went with its branch
    if not passed and (widths[i] < unit.width or (first < i and opts.refit)) then
      local own_turn = unit.first == unit.producer and (not unit.kind or widths[i] < unit.width)
      catch_up(base, net, opts.around(unit).stand, own_turn and unit.producer, due, i, sides, done > finished, opts)
      if own_turn then due[unit.producer] = nil end
    end
    local passes = opts.passes.count
    if done > finished then
      local drifted = unit.first == unit.producer and first < i and not solved[unit.producer]
      local refits = drifted and own.refit and solve.solves(own.reconstruct)
      entry = {report = report, channels = do_unit(base, net, unit, i, report, sides, refits, own)}
      entry.passes, report.seconds = opts.passes.count - passes, core.system.seconds() - began
      if journal then journal:add(entry, net) end
    else
      opts.passes.count = passes + entry.passes
      if report.mask then masks.note(opts, unit.producer, report.mask) end
    end
    if widths[i] < unit.width then
      local waits = unit.stream and opts.refit
      for _, c in ipairs(unit.consumers) do
        solved[c.name], due[c.name] = not waits or nil, waits or nil
      end
      if not unit.kind then note_kept(base, unit, entry.channels, opts) end
      first = math.min(first, i)
    end
    layers[i] = report
    if opts.progress then opts.progress("prune", done, #list) end
  end
  for name in pairs(due) do solved[name] = true end     -- the classifier may be one of them
  catch_up(base, net, nil, nil, due, #list, sides, true, opts)
  if opts.refit and first < math.huge then refit_last(base, net, list, solved, sides, opts) end
  for _, side in ipairs(sides) do
    side.original:close()
    side.now:close()
  end
  if first < math.huge then again.run(base, net, list, widths, set, held, opts, tools) end
  return net, layers, masks.settle(net, list, layers, opts)
end

-- Drops channels that are one number everywhere: their group's width before, and the numbers of the others there.
local function drop_dead(base)
  local before = {}
  for _, g in ipairs(base:groups()) do before[g.name] = g.width end
  local _, places = base:drop_dead()
  return before, places
end

-- The widths that the budget gives, or those of the journal. By name there: a unit may have no loss.
local function budget_widths(original, base, list, set, held, opts)
  if not opts.journal then return widths_of.find(original, base, list, set, held, opts) end
  local plan = opts.journal:plan(function()
    local found, loss, goal = widths_of.find(original, base, list, set, held, opts)
    local p = {widths = {}, losses = {}, goal = goal, passes = opts.passes.count}
    for i, unit in ipairs(list) do p.widths[unit.name], p.losses[unit.name] = found[i], loss[i] end
    return p
  end)
  local widths, losses = {}, {}
  for i, unit in ipairs(list) do widths[i], losses[i] = plan.widths[unit.name], plan.losses[unit.name] end
  opts.passes.count = plan.passes
  return widths, losses, plan.goal
end

-- The widths of all units: of masks, which no budget counts, what the recipe says.
local function find_widths(original, base, list, set, held, opts)
  local counted, all = masks.apart(list)
  local widths, losses, goal, curves = budget_widths(original, base, counted, set, held, opts)
  return all(widths, function(unit) return unit.fixed end), all(losses), goal, all(curves)
end

-- Gives each layer of the units weights of its own: it is cut and rebuilt for itself, and costs are counted so. Those
-- that shared theirs with one before.
local function unshare(base, list)
  local changed, seen, names = {}, {}, {}
  for _, unit in ipairs(list) do
    for _, name in ipairs(unit.producers) do changed[name] = true end
    for _, c in ipairs(unit.consumers) do changed[c.name] = true end
  end
  for _, layer in ipairs(base:layers()) do
    local value = layer.weight and layer.inputs[2]
    if value and seen[value.name] and (changed[layer.name] or changed[seen[value.name]]) then
      base:set(layer.name, layer.weight, layer.bias)
      names[#names + 1] = layer.name
    end
    if value then seen[value.name] = seen[value.name] or layer.name end
  end
  return names
end

-- What the recipe allows, and why other groups stay whole. Widths that may not be cut are fixed: what changes before
-- them is rebuilt behind them.
local function all_units(base, recipe)
  local residual, widths, reasons = recipe.residual, units.find(base)
  local allowed = {sampler = residual.input == "sampler", mask = residual.input == "filter-wise",
                   writer = residual.output == "sampler", forms = recipe.decompose}
  writers.check(residual)
  again.check(recipe)
  blocks.check(recipe)
  for _, word in ipairs(recipe.cuts) do allowed[word] = true end
  if not allowed.width then
    for _, unit in ipairs(widths) do unit.fixed, unit.uncut = unit.width, true end
  end
  blocks.mark(base, widths, recipe)
  return kinds.merge(base, widths, allowed), reasons
end

-- Why nothing is left that may be cut, and what would help.
local function nothing_left(all)
  for _, unit in ipairs(all) do
    if unit.stream then
      core.fail("unsupported", ("only residual streams can be cut ('%s'), and they stay whole: residual.stream = "
                                .. '"coupled"'):format(unit.name))
    end
  end
  core.fail("usage", "layers: every group is skipped")
end

--- A net with batch normalisation folded and dead channels dropped, and its units as the recipe has them.
---@return table              {base, list, before, place, unshared}: before, the groups' widths; place, of
---                           lop.engine.memory; unshared, the layers whose weights another had, too
function prune.open(original, set, held, opts)
  local base = original:clone()
  base:fold_constants()
  base:fold_bn()
  local before, places = drop_dead(base)
  local all, reasons = all_units(base, opts.recipe)
  for _, unit in ipairs(all) do
    unit.before = unit.group and not unit.ranks and before[unit.group] or unit.width
    unit.places = unit.group and places[unit.group]
  end
  if #all == 0 then core.fail("unsupported", "no group of channels can be cut: lop inspect --groups says why") end
  local list = rules.apply(base, all, opts.recipe)
  if #list == 0 then nothing_left(all) end
  local unshared = unshare(base, list)
  order.of(list, opts.order)            -- a wrong name is told before the work
  local place = memory.place(memory.needs(base, list, #set, #held, opts), opts.memory or math.huge, opts.scratch)
  opts.passes.store = place.store
  return {base = base, list = list, before = before, place = place, reasons = reasons, unshared = unshared}
end

-- The same, and the widths that the units get.
local function prepare(original, set, held, opts)
  local p = prune.open(original, set, held, opts)
  p.widths, p.losses, p.goal, p.curves = find_widths(original, p.base, p.list, set, held, opts)
  return p
end

--- Why a group is left whole.
---@param g table             of base:groups()
---@param reasons table<string, string>       from units.find
function prune.reason(g, reasons)
  if g.reason ~= "" then return g.reason end
  if reasons[g.name] then return reasons[g.name] .. ": left whole" end
  return g.kind == "stream" and "residual stream: left whole (residual.stream)" or "left whole in this plan"
end

--- Prunes a net on unlabelled images.
---@param original lop.net
---@param set lop.data        calibration images
---@param held lop.data       other images, for the losses of single cuts and the ridge
---@param opts table          from job.options
---@return lop.net net        batch normalisation folded
---@return table report       {layers = {{name, width_before, width_after, error}}, macs_before, macs_after, ...}
function prune.run(original, set, held, opts)
  local p = prepare(original, set, held, opts)
  local net, layers, masked = run(p.base, p.list, p.widths, set, held, opts)
  p.place.store:close()
  for i, layer in ipairs(layers) do layer.loss = p.losses[i] end
  local before, after = original:macs(), net:macs()
  return net, {layers = layers, macs_before = before, macs_after = after, params_before = original:params(),
               params_after = net:params(), bytes_before = original:bytes(), bytes_after = net:bytes(),
               speedup = before / after, seed = opts.seed, memory_bytes = p.place.memory_bytes,
               scratch_bytes = p.place.scratch_bytes, budget = p.goal, masks = masked,
               unshared = json.array(p.unshared), forward_passes = opts.passes.count}
end

--- What prune.run would do; cuts nothing.
---@return table              {groups = {{name, width, keep, loss, curve, prunable, reason, stage, branch}}, ...};
---                           curve: {{width, loss}}, where it was measured; stage: where each meets the budget;
---                           branch: the layer that ended the branch that is gone, at keep 0
function prune.plan(original, set, held, opts)
  local p, found, groups = prepare(original, set, held, opts), {}, {}
  for i, unit in ipairs(p.list) do
    if unit.group then
      local of = found[unit.group] or {gone = 0, loss = p.losses[i] and 0}
      of.gone, of.loss = of.gone + unit.width - p.widths[i], of.loss and p.losses[i] and of.loss + p.losses[i]
      of.branch = p.widths[i] == 0 and unit.branch.last or of.branch
      of.curve = not unit.ranks and p.curves and p.curves[i]
      found[unit.group] = of
    end
  end
  local stage_of = p.goal and p.goal.stages and stages.of(p.base) or {}
  for i, g in ipairs(p.base:groups()) do
    local of = found[g.name]
    groups[i] = {stage = stage_of[g.producers[1]], name = g.name, width = p.before[g.name],
                 keep = g.width - (of and of.gone or 0),
                 loss = of and of.loss, curve = of and of.curve or nil, branch = of and of.branch,
                 prunable = g.prunable and of ~= nil,
                 reason = (g.reason ~= "" or not of) and prune.reason(g, p.reasons) or nil}
  end
  for i, unit in ipairs(p.list) do
    if unit.kind then
      groups[#groups + 1] = {stage = stage_of[unit.producer], name = unit.name, width = unit.width, keep = p.widths[i],
                             loss = p.losses[i], prunable = true}
    end
  end
  p.place.store:close()
  local shrunk <close> = units.shrunk(p.base, p.list, p.widths)
  return {groups = groups, masks = masks.plan(shrunk, p.list, p.widths), memory_bytes = p.place.memory_bytes,
          scratch_bytes = p.place.scratch_bytes, budget = p.goal, forward_passes = opts.passes.count,
          unshared = json.array(p.unshared),
          macs_before = original:macs(), macs_after = cost.of(p.base, p.list, "macs")(p.widths)}
end

--- Splits a set into calibration and held-out images, drawn by the seed.
---@return lop.data set
---@return lop.data held
function prune.split(set, images, seed)
  local held = math.min(HELD, #set // 4, math.max(images // 2, 16))
  if held < 1 then core.fail("arg", ("the data set has %d images: 4 or more expected"):format(#set)) end
  local n = math.min(images, #set - held)
  local pool = n + held < #set and set:take(n + held, seed) or set
  local part, rest = pool:split(held, seed + 1)
  return rest, part
end

return prune

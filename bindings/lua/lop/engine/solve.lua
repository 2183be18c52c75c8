-- bindings/lua/lop/engine/solve.lua - one layer's statistics: its input from one network's frontier, its target from
-- another's.

local behind = require "lop.engine.behind"
local choose = require "lop.engine.choose"
local core = require "lop.core"
local parts = require "lop.engine.parts"
local reader = require "lop.engine.reader"
local relu = require "lop.engine.relu"
local stream = require "lop.engine.stream"
local units = require "lop.engine.units"

local solve = {}

--- Positions of an image so that the rows are 20 for each unknown of a filter, at least 20 an image.
function solve.positions(opts, channels, taps, images)
  return opts.positions or math.max(20, math.ceil(20 * channels * taps / images))
end

--- Sums over all chunks. input(i) and target(i) give the tensors of chunk i.
---@param layer table         of reader.layer
---@param number integer      addresses the random positions
---@param opts {seed: integer?, positions: integer?, about: table?}   about: what else the statistics are to know
function solve.gather(layer, window, number, front, input, target, opts)
  local filters, taps = layer.weight:shape()[1], window.kernel[1] * window.kernel[2]
  local channels = layer.weight:size() // (filters * taps)
  local about = {weight = layer.weight, kernel = window.kernel}
  for key, value in pairs(opts.about or {}) do about[key] = value end
  if units.too_wide(layer) then about.rows, about.sums, about.seed = units.ROWS, false, opts.seed end
  local stats = core.stats(channels, taps, filters, about)
  local how = {kernel = window.kernel, stride = window.stride, pad = window.pad, dilation = window.dilation,
               seed = opts.seed, layer = number, positions = solve.positions(opts, channels, taps, front.images)}
  if about.rows and not opts.positions then how.positions = math.ceil(about.rows / front.images) end
  for i = 1, #front.chunks do
    how.first = (i - 1) * front.chunk
    local x, y = input(i), target(i)
    local px, py = reader.planes(x, window, taps), reader.target(y, window)
    stats:add(px, py, how)
    for _, t in ipairs {x, y, px, py} do t:close() end
  end
  return stats
end

--- The options for one unit: what the recipe says of its layers stands before what it says of all.
---@param unit table          own: {reconstruct, ridge, intercept, compensate}
function solve.options(unit, opts)
  local copy = {}
  for key, value in pairs(opts) do copy[key] = value end
  for key, value in pairs(unit.own or {}) do copy[key] = value end
  return copy
end

-- Filters of a layer that are cut already: of an output of the original, what is left of them. A MatMul makes its
-- filters along the last dimension.
local function kept_of(layer, run, kept)
  if not kept then return run end
  return function(i)
    local whole = run(i)
    local part = whole:index(layer.op == "MatMul" and #whole:shape() or 2, kept)
    whole:close()
    return part
  end
end

--- A layer's own original output: the target of one that is rebuilt with all its channels.
function solve.own_target(base, name, original, opts)
  local layer = base:layer(name)
  return kept_of(layer, original:part(base, {layer.outputs[1].name}), opts.kept and opts.kept[name])
end

--- The target of a consumer: its output in the original; where that is added to a stream, the original's sum
--- less the stream as it now is, so that the branch repairs it (Y1 + Y2 - Y1', He et al., ICCV 2017, section 3.3).
---@param original table      frontiers of the original, and of the net as pruned so far
---@param now table
---@param opts {compensate: boolean, kept: table?}    kept: filters that are left, by name of a layer cut before
function solve.target(base, net, consumer, original, now, opts)
  local residual = opts.compensate and consumer.residual
  if not residual then return solve.own_target(base, consumer.name, original, opts) end
  local sum = kept_of(base:layer(consumer.name), original:part(base, {residual.name}),
                      opts.kept and opts.kept[consumer.name])
  local beside = now:part(net, {residual.other})
  return function(i)
    local whole, now_there = sum(i), beside(i)
    local rest = whole - now_there
    whole:close()
    now_there:close()
    return rest
  end
end

-- With method "relu" the statistics of consumers with a ReLU behind keep rows: list.relu, and list.beside where a
-- residual addition comes between, by consumer.
local function keep_rows(net, unit, k, c, number, side, list, opts)
  if opts.reconstruct ~= "relu" or opts.intercept == false then return opts end
  local where, layer = relu.behind(net, unit, c), reader.layer(net, c.name)
  if not where or layer.matrix then return opts end
  local taps = c.window.kernel[1] * c.window.kernel[2]
  local filters = layer.weight:shape()[1]
  list.relu[k] = true
  if where == "sum" then
    local how = {seed = opts.seed, layer = number,
                 positions = solve.positions(opts, layer.weight:size() // (filters * taps), taps, side.now.images)}
    list.beside[k] = relu.beside(net, c, how, side)
  end
  return relu.with_rows(opts)
end

local FURTHER = 1 << 12                 -- added to a unit's number for each further consumer: its own positions

--- Statistics of each consumer of a unit, for one side's images.
---@return lop.stats[]
function solve.statistics(base, net, unit, number, side, opts)
  local list = {relu = {}, beside = {}}
  local function gather(k, c, at)
    local layer, address = reader.layer(net, c.name), number + (k - 1) * FURTHER
    local own = keep_rows(net, unit, k, c, address, at, list, opts)
    list[k] = solve.gather(layer, c.window, address, at.now, at.now:part(net, {layer.inputs[1].name}),
                           solve.target(base, net, c, at.original, at.now, opts), own)
  end
  if unit.stream then
    stream.walk(base, net, unit, side, gather)
  else
    for k, c in ipairs(unit.consumers) do gather(k, c, side) end
  end
  return list
end

-- How this unit's channels are chosen: a table as lop.select takes it.
local function method_of(unit, opts)
  local select = unit.select or opts.select
  select = type(select) == "table" and select or {method = select}
  if not unit.wide then return select end
  local method = select.method or "elimination"         -- rows are kept: what would need their Gram is a LASSO there
  if method == "elimination" or method == "forward" or method == "lasso-alternating" then method = "lasso" end
  return {method = method, lambda = select.lambda}
end

--- The method that stands in for the one asked for, where a unit's reader keeps rows; nil where none has to.
---@return string?
function solve.substitute(unit, opts)
  local select = unit.select or opts.select
  local asked, taken = type(select) == "table" and select.method or select, method_of(unit, opts).method
  return unit.kind == nil and unit.wide and (asked or "elimination") ~= taken and taken or nil
end

-- The unit's channels among the entries of a consumer's input, and the entries in their order.
local function entries_of(net, unit, c, opts)
  local own = reader.own(net:ranks(c.name, unit.group), unit, opts.alive and opts.alive[unit.group])
  if c.taps then own = reader.blocks(own, c.taps) end
  local entries, each = reader.entries(own, unit.width)
  return own, entries, each
end

-- The consumers as they see the unit's channels: their statistics and weights, all with channel i of the unit in place
-- i and the rest projected out, but for a unit whose one consumer has it in places of its own.
local function views_of(net, unit, stats, opts)
  if stats.view then return stats.view end
  local view = {}
  for k, c in ipairs(unit.consumers) do
    local _, entries, each = entries_of(net, unit, c, opts)
    local weight = reader.layer(net, c.name).weight
    local s = unit.view and stats[k]:regroup(entries, each, weight) or stats[k]
    view[k] = {s, unit.view and s.weight or weight, rows = stats[k].rows, unknowns = stats[k].channels * stats[k].taps}
    view.places = view.places or entries
  end
  for i = 1, unit.view and unit.width or 0 do view.places[i] = i end
  for i = unit.width + 1, unit.view and #view.places or 0 do view.places[i] = nil end
  stats.view = view
  return view
end

local FEW = 1e-2                        -- the ridge of a choice with fewer rows than unknowns

-- What the selection takes: all consumers at once; where a consumer reads other channels too, theirs stay.
local function choice(net, unit, stats, opts)
  local select, views = method_of(unit, opts), views_of(net, unit, stats, opts)
  local main, places = views[1], views.places
  local how = {weight = main[2], method = select.method, lambda = select.lambda, refine = select.refine,
               seed = opts.seed, others = {}}
  if main[1].summed and main.rows < main.unknowns then how.ridge = FEW end
  for k = 2, #views do                  -- with fewer rows than unknowns nothing can be told of single channels
    local enough = not views[k][1].summed or views[k].rows >= views[k].unknowns
    if enough then table.insert(how.others, {views[k][1], views[k][2]}) end
  end
  how.producer = behind.filters(net, unit.producer, unit.width)
  if how.method == "bn-scale" and opts.original then
    how.score = behind.bn_scale(opts.original, net, unit.producer)
    if not how.score then
      core.fail("arg", ("group '%s': no batch normalisation stands behind '%s': another select.method, or skip it")
        :format(unit.name, unit.producer))
    end
  end
  if unit.partial and not unit.view then
    local channels = main[2]:shape()[2]
    how.stay = behind.others(places, channels)
    for _, key in ipairs {"producer", "score"} do
      how[key] = how[key] and behind.spread(how[key], places, channels)
    end
  end
  return main[1], how, places
end

local function ranks_of(channels, places)
  local rank, list = {}, {}
  for r, place in ipairs(places) do rank[place] = r end
  for _, c in ipairs(channels) do list[#list + 1] = rank[c] end
  return list
end

--- Channels of a unit in the order of removal; of a wide unit's LASSO, whose sums are dear, the problem; nil for
--- another method whose sets are not nested.
---@return integer[]|table|nil
function solve.order(net, unit, stats, opts)
  local select = method_of(unit, opts)
  if unit.wide and not unit.partial and select.method == "lasso" and not select.lambda then
    local main, how = choice(net, unit, stats, opts)
    how.lambda, how.refine = nil, nil
    return {lasso = core.lasso(main, how)}
  end
  if not choose.nested(select) then return nil end
  local main, how, places = choice(net, unit, stats, opts)
  how.refine, how.lambda = nil, nil
  return ranks_of(main:order(how), places)
end

--- The relative error of each width of a unit, by elimination.
---@return number[]
function solve.errors(net, unit, stats, opts)
  local errors, main, how = {}, choice(net, unit, stats, opts)
  how.method, how.refine, how.lambda, how.score, how.producer = "elimination", nil, nil, nil, nil
  local _, all = main:curve(how)
  for width = 1, unit.width do errors[width] = all[width + #(how.stay or {})] end
  return errors
end

-- The channels to keep, whatever values are left empty by it.
local function chosen(net, unit, stats, order, width, opts)
  if order and order.lasso then
    local channels, _, lambda = order.lasso:width(width)
    local list = ranks_of(channels, views_of(net, unit, stats, opts).places)
    table.sort(list)
    return list, lambda
  end
  local kept = order and table.move(order, #order - width + 1, #order, 1, {})
  if kept and not method_of(unit, opts).refine then
    table.sort(kept)
    return kept
  end
  local main, how, places = choice(net, unit, stats, opts)
  if kept then                          -- swaps begin with these
    how.method = {table.unpack(how.stay or {})}
    for _, rank in ipairs(kept) do table.insert(how.method, places[rank]) end
  end
  local channels, lambda = choose.channels(main, width and width + #(how.stay or {}), how)
  local list = ranks_of(channels, places)
  table.sort(list)
  return list, lambda
end

--- The channels of a unit to keep, ascending, from 1.
---@param order integer[]|table|nil      from solve.order
---@param width integer?      nil: of a fixed lambda, what it leaves
---@return integer[] channels
---@return number? lambda
function solve.keep(net, unit, stats, order, width, opts)
  local channels, lambda = chosen(net, unit, stats, order, width, opts)
  if type(method_of(unit, opts).method) == "table" then return channels, lambda end     -- they were named
  return parts.keep(unit, channels, order and not order.lasso and order or nil), lambda
end

--- Whether a method solves for weights.
function solve.solves(method) return method == "least-squares" or method == "relu" end

--- How a layer (of reader.layer) is rebuilt: what stats:reconstruct takes. Without a free intercept the layer's own
--- bias stays, as where it can have none.
function solve.how(layer, held, opts)
  local filters, bias = layer.weight:shape()[1], nil
  if opts.intercept == false or layer.matrix then
    bias = layer.bias and layer.bias:reshape {filters} or core.zeros({filters}, "float32")
  end
  if (opts.reconstruct == "scale" or opts.reconstruct == "moments") and units.too_wide(layer) then
    core.fail("unsupported", ("layer '%s' reads more than %d values: reconstruct.method is least-squares or none "
      .. "there, or skip its group"):format(layer.name, units.MOST))
  end
  local method = opts.reconstruct == "relu" and "least-squares" or opts.reconstruct
  return {weight = layer.weight, method = method, ridge = opts.ridge or nil, held = held, bias = bias}
end

-- The same for a unit's consumer number k, by the rows that its statistics keep where a ReLU is behind it.
local function how_of(net, unit, k, stats, held, opts)
  local how = solve.how(reader.layer(net, unit.consumers[k].name), held and held[k], opts)
  if stats.relu and stats.relu[k] then
    how.method, how.beside, how.held_beside = "relu", stats.beside[k], held and held.beside[k]
  end
  return how
end

--- Rounds of refitting a unit's producer (lop.engine.producer): of least squares, and where biases may change.
---@param reconstruct table   of a recipe
function solve.rounds(reconstruct)
  return solve.solves(reconstruct.method) and reconstruct.intercept and reconstruct.producer or 0
end

--- Gives a layer what stats:reconstruct found.
function solve.set(net, name, opts, weight, bias)
  reader.set(net, name, weight, opts.intercept ~= false and bias or nil)
end

-- The channels of a unit's group that stay, by their ranks as they are now.
local function group_keep(unit, kept, alive)
  local ranks, list = {}, {}
  for r = 1, alive and #alive or unit.group_width do ranks[r] = r end
  for r, own in ipairs(reader.own(ranks, unit, alive)) do
    if own == 0 or kept[own] then list[#list + 1] = r end
  end
  return list
end

--- Cuts a unit to these channels and rebuilds its consumers, in place.
---@param held lop.stats[]?   of held-out images: choose the ridge
---@return number error       relative, mean over consumers
function solve.cut(net, unit, stats, held, keep, opts)
  local kept, made, err, alive = {[0] = true}, {}, 0, opts.alive and opts.alive[unit.group]
  for _, r in ipairs(keep) do kept[r] = true end
  for k, c in ipairs(unit.consumers) do
    local inputs, left = {}, {}
    for entry, own in ipairs((entries_of(net, unit, c, opts))) do inputs[#inputs + 1] = kept[own] and entry or nil end
    local w, b, e = stats[k]:reconstruct(inputs, how_of(net, unit, k, stats, held, opts))
    local filters = reader.own(net:filters(c.name, unit.group), unit, alive)
    local times = reader.times(c.window)
    for filter, own in ipairs(filters) do
      for t = kept[own] and 1 or times + 1, times do left[#left + 1] = (filter - 1) * times + t end
    end
    if #left < #filters * times then w, b = w:index(1, left), b:index(1, left) end     -- it gates what it reads
    made[k], err = {w, b}, err + e / #unit.consumers
  end
  if #keep < unit.width then net:cut(unit.group, group_keep(unit, kept, alive)) end
  for k, c in ipairs(unit.consumers) do solve.set(net, c.name, opts, made[k][1], made[k][2]) end
  return err
end

--- Rebuilds the consumers of a unit that is cut already, in place.
---@param sides table[]       frontiers of the calibration images, and of the held-out ones, which choose the ridge
---@return number error       relative, mean over consumers
function solve.rebuild(base, net, unit, number, sides, opts)
  local stats = solve.statistics(base, net, unit, number, sides[1], opts)
  local held = solve.statistics(base, net, unit, number, sides[2], opts)
  local err = 0
  for k, c in ipairs(unit.consumers) do
    local layer, all = reader.layer(net, c.name), {}
    for i = 1, layer.weight:shape()[2] do all[i] = i end
    local w, b, e = stats[k]:reconstruct(all, how_of(net, unit, k, stats, held, opts))
    solve.set(net, c.name, opts, w, b)
    err = err + e / #unit.consumers
  end
  return err
end

return solve

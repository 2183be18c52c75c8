-- bindings/lua/lop/budget/allocate.lua - how wide each unit should be: the loss of cutting one unit alone, measured at
-- the final outputs on held-out images, and the widths whose losses sum to least within the budget, by dynamic
-- programming.

local blocks = require "lop.cuts.blocks"
local core = require "lop.core"
local frontier = require "lop.engine.frontier"
local joint = require "lop.budget.joint"
local kinds = require "lop.cuts.kinds"
local solve = require "lop.engine.solve"
local units = require "lop.engine.units"

local POINTS, LEAST = 8, 1 / 8          -- widths measured, log spaced from this share to all
local STEPS = 1000                      -- of the budget in the dynamic programme

local allocate = {}

local function grid(width)
  local list, last = {}, 0
  for k = 0, POINTS - 1 do
    local w = math.max(1, math.floor(width * LEAST ^ (1 - k / (POINTS - 1)) + 0.5))
    if w > last then list[#list + 1], last = w, w end
  end
  return list
end

--- The least widths that are looked at, where units are cut by width alone: nil with others among them.
---@return integer[]?
function allocate.least(list)
  local widths = {}
  for i, unit in ipairs(list) do
    if unit.kind then return nil end
    widths[i] = unit.fixed or (blocks.may(unit) and 0) or units.next(unit, grid(unit.width)[1], 1)
  end
  return widths
end

-- Whether an output is numbers of each image, as many for all.
local function is_measured(v)
  local sized = v.shape ~= nil and #v.shape > 0
  for d = 2, sized and #v.shape or 0 do sized = sized and math.type(v.shape[d]) == "integer" and v.shape[d] > 0 end
  return sized and (v.type or ""):match "float" ~= nil
end

-- What the losses are taken of: the outputs, before a softmax.
local function outputs_of(net)
  local maker, names = {}, {}
  for _, layer in ipairs(net:layers()) do
    for _, v in ipairs(layer.outputs) do maker[v.name] = layer end
  end
  for _, v in ipairs(net:outputs()) do
    local layer = maker[v.name]
    local name = layer and layer.op:match "Softmax$" and layer.inputs[1].name or v.name
    if is_measured(v) then names[#names + 1] = name end
  end
  if #names == 0 then
    core.fail("unsupported", "no output of the network is numbers of each image: allocate = \"error\" needs none")
  end
  return names
end

-- Calls f(k, i, y) for each output k of chunk i: float64, a row an image.
local function each_output(net, front, names, f)
  local run = front:part(net, names)
  front:pass()
  for i = 1, #front.chunks do
    for k, y in ipairs {run(i)} do
      local n = y:shape()[1]
      local wide <close> = y:reshape({n, y:size() // n}):to("float64")
      f(k, i, wide)
      y:close()
    end
  end
end

local FLAT = 1e-12                      -- a variance beside the mean square, below which a value is one number

-- By column 1 over its variance and their number; 0 of what is one number, and has no variance but rounding's.
local function shares_of(rows, images)
  local sum, energy, square
  local function add(a, b) return a and a + b or b end
  for _, y in ipairs(rows) do sum, energy = add(sum, y:sum(1)), add(energy, (y * y):sum(1)) end
  local mean = sum * (1 / images)
  for _, y in ipairs(rows) do
    local d = y - mean
    square = add(square, (d * d):sum(1))
  end
  local list, all = square:totable(), energy:totable()
  for c, v in ipairs(list) do list[c] = v > FLAT * all[c] and 1 / (v * #list) or 0 end
  return core.tensor(list)
end

-- What the original gives: by output and chunk the rows, and by output the share of each column in the loss.
local function wanted(net, front, names)
  local want = {names = names}
  for k in ipairs(names) do want[k] = {rows = {}} end
  each_output(net, front, names, function(k, i, y) want[k].rows[i] = y:clone() end)
  for _, w in ipairs(want) do w.share = shares_of(w.rows, front.images) end
  return want
end

-- Mean over the outputs, and over the values of each, of the squared error divided by the variance in the original.
local function loss_of(net, front, want)
  local loss = 0
  each_output(net, front, want.names, function(k, i, y)
    local d = y - want[k].rows[i]
    loss = loss + ((d * d):sum(1) * want[k].share):sum()
  end)
  return loss / #want
end

-- A unit's options. What is only looked at is rebuilt by least squares, which is quick.
local function options_of(unit, opts)
  local own = solve.options(unit, opts)
  if own.reconstruct == "relu" then own.reconstruct = "least-squares" end
  return own
end

-- What cuts a unit of copies of the net and rebuilds what reads it: a function of the copy and the width.
local function cutter_of(base, unit, stats, opts)
  if unit.kind then return kinds[unit.kind].cutter(base, unit, stats[1], nil, opts) end
  local order = solve.order(base, unit, stats, opts)
  return function(net, width)
    if width == 0 then return blocks.vanish(net, unit, stats[1]) end
    solve.cut(net, unit, stats, nil, solve.keep(net, unit, stats, order, width, opts), opts)
  end
end

-- Loss of a unit, cut alone and rebuilt, at the widths of the grid; of one that its rival outdoes the whole alone.
-- front and behind stand before it.
local function curve_of(base, list, number, front, behind, want, opts)
  local unit, curve = list[number], {}
  opts = options_of(unit, opts)
  local stats = solve.statistics(base, base, unit, number, {original = front, now = front}, opts)
  local worth = unit.kind and kinds[unit.kind].worth
  if worth and not worth(base, unit, list, stats[1], opts) then return {{width = unit.width, loss = 0}} end
  local cut, points = cutter_of(base, unit, stats, opts), grid(unit.most or unit.width)
  if blocks.may(unit) then table.insert(points, 1, 0) end
  for _, width in ipairs(points) do
    local loss = 0
    if width < unit.width then
      local net <close> = base:clone()
      cut(net, width)
      loss = loss_of(net, behind, want)
    end
    curve[#curve + 1] = {width = width, loss = loss}
  end
  if unit.most then curve[#curve + 1] = {width = unit.width, loss = 0} end
  return curve
end

--- Loss of each unit at each width of the grid, with that unit alone cut and rebuilt. Units of fixed width have none.
---@return table[]            by unit: list of {width =, loss =}, widths ascending
function allocate.measure(base, list, set, held, opts)
  local front, behind, curves = frontier.new(base, set, opts.passes), frontier.new(base, held, opts.passes), {}
  local want = wanted(base, behind, outputs_of(base))
  for number, unit in ipairs(list) do
    if not unit.fixed then
      local at = frontier.position(base, unit.first) - 1
      front:advance(base, at)
      behind:advance(base, at)
      curves[number] = curve_of(base, list, number, front, behind, want, opts)
    end
    if opts.progress then opts.progress("measure", number, #list) end
  end
  front:close()
  behind:close()
  return curves
end

-- Of a unit that no elimination is made for: rebuilt at 1 and the widths of the grid, and along a line between these.
local function wide_errors(base, unit, stats, opts)
  local order, errors, last, widths = solve.order(base, unit, stats, opts), {}, nil, grid(unit.width)
  if widths[1] > 1 then table.insert(widths, 1, 1) end
  for _, width in ipairs(widths) do
    local net <close> = base:clone()
    errors[width] = solve.cut(net, unit, stats, nil, solve.keep(net, unit, stats, order, width, opts), opts)
    for w = (last or width) + 1, width - 1 do
      errors[w] = errors[last] + (errors[width] - errors[last]) * (w - last) / (width - last)
    end
    last = width
  end
  return errors
end

--- The relative error at the first consumer of a unit cut by width, for every width; 0 of all channels.
---@return number[]
function allocate.errors_of(base, unit, stats, opts)
  local errors = (unit.wide and wide_errors or solve.errors)(base, unit, stats, opts)
  errors[unit.width] = 0.0              -- what is left there is the ridge's
  return errors
end

--- The local losses: of each unit, the relative error at its consumers for every width of the grid's range, by the
--- exact elimination. The net is run once, over the calibration images.
---@return table[]            as from allocate.measure
function allocate.errors(base, list, set, opts)
  local front, curves = frontier.new(base, set, opts.passes), {}
  for number, unit in ipairs(list) do
    if not unit.fixed then
      front:advance(base, frontier.position(base, unit.first) - 1)
      local own = options_of(unit, opts)
      local stats = solve.statistics(base, base, unit, number, {original = front, now = front}, own)
      local kind, most, curve = kinds[unit.kind or ""], unit.most or unit.width - 1, {}
      local errors = kind and kind.errors(base, unit, stats[1], own) or allocate.errors_of(base, unit, stats, own)
      if blocks.may(unit) then curve[1] = {width = 0, loss = 1} end     -- nothing but the mean is right
      for width = grid(unit.most or unit.width)[1], most do
        curve[#curve + 1] = {width = width, loss = errors[width]}
      end
      curve[#curve + 1] = {width = unit.width, loss = 0}        -- what is left there is the ridge's
      curves[number] = curve
    end
    if opts.progress then opts.progress("measure", number, #list) end
  end
  front:close()
  return curves
end

--- The widths that each unit's fixed lambda leaves, by its statistics in the original.
---@return integer[]
function allocate.by_lambda(base, list, set, opts)
  local front, widths = frontier.new(base, set, opts.passes), {}
  for number, unit in ipairs(list) do
    widths[number] = unit.fixed or (unit.kind and unit.width)
    if not widths[number] then
      front:advance(base, frontier.position(base, unit.first) - 1)
      local own = options_of(unit, opts)
      local stats = solve.statistics(base, base, unit, number, {original = front, now = front}, own)
      widths[number] = units.nearest(unit, #solve.keep(base, unit, stats, nil, nil, own))
    end
    if opts.progress then opts.progress("measure", number, #list) end
  end
  front:close()
  return widths
end

-- Loss by width, from the least measured: the square root interpolated, made to fall as the width grows. A block that
-- is gone is no point of that line.
local function table_of(curve)
  local by, worst = {}, 0
  for k = #curve, 1, -1 do
    worst = math.max(worst, curve[k].loss)
    by[curve[k].width] = worst
  end
  for k = 1, #curve - 1 do
    local a, b = curve[k], curve[k + 1]
    local from, to = math.sqrt(by[a.width]), math.sqrt(by[b.width])
    for w = a.width > 0 and a.width + 1 or b.width, b.width - 1 do
      by[w] = (from + (to - from) * (w - a.width) / (b.width - a.width)) ^ 2
    end
  end
  return by, curve[1].width
end

-- What one channel of each unit costs, the others as they are.
local function slopes(list, cost, widths)
  local slope = {}
  for i = 1, #list do
    local w = widths[i]
    widths[i] = w + 1
    local more = cost(widths)
    widths[i] = w
    slope[i] = more - cost(widths)
  end
  return slope
end

-- The multiple-choice knapsack: least sum of losses with sum of slope times width within the budget.
local function knapsack(list, losses, least, slope, budget)
  local best, pick = {[0] = 0}, {}
  for s = 1, STEPS do best[s] = 0 end
  for i = 1, #list do
    local next_best, chose = {}, {}
    for s = 0, STEPS do
      next_best[s] = math.huge
      for w = least[i], list[i].fixed or list[i].width do
        local need = math.ceil(w * slope[i] / budget * STEPS - 1e-9)
        if losses[i][w] and need <= s and best[s - need] + losses[i][w] < next_best[s] then
          next_best[s], chose[s] = best[s - need] + losses[i][w], {w, need}
        end
      end
    end
    best, pick[i] = next_best, chose
  end
  if best[STEPS] == math.huge then return nil end
  local widths, s = {}, STEPS
  for i = #list, 1, -1 do
    widths[i] = pick[i][s][1]
    s = s - pick[i][s][2]
  end
  return widths
end

-- One channel at a time: off while over the budget, on while there is room, the best loss per MAC first.
local function nudge(list, losses, least, cost, budget, widths)
  local _, excluded = joint.rivals(list)
  local function beside(i, sign)        -- the next width that has a loss
    for w = widths[i] + sign, sign < 0 and least[i] or list[i].width, sign do
      if losses[i][w] then return w end
    end
  end
  local function step(sign)
    local pick, best
    local now = cost(widths)
    for i = 1, #list do
      local free = not list[i].fixed and not excluded(widths, i)
      local was, w = widths[i], free and beside(i, sign)
      if w then
        widths[i] = w
        local then_cost = cost(widths)
        widths[i] = was
        local rate = (losses[i][w] - losses[i][was]) / math.max(math.abs(then_cost - now), 1)
        if (sign < 0 or then_cost <= budget) and (not best or rate < best) then pick, best = i, rate end
      end
    end
    if pick then widths[pick] = beside(pick, sign) end
    return pick
  end
  while cost(widths) > budget do
    if not step(-1) then return nil end
  end
  while step(1) do end
  return widths
end

local function is_mixed(list)
  for _, unit in ipairs(list) do
    if unit.kind then return true end
  end
  return false
end

-- The widths that were measured and are allowed, by unit.
local function grids_of(list, curves, losses)
  local grids = {}
  for i, unit in ipairs(list) do
    grids[i] = {}
    for _, point in ipairs(curves[i] or {}) do
      if losses[i][point.width] then table.insert(grids[i], point.width) end
    end
    if grids[i][#grids[i]] ~= unit.width then table.insert(grids[i], unit.width) end
  end
  return grids
end

local function total(losses, widths)
  local sum = 0
  for i, w in ipairs(widths) do sum = sum + losses[i][w] end
  return sum
end

local function with_losses(losses, widths)
  local loss = {}
  for i, w in ipairs(widths) do loss[i] = losses[i][w] end
  return widths, loss
end

-- Losses of the widths that a unit may have, and the least of them.
local function choices_of(unit, curve)
  if unit.fixed then return {[unit.fixed] = 0}, unit.fixed end
  local by, measured = table_of(curve)
  for w = math.max(measured, 1), unit.width do by[w] = units.allows(unit, w) and by[w] or nil end
  return by, measured == 0 and 0 or units.next(unit, measured, 1)
end

--- Widths within the budget, by measured curves.
---@param list table[]       units; one with `fixed` has that width
---@param cost fun(widths: integer[]): number
---@param budget number      in units of cost
---@return integer[]? widths nil where it cannot be met
---@return number[] losses   of each unit at its width; or the cost of the least widths
function allocate.widths(list, curves, cost, budget)
  local losses, least, widths = {}, {}, {}
  for i, unit in ipairs(list) do
    losses[i], least[i] = choices_of(unit, curves[i])
    widths[i] = unit.fixed or unit.width
  end
  local best
  if is_mixed(list) then
    local left
    best, left = joint.widths(list, grids_of(list, curves, losses), losses, cost, budget)
    if not best then return nil, left end
    return with_losses(losses, nudge(list, losses, least, cost, budget, best))
  end
  if cost(least) > budget then return nil, cost(least) end
  for _ = 1, POINTS do                  -- costs depend on neighbours: repeated until the widths stand
    local slope, linear = slopes(list, cost, widths), 0
    for i, w in ipairs(widths) do linear = linear + slope[i] * w end
    local room = budget - (cost(widths) - linear)
    local found = room > 0 and knapsack(list, losses, least, slope, room) or table.move(least, 1, #least, 1, {})
    found = found and nudge(list, losses, least, cost, budget, found)
    if not found then break end
    if not best or total(losses, found) < total(losses, best) then best = table.move(found, 1, #found, 1, {}) end
    local same = true
    for i, w in ipairs(found) do same = same and w == widths[i] end
    widths = found
    if same then break end
  end
  best = best or nudge(list, losses, least, cost, budget, table.move(least, 1, #least, 1, {}))
  return with_losses(losses, best)
end

return allocate

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
    widths[i] = unit.fixed or units.next(unit, grid(unit.width)[1], 1)
  end
  for _, b in ipairs(blocks.free(list)) do blocks.drop(list, b, widths) end
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

-- What cuts a unit of copies of the net and rebuilds what reads it: a function of the copy and the width; 0: its branch
-- is gone.
local function cutter_of(base, unit, stats, opts)
  if unit.kind then return kinds[unit.kind].cutter(base, unit, stats[1], nil, opts) end
  local order = solve.order(base, unit, stats, opts)
  return function(net, width)
    if width == 0 then return blocks.vanish(net, unit.branch, stats) end
    solve.cut(net, unit, stats, nil, solve.keep(net, unit, stats, order, width, opts), opts)
  end
end

-- The units at which the losses of branches without them are told, the last of each: true.
local function tails_of(list)
  local tails = {}
  for _, b in ipairs(blocks.free(list)) do tails[b.tail] = true end
  return tails
end

-- Loss of a unit, cut alone and rebuilt, at the widths of the grid; of one that its rival outdoes the whole alone.
-- front and behind stand before it. ends: it is the last of a branch that may vanish, whose loss stands at width 0.
local function curve_of(base, list, number, ends, front, behind, want, opts)
  local unit, curve = list[number], {}
  opts = options_of(unit, opts)
  local stats = solve.statistics(base, base, unit, number, {original = front, now = front}, opts)
  local worth = unit.kind and kinds[unit.kind].worth
  if worth and not worth(base, unit, list, stats[1], opts) then return {{width = unit.width, loss = 0}} end
  local cut, points = cutter_of(base, unit, stats, opts), grid(unit.most or unit.width)
  if ends then table.insert(points, 1, 0) end
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
  local want, tails = wanted(base, behind, outputs_of(base)), tails_of(list)
  for number, unit in ipairs(list) do
    if not unit.fixed then
      local at = frontier.position(base, unit.first) - 1
      front:advance(base, at)
      behind:advance(base, at)
      curves[number] = curve_of(base, list, number, tails[number], front, behind, want, opts)
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
  local front, curves, tails = frontier.new(base, set, opts.passes), {}, tails_of(list)
  for number, unit in ipairs(list) do
    if not unit.fixed then
      front:advance(base, frontier.position(base, unit.first) - 1)
      local own = options_of(unit, opts)
      local stats = solve.statistics(base, base, unit, number, {original = front, now = front}, own)
      local kind, most, curve = kinds[unit.kind or ""], unit.most or unit.width - 1, {}
      local errors = kind and kind.errors(base, unit, stats[1], own) or allocate.errors_of(base, unit, stats, own)
      if tails[number] then curve[1] = {width = 0, loss = 1} end        -- nothing but the mean is right
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

-- Loss by width, from the least measured, which is given too: the square root interpolated, made to fall as the width
-- grows. A branch that is gone is no point of that line.
local function table_of(curve)
  local by, worst = {}, 0
  local first = curve[1].width == 0 and 2 or 1
  for k = #curve, first, -1 do
    worst = math.max(worst, curve[k].loss)
    by[curve[k].width] = worst
  end
  by[0] = first > 1 and curve[1].loss or nil
  for k = first, #curve - 1 do
    local a, b = curve[k], curve[k + 1]
    local from, to = math.sqrt(by[a.width]), math.sqrt(by[b.width])
    for w = a.width + 1, b.width - 1 do
      by[w] = (from + (to - from) * (w - a.width) / (b.width - a.width)) ^ 2
    end
  end
  return by, curve[first].width
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

-- The multiple-choice knapsack: least sum of losses with sum of slope times width within the budget. Of a branch that
-- may vanish all units have widths, or none: then it needs `need` of the budget.
local function knapsack(list, losses, least, slope, budget, branches)
  local best, steps, of = {[0] = 0}, {}, {}
  for s = 1, STEPS do best[s] = 0 end
  local function share(amount) return math.ceil(amount / budget * STEPS - 1e-9) end
  local function take(i)
    local next_best, chose = {}, {}
    for s = 0, STEPS do
      next_best[s] = math.huge
      for w = least[i], list[i].fixed or list[i].width do
        local need = share(w * slope[i])
        if losses[i][w] and need <= s and best[s - need] + losses[i][w] < next_best[s] then
          next_best[s], chose[s] = best[s - need] + losses[i][w], {w, need}
        end
      end
    end
    best, steps[#steps + 1] = next_best, {unit = i, chose = chose}
  end
  local function take_branch(b)
    local before, gone, need = best, {}, share(b.need)
    for _, i in ipairs(b.units) do take(i) end
    for s = need, STEPS do
      local loss = before[s - need] + losses[b.tail][0]
      if loss < best[s] then best[s], gone[s] = loss, true end
    end
    steps[#steps + 1] = {branch = b, gone = gone, need = need}
  end
  for _, b in ipairs(branches) do
    for _, i in ipairs(b.units) do of[i] = b end
  end
  for i = 1, #list do
    if not of[i] then take(i) elseif of[i].tail == i then take_branch(of[i]) end
  end
  if best[STEPS] == math.huge then return nil end
  local widths, s, k = {}, STEPS, #steps
  while k > 0 do
    local step = steps[k]
    if step.unit then
      widths[step.unit] = step.chose[s][1]
      s = s - step.chose[s][2]
    elseif step.gone[s] then
      blocks.drop(list, step.branch, widths)
      s, k = s - step.need, k - #step.branch.units      -- what its units would have had is passed over
    end
    k = k - 1
  end
  return widths
end

-- The changes of widths by one step: of a unit to the next width that has a loss, of a branch as a whole.
local function moves_of(list, losses, least, branches, excluded, widths, sign)
  local moves, gone = {}, blocks.gone(blocks.of(list), widths)
  for i = 1, #list do
    if not (list[i].fixed or gone[i] or excluded(widths, i)) then
      for w = widths[i] + sign, sign < 0 and least[i] or list[i].width, sign do
        if losses[i][w] then
          moves[#moves + 1] = {{i, w}}
          break
        end
      end
    end
  end
  for _, b in ipairs(branches) do
    if gone[b.tail] == (sign > 0 or nil) then
      local move, dropped = {branch = b}, table.move(widths, 1, #widths, 1, {})
      blocks.drop(list, b, dropped)
      for _, i in ipairs(b.units) do move[#move + 1] = {i, sign > 0 and least[i] or 0} end
      for _, i in ipairs(b.beside) do move[#move + 1] = {i, dropped[i]} end
      moves[#moves + 1] = move
    end
  end
  return moves
end

-- Makes a move; gives the one back that undoes it, and what it adds to the loss.
local function make(move, losses, widths)
  local back, more = {}, 0
  for k, m in ipairs(move) do
    local i, w = m[1], m[2]
    back[k], more = {i, widths[i]}, more + losses[i][w] - losses[i][widths[i]]
    widths[i] = w
  end
  return back, more
end

-- One step at a time: off while over the budget, on while there is room, the best loss per MAC first.
local function nudge(list, losses, least, cost, budget, widths, branches)
  local _, excluded = joint.rivals(list)
  local function step(sign)
    local pick, best
    local now = cost(widths)
    for _, move in ipairs(moves_of(list, losses, least, branches, excluded, widths, sign)) do
      local back, more = make(move, losses, widths)
      local then_cost = cost(widths)
      make(back, losses, widths)
      local rate = more / math.max(math.abs(then_cost - now), 1)
      local fits = sign < 0 or (then_cost <= budget and (not move.branch or more < 0))
      if fits and (not best or rate < best) then pick, best = move, rate end
    end
    if pick then make(pick, losses, widths) end
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
      if point.width > 0 and losses[i][point.width] then table.insert(grids[i], point.width) end
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

-- Losses of the widths that a unit may have, and the least of them: 0, at which its branch has vanished, apart.
local function choices_of(unit, curve)
  if unit.fixed then return {[unit.fixed] = 0}, unit.fixed end
  local by, least = table_of(curve)
  for w = least, unit.width do by[w] = units.allows(unit, w) and by[w] or nil end
  by[0] = by[0] or 0                    -- the loss of a branch is its last unit's
  return by, units.next(unit, least, 1)
end

-- Widths by the knapsack, whose costs depend on neighbours: repeated until they stand. lowest: the least widths, and
-- branches gone.
local function by_knapsack(list, losses, least, lowest, cost, budget, branches)
  local widths, best = {}, nil
  local function from_lowest() return table.move(lowest, 1, #lowest, 1, {}) end
  for i, unit in ipairs(list) do widths[i] = unit.fixed or unit.width end
  for _ = 1, POINTS do
    local slope, linear = slopes(list, cost, widths), 0
    for i, w in ipairs(widths) do linear = linear + slope[i] * w end
    local room = budget - (cost(widths) - linear)
    for _, b in ipairs(branches) do     -- of its own cost that part which is counted with others'
      local without = table.move(widths, 1, #widths, 1, {})
      blocks.drop(list, b, without)
      b.need = cost(without) - cost(widths)
      for _, i in ipairs(b.units) do b.need = b.need + slope[i] * widths[i] end
      b.need = math.max(b.need, 0)
    end
    local found = room > 0 and knapsack(list, losses, least, slope, room, branches)
      or from_lowest()
    found = found and nudge(list, losses, least, cost, budget, found, branches)
    if not found then break end
    if not best or total(losses, found) < total(losses, best) then best = table.move(found, 1, #found, 1, {}) end
    local same = true
    for _, b in ipairs(branches) do     -- costs are told of what is there
      for _, i in ipairs(blocks.is_gone(b, found) and b.units or {}) do found[i] = least[i] end
    end
    for i, w in ipairs(found) do same = same and w == widths[i] end
    widths = found
    if same then break end
  end
  return best or nudge(list, losses, least, cost, budget, from_lowest(), branches)
end

--- Widths within the budget, by measured curves.
---@param list table[]       units; one with `fixed` has that width
---@param cost fun(widths: integer[]): number
---@param budget number      in units of cost
---@return integer[]? widths nil where it cannot be met
---@return number[] losses   of each unit at its width; or the cost of the least widths
function allocate.widths(list, curves, cost, budget)
  local losses, least, lowest, branches = {}, {}, {}, blocks.free(list)
  for i, unit in ipairs(list) do
    losses[i], least[i] = choices_of(unit, curves[i])
    lowest[i] = least[i]
  end
  for _, b in ipairs(branches) do blocks.drop(list, b, lowest) end
  local best
  if is_mixed(list) then
    local left
    best, left = joint.widths(list, grids_of(list, curves, losses), losses, cost, budget, branches)
    if not best then return nil, left end
    best = nudge(list, losses, least, cost, budget, best, branches)
  elseif cost(lowest) <= budget then
    best = by_knapsack(list, losses, least, lowest, cost, budget, branches)
  end
  if not best then return nil, cost(lowest) end
  return with_losses(losses, best)
end

return allocate

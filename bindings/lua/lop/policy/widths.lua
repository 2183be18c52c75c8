-- bindings/lua/lop/policy/widths.lua - from a budget to the width of each unit, by the way that `allocate` names.

local allocate = require "lop.budget.allocate"
local core = require "lop.core"
local cost_of = require("lop.budget.cost").of
local order = require "lop.policy.order"
local paper = require "lop.policy.paper"
local times = require "lop.budget.times"
local timing = require "lop.budget.timing"
local units = require "lop.engine.units"

local STEPS = 512                       -- of a common share
local NEAR = 0.01                       -- a cost this close to the budget meets it
local ROUNDS, CLOSE, FAR = 5, 0.015, 0.05       -- of times: rounds at most, near enough to end, too far to pass unsaid

local LEAST = "at the least widths that are looked at, an eighth"

local widths = {}

local words = {macs = "MACs", params = "parameters", bytes = "bytes of parameters",
               activations = "bytes of activations", ms = "time"}

local function amount(kind, value)
  if kind == "ms" then return (value < 1e10 and "%.4g ms" or "%.0f ms"):format(1e-6 * value) end
  return ("%d %s"):format(value // 1, words[kind])
end

-- What a budget asks for: {kind, share, before, target}; of keep and widths: nil. Shares are of the network as it came;
-- times are in nanoseconds.
local function goal_of(original, budget, clock)
  if budget.ms then
    local before = clock.net(original)
    if 1e6 * budget.ms > before then
      core.fail("arg", ("the budget of %s is more than the %s that the network takes now: less, or another budget")
        :format(amount("ms", 1e6 * budget.ms), amount("ms", before)))
    end
    return {kind = "ms", share = 1e6 * budget.ms / before, before = before, target = 1e6 * budget.ms}
  end
  local kind, share = "macs", budget.speedup and 1 / budget.speedup
  for name in pairs(words) do
    if budget[name] then kind, share = name, budget[name] end
  end
  if not share then return nil end
  local whole = original:clone()
  whole:fold_constants()
  if kind == "activations" then whole:fold_bn() end             -- what it makes is not there when a net is run
  local before = units.measure(whole, kind)
  return {kind = kind, share = share, before = before, target = before * share}
end

-- What would bring the cost down further: streams that are kept whole, and what keeps other groups so.
local function way_out(base, list, goal)
  local cut, streams, others = {}, 0, 0
  for _, unit in ipairs(list) do cut[unit.name] = unit.fixed and "fixed" or "cut" end
  for _, unit in ipairs((units.find(base))) do
    local how = cut[unit.name]
    if not how and unit.stream then streams = streams + 1 elseif how ~= "cut" then others = others + 1 end
  end
  local ways = {}
  if streams > 0 then
    ways[1] = ("residual.stream = \"coupled\" cuts the residual stream%s too (%d)"):format(streams > 1 and "s" or "",
                                                                                         streams)
  end
  if others > 0 then ways[#ways + 1] = ("%d groups are skipped or fixed"):format(others) end
  if goal.min_width then ways[#ways + 1] = ("budget.min_width is %d"):format(goal.min_width) end
  return #ways > 0 and "; " .. table.concat(ways, "; ") or ""
end

local function refuse(base, list, goal, left, why)
  core.fail("arg", ("the budget of %s (%.1f %%) cannot be met: %s left %s%s"):format(amount(goal.kind, goal.target),
            100 * goal.share, goal.kind == "ms" and amount("ms", left) .. " is" or ("%d are"):format(left // 1), why,
            way_out(base, list, goal)))
end

-- ---- one share for all, or shares in given proportions ----

-- One step more where the share was cut off most, each unit once, while there is room.
local function use_rest(list, cost, target, found, exact)
  local places = {}
  for i in ipairs(list) do places[i] = i end
  table.sort(places, function(a, b)
    local x, y = exact[a] - found[a], exact[b] - found[b]
    return x > y or (x == y and a < b)
  end)
  for _, i in ipairs(places) do
    local wider = not list[i].fixed and units.next(list[i], found[i] + 1, 1)
    if wider then
      local now = found[i]
      found[i] = wider
      if cost(found) > target then found[i] = now end
    end
  end
  return found
end

local function by_shares(base, list, cost, goal, weights)
  local least = math.huge
  for i in ipairs(list) do least = math.min(least, weights and weights[i] or 1) end
  if least == math.huge then least = 1 end
  local function at(k) return units.shares(list, k / STEPS / least, weights) end
  if cost(at(0)) > goal.target then refuse(base, list, goal, cost(at(0)), "at the least widths") end
  local low, high = 0, STEPS
  while low < high do
    local mid = (low + high + 1) // 2
    if cost(at(mid)) <= goal.target then low = mid else high = mid - 1 end
  end
  local exact = {}
  for i, u in ipairs(list) do
    local weight = weights and weights[i] or 1
    local whole = u.before or u.width
    exact[i] = weight == math.huge and u.width or math.min(u.width, whole * low / STEPS / least * weight)
  end
  return use_rest(list, cost, goal.target, at(low), exact)
end

-- ---- a function of the recipe ----

local function width_of(given, i, unit)
  local w = given[i]
  if w == nil then w = given[unit.name] end
  for _, name in ipairs(unit.producers) do
    if w == nil then w = given[name] end
  end
  if w == nil then return unit.fixed or unit.width end
  local whole = math.type(w) and math.tointeger(w)
  if not whole or whole < 1 or whole > unit.width then
    core.fail("usage", ("allocate: the width of group '%s' is %s: 1 to %d expected"):format(unit.name, tostring(w),
              unit.width))
  end
  return unit.fixed or units.nearest(unit, whole)
end

local function read_widths(list, given)
  if type(given) ~= "table" then core.fail("usage", "allocate: widths expected, got " .. type(given)) end
  local found = {}
  for i, unit in ipairs(list) do found[i] = width_of(given, i, unit) end
  return found
end

local function by_function(base, list, cost, goal, f)
  local about = {kind = goal.kind, share = goal.share, before = goal.before, target = goal.target,
                 cost = function(given) return cost(read_widths(list, given)) end}
  local found = read_widths(list, order.call("allocate", f, order.groups(list), about))
  if cost(found) > goal.target * (1 + NEAR) then
    refuse(base, list, goal, cost(found), "by the widths that allocate gave")
  end
  return found
end

-- ---- all ways ----

local function by_losses(base, list, curves, cost, goal)
  local found, losses = allocate.widths(list, curves, cost, goal.target)
  if not found then refuse(base, list, goal, losses, LEAST) end
  return found, losses, curves
end

-- What gives widths, losses and curves for a goal; curves are measured once.
local function solver(base, list, set, held, cost, opts)
  local how, curves = opts.allocate, nil
  return function(goal)
    if type(how) == "function" then return by_function(base, list, cost, goal, how), {} end
    local whole = units.shares(list, 1)
    if cost(whole) <= goal.target then return whole, {} end     -- nothing to measure
    if how == "uniform" then return by_shares(base, list, cost, goal), {} end
    if how == "paper" then return by_shares(base, list, cost, goal, paper.shares(base, list)), {} end
    local least = allocate.least(list)
    if least and cost(least) > goal.target then refuse(base, list, goal, cost(least), LEAST) end    -- before the work
    curves = curves or (how == "error" and allocate.errors(base, list, set, opts))
      or allocate.measure(base, list, set, held, opts)
    return by_losses(base, list, curves, cost, goal)
  end
end

-- For a time: the widths are timed as a net, and the target corrected by what that shows, round by round.
local function in_time(base, list, goal, solve, clock)
  local aim, best = {}, {off = math.huge}
  for key, value in pairs(goal) do aim[key] = value end
  for _ = 1, ROUNDS do
    local found, losses, curves = solve(aim)
    local net <close> = times.shape(base, list, found)
    local now = clock.net(net)
    local off = math.abs(now / goal.target - 1)
    if off < best.off then
      best = {off = off, after = now, widths = table.move(found, 1, #found, 1, {}), losses = losses, curves = curves}
    end
    if off <= CLOSE or (now < goal.target and #losses == 0) then break end
    aim.target = aim.target * math.max(0.5, math.min(2, goal.target / now))
  end
  goal.after = best.after
  local missed = best.off > FAR and (best.after > goal.target or #best.losses > 0)
  goal.reason = missed and "no widths were found that take the time asked for" or nil
  return best.widths, best.losses, best.curves
end

-- Why less is left than the budget allows; nil where it is met.
local function reason_of(list, cost, goal, found)
  if cost(found) >= goal.target * (1 - NEAR) then return nil end
  local room, whole = false, true
  for i, unit in ipairs(list) do
    local wider, now = not unit.fixed and units.next(unit, found[i] + 1, 1), found[i]
    if wider then
      whole = false
      found[i] = wider
      room = room or cost(found) <= goal.target
      found[i] = now
    end
  end
  if whole then return "no group is left to be widened" end
  return room and "the way of allocation allows no more" or "the next step of any width would exceed it"
end

--- The widths of the units, and of each the loss that the allocation foretells, where it does.
---@param original lop.net    as it came
---@param base lop.net        batch normalisation folded
---@return integer[] widths
---@return number[] losses
---@return table? goal        {kind, share, before, target, after, reason}: what the budget asks for, and what is met;
---                           of "ms" in milliseconds, as timed here
---@return table[]? curves    of each unit its losses by width, where they were measured
function widths.find(original, base, list, set, held, opts)
  if not opts.budget then return allocate.by_lambda(base, list, set, opts), {} end
  local clock = opts.clock or timing.clock
  local goal = goal_of(original, opts.budget, clock)
  if not goal then return units.shares(list, opts.budget.keep or 1), {} end
  goal.min_width = opts.budget.min_width
  local cost = goal.kind == "ms" and times.cost(base, list, clock) or cost_of(base, list, goal.kind)
  local solve = solver(base, list, set, held, cost, opts)
  if goal.kind == "ms" then
    local found, losses, curves = in_time(base, list, goal, solve, clock)
    for _, key in ipairs {"before", "target", "after"} do goal[key] = 1e-6 * goal[key] end
    goal.times = clock.log              -- as measured: replay sees them again
    return found, losses, goal, curves
  end
  local found, losses, curves = solve(goal)
  goal.after = cost(found)
  goal.reason = reason_of(list, cost, goal, found)
  return found, losses, goal, curves
end

--- A line that says what the budget asks for and what is met.
function widths.text(goal)
  local line = ("%s: %.1f %% asked for, %.1f %% left"):format(words[goal.kind], 100 * goal.share,
                                                              100 * goal.after / goal.before)
  return goal.reason and line .. ": " .. goal.reason or line
end

return widths

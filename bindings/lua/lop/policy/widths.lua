-- bindings/lua/lop/policy/widths.lua - from a budget to the width of each unit, by the way that `allocate` names.

local allocate = require "lop.budget.allocate"
local blocks = require "lop.cuts.blocks"
local core = require "lop.core"
local costs = require "lop.budget.cost"
local names = require "lop.policy.names"
local order = require "lop.policy.order"
local paper = require "lop.policy.paper"
local schema = require "lop.schema"
local stages = require "lop.budget.stages"
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

-- What a budget asks for: {kind, share, before, target}, and where each stage is to meet it the same by stage; of keep
-- and widths: nil. Shares are of the network as it came; times are in nanoseconds.
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
  local goal = {kind = kind, share = share, before = before, target = before * share}
  if budget.scope ~= "stage" then return goal end
  goal.stages = {}
  for s, own in ipairs(units.parts(whole, kind, stages.of(whole))) do
    goal.stages[s] = {stage = s, kind = kind, share = share, before = own, target = own * share}
  end
  return goal
end

-- What keeps groups as wide as they are, beside the streams: least widths, and steps.
local function limits_of(list, goal)
  local round, least = 1, false
  for _, unit in ipairs(list) do
    if not unit.fixed and not unit.kind then
      round, least = math.max(round, unit.round_to or 1), least or unit.min and unit.min ~= goal.min_width
    end
  end
  local ways = {}
  if goal.min_width then ways[1] = ("budget.min_width is %d"):format(goal.min_width) end
  if least then ways[#ways + 1] = "layers have a least width of their own (min)" end
  if round > 1 then ways[#ways + 1] = ("widths are multiples of %d (round_to)"):format(round) end
  return ways
end

-- What would bring the cost down further: streams that are kept whole, and what keeps other groups so.
local function ways_out(base, list, goal)
  local cut, streams, others = {}, 0, 0
  for _, unit in ipairs(list) do
    if unit.uncut then return {"widths are not cut (cuts)"} end
    cut[unit.name] = unit.fixed and "fixed" or "cut"
  end
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
  local limits = limits_of(list, goal)
  return table.move(limits, 1, #limits, #ways + 1, ways)
end

-- cost: of the list, where not all widths were looked at.
local function refuse(base, list, goal, left, why, cost)
  local whose = goal.stage and (" for stage %d"):format(goal.stage) or ""
  local ways = ways_out(base, goal.all or list, goal)
  if cost and cost(units.shares(list, 0)) <= goal.target then
    table.insert(ways, 1, "allocate = \"uniform\" goes below")
  end
  local least = ("%s (%.1f %%) %s"):format(goal.kind == "ms" and amount("ms", left) or ("%d"):format(left // 1),
                                           100 * left / goal.before, goal.kind == "ms" and "is" or "are")
  core.fail("arg", ("the budget of %s (%.1f %%)%s cannot be met: %s left %s%s"):format(amount(goal.kind, goal.target),
            100 * goal.share, whose, least, why, #ways > 0 and "; " .. table.concat(ways, "; ") or ""))
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
  if w == nil then return unit.fixed or unit.width, unit.fixed ~= nil end
  local whole = math.type(w) and math.tointeger(w)
  if whole == 0 and not unit.fixed then return 0, true end
  if not whole or whole < 1 or whole > unit.width then
    core.fail("usage", ("allocate: the width of group '%s' is %s: 1 to %d expected"):format(unit.name,
              math.type(w) and tostring(w) or "a " .. type(w), unit.width))
  end
  return unit.fixed or units.nearest(unit, whole), true
end

-- A width that is nobody's would be passed over in silence.
local function check_places(list, given)
  local known, all = {}, names.of(list)
  for _, name in ipairs(all) do known[name] = true end
  local function place(key)
    local whole = math.type(key) and math.tointeger(key)
    return whole and whole >= 1 and whole <= #list
  end
  local by_name, by_place
  for _, key in ipairs(schema.sorted(given)) do
    if place(key) then
      by_place = key
    elseif known[key] then
      by_name = key
    elseif type(key) == "string" then
      core.fail("usage", ("allocate: no group '%s' can be cut (%s)"):format(key, names.meant(key, all,
                "lop inspect --groups")))
    else
      core.fail("usage", ("allocate: a width at place %s: there are %d groups"):format(tostring(key), #list))
    end
  end
  if by_name and by_place then
    core.fail("usage", ("allocate: widths by place (%d) and by name (%s): one of both expected"):format(by_place,
              by_name))
  end
end

local function read_widths(list, given)
  if type(given) ~= "table" then core.fail("usage", "allocate: widths expected, got " .. type(given)) end
  check_places(list, given)
  local found, said = {}, {}
  for i, unit in ipairs(list) do found[i], said[i] = width_of(given, i, unit) end
  blocks.settle(list, found, said, "allocate")
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
  if not found then refuse(base, list, goal, losses, LEAST, cost) end
  return found, losses, curves
end

-- What gives widths, losses and curves for a goal, of all units or of a stage's; curves are measured once, of all.
local function solver(base, all, set, held, opts)
  local how, curves = opts.allocate, nil
  return function(list, cost, goal)
    if type(how) == "function" then return by_function(base, list, cost, goal, how), {} end
    local whole = units.shares(list, 1)
    if cost(whole) <= goal.target then return whole, {} end     -- nothing to measure
    if how == "uniform" then return by_shares(base, list, cost, goal), {} end
    if how == "paper" then return by_shares(base, list, cost, goal, paper.shares(base, list)), {} end
    local least = allocate.least(list)
    if least and cost(least) > goal.target then         -- before the work
      refuse(base, list, goal, cost(least), LEAST, cost)
    end
    curves = curves or (how == "error" and allocate.errors(base, all, set, opts))
      or allocate.measure(base, all, set, held, opts)
    return by_losses(base, list, curves, cost, goal)
  end
end

-- ---- each stage by itself ----

-- The units as one stage may cut them: the others have the widths that were found for them, or are whole.
local function only(list, stage_of, s, found)
  local own = {}
  for i, unit in ipairs(list) do
    own[i] = stage_of[i] == s and unit or setmetatable({fixed = found[i]}, {__index = unit})
  end
  return own
end

-- Refuses what no widths can meet, before the work.
local function check_stages(base, list, parts, goal, allocation)
  local least = allocation == "uniform" and units.shares(list, 0) or allocate.least(list)
  if not least then return end          -- with ranks and samplers, the work itself shows it
  for _, own in ipairs(goal.stages) do
    local left = parts[own.stage](least)
    if own.units > 0 and left > own.target then
      local uniform = allocation == "uniform"
      refuse(base, list, own, left, uniform and "at the least widths" or LEAST, not uniform and parts[own.stage] or nil)
    end
  end
end

-- One knapsack a stage, in forward order: what a stage costs hangs on its own widths and on those before it. A stage of
-- which nothing can be cut stays as it is.
local function by_stages(base, list, goal, solve, opts)
  local by_layer = stages.of(base)
  local parts = costs.parts(base, list, goal.kind, by_layer, #goal.stages)
  local found, losses, stage_of, all = units.shares(list, 1), {}, {}, nil
  for _, own in ipairs(goal.stages) do own.units, own.all, own.min_width = 0, list, goal.min_width end
  for i, unit in ipairs(list) do
    stage_of[i] = stages.unit(by_layer, unit)
    local own = goal.stages[stage_of[i]]
    own.units = own.units + 1
  end
  check_stages(base, list, parts, goal, opts.allocate)
  for s, own in ipairs(goal.stages) do
    if own.units > 0 then
      local units_of = only(list, stage_of, s, found)
      local widths_of, loss, curves = solve(units_of, parts[s], own)
      for i in ipairs(list) do
        if stage_of[i] == s then found[i], losses[i] = widths_of[i], loss[i] end
      end
      own.reason, all = widths.reason(units_of, parts[s], own, found), curves or all
    else
      own.reason = "nothing of it can be cut"
    end
  end
  for s, own in ipairs(goal.stages) do own.after, own.all = parts[s](found), nil end
  return found, losses, all
end

local function are_same(a, b)
  for i, w in ipairs(a) do
    if b[i] ~= w then return false end
  end
  return true
end

-- For a time: the widths are timed as a net, and the target corrected by what that shows, round by round.
local function in_time(base, list, cost, goal, solve, clock)
  local aim, best, last = {}, {off = math.huge}, {}
  for key, value in pairs(goal) do aim[key] = value end
  for _ = 1, ROUNDS do
    local met, found, losses, curves = pcall(solve, list, cost, aim)
    if not met then
      if best.widths and type(found) == "table" and found.code == "arg" then break end        -- too far corrected
      error(found, 0)
    end
    local net <close> = times.shape(base, list, found)
    local now = clock.net(net)
    local off = math.abs(now / goal.target - 1)
    if off < best.off then
      best = {off = off, after = now, widths = table.move(found, 1, #found, 1, {}), losses = losses, curves = curves}
    end
    if off <= CLOSE or are_same(found, last) then break end
    last = table.move(found, 1, #found, 1, {})
    aim.target = aim.target * math.max(0.5, math.min(2, goal.target / now))
  end
  goal.after = best.after
  if best.off > FAR then
    local whole = best.after < goal.target and are_same(best.widths, units.shares(list, 1))
    goal.reason = whole and "no group is left to be widened" or "no widths were found that take the time asked for"
  end
  return best.widths, best.losses, best.curves
end

-- Why less is left than the budget allows; nil where it is met.
function widths.reason(list, cost, goal, found)
  if cost(found) >= goal.target * (1 - NEAR) then return nil end
  local room, whole, gone = false, true, blocks.gone(blocks.of(list), found)
  local function try(places, from)
    local more = table.move(found, 1, #found, 1, {})
    for _, i in ipairs(places) do
      more[i] = not list[i].fixed and units.next(list[i], from or found[i] + 1, 1)
      if not more[i] then return end
    end
    whole, room = false, room or cost(more) <= goal.target
  end
  for i in ipairs(list) do
    if not gone[i] then try {i} end
  end
  for _, b in ipairs(blocks.free(list)) do
    if blocks.is_gone(b, found) then try(b.units, 1) end
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
---                           of "ms" in milliseconds, as timed here; stages: a list of the same, where each meets it
---@return table[]? curves    of each unit its losses by width, where they were measured
function widths.find(original, base, list, set, held, opts)
  if not opts.budget then return allocate.by_lambda(base, list, set, opts), {} end
  local clock = opts.clock or timing.clock
  local goal = goal_of(original, opts.budget, clock)
  if not goal then return units.shares(list, opts.budget.keep or 1), {} end
  goal.min_width = opts.budget.min_width
  local cost = goal.kind == "ms" and times.cost(base, list, clock) or costs.of(base, list, goal.kind)
  local solve = solver(base, list, set, held, opts)
  if goal.kind == "ms" then
    local found, losses, curves = in_time(base, list, cost, goal, solve, clock)
    for _, key in ipairs {"before", "target", "after"} do goal[key] = 1e-6 * goal[key] end
    goal.times = clock.log              -- as measured: replay sees them again
    return found, losses, goal, curves
  end
  local found, losses, curves
  if goal.stages then
    found, losses, curves = by_stages(base, list, goal, solve, opts)
  else
    found, losses, curves = solve(list, cost, goal)
    goal.reason = widths.reason(list, cost, goal, found)
  end
  goal.after = cost(found)
  return found, losses, goal, curves
end

--- Lines that say what the budget asks for and what is met, each stage's behind that of all.
---@return string[]
function widths.lines(goal)
  local function line(what, own)
    local text = ("%s: %.1f %% asked for, %.1f %% left"):format(what, 100 * own.share, 100 * own.after / own.before)
    return own.reason and text .. ": " .. own.reason or text
  end
  local list = {line(words[goal.kind], goal)}
  for _, own in ipairs(goal.stages or {}) do
    list[#list + 1] = line(("stage %d, %s"):format(own.stage, words[goal.kind]), own)
  end
  return list
end

return widths

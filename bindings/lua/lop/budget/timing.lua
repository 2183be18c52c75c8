-- bindings/lua/lop/budget/timing.lua - how long layers and nets take on this machine, for budgets in milliseconds. All
-- that asks for times takes a clock, which tests replace: net(net), nanoseconds; steps(net), the same by layer.

local core = require "lop.core"

local timing = {}

local SERIES, RUNS, REPEATS = 8, 20, 9  -- of a net, of a layer
local SHARES = {1 / 8, 1 / 4, 1 / 2, 3 / 4, 1}
local NANO = 1e9
local FEWER, SLOW = 0.8, 0.95           -- shares of MACs and of time at which a saving is no saving

timing.clock = {}

--- Nanoseconds that a net takes for one image: a median of runs, as lop bench gives it, the least of some, as what else
--- the machine does only adds to it.
function timing.clock.net(net)
  local least = math.huge
  for _ = 1, SERIES do
    local runs = core.time(net, {repeats = RUNS})
    table.sort(runs)
    least = math.min(least, runs[math.ceil(#runs / 2)])
  end
  return NANO * least
end

--- Nanoseconds of each step, by the name of its layer.
function timing.clock.steps(net)
  local by = {}
  for _, step in ipairs(core.time(net, {repeats = REPEATS, layers = true})) do by[step.name] = NANO * step.seconds end
  return by
end

--- A clock that keeps what it tells, in order, in its `log`.
function timing.recorder()
  local log = {net = {}, steps = {}}
  return {log = log, net = function(net)
    log.net[#log.net + 1] = timing.clock.net(net)
    return log.net[#log.net]
  end, steps = function(net)
    log.steps[#log.steps + 1] = timing.clock.steps(net)
    return log.steps[#log.steps]
  end}
end

--- A clock that tells what another one told, for a run that is done again.
---@param log table           of timing.recorder
function timing.replayer(log)
  local at = {net = 0, steps = 0}
  local function tell(what)
    at[what] = at[what] + 1
    local told = log[what][at[what]]
    if not told then core.fail("difference", "the run asks for more times than were measured then") end
    return told
  end
  return {log = log, net = function() return tell "net" end, steps = function() return tell "steps" end}
end

--- What to say where multiply-adds fell and time did not; nil elsewhere.
---@return string?
function timing.word(macs_before, macs_after, before, after)
  if macs_after > FEWER * macs_before or after < SLOW * before then return nil end
  local text = "MACs fell by %.0f %%, time did not (%+.0f %%): round_to = 8 fills the kernels, residual.stream = "
    .. "\"coupled\" cuts the streams too, budget.ms (--ms) finds widths by their time"
  return text:format(100 * (1 - macs_after / macs_before), 100 * (after / before - 1))
end

-- One layer alone, with c channels and n filters.
local function net_of(about, c, n)
  if about.op == "Gemm" then
    return core.graph {inputs = {{name = "x", shape = {"N", c}}}, outputs = {"y"},
                       constants = {w = core.zeros {n, c}, b = core.zeros {n}},
                       nodes = {{op = "Gemm", name = "layer", inputs = {"x", "w", "b"}, outputs = {"y"},
                                 attributes = {transB = 1}}}}
  end
  local w = about.window
  local group = about.apart and c or w.group
  return core.graph {inputs = {{name = "x", shape = {"N", c, about.rows, about.columns}}}, outputs = {"y"},
                     constants = {w = core.zeros {n, c // group, w.kernel[1], w.kernel[2]}, b = core.zeros {n}},
                     nodes = {{op = "Conv", name = "layer", inputs = {"x", "w", "b"}, outputs = {"y"},
                               attributes = {strides = w.stride, pads = w.pad, dilations = w.dilation, group = group}}}}
end

-- Shares of a number of channels, of which each is a multiple of `each`.
local function grid(most, each)
  local list = {}
  for _, share in ipairs(SHARES) do
    local w = math.max(each, math.floor(most * share / each + 0.5) * each)
    if w ~= list[#list] then list[#list + 1] = w end
  end
  return list
end

-- Of a grid the place below x and how far it is to the next; within the grid's range.
local function place_of(list, x)
  if #list == 1 or x <= list[1] then return 1, 0 end
  for k = 1, #list - 1 do
    if x <= list[k + 1] then return k, (x - list[k]) / (list[k + 1] - list[k]) end
  end
  return #list - 1, 1
end

local function key_of(a)
  local parts = {a.op, a.channels, a.filters, a.apart and "apart" or ""}
  for _, v in ipairs {a.rows or 0, a.columns or 0} do parts[#parts + 1] = v end
  for _, name in ipairs(a.window and {"kernel", "stride", "pad", "dilation"} or {}) do
    parts[#parts + 1] = table.concat(a.window[name], "x")
  end
  return table.concat(parts, " ") .. " " .. (a.window and a.window.group or 1)
end

-- Times over the grid, made to rise with both.
local function measure(about, clock)
  local each = not about.apart and about.window and about.window.group or 1
  local cs = grid(about.channels, each)
  local ns = about.apart and {0} or grid(about.filters, each)
  local rows = {}
  for i, c in ipairs(cs) do
    rows[i] = {}
    for k, n in ipairs(ns) do
      local net <close> = net_of(about, c, about.apart and c * about.filters // about.channels or n)
      local now = clock.steps(net).layer or clock.net(net)
      rows[i][k] = math.max(now, i > 1 and rows[i - 1][k] or 0, k > 1 and rows[i][k - 1] or 0)
    end
  end
  return {channels = cs, filters = ns, times = rows}
end

--- A table of times that fills itself: a function of a layer, its channels and its filters.
---@param clock table?
---@return fun(about: table, c: number, n: number): number      about: {op = "Conv" or "Gemm", channels, filters (what
---        it has at most), window, rows, columns (of its input), apart (depthwise)}
function timing.table(clock)
  local known = {}
  return function(about, c, n)
    local key = key_of(about)
    known[key] = known[key] or measure(about, clock or timing.clock)
    local t = known[key]
    local i, u = place_of(t.channels, c)
    local k, v = place_of(t.filters, n)
    local function at(a, b) return t.times[math.min(a, #t.channels)][math.min(b, #t.filters)] end
    return (1 - u) * ((1 - v) * at(i, k) + v * at(i, k + 1)) + u * ((1 - v) * at(i + 1, k) + v * at(i + 1, k + 1))
  end
end

return timing

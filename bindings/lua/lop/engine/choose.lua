-- bindings/lua/lop/engine/choose.lua - which channels to keep, by any method: those of core, a list, a function; the
-- lambda's schedules; refinement by swaps.

local check = require "lop.check"
local core = require "lop.core"
local lambda = require "lop.lambda"

local choose = {}

choose.methods = {"elimination", "forward", "lasso", "lasso-alternating", "thinet", "response", "l1", "l2", "bn-scale",
                  "apoz", "fpgm", "first", "random"}

-- What core takes besides the method.
local passed = {"weight", "seed", "ridge", "cost", "nonnegative", "score", "producer", "stay", "others", "progress"}
local known = {"method", "refine", "lambda", table.unpack(passed)}

local function is_lasso(method) return method == "lasso" or method == "lasso-alternating" end

--- Are the sets of a method nested, so that one order of removal has them all?
function choose.nested(opts)
  return type(opts.method or "elimination") == "string" and not is_lasso(opts.method)
end

-- The options of core.
local function how_of(stats, opts)
  local how = {method = opts.method or (stats.summed and "elimination" or "lasso")}
  for _, key in ipairs(passed) do how[key] = opts[key] end
  if how.method == "bn-scale" and not how.score then
    how.score = stats.bn_scale
    if not how.score then
      core.fail("arg", "bn-scale: no batch normalisation is known behind these channels: give score, or another method")
    end
  end
  return how
end

-- The channels that a method may choose from, ascending, and how many stay.
local function free_of(stats, stay)
  local held, free, count = {}, {}, 0
  for _, channel in ipairs(stay or {}) do
    count = count + (held[channel] and 0 or 1)
    held[channel] = true
  end
  for channel = 1, stats.channels do
    if not held[channel] then free[#free + 1] = channel end
  end
  return free, count
end

-- The LASSO's channels among `free`, and those that stay.
local function beside(stats, free, chosen)
  local kept, list = {}, {}
  for i = 1, stats.channels do kept[i] = true end
  for _, channel in ipairs(free) do kept[channel] = false end
  for _, i in ipairs(chosen) do kept[free[i]] = true end
  for i = 1, stats.channels do
    if kept[i] then list[#list + 1] = i end
  end
  return list
end

local function by_lasso(stats, width, plan, how)
  local free, held = free_of(stats, how.stay)
  if width == held then return beside(stats, free, {}) end
  local problem, beta, now = core.lasso(stats, how), nil, nil
  local solver = {channels = problem.live, top = problem.top}
  function solver.at(l)
    beta, now = problem:solve(l, beta)
    return now
  end
  function solver.point() return beta end
  local point, at, active = lambda.run(plan, width and width - held, solver)
  return beside(stats, free, (problem:exact(point, at, math.max(width and width - held or active, 1)))), at
end

local function by_alternation(stats, width, plan, how)
  local loop, last = core.alternation(stats, how), 0
  local solver = {channels = loop:active(), top = loop:top()}
  function solver.at(l)
    if l < last then loop:restart() end         -- what was dropped stays out, but for a lambda that allows more
    last = l
    return loop:step(l, {progress = how.progress})
  end
  function solver.point() return loop:choice(width or math.max(loop:active(), 1)) end
  return lambda.run(plan, width, solver)
end

local function by_name(stats, width, opts)
  local how, plan = how_of(stats, opts), lambda.of(opts.lambda)
  if opts.lambda ~= nil and not is_lasso(how.method) then
    core.fail("arg", ("lambda: method '%s' has none (lasso, lasso-alternating)"):format(how.method))
  end
  if plan and how.method == "lasso" then return by_lasso(stats, width, plan, how) end
  if plan then return by_alternation(stats, width, plan, how) end
  if not width then core.fail("arg", "a width is missing: only a fixed lambda finds its own") end
  local channels, _, l = stats:select(width, how)
  return channels, l
end

local function given(stats, width, opts)
  local list, method = opts.method, opts.method
  if type(method) == "function" then list = method(stats, width) end
  local channels = check.channels(list, "method", stats.channels)
  if width and #channels ~= width then
    core.fail("arg", ("method: %d channels given, %d expected"):format(#channels, width))
  end
  return channels
end

--- The channels to keep, ascending, from 1.
---@param stats lop.stats
---@param width integer?      nil where the method knows it: a list, a function, a fixed lambda
---@param opts table          {method, refine, lambda, ...}: what lop.select takes, checked
---@return integer[] channels
---@return number? lambda
---@return integer? swaps     where refined
function choose.channels(stats, width, opts)
  local by = (type(opts.method) == "table" or type(opts.method) == "function") and given or by_name
  local channels, l = by(stats, width, opts)
  if not opts.refine then return channels, l end
  local refined, swaps = choose.refine(stats, channels, opts)
  return refined, l, swaps
end

--- The same number of channels, swapped while that lowers the error.
---@return integer[] channels
---@return integer swaps
function choose.refine(stats, channels, opts)
  if opts.refine ~= "swap" then
    core.fail("arg", ("refine: unknown refinement '%s' (known: swap)"):format(tostring(opts.refine)))
  end
  local how = {}
  for _, key in ipairs(passed) do how[key] = opts[key] end
  return stats:swap(channels, how)
end

local choice = {__name = "lop.choice"}
choice.__index = choice
choice.__len = function(self) return #self.channels end

function choice.__tostring(self)
  local names = {}
  for i, channel in ipairs(self.channels) do names[i] = "#" .. channel - 1 end
  local text = ("lop.choice (%d of %d channels by %s"):format(#names, self.of, self.method)
  if self.error then text = text .. (", error %.4g"):format(self.error) end
  return text .. "): " .. table.concat(names, " ")
end

-- Relative least-squares error of a set, at the selection's own ridge.
local function error_of(stats, channels, opts)
  local _, _, e = stats:reconstruct(channels, {weight = opts.weight, ridge = opts.ridge or 1e-5})
  return e
end

local function method_text(method)
  return type(method) == "string" and method or type(method) == "table" and "a list" or type(method) == "function"
    and "a function" or "elimination"
end

--- Which channels to keep.
---@param stats lop.stats
---@param width integer?      nil where the method knows it
---@param opts {method: string|integer[]|function?, refine: "swap"?, lambda: table|function|number?, seed: integer?,
---        ridge: number?, cost: number[]?, nonnegative: boolean?, score: number[]?, producer: lop.tensor?,
---        stay: integer[]?, others: table?, weight: lop.tensor?, progress: function?}?
---@return lop.choice         {channels, error, lambda, swaps, method}; error is that of least squares on these channels
function choose.select(stats, width, opts)
  check.type(stats, "lop.stats", "stats")
  opts = check.options(opts, known)
  if width ~= nil then width = check.integer(width, "width", 1, stats.channels) end
  local channels, l, swaps = choose.channels(stats, width, opts)
  return setmetatable({channels = channels, error = error_of(stats, channels, opts), lambda = l, swaps = swaps,
                       of = stats.channels, method = method_text(opts.method)}, choice)
end

-- One LASSO serves all widths.
local function lasso_errors(stats, opts)
  local how = how_of(stats, opts)
  local free, held = free_of(stats, how.stay)
  local problem, errors = core.lasso(stats, how), {}
  for width = held + 1, stats.channels do
    local channels = beside(stats, free, (problem:width(width - held, {progress = how.progress})))
    errors[width] = error_of(stats, channels, opts)
  end
  return errors
end

--- The relative least-squares error of what a method keeps, for every width.
---@param stats lop.stats
---@param opts table?         as for lop.select
---@return number[] errors    errors[w] is that of w channels
---@return integer[]? order   where the method's sets are nested: channels, from 1, in the order of removal
function choose.curve(stats, opts)
  check.type(stats, "lop.stats", "stats")
  opts = check.options(opts, known)
  if type(opts.method) == "table" then core.fail("arg", "method: a list of channels has one width and no curve") end
  if choose.nested(opts) and not opts.refine and stats.summed then
    local order, errors = stats:curve(how_of(stats, opts))
    return errors, order
  end
  local plain = (opts.method == "lasso" or (not opts.method and not stats.summed)) and lambda.of(opts.lambda) == nil
  if plain and not opts.refine then return (lasso_errors(stats, opts)) end
  local errors, _, held = {}, free_of(stats, opts.stay)
  for width = math.max(held, 1), stats.channels do
    errors[width] = error_of(stats, (choose.channels(stats, width, opts)), opts)
  end
  return errors
end

--- New weights for the channels that are kept.
---@param stats lop.stats
---@param channels integer[]|lop.choice     from 1
---@param opts {method: string?, ridge: number|"auto"?, intercept: boolean?, weight: lop.tensor?, bias: lop.tensor?,
---        held: lop.stats?}?
---        ridge "auto", the default: of least error on held-out rows; intercept false: the layer's bias stays
---@return lop.tensor weight  (n, kept, ...)
---@return lop.tensor bias
---@return number error       relative
---@return number? held_error on held-out rows
---@return number ridge
function choose.reconstruct(stats, channels, opts)
  check.type(stats, "lop.stats", "stats")
  opts = check.options(opts, {"method", "ridge", "intercept", "weight", "bias", "held"})
  local list = check.channels(getmetatable(channels) == choice and channels.channels or channels, "channels",
                              stats.channels)
  local bias = nil
  if opts.intercept == false then bias = opts.bias or stats.bias or core.zeros(stats.filters) end
  local ridge = opts.ridge
  if ridge == "auto" then ridge = nil end
  return stats:reconstruct(list, {weight = opts.weight, method = opts.method, ridge = ridge, held = opts.held,
                                  bias = bias})
end

return choose

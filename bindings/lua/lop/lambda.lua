-- bindings/lua/lop/lambda.lua - schedules of the LASSO's lambda, as values. A schedule is called with the
-- number of the step and a state {active, width, lambda, top, channels}, and gives the next lambda, or nil at its end.
-- `active` is how many channels the last lambda left (all, before the first), `top` a lambda that leaves none. A
-- schedule may keep what it likes in the state, which is new for each choice.

local check = require "lop.check"
local core = require "lop.core"

local lambda = {}

local LIMIT = 10000                     -- steps: a schedule that goes on behind them does not end
local FLOOR = 1e-6                      -- of top: where bisection begins

local next_of = {
  fixed = function(self, step) return step == 1 and self.lambda or nil end,
  geometric = function(self, step) return self.first * self.factor ^ (step - 1) end,
  arithmetic = function(self, step) return self.first + self.step * (step - 1) end,
  bisection = function(self, step, state)
    if step == 1 then
      state.low, state.high = state.top * FLOOR, state.top
    elseif state.active > state.width then
      state.low = state.lambda
    else
      state.high = state.lambda
    end
    if state.high <= state.low * (1 + self.tolerance) then return nil end
    return math.sqrt(state.low * state.high)
  end,
  path = function() core.fail("arg", "lambda.path() is walked by the solver itself, not step by step") end,
}

local parameters = {fixed = {"lambda"}, geometric = {"first", "factor"}, arithmetic = {"first", "step"},
                    bisection = {"tolerance"}, path = {}}

local schedule = {__name = "lop.lambda"}        -- plain fields, so that a recipe's record can say them

function schedule.__call(self, step, state) return next_of[self.kind](self, step, state) end

function schedule.__tostring(self)
  local list = {}
  for i, key in ipairs(parameters[self.kind]) do list[i] = ("%.14g"):format(self[key]) end
  return ("lop.lambda.%s(%s)"):format(self.kind, table.concat(list, ", "))
end

local function new(kind, values)
  values.kind = kind
  return setmetatable(values, schedule)
end

--- One lambda. Without a width, the width is what it leaves.
function lambda.fixed(l) return new("fixed", {lambda = check.number(l, "lambda", 0)}) end

--- first, first * factor, first * factor^2, ... until at most the width asked for is left.
function lambda.geometric(first, factor)
  local from = check.number(first, "first", nil, 0)
  return new("geometric", {first = from, factor = check.number(factor, "factor", nil, 1)})
end

--- first, first + step, first + 2 step, ...
function lambda.arithmetic(first, step)
  return new("arithmetic", {first = check.number(first, "first", 0), step = check.number(step, "step", nil, 0)})
end

--- The least lambda that leaves at most the width asked for, to a relative tolerance.
function lambda.bisection(tolerance)
  return new("bisection", {tolerance = check.number(tolerance or 1e-3, "tolerance", nil, 0)})
end

--- The solver's own: the whole path, lambda falling, bisected where the number of channels jumps over the width.
function lambda.path() return new("path", {}) end

--- What people call as lop.lambda.
lambda.schedules = {fixed = lambda.fixed, geometric = lambda.geometric, arithmetic = lambda.arithmetic,
                    bisection = lambda.bisection, path = lambda.path}

--- Is it a schedule: one of these, a function, or a number (that is fixed)?
function lambda.is(value)
  return type(value) == "number" or type(value) == "function" or getmetatable(value) == schedule
end

--- Does a recipe's select find its width by itself: by a LASSO at a fixed lambda?
function lambda.finds_width(select)
  local value, method = select.lambda, select.method
  local fixed = type(value) == "number" or (getmetatable(value) == schedule and value.kind == "fixed")
  return fixed and (method == "lasso" or method == "lasso-alternating")
end

--- The schedule that a value stands for; nil for the solver's own path.
function lambda.of(value)
  if value == nil then return nil end
  if type(value) == "number" then return lambda.fixed(value) end
  if not lambda.is(value) then
    core.fail("arg", ("lambda: a number, a function or one of lop.lambda expected, got %s"):format(type(value)))
  end
  if type(value) == "table" and value.kind == "path" then return nil end
  return value
end

local function is(plan, kind) return type(plan) == "table" and plan.kind == kind end

--- Goes through a schedule. It ends by itself, or once at most `width` channels are left; only a bisection goes on
--- then. What counts is the step that left most channels of at most width, or else the last one.
---@param plan table|function
---@param width integer?      nil: of a fixed lambda, what it leaves
---@param solver table        {channels, top, at(lambda) -> active, point() -> any}: point is called after an at
---@return any point
---@return number lambda
---@return integer active
function lambda.run(plan, width, solver)
  if not width and not is(plan, "fixed") then
    core.fail("arg", "a width is missing: only a fixed lambda finds its own")
  end
  local state = {active = solver.channels, width = width, top = solver.top, channels = solver.channels}
  local best, last = nil, nil
  for step = 1, LIMIT do
    local l = plan(step, state)
    if l == nil then
      if not (best or last) then core.fail("arg", "the schedule of lambda has no first step") end
      local chosen = best or {point = solver.point(), lambda = last, active = state.active}
      return chosen.point, chosen.lambda, chosen.active
    end
    check.number(l, ("lambda of step %d"):format(step), 0)
    state.active, state.lambda, last = solver.at(l), l, l
    if width and state.active <= width and (not best or state.active > best.active) then
      best = {point = solver.point(), lambda = l, active = state.active}
    end
    if width and (state.active == width or (best and not is(plan, "bisection"))) then
      return best.point, best.lambda, best.active
    end
  end
  core.fail("arg", ("the schedule of lambda does not end: %d steps, %d channels left of %d"):format(LIMIT, state.active,
            solver.channels))
end

return lambda

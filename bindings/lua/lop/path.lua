-- bindings/lua/lop/path.lua - lop.lasso: the path of the LASSO over channel weights (He et al., ICCV 2017, eq. 3), as a
-- value to look at.

local check = require "lop.check"
local core = require "lop.core"

local path = {__name = "lop.path"}
path.__index = path

local point = {__name = "lop.point"}

function point.__tostring(self)
  local list = {}
  for i, channel in ipairs(self.channels) do list[i] = ("#%d %.4g"):format(channel - 1, self.beta[i]) end
  return ("lambda %.6g, error %.4g: %s"):format(self.lambda, self.error, table.concat(list, ", "))
end

--- The path of a layer's statistics, or of sums {gram, cross, energy, rows}.
---@param from lop.stats|{gram: lop.tensor, cross: lop.tensor, energy: number, rows: number, nonnegative: boolean?}
---@param opts {weight: lop.tensor?, nonnegative: boolean?, others: table?, progress: function?}?     of statistics
---@return lop.path           .channels, .live (those that are not dead), .top (the lambda that leaves none)
function path.new(from, opts)
  opts = check.options(opts, {"weight", "nonnegative", "others", "progress"})
  if type(from) ~= "table" then check.type(from, "lop.stats", "stats") end
  local problem = core.lasso(from, type(from) ~= "table" and opts or nil)
  return setmetatable({problem = problem, channels = problem.channels, live = problem.live, top = problem.top,
                       progress = opts.progress}, path)
end

--- Exactly `width` channels.
---@param width integer
---@return {channels: integer[], beta: number[], lambda: number, error: number}     error: relative, of beta
function path:at(width)
  local channels, beta, lambda, err = self.problem:width(check.integer(width, "width", 1, self.channels),
                                                         {progress = self.progress})
  return setmetatable({channels = channels, beta = beta, lambda = lambda, error = err}, point)
end

--- The solution at one lambda.
---@param lambda number
---@return lop.tensor beta    float64, by channel
---@return integer active     how many are not 0
function path:solve(lambda)
  return self.problem:solve(check.number(lambda, "lambda", 0))
end

-- Marks in a grid of characters, the largest value at the top.
local function draw(values, first, last, columns, rows)
  local grid, most = {}, 0
  for w = first, last do most = math.max(most, values[w]) end
  for r = 1, rows do grid[r] = (" "):rep(columns) end
  for c = 1, columns do
    local w = first + math.floor((c - 1) * (last - first) / math.max(columns - 1, 1) + 0.5)
    local r = most > 0 and rows - math.floor(math.max(values[w], 0) / most * (rows - 1) + 0.5) or rows
    grid[r] = grid[r]:sub(1, c - 1) .. "*" .. grid[r]:sub(c + 1)
  end
  return grid, most
end

--- The error of beta by width, as text.
---@param opts {width: integer?, height: integer?}?   of the plot, in characters: 60 x 12
---@return string
function path:plot(opts)
  opts = check.options(opts, {"width", "height"})
  local columns = math.min(check.integer(opts.width or 60, "width", 2, 1000), self.channels)
  local rows = check.integer(opts.height or 12, "height", 2, 1000)
  local errors = {}
  for c = 1, columns do
    local w = 1 + math.floor((c - 1) * (self.channels - 1) / math.max(columns - 1, 1) + 0.5)
    errors[w] = errors[w] or self:at(w).error
  end
  for w = 1, self.channels do errors[w] = errors[w] or errors[w - 1] end
  local grid, most = draw(errors, 1, self.channels, columns, rows)
  local lines = {"relative error of the LASSO by width"}
  for r = 1, rows do
    local label = r == 1 and ("%8.4g"):format(most) or r == rows and ("%8.4g"):format(0) or (" "):rep(8)
    lines[#lines + 1] = label .. " |" .. grid[r]:gsub(" +$", "")
  end
  lines[#lines + 1] = (" "):rep(9) .. "+" .. ("-"):rep(columns)
  lines[#lines + 1] = (" "):rep(10) .. "1" .. ("%" .. math.max(columns - 1, 1) .. "s"):format(self.channels)
  return table.concat(lines, "\n")
end

function path.__tostring(self)
  return ("lop.path (%d channels, %d live, lambda from %.6g down)"):format(self.channels, self.live, self.top)
end

return path

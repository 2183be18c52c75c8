-- bindings/lua/lop/plot/text.lua - curves as text: a line of blocks, or a small picture of characters.

local text = {}

local BLOCKS = {"\u{2581}", "\u{2582}", "\u{2583}", "\u{2584}", "\u{2585}", "\u{2586}", "\u{2587}", "\u{2588}"}
local DECADES = 4                       -- a line of blocks shows this many below the largest value

-- 0 .. 1 on a logarithmic axis that ends at `high`.
local function height_of(value, high, decades)
  if value <= 0 or high <= 0 then return 0 end
  return math.max(0, math.min(1, 1 + math.log(value / high, 10) / decades))
end

--- A line of blocks, one a value: logarithmic, four decades below `high`; nothing at all (or less) is a dot.
---@param values number[]
---@param high number         the value of a full block: the same for all lines that are to be compared
---@return string
function text.blocks(values, high)
  local list = {}
  for i, v in ipairs(values) do
    local h = height_of(v, high, DECADES)
    list[i] = h <= 0 and "." or BLOCKS[math.min(#BLOCKS, math.floor(h * #BLOCKS) + 1)]
  end
  return table.concat(list)
end

local function blank(rows, columns)
  local grid = {}
  for r = 1, rows do
    grid[r] = {}
    for c = 1, columns do grid[r][c] = " " end
  end
  return grid
end

-- The decades that the values reach over, whole ones, and the largest power of ten.
local function range_of(series)
  local low, high = math.huge, 0
  for _, s in ipairs(series) do
    for _, p in ipairs(s.points) do
      high = math.max(high, p[2])
      if p[2] > 0 then low = math.min(low, p[2]) end
    end
  end
  if high <= 0 then return 1, 0 end
  local top = math.ceil(math.log(high, 10) - 1e-9)
  return math.max(1, math.min(6, top - math.floor(math.log(low, 10) + 1e-9))), top
end

--- Curves over a common axis as lines of text, logarithmic upward: whole decades, six at most. Later series are drawn
--- over earlier ones; points of value 0 are not drawn.
---@param series {mark: string, points: number[][]}[]     mark: one character; points: {x, y}
---@param opts {from: number, to: number, width: integer?, height: integer?}      of x; in characters: 48 x 8
---@return string[]
function text.plot(series, opts)
  local columns, rows = opts.width or 48, opts.height or 8
  local decades, top = range_of(series)
  local grid, lines = blank(rows, columns), {}
  for _, s in ipairs(series) do
    for _, p in ipairs(s.points) do
      local h = height_of(p[2], 10.0 ^ top, decades)
      local c = 1 + math.floor((p[1] - opts.from) / math.max(opts.to - opts.from, 1e-9) * (columns - 1) + 0.5)
      if p[2] > 0 then grid[rows - math.floor(h * (rows - 1) + 0.5)][c] = s.mark end
    end
  end
  for r, row in ipairs(grid) do
    local shown = (r == 1 and ("%g"):format(10.0 ^ top)) or (r == rows and ("%g"):format(10.0 ^ (top - decades))) or ""
    lines[r] = (("%8s |"):format(shown) .. table.concat(row)):gsub(" +$", "")
  end
  lines[#lines + 1] = (" "):rep(9) .. "+" .. ("-"):rep(columns)
  local last = ("%g"):format(opts.to)
  local first = ("%g"):format(opts.from)
  lines[#lines + 1] = (" "):rep(10) .. first .. (" "):rep(math.max(1, columns - #first - #last)) .. last
  return lines
end

return text

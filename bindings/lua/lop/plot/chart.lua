-- bindings/lua/lop/plot/chart.lua - small charts side by side in one SVG: curves over a common kind of axis, error
-- usually on a logarithmic one.

local svg = require "lop.plot.svg"

local chart = {}

-- Okabe and Ito: told apart by eyes of all kinds, and in grey.
local COLOURS = {"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999999"}
local WIDTH, HEIGHT = 250, 170          -- of a panel
local LEFT, TOP, RIGHT, BOTTOM = 46, 24, 22, 34
local HEAD, MARGIN = 58, 8
local DECADES = 6                       -- shown at most: what is less stands at the lower edge
local GREY, LIGHT = "#555555", "#dddddd"

-- "0.001" and "1e-05" alike, as people read them.
local function label(v)
  return ("%g"):format(v)
end

local function values_of(panels)
  local low, high = math.huge, -math.huge
  for _, panel in ipairs(panels) do
    for _, series in ipairs(panel.series) do
      for _, p in ipairs(series.points) do
        if p[2] > 0 then low = math.min(low, p[2]) end
        high = math.max(high, p[2])
      end
    end
  end
  return low, high
end

-- From a value to 0 .. 1 upward, and the values that are marked.
local function log_axis(low, high)
  if high <= 0 then low, high = 0.1, 1 end
  local top = math.ceil(math.log(high, 10) - 1e-9)
  local bottom = math.max(math.floor(math.log(math.min(low, high), 10) + 1e-9), top - DECADES)
  if bottom == top then bottom = top - 1 end
  local ticks = {}
  for e = bottom, top do ticks[#ticks + 1] = 10.0 ^ e end
  return function(v)
    local e = v > 0 and math.log(v, 10) or bottom
    return math.max(0, math.min(1, (e - bottom) / (top - bottom)))
  end, ticks
end

local function even_axis(high)
  local step = 10.0 ^ math.floor(math.log(math.max(high, 1e-300), 10))
  if high / step < 2 then step = step / 4 elseif high / step < 5 then step = step / 2 end
  local top, ticks = math.ceil(high / step - 1e-9) * step, {}
  for k = 0, math.floor(top / step + 0.5) do ticks[#ticks + 1] = k * step end
  return function(v) return math.max(0, math.min(1, v / math.max(top, 1e-300))) end, ticks
end

local function axis_of(panels, opts)
  local low, high = values_of(panels)
  if opts.log == false then return even_axis(high) end
  return log_axis(low, high)
end

local function draw_frame(picture, x, y, panel, opts, scale, ticks)
  local right, bottom = x + WIDTH - RIGHT, y + HEIGHT - BOTTOM
  for _, tick in ipairs(ticks) do
    local at = bottom - scale(tick) * (bottom - y - TOP)
    picture:line(x + LEFT, at, right, at, {stroke = LIGHT})
    picture:text(x + LEFT - 5, at + 4, label(tick), {text_anchor = "end", fill = GREY, font_size = 10})
  end
  local first, last = opts.x[1], opts.x[2]
  for _, tick in ipairs(opts.ticks) do
    local at = x + LEFT + (tick - first) / (last - first) * (right - x - LEFT)
    picture:line(at, bottom, at, bottom + 4, {stroke = GREY})
    picture:text(at, bottom + 15, (opts.tick_text or label)(tick), {text_anchor = "middle", fill = GREY,
                                                                    font_size = 10})
  end
  picture:line(x + LEFT, bottom, right, bottom, {stroke = GREY})
  picture:text(x + LEFT, y + 15, panel.title, {font_weight = "bold"})
  picture:text((x + LEFT + right) / 2, bottom + 28, opts.x_label, {text_anchor = "middle", fill = GREY,
                                                                   font_size = 10})
end

local function draw_series(picture, x, y, series, colour, opts, scale)
  local right, bottom, line = x + WIDTH - RIGHT, y + HEIGHT - BOTTOM, {}
  local first, last = opts.x[1], opts.x[2]
  for i, p in ipairs(series.points) do
    line[i] = {x + LEFT + (p[1] - first) / (last - first) * (right - x - LEFT),
               bottom - scale(p[2]) * (bottom - y - TOP)}
  end
  picture:polyline(line, {stroke = colour, stroke_width = 1.6})
  if #line > 16 then return end         -- a mark a point only where they are few
  for _, p in ipairs(line) do picture:circle(p[1], p[2], 2.4, {fill = colour}) end
end

-- Names of series in the order in which they first occur; each has one colour in all panels.
local function names_of(panels)
  local list, place = {}, {}
  for _, panel in ipairs(panels) do
    for _, series in ipairs(panel.series) do
      if not place[series.name] then
        list[#list + 1] = series.name
        place[series.name] = #list
      end
    end
  end
  return list, place
end

local function colour_of(number)
  return COLOURS[(number - 1) % #COLOURS + 1]
end

local function draw_head(picture, names, opts)
  picture:text(MARGIN, 20, opts.title, {font_size = 15, font_weight = "bold"})
  local x = MARGIN
  for i, name in ipairs(names) do
    picture:line(x, 38, x + 18, 38, {stroke = colour_of(i), stroke_width = 3})
    picture:text(x + 23, 42, name, {})
    x = x + 40 + 6.2 * (utf8.len(name) or #name)
  end
end

--- Panels in rows, all on the same axes.
---@param panels {title: string, series: {name: string, points: number[][]}[]}[]     points: {x, y}, x ascending
---@param opts {title: string, x: number[], ticks: number[], x_label: string, columns: integer?, log: boolean?,
---        tick_text: fun(tick: number): string}?
---        x: from and to; log: of the upward axis (true); columns of panels (4)
---@return string             an SVG document
function chart.panels(panels, opts)
  local columns = math.max(1, math.min(opts.columns or 4, #panels))
  local rows = math.max(1, (#panels + columns - 1) // columns)
  local names, place = names_of(panels)
  local legend = 40 * #names + 2 * MARGIN
  for _, name in ipairs(names) do legend = legend + 6.2 * (utf8.len(name) or #name) end
  local wide = math.max(columns * WIDTH + 2 * MARGIN, legend, 9 * #opts.title + 2 * MARGIN)
  local picture = svg.new(wide, HEAD + rows * HEIGHT + MARGIN)
  draw_head(picture, names, opts)
  local scale, ticks = axis_of(panels, opts)
  for i, panel in ipairs(panels) do
    local x, y = MARGIN + (i - 1) % columns * WIDTH, HEAD + (i - 1) // columns * HEIGHT
    draw_frame(picture, x, y, panel, opts, scale, ticks)
    for _, series in ipairs(panel.series) do
      draw_series(picture, x, y, series, colour_of(place[series.name]), opts, scale)
    end
  end
  return picture:encode()
end

return chart

-- bindings/lua/lop/sensitivity.lua - how much each group matters: the error of its consumers at every width, by exact
-- elimination, and the loss of the network's outputs where that group alone is cut, measured at a few widths.

local allocate = require "lop.budget.allocate"
local chart = require "lop.plot.chart"
local frontier = require "lop.engine.frontier"
local json = require "lop.json"
local prune = require "lop.prune"
local solve = require "lop.engine.solve"

local sensitivity = {}

-- Of each unit that may be cut the relative error of every width.
local function errors_of(base, list, set, opts)
  local front, curves = frontier.new(base, set, opts.passes), {}
  for number, unit in ipairs(list) do
    front:advance(base, frontier.position(base, unit.first) - 1)
    local own = solve.options(unit, opts)
    local stats = solve.statistics(base, base, unit, number, {original = front, now = front}, own)
    curves[number] = allocate.errors_of(base, unit, stats, own)
    if opts.progress then opts.progress("errors", number, #list) end
  end
  front:close()
  return curves
end

--- The curves of every group.
---@param original lop.net
---@param set lop.data        calibration images
---@param held lop.data       held-out ones, on which losses are measured
---@param opts table          from job.options; losses = false: none are measured
---@return table              {groups = {{name, width, channels, errors, losses, prunable, reason}}, images, held,
---        outputs}: width, as it came; channels, without dead ones; errors[w], relative, of w channels; losses:
---        {{width, loss}}, the mean over the outputs, and the values of each, of the squared error over the value's
---        variance, before a softmax
function sensitivity.run(original, set, held, opts)
  local p = prune.open(original, set, held, opts)
  local list, of = {}, {}
  for _, unit in ipairs(p.list) do
    if not unit.kind then
      list[#list + 1] = unit
      of[unit.group] = of[unit.group] or {}
      table.insert(of[unit.group], #list)
    end
  end
  local errors = errors_of(p.base, list, set, opts)
  local losses = opts.losses ~= false and allocate.measure(p.base, list, set, held, opts) or {}
  local groups = json.array {}
  for _, g in ipairs(p.base:groups()) do
    for _, k in ipairs(of[g.name] or {}) do             -- a part of a group that others read is curves of its own
      groups[#groups + 1] = {name = list[k].name, width = list[k].before, channels = list[k].width, prunable = true,
                             errors = errors[k], losses = losses[k]}
    end
    if not of[g.name] then
      groups[#groups + 1] = {name = g.name, width = p.before[g.name], channels = g.width, prunable = false,
                             reason = prune.reason(g, p.reasons)}
    end
  end
  p.place.store:close()
  return {groups = groups, images = #set, held = #held, forward_passes = opts.passes.count}
end

local function points_of(list)
  local points = {}
  for w, e in ipairs(list) do points[w] = {w, e} end
  return points
end

--- The curves of one group as series of points {width, value}.
---@return {name: string, mark: string, points: number[][]}[]
function sensitivity.series(group)
  local series = {{name = "error at the consumers", mark = ".", points = points_of(group.errors)}}
  if group.losses then
    local points = {}
    for i, p in ipairs(group.losses) do points[i] = {p.width, p.loss} end
    series[2] = {name = "loss at the outputs", mark = "o", points = points}
  end
  return series
end

-- Shares of the group's channels in place of widths: all groups then stand on one axis.
local function panel_of(group)
  local series = sensitivity.series(group)
  for _, s in ipairs(series) do
    local points = {}
    for _, p in ipairs(s.points) do
      if p[2] > 0 then points[#points + 1] = {p[1] / group.width, p[2]} end
    end
    s.points = points
  end
  return {title = ("%s (%d)"):format(group.name, group.width), series = series}
end

--- The curves as an SVG document, a panel a group.
---@return string
function sensitivity.svg(result)
  local panels = {}
  for _, g in ipairs(result.groups) do
    if g.prunable then panels[#panels + 1] = panel_of(g) end
  end
  return chart.panels(panels, {title = "Error by width, each group cut alone", x = {0, 1},
                               ticks = {0, 0.25, 0.5, 0.75, 1}, x_label = "share of the channels kept",
                               tick_text = function(v) return ("%.0f %%"):format(100 * v) end})
end

return sensitivity

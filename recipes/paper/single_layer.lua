-- recipes/paper/single_layer.lua - one layer at a time: which channels of its input does a criterion keep, and what is
-- the error of its output then, on pictures that neither the criterion nor the least squares behind it have seen?
-- For every convolution, at kept shares from 1/8 to 7/8. Writes single_layer.csv, .json and .svg.
-- lop recipes/paper/single_layer.lua [model=FILE data=SPEC test=SPEC preprocess=P] [KEY=VALUE ...]
-- A criterion is one of select.method, or that with +swap: swaps follow. ours=CRITERION is compared with the others;
-- it is elimination with swaps, as elimination alone is greedy and misses the mark below at one place of 175.
-- check=1: exit 3 unless its error is at most 1.02 times that of max response and of the first k everywhere, and at
-- most 0.95 times at most places.

assert(arg, "a script, not a recipe: lop recipes/paper/single_layer.lua KEY=VALUE ...")
local folder = arg[0]:match("^(.*/)") or ""
local common = dofile(folder .. "common.lua")
local chart = require "lop.plot.chart"
local core = require "lop.core"
local evaluate = require "lop.evaluate"
local output = require "lop.program.output"

local set = common.settings(arg, {
  model = folder .. "../models/digits-vgg/model.onnx", data = "mnist:" .. folder .. "../data/digits", test = "",
  preprocess = "unit", images = 1000, held = 200, tested = 1000, seed = 0, layers = 0, check = 0, out = "single-layer",
  criteria = {"first", "response", "lasso", "elimination", "elimination+swap"}, ours = "elimination+swap",
})

local EIGHTHS = {1, 2, 3, 4, 5, 6, 7}
local NEVER_WORSE, CLEARLY = 1.02, 0.95
local quiet = output.new {}

local function open(net, spec, split, count)
  local pictures = evaluate.open(net, spec, {preprocess = set.preprocess, split = split}, quiet)
  return count < #pictures and pictures:take(count, set.seed) or pictures
end

local net = lop.load(set.model)
net:fold_constants()
net:fold_bn()
local seen = open(net, set.data, "train", set.images + set.held)
local unseen = open(net, set.test ~= "" and set.test or set.data, "test", set.tested)

-- Convolutions with channels to choose from, by name.
local function layers_of()
  local list = {}
  for _, layer in ipairs(net:layers()) do
    local window = layer.op == "Conv" and layer.weight and net:window(layer.name)
    if window and window.group == 1 and layer.weight:shape()[2] >= 8 then list[#list + 1] = layer.name end
  end
  return set.layers > 0 and table.move(list, 1, math.min(set.layers, #list), 1, {}) or list
end

-- Held-out errors of one layer, a row a criterion and share.
local function study(name, rows)
  local stats = lop.sample(net, name, seen, {seed = set.seed, holdout = set.held})
  local judge = lop.sample(net, name, unseen, {seed = set.seed + 1})
  for _, eighths in ipairs(EIGHTHS) do
    local width = math.max(1, math.floor(stats.channels * eighths / 8 + 0.5))
    for _, criterion in ipairs(set.criteria) do
      local method, refine = criterion:match("^(.-)%+(swap)$")
      local kept = lop.select(stats, width, {method = method or criterion, refine = refine}).channels
      local weight, bias, error = lop.reconstruct(stats, kept)
      rows[#rows + 1] = {layer = name, channels = stats.channels, eighths = eighths, width = width,
                         criterion = criterion, error = error, held_error = judge:error(kept, weight, bias)}
    end
  end
  stats:close()
  judge:close()
end

-- ---- what it comes to ----

-- By place (layer and share) the held-out error of each criterion.
local function places_of(rows)
  local list, by = {}, {}
  for _, row in ipairs(rows) do
    local key = row.layer .. "\0" .. row.eighths
    if not by[key] then
      by[key] = {name = ("%s at %d/8"):format(row.layer, row.eighths)}
      list[#list + 1] = by[key]
    end
    by[key][row.criterion] = row.held_error
  end
  return list
end

-- Of ours against another criterion: {against, places, mean, clearly, worst, at}, ratios of held-out errors.
local function against(places, other)
  local worst, where, clearly, sum = 0, "-", 0, 0
  for _, p in ipairs(places) do
    local ratio = p[set.ours] / p[other]
    if ratio > worst then worst, where = ratio, p.name end
    clearly = clearly + (ratio <= CLEARLY and 1 or 0)
    sum = sum + math.log(ratio)
  end
  return {against = other, places = #places, worst = worst, at = where, clearly = clearly,
          mean = math.exp(sum / #places)}
end

local function svg(rows)
  local panels, by = {}, {}
  for _, row in ipairs(rows) do
    local panel = by[row.layer]
    if not panel then
      panel = {title = ("%s (%d)"):format(row.layer:match("[^/]+/[^/]+$") or row.layer, row.channels), series = {}}
      by[row.layer], panels[#panels + 1] = panel, panel
      for i, criterion in ipairs(set.criteria) do
        panel.series[i] = {name = criterion, points = {}}
        panel[criterion] = panel.series[i].points
      end
    end
    table.insert(panel[row.criterion], {row.eighths / 8, row.held_error})
  end
  return chart.panels(panels, {title = "Held-out error of single layers, after least squares", x = {0, 1},
                               ticks = {0, 0.25, 0.5, 0.75, 1}, x_label = "share of the channels kept",
                               tick_text = function(v) return ("%.0f %%"):format(100 * v) end})
end

local rows, columns = {}, {"layer", "channels", "eighths", "width", "criterion", "error", "held_error"}
for _, name in ipairs(layers_of()) do
  study(name, rows)
  io.stderr:write(name, "\n")
end
if #rows == 0 then core.fail("arg", set.model .. ": no convolution reads 8 channels or more") end

local places, summary = places_of(rows), {}
for _, criterion in ipairs(set.criteria) do
  if criterion ~= set.ours and places[1][set.ours] then summary[#summary + 1] = against(places, criterion) end
end
common.write(set.out, "single_layer", columns, rows, {settings = set, summary = summary})
core.system.write_file(set.out .. "/single_layer.svg", svg(rows))
print(("held-out error of %s over that of others"):format(set.ours))
common.show({"against", "places", "mean", "clearly", "worst", "at"}, summary)
for _, s in ipairs(set.check ~= 0 and summary or {}) do
  local simple = s.against == "first" or s.against == "response"
  if simple and s.worst > NEVER_WORSE then
    core.fail("difference", ("the error of %s is %.3f times that of %s (%s): at most %g expected")
      :format(set.ours, s.worst, s.against, s.at, NEVER_WORSE))
  elseif simple and 2 * s.clearly < s.places then
    core.fail("difference", ("%s is clearly better than %s at %d of %d places only"):format(set.ours, s.against,
              s.clearly, s.places))
  end
end

-- recipes/paper/squeezenet.lua - criteria at equal multiply-adds on a compact net: each keeps the same share of each
-- layer, and is followed by the same reconstruction, or by none; then lop's own allocation, of widths, and of widths
-- and ranks. Judged by the KL divergence from the original's softmax, top-1 and top-5.
-- lop recipes/paper/squeezenet.lua model=squeezenet.onnx data=images:DIR/calib test=images:DIR/test [KEY=VALUE ...]
-- check=1: exit 3 unless, at the first speedup, the KL of elimination is at most 0.65 of that of L1 and that of the
-- allocated widths at most half, and that of widths and ranks is less again at each.

assert(arg, "a script, not a recipe: lop recipes/paper/squeezenet.lua KEY=VALUE ...")
local common = dofile((arg[0]:match("^(.*/)") or "") .. "common.lua")
local core = require "lop.core"
local evaluate = require "lop.evaluate"
local output = require "lop.program.output"

local set = common.settings(arg, {
  model = "models/squeezenet.onnx", data = "images:data/imagenet/train", test = "images:data/imagenet/val",
  preprocess = "caffe", images = 250, seed = 0, out = "squeezenet-study", check = 0,
  speedups = {1.19, 1.3},
  criteria = {"elimination", "lasso", "thinet", "response", "l1", "first"},
  reconstructions = {"least-squares", "none"}, allocations = {"width", "width+rank"},
})

local net, quiet = lop.load(set.model), output.new {}
local test = evaluate.open(net, set.test, {preprocess = set.preprocess, split = "test"}, quiet)
local believed = common.beliefs(net, test)
local columns = {"speedup", "allocation", "criterion", "reconstruction", "macs", "kl", "top1", "top5"}
local rows = {}

local function add(row, small)
  local judged = common.judge(small, test, believed)
  row.macs, row.kl, row.top1, row.top5 = small:macs(), judged.kl, judged.top1, judged.top5
  rows[#rows + 1] = row
  common.write(set.out, "squeezenet", columns, rows, {settings = set})
  io.stderr:write(("%s %s %s %s: KL %.4f\n"):format(row.speedup, row.allocation, row.criterion, row.reconstruction,
                                                    row.kl))
end

local function prune(speedup, more)
  local keys = {calibrate = {data = set.data, images = set.images}, preprocess = set.preprocess, seed = set.seed,
                budget = {speedup = speedup}}
  for key, value in pairs(more) do keys[key] = value end
  return (lop.prune(net, keys))
end

add({speedup = 1, allocation = "-", criterion = "-", reconstruction = "-"}, net)
for _, speedup in ipairs(set.speedups) do
  for _, reconstruction in ipairs(set.reconstructions) do
    for _, criterion in ipairs(set.criteria) do
      add({speedup = speedup, allocation = "uniform", criterion = criterion, reconstruction = reconstruction},
          prune(speedup, {allocate = "uniform", select = criterion, reconstruct = reconstruction}))
    end
  end
  for _, cuts in ipairs(set.allocations) do
    add({speedup = speedup, allocation = cuts, criterion = "elimination", reconstruction = "least-squares"},
        prune(speedup, {cuts = common.words(cuts, "+")}))
  end
end
common.show(columns, rows)

-- ---- what must hold ----

local function kl_of(speedup, allocation, criterion)
  for _, row in ipairs(rows) do
    if row.speedup == speedup and row.allocation == allocation and row.criterion == criterion
        and row.reconstruction == "least-squares" then
      return row.kl
    end
  end
end

local function at_most(what, kl, share, of, other)
  if kl and other and kl > share * other then
    core.fail("difference", ("KL of %s: %.4f, at most %g of %s (%.4f) expected"):format(what, kl, share, of, other))
  end
end

if set.check ~= 0 then
  local first = set.speedups[1]
  local l1 = kl_of(first, "uniform", "l1")
  at_most("elimination", kl_of(first, "uniform", "elimination"), 0.65, "that of l1", l1)
  at_most("the allocated widths", kl_of(first, "width", "elimination"), 0.5, "that of l1", l1)
  for _, speedup in ipairs(set.speedups) do
    local widths, both = kl_of(speedup, "width", "elimination"), kl_of(speedup, "width+rank", "elimination")
    if widths and both and both >= widths then
      core.fail("difference", ("KL of widths and ranks at %sx: %.4f, less than that of widths (%.4f) expected")
        :format(speedup, both, widths))
    end
  end
end

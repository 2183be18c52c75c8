-- recipes/paper/cuts.lua - what it is worth to factor layers beside narrowing them: lop's own allocation at the same
-- multiply-adds with widths alone, and with widths and ranks in one. Judged by the KL divergence from the original's
-- softmax, top-1 and top-5.
-- lop recipes/paper/cuts.lua [model=FILE data=SPEC test=SPEC preprocess=P] [KEY=VALUE ...]
-- cuts=A,B: what may be cut, as width or width+rank. check=1: exit 3 unless, at each speedup, the KL of every other is
-- below that of the first.

local folder = arg and arg[0]:match("^(.*/)") or ""
assert(arg, "a script, not a recipe: lop recipes/paper/cuts.lua KEY=VALUE ...")
local common = dofile(folder .. "common.lua")
local core = require "lop.core"
local evaluate = require "lop.evaluate"
local output = require "lop.program.output"

local set = common.settings(arg, {
  model = folder .. "../models/digits-vgg/model.onnx", data = "mnist:" .. folder .. "../data/digits", test = "",
  preprocess = "unit", images = 1000, tested = 0, seed = 0, check = 0, out = "cuts-study",
  speedups = {4}, cuts = {"width", "width+rank"},
})

local net = lop.load(set.model)
local test = evaluate.open(net, set.test ~= "" and set.test or set.data,
                           {preprocess = set.preprocess, split = "test"}, output.new {})
if set.tested > 0 and set.tested < #test then test = test:take(set.tested, set.seed) end
local believed = common.beliefs(net, test)
local columns = {"speedup", "cuts", "macs", "kl", "top1", "top5"}
local rows = {}

for _, speedup in ipairs(set.speedups) do
  for _, cuts in ipairs(set.cuts) do
    local small <close> = lop.prune(net, {
      calibrate = {data = set.data, images = set.images}, preprocess = set.preprocess, seed = set.seed,
      budget = {speedup = speedup}, cuts = common.words(cuts, "+"),
    })
    local judged = common.judge(small, test, believed)
    rows[#rows + 1] = {speedup = speedup, cuts = cuts, macs = small:macs(), kl = judged.kl, top1 = judged.top1,
                       top5 = judged.top5}
    common.write(set.out, "cuts", columns, rows, {settings = set})
    io.stderr:write(("%s %s: KL %.4g\n"):format(speedup, cuts, judged.kl))
  end
end
common.show(columns, rows)

local first
for _, row in ipairs(set.check ~= 0 and rows or {}) do
  if row.cuts == set.cuts[1] then
    first = row
  elseif row.kl >= first.kl then
    core.fail("difference", ("%sx: the KL of %s is %.4g, less than that of %s (%.4g) expected"):format(row.speedup,
              row.cuts, row.kl, first.cuts, first.kl))
  end
end

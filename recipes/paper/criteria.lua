-- recipes/paper/criteria.lua - criterion by reconstruction by target of residual branches, at equal multiply-adds: the
-- same widths for all (one keep ratio), no refit of producers.
-- lop recipes/paper/criteria.lua model=resnet56-bn.onnx data=cifar10:DIR [KEY=VALUE ...]

assert(arg, "a script, not a recipe: lop recipes/paper/criteria.lua KEY=VALUE ...")
local common = dofile((arg[0]:match("^(.*/)") or "") .. "common.lua")
local evaluate = require "lop.evaluate"
local output = require "lop.program.output"

local set = common.settings(arg, {
  model = "models/resnet56-bn.onnx", data = "cifar10:data/cifar10", preprocess = "cifar10", images = 500, seed = 0,
  speedup = 2, tested = 0, out = "criteria-study",
  criteria = {"elimination", "lasso", "thinet", "response", "l1", "l2", "bn-scale", "apoz", "fpgm", "first", "random"},
  reconstructions = {"least-squares", "scale", "none"}, targets = {"compensate", "none"},
})

local net = lop.load(set.model)
local test = evaluate.open(net, set.data, {preprocess = set.preprocess, split = "test"}, output.new {})
if set.tested > 0 and set.tested < #test then test = test:take(set.tested, set.seed) end
local columns = {"reconstruction", "target", "criterion", "macs", "top1"}
local rows = {}

for _, reconstruction in ipairs(set.reconstructions) do
  for _, target in ipairs(set.targets) do
    for _, criterion in ipairs(set.criteria) do
      local small <close> = lop.prune(net, {
        calibrate = {data = set.data, images = set.images}, preprocess = set.preprocess, seed = set.seed,
        budget = {speedup = set.speedup}, allocate = "uniform", select = criterion,
        reconstruct = {method = reconstruction, producer = 0}, residual = {target = target},
      })
      rows[#rows + 1] = {reconstruction = reconstruction, target = target, criterion = criterion, macs = small:macs(),
                         top1 = evaluate.run(small, test).top1}
      common.write(set.out, "criteria", columns, rows, {settings = set})
      io.stderr:write(("%s %s %s: top-1 %.2f %%\n"):format(reconstruction, target, criterion, rows[#rows].top1))
    end
  end
end

-- A line a criterion, a column a reconstruction and target.
local wide, heads, by = {}, {"criterion"}, {}
for _, row in ipairs(rows) do
  local head = row.reconstruction .. " / " .. row.target
  if not by[head] then
    by[head], heads[#heads + 1] = true, head
  end
  if not by[row.criterion] then
    by[row.criterion] = {criterion = row.criterion}
    wide[#wide + 1] = by[row.criterion]
  end
  by[row.criterion][head] = row.top1
end
common.show(heads, wide)

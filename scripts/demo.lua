-- scripts/demo.lua - lop scripts/demo.lua FOLDER: the nets that come with lop beside those that the demo pruned.

local lop = require "lop"
local folder = arg[1]

local function row_of(path)
  local net = lop.load(path)
  local runs = lop.time(net, {repeats = 50})
  table.sort(runs)
  local test = lop.data("mnist:recipes/data/digits", {preprocess = "unit", split = "test"})
  return {accuracy = lop.evaluate(net, test).top1, macs = net:macs(), params = net:params(), ms = 1e3 * runs[25]}
end

print(("%-14s  %-16s  %-24s  %-18s  %s"):format("net", "accuracy %", "MACs", "params", "ms an image"))
for _, name in ipairs {"digits-vgg", "digits-resnet"} do
  local a, b = row_of("recipes/models/" .. name .. "/model.onnx"), row_of(folder .. "/" .. name .. "/model.onnx")
  print(("%-14s  %6.2f to %6.2f  %10d to %10d  %7d to %7d  %.3f to %.3f"):format(name, a.accuracy, b.accuracy, a.macs,
        b.macs, a.params, b.params, a.ms, b.ms))
end

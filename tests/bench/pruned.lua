-- tests/bench/pruned.lua FOLDER NET - writes an architecture of the zoo as it is, and pruned to half its multiply-adds
-- with widths in steps of 8, streams too. What is cut by is of no matter to the time, so the cheapest criterion does.
local folder, name = arg[1], arg[2]
local net = lop.zoo(name, {seed = 3})
local shape = net:inputs()[1].shape
local noise = folder .. "/noise.npz"
lop.save_npz(noise, {images = lop.randn({32, shape[2], shape[3], shape[4]}, {seed = 5})})
local small, report = lop.prune(net, {
  preprocess = "none", calibrate = {data = "npz:" .. noise, images = 16, positions = 10}, budget = {speedup = 2},
  allocate = "uniform", select = {method = "l2"}, reconstruct = {producer = 0, ridge = 0.1}, round_to = 8, seed = 3,
  residual = {stream = "coupled"}})
for _, layer in ipairs(report.layers) do
  assert(layer.width_after % 8 == 0, ("%s: %d channels are left"):format(layer.name, layer.width_after))
end
net:fold_bn()                           -- either runtime does so by itself
net:save(folder .. "/whole.onnx")
small:save(folder .. "/pruned.onnx")
print(("%s: %d MACs, %d of them left (%.2fx), widths in steps of 8"):format(name, net:macs(), small:macs(),
                                                                         net:macs() / small:macs()))

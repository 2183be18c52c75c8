local lop = require "lop"                                       -- tests/bindings/blocks_spec.lua
local blocks = require "lop.cuts.blocks"
local cost = require "lop.budget.cost"
local units = require "lop.engine.units"

local function load(name)
  local net = lop.load("recipes/models/" .. name .. "/model.onnx")
  net:fold_bn()
  return net
end

local function marked(net)
  local list = units.find(net)
  blocks.mark(net, list)
  return list
end

local function recipe(more)
  local r = {calibrate = {data = "mnist:recipes/data/digits", images = 100, positions = 10}, preprocess = "unit",
             budget = {speedup = 10}, cuts = {"width", "block"}, reconstruct = {producer = 0}}
  for key, value in pairs(more or {}) do r[key] = value end
  return r
end

describe("net:vanish", function()
  it("puts a constant in a branch's place, and drops what only it needed", function()
    local net, x = load "digits-resnet", lop.randn({2, 1, 28, 28}, {seed = 1})
    local name = "/layer2/layer2.1/conv2/Conv"
    local values, dense = lop.randn({24}, {seed = 2}), net:clone()
    dense:set(name, net:layer(name).weight * 0, values)
    net:vanish(name, values)
    assert.is_true((net:forward(x) - dense:forward(x)):norm() < 1e-5)
    for _, layer in ipairs(net:layers()) do assert.is_nil(layer.name:match "layer2%.1/conv", layer.name) end
  end)
  it("refuses an output of the net, and what is not there", function()
    local net = load "digits-vgg"
    local function message(...) return tostring(select(2, pcall(net.vanish, net, ...))) end
    assert.matches("its output is the graph's", message("/fc/Gemm", lop.zeros {10}), 1, true)
    assert.matches("no layer 'zz'", message("zz", lop.zeros {10}), 1, true)
    local name = net:layers()[1].name
    assert.matches(("node '%s': 3 values for its"):format(name), message(name, lop.zeros {3}), 1, true)
  end)
end)

describe("cuts = block", function()
  it("is for units that are all of a branch", function()
    for _, unit in ipairs(marked(load "digits-vgg")) do assert.is_nil(unit.block, unit.name) end
    local count = 0
    for _, unit in ipairs(marked(load "digits-resnet")) do
      assert.equal(not unit.stream, unit.block == true, unit.name)
      count = count + (unit.block and 1 or 0)
      assert.is_falsy(blocks.may(setmetatable({min = 2}, {__index = unit})))
    end
    assert.equal(5, count)
  end)
  it("costs what it says in MACs, no more than it says in all else", function()
    local net = load "digits-resnet"
    local list = marked(net)
    for _, kind in ipairs {"macs", "params", "bytes", "activations"} do
      local of = cost.of(net, list, kind)
      for number, unit in ipairs(list) do
        local widths = units.shares(list, 0.6)
        if unit.block then widths[number] = 0 end
        local small = units.shrunk(net, list, widths)
        local left = units.measure(small, kind)
        assert.is_true(left <= of(widths) and left > 0.8 * of(widths), kind)
        if kind == "macs" then assert.equal(left, of(widths)) end
      end
    end
  end)
  it("brings a budget in reach that widths cannot meet, by losses of either kind", function()
    for _, how in ipairs {"sensitivity", "error"} do
      local net = lop.load "recipes/models/digits-resnet/model.onnx"
      local ok, e = pcall(lop.prune, net, recipe {cuts = {"width"}, allocate = how})
      assert.is_false(ok)
      assert.matches("cannot be met", tostring(e))
      local small, report = lop.prune(net, recipe {allocate = how})
      local gone = 0
      for _, layer in ipairs(report.layers) do gone = gone + (layer.width_after == 0 and 1 or 0) end
      assert.is_true(gone > 0 and report.speedup >= 10)
      assert.equal(report.macs_after, small:macs())
      local test = lop.data("mnist:recipes/data/digits", {preprocess = "unit", split = "test"}):take(500, 1)
      assert.is_true(lop.evaluate(small, test).top1 > 80)
      local keep = {}
      for _, group in ipairs(lop.plan(net, recipe {allocate = how}).groups) do keep[group.name] = group.keep end
      for _, layer in ipairs(report.layers) do assert.equal(layer.width_after, keep[layer.name], layer.name) end
    end
  end)
  it("gives the same bytes for the same seed, others for another", function()
    local files = {}
    for k, seed in ipairs {3, 3, 4} do
      local net <close> = lop.prune(lop.load "recipes/models/digits-resnet/model.onnx", recipe {seed = seed})
      files[k] = os.tmpname()
      net:save(files[k])
      local file <close> = assert(io.open(files[k], "rb"))
      os.remove(files[k])
      files[k] = file:read "a"
    end
    assert.is_true(files[1] == files[2] and files[1] ~= files[3])
  end)
  it("takes a least width at its word", function()
    local net = lop.load "recipes/models/digits-resnet/model.onnx"
    local ok, e = pcall(lop.prune, net, recipe {budget = {speedup = 10, min_width = 2}})
    assert.is_false(ok)
    assert.matches("cannot be met", tostring(e))
  end)
  it("refuses what does not go with it", function()
    local net = lop.load "recipes/models/digits-resnet/model.onnx"
    for text, more in pairs {["cuts = {"] = {cuts = {"block"}}, ["ranks"] = {cuts = {"width", "rank", "block"}},
                             ["streams are cut"] = {residual = {stream = "coupled"}}, ["behind"] = {order = "backward"},
                             ["losses choose"] = {allocate = "uniform"}, ["time of a net"] = {budget = {ms = 0.01}}} do
      local ok, e = pcall(lop.prune, net, recipe(more))
      assert.is_false(ok)
      assert.matches(text, tostring(e), 1, true)
    end
  end)
end)

local lop = require "lop"                                       -- tests/bindings/engine/relu_spec.lua
local nets = dofile "tests/bindings/nets.lua"
local relu = require "lop.engine.relu"
local units = require "lop.engine.units"

local function behind(net)
  local by = {}
  for _, unit in ipairs((units.find(net))) do by[unit.name] = relu.behind(net, unit, unit.consumers[1]) or "none" end
  return by
end

local function recipe(method, more)
  local r = {calibrate = {data = "mnist:recipes/data/digits", images = 200, positions = 10}, preprocess = "unit",
             budget = {keep = 0.5}, reconstruct = {method = method, producer = 0}}
  for key, value in pairs(more or {}) do r.reconstruct[key] = value end
  return r
end

describe("reconstruct.method = relu", function()
  it("looks for what stands behind a consumer", function()
    local net = lop.load "recipes/models/digits-resnet/model.onnx"
    net:fold_bn()
    for name, where in pairs(behind(net)) do assert.equal(name:match "conv1$" and "sum" or where, where, name) end
    assert.same({a = "direct", b = "direct", c = "none"}, behind(nets.plain()))
  end)
  it("lowers the error after the ReLU, which its report is of, where there is one", function()
    for _, name in ipairs {"digits-vgg", "digits-resnet"} do
      local net = lop.load("recipes/models/" .. name .. "/model.onnx")
      local test = lop.data("mnist:recipes/data/digits", {preprocess = "unit", split = "test"}):take(500, 1)
      local made, report = lop.prune(net, recipe "relu")
      local first, least = report.layers[1], select(2, lop.prune(net, recipe "least-squares")).layers[1]
      assert.is_true(first.relu and first.width_after == least.width_after)
      assert.is_nil(least.relu)
      assert.is_true(first.error < least.error)       -- nothing before it differs
      assert.is_true(lop.evaluate(made, test).top1 > 95)
    end
  end)
  it("leaves biases as they are where that is asked for, by least squares", function()
    local net = lop.load "recipes/models/digits-vgg/model.onnx"
    local a = lop.prune(net, recipe("relu", {intercept = false}))
    local b = lop.prune(net, recipe("least-squares", {intercept = false}))
    for _, layer in ipairs(b:layers()) do
      if layer.weight then assert.equal(0, (layer.weight - a:layer(layer.name).weight):norm()) end
    end
  end)
end)

local lop = require "lop"                                       -- tests/bindings/engine/producer_spec.lua
local producer = require "lop.engine.producer"

local MODELS, DATA = "recipes/models/", "recipes/data/digits"

-- Half the squared distance of a convolution of relu(a) from a target.
local function loss_of(net, a, target)
  return (net:forward(a) - target):norm() ^ 2 / 2
end

describe("producer.backward", function()
  it("is the slope of the consumer's squared error, by finite differences", function()
    for _, case in ipairs {{stride = {1, 1}, pad = {1, 1, 1, 1}, dilation = {1, 1}, size = 5},
                           {stride = {2, 2}, pad = {1, 1, 1, 1}, dilation = {1, 1}, size = 6},
                           {stride = {1, 1}, pad = {0, 2, 1, 0}, dilation = {2, 1}, size = 7}} do
      lop.seed(case.size)
      local w, a = lop.randn {3, 2, 3, 3}, lop.randn {1, 2, case.size, case.size}
      local net = lop.graph {
        inputs = {{name = "a", shape = {"N", 2, case.size, case.size}}}, outputs = {"y"}, constants = {w = w},
        nodes = {{op = "Relu", inputs = {"a"}, outputs = {"h"}},
                 {op = "Conv", inputs = {"h", "w"}, outputs = {"y"},
                  attributes = {strides = case.stride, pads = case.pad, dilations = case.dilation}}}}
      local y, h = net:forward(a, {want = {"y", "h"}})
      local target = lop.randn(y:shape())
      local r = target - y
      local window = {kernel = {3, 3}, stride = case.stride, pad = case.pad, dilation = case.dilation}
      local g = producer.backward(w, window, r, h, true)(r, h)
      assert.same(a:shape(), g:shape())
      for i = 1, case.size do
        local c, at = i % 2 + 1, {1, i % 2 + 1, i, (3 * i) % case.size + 1}
        local old = a:get(table.unpack(at))
        if math.abs(old) > 0.02 then
          a:set(old + 0.01, table.unpack(at))
          local up = loss_of(net, a, target)
          a:set(old - 0.01, table.unpack(at))
          local slope = (loss_of(net, a, target) - up) / 0.02           -- of the loss, with the sign of g
          a:set(old, table.unpack(at))
          assert.near(slope, g:get(table.unpack(at)), 0.02 * math.max(1, math.abs(slope)), c)
        end
      end
    end
  end)
end)

describe("the refit of a producer", function()
  it("lowers the error of every layer that it changes, and keeps the widths", function()
    local function prune(rounds)
      local net, report = lop.prune(lop.load(MODELS .. "digits-resnet/model.onnx"), {
        calibrate = {data = "mnist:" .. DATA, images = 200}, preprocess = "unit", budget = {keep = 0.4},
        reconstruct = {producer = rounds}})
      return net, report
    end
    local _, plain = prune(0)
    local net, refitted = prune(3)
    local helped = 0
    for i, layer in ipairs(refitted.layers) do
      assert.equal(plain.layers[i].width_after, layer.width_after)
      helped = helped + (layer.rounds or 0)
    end
    assert.is_true(helped > 0)
    assert.is_true(refitted.layers[1].error < plain.layers[1].error)
    assert.equal(refitted.macs_after, net:macs())
  end)
end)

describe("tensor:cholesky_solve", function()
  it("solves, and refuses what is not positive definite", function()
    local a, x = lop.tensor {{4, 1}, {1, 3}}, lop.tensor {{1, 2}, {3, -1}}
    local got = a:cholesky_solve(a:matmul(x))
    assert.near(0, (got - x):norm(), 1e-12)
    assert.is_false((pcall(a.cholesky_solve, lop.tensor {{1, 2}, {2, 1}}, x)))
    assert.is_false((pcall(a.cholesky_solve, a, lop.ones {3})))
    assert.is_false((pcall(a.cholesky_solve, lop.ones {2, 3}, x)))
  end)
end)

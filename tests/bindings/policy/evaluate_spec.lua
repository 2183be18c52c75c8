local evaluate = require "lop.evaluate"                         -- tests/bindings/policy/evaluate_spec.lua
local lop = require "lop"

describe("evaluate.divergence", function()
  it("is that of the classes, of scores and of what a softmax made of them", function()
    for seed = 1, 5 do
      local a, b = lop.randn({1, 7}, {seed = seed}) * 3, lop.randn({1, 7}, {seed = seed + 50}) * 3
      local function probabilities(t)
        local list, sum = t:totable()[1], 0
        for i, v in ipairs(list) do
          list[i] = math.exp(v)
          sum = sum + list[i]
        end
        for i, v in ipairs(list) do list[i] = v / sum end
        return list
      end
      local p, q, want = probabilities(a), probabilities(b), 0
      for i in ipairs(p) do want = want + p[i] * math.log(p[i] / q[i]) end
      assert.near(want, evaluate.divergence(a:totable()[1], b:totable()[1]), 1e-6)
      assert.near(want, evaluate.divergence(p, q), 1e-6)
      assert.near(want, evaluate.divergence(p, b:totable()[1]), 1e-6)
      assert.near(0, evaluate.divergence(p, a:totable()[1]), 1e-6)
    end
  end)
  it("bears probabilities of 0", function()
    assert.near(0, evaluate.divergence({1, 0}, {1, 0}), 1e-12)
    assert.is_true(evaluate.divergence({0.5, 0.5}, {1, 0}) > 40)
  end)
end)

describe("evaluate.check_fit", function()
  local function refusal(batch)
    local net = lop.graph {
      inputs = {{name = "x", shape = {batch, 1, 2, 2}}}, outputs = {"y"}, constants = {},
      nodes = {{op = "Relu", name = "relu", inputs = {"x"}, outputs = {"y"}}}}
    return select(2, pcall(evaluate.check_fit, net, "net.onnx", {shape = {1, 2, 2}}, "npz:pictures"))
  end
  it("refuses a net for batches of one size", function()
    assert.matches("net.onnx: input 'x' takes 2 images at a time.*a free first dimension", tostring(refusal(2)))
    assert.is_nil(refusal(1))
  end)
end)

local lop = require "lop"                                       -- tests/bindings/cuts/writers_spec.lua
local cost_of = require("lop.budget.cost").of
local kinds = require "lop.cuts.kinds"
local units = require "lop.engine.units"

local function conv(opset, bias)
  return lop.graph {inputs = {{name = "x", shape = {"N", 3, 9, 7}}}, outputs = {"y"}, opset = opset,
                    constants = {w = lop.randn({6, 3, 3, 3}, {seed = 3}), b = bias},
                    nodes = {{op = "Conv", name = "c", inputs = {"x", "w", bias and "b" or nil}, outputs = {"y"},
                              attributes = {pads = {1, 1, 1, 1}}}}}
end

local function apart(a, b) return (a - b):norm() / b:norm() end

local function digits()
  local net = lop.load "recipes/models/digits-resnet/model.onnx"
  net:fold_bn()
  return net
end

describe("net:write_part", function()
  it("makes the channels named, and the others what was given, in every opset", function()
    local rest = lop.tensor({1, 2, 3, 4, 5, 6}, "float32")
    local x = lop.randn({2, 3, 9, 7}, {seed = 1})
    local keep = lop.tensor({0, 1, 0, 0, 1, 1}, "float32"):reshape {1, 6, 1, 1}
    local left = lop.tensor({1, 0, 3, 4, 0, 0}, "float32"):reshape {1, 6, 1, 1}
    for _, opset in ipairs {9, 11, 17} do
      for _, biased in ipairs {true, false} do
        local net = conv(opset, biased and lop.randn({6}, {seed = 4}) or nil)
        local copy = net:clone()
        copy:write_part("c", {2, 5, 6}, rest)
        assert.is_true(apart(copy:forward(x), net:forward(x) * keep + left) < 1e-6)
        assert.same({3, 3, 3, 3}, copy:layer("c").weight:shape())
        assert.equal(net:macs() // 2, copy:macs())
      end
    end
  end)
  it("refuses what it cannot do, and leaves the net as it was", function()
    local net, rest = conv(13), lop.zeros {6}
    local before = net:macs()
    local function message(...) return tostring(select(2, pcall(net.write_part, net, ...))) end
    assert.matches("ascending", message("c", {2, 1}, rest))
    assert.matches("a value for each filter", message("c", {2, 3}, lop.zeros {5}))
    assert.matches("1 to 6 expected", message("c", {7}, rest))
    assert.matches("no layer 'zz'", message("zz", {1}, rest))
    assert.matches("only a 2%-D convolution", tostring(select(2, pcall(function()
      local d = digits()
      d:write_part("/fc/Gemm", {1}, lop.zeros {10})
    end))))
    assert.equal(before, net:macs())
  end)
end)

describe("a branch that writes a part of its stream", function()
  it("costs what it says, factored or not", function()
    local net = digits()
    local list = kinds.merge(net, units.find(net), {rank = true, writer = true})
    local place, wide = {}, {}
    for i, unit in ipairs(list) do place[unit.name], wide[i] = i, unit.width end
    local name = "/layer2/layer2.1/conv2/Conv"
    local rest = lop.zeros {24}
    for _, kind in ipairs {"macs", "params", "bytes", "activations"} do
      local cost, widths, copy = cost_of(net, list, kind), table.move(wide, 1, #wide, 1, {}), net:clone()
      widths[place[name .. ":output"]] = 3
      copy:write_part(name, {2, 5, 24}, rest)
      assert.equal(units.measure(copy, kind), cost(widths))
      copy = net:clone()
      widths[place[name .. ":rank"]] = 7
      local s = net:layer(name).weight:shape()
      copy:factor(name, lop.zeros {7, s[2], s[3], 1}, lop.zeros {s[1], 7, 1, s[4]})
      copy:write_part(name, {2, 5, 24}, rest)
      assert.equal(units.measure(copy, kind), cost(widths))
    end
  end)
  it("gives the channels of most variance, the others as their mean, and comes last at its layer", function()
    local name = "/layer3/layer3.1/conv2/Conv"
    local opts = {calibrate = {data = "mnist:recipes/data/digits", images = 100, positions = 10}, preprocess = "unit",
                  cuts = {"width", "rank"}, residual = {output = "sampler"}, reconstruct = {producer = 1}}
    local test = lop.data("mnist:recipes/data/digits", {preprocess = "unit", split = "test"}):take(500, 1)
    for _, case in ipairs {{[name .. ":output"] = 40},
                           {[name .. ":output"] = 40, [name .. ":rank"] = 90, ["/layer3/layer3.1/conv1/Conv"] = 40}} do
      opts.budget = {widths = case}
      local made, report = lop.prune(lop.load "recipes/models/digits-resnet/model.onnx", opts)
      local widths = made:layer(name).weight:shape()
      assert.equal(40, widths[1])
      assert.equal(case[name .. ":rank"] or 48, widths[2])
      assert.same({"Pad", "Gather", "Add"}, {made:layer(name .. "/zero").op, made:layer(name .. "/write").op,
                                             made:layer(name .. "/rest").op})
      local left_out
      for _, l in ipairs(report.layers) do left_out = l.name == name .. ":output" and l.error or left_out end
      assert.is_true(left_out > 0 and left_out < 8 / 48)        -- of 8 of 48 channels, the least
      assert.is_true(lop.evaluate(made, test).top1 > 98)
    end
  end)
  it("does not go with coupled streams", function()
    local opts = {calibrate = {data = "mnist:recipes/data/digits", images = 50}, preprocess = "unit",
                  budget = {speedup = 2}, residual = {output = "sampler", stream = "coupled"}}
    assert.matches("one of both", tostring(select(2, pcall(lop.prune, digits(), opts))))
  end)
end)

local lop = require "lop"                                       -- tests/bindings/engine/units_spec.lua
local nets = dofile "tests/bindings/nets.lua"
local units = require "lop.engine.units"

describe("units.cost", function()
  local cases = {plain = nets.plain(), residual = nets.residual({1, 2}, 6), bottleneck = nets.residual({2, 1}, 5, true),
                 vgg = lop.load "recipes/models/digits-vgg/model.onnx",
                 concat = dofile "tests/bindings/layer.lua".concat_net(), gated = nets.gated(),
                 self_gated = nets.self_gated()}
  it("is what the net costs that is really cut, to the unit", function()
    for name, net in pairs(cases) do
      net:fold_bn()
      local list = units.find(net)
      assert.is_true(#list >= 2)
      for _, kind in ipairs {"macs", "params", "bytes", "activations"} do
        local cost = units.cost(net, list, kind)
        for trial = 1, 4 do
          local widths, keep, copy = {}, {}, net:clone()
          for i, u in ipairs(list) do
            widths[i] = 1 + (trial * 7 + i * 5) % u.width
            keep[u.name] = nets.first(widths[i])
          end
          copy:cut(keep)
          assert.equal(units.measure(copy, kind), cost(widths), name .. " " .. kind)
        end
      end
    end
  end)
  it("counts what the contract says", function()
    local net = lop.graph {inputs = {{name = "x", shape = {1, 2, 4, 4}}}, outputs = {"y"},
      constants = {w = lop.ones {3, 2, 3, 3}, b = lop.ones {3}},
      nodes = {{op = "Conv", inputs = {"x", "w", "b"}, outputs = {"c"}},
               {op = "Relu", inputs = {"c"}, outputs = {"y"}}}}
    assert.equal(2 * 2 * 3 * 2 * 9, units.measure(net, "macs"))
    assert.equal(3 * 2 * 9 + 3, units.measure(net, "params"))
    assert.equal(4 * (3 * 2 * 9 + 3), units.measure(net, "bytes"))
    assert.equal(4 * 2 * (3 * 2 * 2), units.measure(net, "activations"))         -- c and y
  end)
end)

describe("a unit's widths", function()
  local function allowed(unit)
    local list = {}
    for w = 1, unit.width do list[#list + 1] = units.allows(unit, w) and w or nil end
    return list
  end
  it("are multiples from the least on, or all", function()
    assert.same({8, 16, 20}, allowed {width = 20, round_to = 8})
    assert.same({4, 5}, allowed {width = 5, round_to = 2, min = 3})
    assert.same({3, 4}, allowed {width = 4, min = 3})
    assert.same({6}, allowed {width = 6, round_to = 8})
  end)
  it("are taken from the nearest that there is", function()
    local unit = {width = 20, round_to = 8}
    for _, case in ipairs {{0, 8}, {1, 8}, {11.9, 8}, {12, 16}, {17, 16}, {18, 20}, {18.1, 20}, {20, 20}, {30, 20}} do
      assert.equal(case[2], units.nearest(unit, case[1]), case[1])
    end
    assert.equal(16, units.next(unit, 9, 1))
    assert.equal(8, units.next(unit, 9, -1))
    assert.is_nil(units.next(unit, 7, -1))
    assert.is_nil(units.next(unit, 21, 1))
  end)
  it("follow one share, or weighed ones; fixed ones stay", function()
    local list = {{width = 10}, {width = 20, fixed = 3}, {width = 6}}
    assert.same({5, 3, 3}, units.shares(list, 0.5))
    assert.same({1, 3, 1}, units.shares(list, 0))
    assert.same({5, 3, 5}, units.shares(list, 0.5, {1, 1, 1.5}))
    assert.same({1, 3, 6}, units.shares(list, 0, {1, 1, math.huge}))
  end)
end)

describe("units.find", function()
  it("finds what lies within blocks, and marks streams", function()
    local names, streams = {}, {}
    for _, u in ipairs(units.find(nets.residual({1, 2}, 6))) do table.insert(u.stream and streams or names, u.name) end
    assert.same({"s1.1.a", "s2.1.a", "s2.2.a"}, names)
    assert.same({"stem", "s2.1.z"}, streams)
    for _, u in ipairs(units.find(nets.residual({1}, 6))) do
      assert.equal(not u.stream and "s1.1.add.o" or nil, u.consumers[1].residual and u.consumers[1].residual.name)
    end
  end)
end)

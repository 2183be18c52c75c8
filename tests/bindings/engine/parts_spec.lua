local lop = require "lop"                                       -- tests/bindings/engine/parts_spec.lua
local nets = dofile "tests/bindings/nets.lua"
local parts = require "lop.engine.parts"

local pictures = nets.pictures(60, 8)
teardown(function() os.remove(pictures) end)

-- A convolution of 12 channels, split in three parts, each through a layer of its own, and put together again.
---@param between fun(i: integer, from: string, to: string, constants: table): table      the node for part i
local function split_net(between)
  local constants = {wa = lop.randn({12, 3, 3, 3}, {seed = 1}), wo = lop.randn({8, 12, 1, 1}, {seed = 2}),
                     wz = lop.randn({4, 8, 3, 3}, {seed = 3}), sizes = lop.tensor({4, 4, 4}, "int64")}
  local nodes = {
    {op = "Conv", name = "a", inputs = {"x", "wa"}, outputs = {"ac"}, attributes = {pads = {1, 1, 1, 1}}},
    {op = "Relu", name = "ra", inputs = {"ac"}, outputs = {"ar"}},
    {op = "Split", name = "split", inputs = {"ar", "sizes"}, outputs = {"p1", "p2", "p3"}, attributes = {axis = 1}}}
  for i = 1, 3 do nodes[#nodes + 1] = between(i, "p" .. i, "q" .. i, constants) end
  nodes[#nodes + 1] = {op = "Concat", name = "cat", inputs = {"q1", "q2", "q3"}, outputs = {"c"},
                       attributes = {axis = 1}}
  nodes[#nodes + 1] = {op = "Conv", name = "o", inputs = {"c", "wo"}, outputs = {"oc"}, attributes = {}}
  nodes[#nodes + 1] = {op = "Relu", name = "ro", inputs = {"oc"}, outputs = {"or"}}
  nodes[#nodes + 1] = {op = "Conv", name = "z", inputs = {"or", "wz"}, outputs = {"y"}, attributes = {}}
  return lop.graph {inputs = {{name = "x", shape = {"N", 3, 8, 8}}}, outputs = {"y"}, nodes = nodes,
                    constants = constants}
end

local function prune(net, more) return lop.prune(net, nets.recipe(pictures, more)) end

describe("parts of a group", function()
  it("that go through depthwise convolutions of their own are cut for themselves, and to the budget", function()
    local net = split_net(function(i, from, to, constants)
      local k = 2 * i + 1
      constants["d" .. i] = lop.randn({4, 1, k, k}, {seed = 10 + i})
      return {op = "Conv", name = "depthwise" .. i, inputs = {from, "d" .. i}, outputs = {to},
              attributes = {group = 4, pads = {i, i, i, i}}}
    end)
    for _, share in ipairs {0.8, 0.6, 0.45} do
      local _, report = prune(net, {budget = {macs = share}, allocate = "uniform"})
      assert.equal(report.macs_after, report.budget.after)
      assert.is_true(report.macs_after <= share * report.macs_before)
      assert.equal(4, #report.layers)
    end
  end)

  it("are never left without a channel", function()
    local net = split_net(function(i, from, to)
      return {op = ({"Relu", "Tanh", "Sigmoid"})[i], name = "map" .. i, inputs = {from}, outputs = {to}}
    end)
    for _, method in ipairs {"first", "elimination", "lasso", "random"} do
      for _, width in ipairs {3, 4, 7} do
        local cut, report = prune(net, {budget = {widths = {a = width}}, select = {method = method}})
        local in_part, kept = {0, 0, 0}, report.layers[1].channels
        assert.equal(width, #kept)
        assert.equal(width, cut:groups()[1].width)
        for _, c in ipairs(kept) do in_part[c // 4 + 1] = in_part[c // 4 + 1] + 1 end
        for p = 1, 3 do assert.is_true(in_part[p] > 0, method .. " " .. width) end
      end
    end
    local ok, e = pcall(prune, net, {budget = {widths = {a = 2}}})
    assert.is_false(ok)
    assert.matches("its least width is 3", tostring(e))
  end)

  it("keep what goes last, in place of what goes first", function()
    local unit = {width = 6, parts = {{1, 2, 3}, {4, 5, 6}}}
    assert.same({3, 5}, parts.keep(unit, {2, 3}, {4, 1, 6, 2, 5, 3}))
    assert.same({2, 4}, parts.keep(unit, {2, 4}, {1, 2, 3, 4, 5, 6}))
    assert.same({1, 4, 5}, parts.keep(unit, {4, 5, 6}, {6, 2, 3, 5, 4, 1}))
    assert.same({1, 4}, parts.keep(unit, {}))
    assert.same({5}, parts.keep({width = 6}, {5}))
  end)
end)

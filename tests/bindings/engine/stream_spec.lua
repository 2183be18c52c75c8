local lop = require "lop"                                       -- tests/bindings/engine/stream_spec.lua
local nets = dofile "tests/bindings/nets.lua"
local units = require "lop.engine.units"

local function of_stream(name) return name == "stem" or name:match "%.z$" or name:match "%.side$" end
local function reads_stream(name) return name:match "%.a$" or name:match "%.side$" end

-- Every second channel of both streams is the one before it, once more.
local function doubled(name, w, b)
  if of_stream(name) then return nets.twins(w), nets.twins(b) end
  return w, b
end

-- No layer looks at every second channel of the first stream.
local function unread(name, w, b)
  if not reads_stream(name) or name:match "^s2%.2" then return w, b end
  local t = w:totable()
  for _, filter in ipairs(t) do
    for i = 2, #filter, 2 do
      for _, row in ipairs(filter[i]) do
        for x in ipairs(row) do row[x] = 0 end
      end
    end
  end
  return lop.tensor(t, "float32"), b
end

describe("a residual stream", function()
  local pictures = nets.pictures(300, 16)
  local x = lop.randn({8, 3, 16, 16}, {seed = 3, type = "float32"})
  teardown(function() os.remove(pictures) end)
  local function prune(net, more) return lop.prune(net, nets.recipe(pictures, more)) end
  local coupled = {stream = "coupled"}

  it("stays whole unless the recipe says otherwise, of one layer or of all", function()
    local net = nets.residual({2, 1}, 6)
    local function names(more)
      local list = {}
      for _, g in ipairs(lop.plan(net, nets.recipe(pictures, more)).groups) do
        if g.prunable then list[#list + 1] = g.name end
      end
      return list
    end
    assert.same({"s1.1.a", "s1.2.a", "s2.1.a"}, names {budget = {keep = 0.5}})
    assert.same({"stem", "s1.1.a", "s1.2.a", "s2.1.a", "s2.1.z"}, names {budget = {keep = 0.5}, residual = coupled})
    assert.same({"stem", "s1.1.a", "s1.2.a", "s2.1.a"},
                names {budget = {keep = 0.5}, layers = {["s1.1.z"] = {residual = coupled}}})
    local ok, e = pcall(prune, net, {budget = {keep = 0.5}, layers = {["s1.2.z"] = {keep = 0.5}}})
    assert.is_false(ok)
    assert.matches("'s1.2.z' makes a residual stream, which stays whole: residual.stream = \"coupled\"", tostring(e))
  end)
  it("loses the channels that others repeat, in all layers alike, and the net computes what it did", function()
    for _, order in ipairs {"forward", "backward"} do
      local net = nets.residual({2, 2}, 6, false, doubled)
      local small, report = prune(net, {budget = {widths = {stem = 4, ["s2.1.z"] = 4}}, residual = coupled,
                                        order = order})
      assert.equal(4, nets.widths(report).stem)
      for _, name in ipairs {"stem", "s1.1.z", "s1.2.z", "s2.1.z", "s2.1.side", "s2.2.z"} do
        assert.equal(4, small:layer(name).weight:shape()[1], name)
      end
      for _, name in ipairs {"s1.1.a", "s1.2.a", "s2.1.a", "s2.1.side", "s2.2.a", "fc"} do
        assert.equal(4, small:layer(name).weight:shape()[2], name)
      end
      local before = net:forward(x)
      assert.is_true((small:forward(x) - before):norm() < 3e-3 * before:norm(), order)
    end
  end)
  it("is cut where matrices along the last dimension make it", function()
    local function randn(seed, ...) return lop.randn({...}, {seed = seed, type = "float32"}) * 0.4 end
    local net = lop.graph {
      inputs = {{name = "x", shape = {"N", 3, 16, 16}}}, outputs = {"y"},
      constants = {w = nets.twins(randn(1, 8, 3, 3, 3)), b = nets.twins(randn(2, 8)), up = randn(3, 8, 12),
                   down = nets.twins(randn(4, 8, 12)):transpose(1, 2):clone(), f = randn(5, 5, 8)},
      nodes = {
        {op = "Conv", name = "stem", inputs = {"x", "w", "b"}, outputs = {"s"}, attributes = {pads = {1, 1, 1, 1}}},
        {op = "Transpose", inputs = {"s"}, outputs = {"t"}, attributes = {perm = {0, 2, 3, 1}}},
        {op = "MatMul", name = "up", inputs = {"t", "up"}, outputs = {"u"}},
        {op = "Relu", inputs = {"u"}, outputs = {"r"}},
        {op = "MatMul", name = "down", inputs = {"r", "down"}, outputs = {"d"}},
        {op = "Transpose", inputs = {"d"}, outputs = {"q"}, attributes = {perm = {0, 3, 1, 2}}},
        {op = "Add", inputs = {"s", "q"}, outputs = {"a"}},
        {op = "GlobalAveragePool", inputs = {"a"}, outputs = {"g"}}, {op = "Flatten", inputs = {"g"}, outputs = {"h"}},
        {op = "Gemm", name = "fc", inputs = {"h", "f"}, outputs = {"y"}, attributes = {transB = 1}}}}
    local small = prune(net, {budget = {widths = {stem = 4, up = 11}}, residual = coupled})
    assert.same({11, 4}, small:layer("down").weight:shape())
    local before = net:forward(x)
    assert.is_true((small:forward(x) - before):norm() < 0.05 * before:norm())
  end)
  it("loses the channels that no layer looks at, exactly", function()
    local net = nets.residual({2, 2}, 6, false, unread)
    local small, report = prune(net, {budget = {widths = {stem = 4}}, residual = coupled, reconstruct = {ridge = 0}})
    assert.same({0, 2, 4, 6}, report.layers[1].channels)
    local before = net:forward(x)
    assert.is_true((small:forward(x) - before):norm() < 1e-4 * before:norm())
  end)
  it("is repaired by the branches that are cut beside it", function()
    local net = nets.residual({2, 2}, 10)
    local function miss(more)
      local small = prune(net, {budget = {keep = 0.7}, residual = more, reconstruct = {producer = 0},
                                calibrate = {data = "npz:" .. pictures, images = 200}})
      return (small:forward(x) - net:forward(x)):norm() / net:forward(x):norm()
    end
    assert.is_true(miss(coupled) < miss {stream = "coupled", target = "none"})
    assert.is_true(miss(coupled) < 0.2)
  end)
  it("meets a budget with what lies within the blocks, at a cost that is exact", function()
    local net = nets.residual({2, 2}, 6)
    local small, report = prune(net, {budget = {speedup = 2}, residual = coupled, select = "lasso"})
    assert.near(2, report.speedup, 0.03)
    assert.equal(report.macs_after, small:macs())
    local list = units.find(net)
    local cost, widths, keep, copy = units.cost(net, list, "macs"), {}, {}, net:clone()
    for i, u in ipairs(list) do
      widths[i] = 1 + 3 * i % (u.width - 1)
      keep[u.name] = nets.first(widths[i])
    end
    copy:cut(keep)
    assert.equal(copy:macs(), cost(widths))
  end)
end)

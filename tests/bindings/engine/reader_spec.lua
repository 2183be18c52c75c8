local lop = require "lop"                                       -- tests/bindings/engine/reader_spec.lua
local nets = dofile "tests/bindings/nets.lua"
local reader = require "lop.engine.reader"
local units = require "lop.engine.units"

-- Nets of a few nodes: conv, gemm, matmul and node add one and return what it makes.
local function builder()
  local b = {nodes = {}, constants = {}, seed = 0}
  function b.node(op, name, inputs, attributes)
    b.nodes[#b.nodes + 1] = {op = op, name = name, inputs = inputs, outputs = {name .. ".o"}, attributes = attributes}
    return name .. ".o"
  end
  -- Weights of this shape, `rows` of them the fan-in; doubled: each (block of) filters along `dim` a second time.
  local function weights(name, shape, fan, doubled, dim)
    b.seed = b.seed + 1
    local w = lop.randn(shape, {seed = b.seed, type = "float32"}) * math.sqrt(2 / fan)
    local block, list = doubled or 0, {}
    for i = 1, block > 0 and shape[dim] or 0 do list[i] = (i - 1) // (2 * block) * 2 * block + (i - 1) % block + 1 end
    b.constants[name] = block > 0 and w:index(dim, list) or w
  end
  local function biases(name, n, doubled) weights(name, {n}, 200, doubled, 1) end
  function b.conv(name, from, c, n, kernel, doubled, attributes)
    local shape, fan = {n, c, table.unpack(kernel)}, c
    for _, k in ipairs(kernel) do fan = fan * k end
    weights(name .. ".w", shape, fan, doubled, 1)
    biases(name .. ".b", n, doubled)
    return b.node("Conv", name, {from, name .. ".w", name .. ".b"}, attributes)
  end
  function b.relu(name, from) return b.node("Relu", name .. ".r", {from}) end
  function b.gemm(name, from, c, n, doubled, plain)
    weights(name .. ".w", plain and {c, n} or {n, c}, c, doubled, plain and 2 or 1)
    biases(name .. ".b", n, doubled)
    return b.node("Gemm", name, {from, name .. ".w", name .. ".b"}, {transB = plain and 0 or 1})
  end
  function b.up(name, from, c, n, kernel, attributes)
    weights(name .. ".w", {c, n, table.unpack(kernel)}, c)
    biases(name .. ".b", n)
    return b.node("ConvTranspose", name, {from, name .. ".w", name .. ".b"}, attributes)
  end
  function b.matmul(name, from, c, n, doubled)
    weights(name .. ".w", {c, n}, c, doubled, 2)
    return b.node("MatMul", name, {from, name .. ".w"})
  end
  function b.bias(name, from, n, doubled)
    biases(name .. ".v", n, doubled)
    return b.node("Add", name, {from, name .. ".v"})
  end
  function b.ints(name, list)
    b.constants[name] = lop.tensor(list, "int64")
    return name
  end
  function b.head(from, c)
    local f = b.node("Flatten", "flat", {b.node("GlobalAveragePool", "gap", {from})})
    return b.net(b.gemm("fc", f, c, 4))
  end
  function b.net(last)
    b.nodes[#b.nodes + 1] = {op = "Identity", name = "end", inputs = {last}, outputs = {"y"}}
    return lop.graph {inputs = {{name = "x", shape = {"N", 3, 16, 16}}}, outputs = {"y"}, nodes = b.nodes,
                      constants = b.constants}
  end
  return b
end

local SAME = {pads = {1, 1, 1, 1}}

-- A dense block: what each layer makes is read by all behind it.
local function dense()
  local b = builder()
  local stem = b.relu("stem", b.conv("stem", "x", 3, 6, {3, 3}, nil, SAME))
  local one = b.relu("one", b.conv("one", stem, 6, 8, {3, 3}, 1, SAME))
  local two = b.relu("two", b.conv("two", b.node("Concat", "j1", {stem, one}, {axis = 1}), 14, 6, {3, 3}, nil, SAME))
  local all = b.node("Concat", "j2", {two, one, stem}, {axis = 1})
  return b.head(b.relu("out", b.conv("out", all, 20, 10, {1, 1})), 10)
end

-- A classifier that reads every place of a map.
local function flat()
  local b = builder()
  local x = b.relu("a", b.conv("a", "x", 3, 6, {3, 3}, 1, {strides = {4, 4}}))
  return b.net(b.gemm("fc", b.node("Flatten", "flat", {x}), 96, 4))
end

-- ResNeXt's: groups of two channels, the second of each two groups once more.
local function grouped()
  local b = builder()
  local stem = b.relu("stem", b.conv("stem", "x", 3, 6, {3, 3}, nil, SAME))
  local wide = b.relu("wide", b.conv("wide", stem, 6, 12, {1, 1}, 2))
  local x = b.relu("deep", b.conv("deep", wide, 2, 12, {3, 3}, 2, {pads = {1, 1, 1, 1}, group = 6}))
  return b.head(b.relu("out", b.conv("out", x, 12, 8, {1, 1})), 8)
end

-- A stream that is padded with zeros where the next stage adds more.
local function padded()
  local b = builder()
  local s = b.relu("stem", b.conv("stem", "x", 3, 8, {3, 3}, 1, SAME))
  local x = b.conv("z1", b.relu("a1", b.conv("a1", s, 8, 6, {3, 3}, nil, SAME)), 6, 8, {3, 3}, 1, SAME)
  s = b.relu("s1", b.node("Add", "add1", {x, s}))
  local beside = b.node("Pad", "pad", {s, b.ints("pads", {0, 4, 0, 0, 0, 4, 0, 0})})
  x = b.conv("z2", b.relu("a2", b.conv("a2", s, 8, 6, {3, 3}, nil, SAME)), 6, 16, {3, 3}, 1, SAME)
  s = b.relu("s2", b.node("Add", "add2", {x, beside}))
  return b.head(b.relu("out", b.conv("out", s, 16, 10, {1, 1})), 10)
end

-- Matrices along the last dimension, as transformers and ConvNeXt have them.
local function tokens()
  local b = builder()
  local x = b.node("Transpose", "last", {b.conv("patch", "x", 3, 8, {4, 4}, nil, {strides = {4, 4}})},
                   {perm = {0, 2, 3, 1}})
  x = b.relu("up", b.bias("up.bias", b.matmul("up", x, 8, 12, 1), 12, 1))
  x = b.node("Transpose", "first", {b.bias("down.bias", b.matmul("down", x, 12, 6), 6)}, {perm = {0, 3, 1, 2}})
  return b.head(b.relu("act", x), 6)
end

-- Gemms whose matrices lie the other way, square ones too.
local function turned()
  local b = builder()
  local x = b.node("Flatten", "f", {b.node("GlobalAveragePool", "g", {b.relu("a", b.conv("a", "x", 3, 8, {3, 3}))})})
  x = b.relu("one", b.gemm("one", x, 8, 8, 1, true))
  return b.net(b.gemm("two", x, 8, 8, nil, true))
end

-- Convolutions along one dimension, with a stride and an uneven padding.
local function row()
  local b = builder()
  local x = b.node("Reshape", "row", {"x", b.ints("size", {0, 3, 256})})
  x = b.relu("a", b.conv("a", x, 3, 8, {5}, 1, {pads = {2, 2}, strides = {2}}))
  x = b.relu("b", b.conv("b", x, 8, 6, {3}, nil, {pads = {2, 0}, dilations = {2}}))
  return b.head(x, 6)
end

-- A map that is made larger again.
local function upward(kernel, attributes)
  local b = builder()
  local x = b.relu("a", b.conv("a", "x", 3, 8, {3, 3}, 1, {pads = {1, 1, 1, 1}, strides = {2, 2}}))
  x = b.relu("up", b.up("up", x, 8, 6, kernel or {2, 1}, attributes or {strides = {2, 1}}))
  return b.head(b.relu("out", b.conv("out", x, 6, 8, {3, 3}, nil, SAME)), 8)
end

local cases = {
  {"several layers read a Concat", dense, {one = 4}}, {"a Gemm reads a flattened map", flat, {a = 3}},
  {"whole groups of a grouped convolution", grouped, {wide = 3}},
  {"a stream is padded", padded, {stem = 4, z2 = 4}, {stream = "coupled"}},
  {"matrices read the last dimension", tokens, {up = 6}}, {"a Gemm's matrix is (c, n)", turned, {one = 4}},
  {"a convolution runs along one dimension", row, {a = 4}},
  {"a transposed convolution reads them", upward, {a = 4}},
}

describe("channels are cut where", function()
  local pictures = nets.pictures(400, 16)
  local x = lop.randn({8, 3, 16, 16}, {seed = 3, type = "float32"})
  teardown(function() os.remove(pictures) end)

  for _, case in ipairs(cases) do
    it(case[1] .. ", and the net computes what it did", function()
      local net = case[2]()
      local more = {budget = {widths = case[3]}, residual = case[4], reconstruct = {producer = 0},
                    calibrate = {data = "npz:" .. pictures, images = 300}}
      local small, report = lop.prune(net, nets.recipe(pictures, more))
      local widths = nets.widths(report)
      for name, width in pairs(case[3]) do assert.equal(width, widths[name], name) end
      local before = net:forward(x)
      assert.is_true((small:forward(x) - before):norm() < 3e-3 * before:norm())
      assert.equal(report.macs_after, small:macs())
      assert.is_true(small:macs() < net:macs())
    end)
    it(case[1] .. ", at a cost that is exact, within a budget", function()
      local net = case[2]()
      local list = units.find(net)
      local cost, widths, gone, copy = units.cost(net, list, "macs"), {}, {}, net:clone()
      for i, u in ipairs(list) do
        widths[i] = 1 + 3 * i % (u.width - 1)
        gone[u.group] = gone[u.group] or units.all(u)
        for k = widths[i] + 1, u.width do gone[u.group][u.ranks and u.ranks[k] or k] = false end
      end
      for name, all in pairs(gone) do
        local keep = {}
        for r, stays in ipairs(all) do keep[#keep + 1] = stays and r or nil end
        copy:cut(name, keep)
      end
      assert.equal(copy:macs(), cost(widths))
      local more = {budget = {speedup = 1.5}, residual = case[4]}
      for _, how in ipairs {"error", "sensitivity"} do
        more.allocate, more.select = how, how == "error" and "lasso" or nil
        local small, report = lop.prune(net, nets.recipe(pictures, more))
        assert.is_true(report.speedup >= 1.5)
        assert.is_true((small:forward(x) - net:forward(x)):norm() < 0.6 * net:forward(x):norm(), how)
      end
    end)
  end
  it("a choice among several readers is the least sum of their errors", function()
    local net = dense()
    local _, report = lop.prune(net, nets.recipe(pictures, {budget = {widths = {one = 4}}}))
    local kept = {}
    for _, c in ipairs(report.layers[2].channels) do kept[c // 2] = true end
    for pair = 0, 3 do assert.is_true(kept[pair]) end   -- one of each two that say the same
  end)
end)

describe("what cannot be solved", function()
  it("is told of each group that stays whole", function()
    for _, how in ipairs {{{3, 3}, {strides = {2, 2}}}, {{2, 2}, {strides = {2, 2}, pads = {0, 0, 1, 0}}},
                          {{2, 2}, {strides = {2, 2}, output_padding = {1, 1}}}} do
      local list, reasons = units.find(upward(how[1], how[2]))
      assert.equal("'up' (ConvTranspose): a transposed convolution is solved where its stride is its kernel, "
                   .. "without pads", reasons.a)
      for _, unit in ipairs(list) do assert.not_equal("a", unit.name) end
    end
  end)
end)

describe("reader.entries", function()
  it("lists the places of each channel, in order", function()
    local list, each = reader.entries({0, 2, 1, 2, 1, 0}, 2)
    assert.same({3, 5, 2, 4}, list)
    assert.equal(2, each)
    assert.is_nil((reader.entries({1, 2, 1}, 2)))
    assert.is_nil((reader.entries({1, 1}, 2)))
  end)
  it("knows a part of a group, also once others of it are gone", function()
    local unit = {index = {[2] = 1, [5] = 2}}
    assert.same({0, 1, 0, 2, 0}, reader.own({1, 2, 4, 5, 0}, unit))
    assert.same({1, 2, 0}, reader.own({1, 3, 2}, unit, {2, 3, 5}))
  end)
end)

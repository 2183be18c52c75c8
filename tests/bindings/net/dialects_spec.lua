local lop = require "lop"                                       -- tests/bindings/net/dialects_spec.lua

-- conv, ReLU, conv, mean over space, Gemm; weights written as exporters write them.
local W = {w1 = lop.randn({6, 3, 3, 3}, {seed = 1}), b1 = lop.randn({6}, {seed = 2}),
           w2 = lop.randn({4, 6, 1, 1}, {seed = 3}), b2 = lop.randn({4}, {seed = 4}),
           w3 = lop.randn({5, 4}, {seed = 5}), b3 = lop.randn({5}, {seed = 6})}

-- rows: the node that makes the Gemm's rows, where it is no Flatten; batch: what the file says of it.
local function net_of(nodes, constants, kind, rows, batch)
  local list = {}
  for _, n in ipairs(nodes or {}) do list[#list + 1] = n end
  for _, n in ipairs {
    {op = "Conv", name = "first", inputs = {"x", "w1", "b1"}, outputs = {"a"}, attributes = {pads = {1, 1, 1, 1}}},
    {op = "Relu", inputs = {"a"}, outputs = {"h"}},
    {op = "Conv", name = "second", inputs = {"h", "w2", "b2"}, outputs = {"c"}},
    {op = "GlobalAveragePool", inputs = {"c"}, outputs = {"p"}},
    rows or {op = "Flatten", inputs = {"p"}, outputs = {"f"}},
    {op = "Gemm", name = "fc", inputs = {"f", "w3", "b3"}, outputs = {"y"}, attributes = {transB = 1}}} do
    list[#list + 1] = n
  end
  return lop.graph {opset = 13, inputs = {{name = "x", shape = {batch or "N", 3, 8, 8}, type = kind}},
                    outputs = {"y"}, nodes = list, constants = constants}
end

local function with(constants, name, value)
  local all = {[name] = value}
  for key, t in pairs(constants) do all[key] = t end
  return all
end

local dialects = {
  ["initializers"] = function() return net_of(nil, W) end,
  ["a batch of 1 written into a Reshape"] = function()
    return net_of(nil, with(W, "sizes", lop.tensor({1, 4}, "int64")), nil,
                  {op = "Reshape", inputs = {"p", "sizes"}, outputs = {"f"}}, 1)
  end,
  ["an operator that may join images"] = function()
    return net_of(nil, W, nil, {op = "Einsum", inputs = {"p"}, outputs = {"f"}, attributes = {equation = "nchw->nc"}})
  end,
  ["a layer that nothing reads"] = function()
    return net_of({{op = "Conv", name = "unread", inputs = {"x", "w1"}, outputs = {"u"}}}, W)
  end,
  ["Constant nodes"] = function()
    local nodes = {}
    for _, name in ipairs {"w1", "b1", "w2", "b2", "w3", "b3"} do
      nodes[#nodes + 1] = {op = "Constant", inputs = {}, outputs = {name}, attributes = {value = W[name]}}
    end
    return net_of(nodes)
  end,
  ["float16"] = function()
    local half = {}
    for name, t in pairs(W) do half[name] = t:to("float16") end
    return net_of(nil, half, "float16")
  end,
  ["float64"] = function()
    local double = {}
    for name, t in pairs(W) do double[name] = t:to("float64") end
    return net_of(nil, double, "float64")
  end,
  ["quantised weights"] = function()
    local constants, nodes = {}, {}
    for name, t in pairs(W) do
      local shape = t:shape()
      if #shape == 1 then constants[name] = t
      else
        constants[name .. "_q"] = t:map(function(v) return math.floor(v * 40 + 0.5) end):to("int8")
        constants[name .. "_s"] = lop.full({}, 1 / 40)
      end
    end
    for _, name in ipairs {"w1", "w2", "w3"} do
      nodes[#nodes + 1] = {op = "DequantizeLinear", inputs = {name .. "_q", name .. "_s"}, outputs = {name}}
    end
    return net_of(nodes, constants)
  end,
}

describe("net:window", function()
  it("knows the defaults, and works auto_pad out", function()
    local cases = {                                     -- attributes; stride, pad, by ONNX's own formulas
      {{}, {1, 1}, {0, 0, 0, 0}},
      {{auto_pad = "VALID", strides = {2, 2}}, {2, 2}, {0, 0, 0, 0}},
      {{auto_pad = "SAME_UPPER"}, {1, 1}, {1, 1, 1, 1}},
      {{auto_pad = "SAME_UPPER", strides = {2, 2}}, {2, 2}, {0, 0, 1, 1}},
      {{auto_pad = "SAME_LOWER", strides = {2, 2}}, {2, 2}, {1, 1, 0, 0}},
      {{auto_pad = "SAME_UPPER", dilations = {2, 1}}, {1, 1}, {2, 1, 2, 1}},
    }
    for _, case in ipairs(cases) do
      local net = lop.graph {
        inputs = {{name = "x", shape = {1, 3, 8, 8}}}, outputs = {"y"}, constants = {w = W.w1},
        nodes = {{op = "Conv", name = "c", inputs = {"x", "w"}, outputs = {"y"}, attributes = case[1]}}}
      local window = net:window("c")
      assert.same({3, 3}, window.kernel)
      assert.same(case[2], window.stride)
      assert.same(case[3], window.pad)
      local size = (8 + window.pad[1] + window.pad[3] - window.dilation[1] * 2 - 1) // window.stride[1] + 1
      assert.equal(size, net:forward(lop.ones {1, 3, 8, 8}):shape()[3])
    end
  end)
end)

describe("weights as exporters write them", function()
  local pictures = os.tmpname()
  lop.save_npz(pictures, {images = lop.randn({40, 3, 8, 8}, {seed = 9})})
  local x = lop.randn({2, 3, 8, 8}, {seed = 10})
  local plain = dialects["initializers"]()
  for name, make in pairs(dialects) do
    it(name .. ": pruned like the rest, and close to the plain net", function()
      local net, report = lop.prune(make(), {calibrate = {data = "npz:" .. pictures}, preprocess = "none",
                                             budget = {widths = {first = 3}}})
      assert.equal(3, net:layer("first").weight:shape()[1])
      assert.equal("float32", net:layer("first").weight:type())
      assert.equal(3, report.layers[1].width_after)
      local want = lop.prune(plain, {calibrate = {data = "npz:" .. pictures}, preprocess = "none",
                                     budget = {widths = {first = 3}}}):forward(x)
      local difference = (net:forward(x) - want):norm() / want:norm()
      local most = name == "quantised weights" and 0.2 or name == "float16" and 0.02 or 1e-4
      assert.is_true(difference < most, difference)
    end)
  end
  it("counts a layer that nothing reads nowhere", function()
    local recipe = {calibrate = {data = "npz:" .. pictures}, preprocess = "none", budget = {speedup = 1.5}}
    local _, report = lop.prune(dialects["a layer that nothing reads"](), recipe)
    assert.equal(plain:macs(), report.macs_before)
  end)
  it("leaves a free batch free where images had to be taken one by one", function()
    local net = lop.prune(dialects["an operator that may join images"](),
                          {calibrate = {data = "npz:" .. pictures}, preprocess = "none", budget = {keep = 0.5}})
    assert.equal("?", net:describe().inputs[1].declared[1])
  end)
  teardown(function() os.remove(pictures) end)
end)

local lop = require "lop"                                       -- tests/bindings/net/golden_spec.lua

-- tests/golden/models: small nets made by make_models.py in the manner of exporters, and what ONNX Runtime gave.
local folder = "tests/golden/models/"

local function exists(path)
  local f = io.open(path, "rb")
  return f and f:close()
end

local function furthest(a, b)
  local d = a - b
  return math.max(d:max(), -d:min())
end

-- Each input file of a model, with the output wanted.
local function samples(name)
  local list = {}
  for _, k in ipairs {"", "2"} do
    local x = folder .. name .. ".in" .. k .. ".npy"
    if exists(x) then
      list[#list + 1] = {x = lop.load_npy(x), y = lop.load_npy(folder .. name .. ".out" .. k .. ".npy")}
    end
  end
  return list
end

local function check(net, name)
  local list = samples(name)
  assert.is_true(#list > 0)
  for _, s in ipairs(list) do
    local y = net:forward(s.x)
    assert.same(s.y:shape(), y:shape())
    assert.is_true(furthest(y, s.y) <= 1e-4 * math.max(1, s.y:max(), -s.y:min()), name)
  end
end

local models = {"fn_block", "fn_branch", "fn_unused", "tf2onnx", "tf2onnx_free", "keras", "paddle", "mxnet", "caffe",
                "torch_free", "plain"}

describe("models as exporters write them", function()
  for _, name in ipairs(models) do
    it(name .. " gives what ONNX Runtime gives, also after a round trip", function()
      local net = lop.load(folder .. name .. ".onnx")
      check(net, name)
      local path = os.tmpname()
      net:save(path)
      check(lop.load(path), name)
      os.remove(path)
    end)
  end
end)

-- What lop exec writes for models that are not float32: the declared type. ONNX Runtime has no Conv of float64,
-- so that double is held against its float32 twin: the numbers are the same.
describe("nets of other floating types", function()
  local exec = require "lop.verbs.exec"
  local function run(model, x, preprocess)
    local y, notes = os.tmpname(), {}
    local out = {line = function() end, document = function() end,
                 note = function(_, text, ...) notes[#notes + 1] = text:format(...) end}
    assert.equal(0, exec.run({input = {x}, output = y, preprocess = preprocess}, {model}, out))
    local got = lop.load_npy(y .. ".npy")
    os.remove(y)
    os.remove(y .. ".npy")
    return got, notes
  end
  local in_single = {"run in float32: operators of the model are not there for its own types"}
  local cases = {
    {"half", "half", "float16", 1e-3, {}}, {"double", "plain", "float64", 1e-6, in_single},
    {"brain", "plain", "float32", 0.02, {}},                   -- bfloat16, which numpy has not: in and out as float32
    {"double_mlp", "double_mlp", "float64", 1e-6, in_single}, {"double_inside", "double_inside", "float32", 0, {}}}
  for _, case in ipairs(cases) do
    local name, twin, kind, most, said = table.unpack(case)
    it(name .. ": lop exec gives the declared type, near ONNX Runtime, and says what it did", function()
      local x = os.tmpname()
      local input = lop.load_npy(folder .. twin .. ".in.npy")
      if name == "double" then input = input:to("float64") end
      input:save_npy(x)
      local got, notes = run(folder .. name .. ".onnx", x)
      os.remove(x)
      assert.equal(kind, got:type())
      assert.is_true(furthest(got:to("float64"), lop.load_npy(folder .. twin .. ".out.npy"):to("float64")) <= most)
      assert.same(said, notes)
    end)
  end

  it("refuses an input of another type than the model's", function()
    local ok, e = pcall(run, folder .. "double.onnx", folder .. "plain.in.npy")
    assert.is_false(ok)
    assert.matches("input 'x': float32 given, float64 expected", e.message, 1, true)
  end)

  it("gives a picture the input's type", function()
    local picture = "tests/golden/pictures/rgb8.png"
    local want = run(folder .. "plain.onnx", picture, "unit")
    for model, kind in pairs {["double.onnx"] = "float64", ["half.onnx"] = "float16"} do
      local got = run(folder .. model, picture, "unit")
      assert.equal(kind, got:type())
      assert.is_true(furthest(got:to("float32"), want) < 4e-3)
    end
  end)
end)

-- A group to cut, and pictures of the input's own layout. The weights are rebuilt, so the outputs stay near.
local cuts = {fn_block = "first/conv", tf2onnx = "StatefulPartitionedCall/net/conv1/Conv2D", keras = "conv2d",
              paddle = "Conv_1", mxnet = "conv0", caffe = "conv1", plain = "conv", torch_free = "/c2/Conv"}

describe("the same models, pruned", function()
  for _, name in ipairs(models) do
    if cuts[name] then
      it(name .. ": " .. cuts[name] .. " loses a filter, and the file runs", function()
        local net = lop.load(folder .. name .. ".onnx")
        local shape = samples(name)[1].x:shape()
        local sized = net:clone()                               -- of free height and width: as large as the sample
        if name == "torch_free" then sized:set_shape("image", {-1, -1, shape[3], shape[4]}) end
        local width = sized:layer(cuts[name]).weight:shape()[1]
        shape[1] = 30
        local pictures, path = os.tmpname(), os.tmpname()
        lop.save_npz(pictures, {images = lop.randn(shape, {seed = 3})})
        local small = lop.prune(net, {calibrate = {data = "npz:" .. pictures}, preprocess = "none",
                                      budget = {widths = {[cuts[name]] = width - 1}}})
        assert.same(net:describe().inputs[1].declared, small:describe().inputs[1].declared)
        assert.is_true(small:describe().params < net:describe().params)
        if name ~= "torch_free" then
          assert.equal(width - 1, small:layer(cuts[name]).weight:shape()[1])
          assert.is_true(small:macs() < net:macs())
        end
        small:save(path)
        local again = lop.load(path)
        for _, s in ipairs(samples(name)) do
          local y = again:forward(s.x)
          assert.same(s.y:shape(), y:shape())
          assert.is_true((y - s.y):norm() < 0.5 * s.y:norm())
        end
        os.remove(pictures)
        os.remove(path)
      end)
    end
  end
end)

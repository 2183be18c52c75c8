local lop = require "lop"                                       -- tests/bindings/golden_spec.lua

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

-- A group to cut, and pictures of the input's own layout. The weights are rebuilt, so the outputs stay near.
local cuts = {fn_block = "first/conv", tf2onnx = "StatefulPartitionedCall/net/conv1/Conv2D", keras = "conv2d",
              paddle = "Conv_1", mxnet = "conv0", caffe = "conv1", plain = "conv"}

describe("the same models, pruned", function()
  for _, name in ipairs(models) do
    if cuts[name] then
      it(name .. ": " .. cuts[name] .. " loses a filter, and the file runs", function()
        local net = lop.load(folder .. name .. ".onnx")
        local width = net:layer(cuts[name]).weight:shape()[1]
        local shape = samples(name)[1].x:shape()
        shape[1] = 30
        local pictures, path = os.tmpname(), os.tmpname()
        lop.save_npz(pictures, {images = lop.randn(shape, {seed = 3})})
        local small = lop.prune(net, {calibrate = {data = "npz:" .. pictures}, preprocess = "none",
                                      budget = {widths = {[cuts[name]] = width - 1}}})
        assert.equal(width - 1, small:layer(cuts[name]).weight:shape()[1])
        assert.is_true(small:macs() < net:macs())
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

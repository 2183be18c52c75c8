local lop = require "lop"                                       -- tests/bindings/engine/again_spec.lua

local function recipe(more)
  local r = {calibrate = {data = "mnist:recipes/data/digits", images = 200, positions = 10}, preprocess = "unit",
             budget = {speedup = 2}, allocate = "uniform", reconstruct = {producer = 0}}
  for key, value in pairs(more) do r[key] = value end
  return r
end

local function load(name) return lop.load("recipes/models/" .. name .. "/model.onnx") end

-- How far the outputs are from the whole net's, on test pictures.
local function divergence(net, name)
  local x = lop.data("mnist:recipes/data/digits", {preprocess = "unit", split = "test"}):take(500, 1):batch(1, 500)
  local d = net:forward(x) - load(name):forward(x)
  return (d * d):mean()
end

describe("reconstruct.passes", function()
  it("repairs layers whose input changed after they were rebuilt", function()
    for _, name in ipairs {"digits-vgg", "digits-resnet"} do
      local function made(passes)
        return lop.prune(load(name), recipe {order = "backward", reconstruct = {producer = 0, passes = passes}})
      end
      local none, one = made(0), made(1)
      assert.equal(none:macs(), one:macs())
      assert.is_true(divergence(one, name) < 0.8 * divergence(none, name), name)
    end
  end)
  it("goes over coupled streams and bent filters, too, and gives the same again", function()
    local function made(passes)
      return (lop.prune(load "digits-resnet", recipe {residual = {stream = "coupled"},
                                                      reconstruct = {producer = 1, passes = passes}}))
    end
    local none, one, again = made(0), made(1), made(1)
    local changed = 0
    for _, layer in ipairs(one:layers()) do
      if layer.weight then
        assert.equal(0, (layer.weight - again:layer(layer.name).weight):norm(), layer.name)
        changed = changed + (layer.weight - none:layer(layer.name).weight):norm()
      end
    end
    assert.is_true(changed > 0)
    assert.is_true(divergence(one, "digits-resnet") < 1.2 * divergence(none, "digits-resnet"))
  end)
  it("refuses layers of other forms", function()
    for word, more in pairs {["cuts have \"rank\""] = {cuts = {"width", "rank"}},
                             ["cuts have \"sampler\""] = {cuts = {"width", "sampler"}},
                             ["residual.input have \"filter-wise\""] = {residual = {input = "filter-wise", keep = 0.5}},
                             ["residual.output have \"sampler\""] = {residual = {output = "sampler"}}} do
      more.reconstruct, more.allocate = {passes = 1}, "sensitivity"
      local ok, e = pcall(lop.prune, load "digits-resnet", recipe(more))
      assert.is_false(ok)
      assert.matches(word, tostring(e), 1, true)
    end
  end)
end)

describe("reconstruct.method = moments", function()
  it("gives outputs the deviation that they had, which is worth more than the mean alone", function()
    local by = {}
    for _, method in ipairs {"none", "moments", "least-squares"} do
      local net = lop.prune(load "digits-vgg", recipe {reconstruct = {method = method, producer = 0}})
      by[method] = divergence(net, "digits-vgg")
    end
    assert.is_true(by["least-squares"] < by.moments and by.moments < by.none)
  end)
end)

local lop = require "lop"                                       -- tests/bindings/zoo/zoo_spec.lua
local published = dofile "tests/zoo/nets.lua"

describe("lop.zoo", function()
  it("builds what was published, to the last MAC and parameter", function()
    for _, name in ipairs {"resnet56", "squeezenet", "shufflenet_v2", "mobilenet_v1", "mobilenet_v2", "googlenet"} do
      local net = lop.zoo(name, {images = 1})
      assert.same(published[name], {net:macs(), net:params()}, name)
    end
  end)
  it("lists every net, and every one builds at another size", function()
    local sizes = {inception_v3 = 96}
    for _, net in ipairs(lop.zoo.list()) do
      assert.is_true(published[net.name] ~= nil or net.name == "xception50", net.name)
      if net.name ~= "vgg16" and net.name ~= "unet" then      -- 100 MB of weights each
        local size = sizes[net.name] or 64
        local small = lop.zoo(net.name, {size = size, classes = 3, seed = 1})
        local y = small:forward(lop.randn({2, 3, size, size}, {seed = 2}))
        assert.same({2, 3}, y:shape(), net.name)
        assert.is_true(y:norm() < 1e4 and y:norm() > 0, net.name)
      end
    end
  end)
  it("stores the preprocessing", function()
    assert.equal("cifar10", lop.zoo("resnet56"):meta("lop.preprocess"))
  end)
  it("says what is wrong at the user's line", function()
    local _, message = pcall(function() lop.zoo "resnet_50" end)
    assert.matches("zoo_spec.lua:%d+: lop.zoo.net: no architecture 'resnet_50' %(did you mean resnet50%?%)",
                   tostring(message))
    assert.error_matches(function() lop.zoo "VGG16" end, "did you mean vgg16%?")
    assert.error_matches(function() lop.zoo("unet", {size = 100}) end, "size is 100, a multiple of 16 expected")
    assert.error_matches(function() lop.zoo("resnet18", {sise = 100}) end, "did you mean 'size'%?")
  end)
end)

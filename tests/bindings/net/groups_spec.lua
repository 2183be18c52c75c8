-- Channel groups and their cut from Lua, on the nets that ship with lop.
local lop = require "lop"

local function model(name) return lop.load("recipes/models/" .. name .. "/model.onnx") end

local function first(n)
  local list = {}
  for i = 1, n do list[i] = i end
  return list
end

describe("net:groups", function()
  it("tells who makes and who reads the channels, and marks residual streams", function()
    local kinds = {}
    for _, g in ipairs(model "digits-resnet":groups()) do
      kinds[g.kind] = (kinds[g.kind] or 0) + 1
      assert.is_true(#g.producers >= 1)
      if g.kind == "stream" then assert.is_true(g.prunable and #g.producers > 1 and #g.consumers > 1) end
    end
    assert.same({inner = 6, stream = 3}, kinds)         -- five blocks and the classes; three stages
  end)
  it("says why a group cannot be cut", function()
    local groups = model "digits-vgg":groups()
    local last = groups[#groups]
    assert.is_false(last.prunable)
    assert.matches("output '.*' of the network", last.reason)
    assert.is_nil(last.blocker)
  end)
end)

describe("net:cut", function()
  it("cuts several groups at once, streams too, and the net still runs", function()
    local net, keep = model "digits-resnet", {}
    local before = net:macs()
    for _, g in ipairs(net:groups()) do
      if g.prunable then keep[g.name] = first(g.width // 2) end
    end
    net:cut(keep)
    assert.is_true(net:macs() < before / 3)
    assert.same({2, 10}, net:forward(lop.zeros {2, 1, 28, 28}):shape())
    for _, g in ipairs(net:groups()) do
      if keep[g.name] then assert.equal(#keep[g.name], g.width) end
    end
  end)
  it("refuses what is no group, no list, or cannot be", function()
    local net = model "digits-vgg"
    local groups = net:groups()
    local name, last = groups[1].name, groups[#groups].name
    assert.error_matches(function() net:cut("nobody", {1}) end, "no group 'nobody'")
    assert.error_matches(function() net:cut {nobody = {1}} end, "no group 'nobody'")
    assert.error_matches(function() net:cut(last, {1}) end, "cannot be cut: its channels are output")
    assert.error_matches(function() net:cut(name, {2, 1}) end, "ascending")
    assert.error_matches(function() net:cut {[name] = {99}} end, "entry 1 is 99, 1 to 16 expected")
    assert.equal(16, net:groups()[1].width)             -- as before
  end)
end)

describe("net:channels", function()
  it("gives the places of a group in a consumer's input, and how many there are", function()
    local net = model "digits-vgg"
    local g = net:groups()[2]
    local places, total = net:channels(g.consumers[1], g.name)
    assert.same(first(g.width), places)
    assert.equal(g.width, total)
    assert.same({}, (net:channels(g.consumers[1], net:groups()[1].name)))
  end)
end)

describe("net:filters", function()
  it("gives the channel of a group that each filter of a maker is", function()
    local net = model "digits-resnet"
    for _, g in ipairs(net:groups()) do
      for _, maker in ipairs(g.producers) do assert.same(first(g.width), net:filters(maker, g.name)) end
    end
    local groups = net:groups()
    for _, rank in ipairs(net:filters(groups[1].producers[1], groups[2].name)) do assert.equal(0, rank) end
  end)
end)

describe("net:drop_dead", function()
  it("takes out filters of zeros, says which stay, and the net computes what it did", function()
    local net = model "digits-vgg"
    local g, x = net:groups()[1], lop.randn {2, 1, 28, 28}
    local layer = net:layer(g.producers[1])
    local weight, bias = layer.weight:clone(), layer.bias:clone()
    for i = 1, 9 do
      weight:set(0, 3, 1, (i - 1) // 3 + 1, (i - 1) % 3 + 1)
      weight:set(0, 16, 1, (i - 1) // 3 + 1, (i - 1) % 3 + 1)
    end
    bias:set(-1, 3)                                     -- a ReLU makes it 0, which any reader can do without
    bias:set(1, 16)                                     -- the reader is padded: its border would change
    net:set(layer.name, weight, bias)
    local before = net:forward(x)
    local count, kept = net:drop_dead()
    assert.equal(1, count)
    assert.same({[g.name] = {1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}}, kept)
    assert.equal(15, net:groups()[1].width)
    assert.is_true((net:forward(x) - before):norm() < 1e-5 * before:norm())
    assert.equal(0, (net:drop_dead()))
  end)
end)

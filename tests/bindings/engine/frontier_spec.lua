local lop = require "lop"                                       -- tests/bindings/engine/frontier_spec.lua
local frontier = require "lop.engine.frontier"
local nets = dofile "tests/bindings/nets.lua"

describe("a frontier", function()
  local path = nets.pictures(9, 16)
  local net = nets.residual({2, 1}, 5)
  local set = lop.data("npz:" .. path, {preprocess = "none"})
  local count = #net:layers()
  teardown(function() os.remove(path) end)

  local function output(front)
    local name = net:outputs()[1].name
    return front:part(net, {name})(1)
  end
  local whole
  for _, x in set:batches(9) do whole = net:forward(x) end

  it("gives what one pass gives, wherever it stands", function()
    local front = frontier.new(net, set)
    for position = 0, count, 3 do
      front:advance(net, position)
      assert.equal(position, front.at)
      assert.is_true(whole:equal(output(front)), position)
    end
    front:advance(net, 2)                                       -- never back
    assert.is_true(front.at > 2)
  end)
  it("holds what later layers read, and no more", function()
    assert.same({"x"}, frontier.live(net, 0))
    local at = frontier.position(net, "s1.1.a")
    assert.same({"stem.r.o", "s1.1.a.o"}, frontier.live(net, at))
    assert.same({"y"}, frontier.live(net, count))
    assert.error_matches(function() frontier.position(net, "nobody") end, "no layer 'nobody'")
  end)
  it("has twins that move on their own", function()
    local front = frontier.new(net, set)
    local twin = front:twin()
    front:advance(net, 6)
    assert.equal(0, twin.at)
    assert.is_true(whole:equal(output(twin)))
    front:close()
    twin:advance(net, 4)
    assert.is_true(whole:equal(output(twin)))
  end)
  it("counts its moves as one run over the images, and each run to the outputs", function()
    local passes = {count = 0}
    local front = frontier.new(net, set, passes)
    local twin = front:twin()
    assert.equal(0, passes.count)
    front:advance(net, 2)
    front:advance(net, 5)
    assert.equal(1, passes.count)
    twin:advance(net, 2)
    front:pass()
    assert.equal(3, passes.count)
  end)
end)

local lop = require "lop"                                       -- tests/bindings/net/gate_spec.lua
local nets = dofile "tests/bindings/nets.lua"

-- The gate's last layer loses filters with the channels that it gates, before its own input is cut: its target is then
-- what is left of its output.
describe("a gate and what it gates", function()
  local net, pictures = nets.gated(), nets.pictures(120, 16)
  local x = lop.randn({8, 3, 16, 16}, {seed = 3, type = "float32"})
  teardown(function() os.remove(pictures) end)

  it("are one group of two makers", function()
    local groups = {}
    for _, g in ipairs(net:groups()) do groups[g.name] = g end
    assert.same({"wide", "fc2"}, groups.wide.producers)
    assert.same({"fc1", "narrow"}, groups.wide.consumers)
    assert.equal("inner", groups.wide.kind)
    assert.is_true(groups.wide.prunable)
    assert.same({"fc2"}, groups.fc1.consumers)
  end)
  it("lose the channels that others repeat, and the net computes what it did", function()
    local small, report = lop.prune(net, nets.recipe(pictures, {budget = {widths = {wide = 6, fc1 = 2}}}))
    assert.same({wide = 6, fc1 = 2}, nets.widths(report))
    assert.same({6, 1, 3, 3}, small:layer("deep").weight:shape())
    assert.same({6, 2, 1, 1}, small:layer("fc2").weight:shape())
    local before = net:forward(x)
    assert.is_true((small:forward(x) - before):norm() < 2e-3 * before:norm())
  end)
  it("meet the budget", function()
    local _, report = lop.prune(net, nets.recipe(pictures, {budget = {speedup = 1.3}}))
    assert.near(1.3, report.speedup, 0.05)
  end)
end)

local lop = require "lop"                                       -- tests/bindings/policy/sensitivity_spec.lua
local nets = dofile "tests/bindings/nets.lua"
local sensitivity = require "lop.sensitivity"

local path = nets.pictures(90, 8)
local plain = nets.plain()

-- The keys of nets.recipe that both take.
local function keys()
  local r = nets.recipe(path, {})
  r.budget = nil
  return r
end

local result = lop.sensitivity(plain, keys())
local by = {}
for _, g in ipairs(result.groups) do by[g.name] = g end

teardown(function() os.remove(path) end)

describe("sensitivity", function()
  it("knows the error of every width, as cutting that group alone gives it", function()
    for name, g in pairs(by) do
      for width = 1, g.prunable and g.channels - 1 or 0 do
        assert.is_true(g.errors[width] >= g.errors[width + 1])
        local r = nets.recipe(path, {budget = {widths = {[name] = width}}, reconstruct = {ridge = 1e-5, producer = 0}})
        local _, report = lop.prune(plain, r)
        for _, layer in ipairs(report.layers) do
          if layer.name == name then assert.near(g.errors[width], layer.error, 1e-6 * g.errors[width] + 1e-12) end
        end
      end
    end
    assert.equal(0, by.a.errors[6])
  end)
  it("has the losses that a plan allocates by", function()
    local plan = lop.plan(plain, nets.recipe(path, {budget = {speedup = 1.5}}))
    for _, g in ipairs(plan.groups) do assert.same(g.curve, by[g.name].losses) end
    assert.equal(0, by.a.losses[#by.a.losses].loss)
    assert.is_true(by.a.losses[1].loss > 0)
  end)
  it("has losses of all outputs alike, before a softmax", function()
    local function curves(ending, outputs)
      local nodes, constants = nets.chain({6, 8, "P", 10}, function(i) return ("abc"):sub(i, i) end)
      for _, node in ipairs(ending) do nodes[#nodes + 1] = node end
      local net = lop.graph {inputs = {{name = "x", shape = {"N", 3, 8, 8}}}, outputs = outputs, nodes = nodes,
                             constants = constants}
      local found = {}
      for _, g in ipairs(lop.sensitivity(net, keys()).groups) do
        for i, p in ipairs(g.losses or {}) do found[g.name .. i] = p.loss end
      end
      return found
    end
    local plainly = curves({}, {"y"})
    local soft = curves({{op = "Softmax", name = "soft", inputs = {"y"}, outputs = {"p"}, attributes = {axis = 1}}},
                        {"p"})
    local twice = curves({{op = "Identity", name = "same", inputs = {"y"}, outputs = {"z"}}}, {"y", "z"})
    -- What no cut changes is of no loss, and halves the mean.
    local beside = curves({{op = "MaxPool", name = "pool", inputs = {"x"}, outputs = {"z"},
                            attributes = {kernel_shape = {8, 8}}}}, {"y", "z"})
    for name, loss in pairs(plainly) do
      assert.equal(loss, soft[name])
      assert.near(loss, twice[name], 1e-12 * loss)
      assert.near(loss / 2, beside[name], 1e-12 * loss)
    end
    assert.is_true(plainly.a1 > 0)
  end)
  it("tells why a group is left whole, and measures nothing where that is asked for", function()
    assert.matches("output 'y'", by.fc.reason)
    assert.is_false(by.fc.prunable)
    local quick = keys()
    quick.losses = false
    local r = lop.sensitivity(plain, quick)
    assert.same(by.b.errors, r.groups[2].errors)
    assert.is_nil(r.groups[2].losses)
  end)
  it("is drawn, a panel a group", function()
    local _, panels = sensitivity.svg(result):gsub('font%-weight="bold">[abc] %(', "")
    assert.equal(3, panels)
  end)
end)

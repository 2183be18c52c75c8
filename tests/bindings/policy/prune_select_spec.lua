local lop = require "lop"                                       -- tests/bindings/policy/prune_select_spec.lua
local behind = require "lop.engine.behind"
local choose = require "lop.engine.choose"
local frontier = require "lop.engine.frontier"
local layer = dofile "tests/bindings/layer.lua"
local solve = require "lop.engine.solve"
local units = require "lop.engine.units"

describe("a recipe's selection", function()
  local path = layer.pictures(60)
  local net = layer.concat_net()
  local base = net:clone()
  base:fold_bn()
  teardown(function() os.remove(path) end)

  -- Zero-based channels that are kept of a group when nothing else is cut.
  local function kept(group, width, select)
    local rules = {}
    for _, name in ipairs {"stem", "left", "right", "tail"} do rules[name] = name ~= group and {skip = true} or nil end
    local _, report = lop.prune(net, {preprocess = "none", calibrate = {data = "npz:" .. path, images = 40},
                                      budget = {widths = {[group] = width}}, select = select, layers = rules})
    assert.equal(1, #report.layers)
    assert.equal(width, report.layers[1].width_after)
    return report.layers[1].channels, report.layers[1]
  end

  -- Zero-based places of the `count` largest.
  local function largest(scores, count)
    local list = {}
    for i in ipairs(scores) do list[i] = i end
    table.sort(list, function(a, b) return scores[a] > scores[b] end)
    list = table.move(list, 1, count, 1, {})
    table.sort(list)
    for i, place in ipairs(list) do list[i] = place - 1 end
    return list
  end

  it("cuts part of a Concat by every method", function()
    for _, method in ipairs(choose.methods) do
      assert.equal(3, #kept("left", 3, {method = method}), method)
    end
    assert.equal(3, #kept("left", 3, {method = "first", refine = "swap"}))
  end)
  it("ranks by what stands behind the channels: scales before folding, filters after", function()
    local gamma = {1, -2, 0.5, 1.5, -0.1, 0.8}
    for i, v in ipairs(gamma) do gamma[i] = math.abs(v) end
    local w = base:layer("left").weight:reshape {6, 5}
    for width = 1, 5 do
      assert.same(largest(gamma, width), kept("left", width, "bn-scale"))
      assert.same(largest(w:map(math.abs):sum(2):totable(), width), kept("left", width, "l1"))
      assert.same(largest((w * w):sum(2):totable(), width), kept("left", width, "l2"))
    end
    assert.same({0, 1}, kept("left", 2, "first"))
  end)
  it("names a group without the scales that bn-scale wants", function()
    local ok, e = pcall(kept, "right", 2, "bn-scale")
    assert.is_false(ok)
    assert.matches("group 'right': no batch normalisation stands behind 'right'", tostring(e))
  end)
  it("takes schedules and functions", function()
    local _, report = kept("left", 3, {method = "lasso", lambda = lop.lambda.geometric(1e-3, 1.2), refine = "swap"})
    assert.equal("number", type(report.lambda))
    _, report = kept("tail", 5, {method = "lasso-alternating", lambda = lop.lambda.bisection(0.05)})
    assert.equal("number", type(report.lambda))
    assert.same({2, 3, 4}, kept("stem", 3, {method = function(stats, width)
      local list = {}
      for i = 1, width do list[i] = stats.channels - i + 1 end
      return list
    end}))
  end)
  it("refuses a lambda that no one would look at", function()
    local ok, e = pcall(kept, "left", 3, {method = "l1", lambda = lop.lambda.path()})
    assert.is_false(ok)
    assert.matches("select.lambda: select.method is l1, lasso or lasso%-alternating expected", tostring(e))
    ok, e = pcall(kept, "left", 3, {method = "lasso", lambda = "fast"})
    assert.is_false(ok)
    assert.matches("select.lambda: number expected, got string", tostring(e))
  end)
  it("chooses among a group's own channels, the others of the Concat staying", function()
    local unit
    for _, u in ipairs(units.find(base)) do unit = u.name == "left" and u or unit end
    assert.is_true(unit.partial)
    local front = frontier.new(base, lop.data("npz:" .. path, {preprocess = "none"}))
    front:advance(base, frontier.position(base, "left") - 1)
    local opts = {seed = 0, select = {method = "lasso"}}
    local stats = solve.statistics(base, base, unit, 1, {original = front, now = front}, opts)
    local places = base:channels("tail", "left")
    assert.same({1, 2, 3, 4, 5, 6}, places)
    for _, method in ipairs {"lasso", "lasso-alternating", "elimination", "forward", "apoz"} do
      opts.select = {method = method}
      local order = solve.order(base, unit, stats, opts)
      assert.equal(method:find "^lasso" == nil, order ~= nil)
      for width = 1, 6 do
        local whole = lop.select(stats[1], width + 4, {method = method, stay = {7, 8, 9, 10}})
        assert.same(table.move(whole.channels, 1, width, 1, {}), (solve.keep(base, unit, stats, order, width, opts)))
      end
    end
    assert.same({7, 8, 9, 10}, behind.others(places, 10))
  end)
end)

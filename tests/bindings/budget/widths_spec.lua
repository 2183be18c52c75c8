local lop = require "lop"                                       -- tests/bindings/budget/widths_spec.lua
local nets = dofile "tests/bindings/nets.lua"
local units = require "lop.engine.units"

local small, large = nets.pictures(90, 8), nets.pictures(40, 32)
local plain, vgg = nets.plain(), nets.vgg16()

-- Widths to keep by group, and the plan.
local function plan(net, path, more)
  local p, keep = lop.plan(net, nets.recipe(path, more)), {}
  for _, g in ipairs(p.groups) do keep[g.name] = g.keep end
  return keep, p
end

local function fails(net, path, more)
  local ok, e = pcall(plan, net, path, more)
  assert.is_false(ok)
  return tostring(e)
end

teardown(function()
  os.remove(small)
  os.remove(large)
end)

describe("a fixed lambda without a budget", function()
  local function lasso(l, more)
    local recipe = {select = {method = "lasso", lambda = lop.lambda.fixed(l)}}
    for key, value in pairs(more or {}) do recipe[key] = value end
    return plan(plain, small, recipe)
  end
  it("finds a width for each group: fewer channels the larger it is, all at 0", function()
    local all, some, few = lasso(0), lasso(0.1), lasso(100)
    local between = false
    for name, width in pairs(all) do
      assert.is_true(width >= some[name] and some[name] >= few[name] and few[name] >= 1, name)
      between = between or width > some[name] and some[name] > few[name]
    end
    assert.is_true(between)
  end)
end)

describe("a budget", function()
  it("is met within 1 %, or the reason given, whatever it counts and whoever allocates", function()
    for _, kind in ipairs {"macs", "params", "bytes", "activations"} do
      for _, allocate in ipairs {"sensitivity", "error", "uniform"} do
        for _, share in ipairs {0.5, 0.75} do
          local net = plain:clone()
          local keep, p = plan(net, small, {budget = {[kind] = share}, allocate = allocate})
          for _, g in ipairs(p.groups) do keep[g.name] = g.prunable and nets.first(keep[g.name]) or nil end
          net:cut(keep)
          local left, goal = units.measure(net, kind), share * units.measure(plain, kind)
          assert.is_true(left <= goal, kind .. " " .. allocate)
          assert.is_true(left >= 0.99 * goal or p.budget.reason ~= nil, kind .. " " .. allocate)
          assert.equal(left, p.budget.after)
          assert.equal(net:macs(), p.macs_after)
          assert.same({kind, goal}, {p.budget.kind, p.budget.target})
        end
      end
    end
  end)
  it("of 1 leaves all as it is", function()
    for _, allocate in ipairs {"sensitivity", "error", "uniform"} do
      local keep = plan(plain, small, {budget = {macs = 1}, allocate = allocate})
      assert.same({a = 6, b = 8, c = 10, fc = 5}, keep)
    end
  end)
  it("that cannot be met is refused with what is least", function()
    for _, allocate in ipairs {"sensitivity", "error", "uniform"} do
      assert.matches("the budget of %d+ MACs %(1.0 %%%) cannot be met: %d+ %(%d+.%d %%%) are left",
                     fails(plain, small, {budget = {macs = 0.01}, allocate = allocate}))
    end
    assert.matches("cannot be met", fails(plain, small, {budget = {macs = 0.3}, layers = {["*"] = {min = 6}}}))
  end)
  it("that cannot be met is refused with the way out", function()
    local net = lop.load "recipes/models/digits-resnet/model.onnx"
    local function message(more)
      local recipe = {preprocess = "unit", calibrate = {data = "mnist:recipes/data/digits", images = 40}}
      for key, value in pairs(more) do recipe[key] = value end
      local ok, e = pcall(lop.plan, net, recipe)
      assert.is_false(ok)
      return tostring(e)
    end
    for _, allocate in ipairs {"uniform", "error"} do
      assert.matches('residual.stream = "coupled" cuts the residual streams too %(3%)$',
                     message {budget = {macs = 0.04}, allocate = allocate})
    end
    assert.matches("cannot be met: %d+ %(%d+.%d %%%) are left at the least widths$", message {
      budget = {macs = 1e-4}, allocate = "uniform", residual = {stream = "coupled"}})
    assert.matches("widths; 8 groups are skipped or fixed$", message {
      budget = {macs = 1e-4}, allocate = "uniform", layers = {["*"] = {keep = 0.5}}, residual = {stream = "coupled"}})
  end)
  it("that cannot be met is refused with what keeps the widths", function()
    assert.matches('at the least widths that are looked at, an eighth; allocate = "uniform" goes below$',
                   fails(lop.load "recipes/models/digits-vgg/model.onnx", "", {
                     preprocess = "unit", calibrate = {data = "mnist:recipes/data/digits", images = 40},
                     budget = {macs = 0.012}, allocate = "error"}))
    assert.matches("an eighth$", fails(plain, small, {budget = {macs = 1e-3}, allocate = "error"}))
    assert.matches("at the least widths; widths are multiples of 4 %(round_to%)$",
                   fails(plain, small, {budget = {macs = 0.1}, allocate = "uniform", round_to = 4}))
    assert.matches("at the least widths; layers have a least width of their own %(min%)$",
                   fails(plain, small, {budget = {macs = 0.1}, allocate = "uniform", layers = {b = {min = 7}}}))
    assert.matches("an eighth; widths are not cut %(cuts%)$",
                   fails(plain, small, {budget = {macs = 0.01}, allocate = "error", cuts = {"rank"}}))
  end)
  it("of a share of the channels, or of widths, is met by each group", function()
    assert.same({a = 3, b = 4, c = 5, fc = 5}, (plan(plain, small, {budget = {keep = 0.5}})))
    assert.same({a = 6, b = 3, c = 10, fc = 5}, (plan(plain, small, {budget = {widths = {b = 3}}})))
    assert.matches("no group 'q' can be cut", fails(plain, small, {budget = {widths = {q = 3}}}))
    assert.matches("no group 'fc' can be cut %(lop inspect %-%-groups%)",
                   fails(plain, small, {budget = {widths = {fc = 3}}}))
    assert.matches("no group 'bb' can be cut %(did you mean 'b'%?%)",
                   fails(plain, small, {budget = {widths = {bb = 3}}}))
    assert.matches("'b' is 8 channels wide, 9 asked for", fails(plain, small, {budget = {widths = {b = 9}}}))
  end)
end)

describe("round_to", function()
  it("gives multiples, or whole widths, whoever allocates", function()
    local net = lop.load "recipes/models/digits-vgg/model.onnx"
    for _, allocate in ipairs {"error", "uniform"} do
      local p = lop.plan(net, {preprocess = "unit", calibrate = {data = "mnist:recipes/data/digits", images = 60},
                               budget = {speedup = 2}, allocate = allocate, round_to = 8})
      for _, g in ipairs(p.groups) do assert.is_true(g.keep % 8 == 0 or g.keep == g.width, g.name) end
    end
  end)
  it("is said for one layer, for all, or not: the layer's word counts", function()
    assert.same({a = 4, b = 3, c = 8, fc = 5}, (plan(plain, small, {budget = {keep = 0.6}, round_to = 4,
                                                                     layers = {b = {round_to = 3, keep = 0.4}}})))
    assert.same({a = 4, b = 4, c = 5, fc = 5}, (plan(plain, small, {budget = {keep = 0.5}, layers = {a = {min = 4}}})))
  end)
  it("says why the budget is not used up", function()
    local _, p = plan(plain, small, {budget = {macs = 0.7}, round_to = 5, allocate = "uniform"})
    assert.is_true(p.budget.after < 0.99 * p.budget.target)
    assert.equal("the next step of any width would exceed it", p.budget.reason)
  end)
end)

describe("budget.min_width", function()
  it("is the least width of every group, whoever allocates; a narrower one stays whole", function()
    for _, allocate in ipairs {"sensitivity", "error", "uniform"} do
      local keep, p = plan(plain, small, {budget = {macs = 0.9, min_width = 7}, allocate = allocate})
      assert.equal(6, keep.a, allocate)
      assert.is_true(keep.b >= 7 and keep.c >= 7 and keep.b + keep.c < 18, allocate)
      assert.is_true(p.budget.after <= p.budget.target, allocate)
    end
    assert.same({a = 6, b = 7, c = 7, fc = 5}, (plan(plain, small, {budget = {keep = 0.2, min_width = 7}})))
  end)
  it("counts where a layer does not say another", function()
    local layers = {["a"] = {min = 2}, ["?"] = {round_to = 1}}
    assert.same({a = 2, b = 6, c = 6, fc = 5},
                (plan(plain, small, {budget = {keep = 0.1, min_width = 6}, layers = layers})))
    layers = {{"*", min = 3}, {"c", min = 9}}
    assert.same({a = 3, b = 3, c = 9, fc = 5},
                (plan(plain, small, {budget = {keep = 0.1, min_width = 6}, layers = layers})))
  end)
  it("goes with round_to", function()
    assert.same({a = 6, b = 8, c = 8, fc = 5}, (plan(plain, small, {budget = {keep = 0.1, min_width = 5},
                                                                     round_to = 4})))
  end)
  it("is refused where it makes the budget, or own widths, impossible", function()
    assert.matches("cannot be met: .* budget.min_width is 6$",
                   fails(plain, small, {budget = {macs = 0.3, min_width = 6}}))
    assert.matches("'b' is to be 3 channels wide, its least width is 4",
                   fails(plain, small, {budget = {widths = {b = 3}, min_width = 4}}))
  end)
end)

describe("allocate", function()
  it("by a function gives its widths, by place or by name", function()
    local seen
    local function by_place(groups, budget)
      seen = {groups[2].name, groups[2].width, groups[2].consumers[1], budget.kind, budget.share}
      assert.equal(budget.before, budget.cost {6, 8, 10})
      assert.equal(budget.before, budget.cost {})
      return {3, 4, 5}
    end
    assert.same({a = 3, b = 4, c = 5, fc = 5}, (plan(plain, small, {budget = {macs = 0.5}, allocate = by_place})))
    assert.same({"b", 8, "c", "macs", 0.5}, seen)
    local keep = plan(plain, small, {budget = {macs = 0.7}, allocate = function() return {b = 4} end})
    assert.same({a = 6, b = 4, c = 10, fc = 5}, keep)
  end)
  it("by a function is checked", function()
    for _, case in ipairs {
      {function() return 3 end, "allocate: widths expected, got number"},
      {function() return {7} end, "the width of group 'a' is 7: 1 to 6 expected"},
      {function() return {2.5} end, "the width of group 'a' is 2.5"},
      {function() error("mine", 0) end, "allocate: mine"},
      {function() return {d = 3} end, "allocate: no group 'd' can be cut %(lop inspect %-%-groups%)"},
      {function() return {fc = 3} end, "allocate: no group 'fc' can be cut"},
      {function() return {1, 1, 1, 1} end, "allocate: a width at place 4: there are 3 groups"},
      {function() return {1, b = 1} end, "allocate: widths by place %(1%) and by name %(b%): one of both expected"},
      {function(groups) return groups end, "the width of group 'a' is a table: 1 to 6 expected"},
      {function() return {"3"} end, "the width of group 'a' is a string"},
      {function() return {0 / 0} end, "the width of group 'a' is %-?nan"},
      {function() error {} end, "allocate: an error that is a table"},
      {function(_, budget) return budget.cost "x" end, "lop: allocate: widths expected, got string"},
      {function() return {} end, "cannot be met: %d+ %(100.0 %%%) are left by the widths that allocate gave"}} do
      assert.matches(case[2], fails(plain, small, {budget = {macs = 0.5}, allocate = case[1]}))
    end
  end)
  it("uniform keeps one ratio, to a channel", function()
    local keep, p = plan(lop.load "recipes/models/digits-vgg/model.onnx", "", {
      preprocess = "unit", calibrate = {data = "mnist:recipes/data/digits", images = 40}, budget = {speedup = 2},
      allocate = "uniform"})
    local low, high = 1, 0
    for _, g in ipairs(p.groups) do
      if g.prunable then
        low, high = math.min(low, (keep[g.name] + 1) / g.width), math.max(high, (keep[g.name] - 1) / g.width)
      end
    end
    assert.is_true(high <= low)
    assert.is_true(p.budget.after > 0.995 * p.budget.target)    -- what one ratio leaves over goes to single channels
    assert.equal(0, p.forward_passes)
  end)
  it("by local errors runs the net once, by losses for every width", function()
    local _, p = plan(plain, small, {budget = {macs = 0.5}, allocate = "error"})
    assert.equal(1, p.forward_passes)
    local _, q = plan(plain, small, {budget = {macs = 0.5}})
    assert.is_true(q.forward_passes > 3 * 3)
    for _, g in ipairs(p.groups) do assert.is_true(not g.prunable or g.loss >= 0) end
  end)
  it("by local errors cuts first what is not needed", function()
    -- Half of b's filters are copies of the others: half of them can go without an error, and nothing else.
    local nodes, constants = nets.chain({6, 8, "P", 10}, function(i) return ("abc"):sub(i, i) end)
    local twice = {1, 2, 3, 4, 1, 2, 3, 4}
    constants.w2, constants.b2 = constants.w2:index(1, twice), constants.b2:index(1, twice)
    local net = lop.graph {inputs = {{name = "x", shape = {"N", 3, 8, 8}}}, outputs = {"y"}, nodes = nodes,
                           constants = constants}
    assert.same({a = 6, b = 4, c = 10, fc = 5}, (plan(net, small, {budget = {widths = {b = 4}}})))
    local keep = plan(net, small, {budget = {macs = 0.6}, allocate = "error"})
    assert.same({6, 4}, {keep.a, keep.b})
  end)
end)

describe("allocate = \"paper\"", function()
  it("cuts VGG-16 as 1 : 1.5, known by its structure", function()
    local _, p = plan(vgg, large, {budget = {speedup = 2}, allocate = "paper"})
    local share, stages = {}, {1, 1, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5, 5}
    local i = 0
    for _, g in ipairs(p.groups) do
      i = i + 1
      local s = stages[i]
      if s then share[#share + 1] = {s, g.keep / g.width, 1 / g.width} end
    end
    assert.equal(13, #share)
    for _, a in ipairs(share) do
      for _, b in ipairs(share) do
        if a[1] <= 3 and b[1] == 4 then
          assert.is_true(math.abs(1.5 * a[2] - b[2]) <= 2 * (a[3] + b[3]))
          assert.is_true(a[2] < b[2])
        end
      end
      if a[1] == 5 then assert.equal(1, a[2]) end
    end
  end)
  it("cuts residual nets as 3 : 7, and within bottlenecks as 4 : 3", function()
    local path = nets.pictures(40, 16)
    local paper = require "lop.policy.paper"
    local net = nets.residual({3, 3, 1}, 20)
    assert.same({math.huge, 3, 3, 7, 7, math.huge, 3, 7, 7, math.huge}, paper.shares(net, units.find(net)))
    net = nets.residual({2, 1}, 21, true)
    local shares = {}
    for k, v in ipairs(paper.shares(net, units.find(net))) do shares[k] = v * 7 end
    assert.same({math.huge, 24, 18, 56, 42, 56, 42, math.huge}, shares)
    local keep = plan(nets.residual({3, 3, 1}, 20), path, {budget = {macs = 0.5}, allocate = "paper"})
    assert.is_true(math.abs(keep["s1.1.a"] / keep["s1.3.a"] - 3 / 7) < 0.12)
    os.remove(path)
  end)
  it("is refused for other nets", function()
    assert.matches("its ratios are for VGG%-16 and residual nets: sensitivity, error or uniform",
                   fails(plain, small, {budget = {speedup = 2}, allocate = "paper"}))
  end)
end)

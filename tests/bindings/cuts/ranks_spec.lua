local lop = require "lop"                                       -- tests/bindings/cuts/ranks_spec.lua
local core = require "lop.core"
local cost_of = require("lop.budget.cost").of
local joint = require "lop.budget.joint"
local kinds = require "lop.cuts.kinds"
local nets = dofile "tests/bindings/nets.lua"
local units = require "lop.engine.units"

local function conv(shape, how)
  return lop.graph {inputs = {{name = "x", shape = {"N", shape[2], 11, 9}}}, outputs = {"y"},
                    constants = {w = lop.randn(shape, {seed = 3}), b = lop.randn({shape[1]}, {seed = 4})},
                    nodes = {{op = "Conv", name = "c", inputs = {"x", "w", "b"}, outputs = {"y"}, attributes = how}}}
end

-- Any factors of the right sizes: of one form, or of the other.
local function factors_of(kind, weight)
  if kind == "rank" then return core.factor_spatial(weight) end
  local s = weight:shape()
  return weight, lop.zeros {s[1], s[1], 1, 1}
end

local function apart(a, b)
  assert.same(b:shape(), a:shape())
  return (a - b):norm() / b:norm()
end

describe("net:factor", function()
  it("computes at full rank what the layer did, whatever its window", function()
    local cases = {
      {{5, 3, 3, 3}, {pads = {1, 1, 1, 1}}}, {{4, 3, 3, 3}, {pads = {0, 1, 2, 0}, strides = {2, 1}}},
      {{4, 3, 5, 3}, {strides = {1, 2}, dilations = {1, 2}, pads = {2, 2, 2, 2}}}, {{6, 4, 1, 1}, {strides = {2, 2}}},
      {{3, 5, 1, 7}, {pads = {0, 3, 0, 3}}}, {{3, 5, 7, 1}, {}}}
    local made = {}
    for k, case in ipairs(cases) do
      local net = conv(case[1], case[2])
      local x, copy = lop.randn({2, case[1][2], 11, 9}, {seed = k}), net:clone()
      local first, second = core.factor_spatial(net:layer("c").weight)
      copy:factor("c", first, second)
      assert.is_true(apart(copy:forward(x), net:forward(x)) < 1e-5)
      assert.same({"c/first", "c"}, {copy:layers()[1].name, copy:layers()[2].name})
      assert.equal(1, #net:layers())
      made[k] = copy
    end
    assert.equal(#cases, #made)
  end)
  it("refuses what is no such layer, and factors of another", function()
    local net = nets.plain()
    local first, second = core.factor_spatial(net:layer("a").weight)
    local function message(...) return tostring(select(2, pcall(net.factor, net, ...))) end
    assert.matches("node 'b' %(Conv%): these factors do not make up its filters", message("b", first, second))
    assert.matches("node 'fc' %(Gemm%): these factors do not make up its filters", message("fc", first, second))
    assert.matches("node 'relu1' %(Relu%): only a Gemm, or a convolution of one group", message("relu1", first, second))
    assert.matches("no layer 'zz'", message("zz", first, second))
  end)
end)

describe("lop.cuts.ranks", function()
  local net = nets.plain()
  local list = kinds.merge(net, units.find(net), {rank = true})
  it("finds the convolutions that a rank saves in", function()
    local names = {}
    for i, unit in ipairs(list) do names[i] = unit.name end
    assert.same({"a", "a:rank", "a:channel", "b", "b:rank", "b:channel", "c", "c:rank", "c:channel",
                 "fc:rank"}, names)
    assert.same({9, 5}, {list[2].width, list[2].most})          -- 9 * 3 * 6 over 3 * (3 + 6) is 6, which saves nothing
    assert.same({6, 4}, {list[3].width, list[3].most})          -- 9 * 3 * 6 over 9 * 3 + 6 is 4.9
    assert.same({"a:channel", "a:rank"}, {list[2].rival, list[3].rival})
  end)
  it("counts what is left exactly, for every kind of cost", function()
    local wide = {}
    for i, unit in ipairs(list) do wide[i] = unit.width end
    for _, kind in ipairs {"macs", "params", "bytes", "activations"} do
      local cost = cost_of(net, list, kind)
      for _, case in ipairs {{}, {[1] = 4}, {[2] = 2}, {[3] = 3}, {[1] = 3, [2] = 1, [4] = 5, [6] = 4, [8] = 7},
                              {[10] = 2}, {[7] = 4, [10] = 1}} do
        local widths, copy = {}, net:clone()
        for i, w in ipairs(wide) do
          widths[i] = case[i] or w
          if case[i] and not list[i].kind then
            local keep = {}
            for k = 1, widths[i] do keep[k] = k end
            copy:cut(list[i].name, keep)
          end
        end
        for i in ipairs(list) do
          if list[i].kind and case[i] then
            local name, keep = list[i].producer, {}
            for k = 1, widths[i] do keep[k] = k end
            local first, second = factors_of(list[i].kind, copy:layer(name).weight)
            copy:factor(name, first:index(1, keep), second:index(2, keep))
          end
        end
        assert.equal(units.measure(copy, kind), cost(widths))
      end
    end
  end)
end)

describe("a sampler", function()
  it("makes a layer read the channels named, and no others", function()
    local net = conv({4, 6, 3, 3}, {pads = {1, 1, 1, 1}})
    local copy, w = net:clone(), net:layer("c").weight
    copy:sample("c", {1, 3, 6})
    copy:set("c", w:index(2, {1, 3, 6}))
    local x = lop.randn({2, 6, 11, 9}, {seed = 1})
    local masked = x * lop.tensor({1, 0, 1, 0, 0, 1}, "float32"):reshape {1, 6, 1, 1}
    assert.is_true(apart(copy:forward(x), net:forward(masked)) < 1e-5)
    assert.equal(net:macs() // 2, copy:macs())
    assert.matches("channels", tostring(select(2, pcall(net.sample, net, "c", {1, 7}))))
    assert.matches("no layer 'zz'", tostring(select(2, pcall(net.sample, net, "zz", {1}))))
  end)
  it("is offered for what reads a stream, costs what it says, and prunes", function()
    local net = lop.load "recipes/models/digits-resnet/model.onnx"
    local opts = {calibrate = {data = "mnist:recipes/data/digits", images = 100, positions = 10}, preprocess = "unit",
                  budget = {speedup = 1.6}, cuts = {"sampler"}, reconstruct = {producer = 0}}
    local made, report = lop.prune(net, opts)
    local read = 0
    for _, l in ipairs(report.layers) do
      local name = l.name:match "^(.*):input$"
      if name and l.width_after < l.width_before then
        read = read + 1
        assert.equal(l.width_after, made:layer(name).weight:shape()[2])
        assert.equal("Gather", made:layer(name .. "/read").op)
      end
    end
    assert.is_true(read > 1 and report.speedup >= 1.584 and report.speedup < 1.65)
    local test = lop.data("mnist:recipes/data/digits", {preprocess = "unit", split = "test"}):take(500, 1)
    assert.is_true(lop.evaluate(made, test).top1 > 96)
  end)
end)

describe("lop.decompose", function()
  local net = nets.plain()
  local set = lop.data("mnist:recipes/data/digits", {preprocess = "unit"})
  local vgg = lop.load "recipes/models/digits-vgg/model.onnx"
  vgg:fold_bn()
  local name = "/features/features.7/Conv"
  local stats = lop.sample(vgg, name, set:take(100, 1))
  local x = set:batch(1, 32)
  local function miss(made) return apart(made:forward(x), vgg:forward(x)) end
  it("gives smaller nets, and with data better ones", function()
    local plain = lop.decompose.spatial(vgg, name, 12)
    local solved = lop.decompose.spatial(vgg, name, {rank = 12, stats = stats})
    local channel = lop.decompose.channel(vgg, name, {rank = 12, stats = stats})
    assert.is_true(plain:macs() < vgg:macs() and solved:macs() == plain:macs() and channel:macs() < vgg:macs())
    assert.is_true(miss(solved) < 0.8 * miss(plain))
    assert.is_true(miss(channel) < miss(plain))
    assert.is_true(miss(lop.decompose.channel(vgg, name, {rank = 32, stats = stats})) < 1e-5)
    assert.equal(2, #net:layer("a").weight:shape() - 2)
  end)
  it("takes a Gemm apart, whichever way its weights lie", function()
    local input = lop.randn({5, 12}, {seed = 2})
    for _, turned in ipairs {0, 1} do
      local gemm = lop.graph {inputs = {{name = "x", shape = {"N", 12}}}, outputs = {"y"},
        constants = {w = lop.randn(turned == 1 and {8, 12} or {12, 8}, {seed = 3}), b = lop.randn({8}, {seed = 4})},
        nodes = {{op = "Gemm", name = "g", inputs = {"x", "w", "b"}, outputs = {"y"},
                  attributes = {transB = turned, alpha = 0.5}}}}
      local function off(rank) return apart(lop.decompose.svd(gemm, "g", rank):forward(input), gemm:forward(input)) end
      assert.is_true(off(8) < 1e-5 and off(8) < off(6) and off(6) < off(3))
      local made = lop.decompose.svd(gemm, "g", 3)
      assert.equal(3 * (12 + 8), made:macs())
      assert.equal("MatMul", made:layer("g/first").op)
    end
    local fc = "/fc/Gemm"
    local solved = lop.decompose.svd(vgg, fc, {rank = 6, stats = lop.sample(vgg, fc, set:take(500, 1))})
    assert.is_true(miss(solved) < miss(lop.decompose.svd(vgg, fc, 6)))
  end)
  it("says what it cannot do", function()
    local function message(...) return tostring(select(2, pcall(...))) end
    assert.matches("rank", message(lop.decompose.spatial, net, "a", 10))
    assert.matches("statistics are missing", message(lop.decompose.channel, net, "a", 3))
    assert.matches("layer 'a' is 3 x 3", message(lop.decompose.svd, net, "a", 3))
    assert.matches("layer 'fc' %(Gemm%): a convolution with", message(lop.decompose.spatial, net, "fc", 3))
    assert.matches("layer 'relu1' %(Relu%)", message(lop.decompose.spatial, net, "relu1", 3))
  end)
end)

describe("lop.budget.joint", function()
  it("finds the best of all choices", function()
    local list = {{name = "a", width = 4, producers = {"a"}, consumers = {{name = "b"}}},
                  {name = "a:rank", kind = "rank", producer = "a", producers = {"a"}, width = 6, most = 3},
                  {name = "b:rank", kind = "rank", producer = "b", producers = {"b"}, width = 6, most = 3}}
    local grids, losses = {{1, 2, 3, 4}, {1, 2, 3, 6}, {1, 2, 3, 6}}, {}
    for i, grid in ipairs(grids) do
      losses[i] = {}
      for k, w in ipairs(grid) do losses[i][w] = (4 - k) ^ 2 * (i + 1) / 10 end
    end
    local function cost(w)
      local a, b = w[2] * (12 + 3 * w[1]), w[3] * (3 * w[1] + 12)
      return (w[2] == 6 and 9 * 4 * w[1] or a) + (w[3] == 6 and 9 * w[1] * 4 or b)
    end
    for _, budget in ipairs {60, 100, 150, 200, 288} do
      local best, at = math.huge, 0
      for _, a in ipairs(grids[1]) do
        for _, b in ipairs(grids[2]) do
          for _, c in ipairs(grids[3]) do
            local loss = losses[1][a] + losses[2][b] + losses[3][c]
            if cost {a, b, c} <= budget and loss < best then best, at = loss, cost {a, b, c} end
          end
        end
      end
      local got = joint.widths(list, grids, losses, cost, budget)
      local loss = losses[1][got[1]] + losses[2][got[2]] + losses[3][got[3]]
      assert.is_true(cost(got) <= budget and loss >= best)
      local better = 0                  -- nothing cheaper than what was found loses less: it is on the hull
      for _, a in ipairs(grids[1]) do
        for _, b in ipairs(grids[2]) do
          for _, c in ipairs(grids[3]) do
            local less = losses[1][a] + losses[2][b] + losses[3][c] < loss
            if less and cost {a, b, c} <= cost(got) then better = better + 1 end
          end
        end
      end
      assert.equal(0, better, ("budget %d: %g, best %g at %g"):format(budget, loss, best, at))
    end
    assert.is_nil(joint.widths(list, grids, losses, cost, 10))
  end)
  it("leaves one of two rivals whole", function()
    local list = {{name = "a:rank", kind = "rank", producer = "a", producers = {"a"}, width = 4, most = 2,
                   rival = "a:channel"},
                  {name = "a:channel", kind = "channel", producer = "a", producers = {"a"}, width = 4, most = 2,
                   rival = "a:rank"}}
    local grids, losses = {{1, 2, 4}, {1, 2, 4}}, {{[1] = 3, [2] = 2, [4] = 0}, {[1] = 2.5, [2] = 1, [4] = 0}}
    local function cost(w) return 10 - 3 * (4 - w[1]) / 3 - 5 * (4 - w[2]) / 3 end          -- together cheapest
    for budget, want in pairs {[10] = {4, 4}, [7] = {4, 2}, [5] = {4, 1}} do
      assert.same(want, joint.widths(list, grids, losses, cost, budget))
    end
    assert.is_nil(joint.widths(list, grids, losses, cost, 4.9))
  end)
end)

describe("lop prune with ranks", function()
  it("factors what it says, meets the budget, and stays right", function()
    local net = lop.load "recipes/models/digits-resnet/model.onnx"
    local test = lop.data("mnist:recipes/data/digits", {preprocess = "unit", split = "test"}):take(500, 1)
    local opts = {calibrate = {data = "mnist:recipes/data/digits", images = 200, positions = 10}, preprocess = "unit",
                  budget = {speedup = 3}, cuts = {"rank"}, reconstruct = {producer = 1}}
    local made, report = lop.prune(net, opts)
    assert.is_true(report.speedup >= 2.97)
    local factored = 0
    for _, l in ipairs(report.layers) do
      local name = l.name:match "^(.*):rank$" or l.name:match "^(.*):channel$"
      if name and l.width_after < l.width_before then
        factored = factored + 1
        assert.equal(l.width_after, made:layer(name .. "/first").weight:shape()[1])
      end
    end
    assert.is_true(factored > 3)
    assert.is_true(lop.evaluate(made, test).top1 > 97)
  end)
  it("factors in the form that a recipe names", function()
    local net = lop.load "recipes/models/digits-vgg/model.onnx"
    local opts = {calibrate = {data = "mnist:recipes/data/digits", images = 100, positions = 10}, preprocess = "unit",
                  cuts = {"rank"}, reconstruct = {producer = 1},
                  budget = {widths = {["/features/features.7/Conv:channel"] = 12,
                                      ["/features/features.10/Conv:rank"] = 30, ["/fc/Gemm:rank"] = 8}}}
    local made = lop.prune(net, opts)
    local function filters(name) return made:layer(name).weight:shape() end
    assert.same({12, 24, 3, 3}, filters "/features/features.7/Conv/first")
    assert.same({32, 12, 1, 1}, filters "/features/features.7/Conv")
    assert.same({30, 32, 3, 1}, filters "/features/features.10/Conv/first")
    assert.equal(8 * (10 + net:layer("/fc/Gemm").weight:size() // 10), made:layer("/fc/Gemm").weight:size()
                 + made:layer("/fc/Gemm/first").weight:size())
    local test = lop.data("mnist:recipes/data/digits", {preprocess = "unit", split = "test"}):take(500, 1)
    assert.is_true(lop.evaluate(made, test).top1 > 98)
    opts.budget.widths["/features/features.7/Conv:rank"] = 12
    assert.matches("one layer", tostring(select(2, pcall(lop.prune, net, opts))))
    opts.decompose = {"spatial"}
    assert.matches("no group '/features/features.7/Conv:channel'", tostring(select(2, pcall(lop.prune, net, opts))))
  end)
end)

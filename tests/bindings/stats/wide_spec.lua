local lop = require "lop"                                       -- tests/bindings/stats/wide_spec.lua
local layer = dofile "tests/bindings/layer.lua"
local units = require "lop.engine.units"

-- A convolution, ReLU and two Gemms, the first behind a Flatten of 6 x side x side values.
local function flat_net(side)
  local function w(...) return lop.randn({...}, {seed = select("#", ...) + select(1, ...)}) end
  return lop.graph {inputs = {{name = "x", shape = {"N", 3, side, side}}}, outputs = {"y"},
    constants = {w1 = w(6, 3, 3, 3) * 0.3, b1 = lop.zeros {6}, w2 = w(8, 6 * side * side) * (0.8 / side),
                 b2 = lop.ones {8}, w3 = w(4, 8), b3 = lop.ones {4}},
    nodes = {{op = "Conv", name = "conv", inputs = {"x", "w1", "b1"}, outputs = {"c"},
              attributes = {pads = {1, 1, 1, 1}}},
             {op = "Relu", name = "relu", inputs = {"c"}, outputs = {"r"}},
             {op = "Flatten", name = "flat", inputs = {"r"}, outputs = {"f"}},
             {op = "Gemm", name = "fc", inputs = {"f", "w2", "b2"}, outputs = {"g"}, attributes = {transB = 1}},
             {op = "Relu", name = "relu2", inputs = {"g"}, outputs = {"h"}},
             {op = "Gemm", name = "last", inputs = {"h", "w3", "b3"}, outputs = {"y"}, attributes = {transB = 1}}}}
end

local function pictures(n, side)
  local path = os.tmpname()
  local images = lop.rand({n, 3, side, side}, {seed = 3}):map(function(v) return v * 255 // 1 end)
  lop.save_npz(path, {images = images:to("uint8")})
  return path
end

describe("a group whose reader takes more than 8,192 values", function()
  local path, net = pictures(60, 40), flat_net(40)
  teardown(function() os.remove(path) end)
  local function prune(more)
    local recipe = {preprocess = "unit", calibrate = {data = "npz:" .. path, images = 40},
                    budget = {widths = {conv = 3}}, layers = {fc = {skip = true}}}
    for key, value in pairs(more or {}) do recipe[key] = value end
    return lop.prune(net, recipe)
  end
  it("is cut, and rebuilt better than with the weights as they are", function()
    local errors = {}
    for _, method in ipairs {"least-squares", "none"} do
      local small, report = prune {reconstruct = {method = method}}
      assert.same({3, 3, 3, 3}, small:layer("conv").weight:shape())
      assert.same({8, 4800}, small:layer("fc").weight:shape())
      errors[method] = report.layers[1].error
    end
    assert.is_true(errors["least-squares"] < 0.5 * errors.none)
  end)
  it("is cut by every method, and elimination gives way to the LASSO", function()
    local kept, instead = {}, {elimination = "lasso", forward = "lasso", ["lasso-alternating"] = "lasso"}
    for _, method in ipairs {"elimination", "forward", "lasso", "lasso-alternating", "thinet", "response", "l1", "fpgm",
                             "apoz", "first"} do
      local _, report = prune {select = {method = method}}
      kept[method] = report.layers[1].channels
      assert.equal(instead[method], report.layers[1].method)
      assert.equal(3, #kept[method], method)
    end
    assert.same(kept.lasso, kept.elimination)
    assert.same(kept.lasso, kept.forward)
    assert.same({0, 1, 2}, kept.first)
  end)
  it("is allocated by losses and by errors", function()
    for _, how in ipairs {"sensitivity", "error"} do
      local _, report = prune {budget = {speedup = 2}, allocate = how, layers = {}}
      assert.is_true(report.speedup >= 1.98, how)
    end
  end)
  it("refuses a scale for each channel, by name", function()
    local _, message = pcall(prune, {reconstruct = {method = "scale"}})
    assert.matches("layer 'fc' reads more than 8192 values", tostring(message))
  end)
  it("keeps rows where it is sampled by hand", function()
    local set = lop.data("npz:" .. path, {preprocess = "unit"})
    local stats = lop.sample(net, "fc", set, {images = 40, holdout = 8})
    assert.is_false(stats.summed)
    assert.equal(32, stats.rows)
    local choice = lop.select(stats, 3)
    local weight, bias, error, held = lop.reconstruct(stats, choice)
    assert.same({8, 4800}, weight:shape())
    assert.equal(8, bias:size())
    assert.is_true(error < held)
    assert.has_error(function() stats:gram() end)
    assert.matches("no Gram matrix", tostring(select(2, pcall(lop.select, stats, 3, {method = "elimination"}))))
    assert.equal(6, #lop.curve(stats))
  end)
end)

describe("a group behind a Flatten", function()
  local path, net, most = pictures(400, 6), flat_net(6), units.MOST
  after_each(function() units.MOST = most end)
  teardown(function() os.remove(path) end)
  local function prune(limit, select)
    units.MOST = limit
    local small, report = lop.prune(net, {preprocess = "unit", calibrate = {data = "npz:" .. path, images = 300},
      budget = {widths = {conv = 4}}, layers = {fc = {skip = true}}, select = select,
      reconstruct = {ridge = 1e-3}})
    return small:layer("fc").weight, report.layers[1]
  end
  it("is cut and rebuilt from rows as from sums", function()
    for _, method in ipairs {"lasso", "thinet", "response", "l2"} do
      local sums, one = prune(8192, method)
      local rows, two = prune(100, method)
      assert.same(one.channels, two.channels, method)
      assert.same({8, 4 * 36}, sums:shape())
      assert.near(0, (sums - rows):norm() / sums:norm(), 1e-5)
      assert.near(one.error, two.error, 1e-7)
    end
  end)
  it("is cut by elimination where sums are made", function()
    local _, best = prune(8192, "elimination")
    local _, first = prune(8192, "first")
    assert.is_true(best.error < first.error)
  end)
end)

describe("the same group with sums and with rows", function()
  it("is rebuilt alike", function()
    local rows = 30
    local sums, x, y = layer.stats(5, 6, 9, 4, rows)
    local kept = lop.stats(6, 9, 4, {kernel = {1, 9}, weight = sums.weight, rows = 100, sums = false})
    kept:add(x, y)
    assert.equal(rows, kept.kept)
    local a, b, e = lop.reconstruct(sums, {1, 3, 4}, {ridge = 0.01})
    local c, d, f = lop.reconstruct(kept, {1, 3, 4}, {ridge = 0.01})
    assert.near(0, (a - c):norm() / a:norm(), 1e-6)
    assert.near(0, (b - d):norm(), 1e-5)
    assert.near(e, f, 1e-8)
    assert.is_true(units.ROWS >= 1000)
  end)
end)

describe("statistics that keep rows in place of sums", function()
  it("say so where sums are needed", function()
    local sums, x, y = layer.stats(5, 6, 9, 4, 30)
    local kept = lop.stats(6, 9, 4, {kernel = {1, 9}, weight = sums.weight, rows = 10, sums = false})
    kept:add(x, y)
    assert.equal(10, kept.rows)
    local weight, bias = lop.reconstruct(kept, {1, 2})
    for _, f in ipairs {"gram", "cross", "energy", "save", "error", "swap"} do
      local arguments = {save = {"/tmp/never.npz"}, error = {{1, 2}, weight, bias}, swap = {{1, 2}}}
      local ok, message = pcall(kept[f], kept, table.unpack(arguments[f] or {}))
      assert.is_false(ok, f)
      assert.matches("keep rows", tostring(message), 1, true, f)
    end
    assert.matches("more than 0 expected", tostring(select(2, pcall(lop.reconstruct, kept, {1}, {ridge = 0}))))
  end)
end)

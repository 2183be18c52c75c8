local lop = require "lop"                                       -- tests/bindings/cuts/masks_spec.lua
local layer = dofile "tests/bindings/layer.lua"
local masks = require "lop.cuts.masks"
local schema = require "lop.schema"

local function message_of(f, ...)
  local ok, e = pcall(f, ...)
  assert.is_false(ok)
  return tostring(e)
end

-- The statistics of one filter of the rows of layer.rows.
local function alone(x, y, w, f)
  local s = x:shape()
  local one = lop.stats(s[2], s[4], 1, {kernel = {1, s[4]}, weight = w:index(1, {f})})
  one:add(x, y:index(2, {f}))
  return one
end

describe("stats:mask", function()
  it("has for each filter the channels that are chosen for it alone", function()
    local stats, x, y, w = layer.stats(3, 9, 4, 5, 300)
    for _, method in ipairs {"elimination", "lasso", "l2"} do
      local mask = stats:mask(4, {method = method})
      assert.equal("uint8", mask:type())
      assert.same({5, 9}, mask:shape())
      for f, row in ipairs(mask:totable()) do
        local wanted = {}
        for i = 1, 9 do wanted[i] = 0 end
        for _, i in ipairs((alone(x, y, w, f):select(4, {method = method}))) do wanted[i] = 1 end
        assert.same(wanted, row)
      end
    end
  end)
  it("draws anew for each filter, by the seed", function()
    local stats = layer.stats(4, 12, 1, 20, 100)
    local function text(seed)
      return table.concat(stats:mask(6, {method = "random", seed = seed}):reshape({240}):totable())
    end
    assert.equal(text(1), text(1))
    assert.not_equal(text(1), text(2))
    assert.not_equal(text(1):sub(1, 12), text(1):sub(13, 24))
  end)
  it("names the filter where a width cannot be had", function()
    local stats = layer.stats(3, 9, 4, 5, 300)
    assert.matches("filter #0: width = 10: 1 to 9 expected", message_of(function() stats:mask(10) end))
  end)
end)

describe("stats:reconstruct_mask", function()
  it("solves each filter on its own channels", function()
    local stats, x, y, w = layer.stats(5, 8, 2, 6, 400)
    local mask = stats:mask(3)
    local weight, bias = stats:reconstruct_mask(mask, {ridge = 0})
    assert.same(w:shape(), weight:shape())
    for f, row in ipairs(mask:totable()) do
      local kept, others = {}, {}
      for i, one in ipairs(row) do table.insert(one == 1 and kept or others, i) end
      local own, own_bias = alone(x, y, w, f):reconstruct(kept, {ridge = 0})
      assert.is_true((weight:index(1, {f}):index(2, kept) - own):norm() < 1e-5)
      assert.equal(0, weight:index(1, {f}):index(2, others):norm())
      assert.near(own_bias:get(1), bias:get(f), 1e-5)
    end
  end)
  it("has less error than one set for all filters, and takes a bias that stays", function()
    local stats, _, _, w = layer.stats(6, 10, 1, 12, 500)
    local _, _, own = stats:reconstruct_mask(stats:mask(4), {ridge = 0})
    local _, _, shared = stats:reconstruct((stats:select(4)), {ridge = 0})
    assert.is_true(own < shared)
    local bias = lop.full({12}, 0.25)
    local _, stays = stats:reconstruct_mask(stats:mask(4), {weight = w, bias = bias})
    assert.equal(0, (stays - bias):norm())
  end)
  it("takes a mask of the layer only", function()
    local stats = layer.stats(5, 8, 2, 6, 100)
    assert.matches("mask: uint8 6x8 expected", message_of(function() stats:reconstruct_mask(lop.zeros {6, 8}) end))
    assert.matches("mask: uint8 6x8 expected", message_of(function()
      stats:reconstruct_mask(lop.zeros({6, 7}, "uint8"))
    end))
  end)
end)

-- What lop.prune takes, for a small run on the digits.
local function options(more)
  local opts = {preprocess = "unit", calibrate = {data = "mnist:recipes/data/digits", images = 60, positions = 10},
                budget = {keep = 1}, residual = {input = "filter-wise", keep = 0.5}, reconstruct = {producer = 1}}
  for key, value in pairs(more or {}) do opts[key] = value end
  return opts
end

local function digits() return lop.load "recipes/models/digits-resnet/model.onnx" end

local function masked(report)
  local list = {}
  for _, l in ipairs(report.layers) do list[#list + 1] = l.mask and l or nil end
  return list
end

-- The weights of a net are 0 where its masks are, and (but for a chance in a million) nowhere else.
local function check_zeros(net, list)
  for _, l in ipairs(list) do
    local weight = net:layer((l.name:gsub(":mask$", ""))).weight
    local s, mask = weight:shape(), masks.read(l.mask):to "float32"
    assert.same({s[1], s[2]}, mask:shape())
    assert.same({s[1], s[2]}, {l.mask.filters, l.mask.channels})
    local energy = (weight * weight):reshape({s[1], s[2], s[3] * s[4]}):sum(3):totable()
    for f, row in ipairs(mask:totable()) do
      local ones = 0
      for i, one in ipairs(row) do
        ones = ones + one
        assert.equal(one == 1, energy[f][i] > 0)
      end
      assert.equal(l.width_after, ones)
    end
  end
end

local STREAM_READERS = {"/layer1/layer1.0/conv1/Conv", "/layer2/layer2.0/conv1/Conv",
                        "/layer2/layer2.0/down/down.0/Conv", "/layer2/layer2.1/conv1/Conv",
                        "/layer3/layer3.0/conv1/Conv", "/layer3/layer3.0/down/down.0/Conv",
                        "/layer3/layer3.1/conv1/Conv"}

describe("a mask as text", function()
  it("is read back, whatever the number of channels", function()
    for _, c in ipairs {1, 3, 4, 5, 8, 17} do
      local rows, bits = {}, {}
      for f = 1, 6 do
        bits[f] = {}
        local text = ""
        for i = 1, c do bits[f][i] = (f * 7 + i * i) % 3 == 0 and 1 or 0 end
        for i = 1, c, 4 do
          local digit = 0
          for k = 0, 3 do digit = digit + ((bits[f][i + k] or 0) << (3 - k)) end
          text = text .. ("%x"):format(digit)
        end
        rows[f] = text
      end
      assert.same(bits, masks.read({rows = rows, channels = c}):totable())
    end
  end)
end)

describe("residual.input = filter-wise", function()
  it("keeps its share of every filter's channels, zeros the rest, and counts nothing of it", function()
    local net, report = lop.prune(digits(), options())
    local list, names, zeros, pairs_of = masked(report), {}, 0, 0
    for i, l in ipairs(list) do
      names[i] = l.name:gsub(":mask$", "")
      assert.equal(l.width_before // 2, l.width_after)
      assert.equal(0.5, l.mask.share)
      assert.is_true(l.error > 0 and l.error < 0.2)
      assert.equal(net:layer(names[i]).macs // 2, l.mask.macs)
      zeros, pairs_of = zeros + l.mask.macs, pairs_of + l.mask.filters * l.mask.channels
    end
    assert.same(STREAM_READERS, names)
    assert.equal(report.macs_before, report.macs_after)         -- nothing else was asked for
    assert.equal(report.macs_after, net:macs())
    assert.equal(1, report.speedup)
    assert.same({layers = 7, pairs = pairs_of, kept = pairs_of // 2, share = 0.5, macs = zeros}, report.masks)
    check_zeros(net, list)
    local test = lop.data("mnist:recipes/data/digits", {preprocess = "unit", split = "test"}):take(500, 1)
    assert.is_true(lop.evaluate(net, test).top1 > 98.5)
  end)
  it("is of less error than a sampler of the same share", function()
    local widths = {}
    for _, name in ipairs(STREAM_READERS) do
      widths[name .. ":input"] = digits():layer(name).weight:shape()[2] // 2
    end
    local _, own = lop.prune(digits(), options {reconstruct = {producer = 0}})
    local _, shared = lop.prune(digits(), options {budget = {widths = widths}, residual = {input = "sampler"},
                                                   reconstruct = {producer = 0}})
    local by = {}
    for _, l in ipairs(shared.layers) do by[l.name:gsub(":input$", "")] = l.error end
    for _, l in ipairs(masked(own)) do assert.is_true(l.error < by[l.name:gsub(":mask$", "")]) end
  end)
  it("goes with widths, cut before or after, and with every order and way of rebuilding", function()
    for _, more in ipairs {{}, {order = "backward"}, {reconstruct = {method = "scale"}},
                           {reconstruct = {producer = 0, intercept = false}, residual = {input = "filter-wise",
                            keep = 0.3, output = "sampler"}}, {select = "lasso"},
                           {select = {method = "forward", refine = "swap"}}} do
      more.budget, more.allocate = {speedup = 1.7}, "uniform"
      local net, report = lop.prune(digits(), options(more))
      assert.is_true(math.abs(report.speedup / 1.7 - 1) < 0.05)
      assert.equal(7, #masked(report))
      check_zeros(net, masked(report))
      assert.equal(net:layer(STREAM_READERS[1]).weight:shape()[1], masked(report)[1].mask.filters)
    end
  end)
  it("takes its share from residual.keep, a layer's own, or budget.keep", function()
    local own = {budget = {keep = 0.75}, residual = {input = "filter-wise"}, layers = {
      ["*layer3*:mask"] = {residual = {keep = 0.25}, select = "l1"}, ["*down*:mask"] = {skip = true}}}
    local _, report = lop.prune(digits(), options(own))
    local after = {}
    for i, l in ipairs(masked(report)) do after[i] = l.width_after end
    assert.same({12, 12, 18, 6, 12}, after)
    _, report = lop.prune(digits(), options {budget = {widths = {[STREAM_READERS[1] .. ":mask"] = 5}}})
    assert.equal(5, masked(report)[1].width_after)
    assert.equal(7, #masked(report))
  end)
  it("is no part of what a budget counts, and is in the plan", function()
    local plan = lop.plan(digits(), options {budget = {speedup = 2}, allocate = "error"})
    assert.equal(7, plan.masks.layers)
    assert.is_true(math.abs(plan.masks.share - 0.5) < 1e-9)
    local list, other = {}, {kind = "mask", width = 8, fixed = 4}
    assert.same({}, (masks.apart {other}))
    local counted, all = masks.apart {other, {width = 3}, other}
    assert.same({{width = 3}}, counted)
    assert.same({4, 7, 4}, all({7}, function(unit) return unit.fixed end))
    assert.is_nil(all(nil))
    for _, g in ipairs(plan.groups) do list[g.name] = g end
    assert.same({16, 8}, {list[STREAM_READERS[1] .. ":mask"].width, list[STREAM_READERS[1] .. ":mask"].keep})
  end)
  it("says what does not go with it", function()
    local function refusal(more, model)
      return message_of(lop.prune, lop.load(model or "recipes/models/digits-resnet/model.onnx"), options(more))
    end
    assert.matches("residual.keep is missing", refusal {budget = {speedup = 2}, residual = {input = "filter-wise"}})
    assert.matches("residual.keep: is of residual.input", refusal {residual = {keep = 0.5}})
    assert.matches("one of both", refusal {cuts = {"width", "sampler"}})
    assert.matches("leave out \"rank\"", refusal {cuts = {"rank"}})
    assert.matches("needs them whole", refusal {residual = {input = "filter-wise", keep = 0.5, stream = "coupled"}})
    assert.matches("layers.%*.residual.stream", refusal {layers = {["*"] = {residual = {stream = "coupled"}}}})
    assert.matches("no convolution reads a residual stream", refusal(nil, "recipes/models/digits-vgg/model.onnx"))
    assert.matches("no one bn%-scale; for masks alone", refusal {select = "bn-scale"})
    assert.matches("a criterion by name", refusal {select = function() return {1} end})
    assert.matches("takes the path's own", refusal {select = {method = "lasso", lambda = 0.1}})
    assert.matches("of a mask residual.keep is its share", refusal {layers = {["*:mask"] = {keep = 0.5}}})
  end)
  it("is set for a layer on the command line, too", function()
    local recipe = {}
    schema.set(recipe, "layers./a.b/conv:mask.residual.keep", "0.25")
    schema.set(recipe, "layers./a.b/conv.keep", "0.5")
    assert.same({["/a.b/conv:mask"] = {residual = {keep = 0.25}}, ["/a.b/conv"] = {keep = 0.5}}, recipe.layers)
  end)
end)

local lop = require "lop"                                       -- tests/bindings/budget/times_spec.lua
local blocks = require "lop.cuts.blocks"
local job = require "lop.job"
local kinds = require "lop.cuts.kinds"
local nets = dofile "tests/bindings/nets.lua"
local prune = require "lop.prune"
local schema = require "lop.schema"
local times = require "lop.budget.times"
local timing = require "lop.budget.timing"
local units = require "lop.engine.units"

-- A machine that takes 0.1 ns a multiply-add and 1 ns for every number that any other layer makes.
local asked = 0
local clock = {}
function clock.steps(net)
  local by = {}
  asked = asked + 1
  for _, layer in ipairs(net:layers()) do
    local n = 1
    for _, d in ipairs(layer.shape) do n = n * d end
    by[layer.name] = layer.macs > 0 and 0.1 * layer.macs or n
  end
  return by
end
function clock.net(net)
  local sum = 0
  for _, ns in pairs(clock.steps(net)) do sum = sum + ns end
  return sum
end

local path = nets.pictures(60, 8)
teardown(function() os.remove(path) end)

local function open(name)
  local net = lop.load("recipes/models/" .. name .. "/model.onnx")
  net:fold_bn()
  return net
end

describe("lop.budget.timing", function()
  it("measures a layer once at a coarse grid, and goes along planes between", function()
    local at, before = timing.table(clock), asked
    local about = {op = "Conv", channels = 32, filters = 64, rows = 9, columns = 7,
                   window = {kernel = {3, 3}, stride = {1, 1}, pad = {1, 1, 1, 1}, dilation = {1, 1}, group = 1}}
    for _, c in ipairs {4, 5, 11, 17.5, 32} do
      for _, n in ipairs {8, 13, 40, 64} do assert.near(0.1 * 9 * 63 * c * n, at(about, c, n), 1e-6 * c * n) end
    end
    assert.equal(before + 25, asked)
    assert.equal(at(about, 4, 8), at(about, 1, 1))              -- below the grid its end
    local gemm = {op = "Gemm", channels = 40, filters = 16}
    assert.near(0.1 * 20 * 9, at(gemm, 20, 9), 1e-9)
    local apart = {op = "Conv", channels = 32, filters = 32, rows = 9, columns = 7, apart = true,
                   window = {kernel = {3, 3}, stride = {1, 1}, pad = {1, 1, 1, 1}, dilation = {1, 1}, group = 32}}
    assert.near(0.1 * 9 * 63 * 20, at(apart, 20, 20), 1e-6)
  end)
end)

describe("a clock of a run", function()
  it("is kept, and tells the same again", function()
    local net, kept, real = open "digits-vgg", timing.recorder(), timing.clock
    local list, widths = units.find(net), {}
    for i, unit in ipairs(list) do widths[i] = unit.width // 2 end
    timing.clock = clock
    local foretold = times.cost(net, list, kept)(widths)
    timing.clock = real
    assert.equal(times.cost(net, list, clock)(widths), foretold)
    local again = timing.replayer(kept.log)
    assert.equal(foretold, times.cost(net, list, again)(widths))
    assert.error_matches(function() again.net(net) end, "more times than were measured")
  end)
end)

describe("a comparison", function()
  it("says where fewer MACs save no time, and what would", function()
    assert.is_nil(timing.word(100, 81, 10, 10))
    assert.is_nil(timing.word(100, 50, 10, 9.4))
    assert.is_nil(timing.word(50, 100, 10, 20))
    local word = timing.word(200, 150, 10, 9.8)
    for _, part in ipairs {"MACs fell by 25 %, time did not (-2 %)", "round_to", 'residual.stream = "coupled"',
                           "--ms"} do
      assert.truthy(word:find(part, 1, true), part)
    end
  end)
  it("says so as a line and in JSON, and not for a busy moment", function()
    local time, small = lop.time, os.tmpname()
    local model = "recipes/models/digits-vgg/model.onnx"
    local net = lop.load(model)
    net:cut {["/features/features.3/Conv"] = nets.first(6)}
    net:save(small)
    -- Runs that take the next of these seconds each; the original's and the small net's in turn.
    local function compare(...)
      local told, at, lines, document = {...}, 0, {}, nil
      lop.time = function()
        at = at + 1
        local runs = {}
        for k = 1, 10 do runs[k] = told[(at - 1) % #told + 1] end
        return runs
      end
      local out = {document = function(_, d) document = d end, progress = function() end, note = function() end}
      function out.line(_, text, ...) lines[#lines + 1] = text:format(...) end
      require("lop.verbs.compare").run({data = "mnist:recipes/data/digits", preprocess = "unit", images = 10},
                                       {model, small}, out)
      return lines[#lines], document.hint
    end
    local ok, e = pcall(function()
      local line, hint = compare(0.010, 0.0099)
      assert.matches("^MACs fell by %d+ %%, time did not %(%-1 %%%)", line)
      assert.equal(line, hint)
      line, hint = compare(0.010, 0.007)
      assert.matches("^ms ", line)
      assert.is_nil(hint)
      assert.is_nil(select(2, compare(0.010, 0.012, 0.010, 0.007)))
    end)
    lop.time = time
    os.remove(small)
    assert.is_true(ok, tostring(e))
  end)
end)

describe("lop plan --ms", function()
  it("tells what is met, every field of every group, and not each time on the way", function()
    local real, document = timing.clock, nil
    timing.clock = clock
    local function ignore() end
    local out = {document = function(_, d) document = d end, line = ignore, note = ignore, columns_of = ignore,
                 progress = function() return nil end}
    local model = "recipes/models/digits-vgg/model.onnx"
    local ok, e = pcall(require("lop.verbs.plan").run, {data = "mnist:recipes/data/digits", preprocess = "unit",
      images = 10, ms = 0.6e-6 * clock.net(lop.load(model)), allocate = "uniform"}, {model, settings = {}}, out)
    timing.clock = real
    assert.is_true(ok, tostring(e))
    assert.near(document.budget.target, document.budget.after, 0.05 * document.budget.target)
    assert.is_nil(document.budget.times)
    for _, g in ipairs(document.groups) do
      for _, key in ipairs {"name", "width", "keep", "loss", "prunable", "reason"} do
        assert.is_true(g[key] ~= nil, g.name .. " " .. key)
      end
    end
  end)
end)

describe("lop.budget.times", function()
  it("foretells the time of widths, ranks and samplers together", function()
    for _, name in ipairs {"digits-vgg", "digits-resnet"} do
      local net = open(name)
      local list = kinds.merge(net, units.find(net), {rank = true, sampler = true, writer = true})
      local cost, whole = times.cost(net, list, clock), {}
      for i, unit in ipairs(list) do whole[i] = unit.width end
      assert.near(clock.net(net), cost(whole), 1e-6 * clock.net(net))
      for k = 1, #list do
        local widths = table.move(whole, 1, #whole, 1, {})
        local unit = list[k]
        if unit.kind ~= "output" then   -- its three nodes are not foretold
          widths[k] = math.max(1, (unit.most or unit.width) // 2)
          local made <close> = times.shape(net, list, widths)
          assert.near(clock.net(made), cost(widths), 0.03 * clock.net(net), unit.name)
          assert.is_true(cost(widths) < cost(whole))
        end
      end
    end
  end)
  it("foretells a net without a branch: its layers gone, the addition a step of its own", function()
    local net, fused = open "digits-resnet", {net = clock.net}
    local list = units.find(net)
    local more = {model = "m", budget = {speedup = 2}, cuts = {"width", "block"}}
    blocks.mark(net, list, schema.check(nets.recipe(path, more)))
    local cost, whole = times.cost(net, list, clock), {}
    function fused.steps(of)                                    -- additions behind a convolution take no time
      local by, made = clock.steps(of), {}
      for _, layer in ipairs(of:layers()) do
        for _, v in ipairs(layer.outputs) do made[v.name] = layer.macs > 0 end
        local behind = layer.op == "Add" and (made[layer.inputs[1].name] or made[layer.inputs[2].name])
        if behind then by[layer.name] = nil end
      end
      return by
    end
    function fused.net(of)
      local sum = 0
      for _, ns in pairs(fused.steps(of)) do sum = sum + ns end
      return sum
    end
    local other = times.cost(net, list, fused)
    for i, unit in ipairs(list) do whole[i] = unit.width end
    assert.equal(5, #blocks.free(list))
    for _, b in ipairs(blocks.free(list)) do
      local widths = table.move(whole, 1, #whole, 1, {})
      blocks.drop(list, b, widths)
      local made <close> = times.shape(net, list, widths)
      assert.near(clock.net(made), cost(widths), 0.001 * clock.net(net), b.last)
      assert.near(fused.net(made), other(widths), 0.001 * clock.net(net), b.last)
      assert.is_true(cost(widths) < cost(whole))
    end
  end)
  it("meets a budget of milliseconds, which the shape it times then has", function()
    local net = nets.plain()
    local whole = clock.net(net)
    local recipe = nets.recipe(path, {model = "plain.onnx", budget = {ms = 0.6e-6 * whole}})
    for _, allocation in ipairs {"sensitivity", "error", "uniform"} do
      recipe.allocate = allocation
      local set = lop.data("npz:" .. path, {preprocess = "none"})
      local opts = job.options(schema.check(recipe), {set = set, held = set, net = net, bytes = 0})
      opts.clock = clock
      local made, report = prune.run(net, set, set, opts)
      assert.near(0.6, clock.net(made) / whole, 0.05)
      assert.near(report.budget.after, 1e-6 * clock.net(made), 1e-9)
      assert.equal("ms", report.budget.kind)
    end
  end)
  it("goes up again where the first widths are too fast, whoever allocates", function()
    local net = nets.plain()
    local steep = {steps = clock.steps}
    function steep.net(n) return clock.net(n) ^ 1.5 / clock.net(net) ^ 0.5 end
    for _, allocation in ipairs {"uniform", "error"} do
      local recipe = nets.recipe(path, {model = "plain.onnx", budget = {ms = 0.6e-6 * clock.net(net)},
                                        allocate = allocation})
      local set = lop.data("npz:" .. path, {preprocess = "none"})
      local opts = job.options(schema.check(recipe), {set = set, held = set, net = net, bytes = 0})
      opts.clock = steep
      local plan = prune.plan(net, set, set, opts)
      assert.near(1, plan.budget.after / plan.budget.target, 0.05, allocation)
    end
  end)
  it("takes the nearest widths where a corrected target is out of reach", function()
    local net = nets.plain()
    local slow = {steps = clock.steps}          -- hardly falls: each round is to halve the rest again
    function slow.net(n) return clock.net(net) ^ 0.8 * clock.net(n) ^ 0.2 end
    local recipe = nets.recipe(path, {model = "plain.onnx", budget = {ms = 0.3e-6 * clock.net(net)},
                                      allocate = "error"})
    local set = lop.data("npz:" .. path, {preprocess = "none"})
    local opts = job.options(schema.check(recipe), {set = set, held = set, net = net, bytes = 0})
    opts.clock = slow
    local budget = prune.plan(net, set, set, opts).budget
    assert.equal("no widths were found that take the time asked for", budget.reason)
    assert.is_true(budget.after > budget.target and budget.after < 0.9 * budget.before)
  end)
  it("says where no widths take the time asked for", function()
    local net = nets.plain()
    local odd = {steps = clock.steps}
    function odd.net(n) return clock.net(n) < clock.net(net) and 0.3 * clock.net(net) or clock.net(net) end
    local recipe = nets.recipe(path, {model = "plain.onnx", budget = {ms = 0.6e-6 * clock.net(net)},
                                      allocate = "uniform"})
    local set = lop.data("npz:" .. path, {preprocess = "none"})
    local opts = job.options(schema.check(recipe), {set = set, held = set, net = net, bytes = 0})
    opts.clock = odd
    assert.equal("no widths were found that take the time asked for", prune.plan(net, set, set, opts).budget.reason)
  end)
  it("refuses a budget above the present time, and tells that", function()
    local net = nets.plain()
    local set = lop.data("npz:" .. path, {preprocess = "none"})
    local function message(share)
      local recipe = nets.recipe(path, {model = "plain.onnx", budget = {ms = share * 1e-6 * clock.net(net)}})
      local opts = job.options(schema.check(recipe), {set = set, held = set, net = net, bytes = 0})
      opts.clock = clock
      local ok, e = pcall(prune.plan, net, set, set, opts)
      return not ok and tostring(e):match "lop: .*" or nil
    end
    assert.is_nil(message(1))
    assert.equal(("lop: the budget of %.4g ms is more than the %.4g ms that the network takes now: less, or another " ..
                  "budget"):format(1.01e-6 * clock.net(net), 1e-6 * clock.net(net)), message(1.01))
  end)
end)

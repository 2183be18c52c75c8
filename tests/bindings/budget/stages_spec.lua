local lop = require "lop"                                       -- tests/bindings/budget/stages_spec.lua
local cost = require "lop.budget.cost"
local kinds = require "lop.cuts.kinds"
local nets = dofile "tests/bindings/nets.lua"
local stages = require "lop.budget.stages"
local units = require "lop.engine.units"

-- Stages of the units, "s" behind those of streams.
local function of_units(net)
  net = net:clone()
  net:fold_bn()
  local by, count, list = stages.of(net), {}, {}
  for _, unit in ipairs(units.find(net)) do list[#list + 1] = stages.unit(by, unit) .. (unit.stream and "s" or "") end
  return table.concat(list, " "), count
end

describe("stages", function()
  it("of a chain lie between two changes of height and width", function()
    assert.equal("1 1 2", (of_units(nets.plain())))
    assert.equal("1 1 2 2 3 3 3 4 4 4 5 5 5", (of_units(nets.vgg16())))
    assert.equal("1 1 2 2 3 3", (of_units(lop.load "recipes/models/digits-vgg/model.onnx")))
  end)
  it("of a residual net are its streams: a branch is of the stage that it adds to", function()
    assert.equal("1s 1 2 2s 2 3 3s 3", (of_units(lop.load "recipes/models/digits-resnet/model.onnx")))
    assert.equal("1s 1 1 1 1 2 2 2s", (of_units(nets.residual({2, 1}, 21, true))))
    local net = lop.zoo("mobilenet_v2", {images = 1, size = 64})          -- streams of one size, one behind the other
    assert.equal("1 1 1 2s 2 2 3s 3 3 3 4s 4 4 4 4 5s 5 5 5 6s 6 6 6 6 6", (of_units(net)))
  end)
  it("of a gate's layers are those of what it gates", function()
    local by = stages.of(nets.self_gated())
    assert.equal(by.b, by.g)
  end)
  it("are numbered alike before and after batch normalisation is folded", function()
    local net = lop.load "recipes/models/digits-resnet/model.onnx"
    local before = stages.of(net)
    net:fold_bn()
    for name, stage in pairs((stages.of(net))) do assert.equal(stage, before[name] or stage, name) end
  end)
  it("cost together what the net costs, and each what its layers do", function()
    local net = lop.load "recipes/models/digits-resnet/model.onnx"
    net:fold_bn()
    local list = kinds.merge(net, units.find(net), {rank = true})
    local by, count = stages.of(net)
    for _, kind in ipairs {"macs", "params", "bytes", "activations"} do
      local parts, whole = cost.parts(net, list, kind, by, count), cost.of(net, list, kind)
      local widths, sum = {}, 0
      for i, unit in ipairs(list) do widths[i] = unit.kind and unit.width or (unit.width * 2) // 3 end
      local copy = units.shrunk(net, list, widths)
      for s, own in ipairs(units.parts(copy, kind, by, count)) do
        assert.equal(own, parts[s](widths))
        sum = sum + own
      end
      assert.equal(sum, whole(widths))
    end
  end)
end)

describe("budget.scope = \"stage\"", function()
  local shared = (os.getenv "LOP_SHARED" or "../shared") .. "/models/"
  local models = {"recipes/models/digits-resnet", shared .. "cifar-resnet20-bn", shared .. "cifar-resnet56-bn"}
  local function open(folder)
    local f = io.open(folder .. "/model.onnx")
    if f then f:close() end
    return f and lop.load(folder .. "/model.onnx") or nil
  end
  local path = nets.pictures(30, 32)
  local small = nets.pictures(60, 8)
  teardown(function()
    os.remove(path)
    os.remove(small)
  end)
  local function recipe(net, more)
    local opts = nets.recipe(path, more)
    if net:inputs()[1].shape[2] == 1 then
      opts.preprocess, opts.calibrate = "unit", {data = "mnist:recipes/data/digits", images = 60}
    end
    return opts
  end
  it("is met by each stage within the step of a width, and the plan says the stage of each group", function()
    local seen = 0
    for k, folder in ipairs(models) do
      local net = open(folder)
      seen = seen + (net and 1 or 0)
      for _, allocate in ipairs(net and (k == 1 and {"sensitivity", "error", "uniform"} or {"uniform"}) or {}) do
        local p = lop.plan(net, recipe(net, {budget = {speedup = 2, scope = "stage"}, allocate = allocate}))
        assert.equal(4, #p.budget.stages)
        for s = 1, 3 do
          local own = p.budget.stages[s]
          local share = own.after / own.before
          assert.is_true(share <= 0.5 and share > (own.reason and 0.45 or 0.495), folder .. allocate .. share)
        end
        assert.equal("nothing of it can be cut", p.budget.stages[4].reason)
        local last = 1
        for _, g in ipairs(p.groups) do
          assert.is_true(g.stage >= last)
          last = g.stage
        end
        assert.equal(4, last)
      end
    end
    if seen < #models then return pending("skipped: no CIFAR nets in ../shared/models") end
  end)
  it("cuts what the plan says", function()
    local net = open(models[1])
    local opts = recipe(net, {budget = {params = 0.6, scope = "stage"}, allocate = "error"})
    local p = lop.plan(net, opts)
    local made, report = lop.prune(net, opts)
    local by, count = stages.of(made)
    local left = units.parts(made, "params", by, count)
    for s = 1, 3 do assert.equal(p.budget.stages[s].after, left[s]) end
    assert.same(p.budget.stages, report.budget.stages)
  end)
  it("is met by ranks where a stage has nothing else", function()
    local net = open(models[1])
    local p = lop.plan(net, recipe(net, {budget = {macs = 0.4, scope = "stage"}, allocate = "error",
                                         cuts = {"width", "rank"}}))
    for s = 1, 4 do assert.is_true(p.budget.stages[s].after <= p.budget.stages[s].target) end
  end)
  it("in a plain chain counts what the stage before leaves", function()
    local net = nets.vgg16()
    local p = lop.plan(net, recipe(net, {budget = {macs = 0.4, scope = "stage"}, allocate = "uniform"}))
    for s = 1, 5 do
      local own = p.budget.stages[s]
      assert.is_true(own.after <= own.target and (own.reason ~= nil or own.after > 0.99 * own.target))
    end
  end)
  it("is refused for what it cannot go with, and names the stage that cannot meet it", function()
    local net = nets.plain()
    local function message(more)
      return tostring(select(2, pcall(lop.plan, net, nets.recipe(small, more))))
    end
    assert.matches('scope = "stage" does not go with budget.ms', message {budget = {ms = 1, scope = "stage"}})
    assert.matches('scope = "stage" does not go with budget.keep', message {budget = {keep = 1, scope = "stage"}})
    assert.matches('does not go with allocate = "paper"', message {budget = {macs = 0.5, scope = "stage"},
                                                                   allocate = "paper"})
    assert.matches("does not go with allocate = a function", message {budget = {macs = 0.5, scope = "stage"},
                                                                      allocate = function() return {} end})
    for _, allocate in ipairs {"uniform", "error", "sensitivity"} do
      assert.matches("for stage 1 cannot be met: %d+ %(%d+.%d %%%) are left", message {
        budget = {macs = 0.5, scope = "stage"}, allocate = allocate, layers = {["?"] = {min = 6}}})
    end
  end)
end)

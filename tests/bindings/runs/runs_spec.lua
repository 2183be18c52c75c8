require "lop"                                                   -- tests/bindings/runs/runs_spec.lua
local carry = require "lop.runs.carry"
local core = require "lop.core"
local differ = require "lop.runs.differ"
local folders = require "lop.runs.folder"
local output = require "lop.program.output"
local record = require "lop.runs.record"

local system = core.system
local RECIPE = [[
return {model = "recipes/models/" .. lop.arg("net", "digits-vgg") .. "/model.onnx", preprocess = "unit",
        budget = {speedup = 1.6}, calibrate = {data = "mnist:recipes/data/digits", images = lop.arg("images", 32)},
        allocate = lop.arg("how", "error"), order = lop.arg("order", "forward"), reconstruct = {producer = 1}}
]]

local base = os.tmpname()
os.remove(base)
system.make_folder(base)
local path, made = base .. "/recipe-to-run.lua", 0
system.write_file(path, RECIPE)

local function fresh()
  made = made + 1
  return base .. "/run" .. made
end

local function settings(list)
  local all = {}
  for i, word in ipairs(list or {}) do
    local key, value = word:match "^(.-)=(.*)$"
    all[i] = {key = key, value = value}
  end
  return all
end

-- Runs in a folder; ends, as by Ctrl-C, once `stop` units are done.
local function run(folder, opts)
  local out = output.new {quiet = true}
  if opts.stop then
    function out.progress()
      return function(what, done)
        local now = what == "prune" and done == opts.stop or opts.stop == 0
        if now then core.fail("interrupted", "interrupted") end
      end
    end
  end
  return pcall(function()
    return carry.out(carry.request(opts.again or path, settings(opts.settings)), folder, out, opts)
  end)
end

local function fine(folder, opts)
  local ok, result = run(folder, opts or {})
  assert(ok, tostring(result))
  return result
end

local function same_bytes(a, b)
  assert.equal(system.sha256_file(a .. "/model.onnx"), system.sha256_file(b .. "/model.onnx"))
  assert.same({}, differ.list(record.of(a), record.of(b)))
end

describe("a run's folder", function()
  teardown(function() os.execute("rm -r '" .. base .. "'") end)
  local whole = fresh()

  it("holds what went in, what was chosen and what came out", function()
    local result = fine(whole)
    assert.same({"journal", "log.txt", "model.onnx", "recipe.lua", "run.json"}, system.list_folder(whole))
    local r = record.of(whole)
    assert.equal(RECIPE, r.recipe.text)
    assert.equal(RECIPE, system.read_file(whole .. "/recipe.lua"))
    assert.equal(system.sha256_file(whole .. "/model.onnx"), r.outputs["model.onnx"])
    assert.same({"model", "calibrate", "calibrate"}, {r.inputs[1].what, r.inputs[2].what, r.inputs[3].what})
    for _, input in ipairs(r.inputs) do assert.equal(system.sha256_file(input.path), input.sha256) end
    assert.equal(r.recipe.values.budget.speedup, 1.6)
    assert.equal(#result.layers, #r.result.layers)
    for _, layer in ipairs(r.result.layers) do
      assert.equal("number", type(layer.seconds))
      assert.equal(layer.width_after, layer.channels and #layer.channels or layer.width_before)
    end
    assert.equal(system.read_file(base .. "/run1/journal/begin.json"), system.read_file(whole .. "/journal/begin.json"))
  end)

  it("goes on after an end at any unit, to the same bytes", function()
    for stop = 0, #record.of(whole).result.layers - 1, 2 do
      local folder = fresh()
      local ok, e = run(folder, {stop = stop})
      assert.is_false(ok)
      assert.equal("interrupted", e.code)
      assert.truthy(e.message:find("lop run " .. folder .. " --resume goes on", 1, true))
      assert.equal("begun", folders.state(folder))
      fine(folder, {resume = true, again = folder, clean = stop == 2})
      same_bytes(whole, folder)
      assert.equal(stop ~= 2, system.kind(folder .. "/journal") == "folder")
      for _, name in ipairs(stop ~= 2 and system.list_folder(folder .. "/journal") or {}) do
        assert.not_matches("onnx$", name)
      end
    end
  end)
  it("goes on in the midst of a stream that is cut, to the same bytes", function()
    local settings_of, uncut = {"net=digits-resnet", "residual.stream=coupled"}, fresh()
    fine(uncut, {settings = settings_of})
    for stop = 1, 5, 2 do
      local folder = fresh()
      assert.is_false(run(folder, {stop = stop, settings = settings_of}))
      fine(folder, {resume = true, again = folder})
      same_bytes(uncut, folder)
    end
  end)
  it("goes on behind a branch that has vanished, to the same bytes", function()
    local settings_of, uncut = {"net=digits-resnet", "cuts=width,block", "budget.speedup=10"}, fresh()
    local result, gone = fine(uncut, {settings = settings_of}), 0
    for _, layer in ipairs(result.layers) do gone = gone + (layer.branch and 1 or 0) end
    assert.is_true(gone > 0)
    for stop = 1, #result.layers - 1 do
      local folder = fresh()
      assert.is_false(run(folder, {stop = stop, settings = settings_of}))
      fine(folder, {resume = true, again = folder})
      same_bytes(uncut, folder)
    end
  end)
  it("goes on among masks, whose filters are bent and cut after them, to the same bytes", function()
    local settings_of = {"net=digits-resnet", "residual.input=filter-wise", "residual.keep=0.5", "order=backward"}
    local uncut = fresh()
    local result = fine(uncut, {settings = settings_of})
    assert.equal(7, result.masks.layers)
    for stop = 1, #result.layers - 1, 4 do
      local folder = fresh()
      assert.is_false(run(folder, {stop = stop, settings = settings_of}))
      fine(folder, {resume = true, again = folder})
      same_bytes(uncut, folder)
    end
  end)
  it("goes on backward too, and by measured losses", function()
    local opts = {settings = {"order=backward", "how=sensitivity", "images=20"}}
    local one, two = fresh(), fresh()
    fine(one, opts)
    run(two, {stop = 3, settings = opts.settings})
    fine(two, {resume = true, again = two})
    same_bytes(one, two)
  end)
  it("goes on where the end came between two files", function()
    local folder = fresh()
    run(folder, {stop = 2})
    system.write_file(folder .. "/journal/003.onnx", "torn")    -- the net, its entry not yet
    fine(folder, {resume = true, again = folder})
    same_bytes(whole, folder)
  end)
  it("goes on with what it began with only", function()
    local folder = fresh()
    run(folder, {stop = 2})
    local went_on, why = run(folder, {resume = true, settings = {"budget.speedup=1.7"}})
    assert.is_false(went_on)
    assert.matches("the recipe has changed", why.message)
    local begin = folder .. "/journal/begin.json"
    local text = system.read_file(begin)
    local cases = {{'"sha256": "%x', '"sha256": "g', "the data have changed"},
                   {'"cpu_path": "', '"cpu_path": "x', "the CPU path has changed"},
                   {'"version": "', '"version": "9', "lop itself has changed"}}
    for _, case in ipairs(cases) do
      system.write_file(begin, (text:gsub(case[1], case[2])))
      local ok, e = run(folder, {resume = true})
      assert.is_false(ok)
      assert.truthy(e.message:find(case[3], 1, true), e.message)
    end
    for _, damage in ipairs {"", "{", "[]", "{}", '{"recipe": 1}', ("["):rep(100000)} do
      system.write_file(begin, damage)
      local ok, e = run(folder, {resume = true, again = folder})
      assert.is_false(ok)
      assert.equal("format", e.code)
    end
  end)

  it("is not written over unasked", function()
    local ok, e = run(whole, {})
    assert.is_false(ok)
    assert.matches("holds a run already: %-%-force replaces it", e.message)
    local folder = fresh()
    run(folder, {stop = 1})
    ok, e = run(folder, {})
    assert.is_false(ok)
    assert.matches("was interrupted: %-%-resume goes on", e.message)
    for _, name in ipairs {"model.onnx", "log.txt", "journal"} do
      local taken = fresh()
      system.make_folder(taken)
      system.write_file(taken .. "/" .. name, "mine")
      ok, e = run(taken, {})
      assert.is_false(ok)
      assert.truthy(e.message:find("holds " .. name, 1, true))
      assert.equal("mine", system.read_file(taken .. "/" .. name))
    end
    local other = fresh()
    system.make_folder(other)
    system.write_file(other .. "/recipe.lua", "return {}")
    ok, e = run(other, {})
    assert.is_false(ok)
    assert.matches("recipe.lua: is another recipe", e.message)
    ok, e = run(path, {})
    assert.is_false(ok)
    assert.matches("is there and no folder", e.message)
  end)
  it("is replaced when asked for, other files staying", function()
    local folder = fresh()
    system.make_folder(folder)
    system.write_file(folder .. "/notes.txt", "mine")
    fine(folder, {settings = {"budget.speedup=1.3"}})
    fine(folder, {force = true})
    same_bytes(whole, folder)
    assert.equal("mine", system.read_file(folder .. "/notes.txt"))
  end)
  it("is no loss when the new run cannot begin", function()
    local folder = fresh()
    fine(folder)
    local ok = run(folder, {force = true, settings = {"model=none.onnx"}})
    assert.is_false(ok)
    same_bytes(whole, folder)
  end)
  it("can be run again, with other settings too", function()
    local folder = fresh()
    fine(folder, {again = whole})
    same_bytes(whole, folder)
    local list = differ.list(record.of(whole), record.of((function()
      local other = fresh()
      fine(other, {again = whole, settings = {"budget.speedup=1.3"}})
      return other
    end)()))
    local keys = {}
    for _, d in ipairs(list) do keys[d.key] = d end
    assert.same({key = "recipe.budget.speedup", a = "1.6000000000000001", b = "1.3"}, keys["recipe.budget.speedup"])
    assert.truthy(keys["outputs.model.onnx"])
    assert.is_nil(keys["result.seconds"])
  end)
  it("has a name of its own by default", function()
    local cases = {{"a/digits.lua", "digits.run"}, {"digits.lua", "digits.run"}, {"exp/", "exp.run"}, {".", "lop.run"},
                   {"exp/recipe.lua", "exp.run"}, {"none.run/", "none.run"}, {"..", "lop.run"}}
    for _, case in ipairs(cases) do assert.equal(case[2], folders.default(case[1], false)) end
  end)
end)

describe("the differences of two runs", function()
  local function made_of(change)
    local model = {what = "model", path = "a/m.onnx", sha256 = "1"}
    local r = {inputs = {model, {what = "calibrate", path = "b/d.gz", sha256 = "2"}},
               recipe = {text = "t", path = "p", settings = {}, values = {model = "a/m.onnx", budget = {keep = 0.5}}},
               outputs = {["model.onnx"] = "3"}, seed = 0,
               result = {seconds = 1, speedup = 2, layers = {{name = "c", channels = {0, 1}}}}}
    change(r)
    return r
  end
  local function nothing() end
  local cases = {
    {nothing}, {function(r) r.result.seconds = 9 end}, {function(r) r.inputs[1].path = "x/n.onnx" end},
    {function(r) r.recipe.values.model = "x" end}, {function(r) r.recipe.text = "x" end},
    {function(r) r.where = "x" end},
    {function(r) r.inputs[2].sha256 = "x" end, "inputs.calibrate d.gz"}, {function(r) r.seed = 1 end, "seed"},
    {function(r) r.inputs[3] = {what = "evaluate", path = "e", sha256 = "4"} end, "inputs.evaluate e"},
    {function(r) r.result.layers[1].channels = {0, 2} end, "result.layers.c.channels"},
    {function(r) r.result.layers[2] = {name = "d"} end, "result.layers.d"},
    {function(r) r.recipe.values.budget = {macs = 1} end, "recipe.budget.keep"},
    {function(r) r.outputs["model.onnx"] = "x" end, "outputs.model.onnx"},
  }
  for i, case in ipairs(cases) do
    it("are those that count: " .. i, function()
      local list = differ.list(made_of(nothing), made_of(case[1]))
      assert.equal(case[2], list[1] and list[1].key)
      assert.equal(#list, #differ.list(made_of(case[1]), made_of(nothing)))
    end)
  end
  it("are in the text where a value is a function", function()
    local function with(text)
      return made_of(function(r)
        r.recipe.values.select, r.recipe.text = {method = record.A_FUNCTION}, text
      end)
    end
    assert.same({}, differ.list(with "a", with "a"))
    assert.equal("text", differ.list(with "a", with "b")[1].key)
  end)
end)

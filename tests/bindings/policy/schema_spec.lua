local lop = require "lop"                                       -- tests/bindings/policy/schema_spec.lua
local help = require "lop.program.help"
local recipes = require "lop.recipe"
local schema = require "lop.schema"

-- A recipe without a fault, with these keys set or (false) taken out.
local function recipe(changes)
  local r = {model = "m.onnx", calibrate = {data = "mnist:d"}, budget = {speedup = 2}}
  for key, value in pairs(changes or {}) do r[key] = value or nil end
  return r
end

describe("a recipe's check", function()
  it("fills in the defaults", function()
    local r = schema.check(recipe())
    assert.same({data = "mnist:d", split = "train", images = 1000, positions = "auto"}, r.calibrate)
    assert.same({method = "elimination"}, r.select)
    assert.equal("compensate", r.residual.target)
    assert.is_true(r.reconstruct.intercept)
    assert.same({"sensitivity", "forward", 1, 0}, {r.allocate, r.order, r.round_to, r.seed})
    assert.same({{"width"}, {}}, {r.cuts, r.layers})
    assert.is_nil(r.evaluate)
  end)
  it("takes words for tables, lists and functions where they are allowed", function()
    local f = function() end
    for _, case in ipairs {
      {{select = "lasso"}, "select", {method = "lasso"}}, {{select = f}, "select", {method = f}},
      {{select = {method = {1, 3}}}, "select", {method = {1, 3}}}, {{allocate = f}, "allocate", f},
      {{order = {"b", "a"}}, "order", {"b", "a"}}, {{order = "backward"}, "order", "backward"},
      {{order = f}, "order", f},
      {{cuts = "width"}, "cuts", {"width"}},
      {{budget = {widths = {a = 3}}}, "budget", {scope = "global", widths = {a = 3}}},
      {{round_to = 8}, "round_to", 8}} do
      assert.same(case[3], schema.check(recipe(case[1]))[case[2]])
    end
    assert.equal("none", schema.check(recipe {reconstruct = "none"}).reconstruct.method)
  end)
  it("names the key and what would be right", function()
    for _, case in ipairs {
      {{model = false}, "usage", "model is missing: the ONNX file to prune"},
      {{budget = false}, "usage", "budget is missing"},
      {{budget = false, select = {method = "lasso", lambda = 1}, allocate = "error"}, "usage", "allocate: there is no"},
      {{decompose = {"spatial"}}, "usage", "decompose: no rank may be cut"},
      {{budget = {}}, "usage", "budget: one of activations, bytes, keep, macs, ms, params, speedup, widths"},
      {{budget = {macs = 0.5, keep = 0.5}}, "usage", "expected, got 2"},
      {{budget = {min_width = 4}}, "usage", "widths expected, got 0"},
      {{budget = {keep = 0.5}, allocate = "error"}, "usage", 'allocate = "error": budget.keep says each group'},
      {{budget = {widths = {a = 3}}, allocate = function() end}, "usage", "allocate = a function: budget.widths says"},
      {{budget = {keep = 0.5}, cuts = "rank"}, "usage", "share of each group's channels, and cuts has \"rank\""},
      {{budget = {keep = 0.5}, cuts = {"width", "sampler"}}, "usage", 'and cuts has "sampler"'},
      {{allocate = "uniform", cuts = {"width", "rank"}}, "usage", 'widths alone, and cuts has "rank"'},
      {{allocate = "uniform", cuts = {"rank", "sampler"}}, "usage", 'allocate = "uniform" shares out widths alone'},
      {{allocate = "paper", cuts = "sampler"}, "usage", 'allocate = "paper" shares out widths alone'},
      {{budget = {macs = 0.5, min_width = 0}}, "usage", "budget.min_width: 0 is out of range: 1 or more expected"},
      {{budget = {ms = 0}}, "usage", "budget.ms: 0 is out of range"},
      {{budget = {speedup = 0.5}}, "usage", "budget.speedup: 0.5 is out of range: 1 or more expected"},
      {{budget = {params = 1.5}}, "usage", "budget.params: 1.5 is out of range: above 0 and at most 1 expected"},
      {{budget = {bytes = 0}}, "usage", "budget.bytes: 0 is out of range"},
      {{budget = {speedup = 0 / 0}}, "usage", "out of range"},
      {{budget = {speedup = math.huge}}, "usage", "out of range"},
      {{budget = {widths = {a = -1}}}, "usage", "budget.widths.a: -1 is out of range"},
      {{budget = {sped = 2}}, "usage", "unknown key 'budget.sped' (did you mean 'speedup'?)"},
      {{allocat = "error"}, "usage", "unknown key 'allocat' (did you mean 'allocate'?)"},
      {{allocate = "eror"}, "usage", "allocate: unknown eror (did you mean 'error'?)"},
      {{allocate = 3}, "usage", "allocate: string expected, got number"},
      {{order = "bakward"}, "usage", "order: unknown bakward (did you mean 'backward'?)"},
      {{order = {}}, "usage", "order: a list of names expected"}, {{order = {1}}, "usage", "order: string expected"},
      {{order = {"a", x = 1}}, "usage", "order: a list of names expected"},
      {{cuts = {"wdth"}}, "usage", "cuts: unknown wdth (did you mean 'width'?)"},
      {{reconstruct = "rely"}, "usage", "reconstruct.method: unknown rely (did you mean 'relu'?)"},
      {{reconstruct = {intercept = 1}}, "usage", "reconstruct.intercept: true or false expected, got number"},
      {{reconstruct = {ridge = -1}}, "usage", "reconstruct.ridge: -1 is out of range: 0 or more expected"},
      {{decompose = {"spatail"}}, "usage", "decompose: unknown spatail (did you mean 'spatial'?)"},
      {{finetune = {}}, "unsupported", "finetune: not in this version"},
      {{select = {method = "elimination", lambda = 0.1}}, "usage", "select.lambda: select.method is elimination"},
      {{round_to = 1.5}, "usage", "round_to: a whole number expected"}, {{round_to = 0}, "usage", "1 or more expected"},
      {{layers = {a = {skp = true}}}, "usage", "unknown key 'layers.a.skp' (did you mean 'skip'?)"},
      {{layers = {{"a", keep = 2}}}, "usage", "layers.a.keep: 2 is out of range"},
      {{layers = {{skip = true}}}, "usage", "layers[1]: {name, key = value} expected"},
      {{layers = {{"a"}, b = {}}}, "usage", "layers: either a list or names expected"},
      {{layers = {a = {residual = {input = "whole"}}}}, "usage", "unknown key 'layers.a.residual.input'"},
      {{residual = {stream = "cut"}}, "usage", "residual.stream: unknown cut (known: keep, coupled)"},
      {{layers = {a = {select = {method = "l1", lambda = 1}}}}, "usage", "layers.a.select.lambda: layers.a"},
      {{seed = -1}, "usage", "seed: -1 is out of range"}} do
      local ok, e = pcall(schema.check, recipe(case[1]))
      assert.is_false(ok)
      assert.is_truthy(tostring(e.message):find(case[3], 1, true), ("%s\nwanted: %s"):format(e.message, case[3]))
      assert.equal(case[2], e.code)
    end
  end)
end)

describe("a recipe's layers", function()
  local function names(layers)
    local list = {}
    for i, entry in ipairs(schema.check(recipe {layers = layers}).layers) do list[i] = entry.name end
    return list
  end
  it("keep the order of a list", function()
    assert.same({"conv1", "*", "c*"}, names {{"conv1", skip = true}, {"*", keep = 0.5}, {"c*", keep = 0.6}})
  end)
  it("go from the general to the special without one", function()
    local rule = {skip = true}
    assert.same({"*", "l*", "layer*", "layer3"}, names {layer3 = rule, ["*"] = rule, ["layer*"] = rule, ["l*"] = rule})
    assert.same({"a*", "b*", "a"}, names {a = rule, ["b*"] = rule, ["a*"] = rule})
  end)
  it("have no defaults of their own", function()
    local rule = schema.check(recipe {layers = {a = {reconstruct = {ridge = 0.1}, select = "l1"}}}).layers[1].rule
    assert.same({reconstruct = {ridge = 0.1}, select = {method = "l1"}}, rule)
  end)
end)

describe("KEY=VALUE", function()
  local function set(key, text, from)
    local r = recipe(from)
    schema.set(r, key, text)
    return schema.check(r)
  end
  it("sets keys of every kind", function()
    assert.same({macs = 0.5, scope = "global"}, set("budget.macs", "0.5").budget)
    assert.equal(10, set("calibrate.positions", "10").calibrate.positions)
    assert.equal("auto", set("calibrate.positions", "auto").calibrate.positions)
    assert.is_false(set("reconstruct.intercept", "false").reconstruct.intercept)
    assert.same({method = "lasso", refine = "swap"}, set("select.refine", "swap", {select = "lasso"}).select)
    assert.same({"a", "b.c"}, set("order", "a,b.c").order)
    assert.equal("backward", set("order", "backward").order)
    assert.same({"width"}, set("cuts", "width").cuts)
    assert.same({widths = {conv1 = 3}, scope = "global"}, set("budget.widths.conv1", "3").budget)
    assert.same({widths = {["a.0"] = 3, b = 2}, scope = "global"},
                set("budget.widths.a.0", "3", {budget = {widths = {b = 2}}}).budget)
    assert.same({speedup = 2, min_width = 4, scope = "global"}, set("budget.min_width", "4").budget)
    assert.same({macs = 0.5, min_width = 4, scope = "stage"},
                set("budget.macs", "0.5", {budget = {speedup = 2, min_width = 4, scope = "stage"}}).budget)
  end)
  it("sets rules of layers whose names hold dots", function()
    local layers = set("layers.a.0.conv.keep", "0.5").layers
    assert.same({{name = "a.0.conv", rule = {keep = 0.5}}}, layers)
    layers = set("layers.a.0.reconstruct.ridge", "0.25", {layers = {["a.0"] = {skip = true}}}).layers
    assert.same({{name = "a.0", rule = {skip = true, reconstruct = {ridge = 0.25}}}}, layers)
    layers = set("layers.b.min", "2", {layers = {{"b", keep = 0.5}}}).layers
    assert.same({{name = "b", rule = {keep = 0.5}}, {name = "b", rule = {min = 2}}}, layers)
  end)
  it("names what is wrong", function()
    for _, case in ipairs {
      {"budgt.macs", "1", "unknown key 'budgt.macs' (did you mean 'budget'?)"},
      {"budget", "1", "budget.KEY=VALUE expected"},
      {"layers.a.skp", "true", "layers.NAME.KEY expected"}, {"round_to", "x", "round_to: integer expected, got string"},
      {"finetune", "1", "finetune: not in this version"}} do
      local ok, e = pcall(set, case[1], case[2])
      assert.is_false(ok)
      assert.is_truthy(tostring(e.message):find(case[3], 1, true), e.message)
    end
  end)
end)

describe("lop help recipe", function()
  it("has every key, and the README the same table", function()
    local text = help.recipe()
    for _, row in ipairs(schema.rows()) do assert.is_truthy(text:find("\n" .. row.key, 1, true), row.key) end
    local readme = assert(io.open "README.md")
    local page = readme:read "a"
    readme:close()
    local table_of = text:match("\n\n(.*)$")
    assert.is_truthy(page:find(table_of, 1, true), "README.md, between its fences: lop help recipe")
  end)
end)

describe("the recipes that ship", function()
  it("are sound", function()
    for _, name in ipairs {"densenet", "digits", "googlenet", "inception", "mobilenet_v2", "resnet50",
                           "resnet56_cifar10", "squeezenet", "ultraface", "vgg16", "vgg16_3c", "xception"} do
      local r = recipes.load("recipes/" .. name .. ".lua", {})
      assert.is_string(r.model)
      assert.is_string(r.calibrate.data)
    end
    local r = recipes.load("recipes/vgg16.lua", {{key = "test", value = "images:t"}, {key = "speedup", value = "5"}})
    assert.same({"paper", "imagenet", 5, "images:t"}, {r.allocate, r.preprocess, r.budget.speedup, r.evaluate.data})
    assert.is_truthy(lop)
  end)
end)

local lop = require "lop"                                       -- tests/bindings/policy/prune_spec.lua
local nets = dofile "tests/bindings/nets.lua"

local small, pictures = nets.pictures(90, 8), nets.pictures(60, 16)
local plain, blocks = nets.plain(), nets.residual({2, 1}, 6)

local function prune(net, more)
  return lop.prune(net, nets.recipe(net == blocks and pictures or small, more))
end

local function same_weights(a, b)
  local others = b:layers()
  for i, layer in ipairs(a:layers()) do
    for _, key in ipairs {"weight", "bias"} do
      if layer[key] and not (others[i][key] and layer[key]:equal(others[i][key])) then return false end
    end
  end
  return true
end

teardown(function()
  os.remove(small)
  os.remove(pictures)
end)

describe("pruning", function()
  it("changes nothing at a budget of 1", function()
    for _, net in ipairs {plain, blocks} do
      local same, report = prune(net, {budget = {speedup = 1}})
      assert.is_true(same_weights(net, same))
      for _, l in ipairs(report.layers) do assert.equal(l.width_before, l.width_after) end
    end
  end)
  it("gives layers that share weights their own, and counts them so", function()
    local nodes, at = {}, "x"
    for i, w in ipairs {"wa", "wh", "wh", "wo"} do
      local out = i == 4 and "y" or "v" .. i
      nodes[#nodes + 1] = {op = "Conv", name = "conv" .. i, inputs = {at, w, "b" .. w:sub(2)},
                           outputs = {out .. "c"}, attributes = {pads = {1, 1, 1, 1}}}
      nodes[#nodes + 1] = {op = "Relu", name = "relu" .. i, inputs = {out .. "c"}, outputs = {out}}
      at = out
    end
    local constants = {}
    for name, shape in pairs {wa = {12, 3, 3, 3}, wh = {12, 12, 3, 3}, wo = {4, 12, 3, 3}, ba = {12}, bh = {12},
                              bo = {4}} do
      constants[name] = lop.randn(shape, {seed = #name + shape[1]}) * 0.2
    end
    local net = lop.graph {inputs = {{name = "x", shape = {"N", 3, 8, 8}}}, outputs = {"y"}, nodes = nodes,
                           constants = constants}
    local cut, report = prune(net, {budget = {params = 0.8}})
    assert.same({"conv3"}, {table.unpack(report.unshared)})
    local share = cut:params() / net:params()
    assert.is_true(share <= 0.8 and share > 0.72, tostring(share))
    assert.equal(report.budget.after, cut:params())
  end)
  it("cuts to the plan's widths, exactly", function()
    for _, more in ipairs {{budget = {macs = 0.5}}, {budget = {params = 0.6}, allocate = "error"},
                           {budget = {keep = 0.4}},
                           {budget = {widths = {a = 2, b = 5, c = 7}}}} do
      local plan = lop.plan(plain, nets.recipe(small, more))
      local net = prune(plain, more)
      for i, g in ipairs(net:groups()) do assert.equal(plan.groups[i].keep, g.width, g.name) end
      assert.equal(plan.macs_after, net:macs())
    end
  end)
  it("leaves whole what is to be skipped, though a glob says more", function()
    local _, report = prune(plain, {budget = {keep = 0.5}, layers = {["*"] = {keep = 0.2}, b = {skip = true}}})
    assert.same({a = 1, c = 2}, nets.widths(report))
  end)
  it("lets the last match win, key by key", function()
    local function widths(layers)
      local _, report = prune(plain, {budget = {keep = 0.5}, layers = layers})
      return nets.widths(report)
    end
    assert.same({a = 3, b = 8, c = 5}, widths {b = {keep = 1}})
    assert.same({a = 3, b = 6, c = 5}, widths {{"*", round_to = 1}, {"b", keep = 1, round_to = 6}, {"b", keep = 0.7}})
    assert.same({a = 5, b = 6, c = 8}, widths {{"b", keep = 0.1}, {"?", keep = 0.75}})
    assert.same({a = 5, b = 1, c = 8}, widths {["b"] = {keep = 0.1}, ["?"] = {keep = 0.75}})
  end)
  it("refuses rules for layers that are not there, or cannot be cut", function()
    for _, case in ipairs {{{q = {skip = true}}, "no layer is named 'q'"},
                           {{relu_1 = {skip = true}}, "no layer is named 'relu_1' %(did you mean 'relu1'%?%)"},
                           {{e = {skip = true}}, "no layer is named 'e' %(did you mean '%*e%*'%?%)"},
                           {{fc = {keep = 0.5}}, "'fc' makes no group that can be cut"},
                           {{["*"] = {skip = true}}, "every group is skipped"}} do
      local ok, e = pcall(prune, plain, {budget = {keep = 0.5}, layers = case[1]})
      assert.is_false(ok)
      assert.matches(case[2], tostring(e))
    end
  end)
  it("chooses and rebuilds one layer in its own way", function()
    local rules = {b = {select = "first", reconstruct = {method = "none", intercept = false}}}
    local net, report = prune(plain, {budget = {keep = 0.5}, layers = rules})
    assert.same({0, 1, 2, 3}, report.layers[2].channels)
    local kept = {}
    for i, c in ipairs(report.layers[3].channels) do kept[i] = c + 1 end
    -- c's filters are those that were, on the first four channels of b; only what reads c is rebuilt.
    assert.is_true(plain:layer "c".weight:index(2, nets.first(4)):index(1, kept):equal(net:layer "c".weight))
    assert.is_true(plain:layer "c".bias:index(1, kept):equal(net:layer "c".bias))
    assert.is_false(plain:layer "fc".bias:equal(net:layer "fc".bias))
  end)
  it("without a free intercept leaves every bias as it is", function()
    local more = {budget = {keep = 0.5}, reconstruct = {intercept = false}}
    for _, net in ipairs {plain, blocks} do
      local cut, report = prune(net, more)
      local kept = {}
      for _, l in ipairs(report.layers) do
        kept[l.name] = {}
        for i, c in ipairs(l.channels) do kept[l.name][i] = c + 1 end
      end
      for _, layer in ipairs(net:layers()) do
        if layer.bias then
          local want = kept[layer.name] and layer.bias:index(1, kept[layer.name]) or layer.bias
          assert.is_true(want:equal(cut:layer(layer.name).bias), layer.name)
        end
      end
      assert.is_true(report.layers[1].error < 0.9)
    end
  end)
  it("without a free intercept gives no bias to a layer that has none", function()
    local nodes, constants = nets.chain({5, 6}, function(i) return ("ab"):sub(i, i) end)
    nodes[3].inputs[3] = nil
    constants.b2 = nil
    local bare = lop.graph {inputs = {{name = "x", shape = {"N", 3, 8, 8}}}, outputs = {"y"}, nodes = nodes,
                            constants = constants}
    assert.is_nil(prune(bare, {budget = {keep = 0.5}, reconstruct = {intercept = false}}):layer "b".bias)
    assert.is_not_nil(prune(bare, {budget = {keep = 0.5}}):layer "b".bias)
  end)
  it("compensates the stream where a layer is told to, and only there", function()
    local base = {budget = {keep = 0.5}, reconstruct = {producer = 0}, residual = {target = "none"}}
    local function errors(rules)
      local more = {layers = rules}
      for key, value in pairs(base) do more[key] = value end
      local net = prune(blocks, more)
      return net
    end
    local without, one = errors {}, errors {["s1.2.a"] = {residual = {target = "compensate"}}}
    assert.is_true(without:layer "s1.1.z".weight:equal(one:layer "s1.1.z".weight))
    assert.is_false(without:layer "s1.2.z".weight:equal(one:layer "s1.2.z".weight))
  end)
end)

describe("order", function()
  local more = {budget = {keep = 0.5}, reconstruct = {producer = 0}}
  local function by(order, net)
    local m = {order = order}
    for key, value in pairs(more) do m[key] = value end
    return prune(net or plain, m)
  end
  it("forward is the list of all in turn, and a function that gives it", function()
    local forward = by "forward"
    assert.is_true(same_weights(forward, (by {"a", "b", "c"})))
    assert.is_true(same_weights(forward, (by {"a"})))           -- the others come last
    assert.is_true(same_weights(forward, (by(function(groups) return {groups[1].name} end))))
    assert.is_false(same_weights(forward, (by "backward")))
  end)
  it("backward cuts each layer as if it were the only one", function()
    local net, report = by "backward"
    for i, l in ipairs(report.layers) do
      local _, alone = prune(plain, {budget = {widths = {[l.name] = l.width_after}}, reconstruct = {producer = 0}})
      if i == #report.layers then
        assert.near(alone.layers[i].error, l.error, 1e-9)
        assert.same(alone.layers[i].channels, l.channels)
      end
      assert.equal(l.width_after, net:layer(l.name).weight:shape()[1])
    end
    assert.same({4, 5}, net:forward(lop.zeros {4, 3, 8, 8}):shape())
  end)
  it("of a consumer before its producer solves for the filters that are left", function()
    -- c first: b's reader is then 5 filters wide. Its error is no more than forward's would be by far.
    local net, report = by {"c", "a", "b"}
    local _, forward = by "forward"
    for i, l in ipairs(report.layers) do assert.is_true(l.error < 3 * forward.layers[i].error + 0.05, l.name) end
    assert.same({1, 5}, net:forward(lop.zeros {1, 3, 8, 8}):shape())
    local _, same = by({"s2.1.a", "s1.1.a"}, blocks)
    assert.same({["s1.1.a"] = 3, ["s1.2.a"] = 3, ["s2.1.a"] = 3}, nets.widths(same))
  end)
  it("may be any where a layer reads and makes a group, and others make it too", function()
    for _, order in ipairs {"forward", "backward", {"b", "a"}} do
      local net, report = by(order, nets.self_gated())
      assert.same({a = 3, b = 4, c = 3}, nets.widths(report))
      assert.same({4, 4, 1, 1}, net:layer "g".weight:shape())
      for _, l in ipairs(report.layers) do assert.is_true(l.error < 0.7, l.name) end
    end
  end)
  it("is refused where it names what is not there", function()
    for _, case in ipairs {{{"a", "q"}, "no group 'q' can be cut"}, {{"a", "b", "a"}, "'a' is listed twice"},
                           {function() return 3 end, "a list of names expected, got number"},
                           {function() error("mine", 0) end, "order: mine"}} do
      local ok, e = pcall(by, case[1])
      assert.is_false(ok)
      assert.matches(case[2], tostring(e))
    end
  end)
end)

describe("the recipes for VGG-16", function()
  -- Filters whose columns are alike: a third of the ranks is all there is.
  local function flatten(net)
    for _, layer in ipairs(net:layers()) do
      if layer.op == "Conv" then
        local s = layer.weight:shape()
        local mean = layer.weight:mean(4):reshape {s[1], s[2], s[3], 1}
        net:set(layer.name, lop.zeros(s) + mean, layer.bias)
      end
    end
    return net
  end

  -- What a recipe makes of a net of VGG-16's structure.
  local function run(name, ...)
    local path, model = nets.pictures(48, 32), os.tmpname()
    flatten(nets.vgg16()):save(model)
    local recipe = require("lop.recipe").load("recipes/" .. name .. ".lua", {
      {key = "model", value = model}, {key = "data", value = "npz:" .. path}, {key = "preprocess", value = "none"},
      {key = "images", value = "40"}, ...})
    recipe.model = nil
    recipe.layers = nil
    local net, report = lop.prune(lop.load(model), recipe)
    assert.same({1, 5}, net:forward(lop.zeros {1, 3, 32, 32}):shape())
    os.remove(path)
    os.remove(model)
    return report
  end

  it("keep the ratios of the paper", function()
    local report = run("vgg16", {key = "speedup", value = "2"})
    assert.equal(13, #report.layers)
    assert.is_true(report.speedup >= 2 and report.speedup < 2.2)
  end)

  it("prune and factor by one allocation", function()
    local report, cut = run("vgg16_3c", {key = "speedup", value = "3"}), {}
    for _, layer in ipairs(report.layers) do
      local kind = layer.kind or "width"
      cut[kind] = (cut[kind] or 0) + (layer.width_after < layer.width_before and 1 or 0)
    end
    assert.is_true(report.speedup >= 2.97 and report.speedup < 3.3, tostring(report.speedup))
    assert.is_true(cut.width > 0 and cut.rank + cut.channel > 0)
  end)
end)

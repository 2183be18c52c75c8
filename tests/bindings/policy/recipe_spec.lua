require "lop"                                                   -- tests/bindings/policy/recipe_spec.lua
local core = require "lop.core"
local recipe = require "lop.recipe"

local head = 'return {model = "m.onnx", calibrate = {data = "mnist:d"}, budget = {speedup = 2}'

describe("a recipe's code", function()
  local path, limits = os.tmpname(), recipe.limits
  setup(function()
    recipe.limits = {read = {steps = 100000, bytes = 8 << 20}, call = {steps = 200000, bytes = 4 << 20}}
  end)
  teardown(function()
    recipe.limits = limits
    os.remove(path)
  end)

  local function load_recipe(text, trust)
    core.system.write_file(path, text)
    return recipe.load(path, {}, trust)
  end
  local function refused(text)
    local ok, e = pcall(load_recipe, text)
    assert.is_false(ok, text)
    assert.equal("usage", e.code)
    return e.message
  end

  local steps = ":1: runs beyond 0 million instructions: a loop without an end?"
  local bytes = ": needs more than 8 MB of memory"
  local endless = {
    {"while true do end", steps}, {"local s = ('x'):rep(100000000)", bytes},
    {"local t = {} for i = 1, 1e9 do t[i] = i end", ":"}, {"local s = 'x' while true do s = s .. s end", bytes},
    {"while true do pcall(function() while true do end end) end", steps},
    {"for i = 1, 1e9 do pcall(string.rep, 'x', 1e8) end", bytes}, {"local function f() return f() end f()", steps},
    {"load('while true do end')()", "runs beyond"}, {"pcall(load('while true do end'))", "runs beyond"},
    {"local function f() return 1 + f() end f()", steps}, {"pcall(error, 'mine') error('yours')", ":1: yours"},
    {"error {}", "table: "}, {"error()", "nil"}, {"table.sort({3, 2, 1}, function() while true do end end)", steps},
    {"(''):gsub('', function() while true do end end)", steps}, {"return string.dump(print)", "nil"},
    {"io.write 'x'", "io is not open to recipes (--trust allows it)"}, {"os.exit()", "os is not open"},
  }
  for _, case in ipairs(endless) do
    it("ends: " .. case[1], function()
      local message = refused(case[1])
      assert.truthy(message:find(case[2], 1, true), message)
    end)
  end

  it("that it hands over stays within limits", function()
    local r = load_recipe(head .. [[, select = {method = function(n)
      if n == 0 then while true do end elseif n == 1 then return ("x"):rep(1e8) elseif n == 2 then error "mine" end
      return n, n + 1
    end}}]])
    local f = r.select.method
    assert.same({3, 4}, {f(3)})
    for n, text in pairs {[0] = ":2: runs beyond", [1] = ": needs more than 4 MB of memory", [2] = ":2: mine"} do
      local ok, e = pcall(f, n)
      assert.is_false(ok)
      assert.truthy(tostring(e):find(text, 1, true), tostring(e))
    end
    assert.same({3, 4}, {f(3)})
  end)
  it("may do what it likes with trust", function()
    local r = load_recipe("for i = 1, 1000000 do local _ = i end io.stdout:write '' " .. head .. "}", true)
    assert.equal("m.onnx", r.model)
  end)
  it("does not reach what is not its own", function()
    local texts = {"string.rep = nil", "table.concat = nil", "lop.arg = nil", "math.pi = 3", "lop.lambda.path = nil",
                   "print = 1"}
    for _, text in ipairs(texts) do load_recipe(text .. " " .. head .. "}") end
    assert.equal("xx", ("x"):rep(2))
    assert.equal("path", require "lop".lambda.path().kind)
    assert.is_function(print)
    assert.matches("nil value", refused "getmetatable('').__index.rep = nil")
  end)
end)

describe("core.limited", function()
  local plenty = {steps = 1000000, bytes = 1 << 20}
  it("is pcall within limits", function()
    assert.same({true, 1, nil, 3}, {core.limited(plenty, function(...) return ... end, 1, nil, 3)})
    assert.same({true}, {core.limited(plenty, function() end)})
    local mine = {}
    assert.same({false, mine}, {core.limited(plenty, error, mine)})
    assert.same({false, "not enough memory"}, {core.limited(plenty, string.rep, "x", 1 << 20)})
    local _, e = core.limited(plenty, function() while true do end end)
    assert.equal("limit", e.code)
    assert.matches("recipe_spec.lua:%d+: $", e.where)
  end)
  it("counts what is held, not what was given back", function()
    assert.is_true(core.limited(plenty, function()
      for _ = 1, 1000 do string.rep("x", 100000) end
    end))
  end)
  it("leaves hooks as they were, and nests", function()
    local function hook() end
    debug.sethook(hook, "", 12345)
    core.limited(plenty, function() end)
    core.limited(plenty, function() while true do end end)
    local now, mask, count = debug.gethook()
    debug.sethook()
    assert.same({hook, "", 12345}, {now, mask, count})
    local _, inner, e = core.limited({steps = 10000000, bytes = 1 << 20}, function()
      return core.limited({steps = 1000, bytes = 1 << 20}, function() while true do end end)
    end)
    assert.same({false, "limit"}, {inner, e.code})
  end)
  it("refuses limits of nothing", function()
    local cases = {{}, {steps = 0, bytes = 1}, {steps = 1, bytes = 0}, {steps = 1 << 40, bytes = 1}, {step = 1}}
    for _, wrong in ipairs(cases) do
      assert.is_false(pcall(core.limited, wrong, print))
    end
  end)
end)

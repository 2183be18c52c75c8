local lop = require "lop"                                       -- tests/bindings/program/repl_spec.lua
local pretty = require "lop.program.pretty"
local repl = require "lop.program.repl"

describe("repl.complete", function()
  local env = {lop = lop, print = print, t = lop.zeros {2}, path = {one = {two_a = 1, two_b = print}}, _G = {}, __x = 1}
  local cases = {
    {"pri", {"print"}}, {"whi", {"while"}}, {"p", {"path", "print"}}, {"lop.load_n", {"lop.load_npy", "lop.load_npz"}},
    {"t:na", {"t:narrow"}}, {"t.na", {"t.narrow"}}, {"path.one.t", {"path.one.two_a", "path.one.two_b"}},
    {"path.one:t", {"path.one:two_b"}}, {"nothing.x", {}}, {"nothing", {}}, {"lop.tensor.x", {}}, {"__", {"__x"}},
  }
  for _, case in ipairs(cases) do
    it("of " .. case[1], function() assert.same(case[2], repl.complete(case[1], env)) end)
  end
  it("calls nothing of the values it looks into", function()
    local trap = setmetatable({}, {__index = function() error "called" end})
    assert.same({}, repl.complete("trap.x", {trap = trap}))
    local ring = {}
    setmetatable(ring, {__index = ring})
    assert.same({}, repl.complete("ring.x", {ring = ring}))
  end)
end)

describe("repl.compile", function()
  it("takes expressions, with or without =, and statements", function()
    assert.equal(3, repl.compile("1 + 2")())
    assert.equal(3, repl.compile("= 1 + 2")())
    assert.is_function(repl.compile("local x = 1"))
    assert.same({1, 2}, {repl.compile("1, 2")()})
  end)
  it("tells what more lines could complete", function()
    for _, text in ipairs {"for i = 1, 2 do", "f(", "x = {", "2 +", "= (1", "function f()", "if a then", "[[x"} do
      local chunk, _, incomplete = repl.compile(text)
      assert.is_nil(chunk)
      assert.is_true(incomplete, text)
    end
    for _, text in ipairs {"x y", "end", "= )", "1 2"} do
      local chunk, message, incomplete = repl.compile(text)
      assert.is_nil(chunk)
      assert.is_false(incomplete, text)
      assert.matches("^stdin:1: ", message)
    end
  end)
end)

describe("pretty.value", function()
  it("sorts keys, quotes inner strings, marks what holds itself", function()
    local ring = {a = 1}
    ring.me = ring
    local cases = {
      {"plain", "plain"}, {12, "12"}, {nil, "nil"}, {{}, "{}"}, {{1, "x", {true}}, '{1, "x", {true}}'},
      {{b = 1, a = 2, [10] = 3, ["c d"] = "e\nf"}, '{[10] = 3, a = 2, b = 1, ["c d"] = "e\\nf"}'},
      {ring, "{a = 1, me = {... itself}}"}, {{{{{{1}}}}}, "{{{{{...}}}}}"},
    }
    for i, case in ipairs(cases) do assert.equal(case[2], pretty.value(case[1]), "case " .. i) end
    assert.equal(tostring(lop.ones {2}), pretty.value(lop.ones {2}))
  end)
  it("breaks long lines and cuts long texts", function()
    local wide = {}
    for i = 1, 30 do wide[i] = "entry " .. i end
    assert.matches('^{\n  "entry 1",\n  "entry 2",', pretty.value(wide))
    for i = 1, 1000 do wide[i] = i end
    local _, lines = pretty.value(wide):gsub("\n", "")
    assert.equal(40, lines)
    assert.matches("\n%.%.%. 962 more lines$", pretty.value(wide))
  end)
  it("calls no __index and no __pairs", function()
    local t = setmetatable({x = 1}, {__index = function() error "called" end, __pairs = function() error "called" end})
    assert.equal("{x = 1}", pretty.value(t))
  end)
end)

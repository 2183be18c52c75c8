local json = require "lop.json"                                 -- tests/bindings/program/json_spec.lua

describe("json.encode", function()
  it("writes each kind of value", function()
    local cases = {
      {nil, "null"}, {json.null, "null"}, {true, "true"}, {12, "12"}, {-3, "-3"},
      {math.mininteger, "-9223372036854775808"},
      {0.5, "0.5"}, {0.1, "0.10000000000000001"}, {3.0, "3"}, {1e300, "1.0000000000000001e+300"},
      {0 / 0, "null"}, {1 / 0, "null"}, {-1 / 0, "null"},
      {"a\"b\\c/\n\t\1\127", [["a\"b\\c/\n\t\u0001\u007f"]]},
      {"\u{e4}\u{1F600}", '"\u{e4}\u{1F600}"'}, {"\0", '"\\u0000"'}, {{}, "{}"}, {json.array {}, "[]"},
      {{1, {2}, "x"}, '[1,[2],"x"]'}, {{b = 1, a = {c = true}}, '{"a":{"c":true},"b":1}'},
      {{[10] = 1, [9] = 2, x = 3}, '{"10":1,"9":2,"x":3}'},
    }
    for i, case in ipairs(cases) do assert.equal(case[2], json.encode(case[1]), "case " .. i) end
  end)
  it("replaces bytes that are no UTF-8", function()
    local bad = "\u{FFFD}"
    assert.equal('"a' .. bad .. 'b"', json.encode "a\xffb")
    assert.equal('"' .. bad .. bad .. '"', json.encode "\xc3\xff")
    assert.equal('"x' .. bad .. '"', json.encode "x\xe2")
    assert.equal('"' .. bad .. bad .. bad .. '"', json.encode "\xed\xa0\x80")           -- a surrogate
  end)
  it("breaks lines when asked to be pretty", function()
    assert.equal('{\n  "a": [\n    1,\n    2\n  ],\n  "b": {},\n  "c": []\n}',
      json.encode({a = {1, 2}, b = {}, c = json.array {}}, {pretty = true}))
  end)
  it("keeps all digits of a number", function()
    for _, v in ipairs {0.1, 1 / 3, 5e-324, 1.7976931348623157e308, 2 ^ 53 + 2} do
      assert.equal(v, tonumber(json.encode(v)))
    end
  end)
  it("refuses what has no JSON", function()
    local ring = {}
    ring[1] = ring
    local cases = {
      {ring, "holds itself"}, {{print}, "a function cannot be written"}, {{[true] = 1}, "a key is a boolean"},
      {{["2"] = 1, [2] = 1}, "two keys are written '2'"},
    }
    for _, case in ipairs(cases) do
      local ok, e = pcall(json.encode, case[1])
      assert.is_false(ok)
      assert.matches(case[2], tostring(e))
    end
    local twice = {1}
    assert.equal("[[1],[1]]", json.encode {twice, twice})
  end)
end)

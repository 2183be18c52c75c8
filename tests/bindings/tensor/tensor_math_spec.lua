local lop = require "lop"                                       -- tests/bindings/tensor/tensor_math_spec.lua

local function message_of(f, ...)
  local ok, e = pcall(f, ...)
  assert.is_false(ok)
  return tostring(e)
end

-- Element i, j, k of nested tables, where a dimension of one stretches.
local function element(values, shape, at)
  local offset = #at - #shape
  for d = 1, #shape do values = values[shape[d] == 1 and 1 or at[offset + d]] end
  return values
end

describe("arithmetic", function()
  local operators = {
    {function(a, b) return a + b end}, {function(a, b) return a - b end},
    {function(a, b) return a * b end}, {function(a, b) return a / b end},
  }
  it("agrees with Lua's, element by element, over all ways to stretch", function()
    local shapes = {{}, {1}, {4}, {3, 1}, {3, 4}, {1, 4}, {2, 3, 4}, {2, 1, 1}, {1, 3, 1}}
    for i, sa in ipairs(shapes) do
      for j, sb in ipairs(shapes) do
        local a = lop.randn(sa, {seed = i, type = "float64"})
        local b = lop.randn(sb, {seed = 100 + j, type = "float64"})
        local ta, tb = a:totable(), b:totable()
        for _, op in ipairs(operators) do
          local y = op[1](a, b)
          local s = y:shape()
          for n = 0, y:size() - 1 do
            local at, rest = {}, n
            for d = #s, 1, -1 do at[d], rest = rest % s[d] + 1, rest // s[d] end
            assert.equal(op[1](element(ta, sa, at), element(tb, sb, at)), y:get(table.unpack(at)))
          end
        end
      end
    end
  end)
  it("takes numbers on either side, in the tensor's type", function()
    local t = lop.tensor {1, 2}
    assert.same({3, 4}, (t + 2):totable())
    assert.same({1, 0}, (2 - t):totable())
    assert.same({2, 1}, (2 / t):totable())
    assert.same({-1, -2}, (-t):totable())
    assert.equal("float32", (lop.ones(2) * 0.1):type())
    assert.equal(-math.huge, 1 / (-lop.zeros(1)):get(1))
  end)
  it("is float64 where one side is, float32 where one is and none is float64", function()
    local types = {
      {"float32", "float32", "float32"}, {"float32", "float64", "float64"}, {"uint8", "float32", "float32"},
      {"int64", "int64", "float64"}, {"uint8", "float64", "float64"},
    }
    for _, case in ipairs(types) do
      assert.equal(case[3], (lop.ones({2}, case[1]) + lop.ones({2}, case[2])):type())
      assert.equal(case[3], (lop.ones({2}, case[2]) + lop.ones({2}, case[1])):type())
    end
  end)
  it("refuses shapes that do not fit and what is no tensor", function()
    local _, e = pcall(function() return lop.zeros {2, 3} + lop.zeros {4} end)
    assert.equal("shape", e.code)
    assert.matches("tensor_math_spec.lua:%d+: tensor:__add: 2x3 and 4 do not fit: 3 and 4 in dimension 2", tostring(e))
    assert.matches("right: lop.tensor expected, got string", message_of(function() return lop.zeros(2) * "x" end))
    assert.matches("left: lop.tensor expected, got table", message_of(function() return {} - lop.zeros(2) end))
  end)
end)

describe("matmul", function()
  it("agrees with three loops", function()
    for seed, s in ipairs {{1, 1, 1}, {2, 3, 4}, {7, 1, 5}, {1, 17, 1}, {13, 16, 11}} do
      local m, k, n = table.unpack(s)
      local a = lop.randn({m, k}, {seed = seed, type = "float64"})
      local b = lop.randn({k, n}, {seed = seed + 50, type = "float64"})
      local y = a:matmul(b)
      local y32 = a:to("float32"):matmul(b:to("float32"))
      assert.equal("float32", y32:type())
      assert.equal("float64", a:to("float32"):matmul(b):type())
      for i = 1, m do
        for j = 1, n do
          local sum = 0
          for l = 1, k do sum = sum + a:get(i, l) * b:get(l, j) end
          assert.near(sum, y:get(i, j), 1e-12)
          assert.near(sum, y32:get(i, j), 1e-4)
        end
      end
    end
  end)
  it("takes vectors, as rows on the left and columns on the right", function()
    local a, v = lop.tensor {{1, 2}, {3, 4}}, lop.tensor {1, 10}
    assert.same({21, 43}, a:matmul(v):totable())
    assert.same({31, 42}, v:matmul(a):totable())
    assert.equal(101, v:matmul(v):totable())
    assert.same({{0, 0}}, lop.zeros({1, 0}):matmul(lop.zeros {0, 2}):totable())
  end)
  it("refuses what does not fit", function()
    local t = lop.zeros {2, 3}
    assert.matches("2x3 times 2x3: as many columns", message_of(t.matmul, t, t))
    assert.matches("matrices or vectors expected", message_of(t.matmul, lop.zeros {1, 2, 3}, lop.zeros {3}))
  end)
end)

describe("reductions", function()
  local t = lop.tensor {{3, 1, 2}, {6, 5, 9}}

  it("make a number of all elements", function()
    assert.equal(26, t:sum())
    assert.near(26 / 6, t:mean(), 1e-15)
    assert.equal(1, (t:min()))
    assert.same({9, 6}, {t:max()})
    assert.equal(6, t:argmax())
    assert.near(2.9439202887759, t:std(), 1e-12)                -- sqrt(sum (x - 13/3)^2 / 5), by hand
    assert.near(156 ^ 0.5, t:norm(), 1e-12)
  end)
  it("take a dimension away", function()
    assert.same({9, 6, 11}, t:sum(1):totable())
    assert.same({6, 20}, t:sum(2):totable())
    assert.same({6, 20}, t:sum(-1):totable())
    assert.same({4.5, 3, 5.5}, t:mean(1):totable())
    local least, places = t:min(2)
    assert.same({1, 5}, least:totable())
    assert.same({2, 2}, places:totable())
    assert.same({1, 3}, t:argmax(2):totable())
    assert.near(1, t:std(2):get(1), 1e-15)
    assert.equal("float32", lop.ones({2, 2}):sum(1):type())
    assert.equal("int64", lop.tensor({{1}}, "int64"):max(1):type())
  end)
  it("agree with sums over the middle of three dimensions", function()
    local x = lop.randn({2, 5, 3}, {seed = 1, type = "float64"})
    local y = x:sum(2)
    for i = 1, 2 do
      for k = 1, 3 do
        local sum = 0
        for j = 1, 5 do sum = sum + x:get(i, j, k) end
        assert.equal(sum, y:get(i, k))
      end
    end
  end)
  it("find the k largest, of equal ones the first", function()
    local v, places = lop.tensor({{1, 7, 7, 3}, {4, 3, 2, 1}}):topk(3)
    assert.same({{7, 7, 3}, {4, 3, 2}}, v:totable())
    assert.same({{2, 3, 4}, {1, 2, 3}}, places:totable())
    v = t:topk(1, 1)
    assert.same({{6, 5, 9}}, v:totable())
  end)
  it("let a NaN through", function()
    local x = lop.tensor {1, 0 / 0, 3}
    for _, v in ipairs {x:sum(), x:mean(), (x:min()), (x:max()), x:norm(), x:std()} do assert.is_true(v ~= v) end
    assert.equal(2, x:argmax())
    assert.equal(1e200, lop.tensor({1e200}):norm())
    assert.near(5e200, lop.tensor({3e200, 4e200}):norm(), 1e186)
  end)
  it("refuse an empty maximum, a wrong dimension, a k too large", function()
    assert.matches("tensor:max: there are no elements", message_of(function() lop.zeros({0}):max() end))
    assert.matches("tensor:sum: dim is 3, the tensor has 2", message_of(function() t:sum(3) end))
    assert.matches("k is 4, 1 to 3 expected", message_of(function() t:topk(4) end))
    assert.matches("the tensor is a scalar", message_of(function() lop.tensor(1):topk(1) end))
  end)
end)

describe("map", function()
  it("applies a function, keeps the type, and passes errors on", function()
    assert.same({1, 4, 9}, lop.tensor({1, 2, 3}):map(function(v) return v * v end):totable())
    assert.equal("float32", lop.ones(2):map(math.sqrt):type())
    assert.matches("f: number expected for element 1, got nil",
      message_of(function() lop.ones(2):map(function() end) end))
    assert.matches("mine", message_of(function() lop.ones(2):map(function() error "mine" end) end))
  end)
end)

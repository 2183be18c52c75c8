local lop = require "lop"                                       -- tests/bindings/tensor/tensor_spec.lua

local function message_of(f, ...)
  local ok, e = pcall(f, ...)
  assert.is_false(ok)
  return tostring(e)
end

describe("a tensor's elements", function()
  local t = lop.tensor {{1, 2, 3}, {4, 5, 6}}

  it("come from nested tables and go back to them", function()
    for _, values in ipairs {{1, 2.5}, {{1}, {2}}, {{{1, 2}, {3, 4}}, {{5, 6}, {7, 8}}}, {}} do
      assert.same(values, lop.tensor(values):totable())
    end
    assert.equal(7.5, lop.tensor(7.5):totable())
    assert.same({}, lop.tensor(7.5):shape())
  end)
  it("are float64 from tables, float32 from fills, unless said", function()
    assert.equal("float64", t:type())
    assert.equal("int32", lop.tensor({1}, "int32"):type())
    for _, made in ipairs {lop.zeros(2), lop.ones(2), lop.full(2, 1), lop.rand(2), lop.randn(2), lop.arange(2)} do
      assert.equal("float32", made:type())
    end
    assert.equal("float64", lop.zeros({2}, "float64"):type())
  end)
  it("are numbered from 1", function()
    assert.equal(1, t:get(1, 1))
    assert.equal(6, t:get(2, 3))
    local u = t:clone()
    assert.equal(u, u:set(9, 2, 1))
    assert.equal(9, u:get(2, 1))
    assert.equal(4, t:get(2, 1))
  end)
  it("have a shape, a size and a length", function()
    assert.same({2, 3}, t:shape())
    assert.equal(6, t:size())
    assert.equal(3, t:size(2))
    assert.equal(3, t:size(-1))
    assert.equal(2, #t)
    assert.same({0, 3}, lop.zeros({0, 3}):shape())
  end)
  it("that are integers come out as integers", function()
    local labels = lop.tensor({3, -4}, "int64")
    assert.equal("integer", math.type(labels:get(1)))
    assert.same({3, -4}, labels:totable())
    assert.same({1, 2}, lop.tensor({1.7, 2.2}):to("int32"):totable())
  end)
  it("refuse a place outside, too few, too many, or none at all", function()
    local cases = {
      {function() t:get(3, 1) end, "tensor:get: index is 3, 1 to 2 expected"},
      {function() t:get(0, 1) end, "tensor:get: index is 0, 1 to 2 expected"},
      {function() t:get(1) end, "tensor:get: 1 indices, the tensor has 2 dimensions"},
      {function() t:get(1, 1, 1) end, "3 indices"},
      {function() t:get(1, 1.5) end, "bad argument #2 to 'get' %(index: integer expected, got number%)"},
      {function() t:set("x", 1, 1) end, "bad argument #1 to 'set' %(value: number expected, got string%)"},
      {function() lop.tensor {{1, 2}, {3}} end, "lop.tensor: lists of 2 and of 1 entries in dimension 2"},
      {function() lop.tensor {{1, 2}, 3} end, "a list of 2 expected in dimension 2, got number"},
      {function() lop.tensor {1, "x"} end, "element 2: number expected, got string"},
      {function() lop.tensor "x" end, "bad argument #1 to 'tensor'"},
      {function() lop.zeros {2, -1} end, "shape: dimension 2 is %-1, 0 or more expected"},
      {function() lop.zeros {2, "x"} end, "shape: dimension 2: integer expected, got x"},
      {function() lop.zeros {1, 1, 1, 1, 1, 1, 1, 1, 1} end, "9 dimensions, at most 8 expected"},
      {function() lop.zeros({2}, "flot32") end, "unknown type 'flot32' %(did you mean 'float32'%?%)"},
      {function() lop.zeros {1 << 40, 1 << 40} end, "lop.zeros: "},
      {function() lop.arange(1, 2, 0) end, "has no end"},
      {function() lop.arange("x") end, "bad argument #1 to 'arange'"},
    }
    for _, case in ipairs(cases) do
      local message = message_of(case[1])
      assert.matches("^[^:]*tensor_spec.lua:%d+: ", message)
      assert.matches(case[2], message)
    end
  end)
end)

describe("a tensor's shape", function()
  local t = lop.tensor {{1, 2, 3}, {4, 5, 6}}

  it("changes over the same memory", function()
    local u = t:clone()
    local v = u:reshape(3, -1)
    assert.same({{1, 2}, {3, 4}, {5, 6}}, v:totable())
    v:set(0, 1, 1)
    assert.equal(0, u:get(1, 1))
    assert.same({6}, u:reshape {6}:shape())
  end)
  it("is cut by narrow and index, which copy", function()
    for dim, expected in ipairs {{{4, 5, 6}}, {{2, 3}, {5, 6}}} do
      local n = t:narrow(dim, 2, dim)
      assert.same(expected, n:totable())
      n:set(99, 1, 1)
      assert.same({{1, 2, 3}, {4, 5, 6}}, t:totable())
    end
    assert.same({{3, 1, 3}, {6, 4, 6}}, t:index(2, {3, 1, 3}):totable())
    assert.same({{4, 5, 6}}, t:index(1, lop.tensor({2}, "int64")):totable())
    assert.same({0, 3}, t:narrow(1, 3, 0):shape())
  end)
  it("is transposed, any two dimensions", function()
    assert.same({{1, 4}, {2, 5}, {3, 6}}, t:transpose():totable())
    local x = lop.arange(24):reshape(2, 3, 4)
    for a = 1, 3 do
      for b = 1, 3 do
        local y, at = x:transpose(a, b), {}
        for i = 1, 2 do
          for j = 1, 3 do
            for k = 1, 4 do
              at[1], at[2], at[3] = i, j, k
              at[a], at[b] = at[b], at[a]
              assert.equal(x:get(i, j, k), y:get(table.unpack(at)))
            end
          end
        end
      end
    end
  end)
  it("is refused where it does not fit", function()
    local cases = {
      {function() t:reshape(4, 4) end, "tensor:reshape: "},
      {function() t:reshape(-1, -1) end, "tensor:reshape: "},
      {function() t:reshape("x") end, "shape: entry 1: integer expected, got x"},
      {function() t:narrow(3, 1, 1) end, "dim is 3, the tensor has 2"},
      {function() t:narrow(1, 2, 2) end, "2 elements from 2 on, dimension 1 has 2"},
      {function() t:narrow(1, 1, -1) end, "%-1 elements"},
      {function() t:index(1, {1, 3}) end, "list: entry 2 is 3, 1 to 2 expected"},
      {function() t:index(1, 3) end, "bad argument #2 to 'index' %(list: list of integers expected, got number%)"},
      {function() t:transpose(0, 1) end, "dim is 0, the tensor has 2"},
      {function() t:transpose(1, 3) end, "dim is 3, the tensor has 2"},
      {function() lop.zeros({2, 2, 2}):transpose() end, "bad argument #1 to 'transpose'"},
    }
    for _, case in ipairs(cases) do
      assert.matches(case[2], message_of(case[1]))
    end
  end)
end)

describe("random tensors", function()
  it("are the same for a seed, and others in the next call", function()
    lop.seed(5)
    local a, b = lop.rand {100}, lop.rand {100}
    lop.seed(5)
    assert.is_true(lop.rand({100}):equal(a))
    assert.is_true(lop.rand({100}):equal(b))
    assert.is_false(a:equal(b))
    assert.is_true(lop.randn({9}, {seed = 3}):equal(lop.randn({9}, {seed = 3})))
    assert.is_false(lop.randn({9}, {seed = 3}):equal(lop.randn({9}, {seed = 4})))
  end)
  it("have the right range, mean and deviation", function()
    local n = 20000
    local u, g = lop.rand({n}, {seed = 1}), lop.randn({n}, {seed = 1, type = "float64"})
    assert.is_true(u:min() >= 0 and u:max() < 1)
    for i = 1, n do assert.equal(0, u:get(i) * 2 ^ 24 % 1) end  -- so that rounding to float32 gives no 1
    assert.near(0.5, u:mean(), 5 * 0.2887 / n ^ 0.5)            -- five deviations of the mean
    assert.near(0, g:mean(), 5 / n ^ 0.5)
    assert.near(1, g:std(), 5 / (2 * n) ^ 0.5)
  end)
  it("refuse unknown options and types", function()
    assert.matches("tensor_spec.lua:%d+: lop.rand: unknown option 'sed' %(did you mean 'seed'%?%)",
      message_of(function() lop.rand({2}, {sed = 1}) end))
    assert.matches("type is int32, float32 or float64 expected", message_of(lop.rand, {2}, "int32"))
  end)
end)

describe("files", function()
  local path = os.tmpname()
  teardown(function() os.remove(path) end)

  it(".npy keep type, shape and elements", function()
    for _, type in ipairs {"float32", "float64", "int64", "uint8", "bool"} do
      for _, shape in ipairs {{}, {3}, {2, 3, 4}, {0, 2}} do
        local t = lop.rand(shape, {seed = 2}):to(type)
        t:save_npy(path)
        assert.is_true(lop.load_npy(path):equal(t))
      end
    end
  end)
  it(".npz keep names and tensors", function()
    local a, b = lop.rand {2, 3}, lop.tensor({1, 2}, "int64")
    for _, deflate in ipairs {false, true} do
      lop.save_npz(path, {images = a, labels = b}, {deflate = deflate})
      local z = lop.load_npz(path)
      assert.is_true(z.images:equal(a))
      assert.is_true(z.labels:equal(b))
    end
    assert.matches("%[x%]: a name and a tensor expected", message_of(lop.save_npz, path, {x = 1}))
  end)
  it("that are not there raise an error object with code, message and line", function()
    local _, e = pcall(function() lop.load_npy("none/such.npy") end)
    assert.equal("notfound", e.code)
    assert.equal("lop.load_npy", e.what)
    assert.matches("none/such.npy", e.message)
    assert.matches("^[^:]*tensor_spec.lua:%d+: lop.load_npy: none/such.npy", tostring(e))
    assert.equal("so: " .. tostring(e), "so: " .. e)
    assert.matches("tensor_spec.lua:%d+: lop.load_npy: ", message_of(lop.load_npy, "none.npy"))     -- called by pcall
  end)
end)

describe("tostring", function()
  it("prints as PyTorch does", function()
    local cases = {
      {lop.tensor {{1, 2}, {3, 4.5}}, "tensor([[1.0000, 2.0000],\n        [3.0000, 4.5000]], 2x2 float64)"},
      {lop.tensor {1, -20, 3}, "tensor([  1., -20.,   3.], 3 float64)"},
      {lop.tensor {1e-9, 1e5}, "tensor([1.0000e-09, 1.0000e+05], 2 float64)"},
      {lop.tensor {0 / 0, 1 / 0, 1}, "tensor([nan, inf,  1.], 3 float64)"},
      {lop.tensor({1, 10}, "int64"), "tensor([ 1, 10], 2 int64)"},
      {lop.tensor({1, 0}, "bool"), "tensor([ true, false], 2 bool)"},
      {lop.tensor(2.5), "tensor(2.5000, scalar float64)"},
      {lop.zeros {0, 3}, "tensor([], 0x3 float32)"},
      {lop.zeros {2, 1, 2}, "tensor([[[0., 0.]],\n\n        [[0., 0.]]], 2x1x2 float32)"},
      {lop.arange(2000), "tensor([0.0000e+00, 1.0000e+00, 2.0000e+00, ..., 1.9970e+03, 1.9980e+03,\n" ..
        "        1.9990e+03], 2000 float32)"},
    }
    for _, case in ipairs(cases) do assert.equal(case[2], tostring(case[1])) end
  end)
  it("stays short for large tensors", function()
    assert.is_true(#tostring(lop.zeros {100, 100, 100}) < 2000)
    assert.is_true(#tostring(lop.zeros {4, 4, 4, 4, 4, 4, 4, 4}) < 20000)
  end)
end)

describe("a closed tensor", function()
  it("raises instead of reading what is gone", function()
    local kept
    do
      local t <close> = lop.zeros {3}
      kept = t
    end
    assert.matches("tensor:get: tensor: the tensor is closed", message_of(function() kept:get(1) end))
    assert.equal("tensor (closed)", tostring(kept))
    assert.has_error(function() return kept + 1 end)
    assert.has_error(function() lop.ones({3}):index(1, kept) end)
  end)
  it("may be the one that map works on", function()
    local t = lop.ones {4}
    local close = getmetatable(t).__close
    local y = t:map(function(v)
      close(t)
      return v + 1
    end)
    assert.same({2, 2, 2, 2}, y:totable())
  end)
end)

local lop = require "lop"                                       -- tests/bindings/tensor/functional_spec.lua

local function message_of(f, ...)
  local ok, e = pcall(f, ...)
  assert.is_false(ok)
  return tostring(e)
end

local function near(want, got, tolerance)
  assert.same(want:shape(), got:shape())
  local a, b = want:reshape {want:size()}:totable(), got:reshape {got:size()}:totable()
  for i = 1, #a do assert.near(a[i], b[i], (tolerance or 1e-5) * math.max(1, math.abs(a[i]))) end
end

-- fold(f, acc) over the entries of one window, given those inside the image and how many are outside of it.
local function windows(t, s, kernel, stride, pad, dilation, each)
  local oh = (s[3] + pad[1] + pad[3] - dilation[1] * (kernel[1] - 1) - 1) // stride[1] + 1
  local ow = (s[4] + pad[2] + pad[4] - dilation[2] * (kernel[2] - 1) - 1) // stride[2] + 1
  local planes = {}
  for image = 1, s[1] do
    planes[image] = {}
    for c = 1, s[2] do
      local plane = {}
      for oy = 1, oh do
        plane[oy] = {}
        for ox = 1, ow do
          local inside = {}
          for ky = 1, kernel[1] do
            for kx = 1, kernel[2] do
              local row = t[image][c][(oy - 1) * stride[1] - pad[1] + (ky - 1) * dilation[1] + 1]
              local v = row and row[(ox - 1) * stride[2] - pad[2] + (kx - 1) * dilation[2] + 1]
              inside[#inside + 1] = {ky = ky, kx = kx, v = v}
            end
          end
          plane[oy][ox] = each(inside)
        end
      end
      planes[image][c] = plane
    end
  end
  return planes
end

local function naive_conv(x, w, b, stride, pad, dilation, group)
  local s, k, t, filters = x:shape(), w:shape(), x:totable(), w:totable()
  local per, from = k[2], k[1] // group
  local out = {}
  for f = 1, k[1] do
    for c = 1, per do
      local channel = (f - 1) // from * per + c
      local single = {}
      for image = 1, s[1] do single[image] = {t[image][channel]} end
      local part = windows(single, {s[1], 1, s[3], s[4]}, {k[3], k[4]}, stride, pad, dilation, function(inside)
        local sum = 0
        for _, e in ipairs(inside) do sum = sum + (e.v or 0) * filters[f][c][e.ky][e.kx] end
        return sum
      end)
      for image = 1, s[1] do
        out[image] = out[image] or {}
        for y, row in ipairs(part[image][1]) do
          for at, v in ipairs(row) do
            out[image][f] = out[image][f] or {}
            out[image][f][y] = out[image][f][y] or {}
            out[image][f][y][at] = (out[image][f][y][at] or (b and b:get(f) or 0)) + v
          end
        end
      end
    end
  end
  return lop.tensor(out, "float32")
end

describe("lop.conv2d", function()
  local cases = {
    {{2, 3, 6, 5}, {4, 3, 3, 3}, {}}, {{1, 4, 7, 7}, {6, 2, 3, 2}, {group = 2, pad = 1, stride = {2, 1}}},
    {{3, 4, 9, 8}, {4, 1, 3, 3}, {group = 4, dilation = 2, pad = {2, 1}}},
    {{1, 2, 5, 6}, {3, 2, 1, 1}, {stride = 2}}, {{2, 2, 5, 5}, {2, 2, 2, 4}, {pad = {0, 1, 2, 3}}},
    {{1, 1, 1, 1}, {1, 1, 1, 1}, {}},
  }
  it("is what loops compute", function()
    for k, case in ipairs(cases) do
      local x, w, o = lop.randn(case[1], {seed = k}), lop.randn(case[2], {seed = 50 + k}), case[3]
      local b = k % 2 == 0 and lop.randn(case[2][1], {seed = 90 + k}) or nil
      local stride = type(o.stride) == "table" and o.stride or {o.stride or 1, o.stride or 1}
      local dilation = {o.dilation or 1, o.dilation or 1}
      local pad = type(o.pad) == "table" and o.pad or {o.pad or 0, o.pad or 0}
      if #pad == 2 then pad = {pad[1], pad[2], pad[1], pad[2]} end
      near(naive_conv(x, w, b, stride, pad, dilation, o.group or 1), lop.conv2d(x, w, b, o), 1e-4)
    end
  end)
  it("gives the same bytes for any number of threads", function()
    local x, w, threads = lop.randn({1, 16, 20, 20}), lop.randn({32, 16, 3, 3}), lop.threads()
    lop.threads(1)
    local one = lop.conv2d(x, w)
    lop.threads(3)
    assert.is_true(one:equal(lop.conv2d(x, w)))
    lop.threads(threads)
  end)
  it("names what is wrong, at the user's line", function()
    local x, w = lop.randn {1, 2, 5, 5}, lop.randn {3, 2, 3, 3}
    local wrong = {
      {x, w, nil, {stride = 0}, "stride is 0, 1 or more expected"}, {x, w, nil, {pad = -1}, "pad is %-1, 0 or more"},
      {x, w, nil, {stride = {1, 2, 3}}, "stride has 3 entries, 2 expected"},
      {x, w, nil, {strid = 1}, "unknown option 'strid' %(did you mean 'stride'%?%)"},
      {x, 5, nil, nil, "w: lop.tensor expected, got number"}, {x, w, 5, nil, "b: lop.tensor expected, got number"},
      {x, lop.randn {3, 3, 3, 3}, nil, nil, "input has 2 channels, weight takes 3"},
      {x:to "float64", w, nil, nil, "float64: float32 is what"}, {x, w, nil, {group = 1.5}, "group is 1.5"},
    }
    for _, case in ipairs(wrong) do
      local text = message_of(function() lop.conv2d(case[1], case[2], case[3], case[4]) end)
      assert.matches("functional_spec.lua:%d+: lop.conv2d: .*" .. case[5], text)
    end
  end)
end)

describe("pools", function()
  local x = lop.randn({2, 3, 7, 6}, {seed = 4})
  local cases = {{{2, 2}, {2, 2}, {0, 0, 0, 0}}, {{3, 2}, {1, 2}, {1, 1, 1, 1}}, {{3, 3}, {2, 1}, {1, 0, 0, 1}}}
  local function reduce(case, each)
    return lop.tensor(windows(x:totable(), x:shape(), case[1], case[2], case[3], {1, 1}, each), "float32")
  end
  it("are what loops compute", function()
    for _, case in ipairs(cases) do
      local opts = {stride = case[2], pad = case[3]}
      near(reduce(case, function(inside)
        local most = -math.huge
        for _, e in ipairs(inside) do most = math.max(most, e.v or most) end
        return most
      end), lop.max_pool2d(x, case[1], opts))
      for _, count_pad in ipairs {false, true} do
        opts.count_pad = count_pad
        near(reduce(case, function(inside)
          local sum, count = 0, 0
          for _, e in ipairs(inside) do
            sum, count = sum + (e.v or 0), count + ((e.v or count_pad) and 1 or 0)
          end
          return sum / count
        end), lop.avg_pool2d(x, case[1], opts))
      end
    end
  end)
  it("step by their kernel unless said", function()
    assert.same({2, 3, 3, 2}, lop.max_pool2d(x, {2, 3}):shape())
    assert.same({2, 3, 4, 2}, lop.avg_pool2d(x, {2, 3}, {ceil = true}):shape())
    near(x:reshape {2, 3, 42}:mean(3):reshape {2, 3, 1, 1}, lop.global_avg_pool(x))
    assert.matches("lop.max_pool2d: kernel is missing", message_of(function() lop.max_pool2d(x) end))
  end)
end)

describe("functions of elements and rows", function()
  local x = lop.randn({4, 5}, {seed = 7})
  it("are their definitions", function()
    near(x:map(function(v) return math.max(v, 0) end), lop.relu(x))
    local e = x:map(math.exp)
    near(e / e:sum(2):reshape {4, 1}, lop.softmax(x))
    near(e / e:sum(1):reshape {1, 5}, lop.softmax(x, 1))
    local w, b = lop.randn({3, 5}, {seed = 8}), lop.randn(3, {seed = 9})
    near(x:matmul(w:transpose(1, 2)), lop.linear(x, w))
    near(x:matmul(w:transpose(1, 2)) + b:reshape {1, 3}, lop.linear(x, w, b))
  end)
  it("normalise by channel", function()
    local image = lop.randn({2, 3, 2, 2}, {seed = 1})
    local p = {lop.tensor({1, -2, 0.5}, "float32"), lop.tensor({0, 1, 2}, "float32"),
               lop.tensor({0.1, 0.2, 0.3}, "float32"), lop.tensor({1, 4, 0.25}, "float32")}
    local t = {}
    for k, v in ipairs(p) do t[k] = v:reshape {1, 3, 1, 1} end
    local want = (image - t[3]) / (t[4] + 0.01):map(math.sqrt) * t[1] + t[2]
    near(want, lop.batch_norm(image, p[1], p[2], p[3], p[4], {epsilon = 0.01}))
    local text = message_of(function() lop.batch_norm(image, p[1], p[2], p[3]) end)
    assert.matches("lop.batch_norm: var: lop.tensor", text)
  end)
  it("refuse dimensions that are not there", function()
    for _, dim in ipairs {0, 3, -3} do
      local text = message_of(function() lop.softmax(x, dim) end)
      assert.is_truthy(text:find("lop.softmax: dim is " .. dim, 1, true))
    end
  end)
end)

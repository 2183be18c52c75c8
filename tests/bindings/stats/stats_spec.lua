local lop = require "lop"                                       -- tests/bindings/stats/stats_spec.lua
local layer = dofile "tests/bindings/layer.lua"

local function message_of(f, ...)
  local ok, e = pcall(f, ...)
  assert.is_false(ok)
  return tostring(e)
end

-- The largest difference of two tensors over the largest entry of the second.
local function apart(a, b)
  assert.same(b:shape(), a:shape())
  return (a - b):map(math.abs):reshape {a:size()}:max(1):get() / b:map(math.abs):reshape {b:size()}:max(1):get()
end

-- Patches of every position, channel by channel, and a 1: float64 (images * oh * ow, c kh kw + 1).
local function patches(x, kernel, pad)
  local t, rows = x:totable(), {}
  local s = x:shape()
  for image = 1, s[1] do
    for top = 1 - pad, s[3] + pad - kernel + 1 do
      for left = 1 - pad, s[4] + pad - kernel + 1 do
        local row = {}
        for c = 1, s[2] do
          for i = top, top + kernel - 1 do
            for j = left, left + kernel - 1 do row[#row + 1] = (t[image][c][i] or {})[j] or 0 end
          end
        end
        row[#row + 1] = 1
        rows[#rows + 1] = row
      end
    end
  end
  return lop.tensor(rows)
end

local function flat(y)                  -- (images, n, h, w) to (images * h * w, n), float64
  local s = y:shape()
  return y:to("float64"):reshape {s[1], s[2], s[3] * s[4]}:transpose(2, 3):reshape {s[1] * s[3] * s[4], s[2]}
end

describe("lop.stats", function()
  it("sums what materialised patches give by matmul", function()
    local x, y = lop.randn({3, 4, 6, 5}, {seed = 1}), lop.randn({3, 2, 6, 5}, {seed = 2})
    local s = lop.stats(4, 9, 2, {kernel = {3, 3}})
    s:add(x, y, {pad = {1, 1, 1, 1}, positions = 1000})
    local X, Y = patches(x, 3, 1), flat(y)
    assert.is_true(apart(s:gram(), X:transpose(1, 2):matmul(X)) < 1e-12)
    assert.is_true(apart(s:cross(), X:transpose(1, 2):matmul(Y)) < 1e-12)
    assert.is_true(apart(s:energy(), (Y * Y):sum(1)) < 1e-12)
    assert.equal(90, s.rows)
    assert.equal("integer", math.type(s.rows))
    assert.same({4, 9, 2, {3, 3}}, {s.channels, s.taps, s.filters, s.kernel})
    assert.equal("lop.stats (90 rows, 4 channels x 9 taps, 2 filters)", tostring(s))
  end)
  it("knows the share of zeros of each channel", function()
    local s, x = layer.stats(1, 6, 2, 3, 50)
    local t = x:totable()
    for c = 1, 6 do
      local zeros = 0
      for r = 1, 50 do
        for k = 1, 2 do zeros = zeros + (t[r][c][1][k] == 0 and 1 or 0) end
      end
      assert.near(zeros / 100, s:zeros():get(c), 1e-12)
    end
  end)
  it("gives the LASSO's sums: those of Z_i = X_i W_i^T, centred", function()
    local s, x, y, w = layer.stats(2, 5, 3, 4, 60)
    local columns = {}
    local Y = flat(y) - flat(y):mean(1)
    for c = 1, 5 do
      local X = x:narrow(2, c, 1):to("float64"):reshape {60, 3}
      local W = w:narrow(2, c, 1):to("float64"):reshape {4, 3}
      columns[c] = ((X - X:mean(1)):matmul(W:transpose(1, 2))):reshape {240}
    end
    local gram, cross, energy = s:lasso_gram()
    for i = 1, 5 do
      for j = 1, 5 do assert.near((columns[i] * columns[j]):sum(1):get(), gram:get(i, j), 1e-9) end
      assert.near((columns[i] * Y:reshape {240}):sum(1):get(), cross:get(i), 1e-9)
    end
    assert.near((Y * Y):sum(1):sum(1):get(), energy, 1e-9)
  end)
  it("merges: two halves are the whole", function()
    local x, y, w = layer.rows(3, 4, 2, 3, 80)
    local whole, a, b = lop.stats(4, 2, 3), lop.stats(4, 2, 3), lop.stats(4, 2, 3)
    whole:add(x, y)
    a:add(x:narrow(1, 1, 32), y:narrow(1, 1, 32))
    b:add(x:narrow(1, 33, 48), y:narrow(1, 33, 48))
    assert.equal(a, a:merge(b))
    assert.is_true(apart(a:gram(), whole:gram()) < 1e-14)
    assert.equal(80, a.rows)
    assert.same(whole:select(2, {weight = w}), a:select(2, {weight = w}))
    assert.matches("2x2x3", message_of(a.merge, a, lop.stats(2, 2, 3)))
  end)
  it("is saved and loaded with what it is about", function()
    local path = os.tmpname()
    local scale = lop.tensor {1, 5, 2, 4}
    local s, _, _, w = layer.stats(4, 4, 2, 3, 40, {bn_scale = scale, bias = lop.ones(3)})
    s:save(path)
    local t = lop.stats.load(path)
    assert.is_true(t:gram():equal(s:gram()))
    assert.is_true(t.weight:equal(w))
    assert.same({{1, 2}, 4, 40}, {t.kernel, t.channels, t.rows})
    assert.same({2, 4}, lop.select(t, 2, {method = "bn-scale"}).channels)
    assert.same(lop.select(s, 2).channels, lop.select(t, 2).channels)
    lop.save_npz(path, {gram = lop.ones {2, 2}})
    assert.matches(path .. ": array 'size'", message_of(lop.stats.load, path), 1, true)
    os.remove(path)
    assert.matches("no such file", message_of(lop.stats.load, path))
  end)
  it("refuses what does not fit, and says where", function()
    local text = message_of(function() lop.stats(2, 9, 2, {kernel = {2, 3}}) end)
    assert.matches("stats_spec.lua:%d+: lop.stats: kernel: two sizes", text)
    assert.matches("did you mean 'weight'", message_of(function() lop.stats(2, 9, 2, {wieght = lop.ones(1)}) end))
    local s = lop.stats(2, 1, 2)
    assert.matches("no rows were added", message_of(function() s:zeros() end))
    assert.matches("weight: the layer's filters are missing", message_of(function() s:select(1) end))
    s:close()
    assert.matches("stats: closed", message_of(function() s:gram() end))
    assert.equal("lop.stats (closed)", tostring(s))
  end)
end)

describe("lop.sample", function()
  local net = lop.load "recipes/models/digits-vgg/model.onnx"
  local set = lop.data("mnist:recipes/data/digits", {preprocess = "unit"}):take(24, 1)
  local name = "/features/features.7/Conv"
  it("sums all positions where so many are asked for", function()
    local s = lop.sample(net, name, set, {positions = 1 << 20})
    local l = net:layer(name)
    local x, y = net:forward(set:batch(1, 24), {want = {l.inputs[1].name, l.outputs[1].name}})
    local X = patches(x, 3, 1)
    assert.equal(X:shape()[1], s.rows)
    assert.is_true(apart(s:gram(), X:transpose(1, 2):matmul(X)) < 1e-12)
    assert.is_true(apart(s:cross(), X:transpose(1, 2):matmul(flat(y))) < 1e-12)
    assert.same({name, {3, 3}}, {s.layer, s.kernel})
  end)
  it("knows weights and the producer's filters, and holds images out", function()
    local s = lop.sample(net, name, set, {images = 20, positions = 5, holdout = 4, seed = 3})
    assert.same({80, 20}, {s.rows, s.held.rows})
    assert.is_true(s.weight:equal(net:layer(name).weight))
    assert.is_true(s.producer:equal(net:layer("/features/features.3/Conv").weight))
    local _, _, _, held_error = lop.reconstruct(s, lop.select(s, 10))
    assert.equal("number", type(held_error))
    local other = lop.sample(net, name, set, {images = 20, positions = 5, holdout = 4, seed = 4})
    assert.is_false(s:gram():equal(other:gram()))
  end)
  it("takes the target from another net", function()
    local other = net:clone()
    local l = other:layer(name)
    other:set(name, l.weight * 2, l.bias * 2)
    local a = lop.sample(net, name, set, {positions = 7})
    local b = lop.sample(net, name, set, {positions = 7, target = other})
    assert.is_true(a:gram():equal(b:gram()))
    assert.is_true(apart(b:cross(), a:cross() * 2) < 1e-6)
    assert.is_true(apart(b:energy(), a:energy() * 4) < 1e-6)
  end)
  it("finds the scales of a batch normalisation, folded or not", function()
    local path = layer.pictures(12)
    local concat, data = layer.concat_net(), lop.data("npz:" .. path, {preprocess = "none"})
    assert.is_nil(lop.sample(concat, "tail", data).bn_scale)            -- it reads two groups
    assert.is_nil(lop.sample(concat, "left", data).bn_scale)            -- none stands before it
    os.remove(path)
  end)
  it("names what is wrong", function()
    local cases = {
      {net, "nope", set, {}, "no layer 'nope'"}, {net, 5, set, {}, "layer: string expected, got number"},
      {5, name, set, {}, "net: lop.net expected, got number"}, {net, name, 5, {}, "set: lop.data expected, got number"},
      {net, name, set, {imges = 1}, "unknown option 'imges' %(did you mean 'images'%?%)"},
      {net, name, set, {images = 0}, "images is 0, 1 or more expected"},
      {net, name, set, {holdout = 24}, "holdout is 24, 1 to 23 expected"},
      {net, name, set, {positions = 1.5}, "positions is 1.5, 1 or more expected"},
      {net, "/features/features.2/Relu", set, {}, "%(Relu%): a convolution, a Gemm or a MatMul"},
    }
    for _, case in ipairs(cases) do
      local text = message_of(function() lop.sample(case[1], case[2], case[3], case[4]) end)
      assert.matches("stats_spec.lua:%d+: lop.sample: .*" .. case[5], text)
    end
  end)
end)

describe("the README's script", function()
  it("runs as it stands, and leaves a net that is smaller and almost the same", function()
    local file = assert(io.open "README.md")
    local script = file:read "a":match "## From Lua.-```lua\n(.-)```"
    file:close()
    local path, printed = os.tmpname(), {}
    local env = setmetatable({print = function(v) printed[#printed + 1] = tostring(v) end}, {__index = _G})
    assert(load(script:gsub("smaller%.onnx", path), "README.md", "t", env))()
    local net, smaller = lop.load "recipes/models/digits-vgg/model.onnx", lop.load(path)
    os.remove(path)
    assert.is_true(smaller:macs() < net:macs())
    assert.matches("^lop.choice %(12 of 24 channels by lasso%-alternating, error 0%.0%d+%)", printed[1])
    assert.is_true(tonumber(printed[2]) < tonumber(printed[1]:match "error ([%d.]+)"))
    local x = lop.data("mnist:recipes/data/digits", {preprocess = "unit", split = "test"}):batch(1, 100)
    local a, b = net:forward(x):argmax(2):totable(), smaller:forward(x):argmax(2):totable()
    local same = 0
    for i = 1, 100 do same = same + (a[i] == b[i] and 1 or 0) end
    assert.is_true(same >= 97)
  end)
end)

local lop = require "lop"                                       -- tests/bindings/masks_spec.lua
local layer = dofile "tests/bindings/layer.lua"

local function message_of(f, ...)
  local ok, e = pcall(f, ...)
  assert.is_false(ok)
  return tostring(e)
end

-- The statistics of one filter of the rows of layer.rows.
local function alone(x, y, w, f)
  local s = x:shape()
  local one = lop.stats(s[2], s[4], 1, {kernel = {1, s[4]}, weight = w:index(1, {f})})
  one:add(x, y:index(2, {f}))
  return one
end

describe("stats:mask", function()
  it("has for each filter the channels that are chosen for it alone", function()
    local stats, x, y, w = layer.stats(3, 9, 4, 5, 300)
    for _, method in ipairs {"elimination", "lasso", "l2"} do
      local mask = stats:mask(4, {method = method})
      assert.equal("uint8", mask:type())
      assert.same({5, 9}, mask:shape())
      for f, row in ipairs(mask:totable()) do
        local wanted = {}
        for i = 1, 9 do wanted[i] = 0 end
        for _, i in ipairs((alone(x, y, w, f):select(4, {method = method}))) do wanted[i] = 1 end
        assert.same(wanted, row)
      end
    end
  end)
  it("draws anew for each filter, by the seed", function()
    local stats = layer.stats(4, 12, 1, 20, 100)
    local function text(seed)
      return table.concat(stats:mask(6, {method = "random", seed = seed}):reshape({240}):totable())
    end
    assert.equal(text(1), text(1))
    assert.not_equal(text(1), text(2))
    assert.not_equal(text(1):sub(1, 12), text(1):sub(13, 24))
  end)
  it("names the filter where a width cannot be had", function()
    local stats = layer.stats(3, 9, 4, 5, 300)
    assert.matches("filter #0: width = 10: 1 to 9 expected", message_of(function() stats:mask(10) end))
  end)
end)

describe("stats:reconstruct_mask", function()
  it("solves each filter on its own channels", function()
    local stats, x, y, w = layer.stats(5, 8, 2, 6, 400)
    local mask = stats:mask(3)
    local weight, bias = stats:reconstruct_mask(mask, {ridge = 0})
    assert.same(w:shape(), weight:shape())
    for f, row in ipairs(mask:totable()) do
      local kept, others = {}, {}
      for i, one in ipairs(row) do table.insert(one == 1 and kept or others, i) end
      local own, own_bias = alone(x, y, w, f):reconstruct(kept, {ridge = 0})
      assert.is_true((weight:index(1, {f}):index(2, kept) - own):norm() < 1e-5)
      assert.equal(0, weight:index(1, {f}):index(2, others):norm())
      assert.near(own_bias:get(1), bias:get(f), 1e-5)
    end
  end)
  it("has less error than one set for all filters, and takes a bias that stays", function()
    local stats, _, _, w = layer.stats(6, 10, 1, 12, 500)
    local _, _, own = stats:reconstruct_mask(stats:mask(4), {ridge = 0})
    local _, _, shared = stats:reconstruct((stats:select(4)), {ridge = 0})
    assert.is_true(own < shared)
    local bias = lop.full({12}, 0.25)
    local _, stays = stats:reconstruct_mask(stats:mask(4), {weight = w, bias = bias})
    assert.equal(0, (stays - bias):norm())
  end)
  it("takes a mask of the layer only", function()
    local stats = layer.stats(5, 8, 2, 6, 100)
    assert.matches("mask: uint8 6x8 expected", message_of(function() stats:reconstruct_mask(lop.zeros {6, 8}) end))
    assert.matches("mask: uint8 6x8 expected", message_of(function()
      stats:reconstruct_mask(lop.zeros({6, 7}, "uint8"))
    end))
  end)
end)

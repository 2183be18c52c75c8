-- bindings/lua/lop/zoo/inception.lua - GoogLeNet: Szegedy et al., CVPR 2015, with batch norms and, as torchvision and
-- the TensorFlow original it took over have it, 3x3 where the paper says 5x5; Inception v3: Szegedy et al., CVPR 2016.
-- Both without the auxiliary classifiers, which only training needs.

local blocks = require "lop.zoo.blocks"
local nn = require "lop.nn"

-- ---- GoogLeNet ----

local function cbr(x, name, filters, kernel, opts)
  local own = {epsilon = 1e-3}
  for key, v in pairs(opts or {}) do own[key] = v end
  return blocks.conv_bn_relu(x, name, filters, kernel, own)
end

-- Widths: 1x1; before and of the first 3x3; before and of the second; behind the pooling.
local function inception(x, name, widths)
  local at = name .. ".branch"
  local a = cbr(x, at .. "1", widths[1], 1)
  local b = cbr(cbr(x, at .. "2.0", widths[2], 1), at .. "2.1", widths[3], 3, {pad = 1})
  local c = cbr(cbr(x, at .. "3.0", widths[4], 1), at .. "3.1", widths[5], 3, {pad = 1})
  local d = cbr(x:pool(3, {stride = 1, pad = 1, name = at .. "4.0"}), at .. "4.1", widths[6], 1)
  return nn.concat(a, b, c, d, {name = name})
end

local GOOGLENET = {
  {{"3a", 64, 96, 128, 16, 32, 32}, {"3b", 128, 128, 192, 32, 96, 64}},
  {{"4a", 192, 96, 208, 16, 48, 64}, {"4b", 160, 112, 224, 24, 64, 64}, {"4c", 128, 128, 256, 24, 64, 64},
   {"4d", 112, 144, 288, 32, 64, 64}, {"4e", 256, 160, 320, 32, 128, 128}},
  {{"5a", 256, 160, 320, 32, 128, 128}, {"5b", 384, 192, 384, 48, 128, 128}},
}

local function googlenet(x, classes)
  x = cbr(x, "conv1", 64, 7, {stride = 2, pad = 3}):pool(3, {stride = 2, ceil = true, name = "maxpool1"})
  x = cbr(cbr(x, "conv2", 64, 1), "conv3", 192, 3, {pad = 1}):pool(3, {stride = 2, ceil = true, name = "maxpool2"})
  for s, stage in ipairs(GOOGLENET) do
    for _, block in ipairs(stage) do x = inception(x, "inception" .. block[1], table.move(block, 2, 7, 1, {})) end
    if s < #GOOGLENET then
      x = x:pool(s == 1 and 3 or 2, {stride = 2, ceil = true, name = "maxpool" .. s + 2})
    end
  end
  return blocks.classify(x, "fc", classes)
end

-- ---- Inception v3 ----

local ROW, COLUMN = {1, 7}, {7, 1}

local function same(x, name, filters, kernel) return cbr(x, name, filters, kernel, {pad = "same"}) end

local function halve(x, name, filters) return cbr(x, name, filters, 3, {stride = 2}) end

local function pooled(x, at, filters)
  return same(x:pool(3, {kind = "avg", stride = 1, pad = 1, count_pad = true, name = at .. ".avgpool"}),
              at .. ".branch_pool", filters, 1)
end

local function mixed_a(x, at, behind_pool)
  local a = same(x, at .. ".branch1x1", 64, 1)
  local b = same(same(x, at .. ".branch5x5_1", 48, 1), at .. ".branch5x5_2", 64, 5)
  local c = same(same(x, at .. ".branch3x3dbl_1", 64, 1), at .. ".branch3x3dbl_2", 96, 3)
  c = same(c, at .. ".branch3x3dbl_3", 96, 3)
  return nn.concat(a, b, c, pooled(x, at, behind_pool), {name = at})
end

local function mixed_b(x, at)
  local b = same(same(x, at .. ".branch3x3dbl_1", 64, 1), at .. ".branch3x3dbl_2", 96, 3)
  return nn.concat(halve(x, at .. ".branch3x3", 384), halve(b, at .. ".branch3x3dbl_3", 96),
                   x:pool(3, {stride = 2, name = at .. ".maxpool"}), {name = at})
end

local function mixed_c(x, at, inner)
  local function chain(name, kernels)
    local y = same(x, ("%s.%s_1"):format(at, name), inner, 1)
    for i, kernel in ipairs(kernels) do
      y = same(y, ("%s.%s_%d"):format(at, name, i + 1), i == #kernels and 192 or inner, kernel)
    end
    return y
  end
  return nn.concat(same(x, at .. ".branch1x1", 192, 1), chain("branch7x7", {ROW, COLUMN}),
                   chain("branch7x7dbl", {COLUMN, ROW, COLUMN, ROW}), pooled(x, at, 192), {name = at})
end

local function mixed_d(x, at)
  local a = halve(same(x, at .. ".branch3x3_1", 192, 1), at .. ".branch3x3_2", 320)
  local b = same(same(x, at .. ".branch7x7x3_1", 192, 1), at .. ".branch7x7x3_2", 192, ROW)
  b = halve(same(b, at .. ".branch7x7x3_3", 192, COLUMN), at .. ".branch7x7x3_4", 192)
  return nn.concat(a, b, x:pool(3, {stride = 2, name = at .. ".maxpool"}), {name = at})
end

local function mixed_e(x, at)
  local function fork(y, name)
    return nn.concat(same(y, at .. name .. "a", 384, {1, 3}), same(y, at .. name .. "b", 384, {3, 1}),
                     {name = at .. name})
  end
  local b = fork(same(x, at .. ".branch3x3_1", 384, 1), ".branch3x3_2")
  local c = same(same(x, at .. ".branch3x3dbl_1", 448, 1), at .. ".branch3x3dbl_2", 384, 3)
  return nn.concat(same(x, at .. ".branch1x1", 320, 1), b, fork(c, ".branch3x3dbl_3"), pooled(x, at, 192), {name = at})
end

local function inception_v3(x, classes)
  x = cbr(halve(x, "Conv2d_1a_3x3", 32), "Conv2d_2a_3x3", 32, 3)
  x = same(x, "Conv2d_2b_3x3", 64, 3):pool(3, {stride = 2, name = "maxpool1"})
  x = cbr(cbr(x, "Conv2d_3b_1x1", 80, 1), "Conv2d_4a_3x3", 192, 3):pool(3, {stride = 2, name = "maxpool2"})
  for i, width in ipairs {32, 64, 64} do x = mixed_a(x, "Mixed_5" .. ("bcd"):sub(i, i), width) end
  x = mixed_b(x, "Mixed_6a")
  for i, inner in ipairs {128, 160, 160, 192} do x = mixed_c(x, "Mixed_6" .. ("bcde"):sub(i, i), inner) end
  x = mixed_d(x, "Mixed_7a")
  for i = 1, 2 do x = mixed_e(x, "Mixed_7" .. ("bc"):sub(i, i)) end
  return blocks.classify(x, "fc", classes)
end

return {
  {name = "googlenet", summary = "Concat of 1x1, two 3x3 and a pooling, with batch norms (2015)", build = googlenet},
  {name = "inception_v3", summary = "Concat of longer branches, 7x7 as 1x7 and 7x1 (2016)", size = 299,
   build = inception_v3},
}

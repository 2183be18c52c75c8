-- bindings/lua/lop/zoo/mobilenet.lua - MobileNet v1: Howard et al., arXiv 1704.04861; v2: Sandler et al., CVPR 2018.

local blocks = require "lop.zoo.blocks"

-- Filters and stride of each separable convolution.
local V1 = {{64, 1}, {128, 2}, {128, 1}, {256, 2}, {256, 1}, {512, 2}, {512, 1}, {512, 1}, {512, 1}, {512, 1}, {512, 1},
            {1024, 2}, {1024, 1}}

local function mobilenet_v1(x, classes)
  x = blocks.conv_bn_relu(x, "conv1", 32, 3, {stride = 2, pad = 1})
  for i, layer in ipairs(V1) do
    local at = "block" .. i
    x = blocks.conv_bn_relu(x, at .. ".depthwise", x.shape[1], 3, {stride = layer[2], pad = 1, group = x.shape[1]})
    x = blocks.conv_bn_relu(x, at .. ".pointwise", layer[1], 1)
  end
  return blocks.classify(x, "fc", classes)
end

-- Expansion, channels, blocks, stride of the first.
local V2 = {{1, 16, 1, 1}, {6, 24, 2, 2}, {6, 32, 3, 2}, {6, 64, 4, 2}, {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}}

local function bounded(x, at, filters, kernel, opts)
  return blocks.conv_bn(x, {at .. ".0", at .. ".1"}, filters, kernel, opts):relu6 {name = at .. ".2"}
end

local function inverted(x, expansion, filters, stride, at)
  local y, hidden, i = x, x.shape[1] * expansion, 0
  if expansion > 1 then
    y = bounded(y, at .. ".conv.0", hidden, 1)
    i = 1
  end
  y = bounded(y, ("%s.conv.%d"):format(at, i), hidden, 3, {stride = stride, pad = 1, group = hidden})
  y = blocks.conv_bn(y, {("%s.conv.%d"):format(at, i + 1), ("%s.conv.%d"):format(at, i + 2)}, filters, 1)
  if stride > 1 or x.shape[1] ~= filters then return y end
  return x:add(y, {name = at .. ".add"})
end

local function mobilenet_v2(x, classes)
  x = bounded(x, "features.0", 32, 3, {stride = 2, pad = 1})
  local block = 0
  for _, stage in ipairs(V2) do
    for i = 1, stage[3] do
      block = block + 1
      x = inverted(x, stage[1], stage[2], i == 1 and stage[4] or 1, "features." .. block)
    end
  end
  x = bounded(x, "features.18", 1280, 1)
  return blocks.classify(x, "classifier.1", classes)
end

return {
  {name = "mobilenet_v1", summary = "depthwise and 1x1 convolutions in a chain (2017)", build = mobilenet_v1},
  {name = "mobilenet_v2", summary = "inverted residuals, ReLU6 (2018)", build = mobilenet_v2},
}

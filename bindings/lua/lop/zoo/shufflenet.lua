-- bindings/lua/lop/zoo/shufflenet.lua - ShuffleNet v2 1x: Ma et al., ECCV 2018. Half of the channels pass a block as
-- they are, then the halves are shuffled.

local blocks = require "lop.zoo.blocks"
local nn = require "lop.nn"

local STAGES = {{116, 4}, {232, 8}, {464, 4}}

local function depthwise(x, at, stride)
  return blocks.conv_bn(x, at, x.shape[1], 3, {stride = stride, pad = 1, group = x.shape[1]})
end

local function branch(x, at, half, stride)
  local y = blocks.conv_bn_relu(x, at .. ".1", half, 1)
  return blocks.conv_bn_relu(depthwise(y, at .. ".2", stride), at .. ".3", half, 1)
end

local function block(x, at, filters, stride)
  local left, right
  if stride == 1 then
    left, right = x:split(2, {name = at .. ".split"})
  else
    right = x
    left = blocks.conv_bn_relu(depthwise(x, at .. ".branch1.1", stride), at .. ".branch1.2", filters // 2, 1)
  end
  right = branch(right, at .. ".branch2", filters // 2, stride)
  return nn.concat(left, right, {name = at .. ".concat"}):shuffle(2, {name = at .. ".shuffle"})
end

local function shufflenet_v2(x, classes)
  x = blocks.conv_bn_relu(x, "conv1", 24, 3, {stride = 2, pad = 1})
  x = x:pool(3, {stride = 2, pad = 1, name = "maxpool"})
  for s, stage in ipairs(STAGES) do
    for b = 1, stage[2] do
      x = block(x, ("stage%d.%d"):format(s + 1, b - 1), stage[1], b == 1 and 2 or 1)
    end
  end
  x = blocks.conv_bn_relu(x, "conv5", 1024, 1)
  return blocks.classify(x, "fc", classes)
end

return {{name = "shufflenet_v2", summary = "halves of channels, depthwise, shuffled; 1x (2018)", build = shufflenet_v2}}

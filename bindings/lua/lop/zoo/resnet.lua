-- bindings/lua/lop/zoo/resnet.lua - He, Zhang, Ren, Sun, Deep Residual Learning, CVPR 2016: ResNet-18 and 50 for
-- ImageNet (strides in the 3x3 convolutions, as everyone trains them today), ResNet-56 for CIFAR (shortcuts without
-- weights, the paper's option A).

local blocks = require "lop.zoo.blocks"

local conv_bn, conv_bn_relu = blocks.conv_bn, blocks.conv_bn_relu

local function names(at, i)
  return {("%s.conv%d"):format(at, i), ("%s.bn%d"):format(at, i), ("%s.relu%d"):format(at, i)}
end

local function join(x, shortcut, at)
  return x:add(shortcut, {name = at .. ".add"}):relu {name = at .. ".relu"}
end

local function projection(x, filters, stride, at)
  if stride == 1 and x.shape[1] == filters then return x end
  return conv_bn(x, {at .. ".downsample.0", at .. ".downsample.1"}, filters, 1, {stride = stride})
end

local function basic(x, width, stride, at)
  local y = conv_bn_relu(x, names(at, 1), width, 3, {stride = stride, pad = 1})
  y = conv_bn(y, names(at, 2), width, 3, {pad = 1})
  return join(y, projection(x, width, stride, at), at)
end

local function bottleneck(x, width, stride, at)
  local y = conv_bn_relu(x, names(at, 1), width, 1)
  y = conv_bn_relu(y, names(at, 2), width, 3, {stride = stride, pad = 1})
  y = conv_bn(y, names(at, 3), 4 * width, 1)
  return join(y, projection(x, 4 * width, stride, at), at)
end

local function imagenet(block, counts)
  return function(x, classes)
    x = conv_bn_relu(x, {"conv1", "bn1", "relu1"}, 64, 7, {stride = 2, pad = 3})
    x = x:pool(3, {stride = 2, pad = 1, name = "maxpool"})
    for s, count in ipairs(counts) do
      for b = 1, count do
        x = block(x, 64 << (s - 1), s > 1 and b == 1 and 2 or 1, ("layer%d.%d"):format(s, b - 1))
      end
    end
    return blocks.classify(x, "fc", classes)
  end
end

-- Every second pixel, and as many channels of zeros before as after.
local function plain_shortcut(x, width, stride, at)
  local more = width - x.shape[1]
  if stride == 1 then return x end
  return x:subsample(stride, {name = at .. ".subsample"}):pad {channels = {more // 2, more - more // 2},
                                                              name = at .. ".pad"}
end

local function cifar(blocks_a_stage)
  return function(x, classes)
    x = conv_bn_relu(x, {"conv1", "bn1", "relu1"}, 16, 3, {pad = 1})
    for s = 1, 3 do
      for b = 1, blocks_a_stage do
        local at, width, stride = ("layer%d.%d"):format(s, b - 1), 16 << (s - 1), s > 1 and b == 1 and 2 or 1
        local y = conv_bn_relu(x, names(at, 1), width, 3, {stride = stride, pad = 1})
        y = conv_bn(y, names(at, 2), width, 3, {pad = 1})
        x = join(y, plain_shortcut(x, width, stride, at), at)
      end
    end
    return blocks.classify(x, "linear", classes)
  end
end

return {
  {name = "resnet18", summary = "residual blocks of two 3x3 (2016)", build = imagenet(basic, {2, 2, 2, 2})},
  {name = "resnet50", summary = "residual blocks of 1x1, 3x3, 1x1 (2016)", build = imagenet(bottleneck, {3, 4, 6, 3})},
  {name = "resnet56", summary = "for CIFAR: 27 residual blocks, shortcuts without weights (2016)", size = 32,
   classes = 10, preprocess = "cifar10", build = cifar(9)},
}

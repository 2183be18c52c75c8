-- bindings/lua/lop/zoo/xception.lua - Xception-50 of He, Zhang, Sun, Channel Pruning, ICCV 2017, section 4.3: ResNet-50
-- whose 3x3 convolutions are Xception's (Chollet, CVPR 2017), a depthwise one and a 1x1 without a ReLU between, and
-- whose middle convolutions read twice as many channels, so that it costs as much as ResNet-50.
--
-- The paper says no more than that. Read so that the middle keeps the doubled width and, as in its authors' ResNet-50,
-- the first 1x1 of a stage has the stride, it comes to 4.38 G multiply-adds, next to the 4.45 G they state; other
-- readings are further off (middle of single width: 3.15 G, stride in the depthwise convolution: 4.85 G).

local blocks = require "lop.zoo.blocks"

local conv_bn, conv_bn_relu = blocks.conv_bn, blocks.conv_bn_relu

local function block(x, width, stride, at)
  local y = conv_bn_relu(x, {at .. ".conv1", at .. ".bn1", at .. ".relu1"}, 2 * width, 1, {stride = stride})
  y = y:depthwise(3, {pad = 1, bias = false, name = at .. ".depthwise"})
  y = conv_bn_relu(y, {at .. ".pointwise", at .. ".bn2", at .. ".relu2"}, 2 * width, 1)
  y = conv_bn(y, {at .. ".conv3", at .. ".bn3"}, 4 * width, 1)
  if stride ~= 1 or x.shape[1] ~= 4 * width then
    x = conv_bn(x, {at .. ".downsample.0", at .. ".downsample.1"}, 4 * width, 1, {stride = stride})
  end
  return y:add(x, {name = at .. ".add"}):relu {name = at .. ".relu"}
end

local function xception50(x, classes)
  x = conv_bn_relu(x, {"conv1", "bn1", "relu1"}, 64, 7, {stride = 2, pad = 3})
  x = x:pool(3, {stride = 2, pad = 1, name = "maxpool"})
  for s, count in ipairs {3, 4, 6, 3} do
    for b = 1, count do
      x = block(x, 64 << (s - 1), s > 1 and b == 1 and 2 or 1, ("layer%d.%d"):format(s, b - 1))
    end
  end
  return blocks.classify(x, "fc", classes)
end

return {{name = "xception50", summary = "ResNet-50 with separable convolutions of doubled width (2017)",
         build = xception50}}

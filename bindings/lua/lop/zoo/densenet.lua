-- bindings/lua/lop/zoo/densenet.lua - DenseNet-121: Huang et al., CVPR 2017. Each layer reads all before it in its
-- block, each time through a batch norm and a ReLU of its own.

local blocks = require "lop.zoo.blocks"
local nn = require "lop.nn"

local GROWTH, INNER = 32, 128

local function layer(x, at)
  local y = x:bn {name = at .. ".norm1"}:relu {name = at .. ".relu1"}
  y = blocks.conv_bn_relu(y, {at .. ".conv1", at .. ".norm2", at .. ".relu2"}, INNER, 1)
  return y:conv(GROWTH, 3, {pad = 1, bias = false, name = at .. ".conv2"})
end

local function transition(x, at)
  local y = x:bn {name = at .. ".norm"}:relu {name = at .. ".relu"}
  return y:conv(x.shape[1] // 2, 1, {bias = false, name = at .. ".conv"}):pool(2, {kind = "avg", name = at .. ".pool"})
end

local function densenet121(x, classes)
  x = blocks.conv_bn_relu(x, {"features.conv0", "features.norm0", "features.relu0"}, 64, 7, {stride = 2, pad = 3})
  x = x:pool(3, {stride = 2, pad = 1, name = "features.pool0"})
  for b, count in ipairs {6, 12, 24, 16} do
    local at = "features.denseblock" .. b
    local all = {x}
    for i = 1, count do
      local name = ("%s.denselayer%d"):format(at, i)
      local read = #all == 1 and x or nn.concat(all, {name = name .. ".concat"})
      all[#all + 1] = layer(read, name)
    end
    x = nn.concat(all, {name = at .. ".concat"})
    if b < 4 then x = transition(x, "features.transition" .. b) end
  end
  x = x:bn {name = "features.norm5"}:relu {name = "features.relu5"}
  return blocks.classify(x, "classifier", classes)
end

return {{name = "densenet121", summary = "each layer reads all before it, batch norm first (2017)",
         build = densenet121}}

-- bindings/lua/lop/zoo/vgg.lua - VGG-16: Simonyan, Zisserman, Very Deep Convolutional Networks, ICLR 2015, net D.

local STAGES = {{64, 64}, {128, 128}, {256, 256, 256}, {512, 512, 512}, {512, 512, 512}}

-- fc6 reads all that is left of the picture, 7 x 7 pixels of 224 x 224: at another size it has other parameters.
local function vgg16(x, classes)
  for s, stage in ipairs(STAGES) do
    for i, filters in ipairs(stage) do
      local at = ("%d_%d"):format(s, i)
      x = x:conv(filters, 3, {pad = 1, name = "conv" .. at}):relu {name = "relu" .. at}
    end
    x = x:pool(2, {name = "pool" .. s})
  end
  x = x:flatten {name = "flatten"}
  x = x:linear(4096, {name = "fc6"}):relu {name = "relu6"}
  x = x:linear(4096, {name = "fc7"}):relu {name = "relu7"}
  return x:linear(classes, {name = "fc8"})
end

return {{name = "vgg16", summary = "13 convolutions 3x3 in a chain, 3 linear layers (2015)", build = vgg16}}

-- bindings/lua/lop/zoo/unet.lua - U-Net: Ronneberger, Fischer, Brox, MICCAI 2015, on RGB, with padded convolutions, so
-- that each pixel of the input gets its class (the paper's are not padded, and its output is smaller).

local nn = require "lop.nn"

local function twice(x, at, filters)
  for i = 1, 2 do
    x = x:conv(filters, 3, {pad = 1, name = ("%s.conv%d"):format(at, i)}):relu {name = ("%s.relu%d"):format(at, i)}
  end
  return x
end

local function unet(x, classes)
  local kept = {}
  for d = 1, 4 do
    kept[d] = twice(x, "down" .. d, 32 << d)
    x = kept[d]:pool(2, {name = ("down%d.pool"):format(d)})
  end
  x = twice(x, "bottom", 1024)
  for d = 4, 1, -1 do
    local at = "up" .. d
    x = x:conv_transpose(32 << d, 2, {stride = 2, name = at .. ".transpose"})
    x = twice(nn.concat(kept[d], x, {name = at .. ".concat"}), at, 32 << d)
  end
  return x:conv(classes, 1, {name = "classes"})
end

return {{name = "unet", summary = "down and up again, Concat across, a class for each pixel (2015)", size = 256,
         multiple = 16, classes = 2, build = unet}}

-- bindings/lua/lop/zoo/squeezenet.lua - SqueezeNet 1.0: Iandola et al., arXiv 1602.07360.

local nn = require "lop.nn"

-- Filters that squeeze, and of each of the two that expand; a pooling stands before some.
local FIRES = {{16, 64}, {16, 64}, {32, 128}, "pool", {32, 128}, {48, 192}, {48, 192}, {64, 256}, "pool", {64, 256}}

local function fire(x, at, squeeze, expand)
  local function layer(from, name, filters, kernel)
    local own = at .. "." .. name
    return from:conv(filters, kernel, {pad = "same", name = own}):relu {name = own .. ".relu"}
  end
  local y = layer(x, "squeeze", squeeze, 1)
  return nn.concat(layer(y, "expand1x1", expand, 1), layer(y, "expand3x3", expand, 3), {name = at .. ".concat"})
end

local function squeezenet(x, classes)
  local pools, fires = 1, 1
  local function pool(from)
    pools = pools + 1
    return from:pool(3, {stride = 2, ceil = true, name = "pool" .. pools - 1})
  end
  x = pool(x:conv(96, 7, {stride = 2, name = "conv1"}):relu {name = "conv1.relu"})
  for _, f in ipairs(FIRES) do
    if f == "pool" then
      x = pool(x)
    else
      fires = fires + 1
      x = fire(x, "fire" .. fires, f[1], f[2])
    end
  end
  x = x:conv(classes, 1, {name = "conv10"}):relu {name = "conv10.relu"}
  return x:global_avg_pool {name = "avgpool"}:flatten {name = "flatten"}
end

return {{name = "squeezenet", summary = "1x1 that squeeze, Concat of 1x1 and 3x3 that expand (2016)",
         build = squeezenet}}

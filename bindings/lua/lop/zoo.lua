-- bindings/lua/lop/zoo.lua - lop.zoo: published architectures, with seeded random weights.
--
-- A family is a file lop.zoo.FAMILY that returns a list of {name, summary, build = function(input, classes) -> output},
-- and where it is not 224, 1000, "imagenet", 1: size, classes, preprocess, multiple (what the size is a multiple of).

local check = require "lop.check"
local core = require "lop.core"

local zoo = {}

local families = {"vgg", "resnet", "xception", "inception", "mobilenet", "densenet", "squeezenet", "shufflenet", "unet"}

--- The architectures, family by family.
---@return {name: string, size: integer, classes: integer, summary: string}[]
function zoo.list()
  local all = {}
  for _, family in ipairs(families) do
    for _, net in ipairs(require("lop.zoo." .. family)) do
      all[#all + 1] = {name = net.name, size = net.size or 224, classes = net.classes or 1000, summary = net.summary,
                       multiple = net.multiple or 1, preprocess = net.preprocess or "imagenet", build = net.build}
    end
  end
  return all
end

local function find(name)
  local names = {}
  for i, net in ipairs(zoo.list()) do
    if net.name == name then return net end
    names[i] = net.name
  end
  local near = type(name) == "string" and core.nearest(name:lower(), names)
  core.fail("arg", ("no architecture '%s' (%s)"):format(tostring(name), near and ("did you mean %s?"):format(near)
            or "there are " .. table.concat(names, ", ")))
end

--- An architecture as a net. Weights as lop.nn.graph draws them.
---@param name string
---@param opts {seed: integer?, size: integer?, classes: integer?, images: integer?}?
---        seed: 0; size: side of the pictures; images: of noise to measure the batch norms on, 4
---@return lop.net
function zoo.net(name, opts)
  opts = check.options(opts, {"seed", "size", "classes", "images"})
  local nn, net = require "lop.nn", find(name)
  local size = check.integer(opts.size or net.size, "size", 1)
  if size % net.multiple ~= 0 then
    core.fail("arg", ("size is %d, a multiple of %d expected for %s"):format(size, net.multiple, net.name))
  end
  local x = nn.input {3, size, size}
  local y = net.build(x, check.integer(opts.classes or net.classes, "classes", 1))
  return nn.graph(y, {seed = opts.seed, images = opts.images, name = net.name, preprocess = net.preprocess})
end

return setmetatable(zoo, {__call = function(_, name, opts)
  local net = zoo.net(name, opts)
  return net                            -- no tail call: errors name the function that the user called
end})

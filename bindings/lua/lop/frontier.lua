-- bindings/lua/lop/frontier.lua - the values of a network that stand between two of its layers, for all images of a
-- set, chunk by chunk. It moves forward only: nothing before it is computed twice.

local core = require "lop.core"

local CHUNK = 160                       -- images a step, a multiple of 16: bounds memory, changes no result

local frontier = {CHUNK = CHUNK}
frontier.__index = frontier

--- Names of the values made by layers 1 to position, or given, that later layers or the outputs read, in that order.
function frontier.live(net, position)
  local layers, made, order, needed = net:layers(), {}, {}, {}
  local function make(value)
    if value.constant or made[value.name] then return end
    made[value.name] = true
    order[#order + 1] = value.name
  end
  for _, v in ipairs(net:inputs()) do make(v) end
  for i, layer in ipairs(layers) do
    if i <= position then
      for _, v in ipairs(layer.outputs) do make(v) end
    else
      for _, v in ipairs(layer.inputs) do needed[v.name] = true end
    end
  end
  for _, v in ipairs(net:outputs()) do needed[v.name] = true end
  local list = {}
  for _, name in ipairs(order) do
    if needed[name] then list[#list + 1] = name end
  end
  return list
end

--- The place of a layer in the network's order.
function frontier.position(net, name)
  for i, layer in ipairs(net:layers()) do
    if layer.name == name then return i end
  end
  core.fail("notfound", "no layer '" .. name .. "'")
end

--- A frontier before the first layer.
---@param set lop.data        images in order
---@param passes {count: integer}?    counts how often a net is run over the images
function frontier.new(net, set, passes)
  local input = net:inputs()
  if #input ~= 1 then core.fail("unsupported", ("the net has %d inputs, 1 expected"):format(#input)) end
  local self = setmetatable({names = {input[1].name}, chunks = {}, at = 0, images = #set, chunk = CHUNK,
                             passes = passes}, frontier)
  for _, x in set:batches(CHUNK) do self.chunks[#self.chunks + 1] = {x} end
  return self
end

--- A frontier at the same place that moves on its own: they share memory until then, and pictures are decoded once.
function frontier:twin()
  local twin = setmetatable({names = self.names, chunks = {}, at = self.at, images = self.images, chunk = CHUNK,
                             passes = self.passes}, frontier)
  for i, values in ipairs(self.chunks) do
    twin.chunks[i] = {}
    for k, t in ipairs(values) do twin.chunks[i][k] = t:reshape(t:shape()) end
  end
  return twin
end

--- Counts a run over the images, from here to the outputs.
function frontier:pass()
  if self.passes then self.passes.count = self.passes.count + 1 end
end

--- Moves it behind the layer at `position`. All moves of a frontier together are one run over the images.
function frontier:advance(net, position)
  if position <= self.at then return end
  if not self.moved then self:pass() end
  self.moved = true
  local names = frontier.live(net, position)
  local part = core.exec(net, self.names, names)
  for i, values in ipairs(self.chunks) do
    self.chunks[i] = {part:run(table.unpack(values))}
    for _, t in ipairs(values) do t:close() end         -- at once: the collector does not see their size
  end
  self.names, self.at = names, position
end

--- Lets go of its values.
function frontier:close()
  for _, values in ipairs(self.chunks) do
    for _, t in ipairs(values) do t:close() end
  end
  self.chunks = {}
end

--- A function that computes the wanted values of chunk i from the frontier, in a network that is the same up to here.
function frontier:part(net, wanted)
  local part = core.exec(net, self.names, wanted)
  return function(i) return part:run(table.unpack(self.chunks[i])) end
end

return frontier

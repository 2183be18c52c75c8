-- bindings/lua/lop/engine/frontier.lua - the values of a network that stand between two of its layers, for all images
-- of a set, chunk by chunk. It moves forward only: nothing before it is computed twice.

local core = require "lop.core"
local store = require "lop.engine.store"

local LEAST, MOST = 16, 160             -- images a chunk, a multiple of LOP_SAMPLE_IMAGES
local BYTES = 64 << 20                  -- of a value of a chunk, at most, where LEAST images are no more

local frontier = {}
frontier.__index = frontier

--- Bytes of one image of a value.
function frontier.bytes(value)
  local n = (value.type or ""):match("64$") and 8 or 4
  for _, d in ipairs(value.shape or {}) do n = n * d end
  return n
end

--- Images a chunk: by the net's largest value, and by nothing else, so that results depend on nothing else.
function frontier.chunk(net)
  local widest = 1
  for _, v in ipairs(net:inputs()) do widest = math.max(widest, frontier.bytes(v)) end
  for _, layer in ipairs(net:layers()) do
    for _, v in ipairs(layer.outputs) do widest = math.max(widest, v.constant and 1 or frontier.bytes(v)) end
  end
  return math.max(LEAST, math.min(MOST, BYTES // widest // LEAST * LEAST))
end

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

--- The place before a layer of the original in a network pruned from it: where it has vanished, before the next that is
--- there.
function frontier.before(base, net, name)
  local at = {}
  for i, layer in ipairs(net:layers()) do at[layer.name] = i - 1 end
  local layers = base:layers()
  for i = frontier.position(base, name), #layers do
    if at[layers[i].name] then return at[layers[i].name] end
  end
  core.fail("notfound", "no layer '" .. name .. "', nor one behind it")
end

--- A frontier before the first layer.
---@param set lop.data        images in order
---@param passes {count: integer, store: table?}?     counts how often a net is run over the images; where the values of
---                           the chunks wait (lop.engine.store), in memory where absent
function frontier.new(net, set, passes)
  local input = net:inputs()
  if #input ~= 1 then core.fail("unsupported", ("the net has %d inputs, 1 expected"):format(#input)) end
  local self = setmetatable({names = {input[1].name}, chunks = {}, at = 0, images = #set, chunk = frontier.chunk(net),
                             passes = passes, store = passes and passes.store or store.memory}, frontier)
  for _, x in set:batches(self.chunk) do self.chunks[#self.chunks + 1] = self.store:put {x} end
  return self
end

--- A frontier at the same place that moves on its own: they share what they hold until then, and pictures are decoded
--- once.
function frontier:twin()
  local twin = setmetatable({names = self.names, chunks = {}, at = self.at, images = self.images, chunk = self.chunk,
                             passes = self.passes, store = self.store}, frontier)
  for i, entry in ipairs(self.chunks) do twin.chunks[i] = self.store:share(entry) end
  return twin
end

--- Counts a run over the images, from here to the outputs.
function frontier:pass()
  if self.passes then self.passes.count = self.passes.count + 1 end
end

-- The frontier's values that a network has: not those of a branch that vanished there.
local function known_to(self, net)
  local there, names, places = {}, {}, {}
  for _, v in ipairs(net:inputs()) do there[v.name] = true end
  for _, layer in ipairs(net:layers()) do
    for _, v in ipairs(layer.outputs) do there[v.name] = true end
  end
  for k, name in ipairs(self.names) do
    if there[name] then names[#names + 1], places[#places + 1] = name, k end
  end
  return names, places
end

-- What a part of a network makes of chunk i, of the values in these places.
local function run(self, part, places, i)
  local values, given = self.store:get(self.chunks[i]), {}
  for k, place in ipairs(places) do given[k] = values[place] end
  local made = {part:run(table.unpack(given))}
  self.store:done(values)
  return made
end

--- Moves it behind the layer at `position`. All moves of a frontier together are one run over the images.
function frontier:advance(net, position)
  if position <= self.at then return end
  if not self.moved then self:pass() end
  self.moved = true
  local names, known, places = frontier.live(net, position), known_to(self, net)
  local part = core.exec(net, known, names)
  for i, entry in ipairs(self.chunks) do
    local made = run(self, part, places, i)
    self.store:drop(entry)
    self.chunks[i] = self.store:put(made)
  end
  self.names, self.at = names, position
end

--- Lets go of its values.
function frontier:close()
  for _, entry in ipairs(self.chunks) do self.store:drop(entry) end
  self.chunks = {}
end

--- A function that computes the wanted values of chunk i from the frontier, in a network that is the same up to here.
function frontier:part(net, wanted)
  local known, places = known_to(self, net)
  local part = core.exec(net, known, wanted)
  return function(i) return table.unpack(run(self, part, places, i)) end
end

return frontier

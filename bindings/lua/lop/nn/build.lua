-- bindings/lua/lop/nn/build.lua - from a plan of layers to a net: weights drawn, batch norms measured.

local core = require "lop.core"

local build = {}

local BIAS, SCALE = 0.05, 0.25          -- deviation of biases and shifts; scales are 1 +- SCALE

-- ---- weights ----

-- A seed for what bears this name: FNV-1a of the name, from the net's seed.
local function seed_for(seed, name)
  local h = 0xcbf29ce484222325 ~ (seed * 0x9e3779b97f4a7c15)
  for i = 1, #name do h = (h ~ name:byte(i)) * 0x100000001b3 end
  return h
end
build.seed_for = seed_for

local draw = {
  he = function(w, seed) return core.randn(w.shape, {seed = seed}) * math.sqrt(2 / w.fan) end,
  bias = function(w, seed) return core.randn(w.shape, {seed = seed}) * BIAS end,
  scale = function(w, seed) return core.rand(w.shape, {seed = seed}) * (2 * SCALE) + (1 - SCALE) end,
}

local function weight(w, seed)
  return w.tensor or draw[w.how](w, seed_for(seed, w.key))
end

local LEAST = 1e-4                      -- variance of a channel that is the same everywhere

-- Mean and variance by channel of a batch (N, c, ...). Of few samples, as where a small picture has become one pixel,
-- the variance is larger by mean^2 / samples: a channel seen once would have none, and be blown up.
local function moments(x)
  local c = x:shape()[2]
  local rows = x:transpose(1, 2):reshape(c, -1):to("float64")
  local mean, samples = rows:mean(2), x:size() // c
  local variance = (rows * rows):mean(2) - mean * mean * ((samples - 1) / samples)
  return mean:to("float32"), variance:map(function(v) return math.max(v, LEAST) end):to("float32")
end

-- ---- which layers, in which order ----

-- The nodes that the outputs need, in the order in which they were made, and by value who makes it.
local function needed(outputs)
  local maker, wanted, list = {}, {}, {}
  local nodes = outputs[1].plan.nodes
  for _, node in ipairs(nodes) do
    for _, v in ipairs(node.outputs) do maker[v] = node end
  end
  for _, v in ipairs(outputs) do wanted[maker[v]] = true end
  for i = #nodes, 1, -1 do
    if wanted[nodes[i]] then
      for _, v in ipairs(nodes[i].inputs) do wanted[maker[v]] = true end
    end
  end
  for _, node in ipairs(nodes) do
    if wanted[node] then list[#list + 1] = node end
  end
  return list
end

-- ---- noise through the net ----

-- Runs one node on tensors.
local function run(node, inputs, constants)
  local spec = {inputs = {}, outputs = {}, constants = constants, nodes = {}}
  local names = {}
  for i, x in ipairs(inputs) do
    spec.inputs[i] = {name = "i" .. i, shape = x:shape()}
    names[i] = "i" .. i
  end
  for _, w in ipairs(node.weights or {}) do names[#names + 1] = w.key end
  for i in ipairs(node.outputs) do spec.outputs[i] = "o" .. i end
  spec.nodes[1] = {op = node.op, name = node.name, inputs = names, outputs = spec.outputs, attributes = node.attributes}
  return table.pack(core.graph(spec):forward(table.unpack(inputs)))
end

-- The number of the last node that reads each value, by value; batch norms measure up to the last of them only.
local function last_use(nodes)
  local last, until_here = {}, 0
  for i, node in ipairs(nodes) do
    for _, v in ipairs(node.inputs) do last[v] = i end
    if node.op == "BatchNormalization" then until_here = i end
  end
  return last, until_here
end

-- The weights of all nodes, by name; batch norms get what flows into them.
local function weigh(nodes, opts)
  local constants, flowing = {}, {}
  local last, until_here = last_use(nodes)
  for i, node in ipairs(nodes) do
    local own = {}
    for _, w in ipairs(node.weights or {}) do
      if w.how == "mean" then
        own[w.key], own[node.weights[4].key] = moments(flowing[node.inputs[1]])
      elseif w.how and w.how ~= "variance" then
        own[w.key] = weight(w, opts.seed)
      end
    end
    for key, t in pairs(own) do constants[key] = t end
    if i <= until_here then
      local inputs = {}
      for k, v in ipairs(node.inputs) do inputs[k] = flowing[v] end
      local made = node.op and run(node, inputs, own)
        or {core.randn({opts.images, table.unpack(node.outputs[1].shape)}, {seed = seed_for(opts.seed, node.name)})}
      for k, v in ipairs(node.outputs) do flowing[v] = made[k] end
      for _, v in ipairs(node.inputs) do
        if last[v] == i then flowing[v] = nil end
      end
    end
  end
  return constants
end

-- ---- the graph ----

-- What the outputs are called, by value.
local function name_outputs(outputs, names)
  local named = {}
  if names and #names ~= #outputs then
    core.fail("arg", ("outputs: %d names for %d values"):format(#names, #outputs))
  end
  for i, v in ipairs(outputs) do
    if named[v] then core.fail("arg", ("outputs: '%s' is listed twice"):format(v.name)) end
    named[v] = names and names[i] or (#outputs == 1 and "output" or ("output_%d"):format(i - 1))
  end
  return named
end

--- A net from the values it is to give.
---@param outputs table[]
---@param opts {seed: integer, images: integer, outputs: string[]?, name: string?, preprocess: string?}
---@return lop.net
function build.run(outputs, opts)
  local named, nodes = name_outputs(outputs, opts.outputs), needed(outputs)
  local spec = {inputs = {}, outputs = {}, nodes = {}, constants = weigh(nodes, opts), name = opts.name}
  local function name_of(v) return named[v] or v.name end
  for i, v in ipairs(outputs) do spec.outputs[i] = named[v] end
  for _, node in ipairs(nodes) do
    local made = {}
    for i, v in ipairs(node.outputs) do made[i] = name_of(v) end
    if not node.op then
      if named[node.outputs[1]] then core.fail("arg", ("outputs: '%s' is an input"):format(node.name)) end
      spec.inputs[#spec.inputs + 1] = {name = made[1], shape = {"N", table.unpack(node.outputs[1].shape)}}
    else
      local names = {}
      for i, v in ipairs(node.inputs) do names[i] = name_of(v) end
      for _, w in ipairs(node.weights or {}) do names[#names + 1] = w.key end
      spec.nodes[#spec.nodes + 1] = {op = node.op, name = node.name, inputs = names, outputs = made,
                                     attributes = node.attributes}
    end
  end
  local net = core.graph(spec)
  if opts.preprocess then net:meta("lop.preprocess", opts.preprocess) end
  return net
end

return build

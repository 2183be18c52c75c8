-- bindings/lua/lop/nn/value.lua - what flows between the layers of a net that is being built: a name, a shape, and the
-- layer that makes it. Nothing is computed and no weight is drawn until lop.nn.graph.
--
-- All values of one net share its plan {nodes, names, counts}: nodes are {op, name, inputs, outputs, attributes,
-- weights} in the order in which they were made; weights are {key, shape, how} in the order of the node's inputs.

local core = require "lop.core"

local value = {}
value.methods = {}                      -- lop.nn: x:relu() is nn.relu(x)
value.meta = {__name = "lop.nn.value", __index = value.methods}

function value.meta.__tostring(v)
  return ("lop.nn.value %s (N x %s)"):format(v.name, table.concat(v.shape, " x "))
end

--- Raises at the user's line, naming the layer.
function value.fail(layer, text, ...)
  core.fail("arg", ("layer '%s': %s"):format(layer, select("#", ...) > 0 and text:format(...) or text))
end

function value.is(v)
  return getmetatable(v) == value.meta
end

--- A value, or an error.
function value.check(v, what)
  if not value.is(v) then
    core.fail("arg", ("%s: a value of lop.nn expected, got %s"):format(what, type(v)))
  end
  return v
end

--- A plan without layers.
function value.plan()
  return {nodes = {}, names = {}, counts = {}}
end

--- A name for a layer: the one given, or the kind with a number that no layer of the net has yet.
---@param plan table
---@param kind string         "conv"
---@param given string?
function value.name(plan, kind, given)
  if given ~= nil then
    if type(given) ~= "string" or given == "" then
      core.fail("arg", ("name: string expected, got %s"):format(given == "" and "an empty one" or type(given)))
    end
    if plan.names[given] then core.fail("arg", ("name: a layer '%s' is there already"):format(given)) end
    return given
  end
  local count = plan.counts[kind] or 0
  local name
  repeat
    count = count + 1
    name = kind .. count
  until not plan.names[name]
  return name
end

local function new(plan, name, layer, shape)
  return setmetatable({plan = plan, name = name, layer = layer, shape = shape}, value.meta)
end

--- An input of the net.
function value.input(plan, name, shape)
  plan.names[name] = true
  local v = new(plan, name, name, shape)
  plan.nodes[#plan.nodes + 1] = {name = name, inputs = {}, outputs = {v}}
  return v
end

--- The plan of all these values.
function value.common(layer, list)
  local plan = list[1].plan
  for _, v in ipairs(list) do
    if v.plan ~= plan then
      value.fail(layer, "its inputs are of two nets (a second input is made by nn.input(shape, {beside = first}))")
    end
  end
  return plan
end

--- Adds a layer; the shapes of its outputs are known.
---@param node {kind: string, op: string, name: string, inputs: table[], attributes: table?, weights: table[]?}
---@param shapes integer[][]
---@return table ...          its outputs
function value.add(node, shapes)
  local plan = node.inputs[1].plan
  plan.names[node.name] = true
  local digits = node.name:match("^" .. node.kind .. "(%d+)$")
  if digits then plan.counts[node.kind] = math.max(plan.counts[node.kind] or 0, tonumber(digits) // 1) end
  node.outputs = {}
  for i, shape in ipairs(shapes) do
    local name = #shapes == 1 and node.name .. ".out" or ("%s.out%d"):format(node.name, i - 1)
    node.outputs[i] = new(plan, name, node.name, shape)
  end
  plan.nodes[#plan.nodes + 1] = node
  return table.unpack(node.outputs)
end

return value

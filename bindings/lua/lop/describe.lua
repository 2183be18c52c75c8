-- bindings/lua/lop/describe.lua - nets, layers and groups as text.

local core = require "lop.core"
local output = require "lop.program.output"

local describe = {}

local function text_of(shape) return shape and table.concat(shape, "x") or "?" end

local function list_of(names) return #names > 0 and table.concat(names, ", ") or "nothing" end

--- "lop.layer conv1 (Conv, 1x16x28x28, 112896 MACs, 160 params)"
function describe.layer(layer)
  return ("lop.layer %s (%s, %s, %s MACs, %s params)"):format(layer.name, layer.op, text_of(layer.shape),
                                                               layer.macs or "?", layer.params)
end

--- "lop.group conv1 (16 channels, inner, made by conv1, read by conv2)", and why it cannot be cut.
function describe.group(group)
  local text = ("lop.group %s (%s channels, %s, made by %s, read by %s)"):format(group.name, group.width, group.kind,
    list_of(group.producers), list_of(group.consumers))
  return group.prunable and text or text .. ": stays whole: " .. group.reason
end

--- Every layer with its shape and cost, and their sums: what print(net:summary()) shows.
---@param net lop.net
---@return string
function describe.net(net)
  local rows, supported = {{"layer", "operator", "output", "MACs", "params"}}, true
  for _, layer in ipairs(net:layers()) do
    rows[#rows + 1] = {layer.name, layer.op, text_of(layer.shape), layer.macs or "?", layer.params}
    supported = supported and layer.supported
  end
  local lines = output.lines_of(rows)
  if supported then lines[#lines + 1] = ("total: %d MACs, %d params"):format(net:macs(), net:params()) end
  return table.concat(lines, "\n")
end

--- Gives these to the types.
function describe.install()
  core.metatable("lop.layer").__tostring = describe.layer
  core.metatable("lop.group").__tostring = describe.group
  core.metatable("lop.net").__index.summary = describe.net
end

return describe

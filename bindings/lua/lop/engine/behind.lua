-- bindings/lua/lop/engine/behind.lua - what stands behind a layer's input channels: the filters that make them, and the
-- scales of their batch normalisation, for the criteria that look at those.

local behind = {}

--- |gamma| of the batch normalisation that a producer's output goes through; nil where there is none. `original` is a
--- net in which it is not folded yet, `net` may be the same: a folded convolution has the normalisation's output.
---@param original lop.net
---@param net lop.net
---@param producer string
---@return lop.tensor?        by filter of the producer
function behind.bn_scale(original, net, producer)
  local output = net:layer(producer).outputs[1].name
  for _, layer in ipairs(original:layers()) do
    local at = layer.op == "BatchNormalization" and layer.weight
    if at and (layer.outputs[1].name == output or layer.inputs[1].name == output) then return at:map(math.abs) end
  end
  return nil
end

--- The filters of a convolution that makes `width` channels, else nil.
function behind.filters(net, producer, width)
  local layer = net:layer(producer)
  local weight = layer.op == "Conv" and layer.weight or nil
  return weight and weight:shape()[1] == width and weight or nil
end

--- Entries by channel of a group, spread to the consumer's places; what stands between is any of them, of no meaning.
---@param t lop.tensor        one entry (a row) by channel of the group
---@param places integer[]    of the group's channels in the consumer's input
---@param channels integer    of that input
function behind.spread(t, places, channels)
  local list = {}
  for i = 1, channels do list[i] = 1 end
  for rank, place in ipairs(places) do list[place] = rank end
  return t:index(1, list)
end

--- Places of a consumer's input that are not the group's.
function behind.others(places, channels)
  local own, list = {}, {}
  for _, place in ipairs(places) do own[place] = true end
  for i = 1, channels do
    if not own[i] then list[#list + 1] = i end
  end
  return list
end

return behind

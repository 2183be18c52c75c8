-- bindings/lua/lop/policy/paper.lua - the shares that He et al., ICCV 2017, cut their networks by. VGG-16 (section
-- 4.1.2): of conv1_x to conv3_x and of conv4_x channels remain as 1 : 1.5, conv5_x stays whole. Residual nets (section
-- 4.2.1): as 30 : 70 in most blocks and in the sensitive ones, which are the last stage and those next to a change of
-- the spatial size; in a bottleneck what its second and third convolutions read, as 4 : 3.

local core = require "lop.core"

local paper = {}

local VGG = "11P22P333P444P555P"        -- the convolutions by stage, and the poolings

-- The convolutions of a plain chain with VGG-16's poolings, in order; nil for other nets.
local function vgg_layers(net)
  local convs, text = {}, ""
  for _, layer in ipairs(net:layers()) do
    local window = net:window(layer.name)
    if layer.op == "Add" or layer.op == "Concat" then return nil end
    if layer.op == "MaxPool" then text = text .. "P" end
    if layer.op == "Conv" then
      if not window or window.group ~= 1 or window.kernel[1] ~= 3 or window.kernel[2] ~= 3 then return nil end
      convs[#convs + 1], text = layer.name, text .. "C"
    end
  end
  return text == VGG:gsub("%d", "C") and convs or nil
end

-- Shares by unit; math.huge: whole.
local function vgg(net, list)
  local convs, stage, shares = vgg_layers(net), {}, {}
  if not convs then return nil end
  local stages = VGG:gsub("P", "")
  for i, name in ipairs(convs) do stage[name] = tonumber(stages:sub(i, i)) end
  for i, unit in ipairs(list) do
    local s = stage[unit.producer] or 5
    shares[i] = s <= 3 and 1 or s == 4 and 1.5 or math.huge
  end
  return shares
end

local function spatial(net)
  local size = {}
  for _, layer in ipairs(net:layers()) do
    for _, v in ipairs(layer.outputs) do size[v.name] = v.shape and v.shape[3] and v.shape[3] * 65536 + v.shape[4] end
  end
  return size
end

-- Residual blocks in forward order: the units within each, and the spatial size of the sum that ends it.
local function blocks_of(net, list)
  local size, blocks, open = spatial(net), {}, {}
  for i, unit in ipairs(list) do
    local residual = not unit.stream and unit.consumers[1].residual
    if not unit.stream then open[#open + 1] = i end
    if residual then
      blocks[#blocks + 1] = {units = open, size = size[residual.name]}
      open = {}
    end
  end
  return blocks
end

local function residual(net, list)
  local blocks, shares = blocks_of(net, list), {}
  if #blocks == 0 then return nil end
  for i in ipairs(list) do shares[i] = math.huge end    -- outside of blocks, streams too, nothing is cut
  for b, block in ipairs(blocks) do
    local before, after = blocks[b - 1], blocks[b + 1]
    local sensitive = block.size == blocks[#blocks].size or (before and before.size ~= block.size)
      or (after and after.size ~= block.size)
    for k, i in ipairs(block.units) do
      local last = k == #block.units
      shares[i] = (sensitive and 7 or 3) * (#block.units == 1 and 1 or last and 6 / 7 or 8 / 7)
    end
  end
  return shares
end

--- Relative shares of the channels, by unit; math.huge: it stays whole.
---@return number[]
function paper.shares(net, list)
  local widths, place = {}, {}
  for i, unit in ipairs(list) do
    if not unit.kind then widths[#widths + 1], place[#place + 1] = unit, i end
  end
  local found = vgg(net, widths) or residual(net, widths)
  if not found then
    core.fail("unsupported", "allocate = \"paper\": its ratios are for VGG-16 and residual nets: sensitivity, "
              .. "error or uniform")
  end
  local shares = {}
  for i in ipairs(list) do shares[i] = math.huge end            -- ranks: the layer stays as it is
  for k, i in ipairs(place) do shares[i] = found[k] end
  return shares
end

return paper

-- bindings/lua/lop/units.lua - the groups of a network that the schedule can cut, and what their widths cost.

local core = require "lop.core"

local units = {}

-- The addition that a consumer's output goes into, and the value it is added to: a residual block's end.
local function addition(net, output)
  local add
  for _, layer in ipairs(net:layers()) do
    for _, v in ipairs(layer.inputs) do
      if v.name == output then
        if add or layer.op ~= "Add" then return nil end
        add = layer
      end
    end
  end
  if not add then return nil end
  local other = add.inputs[1].name == output and add.inputs[2] or add.inputs[1]
  if other.constant then return nil end
  return {name = add.outputs[1].name, other = other.name}
end

-- How a layer reads, where its weights can be solved: {name, window, residual, channels}; nil where they cannot.
local function consumer_of(net, name)
  local layer = net:layer(name)
  local window = net:window(name) or (layer.op == "Gemm" and {kernel = {1, 1}, group = 1})
  if not window or window.group ~= 1 or not layer.weight then return nil end
  return {name = name, window = window, residual = addition(net, layer.outputs[1].name), gemm = layer.op == "Gemm",
          channels = layer.weight:shape()[2]}
end

-- Each channel of the group stands in the consumer's input, once.
local function reads_all_once(net, consumer, group)
  local places, total = net:channels(consumer, group.name)
  if total ~= group.width then return false end
  for i = 1, group.width do
    if not places[i] then return false end
  end
  return true
end

-- A group whose consumers read it alone, or whose one consumer, a convolution, reads others beside it (a Concat).
-- Residual streams stay whole.
local function unit_of(net, group)
  if group.kind == "stream" then return nil end
  local unit = {name = group.name, width = group.width, producer = group.producers[1], consumers = {}}
  for i, name in ipairs(group.consumers) do
    local c = consumer_of(net, name)
    if not c or not reads_all_once(net, name, group) then return nil end
    unit.partial = unit.partial or c.channels ~= group.width
    if c.channels < group.width or (unit.partial and (c.gemm or #group.consumers > 1)) then return nil end
    unit.consumers[i] = c
  end
  return unit
end

--- Groups that the schedule can cut, in forward order. Batch normalisation must have been folded, as far as it can be.
---@return table[]            {name, width, producer, consumers = {{name, window, residual, channels}}, partial}
function units.find(net)
  local list = {}
  for _, g in ipairs(net:groups()) do
    list[#list + 1] = g.prunable and unit_of(net, g) or nil
  end
  return list
end

--- MACs as a function of widths: layers that a unit feeds or that make a unit shrink with it, all others are constant.
---@return fun(widths: integer[]): number
function units.cost(net, list)
  local feeds, makes = {}, {}
  for i, u in ipairs(list) do
    makes[u.producer] = i
    for _, c in ipairs(u.consumers) do
      feeds[c.name] = feeds[c.name] or {channels = c.channels}
      table.insert(feeds[c.name], i)
    end
  end
  local fixed, terms = 0, {}
  for _, layer in ipairs(net:layers()) do
    local from, to = feeds[layer.name], makes[layer.name]
    if from or to then terms[#terms + 1] = {macs = layer.macs, from = from or {}, to = to}
    else fixed = fixed + layer.macs end
  end
  return function(widths)
    local sum = fixed
    for _, t in ipairs(terms) do
      local share, gone = t.macs, 0
      for _, i in ipairs(t.from) do gone = gone + list[i].width - widths[i] end
      if gone > 0 then share = share * (t.from.channels - gone) / t.from.channels end
      if t.to then share = share * widths[t.to] / list[t.to].width end
      sum = sum + share
    end
    return sum
  end
end

--- The same share of every unit.
function units.uniform(list, ratio)
  local widths = {}
  for i, u in ipairs(list) do
    widths[i] = u.fixed or math.max(1, math.min(u.width, math.floor(u.width * ratio + 0.5)))
  end
  return widths
end

--- The largest uniform widths, in steps of 1/512, whose MACs are within the budget.
function units.uniform_for(list, cost, budget)
  local low, high = 0, 512
  if cost(units.uniform(list, 0)) > budget then
    core.fail("arg", ("the budget of %d MACs cannot be met: %d are left with one channel in every group")
      :format(budget // 1, cost(units.uniform(list, 0)) // 1))
  end
  while low < high do
    local mid = (low + high + 1) // 2
    if cost(units.uniform(list, mid / 512)) <= budget then low = mid else high = mid - 1 end
  end
  return units.uniform(list, low / 512)
end

return units

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

--- Groups with one producer and one consumer whose weights can be solved, in forward order. Batch normalisation must
--- have been folded, as far as it can be.
---@return table[]            {name, width, producer, consumer, window, residual}
function units.find(net)
  local list = {}
  for _, g in ipairs(net:groups()) do
    local name = g.consumers[1]
    local layer = g.prunable and #g.consumers == 1 and net:layer(name)
    local window = layer and (net:window(name) or (layer.op == "Gemm" and {kernel = {1, 1}, group = 1}))
    if window and window.group == 1 and layer.weight and layer.weight:shape()[2] == g.width then
      list[#list + 1] = {name = g.name, width = g.width, producer = g.producers[1], consumer = name, window = window,
                         residual = addition(net, layer.outputs[1].name)}
    end
  end
  return list
end

--- MACs as a function of widths: layers that a unit feeds or that make a unit shrink with it, all others are constant.
---@return fun(widths: integer[]): number
function units.cost(net, list)
  local feeds, makes = {}, {}
  for i, u in ipairs(list) do
    feeds[u.consumer], makes[u.producer] = i, i
  end
  local fixed, terms = 0, {}
  for _, layer in ipairs(net:layers()) do
    local i, j = feeds[layer.name], makes[layer.name]
    if i or j then terms[#terms + 1] = {macs = layer.macs, i, j} else fixed = fixed + layer.macs end
  end
  return function(widths)
    local sum = fixed
    for _, t in ipairs(terms) do
      local share = t.macs
      for side = 1, 2 do
        local k = t[side]
        if k then share = share * widths[k] / list[k].width end
      end
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

-- bindings/lua/lop/cuts/kinds.lua - what may be done to a layer itself, beside the widths of groups: factor it, or let
-- it read or write a part of a stream. Each kind is a module of find, cutter and errors (but masks, which no budget
-- counts, have no errors); a unit of it names its layer as its producer.

local masks = require "lop.cuts.masks"
local ranks = require "lop.cuts.ranks"
local samplers = require "lop.cuts.samplers"
local writers = require "lop.cuts.writers"

local kinds = {rank = ranks, channel = ranks, input = samplers, output = writers, mask = masks}

--- Units of widths and of layers in forward order. Of one layer, filters are cut before channels are chosen, and both
--- before it is factored; what it writes comes last.
---@param widths table[]
---@param allowed {rank: boolean?, sampler: boolean?, mask: boolean?, writer: boolean?, forms: string[]?}
---@return table[]
function kinds.merge(net, widths, allowed)
  local place, list, order = {}, {}, {}
  for i, layer in ipairs(net:layers()) do place[layer.name] = i end
  table.move(widths, 1, #widths, 1, list)
  for _, unit in ipairs(allowed.sampler and samplers.find(net) or {}) do list[#list + 1] = unit end
  for _, unit in ipairs(allowed.mask and masks.find(net) or {}) do list[#list + 1] = unit end
  for _, unit in ipairs(allowed.rank and ranks.find(net, allowed.forms) or {}) do list[#list + 1] = unit end
  for _, unit in ipairs(allowed.writer and writers.find(net) or {}) do list[#list + 1] = unit end
  for i, unit in ipairs(list) do order[unit] = i end
  table.sort(list, function(a, b)
    local x, y = place[a.first], place[b.first]
    return x < y or (x == y and order[a] < order[b])
  end)
  return list
end

return kinds

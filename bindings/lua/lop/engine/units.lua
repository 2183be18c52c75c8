-- bindings/lua/lop/engine/units.lua - the groups of a network that the schedule can cut, and what their widths cost.

local blocks = require "lop.cuts.blocks"
local core = require "lop.core"
local parts_of = require "lop.engine.parts"
local reader = require "lop.engine.reader"

local units = {}

units.MOST = 8192                       -- inputs of a filter that is solved by sums: beyond, they alone take gigabytes
units.ROWS = 2048                       -- kept in their place, for the dual

--- Whether a layer (of reader.layer) reads so much that rows are kept in place of sums: a Gemm behind a map.
function units.too_wide(layer)
  local inputs = 1
  for d, n in ipairs(layer.weight:shape()) do inputs = d > 1 and inputs * n or 1 end
  return inputs > units.MOST
end

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

--- How a layer reads, where its weights can be solved: {name, window, residual, gemm, channels}; else nil and why not.
function units.consumer(net, name)
  local layer, reason = reader.layer(net, name)
  if not layer then return nil, ("'%s' (%s): %s"):format(name, net:layer(name).op, reason) end
  return {name = name, window = layer.window, wide = units.too_wide(layer) or nil,
          residual = addition(net, layer.outputs[1].name),
          gemm = layer.op ~= "Conv" or layer.window.row or nil, channels = layer.weight:shape()[2]}
end

-- Those that see one place of a picture, a gate's first layer say, go last: they have few rows to choose channels by.
local function wide_first(net, consumers)
  local list, thin = {}, {}
  for _, c in ipairs(consumers) do
    local places = 1
    for d, size in ipairs(net:layer(c.name).shape or {}) do places = places * (d > 2 and size or 1) end
    table.insert(places > 1 and list or thin, c)
  end
  return table.move(thin, 1, #thin, #list + 1, list)
end

-- Channels that the same layers read, make, and filter one by one, as often are a unit of their own: lists of ranks in
-- the group, in the order of the first of each. A stream that later stages only pad, say, is read whole by the last
-- stage alone; where parts of a group go through depthwise convolutions of several sizes, channels cost differently.
local function tiers_of(net, group, all)
  local by, list, layers = {}, {}, 0
  for r = 1, group.width do by[r] = {} end
  local function count(ranks)
    layers = layers + 1
    for r = 1, group.width do by[r][layers] = 0 end
    for _, r in ipairs(ranks) do
      if r > 0 then by[r][layers] = by[r][layers] + 1 end
    end
  end
  for _, name in ipairs(group.consumers) do count(net:ranks(name, group.name)) end
  for _, name in ipairs(group.producers) do count(net:filters(name, group.name)) end
  for _, part in ipairs(all) do
    local window = net:window(part.maker)
    if window and window.group > 1 then count(part) end
  end
  local tiers = {}
  for r = 1, group.width do
    local key = table.concat(by[r], " ")
    if not tiers[key] then
      tiers[key] = {}
      list[#list + 1] = tiers[key]
    end
    table.insert(tiers[key], r)
  end
  return list
end

local function makes_any(net, name, group, unit)
  for _, own in ipairs(reader.own(net:filters(name, group), unit)) do
    if own > 0 then return true end
  end
  return false
end

-- The first layer whose output a cut changes: the producer, or a Pad before it that makes room for what is added.
local function first_of(net, group, unit)
  for _, layer in ipairs(net:layers()) do
    if layer.name == unit.producer then break end
    if layer.op == "Pad" and makes_any(net, layer.name, group, unit) then return layer.name end
  end
  return unit.producer
end

-- Each channel stands once and in its place, or the consumers have to be brought into one order.
local function is_plain(entries, each, channels)
  for i, e in ipairs(entries) do
    if e ~= i then return false end
  end
  return each == 1 and #entries == channels
end

--- How many values of each channel a Gemm reads, one behind the other, as behind a Flatten; nil where it does not.
---@param c table             of units.consumer
---@param own integer[]       of reader.own
---@return integer?
function units.flat_taps(c, own, width)
  local taps = #own // width
  if not c.gemm or c.window.last or c.window.row or taps < 2 or taps * width ~= #own then return nil end
  for i, channel in ipairs(own) do
    if channel ~= (i - 1) // taps + 1 then return nil end
  end
  return taps
end

--- The window of such a Gemm.
function units.flat_window(window, taps)
  local copy = {}
  for key, value in pairs(window) do copy[key] = value end
  copy.kernel = {1, taps}
  return copy
end

-- Such a Gemm as a consumer of `width` channels.
local function flat(c, taps, width)
  local copy = {}
  for key, value in pairs(c) do copy[key] = value end
  copy.window, copy.taps, copy.channels = units.flat_window(c.window, taps), taps, width
  return copy
end

-- One unit of a group: the channels of these ranks. Nil where no layer reads them.
local function unit_of(net, group, consumers, ranks, all)
  local unit = {group = group.name, group_width = group.width, width = #ranks, producers = {}, consumers = {},
                stream = group.kind == "stream" or nil}
  if #ranks < group.width then
    unit.ranks, unit.index = ranks, {}
    for i, r in ipairs(ranks) do unit.index[r] = i end
  end
  local alike = true
  for _, c in ipairs(consumers) do
    local own = reader.own(net:ranks(c.name, group.name), unit)
    local taps = units.flat_taps(c, own, unit.width)
    if taps then c, own = flat(c, taps, unit.width), reader.blocks(own, taps) end
    local entries, each = reader.entries(own, unit.width)
    if entries then
      table.insert(unit.consumers, c)
      unit.wide = unit.wide or c.wide
      alike = alike and is_plain(entries, each, c.channels)
      unit.partial = unit.partial or #entries < c.channels or nil
      unit.several = unit.several or each > 1 or nil
    end
  end
  if #unit.consumers == 0 or unit.width < 2 then return nil end
  unit.view = unit.several or (#unit.consumers > 1 and not alike) or nil
  if unit.wide and (unit.view or unit.stream) then
    return nil, ("a layer reads more than %d values, beside others that read the same channels"):format(units.MOST)
  end
  for _, name in ipairs(group.producers) do
    if makes_any(net, name, group.name, unit) then table.insert(unit.producers, name) end
  end
  unit.producer = unit.producers[1]
  unit.first = first_of(net, group.name, unit)
  unit.consumers = wide_first(net, unit.consumers)
  parts_of.find(unit, all)
  return unit
end

-- The units of a group; none, and why, where a layer that reads it cannot be solved.
local function units_of(net, group)
  local consumers, list, named = {}, {}, {}
  for i, name in ipairs(group.consumers) do
    local c, reason = units.consumer(net, name)
    if not c then return {}, reason end
    consumers[i] = c
  end
  local all = net:parts(group.name)
  local tiers = tiers_of(net, group, all)
  local why
  for i, ranks in ipairs(tiers) do
    local unit, reason = unit_of(net, group, consumers, ranks, all)
    why = why or reason
    if unit then
      unit.name = #tiers == 1 and group.name or named[unit.producer] and unit.producer .. "#" .. i or unit.producer
      named[unit.producer], list[#list + 1] = true, unit
    end
  end
  return list, #list == 0 and (why or "its channels are all read differently") or nil
end

--- Units that the schedule can cut, in forward order: a group, or the part of one that the same layers read. Batch
--- normalisation must have been folded, as far as it can be.
---@return table[]   {name, group, width, ranks, index, producer, producers, first, partial, view, wide, stream,
---                  consumers = {{name, window, residual, gemm, channels}}}; first: the layer before which the
---                  schedule has to stand; ranks: the channels' places in the group, index: the way back, nil where
---                  the unit is all of it; partial: a consumer reads others beside them; view: the consumers'
---                  statistics have to be brought into one order (solve.lua); wide: a consumer keeps rows in place of
---                  sums; stream: a residual stream, which is cut where the recipe says so
---@return table<string, string> reasons    why a group that could be cut has no unit, by name
function units.find(net)
  local list, reasons = {}, {}
  for _, g in ipairs(net:groups()) do
    if g.prunable then
      local found, reason = units_of(net, g)
      table.move(found, 1, #found, #list + 1, list)
      reasons[g.name] = reason
    end
  end
  local place = {}
  for i, layer in ipairs(net:layers()) do place[layer.name] = i end
  for i, unit in ipairs(list) do unit.at = i end
  table.sort(list, function(a, b)
    local x, y = place[a.first], place[b.first]
    return x < y or (x == y and a.at < b.at)
  end)
  return list, reasons
end

-- ---- what widths cost ----

local BYTES = {float32 = 4, int32 = 4, uint32 = 4, float64 = 8, int64 = 8, uint64 = 8, float16 = 2, bfloat16 = 2,
               int16 = 2, uint16 = 2}

-- Bytes of all that a layer makes of one image.
local function activation_bytes(layer)
  local sum = 0
  for _, v in ipairs(layer.outputs) do
    local n = v.constant and 0 or BYTES[v.type] or 1
    for _, d in ipairs(v.shape or {0}) do n = n * d end
    sum = sum + n
  end
  return sum
end

local by_layer = {macs = function(layer) return layer.macs or 0 end, params = function(layer) return layer.params end,
                  bytes = function(layer) return layer.bytes end, activations = activation_bytes}

local measures = {macs = function(net) return net:macs() end, params = function(net) return net:params() end,
                  bytes = function(net) return net:bytes() end}

--- What a network costs: "macs" and "activations" (bytes) for one image, "params", "bytes" (of parameters).
---@param kind string
---@return integer
function units.measure(net, kind)
  return measures[kind] and measures[kind](net) or units.parts(net, kind, {}, 1)[1]
end

--- The same by parts of a net: `parts` sums, of the layers with each number; 1 where a layer has none. What layers
--- share counts at each.
---@param of table<string, integer>   by layer
---@return integer[]
function units.parts(net, kind, of, parts)
  local sums = {}
  for p = 1, parts do sums[p] = 0 end
  for _, layer in ipairs(net:layers()) do
    local p = of[layer.name] or 1
    sums[p] = sums[p] + by_layer[kind](layer)
  end
  return sums
end

--- The channels of a unit's group, by rank: true.
---@return boolean[]
function units.all(unit)
  local list = {}
  for r = 1, unit.group_width do list[r] = true end
  return list
end

-- Pairs of units of which one layer reads the one and makes the other: its weights shrink by both. A layer that gates
-- its own input reads and makes the same unit.
local function pairs_of(list)
  local makes, found, result = {}, {}, {}
  for j, u in ipairs(list) do
    for _, name in ipairs(u.producers) do
      makes[name] = makes[name] or {}
      table.insert(makes[name], j)
    end
  end
  for i, u in ipairs(list) do
    for _, c in ipairs(u.consumers) do
      for _, j in ipairs(makes[c.name] or {}) do
        local key = math.min(i, j) * #list + math.max(i, j)     -- a gate and what it gates meet twice, and count once
        if not found[key] and (i ~= j or u.width > 2) then
          found[key] = true
          result[#result + 1] = {i, j}
        end
      end
    end
  end
  return result
end

--- 1 to n.
---@return integer[]
function units.first(n)
  local list = {}
  for i = 1, n do list[i] = i end
  return list
end

--- A copy of a net of which every unit has so many of its channels, the first ones; of a unit that has none the whole
--- branch is gone (lop.cuts.blocks). Units of layers (lop.cuts.kinds) are left as they are.
---@param widths integer[]
---@return lop.net
function units.shrunk(net, list, widths)
  local copy, keep = net:clone(), {}
  for i, unit in ipairs(list) do
    if not unit.kind and widths[i] > 0 and widths[i] < unit.width then
      keep[unit.group] = keep[unit.group] or units.all(unit)
      for at = widths[i] + 1, unit.width do keep[unit.group][unit.ranks and unit.ranks[at] or at] = false end
    end
  end
  for name, all in pairs(keep) do
    local left = {}
    for r, stays in ipairs(all) do left[#left + 1] = stays and r or nil end
    keep[name] = left
  end
  if next(keep) then copy:cut(keep) end
  for _, b in ipairs(blocks.of(list)) do
    if blocks.is_gone(b, widths) then
      copy:vanish(b.last, core.zeros({copy:layer(b.last).weight:shape()[1]}, "float32"))
    end
  end
  return copy
end

-- One part's cost as a function of widths. extra: what the net has more, by branch and part, where that has vanished.
local function sum_of(list, p, whole, slope, both, branches, extra)
  return function(widths)
    local sum = whole[p]
    for i, u in ipairs(list) do sum = sum - slope[i][p] * (u.width - widths[i]) end
    for _, b in ipairs(both) do
      local gone, beside, more = list[b[1]].width - widths[b[1]], list[b[2]].width - widths[b[2]], b[3][p]
      sum = sum + (b[1] ~= b[2] and more * gone * beside or more * gone * (gone - 1) // 2)
    end
    for k, b in ipairs(branches) do sum = sum + (blocks.is_gone(b, widths) and extra[k][p] or 0) end
    return sum
  end
end

--- The cost of each part of a net as a function of widths. It is measured: on copies of the net with one channel less
--- of each unit, and of each two that meet in a layer (two less where a unit meets itself), and without each branch
--- that may vanish; with these it is exact.
---@param kind string         of units.measure
---@param of table<string, integer>?  by layer its part; nil: all are one
---@param parts integer?
---@return (fun(widths: integer[]): number)[]
function units.costs(net, list, kind, of, parts)
  local function measure(copy) return of and units.parts(copy, kind, of, parts) or {units.measure(copy, kind)} end
  local whole, slope, both, branches, extra = measure(net), {}, {}, blocks.of(list), {}
  local function widths_of()
    local widths = {}
    for i, unit in ipairs(list) do widths[i] = unit.width end
    return widths
  end
  local function at(widths)
    local copy <close> = units.shrunk(net, list, widths)
    return measure(copy)
  end
  local function less(...)
    local widths = widths_of()
    for _, i in ipairs {...} do widths[i] = widths[i] - 1 end
    return at(widths)
  end
  for i in ipairs(list) do
    slope[i] = less(i)
    for p = 1, #whole do slope[i][p] = whole[p] - slope[i][p] end
  end
  for k, p in ipairs(pairs_of(list)) do
    local sums = less(p[1], p[2])
    for q = 1, #whole do sums[q] = sums[q] - whole[q] + slope[p[1]][q] + slope[p[2]][q] end
    both[k] = {p[1], p[2], sums}
  end
  local costs = {}
  for k in ipairs(branches) do extra[k] = {} end
  for p = 1, #whole do
    for k in ipairs(branches) do extra[k][p] = 0 end
    costs[p] = sum_of(list, p, whole, slope, both, branches, extra)
  end
  for k, b in ipairs(branches) do
    local widths = widths_of()
    blocks.drop(list, b, widths)
    local left = at(widths)
    for p = 1, #whole do extra[k][p] = left[p] - costs[p](widths) end
  end
  return costs
end

--- The cost of all of it.
---@return fun(widths: integer[]): number
function units.cost(net, list, kind)
  return units.costs(net, list, kind)[1]
end

-- ---- the widths that a unit may have ----

-- A unit has fewer channels (width) than the group had (before) where dead ones were dropped.

--- Multiples of the unit's round_to from its least width on, and all of it; of ranks, those that save.
function units.allows(unit, width)
  return width == unit.width or (width % (unit.round_to or 1) == 0 and width >= (unit.min or 1)
                                 and width <= (unit.most or width))
end

--- The next allowed width from `width` on: upward, or downward with step -1; nil where there is none.
function units.next(unit, width, step)
  for w = width, step < 0 and 1 or unit.width, step do
    if units.allows(unit, w) then return w end
  end
  return nil
end

--- The allowed width that is nearest, the larger of two that are as near.
function units.nearest(unit, width)
  local w = math.max(1, math.min(unit.width, width))
  local up, down = units.next(unit, math.ceil(w), 1), units.next(unit, math.floor(w), -1)
  if up and down then return up - w <= w - down and up or down end
  return up or down
end

--- The same share of every unit, times its own weight where there are some (math.huge: whole); fixed widths stay.
---@param weights number[]?
---@return integer[]
function units.shares(list, ratio, weights)
  local widths = {}
  for i, u in ipairs(list) do
    local weight = weights and weights[i] or 1
    local whole = u.before or u.width
    local share = (u.kind or weight == math.huge) and u.width or whole * ratio * weight
    widths[i] = u.fixed or units.nearest(u, share)
  end
  return widths
end

return units

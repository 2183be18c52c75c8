-- bindings/lua/lop/units.lua - the groups of a network that the schedule can cut, and what their widths cost.

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

--- How a layer reads, where its weights can be solved: {name, window, residual, gemm, channels}; nil where they cannot.
function units.consumer(net, name)
  local layer = net:layer(name)
  local window = net:window(name) or (layer.op == "Gemm" and {kernel = {1, 1}, group = 1})
  if not window or window.group ~= 1 or not layer.weight then return nil end
  return {name = name, window = window, residual = addition(net, layer.outputs[1].name), gemm = layer.op == "Gemm",
          channels = layer.weight:shape()[2]}
end

--- How many values of each channel a Gemm reads, one behind the other, as behind a Flatten; nil where it does not.
---@return integer?
function units.flat_taps(net, consumer, group)
  local places, total = net:channels(consumer, group.name)
  local taps = total // group.width
  if taps < 2 or total ~= taps * group.width or net:layer(consumer).weight:shape()[2] ~= total then return nil end
  for i = 1, group.width do
    if places[i] ~= (i - 1) * taps + 1 then return nil end
  end
  return taps
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

units.MOST = 8192                       -- inputs of a filter that is solved by sums: beyond, they alone take gigabytes
units.ROWS = 2048                       -- kept in their place, for the dual

--- Whether a layer reads so much that rows are kept in place of sums: a Gemm behind the Flatten of a large map.
function units.too_wide(layer)
  local inputs = 1
  for d, n in ipairs(layer.weight:shape()) do inputs = d > 1 and inputs * n or 1 end
  return inputs > units.MOST
end

-- A group whose consumers read it alone, or whose one consumer, a convolution, reads others beside it (a Concat).
local function unit_of(net, group)
  if group.width < 2 or #group.consumers == 0 then return nil end
  local unit = {name = group.name, width = group.width, producer = group.producers[1], producers = group.producers,
                consumers = {}, stream = group.kind == "stream" or nil}
  for i, name in ipairs(group.consumers) do
    local c = units.consumer(net, name)
    local taps = c and c.gemm and units.flat_taps(net, name, group)
    if taps then c.window, c.taps, c.channels = {kernel = {1, taps}, group = 1}, taps, group.width end
    if not c or not (taps or reads_all_once(net, name, group)) then return nil end
    if unit.stream and (taps or units.too_wide(net:layer(name))) then return nil end
    unit.wide = unit.wide or units.too_wide(net:layer(name))
    unit.partial = unit.partial or c.channels ~= group.width
    if c.channels < group.width or (unit.partial and (c.gemm or #group.consumers > 1)) then return nil end
    unit.consumers[i] = c
  end
  unit.consumers = wide_first(net, unit.consumers)
  return unit
end

--- Groups that the schedule can cut, in forward order. Batch normalisation must have been folded, as far as it can be.
---@return table[]   {name, width, producer, producers, consumers = {{name, window, residual, gemm, channels}}, partial,
---                  wide, stream}; partial, where a consumer reads other groups too; wide, where one keeps rows in
---                  place of sums; stream: a residual stream, which is cut where the recipe says so
function units.find(net)
  local list = {}
  for _, g in ipairs(net:groups()) do
    list[#list + 1] = g.prunable and unit_of(net, g) or nil
  end
  return list
end

-- ---- what widths cost ----

local BYTES = {float32 = 4, int32 = 4, uint32 = 4, float64 = 8, int64 = 8, uint64 = 8, float16 = 2, bfloat16 = 2,
               int16 = 2, uint16 = 2}

-- Bytes of all that the layers make of one image.
local function activation_bytes(net)
  local sum = 0
  for _, layer in ipairs(net:layers()) do
    for _, v in ipairs(layer.outputs) do
      local n = v.constant and 0 or BYTES[v.type] or 1
      for _, d in ipairs(v.shape or {0}) do n = n * d end
      sum = sum + n
    end
  end
  return sum
end

local measures = {macs = function(net) return net:macs() end, params = function(net) return net:params() end,
                  bytes = function(net) return net:bytes() end, activations = activation_bytes}

--- What a network costs: "macs" and "activations" (bytes) for one image, "params", "bytes" (of parameters).
---@param kind string
---@return integer
function units.measure(net, kind)
  return measures[kind](net)
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

--- The cost as a function of widths. It is measured: on copies of the net with one channel less of each unit, and of
--- each two that meet in a layer (two less where a unit meets itself); with these it is exact.
---@param kind string         of units.measure
---@return fun(widths: integer[]): number
function units.cost(net, list, kind)
  local whole, slope, both = units.measure(net, kind), {}, {}
  local function less(...)
    local copy <close>, keep = net:clone(), {}
    for _, i in ipairs {...} do
      local name = list[i].name
      if not keep[name] then
        keep[name] = {}
        for channel = 1, list[i].width do keep[name][channel] = channel end
      end
      table.remove(keep[name])
    end
    copy:cut(keep)
    return units.measure(copy, kind)
  end
  for i in ipairs(list) do slope[i] = whole - less(i) end
  for k, p in ipairs(pairs_of(list)) do
    both[k] = {p[1], p[2], less(p[1], p[2]) - whole + slope[p[1]] + slope[p[2]]}
  end
  return function(widths)
    local sum = whole
    for i, u in ipairs(list) do sum = sum - slope[i] * (u.width - widths[i]) end
    for _, p in ipairs(both) do
      local gone, beside = list[p[1]].width - widths[p[1]], list[p[2]].width - widths[p[2]]
      sum = sum + (p[1] ~= p[2] and p[3] * gone * beside or p[3] * gone * (gone - 1) // 2)
    end
    return sum
  end
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

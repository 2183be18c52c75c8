-- bindings/lua/lop/budget/stages.lua - the stages of a net, for budgets that each stage meets by itself. A stage is
-- what lies between two changes of the height and width of the maps, or between the start of one residual stream and of
-- the next; all of a branch belongs to the stage of the addition (a gate's layers: of the product) that ends it. The
-- groups whose branches add to one stream are so in one stage, with what makes the stream. Stages are numbered from 1
-- in forward order. A layer costs what it costs in its own stage; a group is of the first stage that one of its layers
-- is of, so that a stage's cost hangs on its own groups and on those of earlier stages.

local stages = {}

local POINT = "1"                       -- the size of what has no height and width

local function size_of(shape)
  if not shape or #shape < 3 then return POINT, 1 end
  local first, area = #shape > 3 and #shape - 1 or 3, 1
  for d = first, #shape do area = area * shape[d] end
  return area == 1 and POINT or table.concat(shape, "x", first), area
end

-- Layers as numbers: what each reads (not constants: makers, 0 for the net's inputs), who reads it, its size, whether
-- it joins branches.
local function outline_of(net)
  local list, maker = {}, {}
  for i, layer in ipairs(net:layers()) do
    local size, area = size_of(layer.shape)
    local own = {name = layer.name, op = layer.op, size = size, area = area, reads = {}, readers = {},
                 weighted = layer.weight ~= nil and layer.macs ~= nil and layer.macs > 0}
    for _, v in ipairs(layer.inputs) do
      if not v.constant then own.reads[#own.reads + 1] = maker[v.name] or 0 end
    end
    for k, from in ipairs(own.reads) do
      if from > 0 then table.insert(list[from].readers, {i, k}) end
    end
    own.joins = #own.reads > 1 and (layer.op == "Add" or layer.op == "Sum" or layer.op == "Mul")
    for _, v in ipairs(layer.outputs) do maker[v.name] = i end
    list[i] = own
  end
  for _, v in ipairs(net:outputs()) do
    if maker[v.name] then list[maker[v.name]].ends = true end
  end
  return list
end

local function common_end(a, b)
  local n = 0
  while n < math.min(#a, #b) and a[#a - n] == b[#b - n] do n = n + 1 end
  return table.move(b, #b - n + 1, #b, 1, {})
end

-- By layer the ways into joins that all of what it makes goes, the innermost first: "join/operand".
local function find_ways(list)
  for i = #list, 1, -1 do
    local ways
    for _, r in ipairs(list[i].readers) do
      local reader = list[r[1]]
      local own = table.move(reader.ways, 1, #reader.ways, 1, {})
      if reader.joins then table.insert(own, 1, r[1] .. "/" .. r[2]) end
      ways = ways and common_end(ways, own) or own
    end
    list[i].ways = not list[i].ends and ways or {}
  end
end

-- The layer that made what only activations and norms stand behind.
local function origin_of(list, i)
  local own = list[i]
  while i > 0 and #own.reads == 1 and not own.weighted and own.reads[1] > 0 and list[own.reads[1]].size == own.size
        and own.op ~= "Pad" and own.op ~= "Slice" and own.op ~= "Concat" do
    i = own.reads[1]
    own = list[i]
  end
  return i
end

local function goes(own, way)
  for _, w in ipairs(own.ways) do
    if w == way then return true end
  end
  return false
end

-- Marks where streams begin: what an addition's branches are added to, or the addition where both sides are branches.
local function find_streams(list)
  for i, own in ipairs(list) do
    if own.joins and own.op ~= "Mul" then
      local whole = 0
      for k, from in ipairs(own.reads) do
        local origin = from > 0 and origin_of(list, from) or 0
        if origin == 0 or not goes(list[origin], i .. "/" .. k) then
          whole = whole + 1
          if origin > 0 and not list[origin].sum then list[origin].starts = true end
        end
      end
      own.sum, own.starts = true, whole == 0
    end
  end
end

-- fresh: its size has changed, and no stream has begun since.
local function find_levels(list)
  local input = {level = 0, fresh = true}
  for _, own in ipairs(list) do
    local alike, all
    for _, from in ipairs(own.reads) do
      local v = from > 0 and list[from] or input
      all = math.max(all or 0, v.level)
      if from > 0 and v.size == own.size and (not alike or v.level > alike.level) then alike = v end
    end
    own.level = alike and alike.level or own.reads[1] == 0 and 0 or (all or -1) + 1
    own.fresh = not alike or alike.fresh
    if own.starts then
      own.level = own.fresh and own.level or own.level + 1
      own.fresh = false
    end
  end
end

-- The level of the addition that a branch leads to: but not of what works at a smaller size meanwhile, an encoder say.
local function lifted(list, own)
  local level = own.level
  for _, way in ipairs(own.ways) do
    local join = list[tonumber(way:match "^%d+")]
    if own.area < join.area and own.area > 1 then break end
    level = join.level
  end
  return level
end

--- The stage of each layer.
---@return table<string, integer> by_layer
---@return integer count
function stages.of(net)
  local list = outline_of(net)
  find_ways(list)
  find_streams(list)
  find_levels(list)
  local most, used, number, count, by = 0, {}, {}, 0, {}
  for _, own in ipairs(list) do
    own.level = math.max(lifted(list, own), 0)
    most = math.max(most, own.level)
    used[own.level] = used[own.level] or own.weighted
  end
  for level = 0, most do                -- those without a layer that has weights go with the one before
    count = count + (used[level] and 1 or 0)
    number[level] = math.max(count, 1)
  end
  for _, own in ipairs(list) do by[own.name] = number[own.level] end
  return by, math.max(count, 1)
end

--- The stage of a unit.
---@param by_layer table<string, integer>
---@param unit table          of lop.engine.units or lop.cuts.kinds
function stages.unit(by_layer, unit)
  local first = by_layer[unit.producer]
  for _, name in ipairs(unit.producers) do first = math.min(first, by_layer[name]) end
  for _, c in ipairs(unit.consumers) do first = math.min(first, by_layer[c.name]) end
  return first
end

return stages

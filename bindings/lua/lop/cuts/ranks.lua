-- bindings/lua/lop/cuts/ranks.lua - low rank as a unit of the schedule, in two forms. "rank": a convolution of kh x kw
-- is kh x 1 and 1 x kw (Jaderberg et al., BMVC 2014), one of 1 x 1 two of 1 x 1, a Gemm two matrices. "channel": one of
-- kh x kw is r filters of its window and 1 x 1 (Zhang et al., TPAMI 2016). r channels are between. The first factor
-- comes from the layer's own least-squares weights, the second is solved on data. A unit's "width" is r; its whole
-- width is the full rank, and stands for the layer as it was. A layer is factored in one form: the units name each
-- other (rival).

local core = require "lop.core"
local cost = require "lop.budget.cost"
local reader = require "lop.engine.reader"
local solve = require "lop.engine.solve"
local units = require "lop.engine.units"

local ranks = {}

-- The largest rank that costs less than the layer.
local function most_of(layer, window, input, kind)
  local f, s = cost.figures(layer, window, "macs", input), layer.weight:shape()
  local c, n, form = s[2], s[1], f[kind]
  local saves = math.ceil(f.full * c * n / (form.first * c + form.second * n)) - 1
  local apart = kind == "channel" and {c * window.kernel[1] * window.kernel[2], n}
    or {c * window.kernel[1], n * window.kernel[2]}
  return math.min(saves, math.min(apart[1], apart[2]) - 1), math.min(apart[1], apart[2])
end

local function unit_of(net, layer, kind)
  local consumer = units.consumer(net, layer.name)
  if not consumer or units.too_wide(layer) then return nil end
  local input, planes = cost.shape_of(net, layer.inputs[1].name), layer.op == "Conv" and 4 or 2
  if not layer.shape or #layer.shape ~= planes or not input or #input ~= planes then return nil end
  local most, full = most_of(layer, consumer.window, input, kind)
  if most < 2 then return nil end
  return {kind = kind, name = layer.name .. ":" .. kind, width = full, most = most,
          producer = layer.name, first = layer.name, producers = {layer.name}, consumers = {consumer}}
end

-- Whether it is of one pixel a position: a Gemm, or a convolution of 1 x 1.
local function is_point(s) return (s[3] or 1) * (s[4] or 1) == 1 end

-- A layer in the solver's form (lop.engine.reader), where it is one that can be factored.
local function factorable(net, layer)
  if layer.op == "Gemm" then return layer.weight and reader.layer(net, layer.name) end
  return layer.op == "Conv" and layer.weight and #layer.weight:shape() == 4 and layer or nil
end

--- The layers of a net that can be factored, as units: of a layer with two forms "rank" is the first.
---@param forms string[]?     of convolutions wider than 1 x 1: "spatial", "channel", or both (nil)
---@return table[]            as from units.find, and: kind, most (the largest rank that saves MACs), rival (the name of
---                           the unit of the layer's other form)
function ranks.find(net, forms)
  local list, allowed = {}, {}
  for _, word in ipairs(forms or {"spatial", "channel"}) do allowed[word] = true end
  for _, layer in ipairs(net:layers()) do
    layer = factorable(net, layer)
    if layer then
      local point = is_point(layer.weight:shape())
      local spatial = (point or allowed.spatial) and unit_of(net, layer, "rank") or nil
      local channel = not point and allowed.channel and unit_of(net, layer, "channel") or nil
      if spatial and channel then spatial.rival, channel.rival = channel.name, spatial.name end
      if spatial then list[#list + 1] = spatial end
      if channel then list[#list + 1] = channel end
    end
  end
  return list
end

-- ---- the factors ----

-- A layer's factors at full rank, and the sums of what lies between.
local function factor(kind, layer, stats, held, opts)
  local s = layer.weight:shape()
  local weight = stats:reconstruct(units.first(s[2]), solve.how(layer, held, opts))
  local first, second, keep
  if kind == "channel" or is_point(s) then
    first, second = core.factor_channel(weight, stats)
    keep = 1
  else
    first, second = core.factor_spatial(weight)
    keep = s[4]
  end
  return {first = first, second = second, stats = stats:project(first, keep),
          held = held and held:project(first, keep)}
end

local function set(net, layer, factors, rank, opts)
  local kept = units.first(rank)
  local how = solve.how({weight = factors.second, bias = layer.bias}, factors.held, opts)
  local second, bias, err = factors.stats:reconstruct(kept, how)
  net:factor(layer.name, factors.first:index(1, kept), second)
  if layer.op == "Gemm" then second = second:reshape {layer.weight:shape()[1], rank} end
  solve.set(net, layer.name, opts, second, bias)
  return err
end

--- What cuts a layer of copies of a net to any rank, in place.
---@param stats lop.stats     of the layer
---@return fun(net: lop.net, rank: integer): number error
function ranks.cutter(net, unit, stats, held, opts)
  local layer = reader.layer(net, unit.producer)
  local factors = factor(unit.kind, layer, stats, held, opts)
  return function(copy, rank)
    return set(copy, layer, factors, rank, opts)
  end
end

--- The relative error of each rank up to the largest that saves.
---@return number[]
function ranks.errors(net, unit, stats, opts)
  local layer, errors = reader.layer(net, unit.producer), {}
  local factors = factor(unit.kind, layer, stats, nil, opts)
  for rank = 1, unit.most do
    local how = solve.how({weight = factors.second, bias = layer.bias}, nil, opts)
    errors[rank] = select(3, factors.stats:reconstruct(units.first(rank), how))
  end
  return errors
end

-- The error of a form of a layer at a share of the layer's cost; 1 where not even one channel is to be had for that.
local function error_at(unit, layer, factors, share, opts)
  local rank = math.floor(share * (unit.most + 1))
  if rank < 1 then return 1 end
  return (select(3, factors.stats:reconstruct(units.first(rank),
                                              solve.how({weight = factors.second, bias = layer.bias}, nil, opts))))
end

--- Whether a unit can be the better of two forms: "channel" must have the smaller error at a quarter, half or three
--- quarters of the layer's cost. It has where a layer reads few channels, and seldom elsewhere.
---@param list table[]        with the rival
function ranks.worth(net, unit, list, stats, opts)
  if not unit.rival or unit.kind ~= "channel" then return true end
  local layer, other = net:layer(unit.producer), nil
  for _, u in ipairs(list) do other = u.name == unit.rival and u or other end
  if not other then return true end
  local mine, its = factor(unit.kind, layer, stats, nil, opts), factor(other.kind, layer, stats, nil, opts)
  for _, share in ipairs {0.25, 0.5, 0.75} do
    if error_at(unit, layer, mine, share, opts) < error_at(other, layer, its, share, opts) then return true end
  end
  return false
end

-- A convolution without a bias that makes up a window with the next one: nothing but a factor.
local function is_factor(net, layer, name, window)
  local a, b = net:window(layer.name), net:window(name)
  if not a or not b or not layer.weight or layer.bias or a.group ~= 1 or b.group ~= 1 then return false end
  local k, l, w = a.kernel, b.kernel, window.kernel
  return (k[2] == 1 and l[1] == 1 or l[1] * l[2] == 1) and math.max(k[1], l[1]) == w[1] and math.max(k[2], l[2]) == w[2]
end

--- The first factor of a layer; nil where it was not factored.
---@param window table        the layer's, as it was
function ranks.first(net, name, window)
  local input, found, readers = net:layer(name).inputs[1].name, nil, 0
  for _, layer in ipairs(net:layers()) do
    if layer.outputs[1] and layer.outputs[1].name == input then found = layer end
    for _, v in ipairs(layer.inputs) do readers = readers + (v.name == input and 1 or 0) end
  end
  return found and readers == 1 and is_factor(net, found, name, window) and found or nil
end

--- The filters that two factors make up: (n, c, kh, kw) of (r, c, kh, 1) and (n, r, 1, kw), or (r, c, kh, kw) and
--- (n, r, 1, 1).
function ranks.product(first, second)
  local a, b = first:shape(), second:shape()
  local rows = second:transpose(2, 4):clone():reshape {b[1] * b[4], b[2]}              -- (n kw, r)
  local both = rows:matmul(first:reshape {a[1], a[2] * a[3] * a[4]})
  if b[4] == 1 then return both:reshape {b[1], a[2], a[3], a[4]} end
  return both:reshape({b[1], b[4], a[2], a[3]}):transpose(2, 3):transpose(3, 4):clone()
end

--- The two factors as a producer and its consumer, for lop.engine.producer.
---@param unit table          of a rank, or one with its consumer alone
function ranks.pair(net, unit)
  local c = unit.consumers[1]
  local first = ranks.first(net, unit.producer, c.window)
  return {name = unit.name, producer = first.name, producers = {first.name},
          consumers = {{name = c.name, window = net:window(c.name), residual = c.residual, gemm = false,
                        channels = first.weight:shape()[1]}}}
end

return ranks

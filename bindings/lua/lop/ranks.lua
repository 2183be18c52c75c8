-- bindings/lua/lop/ranks.lua - low rank as a unit of the schedule: a convolution of kh x kw becomes kh x 1 and 1 x kw
-- (Jaderberg et al., BMVC 2014), one of 1 x 1 two of 1 x 1 (Zhang et al., TPAMI 2016), with r channels between. The
-- first factor comes from the layer's own least-squares weights, the second is solved on data. A unit's "width" is r;
-- its whole width is the full rank, and stands for the layer as it was.

local core = require "lop.core"
local cost = require "lop.cost"
local solve = require "lop.solve"
local units = require "lop.units"

local ranks = {}

-- The largest rank that costs less than the layer.
local function most_of(layer, window, input)
  local f, s = cost.figures(layer, window, "macs", input), layer.weight:shape()
  local c, n = s[2], s[1]
  local saves = math.ceil(f.full * c * n / (f.first * c + f.second * n)) - 1
  return math.min(saves, math.min(c * window.kernel[1], n * window.kernel[2]) - 1)
end

local function unit_of(net, layer)
  local consumer = units.consumer(net, layer.name)
  if not consumer or consumer.gemm or units.too_wide(layer) then return nil end
  local input = cost.shape_of(net, layer.inputs[1].name)
  if not layer.shape or #layer.shape ~= 4 or not input or #input ~= 4 then return nil end
  local most = most_of(layer, consumer.window, input)
  if most < 2 then return nil end
  local s, k = layer.weight:shape(), consumer.window.kernel
  return {kind = "rank", name = layer.name .. ":rank", width = math.min(s[2] * k[1], s[1] * k[2]), most = most,
          producer = layer.name, first = layer.name, producers = {layer.name}, consumers = {consumer}}
end

--- The convolutions of a net that can be factored, as units.
---@return table[]            as from units.find, and: kind = "rank", most (the largest rank that saves MACs)
function ranks.find(net)
  local list = {}
  for _, layer in ipairs(net:layers()) do
    if layer.op == "Conv" and layer.weight then list[#list + 1] = unit_of(net, layer) end
  end
  return list
end

-- ---- the factors ----

local function first_of(n)
  local list = {}
  for i = 1, n do list[i] = i end
  return list
end

-- A layer's factors at full rank, and the sums of what lies between.
local function factor(layer, stats, held, opts)
  local s = layer.weight:shape()
  local weight = stats:reconstruct(first_of(s[2]), solve.how(layer, held, opts))
  local first, second, keep
  if s[3] * s[4] == 1 then
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
  local kept = first_of(rank)
  local how = solve.how({weight = factors.second, bias = layer.bias}, factors.held, opts)
  local second, bias, err = factors.stats:reconstruct(kept, how)
  net:factor(layer.name, factors.first:index(1, kept), second)
  solve.set(net, layer.name, opts, second, bias)
  return err
end

--- What cuts a layer of copies of a net to any rank, in place.
---@param stats lop.stats     of the layer
---@return fun(net: lop.net, rank: integer): number error
function ranks.cutter(net, unit, stats, held, opts)
  local layer = net:layer(unit.producer)
  local factors = factor(layer, stats, held, opts)
  return function(copy, rank)
    return set(copy, layer, factors, rank, opts)
  end
end

--- The relative error of each rank up to the largest that saves.
---@return number[]
function ranks.errors(net, unit, stats, opts)
  local layer, errors = net:layer(unit.producer), {}
  local factors = factor(layer, stats, nil, opts)
  for rank = 1, unit.most do
    local _, _, err = factors.stats:reconstruct(first_of(rank), solve.how({weight = factors.second, bias = layer.bias},
                                                                           nil, opts))
    errors[rank] = err
  end
  return errors
end

-- A convolution without a bias whose window and this one's are apart: nothing but a factor.
local function is_factor(net, layer, name)
  local a, b = net:window(layer.name), net:window(name)
  return a and b and layer.weight and not layer.bias and a.group == 1 and b.group == 1 and a.kernel[2] == 1
    and b.kernel[1] == 1
end

--- The first factor of a layer; nil where it was not factored.
function ranks.first(net, name)
  local input, found, readers = net:layer(name).inputs[1].name, nil, 0
  for _, layer in ipairs(net:layers()) do
    if layer.outputs[1] and layer.outputs[1].name == input then found = layer end
    for _, v in ipairs(layer.inputs) do readers = readers + (v.name == input and 1 or 0) end
  end
  return found and readers == 1 and is_factor(net, found, name) and found or nil
end

--- The filters that two factors make up: (n, c, kh, kw) of (r, c, kh, 1) and (n, r, 1, kw).
function ranks.product(first, second)
  local a, b = first:shape(), second:shape()
  local rows = second:transpose(2, 4):clone():reshape {b[1] * b[4], b[2]}              -- (n kw, r)
  local both = rows:matmul(first:reshape {a[1], a[2] * a[3]})                          -- (n kw, c kh)
  return both:reshape({b[1], b[4], a[2], a[3]}):transpose(2, 3):transpose(3, 4):clone()
end

--- The two factors as a producer and its consumer, for lop.producer.
---@param unit table          of a rank, or one with its consumer alone
function ranks.pair(net, unit)
  local first, c = ranks.first(net, unit.producer), unit.consumers[1]
  return {name = unit.name, producer = first.name, producers = {first.name},
          consumers = {{name = c.name, window = net:window(c.name), residual = c.residual, gemm = false,
                        channels = first.weight:shape()[1]}}}
end

return ranks

-- bindings/lua/lop/cuts/samplers.lua - a convolution at the start of a branch may read a part of its stream's channels:
-- the channel sampler of He et al., ICCV 2017, section 3.3. The stream stays whole; a Gather stands before the
-- convolution.

local choose = require "lop.engine.choose"
local cost = require "lop.budget.cost"
local solve = require "lop.engine.solve"
local units = require "lop.engine.units"

local samplers = {}

local LEAST = 4                         -- channels of a stream, below which it is not worth a Gather

local function unit_of(net, name)
  local consumer, layer = units.consumer(net, name), net:layer(name)
  if not consumer or consumer.gemm or units.too_wide(layer) or consumer.channels < LEAST then return nil end
  local shape = cost.shape_of(net, layer.inputs[1].name)
  if not shape or #shape ~= 4 then return nil end
  return {kind = "input", name = name .. ":input", width = consumer.channels, most = consumer.channels - 1,
          producer = name, first = name, producers = {name}, consumers = {consumer}}
end

--- The convolutions that read a residual stream, as units: their "width" is how many of its channels they read.
---@return table[]            as from units.find, and kind = "input"
function samplers.find(net)
  local list = {}
  for _, group in ipairs(net:groups()) do
    for _, name in ipairs(group.kind == "stream" and group.consumers or {}) do list[#list + 1] = unit_of(net, name) end
  end
  return list
end

local function how_of(unit, layer, opts)
  local select = unit.select or opts.select
  local how = {weight = layer.weight, seed = opts.seed}
  for key, value in pairs(type(select) == "table" and select or {method = select}) do how[key] = value end
  if how.method == "bn-scale" then how.method = "elimination" end              -- a stream has no one scale
  return how
end

--- What lets copies of a net's layer read fewer channels, in place.
---@param stats lop.stats     of the layer
---@return fun(net: lop.net, count: integer): number error
function samplers.cutter(net, unit, stats, held, opts)
  local layer = net:layer(unit.producer)
  local how, order = how_of(unit, layer, opts), nil
  if choose.nested(how) and not how.refine then
    how.refine, how.lambda = nil, nil
    order = stats:order(how)
  end
  return function(copy, count)
    local channels = order and table.move(order, #order - count + 1, #order, 1, {})
      or choose.channels(stats, count, how)
    table.sort(channels)
    local weight, bias, err = stats:reconstruct(channels, solve.how(layer, held, opts))
    copy:sample(layer.name, channels)
    copy:set(layer.name, weight, opts.intercept ~= false and bias or nil)
    return err
  end
end

--- The relative error of each number of channels.
---@return number[]
function samplers.errors(net, unit, stats, opts)
  local how = how_of(unit, net:layer(unit.producer), opts)
  how.method, how.refine, how.lambda = "elimination", nil, nil
  local _, errors = stats:curve(how)
  return errors
end

return samplers

-- bindings/lua/lop/budget/cost.lua - what widths, ranks and samplers cost together. Widths are counted by units.cost; a
-- layer that is factored, or reads or writes a part of its channels, adds the difference, from its channels and filters
-- as they are.

local blocks = require "lop.cuts.blocks"
local reader = require "lop.engine.reader"
local units = require "lop.engine.units"

local cost = {}

--- The shape of a value of a net.
---@return integer[]?
function cost.shape_of(net, name)
  for _, v in ipairs(net:inputs()) do
    if v.name == name then return v.shape end
  end
  for _, layer in ipairs(net:layers()) do
    for _, v in ipairs(layer.outputs) do
      if v.name == name then return v.shape end
    end
  end
end

--- MACs of a convolution: `full` for each channel and filter. Of its two factors, for each kind of unit that makes
--- them, `first` for each channel and r, and `second` for each r and filter. Of activations: `between` for each r,
--- `read` for each channel that is sampled, `write` for each that is made or put in its place; `bias` of a filter.
---@param kind string         of units.measure
---@param input integer[]     the shape of its input
function cost.figures(layer, window, kind, input)
  local k, oh, ow, iw = window.kernel, layer.shape[3] or 1, layer.shape[4] or 1, input[4] or 1      -- 1: of a Gemm
  local wide = k[1] * k[2] == 1 and ow or iw            -- of what lies between kh x 1 and 1 x kw
  if kind == "activations" then
    return {full = 0, read = 4 * (input[3] or 1) * iw, write = 4 * oh * ow, bias = 0,
            rank = {first = 0, second = 0, between = 4 * oh * wide},
            channel = {first = 0, second = 0, between = 4 * oh * ow}}
  end
  local each = kind == "bytes" and 4 or 1
  local a, b = kind == "macs" and oh * wide or each, kind == "macs" and oh * ow or each
  return {full = k[1] * k[2] * b, read = 0, write = 0, bias = kind == "macs" and 0 or each,
          rank = {first = k[1] * a, second = k[2] * b, between = 0},
          channel = {first = k[1] * k[2] * b, second = b, between = 0}}
end

-- How many of a layer's channels, or filters, each channel of a unit is.
local function times(ranks, unit)
  local count = 0
  for _, own in ipairs(reader.own(ranks, unit)) do count = count + (own > 0 and 1 or 0) end
  return count // unit.width
end

-- The units of width that a layer reads, and that it makes: {place in the list, times}.
local function around(net, list, name)
  local reads, makes = {}, {}
  for i, unit in ipairs(list) do
    if not unit.kind then
      for _, c in ipairs(unit.consumers) do
        if c.name == name then reads[#reads + 1] = {i, times(net:ranks(name, unit.group), unit)} end
      end
      for _, p in ipairs(unit.producers) do
        if p == name then makes[#makes + 1] = {i, times(net:filters(name, unit.group), unit)} end
      end
    end
  end
  return reads, makes
end

local function gone(list, widths, places)
  local sum = 0
  for _, p in ipairs(places) do sum = sum + p[2] * (list[p[1]].width - widths[p[1]]) end
  return sum
end

-- What is added for one layer; by_kind: the places of its own units.
local function term(net, list, name, by_kind, kind)
  local layer = reader.layer(net, name)
  local f = cost.figures(layer, layer.window, kind, cost.shape_of(net, layer.inputs[1].name))
  local s, reads, makes = layer.weight:shape(), around(net, list, name)
  local input, bias = by_kind.input, layer.bias and f.bias or 0
  local function cut_of(widths, word)
    local i = by_kind[word]
    return i and widths[i] < list[i].width and widths[i] or nil
  end
  local branches = {}
  for _, b in ipairs(blocks.of(list)) do branches[#branches + 1] = b.layers[name] and b or nil end
  return function(widths)
    if branches[1] and blocks.is_gone(branches[1], widths) then return 0 end
    local c, n = s[2] - gone(list, widths, reads), s[1] - gone(list, widths, makes)
    local read, extra = c, 0
    if input and widths[input] < list[input].width then read, extra = widths[input], f.read * widths[input] end
    local made = cut_of(widths, "output") or n
    if made < n then                    -- made; with zeros; all, twice, less once
      extra = extra + f.write * (2 * made + 1 + n) - bias * (n - made)
    end
    local now = f.full * read * made
    local rank = cut_of(widths, "rank")
    local r, form = rank or cut_of(widths, "channel"), rank and f.rank or f.channel
    if r then now = r * (form.first * read + form.second * made + form.between) end
    return now - f.full * c * n + extra
  end
end

--- The cost of each part of a net as a function of the widths of a list of units.
---@param list table[]        from units.find, ranks.find, samplers.find
---@param kind string         of units.measure
---@param of table<string, integer>?  by layer its part; nil: all are one
---@param parts integer?
---@return (fun(widths: integer[]): number)[]
function cost.parts(net, list, kind, of, parts)
  local plain, place, terms, layers = {}, {}, {}, {}
  for i, unit in ipairs(list) do
    if unit.kind then
      if not layers[unit.producer] then
        layers[unit.producer] = {}
        layers[#layers + 1] = unit.producer
      end
      layers[unit.producer][unit.kind] = i
    else
      plain[#plain + 1], place[#place + 1] = unit, i
    end
  end
  local costs = units.costs(net, plain, kind, of, parts)
  for p in ipairs(costs) do terms[p] = {} end
  for _, name in ipairs(layers) do
    table.insert(terms[of and of[name] or 1], term(net, list, name, layers[name], kind))
  end
  for p, base in ipairs(costs) do
    costs[p] = function(widths)
      local own = {}
      for k, i in ipairs(place) do own[k] = widths[i] end
      local sum = base(own)
      for _, t in ipairs(terms[p]) do sum = sum + t(widths) end
      return sum
    end
  end
  return costs
end

--- The cost of all of it.
---@return fun(widths: integer[]): number
function cost.of(net, list, kind)
  return cost.parts(net, list, kind)[1]
end

return cost

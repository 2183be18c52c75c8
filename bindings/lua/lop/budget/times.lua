-- bindings/lua/lop/budget/times.lua - what widths, ranks and samplers cost in time, in nanoseconds for one image. A
-- layer with weights takes the time of its step in the whole net, by what lop.budget.timing's table says of the
-- channels and filters that are left; any other layer takes a share, by the size of what it makes. Their sum is brought
-- to the time of the net. A branch that vanishes takes its layers' times along; the addition that ended it, which
-- its last layer did in passing, is then a step of its own, and timed as such in the net without all of them.

local blocks = require "lop.cuts.blocks"
local core = require "lop.core"
local cost = require "lop.budget.cost"
local reader = require "lop.engine.reader"
local timing = require "lop.budget.timing"
local units = require "lop.engine.units"

local times = {}

local function elements(layer)
  local n = 1
  for _, d in ipairs(layer.shape or {}) do n = n * d end
  return n
end

-- What a layer is for the table; nil where it has no weights that the table knows.
local function about_of(net, layer)
  local input = layer.inputs[1] and cost.shape_of(net, layer.inputs[1].name)
  if not layer.weight or not input then return nil end
  if layer.op == "Gemm" then
    local s = reader.layer(net, layer.name).weight:shape()
    return {op = "Gemm", channels = s[2], filters = s[1]}
  end
  local s, window = layer.weight:shape(), #input == 4 and net:window(layer.name)
  if layer.op ~= "Conv" or not window then return nil end
  return {op = "Conv", window = window, rows = input[3], columns = input[4], channels = s[2] * window.group,
          filters = s[1], apart = window.group > 1 and window.group == s[2] * window.group or nil}
end

-- Channels, filters and elements of every layer, by name.
local function sizes_of(net)
  local by = {}
  for _, layer in ipairs(net:layers()) do
    local about = about_of(net, layer)
    by[layer.name] = {elements = elements(layer), channels = about and about.channels,
                      filters = about and about.filters}
  end
  return by
end

-- How each size falls with the channels of a unit: they are linear in all widths.
local function slopes_of(net, list)
  local whole, slopes = sizes_of(net), {}
  for i, unit in ipairs(list) do
    if not unit.kind then
      local widths = {}
      for k, u in ipairs(list) do widths[k] = u.width end
      widths[i] = unit.width - 1
      local less <close> = units.shrunk(net, list, widths)
      for name, now in pairs(sizes_of(less)) do
        local was = whole[name]
        for key, n in pairs(now) do
          if n ~= was[key] then
            slopes[name] = slopes[name] or {}
            table.insert(slopes[name], {unit = i, key = key, by = was[key] - n})
          end
        end
      end
    end
  end
  return whole, slopes
end

-- A factor of a layer, for the table: of `reads` channels at most and `makes` filters.
local function factor_of(about, reads, makes, kernel, first)
  local w, size = about.window, {about.rows, about.columns}
  if not w then return {op = "Gemm", channels = reads, filters = makes} end
  local own = {kernel = kernel, stride = {1, 1}, pad = {0, 0, 0, 0}, dilation = {1, 1}, group = 1}
  for d = 1, 2 do
    local out = (size[d] + w.pad[d] + w.pad[d + 2] - w.dilation[d] * (w.kernel[d] - 1) - 1) // w.stride[d] + 1
    if kernel[d] == w.kernel[d] and (kernel[d] > 1 or first) then
      own.stride[d], own.pad[d], own.pad[d + 2], own.dilation[d] = w.stride[d], w.pad[d], w.pad[d + 2], w.dilation[d]
    elseif not first then
      size[d] = out
    end
  end
  return {op = "Conv", window = own, rows = size[1], columns = size[2], channels = reads, filters = makes}
end

-- Both factors of each form of a layer.
local function forms_of(about, list, by_kind)
  local forms, k = {}, about.window and about.window.kernel or {1, 1}
  local shapes = {rank = k[1] * k[2] == 1 and {k, k} or {{k[1], 1}, {1, k[2]}}, channel = {k, {1, 1}}}
  for kind, pair in pairs(shapes) do
    local most = by_kind[kind] and list[by_kind[kind]].most
    forms[kind] = most and {factor_of(about, about.channels, most, pair[1], true),
                            factor_of(about, most, about.filters, pair[2], false)}
  end
  return forms
end

-- The time of a layer with weights as a function of its sizes and of the widths.
local function weighted(about, list, by_kind, at, step)
  local rate = step / at(about, about.channels, about.filters)
  local forms = forms_of(about, list, by_kind)
  local function cut_of(widths, kind)
    local i = by_kind[kind]
    return i and widths[i] < list[i].width and widths[i] or nil
  end
  return function(size, widths)
    local c, n = cut_of(widths, "input") or size.channels, cut_of(widths, "output") or size.filters
    for kind, form in pairs(forms) do
      local r = cut_of(widths, kind)
      if r then return rate * (at(form[1], c, r) + at(form[2], r, n)) end
    end
    return rate * at(about, c, n)
  end
end

-- The layers' times as functions of sizes and widths.
local function terms_of(net, list, whole, clock)
  local at, steps, by_layer, terms = timing.table(clock), clock.steps(net), {}, {}
  for i, unit in ipairs(list) do
    if unit.kind then
      by_layer[unit.producer] = by_layer[unit.producer] or {}
      by_layer[unit.producer][unit.kind] = i
    end
  end
  for _, layer in ipairs(net:layers()) do
    local step, about = steps[layer.name], about_of(net, layer)
    if step then
      local all, own = whole[layer.name].elements, by_layer[layer.name] or {}
      terms[#terms + 1] = {layer = layer.name, time = about and weighted(about, list, own, at, step)
                             or function(size) return step * size.elements / all end}
    end
  end
  return terms
end

-- The layer that adds a branch to its stream, by the branch's last.
local function addition_of(net, last)
  local output = net:layer(last).outputs[1].name
  for _, layer in ipairs(net:layers()) do
    for _, v in ipairs(layer.inputs) do
      if v.name == output then return layer.name end
    end
  end
end

-- The branches of a list, and of each the time of its addition where it has vanished.
local function branches_of(net, list, clock)
  local branches, widths, extra = blocks.of(list), {}, {}
  if #branches == 0 then return branches, extra end
  for i, unit in ipairs(list) do widths[i] = unit.width end
  for _, b in ipairs(branches) do blocks.drop(list, b, widths) end
  local without <close> = units.shrunk(net, list, widths)
  local before, after = clock.steps(net), clock.steps(without)
  for k, b in ipairs(branches) do
    local name = addition_of(net, b.last)
    extra[k] = math.max(0, (after[name] or 0) - (before[name] or 0))
  end
  return branches, extra
end

--- The time as a function of the widths of a list of units.
---@param list table[]        from units.find and lop.cuts.kinds
---@param clock table?        lop.budget.timing's, where absent
---@return fun(widths: integer[]): number     nanoseconds for one image
function times.cost(net, list, clock)
  clock = clock or timing.clock
  local whole, slopes = slopes_of(net, list)
  local terms = terms_of(net, list, whole, clock)
  local branches, extra = branches_of(net, list, clock)
  local of = {}
  for _, b in ipairs(branches) do
    for name in pairs(b.layers) do of[name] = b end
  end
  local function time_of(t, widths)
    local was = whole[t.layer]
    local size = {channels = was.channels, filters = was.filters, elements = was.elements}
    for _, s in ipairs(slopes[t.layer] or {}) do
      size[s.key] = size[s.key] - s.by * (list[s.unit].width - widths[s.unit])
    end
    return t.time(size, widths)
  end
  local function sum_of(widths)
    local sum = 0
    for _, t in ipairs(terms) do
      local b = of[t.layer]
      sum = sum + (b and blocks.is_gone(b, widths) and 0 or time_of(t, widths))
    end
    for k, b in ipairs(branches) do sum = sum + (blocks.is_gone(b, widths) and extra[k] or 0) end
    return sum
  end
  local full = {}
  for i, unit in ipairs(list) do full[i] = unit.width end
  local scale = clock.net(net) / sum_of(full)
  return function(widths) return scale * sum_of(widths) end
end

-- What a layer's own units make of a net that is cut already; weights do not matter.
local kinds = {
  input = function(net, layer, count)
    local kept, w = units.first(count), layer.weight
    net:sample(layer.name, kept)
    net:set(layer.name, w:index(2, kept))
  end,
  output = function(net, layer, count)
    net:write_part(layer.name, units.first(count), core.zeros {layer.weight:shape()[1]})
  end,
}

--- A copy of a net of these widths, to be timed: of every unit its first channels.
---@return lop.net
function times.shape(net, list, widths)
  local copy = units.shrunk(net, list, widths)
  for i, unit in ipairs(list) do
    if unit.kind and widths[i] < unit.width then
      local layer, r = reader.layer(copy, unit.producer), widths[i]
      if kinds[unit.kind] then
        kinds[unit.kind](copy, layer, r)
      else
        local s, k = layer.weight:shape(), layer.window.kernel
        local first = unit.kind == "channel" and k or {k[1], k[1] * k[2] == 1 and k[2] or 1}
        local second = unit.kind == "channel" and {1, 1} or {1, k[2]}
        copy:factor(layer.name, core.zeros {r, s[2], first[1], first[2]}, core.zeros {s[1], r, second[1], second[2]})
      end
    end
  end
  return copy
end

return times

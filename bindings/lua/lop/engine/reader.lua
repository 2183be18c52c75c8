-- bindings/lua/lop/engine/reader.lua - layers that read channels by weights, brought into one form for the solver: a
-- convolution of planes, filters (n, c, kh, kw). And which entries of such a layer's input a unit's channels are.

local reader = {}

local POINT = {kernel = {1, 1}, stride = {1, 1}, pad = {0, 0, 0, 0}, dilation = {1, 1}, group = 1}

local function copy_of(window, more)
  local copy = {}
  for key, value in pairs(window) do copy[key] = value end
  for key, value in pairs(more) do copy[key] = value end
  return copy
end

-- A convolution along one dimension is one of planes that are one row high.
local function along_one(net, layer)
  local function list(key, otherwise) return net:attribute(layer.name, key) or otherwise end
  local auto = list("auto_pad", "NOTSET")
  if auto ~= "NOTSET" and auto ~= "VALID" then return nil, "its auto_pad is not worked out along one dimension" end
  local pads = auto == "VALID" and {0, 0} or list("pads", {0, 0})
  return {kernel = {1, layer.weight:shape()[3]}, stride = {1, list("strides", {1})[1]}, pad = {0, pads[1], 0, pads[2]},
          dilation = {1, list("dilations", {1})[1]}, group = list("group", 1), row = true}
end

-- A transposed convolution whose windows lie side by side: of every pixel it makes kh x kw, each by filters of its own.
local function side_by_side(net, layer)
  local function every(key, wanted)
    for d, n in ipairs(net:attribute(layer.name, key) or {}) do
      if n ~= (type(wanted) == "table" and wanted[d] or wanted) then return false end
    end
    return true
  end
  local s = layer.weight:shape()
  local kernel = {s[3], s[4]}
  local fits = net:attribute(layer.name, "output_shape") == nil and every("pads", 0) and every("output_padding", 0)
    and every("dilations", 1) and (net:attribute(layer.name, "auto_pad") or "NOTSET") == "NOTSET"
  local stride = net:attribute(layer.name, "strides") or {1, 1}
  if not fits or stride[1] ~= kernel[1] or stride[2] ~= kernel[2] then
    return nil, "a transposed convolution is solved where its stride is its kernel, without pads"
  end
  return copy_of(POINT, {spread = kernel, group = net:attribute(layer.name, "group") or 1})
end

local SOLVED = {Conv = true, ConvTranspose = true, Gemm = true, MatMul = true}

local function window_of(net, layer)
  if not SOLVED[layer.op] then return nil, "a convolution, a Gemm or a MatMul expected" end
  if not layer.weight then return nil, "its weights are computed" end
  local dims = #layer.weight:shape()
  if layer.op == "Gemm" then return copy_of(POINT, {turned = net:attribute(layer.name, "transB") ~= 1}) end
  if layer.op == "MatMul" and dims == 2 then return copy_of(POINT, {turned = true, last = true}) end
  if layer.op == "Conv" and dims == 4 then return net:window(layer.name) end
  if layer.op == "ConvTranspose" and dims == 4 then return side_by_side(net, layer) end
  if layer.op == "Conv" and dims == 3 then return along_one(net, layer) end
  return nil, layer.op == "MatMul" and "a matrix expected" or "a convolution along one or two dimensions expected"
end

-- A matrix (c, n) as filters (n, c); of a transposed convolution (c, n, kh, kw) as (n kh kw, c).
local function turn(weight, window)
  local s = weight:shape()
  if window.spread then weight = weight:reshape {s[1], weight:size() // s[1]} end
  return (window.turned or window.spread) and weight:transpose(1, 2):clone() or weight
end

-- The way back.
local function turn_back(weight, window)
  local t, k = turn(weight, {turned = window.turned or window.spread}), window.spread
  if not k then return t end
  local s = t:shape()
  return t:reshape {s[1], s[2] // (k[1] * k[2]), k[1], k[2]}
end

--- Filters of the solver's form, by those of the layer: each is so many.
function reader.times(window)
  return window.spread and window.spread[1] * window.spread[2] or 1
end

-- A bias for each filter of the solver's form, and back: the mean of those that are one.
local function spread_bias(bias, times)
  local list = {}
  for i = 1, bias:size() * times do list[i] = (i - 1) // times + 1 end
  return bias:reshape({bias:size()}):index(1, list)
end

local function mean_bias(bias, times)
  return bias:reshape({bias:size() // times, times}):mean(2)
end

--- A layer as net:layer gives it, with `window`, `weight` as the solver takes it, and `matrix` where no bias can be
--- given to it; nil and the reason where its weights cannot be solved.
---@return table?
---@return string? reason
function reader.layer(net, name)
  local layer = net:layer(name)
  local window, reason = window_of(net, layer)
  if not window then return nil, reason end
  if window.group ~= 1 then return nil, "it is a grouped convolution" end
  layer.window, layer.weight, layer.matrix = window, turn(layer.weight, window), layer.op == "MatMul"
  if layer.matrix then layer.bias = nil end
  if layer.bias and window.spread then layer.bias = spread_bias(layer.bias, reader.times(window)) end
  return layer
end

--- Gives a layer weights of the solver's form, and a bias where it can have one.
function reader.set(net, name, weight, bias)
  local layer = net:layer(name)
  local window = window_of(net, layer)
  if bias and window.spread then bias = mean_bias(bias, reader.times(window)) end
  net:set(name, turn_back(weight, window), layer.op ~= "MatMul" and bias or nil)
end

--- What the layer makes, as planes (images, filters of the solver's form, h, w).
function reader.target(t, window)
  local k, s = window.spread, t:shape()
  if not k then return reader.planes(t, window, 1) end
  local apart = t:reshape {s[1], s[2], s[3] // k[1], k[1], s[4] // k[2], k[2]}         -- (N, n, h, kh, w, kw)
  local turned = apart:transpose(3, 4):transpose(5, 6):transpose(4, 5):clone()          -- (N, n, kh, kw, h, w)
  return turned:reshape {s[1], s[2] * k[1] * k[2], s[3] // k[1], s[4] // k[2]}
end

--- What the layer reads, as planes (images, channels, h, w); a matrix as planes of `taps` pixels.
function reader.planes(t, window, taps)
  local s = t:shape()
  if window.last then
    local rows = 1
    for d = 2, #s - 1 do rows = rows * s[d] end
    local flat = t:reshape {s[1], rows, s[#s]}
    return flat:transpose(2, 3):clone():reshape {s[1], s[#s], rows, 1}
  end
  if window.row then return t:reshape {s[1], s[2], 1, s[3]} end
  return #s == 4 and t or t:reshape {s[1], t:size() // s[1] // taps, 1, taps}
end

-- ---- what of a layer's input is a unit's ----

--- By entry of a list of ranks in a group: the unit's channel, 0 where it is none. `alive`: of a group that lost
--- channels, the numbers in the uncut net of those that are left.
---@param ranks integer[]     net:ranks or net:filters
---@param unit table          index: its channels by number in the group, where it has not all of them
---@param alive integer[]?
function reader.own(ranks, unit, alive)
  local list = {}
  for i, r in ipairs(ranks) do
    local whole = r > 0 and alive and alive[r] or r
    list[i] = r > 0 and (not unit.index and whole or unit.index and unit.index[whole]) or 0
  end
  return list
end

--- The same for blocks of `taps` entries, each one channel's.
function reader.blocks(own, taps)
  local list = {}
  for i = 1, #own, taps do list[#list + 1] = own[i] end
  return list
end

--- Entries that are each channel's, all as many: channel 1's, channel 2's, ...; and how many each has.
---@param own integer[]       from reader.own
---@param width integer
---@return integer[]? entries nil where a channel has none, or others have more
---@return integer each
function reader.entries(own, width)
  local of, list = {}, {}
  for i = 1, width do of[i] = {} end
  for i, channel in ipairs(own) do
    if channel > 0 then table.insert(of[channel], i) end
  end
  local each = #of[1]
  for i = 1, width do
    if #of[i] ~= each or each == 0 then return nil, 0 end
    table.move(of[i], 1, each, #list + 1, list)
  end
  return list, each
end

return reader

-- bindings/lua/lop/nn.lua - lop.nn: nets written down layer by layer.
--
--   local nn = lop.nn
--   local x = nn.input {3, 32, 32}
--   local y = x:conv(16, 3, {pad = 1, bias = false}):bn():relu()
--   y = (y + y:conv(16, 3, {pad = 1}):relu()):global_avg_pool():flatten():linear(10)
--   nn.graph(y, {seed = 1}):save "net.onnx"
--
-- A layer takes values and gives a value; each function is a method of values, too, and x + y, x * y, x .. y are add,
-- mul, concat. The size of a batch is left free. A layer's name is options.name, or its kind and a number (conv1, conv2
-- ...), the same each time the script runs. Weights are drawn by lop.nn.graph, which see.

local check = require "lop.check"
local core = require "lop.core"
local value = require "lop.nn.value"

local nn = value.methods
local meta = value.meta

-- {a, b} of one number or of two.
local function pair(layer, given, name, otherwise, least)
  if given == nil then given = otherwise end
  local list = type(given) == "table" and given or {given, given}
  for i = 1, 2 do
    local whole = math.type(list[i]) and math.tointeger(list[i])
    if #list ~= 2 or not whole or whole < least then
      value.fail(layer, "%s: a whole number, %d or more, or two of them expected", name, least)
    end
  end
  return {math.tointeger(list[1]), math.tointeger(list[2])}
end

-- {top, left, bottom, right} of one number, of two {vertical, horizontal}, of four; or "same": what keeps the size at
-- stride 1.
local function padding(layer, given, kernel, dilation)
  if given == "same" then
    local v, h = dilation[1] * (kernel[1] - 1), dilation[2] * (kernel[2] - 1)
    return {v // 2, h // 2, v - v // 2, h - h // 2}
  end
  if type(given) == "table" and #given == 4 then
    local a = pair(layer, {given[1], given[2]}, "pad", 0, 0)
    local b = pair(layer, {given[3], given[4]}, "pad", 0, 0)
    return {a[1], a[2], b[1], b[2]}
  end
  if type(given) == "string" then
    value.fail(layer, "pad is '%s', a number, a list of 2 or 4, or \"same\" expected", given)
  end
  local p = pair(layer, given, "pad", 0, 0)
  return {p[1], p[2], p[1], p[2]}
end

local function count(layer, given, name, least)
  local whole = math.type(given) and math.tointeger(given)
  if not whole or whole < (least or 1) then
    value.fail(layer, "%s is %s, a whole number, %d or more, expected", name, tostring(given), least or 1)
  end
  return whole
end

-- Options, and the layer's name.
local function begin(kind, x, opts, known)
  value.check(x, "x")
  table.insert(known, "name")
  opts = check.options(opts, known)
  return opts, value.name(x.plan, kind, opts.name)
end

local function images(layer, x)
  if #x.shape ~= 3 then
    value.fail(layer, "its input '%s' has shape N x %s, N x channels x height x width expected", x.layer,
               table.concat(x.shape, " x "))
  end
  return x.shape[1], x.shape[2], x.shape[3]
end

-- The shapes that operators without weights give, by their own rule: one node is inferred.
local function infer(node, outputs)
  local inputs, names, shapes = {}, {}, {}
  for i, v in ipairs(node.inputs) do
    inputs[i] = {name = "i" .. i, shape = {1, table.unpack(v.shape)}}
    names[i] = "i" .. i
  end
  local made, constants = {}, {}
  for i = 1, outputs or 1 do made[i] = "o" .. i end
  for _, w in ipairs(node.weights or {}) do
    names[#names + 1] = w.key
    if w.key ~= "" then constants[w.key] = w.tensor end
  end
  local ok, found = pcall(function()
    return core.graph {inputs = inputs, outputs = made, constants = constants,
                       nodes = {{op = node.op, name = node.name, inputs = names, outputs = made,
                                 attributes = node.attributes}}}:outputs()
  end)
  if not ok then
    value.fail(node.name, "%s", (tostring(type(found) == "table" and found.message or found)
               :gsub("^node '[^']*' %(%w+%): ", "")))
  end
  for i, v in ipairs(found) do
    if not v.shape then value.fail(node.name, "%s: the shape of its output is not known", node.op) end
    shapes[i] = table.move(v.shape, 2, #v.shape, 1, {})
  end
  return shapes
end

-- A layer of one operator without weights to draw.
local function plain(kind, op, name, inputs, attributes, weights)
  value.common(name, inputs)
  local node = {kind = kind, op = op, name = name, inputs = inputs, attributes = attributes, weights = weights}
  return value.add(node, infer(node))
end

-- ---- inputs ----

--- An input: pictures {channels, height, width}, or any other shape, without the batch.
---@param shape integer[]
---@param opts {name: string?, beside: table?}?     name: "input"; beside: a value of the net whose input this is, too
---@return lop.nn.value
function nn.input(shape, opts)
  opts = check.options(opts, {"name", "beside"})
  if type(shape) ~= "table" or #shape < 1 or #shape > 7 then
    core.fail("arg", "shape: a list of 1 to 7 numbers expected, {channels, height, width}")
  end
  local own = {}
  for i, size in ipairs(shape) do own[i] = check.integer(size, ("shape[%d]"):format(i), 1) end
  local plan = opts.beside ~= nil and value.check(opts.beside, "beside").plan or value.plan()
  return value.input(plan, value.name(plan, "input", opts.name or not plan.names.input and "input" or nil), own)
end

-- ---- layers with weights ----

-- What a bias option asks for: nil for none.
local function bias_of(layer, given, n, key)
  if given == false then return nil end
  if given ~= nil and given ~= true then check.type(given, "lop.tensor", ("layer '%s': bias"):format(layer)) end
  return {key = key, shape = {n}, how = "bias", tensor = given ~= true and given or nil}
end

local function given_weight(layer, tensor, shape, what)
  if tensor == nil then return nil end
  check.type(tensor, "lop.tensor", ("layer '%s': %s"):format(layer, what))
  local have, want = table.concat(tensor:shape(), "x"), table.concat(shape, "x")
  if have ~= want then value.fail(layer, "%s has shape %s, %s expected", what, have, want) end
  return tensor
end

-- The weight and the bias of a layer, as the entries of node.weights.
local function weights(layer, opts, shape, n, fan)
  local weight = {key = layer .. ".weight", shape = shape, how = "he", fan = fan}
  weight.tensor = given_weight(layer, opts.weight, shape, "weight")
  local bias = bias_of(layer, opts.bias, n, layer .. ".bias")
  if bias then given_weight(layer, bias.tensor, {n}, "bias") end
  return {weight, bias}
end

local conv_options = {"stride", "pad", "dilation", "group", "bias", "weight"}

local function convolution(kind, x, filters, kernel, opts)
  local layer
  opts, layer = begin(kind, x, opts, {table.unpack(conv_options)})
  local c, h, w = images(layer, x)
  local group = opts.group == "depthwise" and c or count(layer, opts.group or 1, "group")
  local n = count(layer, filters, "filters")
  if c % group ~= 0 or n % group ~= 0 then
    value.fail(layer, "%d groups: neither %d channels nor %d filters may leave a rest", group, c, n)
  end
  local k, stride = pair(layer, kernel, "kernel", nil, 1), pair(layer, opts.stride, "stride", 1, 1)
  local dilation = pair(layer, opts.dilation, "dilation", 1, 1)
  local pad = padding(layer, opts.pad, k, dilation)
  local size = {}
  for i, s in ipairs {h, w} do
    local covered = s + pad[i] + pad[i + 2] - dilation[i] * (k[i] - 1) - 1
    if covered < 0 then
      value.fail(layer, "a kernel of %dx%d is larger than its input, %dx%d (padding counted)", k[1], k[2], h, w)
    end
    size[i] = covered // stride[i] + 1
  end
  return value.add({kind = kind, op = "Conv", name = layer, inputs = {x},
    attributes = {kernel_shape = k, strides = stride, pads = pad, dilations = dilation, group = group},
    weights = weights(layer, opts, {n, c // group, k[1], k[2]}, n, c // group * k[1] * k[2])}, {{n, size[1], size[2]}})
end

--- A convolution.
---@param filters integer
---@param kernel integer|integer[]      one size, or {height, width}
---@param opts {stride: integer|integer[]?, pad: integer|integer[]|"same"?, dilation: integer|integer[]?,
---        group: integer?, bias: boolean|lop.tensor?, weight: lop.tensor?, name: string?}?
---        pad: 0, one number, {vertical, horizontal}, {top, left, bottom, right}, or "same", which keeps the size at
---        stride 1; bias: true; weight (filters, channels / group, height, width) and bias (filters): drawn
---@return lop.nn.value       filters channels
function nn.conv(x, filters, kernel, opts)
  local y = convolution("conv", x, filters, kernel, opts)
  return y                              -- no tail call: errors name the function that the user called
end

--- A depthwise convolution: a filter for each channel.
---@param kernel integer|integer[]
---@param opts table?         as for conv, without group
function nn.depthwise(x, kernel, opts)
  opts = check.options(opts, {"stride", "pad", "dilation", "bias", "weight", "name"})
  local all = {group = "depthwise"}
  for key, v in pairs(opts) do all[key] = v end
  local y = convolution("depthwise", x, value.check(x, "x").shape[1], kernel, all)
  return y
end

--- A transposed convolution; each side becomes (size - 1) stride + kernel - padding.
---@param filters integer
---@param kernel integer|integer[]
---@param opts {stride: integer|integer[]?, pad: integer|integer[]?, bias: boolean|lop.tensor?, weight: lop.tensor?,
---        name: string?}?    weight: (channels, filters, height, width)
function nn.conv_transpose(x, filters, kernel, opts)
  local layer
  opts, layer = begin("conv_transpose", x, opts, {"stride", "pad", "bias", "weight"})
  local c, h, w = images(layer, x)
  local n = count(layer, filters, "filters")
  local k, stride = pair(layer, kernel, "kernel", nil, 1), pair(layer, opts.stride, "stride", 1, 1)
  local pad = padding(layer, opts.pad, k, {1, 1})
  local size = {}
  for i, s in ipairs {h, w} do
    size[i] = (s - 1) * stride[i] + k[i] - pad[i] - pad[i + 2]
    if size[i] < 1 then value.fail(layer, "padding takes away all of its output") end
  end
  -- An output sums over kernel / stride taps of each channel.
  local fan = math.max(1, c * k[1] * k[2] // (stride[1] * stride[2]))
  return value.add({kind = "conv_transpose", op = "ConvTranspose", name = layer, inputs = {x},
    attributes = {kernel_shape = k, strides = stride, pads = pad},
    weights = weights(layer, opts, {c, n, k[1], k[2]}, n, fan)}, {{n, size[1], size[2]}})
end

--- Batch normalisation: (x - mean) / sqrt(variance + epsilon) * scale + shift, by channel. Mean and variance are those
--- of its input, measured by lop.nn.graph.
---@param opts {epsilon: number?, name: string?}?     epsilon: 1e-5
function nn.bn(x, opts)
  local layer
  opts, layer = begin("bn", x, opts, {"epsilon"})
  local c = x.shape[1]
  local list = {}
  for i, w in ipairs {{"weight", "scale"}, {"bias", "bias"}, {"running_mean", "mean"}, {"running_var", "variance"}} do
    list[i] = {key = layer .. "." .. w[1], shape = {c}, how = w[2]}
  end
  local epsilon = check.number(opts.epsilon or 1e-5, ("layer '%s': epsilon"):format(layer), nil, 0)
  return value.add({kind = "bn", op = "BatchNormalization", name = layer, inputs = {x}, weights = list,
                    attributes = {epsilon = epsilon + 0.0}}, {x.shape})
end

--- x w^T + b of vectors.
---@param outputs integer
---@param opts {bias: boolean|lop.tensor?, weight: lop.tensor?, name: string?}?     weight: (outputs, inputs)
function nn.linear(x, outputs, opts)
  local layer
  opts, layer = begin("linear", x, opts, {"bias", "weight"})
  if #x.shape ~= 1 then
    value.fail(layer, "its input '%s' has shape N x %s: flatten it first", x.layer, table.concat(x.shape, " x "))
  end
  local c, n = x.shape[1], count(layer, outputs, "outputs")
  return value.add({kind = "linear", op = "Gemm", name = layer, inputs = {x}, attributes = {transB = 1},
                    weights = weights(layer, opts, {n, c}, n, c)}, {{n}})
end

-- ---- element by element ----

local function pointwise(kind, op, attributes)
  return function(x, opts)
    local _, layer = begin(kind, x, opts, {})
    local y = plain(kind, op, layer, {x}, attributes)
    return y
  end
end

--- max(x, 0), and other functions of one element: all take (x, {name: string?}?).
nn.relu = pointwise("relu", "Relu")
nn.sigmoid = pointwise("sigmoid", "Sigmoid")
nn.tanh = pointwise("tanh", "Tanh")
nn.hard_sigmoid = pointwise("hard_sigmoid", "HardSigmoid", {alpha = 1 / 6, beta = 0.5})
nn.hard_swish = pointwise("hard_swish", "HardSwish")

--- x where x > 0, else slope x.
---@param opts {slope: number?, name: string?}?       slope: 0.01
function nn.leaky_relu(x, opts)
  local layer
  opts, layer = begin("leaky_relu", x, opts, {"slope"})
  local slope = check.number(opts.slope or 0.01, ("layer '%s': slope"):format(layer))
  local y = plain("leaky_relu", "LeakyRelu", layer, {x}, {alpha = slope + 0.0})
  return y
end

local function scalar(key, number)
  return {key = key, shape = {}, how = "given", tensor = core.tensor(number, "float32")}
end

--- min(max(x, 0), 6).
---@param opts {name: string?}?
function nn.relu6(x, opts)
  local _, layer = begin("relu6", x, opts, {})
  local y = plain("relu6", "Clip", layer, {x}, nil, {scalar(layer .. ".min", 0), scalar(layer .. ".max", 6)})
  return y
end

--- exp(x) over its sum along the channels.
---@param opts {name: string?}?
function nn.softmax(x, opts)
  local _, layer = begin("softmax", x, opts, {})
  local y = plain("softmax", "Softmax", layer, {x}, {axis = 1})
  return y
end

-- ---- windows ----

--- The largest, or the mean, of each window.
---@param kernel integer|integer[]
---@param opts {kind: "max"|"avg"?, stride: integer|integer[]?, pad: integer|integer[]?, ceil: boolean?,
---        count_pad: boolean?, name: string?}?      kind: max; stride: the kernel's size; ceil: windows that stick out
---        count, too (false); count_pad: padding counts as zeros in a mean (false)
function nn.pool(x, kernel, opts)
  local layer
  opts, layer = begin("pool", x, opts, {"kind", "stride", "pad", "ceil", "count_pad"})
  images(layer, x)
  local kind = opts.kind or "max"
  if kind ~= "max" and kind ~= "avg" then value.fail(layer, "kind is %s, max or avg expected", tostring(kind)) end
  if kind == "max" and opts.count_pad ~= nil then value.fail(layer, "count_pad is for kind = \"avg\"") end
  local k = pair(layer, kernel, "kernel", nil, 1)
  local attributes = {kernel_shape = k, strides = pair(layer, opts.stride, "stride", k, 1),
                      pads = padding(layer, opts.pad, k, {1, 1}), ceil_mode = opts.ceil and 1 or 0}
  if kind == "avg" then attributes.count_include_pad = opts.count_pad and 1 or 0 end
  local y = plain("pool", kind == "max" and "MaxPool" or "AveragePool", layer, {x}, attributes)
  return y
end

--- The mean of each channel: channels x 1 x 1.
---@param opts {name: string?}?
function nn.global_avg_pool(x, opts)
  local _, layer = begin("global_avg_pool", x, opts, {})
  images(layer, x)
  local y = plain("global_avg_pool", "GlobalAveragePool", layer, {x})
  return y
end

--- Each pixel as factor x factor pixels.
---@param factor integer
---@param opts {mode: "nearest"|"linear"?, name: string?}?
function nn.upsample(x, factor, opts)
  local layer
  opts, layer = begin("upsample", x, opts, {"mode"})
  images(layer, x)
  local mode = opts.mode or "nearest"
  if mode ~= "nearest" and mode ~= "linear" then
    value.fail(layer, "mode is %s, nearest or linear expected", tostring(mode))
  end
  local f = count(layer, factor, "factor")
  local y = plain("upsample", "Resize", layer, {x}, {mode = mode, nearest_mode = "floor",
    coordinate_transformation_mode = mode == "nearest" and "asymmetric" or "half_pixel"},
    {{key = ""}, {key = layer .. ".scales", how = "given", tensor = core.tensor({1, 1, f, f}, "float32")}})
  return y
end

-- ---- several values ----

-- The values of (a, b, ...) or of ({a, b, ...}), and the options that may follow.
local function several(least, ...)
  local list, opts = table.pack(...), nil
  if list.n > 0 and type(list[list.n]) == "table" and not value.is(list[list.n]) and list.n > 1 then
    opts, list[list.n], list.n = list[list.n], nil, list.n - 1
  end
  if list.n == 1 and type(list[1]) == "table" and not value.is(list[1]) then
    list = {n = #list[1], table.unpack(list[1])}
  end
  for i = 1, math.max(list.n, 1) do value.check(list[i], "value " .. i) end
  if list.n < least then core.fail("arg", ("%d value, %d or more expected"):format(list.n, least)) end
  list.n = nil
  return list, opts
end

-- a op b op c: one node for each two. The last bears the name, those before it the name with a number.
local function fold(kind, op, list, opts)
  local _, layer = begin(kind, list[1], opts, {})
  value.common(layer, list)
  local y = list[1]
  for i = 2, #list do
    local last = i == #list
    y = plain(kind, op, last and layer or ("%s.%d"):format(layer, i - 1), {y, list[i]})
  end
  return y
end

--- The sum of values of one shape (or of one that is 1 where they differ): add(a, b, ... [, {name = }]).
function nn.add(...)
  local list, opts = several(2, ...)
  local y = fold("add", "Add", list, opts)
  return y
end

--- Their product, element by element: mul(a, b, ... [, {name = }]).
function nn.mul(...)
  local list, opts = several(2, ...)
  local y = fold("mul", "Mul", list, opts)
  return y
end

--- Their channels, one after the other: concat(a, b, ... [, {name = }]), concat({a, b, ...} [, {name = }]).
function nn.concat(...)
  local list, opts = several(1, ...)
  local _, layer = begin("concat", list[1], opts, {})
  local y = plain("concat", "Concat", layer, list, {axis = 1})
  return y
end

meta.__add = function(a, b) return nn.add(a, b) end
meta.__mul = function(a, b) return nn.mul(a, b) end
meta.__concat = function(a, b) return nn.concat(a, b) end

-- ---- channels and shapes ----

--- One vector of all elements.
---@param opts {name: string?}?
function nn.flatten(x, opts)
  local _, layer = begin("flatten", x, opts, {})
  local y = plain("flatten", "Flatten", layer, {x}, {axis = 1})
  return y
end

--- The channels in equal parts.
---@param parts integer
---@param opts {name: string?}?
---@return lop.nn.value ...
function nn.split(x, parts, opts)
  local _, layer = begin("split", x, opts, {})
  local n = count(layer, parts, "parts")
  if x.shape[1] % n ~= 0 then value.fail(layer, "%d channels do not make %d equal parts", x.shape[1], n) end
  local sizes = {}
  for i = 1, n do sizes[i] = x.shape[1] // n end
  local node = {kind = "split", op = "Split", name = layer, inputs = {x}, attributes = {axis = 1},
                weights = {{key = layer .. ".sizes", how = "given", tensor = core.tensor(sizes, "int64")}}}
  return value.add(node, infer(node, n))
end

local function numbers(key, list)
  return {key = key, how = "given", tensor = core.tensor(list, "int64")}
end

--- Channels first to last, from 1.
---@param opts {name: string?}?
function nn.slice(x, first, last, opts)
  local _, layer = begin("slice", x, opts, {})
  local from, to = count(layer, first, "first"), count(layer, last, "last")
  if to < from or to > x.shape[1] then value.fail(layer, "channels %d to %d of %d", from, to, x.shape[1]) end
  local y = plain("slice", "Slice", layer, {x}, nil, {numbers(layer .. ".starts", {from - 1}),
    numbers(layer .. ".ends", {to}), numbers(layer .. ".axes", {1})})
  return y
end

--- Every step-th row and column, from the first.
---@param opts {name: string?}?
function nn.subsample(x, step, opts)
  local _, layer = begin("subsample", x, opts, {})
  local s = count(layer, step, "step")
  local _, h, w = images(layer, x)
  local y = plain("subsample", "Slice", layer, {x}, nil, {numbers(layer .. ".starts", {0, 0}),
    numbers(layer .. ".ends", {h, w}), numbers(layer .. ".axes", {2, 3}), numbers(layer .. ".steps", {s, s})})
  return y
end

--- Zeros around: pixels as for conv's pad, channels {before, after}.
---@param opts {pad: integer|integer[]?, channels: integer[]?, name: string?}
function nn.pad(x, opts)
  local layer
  opts, layer = begin("pad", x, opts, {"pad", "channels"})
  images(layer, x)
  local p, c = padding(layer, opts.pad, {1, 1}, {1, 1}), pair(layer, opts.channels, "channels", 0, 0)
  local y = plain("pad", "Pad", layer, {x}, {mode = "constant"},
    {numbers(layer .. ".pads", {0, c[1], p[1], p[2], 0, c[2], p[3], p[4]})})
  return y
end

--- Channel shuffle: channels as groups x rest, transposed.
---@param groups integer
---@param opts {name: string?}?
function nn.shuffle(x, groups, opts)
  local _, layer = begin("shuffle", x, opts, {})
  local c, h, w = images(layer, x)
  local g = count(layer, groups, "groups")
  if c % g ~= 0 then value.fail(layer, "%d channels do not make %d groups", c, g) end
  local y = plain("shuffle", "Reshape", layer .. ".apart", {x}, nil,
                  {numbers(layer .. ".apart.shape", {0, g, c // g, h, w})})
  y = plain("shuffle", "Transpose", layer .. ".swap", {y}, {perm = {0, 2, 1, 3, 4}})
  y = plain("shuffle", "Reshape", layer, {y}, nil, {numbers(layer .. ".shape", {0, c, h, w})})
  return y
end

-- ---- the net ----

--- The net that makes these values from their inputs. Weights that were not given are drawn by the seed and the layer's
--- name: those of convolutions and linear layers normal with variance 2 over the summands of an output (He et al.,
--- 2015), biases and the shifts of batch norms normal (deviation 0.05), scales of batch norms uniform in 0.75 to 1.25.
--- Means and variances of batch norms are those of their inputs when the net, as far as it is built, runs on seeded
--- normal noise. Same script, same seed: same bytes.
---@param outputs lop.nn.value|lop.nn.value[]
---@param opts {seed: integer?, images: integer?, outputs: string[]?, name: string?, preprocess: string?}?
---        seed: 0; images: of noise for the batch norms, 4; outputs: names, "output" or "output_0", "output_1" ...;
---        preprocess: kept in the net as the one it is fed by (imagenet, ...)
---@return lop.net
function nn.graph(outputs, opts)
  opts = check.options(opts, {"seed", "images", "outputs", "name", "preprocess"})
  local list = several(1, outputs)
  value.common("graph", list)
  local net = require("lop.nn.build").run(list, {
    seed = check.integer(opts.seed or 0, "seed", math.mininteger),
    images = check.integer(opts.images or 4, "images", 1),
    outputs = opts.outputs, name = opts.name and check.type(opts.name, "string", "name"),
    preprocess = opts.preprocess and check.type(opts.preprocess, "string", "preprocess")})
  return net
end

return nn

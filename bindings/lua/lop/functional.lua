-- bindings/lua/lop/functional.lua - operators as plain functions on float32 tensors: images are (N, channels, h, w).

local check = require "lop.check"
local core = require "lop.core"

local functional = {}

local function tensor(value, name)
  return check.type(value, "lop.tensor", name)
end

-- {vertical, horizontal} of one number or of two.
local function pair(value, name, otherwise, least)
  if value == nil then value = otherwise end
  if value == nil then core.fail("arg", name .. " is missing: a size, or {height, width}, expected") end
  local list = type(value) == "table" and value or {value, value}
  if #list ~= 2 then core.fail("arg", ("%s has %d entries, 2 expected"):format(name, #list)) end
  return {check.integer(list[1], name, least), check.integer(list[2], name, least)}
end

-- {top, left, bottom, right} of one number, of two, or of four.
local function padding(value)
  if type(value) == "table" and #value == 4 then
    local list = {}
    for i, v in ipairs(value) do list[i] = check.integer(v, "pad", 0) end
    return list
  end
  local p = pair(value, "pad", 0, 0)
  return {p[1], p[2], p[1], p[2]}
end

-- Those of a list that are nil are left out.
local function inputs(n, ...)
  local list = {}
  for i = 1, n do list[i] = select(i, ...) or false end
  while list[#list] == false do list[#list] = nil end
  return list
end

--- Convolution (ONNX Conv).
---@param x lop.tensor        (N, c, h, w)
---@param w lop.tensor        (n, c / group, kh, kw)
---@param b lop.tensor?       (n)
---@param opts {stride: integer|integer[]?, pad: integer|integer[]?, dilation: integer|integer[]?, group: integer?}?
---        pad: one number, {vertical, horizontal} or {top, left, bottom, right}
---@return lop.tensor         (N, n, oh, ow)
function functional.conv2d(x, w, b, opts)
  opts = check.options(opts, {"stride", "pad", "dilation", "group"})
  if b ~= nil then tensor(b, "b") end
  return core.op("Conv", inputs(3, tensor(x, "x"), tensor(w, "w"), b), {
    strides = pair(opts.stride, "stride", 1, 1), pads = padding(opts.pad),
    dilations = pair(opts.dilation, "dilation", 1, 1), group = check.integer(opts.group or 1, "group", 1)})
end

local function pool(op, x, kernel, opts, extra)
  local size = pair(kernel, "kernel", nil, 1)
  local attributes = {kernel_shape = size, strides = pair(opts.stride, "stride", size, 1), pads = padding(opts.pad),
                      ceil_mode = opts.ceil and 1 or 0}
  for key, value in pairs(extra) do attributes[key] = value end
  return core.op(op, {tensor(x, "x")}, attributes)
end

--- The largest of each window.
---@param kernel integer|integer[]
---@param opts {stride: integer|integer[]?, pad: integer|integer[]?, dilation: integer|integer[]?, ceil: boolean?}?
---        stride: the kernel's size
function functional.max_pool2d(x, kernel, opts)
  opts = check.options(opts, {"stride", "pad", "dilation", "ceil"})
  local y = pool("MaxPool", x, kernel, opts, {dilations = pair(opts.dilation, "dilation", 1, 1)})
  return y                              -- no tail call: errors name the function that the user called
end

--- The mean of each window.
---@param opts {stride: integer|integer[]?, pad: integer|integer[]?, ceil: boolean?, count_pad: boolean?}?
---        count_pad: padding counts as zeros (false)
function functional.avg_pool2d(x, kernel, opts)
  opts = check.options(opts, {"stride", "pad", "ceil", "count_pad"})
  local y = pool("AveragePool", x, kernel, opts, {count_include_pad = opts.count_pad and 1 or 0})
  return y
end

--- The mean of each channel: (N, c, 1, 1).
function functional.global_avg_pool(x) return core.op("GlobalAveragePool", {tensor(x, "x")}) end

--- max(x, 0).
function functional.relu(x) return core.op("Relu", {tensor(x, "x")}) end

--- (x - mean) / sqrt(var + epsilon) * scale + bias, by channel.
---@param opts {epsilon: number?}?     1e-5
function functional.batch_norm(x, scale, bias, mean, var, opts)
  opts = check.options(opts, {"epsilon"})
  local list = {tensor(x, "x"), tensor(scale, "scale"), tensor(bias, "bias"), tensor(mean, "mean"), tensor(var, "var")}
  return core.op("BatchNormalization", list, {epsilon = check.number(opts.epsilon or 1e-5, "epsilon", 0) + 0.0})
end

--- exp(x) over its sum along a dimension.
---@param dim integer?        from 1, or from the last one by -1 (-1)
function functional.softmax(x, dim)
  local n = #tensor(x, "x"):shape()
  if n == 0 then core.fail("arg", "softmax of a scalar: 1 or more dimensions expected") end
  local axis = check.integer(dim or -1, "dim", -n, n)
  if axis == 0 then core.fail("arg", ("dim is 0, 1 to %d or -1 to -%d expected"):format(n, n)) end
  return core.op("Softmax", {x}, {axis = axis > 0 and axis - 1 or axis})
end

--- x w^T + b.
---@param x lop.tensor        (N, c)
---@param w lop.tensor        (n, c)
---@param b lop.tensor?       (n)
---@return lop.tensor         (N, n)
function functional.linear(x, w, b)
  if b ~= nil then tensor(b, "b") end
  return core.op("Gemm", inputs(3, tensor(x, "x"), tensor(w, "w"), b), {transB = 1})
end

return functional

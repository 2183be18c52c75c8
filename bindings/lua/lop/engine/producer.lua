-- bindings/lua/lop/engine/producer.lua - the filters that make a unit's kept channels, refitted for what their consumer
-- is to give. Least squares on the consumer alone takes the kept channels as they are; these are then bent toward the
-- target:
--
--     r = target - consumer's output      g = (W2^T r) where the activation let the channel through, else 0
--     dW = (X^T X + ridge)^-1 X^T g (W2^T W2 + damping)^-1
--
-- X: the producer's patches, W2: the consumer's filters, all taps of a channel together. That is a Gauss-Newton step
-- with its matrix taken as the Kronecker product of the two (K-FAC: Martens and Grosse, ICML 2015): as if neighbouring
-- positions were independent. The step is halved until the error on held-out images falls, then the consumer is solved
-- anew; rounds end when these images gain no more. Of a consumer that was factored W2 is the product of its factors,
-- and the second of them is what is solved.

local core = require "lop.core"
local masks = require "lop.cuts.masks"
local ranks = require "lop.cuts.ranks"
local solve = require "lop.engine.solve"

local SERIES, ROUND = 1 << 17, 1 << 12   -- added to a unit's number: the positions of these sums, round by round
local RIDGE, DAMPING = 1e-3, 0.05
local HALVINGS = 3
local LEAST_GAIN = 2e-3                 -- of the held-out error in a round, below which there is no further one

local producer = {}

-- The layers that read a value.
local function readers(net, name)
  local list = {}
  for _, layer in ipairs(net:layers()) do
    for _, v in ipairs(layer.inputs) do
      if v.name == name then list[#list + 1] = layer end
    end
  end
  for _, v in ipairs(net:outputs()) do
    if v.name == name then list[#list + 1] = {name = "", op = "output"} end
  end
  return list
end

-- Where a consumer's input comes in: itself, or the first of its factors; and its filters.
local function entry_of(net, consumer)
  local layer, first = net:layer(consumer.name), ranks.first(net, consumer.name, consumer.window)
  if not first then return layer.name, layer.inputs[1].name, layer.weight end
  return first.name, first.inputs[1].name, ranks.product(first.weight, layer.weight)
end

-- What is solved anew for a unit: its consumer, or the second factor, which reads the first.
local function solved_of(net, unit)
  local consumer = unit.consumers[1]
  if not ranks.first(net, consumer.name, consumer.window) then return unit end
  return ranks.pair(net, {name = unit.name, producer = consumer.name, consumers = {consumer}})
end

--- Whether a unit is a convolution, a ReLU or nothing, and a convolution that reads nothing else.
function producer.fits(net, unit)
  local consumer, window = unit.consumers[1], net:window(unit.producer)
  if #unit.consumers ~= 1 or consumer.gemm or unit.partial or unit.view then return false end
  if not window or window.group ~= 1 then return false end
  local name, entry = net:layer(unit.producer).outputs[1].name, entry_of(net, consumer)
  for _ = 1, 2 do
    local list = readers(net, name)
    if #list ~= 1 then return false end
    if list[1].name == entry then return true end
    if list[1].op ~= "Relu" then return false end
    name = list[1].outputs[1].name
  end
  return false
end

-- W2^T r as a node: of stride one a convolution again, with the filters turned round, which is faster.
local function transposed(weight, window, r, h)
  local rs, hs, k = r:shape(), h:shape(), window.kernel
  local pad, extra, plain = {}, {}, window.stride[1] == 1 and window.stride[2] == 1
  for d = 1, 2 do
    local reach = window.dilation[d] * (k[d] - 1)
    pad[d], pad[d + 2] = reach - window.pad[d], reach - window.pad[d + 2]
    plain = plain and pad[d] >= 0 and pad[d + 2] >= 0
    extra[d] = hs[d + 2] - ((rs[d + 2] - 1) * window.stride[d] + reach + 1 - window.pad[d] - window.pad[d + 2])
  end
  local how = {strides = window.stride, pads = window.pad, dilations = window.dilation, output_padding = extra}
  if not plain then return {op = "ConvTranspose", inputs = {"r", "W"}, outputs = {"d"}, attributes = how}, weight end
  local function back(n)
    local list = {}
    for i = 1, n do list[i] = n + 1 - i end
    return list
  end
  how.pads, how.output_padding = pad, nil
  return {op = "Conv", inputs = {"r", "W"}, outputs = {"d"}, attributes = how},
         weight:transpose(1, 2):clone():index(3, back(k[1])):index(4, back(k[2]))
end

--- A function of r (n, oh, ow) and the consumer's input h (c, ih, iw) that gives g.
function producer.backward(weight, window, r, h, masked)
  local node, turned = transposed(weight, window, r, h)
  local nodes, rs, hs = {node}, r:shape(), h:shape()
  if masked then
    nodes[2] = {op = "Sign", inputs = {"h"}, outputs = {"s"}}           -- h is not negative behind a ReLU
    nodes[3] = {op = "Mul", inputs = {"d", "s"}, outputs = {"g"}}
  end
  local inputs = {{name = "r", shape = {"N", rs[2], rs[3], rs[4]}}, {name = "h", shape = {"N", hs[2], hs[3], hs[4]}}}
  local net = core.graph {inputs = inputs, constants = {W = turned}, nodes = nodes, outputs = {masked and "g" or "d"}}
  local run = core.exec(net, masked and {"r", "h"} or {"r"}, {masked and "g" or "d"})
  return function(a, b) return masked and run:run(a, b) or run:run(a) end
end

local function close(...)
  for _, t in ipairs {...} do t:close() end
end

-- What is asked of the producer's outputs, summed against its patches.
local function gradients(base, net, unit, names, number, side, opts)
  local layer, window, consumer = net:layer(unit.producer), net:window(unit.producer), unit.consumers[1]
  local shape = layer.weight:shape()
  local stats = core.stats(shape[2], window.kernel[1] * window.kernel[2], shape[1])
  local how = {kernel = window.kernel, stride = window.stride, pad = window.pad, dilation = window.dilation,
               seed = opts.seed, layer = number,
               positions = solve.positions(opts, shape[2], window.kernel[1] * window.kernel[2], side.now.images)}
  local run = side.now:part(net, {names.input, names.between, names.output})
  local target, back = solve.target(base, net, consumer, side.original, side.now, opts), nil
  for i = 1, #side.now.chunks do
    local x, h, y = run(i)
    local t = target(i)
    local r = t - y
    back = back or producer.backward(names.filters(net), consumer.window, r, h, names.masked)
    local g = back(r, h)
    how.first = (i - 1) * side.now.chunk
    stats:add(x, g, how)
    close(x, h, y, t, r, g)
  end
  return stats
end

-- dW and db. mask: of filters that have channels of their own; to the others they are not bent.
local function step(stats, weight, consumer_weight, mask)
  local shape, all = weight:shape(), {}
  for i = 1, shape[2] do all[i] = i end
  local dw, db = stats:reconstruct(all, {weight = core.zeros(shape), ridge = RIDGE})
  local s = consumer_weight:shape()
  local f = consumer_weight:transpose(1, 2):clone():reshape {s[2], s[1] * s[3] * s[4]}
  local square, trace = f:matmul(f:transpose(1, 2):clone()):totable(), 0
  for i = 1, s[2] do trace = trace + square[i][i] end
  for i = 1, s[2] do square[i][i] = square[i][i] + DAMPING * trace / s[2] end
  square = core.tensor(square)
  local flat = dw:reshape {shape[1], dw:size() // shape[1]}
  dw = square:cholesky_solve(flat):to("float32"):reshape(shape)
  if mask then dw = dw * mask:to("float32"):reshape {shape[1], shape[2], 1, 1} end
  return dw, square:cholesky_solve(db):to("float32")
end

-- The squared error of the consumer's output on held-out images; their targets are kept.
local function judge(base, net, unit, name, side, opts)
  local target = solve.target(base, net, unit.consumers[1], side.original, side.now, opts)
  local kept, store = {}, side.now.store
  for i = 1, #side.now.chunks do kept[i] = store:put {target(i)} end
  return function()
    local run, sum = side.now:part(net, {name}), 0
    for i, entry in ipairs(kept) do
      local y, wanted = run(i), store:get(entry)
      local d = y - wanted[1]
      sum = sum + d:norm() ^ 2
      store:done(wanted)
      close(y, d)
    end
    return sum
  end, function()
    for _, entry in ipairs(kept) do store:drop(entry) end
  end
end

-- One round: the held-out error after it, and the consumer's; nil where no step helps, and the net is then as it was.
local function round(base, net, unit, names, number, sides, opts, error_now, before)
  local consumer = unit.consumers[1]
  local stats = gradients(base, net, unit, names, number, sides[1], opts)
  local layer, old = net:layer(unit.producer), net:layer(consumer.name)
  local dw, db = step(stats, layer.weight, names.filters(net), masks.of(opts, unit.producer))
  local scale, better = 1, false
  for _ = 0, HALVINGS do
    net:set(unit.producer, layer.weight + dw * scale, layer.bias and layer.bias + db * scale)
    better = error_now() < before
    if better then break end
    scale = scale / 2
  end
  if better then
    local err = solve.rebuild(base, net, solved_of(net, unit), number, sides, opts)
    local after = error_now()
    if after < before then return after, err end
  end
  net:set(unit.producer, layer.weight, layer.bias)
  net:set(consumer.name, old.weight, old.bias)
  return nil
end

--- Refits a cut unit's producer, and its consumer with it, in place.
---@param rounds integer      at most
---@param sides table[]       frontiers of the calibration and of the held-out images, before the producer
---@return integer            rounds that helped
---@return number? error      relative, of the consumer; nil without such a round
function producer.refit(base, net, unit, number, sides, rounds, opts)
  if not producer.fits(net, unit) then return 0 end
  local layer, consumer = net:layer(unit.producer), net:layer(unit.consumers[1].name)
  local _, between = entry_of(net, unit.consumers[1])
  local names = {input = layer.inputs[1].name, between = between, output = consumer.outputs[1].name,
                 filters = function(now) return select(3, entry_of(now, unit.consumers[1])) end}
  names.masked = names.between ~= layer.outputs[1].name
  local error_now, done = judge(base, net, unit, names.output, sides[2], opts)
  local before, count, err = error_now(), 0, nil
  for k = 1, rounds do
    local after, now = round(base, net, unit, names, SERIES + ROUND * k + number, sides, opts, error_now, before)
    if not after then break end
    local gain = before - after
    before, count, err = after, k, now
    if gain < LEAST_GAIN * before then break end
  end
  done()
  return count, err
end

return producer

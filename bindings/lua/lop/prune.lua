-- bindings/lua/lop/prune.lua - the schedule: groups in forward order, each with its input from the net as pruned so far
-- and its target from the original, so that each layer repairs what the ones before it lost (He et al., ICCV 2017, 3.3).
-- One keep ratio for all groups, found for the budget. Groups with several consumers stay whole in this version.

local core = require "lop.core"

local CHUNK = 160                       -- images a step, a multiple of 16: bounds memory, changes no result

local prune = {}

-- The groups that this schedule can cut: one producer, one consumer whose weights it can solve.
local function choose(net)
  local list = {}
  for _, g in ipairs(net:groups()) do
    local name = g.consumers[1]
    local layer = g.prunable and #g.consumers == 1 and net:layer(name)
    local window = layer and (net:window(name) or (layer.op == "Gemm" and {kernel = {1, 1}}))
    if window and layer.weight and layer.weight:shape()[2] == g.width then
      list[#list + 1] = {name = g.name, width = g.width, consumer = name, window = window, gemm = layer.op == "Gemm"}
    end
  end
  return list
end

local function keep_of(width, ratio)
  return math.max(1, math.min(width, math.floor(width * ratio + 0.5)))
end

local function first(n)
  local list = {}
  for i = 1, n do list[i] = i end
  return list
end

local function macs_at(net, groups, ratio)
  local trial = net:clone()
  for _, g in ipairs(groups) do
    local keep = keep_of(g.width, ratio)
    if keep < g.width then trial:cut(g.name, first(keep)) end
  end
  return trial:macs()
end

-- The largest ratio, in steps of 1/512, whose MACs are within the budget.
local function ratio_for(net, groups, budget)
  local low, high = 0, 512
  if macs_at(net, groups, 0) > budget then
    core.fail("arg", ("the budget of %d MACs cannot be met: %d are left with every group at one channel")
      :format(budget, macs_at(net, groups, 0)))
  end
  while low < high do
    local mid = (low + high + 1) // 2
    if macs_at(net, groups, mid / 512) <= budget then low = mid else high = mid - 1 end
  end
  return low / 512
end

local function plane(t)
  local s = t:shape()
  return #s == 4 and t or t:reshape {s[1], t:size() // s[1], 1, 1}
end

-- Sums over the set for one consumer: X from the pruned net, Y from the original.
local function gather(original, net, group, number, set, opts)
  local layer = net:layer(group.consumer)
  local taps = group.window.kernel[1] * group.window.kernel[2]
  local stats = core.stats(group.width, taps, layer.weight:shape()[1])
  for at = 1, #set, CHUNK do
    local x = set:batch(at, math.min(CHUNK, #set - at + 1))
    local input = net:forward(x, {want = {layer.inputs[1].name}})
    local target = original:forward(x, {want = {layer.outputs[1].name}})
    local w = group.window
    stats:add(plane(input), plane(target), {kernel = w.kernel, stride = w.stride, pad = w.pad, dilation = w.dilation,
              seed = opts.seed, layer = number, first = at - 1, positions = opts.positions})
  end
  return stats
end

--- Prunes a net on unlabelled images.
---@param original lop.net
---@param set lop.data
---@param opts {macs: number?, speedup: number?, keep: number?, select: string?, reconstruct: string?, seed: integer?, positions: integer?, progress: function?}
---@return lop.net net        batch normalisation folded
---@return table report       {layers = {{name, width_before, width_after, error}}, macs_before, macs_after, ...}
function prune.run(original, set, opts)
  local base = original:clone()
  base:fold_bn()
  local net, groups = base:clone(), choose(base)
  if #groups == 0 then core.fail("unsupported", "no group of channels can be cut: lop inspect --groups says why") end
  local before = base:macs()
  local ratio = opts.keep or ratio_for(base, groups, opts.macs and opts.macs * before or before / opts.speedup)
  local layers = {}
  for i, g in ipairs(groups) do
    local keep, err = keep_of(g.width, ratio), 0.0
    if keep < g.width then
      local stats = gather(base, net, g, i, set, {seed = opts.seed or 0, positions = opts.positions or 20})
      local weight = net:layer(g.consumer).weight
      local channels = stats:select(keep, {weight = weight, method = opts.select, seed = opts.seed})
      local w, b
      w, b, err = stats:reconstruct(channels, {weight = weight, method = opts.reconstruct})
      net:cut(g.name, channels)
      net:set(g.consumer, w, b)
    end
    layers[i] = {name = g.name, width_before = g.width, width_after = keep, error = err}
    if opts.progress then opts.progress("prune", i, #groups) end
  end
  return net, {layers = layers, macs_before = before, macs_after = net:macs(), params_before = original:params(),
               params_after = net:params(), bytes_before = original:bytes(), bytes_after = net:bytes(),
               speedup = before / net:macs(), seed = opts.seed or 0}
end

return prune

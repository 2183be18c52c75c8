-- bindings/lua/lop/engine/relu.lua - reconstruct.method = "relu": which consumers have a ReLU behind them, and the rows
-- that lop_reconstruct_relu needs: of what they read, and of what a residual addition puts beside their output.

local core = require "lop.core"

local relu = {}

relu.ROWS = 4096                        -- kept, of each side's images

-- The only layer that reads a value; nil where there are more, or the net gives it out.
local function only_reader(net, name)
  local found
  for _, v in ipairs(net:outputs()) do
    if v.name == name then return nil end
  end
  for _, layer in ipairs(net:layers()) do
    for _, v in ipairs(layer.inputs) do
      if v.name == name then
        if found then return nil end
        found = layer
      end
    end
  end
  return found
end

--- Where a ReLU stands behind a consumer: "direct", "sum" with a residual addition between, or nil.
---@param unit table
---@param c table             of unit.consumers
---@return string?
function relu.behind(net, unit, c)
  if unit.stream or unit.view or c.wide or c.window.spread or c.window.last or c.window.row then return nil end
  local reader = only_reader(net, net:layer(c.name).outputs[1].name)
  if reader and reader.op == "Relu" then return "direct" end
  if not reader or not c.residual or reader.outputs[1].name ~= c.residual.name or c.gemm then return nil end
  reader = only_reader(net, c.residual.name)
  return reader and reader.op == "Relu" and "sum" or nil
end

--- Options for statistics that keep rows beside their sums.
function relu.with_rows(opts)
  local copy = {}
  for key, value in pairs(opts) do copy[key] = value end
  copy.about = {rows = relu.ROWS, sums = true, seed = opts.seed}
  for key, value in pairs(opts.about or {}) do copy.about[key] = value end
  return copy
end

--- What is added to a consumer's output, at the rows of its statistics.
---@param how table           seed, layer and positions of these
---@param side table          frontiers
---@return lop.stats
function relu.beside(net, c, how, side)
  local run, stats = side.now:part(net, {c.residual.other}), nil
  for i = 1, #side.now.chunks do
    local o = run(i)
    local n = o:shape()[2]
    stats = stats or core.stats(n, 1, n, {rows = relu.ROWS, sums = false, seed = how.seed})
    stats:add(o, o, {kernel = {1, 1}, stride = {1, 1}, pad = {0, 0, 0, 0}, dilation = {1, 1}, seed = how.seed,
                     layer = how.layer, positions = how.positions, first = (i - 1) * side.now.chunk})
    o:close()
  end
  return stats
end

return relu

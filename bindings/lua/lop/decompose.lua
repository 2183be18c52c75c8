-- bindings/lua/lop/decompose.lua - lop.decompose: one layer as two of lower rank, by hand. Pruning does the same with
-- cuts = {"rank"} (lop.cuts.ranks).

local check = require "lop.check"
local core = require "lop.core"
local reader = require "lop.engine.reader"
local units = require "lop.engine.units"

local decompose = {}

-- {rank =, stats =} of what was given, and the layer in the solver's form.
---@param gemm boolean?       whether it may be a Gemm
local function read(net, name, opts, gemm)
  check.type(net, "lop.net", "net")
  check.type(name, "string", "layer")
  if math.type(opts) == "integer" then opts = {rank = opts} end
  opts = check.options(opts, {"rank", "stats"})
  local layer = net:layer(name)
  if not layer.weight or layer.op ~= "Conv" and not (gemm and layer.op == "Gemm") then
    core.fail("unsupported", ("layer '%s' (%s): a convolution%s with constant weights expected")
      :format(name, layer.op, gemm and " or a Gemm" or ""))
  end
  if layer.op == "Gemm" then layer = reader.layer(net, name) end
  if opts.stats then check.type(opts.stats, "lop.stats", "stats") end
  return layer, opts
end

local function factored(net, layer, opts, first, second, keep)
  local kept, bias = units.first(check.integer(opts.rank, "rank", 1, first:shape()[1])), nil
  local part = second:index(2, kept)
  if opts.stats then part, bias = opts.stats:project(first, keep):reconstruct(kept, {weight = second}) end
  local copy = net:clone()
  copy:factor(layer.name, first:index(1, kept), part)
  if bias then
    if layer.op == "Gemm" then part = part:reshape {layer.weight:shape()[1], #kept} end
    reader.set(copy, layer.name, part, bias)
  end
  return copy
end

--- kh x kw as kh x 1 and 1 x kw with `rank` channels between (Jaderberg et al., BMVC 2014): the SVD of the filters;
--- with the layer's statistics that of its least-squares weights, and the second factor solved on them.
---@param net lop.net
---@param layer string        a convolution of one group
---@param opts integer|{rank: integer, stats: lop.stats?}
---@return lop.net            a copy; the first factor is LAYER/first
function decompose.spatial(net, layer, opts)
  local about
  about, opts = read(net, layer, opts)
  local s, weight = about.weight:shape(), about.weight
  if opts.stats then weight = opts.stats:reconstruct(units.first(s[2]), {weight = weight}) end
  local first, second = core.factor_spatial(weight)
  return factored(net, about, opts, first, second, s[4])
end

--- `rank` filters of the whole window, then 1 x 1 (Zhang et al., TPAMI 2016): the principal directions of the layer's
--- responses.
---@param net lop.net
---@param layer string
---@param opts {rank: integer, stats: lop.stats}
---@return lop.net
function decompose.channel(net, layer, opts)
  local about
  about, opts = read(net, layer, opts)
  if not opts.stats then core.fail("arg", "stats: the layer's statistics are missing (lop.sample)") end
  local weight = opts.stats:reconstruct(units.first(about.weight:shape()[2]), {weight = about.weight})
  local first, second = core.factor_channel(weight, opts.stats)
  return factored(net, about, opts, first, second, 1)
end

--- The plain SVD of a Gemm, or of a 1 x 1 convolution: two of them.
---@param net lop.net
---@param layer string
---@param opts integer|{rank: integer, stats: lop.stats?}
---@return lop.net            a copy; the first factor is LAYER/first, of a Gemm a MatMul
function decompose.svd(net, layer, opts)
  local about
  about, opts = read(net, layer, opts, true)
  local s, weight = about.weight:shape(), about.weight
  if (s[3] or 1) * (s[4] or 1) ~= 1 then
    core.fail("arg", ("layer '%s' is %d x %d: lop.decompose.spatial"):format(layer, s[3], s[4]))
  end
  if opts.stats then weight = opts.stats:reconstruct(units.first(s[2]), {weight = weight}) end
  local first, second = core.factor_spatial(weight)
  return factored(net, about, opts, first, second, 1)
end

return decompose

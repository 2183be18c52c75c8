-- bindings/lua/lop/verbs/bench.lua - lop bench: how fast a model runs here.

local core = require "lop.core"
local json = require "lop.json"
local lop = require "lop"
local shapes = require "lop.program.shapes"

local function show_layers(net, opts, out)
  local steps = lop.time(net, {repeats = opts.repeats, layers = true})
  local rows, listed = {{"layer", "operator", "ms", "GFLOP/s"}}, json.array {}
  for i, s in ipairs(steps) do
    local gflops = s.macs > 0 and 2e-9 * s.macs / s.seconds or nil
    rows[#rows + 1] = {s.name, s.op, ("%.4f"):format(1e3 * s.seconds), gflops and ("%.1f"):format(gflops) or ""}
    listed[i] = {name = s.name, op = s.op, ms = 1e3 * s.seconds, gflops = gflops}
  end
  out:columns_of(rows)
  return listed
end

return {
  summary = "median and spread of a model's run time",
  usage = "bench MODEL [--batch B] [--repeat R] [--layers] [--shape NAME=1x3x64x64]",
  positional = {"MODEL"},
  options = {
    {name = "batch", type = "integer", value = "B", min = 1, default = 1, help = "images a run (1)"},
    {name = "repeat", type = "integer", value = "R", min = 1, max = 100000, default = 20, help = "timed runs (20)"},
    {name = "layers", type = "flag", help = "also layer by layer, for one image, with GFLOP/s"},
    shapes.option("sizes for an input that leaves some free, as 1x3x64x64; the first is --batch's"),
  },
  run = function(opts, args, out)
    local net = lop.load(args[1])
    shapes.set(net, opts.shape, "bench", true)
    local batch, repeats = opts.batch or 1, opts["repeat"] or 20
    local runs = lop.time(net, {batch = batch, repeats = repeats})
    table.sort(runs)
    local function rank(share) return 1e3 * runs[math.max(1, math.ceil(share * #runs))] end
    local result = {median_ms = rank(0.5), min_ms = rank(0), p90_ms = rank(0.9), batch = batch,
                    threads = core.threads(), cpu_path = core.version().cpu_path}
    result.gflops = 2e-6 * net:macs() * batch / result.median_ms
    out:line("median %.3f ms, min %.3f, p90 %.3f: batch %d, %d threads, %s, %.1f GFLOP/s", result.median_ms,
             result.min_ms, result.p90_ms, batch, result.threads, result.cpu_path, result.gflops)
    if opts.layers then result.layers = show_layers(net, {repeats = repeats}, out) end
    out:document(result)
    return 0
  end,
}

-- bindings/lua/lop/verbs/prune.lua - lop prune: a model made smaller on unlabelled pictures, without a recipe.

local core = require "lop.core"
local evaluate = require "lop.evaluate"
local json = require "lop.json"
local lop = require "lop"
local prune = require "lop.prune"

local function budget(opts)
  local given
  for _, key in ipairs {"speedup", "macs", "keep"} do
    if opts[key] then
      if given then core.fail("usage", ("prune: --%s and --%s: one budget expected"):format(given, key)) end
      given = key
    end
  end
  if not given then core.fail("usage", "prune: a budget is missing: --speedup X, --macs F or --keep F") end
end

return {
  summary = "prune a model on unlabelled pictures, without a recipe",
  usage = "prune MODEL --data SPEC (--speedup X | --macs F | --keep F) [--evaluate SPEC] [-o OUT.onnx]",
  positional = {"MODEL"},
  options = {
    "data", "preprocess", "images", "positions", "seed", "output",
    {name = "speedup", type = "number", value = "X", min = 1, help = "MACs before over MACs after"},
    {name = "macs", type = "number", value = "F", min = 1e-6, max = 1, help = "share of the MACs to keep"},
    {name = "keep", type = "number", value = "F", min = 1e-6, max = 1, help = "share of each group's channels to keep"},
    {name = "select", type = "string", value = "METHOD", default = "elimination",
     help = "how channels are chosen (elimination)",
     choices = {"elimination", "forward", "lasso", "thinet", "response", "l1", "l2", "fpgm", "first", "random"}},
    {name = "reconstruct", type = "string", value = "METHOD", default = "least-squares",
     help = "how weights are rebuilt (least-squares)",
     choices = {"least-squares", "scale", "none"}},
    {name = "allocate", type = "string", value = "HOW", default = "sensitivity", choices = {"sensitivity", "uniform"},
     help = "widths by measured losses, or one keep ratio (sensitivity)"},
    {name = "residual.target", type = "string", value = "HOW", default = "compensate", choices = {"compensate", "none"},
     help = "whether a branch repairs the stream it is added to (compensate)"},
    {name = "evaluate", type = "string", value = "SPEC", help = "labelled data to evaluate on, before and after"},
  },
  run = function(opts, args, out)
    if not opts.data then core.fail("usage", "prune: --data SPEC is missing (KIND:PATH, kinds mnist, cifar10, npz)") end
    budget(opts)
    local began = core.system.seconds()
    local original = lop.load(args[1])
    local how = opts.preprocess or original:meta("lop.preprocess")
    local set = lop.data(opts.data, {preprocess = how, split = "train"})
    local seed = opts.seed or 0
    local calibrate, held = prune.split(set, opts.images or 1000, seed)
    local net, result = prune.run(original, calibrate, held, {
      speedup = opts.speedup, macs = opts.macs, keep = opts.keep, allocate = opts.allocate or "sensitivity",
      select = opts.select, reconstruct = opts.reconstruct, compensate = opts["residual.target"] ~= "none",
      refit = true, seed = seed, positions = math.tointeger(opts.positions), progress = out:progress()})
    net:meta("lop.preprocess", how)
    result.model = opts.output or "pruned.onnx"
    net:save(result.model)
    if opts.evaluate then
      local test = lop.data(opts.evaluate, {preprocess = how, split = "test"})
      result.accuracy_before = evaluate.run(original, test).top1
      result.accuracy_after = evaluate.run(net, test).top1
    end
    result.seconds = core.system.seconds() - began
    json.array(result.layers)
    local rows = {{"group", "before", "after", "error"}}
    for _, l in ipairs(result.layers) do
      rows[#rows + 1] = {l.name, l.width_before, l.width_after, ("%.4f"):format(l.error)}
    end
    out:columns_of(rows)
    out:line("%s: %.2fx fewer MACs (%d to %d), %d to %d params", result.model, result.speedup, result.macs_before,
             result.macs_after, result.params_before, result.params_after)
    if result.accuracy_after then
      out:line("top-1 %.2f %% before, %.2f %% after", result.accuracy_before, result.accuracy_after)
    end
    out:document(result)
    return 0
  end,
}

-- bindings/lua/lop/verbs/prune.lua - lop prune: a model made smaller on unlabelled pictures, without a recipe.

local choose = require "lop.choose"
local core = require "lop.core"
local job = require "lop.job"
local schema = require "lop.schema"

local function budget(opts)
  local given
  for _, key in ipairs {"speedup", "macs", "keep"} do
    if opts[key] then
      if given then core.fail("usage", ("prune: --%s and --%s: one budget expected"):format(given, key)) end
      given = key
    end
  end
  if not given then core.fail("usage", "prune: a budget is missing: --speedup X, --macs F or --keep F") end
  return {[given] = opts[given]}
end

-- The flags as the recipe that they stand for.
local function recipe_of(opts, model)
  if not opts.data then core.fail("usage", "prune: --data KIND:PATH is missing (KIND mnist, cifar10, images, npz)") end
  return schema.check {
    model = model, preprocess = opts.preprocess, budget = budget(opts), seed = opts.seed, allocate = opts.allocate,
    calibrate = {data = opts.data, images = opts.images, positions = opts.positions},
    evaluate = opts.evaluate and {data = opts.evaluate} or nil, select = opts.select, reconstruct = opts.reconstruct,
    residual = {target = opts["residual.target"]},
  }
end

return {
  summary = "prune a model on unlabelled pictures, without a recipe",
  usage = "prune MODEL --data SPEC (--speedup X | --macs F | --keep F) [--evaluate SPEC] [-o OUT.onnx]",
  positional = {"MODEL"},
  options = {
    "data", "preprocess", "images", "positions", "seed", "output", "memory",
    {name = "speedup", type = "number", value = "X", min = 1, help = "MACs before over MACs after"},
    {name = "macs", type = "number", value = "F", min = 1e-6, max = 1, help = "share of the MACs to keep"},
    {name = "keep", type = "number", value = "F", min = 1e-6, max = 1, help = "share of each group's channels to keep"},
    {name = "select", type = "string", value = "METHOD", default = "elimination",
     help = "how channels are chosen (elimination)",
     choices = choose.methods},
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
    local net, result = job.run(recipe_of(opts, args[1]), out, nil, opts.memory)
    result.model = opts.output or "pruned.onnx"
    net:save(result.model)
    job.show(result, out)
    out:document(result)
    return 0
  end,
}

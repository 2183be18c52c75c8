-- bindings/lua/lop/verbs/prune.lua - lop prune: a model made smaller on unlabelled pictures, without a recipe.

local core = require "lop.core"
local flags = require "lop.policy.flags"
local job = require "lop.job"

local options = flags.options()
table.insert(options, 8, "output")

return {
  summary = "prune a model on unlabelled pictures, without a recipe",
  usage = "prune MODEL --data SPEC (--speedup X | --macs F | --params F | --keep F | ...) [-o OUT.onnx]",
  positional = {"MODEL"},
  options = options,
  run = function(opts, args, out)
    local recipe = flags.recipe("prune", opts, args[1])
    local path = opts.output or "pruned.onnx"
    core.system.check_place(path)
    local net, result = job.run(recipe, out, job.open(recipe, out), opts.memory)
    result.model = path
    net:save(path)
    job.show(result, out)
    out:document(result)
    return 0
  end,
}

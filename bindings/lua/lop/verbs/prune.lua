-- bindings/lua/lop/verbs/prune.lua - lop prune: a model made smaller on unlabelled pictures, without a recipe.

local core = require "lop.core"
local flags = require "lop.policy.flags"
local job = require "lop.job"

local options = flags.options()
table.insert(options, 8, "output")
table.insert(options, 9, {name = "external", type = "flag",
                          help = "weights of 1024 bytes and more in OUT.onnx.data (past 2 GiB always)"})

return {
  summary = "prune a model on unlabelled pictures, without a recipe",
  usage = "prune MODEL --data SPEC (--speedup X | --macs F | --params F | --keep F | ...) [-o OUT.onnx]",
  positional = {"MODEL"},
  options = options,
  run = function(opts, args, out)
    local recipe = flags.recipe("prune", opts, args[1])
    local path = opts.output or "pruned.onnx"
    core.system.check_place(path)
    if opts.external then core.system.check_place(path .. ".data") end
    local net, result = job.run(recipe, out, job.open(recipe, out), opts)
    result.model = path
    net:save(path, {external = opts.external})
    job.show(result, out)
    out:document(job.untimed(result))
    return 0
  end,
}

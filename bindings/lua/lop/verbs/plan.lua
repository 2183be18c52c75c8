-- bindings/lua/lop/verbs/plan.lua - lop plan: what a recipe would do; cuts nothing.

local job = require "lop.job"
local json = require "lop.json"
local prune = require "lop.prune"
local recipes = require "lop.recipe"

return {
  summary = "what a recipe would cut, and what it would cost; cuts nothing",
  usage = "plan RECIPE [KEY=VALUE ...]",
  positional = {"RECIPE"},
  settings = true,
  options = {"trust", "memory"},
  run = function(opts, args, out)
    local recipe = recipes.load(args[1], args.settings, opts.trust)
    local opened = job.open(recipe, out)
    local plan = prune.plan(opened.net, opened.set, opened.held, job.options(recipe, opened, opts.memory,
                                                                               out:progress()))
    local rows = {{"group", "width", "keep", "loss", "left whole because"}}
    for _, g in ipairs(plan.groups) do
      rows[#rows + 1] = {g.name, g.width, g.keep, g.loss and ("%.6f"):format(g.loss) or "", g.reason or ""}
    end
    out:columns_of(rows)
    out:line("macs %d to %d (%.2fx)", plan.macs_before, plan.macs_after, plan.macs_before / plan.macs_after)
    out:line("memory %d MB", math.ceil(plan.memory_bytes / 1e6))
    json.array(plan.groups)
    out:document(plan)
    return 0
  end,
}

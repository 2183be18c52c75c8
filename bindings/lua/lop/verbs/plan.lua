-- bindings/lua/lop/verbs/plan.lua - lop plan: what a recipe, or lop prune with these options, would do; cuts nothing.

local core = require "lop.core"
local flags = require "lop.policy.flags"
local job = require "lop.job"
local json = require "lop.json"
local prune = require "lop.prune"
local recipes = require "lop.recipe"
local widths = require "lop.policy.widths"

local options = flags.options()
options[#options + 1] = "trust"

-- Options that go with a model and that a recipe says itself.
local function check_alone(opts)
  for _, option in ipairs(options) do
    local name = type(option) == "table" and option.name or option
    local shared = name == "memory" or name == "scratch" or name == "trust" or name == "seed"
    if not shared and opts[name:gsub("-", "_")] ~= nil then
      core.fail("usage", ("plan: --%s goes with a model; with a recipe: KEY=VALUE (lop help recipe)"):format(name))
    end
  end
end

local function recipe_of(opts, args)
  if opts.data or args[1]:match("%.onnx$") then
    if #args.settings > 0 then
      core.fail("usage", ("plan: %s=%s goes with a recipe"):format(args.settings[1].key, args.settings[1].value))
    end
    return flags.recipe("plan", opts, args[1])
  end
  check_alone(opts)
  return (recipes.load(args[1], args.settings, opts.trust))
end

local function show(plan, out)
  local rows = {{"group", "width", "keep", "loss", "left whole because"}}
  for _, g in ipairs(plan.groups) do
    rows[#rows + 1] = {g.name, g.width, g.keep, g.loss and ("%.6f"):format(g.loss) or "", g.reason or ""}
  end
  out:columns_of(rows)
  out:line("macs %d to %d (%.2fx)", plan.macs_before, plan.macs_after, plan.macs_before / plan.macs_after)
  if plan.budget then out:line("%s", widths.text(plan.budget)) end
  out:line("memory %d MB; forward passes for this plan: %d", math.ceil(plan.memory_bytes / 1e6), plan.forward_passes)
end

return {
  summary = "what would be cut, and what it would cost; cuts nothing",
  usage = "plan RECIPE [KEY=VALUE ...] | plan MODEL.onnx --data SPEC (--speedup X | ...), as prune",
  positional = {"RECIPE | MODEL"},
  settings = true,
  options = options,
  run = function(opts, args, out)
    local recipe = recipe_of(opts, args)
    local opened = job.open(recipe, out)
    local plan = prune.plan(opened.net, opened.set, opened.held, job.options(recipe, opened, opts.memory,
                                                                               out:progress()))
    show(plan, out)
    json.array(plan.groups)
    out:document(plan)
    return 0
  end,
}

-- bindings/lua/lop/verbs/plan.lua - lop plan: what a recipe, or lop prune with these options, would do; cuts nothing.

local core = require "lop.core"
local flags = require "lop.policy.flags"
local job = require "lop.job"
local json = require "lop.json"
local masks = require "lop.cuts.masks"
local memory = require "lop.engine.memory"
local blocks = require "lop.cuts.blocks"
local prune = require "lop.prune"
local recipes = require "lop.recipe"
local text = require "lop.plot.text"
local widths = require "lop.policy.widths"

local CURVE = 8                         -- characters of a curve

local options = flags.options()
options[#options + 1] = "trust"

local shared = {memory = true, scratch = true, trust = true}
for _, name in ipairs(recipes.options) do shared[name] = true end

-- Options that go with a model and that a recipe says itself.
local function check_alone(opts)
  for _, option in ipairs(options) do
    local name = type(option) == "table" and option.name or option
    if not shared[name] and opts[name:gsub("-", "_")] ~= nil then
      core.fail("usage", ("plan: --%s goes with a model; with a recipe: KEY=VALUE (lop help recipe)"):format(name))
    end
  end
end

local function recipe_of(opts, args)
  local is_recipe = args[1]:match("%.lua$") or core.system.kind(args[1]) == "folder"
  if not is_recipe and (opts.data or args[1]:match("%.onnx$")) then
    if #args.settings > 0 then
      core.fail("usage", ("plan: %s=%s goes with a recipe"):format(args.settings[1].key, args.settings[1].value))
    end
    return flags.recipe("plan", opts, args[1])
  end
  check_alone(opts)
  local recipe, _, _, asked = recipes.load(args[1], recipes.settings("plan", opts, args.settings), opts.trust)
  recipes.check_files(recipe, asked)
  return recipe
end

-- The losses by width as a line of blocks, all to one scale, wide to narrow; "" where none were measured.
local function curve_text(curve, most)
  local losses = {}
  for k = 0, math.min(#curve, CURVE) - 1 do             -- of long curves some points, evenly
    local at = #curve - math.floor(k * (#curve - 1) / math.max(math.min(#curve, CURVE) - 1, 1) + 0.5)
    losses[#losses + 1] = curve[at].loss
  end
  return text.blocks(losses, most)
end

local function show(plan, out)
  local rows, most = {{"group", "width", "keep", "loss", "by width", "left whole because"}}, 0
  for _, g in ipairs(plan.groups) do
    for _, point in ipairs(g.curve or {}) do most = math.max(most, point.loss) end
  end
  for _, g in ipairs(plan.groups) do
    rows[#rows + 1] = {g.name, g.width, g.keep, g.loss and ("%.6f"):format(g.loss) or "",
                       g.curve and curve_text(g.curve, most) or "", g.reason or ""}
    if g.stage then table.insert(rows[#rows], 2, g.stage) end
  end
  if plan.groups[1] and plan.groups[1].stage then table.insert(rows[1], 2, "stage") end
  out:columns_of(rows)
  if most > 0 then
    out:line("by width: the loss of each group cut alone, from all its channels down to an eighth, logarithmic " ..
             "below %.3g", most)
  end
  local gone = blocks.text(plan.groups)
  if gone then out:line("%s", gone) end
  out:line("macs %d to %d (%.2fx)", plan.macs_before, plan.macs_after, plan.macs_before / plan.macs_after)
  local apart = job.unshared(plan.unshared)
  if apart then out:line("%s", apart) end
  if plan.masks then out:line("%s", masks.text(plan.masks, plan.macs_after)) end
  for _, line in ipairs(plan.budget and widths.lines(plan.budget) or {}) do out:line("%s", line) end
  local disk = plan.scratch_bytes > 0 and (", %s on disk (--scratch)"):format(memory.text(plan.scratch_bytes)) or ""
  out:line("memory %s%s; forward passes for this plan: %d", memory.text(plan.memory_bytes), disk,
           plan.forward_passes)
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
    local plan = prune.plan(opened.net, opened.set, opened.held, job.options(recipe, opened, opts, out:progress()))
    show(plan, out)
    json.array(plan.groups)
    for _, g in ipairs(plan.groups) do
      json.array(g.curve or {})
      g.loss, g.reason = g.loss or json.null, g.reason or json.null
    end
    job.untimed(plan)
    if plan.budget and plan.budget.stages then json.array(plan.budget.stages) end
    out:document(plan)
    return 0
  end,
}

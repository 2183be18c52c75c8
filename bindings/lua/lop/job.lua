-- bindings/lua/lop/job.lua - a checked recipe carried out: data opened, overlap dropped, a net pruned and evaluated.

local blocks = require "lop.cuts.blocks"
local core = require "lop.core"
local evaluate = require "lop.evaluate"
local json = require "lop.json"
local masks = require "lop.cuts.masks"
local prune = require "lop.prune"
local solve = require "lop.engine.solve"
local timing = require "lop.budget.timing"
local widths = require "lop.policy.widths"

local job = {}

-- Calibration pictures that are also evaluated on are dropped, unless the recipe wants them.
local function without_overlap(set, test, recipe, out)
  if not test or recipe.allow_overlap then return set, 0 end
  local rest, dropped = set:without(test)
  if #rest < 4 then
    core.fail("arg", ("%d of %d calibration images are also evaluated on: other data, or allow_overlap = true")
      :format(dropped, #set))
  end
  if dropped > 0 then out:note("%d calibration images dropped: they are evaluated on", dropped) end
  return rest, dropped
end

-- Height and width that the model leaves free are those of the pictures, until the result is written.
local function fix_sizes(net, set, out)
  local inputs = net:describe().inputs
  local v = inputs[1]
  if #inputs ~= 1 or v.shape or not v.declared or #v.declared ~= #set.shape + 1 then return end
  net:set_shape(v.name, table.move(set.shape, 1, #set.shape, 2, {-1}))
  out:note("input '%s' (%s) is taken as %s, the pictures' size", v.name, table.concat(v.declared, "x"),
           table.concat(set.shape, "x"))
end

-- A free batch is one image where the operators may join images (an Einsum, rows of all images in one Reshape): each
-- image is then computed by itself, until the result is written.
local function fix_batch(net, out)
  local inputs, outputs = net:inputs(), {}
  if #inputs ~= 1 or not inputs[1].shape then return end
  for i, v in ipairs(net:outputs()) do outputs[i] = v.name end
  if core.exec(net, {inputs[1].name}, outputs):per_image() then return end
  net:set_shape(inputs[1].name, inputs[1].shape)
  out:note("the net joins the images of a batch: it is pruned for one at a time")
end

--- Opens what a recipe names.
---@param net lop.net?       in place of the recipe's model
---@return table              {net, preprocess, whole, set, held, test, dropped}
function job.open(recipe, out, net)
  net = (net or core.load(recipe.model)):clone()
  local changed = net:to_float32()
  if changed > 0 then out:note("float16, bfloat16 and float64 are taken as float32 (%d places)", changed) end
  local unread = net:drop_unread()
  if unread > 0 then out:note("%d nodes whose outputs nothing reads are left out, and counted nowhere", unread) end
  local how = recipe.preprocess or net:meta("lop.preprocess")
  local function open(part)
    return evaluate.open(net, part.data, {preprocess = how, split = part.split}, out)
  end
  local declared = net:clone()
  local test = recipe.evaluate and open(recipe.evaluate)
  local whole = open(recipe.calibrate)
  fix_sizes(net, whole, out)
  local limit = recipe.evaluate and recipe.evaluate.images
  if test and limit and limit < #test then test = test:take(limit, recipe.seed) end
  evaluate.check_fit(net, recipe.model, whole, recipe.calibrate.data)
  fix_batch(net, out)
  local set, dropped = without_overlap(whole, test, recipe, out)
  local part, held = prune.split(set, recipe.calibrate.images, recipe.seed)
  return {net = net, declared = declared, preprocess = how, whole = whole, set = part, held = held, test = test,
          dropped = dropped, bytes = whole.bytes + (test and test.bytes or 0)}
end

--- What prune.run and prune.plan take, of a recipe and what it opened.
---@param limits {memory: integer?, scratch: string?, times: table?}?   bytes that may be used, half of what is free
---                           where absent; a folder for what does not fit; the times of an earlier run, which this one
---                           is to see again
function job.options(recipe, opened, limits, progress)
  limits = limits or {}
  local positions, ridge, method = recipe.calibrate.positions, recipe.reconstruct.ridge, recipe.reconstruct.method
  return {recipe = recipe, budget = recipe.budget, allocate = recipe.allocate, order = recipe.order,
          select = recipe.select, original = opened.net, reconstruct = method, intercept = recipe.reconstruct.intercept,
          ridge = ridge ~= "auto" and ridge or nil, compensate = recipe.residual.target == "compensate",
          producer = solve.rounds(recipe.reconstruct), refit = solve.solves(method), seed = recipe.seed,
          last = recipe.reconstruct.passes,
          passes = {count = 0}, clock = limits.times and timing.replayer(limits.times) or timing.recorder(),
          positions = positions ~= "auto" and positions or nil, progress = progress,
          data_bytes = opened.bytes, memory = limits.memory or core.system.free_memory() // 2,
          scratch = limits.scratch}
end

--- Prunes as the recipe says and evaluates.
---@param opened table        from job.open
---@param limits table?       {memory, scratch}
---@param journal table?      from lop.runs.journal: where what is finished is kept
---@return lop.net net
---@return table result       the fields of --json for prune and run, but model
function job.run(recipe, out, opened, limits, journal)
  local began, opts = core.system.seconds(), job.options(recipe, opened, limits, out:progress())
  opts.journal = journal
  local net, result = prune.run(opened.net, opened.set, opened.held, opts)
  net:shapes_of(opened.declared)
  net:meta("lop.preprocess", opened.preprocess)
  if opened.test then
    result.accuracy_before = evaluate.run(opened.net, opened.test, out:progress()).top1
    result.accuracy_after = evaluate.run(net, opened.test, out:progress()).top1
  end
  result.overlap_dropped = opened.dropped
  result.seconds = core.system.seconds() - began
  result.peak_rss_bytes = core.system.peak_rss()
  json.array(result.layers)
  for _, layer in ipairs(result.layers) do json.array(layer.channels or {}) end
  return net, result
end

--- A line on weights that several layers had and that are each layer's own now; nil where there were none.
---@param names string[]
---@return string?
function job.unshared(names)
  if #names == 0 then return nil end
  return ("weights of their own, no longer shared: %s%s"):format(table.concat(names, ", ", 1, math.min(#names, 8)),
                                                              #names > 8 and (" and %d more"):format(#names - 8) or "")
end

--- A result or a plan without each time that was measured on the way, which is for run.json and replay.
function job.untimed(result)
  if result.budget then result.budget.times = nil end
  return result
end

--- Prints a result as a table; layers of which only a rank or a sampler was looked at, and that stay, are not in it.
function job.show(result, out)
  local rows = {{"group", "before", "after", "error"}}
  for _, l in ipairs(result.layers) do
    if not l.kind or l.width_after < l.width_before then
      rows[#rows + 1] = {l.name, l.width_before, l.width_after, ("%.4f"):format(l.error)}
    end
  end
  out:columns_of(rows)
  local gone = blocks.text(result.layers)
  if gone then out:line("%s", gone) end
  for _, l in ipairs(result.layers) do
    if l.method then out:line("%s: chosen by %s, as what reads it is too wide for a Gram matrix", l.name, l.method) end
  end
  local plain, all = 0, 0
  for _, l in ipairs(result.layers) do
    if l.relu ~= nil then all, plain = all + 1, plain + (l.relu and 0 or 1) end
  end
  if plain > 0 then out:line("%d of %d groups: by least squares, no ReLU is behind what reads them", plain, all) end
  out:line("%s: %.2fx fewer MACs (%d to %d), %d to %d params", result.model, result.speedup, result.macs_before,
           result.macs_after, result.params_before, result.params_after)
  local apart = job.unshared(result.unshared)
  if apart then out:line("%s", apart) end
  if result.masks then out:line("%s", masks.text(result.masks, result.macs_after)) end
  if result.budget and (result.budget.reason or result.budget.stages) then
    for _, line in ipairs(widths.lines(result.budget)) do out:line("%s", line) end
  end
  if result.accuracy_after then
    out:line("top-1 %.2f %% before, %.2f %% after", result.accuracy_before, result.accuracy_after)
  end
end

return job

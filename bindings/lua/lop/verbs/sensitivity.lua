-- bindings/lua/lop/verbs/sensitivity.lua - lop sensitivity: what a group's channels are worth: tables, plots, files.

local core = require "lop.core"
local job = require "lop.job"
local json = require "lop.json"
local plot = require "lop.plot.text"
local schema = require "lop.schema"
local sensitivity = require "lop.sensitivity"

local SHARES = {1 / 8, 1 / 4, 3 / 8, 1 / 2, 5 / 8, 3 / 4, 7 / 8}

local text = [[
The error is that of the layers that read the group, relative, by exact elimination of its channels one by one and
least squares on what is left: known for every width. The loss is the error of the network's outputs with that group
alone cut and rebuilt, over their variance, on held-out pictures: measured at eight widths. DIR gets sensitivity.json,
which is what --json prints, and sensitivity.svg.]]

local function recipe_of(opts, model)
  if not opts.data then
    core.fail("usage", "sensitivity: --data KIND:PATH is missing (KIND mnist, cifar10, images, npz)")
  end
  return schema.check {model = model, preprocess = opts.preprocess, seed = opts.seed, budget = {keep = 1},
                       calibrate = {data = opts.data, images = opts.images, positions = opts.positions}}
end

local function value_text(v) return ("%.2g"):format(v) end

-- The width that a share of a group comes to, 1 at least.
local function width_at(group, share)
  return math.max(1, math.min(#group.errors, math.floor(group.width * share + 0.5)))
end

local function show_errors(groups, out)
  local head = {"error at the consumers", "width"}
  for _, share in ipairs(SHARES) do head[#head + 1] = ("%.0f %%"):format(100 * share) end
  local rows = {head}
  for _, g in ipairs(groups) do
    local row = {g.name, g.width}
    for _, share in ipairs(SHARES) do row[#row + 1] = value_text(g.errors[width_at(g, share)]) end
    rows[#rows + 1] = row
  end
  out:columns_of(rows)
end

local function show_losses(groups, out)
  local rows, most = {}, 0
  for _, g in ipairs(groups) do
    local row = {g.name, g.width}
    for _, p in ipairs(g.losses) do row[#row + 1] = ("%d: %s"):format(p.width, value_text(p.loss)) end
    rows[#rows + 1], most = row, math.max(most, #row)
  end
  local head = {"loss at the outputs", "width", "by width"}
  for c = 4, most do head[c] = "" end
  for _, row in ipairs(rows) do
    for c = #row + 1, most do row[c] = "" end
  end
  out:line ""
  out:columns_of {head, table.unpack(rows)}
end

local function show(result, out)
  local cut, whole = {}, {}
  for _, g in ipairs(result.groups) do table.insert(g.prunable and cut or whole, g) end
  show_errors(cut, out)
  if cut[1].losses then show_losses(cut, out) end
  for _, g in ipairs(cut) do
    out:line ""
    out:line("%s: . error at the consumers%s", g.name, g.losses and ", o loss at the outputs" or "")
    for _, line in ipairs(plot.plot(sensitivity.series(g), {from = 1, to = #g.errors})) do out:line("%s", line) end
  end
  if #whole > 0 then out:line "" end
  for _, g in ipairs(whole) do out:line("%s: %s", g.name, g.reason) end
end

local function write(result, folder, out)
  core.system.make_folder(folder)
  core.system.write_file(folder .. "/sensitivity.json", json.encode(result, {pretty = true}) .. "\n")
  core.system.write_file(folder .. "/sensitivity.svg", sensitivity.svg(result))
  out:line("%s/sensitivity.json, %s/sensitivity.svg", folder, folder)
end

return {
  summary = "what each group's channels are worth: error by width, as table and plot; cuts nothing",
  usage = "sensitivity MODEL --data SPEC [-o DIR] [--local]",
  text = text,
  positional = {"MODEL"},
  options = {"data", "preprocess", "images", "positions", "seed", "memory", "scratch", "output",
             {name = "local", type = "flag", help = "errors at the consumers alone: quick, nothing is cut"}},
  run = function(opts, args, out)
    local recipe, folder = recipe_of(opts, args[1]), opts.output
    if folder and core.system.kind(folder) and core.system.kind(folder) ~= "folder" then
      core.fail("io", folder .. ": is there and no folder: another one (-o DIR)")
    end
    local opened = job.open(recipe, out)
    local how = job.options(recipe, opened, opts, out:progress())
    how.losses = not opts["local"]
    local result = sensitivity.run(opened.net, opened.set, opened.held, how)
    result.model, result.seed = args[1], recipe.seed
    show(result, out)
    if folder then write(result, folder, out) end
    out:document(result)
    return 0
  end,
}

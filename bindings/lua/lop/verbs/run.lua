-- bindings/lua/lop/verbs/run.lua - lop run: a recipe carried out, its result and record in a folder.

local carry = require "lop.runs.carry"
local core = require "lop.core"
local folders = require "lop.runs.folder"
local job = require "lop.job"
local recipes = require "lop.recipe"
local record = require "lop.runs.record"

local text = [[
RECIPE is a .lua file, a folder with recipe.lua, or the folder of an earlier run, which is done again. DIR holds in
the end model.onnx, run.json (what went in, what was chosen, what came out), recipe.lua, log.txt, and journal/, from
which --resume goes on when a run was interrupted. Without -o, DIR is NAME.run here.]]

-- Which folder, and whether its run goes on.
local function place(path, request, opts)
  local state = core.system.kind(path) == "folder" and folders.state(path) or "free"
  local earlier = state == "begun" or state == "done"
  local own = opts.resume and earlier and not opts.output
  return own and path:gsub("(.)/+$", "%1") or opts.output or folders.default(path, request.again)
end

-- The result of a run that has ended already.
local function ended(folder, out, clean)
  out:note("%s: has ended already", folder)
  if clean then folders.clean(folder) end
  return (record.of(folder)).result
end

local function result_of(request, folder, opts, out)
  if not opts.resume then return carry.out(request, folder, out, opts) end
  local state = folders.state(folder)
  if state == "done" then return ended(folder, out, opts.clean) end
  if state ~= "begun" then core.fail("notfound", folder .. ": no run was begun there: leave out --resume") end
  return carry.out(request, folder, out, opts)
end

return {
  summary = "carry out a recipe; the result and its record go into a folder",
  usage = "run RECIPE [KEY=VALUE ...] [-o DIR]",
  text = text,
  positional = {"RECIPE"},
  settings = true,
  options = {
    "output", "seed", "images", "positions", "preprocess", "trust", "memory", "scratch",
    {name = "resume", type = "flag", help = "go on with a run that was interrupted"},
    {name = "force", type = "flag", help = "replace the run that is in DIR"},
    {name = "clean", type = "flag", help = "remove journal/ when the run has ended"},
  },
  run = function(opts, args, out)
    if opts.resume and opts.force then core.fail("usage", "run: --resume and --force: one of them expected") end
    local request = carry.request(args[1], recipes.settings("run", opts, args.settings), opts.trust)
    local result = result_of(request, place(args[1], request, opts), opts, out)
    job.show(result, out)
    out:document(job.untimed(result))
    return 0
  end,
}

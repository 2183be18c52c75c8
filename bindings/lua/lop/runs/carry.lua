-- bindings/lua/lop/runs/carry.lua - a recipe carried out in a folder: anew, again from an earlier
-- run's folder, or on from where it was interrupted.

local core = require "lop.core"
local folders = require "lop.runs.folder"
local job = require "lop.job"
local journal = require "lop.runs.journal"
local log = require "lop.runs.log"
local recipes = require "lop.recipe"
local record = require "lop.runs.record"

local carry = {}

local function settings_of(earlier, more)
  local list = {}
  for _, s in ipairs(earlier or {}) do list[#list + 1] = s end
  for _, s in ipairs(more) do list[#list + 1] = s end
  return list
end

--- The request that a record stands for, its files sought where the run was begun.
---@param was table           from lop.runs.record
---@param settings table[]    more of them
---@param trust boolean?
function carry.again(was, settings, trust)
  local r = was.recipe
  if r.trust and not trust then
    core.fail("usage", r.path .. ": was run with --trust: so it has to be again")
  end
  local all = settings_of(r.settings, settings)
  return {recipe = recipes.read(r.text, r.path, all, trust, was.where), text = r.text, path = r.path, settings = all,
          trust = trust, again = true}
end

--- What is asked for by a path on the command line: a recipe, or the folder of an earlier run.
---@param settings {key: string, value: string}[]
---@return table request      {recipe, text, path, settings, trust, again}
function carry.request(path, settings, trust)
  local state = core.system.kind(path) == "folder" and folders.state(path)
  if state == "done" then return carry.again(record.read(path .. "/run.json"), settings, trust) end
  if state == "begun" then return carry.again(record.read(path .. "/journal/begin.json"), settings, trust) end
  local recipe, text, found, asked = recipes.load(path, settings, trust)
  recipes.check_files(recipe, asked)
  return {recipe = recipe, text = text, path = found, settings = settings, trust = trust, again = false}
end

local function begin(request, folder, opened, out, opts)
  local head = record.head(request, opened)
  local kept
  if opts.check then opts.check(head) end
  if opts.resume then
    kept = journal.resume(folder, head)
    out.log:open(folder .. "/log.txt", "a")
    out:note("%s: going on after %d finished groups", folder, kept.count)
  else
    kept = journal.begin(folder, head, request.text)
    out.log:open(folder .. "/log.txt", "w")
  end
  return head, kept
end

local function finish(head, net, result, folder, kept, opts)
  result.model = folder .. "/model.onnx"
  net:save(result.model)
  record.write(folder .. "/run.json", record.whole(head, result, folder, {"model.onnx", "recipe.lua"}))
  kept:finish()
  if opts.clean then folders.clean(folder) end
end

-- Takes away a run that came to nothing, and its folder where the run made it.
local function undo(folder, made)
  folders.clear(folder)
  if made then core.system.remove_file(folder) end
end

-- Whatever happens from here on, what is finished is kept; a run that was refused before its plan stood has nothing to
-- keep, and is no obstacle to the next one.
local function carried(request, folder, opened, out, opts)
  local made = not core.system.kind(folder)
  local head, kept = begin(request, folder, opened, out, opts)
  local ok, net, result = pcall(job.run, request.recipe, out, opened, opts, kept)
  if not ok and type(net) == "table" and net.code == "interrupted" then
    core.fail("interrupted", ("interrupted: lop run %s --resume goes on"):format(folder))
  end
  if not ok then
    if not opts.resume and not core.system.kind(folder .. "/journal/plan.json") then undo(folder, made) end
    error(net, 0)
  end
  finish(head, net, result, folder, kept, opts)
  return result
end

--- Carries a request out.
---@param request table       from carry.request
---@param folder string
---@param out table           lop.program.output; its log is the folder's log.txt
---@param opts {memory: integer?, scratch: string?, resume: boolean?, force: boolean?, clean: boolean?,
---        times: table?, check: fun(head: table)?}
---                           check: may raise before anything is written
---@return table result       the fields of --json
function carry.out(request, folder, out, opts)
  if not opts.resume then folders.check(folder, request.text, opts.force) end
  out.log = log.new()
  local result = carried(request, folder, job.open(request.recipe, out), out, opts)
  out.log:close()
  out.log = nil
  return result
end

return carry

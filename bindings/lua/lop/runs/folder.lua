-- bindings/lua/lop/runs/folder.lua - the folder of a run: in what state it is, and who may write into it. Nothing that
-- was finished is overwritten unasked.

local core = require "lop.core"

local folder = {}

-- What a run writes; `journal` besides.
folder.files = {"model.onnx", "run.json", "recipe.lua", "report.html", "log.txt"}

local function is(path, kind)
  return core.system.kind(path) == kind
end

--- "done": a run that has ended stands there; "begun": one that has not; "taken": files by a run's names, but no run;
--- "free": nothing of that.
---@param path string
---@return "free"|"taken"|"begun"|"done"
function folder.state(path)
  if is(path .. "/run.json", "file") then return "done" end
  if is(path .. "/journal/begin.json", "file") then return "begun" end
  for _, name in ipairs(folder.files) do
    if name ~= "recipe.lua" and core.system.kind(path .. "/" .. name) then return "taken" end
  end
  return core.system.kind(path .. "/journal") and "taken" or "free"
end

local ways = {
  done = "%s: holds a run already: --force replaces it, -o DIR puts this one elsewhere",
  begun = "%s: holds a run that was interrupted: --resume goes on, --force begins anew, -o DIR goes elsewhere",
  taken = "%s: holds %s, which is no part of a run: another folder (-o DIR), or --force to overwrite it",
}

local function first_file(path)
  for _, name in ipairs(folder.files) do
    if name ~= "recipe.lua" and core.system.kind(path .. "/" .. name) then return name end
  end
  return "journal"
end

--- Refuses a folder in which a new run would overwrite something.
---@param text string         of the recipe that would be written there
---@param force boolean?
function folder.check(path, text, force)
  local kind, state = core.system.kind(path), folder.state(path)
  if kind and kind ~= "folder" then core.fail("io", path .. ": is there and no folder: another one (-o DIR)") end
  if force then return end
  if state ~= "free" then core.fail("exists", ways[state]:format(path, first_file(path))) end
  local recipe = path .. "/recipe.lua"
  if is(recipe, "file") and core.system.read_file(recipe) ~= text then
    core.fail("exists", ("%s: is another recipe, and would be overwritten: another folder (-o DIR), or --force")
      :format(recipe))
  end
end

--- Removes the journal.
function folder.clean(path)
  local journal = path .. "/journal"
  if not is(journal, "folder") then return end
  for _, name in ipairs(core.system.list_folder(journal)) do core.system.remove_file(journal .. "/" .. name) end
  core.system.remove_file(journal)
end

--- Removes what an earlier run has left, and that alone.
function folder.clear(path)
  folder.clean(path)
  for _, name in ipairs(folder.files) do core.system.remove_file(path .. "/" .. name) end
end

--- Where a run goes that is told no place: NAME.run for a recipe; for an earlier run the first of NAME.run, NAME-2.run,
--- NAME-3.run ... that is not there.
---@param path string         of the recipe or run
---@param again boolean       it is a run
---@return string
function folder.default(path, again)
  local name = path:gsub("/+$", ""):gsub("/recipe%.lua$", ""):match("([^/]+)$") or "lop"
  name = name:gsub("%.lua$", ""):gsub("%.run$", "")
  if name:match("^%.*$") then name = "lop" end
  local found, n = name .. ".run", 1
  while again and core.system.kind(found) do
    n = n + 1
    found = ("%s-%d.run"):format(name, n)
  end
  return found
end

return folder

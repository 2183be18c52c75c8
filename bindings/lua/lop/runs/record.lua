-- bindings/lua/lop/runs/record.lua - run.json: what went into a run, what was chosen and what came out. Nothing in it
-- differs between two equal runs but times, memory, threads, the machine and where files were.

local core = require "lop.core"
local json = require "lop.json"

local MANY = 64                         -- files of a data set that are listed one by one

local record = {}

-- Values as JSON can hold them: a function stands in the recipe's text.
local function plain(value)
  if type(value) == "function" then return record.A_FUNCTION end
  if type(value) ~= "table" then return value end
  local copy = {}
  for key, v in pairs(value) do copy[key] = plain(v) end
  return copy
end
record.A_FUNCTION = "(a function)"

local function add_file(list, what, path)
  list[#list + 1] = {what = what, path = path, sha256 = core.system.sha256_file(path)}
end

-- The files of a data set; of very many one entry, the SHA-256 of lines as sha256sum prints them.
local function add_set(list, what, set, spec)
  local files = set.files
  if #files <= MANY then
    for _, path in ipairs(files) do add_file(list, what, path) end
    return
  end
  local lines = {}
  for i, path in ipairs(files) do lines[i] = core.system.sha256_file(path) .. "  " .. path:match("[^/]*$") .. "\n" end
  list[#list + 1] = {what = what, path = spec, files = #files, sha256 = core.system.sha256(table.concat(lines))}
end

local function inputs_of(recipe, opened)
  local list = {}
  add_file(list, "model", recipe.model)
  add_set(list, "calibrate", opened.whole, recipe.calibrate.data)
  if opened.test then add_set(list, "evaluate", opened.test, recipe.evaluate.data) end
  return list
end

local function processor()
  local file = io.open("/proc/cpuinfo")
  local text = file and file:read("a") or ""
  if file then file:close() end
  return text:match("model name%s*:%s*([^\n]+)") or "unknown"
end

--- What is known of a run before it begins.
---@param request table       {recipe, text, path, settings, trust}: as read
---@param opened table        from job.open
---@return table
function record.head(request, opened)
  local version, recipe = core.version(), request.recipe
  return {
    version = version.version, commit = version.commit, cpu_path = version.cpu_path, blas = version.blas,
    threads = core.threads(), machine = {cpu = processor(), cores = core.system.cores()},
    where = core.system.real_path ".",
    recipe = {path = request.path, text = request.text, settings = json.array(request.settings),
              trust = request.trust or false, values = plain(recipe)},
    seed = recipe.seed, inputs = inputs_of(recipe, opened),
  }
end

local function without(value, key)
  local copy = {}
  for k, v in pairs(value) do copy[k] = v end
  copy[key] = nil
  return copy
end

--- A recipe's values but for the places of its files.
---@param values table
---@return table
function record.choices(values)
  local rest = without(values, "model")
  for _, key in ipairs {"calibrate", "evaluate"} do
    rest[key] = rest[key] and without(rest[key], "data")
  end
  return rest
end

--- The whole record of a run that has ended.
---@param outputs string[]    names of files in its folder
function record.whole(head, result, folder, outputs)
  local whole = {result = result, outputs = {}}
  for key, value in pairs(head) do whole[key] = value end
  for _, name in ipairs(outputs) do whole.outputs[name] = core.system.sha256_file(folder .. "/" .. name) end
  return whole
end

--- Writes a record, whole or not at all.
function record.write(path, value)
  core.system.write_file(path, json.encode(value, {pretty = true}) .. "\n")
end

local function check(path, value)
  local recipe = type(value) == "table" and value.recipe
  local fits = type(recipe) == "table" and type(recipe.text) == "string" and type(recipe.path) == "string"
    and type(recipe.settings) == "table" and type(recipe.values) == "table" and type(value.inputs) == "table"
    and type(value.where) == "string"
  for _, s in ipairs(fits and recipe.settings or {}) do
    fits = fits and type(s) == "table" and type(s.key) == "string" and type(s.value) == "string"
  end
  for _, i in ipairs(fits and value.inputs or {}) do
    fits = fits and type(i) == "table" and type(i.what) == "string" and type(i.sha256) == "string"
  end
  if not fits then core.fail("format", path .. ": is no record of a run (fields are missing)") end
end

--- What a file of JSON says.
---@param path string
---@return any
function record.decode(path)
  local text = core.system.read_file(path)
  local ok, value, _, message = pcall(require("dkjson").decode, text)
  if not ok or value == nil then
    core.fail("format", ("%s: is no JSON (%s)"):format(path, tostring(ok and message or value)))
  end
  return value
end

--- Reads a record.
---@param path string
---@return table
function record.read(path)
  local value = record.decode(path)
  check(path, value)
  return value
end

--- The record of the run in a folder (or of a run.json), and its folder.
---@param path string
---@return table record
---@return string folder
function record.of(path)
  local kind = core.system.kind(path)
  if kind == nil then core.fail("notfound", path .. ": no such folder") end
  local file = kind == "folder" and path:gsub("/+$", "") .. "/run.json" or path
  local folder = file:match("^(.*)/[^/]*$") or "."
  if kind == "folder" and not core.system.kind(file) then
    local begun = core.system.kind(folder .. "/journal/begin.json")
    core.fail("notfound", ("%s: %s"):format(path, begun and "its run has not ended (lop run " .. path ..
              " --resume goes on)" or "no run.json in it: the folder of a run expected"))
  end
  if kind == "file" and not file:match("%.json$") then
    core.fail("format", path .. ": the folder of a run, or its run.json, expected")
  end
  local value = record.read(file)
  if type(value.result) ~= "table" or type(value.result.layers) ~= "table" or type(value.outputs) ~= "table" then
    core.fail("format", file .. ": is no record of a run that has ended")
  end
  return value, folder
end

return record

-- bindings/lua/lop/verbs/run.lua - lop run: a recipe carried out, its result and record in a folder.

local core = require "lop.core"
local job = require "lop.job"
local json = require "lop.json"
local recipes = require "lop.recipe"

local function hash(path)
  return core.system.sha256_file(path)
end

-- Values as a record can hold them: a function stands in the recipe's text.
local function plain(value)
  if type(value) == "function" then return "(a function)" end
  if type(value) ~= "table" then return value end
  local copy = {}
  for key, v in pairs(value) do copy[key] = plain(v) end
  return copy
end

-- The record: what went in, what was chosen, what came out; nothing that differs between two equal runs but times,
-- machine and memory.
local function record(recipe, text, path, result, folder)
  local version = core.version()
  return {
    version = version.version, cpu_path = version.cpu_path, blas = version.blas, threads = core.threads(),
    recipe = {path = path, text = text, values = plain(recipe)}, seed = recipe.seed,
    inputs = {model = hash(recipe.model)}, outputs = {["model.onnx"] = hash(folder .. "/model.onnx")}, result = result,
  }
end

local function default_folder(path)
  return (path:gsub("/recipe%.lua$", ""):match("([^/]+)$"):gsub("%.lua$", "")) .. ".run"
end

return {
  summary = "carry out a recipe; the result and its record go into a folder",
  usage = "run RECIPE [KEY=VALUE ...] [-o DIR]",
  positional = {"RECIPE"},
  settings = true,
  options = {"output", "trust", "memory"},
  run = function(opts, args, out)
    local recipe, text, path = recipes.load(args[1], args.settings, opts.trust)
    local folder = opts.output or default_folder(path)
    core.system.make_folder(folder)
    out.log = assert(io.open(folder .. "/log.txt", "w"))
    local net, result = job.run(recipe, out, nil, opts.memory)
    result.model = folder .. "/model.onnx"
    net:save(result.model)
    core.system.write_file(folder .. "/recipe.lua", text)
    local written = json.encode(record(recipe, text, path, result, folder), {pretty = true})
    core.system.write_file(folder .. "/run.json", written .. "\n")
    job.show(result, out)
    out:document(result)
    out.log:close()
    out.log = nil
    return 0
  end,
}

-- bindings/lua/lop/recipe.lua - reads a recipe: a Lua file that returns a table, run without I/O and without a way to
-- change what it does not own; KEY=VALUE on the command line goes to lop.arg(KEY), or to the key of that name.

local core = require "lop.core"
local lambda = require "lop.lambda"
local schema = require "lop.schema"

local recipe = {}

local function copy(t)
  local c = {}
  for k, v in pairs(t) do c[k] = v end
  return c
end

-- What stands in place of io and os: any use of it is an error at the recipe's line.
local function forbidden(name)
  return setmetatable({}, {__index = function()
    error(("%s is not open to recipes (--trust allows it)"):format(name), 2)
  end, __metatable = false})
end

-- The environment of a recipe, and the names it has asked lop.arg for.
local function environment(given, trust)
  local asked = {}
  local env = {string = copy(string), table = copy(table), math = copy(math), utf8 = copy(utf8)}
  for _, name in ipairs {"assert", "error", "ipairs", "next", "pairs", "pcall", "select", "tonumber", "tostring",
                         "type"} do
    env[name] = _G[name]
  end
  env.math.random, env.math.randomseed, env.string.dump = nil, nil, nil         -- the same every time
  env.io, env.os = trust and io or forbidden("io"), trust and os or forbidden("os")
  env._G = env
  env.load = function(text, name) return load(text, name, "t", env) end
  env.lop = {lambda = copy(lambda.schedules), arg = function(name, otherwise)
    if type(name) ~= "string" then error("lop.arg: name: string expected, got " .. type(name), 2) end
    asked[name] = true
    local text = given[name]
    if text == nil then return otherwise end
    return type(otherwise) == "number" and tonumber(text) or text
  end}
  return env, asked
end

local function file_of(path)
  local kind = core.system.kind(path)
  if kind == "folder" then return path:gsub("/+$", "") .. "/recipe.lua" end
  if kind then return path end
  local library = package.searchpath("lop", package.path):match("^(.*)/[^/]*$")
  local own = library .. "/recipes/" .. path:gsub("^recipes/", "")
  if core.system.kind(own) == "file" then return own end
  core.fail("notfound", path .. ": no such recipe")
end

local function evaluate(path, text, env)
  if text:find("\0", 1, true) then
    core.fail("usage", path .. ": is no recipe (for a model alone: lop prune, lop inspect --groups)")
  end
  local chunk, message = load(text, "@" .. path, "t", env)
  if not chunk then core.fail("usage", message) end
  local mine = getmetatable("").__index
  getmetatable("").__index = env.string         -- methods of strings are those of the recipe's own copy
  local ok, value = pcall(chunk)
  getmetatable("").__index = mine
  if not ok then core.fail("usage", tostring(value)) end
  if type(value) ~= "table" then core.fail("usage", ("%s: returns %s, a table expected"):format(path, type(value))) end
  return value
end

-- A path that is not there is looked for beside the recipe.
local function beside(folder, path)
  if core.system.kind(path) or path:sub(1, 1) == "/" or not core.system.kind(folder .. path) then return path end
  return folder .. path
end

local function beside_spec(folder, spec)
  local kind, path, rest = spec:match("^(%w+):([^?]*)(.*)$")
  return kind and kind .. ":" .. beside(folder, path) .. rest or spec
end

--- The recipe at a path, checked, with its text and where its files are.
---@param path string         a .lua file, a folder with recipe.lua, or the name of one that comes with lop
---@param settings {key: string, value: string}[]
---@param trust boolean?
---@return table resolved
---@return string text
---@return string path
function recipe.load(path, settings, trust)
  path = file_of(path)
  local text, given = core.system.read_file(path), {}
  for _, s in ipairs(settings) do given[s.key] = s.value end
  local env, asked = environment(given, trust)
  local value = copy(evaluate(path, text, env))
  for name, part in pairs(value) do
    if type(part) == "table" then value[name] = copy(part) end
  end
  local ok, result = pcall(function()
    for _, s in ipairs(settings) do
      if not asked[s.key] then schema.set(value, s.key, s.value) end
    end
    return schema.check(value)
  end)
  if not ok then
    if type(result) == "table" and result.code then core.fail(result.code, path .. ": " .. result.message) end
    error(result, 0)
  end
  local folder = path:match("^(.*/)[^/]*$") or ""
  result.model = beside(folder, result.model)
  for _, key in ipairs {"calibrate", "evaluate"} do
    if result[key] then result[key].data = beside_spec(folder, result[key].data) end
  end
  return result, text, path
end

return recipe

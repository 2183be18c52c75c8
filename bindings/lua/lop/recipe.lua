-- bindings/lua/lop/recipe.lua - reads a recipe: a Lua file that returns a table, run without I/O, without a way to
-- change what it does not own, and within limits; KEY=VALUE on the command line goes to lop.arg(KEY), or to the key of
-- that name.

local core = require "lop.core"
local lambda = require "lop.lambda"
local schema = require "lop.schema"

--- What a recipe may use: while it is read, and in each call of a function that it holds. --trust lifts both.
---@type {read: {steps: integer, bytes: integer}, call: {steps: integer, bytes: integer}}
local recipe = {limits = {read = {steps = 100000000, bytes = 256 << 20}, call = {steps = 2000000000, bytes = 1 << 30}}}

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

-- Errors that end a recipe, whatever it does about errors of its own.
local function is_end(e)
  return e == "not enough memory" or type(e) == "table" and (e.code == "limit" or e.code == "interrupted")
end

local function settle(ok, ...)
  if not ok and is_end((...)) then error((...), 0) end
  return ok, ...
end

-- The environment of a recipe, and the names it has asked lop.arg for.
local function environment(given, trust)
  local asked = {}
  local env = {string = copy(string), table = copy(table), math = copy(math), utf8 = copy(utf8)}
  for _, name in ipairs {"assert", "error", "ipairs", "next", "pairs", "select", "tonumber", "tostring",
                         "type"} do
    env[name] = _G[name]
  end
  env.math.random, env.math.randomseed, env.string.dump = nil, nil, nil         -- the same every time
  env.io, env.os = trust and io or forbidden("io"), trust and os or forbidden("os")
  env.pcall = function(...) return settle(pcall(...)) end
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
  if kind == "folder" then
    local inside = (path:gsub("(.)/+$", "%1")) .. "/recipe.lua"
    if core.system.kind(inside) then return inside end
    core.fail("notfound", path .. ": neither recipe.lua nor run.json in it: name a recipe's file, or a run's folder")
  end
  if kind then return path end
  local library = package.searchpath("lop", package.path):match("^(.*)/[^/]*$") .. "/recipes/"
  local own = library .. path:gsub("^recipes/", "")
  if core.system.kind(own) == "file" then return own end
  local names = {}
  for i, name in ipairs(core.system.kind(library) and core.system.list_folder(library) or {}) do names[i] = name end
  local near = core.nearest((path:gsub("^.*/", ""):gsub("%.lua$", "")) .. ".lua", names)
  core.fail("notfound", ("%s: no such recipe%s"):format(path, near and (" (did you mean recipes/%s?)"):format(near)
            or ""))
end

-- Raises what ended a recipe, as an error of its own where it went beyond a limit.
local function raise_end(e, path, limits)
  local way = "(--trust lifts this limit)"
  if e == "not enough memory" then
    core.fail("usage", ("%s: needs more than %d MB of memory %s"):format(path, limits.bytes >> 20, way))
  elseif e.code == "limit" then
    local place = e.where:sub(1, #path + 1) == path .. ":" and e.where or path .. ": "
    core.fail("usage", ("%sruns beyond %d million instructions: a loop without an end? %s"):format(place,
              limits.steps // 1000000, way))
  end
  error(e, 0)
end

-- The results of a call within limits.
local function results(path, limits, ok, ...)
  if ok then return ... end
  if is_end((...)) then raise_end((...), path, limits) end
  error((...), 0)
end

-- The same value, its functions within limits.
local function confined(value, path, done)
  if type(value) == "function" then
    return function(...) return results(path, recipe.limits.call, core.limited(recipe.limits.call, value, ...)) end
  end
  if type(value) ~= "table" or getmetatable(value) then return value end
  if not done[value] then
    local copied = {}
    done[value] = copied
    for k, v in pairs(value) do copied[k] = confined(v, path, done) end
  end
  return done[value]
end

local function evaluate(path, text, env, trust)
  if text:find("\0", 1, true) then
    core.fail("usage", path .. ": is no recipe (for a model alone: lop prune, lop inspect --groups)")
  end
  local chunk, message = load(text, "@" .. path, "t", env)
  if not chunk then core.fail("usage", message) end
  local limits = recipe.limits.read
  local ok, value
  if trust then ok, value = pcall(chunk) else ok, value = core.limited(limits, chunk) end
  if not ok and is_end(value) then raise_end(value, path, limits) end
  if not ok then core.fail("usage", tostring(value)) end
  if type(value) ~= "table" then core.fail("usage", ("%s: returns %s, a table expected"):format(path, type(value))) end
  return trust and value or confined(value, path, {})
end

-- A path that is not there is looked for beside the recipe; before all, where an earlier run was begun.
local function find(folder, where, path)
  if path:sub(1, 1) == "/" then return path end
  local places = {path, folder .. path}
  if where then table.insert(places, 1, where .. path) end
  if where and folder:sub(1, 1) ~= "/" then places[#places + 1] = where .. folder .. path end
  for _, place in ipairs(places) do
    if core.system.kind(place) then return place end
  end
  return path
end

local function find_spec(folder, where, spec)
  local kind, path, rest = spec:match("^(%w+):([^?]*)(.*)$")
  return kind and kind .. ":" .. find(folder, where, path) .. rest or spec
end

-- Sets a key that the recipe has not asked for by lop.arg. What was meant may be one that it has.
local function set_key(value, setting, asked)
  if setting.key:find(".", 1, true) or schema.keys[setting.key] then
    return schema.set(value, setting.key, setting.value)
  end
  local known = schema.sorted(asked)
  for _, name in ipairs(schema.sorted(schema.keys)) do
    if not asked[name] then known[#known + 1] = name end
  end
  local near = core.nearest(setting.key, known)
  if near and asked[near] then
    core.fail("usage", ("unknown key '%s' (did you mean '%s'?)"):format(setting.key, near))
  end
  local ok, e = pcall(schema.set, value, setting.key, setting.value)
  if ok then return end
  if near or type(e) ~= "table" or e.code ~= "usage" then error(e, 0) end
  local own = schema.sorted(asked)
  core.fail("usage", ("%s (%slop help recipe lists the keys)"):format(e.message, #own > 0 and "the recipe's own: "
            .. table.concat(own, ", ") .. "; " or ""))
end

--- The recipe that a text is, checked, with where its files are.
---@param text string
---@param path string         of the recipe: its files may stand beside it
---@param settings {key: string, value: string}[]
---@param trust boolean?
---@param where string?       the folder in which an earlier run was begun
---@return table resolved
---@return table<string, boolean> asked      the names that it gave to lop.arg
function recipe.read(text, path, settings, trust, where)
  local given = {}
  for _, s in ipairs(settings) do given[s.key] = s.value end
  local env, asked = environment(given, trust)
  local value = copy(evaluate(path, text, env, trust))
  for name, part in pairs(value) do
    if type(part) == "table" then value[name] = copy(part) end
  end
  local ok, result = pcall(function()
    for _, s in ipairs(settings) do
      if not asked[s.key] then set_key(value, s, asked) end
    end
    return schema.check(value)
  end)
  if not ok then
    if type(result) == "table" and result.code then core.fail(result.code, path .. ": " .. result.message) end
    error(result, 0)
  end
  local folder = path:match("^(.*/)[^/]*$") or ""
  where = where and where:gsub("/+$", "") .. "/"
  result.model = find(folder, where, result.model)
  for _, key in ipairs {"calibrate", "evaluate"} do
    if result[key] then result[key].data = find_spec(folder, where, result[key].data) end
  end
  return result, asked
end

-- The name of lop.arg, or else the key, that says where something is.
local function key_for(asked, ...)
  for _, name in ipairs {...} do
    if asked[name] then return name end
  end
  return (select(-1, ...))
end

--- Refuses a recipe whose model or data is not there, and says how others are named.
---@param resolved table
---@param asked table         as from recipe.load
function recipe.check_files(resolved, asked)
  local function check(path, what, key, more)
    if path and not core.system.kind(path) then
      core.fail("notfound", ("%s: no such %s: %s=... says where it is%s"):format(path, what, key, more or ""))
    end
  end
  local name, nets = resolved.model:match "([^/]*)%.onnx$", {}
  for _, net in ipairs(require("lop.zoo").list()) do nets[net.name] = net.name end
  check(resolved.model, "file", "model", nets[name]
        and ("; lop zoo %s -o %s makes one with random weights"):format(name, resolved.model))
  local function path_of(part) return part and part.data:match "^%w+:([^?]+)" end
  check(path_of(resolved.calibrate), "data", key_for(asked, "data", "calibrate.data"))
  check(path_of(resolved.evaluate), "data", key_for(asked, "test", "data", "evaluate.data"))
end

-- Options of the command line that are keys of a recipe.
local shared = {{"seed", "seed"}, {"images", "calibrate.images"}, {"positions", "calibrate.positions"},
                {"preprocess", "preprocess"}}
recipe.options = {}
for i, pair in ipairs(shared) do recipe.options[i] = pair[1] end

--- The settings of a command line: those given as KEY=VALUE, and those options that are a key by another name.
---@param verb string
---@param opts table          as read by lop.program.args
---@param given {key: string, value: string}[]
---@return {key: string, value: string}[]
function recipe.settings(verb, opts, given)
  local all = table.move(given, 1, #given, 1, {})
  for _, pair in ipairs(shared) do
    local option, key = pair[1], pair[2]
    for _, s in ipairs(opts[option] and given or {}) do
      if s.key == key then
        core.fail("usage", ("%s: --%s and %s=%s: one of them expected"):format(verb, option, key, s.value))
      end
    end
    if opts[option] then all[#all + 1] = {key = key, value = tostring(opts[option])} end
  end
  return all
end

--- The recipe at a path.
---@param path string         a .lua file, a folder with recipe.lua, or the name of one that comes with lop
---@param settings {key: string, value: string}[]
---@param trust boolean?
---@return table resolved
---@return string text
---@return string path
---@return table<string, boolean> asked      the names that it gave to lop.arg
function recipe.load(path, settings, trust)
  path = file_of(path)
  local text = core.system.read_file(path)
  local resolved, asked = recipe.read(text, path, settings, trust)
  return resolved, text, path, asked
end

return recipe

-- bindings/lua/lop/schema.lua - every key of a recipe: type, default, meaning. The checks are made from this table.

local choose = require "lop.choose"
local core = require "lop.core"
local lambda = require "lop.lambda"

local schema = {}

local function is_choice(value) return type(value) == "function" or type(value) == "table" end

local rule = {type = "table", keys = {
  skip = {type = "boolean", help = "leave the group whole"},
  keep = {type = "number", above = 0, to = 1, help = "share of the group's channels, whatever the budget"},
}}

-- type: string, number, integer, boolean, table (with keys), map (names to tables with keys). choices: of a string.
-- also(value): is it another value that is taken as it is?
schema.keys = {
  model = {type = "string", needed = true, help = "the ONNX file to prune"},
  preprocess = {type = "string", help = "preset or mean=..&std=..; the model's own where it has one"},
  calibrate = {type = "table", needed = true, help = "unlabelled pictures to sample", keys = {
    data = {type = "string", needed = true, help = "data set, KIND:PATH[?key=value&...]"},
    split = {type = "string", choices = {"train", "test"}, default = "train", help = "which part of it"},
    images = {type = "integer", least = 2, default = 1000, help = "how many, drawn by the seed"},
    positions = {type = "integer", least = 1, word = "auto", default = "auto", help = "sampled positions per image"},
  }},
  evaluate = {type = "table", help = "labelled pictures to evaluate on, before and after", keys = {
    data = {type = "string", needed = true, help = "data set, KIND:PATH[?key=value&...]"},
    split = {type = "string", choices = {"train", "test"}, default = "test", help = "which part of it"},
    images = {type = "integer", least = 1, help = "how many, drawn by the seed; all where absent"},
  }},
  budget = {type = "table", needed = true, help = "how much is to be left: one of these", one = true, keys = {
    speedup = {type = "number", from = 1, help = "MACs before over MACs after"},
    macs = {type = "number", above = 0, to = 1, help = "share of the MACs"},
    keep = {type = "number", above = 0, to = 1, help = "share of each group's channels"},
    widths = {type = "map", help = "group name to width", keys = {type = "integer", least = 1}},
  }},
  allocate = {type = "string", choices = {"sensitivity", "uniform"}, default = "sensitivity",
              help = "widths by measured losses, or one keep ratio"},
  select = {type = "table", word = "method", help = "how channels are chosen", keys = {
    method = {type = "string", choices = choose.methods, default = "elimination", also = is_choice,
              help = "the criterion; or a list of channels, or function(stats, width) -> list"},
    lambda = {type = "number", from = 0, also = lambda.is,
              help = "of lasso and lasso-alternating: lop.lambda.path() and its like, function(step, state)"},
    refine = {type = "string", choices = {"swap"}, help = "swap channels while that lowers the error"},
  }},
  reconstruct = {type = "table", word = "method", help = "how weights are rebuilt", keys = {
    method = {type = "string", choices = {"least-squares", "scale", "none"}, default = "least-squares",
              help = "the solver"},
    intercept = {type = "boolean", default = true, help = "a free intercept"},
    ridge = {type = "number", word = "auto", from = 0, default = "auto",
             help = "toward the original; auto: by held-out images"},
    producer = {type = "integer", from = 0, default = 4,
                help = "rounds at most of refitting the filters that make the kept channels"},
  }},
  residual = {type = "table", help = "residual blocks", keys = {
    target = {type = "string", choices = {"compensate", "none"}, default = "compensate",
              help = "whether a branch repairs the stream it is added to"},
  }},
  layers = {type = "map", help = "by name or glob, the last in alphabetical order wins", keys = rule},
  allow_overlap = {type = "boolean", default = false, help = "keep calibration pictures that are evaluated on"},
  seed = {type = "integer", least = 0, default = 0, help = "of all random choices"},
}

-- In the contract, and not here yet: refused by name rather than as unknown.
schema.later = {"finetune", "decompose", "order", "cuts"}

function schema.sorted(t)
  local names = {}
  for name in pairs(t) do names[#names + 1] = name end
  table.sort(names, function(a, b) return tostring(a) < tostring(b) end)
  return names
end

local function refuse(text, ...)
  core.fail("usage", text:format(...))
end

local check

local function check_string(spec, value, path)
  if type(value) ~= "string" then refuse("%s: string expected, got %s", path, type(value)) end
  for _, word in ipairs(spec.choices or {}) do
    if word == value then return value end
  end
  if spec.choices then
    local near = core.nearest(value, spec.choices)
    refuse("%s: unknown %s (%s)", path, value, near and ("did you mean '%s'?"):format(near)
           or "known: " .. table.concat(spec.choices, ", "))
  end
  return value
end

local function check_number(spec, value, path)
  if type(value) ~= "number" then refuse("%s: %s expected, got %s", path, spec.type, type(value)) end
  if spec.type == "integer" then
    value = math.tointeger(value)
    if not value then refuse("%s: a whole number expected", path) end
  end
  local low = spec.least or spec.from
  local fits = value == value and value >= (low or value) and value <= (spec.to or value)
  if not fits or (spec.above and value <= spec.above) then
    local bounds = spec.above and ("above %g"):format(spec.above) or ("%g or more"):format(low or -math.huge)
    if spec.to then bounds = bounds .. (" and at most %g"):format(spec.to) end
    refuse("%s: %s is out of range: %s expected", path, value, bounds)
  end
  return value
end

local function check_keys(keys, value, path)
  for _, name in ipairs(schema.sorted(value)) do
    if not keys[name] then
      local full = path == "" and tostring(name) or path .. "." .. tostring(name)
      for _, later in ipairs(schema.later) do
        if path == "" and later == name then core.fail("unsupported", full .. ": not in this version") end
      end
      local near = core.nearest(tostring(name), schema.sorted(keys))
      refuse("unknown key '%s' (%s)", full, near and ("did you mean '%s'?"):format(near)
             or "known: " .. table.concat(schema.sorted(keys), ", "))
    end
  end
end

local function check_table(spec, value, path)
  if type(value) == "string" and spec.word then value = {[spec.word] = value} end
  if type(value) ~= "table" then refuse("%s: table expected, got %s", path, type(value)) end
  check_keys(spec.keys, value, path)
  local result, count = {}, 0
  for _, name in ipairs(schema.sorted(spec.keys)) do
    local full = path == "" and name or path .. "." .. name
    result[name] = check(spec.keys[name], value[name], full)
    if value[name] ~= nil then count = count + 1 end
  end
  if spec.one and count ~= 1 then
    refuse("%s: one of %s expected, got %d", path, table.concat(schema.sorted(spec.keys), ", "), count)
  end
  return result
end

local function check_map(spec, value, path)
  if type(value) ~= "table" then refuse("%s: table expected, got %s", path, type(value)) end
  local result = {}
  for _, name in ipairs(schema.sorted(value)) do
    if type(name) ~= "string" then refuse("%s: names of layers expected, got %s", path, tostring(name)) end
    result[name] = check(spec.keys, value[name], path .. "." .. name)
  end
  return result
end

function check(spec, value, path)
  if value == nil then
    if spec.needed then refuse("%s is missing: %s", path, spec.help) end
    if spec.default ~= nil then return spec.default end
    return spec.word and spec.keys and check_table(spec, {}, path) or nil
  end
  if spec.word and not spec.keys and value == spec.word then return value end
  if spec.also and spec.also(value) then return value end
  if spec.type == "table" then return check_table(spec, value, path) end
  if spec.type == "map" then return check_map(spec, value, path) end
  if spec.type == "string" then return check_string(spec, value, path) end
  if spec.type == "boolean" then
    if type(value) ~= "boolean" then refuse("%s: true or false expected, got %s", path, type(value)) end
    return value
  end
  return check_number(spec, value, path)
end

--- A recipe's table, checked and with defaults. Errors of code "usage" name the key and the nearest known one.
---@param value table
---@return table
function schema.check(value)
  local r = check_table({keys = schema.keys}, value, "")
  r.residual = r.residual or check_table(schema.keys.residual, {}, "residual")
  r.layers = r.layers or {}
  if r.select.lambda ~= nil and r.select.method ~= "lasso" and r.select.method ~= "lasso-alternating" then
    refuse("select.lambda: select.method is %s, lasso or lasso-alternating expected", tostring(r.select.method))
  end
  if not r.reconstruct.intercept then core.fail("unsupported", "reconstruct.intercept = false: not in this version") end
  return r
end

-- The text of KEY=VALUE as the key's type wants it.
local function read_text(spec, text)
  if spec.word and text == spec.word then return text end
  if spec.type == "number" or spec.type == "integer" then return tonumber(text) or text end
  if spec.type == "boolean" then
    if text == "true" or text == "false" then return text == "true" end
  end
  return text
end

--- Sets the dotted key in a recipe's table from text.
function schema.set(recipe, key, text)
  local spec, at, names = {keys = schema.keys, type = "table"}, recipe, {}
  for name in key:gmatch("[^.]+") do names[#names + 1] = name end
  for i, name in ipairs(names) do
    local known = type(spec.keys) == "table" and (spec.type == "map" and spec.keys or spec.keys[name])
    if not known then
      local near = spec.keys and core.nearest(name, schema.sorted(spec.keys))
      refuse("unknown key '%s'%s", key, near and (" (did you mean '%s'?)"):format(near) or "")
    end
    spec = known
    if i == #names then
      if spec.one then refuse("%s: %s.KEY=VALUE expected", key, key) end
      at[name] = read_text(spec, text)
    else
      if type(at[name]) == "string" then at[name] = {[spec.word] = at[name]} end
      if at[name] == nil or spec.one then at[name] = {} end
      at = at[name]
    end
  end
end

return schema

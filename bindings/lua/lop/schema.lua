-- bindings/lua/lop/schema.lua - every key of a recipe: type, default, meaning. The checks, the flags of lop prune and
-- lop plan, and lop help recipe are made from this table.

local choose = require "lop.engine.choose"
local core = require "lop.core"
local lambda = require "lop.lambda"

local schema = {}

local function is_choice(value) return type(value) == "function" or type(value) == "table" end
local function is_function(value) return type(value) == "function" end

-- type: string, number, integer, boolean, list (of words), table (with keys), map (names to one kind of value), rules
-- (names or globs to tables with keys, see schema.rules). choices: of a string or list; later: more of them, known and
-- not in this version; word: the one word that a number may be, or the key that a lone word in a table's place sets.
-- also(value): is it another value, taken as it is? takes: what that is, in words. one: of these keys, one is given,
-- but those marked beside, which go with each.
local select = {type = "table", word = "method", help = "how channels are chosen", keys = {
  method = {type = "string", choices = choose.methods, default = "elimination", also = is_choice,
            takes = "list of channels, function(stats, width) -> list", help = "the criterion"},
  lambda = {type = "number", from = 0, also = lambda.is, takes = "lop.lambda..., function(step, state)",
            help = "of lasso and lasso-alternating"},
  refine = {type = "string", choices = {"swap"}, help = "swap channels while that lowers the error"},
}}

local reconstruct = {type = "table", word = "method", help = "how weights are rebuilt", keys = {
  method = {type = "string", choices = {"least-squares", "relu", "scale", "moments", "none"}, default = "least-squares",
            help = "all weights, all as a ReLU behind lets them through, a factor for each channel, for each filter "
              .. "(as batch statistics estimated again), the bias alone"},
  intercept = {type = "boolean", default = true, help = "false: biases stay as they are"},
  ridge = {type = "number", word = "auto", from = 0, default = "auto",
           help = "toward the original weights; auto: by held-out images"},
  producer = {type = "integer", from = 0, default = 4,
              help = "rounds at most of refitting the filters that make the kept channels"},
  passes = {type = "integer", from = 0, default = 0,
            help = "over all layers, in order, once all is cut: each rebuilt with the channels it has"},
}}

-- Of one layer: passes are over all of them.
local own_reconstruct = {type = "table", word = "method", help = reconstruct.help, keys = {}}
for key, spec in pairs(reconstruct.keys) do own_reconstruct.keys[key] = key ~= "passes" and spec or nil end

local residual = {type = "table", help = "residual blocks", keys = {
  target = {type = "string", choices = {"compensate", "none"}, default = "compensate",
            help = "whether a branch repairs the stream it is added to"},
  input = {type = "string", choices = {"whole", "sampler", "filter-wise"}, default = "whole",
           help = "what of the stream a branch reads: all, the channels that a budget leaves to it, or each filter " ..
                  "its own: a mask, reported and counted nowhere"},
  keep = {type = "number", above = 0, to = 1,
          help = "share of its inputs that each filter keeps, of filter-wise; budget.keep where absent"},
  output = {type = "string", choices = {"whole", "sampler"}, default = "whole",
            help = "what of the stream a branch writes"},
  stream = {type = "string", choices = {"keep", "coupled"}, default = "keep",
            help = "streams stay whole, or lose the same channels in all layers that make or read them"},
}}

local round_to = {type = "integer", least = 1, help = "widths are multiples of it, or whole"}

local rule = {type = "table", keys = {
  skip = {type = "boolean", help = "leave the group whole"},
  keep = {type = "number", above = 0, to = 1, help = "share of its filters, whatever the budget"},
  round_to = round_to,
  min = {type = "integer", least = 1, help = "least width, whatever budget.min_width"},
  select = select, reconstruct = own_reconstruct,
  residual = {type = "table", help = "as residual: keep, target, stream",
              keys = {keep = residual.keys.keep, target = residual.keys.target, stream = residual.keys.stream}},
}}

local data_help = "data set, KIND:PATH[?key=value&...]"

schema.keys = {
  model = {type = "string", needed = true, help = "the ONNX file to prune"},
  preprocess = {type = "string", help = "preset or mean=..&std=..; the model's own where it has one"},
  calibrate = {type = "table", needed = true, help = "unlabelled pictures to sample", keys = {
    data = {type = "string", needed = true, help = data_help},
    split = {type = "string", choices = {"train", "test"}, default = "train", help = "which part of it"},
    images = {type = "integer", least = 2, default = 1000, help = "how many, drawn by the seed"},
    positions = {type = "integer", least = 1, word = "auto", default = "auto", help = "sampled positions per image"},
  }},
  evaluate = {type = "table", help = "labelled pictures to evaluate on, before and after", keys = {
    data = {type = "string", needed = true, help = data_help},
    split = {type = "string", choices = {"train", "test"}, default = "test", help = "which part of it"},
    images = {type = "integer", least = 1, help = "how many, drawn by the seed; all where absent"},
  }},
  budget = {type = "table", optional = true, one = true,
            help = "how much is to be left: one of these; only lasso at a fixed lambda finds widths without", keys = {
    speedup = {type = "number", from = 1, help = "MACs before over MACs after"},
    macs = {type = "number", above = 0, to = 1, help = "share of the MACs"},
    params = {type = "number", above = 0, to = 1, help = "share of the parameters"},
    bytes = {type = "number", above = 0, to = 1, help = "share of the bytes of the parameters"},
    activations = {type = "number", above = 0, to = 1, help = "share of the bytes of all layers' outputs"},
    ms = {type = "number", above = 0, help = "milliseconds an image, as timed here by lop bench"},
    keep = {type = "number", above = 0, to = 1, help = "share of each group's channels"},
    widths = {type = "map", help = "by name, the others stay whole; 0: its residual branch vanishes",
              keys = {type = "integer", least = 0}},
    min_width = {type = "integer", least = 1, beside = true,
                 help = "beside one of these: least width of every group; a narrower group stays whole"},
    scope = {type = "string", choices = {"global", "stage"}, default = "global", beside = true,
             help = "beside one of these: who meets it: the net, or each stage by itself, which is what lies between "
             .. "two changes of height and width, or adds to one residual stream"},
  }},
  allocate = {type = "string", choices = {"sensitivity", "error", "uniform", "paper"}, default = "sensitivity",
              also = is_function, takes = "function(groups, budget) -> widths",
              help = "losses at the outputs, local errors, one keep ratio, the ratios of He et al. 2017"},
  order = {type = "list", words = {"forward", "backward"}, default = "forward", also = is_function,
           takes = "function(groups) -> list", help = "which group is cut when; those not listed come last"},
  cuts = {type = "list", choices = {"width", "rank", "sampler", "block"}, default = {"width"},
          help = "what the allocation may use; block: a residual branch may vanish, its mean in its place"},
  decompose = {type = "list", choices = {"spatial", "channel"}, default = {"spatial", "channel"},
               help = "the ranks that cuts may use: kh x 1 and 1 x kw, or the window and 1 x 1"},
  round_to = {type = "integer", least = 1, default = 1, help = round_to.help},
  select = select, reconstruct = reconstruct, residual = residual,
  layers = {type = "rules", keys = rule,
            help = "by name or glob; the last match wins: of a list in its order, else the more special"},
  allow_overlap = {type = "boolean", default = false, help = "keep calibration pictures that are evaluated on"},
  seed = {type = "integer", least = 0, default = 0, help = "of all random choices"},
}

-- In the contract, and not here yet: refused by name rather than as unknown.
local later_keys = {"finetune"}

function schema.sorted(t)
  local names = {}
  for name in pairs(t) do names[#names + 1] = name end
  table.sort(names, function(a, b) return tostring(a) < tostring(b) end)
  return names
end

local function refuse(text, ...)
  core.fail("usage", text:format(...))
end

local function is_one_of(list, value)
  for _, word in ipairs(list or {}) do
    if word == value then return true end
  end
  return false
end

local function refuse_later(list, name, path)
  if is_one_of(list, name) then core.fail("unsupported", ("%s: not in this version"):format(path)) end
end

-- ---- checks: each takes a value for what the recipe holds and returns it with defaults. bare: without defaults ----

local check

local function check_word(spec, value, path)
  local known = spec.choices or spec.words
  if type(value) ~= "string" then refuse("%s: string expected, got %s", path, type(value)) end
  if not known or is_one_of(known, value) then return value end
  refuse_later(spec.later, value, ("%s = \"%s\""):format(path, value))
  local near = core.nearest(value, known)
  refuse("%s: unknown %s (%s)", path, value, near and ("did you mean '%s'?"):format(near)
         or "known: " .. table.concat(known, ", "))
end

local function check_number(spec, value, path)
  if type(value) ~= "number" then refuse("%s: %s expected, got %s", path, spec.type, type(value)) end
  if spec.type == "integer" then
    value = math.tointeger(value)
    if not value then refuse("%s: a whole number expected", path) end
  end
  local low = spec.least or spec.from
  local fits = value == value and value >= (low or value) and value <= (spec.to or value)
  if not fits or math.abs(value) == math.huge or (spec.above and value <= spec.above) then
    refuse("%s: %s is out of range: %s expected", path, value, schema.bounds(spec))
  end
  return value
end

--- The range of a number in words.
function schema.bounds(spec)
  local low = spec.least or spec.from
  local text = spec.above and ("above %g"):format(spec.above) or low and ("%g or more"):format(low) or "any"
  return spec.to and text .. (" and at most %g"):format(spec.to) or text
end

local function check_boolean(_, value, path)
  if type(value) ~= "boolean" then refuse("%s: true or false expected, got %s", path, type(value)) end
  return value
end

local function full_name(path, name)
  return path == "" and tostring(name) or path .. "." .. tostring(name)
end

local function check_names(spec, value, path)
  for _, name in ipairs(schema.sorted(value)) do
    if not spec.keys[name] then
      local full, known = full_name(path, name), schema.sorted(spec.keys)
      refuse_later(spec.later, name, full)
      local near = core.nearest(tostring(name), known)
      refuse("unknown key '%s' (%s)", full, near and ("did you mean '%s'?"):format(near)
             or "known: " .. table.concat(known, ", "))
    end
  end
end

local function check_table(spec, value, path, bare)
  if spec.word and (type(value) == "string" or type(value) == "function") then value = {[spec.word] = value} end
  if type(value) ~= "table" then refuse("%s: table expected, got %s", path, type(value)) end
  check_names(spec, value, path)
  local result, known, count = {}, {}, 0
  for _, name in ipairs(schema.sorted(spec.keys)) do
    result[name] = check(spec.keys[name], value[name], full_name(path, name), bare)
    if not spec.keys[name].beside then
      known[#known + 1], count = name, count + (value[name] ~= nil and 1 or 0)
    end
  end
  if spec.one and count ~= 1 then refuse("%s: one of %s expected, got %d", path, table.concat(known, ", "), count) end
  return result
end

local function check_list(spec, value, path)
  if type(value) == "string" then
    if is_one_of(spec.words, value) then return value end
    if spec.words then check_word(spec, value, path) end
    value = {value}
  end
  if type(value) ~= "table" then refuse("%s: list expected, got %s", path, type(value)) end
  local result = {}
  for i, word in ipairs(value) do result[i] = check_word({choices = spec.choices, later = spec.later}, word, path) end
  if #result == 0 or next(value, #result) ~= nil then refuse("%s: a list of names expected", path) end
  return result
end

local function check_map(spec, value, path)
  if type(value) ~= "table" then refuse("%s: table expected, got %s", path, type(value)) end
  local result = {}
  for _, name in ipairs(schema.sorted(value)) do
    if type(name) ~= "string" then refuse("%s: names of layers expected, got %s", path, tostring(name)) end
    result[name] = check(spec.keys, value[name], full_name(path, name))
  end
  return result
end

-- Wildcards and literal characters of a glob: fewer of the first, then more of the second, is the more special one.
local function more_special(a, b)
  local _, wild_a = a:gsub("[*?]", "")
  local _, wild_b = b:gsub("[*?]", "")
  if (wild_a == 0) ~= (wild_b == 0) then return wild_b == 0 end
  local plain_a, plain_b = #a - wild_a, #b - wild_b
  if plain_a ~= plain_b then return plain_a < plain_b end
  return a < b
end

--- A recipe's `layers` as a list of {name = glob, rule = table}, the later ones to win. A list {{glob, skip = true},
--- ...} keeps its order. A Lua table with names has none: there the more special one wins, a name over a glob, of two
--- globs that with more characters that are no wildcards, of equals the later in alphabetical order.
function schema.rules(spec, value, path)
  if type(value) ~= "table" then refuse("%s: table expected, got %s", path, type(value)) end
  local names, result = {}, {}
  for name in pairs(value) do
    if type(name) == "string" then names[#names + 1] = name end
  end
  if #value > 0 and #names > 0 then refuse("%s: either a list or names expected, both are given", path) end
  table.sort(names, more_special)
  for i, name in ipairs(names) do
    result[i] = {name = name, rule = check(spec.keys, value[name], path .. "." .. name, true)}
  end
  for i, entry in ipairs(value) do
    local copy, at = {}, ("%s[%d]"):format(path, i)
    if type(entry) ~= "table" or type(entry[1]) ~= "string" then refuse("%s: {name, key = value} expected", at) end
    for key, v in pairs(entry) do
      if key ~= 1 then copy[key] = v end
    end
    result[i] = {name = entry[1], rule = check(spec.keys, copy, path .. "." .. entry[1], true)}
  end
  return result
end

local checks = {string = check_word, number = check_number, integer = check_number, boolean = check_boolean,
                list = check_list, table = check_table, map = check_map, rules = schema.rules}

function check(spec, value, path, bare)
  if value == nil then
    if bare then return nil end
    if spec.needed then refuse("%s is missing: %s", path, spec.help) end
    if spec.default ~= nil then return spec.default end
    return spec.type == "table" and not schema.optional(spec) and check_table(spec, {}, path) or nil
  end
  if spec.word and not spec.keys and value == spec.word then return value end
  if spec.also and not is_one_of(spec.choices, value) and spec.also(value) then return value end
  return checks[spec.type](spec, value, path, bare)
end

--- A table that stays out where it is not given: one that says so, or has needed keys.
function schema.optional(spec)
  if spec.optional then return true end
  for _, inner in pairs(spec.keys) do
    if inner.needed then return true end
  end
  return false
end

local function check_lambda(select_of, path)
  local method = select_of.method
  if select_of.lambda ~= nil and method and method ~= "lasso" and method ~= "lasso-alternating" then
    refuse("%s.lambda: %s.method is %s, lasso or lasso-alternating expected", path, path, tostring(method))
  end
end

-- Masks take the streams whole and the layers as they are; no budget says how much they keep.
local function check_masks(r)
  local masked = r.residual.input == "filter-wise"
  local function check_residual(own, path)
    if own.keep and not masked then
      refuse("%s.keep: is of residual.input = \"filter-wise\", which is %s", path, r.residual.input)
    end
    if masked and own.stream == "coupled" then
      refuse("%s.stream = \"coupled\" cuts streams, residual.input = \"filter-wise\" needs them whole: one of both",
             path)
    end
  end
  check_residual(r.residual, "residual")
  for _, entry in ipairs(r.layers) do
    check_residual(entry.rule.residual or {}, ("layers.%s.residual"):format(entry.name))
  end
  if not masked then return end
  if is_one_of(r.cuts, "sampler") then
    refuse "cuts: \"sampler\" and residual.input = \"filter-wise\" both say what a branch reads: one of both"
  end
  if is_one_of(r.cuts, "rank") then
    refuse "cuts: what is factored has no filters to mask: leave out \"rank\", or take residual.input = \"sampler\""
  end
  if not r.residual.keep and not (r.budget and r.budget.keep) then
    refuse("residual.keep is missing: %s", "no budget but budget.keep says how much residual.input = " ..
           "\"filter-wise\" keeps, as zeros save nothing of what is counted")
  end
end

-- What each stage can meet by itself is a share of what is counted by layer.
local function check_scope(r)
  if not r.budget or r.budget.scope ~= "stage" then return end
  for _, key in ipairs {"ms", "keep", "widths"} do
    if r.budget[key] then
      refuse("budget.scope = \"stage\" does not go with budget.%s: speedup, macs, params, bytes or activations", key)
    end
  end
  if r.allocate == "paper" or is_function(r.allocate) then
    refuse("budget.scope = \"stage\" does not go with allocate = %s: sensitivity, error or uniform",
           r.allocate == "paper" and "\"paper\"" or "a function")
  end
end

-- What shares nothing out: widths that the budget says, or that are not cut. (What differs from the default was asked
-- for: a recipe that was checked already has all of them.)
local function check_allocate(r)
  local how = is_function(r.allocate) and "a function" or ("\"%s\""):format(r.allocate)
  local asked = r.allocate ~= schema.keys.allocate.default
  if r.budget == nil then
    if asked then
      refuse "allocate: there is no budget to share, as select.lambda finds the widths: leave one of both out"
    end
    return
  end
  local own = r.budget.keep and "keep" or r.budget.widths and "widths"
  if own and asked and not (own == "keep" and r.allocate == "uniform") then
    refuse("allocate = %s: budget.%s says each group's width already: leave one of both out", how, own)
  end
  local other
  for _, word in ipairs(r.cuts) do other = other or word ~= "width" and word end
  if not other then return end
  if own == "keep" then
    refuse("budget.keep is a share of each group's channels, and cuts has \"%s\": another budget, or widths alone",
           other)
  end
  if r.allocate == "uniform" or r.allocate == "paper" then
    refuse("allocate = %s shares out widths alone, and cuts has \"%s\": sensitivity or error", how, other)
  end
end

--- A recipe's table, checked and with defaults. Errors of code "usage" name the key and the nearest known one.
---@param value table
---@return table
function schema.check(value)
  local r = check_table({keys = schema.keys, later = later_keys}, value, "")
  r.layers = r.layers or {}
  check_lambda(r.select, "select")
  check_scope(r)
  if r.budget == nil and not lambda.finds_width(r.select) then
    refuse("budget is missing: %s", schema.keys.budget.help)
  end
  if #r.decompose < #schema.keys.decompose.default and not is_one_of(r.cuts, "rank") then
    refuse "decompose: no rank may be cut: cuts = {\"width\", \"rank\"}, or leave it out"
  end
  for _, entry in ipairs(r.layers) do check_lambda(entry.rule.select or {}, ("layers.%s.select"):format(entry.name)) end
  check_masks(r)
  check_allocate(r)
  return r
end

-- ---- keys from text ----

--- The text of KEY=VALUE, or of a flag, as the key's type wants it.
function schema.read(spec, text)
  if spec.word and text == spec.word then return text end
  if spec.type == "number" or spec.type == "integer" then return tonumber(text) or text end
  if spec.type == "boolean" and (text == "true" or text == "false") then return text == "true" end
  if spec.type == "list" and not is_one_of(spec.words, text) then
    local list = {}
    for word in text:gmatch("[^,]+") do list[#list + 1] = word end
    return list
  end
  return text
end

local function refuse_key(key, name, spec)
  local near = type(spec.keys) == "table" and spec.type == "table" and core.nearest(name, schema.sorted(spec.keys))
  refuse("unknown key '%s'%s", key, near and (" (did you mean '%s'?)"):format(near) or "")
end

local function split(key)
  local names = {}
  for name in key:gmatch("[^.]+") do names[#names + 1] = name end
  return names
end

-- What of a table stays when one of its keys is set: of keys of which one is given, the new one and those beside it.
local function room_for(spec, value, name)
  if type(value) ~= "table" then return {} end
  if not spec.one or not spec.keys[name] or spec.keys[name].beside then return value end
  local rest = {}
  for key, v in pairs(value) do
    local stays = key == name and type(v) == "table"        -- a map gets one name more
    if stays or spec.keys[key] and spec.keys[key].beside then rest[key] = v end
  end
  return rest
end

-- Sets names[first ..] in `at`, a table of these keys.
local function set_in(spec, at, names, first, key, text)
  local last = #names
  for i = first, #names do
    local name = names[i]
    if spec.type == "map" then name, last = table.concat(names, ".", i), i end      -- a name may hold dots
    local known = spec.type == "map" and spec.keys or spec.type == "table" and spec.keys[name]
    if not known then
      refuse_later(spec.later, name, key)
      refuse_key(key, name, spec)
    end
    spec = known
    if i == last then
      if spec.one then refuse("%s: %s.KEY=VALUE expected", key, key) end
      at[name] = schema.read(spec, text)
      return
    else
      if type(at[name]) == "string" then at[name] = {[spec.word or 1] = at[name]} end
      if at[name] == nil or spec.one then at[name] = room_for(spec, at[name], names[i + 1]) end
      at = at[name]
    end
  end
end

-- layers.NAME.KEY: the name may hold dots, so the key is looked for from the end. layers.NAME.residual.keep is no keep
-- of a layer NAME.residual.
local function set_rule(recipe, names, key, text)
  local inner = rule.keys[names[#names - 1]]
  local nested = inner and inner.keys and inner.keys[names[#names]] and #names > 3
  for last = nested and #names - 2 or #names - 1, 2, -1 do
    if rule.keys[names[last + 1]] and (last == #names - 1 or rule.keys[names[last + 1]].keys) then
      local name, layers = table.concat(names, ".", 2, last), recipe.layers or {}
      local at = #layers > 0 and {name} or type(layers[name]) == "table" and layers[name] or {}
      set_in(rule, at, names, last + 1, key, text)
      if #layers > 0 then layers[#layers + 1] = at else layers[name] = at end
      recipe.layers = layers
      return
    end
  end
  local known = schema.sorted(rule.keys)
  local near = #names > 2 and core.nearest(names[#names], known)
  refuse("unknown key '%s': layers.NAME.KEY expected, %s", key, near and ("did you mean '%s'?"):format(near)
         or "KEY one of " .. table.concat(known, ", "))
end

--- Sets the dotted key in a recipe's table from text.
function schema.set(recipe, key, text)
  local names = split(key)
  if names[1] == "layers" then return set_rule(recipe, names, key, text) end
  set_in({keys = schema.keys, type = "table", later = later_keys}, recipe, names, 1, key, text)
end

-- ---- keys as text ----

--- What a key takes, in words; plain: on a command line.
function schema.takes(spec, plain)
  local parts = {}
  if spec.word and spec.type ~= "table" then parts[1] = spec.word end
  for _, word in ipairs(spec.choices or spec.words or {}) do parts[#parts + 1] = word end
  if spec.type == "boolean" then parts = {"true", "false"}
  elseif spec.type == "number" then parts[#parts + 1] = "number, " .. schema.bounds(spec)
  elseif spec.type == "integer" then parts[#parts + 1] = "whole number, " .. schema.bounds(spec)
  elseif spec.type == "list" then parts[#parts + 1] = spec.words and "list of names" or nil
  elseif spec.type == "map" then parts[#parts + 1] = "table, name to " .. schema.takes(spec.keys)
  elseif spec.type == "string" and #parts == 0 then parts[1] = "string" end
  if not plain then parts[#parts + 1] = spec.takes end
  return table.concat(parts, " | ")
end

--- The default of a key, in words.
function schema.default(spec)
  if spec.needed then return "needed" end
  if type(spec.default) == "table" then return table.concat(spec.default, ",") end
  return spec.default ~= nil and tostring(spec.default) or ""
end

--- Every key with what it takes, its default and its meaning, in alphabetical order; what stands in a table under it.
---@return {key: string, takes: string, default: string, help: string, spec: table}[]
function schema.rows()
  local rows = {}
  local function walk(keys, prefix)
    for _, name in ipairs(schema.sorted(keys)) do
      local spec, full = keys[name], prefix .. name
      local inner = spec.type == "rules" and spec.keys.keys or spec.type == "table" and spec.keys
      if not inner or spec.help then
        rows[#rows + 1] = {key = full, takes = schema.takes(spec), default = schema.default(spec),
                           help = spec.help, spec = spec}
      end
      if spec.type == "rules" then walk(inner, full .. ".NAME.")
      elseif inner and not full:find(".NAME.", 1, true) then walk(inner, full .. ".") end
    end
  end
  walk(schema.keys, "")
  return rows
end

return schema

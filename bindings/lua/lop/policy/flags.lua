-- bindings/lua/lop/policy/flags.lua - the command line of lop prune and lop plan as the recipe that it stands for. Each
-- key that takes one word, a number or a list of words is a flag of its own name.

local core = require "lop.core"
local schema = require "lop.schema"

local flags = {}

-- Keys with flags of their own kind: shared by all verbs, or shorter.
local own = {model = true, preprocess = true, calibrate = true, evaluate = true, layers = true, seed = true}

local budgets = {"speedup", "macs", "params", "bytes", "activations", "keep", "ms"}

local function option_of(key, spec, help)
  local option = {name = key:gsub("_", "-"), key = key, help = help}
  if spec.type == "boolean" and not spec.default then
    option.type = "flag"
    return option
  end
  option.type, option.value = "string", spec.type == "list" and "WORDS" or spec.type == "string" and "WORD" or "N"
  if spec.type == "boolean" then option.value = "BOOL" end
  local default = schema.default(spec)
  option.help = ("%s: %s%s"):format(help, schema.takes(spec, true), default ~= "" and " (" .. default .. ")" or "")
  return option
end

-- The option for a row of the schema; nil where the key has none.
local function option_for(row)
  local top = row.key:match("^[^.]+")
  local spec, parent = row.spec, schema.keys[top]
  if own[top] or top == "budget" then return nil end
  if spec.type == "table" then
    return spec.word and option_of(row.key, spec.keys[spec.word], row.help) or nil
  end
  if parent.word and row.key == top .. "." .. parent.word then return nil end           -- --select says it
  return option_of(row.key, spec, row.help)
end

--- The options of a verb that prunes without a recipe.
function flags.options()
  local list = {"data", "preprocess", "images", "positions", "seed", "memory", "scratch"}
  for _, name in ipairs(budgets) do
    local spec = schema.keys.budget.keys[name]
    list[#list + 1] = {name = name, type = "number", value = name == "speedup" and "X" or "F", hidden = not spec,
                       help = spec and "the budget: " .. spec.help}
  end
  for _, name in ipairs(schema.sorted(schema.keys.budget.keys)) do
    local spec = schema.keys.budget.keys[name]
    if spec.beside then
      local option = option_of("budget." .. name, spec, "with the budget: " .. spec.help:gsub("^.-: ", ""))
      option.name = name:gsub("_", "-")
      list[#list + 1] = option
    end
  end
  for _, row in ipairs(schema.rows()) do list[#list + 1] = option_for(row) end
  list[#list + 1] = {name = "evaluate", type = "string", value = "SPEC",
                     help = "labelled data to evaluate on, before and after"}
  return list
end

local function budget_of(verb, opts)
  local given
  for _, key in ipairs(budgets) do
    if opts[key] then
      if given then core.fail("usage", ("%s: --%s and --%s: one budget expected"):format(verb, given, key)) end
      given = key
    end
  end
  if not given and opts["select.lambda"] then return nil end       -- whether that finds a width, the schema tells
  if not given then
    core.fail("usage", ("%s: a budget is missing: --speedup X, or a share: --%s F"):format(verb,
              table.concat(budgets, " F, --", 2, #budgets - 1)))
  end
  return {[given] = opts[given]}
end

--- The recipe, checked.
---@param verb string
---@param opts table          as read by lop.program.args from flags.options()
---@param model string
function flags.recipe(verb, opts, model)
  if not opts.data then
    core.fail("usage", verb .. ": --data KIND:PATH is missing (KIND mnist, cifar10, images, npz)")
  end
  local recipe = {
    model = model, preprocess = opts.preprocess, budget = budget_of(verb, opts), seed = opts.seed,
    calibrate = {data = opts.data, images = opts.images, positions = opts.positions},
    evaluate = opts.evaluate and {data = opts.evaluate} or nil,
  }
  for _, option in ipairs(flags.options()) do
    local value = type(option) == "table" and option.key and opts[option.name:gsub("-", "_")]
    if value then schema.set(recipe, option.key, value == true and "true" or value) end
  end
  return schema.check(recipe)
end

return flags

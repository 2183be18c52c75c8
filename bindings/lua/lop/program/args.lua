-- bindings/lua/lop/program/args.lua - reads a command line by a declaration.
--
-- An option: {name = "speedup", short = "s"?, type = "number", value = "X", help = "..."}, and where wanted default,
-- min, max (of numbers and sizes), word (one word that a number may be instead), choices (of strings), repeated (its
-- values make a list). Types: flag, string, number, integer, size (4G, 500M, 1.5G, bytes; to an integer).
-- Forms: --key value, --key=value, -o value, -ovalue, flags, -- before operands that begin with a dash.

local core = require "lop.core"

local args = {}

local function refuse(verb, text, ...)
  core.fail("usage", (verb and verb .. ": " or "") .. text:format(...))
end

local units = {[""] = 1, K = 2 ^ 10, M = 2 ^ 20, G = 2 ^ 30, T = 2 ^ 40}

--- Bytes of "4G", "1.5M", "1000"; nil for anything else.
---@param text string
---@return integer?
function args.size(text)
  local digits, unit = text:upper():match("^(%d+%.?%d*)([KMGT]?)I?B?$")
  if not digits then return nil end
  local bytes = tonumber(digits) * units[unit]
  return bytes < 2 ^ 62 and bytes // 1 | 0 or nil
end

local readers = {
  string = function(text) return text end,
  number = function(text)
    local v = text:match("^[+-]?[%d.][%deE.+-]*$") and tonumber(text)
    return v and v == v and math.abs(v) < math.huge and v + 0.0 or nil, "a number"
  end,
  integer = function(text)
    return text:match("^[+-]?%d+$") and math.tointeger(tonumber(text)), "an integer"
  end,
  size = function(text) return args.size(text), "a size such as 4G or 500M" end,
}

local function words(list)
  return table.concat(list, ", ")
end

local function contains(list, word)
  for _, w in ipairs(list) do
    if w == word then return true end
  end
  return false
end

local function in_range(option, value)
  return (not option.min or value >= option.min) and (not option.max or value <= option.max)
end

local function range_text(option)
  if option.min and option.max then return ("%s to %s"):format(option.min, option.max) end
  return option.min and option.min .. " or more" or option.max .. " or less"
end

-- The value of an option from its text, or an error.
local function convert(verb, option, shown, text)
  if option.word and text == option.word then return text end
  local value, expected = readers[option.type](text)
  if value == nil or value == false then
    local either = option.word and " or '" .. option.word .. "'" or ""
    refuse(verb, "%s is '%s', %s%s expected", shown, text, expected, either)
  end
  if option.choices and not contains(option.choices, value) then
    local near = core.nearest(value, option.choices)
    if near then refuse(verb, "%s is '%s' (did you mean %s?)", shown, value, near) end
    refuse(verb, "%s is '%s', one of %s expected", shown, value, words(option.choices))
  end
  if type(value) == "number" and not in_range(option, value) then
    refuse(verb, "%s is %s, %s expected", shown, text, range_text(option))
  end
  return value
end

-- The key under which a value is found: round-to is opts.round_to.
local function key_of(option)
  return (option.name:gsub("-", "_"))
end

local function store(opts, option, value)
  local key = key_of(option)
  if option.repeated then
    opts[key] = opts[key] or {}
    table.insert(opts[key], value)
  else
    opts[key] = value
  end
end

local function index(list)
  local long, short, names = {}, {}, {}
  for _, option in ipairs(list) do
    long[option.name] = option
    names[#names + 1] = option.name
    if option.short then short[option.short] = option end
  end
  table.sort(names)
  return long, short, names
end

local function unknown(verb, dashes, name, names)
  local near = #name > 1 and core.nearest(name, names)
  for _, known in ipairs(names) do
    if name == known .. ".method" then near = known end         -- a recipe's key, whose flag is the table's
  end
  if near then refuse(verb, "unknown option %s%s (did you mean --%s?)", dashes, name, near) end
  local way = verb and "lop help " .. verb or "lop help"
  refuse(verb, "unknown option %s%s (%s lists them)", dashes, name, way)
end

-- One option that begins at argv[i]; returns the index of the last word it took.
local function read_option(verb, opts, tables, argv, i)
  local word = argv[i]
  local option, shown, text
  local name, value = word:match("^%-%-([^=]+)=?(.*)$")
  if name then
    option, shown = tables.long[name] or tables.long[name:gsub("_", "-")], "--" .. name
    text = word:find("=", 1, true) and value or nil
    if not option then unknown(verb, "--", name, tables.names) end
  else
    name = word:sub(2, 2)
    option, shown = tables.short[name], "-" .. name
    if not option then unknown(verb, "-", word:sub(2), tables.names) end
    text = #word > 2 and word:sub(3) or nil
  end
  if option.type == "flag" then
    if text then refuse(verb, "%s takes no value, got '%s'", shown, text) end
    store(opts, option, true)
    return i
  end
  if not text then
    i = i + 1
    text = argv[i]
    local follows = text and text:match("^%-%-([^=]+)")
    if not text or (follows and tables.long[follows]) then
      refuse(verb, "%s needs a value (%s)", shown, option.value or "VALUE")
    end
  end
  store(opts, option, convert(verb, option, shown, text))
  return i
end

local function check_operands(verb, spec, operands)
  local names = spec.positional or {}
  local least = spec.least or #names
  if #operands < least then
    refuse(verb, "%s is missing (usage: lop %s)", names[#operands + 1] or "an argument", spec.usage or verb or "")
  end
  if not spec.rest and #operands > #names then
    refuse(verb, "unexpected argument '%s' (usage: lop %s)", operands[#names + 1], spec.usage or verb or "")
  end
end

--- Reads words by a declaration {options = {...}, positional = {"MODEL"}?, least = 0?, rest = true?, settings = true?}:
--- positional names the operands, of which the first `least` (all) must be there, with rest any number may follow;
--- with settings, operands KEY=VALUE are kept apart, in order. Errors have the code "usage".
---@param verb string?       begins each message
---@param spec table
---@param argv string[]
---@return table opts        by name, dashes as underscores
---@return table operands    a list; .settings: a list of {key =, value =}
function args.parse(verb, spec, argv)
  local long, short, names = index(spec.options or {})
  local tables = {long = long, short = short, names = names}
  local opts, operands, settings = {}, {}, {}
  local i, only_operands = 1, false
  while i <= #argv do
    local word = argv[i]
    if not only_operands and word == "--" then
      only_operands = true
    elseif not only_operands and word:match("^%-.") then
      i = read_option(verb, opts, tables, argv, i)
    else
      local key, value = word:match("^([%a_][^=]*)=(.*)$")
      if spec.settings and key and #operands >= (spec.least or #(spec.positional or {})) then
        settings[#settings + 1] = {key = key, value = value}
      else
        operands[#operands + 1] = word
      end
    end
    i = i + 1
  end
  for _, option in ipairs(spec.options or {}) do
    if opts[key_of(option)] == nil then opts[key_of(option)] = option.default end
  end
  operands.settings = settings
  if not opts.help then check_operands(verb, spec, operands) end
  return opts, operands
end

return args

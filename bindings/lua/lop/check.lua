-- bindings/lua/lop/check.lua - arguments of the functions that are written in Lua: errors at the user's line.

local core = require "lop.core"

local check = {}

--- An options table, or an empty one for nil; an unknown key is an error with the nearest known one.
---@param opts table?
---@param known string[]
---@return table
function check.options(opts, known)
  if opts == nil then return {} end
  if type(opts) ~= "table" then core.fail("arg", "options: table expected, got " .. type(opts)) end
  local listed, wrong = {}, nil
  for _, key in ipairs(known) do listed[key] = true end
  for key in pairs(opts) do
    local name = tostring(key)
    if not listed[key] and (not wrong or name < wrong) then wrong = name end
  end
  if wrong then
    local near = core.nearest(wrong, known)
    core.fail("arg", ("unknown option '%s' (%s)"):format(wrong, near and ("did you mean '%s'?"):format(near)
              or "known: " .. table.concat(known, ", ")))
  end
  return opts
end

--- A number within bounds.
---@param value any
---@param name string
---@param least number?       of those allowed
---@param above number?       must be more than this
---@return number
function check.number(value, name, least, above)
  local fits = type(value) == "number" and value == value and math.abs(value) < math.huge
    and value >= (least or value) and (not above or value > above)
  if not fits then
    local bounds = above and (" above %g"):format(above) or least and (" of %g or more"):format(least) or ""
    core.fail("arg", ("%s is %s, a number%s expected"):format(name, tostring(value), bounds))
  end
  return value
end

--- A whole number within bounds.
---@return integer
function check.integer(value, name, least, most)
  local whole = math.type(value) and math.tointeger(value)
  if not whole or whole < least or (most and whole > most) then
    local bounds = most and ("%d to %d"):format(least, most) or ("%d or more"):format(least)
    core.fail("arg", ("%s is %s, %s expected"):format(name, tostring(value), bounds))
  end
  return whole
end

--- The value of type `name` (as in a metatable's __name, or type()).
function check.type(value, name, what)
  local meta = getmetatable(value)
  local own = type(meta) == "table" and rawget(meta, "__name") or type(value)
  if own ~= name then core.fail("arg", ("%s: %s expected, got %s"):format(what, name, own)) end
  return value
end

--- A list of channels, from 1 to limit: a copy, ascending, each once.
---@param list any
---@param limit integer
---@return integer[]
function check.channels(list, name, limit)
  if type(list) ~= "table" or #list < 1 then core.fail("arg", name .. ": a list of channels, from 1, expected") end
  local sorted = {}
  for i, channel in ipairs(list) do sorted[i] = check.integer(channel, ("%s[%d]"):format(name, i), 1, limit) end
  table.sort(sorted)
  for i = 2, #sorted do
    if sorted[i] == sorted[i - 1] then core.fail("arg", ("%s: channel %d is listed twice"):format(name, sorted[i])) end
  end
  return sorted
end

-- What an error of a net's parts begins with, when it does not say in which file.
local parts = {node = true, input = true, output = true, value = true, layer = true}

--- The message of an error, with the file's name before it where it speaks of a part of a net alone.
---@param path string?
---@param message string
---@return string
function check.named(path, message)
  return path and parts[message:match "^(%a+) '"] and path .. ": " .. message or message
end

--- Runs f(...), whose errors about a part of a net get the file's name.
function check.of_file(path, f, ...)
  local result = table.pack(pcall(f, ...))
  if result[1] then return table.unpack(result, 2, result.n) end
  local e = result[2]
  if type(e) == "table" and e.code then core.fail(e.code, check.named(path, tostring(e.message))) end
  error(e, 0)
end

return check

-- bindings/lua/lop/policy/order.lua - in which order the units are cut.

local core = require "lop.core"

local order = {}

--- Units as a recipe's functions see them.
---@return {name: string, width: integer, producers: string[], consumers: string[], fixed: integer?, branch: string?}[]
---        branch: the layer that ends the residual branch which vanishes at width 0
function order.groups(list)
  local groups = {}
  for i, unit in ipairs(list) do
    local consumers = {}
    for k, c in ipairs(unit.consumers) do consumers[k] = c.name end
    groups[i] = {name = unit.name, width = unit.width, consumers = consumers, fixed = unit.fixed,
                 producers = {table.unpack(unit.producers)}, round_to = unit.round_to, min = unit.min,
                 branch = unit.branch and unit.branch.last}
  end
  return groups
end

--- Calls a function of the recipe; what it raises names the key.
function order.call(key, f, ...)
  local ok, result = pcall(f, ...)
  if not ok then
    local text = type(result) == "table" and (result.message or "an error that is a table") or tostring(result)
    core.fail("usage", text:sub(1, #key + 2) == key .. ": " and text or ("%s: %s"):format(key, text))
  end
  return result
end

local function index_of(list, name)
  for i, unit in ipairs(list) do
    if unit.name == name then return i end
    for _, producer in ipairs(unit.producers) do
      if producer == name then return i end
    end
  end
  local names = {"forward", "backward"}
  for i, unit in ipairs(list) do names[i + 2] = unit.name end
  local near = core.nearest(tostring(name), names)
  core.fail("usage", ("order: no group '%s' can be cut (%s)"):format(name, near and ("did you mean '%s'?"):format(near)
            or "lop inspect --groups"))
end

--- Places in the list of units, in the order of cutting; those that the recipe does not list come last, forward.
---@param list table[]        units, in forward order
---@param how string|string[]|function
---@return integer[]
function order.of(list, how)
  local names, result, seen = how, {}, {}
  if type(how) == "function" then names = order.call("order", how, order.groups(list)) end
  if names == "backward" then
    for i = #list, 1, -1 do result[#result + 1] = i end
    return result
  end
  if names == "forward" then names = {} end
  if type(names) ~= "table" then core.fail("usage", "order: a list of names expected, got " .. type(names)) end
  for _, name in ipairs(names) do
    local i = index_of(list, type(name) == "table" and name.name or name)
    if seen[i] then core.fail("usage", ("order: '%s' is listed twice"):format(list[i].name)) end
    seen[i], result[#result + 1] = true, i
  end
  for i in ipairs(list) do
    if not seen[i] then result[#result + 1] = i end
  end
  return result
end

return order

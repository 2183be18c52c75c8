-- bindings/lua/lop/program/pretty.lua - values as the REPL shows them: tables with sorted keys, tensors by tostring,
-- all cut at some depth and some lines.

local pretty = {}

local WIDTH, DEPTH, LINES = 80, 4, 40

local function is_name(key)
  return type(key) == "string" and key:match("^[%a_][%w_]*$") ~= nil
end

local function key_text(key)
  return is_name(key) and key or "[" .. (type(key) == "string" and ("%q"):format(key) or tostring(key)) .. "]"
end

-- Numbers before strings before the rest, each sorted.
local function before(a, b)
  local ta, tb = type(a), type(b)
  if ta == tb and (ta == "number" or ta == "string") then return a < b end
  local rank = {number = 1, string = 2}
  local ra, rb = rank[ta] or 3, rank[tb] or 3
  if ra ~= rb then return ra < rb end
  return ta ~= tb and ta < tb or ta == tb and tostring(a) < tostring(b)
end

local show                              -- show(value, indent, open tables) -> text

local function entries(t, indent, open)
  local list, n = {}, #t
  for i = 1, n do list[i] = show(t[i], indent, open) end
  local keys = {}
  for key in next, t do
    if not (math.type(key) == "integer" and key >= 1 and key <= n) then keys[#keys + 1] = key end
  end
  table.sort(keys, before)
  for _, key in ipairs(keys) do list[#list + 1] = key_text(key) .. " = " .. show(rawget(t, key), indent, open) end
  return list
end

local function show_table(t, indent, open)
  if next(t) == nil then return "{}" end
  if open[t] then return "{... itself}" end
  if #indent >= 2 * DEPTH then return "{...}" end
  open[t] = true
  local deeper = indent .. "  "
  local list = entries(t, deeper, open)
  open[t] = nil
  local line = "{" .. table.concat(list, ", ") .. "}"
  if #line + #indent <= WIDTH and not line:find("\n", 1, true) then return line end
  return "{\n" .. deeper .. table.concat(list, ",\n" .. deeper) .. "\n" .. indent .. "}"
end

function show(value, indent, open)
  local meta = getmetatable(value)
  if type(value) == "string" then
    local quoted = ("%q"):format(value):gsub("\\\n", "\\n")
    return quoted
  elseif type(value) == "table" and not (type(meta) == "table" and rawget(meta, "__tostring")) then
    return show_table(value, indent, open)
  end
  return (tostring(value):gsub("\n", "\n" .. indent))
end

local function cut(text)
  local lines = {}
  for line in (text .. "\n"):gmatch("(.-)\n") do lines[#lines + 1] = line end
  if #lines <= LINES then return text end
  return table.concat(lines, "\n", 1, LINES) .. ("\n... %d more lines"):format(#lines - LINES)
end

--- A string as it is at the top, in quotes within tables.
---@param value any
---@return string
function pretty.value(value)
  return cut(type(value) == "string" and value or show(value, "", {}))
end

return pretty

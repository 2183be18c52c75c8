-- bindings/lua/lop/json.lua - a writer of JSON: keys sorted, numbers by %.17g, always valid UTF-8: equal values, equal
-- bytes.

local core = require "lop.core"

local json = {}

local array = {}                        -- metatable of tables that are lists even when empty
json.null = setmetatable({}, {__tostring = function() return "null" end})

--- Marks a table as a list: an empty one is then [] and not {}.
---@param list table
---@return table list
function json.array(list)
  return setmetatable(list, array)
end

local escapes = {['"'] = '\\"', ["\\"] = "\\\\", ["\b"] = "\\b", ["\f"] = "\\f", ["\n"] = "\\n", ["\r"] = "\\r",
                 ["\t"] = "\\t"}

-- Bytes that are no UTF-8 become U+FFFD, one for each byte: names in a model may hold anything.
local function clean(s)
  if utf8.len(s) then return s end
  local out, at = {}, 1
  while at <= #s do
    local _, bad = utf8.len(s, at)
    if not bad then break end
    out[#out + 1] = s:sub(at, bad - 1)
    out[#out + 1] = "\u{FFFD}"
    at = bad + 1
  end
  out[#out + 1] = s:sub(at)
  return table.concat(out)
end

local function quote(s)
  return '"' .. clean(s):gsub('[%c"\\\127]', function(c)
    return escapes[c] or ("\\u%04x"):format(c:byte())
  end) .. '"'
end

local function number(v)
  if math.type(v) == "integer" then return ("%d"):format(v) end
  if v ~= v or v == math.huge or v == -math.huge then return "null" end
  return ("%.17g"):format(v)
end

local function is_list(t)
  return getmetatable(t) == array or #t > 0
end

local write                             -- write(out, value, indent, path): appends to the list out

local function write_list(out, t, indent, path)
  local deeper = indent and indent .. "  "
  out[#out + 1] = "["
  for i = 1, #t do
    out[#out + 1] = (i > 1 and "," or "") .. (deeper and "\n" .. deeper or "")
    write(out, t[i], deeper, path)
  end
  out[#out + 1] = (indent and #t > 0 and "\n" .. indent or "") .. "]"
end

local function sorted_keys(t)
  local keys, original = {}, {}
  for k in pairs(t) do
    if type(k) ~= "string" and type(k) ~= "number" then
      core.fail("arg", "JSON: a key is a " .. type(k) .. ", string or number expected")
    end
    local name = tostring(k)
    if original[name] ~= nil then core.fail("arg", "JSON: two keys are written '" .. name .. "'") end
    keys[#keys + 1], original[name] = name, k
  end
  table.sort(keys)
  return keys, original
end

local function write_object(out, t, indent, path)
  local keys, original = sorted_keys(t)
  local deeper = indent and indent .. "  "
  out[#out + 1] = "{"
  for i, key in ipairs(keys) do
    out[#out + 1] = (i > 1 and "," or "") .. (deeper and "\n" .. deeper or "")
    out[#out + 1] = quote(key) .. (deeper and ": " or ":")
    write(out, t[original[key]], deeper, path)
  end
  out[#out + 1] = (indent and #keys > 0 and "\n" .. indent or "") .. "}"
end

function write(out, value, indent, path)
  local kind = type(value)
  if value == nil or value == json.null then out[#out + 1] = "null"
  elseif kind == "boolean" then out[#out + 1] = tostring(value)
  elseif kind == "number" then out[#out + 1] = number(value)
  elseif kind == "string" then out[#out + 1] = quote(value)
  elseif kind == "table" then
    if path[value] then core.fail("arg", "JSON: a table holds itself") end
    path[value] = true
    if is_list(value) then write_list(out, value, indent, path) else write_object(out, value, indent, path) end
    path[value] = nil
  else
    core.fail("arg", "JSON: a " .. kind .. " cannot be written")
  end
end

--- A table with [1] is a list, others are objects (json.array tells of empty lists); NaN and infinity are null.
---@param value any
---@param opts {pretty: boolean?}?
---@return string
function json.encode(value, opts)
  local out = {}
  write(out, value, opts and opts.pretty and "" or nil, {})
  return table.concat(out)
end

return json

-- bindings/lua/lop/runs/differ.lua - in what two runs differ: inputs, recipe, choices, figures and outputs; not in
-- times, memory, threads, the machine, and where files were.

local json = require "lop.json"
local record = require "lop.runs.record"

local differ = {}

local passed_over = {seconds = true, peak_rss_bytes = true, memory_bytes = true, scratch_bytes = true}

local function is_leaf(value)
  if type(value) ~= "table" then return true end
  for key, v in pairs(value) do
    if type(key) ~= "number" or type(v) == "table" then return false end
  end
  return #value > 0                     -- a list of words or numbers is one thing
end

local function text_of(value)
  if value == nil then return "" end
  return type(value) == "string" and value or json.encode(value)
end

-- The key of an entry of a list: its name, if it has one.
local function key_of(t, key)
  local entry = t[key]
  return type(key) == "number" and type(entry) == "table" and type(entry.name) == "string" and entry.name
    or tostring(key)
end

local function sorted_keys(a, b)
  local keys, has = {}, {}
  for _, t in ipairs {a, b} do
    for key in pairs(t) do
      if not has[key] then keys[#keys + 1], has[key] = key, true end
    end
  end
  table.sort(keys, function(x, y)
    if type(x) == type(y) then return x < y end
    return type(x) == "number"
  end)
  return keys
end

local function compare(list, path, a, b)
  if a == b then return end
  if is_leaf(a) or is_leaf(b) then
    local x, y = text_of(a), text_of(b)
    if x ~= y then list[#list + 1] = {key = path, a = x, b = y} end
    return
  end
  for _, key in ipairs(sorted_keys(a, b)) do
    if not passed_over[key] then
      local name = key_of(a[key] ~= nil and a or b, key)
      compare(list, path == "" and name or path .. "." .. name, a[key], b[key])
    end
  end
end

-- Is a part of the recipe in its text only?
local function has_function(value)
  if value == record.A_FUNCTION then return true end
  for _, v in pairs(type(value) == "table" and value or {}) do
    if has_function(v) then return true end
  end
  return false
end

local function without(value, keys)
  local copy = {}
  for key, v in pairs(value or {}) do copy[key] = v end
  for _, key in ipairs(keys) do copy[key] = nil end
  return copy
end

-- The parts of a record that count. Files are what their bytes are, wherever they lie.
local function essence(run)
  local values, inputs = record.choices(run.recipe.values), {}
  for _, input in ipairs(run.inputs) do
    local what = input.what
    local name = what == "model" and what or what .. " " .. tostring(input.path):match("[^/]*$")
    inputs[name] = input.sha256
  end
  return {inputs = inputs, recipe = values, seed = run.seed, outputs = without(run.outputs, {"recipe.lua"}),
          result = without(run.result, {"model", "seed"}), text = has_function(values) and run.recipe.text or nil}
end

--- The differences between two records, in a fixed order.
---@param a table             from record.of
---@param b table
---@return {key: string, a: string, b: string}[]
function differ.list(a, b)
  local list = {}
  compare(list, "", essence(a), essence(b))
  return list
end

--- What may be why: version, CPU path, BLAS.
---@return {key: string, a: string, b: string}[]
function differ.causes(a, b)
  local list = {}
  for _, key in ipairs {"version", "commit", "cpu_path", "blas"} do
    if a[key] ~= b[key] then list[#list + 1] = {key = key, a = text_of(a[key]), b = text_of(b[key])} end
  end
  return list
end

local MOST, WIDTH = 20, 28              -- lines shown, and characters of a value

local function cut(text)
  text = text:gsub("%c", " ")
  return #text > WIDTH and text:sub(1, WIDTH - 3) .. "..." or text
end

--- Shows differences as a table and, under --json, as a document.
---@param names {[1]: string, [2]: string}     of the two runs
---@return integer            exit status: 3 where there is a difference
function differ.show(list, causes, names, out)
  for _, c in ipairs(causes) do out:note("%s: %s and %s", c.key, c.a, c.b) end
  local rows = {{"what", names[1], names[2]}}
  for i, d in ipairs(list) do
    if i <= MOST or out.verbose then rows[#rows + 1] = {d.key, cut(d.a), cut(d.b)} end
  end
  if #list > 0 then out:columns_of(rows) end
  if #rows - 1 < #list then out:line("... and %d more (--verbose)", #list - #rows + 1) end
  if #list == 0 then out:line("%s and %s: no difference", names[1], names[2]) end
  out:document({same = #list == 0, differences = json.array(list), causes = json.array(causes)})
  return #list == 0 and 0 or 3
end

return differ

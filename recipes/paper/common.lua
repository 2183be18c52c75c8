-- recipes/paper/common.lua - what the studies of this folder share: settings, tables, and how far two nets' outputs are
-- apart. A study finds it beside itself: dofile(folder .. "common.lua").

local core = require "lop.core"
local json = require "lop.json"

local common = {}

--- The words of a text, as they stand between marks.
---@param mark string?        one character, default a comma
---@return string[]
function common.words(text, mark)
  local list = {}
  for word in text:gmatch("[^" .. (mark or ",") .. "]+") do list[#list + 1] = word end
  return list
end

-- The text of a setting, as its default is: a number, a list of words or numbers, a text.
local function read(key, text, default)
  if type(default) == "number" then
    local number = tonumber(text)
    if not number then core.fail("usage", ("%s=%s: a number expected"):format(key, text)) end
    return math.tointeger(number) or number
  end
  if type(default) ~= "table" then return text end
  local list = common.words(text)
  for i, word in ipairs(list) do list[i] = type(default[1]) == "number" and read(key, word, 1) or word end
  return list
end

--- The settings of a study: KEY=VALUE on its command line, else the defaults, whose types say what is expected.
---@param given string[]      the words of the command line
---@param defaults table      by key; a list: VALUE is A,B,C
---@return table
function common.settings(given, defaults)
  local set, known = {}, {}
  for key, value in pairs(defaults) do
    set[key], known[#known + 1] = value, key
  end
  table.sort(known)
  for _, word in ipairs(given) do
    local key, text = word:match("^([%w_]+)=(.*)$")
    if not key then core.fail("usage", ("'%s': KEY=VALUE expected, KEY one of %s"):format(word,
                              table.concat(known, ", "))) end
    if defaults[key] == nil then
      local near = core.nearest(key, known)
      core.fail("usage", ("unknown key '%s' (%s)"):format(key, near and ("did you mean '%s'?"):format(near)
                or "known: " .. table.concat(known, ", ")))
    end
    set[key] = read(key, text, defaults[key])
  end
  return set
end

--- A value that a table shows: whole numbers whole, others to four figures, none as "-".
function common.text(value)
  if value == nil then return "-" end
  return math.type(value) == "float" and ("%.4g"):format(value) or tostring(value)
end

--- Prints rows under heads, columns aligned; numbers to the right.
---@param columns string[]    keys of the rows, which are the heads
---@param rows table[]
function common.show(columns, rows)
  local width = {}
  for c, name in ipairs(columns) do
    width[c] = #name
    for _, row in ipairs(rows) do width[c] = math.max(width[c], #common.text(row[name])) end
  end
  local function line(cell)
    local list = {}
    for c, name in ipairs(columns) do
      local text, number = cell(name)
      list[c] = ("%" .. (number and "" or "-") .. width[c] .. "s"):format(text)
    end
    print((table.concat(list, "  "):gsub("%s+$", "")))
  end
  line(function(name) return name, rows[1] and type(rows[1][name]) == "number" end)
  for _, row in ipairs(rows) do
    line(function(name) return common.text(row[name]), type(row[name]) == "number" end)
  end
end

local function csv_cell(value)
  if value == nil then return "" end
  local text = math.type(value) == "float" and ("%.10g"):format(value) or tostring(value)
  return text:find('[,"\n]') and '"' .. text:gsub('"', '""') .. '"' or text
end

--- Writes rows as FOLDER/NAME.csv and FOLDER/NAME.json, whole or not at all.
---@param more table?         further fields of the JSON document
function common.write(folder, name, columns, rows, more)
  core.system.make_folder(folder)
  local lines = {table.concat(columns, ",")}
  for _, row in ipairs(rows) do
    local cells = {}
    for c, key in ipairs(columns) do cells[c] = csv_cell(row[key]) end
    lines[#lines + 1] = table.concat(cells, ",")
  end
  core.system.write_file(("%s/%s.csv"):format(folder, name), table.concat(lines, "\n") .. "\n")
  local document = {rows = json.array(table.move(rows, 1, #rows, 1, {}))}
  for key, value in pairs(more or {}) do document[key] = value end
  core.system.write_file(("%s/%s.json"):format(folder, name), json.encode(document, {pretty = true}) .. "\n")
end

-- ---- outputs compared ----

local CHUNK = 50                        -- images a run: bounds memory, changes no result

-- Calls each(row, label) for every image: the scores as a list.
local function each_row(net, set, each)
  for _, x, labels in set:batches(CHUNK) do
    local y, n = net:forward(x), x:shape()[1]
    x:close()
    for i, row in ipairs(y:reshape({n, y:size() // n}):totable()) do each(row, labels and labels[i]) end
    y:close()
  end
end

-- Scores as log probabilities, in place.
local function log_softmax(row)
  local top, sum = -math.huge, 0
  for _, z in ipairs(row) do top = math.max(top, z) end
  for _, z in ipairs(row) do sum = sum + math.exp(z - top) end
  for k, z in ipairs(row) do row[k] = z - top - math.log(sum) end
  return row
end

--- What a net says of each image, as log probabilities: what common.judge compares with.
function common.beliefs(net, set)
  local list = {}
  each_row(net, set, function(row) list[#list + 1] = log_softmax(row) end)
  return list
end

-- How many scores stand before the label's, ties to the lower class.
local function above(row, label)
  local count = 0
  for k, z in ipairs(row) do
    if z > row[label + 1] or (z == row[label + 1] and k < label + 1) then count = count + 1 end
  end
  return count
end

--- How far a net is from another, and how often it is right.
---@param believed number[][]   of the other, from common.beliefs on the same set
---@return {kl: number, top1: number?, top5: number?}   KL divergence from the other's softmax, mean; percent
function common.judge(net, set, believed)
  local kl, one, five, i, labelled = 0, 0, 0, 0, false
  each_row(net, set, function(row, label)
    i = i + 1
    log_softmax(row)
    for k, p in ipairs(believed[i]) do kl = kl + math.exp(p) * (p - row[k]) end
    if label then
      local place = above(row, label)
      labelled, one, five = true, one + (place == 0 and 1 or 0), five + (place < 5 and 1 or 0)
    end
  end)
  return {kl = kl / i, top1 = labelled and 100 * one / i or nil, top5 = labelled and 100 * five / i or nil}
end

return common

-- bindings/lua/lop/program/shapes.lua - sizes on the command line, for inputs whose own are free: NAME=1x3x64x64, or
-- 1x3x64x64 for a net of one input.

local core = require "lop.core"

local shapes = {}

--- What a verb lists among its options.
---@param help string
function shapes.option(help)
  return {name = "shape", type = "string", value = "[NAME=]SIZES", repeated = true, help = help}
end

local function refuse(verb, word, text)
  core.fail("usage", ("%s: --shape %s: %s"):format(verb, word, text))
end

local function parse(net, word, verb)
  local name, sizes = word:match("^(.*)=([^=]*)$")
  local list = {}
  if not name then
    local inputs = net:describe().inputs
    name, sizes = #inputs == 1 and inputs[1].name, word
  end
  if not name or not ("x" .. sizes):match("^[x%d]+%d$") or ("x" .. sizes):find("xx") or #sizes > 200 then
    refuse(verb, word, "NAME=1x3x64x64 expected")
  end
  for size in sizes:gmatch("[^x]+") do
    list[#list + 1] = math.tointeger(tonumber(size)) or refuse(verb, word, "a size is too large")
  end
  return name, list
end

--- Gives the net's inputs these sizes. A usage error where they contradict what the model says.
---@param words string[]?       as typed
---@param verb string           for messages
---@param batch boolean?        leave the first size, the images of a run, as it is
function shapes.set(net, words, verb, batch)
  for _, word in ipairs(words or {}) do
    local name, list = parse(net, word, verb)
    if batch then list[1] = -1 end
    local ok, e = pcall(net.set_shape, net, name, list)
    if not ok then refuse(verb, word, type(e) == "table" and e.message or tostring(e)) end
  end
end

return shapes

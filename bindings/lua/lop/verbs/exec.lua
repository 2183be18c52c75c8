-- bindings/lua/lop/verbs/exec.lua - lop exec: runs a model on .npy files and pictures, writes its outputs as .npy.

local core = require "lop.core"
local json = require "lop.json"
local lop = require "lop"

-- PREFIX.npy for one output, PREFIX_0.npy, PREFIX_1.npy ... for several.
local function file_of(prefix, i, count)
  return count == 1 and prefix .. ".npy" or ("%s_%d.npy"):format(prefix, i - 1)
end

-- The inputs that have to be given; by name, as few nets have several. Their shapes may be free.
local function inputs_of(net)
  return net:describe().inputs
end

local function refuse(text, ...)
  core.fail("usage", "exec: " .. text:format(...))
end

local function names_of(inputs)
  local names = {}
  for i, input in ipairs(inputs) do names[i] = input.name end
  return table.concat(names, ", ")
end

-- The path of FILE or FILE?key=value.
local function path_of(file)
  return file:match("^(.*)%?[^?]*$") or file
end

-- The files given by name, by place of their input; and the others, in order.
local function sort_out(words, inputs)
  local place, given, free = {}, {}, {}
  for i, input in ipairs(inputs) do place[input.name] = i end
  for _, word in ipairs(words) do
    local name, file = word:match("^([^=]+)=(.+)$")
    local at = name and place[name]
    if at and given[at] then refuse("input '%s' is given twice", name) end
    if at then
      given[at] = file
    elseif name and #inputs > 0 and not name:find("[/?]") and not core.system.kind(path_of(word)) then
      refuse("no input '%s' (the model has %s)", name, names_of(inputs))
    else
      free[#free + 1] = word
    end
  end
  return given, free
end

-- NAME=FILE, or FILE for the next input that has none yet: the files in the order of the inputs.
local function assign(words, inputs)
  local given, free = sort_out(words, inputs)
  local at = 1
  for _, file in ipairs(free) do
    while given[at] do at = at + 1 end
    if #inputs > 0 and at > #inputs then refuse("no input for '%s' (the model has %s)", file, names_of(inputs)) end
    given[at] = file
  end
  for i, input in ipairs(inputs) do
    if not given[i] then refuse("input '%s' is missing: --input %s=FILE", input.name, input.name) end
  end
  return given
end

local pictures = {jpg = true, jpeg = true, png = true}
local other_float = {float64 = true, float16 = true, bfloat16 = true}

-- A .npy file as it is; a picture, FILE or FILE?key=value as for data sets, made to fit, preprocessed, of the
-- input's type.
local function read(file, input, preprocess)
  local kind = path_of(file):match("%.(%w+)$")
  if not kind or not pictures[kind:lower()] then
    local x = lop.load_npy(file)
    local as_numpy = input and input.type == "bfloat16" and x:type() == "float32"      -- which has no bfloat16
    return as_numpy and x:to(input.type) or x
  end
  local set = lop.data("images:" .. file, {preprocess = preprocess, input = input and input.shape})
  local x = set:batch(1, 1)
  return input and other_float[input.type] and x:to(input.type) or x
end

-- Many operators are there for float32 alone: the net with all its floats as that, or nil where it is so already.
local function as_float32(net)
  local single = net:clone()
  local ok, changed = pcall(single.to_float32, single)
  return ok and changed > 0 and single or nil
end

-- Outputs are of the type that the model declares.
local function run_as_float32(single, net, inputs)
  local given = {}
  for i, t in ipairs(inputs) do given[i] = other_float[t:type()] and t:to("float32") or t end
  local results = table.pack(single:forward(table.unpack(given)))
  for i, v in ipairs(net:describe().outputs) do
    if other_float[v.type] and results[i]:type() == "float32" then results[i] = results[i]:to(v.type) end
  end
  return results
end

-- In the model's own types where its operators are there for them.
local function forward(net, inputs, out)
  local results = table.pack(pcall(net.forward, net, table.unpack(inputs)))
  if table.remove(results, 1) then
    results.n = results.n - 1
    return results
  end
  local e = results[1]
  local single = type(e) == "table" and e.code == "unsupported" and as_float32(net)
  if not single then error(e, 0) end
  local again = run_as_float32(single, net, inputs)
  out:note("run in float32: operators of the model are not there for its own types")
  return again
end

return {
  summary = "run a model on .npy files or pictures; outputs as .npy",
  usage = "exec MODEL --input [NAME=]FILE ... [--preprocess P] [-o PREFIX]",
  text = "A picture (.jpg, .jpeg, .png) is made to fit the input; FILE?fit=stretch says how, as for data sets.\n" ..
         "What is bfloat16 in the model is float32 in .npy files.",
  positional = {"MODEL"},
  options = {
    {name = "input", type = "string", value = "FILE", repeated = true,
     help = "a .npy file or a picture, one for each input: in order, or by name as NAME=FILE"},
    "preprocess", "output",
  },
  run = function(opts, args, out)
    local files = opts.input or {}
    local net = lop.load(args[1])
    local how, known, inputs = opts.preprocess or net:meta("lop.preprocess"), inputs_of(net), {}
    if #files == 0 and #known > 0 then
      core.fail("usage", "exec: --input FILE is missing (a .npy file or a picture)")
    end
    for i, file in ipairs(assign(files, known)) do inputs[i] = read(file, known[i], how) end
    local results = forward(net, inputs, out)
    local listed = json.array {}
    for i, value in ipairs(net:describe().outputs) do
      local t, file = results[i], file_of(opts.output or "output", i, results.n)
      if t:type() == "bfloat16" then t = t:to("float32") end
      t:save_npy(file)
      listed[i] = {name = value.name, shape = json.array(t:shape()), file = file}
      out:line("%s  %s  %s", value.name, table.concat(t:shape(), "x"), file)
    end
    out:document({outputs = listed})
    return 0
  end,
}

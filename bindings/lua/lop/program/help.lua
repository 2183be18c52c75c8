-- bindings/lua/lop/program/help.lua - the texts of `lop help`, `lop VERB --help`, and help 'name' in the REPL.

local options = require "lop.program.options"

local help = {}

-- Words in lines of at most so many characters.
local function wrapped(text, columns)
  local lines, line = {}, ""
  for word in text:gmatch("%S+") do
    if #line + #word + 1 > columns and line ~= "" then
      lines[#lines + 1], line = line, word
    else
      line = line == "" and word or line .. " " .. word
    end
  end
  lines[#lines + 1] = line
  return lines
end

-- Lines of {left, right}, the right ones one below the other.
local function two_columns(rows)
  local width, lines = 0, {}
  for _, row in ipairs(rows) do width = math.max(width, #row[1]) end
  width = math.min(width, 28)
  for _, row in ipairs(rows) do
    local gap = #row[1] > width and "\n  " .. (" "):rep(width) or (" "):rep(width - #row[1])
    local below = "\n    " .. (" "):rep(width)
    lines[#lines + 1] = "  " .. row[1] .. gap .. "  " .. table.concat(wrapped(row[2], 84), below)
  end
  return table.concat(lines, "\n")
end

local function option_text(option)
  local value = option.value and " " .. option.value or ""
  return (option.short and "-" .. option.short .. ", " or "") .. "--" .. option.name .. value
end

--- The text of `lop VERB --help`.
---@param name string
---@param verb table         as in lop.verbs
---@return string
function help.verb(name, verb)
  local rows = {}
  for _, option in ipairs(options.complete(verb.options)) do
    if not option.hidden then rows[#rows + 1] = {option_text(option), option.help or ""} end
  end
  local parts = {"usage: lop " .. (verb.usage or name), "", verb.summary}
  if verb.text then
    parts[#parts + 1] = ""
    parts[#parts + 1] = verb.text
  end
  parts[#parts + 1] = ""
  parts[#parts + 1] = "options:"
  parts[#parts + 1] = two_columns(rows)
  return table.concat(parts, "\n")
end

--- The text of `lop help recipe`: every key with its meaning, what it takes, its default.
---@return string
function help.recipe()
  local schema, lines = require "lop.schema", {}
  for _, row in ipairs(schema.rows()) do
    local takes = row.takes ~= "" and " [" .. row.takes .. "]" or ""
    local default = row.default ~= "" and (row.default == "needed" and ", needed" or ", default " .. row.default) or ""
    for i, line in ipairs(wrapped(row.help .. default .. takes, 82)) do
      lines[#lines + 1] = ("%-26s %s"):format(i == 1 and row.key or "", line)
    end
  end
  return "A recipe is a Lua file that returns a table with these keys (NAME: of a layer or group, or a glob).\n\n" ..
    table.concat(lines, "\n")
end

--- The text of `lop help`.
---@param verbs {name: string, verb: table}[]
---@return string
function help.program(verbs)
  local rows = {{"lop", "read and run Lua line by line"}, {"lop FILE.lua [ARG ...]", "run a script"}}
  for _, v in ipairs(verbs) do rows[#rows + 1] = {"lop " .. v.name, v.verb.summary} end
  return "usage: lop [VERB | FILE.lua] [ARGUMENTS]\n\n" .. two_columns(rows) ..
    "\n\n`lop help VERB` tells of its arguments and options, `lop help recipe` of the keys of a recipe."
end

-- What help 'name' says in the REPL: name, call, meaning. Only those are shown that this build has.
help.entries = {
  {"lop.tensor", "lop.tensor(values [, type])", "a tensor from nested tables; float64 unless said"},
  {"lop.zeros", "lop.zeros(shape [, type])", "zeros; float32 unless said"},
  {"lop.ones", "lop.ones(shape [, type])", "ones; float32 unless said"},
  {"lop.full", "lop.full(shape, value [, type])", "one value everywhere"},
  {"lop.arange", "lop.arange([first,] last [, step] [, type])", "from first (0) up to, and without, last"},
  {"lop.rand", "lop.rand(shape [, type | {seed =, type =}])", "uniform in [0, 1)"},
  {"lop.randn", "lop.randn(shape [, type | {seed =, type =}])", "normal, mean 0 and deviation 1"},
  {"lop.seed", "lop.seed(n)", "starts lop.rand and lop.randn anew"},
  {"lop.load_npy", "lop.load_npy(path)", "a tensor from a .npy file"},
  {"lop.load_npz", "lop.load_npz(path)", "a table of tensors by name from a .npz file"},
  {"lop.save_npz", "lop.save_npz(path, tensors [, {deflate = true}])", "writes a table of tensors by name"},
  {"lop.load_image", "lop.load_image(path)", "a picture (JPEG, PNG) as uint8 (3, H, W)"},
  {"lop.threads", "lop.threads([n])", "how many threads work; n sets it"},
  {"lop.version", "lop.version()", "version, commit, CPU path, BLAS, as a table"},
  {"lop.load", "lop.load(path)", "a network from an ONNX file"},
  {"lop.load_bytes", "lop.load_bytes(s)", "a network from the bytes of an ONNX file"},
  {"lop.data", "lop.data(spec [, opts])", "a data set, KIND:PATH[?key=value&...]"},
  {"lop.sample", "lop.sample(net, layer, set [, opts])", "the sums that a layer's channels are chosen from"},
  {"lop.select", "lop.select(stats, width [, opts])", "which channels to keep"},
  {"lop.curve", "lop.curve(stats [, opts])", "the error for every width"},
  {"lop.lasso", "lop.lasso(stats)", "the LASSO path over channel weights: path:at(width), path:plot()"},
  {"lop.lambda", "lop.lambda.geometric(first, factor)", "a schedule; also fixed, arithmetic, bisection, path"},
  {"lop.stats", "lop.stats(channels, taps, filters)", "sums to add rows to by hand; lop.stats.load(path)"},
  {"lop.conv2d", "lop.conv2d(x, w [, b [, opts]])", "a convolution of images"},
  {"lop.max_pool2d", "lop.max_pool2d(x, kernel [, opts])", "the largest of each window"},
  {"lop.avg_pool2d", "lop.avg_pool2d(x, kernel [, opts])", "the mean of each window"},
  {"lop.global_avg_pool", "lop.global_avg_pool(x)", "the mean of each channel"},
  {"lop.engine.relu", "lop.relu(x)", "max(x, 0)"},
  {"lop.batch_norm", "lop.batch_norm(x, scale, bias, mean, var)", "normalised by channel"},
  {"lop.softmax", "lop.softmax(x [, dim])", "exp(x) over its sum along a dimension"},
  {"lop.linear", "lop.linear(x, w [, b])", "x w^T + b"},
  {"lop.reconstruct", "lop.reconstruct(stats, channels [, opts])", "weights that make up for the channels cut"},
  {"lop.decompose.spatial", "lop.decompose.spatial(net, layer, rank)", "k x k as k x 1 and 1 x k"},
  {"lop.decompose.channel", "lop.decompose.channel(net, layer, opts)", "fewer filters, then 1 x 1"},
  {"lop.decompose.svd", "lop.decompose.svd(net, layer, rank)", "1 x 1 as two of them"},
  {"lop.prune", "lop.prune(net, opts)", "a smaller network, and what was done"},
  {"lop.plan", "lop.plan(net, opts)", "what lop.prune would do"},
  {"lop.evaluate", "lop.evaluate(net, set [, opts])", "top-1 and top-5"},
  {"lop.compare", "lop.compare(a, b, set [, opts])", "how two networks differ"},
  {"lop.bench", "lop.bench(net [, opts])", "how long a pass takes"},
  {"tensor:shape", "t:shape()", "the dimensions, as a list"},
  {"tensor:size", "t:size([dim])", "elements, or the extent of one dimension"},
  {"tensor:type", "t:type()", "the type's name"},
  {"tensor:to", "t:to(type)", "a copy of another type"},
  {"tensor:get", "t:get(i, ...)", "an element; places are numbered from 1"},
  {"tensor:set", "t:set(value, i, ...)", "changes an element, returns t"},
  {"tensor:narrow", "t:narrow(dim, i, n)", "a copy of n slices from i on"},
  {"tensor:index", "t:index(dim, list)", "a copy of the slices listed"},
  {"tensor:reshape", "t:reshape(...)", "other dimensions over the same memory; one may be -1"},
  {"tensor:transpose", "t:transpose(a, b)", "a copy with two dimensions exchanged"},
  {"tensor:clone", "t:clone()", "a copy"},
  {"tensor:totable", "t:totable()", "nested tables"},
  {"tensor:matmul", "t:matmul(u)", "matrix product"},
  {"tensor:sum", "t:sum([dim])", "sum; without dim of all elements, a number"},
  {"tensor:mean", "t:mean([dim])", "mean"},
  {"tensor:std", "t:std([dim])", "standard deviation, by n - 1"},
  {"tensor:min", "t:min([dim])", "smallest elements, and their places"},
  {"tensor:max", "t:max([dim])", "largest elements, and their places"},
  {"tensor:argmax", "t:argmax([dim])", "places of the largest elements"},
  {"tensor:topk", "t:topk(k [, dim])", "the k largest, falling, and their places; dim: the last"},
  {"tensor:norm", "t:norm()", "Euclidean norm"},
  {"tensor:map", "t:map(f)", "f of each element"},
  {"tensor:equal", "t:equal(u)", "same type, shape and elements"},
  {"tensor:save_npy", "t:save_npy(path)", "writes a .npy file"},
  {"tensor:save_png", "t:save_png(path [, {low =, high =}])", "writes a PNG, grey or RGB"},
}

local function here(lop, name)
  local field = name:match("^lop%.(.+)$")
  return not field or lop[field] ~= nil
end

--- All names, or what is known of one: "lop.tensor", "tensor:sum", "sum".
---@param lop table
---@param name string?
---@return string
function help.name(lop, name)
  local rows = {}
  for _, e in ipairs(help.entries) do
    local short = e[1]:match("[.:](.+)$")
    if here(lop, e[1]) and (not name or name == e[1] or name == short) then rows[#rows + 1] = {e[2], e[3]} end
  end
  if #rows == 0 then return "nothing is known of '" .. name .. "'; help() lists all names" end
  if name then return rows[1][1] .. "\n  " .. rows[1][2] end
  return two_columns(rows) .. "\n\nhelp 'NAME' tells of one. Ctrl-D ends the session."
end

return help

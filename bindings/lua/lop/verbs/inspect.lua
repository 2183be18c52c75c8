-- bindings/lua/lop/verbs/inspect.lua - lop inspect: what a model consists of, what it costs, what could be cut.

local json = require "lop.json"
local lop = require "lop"

local function text_of(shape)
  return shape and table.concat(shape, "x") or "?"
end

local function costs(net, layers)
  local unsupported = {}
  for _, layer in ipairs(layers) do
    if not layer.supported then unsupported[#unsupported + 1] = {op = layer.op, node = layer.name} end
  end
  if #unsupported > 0 then return unsupported end
  return unsupported, net:macs(), net:params()
end

local function document(net, layers, groups, unsupported, macs, params)
  local brief = {}
  for i, l in ipairs(layers) do
    brief[i] = {name = l.name, op = l.op, shape = l.shape and json.array(l.shape), macs = l.macs, params = l.params}
  end
  for _, g in ipairs(groups) do
    json.array(g.producers)
    json.array(g.consumers)
  end
  return {inputs = json.array(net:inputs()), outputs = json.array(net:outputs()), layers = json.array(brief),
          groups = json.array(groups), macs = macs, params = params, unsupported = json.array(unsupported)}
end

-- The first few names; --json has all.
local function few(names)
  local shown = table.concat(names, " ", 1, math.min(#names, 3))
  return #names > 3 and ("%s and %d more"):format(shown, #names - 3) or shown
end

local function print_groups(out, groups)
  local rows = {{"group", "width", "kind", "made by", "read by", "can be cut"}}
  for _, g in ipairs(groups) do
    rows[#rows + 1] = {g.name, g.width, g.kind, few(g.producers), few(g.consumers),
                       g.prunable and "yes" or "no: " .. g.reason}
  end
  out:columns_of(rows)
end

local function print_layers(out, layers)
  local rows = {{"layer", "operator", "output", "MACs", "params"}}
  for _, l in ipairs(layers) do rows[#rows + 1] = {l.name, l.op, text_of(l.shape), l.macs, l.params} end
  out:columns_of(rows)
end

return {
  summary = "layers, shapes, MACs, params, channel groups and what blocks a group",
  usage = "inspect MODEL [--groups]",
  positional = {"MODEL"},
  options = {{name = "groups", type = "flag", help = "channel groups instead of layers"}},
  run = function(opts, args, out)
    local net = lop.load(args[1])
    local layers, groups = net:layers(), net:groups()
    local unsupported, macs, params = costs(net, layers)
    out:document(document(net, layers, groups, unsupported, macs, params))
    for _, v in ipairs(net:inputs()) do out:line("input   %s  %s", v.name, text_of(v.shape)) end
    for _, v in ipairs(net:outputs()) do out:line("output  %s  %s", v.name, text_of(v.shape)) end
    if macs then out:line("total   %d MACs, %d params", macs, params) end
    if opts.groups then print_groups(out, groups) else print_layers(out, layers) end
    for _, u in ipairs(unsupported) do out:warn("node '%s': operator %s is not in this version", u.node, u.op) end
    return 0
  end,
}

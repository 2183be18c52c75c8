-- bindings/lua/lop/verbs/inspect.lua - lop inspect: what a model consists of, what it costs, what could be cut.

local json = require "lop.json"
local lop = require "lop"
local shapes = require "lop.program.shapes"

local function text_of(shape)
  if not shape then return "?" end
  return #shape == 0 and "scalar" or table.concat(shape, "x")
end

local function unsupported_of(layers)
  local list = {}
  for _, layer in ipairs(layers) do
    if not layer.supported then
      list[#list + 1] = {op = layer.domain and layer.domain .. "." .. layer.op or layer.op, node = layer.name}
    end
  end
  return list
end

-- Multiply-adds of an operator that is not there are not known.
local function macs_of(layer)
  return layer.supported and layer.macs or nil
end

-- Groups need all shapes; a net that has no images in it has none.
local function groups_of(net)
  local ok, groups = pcall(net.groups, net)
  return ok and groups or {}
end

local function document(about, groups, unsupported)
  local brief = {}
  for i, l in ipairs(about.layers) do
    brief[i] = {name = l.name, op = l.op, domain = l.domain, shape = l.shape and json.array(l.shape),
                macs = macs_of(l), params = l.params}
  end
  for _, g in ipairs(groups) do
    json.array(g.producers)
    json.array(g.consumers)
  end
  for _, list in ipairs {about.inputs, about.outputs} do
    for _, v in ipairs(list) do
      if v.declared then json.array(v.declared) end
      if v.shape then json.array(v.shape) end
    end
  end
  return {inputs = json.array(about.inputs), outputs = json.array(about.outputs), layers = json.array(brief),
          groups = json.array(groups), macs = about.macs, params = about.params, peak_bytes = about.peak_bytes,
          reason = about.reason, unsupported = json.array(unsupported)}
end

local function is_free(v)
  for _, d in ipairs(v.declared or {}) do
    if type(d) == "string" then return true end
  end
  return false
end

-- Free sizes by their names, behind what is taken for them.
local function value_text(v)
  if v.foreign then return v.declared and text_of(v.declared) .. ", " .. v.type or v.type end
  if not v.shape then return v.declared and text_of(v.declared) or "no tensor, or no shape declared" end
  return text_of(v.shape) .. (is_free(v) and "  of " .. text_of(v.declared) or "")
end

local function print_totals(out, about)
  for _, v in ipairs(about.inputs) do out:line("input   %s  %s", v.name, value_text(v)) end
  for _, v in ipairs(about.outputs) do
    out:line("output  %s  %s", v.name, v.shape and text_of(v.shape) or value_text(v))
  end
  out:line("total   %s MACs, %s params, at most %s bytes of values at once", about.macs or "?", about.params or "?",
           about.peak_bytes or "?")
end

-- The first input whose size nobody knows, and how to tell it.
local function advice(about)
  for _, v in ipairs(about.inputs) do
    if not v.shape and is_free(v) then
      local sizes = {}
      for i, d in ipairs(v.declared) do sizes[i] = type(d) == "number" and d or i == 1 and 1 or 64 end
      return ("input '%s' has free sizes: --shape %s=%s, or others"):format(v.name, v.name, text_of(sizes))
    end
  end
  return about.reason
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
  for _, l in ipairs(layers) do rows[#rows + 1] = {l.name, l.op, text_of(l.shape), macs_of(l) or "?", l.params} end
  out:columns_of(rows)
end

return {
  summary = "layers, shapes, MACs, params, memory, channel groups and what blocks a group",
  usage = "inspect MODEL [--groups] [--shape NAME=1x3x64x64]",
  text = "Any ONNX model: what does not run here is shown and named. Memory: bytes of the values\n" ..
         "that are alive at once, for one image.",
  positional = {"MODEL"},
  options = {{name = "groups", type = "flag", help = "channel groups instead of layers"},
             shapes.option("sizes for an input that leaves some free, as 1x3x64x64")},
  run = function(opts, args, out)
    local net = lop.load(args[1])
    shapes.set(net, opts.shape, "inspect")
    local about, groups = net:describe(), groups_of(net)
    local unsupported = unsupported_of(about.layers)
    if #unsupported > 0 then about.macs = nil end           -- theirs are not counted
    out:document(document(about, groups, unsupported))
    print_totals(out, about)
    if opts.groups then print_groups(out, groups) else print_layers(out, about.layers) end
    for _, u in ipairs(unsupported) do out:warn("node '%s': operator %s is not in this version", u.node, u.op) end
    if #unsupported == 0 and about.reason then out:warn("%s", advice(about)) end
    return 0
  end,
}

-- tests/bindings/nets.lua - small nets with seeded weights, and pictures for them, for the specs of what prunes.

local lop = require "lop"

local nets = {}

local function filters(seed, n, c, k)
  return lop.randn({n, c, k, k}, {seed = seed, type = "float32"}) * math.sqrt(2 / (c * k * k))
end

local function biases(seed, n)
  return lop.randn({n}, {seed = seed, type = "float32"}) * 0.1
end

--- A chain of 3x3 convolutions on RGB, each with a ReLU, "P" for a pooling, a Gemm at the end.
---@param widths (integer|"P")[]
---@param name fun(i: integer): string     of convolution i
function nets.chain(widths, name)
  local nodes, constants, at, c, conv = {}, {}, "x", 3, 0
  for i, w in ipairs(widths) do
    if w == "P" then
      nodes[#nodes + 1] = {op = "MaxPool", name = "pool" .. i, inputs = {at}, outputs = {"v" .. i},
                           attributes = {kernel_shape = {2, 2}, strides = {2, 2}}}
    else
      conv = conv + 1
      constants["w" .. i], constants["b" .. i] = filters(i, w, c, 3), biases(100 + i, w)
      nodes[#nodes + 1] = {op = "Conv", name = name(conv), inputs = {at, "w" .. i, "b" .. i}, outputs = {"c" .. i},
                           attributes = {pads = {1, 1, 1, 1}, kernel_shape = {3, 3}}}
      nodes[#nodes + 1] = {op = "Relu", name = "relu" .. i, inputs = {"c" .. i}, outputs = {"v" .. i}}
      c = w
    end
    at = "v" .. i
  end
  nodes[#nodes + 1] = {op = "GlobalAveragePool", name = "gap", inputs = {at}, outputs = {"g"}}
  nodes[#nodes + 1] = {op = "Flatten", name = "flat", inputs = {"g"}, outputs = {"f"}}
  nodes[#nodes + 1] = {op = "Gemm", name = "fc", inputs = {"f", "wf", "bf"}, outputs = {"y"}, attributes = {transB = 1}}
  constants.wf = lop.randn({5, c}, {seed = 99, type = "float32"}) * 0.2
  constants.bf = lop.randn({5}, {seed = 98, type = "float32"})
  return nodes, constants
end

local function graph(nodes, constants, size)
  return lop.graph {inputs = {{name = "x", shape = {"N", 3, size, size}}}, outputs = {"y"}, nodes = nodes,
                    constants = constants}
end

--- Three convolutions a, b, c.
function nets.plain()
  local nodes, constants = nets.chain({6, 8, "P", 10}, function(i) return ("abc"):sub(i, i) end)
  return graph(nodes, constants, 8)
end

--- A net with VGG-16's stages, an eighth as wide or less, its layers named without a hint.
function nets.vgg16()
  local nodes, constants = nets.chain({6, 6, "P", 8, 8, "P", 10, 10, 10, "P", 12, 12, 12, "P", 12, 12, 12, "P"},
                                      function(i) return "n" .. 17 * i % 19 end)
  return graph(nodes, constants, 32)
end

--- Residual blocks of two convolutions (three: bottlenecks), by stage; the first block of each stage but the first
--- halves the size and has a convolution beside.
---@param stages integer[]    blocks of each
---@param inner integer       channels within a block
---@param bottleneck boolean?
---@param change fun(name: string, w: lop.tensor, b: lop.tensor): lop.tensor, lop.tensor   of each convolution
function nets.residual(stages, inner, bottleneck, change)
  local nodes, constants, at, width, n = {}, {}, "x", 8, 0
  local function conv(name, from, c, w, k, stride)
    n = n + 1
    local f, b = filters(n, w, c, k), biases(200 + n, w)
    if change then f, b = change(name, f, b) end
    constants["w" .. n], constants["b" .. n] = f, b
    nodes[#nodes + 1] = {op = "Conv", name = name, inputs = {from, "w" .. n, "b" .. n}, outputs = {name .. ".o"},
                         attributes = {pads = {k // 2, k // 2, k // 2, k // 2}, strides = {stride, stride}}}
    return name .. ".o"
  end
  local function node(op, name, ...)
    nodes[#nodes + 1] = {op = op, name = name, inputs = {...}, outputs = {name .. ".o"}}
    return name .. ".o"
  end
  at = node("Relu", "stem.r", conv("stem", at, 3, width, 3, 1))
  for s, blocks in ipairs(stages) do
    for b = 1, blocks do
      local name, stride = ("s%d.%d"):format(s, b), s > 1 and b == 1 and 2 or 1
      local y = node("Relu", name .. ".ar", conv(name .. ".a", at, width, inner, bottleneck and 1 or 3, stride))
      if bottleneck then y = node("Relu", name .. ".br", conv(name .. ".b", y, inner, inner, 3, 1)) end
      y = conv(name .. ".z", y, inner, width, bottleneck and 1 or 3, 1)
      local beside = stride == 1 and at or conv(name .. ".side", at, width, width, 1, 2)
      at = node("Relu", name .. ".r", node("Add", name .. ".add", y, beside))
    end
  end
  at = node("Flatten", "flat", node("GlobalAveragePool", "gap", at))
  constants.wf, constants.bf = lop.randn({4, width}, {seed = 7, type = "float32"}), lop.zeros {4}
  nodes[#nodes + 1] = {op = "Gemm", name = "fc", inputs = {at, "wf", "bf"}, outputs = {"y"}, attributes = {transB = 1}}
  return graph(nodes, constants, 16)
end

--- Every second filter is the one before it, once more.
function nets.twins(t)
  local n = t:shape()[1]
  local list = {}
  for i = 1, n do list[i] = i - (i - 1) % 2 end
  return t:index(1, list)
end
local twins = nets.twins

--- An inverted residual with a gate (MobileNetV3): 12 hidden channels, of which every second is the one before it once
--- more, so that 6 say all; of the gate's 4 inner ones 2 do.
function nets.gated()
  local nodes, constants = {}, {}
  local function conv(name, from, w, attributes)
    constants[name .. ".w"], constants[name .. ".b"] = w, twins(biases(#nodes, w:shape()[1]))
    nodes[#nodes + 1] = {op = "Conv", name = name, inputs = {from, name .. ".w", name .. ".b"},
                         outputs = {name .. ".o"}, attributes = attributes}
    return name .. ".o"
  end
  local function node(op, name, ...)
    nodes[#nodes + 1] = {op = op, name = name, inputs = {...}, outputs = {name .. ".o"}}
    return name .. ".o"
  end
  local stem = node("Relu", "stem.r", conv("stem", "x", filters(1, 8, 3, 3), {pads = {1, 1, 1, 1}}))
  local x = node("Relu", "wide.r", conv("wide", stem, twins(filters(2, 12, 8, 1))))
  x = node("Relu", "deep.r", conv("deep", x, twins(filters(3, 12, 1, 3)), {pads = {1, 1, 1, 1}, group = 12}))
  local gate = node("Relu", "fc1.r", conv("fc1", node("GlobalAveragePool", "gap", x), twins(filters(4, 4, 12, 1))))
  gate = node("Sigmoid", "fc2.s", conv("fc2", gate, twins(filters(5, 12, 4, 1))))
  x = node("Add", "add", stem, conv("narrow", node("Mul", "mul", x, gate), filters(6, 8, 12, 1)))
  x = node("Flatten", "flat", node("GlobalAveragePool", "end", x))
  constants.wf, constants.bf = lop.randn({4, 8}, {seed = 7, type = "float32"}), lop.zeros {4}
  nodes[#nodes + 1] = {op = "Gemm", name = "fc", inputs = {x, "wf", "bf"}, outputs = {"y"}, attributes = {transB = 1}}
  return graph(nodes, constants, 16)
end

--- A chain whose middle layer b is gated by a 1x1 convolution g of itself (Mul): one group, which g reads and makes.
function nets.self_gated()
  local nodes, constants = nets.chain({5, 7, 6}, function(i) return ("abc"):sub(i, i) end)
  constants.wg, constants.bg = filters(50, 7, 7, 1), biases(51, 7)
  table.insert(nodes, 5, {op = "Conv", name = "g", inputs = {"v2", "wg", "bg"}, outputs = {"g0"}})
  table.insert(nodes, 6, {op = "Sigmoid", name = "gs", inputs = {"g0"}, outputs = {"g1"}})
  table.insert(nodes, 7, {op = "Mul", name = "gm", inputs = {"v2", "g1"}, outputs = {"g2"}})
  nodes[8].inputs[1] = "g2"
  return graph(nodes, constants, 8)
end

--- Random RGB pictures as a data set.
---@return string path        of an .npz; the caller removes it
function nets.pictures(images, size)
  local path = os.tmpname()
  lop.save_npz(path, {images = lop.randn({images, 3, size, size}, {seed = 9, type = "float32"})})
  return path
end

--- A recipe for lop.prune and lop.plan, with more of its keys.
function nets.recipe(path, more)
  local recipe = {preprocess = "none", calibrate = {data = "npz:" .. path, images = 60}}
  for key, value in pairs(more) do recipe[key] = value end
  return recipe
end

--- The first n numbers.
function nets.first(n)
  local list = {}
  for i = 1, n do list[i] = i end
  return list
end

--- Widths after pruning, by group.
function nets.widths(report)
  local widths = {}
  for _, l in ipairs(report.layers) do widths[l.name] = l.width_after end
  return widths
end

return nets

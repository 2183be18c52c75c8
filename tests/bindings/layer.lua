-- tests/bindings/layer.lua - made-up layers and nets for the specs: rows whose patches and targets are known, and small
-- ONNX files written field by field.

local lop = require "lop"

local layer = {}

local function float32(v) return (string.unpack("f", string.pack("f", v))) end

local function generator(state)
  return function()
    state = state * 6364136223846793005 + 1442695040888963407
    return (state >> 48) / 65536
  end
end

--- The rows of tests/golden/make_lasso.py: seed, channels, taps, filters, rows.
---@return lop.tensor x       float32 (rows, c, 1, taps)
---@return lop.tensor y       float32 (rows, n, 1, 1)
---@return lop.tensor w       float32 (n, c, 1, taps)
function layer.rows(seed, c, taps, n, rows)
  local draw, p = generator(seed), c * taps
  local w, x, y = {}, {}, {}
  for i = 1, n * p do w[i] = float32(draw() - 0.5) end
  for r = 0, rows - 1 do
    local shared = {draw(), draw(), draw()}
    for i = 0, p - 1 do x[r * p + i + 1] = float32(math.max(0, shared[i // taps % 3 + 1] + draw() - 0.75)) end
    for f = 0, n - 1 do
      local sum = draw()
      for i = 1, p do sum = sum + w[f * p + i] * x[r * p + i] end
      y[r * n + f + 1] = float32(math.floor(sum * 4096) / 4096)
    end
  end
  return lop.tensor(x, "float32"):reshape {rows, c, 1, taps}, lop.tensor(y, "float32"):reshape {rows, n, 1, 1},
    lop.tensor(w, "float32"):reshape {n, c, 1, taps}
end

--- Statistics of those rows.
---@param about table?        more of what lop.stats takes
function layer.stats(seed, c, taps, n, rows, about)
  local x, y, w = layer.rows(seed, c, taps, n, rows)
  local known = {kernel = {1, taps}, weight = w}
  for key, value in pairs(about or {}) do known[key] = value end
  local s = lop.stats(c, taps, n, known)
  s:add(x, y)
  return s, x, y, w
end

-- ---- ONNX, as protobuf: field numbers of onnx.proto ----

local function varint(v)
  local out = {}
  repeat
    out[#out + 1] = string.char(v & 127 | (v > 127 and 128 or 0))
    v = v >> 7
  until v == 0
  return table.concat(out)
end

local function int(field, v) return varint(field << 3) .. varint(v) end
local function bytes(field, s) return varint(field << 3 | 2) .. varint(#s) .. s end

local function each(field, list)
  local out = {}
  for i, v in ipairs(list) do out[i] = type(v) == "string" and bytes(field, v) or int(field, v) end
  return table.concat(out)
end

local function tensor(name, t)
  local flat, raw = t:reshape {t:size()}:totable(), {}
  for i, v in ipairs(flat) do raw[i] = string.pack("<f", v) end
  return each(1, t:shape()) .. int(2, 1) .. bytes(8, name) .. bytes(9, table.concat(raw))
end

local function value(name, shape)
  local dims = {}
  for i, d in ipairs(shape) do dims[i] = bytes(1, type(d) == "string" and bytes(2, d) or int(1, d)) end
  return bytes(1, name) .. bytes(2, bytes(1, int(1, 1) .. bytes(2, table.concat(dims))))
end

-- An attribute: an integer, or a list of integers.
local function attribute(name, v)
  if type(v) == "table" then return bytes(1, name) .. each(8, v) .. int(20, 7) end
  return bytes(1, name) .. int(3, v) .. int(20, 2)
end

--- The bytes of a model. nodes: {op, name, {inputs}, output, {attribute = value}}; constants: name to float32 tensor.
function layer.onnx(input, output, nodes, constants)
  local graph, names = {}, {}
  for _, n in ipairs(nodes) do
    local body, keys = each(1, n[3]) .. bytes(2, n[4]) .. bytes(3, n[2]) .. bytes(4, n[1]), {}
    for key in pairs(n[5] or {}) do keys[#keys + 1] = key end
    table.sort(keys)
    for _, key in ipairs(keys) do body = body .. bytes(5, attribute(key, n[5][key])) end
    graph[#graph + 1] = bytes(1, body)
  end
  for name in pairs(constants) do names[#names + 1] = name end
  table.sort(names)
  graph[#graph + 1] = bytes(2, "net")
  for _, name in ipairs(names) do graph[#graph + 1] = bytes(5, tensor(name, constants[name])) end
  graph[#graph + 1] = bytes(11, value(table.unpack(input))) .. bytes(12, value(table.unpack(output)))
  return int(1, 7) .. bytes(7, table.concat(graph)) .. bytes(8, bytes(1, "") .. int(2, 13))
end

local function weights(seed, ...)
  return lop.randn({...}, {seed = seed, type = "float32"}) * 0.3
end

--- A net whose middle layer reads two groups of channels (a Concat of 6 and 4), with a batch normalisation behind one.
function layer.concat_net()
  local nodes = {
    {"Conv", "stem", {"x", "w0", "b0"}, "s0", {kernel_shape = {3, 3}, pads = {1, 1, 1, 1}}},
    {"Relu", "r0", {"s0"}, "s"},
    {"Conv", "left", {"s", "w1", "b1"}, "l0", {kernel_shape = {1, 1}}},
    {"BatchNormalization", "bn", {"l0", "gamma", "beta", "mean", "var"}, "l1"}, {"Relu", "r1", {"l1"}, "l"},
    {"Conv", "right", {"s", "w2", "b2"}, "q0", {kernel_shape = {3, 3}, pads = {1, 1, 1, 1}}},
    {"Relu", "r2", {"q0"}, "q"}, {"Concat", "join", {"l", "q"}, "j", {axis = 1}},
    {"Conv", "tail", {"j", "w3", "b3"}, "t0", {kernel_shape = {3, 3}}}, {"Relu", "r3", {"t0"}, "t"},
    {"GlobalAveragePool", "pool", {"t"}, "g"}, {"Flatten", "flat", {"g"}, "f"},
    {"Gemm", "fc", {"f", "w4", "b4"}, "y", {transB = 1}},
  }
  return lop.load_bytes(layer.onnx({"x", {"N", 3, 8, 8}}, {"y", {"N", 4}}, nodes, {
    w0 = weights(1, 5, 3, 3, 3), b0 = weights(2, 5), w1 = weights(3, 6, 5, 1, 1), b1 = weights(4, 6),
    gamma = lop.tensor({1, -2, 0.5, 1.5, -0.1, 0.8}, "float32"), beta = weights(5, 6), mean = weights(6, 6),
    var = lop.tensor({1, 1, 2, 0.5, 1, 1}, "float32"), w2 = weights(7, 4, 5, 3, 3), b2 = weights(8, 4),
    w3 = weights(9, 8, 10, 3, 3), b3 = weights(10, 8), w4 = weights(11, 4, 8), b4 = weights(12, 4)}))
end

--- A data set of random pictures for it.
---@return string path        of an .npz; the caller removes it
function layer.pictures(images)
  local path = os.tmpname()
  lop.save_npz(path, {images = lop.rand({images, 3, 8, 8}, {seed = 9, type = "float32"})})
  return path
end

return layer

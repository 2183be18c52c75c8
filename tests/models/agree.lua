-- tests/models/agree.lua FOLDER NAME - holds NAME.onnx against NAME.out.npy, and against itself after a round trip.
local folder, name = arg[1], arg[2]
local path = folder .. "/" .. name
local x, want = lop.load_npy(path .. ".in.npy"), lop.load_npy(path .. ".out.npy")
local net = lop.load(path .. ".onnx")
local got = net:forward(x)

local function furthest(a, b)
  local d = a - b
  return math.max(d:max(), -d:min())
end

local largest = math.max(1, want:max(), -want:min())
local difference = furthest(got, want)
print(("%s: %d layers, largest difference %.2g of %.3g"):format(name, #net:layers(), difference, largest))
assert(difference <= 1e-4 * largest, "too far from torch")

-- The same graph: names, operators, attributes (by what they compute), metadata.
local again_path = path .. ".again.onnx"
net:save(again_path)
local again = lop.load(again_path)
local a, b = net:layers(), again:layers()
assert(#a == #b, "another number of layers")
for i, layer in ipairs(a) do
  assert(layer.name == b[i].name and layer.op == b[i].op, "layer " .. layer.name .. " changed")
  for _, side in ipairs {"inputs", "outputs"} do
    assert(#layer[side] == #b[i][side], layer.name)
    for k, v in ipairs(layer[side]) do assert(v.name == b[i][side][k].name, "value " .. v.name .. " changed") end
  end
end
assert(furthest(got, again:forward(x)) == 0, "the round trip changed the output")
local second = path .. ".second.onnx"
again:save(second)
local function bytes_of(file)
  local f = assert(io.open(file, "rb"))
  local text = f:read("a")
  f:close()
  return text
end
assert(bytes_of(again_path) == bytes_of(second), "a second round trip is another file")

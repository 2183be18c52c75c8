-- bindings/lua/lop/verbs/zoo.lua - lop zoo: published architectures, with seeded random weights.

local core = require "lop.core"
local json = require "lop.json"
local lop = require "lop"

local function list(out)
  local rows, nets = {{"name", "pictures", "classes", "what"}}, json.array {}
  for i, net in ipairs(lop.zoo.list()) do
    rows[#rows + 1] = {net.name, ("%dx%d"):format(net.size, net.size), net.classes, net.summary}
    nets[i] = {name = net.name, size = net.size, classes = net.classes, summary = net.summary}
  end
  out:columns_of(rows)
  out:document({nets = nets})
end

local function make(name, opts)
  local ok, net = pcall(lop.zoo, name, {seed = opts.seed, size = opts.size, classes = opts.classes})
  if ok then return net end
  if type(net) == "table" and net.code == "arg" then
    local small = net.message:match "^layer '" and opts.size and (" (--size %d: larger)"):format(opts.size) or ""
    core.fail("usage", "zoo: " .. net.message .. small)
  end
  error(net, 0)
end

return {
  summary = "an architecture with seeded random weights; without NAME, the list of them",
  usage = "zoo [NAME [-o OUT.onnx]]",
  text = "The weights have learnt nothing: such nets are for tests, timings, plans, and training from the start.",
  positional = {"NAME"},
  least = 0,
  options = {
    "output",
    "seed",
    {name = "size", type = "integer", value = "S", min = 1, help = "side of the pictures (see the list)"},
    {name = "classes", type = "integer", value = "N", min = 1, help = "outputs (see the list)"},
    {name = "external", type = "flag", help = "weights of 1024 bytes and more in OUT.onnx.data (past 2 GiB always)"},
  },
  run = function(opts, args, out)
    if not args[1] then
      if opts.output then core.fail("usage", "zoo: NAME is missing (lop zoo lists them)") end
      list(out)
      return 0
    end
    local path = opts.output or args[1] .. ".onnx"
    core.system.check_place(path)
    if opts.external then core.system.check_place(path .. ".data") end
    local net = make(args[1], opts)
    net:save(path, {external = opts.external})
    local macs, params = net:macs(), net:params()
    out:line("%s  %d MACs, %d params", path, macs, params)
    out:document({model = path, macs = macs, params = params, seed = opts.seed})
    return 0
  end,
}

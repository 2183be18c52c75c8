-- bindings/lua/lop/verbs/exec.lua - lop exec: runs a model on .npy inputs and writes its outputs as .npy.

local core = require "lop.core"
local json = require "lop.json"
local lop = require "lop"

-- PREFIX.npy for one output, PREFIX_0.npy, PREFIX_1.npy ... for several.
local function file_of(prefix, i, count)
  return count == 1 and prefix .. ".npy" or ("%s_%d.npy"):format(prefix, i - 1)
end

return {
  summary = "run a model on .npy files; outputs as .npy",
  usage = "exec MODEL --input FILE.npy ... [-o PREFIX]",
  positional = {"MODEL"},
  options = {
    {name = "input", type = "string", value = "FILE", repeated = true,
     help = "a .npy file; one for each input, in order"},
    "output",
  },
  run = function(opts, args, out)
    local files = opts.input or {}
    if type(files) ~= "table" then files = {files} end
    if #files == 0 then core.fail("usage", "exec: --input FILE.npy is missing") end
    local net = lop.load(args[1])
    local inputs = {}
    for i, file in ipairs(files) do inputs[i] = lop.load_npy(file) end
    local results = table.pack(pcall(net.forward, net, table.unpack(inputs)))
    if not table.remove(results, 1) then
      local e = results[1]
      if type(e) == "table" and e.code then core.fail(e.code, args[1] .. ": " .. e.message) end
      error(e, 0)
    end
    results.n = results.n - 1
    local listed = json.array {}
    for i, value in ipairs(net:outputs()) do
      local t, file = results[i], file_of(opts.output or "output", i, results.n)
      t:save_npy(file)
      listed[i] = {name = value.name, shape = json.array(t:shape()), file = file}
      out:line("%s  %s  %s", value.name, table.concat(t:shape(), "x"), file)
    end
    out:document({outputs = listed})
    return 0
  end,
}

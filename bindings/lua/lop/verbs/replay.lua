-- bindings/lua/lop/verbs/replay.lua - lop replay: a run done again from its run.json, and compared with what it gave.

local carry = require "lop.runs.carry"
local core = require "lop.core"
local differ = require "lop.runs.differ"
local folders = require "lop.runs.folder"
local record = require "lop.runs.record"

-- A folder that is not there yet, for a run that nobody keeps.
local function spare_folder()
  local name = os.tmpname()
  core.system.remove_file(name)
  return name .. ".lop"
end

-- What the folder holds now is what its record says.
local function check_outputs(was, folder)
  for name, sha256 in pairs(was.outputs) do
    local path = folder .. "/" .. name
    if not core.system.kind(path) then core.fail("notfound", path .. ": no such file, its run.json has it") end
    if core.system.sha256_file(path) ~= sha256 then
      core.fail("difference", path .. ": is not what its run.json says: changed since the run")
    end
  end
end

-- The same files as then, or an end: another model or other data would be another run.
local function check_inputs(was, now)
  local known = {}
  for _, input in ipairs(now.inputs) do known[input.what .. input.sha256] = true end
  for _, input in ipairs(was.inputs) do
    if not known[input.what .. input.sha256] then
      core.fail("difference", ("%s: is not the file of the run (%s)"):format(tostring(input.path), input.what))
    end
  end
end

return {
  summary = "do a run again from its run.json and compare: exit status 3 where anything but times differs",
  usage = "replay DIR [-o DIR]",
  text = "With -o the new run is kept. The same version, CPU path (LOP_CPU) and BLAS core give the same bytes.",
  positional = {"DIR"},
  options = {"output", "trust", "memory", "scratch"},
  run = function(opts, args, out)
    local was, folder = record.of(args[1])
    check_outputs(was, folder)
    local request, into = carry.again(was, {}, opts.trust), opts.output or spare_folder()
    local ok, e = pcall(carry.out, request, into, out, {
      memory = opts.memory, scratch = opts.scratch, times = (was.result.budget or {}).times,
      check = function(now) check_inputs(was, now) end,
    })
    local now = ok and record.of(into)
    if not opts.output then
      folders.clear(into)
      core.system.remove_file(into)
    end
    if not ok and e.code == "interrupted" and not opts.output then core.fail(e.code, "interrupted") end
    if not ok then error(e, 0) end
    return differ.show(differ.list(was, now), differ.causes(was, now), {args[1], opts.output or "replay"}, out)
  end,
}

-- bindings/lua/lop/verbs/diff.lua - lop diff: in what two runs differ.

local differ = require "lop.runs.differ"
local record = require "lop.runs.record"

return {
  summary = "in what two runs differ: inputs, recipe, choices, figures, bytes of the result; not in times",
  usage = "diff DIR DIR",
  text = "Exit status 3 tells of a difference. Version, CPU path and BLAS are told of on stderr and are none.",
  positional = {"DIR", "DIR"},
  run = function(_, args, out)
    local a, b = record.of(args[1]), record.of(args[2])
    return differ.show(differ.list(a, b), differ.causes(a, b), args, out)
  end,
}

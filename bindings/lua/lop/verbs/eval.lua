-- bindings/lua/lop/verbs/eval.lua - lop eval: top-1 and top-5 of a classifier on a labelled data set.

local core = require "lop.core"
local evaluate = require "lop.evaluate"
local json = require "lop.json"
local lop = require "lop"

return {
  summary = "top-1 and top-5 of a model on a labelled data set",
  usage = "eval MODEL --data SPEC [--preprocess P] [--images N]",
  positional = {"MODEL"},
  options = {"data", "preprocess", "images", "seed"},
  run = function(opts, args, out)
    if not opts.data then
      core.fail("usage", "eval: --data KIND:PATH is missing (KIND mnist, cifar10, images, npz)")
    end
    local net = lop.load(args[1])
    local how = opts.preprocess or net:meta("lop.preprocess")
    local set = evaluate.open(net, opts.data, {preprocess = how, split = "test"}, out)
    if opts.images and opts.images < #set then set = set:take(opts.images, opts.seed or 0) end
    evaluate.check_fit(net, args[1], set, opts.data)
    if not set.labelled then core.fail("format", opts.data .. ": has no labels to compare with") end
    local began = core.system.seconds()
    local result = evaluate.run(net, set, out:progress())
    result.seconds = core.system.seconds() - began
    json.array(result.per_class)
    out:line("%d images: top-1 %.2f %%, top-5 %.2f %%", result.images, result.top1, result.top5)
    if opts.verbose then
      for class, share in ipairs(result.per_class) do out:line("class %d: %.2f %%", class - 1, share) end
    end
    out:document(result)
    return 0
  end,
}

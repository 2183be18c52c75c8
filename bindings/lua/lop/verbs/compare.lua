-- bindings/lua/lop/verbs/compare.lua - lop compare: two models on the same pictures.

local check = require "lop.check"
local core = require "lop.core"
local evaluate = require "lop.evaluate"
local lop = require "lop"
local timing = require "lop.budget.timing"

local SERIES = 3                        -- of times, where the first would say that a smaller net is no faster

local function milliseconds(net)
  local runs = lop.time(net, {repeats = 10})
  table.sort(runs)
  return 1e3 * runs[5]
end

-- Both times; and the line that says so where fewer MACs save none, which no busy moment of the machine may say.
local function times_of(a, b)
  local ms_a, ms_b, word = math.huge, math.huge, nil
  for _ = 1, SERIES do
    ms_a, ms_b = math.min(ms_a, milliseconds(a)), math.min(ms_b, milliseconds(b))
    word = timing.word(a:macs(), b:macs(), ms_a, ms_b)
    if not word then break end
  end
  return ms_a, ms_b, word
end

return {
  summary = "agreement, divergence, accuracy, MACs and time of two models",
  usage = "compare MODEL MODEL --data SPEC [--preprocess P] [--images N]",
  positional = {"MODEL", "MODEL"},
  options = {"data", "preprocess", "images", "seed"},
  run = function(opts, args, out)
    if not opts.data then
      core.fail("usage", "compare: --data KIND:PATH is missing (KIND mnist, cifar10, images, npz)")
    end
    local a, b = lop.load(args[1]), lop.load(args[2])
    local how = opts.preprocess or a:meta("lop.preprocess") or b:meta("lop.preprocess")
    local set = evaluate.open(a, opts.data, {preprocess = how, split = "test"}, out)
    if opts.images and opts.images < #set then set = set:take(opts.images, opts.seed or 0) end
    evaluate.check_fit(a, args[1], set, opts.data)
    evaluate.check_fit(b, args[2], set, opts.data)
    local first, agree, worst, apart, right_a, right_b, labelled = {}, 0, 0, 0, 0, 0, false
    check.of_file(args[1], evaluate.each, a, set, function(scores, _, i) first[i] = scores end, out:progress())
    check.of_file(args[2], evaluate.each, b, set, function(scores, label, i)
      local mine = first[i]
      if #mine ~= #scores then core.fail("shape", ("outputs of %d and %d numbers"):format(#mine, #scores)) end
      for c, s in ipairs(scores) do worst = math.max(worst, math.abs(s - mine[c])) end
      apart = apart + evaluate.divergence(mine, scores)
      local above_a, best_a = evaluate.rank(mine, label)
      local above_b, best_b = evaluate.rank(scores, label)
      if best_a == best_b then agree = agree + 1 end
      if label then
        labelled = true
        right_a, right_b = right_a + (above_a == 0 and 1 or 0), right_b + (above_b == 0 and 1 or 0)
      end
    end, out:progress())
    local r = {images = #set, agreement = 100 * agree / #set, max_abs_diff = worst, kl = apart / #set,
               macs_a = a:macs(),
               macs_b = b:macs(), params_a = a:params(), params_b = b:params()}
    r.ms_a, r.ms_b, r.hint = times_of(a, b)
    if labelled then r.top1_a, r.top1_b = 100 * right_a / #set, 100 * right_b / #set end
    out:line("%d images: %.2f %% agree, largest difference %.3g, KL divergence %.3g", r.images, r.agreement,
             r.max_abs_diff, r.kl)
    if labelled then out:line("top-1  %.2f %% and %.2f %%", r.top1_a, r.top1_b) end
    out:line("MACs   %d and %d (%.2fx)", r.macs_a, r.macs_b, r.macs_a / r.macs_b)
    out:line("params %d and %d", r.params_a, r.params_b)
    out:line("ms     %.3f and %.3f an image", r.ms_a, r.ms_b)
    if r.hint then out:line("%s", r.hint) end
    out:document(r)
    return 0
  end,
}

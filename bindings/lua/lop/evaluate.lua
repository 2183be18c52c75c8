-- bindings/lua/lop/evaluate.lua - how often a classifier is right.

local core = require "lop.core"

local CHUNK, BYTES = 250, 64 << 20      -- images a run at most, and bytes of them: bound memory, change no result

-- Whether the label is among the k best of the scores, ties to the lower class; and the best class.
local function rank(scores, label)
  local above, best = 0, 1
  for i, s in ipairs(scores) do
    if s > scores[best] then best = i end
    if label and (s > scores[label + 1] or (s == scores[label + 1] and i < label + 1)) then above = above + 1 end
  end
  return above, best - 1
end

local evaluate = {}

-- The net's first input, or nil where its sizes are free.
local function input_of(net)
  local ok, inputs = pcall(net.inputs, net)
  return ok and inputs[1] or nil
end

--- Opens a data set for a net: pictures are made to fit what it reads, unless the spec has a size. What was passed over
--- is told.
---@param spec string
---@param opts {preprocess: string?, split: string?}
---@param out table           lop.program.output
function evaluate.open(net, spec, opts, out)
  local input = input_of(net)
  local set = core.data(spec, {preprocess = opts.preprocess, split = opts.split, input = input and input.shape})
  for _, line in ipairs(set.notes) do out:note("%s", line) end
  return set
end

--- Refuses pictures that are not of the size that a net reads, and a net for batches of one size.
---@param model string        its file, for the message
---@param spec string         of the data set
function evaluate.check_fit(net, model, set, spec)
  local input, got = input_of(net), table.move(set.shape, 1, 3, 2, {1})
  local want = input and input.shape or got
  if math.type(want[1]) == "integer" and want[1] > 1 then
    core.fail("shape", ("%s: input '%s' takes %d images at a time, no more and no fewer: export it with a free first "
              .. "dimension, or one of 1"):format(model, input.name, want[1]))
  end
  for d = 2, math.max(#got, #want) do
    if got[d] ~= want[d] then
      core.fail("shape", ("%s: input '%s' is %s, the pictures of %s are %s: other data, or another model"):format(model,
                input.name, table.concat(want, "x", 2), spec, table.concat(got, "x", 2)))
    end
  end
end

-- Images a run, by their size.
local function chunk_of(set)
  local shape = set.shape
  return math.max(1, math.min(CHUNK, BYTES // (4 * shape[1] * shape[2] * shape[3])))
end

-- Logarithms of probabilities: of scores as they are, or of what a softmax made already.
local function logarithms(scores)
  local sum, most, least = 0, -math.huge, math.huge
  for _, s in ipairs(scores) do sum, most, least = sum + s, math.max(most, s), math.min(least, s) end
  local logs = {}
  if #scores > 1 and least >= 0 and math.abs(sum - 1) < 1e-3 then
    for i, s in ipairs(scores) do logs[i] = math.log(math.max(s, 1e-38)) end         -- float32's least
    return logs
  end
  local all = 0
  for _, s in ipairs(scores) do all = all + math.exp(s - most) end
  for i, s in ipairs(scores) do logs[i] = s - most - math.log(all) end
  return logs
end

--- How far the second net's classes are from the first's on one picture: the Kullback-Leibler divergence of the
--- softmax of the scores, in nats.
---@param a number[]
---@param b number[]
---@return number
function evaluate.divergence(a, b)
  local p, q, sum = logarithms(a), logarithms(b), 0
  for i, log in ipairs(p) do sum = sum + math.exp(log) * (log - q[i]) end
  return sum
end

--- Calls each(scores, label, number) for every image of the set, in order.
---@param net lop.net
---@param set lop.data
---@param each fun(scores: number[], label: integer?, number: integer)
---@param progress fun(what: string, done: integer, total: integer)?
function evaluate.each(net, set, each, progress)
  for first, x, labels in set:batches(chunk_of(set)) do
    local y, n = net:forward(x), x:shape()[1]
    x:close()
    local rows = y:reshape {n, y:size() // n}:totable()
    for i, scores in ipairs(rows) do
      if labels and labels[i] >= #scores then
        core.fail("shape", ("image %d is of class %d, the model knows %d classes"):format(first + i - 1, labels[i],
                  #scores))
      end
      each(scores, labels and labels[i], first + i - 1)
    end
    if progress then progress("evaluate", first + n - 1, #set) end
  end
end

evaluate.rank = rank

--- Top-1 and top-5 in percent, and top-1 of each class that occurs.
---@return {images: integer, top1: number, top5: number, per_class: number[]}
function evaluate.run(net, set, progress)
  local one, five, right, seen = 0, 0, {}, {}
  evaluate.each(net, set, function(scores, label)
    if not label then error("the data set has no labels", 0) end
    local above = rank(scores, label)
    seen[label + 1] = (seen[label + 1] or 0) + 1
    if above == 0 then
      one = one + 1
      right[label + 1] = (right[label + 1] or 0) + 1
    end
    if above < 5 then five = five + 1 end
  end, progress)
  local per_class = {}
  for class = 1, set.classes do
    per_class[class] = seen[class] and 100 * (right[class] or 0) / seen[class] or 0
  end
  return {images = #set, top1 = 100 * one / #set, top5 = 100 * five / #set, per_class = per_class}
end

return evaluate

-- recipes/paper/boxes.lua - what a detector with outputs scores (1, n, 2: background, face) and boxes (1, n, 4: two
-- corners, as shares of the picture) finds, and how much of it another one finds, too.

local boxes = {}

--- As such detectors read pictures.
boxes.preprocess = "mean=127&std=128&order=rgb"

local SURE, SAME = 0.7, 0.5             -- least score of a face; overlap from which on two boxes are of one

local function iou(p, q)
  local w, h = math.min(p[3], q[3]) - math.max(p[1], q[1]), math.min(p[4], q[4]) - math.max(p[2], q[2])
  if w <= 0 or h <= 0 then return 0 end
  local function area(r) return (r[3] - r[1]) * (r[4] - r[2]) end
  return w * h / (area(p) + area(q) - w * h)
end

--- The faces in what a net gave: sure ones, without those that overlap a surer one.
---@param scores lop.tensor
---@param places lop.tensor
---@return {score: number, i: integer, box: number[]}[]   the surest first
function boxes.faces(scores, places)
  local s, r, found, kept = scores:totable()[1], places:totable()[1], {}, {}
  for i, score in ipairs(s) do
    if score[2] > SURE then found[#found + 1] = {score = score[2], i = i, box = r[i]} end
  end
  table.sort(found, function(p, q) return p.score > q.score or (p.score == q.score and p.i < q.i) end)
  for _, f in ipairs(found) do
    local apart = true
    for _, k in ipairs(kept) do apart = apart and iou(f.box, k.box) <= SAME end
    if apart then kept[#kept + 1] = f end
  end
  return kept
end

--- How many faces of the one list have one of their own in the other, the surest first.
function boxes.matched(first, second)
  local taken, count = {}, 0
  for _, f in ipairs(first) do
    local best, at = SAME, nil
    for k, g in ipairs(second) do
      local overlap = taken[k] and 0 or iou(f.box, g.box)
      if overlap > best then best, at = overlap, k end
    end
    if at then taken[at], count = true, count + 1 end
  end
  return count
end

-- Sums over all entries of a pair of outputs: of the squared difference, and what the first one's variance is made of.
local function add_error(sums, y, z)
  local d = y - z
  sums.error = (sums.error or 0) + (d * d):sum()
  sums.count, sums.one = (sums.count or 0) + y:size(), (sums.one or 0) + y:sum()
  sums.two = (sums.two or 0) + (y * y):sum()
end

local function relative(sums)
  return sums.error / (sums.two - sums.one ^ 2 / sums.count)
end

--- Two detectors on pictures.
---@return {before: integer, same: integer, extra: integer, loss: number}   faces that the first finds, those of them
---                           that the second finds, those that it finds beside; squared error over variance of what the
---                           second gives, mean over both outputs
function boxes.compare(first, second, set)
  local sum, off = {before = 0, same = 0, extra = 0}, {{}, {}}
  for i = 1, #set do
    local x = set:batch(i, 1)
    local s, b = first:forward(x)
    local t, c = second:forward(x)
    local before, after = boxes.faces(s, b), boxes.faces(t, c)
    local same = boxes.matched(before, after)
    sum.before, sum.same, sum.extra = sum.before + #before, sum.same + same, sum.extra + #after - same
    add_error(off[1], s, t)
    add_error(off[2], b, c)
  end
  sum.loss = (relative(off[1]) + relative(off[2])) / 2
  return sum
end

return boxes

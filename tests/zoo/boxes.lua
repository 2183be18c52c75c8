-- tests/zoo/boxes.lua A.onnx B.onnx FACES - the faces that two detectors with outputs scores (1, n, 2) and boxes
-- (1, n, 4) find in pictures: score > 0.7, then non-maximum suppression at IoU 0.5. Prints how many of A's boxes B has,
-- at IoU > 0.5, each of B's standing for one of A's at most, and how many B has beside; exit 1 where that is under 90 %
-- of A's, or over 10 %.
local a, b, folder = lop.load(arg[1]), lop.load(arg[2]), arg[3]

local function iou(p, q)
  local w, h = math.min(p[3], q[3]) - math.max(p[1], q[1]), math.min(p[4], q[4]) - math.max(p[2], q[2])
  if w <= 0 or h <= 0 then return 0 end
  local function area(r) return (r[3] - r[1]) * (r[4] - r[2]) end
  return w * h / (area(p) + area(q) - w * h)
end

local function faces(net, x)
  local scores, boxes = net:forward(x)
  local s, r, found, kept = scores:totable()[1], boxes:totable()[1], {}, {}
  for i, score in ipairs(s) do
    if score[2] > 0.7 then found[#found + 1] = {score = score[2], i = i, box = r[i]} end
  end
  table.sort(found, function(p, q) return p.score > q.score or (p.score == q.score and p.i < q.i) end)
  for _, f in ipairs(found) do
    local apart = true
    for _, k in ipairs(kept) do apart = apart and iou(f.box, k.box) <= 0.5 end
    if apart then kept[#kept + 1] = f end
  end
  return kept
end

local set = lop.data("images:" .. folder .. "?fit=stretch",
                     {preprocess = "mean=127&std=128&order=rgb", input = a:inputs()[1].shape})
-- How many boxes of the one list have a box of their own in the other, the surest first.
local function matched(first, second)
  local taken, count = {}, 0
  for _, f in ipairs(first) do
    local best, at = 0.5, nil
    for k, g in ipairs(second) do
      local overlap = taken[k] and 0 or iou(f.box, g.box)
      if overlap > best then best, at = overlap, k end
    end
    if at then taken[at], count = true, count + 1 end
  end
  return count
end

local before, same, extra = 0, 0, 0
for i = 1, #set do
  local x = set:batch(i, 1)
  local first, second = faces(a, x), faces(b, x)
  local count = matched(first, second)
  before, same, extra = before + #first, same + count, extra + #second - count
end
local function percent(count) return 100 * count / before end
print(("%d faces before, %d of them found (%.1f %%), %d others (%.1f %%)"):format(before, same, percent(same), extra,
                                                                               percent(extra)))
os.exit(before > 0 and same >= 0.9 * before and extra <= 0.1 * before)

-- tests/zoo/boxes.lua A.onnx B.onnx FACES - the faces that two detectors with outputs scores (1, n, 2) and boxes
-- (1, n, 4) find in pictures: score > 0.7, then non-maximum suppression at IoU 0.5. Prints how many of A's boxes B has,
-- at IoU > 0.5, each of B's standing for one of A's at most, and how many B has beside; exit 1 where that is under 90 %
-- of A's, or over 10 %.
local boxes = dofile((arg[0]:match("^(.*/)") or "") .. "../../recipes/paper/boxes.lua")
local a, b = lop.load(arg[1]), lop.load(arg[2])
local set = lop.data("images:" .. arg[3] .. "?fit=stretch",
                     {preprocess = boxes.preprocess, input = a:inputs()[1].shape})
local sum = boxes.compare(a, b, set)
local function percent(count) return 100 * count / sum.before end
print(("%d faces before, %d of them found (%.1f %%), %d others (%.1f %%)"):format(sum.before, sum.same,
      percent(sum.same), sum.extra, percent(sum.extra)))
os.exit(sum.before > 0 and sum.same >= 0.9 * sum.before and sum.extra <= 0.1 * sum.before)

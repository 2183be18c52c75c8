-- recipes/paper/detector.lua - which settings of recipes/ultraface.lua lose least? Each pair of positions and of what
-- may be cut prunes the detector on a part of the photographs, and is judged on those that had no part in that: by the
-- error of scores and boxes, which picks, and by the faces that are still found. No face is labelled, and the pictures
-- on which the recipe is judged in the end are not among these.
-- lop recipes/paper/detector.lua model=version-RFB-320.onnx data=images:PHOTOS [KEY=VALUE ...]

local folder = arg and arg[0]:match("^(.*/)") or ""
assert(arg, "a script, not a recipe: lop recipes/paper/detector.lua KEY=VALUE ...")
local common, boxes = dofile(folder .. "common.lua"), dofile(folder .. "boxes.lua")
local core = require "lop.core"
local job = require "lop.job"
local output = require "lop.program.output"
local schema = require "lop.schema"

local set = common.settings(arg, {
  model = "models/ultraface.onnx", data = "images:data/photos", images = 250, seed = 0, speedup = 1.5,
  cuts = {"width", "width+rank"}, positions = {"auto", "100"}, out = "detector-study",
})

local net, quiet = lop.load(set.model), output.new {quiet = true}
local columns, rows = {"cuts", "positions", "macs", "pictures", "loss", "faces", "found", "others"}, {}

for _, cuts in ipairs(set.cuts) do
  for _, positions in ipairs(set.positions) do
    local recipe = schema.check {
      model = set.model, preprocess = boxes.preprocess, seed = set.seed, budget = {speedup = set.speedup},
      calibrate = {data = set.data .. "?fit=stretch", images = set.images,
                   positions = math.tointeger(tonumber(positions)) or positions},
      cuts = common.words(cuts, "+"),
    }
    local opened = job.open(recipe, quiet, net)
    local unseen = opened.whole:without(opened.set):without(opened.held)
    if #unseen == 0 then core.fail("arg", set.data .. ": no pictures are left to judge on: fewer images") end
    local small <close> = job.run(recipe, quiet, opened)
    local sum = boxes.compare(net, small, unseen)
    rows[#rows + 1] = {cuts = cuts, positions = positions, macs = small:macs(), pictures = #unseen, loss = sum.loss,
                       faces = sum.before, found = sum.same, others = sum.extra}
    common.write(set.out, "detector", columns, rows, {settings = set})
    io.stderr:write(("%s, positions %s: loss %.4g\n"):format(cuts, positions, sum.loss))
  end
end
common.show(columns, rows)
local best = rows[1]
for _, row in ipairs(rows) do best = row.loss < best.loss and row or best end
print(("least loss: cuts %s, positions %s"):format(best.cuts, best.positions))

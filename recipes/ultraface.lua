-- recipes/ultraface.lua - the face detector of 1 MB (RFB-320), a third of its multiply-adds less. A detector has no
-- top-1: what tells is whether the pruned net finds the same faces, lop tests/zoo/boxes.lua MODEL SMALL FACES. Any
-- photographs will do to calibrate, as many as there are; such with faces are better. It is a narrow net: factoring its
-- convolutions loses less than narrowing them alone, and so do more positions than lop takes by itself (on photographs
-- kept back from calibration: recipes/paper/detector.lua).
-- lop run recipes/ultraface.lua model=version-RFB-320.onnx data=images:PHOTOS
return {
  model      = lop.arg("model", "models/ultraface.onnx"),
  preprocess = "mean=127&std=128&order=rgb",
  calibrate  = {data = lop.arg("data", "images:data/faces") .. "?fit=stretch", -- as it was trained: whatever the aspect
                images = lop.arg("images", 1000), positions = lop.arg("positions", 100)},
  cuts       = {"width", "rank"},
  budget     = {speedup = lop.arg("speedup", 1.5)},
}

-- recipes/densenet.lua - DenseNet-121 at two thirds of its multiply-adds: the width between the 1x1 and the 3x3 of each
-- layer. What a layer adds to its block is read by all layers behind it.
-- lop run recipes/densenet.lua model=densenet121.onnx data=images:ILSVRC2012/train test=images:ILSVRC2012/val
local test = lop.arg("test")
return {
  model      = lop.arg("model", "models/densenet121.onnx"),
  preprocess = lop.arg("preprocess", "imagenet"),
  calibrate  = {data = lop.arg("data", "images:data/imagenet/train"), images = lop.arg("images", 250)},
  evaluate   = test and {data = test} or nil,           -- labelled pictures
  budget     = {speedup = lop.arg("speedup", 1.5)},
  allocate   = "error",                                 -- some 60 groups: losses at the outputs take hours
}

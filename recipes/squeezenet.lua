-- recipes/squeezenet.lua - SqueezeNet with a fifth fewer multiply-adds. A net this compact has little to give: at 1.2x
-- the choice of channels matters more than anywhere else, so swaps follow the elimination.
-- lop run recipes/squeezenet.lua model=squeezenet.onnx data=images:ILSVRC2012/train test=images:ILSVRC2012/val
local test = lop.arg("test")
return {
  model      = lop.arg("model", "models/squeezenet.onnx"),
  preprocess = lop.arg("preprocess", "imagenet"),       -- the net from Caffe: caffe
  calibrate  = {data = lop.arg("data", "images:data/imagenet/train"), images = lop.arg("images", 500)},
  evaluate   = test and {data = test} or nil,           -- labelled pictures
  budget     = {speedup = lop.arg("speedup", 1.2)},
  select     = {method = "elimination", refine = "swap"},
}

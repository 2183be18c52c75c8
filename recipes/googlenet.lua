-- recipes/googlenet.lua - GoogLeNet at two thirds of its multiply-adds: the layers that each 3x3 of a block reads, and
-- the branches themselves where one layer reads them.
-- lop run recipes/googlenet.lua model=googlenet.onnx data=images:ILSVRC2012/train test=images:ILSVRC2012/val
local test = lop.arg("test")
return {
  model      = lop.arg("model", "models/googlenet.onnx"),
  preprocess = lop.arg("preprocess", "imagenet"),       -- the net from Caffe: caffe
  calibrate  = {data = lop.arg("data", "images:data/imagenet/train"), images = lop.arg("images", 500)},
  evaluate   = test and {data = test} or nil,           -- labelled pictures
  budget     = {speedup = lop.arg("speedup", 1.5)},
}

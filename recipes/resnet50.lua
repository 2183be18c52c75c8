-- recipes/resnet50.lua - ResNet-50 at half of its multiply-adds: the two inner widths of each bottleneck.
-- lop run recipes/resnet50.lua model=resnet50.onnx data=images:ILSVRC2012/train test=images:ILSVRC2012/val
local test = lop.arg("test")
return {
  model      = lop.arg("model", "models/resnet50.onnx"),
  preprocess = lop.arg("preprocess", "imagenet"),
  calibrate  = {data = lop.arg("data", "images:data/imagenet/train"), images = lop.arg("images", 500)},
  evaluate   = test and {data = test} or nil,           -- labelled pictures
  budget     = {speedup = lop.arg("speedup", 2)},
  residual   = {target = "compensate"},                 -- each branch repairs the stream it is added to
  layers     = {
    {"*", round_to = 8},                                -- widths that every runtime's kernels like
  },
}

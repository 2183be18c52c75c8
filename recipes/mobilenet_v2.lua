-- recipes/mobilenet_v2.lua - MobileNet v2 with a third fewer multiply-adds: the expanded widths of the inverted
-- residuals, each with its depthwise filters. The streams between are narrow already and stay.
-- lop run recipes/mobilenet_v2.lua model=mobilenet_v2.onnx data=images:ILSVRC2012/train test=images:ILSVRC2012/val
local test = lop.arg("test")
return {
  model      = lop.arg("model", "models/mobilenet_v2.onnx"),
  preprocess = lop.arg("preprocess", "imagenet"),
  calibrate  = {data = lop.arg("data", "images:data/imagenet/train"), images = lop.arg("images", 500)},
  evaluate   = test and {data = test} or nil,           -- labelled pictures
  budget     = {speedup = lop.arg("speedup", 1.5)},
  residual   = {target = "compensate"},                 -- each branch repairs the stream it is added to
}

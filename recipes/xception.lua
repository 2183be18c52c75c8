-- recipes/xception.lua - Xception-50 as in He et al., ICCV 2017, section 4.3: ResNet-50 with separable convolutions, at
-- half of its multiply-adds. Nearly all of them are in 1x1 convolutions, which no factorisation can make cheaper: what
-- goes are their channels, and with a channel its depthwise filter.
-- lop zoo xception50 -o xception50.onnx gives the architecture, with random weights.
-- lop run recipes/xception.lua model=xception50.onnx data=images:ILSVRC2012/train test=images:ILSVRC2012/val
local test = lop.arg("test")
return {
  model      = lop.arg("model", "models/xception50.onnx"),
  preprocess = lop.arg("preprocess", "imagenet"),
  calibrate  = {data = lop.arg("data", "images:data/imagenet/train"), images = lop.arg("images", 500)},
  evaluate   = test and {data = test} or nil,           -- labelled pictures
  budget     = {speedup = lop.arg("speedup", 2)},
  residual   = {target = "compensate"},                 -- each branch repairs the stream it is added to
}

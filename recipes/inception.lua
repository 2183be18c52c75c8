-- recipes/inception.lua - Inception v3 at two thirds of its multiply-adds. Within a branch each layer reads the one
-- before it; where branches end in a Concat, each is a unit of its own, as a channel of a 3x3 costs more than one of
-- a 1x1.
-- lop run recipes/inception.lua model=inception_v3.onnx data=images:ILSVRC2012/train test=images:ILSVRC2012/val
local test = lop.arg("test")
return {
  model      = lop.arg("model", "models/inception_v3.onnx"),
  preprocess = lop.arg("preprocess", "imagenet"),       -- nets from TensorFlow: mean=127.5&std=127.5
  calibrate  = {data = lop.arg("data", "images:data/imagenet/train"), images = lop.arg("images", 250)},
  evaluate   = test and {data = test} or nil,           -- labelled pictures
  budget     = {speedup = lop.arg("speedup", 1.5)},
  allocate   = "error",                                 -- some 90 groups: the losses at the outputs take hours
}

-- recipes/vgg16_3c.lua - VGG-16 by all three cuts of He et al., ICCV 2017, section 4.1.3: channels pruned, convolutions
-- factored in space (kh x 1 and 1 x kw; Jaderberg et al., BMVC 2014) and over channels (the window and 1 x 1; Zhang et
-- al., TPAMI 2016). There three ratios are set by hand, one after the other; here one allocation chooses for each layer
-- its width, its form and its rank. All are rebuilt in order, on what the cuts before them left, toward the original.
-- Any VGG-16 will do, or another net. Losses are measured for some three hundred cuts: what that takes grows with the
-- images, a quarter of which are held out for it. allocate=error takes the layers' own errors, and no such passes.
-- lop run recipes/vgg16_3c.lua model=vgg16.onnx data=images:ILSVRC2012/train test=images:ILSVRC2012/val speedup=4
local test = lop.arg("test")
return {
  model      = lop.arg("model", "models/vgg16.onnx"),
  preprocess = lop.arg("preprocess", "imagenet"),       -- a net from Caffe: caffe
  calibrate  = {data = lop.arg("data", "images:data/imagenet/train"), images = lop.arg("images", 250), positions = 10},
  evaluate   = test and {data = test} or nil,           -- labelled pictures
  budget     = {speedup = lop.arg("speedup", 4)},
  allocate   = lop.arg("allocate", "sensitivity"),
  cuts       = {"width", "rank"},
  decompose  = {"spatial", "channel"},
  reconstruct = {producer = lop.arg("producer", 0)},
}

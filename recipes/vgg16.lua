-- recipes/vgg16.lua - VGG-16 as in He et al., ICCV 2017, section 4.1.2: of conv1_x to conv3_x and of conv4_x channels
-- remain as 1 : 1.5, conv5_x stays whole; the LASSO chooses, least squares rebuilds, 10 positions of an image (of 5,000
-- images there).
-- The stages are found by the net's structure: any VGG-16 will do, whatever its layers are called.
-- A net of 224 by 224 pixels takes 26 MB an image while its first layers are cut: images=5000 wants --scratch DIR, a
-- folder with 150 GB. producer=4 bends the filters that make the kept channels, too, which the paper does not: each of
-- its rounds takes as long as the rest.
-- lop run recipes/vgg16.lua model=vgg16.onnx data=images:ILSVRC2012/train test=images:ILSVRC2012/val speedup=4
local test = lop.arg("test")
return {
  model      = lop.arg("model", "models/vgg16.onnx"),
  preprocess = lop.arg("preprocess", "imagenet"),       -- a net from Caffe: caffe
  calibrate  = {data = lop.arg("data", "images:data/imagenet/train"), images = lop.arg("images", 250), positions = 10},
  evaluate   = test and {data = test} or nil,           -- labelled pictures
  budget     = {speedup = lop.arg("speedup", 4)},
  allocate   = "paper",
  select     = {method = "lasso"},
  reconstruct = {producer = lop.arg("producer", 0)},
}

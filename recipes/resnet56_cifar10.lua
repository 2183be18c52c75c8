-- recipes/resnet56_cifar10.lua - ResNet-56 for CIFAR-10 at half of its multiply-adds: inner widths of the blocks.
-- sh scripts/fetch cifar10 data/cifar10; lop run recipes/resnet56_cifar10.lua model=resnet56.onnx
local dir = lop.arg("data", "data/cifar10")
return {
  model      = lop.arg("model", "models/resnet56.onnx"),
  preprocess = "cifar10",                               -- what the public CIFAR-10 ResNets were trained with
  calibrate  = {data = "cifar10:" .. dir, split = "train", images = 1000},
  evaluate   = {data = "cifar10:" .. dir, split = "test"},
  budget     = {speedup = 2},
  residual   = {target = "compensate"},                 -- each branch repairs the stream it is added to
}

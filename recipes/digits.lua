-- recipes/digits.lua - a digit classifier at half of its multiply-adds, on data that comes with lop.
-- lop run recipes/digits.lua net=digits-resnet
return {
  model      = "models/" .. lop.arg("net", "digits-vgg") .. "/model.onnx",      -- or digits-resnet
  preprocess = "unit",                                                          -- byte / 255
  calibrate  = {data = "mnist:data/digits", split = "train", images = 1000},    -- labels are not read
  evaluate   = {data = "mnist:data/digits", split = "test"},
  budget     = {speedup = 2},
}

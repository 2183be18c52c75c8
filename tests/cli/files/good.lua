-- A recipe without a fault: the tables change one thing at a time by KEY=VALUE.
return {
  model = "digits.onnx",
  preprocess = "unit",
  calibrate = {data = "mnist:digits", split = "train", images = 20},
  evaluate = {data = "mnist:digits", split = "test", images = 20},
  budget = {macs = 0.8},
}

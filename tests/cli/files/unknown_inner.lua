return {
  model = "digits.onnx",
  preprocess = "unit",
  calibrate = {data = "mnist:digits", imges = 20},
  budget = {macs = 0.8},
}

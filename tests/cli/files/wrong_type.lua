return {
  model = "digits.onnx",
  preprocess = "unit",
  calibrate = {data = "mnist:digits", images = "many"},
  budget = {macs = 0.8},
}

return {
  model = "digits.onnx",
  preprocess = "unit",
  calibrate = {data = "mnist:digits", images = 20},
  budget = {macs = 0.8},
  reconstuct = {method = "scale"},
}

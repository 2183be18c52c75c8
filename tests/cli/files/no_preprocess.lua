return {model = "digits.onnx", calibrate = {data = "mnist:digits", images = 20}, budget = {macs = 0.8}}

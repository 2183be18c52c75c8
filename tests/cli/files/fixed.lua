-- Without a budget: each width is what a fixed lambda leaves.
return {
  model = "digits.onnx",
  preprocess = "unit",
  calibrate = {data = "mnist:digits", split = "train", images = 40},
  select = {method = "lasso", lambda = lop.lambda.fixed(lop.arg("l", 1))},
}

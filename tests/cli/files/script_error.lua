local net = lop.load("none.onnx")
print(net)

#!/usr/bin/python3
"""Models that are no plain convolutional nets, made by python3's onnx in a folder: recurrent layers, loops, branches that
depend on the input, strings, sequences, optional values, no shapes, free shapes, foreign operators, misfits.

Usage: odd_nets.py FOLDER. Exit 3: onnx is not installed."""
import sys

try:
    import numpy as np
    import onnx
    from onnx import TensorProto as T
    from onnx import helper as h
    from onnx import numpy_helper
except ImportError as missing:
    print(missing, file=sys.stderr)
    sys.exit(3)

folder = sys.argv[1]
node, graph, value = h.make_node, h.make_graph, h.make_tensor_value_info


def weights(*shape):
    return np.linspace(-1, 1, int(np.prod(shape)), dtype=np.float32).reshape(shape)


def save(name, nodes, inputs, outputs, domains=(), **initializers):
    tensors = [numpy_helper.from_array(v, k) for k, v in initializers.items()]
    opsets = [h.make_opsetid("", 15)] + [h.make_opsetid(d, 1) for d in domains]
    onnx.save(h.make_model(graph(nodes, name, inputs, outputs, tensors), opset_imports=opsets), f"{folder}/{name}.onnx")


save("lstm", [node("LSTM", ["x", "w", "r", "b"], ["y", "yh", "yc"], name="lstm", hidden_size=4),
              node("Squeeze", ["yh", "axis"], ["h"], name="squeeze"), node("MatMul", ["h", "f"], ["out"], name="fc")],
     [value("x", T.FLOAT, ["T", "N", 3])], [value("out", T.FLOAT, ["N", 2])], w=weights(1, 16, 3), r=weights(1, 16, 4),
     b=weights(1, 32), axis=np.array([0], np.int64), f=weights(4, 2))

body = graph([node("Add", ["s", "s"], ["s2"]), node("Identity", ["c"], ["c2"])], "body",
             [value("i", T.INT64, []), value("c", T.BOOL, []), value("s", T.FLOAT, [1, 3])],
             [value("c2", T.BOOL, []), value("s2", T.FLOAT, [1, 3])])
save("loop", [node("Loop", ["n", "", "x"], ["y"], name="loop", body=body), node("Relu", ["y"], ["z"], name="relu")],
     [value("n", T.INT64, []), value("x", T.FLOAT, [1, 3])], [value("z", T.FLOAT, [1, 3])])

body = graph([node("Add", ["a", "e"], ["a2"]), node("Identity", ["a2"], ["o"])], "body",
             [value("a", T.FLOAT, [3]), value("e", T.FLOAT, [3])], [value("a2", T.FLOAT, [3]), value("o", T.FLOAT, [3])])
save("scan", [node("Scan", ["a0", "xs"], ["an", "ys"], name="scan", body=body, num_scan_inputs=1)],
     [value("a0", T.FLOAT, [3]), value("xs", T.FLOAT, ["L", 3])],
     [value("an", T.FLOAT, [3]), value("ys", T.FLOAT, ["L", 3])])

then = graph([node("Relu", ["x"], ["t"])], "then", [], [value("t", T.FLOAT, [1, 4])])
other = graph([node("Neg", ["x"], ["e"])], "other", [], [value("e", T.FLOAT, [1, 4])])
save("branch", [node("If", ["c"], ["y"], name="choose", then_branch=then, else_branch=other)],
     [value("c", T.BOOL, []), value("x", T.FLOAT, [1, 4])], [value("y", T.FLOAT, [1, 4])])

save("strings", [node("StringNormalizer", ["s"], ["y"], name="upper", case_change_action="UPPER")],
     [value("s", T.STRING, ["N"])], [value("y", T.STRING, ["M"])])


def kept(name, tensor, given=False, **more):
    """A net whose only initializer no tensor of numbers can hold; given: it is an input, too."""
    like = value(tensor.name, tensor.data_type, list(tensor.dims))
    net = graph([node("Identity", [tensor.name], ["y"], name="id")], name, [like] if given else [],
                [value("y", tensor.data_type, list(tensor.dims))], [tensor])
    onnx.save(h.make_model(net, opset_imports=[h.make_opsetid("", 15)]), f"{folder}/{name}.onnx", **more)


words = h.make_tensor("k", T.STRING, [2], [b"first\0word", b""])
kept("kept_strings", words)
kept("kept_given", words, given=True)
kept("kept_complex", h.make_tensor("k", T.COMPLEX64, [2], [1 + 2j, 3 - 4j]))
kept("kept_deep", numpy_helper.from_array(weights(1, 2, 1, 1, 1, 1, 1, 1, 3), "k"))
later = numpy_helper.from_array(np.array([1, 2, 3], np.uint8), "k")
later.data_type = 22                                            # INT4, younger than this onnx: 3 bytes, 5 numbers
later.dims[0] = 5
kept("kept_int4", later)
apart = h.make_tensor("k", T.COMPLEX128, [100], np.arange(200.).tobytes(), raw=True)
kept("kept_apart", apart, save_as_external_data=True, location="kept_apart.data", size_threshold=0)
body = graph([node("Identity", ["k"], ["t"], name="id")], "then", [], [value("t", T.STRING, [2])], [words])
other = graph([node("Identity", ["k"], ["e"])], "other", [], [value("e", T.STRING, [2])], [words])
save("kept_branch", [node("If", ["c"], ["y"], name="choose", then_branch=body, else_branch=other)], [],
     [value("y", T.STRING, [2])], c=np.array(True))
huge = graph([node("Identity", ["k"], ["y"], name="id")], "huge", [], [value("y", T.FLOAT, [1 << 20, 1 << 20])])
huge.sparse_initializer.append(h.make_sparse_tensor(h.make_tensor("k", T.FLOAT, [2], [1.0, 2.0]),
                                                    h.make_tensor("at", T.INT64, [2], [1, 5]), [1 << 20, 1 << 20]))
onnx.save(h.make_model(huge, opset_imports=[h.make_opsetid("", 15)]), f"{folder}/kept_sparse.onnx")

sparse = graph([node("Add", ["x", "k"], ["y"], name="add")], "sparse", [value("x", T.FLOAT, [2, 3])],
               [value("y", T.FLOAT, [2, 3])])
sparse.sparse_initializer.append(h.make_sparse_tensor(h.make_tensor("k", T.FLOAT, [2], [1.0, 2.0]),
                                                      h.make_tensor("at", T.INT64, [2], [1, 5]), [2, 3]))
onnx.save(h.make_model(sparse, opset_imports=[h.make_opsetid("", 15)]), f"{folder}/sparse_weights.onnx")

row = h.make_tensor_type_proto(T.FLOAT, [None, 3])
save("sequence", [node("ConcatFromSequence", ["s"], ["y"], name="join", axis=0)],
     [h.make_value_info("s", h.make_sequence_type_proto(row))], [value("y", T.FLOAT, [None, 3])])
save("optional", [node("OptionalGetElement", ["o"], ["y"], name="get")],
     [h.make_value_info("o", h.make_optional_type_proto(row))], [value("y", T.FLOAT, [None, 3])])

deep = h.make_sequence_type_proto(h.make_sequence_type_proto(row))
save("nested", [node("Foreign", ["s"], ["y"], name="f", domain="com.example")], [h.make_value_info("s", deep)],
     [value("y", T.FLOAT, [1])], domains=["com.example"])

conv = [node("Conv", ["x", "w"], ["c"], name="conv", pads=[1, 1, 1, 1]), node("Relu", ["c"], ["y"], name="relu")]
save("shapeless", conv, [value("x", T.FLOAT, None)], [value("y", T.FLOAT, None)], w=weights(4, 3, 3, 3))
save("free", conv, [value("x", T.FLOAT, ["N", 3, "height", "width"])], [value("y", T.FLOAT, ["N", 4, "height", "width"])],
     w=weights(4, 3, 3, 3))
save("misfit", conv, [value("x", T.FLOAT, [1, 5, 8, 8])], [value("y", T.FLOAT, [1, 4, 8, 8])], w=weights(4, 3, 3, 3))
save("foreign", [node("Fancy", ["x"], ["y"], name="f", domain="com.example")], [value("x", T.FLOAT, [1, 2])],
     [value("y", T.FLOAT, [1, 2])], domains=["com.example"])

#!/usr/bin/python3
"""Makes the small models of tests/golden/models: local functions, and nets in the manner of several exporters.

NAME.onnx, and inputs NAME.in.npy (NAME.in2.npy: another size). Debian's python3-onnx (1.12) is needed, and then
ort.js beside this file, which adds what ONNX Runtime gives for them. Usage: make_models.py FOLDER && node ort.js FOLDER
"""
import sys

import numpy as np
import onnx
from onnx import AttributeProto, TensorProto, helper, numpy_helper

FOLDER = sys.argv[1] if len(sys.argv) > 1 else "tests/golden/models"
random = np.random.RandomState(1)


def weight(*shape):
    fan = np.prod(shape[1:]) if len(shape) > 1 else 4
    return (random.randn(*shape) / np.sqrt(fan)).astype(np.float32)


def init(name, array):
    return numpy_helper.from_array(np.asarray(array), name)


def constant(name, array):
    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(np.asarray(array), name + "_value"))


def value(name, shape, kind=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def ref(name, of, kind):
    a = AttributeProto()
    a.name, a.ref_attr_name, a.type = name, of, kind
    return a


def node(op, inputs, outputs, refs=(), **attributes):
    n = helper.make_node(op, inputs, outputs, **attributes)
    n.attribute.extend(refs)
    return n


def save(name, nodes, inputs, outputs, initializers=(), x=(), opset=13, ir=8, functions=(), domains=(), producer="",
         infos=()):
    graph = helper.make_graph(nodes, name, inputs, outputs, list(initializers), value_info=list(infos))
    imports = [helper.make_opsetid("", opset)] + [helper.make_opsetid(d, 1) for d in domains]
    model = helper.make_model(graph, opset_imports=imports, functions=list(functions), producer_name=producer)
    model.ir_version = ir
    onnx.save(model, f"{FOLDER}/{name}.onnx")
    for k, one in enumerate(x):
        np.save(f"{FOLDER}/{name}.in{k + 1 if k else ''}.npy", one)


def picture(*shape):
    return random.randn(*shape).astype(np.float32)


# ---- local functions ----

def functions():
    own = [helper.make_opsetid("", 17)]
    leak = helper.make_function(
        "net.act", "Leak", ["x"], ["y"],
        [node("LeakyRelu", ["x"], ["y"], [ref("alpha", "slope", AttributeProto.FLOAT)])], own, ["slope"])
    # The inner names are those of the graph on purpose, and the same in each call.
    block = helper.make_function(
        "net", "Block", ["x", "w", "b"], ["y", "before"],
        [node("Conv", ["x", "w", "b"], ["a"], [ref("pads", "pads", AttributeProto.INTS),
                                               ref("strides", "strides", AttributeProto.INTS)], name="conv"),
         node("Identity", ["a"], ["before"], name="keep"),
         node("Leak", ["a"], ["y"], [ref("slope", "slope", AttributeProto.FLOAT)], name="act", domain="net.act")],
        own + [helper.make_opsetid("net.act", 1)], ["pads", "strides", "slope"])
    swap = helper.make_function("net", "Swap", ["p", "q"], ["r", "s"], [
        node("Identity", ["q"], ["r"]), node("Identity", ["p"], ["s"])], own)
    unused = helper.make_function("net", "Unused", ["x"], ["y"], [node("Neg", ["x"], ["y"])], own)
    w = [init("w1", weight(4, 3, 3, 3)), init("b1", weight(4)), init("w2", weight(4, 4, 1, 1)), init("b2", weight(4)),
         init("w3", weight(4, 4, 1, 1))]
    nodes = [node("Block", ["x", "w1", "b1"], ["a", "first"], name="first", domain="net", pads=[1, 1, 1, 1], slope=0.25),
             node("Block", ["a", "w2", "b2"], ["y2", "before"], domain="net", strides=[2, 2], slope=0.5),
             node("Block", ["y2", "w3"], ["z", "third"], name="third", domain="net"),
             node("Swap", ["z", "before"], ["s", "t"], name="swap", domain="net"),
             node("Sub", ["s", "t"], ["y"])]
    save("fn_block", nodes, [value("x", ["N", 3, 6, 6])], [value("y", ["N", 4, 3, 3])], w, [picture(2, 3, 6, 6)], 17,
         functions=[leak, block, swap, unused], domains=["net", "net.act"])
    save("fn_unused", [node("Relu", ["x"], ["y"])], [value("x", [2, 3])], [value("y", [2, 3])], [], [picture(2, 3)], 17,
         functions=[unused], domains=["net"])

    # A function in the body of an If, an If in a function, and operator sets of the function's own.
    old = [helper.make_opsetid("", 13)]
    half = helper.make_function("net", "Half", ["x"], ["y"], [
        node("Constant", [], ["c"], value_float=0.5), node("Mul", ["x", "c"], ["y"])], old)
    body = lambda name, nodes: helper.make_graph(nodes, name, [], [value("r", None)])
    choose = helper.make_function("net", "Choose", ["x", "yes"], ["y"], [
        node("If", ["yes"], ["y"],
             then_branch=body("then", [node("Half", ["x"], ["h"], domain="net"), node("Relu", ["h"], ["r"])]),
             else_branch=body("else", [node("Elu", ["x"], ["r"], [ref("alpha", "alpha", AttributeProto.FLOAT)])]))],
        old + [helper.make_opsetid("net", 1)], ["alpha"])
    flags = [init("yes", np.array(True)), init("no", np.array(False))]
    nodes = [node("Choose", ["x", "yes"], ["a"], domain="net", alpha=0.5),
             node("Choose", ["x", "no"], ["b"], domain="net", alpha=0.5),
             node("If", ["no"], ["c"], then_branch=body("t", [node("Relu", ["a"], ["r"])]),
                  else_branch=body("e", [node("Half", ["b"], ["r"], domain="net")])),
             node("Add", ["a", "c"], ["y"])]
    save("fn_branch", nodes, [value("x", ["N", 5])], [value("y", ["N", 5])], flags, [picture(3, 5)], 17,
         functions=[half, choose], domains=["net"])


# ---- exporters' manners ----

def tf2onnx():
    """NHWC outside, a Transpose before and behind each convolution, biases added along the last dimension."""
    def there(a, b):
        return node("Transpose", [a], [b], name=b.replace(":0", "") + "__1", perm=[0, 3, 1, 2])

    def back(a, b):
        return node("Transpose", [a], [b], name=b.replace(":0", "") + "__2", perm=[0, 2, 3, 1])
    p = "StatefulPartitionedCall/net/"
    w = [init(p + "conv1/Conv2D/ReadVariableOp:0", weight(8, 3, 3, 3)), init(p + "conv1/BiasAdd/ReadVariableOp:0", weight(8)),
         init(p + "dw/depthwise_weights:0", weight(8, 1, 3, 3)), init(p + "dw/BiasAdd/ReadVariableOp:0", weight(8)),
         init(p + "conv2/Conv2D/ReadVariableOp:0", weight(6, 8, 1, 1)), init(p + "conv2/BiasAdd/ReadVariableOp:0", weight(6)),
         init(p + "dense/MatMul/ReadVariableOp:0", weight(6, 5)), init(p + "dense/BiasAdd/ReadVariableOp:0", weight(5)),
         init("const_axes__9", np.array([1, 2], np.int64)), init("zero__3", np.float32(0)), init("six__4", np.float32(6))]
    nodes = [
        there("input:0", "a1:0"),
        node("Conv", ["a1:0", w[0].name], ["a2:0"], name=p + "conv1/Conv2D", auto_pad="SAME_UPPER", strides=[2, 2],
             kernel_shape=[3, 3], group=1, dilations=[1, 1]),
        back("a2:0", "a3:0"), node("Add", ["a3:0", w[1].name], ["a4:0"], name=p + "conv1/BiasAdd"),
        node("Clip", ["a4:0", "zero__3", "six__4"], ["a5:0"], name=p + "conv1/Relu6"),
        there("a5:0", "d1:0"),
        node("Conv", ["d1:0", w[2].name], ["d2:0"], name=p + "dw/depthwise", auto_pad="SAME_UPPER", group=8,
             kernel_shape=[3, 3], strides=[1, 1]),
        back("d2:0", "d3:0"), node("Add", ["d3:0", w[3].name], ["d4:0"], name=p + "dw/BiasAdd"),
        node("Relu", ["d4:0"], ["d5:0"], name=p + "dw/Relu"),
        there("d5:0", "c1:0"),
        node("Conv", ["c1:0", w[4].name], ["c2:0"], name=p + "conv2/Conv2D", auto_pad="VALID", kernel_shape=[1, 1]),
        back("c2:0", "c3:0"), node("Add", ["c3:0", w[5].name], ["c4:0"], name=p + "conv2/BiasAdd"),
        node("Relu", ["c4:0"], ["c5:0"], name=p + "conv2/Relu"),
        node("ReduceMean", ["c5:0"], ["m:0"], name=p + "gap/Mean", axes=[1, 2], keepdims=0),
        node("MatMul", ["m:0", w[6].name], ["f:0"], name=p + "dense/MatMul"),
        node("Add", ["f:0", w[7].name], ["logits:0"], name=p + "dense/BiasAdd"),
        node("Softmax", ["logits:0"], ["Identity:0"], name=p + "softmax/Softmax", axis=-1)]
    for name, sizes, shape in (("tf2onnx", [(2, 9, 9, 3)], [None, 9, 9, 3]),
                               ("tf2onnx_free", [(2, 9, 9, 3), (1, 14, 11, 3)], [None, None, None, 3])):
        save(name, nodes, [value("input:0", shape)], [value("Identity:0", [None, 5])], w,
             [picture(*s) for s in sizes], 13, 7, producer="tf2onnx")


def keras():
    """One Transpose at the input, batch norms as nodes, a Reshape in NHWC order before the dense layer."""
    w = [init("conv2d/kernel:0", weight(6, 3, 3, 3)), init("conv2d/bias:0", weight(6))]
    for n in ("gamma:0", "beta:0", "moving_mean:0", "moving_variance:0"):
        w.append(init("batch_normalization/" + n, np.abs(weight(6)) + 0.5 if n != "beta:0" else weight(6)))
    w += [init("conv2d_1/kernel:0", weight(4, 6, 3, 3)), init("conv2d_1/bias:0", weight(4)),
          init("dense/kernel:0", weight(36, 5)), init("dense/bias:0", weight(5)),
          init("shape_tensor", np.array([-1, 36], np.int64))]
    nodes = [
        node("Transpose", ["input_1"], ["adjusted_input1"], name="Transpose6", perm=[0, 3, 1, 2]),
        node("Conv", ["adjusted_input1", w[0].name, w[1].name], ["convolution_output1"], name="conv2d",
             auto_pad="SAME_UPPER", strides=[1, 1], dilations=[1, 1], kernel_shape=[3, 3], group=1),
        node("BatchNormalization", ["convolution_output1"] + [i.name for i in w[2:6]], ["bn1"],
             name="batch_normalization", epsilon=1e-3, momentum=0.99),
        node("Relu", ["bn1"], ["activation"], name="activation"),
        node("MaxPool", ["activation"], ["max_pooling2d"], name="max_pooling2d", kernel_shape=[2, 2], strides=[2, 2],
             auto_pad="VALID"),
        node("Conv", ["max_pooling2d", "conv2d_1/kernel:0", "conv2d_1/bias:0"], ["convolution_output"], name="conv2d_1",
             auto_pad="VALID", strides=[1, 1], kernel_shape=[3, 3]),
        node("Elu", ["convolution_output"], ["elu"], name="elu", alpha=1.0),
        node("Identity", ["elu"], ["dropout"], name="dropout"),
        node("Transpose", ["dropout"], ["nhwc"], name="Transpose2", perm=[0, 2, 3, 1]),
        node("Reshape", ["nhwc", "shape_tensor"], ["flatten"], name="flatten"),
        node("MatMul", ["flatten", "dense/kernel:0"], ["dense0"], name="dense"),
        node("Add", ["dense0", "dense/bias:0"], ["biased_tensor_name"], name="Add"),
        node("Softmax", ["biased_tensor_name"], ["dense"], name="Softmax", axis=-1)]
    save("keras", nodes, [value("input_1", ["N", 10, 10, 3])], [value("dense", ["N", 5])], w, [picture(2, 10, 10, 3)],
         11, 6, producer="keras2onnx")


def paddle():
    """Each weight a Constant node; gates; a Reshape whose sizes are computed; opset 11."""
    c = {"conv2d_0.w_0": weight(8, 3, 3, 3), "batch_norm_0.w_0": np.abs(weight(8)) + 0.5, "batch_norm_0.b_0": weight(8),
         "batch_norm_0.w_1": weight(8), "batch_norm_0.w_2": np.abs(weight(8)) + 0.5, "conv2d_1.w_0": weight(4, 8, 1, 1),
         "conv2d_1.b_0": weight(1, 4, 1, 1), "conv2d_2.w_0": weight(8, 4, 1, 1), "conv2d_2.b_0": weight(1, 8, 1, 1),
         "conv2d_3.w_0": weight(6, 8, 3, 3), "linear_0.w_0": weight(6, 5), "linear_0.b_0": weight(5),
         "scale_0": np.float32(0.5), "bias_0": np.float32(0.1), "starts": np.array([0], np.int64),
         "ends": np.array([1], np.int64), "axes": np.array([0], np.int64), "minus": np.array([-1], np.int64)}
    nodes = [constant(n, a) for n, a in c.items()] + [
        node("Conv", ["x", "conv2d_0.w_0"], ["conv2d_0.tmp_0"], name="Conv_0", pads=[1, 1, 1, 1], strides=[2, 2],
             kernel_shape=[3, 3], dilations=[1, 1], group=1),
        node("BatchNormalization", ["conv2d_0.tmp_0"] + ["batch_norm_0." + s for s in ("w_0", "b_0", "w_1", "w_2")],
             ["batch_norm_0.tmp_2"], name="BatchNormalization_0", epsilon=1e-5, momentum=0.9),
        node("HardSigmoid", ["batch_norm_0.tmp_2"], ["hs"], name="HardSigmoid_0", alpha=1 / 6, beta=0.5),
        node("Mul", ["batch_norm_0.tmp_2", "hs"], ["hardswish_0.tmp_0"], name="Mul_0"),
        node("GlobalAveragePool", ["hardswish_0.tmp_0"], ["pool2d_0.tmp_0"], name="GlobalAveragePool_0"),
        node("Conv", ["pool2d_0.tmp_0", "conv2d_1.w_0"], ["conv2d_1.tmp_0"], name="Conv_1"),
        node("Add", ["conv2d_1.tmp_0", "conv2d_1.b_0"], ["conv2d_1.tmp_1"], name="Add_0"),
        node("Relu", ["conv2d_1.tmp_1"], ["relu_0.tmp_0"], name="Relu_0"),
        node("Conv", ["relu_0.tmp_0", "conv2d_2.w_0"], ["conv2d_2.tmp_0"], name="Conv_2"),
        node("Add", ["conv2d_2.tmp_0", "conv2d_2.b_0"], ["conv2d_2.tmp_1"], name="Add_1"),
        node("HardSigmoid", ["conv2d_2.tmp_1"], ["hardsigmoid_0.tmp_0"], name="HardSigmoid_1", alpha=0.2, beta=0.5),
        node("Mul", ["hardswish_0.tmp_0", "hardsigmoid_0.tmp_0"], ["se"], name="Mul_1"),
        node("Mul", ["se", "scale_0"], ["scaled"], name="Mul_2"), node("Add", ["scaled", "bias_0"], ["s2"], name="Add_2"),
        node("Conv", ["s2", "conv2d_3.w_0"], ["conv2d_3.tmp_0"], name="Conv_3", pads=[1, 1, 1, 1]),
        node("Relu", ["conv2d_3.tmp_0"], ["relu_1.tmp_0"], name="Relu_1"),
        node("GlobalAveragePool", ["relu_1.tmp_0"], ["pool2d_1.tmp_0"], name="GlobalAveragePool_1"),
        node("Shape", ["pool2d_1.tmp_0"], ["shape_0"], name="Shape_0"),
        node("Cast", ["shape_0"], ["shape_1"], name="Cast_0", to=TensorProto.INT64),
        node("Slice", ["shape_1", "starts", "ends", "axes"], ["shape_2"], name="Slice_0"),
        node("Concat", ["shape_2", "minus"], ["shape_3"], name="Concat_0", axis=0),
        node("Reshape", ["pool2d_1.tmp_0", "shape_3"], ["flatten_0.tmp_0"], name="Reshape_0"),
        node("MatMul", ["flatten_0.tmp_0", "linear_0.w_0"], ["linear_0.tmp_0"], name="MatMul_0"),
        node("Add", ["linear_0.tmp_0", "linear_0.b_0"], ["linear_0.tmp_1"], name="Add_3"),
        node("Softmax", ["linear_0.tmp_1"], ["softmax_0.tmp_0"], name="Softmax_0", axis=-1)]
    save("paddle", nodes, [value("x", [-1, 3, 12, 12])], [value("softmax_0.tmp_0", [-1, 5])], [],
         [picture(2, 3, 12, 12)], 11, 7, producer="PaddlePaddle")


def mxnet():
    """Initializers are inputs as well; BatchNormalization says `spatial`, Dropout is an attribute's; opset 8, IR 3."""
    w = [init("conv0_weight", weight(8, 3, 3, 3)), init("bn0_gamma", np.ones(8, np.float32)), init("bn0_beta", weight(8)),
         init("bn0_moving_mean", weight(8)), init("bn0_moving_var", np.abs(weight(8)) + 0.5),
         init("prelu0_alpha", np.abs(weight(8, 1, 1))), init("conv1_weight", weight(6, 8, 3, 3)),
         init("conv1_bias", weight(6)), init("fc0_weight", weight(5, 96)), init("fc0_bias", weight(5))]
    nodes = [
        node("Conv", ["data", "conv0_weight"], ["conv0"], name="conv0", kernel_shape=[3, 3], pads=[1, 1, 1, 1],
             strides=[1, 1], dilations=[1, 1], group=1),
        node("BatchNormalization", ["conv0"] + [i.name for i in w[1:5]], ["bn0"], name="bn0", epsilon=2e-5, momentum=0.9,
             spatial=1),
        node("PRelu", ["bn0", "prelu0_alpha"], ["prelu0"], name="prelu0"),
        node("Pad", ["prelu0"], ["pad0"], name="pad0", mode="constant", pads=[0, 0, 0, 0, 0, 0, 1, 1], value=0.0),
        node("MaxPool", ["pad0"], ["pool0"], name="pool0", kernel_shape=[3, 3], strides=[2, 2], pads=[0, 0, 0, 0]),
        node("Conv", ["pool0", "conv1_weight", "conv1_bias"], ["conv1"], name="conv1", kernel_shape=[3, 3],
             pads=[1, 1, 1, 1]),
        node("LRN", ["conv1"], ["lrn0"], name="lrn0", size=3, alpha=1e-3, beta=0.75, bias=2.0),
        node("Relu", ["lrn0"], ["relu1"], name="relu1"),
        node("Dropout", ["relu1"], ["dropout0"], name="dropout0", ratio=0.5),
        node("Flatten", ["dropout0"], ["flatten0"], name="flatten0"),
        node("Gemm", ["flatten0", "fc0_weight", "fc0_bias"], ["fc0"], name="fc0", alpha=1.0, beta=1.0, transA=0, transB=1),
        node("Softmax", ["fc0"], ["softmax"], name="softmax", axis=1)]
    listed = [value("data", [1, 3, 8, 8])] + [value(i.name, list(i.dims)) for i in w]
    save("mxnet", nodes, listed, [value("softmax", [1, 5])], w, [picture(1, 3, 8, 8)], 8, 3)


def caffe():
    """Pools that round up, BatchNorm and Scale as layers of their own, nodes that nothing needs, and some twice."""
    w = [init("conv1_w", weight(8, 3, 3, 3)), init("conv1_b", weight(8)), init("bn1_mean", weight(8)),
         init("bn1_var", np.abs(weight(8)) + 0.5), init("bn1_one", np.ones(8, np.float32)), init("bn1_zero", np.zeros(8, np.float32)),
         init("scale1_w", weight(1, 8, 1, 1)), init("scale1_b", weight(1, 8, 1, 1)), init("conv2_w", weight(8, 8, 3, 3)),
         init("conv2_b", weight(8)), init("ip_w", weight(5, 72)), init("ip_b", weight(5)),
         init("ip_shape", np.array([0, 72], np.int64)), init("conv1_w_copy", weight(8, 3, 3, 3))]
    nodes = [
        node("Conv", ["data", "conv1_w", "conv1_b"], ["conv1"], name="conv1", kernel_shape=[3, 3], strides=[1, 1]),
        node("BatchNormalization", ["conv1", "bn1_one", "bn1_zero", "bn1_mean", "bn1_var"], ["bn1"], name="bn1"),
        node("Mul", ["bn1", "scale1_w"], ["scale1_0"], name="scale1_mul"),
        node("Add", ["scale1_0", "scale1_b"], ["scale1"], name="scale1_add"),
        node("Relu", ["scale1"], ["relu1"], name="relu1"), node("Relu", ["scale1"], ["relu1_again"], name="relu1_again"),
        node("Conv", ["data", "conv1_w_copy"], ["unused"], name="unused_conv"),
        node("MaxPool", ["relu1"], ["pool1"], name="pool1", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
        node("MaxPool", ["relu1_again"], ["pool1b"], name="pool1b", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
        node("Add", ["pool1", "pool1b"], ["elt"], name="eltwise"),
        node("Conv", ["elt", "conv2_w", "conv2_b"], ["conv2"], name="conv2", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        node("Relu", ["conv2"], ["relu2"], name="relu2"),
        node("Shape", ["relu2"], ["unused_shape"], name="unused_shape"),
        node("AveragePool", ["relu2"], ["pool2"], name="pool2", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1,
             pads=[0, 0, 0, 0], count_include_pad=0),
        node("Dropout", ["pool2"], ["drop"], name="drop", ratio=0.5),
        node("Reshape", ["drop", "ip_shape"], ["flat"], name="flat"),
        node("Gemm", ["flat", "ip_w", "ip_b"], ["ip"], name="ip", transB=1),
        node("Softmax", ["ip"], ["prob"], name="prob", axis=1)]
    save("caffe", nodes, [value("data", ["N", 3, 12, 12])], [value("prob", ["N", 5])], w, [picture(2, 3, 12, 12)], 10, 5,
         producer="caffe-onnx")


def torch_free():
    """Height and width free: a skip resized to the other branch's size, sizes computed from Shape; opset 11."""
    w = [init("c1.weight", weight(6, 3, 3, 3)), init("c1.bias", weight(6)), init("c2.weight", weight(8, 6, 3, 3)),
         init("c2.bias", weight(8)), init("c3.weight", weight(4, 14, 3, 3)), init("c3.bias", weight(4))]
    nodes = [
        node("Conv", ["image", "c1.weight", "c1.bias"], ["a"], name="/c1/Conv", pads=[1, 1, 1, 1], kernel_shape=[3, 3]),
        node("Relu", ["a"], ["b"], name="/Relu"),
        node("Conv", ["b", "c2.weight", "c2.bias"], ["c"], name="/c2/Conv", pads=[1, 1, 1, 1], strides=[2, 2],
             kernel_shape=[3, 3]),
        node("Relu", ["c"], ["d"], name="/Relu_1"),
        node("Shape", ["b"], ["s"], name="/Shape"), constant("two", np.array([2], np.int64)),
        constant("four", np.array([4], np.int64)), constant("zero", np.array([0], np.int64)),
        node("Slice", ["s", "two", "four", "zero"], ["hw"], name="/Slice"),
        node("Shape", ["d"], ["sd"], name="/Shape_1"), node("Slice", ["sd", "zero", "two", "zero"], ["nc"], name="/Slice_1"),
        node("Concat", ["nc", "hw"], ["sizes"], name="/Concat", axis=0), constant("none", np.zeros(0, np.float32)),
        node("Resize", ["d", "none", "none", "sizes"], ["e"], name="/Resize", mode="linear",
             coordinate_transformation_mode="half_pixel"),
        node("Concat", ["b", "e"], ["f"], name="/Concat_1", axis=1),
        node("Conv", ["f", "c3.weight", "c3.bias"], ["mask"], name="/c3/Conv", pads=[1, 1, 1, 1], kernel_shape=[3, 3])]
    save("torch_free", nodes, [value("image", ["N", 3, "height", "width"])], [value("mask", ["N", 4, "height", "width"])],
         w, [picture(2, 3, 9, 12), picture(1, 3, 16, 7)], 11, 6, producer="pytorch")


def other_floats():
    """The same net in float32 (plain), float64, float16, and bfloat16 (brain). All numbers are float16's, so that the
    results of the first three must agree; of bfloat16 they are cut to its 8 bits."""
    exact = [(n, a.astype(np.float16)) for n, a in (
        ("w1", weight(6, 3, 3, 3)), ("b1", weight(6)), ("w2", weight(5, 6)), ("b2", weight(5)))]
    nodes = [node("Conv", ["x", "w1", "b1"], ["a"], name="conv", pads=[1, 1, 1, 1]), node("Relu", ["a"], ["b"]),
             node("MaxPool", ["b"], ["c"], kernel_shape=[2, 2], strides=[2, 2]),
             node("GlobalAveragePool", ["c"], ["d"]), node("Flatten", ["d"], ["e"]),
             node("Gemm", ["e", "w2", "b2"], ["y"], name="fc", transB=1)]
    x = [picture(2, 3, 8, 8).astype(np.float16).astype(np.float32)]
    for name, kind, of in (("plain", TensorProto.FLOAT, np.float32), ("double", TensorProto.DOUBLE, np.float64),
                           ("half", TensorProto.FLOAT16, np.float16)):
        save(name, nodes, [value("x", ["N", 3, 8, 8], kind)], [value("y", ["N", 5], kind)],
             [init(n, a.astype(of)) for n, a in exact], [x[0].astype(of)] if name != "double" else [], 13)
    upper = [(n, a.shape, (a.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)) for n, a in exact]
    save("brain", nodes, [value("x", ["N", 3, 8, 8], TensorProto.BFLOAT16)], [value("y", ["N", 5], TensorProto.BFLOAT16)],
         [helper.make_tensor(n, TensorProto.BFLOAT16, shape, bits.tobytes(), raw=True) for n, shape, bits in upper], [], 13)


def doubles():
    """Matrices in float64, which ONNX Runtime has (it has no Conv); and a float32 net that computes in float64 inside."""
    w = [init(n, a.astype(np.float64)) for n, a in (
        ("w1", weight(8, 12)), ("b1", weight(8)), ("w2", weight(8, 5)), ("b2", weight(5)))]
    layers = [node("Gemm", ["flat", "w1", "b1"], ["a"], name="fc1", transB=1), node("Relu", ["a"], ["b"]),
              node("MatMul", ["b", "w2"], ["c"], name="fc2"), node("Add", ["c", "b2"], ["d"])]
    x = random.randn(3, 12)
    save("double_mlp", [node("Flatten", ["x"], ["flat"])] + layers + [node("Softmax", ["d"], ["y"])],
         [value("x", ["N", 12], TensorProto.DOUBLE)], [value("y", ["N", 5], TensorProto.DOUBLE)], w, [x], 13)
    save("double_inside", [node("Cast", ["x"], ["flat"], to=TensorProto.DOUBLE)] + layers +
         [node("Cast", ["d"], ["y"], to=TensorProto.FLOAT)],
         [value("x", ["N", 12])], [value("y", ["N", 5])], w, [x.astype(np.float32)], 13)


if __name__ == "__main__":
    for make in (functions, tf2onnx, keras, paddle, mxnet, caffe, torch_free, other_floats, doubles):
        make()

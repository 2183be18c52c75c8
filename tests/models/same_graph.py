#!/usr/bin/python3
"""Are two ONNX files the same model? Every field that onnx knows is compared: names, operators, attributes, shapes,
weights to the bit, opsets, metadata. Free are the order of initializers, attributes and value_info; whether a tensor's
numbers stand in typed fields or raw; what is said twice (value_info of an input, an output or an initializer; the domain
"ai.onnx"); what core/onnx/onnx.h says is dropped. Where the first calls functions of its own, whose bodies take the
calls' places, nodes and functions are left out.

Usage: same_graph.py A B [A B ...]. Exit 0: the same; 1: not; 3: python3's onnx is not here."""
import sys

try:
    import onnx
    from google.protobuf.message import Message
    from onnx import AttributeProto, TensorProto, numpy_helper
except ImportError as missing:
    print(missing, file=sys.stderr)
    sys.exit(3)

INT4 = 22                                                       # younger than some onnx


def drop_empty(message):
    """An empty text is none."""
    for field, value in message.ListFields():
        if isinstance(value, str) and value == "":
            message.ClearField(field.name)
        elif isinstance(value, Message):
            drop_empty(value)
        elif field.type == field.TYPE_MESSAGE:
            for item in value:
                drop_empty(item)


def plain_tensor(t):
    """The same tensor, its numbers raw; those that numpy_helper does not know stay as they are."""
    t.ClearField("data_location")                               # onnx.load has fetched what lay elsewhere
    if t.data_type not in (TensorProto.STRING, TensorProto.COMPLEX64, TensorProto.COMPLEX128, INT4):
        raw = numpy_helper.from_array(numpy_helper.to_array(t)).raw_data
        if t.data_type == TensorProto.BFLOAT16 and not t.HasField("raw_data"):
            raw = b"".join(v.to_bytes(2, "little") for v in t.int32_data)       # to_array gives float32
        elif t.data_type == TensorProto.BFLOAT16:
            raw = t.raw_data
        for field in ("float_data", "int32_data", "int64_data", "double_data", "uint64_data"):
            t.ClearField(field)
        t.raw_data = raw
    t.ClearField("doc_string")


def plain_attribute(a):
    a.ClearField("doc_string")
    if a.type == AttributeProto.TENSOR:
        plain_tensor(a.t)
        a.t.ClearField("name")
    for g in [a.g] * (a.type == AttributeProto.GRAPH) + list(a.graphs):
        plain_graph(g)


def plain_node(n):
    if n.domain == "ai.onnx":
        n.ClearField("domain")
    for a in n.attribute:
        plain_attribute(a)
    n.attribute.sort(key=lambda a: a.name)


def plain_graph(g):
    for t in g.initializer:
        plain_tensor(t)
    for n in g.node:
        plain_node(n)
    told = {v.name for v in list(g.initializer) + list(g.input) + list(g.output)}
    rest = sorted((v for v in g.value_info if v.name not in told), key=lambda v: v.name)
    del g.value_info[:]
    g.value_info.extend(rest)
    g.initializer.sort(key=lambda t: t.name)


def parts(path):
    """Name of a field to its value, of the graph and of the model around it; names of functions that are called."""
    m = onnx.load(path)
    drop_empty(m)
    called = {(f.domain, f.name) for f in m.functions} & {(n.domain, n.op_type) for n in m.graph.node}
    plain_graph(m.graph)
    found = {}
    for owner in (m.graph, m):
        for field, value in owner.ListFields():
            if field.name != "graph":
                found[f"{owner.DESCRIPTOR.name}.{field.name}"] = value
    return found, called


def first_difference(a, b):
    if not hasattr(a, "__len__") or not hasattr(b, "__len__") or isinstance(a, str):
        return f"{a} | {b}"
    pairs = [(x, y) for x, y in zip(a, b) if x != y]
    return f"{pairs[0][0]}\n|\n{pairs[0][1]}"[:2000] if pairs else f"{len(a)} | {len(b)} of them"


def compare(first, second):
    (a, called), (b, _) = parts(first), parts(second)
    left_out = ("GraphProto.node", "ModelProto.functions", "GraphProto.value_info") if called else ()
    differ = [key for key in sorted((a.keys() | b.keys()) - set(left_out))
              if not (key in a and key in b and a[key] == b[key])]
    for key in differ:
        print(f"not the same: {key}: {first_difference(a.get(key), b.get(key))}")
    if differ:
        return 1
    counts = [len(a.get("GraphProto." + key, ())) for key in ("node", "initializer")]
    what = "nodes, calls put in their places" if called else "nodes"
    print(f"{counts[0]} {what}, {counts[1]} initializers, the same")
    return 0


if __name__ == "__main__":
    sys.exit(max(compare(a, b) for a, b in zip(sys.argv[1::2], sys.argv[2::2])))

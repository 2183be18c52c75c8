#!/usr/bin/python3
"""Exports torchvision's nets with seeded random weights: NAME.onnx, NAME.in.npy, NAME.out.npy in a folder.

Usage: torch_export.py FOLDER [NAME ...]      all names where none is given
Exit status 3: torch or torchvision is not installed.
"""
import sys

try:
    import numpy
    import torch
    import torchvision
except ImportError as missing:
    print(missing, file=sys.stderr)
    sys.exit(3)

# Name to the side of its input. Sizes are small where the net allows: what is tested is the operators, not the time.
NETS = {
    "alexnet": 224, "vgg11_bn": 224, "vgg16": 224, "resnet18": 96, "resnet50": 96, "wide_resnet50_2": 64,
    "resnext50_32x4d": 64, "densenet121": 64, "squeezenet1_1": 96, "googlenet": 96, "inception_v3": 160,
    "shufflenet_v2_x1_0": 96, "mobilenet_v2": 96, "mobilenet_v3_small": 96, "efficientnet_b0": 96, "mnasnet0_5": 96,
    "regnet_y_400mf": 96, "convnext_tiny": 64, "lraspp_mobilenet_v3_large": 96, "fcn_resnet50": 64,
}
SEGMENTS = ("lraspp_mobilenet_v3_large", "fcn_resnet50")


class First(torch.nn.Module):
    """A segmentation net's main output, without the dictionary around it."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return self.net(x)["out"]


def settle(net, size):
    """Running means and variances of what really flows, so that random weights do not blow up or die out."""
    net.train()
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 0.5
    with torch.no_grad():
        for _ in range(4):
            net(torch.randn(4, 3, size, size))
    net.eval()


def export(name, folder):
    torch.manual_seed(0)
    size = NETS[name]
    if name in SEGMENTS:
        net = First(getattr(torchvision.models.segmentation, name)(weights=None, weights_backbone=None))
    elif name in ("googlenet", "inception_v3"):
        net = getattr(torchvision.models, name)(weights=None, aux_logits=False, init_weights=True)
    else:
        net = getattr(torchvision.models, name)(weights=None)
    settle(net, size)
    x = torch.randn(2, 3, size, size)
    with torch.no_grad():
        y = net(x)
    torch.onnx.export(net, x, f"{folder}/{name}.onnx", opset_version=13, input_names=["input"],
                      output_names=["output"], dynamic_axes={"input": {0: "N"}, "output": {0: "N"}})
    numpy.save(f"{folder}/{name}.in.npy", x.numpy())
    numpy.save(f"{folder}/{name}.out.npy", y.numpy())
    print(name, flush=True)


if __name__ == "__main__":
    for wanted in sys.argv[2:] or NETS:
        export(wanted, sys.argv[1])

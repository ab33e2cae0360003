"""EfficientNet-Lite0 as an ONNX graph, from the tensors of its PyTorch checkpoint.

The net is that of Google's EfficientNet-Lite (2020): EfficientNet-B0 without squeeze-and-excitation, ReLU6 instead of
swish, stem and head of fixed width. Sources: the Apache-2.0 package efficientnet-lite-pytorch, whose `utils.py` has the
stages below and a batch-normalisation epsilon of 1e-3; padding is TensorFlow's SAME, so strided convolutions pad one
more below and to the right than above and to the left. Batch normalisation is folded into weights and biases.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from openrpp.vision.errors import VisionError

if TYPE_CHECKING:
    import onnx_ir as ir

SIZE: Final = 224
EPSILON: Final = 1e-3
OPSET: Final = 17
# Per stage: blocks, kernel, stride of the first block, expansion, channels in and out.
STAGES: Final = (
    (1, 3, 1, 1, 32, 16),
    (2, 3, 2, 6, 16, 24),
    (2, 5, 2, 6, 24, 40),
    (3, 3, 2, 6, 40, 80),
    (3, 5, 1, 6, 80, 112),
    (4, 5, 2, 6, 112, 192),
    (1, 3, 1, 6, 192, 320),
)
Tensors = Mapping[str, NDArray[Any]]


@dataclass
class _Net:
    """Nodes and weights that have been emitted; a value is 4-D [1, channels, size, size]."""

    tensors: Tensors
    nodes: list[ir.Node] = field(default_factory=list["ir.Node"])
    weights: list[ir.Value] = field(default_factory=list["ir.Value"])

    def constant(self, name: str, array: NDArray[Any]) -> ir.Value:
        import onnx_ir as ir

        tensor = ir.tensor(array.copy(order="C"), name=name)
        value = ir.Value(name=name, shape=ir.Shape(array.shape), type=ir.TensorType(tensor.dtype), const_value=tensor)
        self.weights.append(value)
        return value

    def tensor(self, name: str) -> NDArray[np.float64]:
        if name not in self.tensors:
            raise VisionError(f"the checkpoint has no tensor {name}, which EfficientNet-Lite0 needs")
        return np.asarray(self.tensors[name], np.float64)

    def emit(self, op: str, inputs: list[ir.Value | None], **attributes: Any) -> ir.Value:
        import onnx_ir as ir

        node = ir.node(op, inputs, attributes or None, name=f"{op}_{len(self.nodes)}")
        node.outputs[0].name = f"{node.name}_out"
        self.nodes.append(node)
        return node.outputs[0]

    def conv(self, x: ir.Value, size: int, stride: int, weight: str, norm: str, relu: bool) -> tuple[ir.Value, int]:
        """Convolution with folded normalisation; the value and its new height and width."""
        kernel = self.tensor(f"{weight}.weight")
        scale = self.tensor(f"{norm}.weight") / np.sqrt(self.tensor(f"{norm}.running_var") + EPSILON)
        bias = self.tensor(f"{norm}.bias") - self.tensor(f"{norm}.running_mean") * scale
        folded = (kernel * scale[:, None, None, None]).astype(np.float32)
        after = -(-size // stride)
        padding = max((after - 1) * stride + kernel.shape[2] - size, 0)
        above, below = padding // 2, padding - padding // 2
        y = self.emit(
            "Conv",
            [x, self.constant(f"{weight}.weight", folded), self.constant(f"{weight}.bias", bias.astype(np.float32))],
            kernel_shape=list(kernel.shape[2:]),
            strides=[stride, stride],
            pads=[above, above, below, below],
            group=kernel.shape[0] if kernel.shape[1] == 1 and kernel.shape[0] > 1 else 1,
        )
        return (self.relu6(y) if relu else y), after

    def relu6(self, x: ir.Value) -> ir.Value:
        return self.emit("Clip", [x, self._limit("zero", 0.0), self._limit("six", 6.0)])

    def _limit(self, name: str, number: float) -> ir.Value:
        known = next((value for value in self.weights if value.name == name), None)
        return known or self.constant(name, np.array(number, np.float32))

    def block(self, x: ir.Value, size: int, place: str, shape: tuple[int, int, int, int]) -> tuple[ir.Value, int]:
        """Expansion, depthwise convolution, projection, and the way round them where sizes stay."""
        stride, expansion, channels, made = shape
        y = x
        if expansion != 1:
            y, _ = self.conv(y, size, 1, f"{place}._expand_conv", f"{place}._bn0", True)
        y, after = self.conv(y, size, stride, f"{place}._depthwise_conv", f"{place}._bn1", True)
        y, _ = self.conv(y, after, 1, f"{place}._project_conv", f"{place}._bn2", False)
        return (self.emit("Add", [y, x]) if stride == 1 and channels == made else y), after


def build(tensors: Tensors) -> ir.Model:
    """The net for one picture: `images` [1, 3, 224, 224] -> `logits` [1, classes], float32.

    Raises VisionError for tensors that are missing or do not fit together.
    """
    import onnx_ir as ir

    net = _Net(tensors)
    image = ir.Value(name="images", shape=ir.Shape([1, 3, SIZE, SIZE]), type=ir.TensorType(ir.DataType.FLOAT))
    try:
        x, size = net.conv(image, SIZE, 2, "_conv_stem", "_bn0", True)
        index = 0
        for blocks, _, stride, expansion, channels, made in STAGES:
            for number in range(blocks):
                shape = (1, expansion, made, made) if number else (stride, expansion, channels, made)
                x, size = net.block(x, size, f"_blocks.{index}", shape)
                index += 1
        x, _ = net.conv(x, size, 1, "_conv_head", "_bn1", True)
        x = net.emit("Flatten", [net.emit("GlobalAveragePool", [x])], axis=1)
        weight, bias = (net.constant(f"_fc.{part}", net.tensor(f"_fc.{part}").astype(np.float32)) for part in
                        ("weight", "bias"))  # fmt: skip
        logits = net.emit("Gemm", [x, weight, bias], transB=1)
    except (ValueError, IndexError) as error:
        if isinstance(error, VisionError):
            raise
        raise VisionError(f"the checkpoint's tensors do not fit EfficientNet-Lite0: {error}") from None
    logits.name, logits.type = "logits", ir.TensorType(ir.DataType.FLOAT)
    logits.shape = ir.Shape([1, net.tensors["_fc.bias"].shape[0]])
    opsets = {"": OPSET}
    graph = ir.Graph(
        [image], [logits], nodes=net.nodes, initializers=net.weights, opset_imports=opsets, name="efficientnet-lite0"
    )
    return ir.Model(graph, ir_version=10, producer_name="openrpp")

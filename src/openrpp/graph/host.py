"""Nodes on the host: ONNX's own reference evaluator, one node at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from openrpp.graph.errors import GraphError, Unsupported

if TYPE_CHECKING:
    import onnx_ir as ir


def model_of(node: ir.Node, model: ir.Model) -> bytes:
    """A model of one node, with the functions that it may call, as protobuf; inputs in the node's order."""
    import onnx
    import onnx_ir as ir

    proto = ir.to_proto(node)
    inputs = [onnx.ValueInfoProto(name=name) for name in dict.fromkeys(name for name in proto.input if name)]
    outputs = [onnx.ValueInfoProto(name=name) for name in proto.output if name]
    graph = onnx.helper.make_graph([proto], "node", inputs, outputs)
    imports = [onnx.helper.make_opsetid(domain, version) for domain, version in model.opset_imports.items()]
    functions = [ir.to_proto(function) for function in model.functions.values()]
    return onnx.helper.make_model(graph, opset_imports=imports, functions=functions).SerializeToString()


class Evaluator:
    """Runs one node. Made of the node, or of `model_of` from a compiled file."""

    def __init__(self, node: ir.Node | bytes, model: ir.Model | None = None) -> None:
        try:
            import onnx
            from onnx.reference import ReferenceEvaluator
        except ImportError:
            raise GraphError("nodes of this model run on the host and need onnx; pip install 'openrpp[onnx]'") from None
        if not isinstance(node, bytes):
            assert model is not None
            node = model_of(node, model)
        proto = onnx.ModelProto()
        proto.ParseFromString(node)
        self.node = proto.graph.node[0]
        try:
            self._evaluator = ReferenceEvaluator(proto)
        except (NotImplementedError, RuntimeError) as error:
            reason = str(error).splitlines()[0]
            raise Unsupported(f"{self.label} runs neither on the card nor on the host: {reason}") from None

    @property
    def label(self) -> str:
        """Operator and name, for messages."""
        return f"{self.node.op_type} node {self.node.name or self.node.output[0]}"

    def run(self, values: Sequence[NDArray[Any] | None]) -> list[NDArray[Any]]:
        """The node's outputs, those with a name. Raises GraphError where the data does not suit the node."""
        feed = {name: value for name, value in zip(self.node.input, values, strict=True) if name}
        try:
            with np.errstate(all="ignore"):
                results = self._evaluator.run(None, feed)  # pyright: ignore[reportUnknownMemberType]
        except Exception as error:  # the reference evaluator raises whatever its NumPy code runs into
            raise GraphError(f"{self.label} failed on the host: {type(error).__name__}: {error}") from error
        return [np.asarray(item) for item in results]

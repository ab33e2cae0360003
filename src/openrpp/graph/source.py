"""Models as they come: a file, its bytes, a ModelProto or an onnx_ir.Model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from openrpp.graph.errors import GraphError

if TYPE_CHECKING:
    import onnx_ir as ir


def read_model(source: Any) -> ir.Model:
    """A model of our own to work on.

    Args:
        source: path, bytes of a file, `onnx.ModelProto`, or `onnx_ir.Model`, which is copied.

    Raises GraphError for a file that is missing, truncated or no ONNX model, and for weights in other files that are
    not there.
    """
    import onnx
    import onnx_ir as ir

    if isinstance(source, ir.Model):
        return source.clone()
    if isinstance(source, onnx.ModelProto):
        return _checked(ir.from_proto(source), "the model")
    if isinstance(source, bytes):
        return _checked(_parsed(source, "the model"), "the model")
    path = Path(str(source))
    try:
        content = path.read_bytes()
    except OSError as error:
        raise GraphError(f"{path} cannot be read: {error.strerror}") from None
    model = _parsed(content, str(path))
    ir.external_data.set_base_dir(model.graph, path.parent)  # pyright: ignore[reportUnknownMemberType]
    return _checked(model, str(path))


def _parsed(content: bytes, name: str) -> ir.Model:
    import onnx
    import onnx_ir as ir
    from google.protobuf.message import DecodeError

    proto = onnx.ModelProto()
    try:
        proto.ParseFromString(content)
    except DecodeError:
        what = "is empty" if not content else f"is no ONNX model, or it is truncated ({len(content)} bytes)"
        raise GraphError(f"{name} {what}") from None
    if not proto.HasField("graph") or not proto.opset_import:
        raise GraphError(f"{name} is no ONNX model, or it is truncated: it has no graph ({len(content)} bytes)")
    try:
        return ir.from_proto(proto)
    except (ValueError, KeyError, TypeError) as error:
        raise GraphError(f"{name} is no valid ONNX model: {_first_line(error)}") from None


def _checked(model: ir.Model, name: str) -> ir.Model:
    """The model, if its weights are all there. Raises GraphError."""
    import onnx_ir as ir

    for value in model.graph.initializers.values():
        tensor = value.const_value
        if tensor is None:
            raise GraphError(f"{name}: initializer {value.name} has no content")
        if isinstance(tensor, ir.ExternalTensor):
            _check_external(tensor, name)
        elif isinstance(tensor, ir.serde.TensorProtoTensor):
            _check_size(tensor, name)
    if not model.graph.outputs:
        raise GraphError(f"{name}: the graph has no outputs")
    return model


def _check_external(tensor: ir.ExternalTensor, name: str) -> None:
    path = Path(tensor.path)
    if not path.is_file():
        raise GraphError(f"{name}: the weights of {tensor.name} are in {path}, which is not there")
    end = (tensor.offset or 0) + (tensor.length if tensor.length is not None else tensor.nbytes)
    if path.stat().st_size < end:
        size = path.stat().st_size
        raise GraphError(f"{name}: {path} is truncated: {tensor.name} ends at byte {end} of {size}")


def _check_size(tensor: ir.TensorProtoTensor, name: str) -> None:
    try:
        have = tensor.numpy().size
    except ValueError as error:
        raise GraphError(f"{name}: the content of {tensor.name} does not fit its shape: {_first_line(error)}") from None
    if have != tensor.size:
        raise GraphError(
            f"{name}: {tensor.name} has {have} elements, its shape {list(tensor.shape.numpy())} needs {tensor.size}"
        )


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]

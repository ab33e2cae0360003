"""A model made ready to be lowered: bound extents, known shapes, folded constants, expanded functions, checked ops."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from openrpp.graph.errors import GraphError, Unsupported
from openrpp.isa.suggest import did_you_mean

if TYPE_CHECKING:
    import onnx_ir as ir

FOLDED: Final = 1 << 24
"""Elements of the largest constant that folding makes."""
ROUNDS: Final = 4


def bind(model: ir.Model, dims: Mapping[str, int], shapes: Mapping[str, tuple[int, ...]]) -> dict[str, int]:
    """Give symbolic extents of the inputs their values, in place; what each name is bound to.

    Args:
        model: the model.
        dims: extent by name.
        shapes: shape by input name; must agree with fixed extents and `dims`.

    Raises GraphError for shapes that do not fit, and for extents that are left without a value.
    """
    import onnx_ir as ir

    bound = dict(dims)
    for value in _fed(model):
        if value.shape is None:
            raise GraphError(f"input {value.name} has no shape; give it as shapes={{{value.name!r}: (...)}}")
        if value.name is not None and value.name in shapes:
            _bind_shape(value, shapes[value.name], bound)
    for value in _fed(model):
        assert value.shape is not None
        extents = [_extent(value, index, extent, bound) for index, extent in enumerate(value.shape)]
        value.shape = ir.Shape(extents)
    return bound


def _fed(model: ir.Model) -> list[ir.Value]:
    return [value for value in model.graph.inputs if value.name not in model.graph.initializers]


def _bind_shape(value: ir.Value, shape: tuple[int, ...], bound: dict[str, int]) -> None:
    assert value.shape is not None
    expected = [extent if isinstance(extent, int) else str(extent.value) for extent in value.shape]
    if len(expected) != len(shape):
        raise GraphError(f"input {value.name} has {len(expected)} axes, not {len(shape)}: {_shown(expected)}")
    for extent, given in zip(expected, shape, strict=True):
        wanted = extent if isinstance(extent, int) else bound.setdefault(extent, given)
        if wanted != given:
            raise GraphError(f"input {value.name} has shape {_shown(expected)}, not {_shown(shape)}")


def _extent(value: ir.Value, index: int, extent: Any, bound: Mapping[str, int]) -> int:
    if isinstance(extent, int):
        return extent
    name = extent.value
    if name is None or name not in bound:
        what = f"extent {name}" if name else f"extent {index}"
        raise GraphError(f"{what} of input {value.name} is open; bind it: dims={{{name or '...'!r}: 1}}")
    if bound[name] < 1:
        raise GraphError(f"extent {name} cannot be {bound[name]}")
    return bound[name]


def _shown(shape: Iterable[Any]) -> str:
    return f"[{', '.join(str(extent) for extent in shape)}]"


def prepare(model: ir.Model, kept: Collection[tuple[str, str]] = ()) -> None:
    """Simplify a model whose extents are bound, in place.

    Functions are expanded, except `kept` (domain, name); constants are folded; batch normalisation, pads and constant
    factors go into the convolution or product before them.

    Raises Unsupported for an operator that is not known, GraphError where a shape stays unknown.
    """
    from onnx_ir.passes import common
    from onnxscript import optimizer

    check_operators(model)
    _forget_shapes(model)
    logging.getLogger("onnxscript").setLevel(logging.ERROR)
    common.InlinePass(criteria=lambda function: (function.domain, function.name) not in kept)(model)
    for _ in range(ROUNDS):
        optimizer.optimize_ir(model, num_iterations=2, inline=False)
        rewritten = _rewrite(model)
        if not (fold(model) or rewritten):
            break
    common.TopologicalSortPass()(model)
    common.NameFixPass()(model)
    _check_shapes(model)


def _forget_shapes(model: ir.Model) -> None:
    """Shapes in the file may hold symbols that are bound now; inference makes them anew."""
    for node in model.graph:
        for value in node.outputs:
            value.shape = None
    for value in model.graph.outputs:
        if value.shape is not None and any(not isinstance(extent, int) for extent in value.shape):
            value.shape = None


def _rewrite(model: ir.Model) -> bool:
    from onnxscript import rewriter
    from onnxscript.rewriter.rules import common as rules

    chosen = [
        rules.fuse_batchnorm_into_conv_rule,
        rules.fuse_batchnorm_into_gemm_rule,
        rules.normalize_pad_format_conv_rule,
        rules.fuse_pad_into_conv_rule,
        rules.affine_conv_fusion_rule,
        rules.conv_affine_fusion_rule,
    ]
    return rewriter.RewritePass(chosen)(model).modified


def check_operators(model: ir.Model) -> None:
    """Raises Unsupported for an operator that ONNX does not define and the model has no function for."""
    import onnx

    functions = {(domain, name) for domain, name, _ in model.functions}
    for node in model.graph.all_nodes():
        key = (node.domain, node.op_type)
        if key in functions:
            continue
        version = model.opset_imports.get(node.domain)
        try:
            onnx.defs.get_schema(node.op_type, version or 1, node.domain)
        except onnx.defs.SchemaError:
            raise Unsupported(_unknown(node, version)) from None


def _unknown(node: ir.Node, version: int | None) -> str:
    import onnx

    where = f" of domain {node.domain}" if node.domain else f" of ONNX opset {version}"
    known = [schema.name for schema in onnx.defs.get_all_schemas() if schema.domain == node.domain]
    hint = did_you_mean(node.op_type, known)
    return f"operator {node.op_type}{where} is not known (node {node.name or node.outputs[0].name}){hint}"


def fold(model: ir.Model) -> bool:
    """Compute nodes whose inputs are all constants, of any op that the host has; whether there were any."""
    import onnx_ir as ir

    from openrpp.graph.host import Evaluator

    done = False
    for node in list(model.graph):
        inputs = [None if value is None else constant_of(value) for value in node.inputs]
        known = all(value is None or item is not None for value, item in zip(node.inputs, inputs, strict=True))
        if not known or not _foldable(node):
            continue
        results = Evaluator(node, model).run(inputs)
        for value, result in zip(node.outputs, results, strict=True):
            _replace(model, value, ir.tensor(np.ascontiguousarray(result), name=value.name))
        model.graph.remove(node, safe=True)
        done = True
    return done


def _foldable(node: ir.Node) -> bool:
    random = ("RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Multinomial", "Bernoulli")
    if node.op_type in random or any(value.is_graph_output() for value in node.outputs):
        return False
    if any(attribute.type.name in ("GRAPH", "GRAPHS") for attribute in node.attributes.values()):
        return False
    sizes = [value.shape for value in node.outputs if value.name]
    return all(
        shape is None or not shape.is_static() or np.prod(shape.numpy(), dtype=object) <= FOLDED for shape in sizes
    )


def _replace(model: ir.Model, value: ir.Value, tensor: ir.TensorProtocol) -> None:
    import onnx_ir as ir

    shape, kind = ir.Shape(tensor.shape.numpy()), ir.TensorType(tensor.dtype)
    made = ir.Value(name=f"{value.name}.folded", shape=shape, type=kind, const_value=tensor)
    model.graph.register_initializer(made)
    ir.convenience.replace_all_uses_with(value, made)


def constant_of(value: ir.Value) -> NDArray[Any] | None:
    """A value's content where it is known when the model is compiled."""
    tensor = value.const_value
    if tensor is None or value.is_graph_input():
        return None
    return tensor.numpy()


def _check_shapes(model: ir.Model) -> None:
    for value in model.graph.outputs:
        if value.shape is None or not value.shape.is_static():
            raise GraphError(f"the shape of output {value.name} depends on data: {value.shape}")

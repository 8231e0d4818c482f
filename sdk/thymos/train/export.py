"""From torch to a small ONNX file: weights as int8 with one scale a channel, arithmetic in float.

Only the storage is quantised, activations never are, so the loss of accuracy is that of rounding
the weights. A `Cast` and a `Mul` bring each weight back; onnxruntime folds them when it loads the
file, so that inference costs what the float model costs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from thymos.errors import MissingExtraError

MIN_VALUES = 1024
"""Smaller tensors (biases, norms) stay float32."""

KEEP = ("fourier", "filters")
"""Tensors with these words in their names stay float32: a front end must be exact."""


def to_onnx(
    model: Any,
    example: tuple[Any, ...],
    path: Path,
    inputs: dict[str, dict[int, str]],
    output: str,
) -> None:
    """Write a torch module to `path` as ONNX with int8-stored weights.

    Args:
        model: A torch module, moved to the CPU and set to evaluate.
        example: Example arguments, in the order of `inputs`.
        path: The file to write.
        inputs: Input names, each with its free axes by number.
        output: Name of the one output, whose axis 0 is free.

    Raises:
        MissingExtraError: onnx is not installed.
    """
    try:
        import onnx
        import torch
    except ImportError as err:
        raise MissingExtraError("onnx", "train") from err
    torch.onnx.export(
        model.cpu().eval().float(),
        example,
        str(path),
        input_names=list(inputs),
        output_names=[output],
        dynamic_axes={**inputs, output: {0: "batch"}},
        opset_version=17,
        dynamo=False,
    )
    graph = onnx.load(str(path))
    store_int8(graph)
    graph.doc_string = ""
    for node in graph.graph.node:
        node.doc_string = ""
    onnx.checker.check_model(graph)
    onnx.save(graph, str(path))


def store_int8(graph: Any) -> None:
    """Replace each large float initialiser of an ONNX model by int8 values and scales, in place."""
    from onnx import TensorProto, helper, numpy_helper

    nodes, keep = [], []
    for tensor in graph.graph.initializer:
        values = numpy_helper.to_array(tensor)
        small = values.ndim < 2 or values.size < MIN_VALUES
        if values.dtype != np.float32 or small or any(k in tensor.name for k in KEEP):
            keep.append(tensor)
            continue
        axis = _channel_axis(graph, tensor.name, values.ndim)
        rest = tuple(a for a in range(values.ndim) if a != axis)
        scale = np.maximum(np.abs(values).max(axis=rest, keepdims=True) / 127.0, 1e-12)
        quantised = np.rint(values / scale).astype(np.int8)
        keep.append(numpy_helper.from_array(quantised, tensor.name + "_int8"))
        keep.append(numpy_helper.from_array(scale.astype(np.float32), tensor.name + "_scale"))
        cast = tensor.name + "_cast"
        nodes.append(
            helper.make_node("Cast", [tensor.name + "_int8"], [cast], to=TensorProto.FLOAT)
        )
        nodes.append(helper.make_node("Mul", [cast, tensor.name + "_scale"], [tensor.name]))
    del graph.graph.initializer[:]
    graph.graph.initializer.extend(keep)
    for node in reversed(nodes):
        graph.graph.node.insert(0, node)


def _channel_axis(graph: Any, name: str, ndim: int) -> int:
    """Return the axis along which a weight gets its scales: output channel, or row of a table."""
    for node in graph.graph.node:
        if name in node.input and node.op_type == "MatMul":
            return ndim - 1
    return 0

"""From torch to a small ONNX file: weights in 8 or 6 bits, one scale a channel; float arithmetic.

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

MANY_VALUES = 2**18
"""Tensors this large may be stored in 6 bits."""

KEEP = ("fourier", "filters", "_scale", "answer.")
"""Tensors with these words in their names stay float32: the ends of a network must be exact."""


def to_onnx(
    model: Any,
    example: tuple[Any, ...],
    path: Path,
    inputs: dict[str, dict[int, str]],
    *outputs: str,
    six_bits: bool = False,
) -> None:
    """Write a torch module to `path` as ONNX with weights stored in 8 or 6 bits.

    Args:
        model: A torch module, moved to the CPU and set to evaluate.
        example: Example arguments, in the order of `inputs`.
        path: The file to write.
        inputs: Input names, each with its free axes by number.
        outputs: Names of the outputs, whose axis 0 is free.
        six_bits: Store weights of 2^18 values or more in 6 bits.

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
        output_names=list(outputs),
        dynamic_axes={**inputs, **{name: {0: "batch"} for name in outputs}},
        opset_version=17,
        dynamo=False,
    )
    graph = onnx.load(str(path))
    if six_bits:
        store_six_bits(graph)
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


def store_six_bits(graph: Any) -> None:
    """Replace each very large float initialiser by 6-bit values, four in three bytes, in place.

    The flat values are cut into four planes a, b, c, d of equal length. Bytes:
    a + 64 (b % 4), b // 4 + 16 (c % 16), c // 16 + 4 d. Like the
    int8 form it is unfolded when the file is loaded.
    """
    from onnx import helper, numpy_helper

    nodes, keep, constants = [], [], {}
    for number in (4, 16, 32, 64):
        constants[number] = f"six_bits_{number}"
        keep.append(numpy_helper.from_array(np.array(number, np.int32), constants[number]))
    for tensor in graph.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.ndim < 2 or values.size < MANY_VALUES:
            keep.append(tensor)
            continue
        axis = _channel_axis(graph, tensor.name, values.ndim)
        rest = tuple(a for a in range(values.ndim) if a != axis)
        scale = np.maximum(np.abs(values).max(axis=rest, keepdims=True) / 31.0, 1e-12)
        codes = (np.rint(values / scale).astype(np.int32) + 32).reshape(4, -1)
        a, b, c, d = codes
        packed = np.stack([a + b % 4 * 64, b // 4 + c % 16 * 16, c // 16 + d * 4])
        name = tensor.name
        keep.append(numpy_helper.from_array(packed.astype(np.uint8), f"{name}_6"))
        keep.append(numpy_helper.from_array(np.array(values.shape), f"{name}_shape"))
        keep.append(numpy_helper.from_array(scale.astype(np.float32), f"{name}_scale"))
        nodes += _unpacking(helper, name, constants)
    del graph.graph.initializer[:]
    graph.graph.initializer.extend(keep)
    for node in reversed(nodes):
        graph.graph.node.insert(0, node)


def _unpacking(helper: Any, name: str, constants: dict[int, str]) -> list[Any]:
    """Return the nodes from `name`_6 [3, n / 4] uint8 to `name`, float of its shape."""
    nodes: list[Any] = []

    def do(kind: str, inputs: list[str], output: str, **more: Any) -> str:
        outputs = [f"{name}_{part}" for part in output.split()]
        nodes.append(helper.make_node(kind, inputs, outputs, **more))
        return outputs[0]

    def by(kind: str, left: str, number: int) -> str:
        return do(kind, [left, constants[number]], f"{kind}{number}_{len(nodes)}")

    do("Cast", [f"{name}_6"], "bytes", to=6)  # int32
    do("Split", [f"{name}_bytes"], "x y z", axis=0)
    x, y, z = (f"{name}_{part}" for part in "xyz")
    parts = [
        by("Mod", x, 64),
        do("Add", [by("Div", x, 64), by("Mul", by("Mod", y, 16), 4)], "b"),
        do("Add", [by("Div", y, 16), by("Mul", by("Mod", z, 4), 16)], "c"),
        by("Div", z, 4),
    ]
    codes = by("Sub", do("Concat", parts, "codes", axis=0), 32)
    signed = do("Cast", [codes], "signed", to=1)  # float
    shaped = do("Reshape", [signed, f"{name}_shape"], "shaped")
    nodes.append(helper.make_node("Mul", [shaped, f"{name}_scale"], [name]))
    return nodes


def _channel_axis(graph: Any, name: str, ndim: int) -> int:
    """Return the axis along which a weight gets its scales: output channel, or row of a table."""
    for node in graph.graph.node:
        if name in node.input and node.op_type == "MatMul":
            return ndim - 1
    return 0

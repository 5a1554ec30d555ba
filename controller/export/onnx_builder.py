"""Writing an ONNX graph node by node, without the library that trained the networks.

Only operators of opset 15 are used, of which engines' own readers know nearly all.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import numpy as np

from controller.core.errors import ControllerError

Precision = Literal["float32", "float16", "int8"]
"""How weights of networks are stored. All arithmetic is in float32."""
PRECISIONS = get_args(Precision)
OPSET = 15
IR_VERSION = 8
"""The file format that came with opset 15: older readers refuse newer ones."""
LEVELS = 127
"""Steps of an int8 weight on either side of 0."""


def library() -> Any:
    """The package ``onnx``. Raises ControllerError if it is not installed."""
    try:
        import onnx
    except ImportError as error:
        message = 'writing ONNX needs onnx: pip install -e ".[export]"'
        raise ControllerError(message) from error
    return onnx


class Builder:
    """A graph that grows. Values are called by names, which are strings."""

    def __init__(self, precision: Precision = "float32") -> None:
        self._onnx = library()
        self._precision = precision
        self._nodes: list[Any] = []
        self._constants: list[Any] = []

    def node(self, kind: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        """Add an operator with one output, and return the output's name."""
        output = name or f"{kind.lower()}_{len(self._nodes)}"
        made = self._onnx.helper.make_node(kind, list(inputs), [output], name=output, **attributes)
        self._nodes.append(made)
        return output

    def constant(self, values: Any, dtype: Any = np.float32) -> str:
        """Add a constant, and return its name."""
        array = np.ascontiguousarray(np.asarray(values, dtype))
        name = f"constant_{len(self._constants)}"
        self._constants.append(self._onnx.numpy_helper.from_array(array, name))
        return name

    def weight(self, values: np.ndarray) -> str:
        """Add a network's weights (E, I, O) at the precision of this builder, stacked (E·I, O).

        int8 weights have a scale for each expert and output. They are widened by plain operators,
        which readers compute once, when they load the file.
        """
        experts, inputs, outputs = values.shape
        stacked = values.reshape(experts * inputs, outputs)
        if self._precision == "float32":
            return self.constant(stacked)
        kind = self._onnx.TensorProto.FLOAT
        if self._precision == "float16":
            return self.node("Cast", self.constant(stacked, np.float16), to=kind)
        scale = np.maximum(np.abs(values).max(axis=1, keepdims=True), 1e-12) / LEVELS
        small = self.constant(np.rint(values / scale), np.int8)
        wide = self.multiply(self.node("Cast", small, to=kind), self.constant(scale))
        return self.shaped(wide, experts * inputs, outputs)

    # -- short forms -------------------------------------------------------------------------------

    def add(self, left: str, right: str) -> str:
        return self.node("Add", left, right)

    def subtract(self, left: str, right: str) -> str:
        return self.node("Sub", left, right)

    def multiply(self, left: str, right: str) -> str:
        return self.node("Mul", left, right)

    def divide(self, left: str, right: str) -> str:
        return self.node("Div", left, right)

    def concat(self, *parts: str, name: str = "") -> str:
        """Side by side along the last axis."""
        return self.node("Concat", *parts, axis=-1, name=name)

    def columns(self, values: str, start: int, stop: int, axis: int = 1) -> str:
        """``values[:, start:stop]``, or a slice of another axis."""
        bounds = [self.constant([bound], np.int64) for bound in (start, stop, axis)]
        return self.node("Slice", values, *bounds)

    def shaped(self, values: str, *shape: int, name: str = "") -> str:
        """The same values in another shape; 0 keeps the size of that axis, so that of a batch."""
        return self.node("Reshape", values, self.constant(shape, np.int64), name=name)

    def taken(self, values: str, indices: Any, axis: int = 1) -> str:
        """Chosen entries of an axis."""
        return self.node("Gather", values, self.constant(indices, np.int64), axis=axis)

    def length(self, values: str) -> str:
        """Euclidean norm over the last axis, which stays with a size of 1; 1e-12 or more."""
        norm = self.node("ReduceL2", values, axes=[-1], keepdims=1)
        return self.node("Max", norm, self.constant(1e-12))

    def dot(self, left: str, right: str) -> str:
        """Sum of products over the last axis, which stays with a size of 1."""
        axis = self.constant([-1], np.int64)
        return self.node("ReduceSum", self.multiply(left, right), axis, keepdims=1)

    def cross(self, left: str, right: str) -> str:
        """Cross products of vectors (B, J, 3)."""
        parts = []
        for first, second in (([1, 2, 0], [2, 0, 1]), ([2, 0, 1], [1, 2, 0])):
            factors = self.taken(left, first, 2), self.taken(right, second, 2)
            parts.append(self.multiply(*factors))
        return self.subtract(*parts)

    def model(
        self,
        name: str,
        inputs: Mapping[str, Sequence[int]],
        outputs: Mapping[str, Sequence[int]],
        metadata: Mapping[str, Any],
        description: str,
    ) -> Any:
        """The finished model. Inputs and outputs by name, with their shapes after the batch's
        dimension, which is free. Metadata that are not text become JSON."""
        helper = self._onnx.helper

        def described(values: Mapping[str, Sequence[int]]) -> list[Any]:
            kind = self._onnx.TensorProto.FLOAT
            return [
                helper.make_tensor_value_info(value, kind, ["batch", *shape])
                for value, shape in values.items()
            ]

        graph = helper.make_graph(
            self._nodes, name, described(inputs), described(outputs), self._constants
        )
        opset = helper.make_opsetid("", OPSET)
        model = helper.make_model(
            graph, opset_imports=[opset], ir_version=IR_VERSION, doc_string=description
        )
        texts = {
            name: value if isinstance(value, str) else json.dumps(value)
            for name, value in metadata.items()
        }
        helper.set_model_props(model, texts)
        self._onnx.checker.check_model(model, full_check=True)
        return model

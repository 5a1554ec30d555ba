"""The controller as one ONNX graph: from a state and a wish to the next state and the joints.

The formulas are those of :mod:`controller.tasks.joystick`, :mod:`controller.control.actors`,
:mod:`controller.model.mixture` and :mod:`controller.motion.geometry`, which define the results.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from controller.control.sway import STANDING
from controller.export.onnx_builder import Builder, Precision
from controller.export.steered import Layer, SteeredCharacter
from controller.tasks.simulation import LATENT_LIMIT

CANDIDATES = (
    "xx+1-yy-zz  yx+xy  zx+xz  zy-yz",
    "yx+xy  yy+1-xx-zz  zy+yz  xz-zx",
    "zx+xz  zy+yz  zz+1-xx-yy  yx-xy",
    "zy-yz  xz-zx  yx-xy  1+xx+yy+zz",
)
"""Four multiples of a rotation's quaternion (x, y, z, w), as sums of the entries of its matrix:
``yx`` is the one in row y and column x (Shepperd 1978). The longest is the one whose own entry, on
the diagonal, is the largest."""


def build(steered: SteeredCharacter, precision: Precision = "float32") -> Any:
    """The ONNX model. Raises ControllerError if the package ``onnx`` is missing.

    Inputs  pose (B, D), position (B, 2), yaw (B, 1), velocity (B, 2), facing (B, 1)
            with a policy that sways also noise (B, latent) and random (B, latent)
    Outputs next_pose, next_position, next_yaw, and of that state root (B, 3), rotations (B, J, 4)
            and joints (B, J, 3); with a policy that sways also next_noise
    """
    return Graph(steered, precision).model()


class Graph:
    """The parts of the graph, in the order in which a step computes them."""

    def __init__(self, steered: SteeredCharacter, precision: Precision) -> None:
        self.steered = steered
        self.layout = steered.character.layout
        self.b = Builder(precision)
        self.mean = steered.statistics["mean"]
        self.std = steered.statistics["std"]

    def model(self) -> Any:
        b = self.b
        latent = self.act(b.concat("pose", self.see_wish()))
        pose = self.decode(latent)
        values = b.add(b.multiply(pose, b.constant(self.std)), b.constant(self.mean))
        self.move(values)
        self.place(values)
        count = self.layout.joints
        size = self.layout.size
        inputs = {"pose": [size], "position": [2], "yaw": [1], "velocity": [2], "facing": [1]}
        outputs: dict[str, list[int]] = {"next_pose": [size], "next_position": [2], "next_yaw": [1]}
        if self.steered.sway[1]:
            width = [self.steered.character.latent]
            inputs |= {"noise": width, "random": width}
            outputs["next_noise"] = width
        joints = {"root": [3], "rotations": [count, 4], "joints": [count, 3]}
        info = self.steered.info
        return b.model("controller", inputs, outputs | joints, self.steered.metadata(), info.title)

    # -- the policy --------------------------------------------------------------------------------

    def see_wish(self) -> str:
        """(B, 4): the wish relative to the character, slowed to what the policy was trained for."""
        b = self.b
        velocity = b.multiply("velocity", self.slowing())
        ahead, left = self.turned(velocity, "yaw")
        angle = b.subtract("facing", "yaw")
        return b.concat(ahead, left, b.node("Cos", angle), b.node("Sin", angle))

    def slowing(self) -> str:
        """(B, 1): the factor, up to 1, that brings the desired velocity down to the limit, which is
        half an ellipse ahead of the facing and half another one behind it."""
        b = self.b
        stick = self.steered.stick
        ahead, left = self.turned("velocity", "facing")
        behind = b.node("Less", ahead, b.constant(0))
        fastest = (b.constant(stick.backward_speed), b.constant(stick.forward_speed))
        along = b.divide(ahead, b.node("Where", behind, *fastest))
        across = b.divide(left, b.constant(stick.sideways_speed))
        share = b.length(b.concat(along, across))
        return b.divide(b.constant(1), b.node("Max", share, b.constant(1)))

    def turned(self, vector: str, yaw: str) -> tuple[str, str]:
        """The parts ahead and to the left, (B, 1) each, of world vectors (B, 2) seen by one that
        faces ``yaw``."""
        b = self.b
        x, z = b.columns(vector, 0, 1), b.columns(vector, 1, 2)
        cos, sin = b.node("Cos", yaw), b.node("Sin", yaw)
        ahead = b.add(b.multiply(sin, x), b.multiply(cos, z))
        return ahead, b.subtract(b.multiply(cos, x), b.multiply(sin, z))

    def act(self, observation: str) -> str:
        """(B, latent) within the limit."""
        b = self.b
        values = self.network(observation, self.steered.actor, "Relu")
        limit = self.steered.latent_limit
        latent = b.multiply(b.node("Tanh", values), b.constant(limit))
        kept, fresh = self.steered.sway
        if fresh:
            faded = b.multiply("noise", b.constant(kept))
            wish = b.columns(observation, self.layout.size, self.layout.size + 2)
            slow = b.node("Less", b.length(wish), b.constant(STANDING))
            standing = b.node("Cast", slow, to=1)  # 1 is float32
            added = b.multiply(b.multiply("random", b.constant(fresh)), standing)
            latent = b.add(latent, b.node("Add", faded, added, name="next_noise"))
        return b.node("Clip", latent, b.constant(-LATENT_LIMIT), b.constant(LATENT_LIMIT))

    def network(self, values: str, layers: Sequence[Layer], activation: str) -> str:
        """Linear layers with an activation after each but the last."""
        b = self.b
        for index, layer in enumerate(layers):
            values = b.node("MatMul", values, b.weight(layer.weight))
            values = b.add(values, b.constant(layer.bias[0]))
            if index < len(layers) - 1:
                values = b.node(activation, values)
        return values

    # -- the decoder -------------------------------------------------------------------------------

    def decode(self, latent: str) -> str:
        """The next z-scored pose (B, D), clamped, with the weights of styles of the current one."""
        b = self.b
        body = b.columns("pose", 0, self.layout.body.stop) if self.layout.styles else "pose"
        style = ""
        if self.layout.styles:
            style = b.columns("pose", self.layout.style.start, self.layout.style.stop)
            latent = b.concat(latent, style)
        inputs = b.concat(latent, body)
        blend = b.node("Softmax", self.network(inputs, self.steered.gate, "Elu"), axis=-1)
        first, second, output = self.steered.experts
        hidden = b.node("Elu", self.blended(inputs, blend, first))
        hidden = b.node("Elu", self.blended(b.concat(latent, hidden), blend, second))
        pose = self.blended(b.concat(latent, hidden), blend, output)
        pose = b.concat(pose, style) if style else pose
        low, high = (b.constant(self.steered.statistics[name]) for name in ("low", "high"))
        return b.node("Min", b.node("Max", pose, low), high, name="next_pose")

    def blended(self, inputs: str, blend: str, layer: Layer) -> str:
        """A layer of all experts: their inputs, scaled by each one's share and laid side by side,
        times all weights stacked."""
        b = self.b
        experts, size, _ = layer.weight.shape
        shares = b.shaped(blend, 0, experts, 1)
        scaled = b.multiply(b.shaped(inputs, 0, 1, size), shares)
        product = b.node("MatMul", b.shaped(scaled, 0, experts * size), b.weight(layer.weight))
        return b.add(product, b.node("MatMul", blend, b.constant(layer.bias)))

    # -- the root and the joints -------------------------------------------------------------------

    def move(self, values: str) -> None:
        """The next position and yaw, from the root velocity (B, 3) at the start of a pose in its
        own units: forward, left, turning."""
        b = self.b
        seconds = b.constant(1 / self.steered.character.fps)
        forward, left, turning = (b.columns(values, i, i + 1) for i in range(3))
        cos, sin = b.node("Cos", "yaw"), b.node("Sin", "yaw")
        x = b.add(b.multiply(cos, left), b.multiply(sin, forward))
        z = b.subtract(b.multiply(cos, forward), b.multiply(sin, left))
        step = b.multiply(b.concat(x, z), seconds)
        b.node("Add", "position", step, name="next_position")

        yaw = b.add("yaw", b.multiply(turning, seconds))
        turns = b.divide(b.add(yaw, b.constant(math.pi)), b.constant(2 * math.pi))
        whole = b.multiply(b.node("Floor", turns), b.constant(2 * math.pi))
        b.node("Sub", yaw, whole, name="next_yaw")

    def place(self, values: str) -> None:
        """Root, local rotations and world positions of the joints in the next state."""
        b = self.b
        x, z = (b.columns("next_position", i, i + 1) for i in range(2))
        column = self.layout.hip_height
        root = b.concat(x, b.columns(values, column, column + 1), z, name="root")
        world = b.node("MatMul", self.facing(), self.rotations(values))  # (B, J, 3, 3)

        parents = self.steered.parents
        count = len(parents)
        above = b.taken(world, np.maximum(parents, 0))
        bones = b.node("MatMul", above, b.constant(self.steered.offsets[:, :, None]))
        sums = b.node("MatMul", b.constant(ancestors(parents)), b.shaped(bones, 0, count, 3))
        b.node("Add", sums, b.shaped(root, 0, 1, 3), name="joints")

        if count > 1:
            rest = b.columns(world, 1, count)
            back = b.node("Transpose", b.columns(above, 1, count), perm=[0, 1, 3, 2])
            rest = b.node("MatMul", back, rest)
            world = b.node("Concat", b.columns(world, 0, 1), rest, axis=1)
        self.quaternions(world)

    def facing(self) -> str:
        """(B, 1, 3, 3): the turn about +Y by the next yaw."""
        b = self.b
        cos, sin = b.node("Cos", "next_yaw"), b.node("Sin", "next_yaw")
        zero = b.multiply(cos, b.constant(0))
        one = b.add(zero, b.constant(1))
        entries = (cos, zero, sin, zero, one, zero, b.node("Neg", sin), zero, cos)
        return b.shaped(b.concat(*entries), 0, 1, 3, 3)

    def rotations(self, values: str) -> str:
        """(B, J, 3, 3) in the facing frame, from 6D orientations (Zhou et al. 2019)."""
        b = self.b
        part = self.layout.orientations
        six = b.shaped(b.columns(values, part.start, part.stop), 0, self.layout.joints, 6)
        x = b.columns(six, 0, 3, 2)
        x = b.divide(x, b.length(x))
        y = b.columns(six, 3, 6, 2)
        y = b.subtract(y, b.multiply(b.dot(x, y), x))
        y = b.divide(y, b.length(y))
        axes = [b.shaped(axis, 0, 0, 3, 1) for axis in (x, y, b.cross(x, y))]
        return b.concat(*axes)

    def quaternions(self, matrices: str) -> None:
        """(B, J, 4) as (x, y, z, w) with w ≥ 0, of rotation matrices (B, J, 3, 3)."""
        b = self.b
        count = self.layout.joints
        factors, constants = candidates()
        entries = b.shaped(matrices, 0, count, 9)
        flat = b.add(b.node("MatMul", entries, b.constant(factors)), b.constant(constants))
        longest = b.node("ArgMax", b.taken(flat, [0, 5, 10, 15], 2), axis=2, keepdims=0)
        off_on = b.constant([0, 1])
        chosen = b.node("OneHot", longest, b.constant(4, np.int64), off_on, axis=-1)
        rows = b.shaped(flat, 0, count, 4, 4)
        picked = b.node("MatMul", b.shaped(chosen, 0, count, 1, 4), rows)
        picked = b.shaped(picked, 0, count, 4)
        backward = b.node("Less", b.columns(picked, 3, 4, 2), b.constant(0))
        sign = b.node("Where", backward, b.constant(-1), b.constant(1))
        b.node("Div", b.multiply(picked, sign), b.length(picked), name="rotations")


def ancestors(parents: np.ndarray) -> np.ndarray:
    """(J, J): 1 where a column's joint is the row's joint or above it."""
    matrix = np.eye(len(parents), dtype=np.float32)
    for joint, parent in enumerate(parents):
        if parent >= 0:
            matrix[joint] += matrix[parent]
    return matrix


def candidates() -> tuple[np.ndarray, np.ndarray]:
    """:data:`CANDIDATES` as a product: the entries of a matrix, in a row of 9, times the first
    (9, 16) plus the second (16,)."""
    factors = np.zeros((9, 16), np.float32)
    constants = np.zeros(16, np.float32)
    sums = [each for line in CANDIDATES for each in line.split()]
    for column, text in enumerate(sums):
        for term in text.replace("-", "+-").split("+"):
            sign = -1 if term.startswith("-") else 1
            term = term.lstrip("-")
            if term == "1":
                constants[column] = sign
            else:
                row, other = ("xyz".index(axis) for axis in term)
                factors[3 * row + other, column] = sign
    return factors, constants

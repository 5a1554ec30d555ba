"""One character's step, compiled.

For a batch of one, nearly all the time beyond reading the weights once goes to the overhead of
Python and torch: some fifty operators of two to four microseconds each. Here each part of a step is
one function of numpy arrays, which Numba compiles for the current processor and caches on disk.

The formulas are those of :mod:`controller.model.mixture`, :mod:`controller.motion.geometry` and
:mod:`controller.control.policy`, which define the results; tests compare the two to within 1e-5.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from controller.core.compiling import cached

# Sums may be reordered and multiply-adds fused. NaN and infinity keep their meaning: a pose that is
# not finite must still not be finite after the step, so that it can be detected.
compiled = cached(fastmath={"reassoc", "contract", "nsz", "arcp"}, error_model="numpy")
LARGEST = np.finfo(np.float32).max
ROWS = 8  # rows of weights at once, so that sums are loaded and stored an eighth as often


@compiled
def _linear(weight: Any, bias: Any, inputs: Any, outputs: Any) -> None:
    """outputs = weight · inputs + bias, ``weight`` (O, I)."""
    for o in range(bias.shape[0]):
        total = bias[o]
        for i in range(inputs.shape[0]):
            total += weight[o, i] * inputs[i]
        outputs[o] = total


@compiled
def is_finite(row: Any) -> bool:
    """Whether all values of a row (1, N) are finite. Their sum would not do: it may overflow when
    each of them is finite."""
    finite = True
    for i in range(row.shape[1]):
        finite &= abs(row[0, i]) <= LARGEST  # a comparison that NaN fails
    return finite


@compiled
def _elu(values: Any) -> None:
    for i in range(values.shape[0]):
        if values[i] < 0:
            values[i] = math.exp(values[i]) - np.float32(1)


@compiled
def _softmax(values: Any) -> None:
    largest = values[0]
    total = np.float32(0)
    for i in range(values.shape[0]):
        largest = max(largest, values[i])
    for i in range(values.shape[0]):
        values[i] = math.exp(values[i] - largest)
        total += values[i]
    for i in range(values.shape[0]):
        values[i] /= total


@compiled
def _experts(weight: Any, bias: Any, blend: Any, inputs: Any, outputs: Any) -> None:
    """A layer of all experts, blended: ``weight`` (E, I, O), ``bias`` (E, O), ``blend`` (E,)."""
    experts, size, width = weight.shape
    whole = size - size % ROWS
    for o in range(width):
        outputs[o] = 0
    for e in range(experts):
        share = blend[e]
        for o in range(width):
            outputs[o] += share * bias[e, o]
        for i in range(0, whole, ROWS):
            i0 = share * inputs[i]
            i1 = share * inputs[i + 1]
            i2 = share * inputs[i + 2]
            i3 = share * inputs[i + 3]
            i4 = share * inputs[i + 4]
            i5 = share * inputs[i + 5]
            i6 = share * inputs[i + 6]
            i7 = share * inputs[i + 7]
            for o in range(width):
                outputs[o] += (
                    i0 * weight[e, i, o]
                    + i1 * weight[e, i + 1, o]
                    + i2 * weight[e, i + 2, o]
                    + i3 * weight[e, i + 3, o]
                    + i4 * weight[e, i + 4, o]
                    + i5 * weight[e, i + 5, o]
                    + i6 * weight[e, i + 6, o]
                    + i7 * weight[e, i + 7, o]
                )
        for i in range(whole, size):
            i0 = share * inputs[i]
            for o in range(width):
                outputs[o] += i0 * weight[e, i, o]


@compiled
def decode(w1: Any, b1: Any, w2: Any, b2: Any, w3: Any, b3: Any,
           w4: Any, b4: Any, w5: Any, b5: Any, w6: Any, b6: Any,
           low: Any, high: Any, latent: Any, pose: Any) -> Any:  # fmt: skip
    """The decoder's next pose (1, D) for a latent (1, L), clamped to ``low`` and ``high`` (D,).

    w1 to b3: the gate's layers, weights (O, I); w4 to b6: the experts', weights (E, I, O).
    """
    size = latent.shape[1]
    width = pose.shape[1]
    inputs = np.empty(size + width, np.float32)
    first = np.empty(size + b4.shape[1], np.float32)
    second = np.empty(size + b5.shape[1], np.float32)
    for i in range(size):
        inputs[i] = first[i] = second[i] = latent[0, i]
    for i in range(width):
        inputs[size + i] = pose[0, i]

    gate_first = np.empty_like(b1)
    gate_second = np.empty_like(b2)
    blend = np.empty_like(b3)
    _linear(w1, b1, inputs, gate_first)
    _elu(gate_first)
    _linear(w2, b2, gate_first, gate_second)
    _elu(gate_second)
    _linear(w3, b3, gate_second, blend)
    _softmax(blend)

    _experts(w4, b4, blend, inputs, first[size:])
    _elu(first[size:])
    _experts(w5, b5, blend, first, second[size:])
    _elu(second[size:])
    following = np.empty((1, width), np.float32)
    _experts(w6, b6, blend, second, following[0])

    for d in range(width):
        if following[0, d] < low[d]:  # NaN fails both comparisons and stays
            following[0, d] = low[d]
        if following[0, d] > high[d]:
            following[0, d] = high[d]
    return following


@compiled
def move(mean: Any, std: Any, seconds: float, pose: Any, position: Any, yaw: Any) -> Any:
    """Position (1, 2) and yaw (1,) after the step into ``pose`` (1, D), whose first three values
    are the root velocity in deviations ``std`` from ``mean``."""
    forward = pose[0, 0] * std[0] + mean[0]
    left = pose[0, 1] * std[1] + mean[1]
    turning = pose[0, 2] * std[2] + mean[2]
    cos = math.cos(yaw[0])
    sin = math.sin(yaw[0])
    moved = np.empty((1, 2), np.float32)
    turned = np.empty(1, np.float32)
    moved[0, 0] = position[0, 0] + seconds * (cos * left + sin * forward)
    moved[0, 1] = position[0, 1] + seconds * (cos * forward - sin * left)
    turned[0] = (yaw[0] + seconds * turning + math.pi) % (2 * math.pi) - math.pi
    return moved, turned


@compiled
def step(w1: Any, b1: Any, w2: Any, b2: Any, w3: Any, b3: Any,
         w4: Any, b4: Any, w5: Any, b5: Any, w6: Any, b6: Any,
         low: Any, high: Any, mean: Any, std: Any, seconds: float,
         latent: Any, pose: Any, position: Any, yaw: Any) -> Any:  # fmt: skip
    """:func:`decode`, then :func:`move`: the next pose, position and yaw."""
    following = decode(w1, b1, w2, b2, w3, b3, w4, b4, w5, b5, w6, b6, low, high, latent, pose)
    moved, turned = move(mean, std, seconds, following, position, yaw)
    return following, moved, turned


@compiled
def see_wish(velocity: Any, facing: Any, yaw: Any) -> Any:
    """A desired velocity (1, 2) and facing (1,), relative to a character that faces ``yaw`` (1,):
    (1, 4). See :func:`controller.tasks.tracking.see_wish`."""
    cos = math.cos(yaw[0])
    sin = math.sin(yaw[0])
    observation = np.empty((1, 4), np.float32)
    observation[0, 0] = sin * velocity[0, 0] + cos * velocity[0, 1]
    observation[0, 1] = cos * velocity[0, 0] - sin * velocity[0, 1]
    observation[0, 2] = math.cos(facing[0] - yaw[0])
    observation[0, 3] = math.sin(facing[0] - yaw[0])
    return observation


@compiled
def act(layers: Any, limit: float, observation: Any) -> Any:
    """The actor's mean latent (1, L): layers of (weight, bias), ReLU after each but the last,
    limit·tanh after that."""
    values = observation[0]
    for index in range(len(layers)):
        weight, bias = layers[index]
        outputs = np.empty(bias.shape[0], np.float32)
        _linear(weight, bias, values, outputs)
        if index < len(layers) - 1:
            for o in range(outputs.shape[0]):
                outputs[o] = max(outputs[o], np.float32(0))
        values = outputs
    for o in range(values.shape[0]):
        values[o] = limit * math.tanh(values[o])
    return values.reshape((1, -1))


@compiled
def joints(
    mean: Any, std: Any, height: int, orientations: int, pose: Any, position: Any, yaw: Any
) -> Any:
    """World root position (1, 3) and world joint rotations (1, J, 3, 3) of one character.

    ``height`` is the column of the hips' height, ``orientations`` the first of the 6D orientations
    (Zhou et al. 2019).
    """
    count = (pose.shape[1] - orientations) // 6
    root = np.empty((1, 3), np.float32)
    rotations = np.empty((1, count, 3, 3), np.float32)
    root[0, 0] = position[0, 0]
    root[0, 1] = pose[0, height] * std[height] + mean[height]
    root[0, 2] = position[0, 1]

    cos = math.cos(yaw[0])
    sin = math.sin(yaw[0])
    six = np.empty(6, np.float32)
    for j in range(count):
        for k in range(6):
            d = orientations + 6 * j + k
            six[k] = pose[0, d] * std[d] + mean[d]
        ax = six[0]
        ay = six[1]
        az = six[2]
        bx = six[3]
        by = six[4]
        bz = six[5]

        # Gram-Schmidt: two orthonormal axes, and the third by the cross product.
        scale = 1 / max(math.sqrt(ax * ax + ay * ay + az * az), 1e-12)
        ax = scale * ax
        ay = scale * ay
        az = scale * az
        along = ax * bx + ay * by + az * bz
        bx = bx - along * ax
        by = by - along * ay
        bz = bz - along * az
        scale = 1 / max(math.sqrt(bx * bx + by * by + bz * bz), 1e-12)
        bx = scale * bx
        by = scale * by
        bz = scale * bz
        cx = ay * bz - az * by
        cy = az * bx - ax * bz
        cz = ax * by - ay * bx

        # The axes as columns, turned by yaw.
        rotation = rotations[0, j]
        rotation[0, 0] = cos * ax + sin * az
        rotation[1, 0] = ay
        rotation[2, 0] = cos * az - sin * ax
        rotation[0, 1] = cos * bx + sin * bz
        rotation[1, 1] = by
        rotation[2, 1] = cos * bz - sin * bx
        rotation[0, 2] = cos * cx + sin * cz
        rotation[1, 2] = cy
        rotation[2, 2] = cos * cz - sin * cx
    return root, rotations

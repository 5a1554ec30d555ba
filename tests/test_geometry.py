"""Rotations, yaw frames and root integration, against calculations written out here in numpy."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from controller.motion import geometry

ORDERS = ["".join(order) for order in permutations("XYZ")]
angles = st.floats(-math.pi, math.pi)
seeds = st.integers(0, 2**31)


def tensor(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def by_hand(axis: str, angle: float) -> np.ndarray:
    """The textbook's three matrices."""
    c = math.cos(angle)
    s = math.sin(angle)
    return {
        "X": np.array([[1, 0, 0], [0, c, -s], [0, s, c]]),
        "Y": np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]),
        "Z": np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]),
    }[axis]


def random_rotations(seed: int, *shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return geometry.matrix_from_6d(torch.randn(*shape, 6, generator=generator, dtype=torch.float64))


def random_quaternions(seed: int, *shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.nn.functional.normalize(
        torch.randn(*shape, 4, generator=generator, dtype=torch.float64), dim=-1
    )


def assert_rotations(matrix: Tensor) -> None:
    eye = torch.eye(3, dtype=matrix.dtype).expand_as(matrix)
    torch.testing.assert_close(matrix @ matrix.transpose(-1, -2), eye, atol=1e-9, rtol=0)
    torch.testing.assert_close(
        torch.linalg.det(matrix), torch.ones(matrix.shape[:-2], dtype=matrix.dtype)
    )


@given(angle=angles, axis=st.sampled_from("XYZ"))
def test_a_turn_about_an_axis_is_the_textbooks(angle: float, axis: str) -> None:
    ours = geometry.axis_rotation(axis, tensor(angle))
    np.testing.assert_allclose(ours[0].numpy(), by_hand(axis, angle), atol=1e-12)


@given(order=st.sampled_from(ORDERS), first=angles, middle=angles, third=angles)
def test_euler_angles_are_intrinsic_in_the_order_written(
    order: str, first: float, middle: float, third: float
) -> None:
    ours = geometry.euler_to_matrix(tensor(first, middle, third), order).numpy()
    expected = by_hand(order[0], first) @ by_hand(order[1], middle) @ by_hand(order[2], third)
    np.testing.assert_allclose(ours, expected, atol=1e-12)


@given(order=st.sampled_from(ORDERS), first=angles, middle=st.floats(-1.5, 1.5), third=angles)
def test_euler_angles_come_back_away_from_gimbal_lock(
    order: str, first: float, middle: float, third: float
) -> None:
    asked = tensor(first, middle, third)
    back = geometry.matrix_to_euler(geometry.euler_to_matrix(asked, order), order)
    off = geometry.wrap_angle(back - asked)
    torch.testing.assert_close(off, torch.zeros_like(off), atol=1e-7, rtol=0)


@given(
    order=st.sampled_from(ORDERS),
    first=angles,
    third=angles,
    sign=st.sampled_from([-1, 1]),
    near=st.sampled_from([0.0, 1e-9, 1e-6, 1e-3, 0.1]),
)
def test_the_rotation_comes_back_at_and_near_gimbal_lock(
    order: str, first: float, third: float, sign: int, near: float
) -> None:
    matrix = geometry.euler_to_matrix(tensor(first, sign * (math.pi / 2 - near), third), order)
    angles_back = geometry.matrix_to_euler(matrix, order)
    torch.testing.assert_close(
        geometry.euler_to_matrix(angles_back, order), matrix, atol=5e-6, rtol=0
    )
    if near == 0.0:
        assert angles_back[2] == 0


@pytest.mark.parametrize("order", ORDERS)
def test_any_rotation_has_euler_angles_in_any_order(order: str) -> None:
    matrix = random_rotations(3, 500)
    back = geometry.euler_to_matrix(geometry.matrix_to_euler(matrix, order), order)
    torch.testing.assert_close(back, matrix, atol=1e-9, rtol=0)


@given(seed=seeds)
def test_two_columns_are_the_whole_rotation(seed: int) -> None:
    matrix = random_rotations(seed, 2, 3)
    assert_rotations(matrix)
    six = geometry.matrix_to_6d(matrix)
    torch.testing.assert_close(six[..., :3], matrix[..., :, 0])
    torch.testing.assert_close(six[..., 3:], matrix[..., :, 1])
    torch.testing.assert_close(geometry.matrix_from_6d(six), matrix)


@given(seed=seeds)
def test_any_two_vectors_give_a_rotation_whose_first_column_is_the_first(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    vectors = 5 * torch.randn(4, 6, generator=generator, dtype=torch.float64)
    matrix = geometry.matrix_from_6d(vectors)
    assert_rotations(matrix)
    a = vectors[:, :3]
    b = vectors[:, 3:]
    torch.testing.assert_close(matrix[:, :, 0], a / a.norm(dim=-1, keepdim=True))
    assert (
        (matrix[:, :, 1] * b).sum(-1) > 0
    ).all()  # the second column is b's part across a, not against it
    torch.testing.assert_close(
        (matrix[:, :, 2] * b).sum(-1), torch.zeros(4, dtype=torch.float64), atol=1e-9, rtol=0
    )


def times(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Hamilton's product."""
    w = p[0] * q[0] - p[1:] @ q[1:]
    return np.concatenate(([w], p[0] * q[1:] + q[0] * p[1:] + np.cross(p[1:], q[1:])))


@given(seed=seeds)
def test_a_quaternion_turns_vectors_by_hamiltons_product(seed: int) -> None:
    quaternion = random_quaternions(seed, 1)
    matrix = geometry.quaternion_to_matrix(quaternion)
    assert_rotations(matrix)
    q = quaternion[0].numpy()
    conjugate = q * [1, -1, -1, -1]
    for vector in np.eye(3):
        turned = times(times(q, np.concatenate(([0.0], vector))), conjugate)[1:]
        np.testing.assert_allclose(matrix[0].numpy() @ vector, turned, atol=1e-12)


@given(seed=seeds)
def test_quaternions_come_back_with_a_positive_real_part(seed: int) -> None:
    quaternion = random_quaternions(seed, 2, 3)
    back = geometry.matrix_to_quaternion(geometry.quaternion_to_matrix(quaternion))
    assert (back[..., 0] >= 0).all()
    torch.testing.assert_close(
        back, quaternion * torch.sign(quaternion[..., :1]), atol=1e-9, rtol=0
    )


@given(seed=seeds)
def test_half_turns_come_back_from_matrices_without_division_by_zero(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    axis = torch.nn.functional.normalize(
        torch.randn(5, 3, generator=generator, dtype=torch.float64), dim=-1
    )
    axis = torch.cat((axis, torch.eye(3, dtype=torch.float64)))
    half = torch.cat((torch.zeros(8, 1, dtype=torch.float64), axis), dim=-1)
    matrix = geometry.quaternion_to_matrix(half)
    torch.testing.assert_close(
        geometry.quaternion_to_matrix(geometry.matrix_to_quaternion(matrix)),
        matrix,
        atol=1e-9,
        rtol=0,
    )


def about(axis: Tensor, angle: Tensor | float) -> Tensor:
    """The quaternion of a turn."""
    angle = torch.as_tensor(angle, dtype=torch.float64)
    return torch.cat(
        (torch.cos(angle / 2)[..., None], torch.sin(angle / 2)[..., None] * axis), dim=-1
    )


@given(seed=seeds, angle=st.floats(1e-6, 3.1), amount=st.floats(0, 1))
def test_slerp_turns_at_a_constant_rate_about_the_axis_between(
    seed: int, angle: float, amount: float
) -> None:
    start = random_quaternions(seed, 1)
    axis = random_quaternions(seed + 1, 1)[:, 1:]
    axis = torch.nn.functional.normalize(axis, dim=-1)
    end_matrix = geometry.quaternion_to_matrix(
        about(axis, tensor(angle))
    ) @ geometry.quaternion_to_matrix(start)
    expected = geometry.quaternion_to_matrix(
        about(axis, tensor(amount * angle))
    ) @ geometry.quaternion_to_matrix(start)
    end = geometry.matrix_to_quaternion(end_matrix)
    for sign in (
        1,
        -1,
    ):  # q and −q are one rotation: both ways of writing it go the shorter way round
        between = geometry.slerp(start, sign * end, tensor(amount)[:, None])
        torch.testing.assert_close(between.norm(dim=-1), torch.ones(1, dtype=torch.float64))
        torch.testing.assert_close(
            geometry.quaternion_to_matrix(between), expected, atol=2e-5 * angle + 1e-9, rtol=0
        )


def test_slerp_between_the_same_two_stays() -> None:
    start = random_quaternions(0, 3).float()
    torch.testing.assert_close(geometry.slerp(start, start, torch.tensor(0.3)), start)
    torch.testing.assert_close(geometry.slerp(start, -start, torch.tensor(0.3)), start)


@given(seed=seeds)
def test_the_rotation_between_two_directions_is_the_smallest(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    source, target = torch.randn(2, 4, 3, generator=generator, dtype=torch.float64)
    matrix = geometry.rotation_between(source, target)
    assert_rotations(matrix)
    a = source / source.norm(dim=-1, keepdim=True)
    b = target / target.norm(dim=-1, keepdim=True)
    torch.testing.assert_close((matrix @ a[..., None])[..., 0], b, atol=1e-7, rtol=0)
    cosine = (matrix.diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2
    torch.testing.assert_close(cosine, (a * b).sum(-1), atol=1e-7, rtol=0)


def test_yaw_zero_faces_z_and_positive_yaw_turns_left_towards_x() -> None:
    ahead = torch.tensor([0.0, 0.0, 1.0])
    left_turn = geometry.yaw_matrix(torch.tensor(math.pi / 2))
    torch.testing.assert_close(left_turn @ ahead, torch.tensor([1.0, 0.0, 0.0]))
    # its left hand, +X at yaw 0, then points back along the way it faced before, mirrored: −Z
    torch.testing.assert_close(
        left_turn @ torch.tensor([1.0, 0.0, 0.0]), torch.tensor([0.0, 0.0, -1.0])
    )
    torch.testing.assert_close(
        geometry.turn(torch.tensor([0.0, 1.0]), torch.tensor(math.pi / 2)), torch.tensor([1.0, 0])
    )
    assert geometry.yaw_of(torch.tensor([1.0, 0.0, 0.0])) == pytest.approx(math.pi / 2)
    assert geometry.yaw_of(ahead) == 0


@given(yaw=angles, x=st.floats(-10, 10), z=st.floats(-10, 10))
def test_turning_on_the_ground_is_turning_in_space(yaw: float, x: float, z: float) -> None:
    space = geometry.yaw_matrix(tensor(yaw)[0]) @ tensor(x, 0, z)
    torch.testing.assert_close(
        geometry.turn(tensor(x, z), tensor(yaw)[0]), space[[0, 2]], atol=1e-9, rtol=0
    )
    back = geometry.yaw_of(geometry.yaw_matrix(tensor(yaw)[0]) @ tensor(0, 0, 1))
    assert abs(float(geometry.wrap_angle(back - yaw))) < 1e-9


@given(angle=st.floats(-1000, 1000))
def test_a_wrapped_angle_is_the_same_angle_between_minus_and_plus_pi(angle: float) -> None:
    wrapped = float(geometry.wrap_angle(tensor(angle)))
    assert -math.pi <= wrapped < math.pi
    turns = (angle - wrapped) / (2 * math.pi)
    assert abs(turns - round(turns)) < 1e-9


def test_a_step_of_the_root_by_hand() -> None:
    # It faces +X, so its left is −Z: half a second at 1 m/s forward and 0.5 m/s to the left.
    position, yaw = geometry.integrate_root(
        torch.tensor([[1.0, 2.0]]),
        torch.tensor([math.pi / 2]),
        torch.tensor([[1.0, 0.5, 0.3]]),
        0.5,
    )
    torch.testing.assert_close(position, torch.tensor([[1.5, 1.75]]))
    torch.testing.assert_close(yaw, torch.tensor([math.pi / 2 + 0.15]))


@pytest.mark.parametrize(("turn", "middle"), [(1, (3.0, 0.0)), (-1, (-3.0, 0.0))])
def test_a_circle_closes_and_lies_on_the_side_it_turns_to(
    turn: int, middle: tuple[float, float]
) -> None:
    steps = 360
    seconds = 1 / 30
    rate = turn * 2 * math.pi / (steps * seconds)
    velocity = tensor(3.0 * abs(rate), 0, rate)[None]
    position = torch.zeros(1, 2, dtype=torch.float64)
    yaw = tensor(0)
    path = []
    for _ in range(steps):
        position, yaw = geometry.integrate_root(position, yaw, velocity, seconds)
        path.append(position)
    assert float(position.norm()) < 1e-9 and abs(float(yaw)) < 1e-9
    radius = (torch.cat(path) - tensor(*middle)).norm(dim=-1)
    assert float((radius - 3).abs().max()) < 0.03


@settings(max_examples=50)
@given(seed=seeds, seconds=st.floats(0.001, 1))
def test_a_path_agrees_with_complex_numbers(seed: int, seconds: float) -> None:
    """Ground vectors as z + ix: a turn by yaw is then a product with exp(i·yaw)."""
    generator = torch.Generator().manual_seed(seed)
    velocities = torch.randn(20, 3, generator=generator, dtype=torch.float64)
    position = tensor(0.5, -0.25)
    yaw = tensor(0.7)[0]
    place = complex(-0.25, 0.5)
    angle = 0.7
    for velocity in velocities:
        position, yaw = geometry.integrate_root(position, yaw, velocity, seconds)
        forward, left, turning = velocity.tolist()
        place += np.exp(1j * angle) * complex(forward, left) * seconds
        angle += turning * seconds
    np.testing.assert_allclose(position.numpy(), [place.imag, place.real], atol=1e-9)
    assert abs(math.remainder(float(yaw) - angle, 2 * math.pi)) < 1e-9

"""Skinned bodies in the picture: where they should be, one and many, at every quality."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from controller.body.mesh import SkinnedBody
from controller.control.folder import CharacterFolder
from controller.core.errors import DisplayError
from controller.motion.skeleton import forward_kinematics
from controller.viewer.gl import quality
from controller.viewer.scene.pose import Pose
from controller.viewer.scene.scene import Scene
from controller.viewer.screen import Screen

SIZE = (320, 180)
UP = torch.tensor((0.0, 1.0, 0.0))


@pytest.fixture(scope="module")
def body() -> SkinnedBody:
    path = CharacterFolder.open().body
    assert path is not None
    return SkinnedBody.load(path)


@pytest.fixture(scope="module", params=(quality.LOW, quality.HIGH))
def screen(body: SkinnedBody, request: pytest.FixtureRequest) -> Iterator[Screen]:
    try:
        made = Screen(body.skeleton, SIZE, headless=True, quality=request.param, skin=body)
    except DisplayError as error:
        pytest.skip(str(error))
    made.camera.jump(np.zeros(3))
    yield made
    made.close()


def pose(x: float, body: SkinnedBody) -> Pose:
    """The bound pose at this x."""
    root = torch.tensor((x, 1.0, 0.0))
    return Pose.from_matrices(root, torch.from_numpy(body.rotations))


def shoot(screen: Screen, scene: Scene) -> np.ndarray:
    screen.renderer.draw(scene, screen.camera)
    return screen.picture().astype(float)


def test_it_is_drawn_where_its_vertices_are(screen: Screen, body: SkinnedBody) -> None:
    """Compared with the vertices as computed here, in a pose that is not the bound one."""
    turned = torch.tensor(((0.0, 0, 1), (0, 1, 0), (-1, 0, 0))) @ torch.from_numpy(body.rotations)
    root = torch.tensor((0.3, 1.0, 0.0))
    empty = shoot(screen, Scene(pose(500.0, body)))
    picture = shoot(screen, Scene(Pose.from_matrices(root, turned)))
    rows, columns = (np.abs(picture - empty).max(axis=-1) > 16).nonzero()

    places = forward_kinematics(body.skeleton, root, turned).numpy()
    level = body.levels[0]
    points = np.zeros_like(level.positions)
    for joint in range(len(body.skeleton)):
        local = (level.positions - body.positions[joint]) @ body.rotations[joint]
        share = np.where(level.joints == joint, level.weights, 0).sum(axis=1) / 255
        points += share[:, None] * (local @ turned[joint].numpy().T + places[joint])
    clip = np.c_[points, np.ones(len(points))] @ screen.camera.matrix(SIZE[0] / SIZE[1]).T
    x, y = (clip[:, :2] / clip[:, 3:]).T
    assert abs(rows.min() - (1 - y.max()) / 2 * SIZE[1]) < 3
    assert abs(columns.min() - (1 + x.min()) / 2 * SIZE[0]) < 3
    right = (1 + x.max()) / 2 * SIZE[0]
    shadow = columns[rows < 110]  # on the ground it goes on
    assert abs(shadow.max() - right) < 4


def test_many_are_drawn(screen: Screen, body: SkinnedBody) -> None:
    own = pose(0.0, body)
    alone = shoot(screen, Scene(own))
    roots = torch.stack([own.root + torch.tensor((x, 0.0, z)) for x in (-2.0, 2.0) for z in (0, 2)])
    others = Pose(roots, own.quaternions.expand(4, -1, -1).contiguous())
    changed = np.abs(shoot(screen, Scene(own, others=others)) - alone).max(axis=-1) > 25
    assert changed[:, :120].sum() > 300 and changed[:, 200:].sum() > 300
    assert np.abs(shoot(screen, Scene(own)) - alone).max() == 0  # gone again


def test_without_a_skin_it_is_made_of_capsules(screen: Screen, body: SkinnedBody) -> None:
    scene = Scene(pose(0.0, body))
    skinned = shoot(screen, scene)
    screen.show_skeleton(body.skeleton, 1.0)
    screen.camera.jump(np.zeros(3))
    capsules = shoot(screen, scene)
    screen.show_skeleton(body.skeleton, 1.0, body)
    screen.camera.jump(np.zeros(3))
    assert 0.005 < (np.abs(capsules - skinned).max(axis=-1) > 30).mean() < 0.1
    assert np.abs(shoot(screen, scene) - skinned).max() == 0

"""A character: its pose, its place, and how it moves, by the frozen decoder of a motion VAE."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from controller.core import checkpoint, checks, devices, headers
from controller.core.errors import ActionError
from controller.dynamics.style_axes import StyleAxes
from controller.model import variants
from controller.model.fast import solo
from controller.model.fast.replay import Replay
from controller.model.fast.solo import SoloCharacter
from controller.model.mixture import MotionVAE, MotionVAEConfig
from controller.motion import geometry
from controller.motion.limits import Limits
from controller.motion.pose import FPS, PoseLayout
from controller.motion.skeleton import Skeleton

KIND = "motion-vae"
RANGE_MARGIN = 1.0
"""Standard deviations by which a pose may leave the captured range before it is clamped. Without
the clamp, a policy that finds a way out of the data also leaves what the model has learned, and the
pose explodes. Inside the data the clamp never acts."""

WEIGHTS_SUM = 1e-3
"""By how much the sum of the weights of styles may miss 1."""
FARTHEST = 1e6
"""m from the origin, along x or z: a character there counts as lost. Single precision places it to
within 6 cm."""
STYLE_CHARACTERS = 16
"""Characters of each style whose free rollouts show what the style is."""
STYLE_FRAMES = 120
"""Frames of these rollouts, of which the second half counts."""
STYLE_EVERY = 4
"""Frames between two poses that count."""


@dataclass(frozen=True)
class CharacterState:
    """B characters at one moment.

    pose      (B, D) z-scored; the weights of styles, if the model has any, are its last columns
    position  (B, 2) metres, (x, z) of the hips' projection on the ground
    yaw       (B,) radians, the direction each faces
    """

    pose: Tensor
    position: Tensor
    yaw: Tensor

    def __len__(self) -> int:
        return self.pose.shape[0]


class Character:
    """The dynamics: :meth:`step` is the only place where a character moves.

    skeleton     the bones
    layout       the columns of a pose
    model        the motion VAE, frozen
    fps          steps a second
    latent       size of the latent z
    codes        (K, latent) the vectors that z may be; None if z may be any vector
    styles       names of the styles by whose weights it moves, the last columns of a pose; none
                 for a model of motion without labels
    reset_poses  (R, D) z-scored poses to start from
    low, high    (D,) the range that poses are clamped to, z-scored
    header       of the checkpoint: configuration, provenance, figures
    limits       what its captured motion can do
    """

    def __init__(
        self,
        model: MotionVAE,
        layout: PoseLayout,
        reset_poses: Tensor,
        header: dict[str, Any] | None = None,
    ) -> None:
        self.model = model.eval().requires_grad_(False)
        self.layout = layout
        self.skeleton: Skeleton = layout.skeleton
        self.reset_poses = reset_poses
        self.header = header or {}
        self.limits = Limits.of(self.header)
        self.fps = FPS
        self.latent = model.config.latent
        self.codes = model.codes
        self.styles = layout.styles
        self.low = model.normalizer.normalize(model.normalizer.low) - RANGE_MARGIN
        self.high = model.normalizer.normalize(model.normalizer.high) + RANGE_MARGIN

    @cached_property
    def _solo(self) -> SoloCharacter:
        return SoloCharacter(self.model, self.layout, self.low, self.high, 1 / self.fps)

    @cached_property
    def style_axes(self) -> StyleAxes:
        """How near poses are to its styles, as its own free rollouts show them."""
        return StyleAxes.of(self._own_styles())

    @torch.inference_mode(False)
    @torch.no_grad()
    def _own_styles(self) -> list[Tensor]:
        """Z-scored poses ``(N, D)`` of each style, without weights: the same ones each time."""
        device = self.reset_poses.device
        generator = torch.Generator(device).manual_seed(0)
        count = len(self.styles)
        styles = torch.arange(count, device=device).repeat(STYLE_CHARACTERS)
        state = self.reset(len(styles), generator)
        state = self.with_style(state, torch.nn.functional.one_hot(styles, count))
        poses = []
        for frame in range(STYLE_FRAMES):
            state = self.step(state, self.draw_latents(len(styles), generator))
            if frame >= STYLE_FRAMES // 2 and frame % STYLE_EVERY == 0:
                poses.append(state.pose[:, self.layout.body])
        parts = torch.stack(poses).unflatten(1, (STYLE_CHARACTERS, count))
        return list(parts.flatten(0, 1).unbind(1))

    @cached_property
    def _replay(self) -> Replay:
        state = self.reset(1)
        latent = state.pose.new_zeros(1, self.latent)
        return Replay(self._step, latent, state.pose, state.position, state.yaw)

    def reset(self, batch: int, generator: torch.Generator | None = None) -> CharacterState:
        """``batch`` characters at the origin, facing +Z, each in a reset pose drawn at random."""
        device = self.reset_poses.device
        source = device if generator is None else generator.device
        rows = torch.randint(len(self.reset_poses), (batch,), generator=generator, device=source)
        return CharacterState(
            self.reset_poses[rows.to(device)],
            torch.zeros(batch, 2, device=device),
            torch.zeros(batch, device=device),
        )

    def draw_latents(self, count: int, generator: torch.Generator) -> Tensor:
        """Draw ``(count, latent)`` latents for a random walk: from N(0, I), or codes as often as
        they occur in captured motion."""
        return self.model.draw_latents(count, generator)

    def style(self, state: CharacterState) -> Tensor:
        """The weights ``(B, S)`` of the styles in which characters are asked to move."""
        return state.pose[:, self.layout.style]

    def with_style(self, state: CharacterState, weights: Tensor) -> CharacterState:
        """The same characters, asked to move in other styles: weights ``(S,)`` or ``(B, S)``, none
        negative, each row with a sum of 1. Raises ActionError for any other weights."""
        weights = weights.to(state.pose)
        if weights.dim() == 1:
            weights = weights.expand(len(state), -1)
        checks.check_rows("style", weights, len(state), len(self.styles), state.pose.dtype)
        good = (weights >= 0).all() and ((weights.sum(dim=-1) - 1).abs() < WEIGHTS_SUM).all()
        if not bool(good):
            raise ActionError("style has weights that are negative, or whose sum is not 1")
        pose = torch.cat((state.pose[:, self.layout.body], weights), dim=-1)
        return replace(state, pose=pose)

    def with_drawn_styles(
        self, state: CharacterState, generator: torch.Generator
    ) -> CharacterState:
        """The same characters, each asked for one style drawn at random, whatever its pose; as they
        are, with nothing drawn, if the model has no styles."""
        if not self.styles:
            return state
        count = len(self.styles)
        chosen = torch.randint(count, (len(state),), generator=generator, device=generator.device)
        return self.with_style(state, torch.nn.functional.one_hot(chosen, count))

    def step(self, state: CharacterState, latent: Tensor) -> CharacterState:
        """The next state, 1/30 s later, for latents ``(B, latent)``.

        A single character takes a faster path: on the CPU a compiled one, if its decoder has one;
        on a GPU a recorded one.

        Raises ActionError if the latents or the state have the wrong shape or dtype, or if a latent
        is not finite.
        """
        row = latent, state.pose, state.position, state.yaw
        if self.model.has_kernels and solo.fits(*row):
            return CharacterState(*self._solo.step(*row))  # it checks them itself
        checks.check_state(self.layout.size, *row[1:])
        checks.check_rows("latent", latent, len(state), self.latent, state.pose.dtype)
        if solo.fits(*row, cuda=True):
            return CharacterState(*self._replay(*row))
        return CharacterState(*self._step(*row))

    def _step(
        self, latent: Tensor, pose: Tensor, position: Tensor, yaw: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        pose = self.model.decode(latent, pose).clamp(self.low, self.high)
        return pose, *geometry.integrate_root(position, yaw, self.root_velocity(pose), 1 / self.fps)

    def root_velocity(self, pose: Tensor) -> Tensor:
        """(B, D) z-scored → (B, 3): forward m/s, left m/s, turning rad/s of the step into this
        pose."""
        root = self.layout.root_velocity
        normalizer = self.model.normalizer
        return pose[..., root] * normalizer.std[root] + normalizer.mean[root]

    def world_velocity(self, state: CharacterState) -> Tensor:
        """(B, 2) m/s as (x, z): how the root moved over the ground in the step into this state."""
        velocity = self.root_velocity(state.pose)
        before = state.yaw - velocity[..., 2] / self.fps
        return geometry.turn(velocity[..., [1, 0]], before)

    def joints(self, state: CharacterState) -> tuple[Tensor, Tensor]:
        """World root positions ``(B, 3)`` and world joint rotations ``(B, J, 3, 3)``, which is all
        that drawing needs.

        Raises ActionError if the state has the wrong shape or dtype.
        """
        if self.model.has_kernels and solo.fits(state.pose, state.position, state.yaw):
            return self._solo.joints(state.pose, state.position, state.yaw)
        checks.check_state(self.layout.size, state.pose, state.position, state.yaw)
        pose = self.model.normalizer.denormalize(state.pose)
        height = pose[..., self.layout.hip_height]
        root = torch.stack((state.position[..., 0], height, state.position[..., 1]), dim=-1)
        facing = geometry.yaw_matrix(state.yaw)[..., None, :, :]
        return root, facing @ self.layout.joint_rotations(pose)

    def alive(self, state: CharacterState) -> Tensor:
        """(B,) booleans: the pose, the position and the yaw are finite, the position is within
        :data:`FARTHEST` of the origin, and the hips are at a height that ``limits`` allows (0.5 to
        1.3 m for the shipped character)."""
        column = self.layout.hip_height
        normalizer = self.model.normalizer
        height = state.pose[:, column] * normalizer.std[column] + normalizer.mean[column]
        # A sum is finite only if all parts are.
        finite = torch.isfinite(state.pose.sum(dim=-1) + state.yaw)
        near = (state.position.abs() < FARTHEST).all(dim=-1)  # a comparison that NaN fails
        limits = self.limits
        return (height > limits.lowest_hips) & (height < limits.highest_hips) & finite & near

    def save(self, path: Path | str, **header: Any) -> None:
        """Write a checkpoint: weights, statistics, reset poses, skeleton, and the fields of
        ``header``."""
        config = self.model.config
        record = {
            "config": {name: getattr(config, name) for name in config.__dataclass_fields__},
            "skeleton": self.skeleton.to_dict(),
            "fps": self.fps,
            **header,
        }
        tensors = dict(self.model.state_dict()) | {"reset_poses": self.reset_poses}
        checkpoint.save(path, KIND, record, tensors)

    @classmethod
    def load(cls, path: Path | str, device: str | torch.device = "cpu") -> Character:
        """Read a checkpoint.

        Raises CheckpointError with a sentence that says what is wrong with the file, and
        ConfigError if there is no such device.
        """
        device = devices.find(device)
        header, tensors = checkpoint.load(path, KIND)
        with headers.reading(path, KIND):
            config = headers.settings(MotionVAEConfig, "config", header.get("config"))
            skeleton = Skeleton.from_dict(headers.skeleton(header.get("skeleton")))
            layout = PoseLayout(skeleton, config.styles)
            headers.number("fps", header.get("fps", FPS), FPS, FPS)
            reset_poses = tensors.pop("reset_poses")
            checks.check_reset_poses(path, KIND, reset_poses, layout.size)
            with torch.device("meta"):  # nothing is allocated before the sizes are known to fit
                model = variants.build(layout.size, config)
            checks.check_tensors(path, KIND, tensors, model.state_dict())
            checks.check_statistics(path, KIND, tensors)
            # Copies, since the tensors read are windows of the file.
            weights = {name: tensor.clone() for name, tensor in tensors.items()}
            model.load_state_dict(weights, assign=True)
            return cls(model.to(device), layout, reset_poses.clone().to(device), header)

"""A model on held-out clips: its latent, and its errors free-running and teacher-forced."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from controller.data.dataset import MotionDataset
from controller.data.windows import Windows
from controller.dynamics.character import Character
from controller.evaluation import diagnostics

WINDOWS = {8: 1024, 60: 256, 630: 32}
"""Frames of the free-running error, and the number of held-out windows. The first are the windows
of training's own figures."""
EXPOSURE_FRAMES = 60
"""Most frames after which free-running and teacher-forced error are compared: two strides."""
SMALLEST_MM = 1e-3
"""Least teacher-forced error in mm by which another error is divided."""


def held_out_windows(character: Character, data: MotionDataset) -> dict[int, Tensor]:
    """Z-scored windows ``(B, W, D)`` of held-out clips, for each number of steps in
    :data:`WINDOWS` for which a clip is long enough.

    Raises DataError, with the length of the longest clip, if none is long enough for the fewest
    steps.
    """
    poses, clips = data.split(held_out=True)
    longest = max(clip.length for clip in clips)
    model = character.model
    result = {}
    for frames, count in WINDOWS.items():
        length = model.past + frames + model.future
        if length <= longest or frames == min(WINDOWS):
            generator = torch.Generator().manual_seed(0)
            windows = Windows(poses, clips, length).draw(count, generator)
            result[frames] = model.normalizer.normalize(windows)
    return result


def held_out_figures(character: Character, data: MotionDataset) -> dict[str, Any]:
    """The latent, and the errors free-running and teacher-forced, on held-out clips.

    ``free_running_mm`` is the error after so many frames, None if no clip is long enough.
    ``still_mm`` is that of a model which repeats the last pose. ``exposure_ratio`` is the
    free-running over the teacher-forced error.
    """
    model = character.model
    layout = character.layout
    windows = held_out_windows(character, data)
    errors = {
        frames: diagnostics.reconstruction_errors(model, layout, scores)
        for frames, scores in windows.items()
    }
    after: dict[str, float | None] = {"1": errors[8][0]}
    for frames in WINDOWS:
        after[str(frames)] = errors[frames][-1] if frames in errors else None

    first = windows[min(WINDOWS)]
    one_step = diagnostics.one_step_poses(model, first)
    compared = max(frames for frames in windows if frames <= EXPOSURE_FRAMES)
    forced = diagnostics.teacher_forced_error(model, layout, windows[compared])
    return {
        **diagnostics.latent_figures(model, first),
        **diagnostics.posterior_figures(model, first),
        "one_step_mm": errors[8][0],
        "one_step_bone_length_error_mm": diagnostics.bone_length_error(layout, one_step),
        "eight_step_mm": errors[8][-1],
        "free_running_mm": after,
        "still_mm": diagnostics.still_error(model, layout, first),
        "teacher_forced_mm": forced,
        "exposure_ratio": errors[compared][-1] / max(forced, SMALLEST_MM),
    }

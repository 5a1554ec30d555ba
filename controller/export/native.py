"""The C runtime, compiled on this machine and called from Python: to measure and to test it."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from controller.core.errors import ControllerError, first_line
from controller.dynamics.character import CharacterState
from controller.tasks.joystick import JoystickGoal

FOLDER = Path(__file__).parent / "runtime"
"""Where motion_vae.h and motion_vae.c are."""
FAST = ("-O3", "-march=native")
ALIGNMENT = 64
LAYERS = 16


class Layer(ctypes.Structure):
    """``mvae_layer``."""

    _fields_ = (
        *((name, ctypes.c_uint32) for name in ("experts", "inputs", "outputs", "rows", "width")),
        ("bias", ctypes.c_void_p),
        ("weight", ctypes.c_void_p),
    )


class Model(ctypes.Structure):
    """``mvae_model``."""

    _fields_ = (
        *((name, ctypes.c_int) for name in ("joints", "pose", "styles", "latent")),
        *((name, ctypes.c_int) for name in ("reset_poses", "bits")),
        ("rate", ctypes.c_float),
        ("latent_limit", ctypes.c_float),
        ("fastest", 3 * ctypes.c_float),
        ("sway", 2 * ctypes.c_float),
        *((name, ctypes.c_void_p) for name in ("parents", "offsets", "names")),
        ("notice", ctypes.c_char_p),
        *((name, ctypes.c_void_p) for name in ("mean", "std", "low", "high", "starts")),
        ("layers", ctypes.c_int),
        ("widest", ctypes.c_uint32),
        ("layer", LAYERS * Layer),
    )


class Wish(ctypes.Structure):
    """``mvae_wish``."""

    _fields_ = (("velocity", 2 * ctypes.c_float), ("facing", ctypes.c_float))


class Crowd(ctypes.Structure):
    """``mvae_crowd``."""

    _fields_ = (
        ("model", ctypes.c_void_p),
        ("characters", ctypes.c_int),
        ("random", ctypes.c_uint32),
        *(
            (name, ctypes.POINTER(ctypes.c_float))
            for name in ("pose", "place", "root", "rotation", "joint", "noise", "scratch")
        ),
    )


class Steering(ctypes.Structure):
    """``mvae_steering``."""

    _fields_ = (("wish", Wish), ("change", 3 * ctypes.c_float), ("facing", ctypes.c_float))


def compiler() -> str | None:
    """The C compiler's path; None if there is none."""
    return shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


def load(folder: Path, flags: Sequence[str]) -> Any:
    """Compile the runtime into a folder, and load it. Raises ControllerError if there is no
    compiler or it reports an error."""
    program = compiler()
    if program is None:
        raise ControllerError("measuring the C runtime needs a C compiler: cc, gcc or clang")
    out = folder / "libmotion_vae.so"
    source = str(FOLDER / "motion_vae.c")
    words = [program, *flags, "-shared", "-fPIC", source, "-o", str(out), "-lm"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ControllerError(f"{program}: {first_line(RuntimeError(done.stderr))}")
    library = ctypes.CDLL(str(out))
    pointer, size, whole, real = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_float
    library.mvae_message.restype = library.mvae_name.restype = ctypes.c_char_p
    library.mvae_size.restype = size
    library.mvae_open.argtypes = [pointer, pointer, size]
    library.mvae_init.argtypes = [pointer, pointer, pointer, size, whole]
    library.mvae_reset.argtypes = [pointer, whole, whole, real, real, real]
    library.mvae_step.argtypes = [pointer, pointer]
    library.mvae_steer.argtypes = [pointer, real, real, whole, real]
    return library


def aligned(size: int, beyond: int = 0) -> np.ndarray:
    """So many bytes, the first of which is ``beyond`` a multiple of 64."""
    memory = np.zeros(size + 2 * ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT + beyond
    return memory[start : start + size]


class Runtime:
    """A crowd of ``characters`` in the C runtime, with the weights in ``data``. Raises
    ControllerError if the runtime refuses them.

    arrays  views of the crowd's memory by name: pose (N, D), place (N, 3), root (N, 3), rotation
            (N, J, 4), joint (N, J, 3) and noise (N, latent)
    """

    def __init__(self, library: Any, data: bytes, characters: int = 1) -> None:
        self.library = library
        self._blob = aligned(len(data))
        self._blob[:] = np.frombuffer(data, np.uint8)
        self.model = Model()
        model = ctypes.byref(self.model)
        self._check(library.mvae_open(model, self._blob.ctypes.data, len(data)))
        self.memory = aligned(library.mvae_size(model, characters))
        self.crowd = Crowd()
        where = self.memory.ctypes.data, len(self.memory)
        self._check(library.mvae_init(ctypes.byref(self.crowd), model, *where, characters))
        joints = self.model.joints
        shapes = {
            "pose": (self.model.pose,),
            "place": (3,),
            "root": (3,),
            "rotation": (joints, 4),
            "joint": (joints, 3),
            "noise": (self.model.latent,),
        }
        self.arrays = {
            name: np.ctypeslib.as_array(getattr(self.crowd, name), (characters, *shape))
            for name, shape in shapes.items()
        }

    def _check(self, status: int) -> None:
        if status:
            raise ControllerError(self.library.mvae_message(status).decode())

    def reset(self, pose: int, x: float = 0, z: float = 0, yaw: float = 0, who: int = 0) -> int:
        """Put one character down in a reset pose, and return the status."""
        return self.library.mvae_reset(ctypes.byref(self.crowd), who, pose, x, z, yaw)

    def step(self, velocity: np.ndarray, facing: np.ndarray) -> int:
        """One step with velocities (N, 2) and facings (N,); returns the status."""
        rows = np.concatenate((velocity, facing[:, None]), axis=1).astype(np.float32)
        return self.library.mvae_step(ctypes.byref(self.crowd), rows.ctypes.data)

    def advance(self, state: CharacterState, goal: JoystickGoal) -> CharacterState:
        """The state after one step: what ``controller.export.fidelity`` measures."""
        place = self.arrays["place"]
        self.arrays["pose"][:] = state.pose.numpy()
        place[:, :2] = state.position.numpy()
        place[:, 2] = state.yaw.numpy()
        self._check(self.step(goal.velocity.numpy(), goal.facing.numpy()))
        pose = torch.tensor(self.arrays["pose"])
        return CharacterState(pose, torch.tensor(place[:, :2]), torch.tensor(place[:, 2]))

    def go_on(self, state: CharacterState, goal: JoystickGoal) -> CharacterState:
        """One step from where the crowd is, which nothing is copied to or from: what is timed."""
        self._check(self.step(goal.velocity.numpy(), goal.facing.numpy()))
        return state

"""Every test process: one thread (the tests run side by side already) and drawing without a
display."""

import os

# Before anything that reads them is imported, and in the environment so that subprocesses have them
# too.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("SDL_VIDEODRIVER", "offscreen")
os.environ.setdefault("PYOPENGL_PLATFORM", "egl")

from pathlib import Path

import hypothesis
import pytest
import synthetic
import torch

torch.set_num_threads(1)

# Machines that test are busy, so no example fails by being slow; the same examples every time, so
# that a change that passed passes again. To search further: `pytest --hypothesis-profile=default`.
hypothesis.settings.register_profile("steady", deadline=None, derandomize=True)
hypothesis.settings.load_profile("steady")


@pytest.fixture(scope="session")
def mvae(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint of `synthetic.character`."""
    path = tmp_path_factory.mktemp("mvae") / "tiny.safetensors"
    synthetic.character().save(path)
    return path


@pytest.fixture(scope="session")
def puppet_mvae(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint of `synthetic.puppet`."""
    path = tmp_path_factory.mktemp("mvae") / "puppet.safetensors"
    synthetic.puppet().save(path)
    return path


@pytest.fixture(scope="session")
def data_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data set of `synthetic.data`, as the build command writes it."""
    path = tmp_path_factory.mktemp("data") / "walks.npz"
    synthetic.data().save(path)
    return path


@pytest.fixture
def short_rollouts(monkeypatch: pytest.MonkeyPatch) -> None:
    """See :func:`synthetic.shorten_rollouts`."""
    synthetic.shorten_rollouts(monkeypatch)

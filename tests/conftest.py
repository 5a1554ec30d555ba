"""Every test process: one thread (the tests run side by side already) and drawing without a
display."""

import os

# Before anything that reads them is imported, and in the environment so that subprocesses have them
# too.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("SDL_VIDEODRIVER", "offscreen")
os.environ.setdefault("PYOPENGL_PLATFORM", "egl")

from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

GROUPS = {
    "test_play": "pictures",  # two processes that draw at once gain nothing
    "test_viewer": "pictures",
    "test_video_pictures": "pictures",
    "test_dataset": "forked",  # see forked.py
    "test_evaluation": "forked",
    "test_new_task": "forked",
    "test_kills": "forked",
    "test_training_scale": "forked",
    "test_web_browser": "browser",
} | {
    f"test_{name}": name
    for name in ("benchmark", "commands", "report", "study", "training", "variants", "window")
}
"""Files whose tests share something costly, and stay in one worker so that it is made once."""


class InGroups(LoadScopeScheduling):
    """Gives all tests of a group to one worker, the group with the most tests first, and every
    other test to the worker that is free.

    By names of files, since pytest 9.2 with xdist 3.8 takes no notice of ``xdist_group``
    (https://github.com/pytest-dev/pytest-xdist/issues/1386).
    """

    def _split_scope(self, nodeid: str) -> str:
        file = Path(nodeid.partition("::")[0])
        return GROUPS.get(file.stem, nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> InGroups:
    return InGroups(config, log)


def pytest_configure(config: pytest.Config) -> None:
    # The process that only hands out tests has no need of what takes seconds to import.
    if config.getoption("numprocesses", None) and not hasattr(config, "workerinput"):
        return

    import hypothesis
    import torch

    torch.set_num_threads(1)
    # Machines that test are busy, so no example fails by being slow; the same examples every time,
    # so that a change that passed passes again. To search further:
    # `pytest --hypothesis-profile=default`.
    hypothesis.settings.register_profile("steady", deadline=None, derandomize=True)
    hypothesis.settings.load_profile("steady")


@pytest.fixture(scope="session")
def mvae(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint of `synthetic.character`."""
    import synthetic

    path = tmp_path_factory.mktemp("mvae") / "tiny.safetensors"
    synthetic.character().save(path)
    return path


@pytest.fixture(scope="session")
def puppet_mvae(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint of `synthetic.puppet`."""
    import synthetic

    path = tmp_path_factory.mktemp("mvae") / "puppet.safetensors"
    synthetic.puppet().save(path)
    return path


@pytest.fixture(scope="session")
def data_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data set of `synthetic.data`, as the build command writes it."""
    import synthetic

    path = tmp_path_factory.mktemp("data") / "walks.npz"
    synthetic.data().save(path)
    return path


@pytest.fixture
def short_rollouts(monkeypatch: pytest.MonkeyPatch) -> None:
    """See :func:`synthetic.shorten_rollouts`."""
    import synthetic

    synthetic.shorten_rollouts(monkeypatch)

"""Every test process: one thread (the tests run side by side already) and drawing without a
display."""

import os

# Before anything that reads them is imported, and in the environment so that subprocesses have them
# too.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("SDL_VIDEODRIVER", "offscreen")
os.environ.setdefault("PYOPENGL_PLATFORM", "egl")

from pathlib import Path

import pytest

GROUPS = {
    "test_variants": "variants",
    "test_report": "report",
    "test_study": "study",
    "test_training": "training",
    "test_window": "window",
    "test_commands": "commands",
}
"""Files whose tests share something costly, and stay in one worker so that it is made once."""
LONG = (
    "forked",
    "torchrun",
    "opengl",
    "quick",
    "training",
    "variants",
    "window",
    "study",
    "report",
)
"""Groups to begin with, so that no worker is left with one when the other has finished."""


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


def group_of(item: pytest.Item) -> str | None:
    """The group of a test, if it has one."""
    mark = item.get_closest_marker("xdist_group")
    return mark.args[0] if mark else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        group = GROUPS.get(item.path.stem)
        if group and not group_of(item):
            item.add_marker(pytest.mark.xdist_group(group))
    order = {group: number for number, group in enumerate(LONG)}
    items.sort(key=lambda item: order.get(group_of(item) or "", len(order)))


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

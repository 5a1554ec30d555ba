"""Optional parts of an installation: which extra brings which library, and what to say if it is
missing."""

from __future__ import annotations

from controller.core.errors import ControllerError
from controller.core.paths import IN_CHECKOUT

EXTRAS = {
    "gymnasium": "train",
    "requests": "train",
    "stable_baselines3": "train",
    "tensorboard": "train",
    "tqdm": "train",
    "ray": "ray",
}
"""The extra of ``pyproject.toml`` that installs a module."""


class ExtraError(ControllerError, ImportError):
    """A library is missing that an extra would have installed."""


def install(extra: str) -> str:
    """The command that installs an extra: in a checkout, or beside an installed package."""
    what = f".[{extra}]" if IN_CHECKOUT else f"motion-vae-controller[{extra}]"
    return f'pip install {"-e " if IN_CHECKOUT else ""}"{what}"'


def missing(error: ModuleNotFoundError, what: str, importer: str | None = None) -> ExtraError:
    """The error to raise instead of ``error``, in one sentence: ``what`` needs a library.

    ``importer`` is the name of the module that cannot be imported without it. Raises ``error``
    itself if it is about a module that no extra brings: then the installation is broken.
    """
    module = (error.name or "").partition(".")[0]
    if module not in EXTRAS:
        raise error
    extra = EXTRAS[module]
    return ExtraError(f"{what} needs {module}: {install(extra)}", name=importer)

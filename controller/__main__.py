"""Every command by name: ``python -m controller NAME``, or ``motion-vae NAME`` once installed.

A command's module is imported only when it runs, so that ``--help`` is quick. Packages add commands
in the entry-point group ``motion_vae.commands``.
"""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass
from importlib import metadata

from controller.core import extras
from controller.core.errors import ConfigError, run_command

GROUP = "motion_vae.commands"
"""The entry-point group in which packages name functions that run commands of theirs."""


@dataclass(frozen=True)
class Command:
    """A command: the function ``MODULE:FUNCTION`` that runs it, and one line for the help.

    The function reads its options from ``sys.argv``. ``listed`` is False for parts of other
    commands that need a process of their own.
    """

    function: str
    summary: str
    listed: bool = True


COMMANDS = {
    "data": Command("controller.data.commands:main", "fetch, build, show and inspect motion data"),
    "train": Command("controller.training.train_mvae:main", "train a motion VAE"),
    "train-encoder": Command(
        "controller.training.train_encoder:main",
        "train the encoder of a finished motion VAE further",
    ),
    "train-extractor": Command(
        "controller.training.train_extractor:main",
        "train the feature extractor of the Fréchet distance",
    ),
    "characters": Command("controller.control.characters:main", "list the characters"),
    "licences": Command(
        "controller.core.licences:main", "list the licences of everything that is installed with it"
    ),
    "body": Command("controller.control.bodies:main", "make a character's skinned body"),
    "export": Command("controller.export.commands:main", "write a character for other programs"),
    "diagnose": Command(
        "controller.evaluation.diagnosis.diagnose:main",
        "report whether a motion VAE is healthy, and why",
    ),
    "styles": Command(
        "controller.evaluation.styles:main",
        "measure whether a motion VAE moves in the styles that it is asked for",
    ),
    "evaluate": Command(
        "controller.evaluation.results.evaluate:main",
        "measure policies and motion at one task or at all",
    ),
    "feet": Command(
        "controller.evaluation.feet:main", "measure feet that are held where they stand"
    ),
    "ground": Command(
        "controller.evaluation.ground:main", "measure feet on ground that is not flat"
    ),
    "benchmark": Command("controller.benchmark.run:main", "time everything on this machine"),
    "video": Command(
        "controller.video.commands:main", "film a character, and train networks that paint it"
    ),
    "study": Command(
        "controller.studies.study:main", "run a named set of trainings and compare them"
    ),
    "report": Command(
        "controller.studies.report:main", "show training runs side by side on one page"
    ),
    "schedules": Command("controller.studies.plot_schedules:main", "draw the training schedules"),
    "figures": Command(
        "controller.studies.figures:main", "measure the figures in README, docs and model cards"
    ),
    "card": Command("controller.studies.card:main", "measure a policy and fill in its model card"),
    "curves": Command("controller.studies.curves:main", "draw the learning curves of policies"),
    "golden": Command(
        "controller.evaluation.results.golden:main", "record the rollouts that the tests expect"
    ),
    "tries": Command(
        "controller.evaluation.results.tries:main",
        "measure Monte Carlo control by number of tries and by depth",
    ),
    "benchmark-memory": Command(
        "controller.benchmark.memory:main", "memory of a game", listed=False
    ),
    "benchmark-viewer": Command(
        "controller.benchmark.viewer:main", "time of a frame", listed=False
    ),
}
SUMMARIES = {
    "play": "open the window and steer",
    "train-policy": "train a policy for a task",
    "make-character": "make a playable character from motion files, from start to end",
    "make-characters": "the same for each performer of a folder, several at once",
}
"""Help lines of this project's own commands that live above ``controller/``."""


def commands() -> dict[str, Command]:
    """All commands by name: those of installed packages first, then :data:`COMMANDS`."""
    installed = {
        point.name: Command(point.value, SUMMARIES.get(point.name, f"from {point.value}"))
        for point in metadata.entry_points(group=GROUP)
    }
    return installed | COMMANDS


def help_text(program: str) -> str:
    """What ``--help`` prints."""
    listed = {name: command for name, command in commands().items() if command.listed}
    width = max(map(len, listed))
    lines = [f"  {name:<{width}}  {command.summary}" for name, command in listed.items()]
    closing = f"{program} COMMAND --help lists the options of a command."
    return "\n".join((f"usage: {program} COMMAND [options]", "", *lines, "", closing))


def main(program: str = "python -m controller") -> int | None:
    """Run the command that ``sys.argv`` names. Raises ConfigError if there is no such command, and
    ExtraError if it needs a library that is not installed."""
    name = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if name in ("--help", "-h"):
        print(help_text(program))
        return 0

    known = commands()
    if name not in known:
        listed = ", ".join(name for name, command in known.items() if command.listed)
        raise ConfigError(f"command is {name!r}; allowed: {listed}")

    module, _, function = known[name].function.partition(":")
    sys.argv = [f"{program} {name}", *sys.argv[2:]]
    try:
        command = getattr(importlib.import_module(module), function)
    except ModuleNotFoundError as error:
        raise extras.missing(error, f"the command {name}") from error
    result: int | None = command()
    return result


def console() -> None:
    """The console script ``motion-vae``."""
    run_command(lambda: main("motion-vae"))


if __name__ == "__main__":
    run_command(main)

"""Every command by name: ``python -m controller NAME``, or ``motion-vae NAME`` once installed.

A command's module is imported only when it runs, so that ``--help`` is quick.
"""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass

from controller.core.errors import ConfigError, run_command


@dataclass(frozen=True)
class Command:
    """A command: the module whose ``main`` runs it, and one line for the help.

    ``main`` reads its options from ``sys.argv``. ``listed`` is False for parts of other commands
    that need a process of their own.
    """

    module: str
    summary: str
    listed: bool = True


COMMANDS = {
    "data": Command("controller.data.commands", "fetch, build and inspect motion data"),
    "train": Command("controller.training.train_mvae", "train a motion VAE"),
    "train-encoder": Command(
        "controller.training.train_encoder", "train the encoder of a finished motion VAE further"
    ),
    "train-extractor": Command(
        "controller.training.train_extractor", "train the feature extractor of the Fréchet distance"
    ),
    "diagnose": Command(
        "controller.evaluation.diagnosis.diagnose", "say whether a motion VAE is healthy, and why"
    ),
    "evaluate": Command(
        "controller.evaluation.results.evaluate", "measure policies and motion at one task or all"
    ),
    "benchmark": Command("controller.benchmark.run", "time everything on this machine"),
    "study": Command("controller.studies.study", "run a named set of trainings and compare them"),
    "report": Command("controller.studies.report", "show training runs side by side on one page"),
    "schedules": Command("controller.studies.plot_schedules", "draw the training schedules"),
    "figures": Command("controller.studies.figures", "measure what README, docs and cards state"),
    "card": Command("controller.studies.card", "measure a shipped policy and fill in its card"),
    "curves": Command("controller.studies.curves", "draw the learning curves of policies"),
    "golden": Command(
        "controller.evaluation.results.golden", "record the rollouts that the tests expect"
    ),
    "tries": Command(
        "controller.evaluation.results.tries", "measure Monte Carlo control by tries and depth"
    ),
    "benchmark-memory": Command("controller.benchmark.memory", "memory of a game", listed=False),
    "benchmark-viewer": Command("controller.benchmark.viewer", "time of a frame", listed=False),
}


def help_text(program: str = "python -m controller") -> str:
    """What ``--help`` prints."""
    listed = {name: command for name, command in COMMANDS.items() if command.listed}
    width = max(map(len, listed))
    lines = [f"  {name:<{width}}  {command.summary}" for name, command in listed.items()]
    return "\n".join(
        (
            f"usage: {program} COMMAND [options]",
            "",
            *lines,
            "",
            f"{program} COMMAND --help lists a command's options.",
            "python play.py plays; python -m envs.train_policy trains a policy.",
        )
    )


def main(program: str = "python -m controller") -> int | None:
    """Run the command that ``sys.argv`` names. Raises ConfigError if there is no such command."""
    name = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if name in ("--help", "-h"):
        print(help_text(program))
        return 0
    if name not in COMMANDS:
        listed = ", ".join(name for name, command in COMMANDS.items() if command.listed)
        raise ConfigError(f"command is {name!r}; allowed: {listed}")
    sys.argv = [f"{program} {name}", *sys.argv[2:]]
    result: int | None = importlib.import_module(COMMANDS[name].module).main()
    return result


if __name__ == "__main__":
    run_command(main)

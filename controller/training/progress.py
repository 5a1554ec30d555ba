"""The display of a training run: a bar and a line per epoch in the terminal, and curves in
TensorBoard."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from controller.core import processes
from controller.evaluation.diagnosis.verdict import Finding
from controller.training import watch


class Watched(Protocol):
    """A training that can be displayed. Its ``config`` has ``epochs`` and
    ``rollouts_per_epoch``."""

    config: Any
    epoch: int
    history: list[dict[str, float]]
    roll_backs: int


class Progress:
    """The display of one training run, with TensorBoard's curves in the folder ``curves_path``. If
    several processes share the run, only the first one shows anything."""

    def __init__(self, trainer: Watched, curves_path: Path) -> None:
        self.trainer = trainer
        self.curves_path = curves_path
        self.speaks = processes.speaks()
        config = trainer.config
        self.bar = tqdm(
            total=config.epochs * config.rollouts_per_epoch,
            initial=trainer.epoch * config.rollouts_per_epoch,
            unit="rollout",
            smoothing=0.05,
            disable=not self.speaks,
        )
        self.curves = self._curves()

    def _curves(self) -> SummaryWriter | None:
        """A writer that starts with the next epoch and hides what an interrupted run may have
        written about it and later ones."""
        if not self.speaks:
            return None
        return SummaryWriter(str(self.curves_path), purge_step=self.trainer.epoch + 1)

    def tick(self) -> None:
        """Count one rollout."""
        self.bar.update()

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        if self.speaks:
            self.bar.write(text)

    def epoch(self) -> None:
        """Show the figures of the epoch that has just ended."""
        history = self.trainer.history
        figures = history[-1]
        if self.curves:
            for name, value in figures.items():
                self.curves.add_scalar(name, value, self.trainer.epoch)
            # They must be on disk before the state is saved: a resumed run does not write them
            # again.
            self.curves.flush()

        self.say(self._line(figures))
        if "sane_fraction" in figures:
            self.diagnosis(watch.findings(history))

    def diagnosis(self, findings: Sequence[Finding]) -> None:
        """Show what is wrong with the model, or that nothing is."""
        reasons = [f"{each.name}: {each.reason}" for each in findings]
        self.say(f"  diagnosis: {' '.join(reasons) or 'nothing wrong'}")

    def _line(self, figures: dict[str, float]) -> str:
        config = self.trainer.config
        skipped = f"  {figures['skipped']:.0f} rollouts skipped" if figures["skipped"] else ""
        return (
            f"epoch {self.trainer.epoch:>3}/{config.epochs}  "
            f"teacher {figures['teacher_forcing']:.2f}  "
            f"reconstruction {figures['reconstruction']:.4f}  KL {figures['kl_nats']:6.2f} nats  "
            f"active units {figures['active_units']:.0f}/{config.model.latent}  "
            f"held out: one step {figures['one_step_mm']:.2f} mm, "
            f"{config.rollout} steps {figures['rollout_mm']:.2f} mm{skipped}"
        )

    def rolled_back(self, reason: str) -> None:
        """Show that training has returned to an earlier epoch."""
        trainer = self.trainer
        self.say(
            f"  {reason} Rolled back to epoch {trainer.epoch} (roll-back {trainer.roll_backs})."
        )
        self.bar.n = trainer.epoch * trainer.config.rollouts_per_epoch
        self.bar.last_print_n = self.bar.n
        if self.curves:
            self.curves.close()
        self.curves = self._curves()

    def close(self) -> None:
        self.bar.close()
        if self.curves:
            self.curves.close()

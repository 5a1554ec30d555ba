"""What a person sees of a training: a bar and a line an epoch in the terminal, and curves in
TensorBoard."""

from __future__ import annotations

from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from controller.core import processes
from controller.training import watch
from controller.training.trainer import Trainer


class Progress:
    """Of one training run. Where several processes share it, only the first shows anything."""

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer
        self.shown = processes.speaks()
        config = trainer.config
        total, done = (
            epochs * config.rollouts_per_epoch for epochs in (config.epochs, trainer.epoch)
        )
        self.bar = tqdm(
            total=total, initial=done, unit="rollout", smoothing=0.05, disable=not self.shown
        )
        self.curves = self._curves()

    def _curves(self) -> SummaryWriter | None:
        """From the next epoch on, in place of what an interrupted run may have told of it and later
        ones."""
        if not self.shown:
            return None
        return SummaryWriter(
            str(self.trainer.folder / "tensorboard"), purge_step=self.trainer.epoch + 1
        )

    def tick(self) -> None:
        """One rollout has been made."""
        self.bar.update()

    def say(self, words: str) -> None:
        """A line above the bar."""
        if self.shown:
            self.bar.write(words)

    def epoch(self) -> None:
        """The figures of the epoch that has just ended."""
        figures = self.trainer.history[-1]
        config = self.trainer.config
        if self.curves:
            for name, value in figures.items():
                self.curves.add_scalar(name, value, self.trainer.epoch)
            self.curves.flush()  # before the state is saved: what a resumed run does not tell again must be there
        self.say(
            f"epoch {self.trainer.epoch:>3}/{config.epochs}  teacher "
            f"{figures['teacher_forcing']:.2f}  "
            f"reconstruction {figures['reconstruction']:.4f}  KL {figures['kl_nats']:6.2f} nats  "
            f"active units {figures['active_units']:.0f}/{config.model.latent}  held out: one step "
            f"{figures['one_step_mm']:.2f} mm, {config.rollout} steps {figures['rollout_mm']:.2f} "
            "mm" + (f"  {figures['skipped']:.0f} rollouts skipped" if figures["skipped"] else "")
        )
        if "sane_fraction" in figures:
            found = [
                f"{finding.name}: {finding.reason}"
                for finding in watch.findings(self.trainer.history)
            ]
            self.say(f"  diagnosis: {' '.join(found) or 'nothing wrong'}")

    def rolled_back(self, why: str) -> None:
        """Training has returned to an earlier epoch."""
        trainer = self.trainer
        self.say(
            f"  {why} Rolled back to epoch {trainer.epoch}, for the {trainer.roll_backs}. time."
        )
        self.bar.n = self.bar.last_print_n = trainer.epoch * trainer.config.rollouts_per_epoch
        if self.curves:
            self.curves.close()
        self.curves = self._curves()

    def close(self) -> None:
        self.bar.close()
        if self.curves:
            self.curves.close()

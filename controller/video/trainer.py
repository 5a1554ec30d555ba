"""Training a video network: scheduled sampling over short windows of a film."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.optim.lr_scheduler import MultiStepLR

from controller.core.errors import ControllerError, DataError
from controller.core.optimizer_state import load_optimizer, optimizer_tensors
from controller.evaluation.diagnostics import ACTIVE_VARIANCE
from controller.model.kl import kl_per_unit
from controller.training import watch
from controller.training.trainer import Precision
from controller.video import blocks, free_rollout, network
from controller.video.config import VideoConfig
from controller.video.film import Clip, Film
from controller.video.picture_quality import psnr
from controller.video.unrolled import Unrolled
from controller.video.windows import Windows, mean_picture

CONTRAST = 0.1
"""The error of a colour, of which white is 1, that counts as one unit of loss."""
WATCHED = 210
"""Pictures of the validation film that are painted after each epoch."""
JUDGED = 8
"""Windows on which the posterior is judged."""


class VideoTrainer:
    """One training run: call :meth:`run_epoch` once for each epoch.

    All random numbers come from one generator whose state is part of the training state, so a
    resumed run ends with the weights of an uninterrupted one.
    """

    def __init__(self, film: Film, config: VideoConfig, precision: Precision = "float32") -> None:
        """``precision`` bf16 lets torch compute in bfloat16 where that is known to be safe. Raises
        DataError if the film cannot be trained on."""
        self.film = film
        self.precision = precision
        self.config = config
        self.windows = Windows(film, "train", config.length)
        self.held_out = Windows(film, "validation", config.length)
        torch.manual_seed(config.seed)
        self.network = network.build(config.network, film.labels, mean_picture(self.windows))
        self.parameters = list(self.network.parameters())
        self.optimizer = torch.optim.Adam(self.parameters, lr=config.learning_rate, fused=True)
        self.rates = MultiStepLR(self.optimizer, list(config.milestones), config.gamma)
        self.generator = torch.Generator().manual_seed(config.seed)
        self.epoch = 0
        self.roll_backs = 0
        self.history: list[dict[str, float]] = []

    # -- one batch ---------------------------------------------------------------------------------

    def draw(self, teacher: float) -> tuple[Tensor, Tensor]:
        """Coins (T, B) and noise (T, B, latent) of a batch. Pictures of the past are always real.

        A coin decides for the whole batch or for a window alone, as the schedule's ``coin`` says.
        """
        config = self.config
        steps = config.length - 1
        width = config.batch if config.teacher.coin == "sample" else 1
        coins = torch.rand(steps, width, generator=self.generator) < teacher
        coins[: config.past] = True
        size = (steps, config.batch, config.network.latent)
        return coins.expand(-1, config.batch), torch.randn(size, generator=self.generator)

    def losses(self, clip: Clip, unrolled: Unrolled) -> tuple[Tensor, Tensor]:
        """Squared error in (10 % of white)², and the KL in nats a picture."""
        real = blocks.to_unit(clip.part(1, len(clip)).frames)
        error = ((unrolled.pictures - real) / CONTRAST).square().mean()
        if unrolled.prior is not None:
            kl = blocks.gaussian_kl(unrolled.mean, unrolled.log_variance, unrolled.prior)
            return error, kl.sum()
        means, log_variances = unrolled.mean.flatten(0, 1), unrolled.log_variance.flatten(0, 1)
        return error, kl_per_unit(means, log_variances).sum()

    def rollout(self, beta: float, teacher: float) -> dict[str, float] | None:
        """One batch with its optimiser step. Returns the terms of the loss; None, with the weights
        as they were, if the loss or its gradient was not finite."""
        clip = self.windows.draw(self.config.batch, self.generator)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.precision == "bf16"):
            unrolled = self.network(clip, *self.draw(teacher))
            error, kl = self.losses(clip, unrolled)
        total = error + beta * kl
        total.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, self.config.gradient_norm)
        finite = math.isfinite(float(norm)) and math.isfinite(float(total.detach()))
        if finite:
            self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        if not finite:
            return None
        return {"reconstruction": float(error.detach()), "kl": float(kl.detach())}

    # -- the run -----------------------------------------------------------------------------------

    def schedule(self, epoch: float) -> dict[str, float]:
        """The scheduled settings at an epoch."""
        config = self.config
        weight = config.kl(epoch, config.epochs)
        return {
            "teacher_forcing": config.teacher(epoch),
            "kl_weight": weight,
            "beta": config.beta * weight,
        }

    def run_epoch(self, tick: Callable[[], None] = lambda: None) -> dict[str, float]:
        """Train one epoch; returns its figures and keeps them in ``history``.

        Raises :class:`watch.Fatal` at a loss or gradient that is not finite.
        """
        started = time.perf_counter()
        count = self.config.rollouts_per_epoch
        self.network.train()
        sums: dict[str, float] = {}
        for index in range(count):
            settings = self.schedule(self.epoch + index / count)
            terms = self.rollout(settings["beta"], settings["teacher_forcing"])
            if terms is None:
                raise watch.Fatal(watch.not_finite(self.epoch + 1, f"rollout {index + 1}"))
            sums = {name: sums.get(name, 0.0) + value for name, value in terms.items()}
            tick()
        self.epoch += 1
        rate = self.optimizer.param_groups[0]["lr"]
        self.rates.step()
        seconds = time.perf_counter() - started
        figures = {name: value / count for name, value in sums.items()}
        figures |= {"epoch": self.epoch, **settings, "learning_rate": rate, "skipped": 0}
        figures |= {"rollouts_per_s": count / seconds, "latent_units": self.config.network.latent}
        figures |= self.validate()
        self.history.append(figures)
        return figures

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Figures on the validation film, whose drawn windows and noise are the same each time."""
        self.network.eval()
        past = self.config.past
        episode = self.film.of("validation")[0]
        clip = self.film.episode(episode, max(WATCHED, past + 1))
        painted = free_rollout.paint(self.network, Clip.stack([clip]), past, seed=0)[0]
        quality = psnr(painted, free_rollout.real(clip, past))
        figures = {"validation_psnr_db": float(quality.mean())}
        if not self.config.network.latent:
            return figures | {"kl_nats": 0.0, "active_units": 0}

        batch = self.held_out.draw(JUDGED, torch.Generator().manual_seed(0))
        forced = torch.ones(self.config.length - 1, JUDGED, dtype=torch.bool)
        noise = torch.zeros(*forced.shape, self.config.network.latent)
        unrolled = self.network(batch, forced, noise)
        _, kl = self.losses(batch, unrolled)
        variance = unrolled.mean.flatten(0, 1).var(dim=0)
        active = int((variance > ACTIVE_VARIANCE).sum())
        return figures | {"kl_nats": float(kl), "active_units": active}

    def painter(self, header: dict[str, Any]) -> network.Painter:
        """The network as it is now, with what is to be known about it."""
        return network.Painter(self.network, self.film.labels, self.config.past, header)

    def start_from(self, painter: network.Painter) -> None:
        """Begin with a trained network's weights. Its latent may have another size, as a
        regression's has: what belongs to z begins anew then. DataError if other sizes differ."""
        painter.require_film(self.film)
        known, wanted = painter.network.config, self.config.network
        if replace(known, latent=wanted.latent) != wanted:
            raise DataError(f"the network to start from has {known}, not {wanted}")
        weights = painter.network.state_dict()
        own = self.network.state_dict()
        fits = {n: w for n, w in weights.items() if n in own and own[n].shape == w.shape}
        self.network.load_state_dict(own | fits)

    # -- its state ---------------------------------------------------------------------------------

    @property
    def epochs(self) -> int:
        """Epochs of the whole run."""
        return self.config.epochs

    def identity(self) -> dict[str, Any]:
        """The settings and the data of this run. Only a run with the same ones can go on from its
        state."""
        return {"config": self.config.flat(), "data": self.film.fingerprint()}

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Header and tensors of all that decides how training goes on."""
        tensors = {f"model.{name}": value for name, value in self.network.state_dict().items()}
        tensors |= optimizer_tensors("optimizer", self.optimizer)
        tensors["generator"] = self.generator.get_state()
        return {"epoch": self.epoch, **self.identity(), "history": self.history}, tensors

    def restore(self, header: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        """Take the :meth:`state` of a run with the same :meth:`identity`."""
        prefix = "model."
        weights = {n.removeprefix(prefix): v for n, v in tensors.items() if n.startswith(prefix)}
        self.network.load_state_dict(weights)
        load_optimizer("optimizer", self.optimizer, tensors)
        self.generator.set_state(tensors["generator"])
        self.epoch = header["epoch"]
        self.history = header["history"]
        config = self.config
        passed = sum(each <= self.epoch for each in config.milestones)
        self.optimizer.param_groups[0]["lr"] = config.learning_rate * config.gamma**passed
        self.rates = MultiStepLR(self.optimizer, list(config.milestones), config.gamma)
        self.rates.last_epoch = self.epoch

    def retry(self) -> None:
        """A video's training has no roll-backs."""
        raise ControllerError("a video network's training does not roll back")

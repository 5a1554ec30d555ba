"""The motion VAE: encoder, and a decoder that mixes experts (Ling et al. 2020, section 4 and figure
4).

Everything here works on z-scored poses ``(B, D)``; :class:`MotionVAE` carries the statistics as
buffers. The other kinds of model (:mod:`controller.model.variants`) are subclasses and keep its
protocol: ``encode``, ``decode``, ``loss``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from controller.core.errors import require
from controller.model.gemm import Linear, blended
from controller.model.kl import aggregate, held, kl_loss, kl_per_unit
from controller.model.normalizer import Normalizer
from controller.model.step import mixture_step

ROWS = 256
"""Characters decoded at once on a CPU when no gradient is wanted: more do not fit its caches with
what is made of them on the way, six times the width of a layer's inputs each."""

Variant = Literal["mixture", "plain", "specialists", "codes", "window"]


@dataclass(frozen=True)
class MotionVAEConfig:
    """Kind and sizes of the networks. The defaults are the paper's. What a kind has no use for is
    ignored."""

    variant: Variant = "mixture"
    """mixture: experts blended by a gate. plain: one decoder. specialists: decoders of which the
    gate picks one. codes: z is one of so many vectors, and an action a number. window: the encoder
    sees past and future."""
    latent: int = 32
    """Units of the latent z."""
    hidden: int = 256
    """Width of the encoder's and of each expert's two hidden layers."""
    experts: int = 6
    """Experts of the decoder, or specialists."""
    gate_hidden: int = 64
    """Width of the gate's two hidden layers."""
    codes: int = 64
    """Codes of the variant of that name."""
    normalise: bool = True
    """Whether the networks see z-scored poses, or poses in their own units."""
    window_past: int = 60
    """Captured poses before the current one that the window variant's encoder sees."""
    window_future: int = 60
    """Captured poses after the current one that it sees."""
    window_channels: int = 64
    """Width of its convolutions."""
    latent_once: bool = False
    """Whether z enters only the first layer of a plain or window variant's decoder, where it is
    easily ignored."""

    def __post_init__(self) -> None:
        require(
            self.variant in get_args(Variant), "variant", self.variant, ", ".join(get_args(Variant))
        )
        require(2 <= self.codes <= 4096, "codes", self.codes, "2 to 4096")
        for name in (
            "latent",
            "hidden",
            "experts",
            "gate_hidden",
            "window_future",
            "window_channels",
        ):
            require(1 <= getattr(self, name) <= 4096, name, getattr(self, name), "1 to 4096")
        require(0 <= self.window_past <= 4096, "window_past", self.window_past, "0 to 4096")
        allowed = f"False with the variant {self.variant!r}"
        require(
            not self.latent_once or self.variant in ("plain", "window"),
            "latent_once",
            True,
            allowed,
        )


class StepFeatures(nn.Module):
    """(previous pose, next pose) → the next pose and what two layers, which it enters, too, make of
    both: ``(B, pose + hidden)``."""

    def __init__(self, pose: int, config: MotionVAEConfig) -> None:
        super().__init__()
        self.first = Linear(2 * pose, config.hidden)
        self.second = Linear(pose + config.hidden, config.hidden)

    def features(self, previous: Tensor, following: Tensor) -> Tensor:
        hidden = functional.elu(self.first(torch.cat((following, previous), dim=-1)), inplace=True)
        hidden = functional.elu(self.second(torch.cat((following, hidden), dim=-1)), inplace=True)
        return torch.cat((following, hidden), dim=-1)


class Encoder(StepFeatures):
    """(previous pose, next pose) → mean and log-variance of z, ``(B, latent)``; the next pose
    enters every layer."""

    def __init__(self, pose: int, config: MotionVAEConfig) -> None:
        super().__init__(pose, config)
        self.mean = Linear(pose + config.hidden, config.latent)
        self.log_variance = Linear(pose + config.hidden, config.latent)

    def forward(self, previous: Tensor, following: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.features(previous, following)
        return self.mean(hidden), held(self.log_variance(hidden))


class ExpertLinear(nn.Module):
    """One linear layer of all experts, blended by ``(B, E)`` coefficients that sum to 1."""

    def __init__(self, experts: int, inputs: int, outputs: int) -> None:
        super().__init__()
        bound = (6.0 / (inputs + outputs)) ** 0.5  # Glorot & Bengio 2010, for each expert by itself
        self.weight = nn.Parameter(torch.empty(experts, inputs, outputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.full((experts, outputs), 0.01))

    def forward(self, inputs: Tensor, blend: Tensor) -> Tensor:
        return blended(inputs, blend, self.weight, self.bias)


class Decoder(nn.Module):
    """(z, previous pose) → next pose. z enters every layer of every expert, so that it cannot be
    ignored."""

    def __init__(self, pose: int, config: MotionVAEConfig) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            Linear(config.latent + pose, config.gate_hidden),
            nn.ELU(inplace=True),
            Linear(config.gate_hidden, config.gate_hidden),
            nn.ELU(inplace=True),
            Linear(config.gate_hidden, config.experts),
        )
        self.first = ExpertLinear(config.experts, config.latent + pose, config.hidden)
        self.second = ExpertLinear(config.experts, config.latent + config.hidden, config.hidden)
        self.output = ExpertLinear(config.experts, config.latent + config.hidden, pose)

    def blend(self, latent: Tensor, previous: Tensor) -> Tensor:
        """The experts' shares ``(B, E)`` of the next pose, not negative, summing to 1."""
        return self._blend(torch.cat((latent, previous), dim=-1))

    def _blend(self, shown: Tensor) -> Tensor:
        return torch.softmax(self.gate(shown), dim=-1)

    def forward(self, latent: Tensor, previous: Tensor) -> Tensor:
        shown = torch.cat((latent, previous), dim=-1)
        blend = self._blend(shown)
        hidden = functional.elu(self.first(shown, blend), inplace=True)
        hidden = functional.elu(
            self.second(torch.cat((latent, hidden), dim=-1), blend), inplace=True
        )
        return self.output(torch.cat((latent, hidden), dim=-1), blend)


class Step(NamedTuple):
    """One training step of a batch: the ``predicted`` next poses (B, D), and two scalar losses:
    that of the ``reconstruction``, and that of the ``latent``, which β weighs."""

    predicted: Tensor
    reconstruction: Tensor
    latent: Tensor


class MotionVAE(nn.Module):
    """Encoder, decoder and statistics, for poses of ``pose`` values.

    ``past`` and ``future`` say how many captured poses before and after the current one the encoder
    may see: here the one that it is to encode.
    """

    past = 0
    future = 1
    written_out = True
    """Whether a step of training is :func:`mixture_step` where that can be; compiled networks are
    not."""

    def __init__(
        self, pose: int, config: MotionVAEConfig, normalizer: Normalizer | None = None
    ) -> None:
        super().__init__()
        self.config = config
        self.normalizer = normalizer or Normalizer.blank(pose)
        self.encoder = self.make_encoder(pose)
        self.decoder = self.make_decoder(pose)

    def make_encoder(self, pose: int) -> nn.Module:
        return Encoder(pose, self.config)

    def make_decoder(self, pose: int) -> nn.Module:
        return Decoder(pose, self.config)

    @property
    def codes(self) -> Tensor | None:
        """The vectors ``(K, latent)`` of which z is one; None where it is any vector, with N(0, I)
        for its prior."""
        return None

    @property
    def has_kernels(self) -> bool:
        """Whether :mod:`controller.model.fast.kernels` computes this decoder: it knows the mixture
        of experts alone."""
        return type(self.decoder) is Decoder

    # -- the protocol ------------------------------------------------------------------------------

    def seen(self, windows: Tensor, current: int) -> Tensor:
        """What the encoder may see of captured windows ``(B, W, D)`` when pose ``current`` is the
        one to go on from: here the next pose, ``(B, D)``."""
        return windows[:, current + 1]

    def encode(self, previous: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """Posterior mean and log-variance ``(B, latent)`` of the step from a z-scored pose, given
        what is ``seen``."""
        return self.encoder(previous, seen)

    def decode(self, latent: Tensor, previous: Tensor) -> Tensor:
        """The next z-scored pose ``(B, D)``."""
        if torch.is_grad_enabled() or len(latent) <= ROWS or latent.device.type != "cpu":
            return self.decoder(latent, previous)
        parts = zip(latent.split(ROWS), previous.split(ROWS), strict=True)
        return torch.cat([self.decoder(z, pose) for z, pose in parts])

    def loss(
        self, previous: Tensor, following: Tensor, seen: Tensor, noise: Tensor, free_bits: float
    ) -> Step:
        """A step from ``previous`` towards the captured ``following`` (B, D) with z = mean +
        σ·noise: the mean squared error in deviations, and the mean over latent units of the KL
        divergence."""
        if self._is_written_out(previous, free_bits):
            return Step(*mixture_step(self._parameters_in_order, previous, following, seen, noise))
        mean, log_variance = self.encode(previous, seen)
        latent = torch.addcmul(mean, torch.exp(0.5 * log_variance), noise)
        return Step(
            *self.reconstruct(latent, previous, following), kl_loss(mean, log_variance, free_bits)
        )

    def _is_written_out(self, poses: Tensor, free_bits: float) -> bool:
        """Whether :func:`mixture_step` is this step: of just these networks on a CPU, not compiled,
        and no autocast. Of a frozen decoder it would make gradients in vain."""
        if type(self.encoder) is not Encoder or type(self.decoder) is not Decoder or free_bits:
            return False
        if not self.decoder.output.weight.requires_grad:
            return False
        return (
            self.written_out and poses.device.type == "cpu" and not torch.is_autocast_enabled("cpu")
        )

    @cached_property
    def _parameters_in_order(self) -> list[nn.Parameter]:
        return [*self.encoder.parameters(), *self.decoder.parameters()]

    def reconstruct(
        self, latent: Tensor, previous: Tensor, following: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The predicted next pose (B, D), and the loss of its difference from the captured
        ``following`` one."""
        predicted = self.decode(latent, previous)
        return predicted, functional.mse_loss(predicted, following)

    def draw_latents(self, count: int, generator: torch.Generator) -> Tensor:
        """``(count, latent)`` latents for a random walk, drawn from the prior."""
        drawn = torch.randn(count, self.config.latent, generator=generator, device=generator.device)
        return drawn.to(self.normalizer.mean.device)

    # -- what is measured --------------------------------------------------------------------------

    def blend(self, latent: Tensor, previous: Tensor) -> Tensor | None:
        """Shares ``(B, E)`` of the experts, or specialists, in the next pose; None without them."""
        return self.decoder.blend(latent, previous) if isinstance(self.decoder, Decoder) else None

    def information(self, mean: Tensor, log_variance: Tensor) -> Tensor:
        """How much z tells of a step, in nats, averaged over posteriors ``(B, latent)``: their KL
        from the prior."""
        return kl_per_unit(mean, log_variance).sum()

    def mismatch(self, mean: Tensor, log_variance: Tensor) -> Tensor:
        """KL in nats of the mixture of posteriors ``(B, latent)``, taken for one normal
        distribution, from the prior: how badly :meth:`draw_latents` finds the latents of real
        steps."""
        centre, variance = aggregate(mean, log_variance)
        return kl_per_unit(centre[None], variance.log()[None]).sum()

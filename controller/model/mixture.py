"""The motion VAE: an encoder, and a decoder that mixes experts (Ling et al. 2020, section 4 and
figure 4).

Everything here works on z-scored poses ``(B, D)``; :class:`MotionVAE` carries the statistics as
buffers. The other variants (:mod:`controller.model.variants`) are subclasses that follow its
protocol: ``encoder_input``, ``encode``, ``decode``, ``loss``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from controller.core.errors import require
from controller.model.gemm import Linear, blended
from controller.model.kl import aggregate, clamped, kl_loss, kl_per_unit
from controller.model.normalizer import Normalizer

ROWS = 256
"""Characters decoded at once on a CPU when no gradient is needed. Intermediate results are six
times as wide as a layer's inputs; those of more characters do not fit the caches."""

Variant = Literal["mixture", "plain", "specialists", "codes", "window"]


MOST_STYLES = 256


def check_styles(names: Sequence[str]) -> tuple[str, ...]:
    """The names of styles as a tuple; ConfigError unless they are none, or two or more different
    ones, each a word of at most 40 characters."""
    names = tuple(names)
    words = all(isinstance(name, str) and 0 < len(name) <= 40 for name in names)
    allowed = f"no names, or 2 to {MOST_STYLES} different ones of at most 40 characters"
    good = words and len(set(names)) == len(names) and len(names) != 1
    require(good and len(names) <= MOST_STYLES, "styles", names, allowed)
    return names


@dataclass(frozen=True)
class MotionVAEConfig:
    """Variant and sizes of the networks. The defaults are the paper's. A variant ignores the fields
    that it does not use."""

    variant: Variant = "mixture"
    """mixture: experts blended by a gate. plain: one decoder. specialists: several decoders, of
    which the gate selects one. codes: z is one of a fixed number of vectors, and an action is a
    number. window: the encoder sees past and future."""
    latent: int = 32
    """Units of the latent z."""
    hidden: int = 256
    """Width of the two hidden layers of the encoder and of each expert."""
    experts: int = 6
    """Experts of the decoder, or specialists."""
    gate_hidden: int = 64
    """Width of the gate's two hidden layers."""
    codes: int = 64
    """Number of codes of the variant codes."""
    normalise: bool = True
    """Whether the networks see z-scored poses, or poses in their own units."""
    window_past: int = 60
    """Captured poses before the current one that the window variant's encoder sees."""
    window_future: int = 60
    """Captured poses after the current one that it sees."""
    window_channels: int = 64
    """Width of its convolutions."""
    latent_once: bool = False
    """Whether z enters only the first layer of the decoder of a plain or window variant, where it
    is easily ignored."""
    styles: tuple[str, ...] = ()
    """Names of the styles by whose weights motion is conditioned: those of the data that it is
    trained on, not a setting."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "styles", check_styles(self.styles))
        variants = get_args(Variant)
        require(self.variant in variants, "variant", self.variant, ", ".join(variants))
        require(2 <= self.codes <= 4096, "codes", self.codes, "2 to 4096")

        sizes = ("latent", "hidden", "experts", "gate_hidden", "window_future", "window_channels")
        for name in sizes:
            require(1 <= getattr(self, name) <= 4096, name, getattr(self, name), "1 to 4096")
        require(0 <= self.window_past <= 4096, "window_past", self.window_past, "0 to 4096")

        can_skip = self.variant in ("plain", "window")
        allowed = f"False with the variant {self.variant!r}"
        require(can_skip or not self.latent_once, "latent_once", True, allowed)
        allowed = "none with the variant 'window'"
        require(not self.styles or self.variant != "window", "styles", self.styles, allowed)

    @property
    def controls(self) -> int:
        """Width of what enters every layer of a decoder: z and the weights of styles."""
        return self.latent + len(self.styles)


class StepFeatures(nn.Module):
    """(previous pose, next pose) → ``(B, pose + S + hidden)``: the next pose with the weights of S
    styles, and the output of two layers that see both poses.

    ``pose`` is the width of a pose without the weights. ``linear`` is the class of the layers.
    """

    def __init__(
        self, pose: int, config: MotionVAEConfig, linear: type[nn.Linear] = Linear
    ) -> None:
        super().__init__()
        following = pose + len(config.styles)
        self.first = linear(following + pose, config.hidden)
        self.second = linear(following + config.hidden, config.hidden)
        self.width = following + config.hidden

    def features(self, previous: Tensor, following: Tensor) -> Tensor:
        hidden = functional.elu(self.first(torch.cat((following, previous), dim=-1)), inplace=True)
        hidden = functional.elu(self.second(torch.cat((following, hidden), dim=-1)), inplace=True)
        return torch.cat((following, hidden), dim=-1)


class Encoder(StepFeatures):
    """(previous pose, next pose) → mean and log-variance of z, ``(B, latent)``. The next pose, and
    with it the weights of styles, enters every layer."""

    def __init__(
        self, pose: int, config: MotionVAEConfig, linear: type[nn.Linear] = Linear
    ) -> None:
        super().__init__(pose, config, linear)
        self.mean = linear(self.width, config.latent)
        self.log_variance = linear(self.width, config.latent)

    def forward(self, previous: Tensor, following: Tensor) -> tuple[Tensor, Tensor]:
        features = self.features(previous, following)
        return self.mean(features), clamped(self.log_variance(features))


class ExpertLinear(nn.Module):
    """One linear layer of every expert: inputs ``(B, I)`` and shares ``(B, E)``, which sum to 1,
    → blended outputs ``(B, O)``."""

    def __init__(self, experts: int, inputs: int, outputs: int) -> None:
        super().__init__()
        bound = (6.0 / (inputs + outputs)) ** 0.5  # Glorot & Bengio 2010, for each expert by itself
        self.weight = nn.Parameter(torch.empty(experts, inputs, outputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.full((experts, outputs), 0.01))

    def forward(self, inputs: Tensor, blend: Tensor) -> Tensor:
        return blended(inputs, blend, self.weight, self.bias)


class Decoder(nn.Module):
    """(z, previous pose) → next pose. z enters every layer of every expert, so that it cannot be
    ignored. If there are styles, z is followed by their weights: ``(B, latent + S)``.

    ``linear`` is the class of the gate's layers, ``expert_linear`` that of the experts'.
    """

    def __init__(
        self,
        pose: int,
        config: MotionVAEConfig,
        linear: type[nn.Linear] = Linear,
        expert_linear: type[ExpertLinear] = ExpertLinear,
    ) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            linear(config.controls + pose, config.gate_hidden),
            nn.ELU(inplace=True),
            linear(config.gate_hidden, config.gate_hidden),
            nn.ELU(inplace=True),
            linear(config.gate_hidden, config.experts),
        )
        controls = config.controls
        self.first = expert_linear(config.experts, controls + pose, config.hidden)
        self.second = expert_linear(config.experts, controls + config.hidden, config.hidden)
        self.output = expert_linear(config.experts, controls + config.hidden, pose)

    def blend(self, latent: Tensor, previous: Tensor) -> Tensor:
        """The experts' shares ``(B, E)`` of the next pose: none is negative, and they sum to 1."""
        return self._blend(torch.cat((latent, previous), dim=-1))

    def _blend(self, inputs: Tensor) -> Tensor:
        return torch.softmax(self.gate(inputs), dim=-1)

    def forward(self, latent: Tensor, previous: Tensor) -> Tensor:
        inputs = torch.cat((latent, previous), dim=-1)
        blend = self._blend(inputs)

        hidden = functional.elu(self.first(inputs, blend), inplace=True)
        inputs = torch.cat((latent, hidden), dim=-1)
        hidden = functional.elu(self.second(inputs, blend), inplace=True)
        return self.output(torch.cat((latent, hidden), dim=-1), blend)


class StepLoss(NamedTuple):
    """One training step of a batch: the ``predicted`` next poses (B, D) and two scalar losses, of
    the ``reconstruction`` and of the ``latent``. β weighs the latter."""

    predicted: Tensor
    reconstruction: Tensor
    latent: Tensor


class MotionVAE(nn.Module):
    """Encoder, decoder and statistics, for poses of ``pose`` values, the last of which are the
    weights of the styles, if the configuration names any. A decoded pose has the weights of the
    pose before it.

    ``past`` and ``future`` say how many captured poses before and after the current one the encoder
    may see. Here it sees one, the next pose, which it encodes.
    """

    past = 0
    future = 1

    def __init__(
        self, pose: int, config: MotionVAEConfig, normalizer: Normalizer | None = None
    ) -> None:
        super().__init__()
        self.config = config
        self.normalizer = normalizer or Normalizer.blank(pose)
        self.body = pose - len(config.styles)
        self.encoder = self.make_encoder(self.body)
        self.decoder = self.make_decoder(self.body)

    def make_encoder(self, pose: int) -> nn.Module:
        return Encoder(pose, self.config)

    def make_decoder(self, pose: int) -> nn.Module:
        return Decoder(pose, self.config)

    @property
    def codes(self) -> Tensor | None:
        """The vectors ``(K, latent)`` that z may be, or None if z may be any vector, with the prior
        N(0, I)."""
        return None

    @property
    def has_kernels(self) -> bool:
        """Whether :mod:`controller.model.fast.kernels` can compute this decoder: it has the mixture
        of experts only."""
        return type(self.decoder) is Decoder

    # -- the protocol ------------------------------------------------------------------------------

    def encoder_input(self, windows: Tensor, current: int) -> Tensor:
        """What the encoder may see of captured windows ``(B, W, D)`` in a step from pose
        ``current``: here the next pose, ``(B, D)``."""
        return windows[:, current + 1]

    def encode(self, previous: Tensor, encoder_input: Tensor) -> tuple[Tensor, Tensor]:
        """Posterior mean and log-variance ``(B, latent)`` of the step from z-scored poses
        ``previous`` (B, D)."""
        return self.encoder(self.unstyled(previous), encoder_input)

    def decode(self, latent: Tensor, previous: Tensor) -> Tensor:
        """The next z-scored pose ``(B, D)``, with the weights of styles that ``previous`` has."""
        if torch.is_grad_enabled() or len(latent) <= ROWS or latent.device.type != "cpu":
            return self.styled(self.decoder(*self.inputs(latent, previous)), previous)
        parts = zip(latent.split(ROWS), previous.split(ROWS), strict=True)
        return torch.cat(
            [self.styled(self.decoder(*self.inputs(z, pose)), pose) for z, pose in parts]
        )

    # -- styles ------------------------------------------------------------------------------------

    def unstyled(self, pose: Tensor) -> Tensor:
        """Poses ``(..., D)`` without the weights of styles."""
        return pose[..., : self.body] if self.config.styles else pose

    def styled(self, body: Tensor, pose: Tensor) -> Tensor:
        """Poses without weights of styles, with those of ``pose`` (..., D)."""
        return torch.cat((body, pose[..., self.body :]), dim=-1) if self.config.styles else body

    def inputs(self, latent: Tensor, previous: Tensor) -> tuple[Tensor, Tensor]:
        """What a decoder takes: z with the weights of styles, and the pose without them."""
        return self.styled(latent, previous), self.unstyled(previous)

    def loss(
        self,
        previous: Tensor,
        following: Tensor,
        encoder_input: Tensor,
        noise: Tensor,
        free_bits: float,
    ) -> StepLoss:
        """A step from ``previous`` towards the captured ``following`` (B, D) with z = mean +
        σ·noise: the mean squared error in deviations, and the mean over latent units of the KL
        divergence."""
        mean, log_variance = self.encode(previous, encoder_input)
        latent = torch.addcmul(mean, torch.exp(0.5 * log_variance), noise)
        predicted, reconstruction = self.reconstruct(latent, previous, following)
        return StepLoss(predicted, reconstruction, kl_loss(mean, log_variance, free_bits))

    def reconstruct(
        self, latent: Tensor, previous: Tensor, following: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The predicted next pose (B, D), and the loss of its difference from the captured
        ``following`` one."""
        predicted = self.decode(latent, previous)
        return predicted, functional.mse_loss(self.unstyled(predicted), self.unstyled(following))

    def draw_latents(self, count: int, generator: torch.Generator) -> Tensor:
        """``(count, latent)`` latents for a random walk, drawn from the prior."""
        latents = torch.randn(
            count, self.config.latent, generator=generator, device=generator.device
        )
        return latents.to(self.normalizer.mean.device)

    # -- what is measured --------------------------------------------------------------------------

    def blend(self, latent: Tensor, previous: Tensor) -> Tensor | None:
        """Shares ``(B, E)`` of the experts, or specialists, in the next pose; None without them."""
        if not isinstance(self.decoder, Decoder):
            return None
        return self.decoder.blend(*self.inputs(latent, previous))

    def information(self, mean: Tensor, log_variance: Tensor) -> Tensor:
        """How much z says about a step, in nats: the KL of posteriors ``(B, latent)`` from the
        prior, averaged over them."""
        return kl_per_unit(mean, log_variance).sum()

    def mismatch(self, mean: Tensor, log_variance: Tensor) -> Tensor:
        """KL in nats from the prior of the mixture of posteriors ``(B, latent)``, treated as one
        normal distribution: how poorly :meth:`draw_latents` matches the latents of real steps."""
        centre, variance = aggregate(mean, log_variance)
        return kl_per_unit(centre[None], variance.log()[None]).sum()

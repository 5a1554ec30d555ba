"""A mixture of specialists: decoders that compete for steps, of which the gate picks one (Jacobs,
Jordan, Nowlan and Hinton, *Adaptive Mixtures of Local Experts*, 1991)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from controller.model.gemm import addmm
from controller.model.mixture import Decoder, MotionVAE


class SpecialistDecoder(Decoder):
    """(z, previous pose) → next pose, by the one of E decoders to which the gate gives most.

    It is the mixture of experts with all of the blend for one of them.
    """

    def coefficients(self, latent: Tensor, previous: Tensor) -> Tensor:
        """The gate's coefficients ``(B, E)``, positive, summing to 1."""
        return super()._blend(torch.cat((latent, previous), dim=-1))

    def _blend(self, inputs: Tensor) -> Tensor:
        picked = self.gate(inputs).argmax(dim=-1)
        return functional.one_hot(picked, self.first.weight.shape[0]).to(inputs.dtype)

    def every(self, latent: Tensor, previous: Tensor) -> Tensor:
        """What each of them makes of a step: ``(B, E, D)``."""
        layers = [
            zip(m.weight.unbind(), m.bias.unbind(), strict=True)
            for m in (self.first, self.second, self.output)
        ]
        poses = []
        for first, second, output in zip(*layers, strict=True):
            hidden = functional.elu(self._linear(first, latent, previous))
            hidden = functional.elu(self._linear(second, latent, hidden))
            poses.append(self._linear(output, latent, hidden))
        return torch.stack(poses, dim=1)

    @staticmethod
    def _linear(layer: tuple[Tensor, Tensor], latent: Tensor, inputs: Tensor) -> Tensor:
        weight, bias = layer
        return addmm(bias, torch.cat((latent, inputs), dim=-1), weight)


class SpecialistsVAE(MotionVAE):
    """A motion VAE whose decoders specialise. When playing, and in free steps, the one that the
    gate picks acts."""

    decoder: SpecialistDecoder

    def make_decoder(self, pose: int) -> SpecialistDecoder:
        return SpecialistDecoder(pose, self.config)

    def reconstruct(
        self, latent: Tensor, previous: Tensor, following: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The pose of the one that is picked, from which a rollout goes on, and the competitive
        loss Σ cₖ·‖xₖ − x‖² with the gate's coefficients c, the squared error a mean over pose
        values.

        Not the error of the blend Σ cₖ·xₖ: each decoder is to be right by itself, and is told so
        the more, the more steps of that kind are given to it (Jacobs et al. 1991, equation 1.2).
        """
        coefficients = self.decoder.coefficients(latent, previous)
        poses = self.decoder.every(latent, previous)
        errors = (poses - following[:, None]).square().mean(dim=-1)
        picked = poses[torch.arange(len(poses), device=poses.device), coefficients.argmax(dim=-1)]
        return picked, (coefficients * errors).sum(dim=-1).mean()

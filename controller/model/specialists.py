"""A mixture of specialists: decoders that compete for steps; the gate selects one (Jacobs, Jordan,
Nowlan and Hinton, *Adaptive Mixtures of Local Experts*, 1991)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from controller.model.gemm import addmm
from controller.model.mixture import Decoder, MotionVAE


class SpecialistDecoder(Decoder):
    """(z, previous pose) → next pose, by the one of E decoders with the largest gate coefficient.

    It is the mixture of experts with the whole blend given to one of them.
    """

    def coefficients(self, latent: Tensor, previous: Tensor) -> Tensor:
        """The gate's coefficients ``(B, E)``, positive, with a sum of 1."""
        return super()._blend(torch.cat((latent, previous), dim=-1))

    def _blend(self, inputs: Tensor) -> Tensor:
        selected = self.gate(inputs).argmax(dim=-1)
        return functional.one_hot(selected, self.first.weight.shape[0]).to(inputs.dtype)

    def every(self, latent: Tensor, previous: Tensor) -> Tensor:
        """The next pose of every specialist: ``(B, E, D)``."""
        layers = [
            zip(layer.weight.unbind(), layer.bias.unbind(), strict=True)
            for layer in (self.first, self.second, self.output)
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
    """A motion VAE whose decoders specialise. In play and in free steps, the specialist that the
    gate selects decodes."""

    decoder: SpecialistDecoder

    def make_decoder(self, pose: int) -> SpecialistDecoder:
        return SpecialistDecoder(pose, self.config)

    def reconstruct(
        self, latent: Tensor, previous: Tensor, following: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The pose of the selected specialist, from which a rollout goes on, and the competitive
        loss Σ cₖ·‖xₖ − x‖² with the gate's coefficients c. The squared error is a mean over pose
        values.

        It is not the error of the blend Σ cₖ·xₖ: each specialist must be right by itself, and
        learns more from the kinds of step in which its coefficient is larger (Jacobs et al. 1991,
        equation 1.2).
        """
        inputs = self.inputs(latent, previous)
        coefficients = self.decoder.coefficients(*inputs)
        poses = self.decoder.every(*inputs)
        errors = (poses - self.unstyled(following)[:, None]).square().mean(dim=-1)

        rows = torch.arange(len(poses), device=poses.device)
        selected = poses[rows, coefficients.argmax(dim=-1)]
        return self.styled(selected, previous), (coefficients * errors).sum(dim=-1).mean()

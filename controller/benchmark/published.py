"""The inner loop of motion VAE training as published (Ling et al. 2020), without any of this
project's optimisations: the loop that its own is compared with.

The networks are this project's, built from torch's linear layers and from experts that blend their
weights for every sample.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from controller.model.mixture import Decoder, Encoder, ExpertLinear, MotionVAEConfig


class BlendedWeights(ExpertLinear):
    """The same layer by blending the experts' weights for every sample, not their outputs."""

    def forward(self, inputs: Tensor, blend: Tensor) -> Tensor:
        weight = torch.einsum("be,eio->bio", blend, self.weight)
        bias = blend @ self.bias
        return torch.baddbmm(bias[:, None], inputs[:, None], weight)[:, 0]


class PublishedLoop:
    """Networks and optimiser for poses of ``pose`` values; :meth:`rollout` is the loop."""

    def __init__(
        self, pose: int, config: MotionVAEConfig, device: torch.device, beta: float
    ) -> None:
        self.encoder = Encoder(pose, config, nn.Linear).to(device)
        self.decoder = Decoder(pose, config, nn.Linear, BlendedWeights).to(device)
        parameters = [*self.encoder.parameters(), *self.decoder.parameters()]
        self.optimizer = torch.optim.Adam(parameters, lr=1e-4)
        self.beta = beta

    def rollout(self, windows: Tensor) -> None:
        """An optimiser step at each step over z-scored windows ``(B, 1 + L, D)``, from the model's
        own poses."""
        pose = windows[:, 0]
        for following in windows.unbind(dim=1)[1:]:
            mean, log_variance = self.encoder(pose, following)
            latent = mean + torch.randn_like(mean) * torch.exp(0.5 * log_variance)
            predicted = self.decoder(latent, pose)

            kl = -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).mean()
            loss = functional.mse_loss(predicted, following) + self.beta * kl
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            pose = predicted.detach()

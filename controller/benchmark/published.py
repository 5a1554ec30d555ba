"""The inner loop of motion VAE training as it was published (Ling et al. 2020), written anew and
without any thought of speed: what this project's loop is timed beside."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from controller.model.mixture import MotionVAEConfig


class Encoder(nn.Module):
    """(next pose, previous pose) → mean and log-variance of z."""

    def __init__(self, pose: int, config: MotionVAEConfig) -> None:
        super().__init__()
        self.first = nn.Linear(2 * pose, config.hidden)
        self.second = nn.Linear(pose + config.hidden, config.hidden)
        self.mean = nn.Linear(pose + config.hidden, config.latent)
        self.log_variance = nn.Linear(pose + config.hidden, config.latent)

    def forward(self, following: Tensor, previous: Tensor) -> tuple[Tensor, Tensor]:
        hidden = functional.elu(self.first(torch.cat((following, previous), dim=1)))
        hidden = functional.elu(self.second(torch.cat((following, hidden), dim=1)))
        hidden = torch.cat((following, hidden), dim=1)
        return self.mean(hidden), self.log_variance(hidden)


class Decoder(nn.Module):
    """(z, previous pose) → next pose, with the experts' weights blended anew for every sample."""

    def __init__(self, pose: int, config: MotionVAEConfig) -> None:
        super().__init__()
        wide = config.latent + pose
        hidden = config.latent + config.hidden
        experts = config.experts
        self.gate = nn.Sequential(
            nn.Linear(wide, config.gate_hidden),
            nn.ELU(),
            nn.Linear(config.gate_hidden, config.gate_hidden),
            nn.ELU(),
            nn.Linear(config.gate_hidden, experts),
        )
        sizes = ((wide, config.hidden), (hidden, config.hidden), (hidden, pose))
        self.weights = nn.ParameterList(
            [torch.empty(experts, *size).uniform_(-0.1, 0.1) for size in sizes]
        )
        self.biases = nn.ParameterList([torch.zeros(experts, size[1]) for size in sizes])

    def forward(self, latent: Tensor, previous: Tensor) -> Tensor:
        blend = torch.softmax(self.gate(torch.cat((latent, previous), dim=1)), dim=1)
        flowing = previous
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            inputs = torch.cat((latent, flowing), dim=1)[:, None]
            mixed = torch.einsum("be,eio->bio", blend, weight)
            flowing = torch.baddbmm((blend @ bias)[:, None], inputs, mixed)[:, 0]
            if layer < len(self.weights) - 1:
                flowing = functional.elu(flowing)
        return flowing


class PublishedLoop:
    """Networks and optimiser for poses of ``pose`` values; :meth:`rollout` is the loop."""

    def __init__(
        self, pose: int, config: MotionVAEConfig, device: torch.device, beta: float
    ) -> None:
        self.encoder = Encoder(pose, config).to(device)
        self.decoder = Decoder(pose, config).to(device)
        parameters = [*self.encoder.parameters(), *self.decoder.parameters()]
        self.optimizer = torch.optim.Adam(parameters, lr=1e-4)
        self.beta = beta

    def rollout(self, windows: Tensor) -> None:
        """An optimiser step at each step over z-scored windows ``(B, 1 + L, D)``, from the model's
        own poses."""
        pose = windows[:, 0]
        for following in windows.unbind(dim=1)[1:]:
            mean, log_variance = self.encoder(following, pose)
            latent = mean + torch.randn_like(mean) * torch.exp(0.5 * log_variance)
            predicted = self.decoder(latent, pose)
            kl = -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).mean()
            loss = functional.mse_loss(predicted, following) + self.beta * kl
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            pose = predicted.detach()

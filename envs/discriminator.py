"""A discriminator: a small network that learns to tell the policy's motion from captured motion,
and whose gradient, through the frozen decoder, shows the policy what gives it away (Goodfellow et
al. 2014; as a prior for motion: Peng et al., AMP, SIGGRAPH 2021).

Its captured side is decoded, too: by the encoder's latents, which follow the clips. So the
decoder's own smoothness tells nothing. It also sees the command: people seldom walk backward, and
without the command it would call whatever is rare generated. The judge of ``evaluate --judge`` sees
other features, over longer windows, and is never trained against.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from controller.core.errors import DataError, require
from controller.core.optimizer_state import load_optimizer, optimizer_tensors
from controller.core.processes import Workers
from controller.tasks.joystick import JoystickTask
from envs.imitation import Commands, Stretch

STRETCH = 32
"""Frames of each decoded stretch, of which windows are cut."""
STRETCHES = 4096
"""Decoded stretches."""
COMMAND_SCALE = 3.0
"""What a window's four values of the command are multiplied by, beside a thousand of the motion."""
STILL = 0.05
"""Columns whose deviation is below this share of their usual one are left out: those of the hips
that are constant in captured poses would tell everything."""


@dataclass(frozen=True)
class DiscriminatorConfig:
    """Settings of the discriminator."""

    weight: float = 0.0
    """Weight of its gradient; the reward's has 1. 0: there is no discriminator."""
    frames: int = 16
    """Frames of the windows that it sees."""
    drawn: float = 0.5
    """Weight of windows on the way to drawn goals, beside those of followers of clips, which count
    1. Drawn goals have no captured counterpart: some are rare in the clips, and rare is not
    wrong."""
    hidden: tuple[int, ...] = (256, 128)
    """Widths of its hidden layers."""
    rate: float = 3e-4
    """Adam's rate."""
    steps: int = 2
    """Its gradient steps in each horizon."""
    penalty: float = 2.0
    """Weight of the squared norm of its gradient at captured windows (Mescheder et al. 2018)."""

    def __post_init__(self) -> None:
        for name in ("weight", "drawn", "penalty"):
            value = getattr(self, name)
            require(value >= 0, f"discriminator.{name}", value, "0 or more")
        for name in ("frames", "steps"):
            value = getattr(self, name)
            allowed = f"1 to {STRETCH}"
            require(1 <= value <= STRETCH, f"discriminator.{name}", value, allowed)
        require(0 < self.rate < 1, "discriminator.rate", self.rate, "above 0 and below 1")
        widths = len(self.hidden) >= 1 and min(self.hidden) >= 1
        require(widths, "discriminator.hidden", self.hidden, "one or more widths above 0")


class Windows:
    """Windows of motion, as rows of one length: the positions of all joints and the velocity of the
    root, z-scored, frame by frame, and the command in the first frame: the joystick's columns."""

    def __init__(self, columns: Tensor, frames: int) -> None:
        self.columns = columns
        self.frames = frames

    @property
    def size(self) -> int:
        """Values of a window."""
        return len(self.columns) * self.frames + JoystickTask.goal_size

    def cut(self, stretch: Stretch) -> Tensor:
        """Windows (W, size), each half a window before the next, except those in which the motion
        was broken."""
        seen = stretch.pose.index_select(-1, self.columns)
        rows = [seen.new_zeros(0, self.size)]
        for end in range(len(seen), self.frames - 1, -max(1, self.frames // 2)):
            start = end - self.frames
            whole = ~stretch.broken[start + 1 : end].any(dim=0)
            rows.append(join(seen[start:end, whole].transpose(0, 1), stretch.command[start, whole]))
        return torch.cat(rows)


def join(seen: Tensor, command: Tensor) -> Tensor:
    """Windows (W, size), of what is ``seen`` (W, T, C) and the ``command`` (W, 4). There is no
    gradient through the command: a policy must not turn until the command looks usual."""
    return torch.cat((seen.flatten(1), COMMAND_SCALE * command.detach()), dim=-1)


@torch.no_grad()
def decoded_clips(commands: Commands, count: int, generator: torch.Generator) -> Stretch:
    """:data:`STRETCH` frames of ``count`` characters that follow clips by the encoder. DataError if
    no clip is long enough."""
    captured = commands.reference
    room = captured.last[commands.starts] - commands.starts >= STRETCH + commands.beyond
    if not bool(room.any()):
        raise DataError(
            f"no clip is long enough for a discriminator, which needs {STRETCH + commands.beyond} "
            "frames"
        )
    chosen = torch.multinomial(commands.weights[room], count, replacement=True, generator=generator)
    rows = commands.starts[room][chosen]
    ahead = commands.draw_ahead(count, generator)
    state = commands.state(rows)
    poses, asked = [], []
    for _ in range(STRETCH):
        asked.append(commands.observe(state, rows, ahead))
        state = commands.character.step(state, commands.targets(state.pose, rows))
        rows = rows + 1
        poses.append(state.pose)
    pose = torch.stack(poses)
    return Stretch(pose, torch.stack(asked), torch.zeros_like(pose[..., 0], dtype=torch.bool))


class Discriminator:
    """The network, its captured windows and its optimiser."""

    def __init__(
        self,
        config: DiscriminatorConfig,
        commands: Commands,
        generator: torch.Generator,
        workers: Workers,
    ) -> None:
        self.config = config
        self.generator = generator
        self.workers = workers
        layout = commands.character.layout
        led = decoded_clips(commands, STRETCHES, generator)
        device = led.pose.device
        columns = torch.arange(layout.positions.stop, device=device)
        moves = commands.reference.pose[:, columns].std(dim=0) > STILL
        self.windows = Windows(columns[moves], config.frames)
        self.seen = led.pose.index_select(-1, self.windows.columns)
        self.command = led.command
        layers: list[nn.Module] = []
        width = self.windows.size
        for size in config.hidden:
            layers += [nn.Linear(width, size), nn.ELU()]
            width = size
        self.network = nn.Sequential(*layers, nn.Linear(width, 1)).to(device)
        self.optimizer = torch.optim.Adam(
            self.network.parameters(), config.rate, betas=(0.5, 0.99), fused=True
        )

    def draw(self, count: int) -> Tensor:
        """``count`` captured windows (count, size)."""
        frames, stretches, _ = self.seen.shape
        device = self.seen.device
        which = torch.randint(stretches, (count,), generator=self.generator).to(device)
        last = frames - self.config.frames
        start = torch.randint(last + 1, (count,), generator=self.generator).to(device)
        offsets = torch.arange(self.config.frames, device=device)
        seen = self.seen[start[:, None] + offsets, which[:, None]]
        return join(seen, self.command[start, which])

    def policy_loss(self, followers: Tensor, drawn: Tensor) -> Tensor:
        """What a policy with these windows (W, size) should lessen: how sure the network is that
        they are not captured."""
        return self._mean(followers, -1) + self.config.drawn * self._mean(drawn, -1)

    def _mean(self, windows: Tensor, sign: int) -> Tensor:
        """The mean loss of windows (W, size) whose outcome should have the other sign; 0 for
        none."""
        return functional.softplus(sign * self.network(windows)).sum() / max(len(windows), 1)

    def improve(self, followers: Tensor, drawn: Tensor) -> float:
        """Gradient steps that tell captured windows from the policy's. Returns the share of windows
        about which the network is right, captured ones and others counting the same."""
        config = self.config
        followers, drawn = followers.detach(), drawn.detach()
        right = 0.0
        for _ in range(config.steps):
            captured = self.draw(max(len(followers) + len(drawn), 1)).requires_grad_(True)
            outcome = self.network(captured)
            (slope,) = torch.autograd.grad(outcome.sum(), captured, create_graph=True)
            loss = (1 + config.drawn) * functional.softplus(-outcome).mean()
            loss = loss + self._mean(followers, 1) + config.drawn * self._mean(drawn, 1)
            loss = loss + config.penalty / 2 * slope.square().sum(dim=-1).mean()
            self._descend(loss)
            right += float((outcome > 0).float().mean()) / 2 / config.steps
        with torch.no_grad():
            own = self.network(torch.cat((followers, drawn)))
        return right + float((own < 0).float().mean()) / 2

    def _descend(self, loss: Tensor) -> None:
        parameters = list(self.network.parameters())
        gradients = list(torch.autograd.grad(loss, parameters))
        self.workers.average(gradients)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        self.optimizer.step()

    def tensors(self) -> dict[str, Tensor]:
        """The weights and the optimiser's state, to resume from."""
        weights = {
            f"discriminator.{name}": value for name, value in self.network.state_dict().items()
        }
        return weights | optimizer_tensors("discriminator_optimizer", self.optimizer)

    def load(self, tensors: dict[str, Tensor]) -> None:
        """Resume from :meth:`tensors`."""
        names = self.network.state_dict()
        self.network.load_state_dict({name: tensors[f"discriminator.{name}"] for name in names})
        load_optimizer("discriminator_optimizer", self.optimizer, tensors)

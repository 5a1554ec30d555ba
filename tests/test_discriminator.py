"""The discriminator: what it sees, and that it learns to tell motion apart."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from test_imitation import commands, config  # noqa: F401  (a fixture)
from torch import Tensor

from controller.core.errors import ConfigError, DataError
from controller.core.processes import Workers
from envs import discriminator as module
from envs.discriminator import Discriminator, DiscriminatorConfig, Windows, decoded_clips
from envs.imitation import Stretch
from envs.shac import begun
from envs.train_policy import PolicyConfig, PolicyTraining


def made(**settings: Any) -> Discriminator:
    torch.manual_seed(0)
    wanted = DiscriminatorConfig(weight=1.0, hidden=(16,), **settings)
    return Discriminator(wanted, commands(), torch.Generator().manual_seed(0), Workers())


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Little to decode."""
    monkeypatch.setattr(module, "STRETCHES", 64)


def test_windows_are_whole_and_overlap_by_half() -> None:
    """Ten frames of two characters; the second one began anew before frame 5."""
    poses = torch.arange(10.0)[:, None, None] + torch.tensor([[0.0], [100.0]])
    poses = torch.cat((poses, -poses), dim=-1)
    broken = torch.zeros(10, 2, dtype=torch.bool)
    broken[5, 1] = True
    command = 0.01 * poses[..., :1].expand(10, 2, 4)
    windows = Windows(torch.tensor([0]), 4).cut(Stretch(poses, command, broken))
    expected = [[start + k for k in range(4)] for start in (6, 106, 4, 2, 0, 100)]
    assert windows[:, :4].tolist() == expected
    asked = 0.01 * module.COMMAND_SCALE * windows[:, :1].expand(6, 4)
    torch.testing.assert_close(windows[:, 4:], asked)


def test_a_window_may_begin_where_an_episode_does() -> None:
    poses = torch.arange(4.0)[:, None, None]
    ended = torch.tensor([[False], [True], [False], [False]])
    assert begun(ended)[:, 0].tolist() == [False, False, True, False]
    stretch = Stretch(poses, torch.zeros(4, 1, 4), begun(ended))
    windows = Windows(torch.tensor([0]), 2).cut(stretch)
    assert windows[:, :2].tolist() == [[2, 3], [0, 1]]


def test_no_whole_window_is_no_loss() -> None:
    judge = made()
    none = torch.zeros(0, judge.windows.size)
    assert float(judge.policy_loss(none, none).detach()) == 0
    judge.improve(none, torch.zeros(1, judge.windows.size))


def test_captured_windows_are_decoded_clips() -> None:
    """A window is found again among the stretches, and stretches stay near captured poses."""
    made_of = commands()
    poses = decoded_clips(made_of, 8, torch.Generator().manual_seed(0)).pose
    assert poses.shape == (module.STRETCH, 8, made_of.reference.pose.shape[1])
    away = torch.cdist(poses[0], made_of.reference.pose).amin(dim=1)
    apart = torch.cdist(made_of.reference.pose[:50], made_of.reference.pose[-50:]).mean()
    assert float(away.mean()) < float(apart)

    judge = made(frames=5)
    row = judge.draw(3)[1]
    window = row[:-4].view(5, -1)
    start, which = (judge.seen == window[0]).all(dim=-1).nonzero()[0]
    assert torch.equal(judge.seen[start : start + 5, which], window)
    assert torch.equal(module.COMMAND_SCALE * judge.command[start, which], row[-4:])


def test_constant_columns_are_not_seen() -> None:
    judge = made()
    seen = judge.windows.columns
    deviation = commands().reference.pose.std(dim=0)
    assert len(seen) > 10 and bool((deviation[seen] > module.STILL).all())


def test_it_learns_to_tell_shaking_from_captured_motion() -> None:
    judge = made(frames=8, rate=3e-3)
    generator = torch.Generator().manual_seed(1)

    def shaken() -> Tensor:
        real = judge.draw(64)
        return real + 0.5 * torch.randn(real.shape, generator=generator)

    rights = [judge.improve(shaken(), shaken()) for _ in range(100)]
    assert rights[0] < 0.75 < 0.9 < sum(rights[-5:]) / 5
    own = shaken().requires_grad_(True)
    none = torch.zeros(0, judge.windows.size)
    loss = judge.policy_loss(own, none)
    (slope,) = torch.autograd.grad(loss, own)
    loss = loss.detach()
    assert loss > judge.policy_loss(judge.draw(64), none).detach()
    assert judge.policy_loss((own - 5 * slope).detach(), none).detach() < loss


def test_it_teaches_the_policy_and_can_be_resumed(config: PolicyConfig) -> None:  # noqa: F811
    settings = DiscriminatorConfig(weight=1.0, frames=4, hidden=(8,))
    imitation = replace(config.imitation, alone=0.0)
    with_it = PolicyTraining(replace(config, imitation=imitation, discriminator=settings))
    figures = with_it.iterate()
    assert 0 <= figures["discriminator_right"] <= 1
    without = PolicyTraining(replace(config, imitation=imitation, out=config.out.parent / "other"))
    assert "discriminator_right" not in without.iterate()
    ones, others = (each.trainer.actor().state_dict() for each in (with_it, without))
    assert any(not torch.equal(ones[name], others[name]) for name in ones)

    tensors = with_it.trainer.tensors()
    again = PolicyTraining(
        replace(
            config, imitation=imitation, discriminator=settings, out=config.out.parent / "again",
            seed=config.seed + 1,
        )
    )  # fmt: skip
    again.trainer.load(tensors, with_it.frames)
    found = again.trainer.tensors()
    kept = [name for name in tensors if name.startswith("discriminator")]
    assert len(kept) > 4 and all(torch.equal(found[name], tensors[name]) for name in kept)


def test_clips_that_are_too_short_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STRETCH", 5000)
    with pytest.raises(DataError, match="no clip is long enough for a discriminator"):
        made()


@pytest.mark.parametrize(
    ("field", "value"),
    [("weight", -1.0), ("frames", 0), ("frames", 99), ("rate", 0.0), ("hidden", ()), ("steps", 0)],
)
def test_a_bad_setting_is_refused_by_name(field: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=f"discriminator.{field} is "):
        DiscriminatorConfig(**{field: value})

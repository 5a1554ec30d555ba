"""The optimiser against torch's."""

from __future__ import annotations

import torch
from torch import nn

from controller.training.adam import Adam


def test_our_adam_is_torchs_bit_by_bit_also_when_its_state_is_put_back() -> None:
    """A parameter without a gradient in some steps stays as it is, and counts its own steps."""
    generator = torch.Generator().manual_seed(0)
    values = [torch.randn(shape, generator=generator) for shape in ((40, 30), (7,), (1,))]
    ours, theirs = ([nn.Parameter(value.clone()) for value in values] for _ in range(2))
    mine = Adam(ours, lr=1e-2)
    meant = torch.optim.Adam(theirs, lr=1e-2, fused=True)
    for index in range(12):
        for parameters in zip(ours, theirs, strict=True):
            gradient = torch.randn(parameters[0].shape, generator=generator)
            for parameter in parameters:
                parameter.grad = (
                    None if index % 3 == 1 and len(parameter) == 7 else gradient.clone()
                )
        mine.param_groups[0]["lr"] = meant.param_groups[0]["lr"] = 1e-2 / (1 + index)
        mine.update()
        meant.step()
        if index == 6:
            again = Adam(ours, lr=1.0)
            again.load_state_dict(mine.state_dict())
            mine = again
    for one, other, before in zip(ours, theirs, values, strict=True):
        assert torch.equal(one, other) and not torch.equal(one, before)
        for name, value in mine.state[one].items():
            assert torch.equal(value, meant.state[other][name])

"""The motion VAE's parts against other ways to compute the same."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import data, layout, model, walk
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence
from torch.nn import functional

from controller.core.errors import ConfigError, DataError
from controller.data.dataset import ClipEntry
from controller.data.windows import Windows
from controller.model import gemm, kl
from controller.model.mixture import Decoder, ExpertLinear, MotionVAEConfig
from controller.model.normalizer import Normalizer
from controller.motion import geometry
from controller.motion.feet import Feet
from controller.motion.metrics import FOOT_HEIGHT, contact_weight
from controller.motion.pose import FPS, encode
from controller.training import loss
from controller.training.config import TrainConfig
from controller.training.schedules import KlWeight, TeacherForcing


def one_by_one(layer: ExpertLinear, inputs: Tensor, blend: Tensor) -> Tensor:
    """Each sample through a layer whose weights are blended for it alone, in double precision."""
    weight = layer.weight.double()
    bias = layer.bias.double()
    rows = []
    for row, share in zip(inputs.double(), blend.double(), strict=True):
        mixed = sum(float(a) * w for a, w in zip(share, weight, strict=True))
        rows.append(row @ mixed + sum(float(a) * b for a, b in zip(share, bias, strict=True)))
    return torch.stack(rows)


@torch.no_grad()
def test_blended_outputs_are_blended_weights_for_every_batch_size() -> None:
    """1 to 130 rows, since the product has different kernels for few and for many."""
    torch.manual_seed(0)
    layer = ExpertLinear(3, 11, 7)
    torch.nn.init.normal_(layer.bias)
    inputs = torch.randn(130, 11)
    blend = torch.softmax(2 * torch.randn(130, 3), dim=-1)
    expected = one_by_one(layer, inputs, blend)
    for rows in range(1, 131):
        ours = layer(inputs[:rows], blend[:rows])
        torch.testing.assert_close(ours.double(), expected[:rows], atol=1e-5, rtol=0)


@settings(max_examples=30, deadline=None)
@given(
    rows=st.integers(1, 9), width=st.integers(1, 9), experts=st.integers(1, 4),
    outputs=st.integers(1, 7), frozen=st.booleans(),
)  # fmt: skip
def test_blended_layers_have_the_gradients_of_blended_weights(
    rows: int, width: int, experts: int, outputs: int, frozen: bool
) -> None:
    """Also with weights that want none."""
    generator = torch.Generator().manual_seed(rows)

    def leaf(*shape: int, wants: bool = True) -> Tensor:
        return torch.randn(*shape, generator=generator).requires_grad_(wants)

    inputs = leaf(rows, width)
    shares = leaf(rows, experts)
    weight, bias = (
        leaf(*shape, outputs, wants=not frozen) for shape in ((experts, width), (experts,))
    )
    leaves = (inputs, shares, weight, bias)
    upstream = leaf(rows, outputs, wants=False)
    mixed = torch.einsum("be,eio->bio", shares, weight)
    naive = torch.einsum("bi,bio->bo", inputs, mixed) + shares @ bias
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gemm, "WORTH", 0)
        ours = gemm.blended(inputs, shares, weight, bias)
    torch.testing.assert_close(ours, naive, atol=1e-5, rtol=1e-5)
    wanting = [leaf for leaf in leaves if leaf.requires_grad]
    gradients = (
        torch.autograd.grad(outcome, wanting, upstream, materialize_grads=True)
        for outcome in (ours, naive)
    )
    for mine, reference in zip(*gradients, strict=True):
        torch.testing.assert_close(mine, reference, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_the_decoder_is_the_papers() -> None:
    """Figure 4 of Ling et al. 2020: z into every layer, ELU between, one blend for all three
    layers."""
    torch.manual_seed(1)
    decoder = Decoder(20, MotionVAEConfig(latent=4, hidden=16, experts=3, gate_hidden=8))
    latent = torch.randn(33, 4)
    previous = torch.randn(33, 20)
    both = torch.cat((latent, previous), dim=-1)
    hidden = both
    for index in (0, 2):
        hidden = functional.elu(
            functional.linear(hidden, decoder.gate[index].weight, decoder.gate[index].bias)
        )
    blend = torch.softmax(
        functional.linear(hidden, decoder.gate[4].weight, decoder.gate[4].bias), dim=-1
    )
    torch.testing.assert_close(decoder.blend(latent, previous), blend)
    hidden = functional.elu(one_by_one(decoder.first, both, blend))
    hidden = functional.elu(
        one_by_one(decoder.second, torch.cat((latent.double(), hidden), -1), blend)
    )
    expected = one_by_one(decoder.output, torch.cat((latent.double(), hidden), -1), blend)
    torch.testing.assert_close(decoder(latent, previous).double(), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("layer", ["first", "second", "output", "gate"])
def test_z_reaches_every_layer_by_itself(layer: str) -> None:
    """With z cut off from all layers but one, the output still follows z."""
    torch.manual_seed(2)
    decoder = Decoder(20, MotionVAEConfig(latent=4, hidden=16, experts=3, gate_hidden=8))
    with torch.no_grad():
        for name in ("first", "second", "output"):
            if name != layer:
                getattr(decoder, name).weight[:, :4] = 0
        if layer != "gate":
            decoder.gate[0].weight[:, :4] = 0
    latent = torch.zeros(5, 4, requires_grad=True)
    decoder(latent, torch.randn(5, 20)).square().sum().backward()
    assert latent.grad is not None and (latent.grad.abs() > 1e-4).all()


@torch.no_grad()
def test_z_is_the_mean_plus_sigma_times_noise() -> None:
    vae = model()
    generator = torch.Generator().manual_seed(3)
    previous, following = torch.randn(2, 4, layout().size, generator=generator)
    noise = torch.randn(4, 6, generator=generator)
    mean, log_variance = vae.encode(previous, following)
    step = vae.loss(previous, 0 * following, following, noise, 0)
    expected = vae.decode(mean + log_variance.exp().sqrt() * noise, previous)
    torch.testing.assert_close(step.predicted, expected, atol=1e-5, rtol=1e-5)
    assert step.reconstruction.item() == pytest.approx(
        expected.square().mean().item(), rel=1e-5
    )  # what follows is 0
    assert step.latent.item() == pytest.approx(kl.kl_loss(mean, log_variance, 0).item(), rel=1e-6)
    assert (vae.encode(previous, following + 1)[0] - mean).abs().min() > 0
    huge = vae.encode(1e6 * previous, 1e6 * following)[1]
    assert float(huge.min()) >= -12 and float(huge.max()) <= 6


@pytest.mark.parametrize("rows", [1, 2, 15, 16, 17, 64, 130])
@pytest.mark.parametrize("bias_rows", [True, False])
def test_our_matrix_product_is_torchs_with_its_gradients(
    rows: int, bias_rows: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gemm, "WORTH", 0)
    generator = torch.Generator().manual_seed(rows)

    def leaves() -> list[Tensor]:
        generator.manual_seed(rows)
        shapes = [(rows, 9) if bias_rows else (9,), (rows, 23), (23, 9)]
        return [torch.randn(shape, generator=generator).requires_grad_() for shape in shapes]

    ours = leaves()
    theirs = leaves()
    weight = torch.randn(rows, 9, generator=generator)
    outputs = gemm.addmm(*ours), torch.addmm(*theirs)
    torch.testing.assert_close(outputs[0], outputs[1], atol=1e-5, rtol=1e-5)
    for output in outputs:
        (output * weight).sum().backward()
    for one, other in zip(ours, theirs, strict=True):
        assert one.grad is not None
        torch.testing.assert_close(one.grad, other.grad, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("rows", [1, 2, 40])
def test_our_linear_layer_is_torchs_with_its_gradients(
    rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gemm, "WORTH", 0)
    ours = gemm.Linear(7, 5)
    theirs = nn.Linear(7, 5)
    theirs.load_state_dict(ours.state_dict())
    inputs = torch.randn(2, rows, 7, generator=torch.Generator().manual_seed(0))[1].requires_grad_()
    again = inputs.detach().clone().requires_grad_()
    for layer, layer_inputs in ((ours, inputs), (theirs, again)):
        layer(layer_inputs).square().sum().backward()
    torch.testing.assert_close(ours(inputs), theirs(again), atol=1e-5, rtol=1e-5)
    for mine, other in ((inputs, again), (ours.weight, theirs.weight), (ours.bias, theirs.bias)):
        torch.testing.assert_close(mine.grad, other.grad, atol=1e-5, rtol=1e-5)


def test_our_matrix_product_takes_slices_transposes_and_other_numbers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gemm, "WORTH", 0)
    generator = torch.Generator().manual_seed(0)
    left = torch.randn(30, 40, generator=generator)[:, ::2]
    right = torch.randn(5, 20, generator=generator).t()
    bias = torch.zeros(5)
    torch.testing.assert_close(gemm.addmm(bias, left, right), left @ right, atol=1e-5, rtol=1e-5)
    double = gemm.addmm(bias.double(), left.double(), right.double())
    assert double.dtype == torch.float64
    torch.testing.assert_close(double, left.double() @ right.double())


@settings(max_examples=20)
@given(seed=st.integers(0, 2**31))
def test_the_kl_term_is_the_distributions(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    mean, log_variance = torch.randn(2, 9, 5, generator=generator)
    expected = kl_divergence(Normal(mean, (0.5 * log_variance).exp()), Normal(0.0, 1.0)).mean(dim=0)
    torch.testing.assert_close(kl.kl_per_unit(mean, log_variance), expected)
    torch.testing.assert_close(kl.kl_loss(mean, log_variance, 0.0), expected.mean())


def test_a_log_variance_that_is_clamped_can_come_back() -> None:
    values = torch.tensor([-40.0, -12.0, 0.5, 6.0, 1e9], requires_grad=True)
    clamped = kl.clamped(values)
    assert clamped.tolist() == [-12.0, -12.0, 0.5, 6.0, 6.0]
    kl.kl_per_unit(
        torch.zeros(1, 5), clamped[None]
    ).sum().backward()  # the gradient of KL is (σ² − 1) / 2
    assert values.grad is not None
    torch.testing.assert_close(values.grad, (clamped.detach().exp() - 1) / 2)


def test_free_bits_cost_nothing_and_pull_at_nothing() -> None:
    mean = torch.tensor([[0.2, 2.0]], requires_grad=True)  # KL = mean² / 2: 0.02 and 2 nats
    value = kl.kl_loss(mean, torch.zeros(1, 2), 0.3)
    assert float(value.detach()) == pytest.approx((0.3 + 2.0) / 2)
    value.backward()
    assert mean.grad is not None
    torch.testing.assert_close(mean.grad, torch.tensor([[0.0, 1.0]]))


def test_the_contact_weight_is_one_on_the_floor_and_nothing_from_h_up() -> None:
    heights = torch.tensor([-0.1, 0.0, FOOT_HEIGHT / 2, FOOT_HEIGHT, 0.5])
    torch.testing.assert_close(
        contact_weight(heights), torch.tensor([1.0, 1.0, 2 - math.sqrt(2), 0.0, 0.0])
    )


# -- feet ------------------------------------------------------------------------------------------


def test_feet_are_where_the_whole_skeletons_kinematics_put_them() -> None:
    poses = encode(layout(), walk(turn=0.5))
    torch.testing.assert_close(
        Feet(layout()).positions(poses),
        layout().posed_joints(poses)[:, list(layout().feet)],
        atol=1e-5,
        rtol=0,
    )


def seen_from(world: Tensor, place: Tensor, yaw: Tensor) -> Tensor:
    ground = geometry.turn(world[..., [0, 2]] - place[..., None, :], -yaw[..., None])
    return torch.stack((ground[..., 0], world[..., 1], ground[..., 1]), dim=-1)


def test_a_planted_foot_does_not_move_while_the_body_walks_and_turns() -> None:
    """By hand: the root walks 10 cm forward and turns left by 90°; what was 30 cm ahead is then 20
    cm to its right."""
    before = torch.tensor([[[0.0, 0.0, 0.3], [0.1, 0.05, 0.1]]])
    after = torch.tensor([[[-0.2, 0.0, 0.0], [0.0, 0.05, 0.1]]])
    velocity = torch.tensor([[0.1 * FPS, 0.0, math.pi / 2 * FPS]])
    torch.testing.assert_close(
        Feet.displacement(before, after, velocity), torch.zeros(1, 2, 3), atol=1e-6, rtol=0
    )


@given(seed=st.integers(0, 2**31))
def test_a_foots_displacement_is_its_motion_through_the_world(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    world = torch.randn(4, 2, 3, generator=generator, dtype=torch.float64)
    step = 0.1 * torch.randn(4, 2, 3, generator=generator, dtype=torch.float64)
    place = torch.randn(4, 2, generator=generator, dtype=torch.float64)
    yaw = torch.randn(4, generator=generator).double()
    velocity = 3 * torch.randn(4, 3, generator=generator).double()
    later_place, later_yaw = geometry.integrate_root(place, yaw, velocity, 1 / FPS)
    ours = Feet.displacement(
        seen_from(world, place, yaw), seen_from(world + step, later_place, later_yaw), velocity
    )
    expected = seen_from(step, torch.zeros_like(place), yaw)
    torch.testing.assert_close(ours, expected, atol=1e-9, rtol=0)


def test_the_foot_loss_by_hand() -> None:
    """A standing foot slides 1 cm, the other is in the air; one of them is 2 cm from where it
    should be."""
    moved = torch.zeros(1, 2, 3)
    still = torch.zeros(1, 2, 3)
    moved[0, :, 0] = 0.01
    feet = torch.tensor([[[0.0, 0.0, 0.0], [0.0, 0.5, 0.0]]])
    shifted = feet + torch.tensor([[[0.0, 0.0, 0.02], [0.0, 0.0, 0.0]]])
    value = loss.foot_loss(moved, still, shifted, feet)
    assert float(value) == pytest.approx(1 / 6 + 0.1 * 4 / 6)


# -- windows ---------------------------------------------------------------------------------------


def counted(
    lengths: list[int], speeds: list[float] | None = None
) -> tuple[Tensor, list[ClipEntry]]:
    """Poses (forward speed, clip, frame) and the clips in them."""
    poses = []
    entries = []
    start = 0
    for number, length in enumerate(lengths):
        speed = speeds[number] if speeds else 1.0
        rows = [[speed, 0.0, 0.0, number, frame] for frame in range(length)]
        poses.append(torch.tensor(rows).reshape(length, 5))
        entries.append(ClipEntry(f"clip{number}", start, length, False))
        start += length
    return torch.cat(poses), entries


def test_windows_lie_within_one_clip_and_reach_all_of_it() -> None:
    windows = Windows(*counted([9, 3, 5, 4, 20]), length=5)
    draws = windows.draw(2000, torch.Generator().manual_seed(0))
    assert draws.shape == (2000, 5, 5)
    clip = draws[..., 3]
    frame = draws[..., 4]
    assert (clip == clip[:, :1]).all() and (frame[:, 1:] - frame[:, :-1] == 1).all()
    result = {(int(c), int(f)) for c, f in zip(clip[:, 0], frame[:, 0], strict=True)}
    assert result == {(0, f) for f in range(5)} | {(2, 0)} | {(4, f) for f in range(16)}


def test_a_data_set_without_a_window_is_refused() -> None:
    with pytest.raises(DataError, match="the longest has 4 poses, a window needs 5"):
        Windows(*counted([3, 4]), length=5)


@pytest.mark.parametrize(("balance", "share"), [(0.0, 0.1), (0.5, 0.25), (1.0, 0.5)])
def test_balance_draws_rare_speeds_more_often(balance: float, share: float) -> None:
    """90 windows at 1 m/s, 10 at 2 m/s: weights of 90^(1−b) to 10^(1−b)."""
    windows = Windows(*counted([94, 14], [1.0, 2.0]), length=5, balance=balance)
    draws = windows.draw(20_000, torch.Generator().manual_seed(0))
    fast = float((draws[:, 0, 0] == 2.0).float().mean())
    assert fast == pytest.approx(share, abs=0.015)


def test_the_same_generator_draws_the_same_windows() -> None:
    windows = Windows(*data().split(held_out=False), length=4)
    one, other = (windows.draw(8, torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(one, other)
    assert not torch.equal(one, windows.draw(8, torch.Generator().manual_seed(6)))


# -- settings and statistics -----------------------------------------------------------------------

BAD: list[tuple[str, float]] = [
    ("epochs", 0), ("free_from_epoch", -1), ("free_steps", -1), ("free_batch", 0), ("free_pool", 8),
    ("free_renewal", 1.1), ("slip_weight", -1.0), ("spread_weight", -1.0), ("joint_weight", -1.0),
    ("bone_weight", -1.0), ("rollouts_per_epoch", 0), ("rollout", 0), ("batch", 0),
    ("learning_rate", 0.0), ("learning_rate", 1.0), ("learning_rate", math.nan),
    ("final_learning_rate", -1e-9), ("beta", -0.1), ("beta", math.nan), ("free_bits", -0.1),
    ("foot_weight", -1.0), ("balance", -0.1), ("balance", 1.1), ("gradient_norm", -1.0),
    ("gradient_norm", math.nan),
]  # fmt: skip


@pytest.mark.parametrize(("field", "value"), BAD)
def test_a_bad_training_setting_is_refused_by_name(field: str, value: float) -> None:
    with pytest.raises(ConfigError) as caught:
        TrainConfig.of(**{field: value})
    message = str(caught.value)
    assert message.startswith(f"{field} is {value!r}; allowed: ") and "\n" not in message


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"teacher": TeacherForcing(hold_epochs=90, ramp_epochs=15)}, "teacher"),
        ({"kl": KlWeight(ramp_epochs=92)}, "kl.ramp_epochs"),
        ({"kl": KlWeight(kind="cyclical", cycles=100)}, "kl.cycles"),
    ],
)
def test_a_schedule_longer_than_the_run_is_refused(settings: dict[str, Any], expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        TrainConfig.of(**settings)


@pytest.mark.parametrize("field", ["latent", "hidden", "experts", "gate_hidden"])
@pytest.mark.parametrize("value", [0, -3, 5000])
def test_a_bad_size_is_refused_by_name(field: str, value: int) -> None:
    with pytest.raises(ConfigError, match=f"{field} is {value}; allowed: 1 to 4096"):
        MotionVAEConfig(**{field: value})


def test_z_scores_have_mean_zero_and_deviation_one_and_come_back() -> None:
    normalizer = data().normalizer()
    poses, _ = data().split(held_out=False)
    scores = normalizer.normalize(poses)
    assert float(scores.mean(dim=0).abs().max()) < 1e-2
    assert float(scores.std(dim=0).max()) < 1.01
    torch.testing.assert_close(normalizer.denormalize(scores), poses, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("std", "size"), [(0.0, 2), (-1.0, 2), (math.nan, 2), (1.0, 3)])
def test_impossible_statistics_are_refused(std: float, size: int) -> None:
    with pytest.raises(ValueError, match="std must be positive"):
        Normalizer(torch.zeros(2), torch.full((2,), std), torch.zeros(2), torch.zeros(size))


def test_slip_counts_standing_feet_only_and_saturates() -> None:
    """s² / (1 + s²) with s in cm, weighed by the contact weight, averaged over feet."""
    moved = torch.zeros(1, 2, 3)
    moved[0, 0, 0] = 0.01
    moved[0, 1, 2] = 0.10
    on_floor = loss.slip_loss(moved, torch.zeros(1, 2))
    assert on_floor.item() == pytest.approx((1 / 2 + 100 / 101) / 2)
    in_air = loss.slip_loss(moved, torch.full((1, 2), FOOT_HEIGHT))
    assert in_air.item() == pytest.approx(0)


def test_slip_cannot_be_had_down_by_lifting_the_feet() -> None:
    moved = torch.full((1, 2, 3), 0.01, requires_grad=True)
    height = torch.full((1, 2), 0.01, requires_grad=True)
    loss.slip_loss(moved, height).backward()
    assert (
        height.grad is None and moved.grad is not None and bool((moved.grad[..., [0, 2]] > 0).all())
    )

"""The kinds of motion VAE: each learns, plays and is measured like any other; what is their own is
held against another way to compute it."""

from __future__ import annotations

import math
import sys
import warnings
from dataclasses import replace
from functools import cache
from pathlib import Path

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env
from stable_baselines3.common.env_checker import check_env as check_env_for_sb3
from synthetic import anywhere, data, layout, refusal
from torch import Tensor, nn
from torch.nn import functional

import play
from controller.control.actors import CodeActor
from controller.control.folder import CharacterFolder
from controller.control.policy import Policy
from controller.core import batch, checkpoint
from controller.core.errors import ActionError, CheckpointError, ConfigError
from controller.dynamics.character import KIND, Character, CharacterState
from controller.evaluation import diagnostics, figures
from controller.evaluation.diagnosis import diagnose
from controller.model import variants
from controller.model.codes import COMMITMENT, PRIOR_SPEED, REVIVAL, CodeVAE
from controller.model.mixture import Decoder, MotionVAE, MotionVAEConfig
from controller.model.normalizer import Normalizer
from controller.model.plain import PlainVAE
from controller.model.specialists import SpecialistsVAE
from controller.tasks.random_walk import NoGoal, RandomWalkTask
from controller.tasks.simulation import Simulation
from controller.training.config import TrainConfig
from controller.training.schedules import KlWeight, TeacherForcing
from controller.training.trainer import Trainer
from envs import train_policy
from envs.character_env import CharacterEnv, VectorCharacterEnv
from envs.episodes import Episodes
from envs.ppo import PpoConfig, PpoTrainer
from envs.sb3 import CharacterVecEnv
from envs.train_policy import PolicyConfig, PolicyTraining

OURS = ("plain", "specialists", "codes")
CODES = 7


def config(variant: str, **sizes: int) -> MotionVAEConfig:
    small = {"latent": 6, "hidden": 24, "experts": 3, "gate_hidden": 8, "codes": CODES}
    return MotionVAEConfig(variant=variant, **small | sizes)  # type: ignore[arg-type]


def model(variant: str, seed: int = 0, **sizes: int) -> MotionVAE:
    """An untrained one for :func:`synthetic.data`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return variants.build(layout().size, config(variant, **sizes), data().normalizer())


def character(variant: str) -> Character:
    vae = model(variant)
    return Character(vae, layout(), vae.normalizer.normalize(data().split(held_out=True)[0]))


def random(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(params=OURS)
def variant(request: pytest.FixtureRequest) -> str:
    return request.param


# -- learning --------------------------------------------------------------------------------------


@cache
def learned(variant: str) -> tuple[dict[str, float], Trainer]:
    """Figures before training, and what 240 small rollouts made of it, the last quarter of them
    with free steps."""
    settings = TrainConfig.of(
        model=config(variant, latent=8, hidden=48, experts=2, gate_hidden=16, codes=32),
        epochs=4, teacher=TeacherForcing(hold_epochs=2, ramp_epochs=1), kl=KlWeight(ramp_epochs=2),
        rollouts_per_epoch=60, rollout=4, batch=32, learning_rate=5e-3, beta=0.01,
        free_from_epoch=3, free_steps=4, free_batch=32, free_pool=256,
    )  # fmt: skip
    trainer = Trainer(data(), settings)
    before = trainer.validate()
    for _ in range(settings.epochs):
        trainer.run_epoch()
    return before, trainer


def test_each_learns_a_few_walks_by_heart(variant: str) -> None:
    before, trainer = learned(variant)
    first = trainer.history[0]
    last = trainer.history[-1]
    assert last["reconstruction"] < 0.15 and last["reconstruction"] < first["reconstruction"] / 2
    assert (
        last["one_step_mm"] < before["one_step_mm"] / 5
        and last["rollout_mm"] < before["rollout_mm"] / 4
    )
    assert last["active_units"] >= 4 and last["kl_nats"] > 1


def test_each_walks_by_itself_and_stays_sane(variant: str) -> None:
    measured, run = figures.random_figures(
        learned(variant)[1].character(), characters=8, frames=1000, seed=1
    )
    assert measured["alive_fraction"] == 1 and len(run.pose) == 1000
    assert run.velocity.norm(dim=-1).mean() > 0.05


def test_each_is_diagnosed(variant: str) -> None:
    report = diagnose.diagnose(learned(variant)[1].character(), data())
    assert report["sane_fraction"] == 1 and report["one_step_mm"] < report["still_mm"]
    assert report["spread_m"] > 0 and report["z_sensitivity"] > 0
    assert (
        (report["gate_share"] is None) == (variant == "plain") == (report["dead_experts"] is None)
    )
    if variant == "specialists":
        assert (
            sum(report["gate_share"]) == pytest.approx(1) and report["gate_pose_entropy_nats"] == 0
        )
    if variant == "codes":
        assert report["kl_per_unit"] is None and 1 < report["kl_nats"] <= math.log(32) + 1e-6
        assert report["aggregate_kl_nats"] >= 0


def test_each_is_saved_and_loaded_as_what_it_is(variant: str, tmp_path: Path) -> None:
    who = character(variant)
    who.save(tmp_path / "who.safetensors")
    again = Character.load(tmp_path / "who.safetensors")
    assert (
        type(again.model) is variants.VARIANTS[variant] and again.model.config == who.model.config
    )  # type: ignore[index]
    state = anywhere(1, 9, who)
    latent = who.draw_latents(9, torch.Generator().manual_seed(0))
    assert torch.equal(again.step(state, latent).pose, who.step(state, latent).pose)
    assert torch.equal(again.draw_latents(9, torch.Generator().manual_seed(0)), latent)


def test_a_checkpoint_that_names_no_kind_is_a_mixture_and_an_unknown_kind_is_refused(
    tmp_path: Path,
) -> None:
    path = tmp_path / "who.safetensors"
    assert type(Character.load(CharacterFolder.open().mvae).model) is MotionVAE
    who = character("mixture")
    who.save(path)
    header, tensors = checkpoint.load(path, KIND)
    named = header["config"].pop("variant")
    checkpoint.save(path, KIND, header, tensors)
    assert named == "mixture" and Character.load(path).model.config == who.model.config
    header["config"]["variant"] = "dream"
    checkpoint.save(path, KIND, header, tensors)
    with pytest.raises(
        CheckpointError, match=r"not a complete motion-vae checkpoint .variant is 'dream'; allowed"
    ):
        Character.load(path)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("variant", "dream"),
        ("latent", 0),
        ("codes", 1),
        ("codes", 5000),
        ("experts", 0),
        ("hidden", 0),
    ],
)
def test_a_bad_setting_is_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(ConfigError) as caught:
        MotionVAEConfig(**{field: value})  # type: ignore[arg-type]
    assert str(caught.value).startswith(f"{field} is {value!r}; allowed: ")


def test_a_character_alone_steps_as_in_a_crowd(variant: str) -> None:
    """Though only the mixture's decoder, which codes use as well, has a compiled path."""
    who = character(variant)
    assert who.model.has_kernels == (variant == "codes")
    state = anywhere(2, 5, who)
    latent = who.draw_latents(5, torch.Generator().manual_seed(0))
    after = who.step(state, latent)
    one = who.step(batch.select(state, slice(1, 2)), latent[1:2])
    torch.testing.assert_close(one.pose[0], after.pose[1], atol=1e-5, rtol=1e-5)
    for mine, theirs in zip(who.joints(one), who.joints(after), strict=True):
        torch.testing.assert_close(mine[0], theirs[1], atol=1e-5, rtol=1e-5)


# -- formulas --------------------------------------------------------------------------------------


@torch.no_grad()
def test_the_plain_decoder_has_z_in_every_layer() -> None:
    vae = model("plain")
    assert isinstance(vae, PlainVAE)
    latent = random(1, 9, 6)
    previous = random(2, 9, layout().size)
    decoder = vae.decoder
    hidden = previous
    for layer in (decoder.first, decoder.second, decoder.output):
        hidden = functional.linear(torch.cat((latent, hidden), -1), layer.weight, layer.bias)
        hidden = hidden if layer is decoder.output else functional.elu(hidden)
    torch.testing.assert_close(vae.decode(latent, previous), hidden, atol=1e-5, rtol=1e-5)
    assert vae.blend(latent, previous) is None


def alone(vae: MotionVAE, expert: int) -> Decoder:
    """One specialist by itself: a mixture of one."""
    decoder = Decoder(layout().size, replace(vae.config, experts=1))
    for name in ("first", "second", "output"):
        mine = getattr(decoder, name)
        theirs = getattr(vae.decoder, name)
        mine.load_state_dict({"weight": theirs.weight[[expert]], "bias": theirs.bias[[expert]]})
    return decoder


def decided(variant: str) -> MotionVAE:
    """An untrained one whose gate has opinions."""
    vae = model(variant)
    with torch.no_grad():
        vae.decoder.gate[-1].weight.mul_(8)  # type: ignore[index]
    return vae


@torch.no_grad()
def test_specialists_compete_and_the_gates_favourite_acts() -> None:
    vae = decided("specialists")
    assert isinstance(vae, SpecialistsVAE)
    previous = random(1, 40, layout().size)
    following = random(2, 40, layout().size)
    noise = random(3, 40, 6)
    step = vae.loss(previous, following, following, noise, 0.0)
    mean, log_variance = vae.encode(previous, following)
    latent = mean + (0.5 * log_variance).exp() * noise
    gate = torch.softmax(vae.decoder.gate(torch.cat((latent, previous), -1)), -1)
    poses = [alone(vae, expert)(latent, previous) for expert in range(3)]
    expected = sum(
        gate[row, k] * (poses[k][row] - following[row]).square().mean()
        for row in range(40)
        for k in range(3)
    )
    assert step.reconstruction.item() == pytest.approx(float(expected) / 40, rel=1e-4)
    picked = gate.argmax(-1)
    assert len(picked.unique()) == 3
    acting = torch.stack([poses[k][row] for row, k in enumerate(picked.tolist())])
    torch.testing.assert_close(step.predicted, acting, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(vae.decode(latent, previous), acting, atol=1e-5, rtol=1e-5)
    blend = vae.blend(latent, previous)
    assert (
        blend is not None
        and torch.equal(blend.argmax(-1), picked)
        and torch.equal(blend.sum(-1), torch.ones(40))
    )


def test_a_specialist_is_told_what_it_did_wrong_by_its_coefficient() -> None:
    """∂/∂bₖ of Σ cₖ·mean‖xₖ − x‖², b the last layer's bias, is 2·cₖ·(xₖ − x)/D: not the blend's
    error."""
    vae = decided("specialists")
    previous = random(1, 1, layout().size)
    following = random(2, 1, layout().size)
    vae.loss(previous, following, following, torch.zeros(1, 6), 0.0).reconstruction.backward()
    latent, _ = vae.encode(previous, following)
    gate = vae.decoder.coefficients(latent, previous)[0]  # type: ignore[operator, union-attr]
    for expert in range(3):
        wrong = (alone(vae, expert)(latent, previous) - following)[0]
        expected = 2 * gate[expert] * wrong / layout().size
        torch.testing.assert_close(
            vae.decoder.output.bias.grad[expert], expected, atol=1e-6, rtol=1e-4
        )  # type: ignore[union-attr, index]


def codes() -> CodeVAE:
    vae = model("codes")
    assert isinstance(vae, CodeVAE)
    return vae


@torch.no_grad()
def test_z_is_the_nearest_code() -> None:
    vae = codes()
    previous = random(1, 50, layout().size)
    following = random(2, 50, layout().size)
    code, log_variance = vae.encode(previous, following)
    vectors = vae.encoder(previous, following)
    expected = torch.stack([vae.codes[(vae.codes - v).square().sum(-1).argmin()] for v in vectors])
    torch.testing.assert_close(code, expected)
    assert len(code.unique(dim=0)) > 1 and (log_variance == -math.inf).all()
    for rows in (vae.codes, vectors):  # as long as a draw from N(0, I), on average
        torch.testing.assert_close(rows.square().mean(-1), torch.ones(len(rows)))


class Answer(nn.Module):
    """An encoder that always answers the same."""

    def __init__(self, vectors: Tensor) -> None:
        super().__init__()
        self.vectors = nn.Parameter(vectors)

    def forward(self, previous: Tensor, following: Tensor) -> Tensor:
        return self.vectors


def test_the_gradient_goes_straight_through_the_choice() -> None:
    """What the encoder's vector is told of the reconstruction is what z is told, by finite
    differences."""
    vae = codes().double()
    previous = random(1, 3, layout().size).double()
    following = random(2, 3, layout().size).double()
    vae.encoder = Answer(vae.encoder(previous, following).detach())
    step = vae.loss(previous, following, following, torch.zeros(3, 6), 0.0)
    step.reconstruction.backward()
    with torch.no_grad():
        code, _ = vae.encode(previous, following)
        torch.testing.assert_close(step.predicted, vae.decode(code, previous))
        for row, unit in ((0, 0), (2, 5)):
            ends = []
            for sign in (-1, 1):
                moved = code.clone()
                moved[row, unit] += sign * 1e-5
                ends.append((vae.decode(moved, previous) - following).square().mean())
            slope = float(ends[1] - ends[0]) / 2e-5
            assert float(vae.encoder.vectors.grad[row, unit]) == pytest.approx(slope, rel=1e-4)
    assert vae.codebook.grad is None or not vae.codebook.grad.any()


def test_codes_and_encodings_pull_each_other() -> None:
    """Equation 3 of van den Oord et al. 2017 with β = 0.25, the pull of idle codes, and the codes'
    surprise."""
    vae = codes()
    with torch.no_grad():
        vae.logits.copy_(random(5, CODES) / PRIOR_SPEED)
    # too few for all codes
    previous = random(1, 4, layout().size)
    following = random(2, 4, layout().size)
    latent = vae.loss(previous, following, following, torch.zeros(4, 6), 0.0).latent
    vectors = vae.encoder(previous, following)
    gaps = torch.cdist(vae.codes, vectors).square() / 6  # (K, B), means over units
    prior = torch.softmax(PRIOR_SPEED * vae.logits, -1)
    surprise = -prior[gaps.argmin(0)].log().mean() / 6
    expected = (1 + COMMITMENT) * gaps.amin(0).mean() + REVIVAL * gaps.amin(1).mean() + surprise
    assert latent.item() == pytest.approx(expected.item(), rel=1e-4)
    latent.backward()
    share = torch.bincount(gaps.argmin(0), minlength=CODES) / 4
    torch.testing.assert_close(
        vae.logits.grad, PRIOR_SPEED * (prior - share) / 6, atol=1e-6, rtol=1e-4
    )
    assert (vae.codebook.grad.abs().sum(-1) > 0).all()  # type: ignore[union-attr]


@torch.no_grad()
def test_random_walks_draw_codes_as_often_as_the_prior_has_them() -> None:
    vae = codes()
    vae.logits.copy_(torch.tensor([0.5, 0.3, 0.2, 1e-9, 1e-9, 1e-9, 1e-9]).log() / PRIOR_SPEED)
    draws = vae.draw_latents(20_000, torch.Generator().manual_seed(0))
    share = vae.frequencies(draws)
    torch.testing.assert_close(share[:3], torch.tensor([0.5, 0.3, 0.2]), atol=0.02, rtol=0)
    assert not share[3:].any() and not draws.requires_grad
    entropy = -sum(p * math.log(p) for p in share[:3].tolist())
    none = torch.full_like(draws, -math.inf)
    assert float(vae.information(draws, none)) == pytest.approx(entropy, rel=1e-4)
    assert float(vae.mismatch(draws, none)) == pytest.approx(0, abs=1e-3)
    ones = vae.codes[[1]].expand(10, -1)
    assert float(vae.information(ones, none)) == 0
    assert float(vae.mismatch(ones, none)) == pytest.approx(-math.log(0.3))


@torch.no_grad()
def test_without_codes_random_walks_draw_from_the_normal_distribution() -> None:
    vae = model("plain")
    draws = vae.draw_latents(50, torch.Generator().manual_seed(3))
    assert torch.equal(draws, torch.randn(50, 6, generator=torch.Generator().manual_seed(3)))
    assert vae.codes is None


# -- playing ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def code_mvae(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint of an untrained model with codes."""
    path = tmp_path_factory.mktemp("mvae") / "codes.safetensors"
    character("codes").save(path)
    return path


def test_both_libraries_checkers_are_content_with_codes_for_actions(code_mvae: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gymnasium.make("MotionVAE/Joystick-v0", mvae=str(code_mvae)).unwrapped)
        check_env_for_sb3(gymnasium.make("MotionVAE/Joystick-v0", mvae=str(code_mvae)).unwrapped)


def test_an_action_is_the_number_of_a_code_through_every_face(code_mvae: Path) -> None:
    single = CharacterEnv(mvae=str(code_mvae))
    several = VectorCharacterEnv(3, mvae=str(code_mvae))
    learner = CharacterVecEnv(Episodes.make("joystick", 3, 20, str(code_mvae)))
    assert single.action_space == learner.action_space == gymnasium.spaces.Discrete(CODES)
    assert several.action_space == gymnasium.spaces.MultiDiscrete([CODES] * 3)
    for env in (single, several):
        env.reset(seed=0)
    learner.reset()
    who = several.episodes.simulation.character
    assert who.codes is not None
    actions = np.array([0, 4, 6])
    before = several.episodes.state
    several.step(actions)
    assert torch.equal(several.episodes.state.pose, who.step(before, who.codes[[0, 4, 6]]).pose)
    before = learner.episodes.state
    learner.step(actions)
    assert torch.equal(learner.episodes.state.pose, who.step(before, who.codes[[0, 4, 6]]).pose)
    before = single.episodes.state
    assert single.action_space.contains(single.action_space.sample())
    single.step(np.int64(5))
    torch.testing.assert_close(single.episodes.state.pose, who.step(before, who.codes[[5]]).pose)
    for wrong in (CODES, -1):
        with pytest.raises(ActionError):
            single.step(np.int64(wrong))


def test_codes_are_not_held_and_cost_nothing() -> None:
    """A code has values beyond the ±2 to which other latents are held."""
    who = character("codes")
    simulation = Simulation(who, RandomWalkTask(who))
    assert who.codes is not None
    far = 1.5 * who.codes
    assert float(far.abs().max()) > 2 and torch.equal(simulation.clamp(far), far)
    state = anywhere(0, CODES, who)
    _, terms = simulation.judge(state, far, simulation.move(state, far), NoGoal(state.yaw))
    assert not terms["latent"].any()
    free = character("plain")
    assert float(Simulation(free, RandomWalkTask(free)).clamp(torch.tensor([5.0]))) == 2


def puppet() -> Character:
    """A rigid figure that a code moves: 1 m/s forward, backward or to the left, or turning by 1
    rad/s."""
    size = layout().size
    part = layout()
    stand = data().poses[0].clone()
    stand[part.root_velocity] = 0
    stand[part.positions.start + 1] = 0.9
    wide = torch.full((size,), 50.0)
    vae = CodeVAE(
        size,
        config("codes", codes=4),
        Normalizer(stand, torch.ones(size), stand - wide, stand + wide),
    )
    strings = torch.tensor([[1.0, 0, 0], [-1, 0, 0], [0, 1, 0], [0, 0, 1]])
    with torch.no_grad():
        vae.codebook.zero_()[:, :3] = strings
        vae.decoder.output.weight.zero_()  # type: ignore[operator, union-attr]
        vae.decoder.output.bias.zero_()  # type: ignore[operator, union-attr]
        vae.decoder.output.weight[:, :3, :3] = torch.eye(3) / math.sqrt(vae.config.latent)  # type: ignore[index, union-attr]
    return Character(vae, part, torch.zeros(1, size))


class Left(RandomWalkTask):
    """Go to the left."""

    def reward(
        self, before: CharacterState, latent: Tensor, after: CharacterState, goal: NoGoal
    ) -> tuple[Tensor, dict[str, Tensor]]:
        return self.character.root_velocity(after.pose)[:, 1], {}


def test_ppo_learns_which_code_pays(tmp_path: Path) -> None:
    who = puppet()
    episodes = Episodes(Simulation(who, Left(who)), 32, 40)
    rates = {"learning_rate": 3e-3, "final_learning_rate": 1e-3}
    settings = PpoConfig(
        rollout_frames=16, minibatch=128, epochs=6, gamma=0.5, reward_scale=1.0, **rates
    )
    trainer = PpoTrainer(episodes, settings, (32,), 0, tmp_path)
    figures = [trainer.iterate(number / 15) for number in range(15)]
    assert figures[-1]["reward"] > 0.9 > 0.4 > figures[0]["reward"]
    assert (
        figures[0]["entropy"] == pytest.approx(math.log(4), abs=0.05)
        and figures[-1]["entropy"] < 0.5
    )
    actor = trainer.actor()
    assert isinstance(actor, CodeActor) and who.codes is not None
    assert torch.equal(actor(torch.zeros(3, layout().size)), who.codes[[2, 2, 2]])


@pytest.fixture(scope="module")
def code_policy(code_mvae: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A joystick policy that PPO trained a little, written as the command writes it."""
    settings = PolicyConfig(
        algorithm="ppo", mvae=code_mvae, out=tmp_path_factory.mktemp("policy"), characters=8,
        hidden=(16, 8), ppo=PpoConfig(rollout_frames=8, minibatch=32, epochs=2, learning_rate=1e-2),
    )  # fmt: skip
    training = PolicyTraining(settings)
    training.iterate()
    with torch.no_grad():
        training.trainer.policy.head.weight.mul_(30)  # type: ignore[union-attr] - a young policy has no favourites
    training.save()
    resumed = PolicyTraining(replace(settings, resume=True))
    observations = 3 * random(0, 64, layout().size + 4)
    policy = Policy.load(training.policy_path, character("codes"), "joystick")
    assert torch.equal(resumed.policy()(observations), policy(observations))
    actions, _ = training.trainer.ppo.predict(observations.numpy(), deterministic=True)  # type: ignore[union-attr]
    who = character("codes")
    assert who.codes is not None and len(set(actions.tolist())) > 1
    assert torch.equal(policy(observations), who.codes[torch.from_numpy(actions)])
    assert torch.equal(policy(observations[:1]), policy(observations)[:1])  # alone, too
    return training.policy_path


def test_a_policy_of_codes_plays(
    code_mvae: Path, code_policy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    roots = []
    for keys in ("0-40:w", "0-40:d"):
        path = tmp_path / "way.npz"
        words = [
            "--headless",
            "--keys",
            keys,
            "--record",
            path,
            "--mvae",
            code_mvae,
            "--policy",
            code_policy,
        ]
        monkeypatch.setattr(sys, "argv", ["play.py", *map(str, words)])
        play.main()
        with np.load(path) as file:
            roots.append(file["root"])
    assert roots[0].shape == (40, 3) and np.isfinite(roots).all()


def test_no_gradient_goes_through_the_choice_of_a_code(
    code_mvae: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["--mvae", code_mvae, "--out", tmp_path / "run", "--algorithm", "shac"]
    message = refusal(train_policy.main, words, monkeypatch, capsys)
    assert message.startswith("algorithm is 'shac'; allowed: ppo, ")


def test_figures_of_a_latent_are_those_of_its_kind() -> None:
    windows = random(4, 30, 2, layout().size)
    for kind in OURS:
        vae = model(kind)
        figures = diagnostics.latent_figures(vae, windows)
        posterior = diagnostics.posterior_figures(vae, windows)
        if kind == "codes":
            assert posterior["kl_per_unit"] is None and figures["kl_nats"] <= math.log(CODES)
        else:
            assert figures["kl_nats"] == pytest.approx(sum(posterior["kl_per_unit"]), rel=1e-4)
        assert figures["active_units"] == sum(
            v > 0.01 for v in posterior["posterior_mean_variance"]
        )
        assert all(math.isfinite(value) for value in posterior["aggregate_deviation"])


def test_the_environments_take_every_kind(variant: str, tmp_path: Path) -> None:
    path = tmp_path / "who.safetensors"
    character(variant).save(path)
    env = VectorCharacterEnv(4, task="random", mvae=str(path), max_episode_steps=5)
    env.reset(seed=0)
    env.action_space.seed(0)
    for _ in range(12):
        observations, reward, *_ = env.step(env.action_space.sample())
        assert np.isfinite(observations).all() and np.isfinite(reward).all()

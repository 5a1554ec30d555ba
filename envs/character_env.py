"""The Gymnasium faces: one character, and a batch of them."""

from __future__ import annotations

from typing import Any, cast

import gymnasium
import numpy as np
import torch
from gymnasium.spaces import Box, Discrete, Space
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from controller.core.errors import ActionError
from controller.tasks.simulation import Simulation
from envs.episodes import Episodes

Array = NDArray[np.float32]


def spaces(simulation: Simulation) -> tuple[Box, Box | Discrete]:
    """The observation and action space of one character."""
    low, high = simulation.observation_bounds()
    observation = Box(low.numpy(), high.numpy(), dtype=np.float32)
    codes = simulation.character.codes
    action = (
        Box(-1.0, 1.0, (simulation.character.latent,), np.float32)
        if codes is None
        else Discrete(len(codes))
    )
    return observation, action


def action_array(actions: Any, space: Space[Any]) -> NDArray[Any]:
    """Actions as an array of a space's shape and dtype, for one character or a batch.

    Raises ActionError if the shape is another one, if the numbers are of a kind that the space has
    not (a fraction where it counts, a complex number, an object), or if one is not finite or, where
    actions are numbered, unknown.
    """
    array = np.asarray(actions)
    dtype = cast(np.dtype[Any], space.dtype)
    shape = space.shape
    if array.shape != shape:
        raise ActionError(f"action has shape {array.shape}; allowed: {shape}")
    if array.dtype.kind not in ("f", "i", "u") or not np.can_cast(array.dtype, dtype, "same_kind"):
        raise ActionError(f"action has dtype {array.dtype}; allowed: {dtype}")
    if dtype.kind == "f" and not np.isfinite(array).all():
        raise ActionError("action is not finite: it has a NaN or an infinity")
    array = array.astype(dtype, copy=False)
    if dtype.kind == "i" and not space.contains(array if shape else dtype.type(array)):
        raise ActionError(f"action is {array.tolist()}; allowed: {space}")
    return array


class CharacterEnv(gymnasium.Env[Any, Any]):
    """One character, steered by the latent of its motion VAE.

    ## Action The latent z over its limit of 2, ``Box(-1, 1, (32,))`` (the range both libraries
    recommend): z = 2·action drives one step of 1/30 s. Where the motion VAE has K codes, the action
    is the number of one, ``Discrete(K)`` (in a batch ``MultiDiscrete``).

    ## Observation
    A bounded ``Box`` of 243 + G values for the shipped skeleton of J = 20 joints:

    | columns        | what |
    |----------------|-------------------------------------------------------------------------------|
    | 0–2            | root velocity: forward, left, turning, from the last frame to this |
    | 3–62           | joint positions in the facing frame (3·J) |
    | 63–122         | joint velocities relative to the world, in the facing frame's axes (3·J) |
    | 123–242        | joint orientations in the facing frame, 6D (6·J) |
    | 243–(242 + G)  | the goal as the task shows it: see the task's class in ``controller.tasks`` |

    All but the goal are z-scores over the captured motion, held to one deviation beyond what was
    captured. G is 4 for the joystick, 5 for the target, 6 for the timed target, 15 for the path, 27
    for the maze, 29 for the crowd and 0 for the random walk.

    ## Reward
    The task's: see its ``reward``. ``info["reward_terms"]`` holds the terms.

    ## Episode Starts at the origin, in the crowd anywhere, in a reset pose drawn at random, with a
    random goal. *Terminated* when the hips leave 0.5 to 1.3 m or the pose is not a number, and in
    the maze when a wall is touched; *truncated* after ``max_episode_steps`` frames: 1,200 (40 s, as
    in the paper) when made by ``gymnasium.make`` or ``make_vec``, never when constructed directly
    without it.

    ## Arguments ``task``: a name in ``controller.tasks``, or ``MODULE:NAME`` for one that the
    module registers; ``mvae``: a checkpoint to use in place of the shipped one; ``device``: where
    torch computes, "cpu" or "cuda"; ``max_episode_steps``; further arguments go to the task
    (``config=JoystickConfig(...)``).
    """

    metadata: dict[str, Any] = {"render_modes": [], "render_fps": 30}  # noqa: RUF012

    def __init__(
        self,
        task: str = "joystick",
        mvae: str | None = None,
        max_episode_steps: int | None = None,
        device: str = "cpu",
        **settings: Any,
    ) -> None:
        self.episodes = Episodes.make(task, 1, max_episode_steps, mvae, device, **settings)
        self.observation_space, self.action_space = spaces(self.episodes.simulation)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Array, dict[str, Any]]:
        super().reset(seed=seed)
        episode_seed = int(self.np_random.integers(2**62))
        return self.episodes.reset(episode_seed)[0].cpu().numpy(), {}

    def step(self, action: NDArray[Any]) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        """One frame on; ActionError for an action that :func:`action_array` refuses, and nothing
        has moved then."""
        row = action_array(action, self.action_space)[None]
        result = self.episodes.advance(torch.from_numpy(row).to(self.episodes.device))
        info = {"reward_terms": {name: float(value) for name, value in result.terms.items()}}
        observation = result.observation[0].cpu().numpy()
        return (
            observation,
            float(result.reward),
            bool(result.terminated),
            bool(result.truncated),
            info,
        )


class VectorCharacterEnv(VectorEnv[Any, Any, Any]):
    """``num_envs`` characters in one batch; each as :class:`CharacterEnv`, with its own clock,
    reset in the same step.

    Takes the arguments of :class:`CharacterEnv`. They see each other in the crowd alone. Where a
    character's episode ends, the observation is already the next episode's first, and
    ``info["final_obs"]`` holds the last one (Gymnasium's SAME_STEP autoreset).
    ``reset(options={"reset_mask": mask})`` begins only the masked characters anew.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012
        "render_modes": [],
        "render_fps": 30,
        "autoreset_mode": AutoresetMode.SAME_STEP,
    }

    def __init__(
        self,
        num_envs: int = 1,
        task: str = "joystick",
        mvae: str | None = None,
        max_episode_steps: int | None = None,
        device: str = "cpu",
        **settings: Any,
    ) -> None:
        super().__init__()
        self.episodes = Episodes.make(task, num_envs, max_episode_steps, mvae, device, **settings)
        self.num_envs = num_envs
        self.single_observation_space, self.single_action_space = spaces(self.episodes.simulation)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Array, dict[str, Any]]:
        if isinstance(
            seed, list
        ):  # one stream of random numbers serves the batch: all seeds go into it
            seed = int(
                np.random.SeedSequence([0 if s is None else s + 1 for s in seed]).generate_state(1)[
                    0
                ]
            )
        super().reset(seed=seed)
        mask = (options or {}).get("reset_mask")
        rows = (
            None
            if mask is None
            else torch.from_numpy(np.asarray(mask, bool)).to(self.episodes.device)
        )
        return self.episodes.reset(int(self.np_random.integers(2**62)), rows).cpu().numpy(), {}

    def step(
        self, actions: NDArray[Any]
    ) -> tuple[Array, Array, NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """One frame on; ActionError for actions that :func:`action_array` refuses, and nobody has
        moved then."""
        rows = action_array(actions, self.action_space)
        result = self.episodes.step(torch.from_numpy(rows).to(self.episodes.device))
        observation, reward, terminated, truncated = (part.cpu().numpy() for part in result[:4])
        info: dict[str, Any] = {}
        ended = terminated | truncated
        if result.final is not None and ended.any():
            final = np.empty(self.num_envs, dtype=object)
            for row in np.flatnonzero(ended):
                final[row] = result.final[row].cpu().numpy()
            info = {"final_obs": final, "_final_obs": ended, "final_info": {}, "_final_info": ended}
        return observation, reward, terminated, truncated, info

"""The Gymnasium environments: one character, and a batch of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import gymnasium
import numpy as np
import torch
from gymnasium.spaces import Box, Discrete, Space
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from controller.control.folder import DEFAULT, CharacterFolder
from controller.core.errors import ActionError
from controller.tasks.simulation import Simulation
from envs.episodes import Episodes

Array = NDArray[np.float32]


def spaces(simulation: Simulation[Any]) -> tuple[Box, Box | Discrete]:
    """Return the observation and the action space of one character."""
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
    """Convert actions to an array of a space's shape and dtype, for one character or a batch.

    Raises ActionError if the shape differs, if the numbers are of a kind that the space does not
    have (a fraction where it counts, a complex number, an object), if one is not finite, or, where
    actions are numbered, if there is no action of that number.
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

    ## Action
    The latent z divided by its limit of 2, ``Box(-1, 1, (32,))``, the range that both libraries
    recommend: z = 2·action drives one step of 1/30 s. If the motion VAE has K codes, the action is
    the number of a code, ``Discrete(K)`` (in a batch ``MultiDiscrete``).

    ## Observation
    A bounded ``Box`` of 243 + G values for the default character's skeleton of J = 20 joints:

    | columns        | what                                                                    |
    |----------------|-------------------------------------------------------------------------|
    | 0–2            | root velocity: forward, left, turning, from the last frame to this one  |
    | 3–62           | joint positions in the facing frame (3·J)                               |
    | 63–122         | joint velocities relative to the world, in the facing frame's axes      |
    |                | (3·J)                                                                   |
    | 123–242        | joint orientations in the facing frame, 6D (6·J)                        |
    | 243–(242 + G)  | the goal as the task observes it: see its class in ``controller.tasks`` |

    All but the goal are z-scores over the captured motion, clamped to one standard deviation beyond
    the captured range. G is the ``goal_size`` of the task: 4 for the joystick, 5 for the target, 6
    for the timed target, 15 for the path, 27 for the maze, 29 for the crowd and 0 for the random
    walk.

    ## Reward
    The task's: see its ``reward``. ``info["reward_terms"]`` holds the terms.

    ## Episode
    It starts at the origin, or anywhere in the crowd, in a random reset pose, with a random goal.
    It is *terminated* when the hips leave the range that the motion VAE states (0.5 to 1.3 m by
    default), when the pose is not finite, and in the maze when the body touches a wall. It is
    *truncated* after ``max_episode_steps`` frames: 1,200 (40 s, as in the paper) if made by
    ``gymnasium.make`` or ``make_vec``, never if constructed directly without it.

    ## Arguments
    task               a name in ``controller.tasks``, or ``MODULE:NAME`` for a task that the module
                       registers
    mvae               a motion VAE's checkpoint to use in place of the character's
    max_episode_steps  frames of an episode
    device             where torch computes, "cpu" or "cuda"
    character          the name of a character, or the path of its folder

    Further arguments go to the task (``config=JoystickConfig(...)``).
    """

    metadata: dict[str, Any] = {"render_modes": [], "render_fps": 30}  # noqa: RUF012

    def __init__(
        self,
        task: str = "joystick",
        mvae: Path | str | None = None,
        max_episode_steps: int | None = None,
        device: str = "cpu",
        character: Path | str = DEFAULT,
        **settings: Any,
    ) -> None:
        weights = mvae or CharacterFolder.open(character).mvae
        self.episodes = Episodes.make(task, 1, max_episode_steps, weights, device, **settings)
        self.observation_space, self.action_space = spaces(self.episodes.simulation)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Array, dict[str, Any]]:
        super().reset(seed=seed)
        episode_seed = int(self.np_random.integers(2**62))
        return self.episodes.reset(episode_seed)[0].cpu().numpy(), {}

    def step(self, action: NDArray[Any]) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        """Advance by one frame. Raises ActionError for an action that :func:`action_array` refuses,
        before anything has moved."""
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
    """``num_envs`` characters in one batch, each as in :class:`CharacterEnv` and with its own
    clock.

    Takes the arguments of :class:`CharacterEnv`. The characters see each other only in the crowd.
    When a character's episode ends, the observation is already the first one of the next episode,
    and ``info["final_obs"]`` holds the last one (Gymnasium's SAME_STEP autoreset).
    ``reset(options={"reset_mask": mask})`` resets only the masked characters.
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
        mvae: Path | str | None = None,
        max_episode_steps: int | None = None,
        device: str = "cpu",
        character: Path | str = DEFAULT,
        **settings: Any,
    ) -> None:
        super().__init__()
        weights = mvae or CharacterFolder.open(character).mvae
        self.episodes = Episodes.make(
            task, num_envs, max_episode_steps, weights, device, **settings
        )
        self.num_envs = num_envs
        self.single_observation_space, self.single_action_space = spaces(self.episodes.simulation)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Array, dict[str, Any]]:
        if isinstance(seed, list):
            # One stream of random numbers serves the batch: all seeds go into it.
            entropy = [0 if number is None else number + 1 for number in seed]
            seed = int(np.random.SeedSequence(entropy).generate_state(1)[0])
        super().reset(seed=seed)
        mask = (options or {}).get("reset_mask")
        rows = None
        if mask is not None:
            rows = torch.from_numpy(np.asarray(mask, bool)).to(self.episodes.device)
        episode_seed = int(self.np_random.integers(2**62))
        return self.episodes.reset(episode_seed, rows).cpu().numpy(), {}

    def step(
        self, actions: NDArray[Any]
    ) -> tuple[Array, Array, NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """Advance by one frame. Raises ActionError for actions that :func:`action_array` refuses,
        before any character has moved."""
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

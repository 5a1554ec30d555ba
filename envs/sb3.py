"""The interface to stable-baselines3: a VecEnv of a batch of characters."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv

from envs.character_env import action_array, spaces
from envs.episodes import Episodes


class CharacterVecEnv(VecEnv):
    """:class:`Episodes` in the form that stable-baselines3 expects.

    A character whose episode ends is reset in the same step. Its info has ``terminal_observation``
    and ``TimeLimit.truncated``, and ``episode`` with return and length for the library's log.

    Rewards are multiplied by ``reward_scale``, so that a critic's targets stay near 1; the logged
    return is not.
    """

    def __init__(self, episodes: Episodes, reward_scale: float = 1.0) -> None:
        self.episodes = episodes
        self.reward_scale = reward_scale
        self.render_mode = None
        super().__init__(episodes.count, *spaces(episodes.simulation))
        self._batched = batch_space(self.action_space, episodes.count)
        self.returns = np.zeros(episodes.count, np.float32)
        self.lengths = np.zeros(episodes.count, np.int64)
        self.started = time.perf_counter()

    def reset(self) -> NDArray[np.float32]:
        seed = self._seeds[0]
        self._reset_seeds()
        self.returns[:] = 0
        self.lengths[:] = 0
        return self.episodes.reset(seed).cpu().numpy()

    def step_async(self, actions: NDArray[Any]) -> None:
        rows = action_array(actions, self._batched)
        self.actions = torch.from_numpy(rows).to(self.episodes.device)

    def step_wait(
        self,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_], list[dict[str, Any]]]:
        result = self.episodes.step(self.actions)
        rewards = result.reward.cpu().numpy()
        done = (result.terminated | result.truncated).cpu().numpy()
        self.returns += rewards
        self.lengths += 1

        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        if result.final is not None:
            for row in np.flatnonzero(done):
                infos[row] = {
                    "terminal_observation": result.final[row].cpu().numpy(),
                    "TimeLimit.truncated": bool(result.truncated[row]),
                    "episode": self._end_episode(int(row)),
                }

        observation = result.observation.cpu().numpy()
        return observation, np.float32(self.reward_scale) * rewards, done, infos

    def _end_episode(self, row: int) -> dict[str, Any]:
        """What the library logs about the episode of a character, which begins another one."""
        episode = {
            "r": float(self.returns[row]),
            "l": int(self.lengths[row]),
            "t": round(time.perf_counter() - self.started, 3),
        }
        self.returns[row] = 0
        self.lengths[row] = 0
        return episode

    def close(self) -> None:
        """Do nothing: there is nothing to close."""

    def get_attr(self, attr_name: str, indices: int | Iterable[int] | None = None) -> list[Any]:
        value = getattr(self, attr_name)
        return [value for _ in self._get_indices(indices)]

    def set_attr(
        self, attr_name: str, value: Any, indices: int | Iterable[int] | None = None
    ) -> None:
        setattr(self, attr_name, value)

    def env_method(
        self,
        method_name: str,
        *args: Any,
        indices: int | Iterable[int] | None = None,
        **kwargs: Any,
    ) -> list[Any]:
        result = getattr(self, method_name)(*args, **kwargs)
        return [result for _ in self._get_indices(indices)]

    def env_is_wrapped(
        self, wrapper_class: type, indices: int | Iterable[int] | None = None
    ) -> list[bool]:
        return [False for _ in self._get_indices(indices)]

"""Many independent jobs, such as trainings: in processes of this machine, or on a Ray cluster.

A job is a function and its arguments, all of which can be pickled between a project's own
processes, and returns a small result; what it makes is in files. So a job that is begun again goes
on where its files end. On a cluster, every machine needs the same installation, and the folders of
data and results under the same paths. Ray runs jobs of a lost machine again on another one.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

from controller.core import extras, markdown
from controller.core.errors import ControllerError, first_line

LOST = -1
"""How often Ray begins a job again whose machine or process was lost: without end."""
LOOK_S = 5.0
"""Seconds between looks at how far jobs are."""


@dataclass(frozen=True)
class Job:
    """One piece of work: ``function(*arguments)``, by a name of its own."""

    name: str
    function: Callable[..., Any]
    arguments: tuple[Any, ...] = ()

    def __call__(self) -> Any:
        return self.function(*self.arguments)


def run(
    jobs: Sequence[Job],
    processes: int,
    ray: str | None = None,
    look: Callable[[], None] = lambda: None,
) -> Iterator[tuple[int, Any]]:
    """Run jobs, and yield the number and the result of each as soon as it is done.

    ``processes`` run at once here, each job in a process of its own; with ``ray``, the address of a
    cluster ("auto": the one that this machine belongs to), the cluster decides, and each job gets
    one core. ``look`` is called every few seconds. Raises the first error that a job raises;
    ControllerError if there is no such cluster.
    """
    return _locally(jobs, processes, look) if ray is None else _on_ray(jobs, ray, look)


def _locally(
    jobs: Sequence[Job], processes: int, look: Callable[[], None]
) -> Iterator[tuple[int, Any]]:
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, spawn, max_tasks_per_child=1) as pool:
        futures = {pool.submit(job): number for number, job in enumerate(jobs)}
        try:
            left = set(futures)
            while left:
                try:
                    future = next(as_completed(left, timeout=LOOK_S))
                except TimeoutError:
                    look()
                    continue
                left.remove(future)
                yield futures[future], future.result()
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _on_ray(
    jobs: Sequence[Job], address: str, look: Callable[[], None]
) -> Iterator[tuple[int, Any]]:
    try:
        import ray
    except ModuleNotFoundError as error:
        raise extras.missing(error, "running on a cluster") from error

    own = not ray.is_initialized()
    if own:
        os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
        try:
            ray.init(address=address, log_to_driver=False, logging_level="ERROR")
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise ControllerError(
                f"ray is {address!r}, where no cluster answers ({first_line(error)}); start one by "
                "`ray start --head`"
            ) from error
    try:
        remote = ray.remote(num_cpus=1, max_retries=LOST, max_calls=1)(_called)
        tasks = {remote.remote(job): number for number, job in enumerate(jobs)}
        left = list(tasks)
        while left:
            done, left = ray.wait(left, num_returns=1, timeout=LOOK_S)
            for task in done:
                yield tasks[task], _result(ray, task)
            if not done:
                look()
    finally:
        if own:
            ray.shutdown()


def _called(job: Job) -> Any:
    """What runs on the cluster."""
    return job()


def _result(ray: Any, task: Any) -> Any:
    """The result of a task that has ended. Raises the error that it raised."""
    try:
        return ray.get(task)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, ControllerError):
            raise error.cause from error
        raise


class Table:
    """The state of all jobs in one table, which a terminal shows in place. Elsewhere each job that
    is done is one line."""

    def __init__(self, names: Sequence[str], progress: Callable[[str], str]) -> None:
        """``progress`` says in a few words how far the job with a name is; "" if it has not
        begun."""
        self.states = dict.fromkeys(names, "")
        self.progress = progress
        self.done = 0
        self._height = 0
        self._live = sys.stdout.isatty()

    def look(self) -> None:
        """Show how far the jobs are."""
        if self._live:
            self._draw()

    def end(self, name: str, summary: str) -> None:
        """A job has ended."""
        self.states[name] = summary
        self.done += 1
        if self._live:
            self._draw()
        else:
            print(f"{self.done}/{len(self.states)} {name}: {summary}", flush=True)

    def text(self) -> str:
        """The table."""
        lines = [[name, state or self._far(name)] for name, state in self.states.items()]
        return markdown.table([f"{self.done} of {len(lines)} done", "state"], lines)

    def _far(self, name: str) -> str:
        return self.progress(name) or "waits"

    def _draw(self) -> None:
        text = self.text()
        up = f"\x1b[{self._height}A\x1b[J" if self._height else ""
        print(f"{up}{text}", flush=True)
        self._height = text.count("\n") + 1

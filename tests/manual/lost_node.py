"""Jobs on a Ray cluster of two nodes on this machine, one of which is killed in the middle.

``python tests/manual/lost_node.py`` (needs the extra ``ray``; half a minute). Every job writes down
on which node it ran. Exits with an error unless each result came once, and those of the lost node
were made again on the other one. ``--study DATA.npz`` does the same with two short trainings, and
compares every file with that of a study without Ray.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

import ray
from ray.cluster_utils import Cluster

from controller.core import jobs
from controller.core.jobs import Job
from controller.data.dataset import MotionDataset
from controller.studies import study
from controller.studies.cases import Case
from controller.studies.sets import SETS, CaseSet
from controller.training.config import TrainConfig


def slow(number: int, folder: Path, seconds: float) -> int:
    """Write down the node, work for a while, and return a result."""
    with (folder / str(number)).open("a") as file:
        file.write(ray.get_runtime_context().get_node_id() + "\n")
    time.sleep(seconds)
    return number**2


def cluster_of_two() -> tuple[Cluster, object]:
    """A cluster whose head does no work, and two nodes with a core each; returns it and one of
    them."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
    cluster.wait_for_nodes()
    return cluster, nodes[0]


def started(folder: Path, count: int) -> None:
    """Wait until so many jobs have begun."""
    while len(list(folder.iterdir())) < count:
        time.sleep(0.1)


def check_jobs(cluster: Cluster, victim: object) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        work = [Job(str(number), slow, (number, folder, 3.0)) for number in range(4)]

        def kill() -> None:
            started(folder, 2)
            cluster.remove_node(victim, allow_graceful=False)
            print("one of two nodes was killed", flush=True)

        killer = threading.Thread(target=kill)
        killer.start()
        results = sorted(jobs.run(work, 1, ray=cluster.address))
        killer.join()
        assert results == [(number, number**2) for number in range(4)], results
        runs = {path.name: path.read_text().split() for path in folder.iterdir()}
        again = [name for name, nodes in runs.items() if len(nodes) > 1]
        assert again and all(len(set(runs[name])) == 2 for name in again), runs
        print(f"results {results}; run again on the other node: {', '.join(again)}")


def check_study(cluster: Cluster, data: Path) -> None:
    """The same files as without Ray, but for times."""
    assert MotionDataset.load(data).clips
    base = TrainConfig(epochs=4, rollouts_per_epoch=8, batch=8)
    SETS["grid"] = CaseSet(lambda: [Case("one", {"β": "0.01"}, base)])
    with tempfile.TemporaryDirectory() as name:
        options = study.Options(data=data.resolve(), out=Path(name) / "ray", ray=cluster.address)
        study.study(options)
        study.study(replace(options, out=Path(name) / "here", ray=None))
        outcomes = [
            json.loads((Path(name) / where / "grid/one/outcome.json").read_text())
            for where in ("ray", "here")
        ]
        weights = [
            (Path(name) / where / "grid/one/mvae.safetensors").read_bytes()
            for where in ("ray", "here")
        ]
        files = [
            sorted(p.name for p in (Path(name) / where / "grid/one").iterdir())
            for where in ("ray", "here")
        ]
        assert files[0] == files[1], files
        assert outcomes[0]["figures"].keys() == outcomes[1]["figures"].keys()
        print(
            "study: the same files;", "the same bits" if weights[0] == weights[1] else "other bits"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--study", type=Path, help="a data set for two short trainings")
    options = parser.parse_args()
    cluster, victim = cluster_of_two()
    try:
        check_jobs(cluster, victim)
        if options.study:
            check_study(cluster, options.study)
    finally:
        ray.shutdown()
        cluster.shutdown()
    print("all is well")


if __name__ == "__main__":
    main()

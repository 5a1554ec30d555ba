"""A training by several processes, one of which is killed, ends like one process's training.

``python tests/manual/elastic_training.py --data data/motion.npz`` takes a few minutes. It trains a
small motion VAE by one process, by two and by four of one torchrun, and by two torchruns that meet
by a rendezvous as two machines do. In the last three a worker is killed in the middle. Exits with
an error unless all have the same curve.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CLOSE = 1e-2
"""Relative difference by which curves may differ: sums over processes are rounded otherwise."""
SETTINGS = (
    "--model.latent", "8", "--model.hidden", "32", "--model.experts", "2", "--epochs", "8",
    "--rollouts-per-epoch", "40", "--batch", "16", "--free-batch", "4", "--free-pool", "32",
    "--save-every", "1", "--diagnose-every", "8", "--on-fatal", "go-on",
    "--teacher.hold-epochs", "1", "--teacher.ramp-epochs", "2", "--free-from-epoch", "2",
)  # fmt: skip


def train(*launch: str, data: Path, out: Path) -> subprocess.Popen[bytes]:
    """Begin a training by the launcher's words."""
    words = ["train", "--data", str(data), "--out", str(out), *SETTINGS]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with (out.parent / f"{out.name}.log").open("ab") as log:
        command = [sys.executable, "-m", *launch, *words]
        return subprocess.Popen(command, stdout=log, stderr=log, env=environment)


def history(out: Path) -> list[dict[str, float]]:
    path = out / "history.json"
    return json.loads(path.read_text()) if path.exists() else []


def workers(agent: int) -> list[int]:
    """The processes that a torchrun has started."""
    children = Path(f"/proc/{agent}/task/{agent}/children").read_text()
    return [int(number) for number in children.split()]


def kill_one(agent: subprocess.Popen[bytes], out: Path, epoch: int) -> None:
    """Kill a torchrun's last worker once this epoch is saved."""
    while len(history(out)) < epoch:
        assert agent.poll() is None, f"{out}.log"
        time.sleep(0.05)
    os.kill(workers(agent.pid)[-1], signal.SIGKILL)
    print(f"  killed a worker after epoch {len(history(out))}", flush=True)


def shared(count: int, data: Path, out: Path) -> None:
    """By so many processes of one torchrun, one of which is killed."""
    launch = ("torch.distributed.run", "--standalone", "--nproc-per-node", str(count))
    agent = train(*launch, "--max-restarts", "2", "-m", "controller", "--", data=data, out=out)
    kill_one(agent, out, 3)
    assert agent.wait() == 0, f"{out}.log"


def meeting(data: Path, out: Path) -> None:
    """By two torchruns, as on two machines."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    launch = (
        "torch.distributed.run", "--nnodes", "2", "--nproc-per-node", "1", "--max-restarts", "2",
        "--rdzv-backend", "c10d", "--rdzv-endpoint", f"localhost:{port}", "--rdzv-id", "test",
        "--local-addr", "localhost", "-m", "controller", "--",
    )  # fmt: skip
    agents = [train(*launch, data=data, out=out) for _ in range(2)]
    kill_one(agents[1], out, 3)
    assert [agent.wait() for agent in agents] == [0, 0], f"{out}.log"


def compare(name: str, out: Path, expected: list[dict[str, float]]) -> None:
    rows = history(out)
    assert len(rows) == len(expected) == 8, len(rows)
    worst = max(
        abs(row[figure] / other[figure] - 1)
        for row, other in zip(rows, expected, strict=True)
        for figure in ("reconstruction", "kl_nats")
    )
    print(f"{name}: curves differ by {100 * worst:.3f} % at most", flush=True)
    assert worst < CLOSE


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--processes", type=int, nargs="*", default=[2, 4])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        alone = folder / "one"
        assert train("controller", data=options.data, out=alone).wait() == 0
        expected = history(alone)
        for count in options.processes:
            shared(count, options.data, folder / str(count))
            compare(f"{count} processes, one killed", folder / str(count), expected)
        meeting(options.data, folder / "meeting")
        compare("two torchruns, a worker killed", folder / "meeting", expected)
    print("all is well")


if __name__ == "__main__":
    main()

"""The figures as tables, for a terminal and for a document."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

STEPS = (
    ("control_step", "control step: observe, policy, move, joints"),
    ("decoder", "decoder, torch's operators"),
    ("policy", "policy"),
    ("dynamics", "dynamics: decode, integrate"),
    ("core", "core: dynamics, reward, falls, goals, observe"),
)
"""Steps, by the beginning of their keys, and their names in the table."""
OTHERS = (
    (
        "500 characters, control step",
        "{crowd500_ms:.2f} ms (99 %: {crowd500_ms_p99:.2f} ms) on {crowd500_threads} threads",
    ),
    (
        "100 characters, stable-baselines3",
        "{vecenv_steps_per_s_b100:,.0f} steps/s, taking {vecenv_overhead_percent:.1f} % longer "
        "than the core",
    ),
    (
        "100 characters, Gymnasium",
        "{gym_steps_per_s_b100:,.0f} steps/s, taking {gym_overhead_percent:.1f} % longer than the "
        "core",
    ),
    ("PPO", "{ppo_samples_per_s:,.0f} frames/s"),
    (
        "– rollouts alone, updates alone",
        "{ppo_rollout_samples_per_s:,.0f}, {ppo_update_samples_per_s:,.0f} frames/s",
    ),
    ("SHAC, one process", "{shac_frames_per_s:,.0f} frames/s"),
    (
        "training of the motion VAE",
        "{mvae_optimiser_steps_per_s:.1f} optimiser steps/s of {mvae_batch} windows × "
        "{mvae_rollout} frames",
    ),
    (
        "– once free steps have begun",
        "{mvae_optimiser_steps_per_s_with_free_steps:.1f} optimiser steps/s",
    ),
    (
        "– with an optimiser step at every step of a rollout",
        "{mvae_updates_per_s:.0f} optimiser steps/s, {mvae_updates_ratio:.1f} × the published "
        "loop's {mvae_reference_updates_per_s:.1f}",
    ),
    (
        "a frame of the viewer at 640×360, Python",
        "{viewer_python_ms:.2f} ms (99 %: {viewer_python_ms_p99:.2f} ms), including "
        "{viewer_step_ms:.2f} ms for the step",
    ),
    (
        "– then, until it is drawn",
        "{viewer_raster_ms:.2f} ms (99 %: {viewer_raster_ms_p99:.2f} ms) on {viewer_driver}",
    ),
    ("`play.py`, from its start to its first picture", "{cold_start_s:.2f} s"),
    ("peak memory of a program with one character", "{memory_mb:.0f} MB"),
    ("– added by 1,000 steps", "{growth_kb_per_1000_steps:.2f} kB"),
    ("the machine: multiplying matrices", "{gemm_gflops:.0f} GFLOP/s"),
    ("– reading as many bytes as the weights have", "{cache_gb_per_s:.0f} GB/s"),
    ("– copying 256 MB, bytes read and written", "{copy_gb_per_s:.0f} GB/s"),
)
"""The other rows: what was measured, and the pattern of its figures."""
HEAD = ("step", "characters", "median", "99 %", "floor", "floor / median", "characters' steps/s")


def tables(figures: dict[str, Any]) -> str:
    """The steps with their floors, everything else, and a line about the machine."""
    steps = [row for key, name in STEPS for row in _steps(figures, key, name)]
    others = [(name, _format(pattern, figures)) for name, pattern in OTHERS]
    parts = (_table(HEAD, steps), "", _table(("what", "figure"), others), "", _machine(figures))
    return "\n".join(parts)


def _machine(figures: dict[str, Any]) -> str:
    """A sentence about where the figures were measured."""
    versions = ", ".join(f"{name} {version}" for name, version in figures["versions"].items())
    threads = "one thread" if figures["threads"] == 1 else f"{figures['threads']} threads"
    device = "" if figures["device"] == "cpu" else f" and {figures['device']}"
    return f"Measured on {figures['machine']}{device}, {threads} unless stated, {versions}."


def _steps(figures: dict[str, Any], key: str, name: str) -> list[tuple[str, ...]]:
    """A row for each number of characters for which the step was timed."""
    matches = (re.fullmatch(rf"{key}_us_b(\d+)", other) for other in figures)
    batches = [match[1] for match in matches if match]
    rows: list[tuple[str, ...]] = []
    for batch in batches:
        median = figures[f"{key}_us_b{batch}"]
        row = (
            name,
            f"{int(batch):,}",
            _time(median),
            _time(figures[f"{key}_us_b{batch}_p99"]),
            _time(figures[f"{key}_floor_us_b{batch}"]),
            f"{figures[f'{key}_floor_ratio_b{batch}']:.2f}",
            f"{1e6 * int(batch) / median:,.0f}",
        )
        rows.append(row)
    return rows


def _time(us: float) -> str:
    """Three digits with a unit that suits them."""
    if us < 999.5:
        return f"{us:.3g} µs"
    if us < 999.5e3:
        return f"{us / 1e3:.3g} ms"
    return f"{us / 1e6:.3g} s"


def _format(pattern: str, figures: dict[str, Any]) -> str:
    """The pattern with its figures filled in, unless one of them could not be measured."""
    keys = re.findall(r"{(\w+)", pattern)
    if any(figures[key] is None for key in keys):
        return "not measured"
    return pattern.format_map(figures)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose columns are aligned in its source; numbers are aligned right."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    to_right = [len(head) > 2 and index > 0 for index in range(len(head))]
    columns = list(zip(widths, to_right, strict=True))

    def line(cells: Sequence[str]) -> str:
        padded = [
            cell.rjust(width) if right else cell.ljust(width)
            for cell, (width, right) in zip(cells, columns, strict=True)
        ]
        return f"| {' | '.join(padded)} |"

    rule = "|".join("-" * (width + 1) + (":" if right else "-") for width, right in columns)
    return "\n".join((line(head), f"|{rule}|", *map(line, rows)))

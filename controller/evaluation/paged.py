"""Measuring for a page of the documentation: what such commands have in common."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch

from controller.core import files

Results = TypeVar("Results", bound=Mapping[str, Any])


class Options(Protocol):
    """The options that all of them have."""

    @property
    def json(self) -> bool: ...
    @property
    def write(self) -> Path | None: ...
    @property
    def threads(self) -> int: ...


def measured(
    options: Options, block: str, measure: Callable[[], Results], table: Callable[[Results], str]
) -> Results:
    """Measure, fill the ``block`` of the page if one is named, and print the results as JSON or as
    the table. Returns them. A page without the block is found before anything is measured:
    ControllerError."""
    torch.set_num_threads(options.threads)
    if options.write:
        files.split_block(options.write, block)
    with torch.inference_mode():
        results = measure()
    if options.write:
        files.fill(options.write, block, table(results))
    print(json.dumps(results, allow_nan=False) if options.json else table(results))
    return results

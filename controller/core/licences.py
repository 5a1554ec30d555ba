"""The licences of this project and everything that it needs: ``python -m controller licences``.

They are read from what is installed here. The exit status is 1 if one of them is unknown, or does
not fit a program under the MIT licence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata

from controller.core import command_line, markdown
from controller.core.errors import ConfigError, ControllerError

PROJECT = "motion-vae-controller"

FITTING = {
    "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0", "HPND", "ISC",
    "MIT", "MIT-CMU", "Python-2.0", "PSF-2.0", "Unlicense", "Zlib",
    "LGPL-2.1", "MPL-2.0",
}  # fmt: skip
"""Licences, by their SPDX names, of libraries that a program under the MIT licence may use and be
distributed with. The last two ask for the library's own source only, as long as a user can replace
it, as with pip."""

WORDS = {
    "apache software license": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "bsd": "BSD-3-Clause",
    "bsd license": "BSD-3-Clause",
    "bsd 3-clause license": "BSD-3-Clause",
    "3-clause bsd license": "BSD-3-Clause",
    "gnu library or lesser general public license (lgpl)": "LGPL-2.1",
    "isc license (iscl)": "ISC",
    "lgpl v2.1": "LGPL-2.1",
    "mit license": "MIT",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "python software foundation license": "PSF-2.0",
    "the unlicense (unlicense)": "Unlicense",
}
"""SPDX names for what older packages write."""


@dataclass(frozen=True)
class Package:
    """An installed package and its licence: an SPDX expression, or the package's own words, or
    nothing."""

    name: str
    version: str
    licence: str

    @property
    def fits(self) -> bool:
        """Whether a program under the MIT licence may use it."""
        return fits(self.licence)


def fits(expression: str) -> bool:
    """Whether an SPDX expression allows what this project does: all of its parts joined by AND, and
    one of those joined by OR. Exceptions (``WITH``) only add permissions."""
    plain = re.sub(r"\s+WITH\s+[\w.-]+", "", expression)
    words = re.findall(r"[()]|[^\s()]+", plain)
    terms = [
        {"AND": "and", "OR": "or", "(": "(", ")": ")"}.get(word, str(known(word) in FITTING))
        for word in words
    ]
    if not terms:
        return False
    return evaluated(terms)


def known(word: str) -> str:
    """An SPDX name without the suffixes that say whether later versions are allowed, too."""
    return re.sub(r"(-only|-or-later|\+)$", "", word)


def evaluated(terms: list[str]) -> bool:
    """The value of a list such as ``["True", "and", "(", "False", "or", "True", ")"]``; AND binds
    more strongly. False if it is not an expression."""
    rest = list(terms)

    def either() -> bool:
        value = both()
        while rest[:1] == ["or"]:
            rest.pop(0)
            value = both() or value
        return value

    def both() -> bool:
        value = one()
        while rest[:1] == ["and"]:
            rest.pop(0)
            value = one() and value
        return value

    def one() -> bool:
        word = rest.pop(0) if rest else ""
        if word != "(":
            return word == "True"
        value = either()
        return value if rest and rest.pop(0) == ")" else False

    value = either()
    return value and not rest


def licence(about: metadata.PackageMetadata) -> str:
    """The licence in a package's metadata: its SPDX expression, or else that of its classifiers, or
    else its short text. Empty if it states none."""
    if "License-Expression" in about:
        return about["License-Expression"]
    classified = [
        text.rpartition("::")[2].strip()
        for text in about.get_all("Classifier") or []
        if text.startswith("License ::")
    ]
    if not classified:
        stated = (about.get_all("License") or [""])[0]
        classified = stated.strip().splitlines()[:1]
    return " AND ".join(WORDS.get(text.lower(), text) for text in classified if text)


def requirements(name: str, extras: frozenset[str]) -> Iterator[tuple[str, frozenset[str], bool]]:
    """What an installed package requires with these extras: a name, its extras, and whether it is
    required on every platform."""
    for line in metadata.requires(name) or []:
        need, _, marker = line.partition(";")
        found = re.match(r"\s*([A-Za-z0-9._-]+)\s*(?:\[([^\]]*)\])?", need)
        if found is None:
            continue
        wanted = re.findall(r"""extra\s*==\s*['"]([^'"]+)['"]""", marker)
        if wanted and extras.isdisjoint(wanted):
            continue
        only = re.sub(r"""extra\s*==\s*['"][^'"]+['"]""", "", marker)
        asked = frozenset(filter(None, re.split(r"[\s,]+", found[2] or "")))
        yield found[1], asked, not re.search(r"\w", only)


def packages(extras: frozenset[str]) -> list[Package]:
    """The project and everything that it needs with these extras, by name. Raises ControllerError
    if something that is needed is not installed."""
    result: dict[str, Package] = {}
    seen: set[tuple[str, frozenset[str]]] = set()
    left = [(PROJECT, extras, True)]
    while left:
        name, asked, everywhere = left.pop()
        key = re.sub(r"[-_.]+", "-", name).lower()
        if (key, asked) in seen:
            continue
        seen.add((key, asked))
        try:
            about = metadata.metadata(name)
        except metadata.PackageNotFoundError as error:
            if everywhere:
                raise ControllerError(f"{name} is needed, but not installed") from error
            continue  # it is for another platform or Python
        result[key] = Package(about["Name"], about["Version"], licence(about))
        left += requirements(name, asked)
    return [result[key] for key in sorted(result)]


@dataclass(frozen=True)
class Options:
    """What to list."""

    extras: tuple[str, ...] = ()
    """Extras that are installed, such as train, body, export, plots, ray or test."""

    def __post_init__(self) -> None:
        known = metadata.metadata(PROJECT).get_all("Provides-Extra") or []
        for extra in self.extras:
            if extra not in known:
                raise ConfigError(f"extras is {extra!r}; allowed: {', '.join(known)}")


def main() -> int:
    options = command_line.read(Options, description=__doc__)
    found = packages(frozenset(options.extras))
    lines = []
    for package in found:
        verdict = "yes" if package.fits else "NO"
        lines.append([package.name, package.version, package.licence or "not stated", verdict])
    print(markdown.table(["package", "version", "licence", "fits MIT"], lines))
    unfit = [package.name for package in found if not package.fits]
    if unfit:
        print(f"{len(unfit)} of {len(found)} do not fit, or are unknown: {', '.join(unfit)}")
    return 1 if unfit else 0

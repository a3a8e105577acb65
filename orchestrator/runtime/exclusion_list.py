"""The list of interfaces that never answer: a file, read at the start and whenever it changes (contract 4.4).

A missing file means the default list, unlike MetalLB, for which it means that nothing is excluded: interfaces of
container networks are never meant.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import structlog
import yaml

from orchestrator.errors import InvalidConfig
from orchestrator.resources.meta import Problem
from orchestrator.runtime.watched_file import follow_file
from orchestrator.sources.manifests.files import file_ref

log = structlog.get_logger()

KEY = "announcedInterfacesToExclude"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclusions:
    """`patterns` are un-anchored regular expressions, None is the default list; `problems` say why the file does not
    count, then the patterns are those that it had before.
    """

    patterns: tuple[str, ...] | None = None
    problems: tuple[Problem, ...] = ()


class ExclusionList:
    """Keeps up with one file. `post` is given the list at each change, in the event loop."""

    def __init__(self, path: Path, post: Callable[[Exclusions], None]) -> None:
        self._path = path.absolute()
        self._post = post
        self._current: Exclusions | None = None

    def read(self) -> Exclusions:
        """Return the list as it is now; what cannot be used leaves the last good one in force."""
        good = self._current.patterns if self._current is not None else None
        try:
            return Exclusions(patterns=read_exclusions(self._path))
        except (OSError, UnicodeDecodeError, InvalidConfig) as error:
            return Exclusions(patterns=good, problems=(self._problem(error),))

    async def run(self) -> NoReturn:
        """Post the list, and post it again after each change, until cancelled."""
        await follow_file(self._path, self._update)

    def _update(self) -> None:
        found = self.read()
        if found == self._current:
            return
        for problem in found.problems:
            log.error("exclusion list is not used", reason=problem.message, file=str(self._path))
        self._current = found
        self._post(found)

    def _problem(self, error: Exception) -> Problem:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        return Problem(
            ref=file_ref(str(self._path)),
            field=KEY,
            message=f"{reason}; mend the file, until then the last good list stays in force",
        )


def read_exclusions(path: Path) -> tuple[str, ...] | None:
    """Return the regular expressions in a file, None if there is no file. Raises InvalidConfig, OSError, UnicodeDecodeError."""
    try:
        return parse_exclusions(path.read_text())
    except FileNotFoundError:
        return None


def parse_exclusions(text: str) -> tuple[str, ...]:
    """Return the regular expressions in a file's text. Raises InvalidConfig, naming the entry."""
    try:
        document = yaml.load(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError as error:
        raise InvalidConfig(f"no YAML: {' '.join(str(error).split())}") from None
    entries = document.get(KEY) if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise InvalidConfig(f"there is no list {KEY}")
    return tuple(_pattern(number, entry) for number, entry in enumerate(entries))


def _pattern(number: int, entry: object) -> str:
    if not isinstance(entry, str):
        raise InvalidConfig(f'{KEY}[{number}] "{entry}" is not a text')
    try:
        re.compile(entry)
    except re.error as error:
        raise InvalidConfig(f'{KEY}[{number}] "{entry}" is not a regular expression: {error}') from None
    return entry

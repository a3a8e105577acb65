"""The list of interfaces that never answer: a file, read at the start and whenever it changes (contract 4.4).

The file is mostly a ConfigMap: kubelet replaces all of it by swapping a link beside it. So the folder is watched, and
the folder of what a link leads to; a folder that does not exist is waited for in the nearest one above it. The file
is read after the watches stand, so no change falls between the two. Nothing is polled.

A missing file means the default list, unlike MetalLB, for which it means that nothing is excluded: interfaces of
container networks are never meant.
"""

import re
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import structlog
import yaml
from asyncinotify import Inotify, Mask

from orchestrator.errors import InvalidConfig
from orchestrator.resources.meta import Problem
from orchestrator.sources.manifests.files import file_ref

log = structlog.get_logger()

KEY = "announcedInterfacesToExclude"
_MASK = (
    Mask.CREATE | Mask.MOVED_TO | Mask.DELETE | Mask.MOVED_FROM | Mask.CLOSE_WRITE | Mask.DELETE_SELF | Mask.MOVE_SELF
)


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
            return Exclusions(patterns=parse_exclusions(self._path.read_text()))
        except FileNotFoundError:
            return Exclusions()
        except (OSError, UnicodeDecodeError, InvalidConfig) as error:
            return Exclusions(patterns=good, problems=(self._problem(error),))

    async def run(self) -> NoReturn:
        """Post the list, and post it again after each change, until cancelled."""
        with closing(Inotify()) as inotify:
            while True:
                self._watch(inotify)
                self._update()
                await inotify.get()

    def _update(self) -> None:
        found = self.read()
        if found == self._current:
            return
        for problem in found.problems:
            log.error("exclusion list is not used", reason=problem.message, file=str(self._path))
        self._current = found
        self._post(found)

    def _watch(self, inotify: Inotify) -> None:
        for folder in {_existing(self._path.parent), _existing(self._path.resolve().parent)}:
            try:
                inotify.add_watch(folder, _MASK)
            except OSError as error:
                log.warning("exclusion list is not watched", reason=str(error), file=str(folder))

    def _problem(self, error: Exception) -> Problem:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        return Problem(
            ref=file_ref(str(self._path)),
            field=KEY,
            message=f"{reason}; mend the file, until then the last good list stays in force",
        )


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


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    return next((each for each in (folder, *folder.parents) if each.is_dir()), Path("/"))

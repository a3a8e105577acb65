"""Files to objects, once: what the offline commands read. A watched folder is `folder`'s."""

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from orchestrator.resources.kinds import KubeObject
from orchestrator.resources.meta import ObjectRef, Problem
from orchestrator.resources.parse import ParsedObject, Refused
from orchestrator.resources.snapshot import ClusterSnapshot, snapshot_of
from orchestrator.sources.interface import Upserted
from orchestrator.sources.manifests.claims import Claims
from orchestrator.sources.manifests.files import FileObject, is_manifest, locate, read_content, unreadable
from orchestrator.sources.manifests.lines import Lines

STANDARD_INPUT = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestSet:
    """The objects of some files. `problems` are those of the files themselves and of objects that stand twice.

    `incomplete` says that a file could not be read. `ignored` counts objects of kinds that we do not read.
    """

    objects: tuple[Upserted, ...] = ()
    unusable: Mapping[ObjectRef, tuple[Problem, ...]] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    incomplete: bool = False
    ignored: int = 0
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    parts: Mapping[ObjectRef, FileObject] = field(default_factory=dict, repr=False)

    @property
    def all_problems(self) -> tuple[Problem, ...]:
        """Everything that reading found, warnings about usable objects included."""
        warnings = (problem for event in self.objects for problem in event.problems)
        errors = (problem for group in self.unusable.values() for problem in group)
        return (*self.problems, *errors, *warnings)

    def snapshot(self, namespace: str) -> ClusterSnapshot:
        """Return what `resolve` looks at; `namespace` is the one of the installation."""
        objects: Iterable[KubeObject] = (event.obj for event in self.objects)
        return snapshot_of(objects, self.unusable, namespace, incomplete=self.incomplete)

    def snapshot_if_mended(self, namespace: str) -> ClusterSnapshot:
        """Return the same with the objects that are refused for unknown fields only, as if these were removed."""
        refused = (part.outcome for part in self.parts.values() if isinstance(part.outcome, Refused))
        almost = {outcome.ref: outcome.almost for outcome in refused if outcome.almost is not None}
        unusable = {ref: problems for ref, problems in self.unusable.items() if ref not in almost}
        objects = (*(event.obj for event in self.objects), *almost.values())
        return snapshot_of(objects, unusable, namespace, incomplete=self.incomplete)

    def located(self, problems: Iterable[Problem]) -> tuple[Problem, ...]:
        """Return problems that were found later with the file and line of their fields, where the object is known."""
        found: list[Problem] = []
        for name, group in groupby(sorted(problems, key=self._file_of), key=self._file_of):
            found.extend(self._located_in(name, list(group)))
        return tuple(found)

    def _file_of(self, problem: Problem) -> str:
        part = self.parts.get(problem.ref)
        return part.place.rpartition(":")[0] if part is not None else ""

    def _located_in(self, name: str, problems: list[Problem]) -> Iterator[Problem]:
        if not name or all(problem.source for problem in problems):
            yield from problems
            return
        lines = Lines(self.files[name].decode("utf-8-sig"))
        for problem in problems:
            yield from locate((problem,), self.parts[problem.ref], name, lines)


def read_manifests(paths: Sequence[str], namespace: str) -> ManifestSet:
    """Return what the files say: files, folders (recursive), `-` for standard input.

    Of two objects with one name the first counts, in the order of file names, then lines. What cannot be read is a
    problem, never an exception.
    """
    claims = Claims()
    files: dict[str, bytes] = {}
    ignored = 0
    for name, content in _read_all(paths):
        if isinstance(content, bytes):
            files[name] = content
            contents = read_content(name, content, namespace)
        else:
            contents = unreadable(name, 1, f"cannot be read: {content.strerror}; check the path and its permissions")
        claims.update(contents)
        ignored += contents.ignored
    parts = {ref: part for ref in sorted(claims.refs) if (part := claims.owner(ref)) is not None}
    outcomes = [part.outcome for part in parts.values()]
    return ManifestSet(
        objects=tuple(Upserted(part.obj, part.problems) for part in outcomes if isinstance(part, ParsedObject)),
        unusable={part.ref: part.problems for part in outcomes if not isinstance(part, ParsedObject)},
        problems=claims.problems(),
        incomplete=claims.incomplete,
        ignored=ignored,
        files=files,
        parts=parts,
    )


def _read_all(paths: Sequence[str]) -> Iterator[tuple[str, bytes | OSError]]:
    names = {name for path in paths for name in _files_at(path)}
    for name in sorted(names):
        try:
            yield name, sys.stdin.buffer.read() if name == STANDARD_INPUT else Path(name).read_bytes()
        except OSError as error:
            yield name, error


def _files_at(path: str) -> Iterator[str]:
    if path == STANDARD_INPUT or not Path(path).is_dir():
        yield path
        return
    for folder, folders, names in os.walk(path):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (str(Path(folder, name)) for name in names if is_manifest(name))

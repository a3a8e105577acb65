"""Which file an object comes from, when several say that they have it: the one known first keeps it until it lets go.

A file that has become unreadable keeps what it had: nothing is taken away by absence of knowledge.
"""

from collections.abc import Iterator

from orchestrator.resources.meta import ObjectRef, Problem
from orchestrator.sources.manifests.files import FileContents, FileObject


class Claims:
    """The objects of a set of files. `contents` in the order of the files' names make the first file the owner."""

    def __init__(self) -> None:
        self._files: dict[str, FileContents] = {}
        self._broken: dict[str, FileContents] = {}
        self._claims: dict[ObjectRef, dict[str, list[FileObject]]] = {}
        self._contested: set[ObjectRef] = set()
        self._faulty: dict[str, tuple[Problem, ...]] = {}

    def update(self, contents: FileContents) -> set[ObjectRef]:
        """Take in a file that is new or has changed; return the objects that this may have changed."""
        if not contents.readable:
            self._broken[contents.name] = contents
            return set()
        self._broken.pop(contents.name, None)
        found: dict[ObjectRef, list[FileObject]] = {}
        for part in contents.objects:
            found.setdefault(part.ref, []).append(part)
        touched = self._refs(contents.name) | found.keys()
        self._files[contents.name] = contents
        for ref in touched:
            self._claim(ref, contents.name, found.get(ref, []))
        self._note_problems(contents.name, contents.problems)
        return touched

    def remove(self, name: str) -> set[ObjectRef]:
        """Forget a file that is gone; return the objects that it had."""
        touched = self._refs(name)
        self._broken.pop(name, None)
        self._files.pop(name, None)
        for ref in touched:
            self._claim(ref, name, [])
        self._note_problems(name, ())
        return touched

    def _refs(self, name: str) -> set[ObjectRef]:
        return {part.ref for part in self._files[name].objects} if name in self._files else set()

    def _claim(self, ref: ObjectRef, name: str, parts: list[FileObject]) -> None:
        """Let a file have an object; no parts mean that it has it no longer."""
        by_file = self._claims.setdefault(ref, {})
        if parts:
            by_file[name] = parts
        else:
            by_file.pop(name, None)
        if not by_file:
            del self._claims[ref]
        if sum(map(len, by_file.values())) > 1:
            self._contested.add(ref)
        else:
            self._contested.discard(ref)

    def _note_problems(self, name: str, problems: tuple[Problem, ...]) -> None:
        if problems:
            self._faulty[name] = problems
        else:
            self._faulty.pop(name, None)

    @property
    def names(self) -> frozenset[str]:
        """The files that are known, readable or not."""
        return frozenset(self._files) | frozenset(self._broken)

    @property
    def refs(self) -> frozenset[ObjectRef]:
        return frozenset(self._claims)

    @property
    def incomplete(self) -> bool:
        """Whether some file has never been readable."""
        return any(name not in self._files for name in self._broken)

    def owner(self, ref: ObjectRef) -> FileObject | None:
        """Return the object as its owner has it."""
        return next((parts[0] for parts in self._claims.get(ref, {}).values()), None)

    def problems(self) -> tuple[Problem, ...]:
        """Return the problems of files and of objects that several places have, sorted by place."""
        files = (problem for group in self._faulty.values() for problem in group)
        broken = (problem for contents in self._broken.values() for problem in contents.problems)
        found = (*files, *broken, *self._duplicates())
        return tuple(sorted(found, key=lambda problem: (problem.source, problem.field)))

    def _duplicates(self) -> Iterator[Problem]:
        for ref in self._contested:
            first, *others = (part for parts in self._claims[ref].values() for part in parts)
            for other in others:
                message = f"stands at {first.place} too, which counts; remove one of the two, or rename it"
                yield Problem(ref=ref, field="metadata.name", message=message, source=other.place)

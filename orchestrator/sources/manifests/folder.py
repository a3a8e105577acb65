"""ManifestsSource: a folder of manifests and a folder of states, watched.

The order is: note what changed, list folders if names changed, read the files concerned, and only then compare. So an
object that moves from one file to another in one batch is never removed in between, and a lost notice costs a relist,
not a wrong picture.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path

from orchestrator.errors import StartupError
from orchestrator.resources.meta import ObjectRef, Problem
from orchestrator.sources.interface import InputState, SourceEvent, Synced
from orchestrator.sources.manifests.claims import Claims
from orchestrator.sources.manifests.files import file_ref, read_file
from orchestrator.sources.manifests.notices import BACKUP_SUFFIX, Batch, Notices
from orchestrator.sources.manifests.state import StateFolder
from orchestrator.sources.manifests.tree import Listing, Tree
from orchestrator.sources.manifests.view import View

LATE_FILES = 10
"""How many late states are read in one go: about 4 ms."""


class ManifestsSource:
    """Implements Source. `folder` is what people write, `state` what ManifestsSink writes.

    States of the kinds in `unread` are left alone: a speaker need not parse what it, or others, wrote for people. Those of
    the kinds in `late` follow the first list, a few at a time, so that a process need not wait for thousands of them.
    """

    def __init__(
        self, folder: Path, state: Path, namespace: str, unread: Iterable[str] = (), late: Iterable[str] = ()
    ) -> None:
        self._folder = folder.absolute()
        self._unread = tuple(unread)
        self._late = tuple(late)
        self._state = StateFolder(state.absolute())
        self._namespace = namespace

    async def watch(self) -> AsyncGenerator[Sequence[SourceEvent], None]:
        """Yield the first list, `Synced`, then changes until cancelled. Raises StartupError if `folder` is none."""
        if not self._folder.is_dir():
            raise StartupError(f"{self._folder} is not a folder; name the folder of the manifests")
        self._state.path.mkdir(parents=True, exist_ok=True)
        with closing(Notices()) as notices:
            excluded = frozenset({self._state.events, *map(self._state.folder, self._unread)})
            states = Tree(self._state.path, excluded)
            reader = _Reader(notices, Tree(self._folder, frozenset({self._state.path})), states, self._namespace)
            first = reader.first_list(frozenset(map(self._state.folder, self._late)))
            yield [*first, Synced(complete=not reader.has_late)]
            if reader.has_late:
                for events in reader.late():
                    yield events
                    await asyncio.sleep(0)  # whoever reads them has had its turn
                yield [Synced()]
            while True:
                if events := reader.update(await notices.next_batch(reader.covers)):
                    yield events


class _Reader:
    """Reads what a batch says may have changed, and keeps the picture."""

    def __init__(self, notices: Notices, manifests: Tree, states: Tree, namespace: str) -> None:
        self._notices = notices
        self._namespace = namespace
        self._view = View()
        self._trees: tuple[tuple[Tree, Claims], ...] = (
            (manifests, self._view.manifests),
            (states, self._view.states),
        )
        self._put_off: frozenset[Path] = frozenset()
        self._late: set[Path] = set()
        self._set_aside: set[Path] = set()
        self._listings: list[Listing] = []

    def covers(self, path: Path) -> bool:
        return any(tree.covers(path) for tree, _ in self._trees)

    def first_list(self, put_off: frozenset[Path]) -> list[SourceEvent]:
        """Return what is there; what is in the folders `put_off` is left to `late`."""
        self._put_off = put_off
        events = self.update(Batch(names=True))
        self._put_off = frozenset()
        return events

    def update(self, batch: Batch) -> list[SourceEvent]:
        """Return the changes that a batch amounts to."""
        self._set_aside |= batch.set_aside
        touched: set[ObjectRef] = set()
        if batch.names:
            self._listings = [self._list(tree) for tree, _ in self._trees]
            self._forget_folders()
        for (tree, claims), listing in zip(self._trees, self._listings, strict=True):
            paths = {path for path in batch.paths if tree.covers(path)}
            if batch.names:
                known = {Path(name) for name in claims.names}
                paths |= listing.files if batch.everything else listing.files - known - self._late
                paths |= {path for path in known - listing.files if not listing.hides(path)}
            if self._put_off:
                late = {path for path in paths if not self._put_off.isdisjoint(path.parents)}
                self._late |= late
                paths -= late
            touched |= self._read(claims, paths)
        return self._view.changes(touched, self._input_state())

    @property
    def has_late(self) -> bool:
        """Whether the first list has left something out."""
        return bool(self._late)

    def late(self) -> Iterator[list[SourceEvent]]:
        """Yield what the files say that the first list left out, and what has changed meanwhile."""
        left = sorted(self._late)
        for start in range(0, len(left), LATE_FILES):
            batch = self._notices.waiting(self.covers)
            batch.paths.update(left[start : start + LATE_FILES])
            self._late -= batch.paths
            if events := self.update(batch):
                yield events

    def _list(self, tree: Tree) -> Listing:
        with suppress(OSError):  # the parent tells when a root that was moved away comes back; it may be closed to us
            self._notices.watch(tree.root.parent)
        return tree.list(self._notices.watch)

    def _forget_folders(self) -> None:
        roots = {tree.root.parent for tree, _ in self._trees}
        self._notices.forget_all_but(roots.union(*(listing.folders for listing in self._listings)))

    def _read(self, claims: Claims, paths: Iterable[Path]) -> set[ObjectRef]:
        touched: set[ObjectRef] = set()
        for path in sorted(paths):
            contents = read_file(path, str(path), self._namespace)
            if contents is None:
                touched |= self._remove(claims, path)
            else:
                self._set_aside.discard(path)
                touched |= claims.update(contents)
        return touched

    def _remove(self, claims: Claims, path: Path) -> set[ObjectRef]:
        if path in self._set_aside and path.with_name(path.name + BACKUP_SUFFIX).exists():
            return set()
        self._set_aside.discard(path)
        return claims.remove(str(path))

    def _input_state(self) -> InputState:
        """What is wrong around the files."""
        unlisted = {folder: error for listing in self._listings for folder, error in listing.unlisted.items()}
        folders = (
            _problem(folder, f"cannot be listed: {error.strerror}; what was known of it stays in force until it can")
            for folder, error in unlisted.items()
        )
        aside = (
            _problem(path, f"was renamed to {path.name}{BACKUP_SUFFIX}; its objects stay until that file is removed")
            for path in self._set_aside
        )
        found = sorted((*folders, *aside), key=lambda problem: problem.source)
        return InputState(problems=tuple(found), incomplete=bool(unlisted))


def _problem(path: Path, message: str) -> Problem:
    return Problem(ref=file_ref(str(path)), field="", message=message, source=f"{path}:1")

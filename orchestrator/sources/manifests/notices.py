"""inotify: which files may have changed since the last time somebody asked.

Watches stand before a folder is listed, so that nothing falls between the two. A notice is a hint, never the truth:
files are read again and folders are listed again, and what differs counts. No timers: a notice is handled at once, and
what is already queued behind it belongs to the same batch.

A file that is closed after writing or renamed is complete; one that was only created is not, unless it is a link. vim
moves `a.yaml` to `a.yaml~` and writes a new `a.yaml`; for that moment the file is *set aside*, not gone.
"""

import asyncio
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from asyncinotify import Event, Inotify, Mask

from orchestrator.sources.manifests.files import is_manifest

BACKUP_SUFFIX = "~"
CONFIG_MAP_LINK = "..data"
"""kubelet swaps this link to replace all files of a mounted ConfigMap at once."""

_APPEARED = Mask.CREATE | Mask.MOVED_TO
_GONE = Mask.DELETE | Mask.MOVED_FROM
_MASK = _APPEARED | _GONE | Mask.CLOSE_WRITE | Mask.ONLYDIR
_CACHED_EVENTS = 1000


@dataclass(slots=True)
class Batch:
    """What may have changed. `names` says that folders must be listed, `everything` that every file must be read.

    `set_aside` are files that an editor has renamed to their backup name and will write again.
    """

    paths: set[Path] = field(default_factory=set)
    set_aside: set[Path] = field(default_factory=set)
    names: bool = False
    everything: bool = False


class Notices:
    """One inotify instance over several folders and all that is below them."""

    def __init__(self) -> None:
        self._inotify = Inotify(cache_size=_CACHED_EVENTS, sync_timeout=0)

    def close(self) -> None:
        self._inotify.close()

    def watch(self, folder: Path) -> None:
        """Watch the entries of a folder; again after it was moved or made anew. Raises OSError."""
        self._inotify.add_watch(folder, _MASK).path = folder

    def forget_all_but(self, folders: set[Path]) -> None:
        """Give up the watches of folders that are no longer below ours."""
        for watch in self._inotify.watches:
            if watch.path not in folders:
                try:
                    self._inotify.rm_watch(watch)
                except OSError:  # the folder is deleted and the kernel was quicker
                    continue

    async def next_batch(self, covers: Callable[[Path], bool]) -> Batch:
        """Wait for notices about paths that `covers` accepts; return all that are queued."""
        events = [await self._inotify.get()]
        events.extend(self._queued())
        if _unpaired_moves(events):
            await asyncio.sleep(0)  # the kernel queues the second half of a rename right after the first
            events.extend(self._queued())
        return _batch_of([event for event in events if _concerns(event, covers)])

    def waiting(self, covers: Callable[[Path], bool]) -> Batch:
        """Return what is queued about paths that `covers` accepts, without waiting; it may be nothing."""
        return _batch_of([event for event in self._queued() if _concerns(event, covers)])

    def _queued(self) -> Iterator[Event]:
        while (event := self._inotify.sync_get()) is not None:
            yield event


def _concerns(event: Event, covers: Callable[[Path], bool]) -> bool:
    return Mask.Q_OVERFLOW in event.mask or (event.name is not None and event.path is not None and covers(event.path))


def _unpaired_moves(events: list[Event]) -> set[int]:
    """Cookies of files that went somewhere unknown: out of our sight, or the other half is still to come."""
    origins = {event.cookie for event in events if Mask.MOVED_FROM in event.mask}
    return origins - {event.cookie for event in events if Mask.MOVED_TO in event.mask}


def _batch_of(events: list[Event]) -> Batch:
    batch = Batch(names=bool(_unpaired_moves(events)))
    origins = {event.cookie: event.path for event in events if Mask.MOVED_FROM in event.mask}
    for event in events:
        if Mask.Q_OVERFLOW in event.mask:
            batch.everything = batch.names = True
        elif event.path is not None:
            _note(event, event.path, origins.get(event.cookie), batch)
    return batch


def _note(event: Event, path: Path, origin: Path | None, batch: Batch) -> None:
    original = path.with_name(path.name.removesuffix(BACKUP_SUFFIX))
    if path.name == CONFIG_MAP_LINK:
        batch.everything = batch.names = True
    elif Mask.ISDIR in event.mask:
        batch.names = True
    elif origin == original != path and Mask.MOVED_TO in event.mask:
        batch.set_aside.add(original)
    elif is_manifest(original.name):
        whole = event.mask & (Mask.CLOSE_WRITE | Mask.MOVED_TO | _GONE) or _is_link(path)
        if whole and (path == original or event.mask & _GONE):
            batch.paths.add(original)


def _is_link(path: Path) -> bool:
    try:
        status = os.lstat(path)
    except OSError:
        return False
    return path.is_symlink() or status.st_nlink > 1

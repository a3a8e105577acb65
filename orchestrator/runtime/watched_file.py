"""One file that others replace: followed by inotify, never polled.

The file is mostly of a mounted ConfigMap or Secret: kubelet replaces all of it by swapping a link beside it. So the
folder is watched, and the folder of what a link leads to; a folder that does not exist is waited for in the nearest one
above it.
"""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import NoReturn

import structlog
from asyncinotify import Inotify, Mask

log = structlog.get_logger()

_MASK = (
    Mask.CREATE | Mask.MOVED_TO | Mask.DELETE | Mask.MOVED_FROM | Mask.CLOSE_WRITE | Mask.DELETE_SELF | Mask.MOVE_SELF
)


async def follow_file(path: Path, look: Callable[[], None]) -> NoReturn:
    """Call `look` now and whenever the file may have changed, until cancelled.

    It is called after the watches stand, so no change falls between the two.
    """
    with closing(Inotify()) as inotify:
        while True:
            _watch(inotify, path.absolute())
            look()
            await inotify.get()


def _watch(inotify: Inotify, path: Path) -> None:
    for folder in {_existing(path.parent), _existing(path.resolve().parent)}:
        try:
            inotify.add_watch(folder, _MASK)
        except OSError as error:
            log.warning("file is not watched", reason=str(error), file=str(path))


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    return next((each for each in (folder, *folder.parents) if each.is_dir()), Path("/"))

"""One folder with all below it: its files, listed after its watches stand."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.sources.manifests.files import is_manifest


@dataclass(slots=True)
class Listing:
    """The files and folders of a tree. Of `unlisted` folders nobody knows what is in them."""

    files: set[Path] = field(default_factory=set)
    folders: set[Path] = field(default_factory=set)
    unlisted: dict[Path, OSError] = field(default_factory=dict)

    def hides(self, path: Path) -> bool:
        """Whether the file may be there although it was not listed."""
        return any(folder in path.parents for folder in self.unlisted)


@dataclass(frozen=True, slots=True)
class Tree:
    """Hidden folders, those in `exclude` and links to folders are not part of it; links to files are."""

    root: Path
    exclude: frozenset[Path] = frozenset()

    def covers(self, path: Path) -> bool:
        """Whether a path is the root, or below it and not excluded."""
        inside = path == self.root or self.root in path.parents
        return inside and path not in self.exclude and self.exclude.isdisjoint(path.parents)

    def list(self, watch: Callable[[Path], None]) -> Listing:
        """Return what is there; `watch` is called for each folder before it is listed."""
        listing = Listing()
        self._list(self.root, watch, listing)
        return listing

    def _list(self, folder: Path, watch: Callable[[Path], None], listing: Listing) -> None:
        try:
            watch(folder)
            with os.scandir(folder) as entries:
                found = list(entries)
        except OSError as error:
            if folder == self.root or not isinstance(error, FileNotFoundError | NotADirectoryError):
                listing.unlisted[folder] = error
            return
        listing.folders.add(folder)
        for entry in found:
            path = Path(entry.path)
            if entry.is_dir(follow_symlinks=False):
                if not entry.name.startswith(".") and path not in self.exclude:
                    self._list(path, watch, listing)
            elif is_manifest(entry.name):
                listing.files.add(path)

"""Rendered files: a daemon's group may read them, nobody else; a reader sees the old one or the new one, whole."""

import grp
import os
from pathlib import Path
from tempfile import NamedTemporaryFile

from orchestrator.errors import StartupError

MODE = 0o640
"""bgpd starts with an empty configuration if it cannot read its file (FRR 8.4.4), and passwords stand in it."""


def group_id(group: str) -> int:
    """Return the number of a group. Raises StartupError."""
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        raise StartupError(f'there is no group "{group}" here; name the one that FRR runs as') from None


def write_file(path: Path, text: str, gid: int) -> None:
    """Replace the file. Raises OSError."""
    with NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.", delete=False) as temporary:
        try:
            temporary.write(text)
            temporary.flush()
            os.fchown(temporary.fileno(), -1, gid)
            os.fchmod(temporary.fileno(), MODE)
            Path(temporary.name).rename(path)
        except OSError:
            Path(temporary.name).unlink(missing_ok=True)
            raise


def read_file(path: Path) -> str:
    """Return the text of the file, empty if it is not there."""
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""

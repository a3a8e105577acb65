"""The key of the heartbeats from a file, read at the start and whenever it changes: a mounted Secret (contract 4.8)."""

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import structlog

from orchestrator.resources.secret_text import SecretText
from orchestrator.runtime.watched_file import follow_file

log = structlog.get_logger()

FILE_NAME = "secretkey"
"""In the folder of --ml-secret-key-path, as the key of the Secret."""


@dataclass(frozen=True, slots=True)
class FileKey:
    """What the file holds now, in base64."""

    key: SecretText


class KeyFile:
    """Keeps up with the file in one folder. `post` is given the key at each change, in the event loop."""

    def __init__(self, folder: Path, post: Callable[[FileKey], None]) -> None:
        self._path = folder / FILE_NAME
        self._post = post
        self._key: SecretText | None = None

    async def run(self) -> NoReturn:
        """Post the key, and post it again after each change, until cancelled."""
        await follow_file(self._path, self._update)

    def _update(self) -> None:
        """A file that is away or empty for a moment, or for good, takes no key from anybody: the last one stays."""
        try:
            text = self._path.read_bytes()
        except OSError as error:
            log.error("heartbeat key is not read", file=str(self._path), reason=error.strerror)
            return
        key = SecretText(b64encode(text).decode())
        if text and key != self._key:
            self._key = key
            self._post(FileKey(key))

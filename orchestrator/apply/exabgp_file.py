"""ExaBGP's file: written whole, and only what `exabgp validate` accepts.

A section that it refuses is left out with its peer, and tried again when it is another one.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import structlog

from orchestrator.apply.files import read_file, write_file
from orchestrator.errors import DaemonError
from orchestrator.fsm.exabgp_api import DAEMON
from orchestrator.render.exabgp import ExabgpDocument
from orchestrator.render.exabgp_sessions import Section
from orchestrator.resources.meta import ObjectRef

VALIDATION_LIMIT_S = 30.0

log = structlog.get_logger()


class RunFiles(Protocol):
    """Where the files and sockets of a node are (settings.RunFolder)."""

    @property
    def exabgp_socket(self) -> Path: ...

    def daemon_conf(self, daemon: str) -> Path: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionRefusal:
    """A peer whose section ExaBGP does not take, with its words; it has no session."""

    origin: ObjectRef
    words: str


class ExabgpFile:
    """The file of one run folder. `kept_text` is an earlier process' one."""

    def __init__(
        self, files: RunFiles, *, gid: int, validator: Sequence[str], on_written: Callable[[tuple[str, ...]], None]
    ) -> None:
        self._files = files
        self._gid = gid
        self._validator = tuple(validator)
        self._on_written = on_written
        self.kept_text = read_file(files.daemon_conf(DAEMON))
        self._written: str | None = None
        self._refused: dict[str, tuple[Section, SectionRefusal]] = {}

    @property
    def refusals(self) -> tuple[SectionRefusal, ...]:
        """What is left out."""
        return tuple(refusal for _, refusal in self._refused.values())

    def _without_refused(self, document: ExabgpDocument) -> ExabgpDocument:
        """A section that was left out is tried again when it differs."""
        for name, (section, _) in tuple(self._refused.items()):
            if document.sections.get(name) != section:
                del self._refused[name]
        return document.only(document.sections.keys() - self._refused.keys())

    async def write(self, document: ExabgpDocument) -> ExabgpDocument:
        """Return what is in the file now: the document, less the sections that ExaBGP does not take.

        Raises DaemonError or OSError.
        """
        document = self._without_refused(document)
        if document.sections and document.text not in (self._written, self.kept_text):
            document = await self._accepted(document)
        if document.text == self._written:
            return document
        path = self._files.daemon_conf(DAEMON)
        if document.sections:
            write_file(path, document.text, self._gid)
        else:
            path.unlink(missing_ok=True)
        self._written = document.text
        self._on_written((DAEMON,) if document.sections else ())
        return document

    async def _accepted(self, document: ExabgpDocument) -> ExabgpDocument:
        words = await self._complaint(document)
        if not words:
            return document
        for name, section in sorted(document.sections.items()):
            words = await self._complaint(document.only([name]))
            if words:
                log.error("section refused", daemon=DAEMON, object=str(section.origin), reason=words)
                self._refused[name] = (section, SectionRefusal(origin=section.origin, words=words))
        usable = document.only(document.sections.keys() - self._refused.keys())
        if usable.sections and (words := await self._complaint(usable)):
            raise DaemonError(DAEMON, "validate", words)
        return usable

    async def _complaint(self, document: ExabgpDocument) -> str:
        """What `exabgp validate` has against the document; empty if nothing."""
        path = self._files.daemon_conf(f"{DAEMON}.candidate")
        write_file(path, document.text, self._gid)
        try:
            return await _validated(self._validator, path)
        finally:
            path.unlink(missing_ok=True)


async def _validated(validator: Sequence[str], path: Path) -> str:
    """Return what the validator complains about; empty if it accepts the file. Raises DaemonError."""
    try:
        process = await asyncio.create_subprocess_exec(
            *validator,
            str(path),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
    except OSError as error:
        raise DaemonError(DAEMON, "validate", str(error)) from error
    try:
        async with asyncio.timeout(VALIDATION_LIMIT_S):
            output, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise DaemonError(DAEMON, "validate", f"no verdict within {VALIDATION_LIMIT_S:g} s") from None
    return "" if process.returncode == 0 else _redacted(output.decode(errors="replace"))


def _redacted(words: str) -> str:
    """On one line, without anything that may be a password: its lines quote the file."""
    lines = (line.strip() for line in words.splitlines() if "md5-password" not in line)
    return " ".join(line for line in lines if line)[-500:]

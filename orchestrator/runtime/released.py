"""Released addresses as a ConfigMap, so that the next leader knows which of them rest, and for whom they are kept.

One text with a line per address: `<address> <seconds since 1970> <namespace>/<name>`, the latest first. It is bounded,
because a ConfigMap is: what does not fit is the oldest, and rests no more. Written behind: what a leader that is killed
has released in its last seconds may be given to others at once.
"""

from collections.abc import Iterable
from math import isfinite

import structlog

from orchestrator.decide.ledger import Ledger
from orchestrator.decide.released import Release
from orchestrator.errors import InvalidConfig
from orchestrator.net.addresses import parse_address
from orchestrator.resources.core import ConfigMap
from orchestrator.resources.meta import ObjectKey, ObjectMeta, ObjectRef
from orchestrator.sources.interface import Sink

log = structlog.get_logger()

CONFIG_MAP_NAME = "ferrule-released"
FIELD = "released"
LONGEST_TEXT = 900_000
"""Octets; the API server takes objects of a MiB."""
WRITE_INTERVAL_S = 2.0
WRITE_S_PER_ENTRY = 0.001
"""A text of 10 000 lines is written every 12 s at most."""


def to_config_map(text: str, namespace: str) -> ConfigMap:
    """Return the ConfigMap that holds a text of `to_text`."""
    return ConfigMap(metadata=ObjectMeta(name=CONFIG_MAP_NAME, namespace=namespace), data={FIELD: text})


def to_text(releases: Iterable[Release]) -> str:
    """Return the lines of as many releases as fit, the latest first."""
    lines: list[str] = []
    room = LONGEST_TEXT
    for release in sorted(releases, key=lambda each: (-each.at, str(each.address))):
        line = f"{release.address} {release.at:.3f} {release.service}\n"
        room -= len(line)
        if room < 0:
            break
        lines.append(line)
    return "".join(lines)


def from_config_map(config_map: ConfigMap | None) -> tuple[Release, ...]:
    """Return what `to_text` put in; empty for None. Lines that somebody else wrote and nobody understands are left out."""
    text = "" if config_map is None else config_map.data.get(FIELD, "")
    found = (_release(line.split()) for line in text.splitlines())
    return tuple(release for release in found if release is not None)


def _release(words: list[str]) -> Release | None:
    try:
        address, at, service = words
        namespace, name = service.split("/")
        release = Release(address=parse_address(address), at=float(at), service=ObjectKey(namespace, name))
    except (ValueError, InvalidConfig):
        return None
    return release if isfinite(release.at) else None


class ReleasedRecord:
    """What is remembered of released addresses, written behind."""

    def __init__(self, sink: Sink, namespace: str) -> None:
        self._sink = sink
        self._namespace = namespace
        self._text = ""
        self._next_write = 0.0
        self._changed = False

    def read(self, config_map: ConfigMap | None) -> tuple[Release, ...]:
        """Return what an earlier leader remembered."""
        releases = from_config_map(config_map)
        self._text = to_text(releases)
        return releases

    def changed(self) -> None:
        """There may be something to write."""
        self._changed = True

    async def work(self, ledger: Ledger, now: float) -> None:
        """Write what changed, not too often; `now` is monotonic."""
        if self._changed and now >= self._next_write:
            await self.write(ledger, now)

    async def write(self, ledger: Ledger, now: float) -> None:
        """Write what changed; what cannot be written is tried again."""
        text = to_text(ledger.releases)
        self._changed = False
        self._next_write = now + WRITE_S_PER_ENTRY * text.count("\n")
        if text == self._text:
            return
        self._next_write += WRITE_INTERVAL_S
        try:
            await self._sink.write(to_config_map(text, self._namespace))
        except OSError as error:
            self._changed = True
            log.error("released addresses not written", reason=error.strerror)
        else:
            self._text = text

    def patience(self, now: float) -> float | None:
        """Seconds until `work` has something to do; None: nothing has changed."""
        return max(self._next_write - now, 0.0) if self._changed else None


def ref_in(namespace: str) -> ObjectRef:
    """Where the ConfigMap is."""
    return ObjectRef("ConfigMap", namespace, CONFIG_MAP_NAME)

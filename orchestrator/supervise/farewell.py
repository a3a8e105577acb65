"""
The few commands that the supervisor gives to bgpd by itself, derived from its running configuration.

They lower or take away what this node announces: at the orderly end of the pod, and when the speaker stays away. The
speaker's own difference puts everything back, so nothing here is remembered.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Section:
    """Commands for one place: enter the contexts one by one, from configuration mode, then give the lines."""

    contexts: tuple[str, ...]
    lines: tuple[str, ...]


def graceful_shutdown(running: str) -> tuple[Section, ...]:
    """Mark every route of every instance with GRACEFUL_SHUTDOWN (RFC 8326); instances that do so already are left out."""
    marked = {contexts for contexts, line in _lines(running) if line == "bgp graceful-shutdown"}
    instances = dict.fromkeys(contexts[:1] for contexts, _ in _lines(running) if contexts)
    return tuple(Section(instance, ("bgp graceful-shutdown",)) for instance in instances if instance not in marked)


def withdraw(running: str) -> tuple[Section, ...]:
    """Take away every `network` line of every instance."""
    sections: dict[tuple[str, ...], list[str]] = {}
    for contexts, line in _lines(running):
        words = line.split()
        if words[0] == "network":
            sections.setdefault(contexts, []).append(f"no network {words[1]}")
    return tuple(Section(contexts, tuple(lines)) for contexts, lines in sections.items())


def has_graceful_restart(running: str) -> bool:
    """True if the neighbors are asked to keep the routes over a restart of bgpd."""
    return any(line == "bgp graceful-restart" or _restarts_neighbor(line) for _, line in _lines(running))


def _restarts_neighbor(line: str) -> bool:
    words = line.split()
    return words[0] == "neighbor" and words[2:] == ["graceful-restart"]


def _lines(running: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """The lines inside `router bgp` with their contexts; its own line comes first."""
    contexts: tuple[str, ...] = ()
    for raw in running.splitlines():
        line = raw.strip()
        if raw.startswith("router bgp "):
            contexts = (line,)
            yield contexts, line
        elif not raw.startswith(" "):
            contexts = ()
        elif contexts and line.startswith("address-family "):
            contexts = (contexts[0], line)
        elif line == "exit-address-family":
            contexts = contexts[:1]
        elif contexts and line:
            yield contexts, line


def size(sections: Iterable[Section]) -> int:
    """How many lines that is."""
    return sum(len(section.lines) for section in sections)


def unsent(summary: object) -> bool:
    """True while `show bgp vrf all summary json`, parsed, has a neighbor that still has prefixes of ours."""
    if not isinstance(summary, dict):
        return False
    pending = summary.get("pfxSnt", 0) or summary.get("outq", 0)
    return bool(pending) or any(unsent(value) for value in summary.values())

"""The few commands that the supervisor gives to bgpd by itself, derived from its running configuration.

They lower or take away what this node announces: at the orderly end of the pod, and when the speaker stays away. The
speaker's own difference puts everything back, so nothing here is remembered.
"""

from orchestrator.render.canonical import Line, lines_of
from orchestrator.render.commands import Command, Impact

GRACEFUL_SHUTDOWN = "bgp graceful-shutdown"


def graceful_shutdown(running: str) -> tuple[Command, ...]:
    """Mark all routes of each instance with GRACEFUL_SHUTDOWN (RFC 8326); an instance that does so is left out."""
    lines = tuple(lines_of(running))
    instances = (line.text for line in lines if not line.context and line.text.startswith("router bgp "))
    return tuple(
        Command((instance,), GRACEFUL_SHUTDOWN, Impact.ATTRIBUTE)
        for instance in instances
        if Line((instance,), GRACEFUL_SHUTDOWN) not in lines
    )


def withdraw(running: str) -> tuple[Command, ...]:
    """Take away every `network` line of every instance."""
    return tuple(
        Command(line.context, f"no network {line.text.split()[1]}", Impact.ROUTE)
        for line in lines_of(running)
        if line.context and line.context[0].startswith("router bgp ") and line.text.startswith("network ")
    )


def has_graceful_restart(running: str) -> bool:
    """True if the neighbors are asked to keep the routes over a restart of bgpd."""
    return any(_asks_to_keep(line.text.split()) for line in lines_of(running) if line.context)


def _asks_to_keep(words: list[str]) -> bool:
    return words == ["bgp", "graceful-restart"] or (words[0] == "neighbor" and words[2:] == ["graceful-restart"])


def unsent(summary: object) -> bool:
    """True while a neighbor of `show bgp vrf all summary json`, parsed, still has prefixes of ours or waits for some."""
    if not isinstance(summary, dict):
        return False
    pending = summary.get("pfxSnt", 0) or summary.get("outq", 0)
    return bool(pending) or any(unsent(value) for value in summary.values())

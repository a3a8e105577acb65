"""A daemon's running configuration as a set of lines that commands change: a model of bgpd and bfdd.

It knows commands by their words only, none of `orchestrator.render.commands`, and refuses what would leak: the real
bgpd is asked about the same commands in tests/integration/test_frr_difference.py.
"""

from collections.abc import Iterable

from orchestrator.render.canonical import Context, Line
from orchestrator.render.commands import Command

BFD_DEFAULTS = {
    "detect-multiplier 3", "receive-interval 300", "transmit-interval 300",
    "echo receive-interval 50", "echo transmit-interval 50",
}  # fmt: skip


class ModelError(AssertionError):
    """A command that the daemon would refuse, or that lets a route through for a moment."""


class DaemonModel:
    """`lines` is what `show running-config` would give."""

    def __init__(self, lines: Iterable[Line]) -> None:
        self.lines = set(lines)

    def run(self, commands: Iterable[Command]) -> None:
        for command in commands:
            if command.context is not None:
                self._run(command.context, command.text)
                self._check_leaks(command)

    def _run(self, context: Context, text: str) -> None:
        self._enter(context)
        if text.startswith("no ") and (not context or not text.startswith("no bgp ")):
            self._take(context, text.removeprefix("no "))
        elif Line(context, f"no {text}") in self.lines:
            self.lines.discard(Line(context, f"no {text}"))
        elif text in BFD_DEFAULTS:
            name = text.rpartition(" ")[0]
            self.lines = {
                line for line in self.lines if line.context != context or not line.text.startswith(f"{name} ")
            }
        else:
            self._put(context, text)

    def _enter(self, context: Context) -> None:
        """Entering a context makes it, as in the daemon."""
        for depth, opener in enumerate(context):
            if opener.startswith(("router bgp ", "route-map ", "profile ", "peer ")):
                self._put(context[:depth], opener)

    def _put(self, context: Context, text: str) -> None:
        line = Line(context, text)
        if line in self.lines:
            return
        words = text.split()
        if words[0] == "neighbor" and len(context) == 1 and "remote-as" not in words:
            self._need_neighbor(context, words[1])
        if words[0] == "neighbor" and len(context) == 2:
            self._need_neighbor(context[:1], words[1])
        if words[0] == "route-map":
            self._flip(text)
        else:
            self.lines -= {old for old in self.lines if old.context == context and _same_setting(old.text, text)}
        self.lines.add(line)

    def _need_neighbor(self, instance: Context, name: str) -> None:
        prefix = f"neighbor {name} "
        if not any(x.context == instance and x.text.startswith(prefix) and "remote-as" in x.text for x in self.lines):
            raise ModelError(f"no neighbor {name} in {instance}")

    def _flip(self, text: str) -> None:
        """`route-map M permit 5` over `route-map M deny 5` keeps what is in the clause."""
        _, name, _, number = text.split()
        for action in ("permit", "deny"):
            old = f"route-map {name} {action} {number}"
            if old != text and Line((), old) in self.lines:
                inner = {line for line in self.lines if line.context == (old,)}
                self.lines -= inner | {Line((), old)}
                self.lines |= {Line((text,), line.text) for line in inner}

    def _take(self, context: Context, text: str) -> None:
        place = (*context, text)
        words = text.split()
        if words[0] == "neighbor" and len(words) == 2:
            gone = {x for x in self.lines if x.context[:1] == context and x.text.startswith(f"{text} ")}
        else:
            gone = {x for x in self.lines if x.context[: len(place)] == place}
            gone |= {
                x for x in self.lines if x.context == context and (x.text == text or x.text.startswith(f"{text} "))
            }
        if not gone:
            raise ModelError(f"nothing to take back: {context} {text}")
        self.lines -= gone

    def _check_leaks(self, command: Command) -> None:
        for line in self.lines:
            if line.text.startswith("route-map out-") and " permit " in line.text:
                self._need(Line((line.text,), "match tag "), command)
            if line.text.endswith(" activate"):
                prefix = line.text.removesuffix("activate")
                self._need(Line(line.context, f"{prefix}route-map deny-in in"), command)
                self._need(Line(line.context, f"{prefix}route-map out-"), command)

    def _need(self, start: Line, command: Command) -> None:
        if not any(x.context == start.context and x.text.startswith(start.text) for x in self.lines):
            raise ModelError(f"after {command}: {start} is missing")


def _same_setting(old: str, new: str) -> bool:
    one, other = old.split(), new.split()
    if one[:2] == ["bgp", "route-map"]:
        return one[:3] == other[:3]
    if one[0] in ("set", "match", "network") or one[:2] == ["bgp", "router-id"]:
        return one[:2] == other[:2]
    if one[0] == "neighbor" and one[1] == other[1]:
        if "remote-as" in one:
            return "remote-as" in other
        if one[2] == "route-map":
            return other[2] == "route-map" and one[-1] == other[-1]
        if len(one) == len(other) and one[2] in ("timers", "password", "update-source", "port", "local-as"):
            return one[2] == other[2] and (one[3] == "connect") == (other[3] == "connect")
        return one[2:4] == other[2:4] == ["bfd", "profile"]
    timed = ("detect-multiplier", "receive-interval", "transmit-interval", "minimum-ttl", "profile")
    return (one[0] in timed and one[0] == other[0] and one[0] != "profile") or (
        one[0] == "echo" and one[:2] == other[:2]
    )

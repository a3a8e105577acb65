"""Commands of FRR's language: how a line is set, taken back and replaced, and what each costs.

Source: FRR 8.4.4 (bgpd/bgp_vty.c, bgpd/bgpd.c, lib/routemap_cli.c, bfdd/bfdd_cli.c), each form tried on the daemon.
"""

from dataclasses import dataclass
from enum import IntEnum

from orchestrator.render.canonical import Context, Line, opens


class Impact(IntEnum):
    """The worst that a change does to what a peer sees."""

    NONE = 0
    """Nothing: a policy that no route uses yet, a timer of the next connection."""
    ATTRIBUTE = 1
    """A route stays and changes its attributes."""
    ROUTE = 2
    """A route appears or goes."""
    SESSION = 3
    """A session is made, reset or ended."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command at its place. `context` None is outside of configuration (`clear ...`).

    A text may open a context itself; the next command starts from its own context again.
    """

    context: Context | None
    text: str
    impact: Impact

    @property
    def opens(self) -> bool:
        """Whether what is sent next would stand under this one."""
        return self.context is not None and opens(Line(self.context, self.text))


BFD_DEFAULTS = {
    "detect-multiplier": "3",
    "receive-interval": "300",
    "transmit-interval": "300",
    "echo receive-interval": "50",
    "echo transmit-interval": "50",
}
"""These have no `no` form; setting the default takes the line out of the running configuration."""

NEIGHBOR_OPTIONS = {
    "remote-as": Impact.SESSION,
    "activate": Impact.SESSION,
    "local-as": Impact.SESSION,
    "password": Impact.SESSION,
    "ebgp-multihop": Impact.SESSION,
    "update-source": Impact.SESSION,
    "disable-connected-check": Impact.SESSION,
    "route-map": Impact.ROUTE,
    "port": Impact.NONE,
    "timers": Impact.NONE,
    "timers connect": Impact.NONE,
    "graceful-restart": Impact.NONE,
    "bfd": Impact.NONE,
    "bfd profile": Impact.NONE,
}
"""An option that is not listed is a person's; it counts as the worst."""

INSTANCE_OPTIONS = {
    "bgp router-id": Impact.SESSION,
    "no bgp ebgp-requires-policy": Impact.ROUTE,
    "no bgp network import-check": Impact.ROUTE,
    "bgp graceful-shutdown": Impact.ATTRIBUTE,
}


def neighbor_of(line: Line) -> str | None:
    """Return the neighbor that a line is about."""
    return line.text.split(maxsplit=2)[1] if line.text.startswith("neighbor ") else None


def neighbor_option(text: str) -> str:
    """Return the option of a `neighbor` line: `timers connect`, `route-map`, ..."""
    words = text.split()[2:]
    if words[0] == "interface":
        return "remote-as"
    two = " ".join(words[:2])
    return two if two in NEIGHBOR_OPTIONS else words[0]


def is_network(line: Line) -> bool:
    return line.text.startswith("network ") and len(line.context) == 2


def is_policy(line: Line) -> bool:
    """Whether the line opens a route-map clause or stands in one."""
    return clause_of(line).startswith("route-map ")


def clause_of(line: Line) -> str:
    """The outermost line that a line stands under, or itself."""
    return line.context[0] if line.context else line.text


def is_instance(line: Line) -> bool:
    """Whether the line opens a BGP instance."""
    return not line.context and line.text.startswith("router bgp ")


def is_setting(line: Line) -> bool:
    """Whether the line is about bgpd as a whole; there is one: after how many seconds changed route-maps count.

    With 0 a changed out-map is used for what is sent from then on, and nothing is sent again; otherwise every new
    policy has all prefixes sent anew, 5 s later (FRR 8.4.4 and 10.3, tried).
    """
    return not line.context and line.text.startswith("bgp route-map delay-timer ")


def slot(line: Line) -> str:
    """Return what the line sets, without the value. Of two lines with one slot at one place the later replaces the other."""
    words = line.text.split()
    if words[0] == "neighbor":
        option = neighbor_option(line.text)
        return f"{words[1]} {option} {words[-1] if option == 'route-map' else ''}"
    if line.text.startswith("route-map "):
        return f"route-map {words[1]} {words[-1]}"
    if words[0] == "coalesce-time":
        return words[0]
    if line.text.startswith(("set as-path ", "set extcommunity ")):
        return " ".join(words[:3])
    if is_setting(line):
        return " ".join(words[:-1])
    if words[0] == "network" or words[0] in ("set", "match") or line.text.startswith("bgp router-id"):
        return " ".join(words[:2])
    if line.context[:1] == ("bfd",) and len(line.context) == 2:
        return " ".join(words[:-1]) or words[0]
    return line.text


def removal(line: Line) -> str:
    """Return the command that takes the line back, at the line's own place. A password is not repeated."""
    words = line.text.split()
    if words[0] == "no":
        return line.text.removeprefix("no ")
    if words[0] == "neighbor":
        option = neighbor_option(line.text)
        if option == "remote-as":
            return f"no neighbor {words[1]}"
        return f"no neighbor {words[1]} password" if option == "password" else f"no {line.text}"
    name = " ".join(words[:-1])
    if line.context[:1] == ("bfd",) and len(line.context) == 2:
        if name in BFD_DEFAULTS:
            return f"{name} {BFD_DEFAULTS[name]}"
        return f"no {name or words[0]}"
    if words[0] == "set":
        return f"no {slot(line)}"
    return f"no {line.text}"


def impact_of(line: Line) -> Impact:
    """What setting, changing or taking back this line does."""
    words = line.text.split()
    if is_network(line):
        return Impact.ROUTE
    if words[0] == "neighbor":
        return NEIGHBOR_OPTIONS.get(neighbor_option(line.text), Impact.SESSION)
    if is_instance(line):
        return Impact.SESSION
    return INSTANCE_OPTIONS.get(line.text, INSTANCE_OPTIONS.get(" ".join(words[:2]), Impact.NONE))


def show_network(line: Line) -> str:
    """The command that shows what bgpd made of a `network` line: a path is the best one as soon as it is sent."""
    instance, family = (text.split() for text in line.context)
    vrf = f"vrf {instance[4]} " if len(instance) > 4 else ""
    return f"show bgp {vrf}{family[1]} unicast {line.text.split()[1]} json"


def put(line: Line, impact: Impact | None = None) -> Command:
    """The command that sets the line."""
    return Command(line.context, line.text, impact_of(line) if impact is None else impact)


def take(line: Line, impact: Impact | None = None) -> Command:
    """The command that takes the line back."""
    return Command(line.context, removal(line), impact_of(line) if impact is None else impact)
